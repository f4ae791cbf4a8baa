"""Protocols: strict files, stable identities, budgets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.data.splits import Sampling
from benchmark.runs.protocol import Protocol, load_protocol
from tests.tiny import card, protocol
from zoo.card import ModelCard
from zoo.strict_yaml import ConfigError

BUILT_IN = ("full", "published", "quick")
OTHER: dict[str, Any] = {
    "image_size": 48,
    "split": "per-seed",
    "split_seed": 1,
    "view_seed": 1,
    "views": "fresh",
    "max_epochs": 3,
    "precision": "bfloat16",
    "threshold": {"rule": "fixed", "value": 0.4},
}
OTHER_SAMPLING: dict[str, Any] = {
    "train": 38,
    "val": 18,
    "test": 18,
    "balanced": False,
    "val_fraction": 0.3,
    "test_fraction": 0.3,
    "min_val": 5,
}


def write(folder: Path, text: str, name: str = "mine.yaml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_protocol_is_called_as_its_file(name: str) -> None:
    assert load_protocol(name).name == name


def test_published_holds_the_conditions_of_the_report() -> None:
    published = load_protocol("published")
    assert published.image_size == 150
    assert published.sampling == Sampling(train=480, val=120, test=468, balanced=True)
    assert published.seeds == (0,)
    assert published.max_epochs is None


def test_full_takes_all_images_in_their_own_balance() -> None:
    sampling = load_protocol("full").sampling
    assert (sampling.train, sampling.val, sampling.test, sampling.balanced) == (None, None, None, False)


def test_quick_is_the_smallest_built_in_protocol() -> None:
    quick, *others = (load_protocol(name) for name in ("quick", "published", "full"))
    assert quick.max_epochs is not None
    assert all(quick.image_size < other.image_size for other in others)


def test_an_unknown_name_is_answered_with_the_nearest_ones() -> None:
    with pytest.raises(ConfigError, match=r"Unknown protocol 'publishd'\. Did you mean published"):
        load_protocol("publishd")


def test_a_file_that_is_not_there_is_answered_with_the_built_in_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file; built-in: full, published, quick"):
        load_protocol(str(tmp_path / "mine.yaml"))


def test_a_file_needs_only_a_title_and_an_image_size(tmp_path: Path) -> None:
    assert load_protocol(write(tmp_path, "title: Mine\nimage_size: 64")) == Protocol(
        name="mine", title="Mine", image_size=64
    )


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("seeds: [0, 1, 0]", "seeds must differ"),
        ("seeds: []", "seeds"),
        ("seeds: [-1]", "seeds.0"),
        ("seeds: 0", "seeds"),
        ("views: 0", "views"),
        ("views: often", "views"),
        ("max_epochs: '3'", "max_epochs"),
        ("max_epochs: 2.5", "max_epochs"),
        ("keep_models: 1", "keep_models"),
        ("sampling: {train: 1.5}", "sampling.train"),
        ("sampling: {val_fraction: 1}", "sampling.val_fraction"),
        ("precision: float16", "precision"),
        ("name: other", "must equal the file's name, 'mine'"),
        ("threshold: {rule: yuden}", "unknown rule 'yuden'. Did you mean youden?"),
        ("threshold: {rule: fixed, value: 2}", "threshold.value"),
        ("max_epoch: 3", "Did you mean max_epochs"),
        ("sampling: {trian: 10}", "Did you mean train"),
        ("image_size: 64", "the key 'image_size' stands twice"),
    ],
)
def test_a_wrong_field_is_one_line_with_file_and_field(tmp_path: Path, line: str, says: str) -> None:
    path = write(tmp_path, f"title: Mine\nimage_size: 32\n{line}")
    with pytest.raises(ConfigError) as caught:
        load_protocol(path)
    assert all(said.startswith(path) for said in caught.value.lines)
    assert says in caught.value.lines[0]


def test_every_error_of_a_file_is_said_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "title: ''\nimage_size: 4\nviews: 0")
    with pytest.raises(ConfigError) as caught:
        load_protocol(path)
    text = "\n".join(caught.value.lines)
    assert all(field in text for field in ("title", "image_size", "views"))


def test_name_title_and_seeds_are_no_part_of_the_identity() -> None:
    other = protocol(name="other", title="Other", seeds=(3, 4))
    assert other.identity() == protocol().identity()


@pytest.mark.parametrize("field", OTHER)
def test_any_other_field_changes_the_identity(field: str) -> None:
    assert protocol(**{field: OTHER[field]}).identity() != protocol().identity()


@pytest.mark.parametrize("field", OTHER_SAMPLING)
def test_how_images_are_sampled_changes_the_identity(field: str) -> None:
    sampling = protocol().sampling.model_dump() | {field: OTHER_SAMPLING[field]}
    assert protocol(sampling=sampling).identity() != protocol().identity()


def test_no_field_is_forgotten_by_the_tests_of_the_identity() -> None:
    named = {"name", "title", "seeds", "sampling", "keep_models", *OTHER}
    assert set(Protocol.model_fields) == named
    assert set(Sampling.model_fields) == set(OTHER_SAMPLING)


def two_phases(head: int, tune: int) -> ModelCard:
    return card(
        model={"builder": "vgg16", "unfreeze_layers": 4},
        epochs=head,
        finetune={"learning_rate": 1e-5, "epochs": tune},
    )


@given(head=st.integers(1, 50), tune=st.integers(1, 50), most=st.integers(1, 50))
def test_a_budget_caps_both_phases_and_lengthens_none(head: int, tune: int, most: int) -> None:
    recipe = protocol(max_epochs=most).budgeted(two_phases(head, tune)).recipe
    assert recipe.finetune is not None
    assert (recipe.epochs, recipe.finetune.epochs) == (min(head, most), min(tune, most))


def test_a_budget_changes_nothing_but_epochs() -> None:
    before = two_phases(9, 9)
    after = protocol(max_epochs=9).budgeted(before)
    assert after == before
    assert protocol(max_epochs=2).budgeted(card(epochs=9)) == card(epochs=2)


def test_without_a_budget_a_card_keeps_its_epochs() -> None:
    assert protocol(max_epochs=None).budgeted(two_phases(7, 8)) == two_phases(7, 8)


def test_a_protocol_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        protocol().image_size = 64
