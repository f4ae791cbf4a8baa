"""Splits keep patients and contents on one side, the test part untouched, and depend on nothing but data and seed."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from benchmark.data.dataset import DataError, Dataset, Image, Part
from benchmark.data.sources import open_dataset
from benchmark.data.sources.phantom import open_phantom
from benchmark.data.splits import Sampling, Seed, Split, groups, make_split
from benchmark.runs.protocol import load_protocol
from tests.support.images import Row, in_memory, refusal, rows_of

LAYOUTS: dict[str, tuple[Part, ...]] = {
    "all": ("all",),
    "train": ("train",),
    "train and test": ("train", "test"),
    "train and val": ("train", "val"),
    "three parts": ("train", "val", "test"),
}


@st.composite
def datasets(draw: st.DrawFn, layouts: tuple[str, ...] = tuple(LAYOUTS)) -> Dataset:
    """Images with siblings, mixed patients, copies and patients that stand in two parts, in several layouts."""
    layout = LAYOUTS[draw(st.sampled_from(layouts))]
    patients = draw(st.integers(12, 30))
    wandering = draw(st.sampled_from([0.0, 0.03, 0.1]))
    copied = draw(st.sampled_from([0.0, 0.03, 0.1]))
    mixed = draw(st.booleans())
    chance = random.Random(draw(st.integers(0, 2**32)))
    rows: list[Row] = []
    for part in layout:
        for number in range(patients):
            label = number % 2
            for shot in range(chance.randint(1, 4)):
                patient = f"w{chance.randrange(3)}" if chance.random() < wandering else f"{part}-{number}"
                digest = rows[chance.randrange(len(rows))][4] if rows and chance.random() < copied else f"d{len(rows)}"
                shown = chance.randrange(2) if mixed else label
                rows.append((f"{part}/{number:02d}_{shot}", part, shown, patient, digest))
    return in_memory(rows)


samplings = st.builds(
    Sampling,
    train=st.none() | st.integers(4, 60),
    val=st.none() | st.integers(4, 20),
    test=st.none() | st.integers(4, 30),
    balanced=st.booleans(),
    val_fraction=st.sampled_from([0.1, 0.2, 0.4]),
    test_fraction=st.sampled_from([0.1, 0.2, 0.4]),
    min_val=st.sampled_from([0, 30, 100]),
)
seeds = st.integers(0, 2**31) | st.tuples(st.integers(0, 1000), st.integers(0, 1000))
few = settings(max_examples=60, deadline=None)
many = settings(max_examples=200, deadline=None)


def drawn(dataset: Dataset, sampling: Sampling, seed: Seed) -> Split:
    """A split, leaving aside the examples that cannot be split."""
    try:
        return make_split(dataset, sampling, seed)
    except DataError:
        assume(False)
        raise


def parts(split: Split) -> dict[str, tuple[Image, ...]]:
    return {"train": split.train, "val": split.val, "test": split.test}


def labels(images: tuple[Image, ...]) -> list[int]:
    counts = Counter(image.label for image in images)
    return [counts[0], counts[1]]


def values(images: tuple[Image, ...], field: str) -> set[str]:
    return {getattr(image, field) for image in images}


@many
@given(datasets(), samplings, seeds)
def test_no_patient_and_no_content_stands_in_two_parts(dataset: Dataset, sampling: Sampling, seed: Seed) -> None:
    split = drawn(dataset, sampling, seed)
    for field in ("patient", "digest", "name"):
        train, val, test = (values(part, field) for part in parts(split).values())
        assert not train & val
        assert not train & test
        assert not val & test


@few
@given(datasets(), samplings, seeds)
def test_no_part_is_larger_than_asked(dataset: Dataset, sampling: Sampling, seed: Seed) -> None:
    for name, images in parts(drawn(dataset, sampling, seed)).items():
        asked = getattr(sampling, name)
        assert asked is None or len(images) <= asked


@few
@given(datasets(), samplings, seeds)
def test_balanced_parts_hold_as_many_of_each_class(dataset: Dataset, sampling: Sampling, seed: Seed) -> None:
    split = drawn(dataset, sampling.model_copy(update={"balanced": True}), seed)
    for images in parts(split).values():
        negative, positive = labels(images)
        assert negative == positive


@few
@given(datasets(), samplings, seeds)
def test_every_part_holds_both_classes(dataset: Dataset, sampling: Sampling, seed: Seed) -> None:
    split = drawn(dataset, sampling, seed)
    assert all(min(labels(images)) > 0 for images in parts(split).values())


@few
@given(datasets(), samplings, seeds, st.integers())
def test_the_same_seed_is_the_same_split_in_any_order(
    dataset: Dataset, sampling: Sampling, seed: Seed, order: int
) -> None:
    split = drawn(dataset, sampling, seed)
    mixed = list(dataset.images)
    random.Random(order).shuffle(mixed)
    again = make_split(replace(dataset, images=tuple(mixed)), sampling, seed)
    assert again == split
    assert again.fingerprint == split.fingerprint


@few
@given(datasets(), samplings, seeds)
def test_parts_are_sorted_by_name_and_taken_from_the_source(dataset: Dataset, sampling: Sampling, seed: Seed) -> None:
    for images in parts(drawn(dataset, sampling, seed)).values():
        assert list(images) == sorted(images, key=lambda image: image.name)
        assert set(images) <= set(dataset.images)


@few
@given(datasets(("train and test", "three parts")), samplings, seeds)
def test_test_comes_from_the_source_s_test_part_only(dataset: Dataset, sampling: Sampling, seed: Seed) -> None:
    split = drawn(dataset, sampling, seed)
    assert {image.part for image in split.test} == {"test"}
    assert "test" not in {image.part for image in split.train + split.val}


@few
@given(datasets(("train and test", "three parts")), samplings, seeds, st.integers(0, 99))
def test_what_the_test_part_holds_changes_neither_train_nor_val(
    dataset: Dataset, sampling: Sampling, seed: Seed, other: int
) -> None:
    own = tuple(image for image in dataset.images if image.part != "test")
    patients, digests = values(own, "patient"), values(own, "digest")
    apart = tuple(
        image
        for image in dataset.images
        if image.part == "test" and image.patient not in patients and image.digest not in digests
    )
    strangers = in_memory(rows_of("test", 20 + other, prefix=f"{other}-")).images
    first = drawn(replace(dataset, images=own + apart), sampling, seed)
    second = drawn(replace(dataset, images=own + strangers), sampling, seed)
    turned = tuple(replace(image, label=1 - image.label) for image in apart)
    third = drawn(replace(dataset, images=own + turned), sampling, seed)
    assert first.train == second.train == third.train
    assert first.val == second.val == third.val
    assert first.test != second.test


@few
@given(datasets(("all", "train", "train and val")), samplings, seeds)
def test_train_and_val_hold_no_content_under_both_labels(dataset: Dataset, sampling: Sampling, seed: Seed) -> None:
    split = drawn(dataset, sampling.model_copy(update={"min_val": 1000}), seed)
    pool = [image for image in dataset.images if image.part in ("train", "all")]
    seen: dict[str, set[int]] = defaultdict(set)
    for image in pool:
        seen[image.digest].add(image.label)
    both = {digest for digest, found in seen.items() if len(found) > 1}
    assert not both & values(split.train + split.val, "digest")


@few
@given(st.integers(20, 60), seeds, st.booleans(), st.integers(4, 30))
def test_at_most_one_patient_of_a_class_is_taken_in_part(patients: int, seed: Seed, balanced: bool, asked: int) -> None:
    shots = random.Random(patients)
    rows: list[Row] = [
        (f"train/{n:02d}_{shot}", "train", n % 2, f"p{n}", f"d{n}_{shot}")
        for n in range(patients)
        for shot in range(shots.randint(1, 4))
    ]
    dataset = in_memory(rows + rows_of("test", 10) + rows_of("val", 10))
    split = drawn(dataset, Sampling(train=asked, balanced=balanced, min_val=0), seed)
    all_of = Counter(image.patient for image in dataset.images)
    taken = Counter(image.patient for image in split.train)
    cut = Counter(int(patient[1:]) % 2 for patient, count in taken.items() if count < all_of[patient])
    assert max(cut.values(), default=0) <= 1


@few
@given(st.sampled_from(sorted(LAYOUTS)), st.integers(10, 60), seeds)
def test_nothing_is_lost_where_nothing_overlaps(layout: str, count: int, seed: Seed) -> None:
    dataset = in_memory([row for part in LAYOUTS[layout] for row in rows_of(part, count)])
    split = make_split(dataset, Sampling(min_val=0), seed)
    assert sorted(values(split.train + split.val + split.test, "name")) == [image.name for image in dataset.images]


@few
@given(datasets())
def test_groups_hold_every_image_once_and_share_nothing(dataset: Dataset) -> None:
    found = groups(dataset.images)
    assert sorted(image.name for group in found for image in group) == [image.name for image in dataset.images]
    assert groups(reversed(dataset.images)) == found
    for field in ("patient", "digest"):
        homes = Counter(value for group in found for value in values(tuple(group), field))
        assert set(homes.values()) == {1}


def test_a_copy_joins_two_patients_into_one_group() -> None:
    rows: list[Row] = [
        ("a", "train", 0, "p1", "d1"),
        ("b", "train", 0, "p1", "same"),
        ("c", "train", 0, "p2", "same"),
        ("d", "train", 0, "p2", "d4"),
        ("e", "train", 0, "p3", "d5"),
    ]
    found = groups(in_memory(rows).images)
    assert sorted([image.name for image in group] for group in found) == [["a", "b", "c", "d"], ["e"]]


def test_a_patient_and_a_content_of_one_name_are_not_the_same() -> None:
    rows: list[Row] = [("a", "train", 0, "x", "y"), ("b", "train", 0, "y", "z")]
    assert len(groups(in_memory(rows).images)) == 2


def test_another_seed_is_another_split() -> None:
    dataset = in_memory(rows_of("train", 60) + rows_of("test", 20))
    sampling = Sampling(train=20, val=10, test=10)
    fingerprints = {make_split(dataset, sampling, seed).fingerprint for seed in range(20)}
    assert len(fingerprints) == 20


def test_the_seeds_of_runs_are_other_splits_under_one_split_seed() -> None:
    dataset = in_memory(rows_of("train", 60) + rows_of("test", 20))
    pairs: list[Seed] = [(split, run) for split in range(4) for run in range(4)]
    fingerprints = {make_split(dataset, Sampling(train=20), seed).fingerprint for seed in [*pairs, 0, 1, 2, 3]}
    assert len(fingerprints) == 20


def test_the_draw_of_train_does_not_move_with_the_size_of_test() -> None:
    dataset = in_memory(rows_of("train", 60) + rows_of("test", 40))
    small, large = (make_split(dataset, Sampling(train=20, val=10, test=size), 5) for size in (10, 30))
    assert small.train == large.train
    assert small.val == large.val
    assert set(small.test) < set(large.test)


def test_sizes_are_met_exactly_where_there_are_enough_images() -> None:
    dataset = in_memory(rows_of("train", 200) + rows_of("test", 100))
    split = make_split(dataset, Sampling(train=80, val=40, test=50, balanced=True), 0)
    assert [labels(images) for images in parts(split).values()] == [[40, 40], [20, 20], [25, 25]]
    assert split.notes == (
        "130 images not drawn: the protocol asks for train 80, val 40, test 50, as many of each class",
    )


def test_a_balanced_part_without_images_of_a_class_is_explained_in_plain_words() -> None:
    rows = [row for row in rows_of("test", 8) if row[2] == 0]
    with pytest.raises(DataError, match=r"; test: the images left for it are all of one class$"):
        make_split(in_memory(rows_of("train", 60) + rows), Sampling(test=6, balanced=True), 0)


def test_an_unbalanced_draw_keeps_the_source_s_balance() -> None:
    rows: list[Row] = [(f"train/{i:03d}", "train", int(i % 4 > 0), f"p{i}", f"d{i}") for i in range(200)]
    split = make_split(in_memory(rows + rows_of("test", 20)), Sampling(train=80, val=20), 0)
    assert labels(split.train) == [20, 60]
    assert labels(split.val) == [5, 15]


def test_too_few_images_are_noted() -> None:
    dataset = in_memory(rows_of("train", 60) + rows_of("test", 20))
    split = make_split(dataset, Sampling(test=50), 0)
    assert len(split.test) == 20
    assert any(note.startswith("test: 20 images instead of 50") for note in split.notes)


def test_too_few_images_of_a_class_are_noted() -> None:
    rows = [row for row in rows_of("test", 40) if row[2] == 0 or row[0] < "test/010"]
    split = make_split(in_memory(rows_of("train", 60) + rows), Sampling(test=30, balanced=True), 0)
    assert labels(split.test) == [5, 5]
    assert any(note.startswith("test: 10 images instead of 30") for note in split.notes)


def test_a_source_without_parts_gives_test_and_val_by_patient() -> None:
    dataset = in_memory(rows_of("all", 200))
    split = make_split(dataset, Sampling(test_fraction=0.3, val_fraction=0.2), 0)
    assert labels(split.test) == [30, 30]
    assert labels(split.val) == [14, 14]
    assert "the source has no test part: 60 images are set aside for test at random, by patient" in split.notes


def test_a_source_without_a_test_part_gives_one_of_train() -> None:
    dataset = in_memory(rows_of("train", 100) + rows_of("val", 100))
    split = make_split(dataset, Sampling(), 0)
    assert {image.part for image in split.test} == {"train"}
    assert {image.part for image in split.val} == {"val"}
    assert len(split.test) == 20
    assert any("no test part" in note for note in split.notes)


def test_a_small_val_part_is_set_aside_with_a_note() -> None:
    dataset = in_memory(rows_of("train", 100) + rows_of("val", 16) + rows_of("test", 20))
    split = make_split(dataset, Sampling(), 0)
    assert {image.part for image in split.val} == {"train"}
    assert "val" not in {image.part for image in split.train}
    assert any("val part has 16 images" in note and "set aside" in note for note in split.notes)


@pytest.mark.parametrize(("count", "min_val"), [(100, 100), (16, 16), (16, 0)])
def test_a_val_part_that_is_large_enough_is_used(count: int, min_val: int) -> None:
    dataset = in_memory(rows_of("train", 100) + rows_of("val", count) + rows_of("test", 20))
    split = make_split(dataset, Sampling(min_val=min_val), 0)
    assert {image.part for image in split.val} == {"val"}
    assert len(split.val) == count
    assert len(split.train) == 100
    assert split.notes == ()


def test_training_images_of_a_test_patient_are_left_out_with_a_note() -> None:
    rows = rows_of("train", 60) + rows_of("test", 20)
    rows += [("train/sibling", "train", 0, "test-patient-4", "another content")]
    rows += [("train/copy", "train", 1, "another patient", "test-content-3")]
    split = make_split(in_memory(rows), Sampling(), 0)
    assert not {"train/sibling", "train/copy"} & values(split.train + split.val, "name")
    assert len(split.test) == 20
    assert any(note.startswith("2 train images left out") for note in split.notes)


def test_validation_images_of_a_test_patient_are_left_out_with_a_note() -> None:
    rows = rows_of("train", 60) + rows_of("val", 30) + rows_of("test", 20)
    rows += [("val/sibling", "val", 0, "test-patient-4", "another content")]
    rows += [("val/copy", "val", 1, "another patient", "test-content-3")]
    split = make_split(in_memory(rows), Sampling(min_val=0), 0)
    assert len(split.val) == 30
    assert not {"val/sibling", "val/copy"} & values(split.val, "name")
    assert any(note.startswith("2 val images left out") for note in split.notes)


def test_training_images_of_a_validation_patient_are_left_out_with_a_note() -> None:
    rows = rows_of("train", 60) + rows_of("val", 30) + rows_of("test", 20)
    rows += [("train/sibling", "train", 0, "val-patient-4", "another content")]
    rows += [("train/copy", "train", 1, "another patient", "val-content-3")]
    split = make_split(in_memory(rows), Sampling(min_val=0), 0)
    assert len(split.val) == 30
    assert not {"train/sibling", "train/copy"} & values(split.train, "name")
    assert any(note.startswith("2 train images left out") for note in split.notes)


def test_siblings_of_a_drawn_validation_patient_are_not_trained_on() -> None:
    rows: list[Row] = [(f"train/{i:03d}", "train", i % 2, f"p{i % 20}", f"d{i}") for i in range(100)]
    split = make_split(in_memory(rows + rows_of("test", 20)), Sampling(val=6), 0)
    assert len(split.val) == 6
    assert not values(split.train, "patient") & values(split.val, "patient")


@pytest.mark.parametrize("seed", range(5))
def test_no_part_of_a_source_without_parts_holds_an_image_under_both_labels(seed: int) -> None:
    rows = rows_of("all", 40)
    rows += [(f"all/{pair}{label}", "all", label, f"{pair}{label}", pair) for pair in "uvwxyz" for label in (0, 1)]
    split = make_split(in_memory(rows), Sampling(), seed)
    assert not set("uvwxyz") & values(split.train + split.val + split.test, "digest")


def test_an_image_under_both_labels_is_left_out_with_a_note() -> None:
    rows = rows_of("train", 60) + rows_of("test", 20)
    rows += [("train/x0", "train", 0, "px0", "same"), ("train/x1", "train", 1, "px1", "same")]
    split = make_split(in_memory(rows), Sampling(), 0)
    assert "same" not in values(split.train + split.val, "digest")
    assert any(note.startswith("2 images left out") and "both labels" in note for note in split.notes)


def test_an_image_twice_under_one_label_stays() -> None:
    rows = rows_of("train", 60) + rows_of("test", 20)
    rows += [("train/x0", "train", 0, "px0", "same"), ("train/x1", "train", 0, "px1", "same")]
    split = make_split(in_memory(rows), Sampling(), 0)
    assert sum(image.digest == "same" for image in split.train + split.val) == 2


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_part_of_one_class_is_refused_by_name(part: str) -> None:
    rows = [row for row in rows_of("train", 60) + rows_of("test", 20) if row[1] != part or row[2] == 0]
    message = refusal(lambda: make_split(in_memory(rows, source="my-folder"), Sampling(val=4), 0))
    assert message.startswith("my-folder: ")
    assert part in message
    assert "both classes" in message
    assert "0 of PNEUMONIA" in message


def test_train_that_lies_wholly_in_test_is_refused() -> None:
    rows = rows_of("test", 20)
    rows += [(f"train/{i}", "train", label, patient, digest) for i, (_, _, label, patient, digest) in enumerate(rows)]
    message = refusal(lambda: make_split(in_memory(rows), Sampling(), 0))
    assert "contain 0 of NORMAL and 0 of PNEUMONIA" in message
    assert "20 train images left out: their patient is in test too" in message


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_a_size_that_cannot_hold_both_classes_is_named(part: str) -> None:
    rows = rows_of("train", 60) + rows_of("test", 20)
    message = refusal(lambda: make_split(in_memory(rows), Sampling(**{part: 1}), 0))
    assert f"the {part} split" in message
    assert f"asks for {part} 1" in message


@pytest.mark.parametrize(
    "fields",
    [
        {"trian": 10},
        {"train": 0},
        {"val": -1},
        {"test": 2.5},
        {"val_fraction": 0},
        {"test_fraction": 1},
        {"min_val": -1},
    ],
)
def test_a_sampling_that_cannot_be_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(fields))):
        Sampling(**fields)


def test_the_fingerprint_follows_which_part_an_image_is_in() -> None:
    one, two, three, four = in_memory(rows_of("train", 4)).images
    splits = [Split((one,), (two,), (three,)), Split((two,), (one,), (three,)), Split((one, two), (), (three,))]
    splits += [Split((one,), (two,), (three, four)), Split((one,), (two, three), ())]
    assert len({split.fingerprint for split in splits}) == len(splits)


def test_the_fingerprint_does_not_follow_the_notes() -> None:
    one, two, three = in_memory(rows_of("train", 3)).images
    assert Split((one,), (two,), (three,)).fingerprint == Split((one,), (two,), (three,), ("a note",)).fingerprint


@pytest.mark.parametrize("name", ["quick", "published", "full"])
@pytest.mark.parametrize("seed", [0, 1, (0, 3)])
def test_the_built_in_protocols_split_the_phantom(name: str, seed: Seed) -> None:
    sampling = load_protocol(name).sampling
    split = make_split(open_phantom(), sampling, seed)
    assert {image.part for image in split.test} == {"test"}
    assert not values(split.train, "patient") & values(split.val + split.test, "patient")
    assert not values(split.val, "patient") & values(split.test, "patient")
    assert all(np.ptp(labels(images)) == 0 for images in parts(split).values() if sampling.balanced)


PINNED: dict[tuple[str, Seed], str] = {
    ("quick", 0): "3e671775e160ffa1",
    ("quick", 1): "4afdd79daea2619b",
    ("quick", (0, 3)): "3b732281775fbe04",
    ("published", 0): "3351b7ad24e4c561",
    ("published", 1): "446e101724caacac",
    ("published", (0, 3)): "f8b0ba8996a1f9db",
    ("full", 0): "9289b62fa7d4ad24",
    ("full", (0, 3)): "9289b62fa7d4ad24",
}
"""Fingerprints of the phantom's splits: they change only with the semantics of a run."""
PINNED_RADIOGRAPHS = {
    ("quick", 0): "f7e48d08d719b722",
    ("published", 0): "387280d1ab0ed12d",
    ("published", 1): "0a6cc96bd8baf157",
    ("full", 0): "b4b7541dc267cd14",
    ("full", 1): "d6a0593753da6b14",
}


