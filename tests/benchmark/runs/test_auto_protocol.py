"""The protocol `auto`: sizes by share, the most pixels and views that fit the budget, a reason for each choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.data.dataset import Dataset, Image, Pixels
from benchmark.data.splits import make_split
from benchmark.runs.auto_protocol import Shares, load_policy, resolve_auto
from benchmark.runs.protocol import Protocol
from benchmark.training.machine_speed import MachineSpeed
from tests.support.images import in_memory, rows_of

FAST = MachineSpeed(frozen=1e5, training=1e3)
LAPTOP = MachineSpeed(frozen=100, training=1.5)
SLOW = MachineSpeed(frozen=1e-3, training=1e-3)


def of_side(dataset: Dataset, side: int) -> Dataset:
    """`dataset` with images of this size, whose pixels may not be read."""

    def read(images: Sequence[Image], size: int) -> Pixels:
        raise AssertionError("auto may not look at pixels")

    return replace(dataset, original_size=lambda image: (side + 40, side), read=read)


def folder(count: int, side: int = 500) -> Dataset:
    """`count` images without parts."""
    return of_side(in_memory(rows_of("all", count)), side)


def value(protocol: Protocol, field: str) -> int | float | str | None:
    """What was chosen for a field."""
    return next(choice.value for choice in protocol.choices if choice.field == field)


def reason(protocol: Protocol, field: str) -> str:
    """Why it was chosen."""
    return next(choice.why for choice in protocol.choices if choice.field == field)


@pytest.mark.parametrize("count", [60, 400, 1500])
def test_all_images_are_drawn_in_the_stated_shares_and_their_own_balance(count: int) -> None:
    dataset = folder(count)
    protocol = resolve_auto(dataset, LAPTOP)
    split = make_split(dataset, protocol.sampling, protocol.split_seed)
    sizes = [len(split.train), len(split.val), len(split.test)]
    assert sizes == [value(protocol, f"sampling.{part}") for part in ("train", "val", "test")]
    assert sizes == [0.6 * count, 0.2 * count, 0.2 * count]
    assert not protocol.sampling.balanced


def test_validation_is_capped_where_more_images_would_not_help() -> None:
    protocol = resolve_auto(folder(10_000), LAPTOP)
    assert protocol.sampling.val == value(protocol, "sampling.val") == load_policy().most_val
    assert reason(protocol, "sampling.val") == "enough for a threshold"


def test_the_test_part_of_the_source_stays_whole_and_its_tiny_validation_part_is_set_aside() -> None:
    rows = [*rows_of("train", 400), *rows_of("val", 16), *rows_of("test", 90)]
    dataset = of_side(in_memory(rows), 300)
    protocol = resolve_auto(dataset, LAPTOP)
    split = make_split(dataset, protocol.sampling, 0)
    assert [len(split.train), len(split.val), len(split.test)] == [300, 100, 90]
    assert reason(protocol, "sampling.test") == "the test part of the source, whole"
    assert reason(protocol, "sampling.val").endswith("the source's own 16 are too few")


def test_a_small_validation_part_of_a_small_source_is_used() -> None:
    rows = [*rows_of("train", 240), *rows_of("val", 60), *rows_of("test", 80)]
    dataset = of_side(in_memory(rows), 300)
    protocol = resolve_auto(dataset, LAPTOP)
    split = make_split(dataset, protocol.sampling, 0)
    assert [len(split.train), len(split.val), len(split.test)] == [240, 60, 80]
    assert reason(protocol, "sampling.val") == "the validation part of the source, whole"


def test_a_fast_machine_gets_the_best_candidate_and_a_slow_one_the_cheapest_with_a_word_about_it() -> None:
    best, cheapest = load_policy().candidates[0], load_policy().candidates[-1]
    fast, slow = resolve_auto(folder(400), FAST), resolve_auto(folder(400), SLOW)
    assert (fast.image_size, fast.views, fast.max_epochs) == (best.image_size, best.views, best.max_epochs)
    assert (slow.image_size, slow.views, slow.max_epochs) == (
        cheapest.image_size,
        cheapest.views,
        cheapest.max_epochs,
    )
    assert "more than the 12 planned" in reason(slow, "minutes")
    assert reason(fast, "image_size") == "as many pixels as VGG16 was trained with"


@given(images=st.integers(20, 2000), more=st.integers(1, 2000), speed=st.floats(1, 1000), factor=st.floats(1, 10))
def test_fewer_images_and_a_faster_machine_never_get_cheaper_conditions(
    images: int, more: int, speed: float, factor: float
) -> None:
    def rank(count: int, frozen: float) -> int:
        protocol = resolve_auto(folder(count), MachineSpeed(frozen=frozen, training=frozen / 70))
        sizes = [(each.image_size, each.views, each.max_epochs) for each in load_policy().candidates]
        return sizes.index((protocol.image_size, protocol.views, protocol.max_epochs))

    assert rank(images, speed) <= rank(images + more, speed)
    assert rank(images, speed * factor) <= rank(images, speed)


def test_images_are_never_enlarged_without_a_word() -> None:
    own = resolve_auto(folder(400, side=90), FAST)
    assert own.image_size == 90
    assert reason(own, "image_size") == "the size of the images themselves; they are not enlarged"
    tiny = resolve_auto(folder(400, side=8), FAST)
    assert tiny.image_size == 32
    assert reason(tiny, "image_size") == "ENLARGED: the images have about 8 px, and VGG16 needs 32"
    unknown = resolve_auto(in_memory(rows_of("all", 100)), FAST)
    assert reason(unknown, "image_size").endswith("this source does not record the size of the images")


def test_the_choices_are_the_fields_of_the_protocol_and_no_part_of_its_identity() -> None:
    protocol = resolve_auto(folder(400), LAPTOP)
    for field in ("image_size", "views", "max_epochs"):
        assert value(protocol, field) == getattr(protocol, field)
    assert all(choice.why for choice in protocol.choices)
    bare = protocol.model_copy(update={"choices": ()})
    assert bare.identity() == protocol.identity()
    assert bare.conditions() == protocol.conditions()


def test_a_protocol_survives_its_record() -> None:
    protocol = resolve_auto(folder(400), LAPTOP)
    assert Protocol.model_validate_json(protocol.model_dump_json()) == protocol


def test_shares_that_are_no_whole_are_refused() -> None:
    with pytest.raises(ValueError, match="must add up to 1"):
        Shares(train=0.6, val=0.3, test=0.2)
