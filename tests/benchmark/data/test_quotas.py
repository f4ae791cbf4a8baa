"""Where not all sizes fit, training keeps half of each class, and validation and test share the rest."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.dataset import DataError, Dataset, Image
from benchmark.data.quotas import count_classes, share_out
from benchmark.data.splits import Sampling, Split, groups, make_split
from benchmark.runs.protocol import load_protocol
from tests.support.images import Row, in_memory, refusal

LEFT_OUT = re.compile(r"([\d,]+) (?:\w+ )?images? (?:not drawn|left out)|the source's val part has (\d+) images")
few = settings(max_examples=60, deadline=None)
many = settings(max_examples=100, deadline=None)
sizes = st.integers(0, 300)


@many
@given(
    st.tuples(st.integers(2, 300), st.integers(2, 300)), *[st.tuples(sizes, sizes)] * 2, st.none() | st.integers(1, 99)
)
def test_nobody_gets_more_than_it_asks_for_and_train_keeps_half(
    present: tuple[int, int], val: tuple[int, int], test: tuple[int, int], train: int | None
) -> None:
    shares = share_out(present, None if train is None else (train, train), val, test)
    for c in (0, 1):
        if present[c] < 2:
            continue
        others = (val[c] > 0) + (test[c] > 0)
        assert shares.val[c] <= val[c]
        assert shares.test[c] <= test[c]
        assert (shares.val[c] > 0, shares.test[c] > 0) == (val[c] > 0, test[c] > 0)
        half = (present[c] + 1) // 2
        kept = half if train is None else min(train, half)
        assert shares.train[c] == min(kept, max(1, present[c] - others))
        if present[c] > others:
            assert shares.train[c] + shares.val[c] + shares.test[c] <= present[c]
        assert (c in shares.scaled) == (shares.val[c] < val[c] or shares.test[c] < test[c])


@many
@given(st.integers(40, 300), st.integers(1, 300), st.integers(1, 300))
def test_what_is_too_little_is_shared_in_proportion(present: int, val: int, test: int) -> None:
    shares = share_out((present, present), None, (val, val), (test, test))
    spare = present - shares.train[0]
    if val + test <= spare:
        assert (shares.val[0], shares.test[0]) == (val, test)
    else:
        assert shares.val[0] + shares.test[0] == spare
        assert abs(shares.test[0] - spare * test / (val + test)) <= 1


def of_sizes(negatives: int, positives: int, shots: int = 1) -> Dataset:
    """A source without parts with so many patients of each class, each with `shots` images."""
    rows: list[Row] = [
        (f"{label}/{n:03d}_{shot}", "all", label, f"{label}-{n}", f"{label}-{n}-{shot}")
        for label, count in ((0, negatives), (1, positives))
        for n in range(count)
        for shot in range(shots)
    ]
    return in_memory(rows)


def drawn_sizes(split: Split) -> list[tuple[int, int]]:
    return [count_classes(part) for part in (split.train, split.val, split.test)]


@pytest.mark.parametrize(
    ("protocol", "counts", "expected"),
    [
        ("quick", (300, 80), [(40, 40), (15, 15), (25, 25)]),
        ("published", (300, 80), [(40, 40), (8, 8), (32, 32)]),
        ("quick", (200, 200), [(100, 100), (38, 38), (62, 62)]),
        ("quick", (75, 75), [(38, 38), (14, 14), (23, 23)]),
        ("quick", (488, 12), [(6, 6), (2, 2), (4, 4)]),
        ("quick", (3, 3), [(1, 1), (1, 1), (1, 1)]),
        ("full", (488, 12), [(332, 8), (58, 2), (98, 2)]),
        ("published", (1000, 1000), [(240, 240), (60, 60), (234, 234)]),
    ],
)
def test_small_folders_leave_half_to_train(
    protocol: str, counts: tuple[int, int], expected: list[tuple[int, int]]
) -> None:
    assert drawn_sizes(make_split(of_sizes(*counts), load_protocol(protocol).sampling, 0)) == expected


def test_a_test_part_of_the_source_stays_whole_while_validation_gives_way() -> None:
    rows = [(f"train/{i:03d}", "train", i % 2, f"p{i}", f"d{i}") for i in range(100)]
    rows += [(f"test/{i:03d}", "test", i % 2, f"t{i}", f"e{i}") for i in range(80)]
    split = make_split(in_memory(rows), Sampling(train=480, val=120, test=80, balanced=True), 0)
    assert drawn_sizes(split) == [(25, 25), (25, 25), (40, 40)]
    (note,) = (note for note in split.notes if "too few" in note)
    assert "50 images of NORMAL and 50 of PNEUMONIA" in note
    assert "val gets the rest" in note


def test_what_is_too_few_is_said_once_with_the_sizes_that_are_asked_for() -> None:
    notes = make_split(of_sizes(300, 80), load_protocol("quick").sampling, 0).notes
    (note,) = (note for note in notes if "too few" in note)
    for words in ("300 images of NORMAL", "80 of PNEUMONIA", "train 480, val 120, test 200", "train keeps half"):
        assert words in note
    assert "220 images not drawn" in notes[-1]
    assert not any("instead of" in note for note in notes)


@pytest.mark.parametrize("rare", [0, 1, 2])
def test_too_few_patients_of_a_class_are_counted_and_refused(rare: int) -> None:
    message = refusal(lambda: make_split(of_sizes(40, rare, shots=3), Sampling(), 0))
    assert "train, val and test need patients of both classes, 3 of each" in message
    assert f"40 of NORMAL and {rare} of PNEUMONIA" in message


def test_a_refusal_names_the_setting_that_set_images_aside() -> None:
    rows: list[Row] = [(f"train/{i}", "train", i % 2, f"p{i}", f"d{i}") for i in range(4)]
    rows += [(f"val/{i}", "val", i % 2, f"v{i}", f"e{i}") for i in range(40)]
    message = refusal(lambda: make_split(in_memory(rows), Sampling(), 0))
    assert "2 of NORMAL and 2 of PNEUMONIA" in message
    assert "val part has 40 images, fewer than 100 (min_val): it is set aside" in message
    assert make_split(in_memory(rows), Sampling(min_val=40), 0).val


@st.composite
def sources(draw: st.DrawFn) -> Dataset:
    """Sources of one, two or three parts with a common and a rare class, small and large patients, some of both
    classes."""
    layout = draw(st.sampled_from([("all",), ("train",), ("train", "test"), ("train", "val", "test")]))
    chance = random.Random(draw(st.integers(0, 2**32)))
    largest = draw(st.sampled_from([1, 4, 15]))
    mixed = draw(st.sampled_from([0.0, 0.3]))
    counts = draw(st.integers(3, 60)), draw(st.integers(3, 15))
    rows: list[Row] = []
    for part in layout:
        for label, count in enumerate(counts):
            for number in range(count):
                for shot in range(chance.randint(1, largest)):
                    name = f"{part}/{label}-{number:02d}-{shot}"
                    shown = 1 - label if shot and chance.random() < mixed else label
                    rows.append((name, part, shown, f"{part}-{label}-{number}", name))
    return in_memory(rows)


wishes = st.builds(
    Sampling,
    train=st.none() | st.integers(2, 300),
    val=st.none() | st.integers(2, 100),
    test=st.none() | st.integers(2, 200),
    balanced=st.booleans(),
    val_fraction=st.sampled_from([0.1, 0.2, 0.6]),
    test_fraction=st.sampled_from([0.1, 0.2, 0.6]),
    min_val=st.sampled_from([0, 1000]),
)


@many
@given(sources(), wishes, st.integers(0, 1000))
def test_three_patients_of_each_class_are_enough_for_a_split(dataset: Dataset, sampling: Sampling, seed: int) -> None:
    split = make_split(dataset, sampling, seed)
    assert all(min(counts) > 0 for counts in drawn_sizes(split))
    assert make_split(dataset, sampling, seed) == split
    homes = Counter(patient for part in (split.train, split.val, split.test) for patient in {i.patient for i in part})
    assert set(homes.values()) == {1}
    for name, counts in zip(("train", "val", "test"), drawn_sizes(split), strict=True):
        asked = getattr(sampling, name)
        assert asked is None or sum(counts) <= asked
        assert not sampling.balanced or counts[0] == counts[1]


@many
@given(sources(), wishes, st.integers(0, 1000))
def test_train_has_half_of_what_it_is_drawn_from_or_all_it_asks_for(
    dataset: Dataset, sampling: Sampling, seed: int
) -> None:
    split = make_split(dataset, sampling, seed)
    origins = {image.part for image in split.train}
    pool = [image for image in dataset.images if image.part in origins]
    kept, present = count_classes(split.train), count_classes(pool)
    if sampling.balanced:
        present = min(present), min(present)
    halves = [(count + 1) // 2 for count in present]
    if sampling.train is None:
        short = [c for c in (0, 1) if kept[c] < halves[c]]
    else:
        short = [] if sum(kept) >= min(sampling.train // 2 * 2, sum(halves)) else [0, 1]
    # One patient for each part comes before half for training.
    others = [part for part in (split.val, split.test) if origins & {image.part for image in part}]
    assert not short or any(_is_one_patient(part, pool, c) for part in others for c in (0, 1))


def _is_one_patient(part: tuple[Image, ...], pool: list[Image], label: int) -> bool:
    """Whether all images of a class in `part` are of one patient."""
    patients = {image.patient for image in part}
    return sum(any(i.label == label for i in group) for group in groups(pool) if group[0].patient in patients) == 1


@few
@given(sources(), wishes, st.integers(0, 1000))
def test_notes_count_every_image_that_is_left_out(dataset: Dataset, sampling: Sampling, seed: int) -> None:
    split = make_split(dataset, sampling, seed)
    counted = [match for note in split.notes if (match := LEFT_OUT.match(note))]
    told = sum(int((match[1] or match[2]).replace(",", "")) for match in counted)
    assert told == len(dataset.images) - sum(map(sum, drawn_sizes(split)))


def test_a_source_too_small_is_refused_before_a_part_lacks_a_class() -> None:
    with pytest.raises(DataError, match="3 of each"):
        make_split(of_sizes(2, 2, shots=20), Sampling(), 0)