@pytest.mark.parametrize(("name", "seed"), PINNED)
def test_the_phantom_s_splits_do_not_move(name: str, seed: Seed) -> None:
    split = make_split(open_phantom(), load_protocol(name).sampling, seed)
    assert split.fingerprint.startswith(PINNED[name, seed])


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "seed"), PINNED_RADIOGRAPHS)
def test_the_radiographs_splits_do_not_move(real_data: Path, name: str, seed: int) -> None:
    split = make_split(open_dataset(str(real_data)), load_protocol(name).sampling, seed)
    assert split.fingerprint.startswith(PINNED_RADIOGRAPHS[name, seed])


@pytest.mark.real_data
@pytest.mark.parametrize("seed", [0, 1])
def test_the_published_protocol_splits_the_radiographs(real_data: Path, seed: int) -> None:
    split = make_split(open_dataset(str(real_data)), load_protocol("published").sampling, seed)
    assert {name: labels(images) for name, images in parts(split).items()} == {
        "train": [240, 240],
        "val": [60, 60],
        "test": [234, 234],
    }
    assert {image.part for image in split.val} == {"train"}
    assert any("val part has 16 images" in note and "set aside" in note for note in split.notes)
    assert not values(split.train, "patient") & values(split.val, "patient")
    assert not values(split.train, "digest") & values(split.val, "digest")
