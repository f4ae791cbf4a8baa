"""Which images of another source count as outside validation, and how its classes become those of the model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmark.data.dataset import DataError, Dataset
from benchmark.data.sources import open_dataset
from benchmark.runs.deployment.known_images import IMAGES, write_known
from benchmark.runs.deployment.outside import choose_images, mapping_of
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from tests.support.stored import keep
from tests.support.tiny import write_folder
from zoo.config.errors import ConfigError


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("chosen") / "runs")


@pytest.fixture(scope="module")
def run(store: Store) -> Run:
    return keep(store, "attempt-1")


@pytest.fixture(scope="module")
def other(store: Store) -> Dataset:
    """Eight images of four patients."""
    root = write_folder(store.root.with_name("other"), ["NORMAL", "PNEUMONIA"], images=4)
    for file in sorted(root.rglob("*.png")):
        file.rename(file.with_name(f"p{int(file.stem) // 2}{file.parent.name}_{file.stem}.png"))
    return open_dataset(str(root), patient_pattern=r"(?P<patient>p\d\w+)_\d")


def knows(store: Store, run: Run, other: Dataset, **parts: int) -> None:
    """The model knows the first images of `other` from these parts."""
    digests, start = {}, 0
    for part, count in parts.items():
        digests[part] = [image.digest for image in other.images[start : start + count]]
        start += count
    write_known(store.model_file(run).with_name(IMAGES), {"train": ["0" * 64], **digests})


def test_images_of_the_model_and_of_their_patients_are_left_out(store: Store, run: Run, other: Dataset) -> None:
    knows(store, run, other, train=1, test=0)
    chosen = choose_images(other, "all", run, store)
    assert (chosen.known, chosen.related, chosen.total) == ({"train": 1}, 1, 8)
    assert [image.name for image in chosen.images] == [image.name for image in other.images[2:]]
    assert chosen.digests_known


def test_without_patients_only_the_image_itself_is_left_out(store: Store, run: Run, other: Dataset) -> None:
    knows(store, run, other, val=1, test=1)
    without = open_dataset(other.source)
    assert without.patients is not None
    chosen = choose_images(without, "all", run, store)
    assert (chosen.known, chosen.related, len(chosen.images)) == ({"test": 1, "val": 1}, 0, 6)


def test_a_source_of_nothing_but_known_images_is_refused(store: Store, run: Run, other: Dataset) -> None:
    knows(store, run, other, train=5, val=1, test=2)
    with pytest.raises(DataError, match=r"all 8 images are images of this model \(2 test, 5 train, 1 val\)"):
        choose_images(other, "all", run, store)


def test_a_model_without_digests_says_so(store: Store, run: Run, other: Dataset) -> None:
    store.model_file(run).with_name(IMAGES).unlink(missing_ok=True)
    chosen = choose_images(other, "all", run, store)
    assert not chosen.digests_known
    assert len(chosen.images) == 8


def test_a_part_that_the_source_lacks_is_refused(store: Store, run: Run, other: Dataset) -> None:
    with pytest.raises(DataError, match=r"--part test: .* has no such images; it has no parts"):
        choose_images(other, "test", run, store)
    parts = tuple(replace(image, part="train") for image in other.images)
    with pytest.raises(DataError, match="its parts are train"):
        choose_images(replace(other, images=parts), "test", run, store)


def test_classes_match_by_name_or_by_the_map(run: Run, other: Dataset) -> None:
    assert mapping_of({}, other, run) == {"NORMAL": "NORMAL", "PNEUMONIA": "PNEUMONIA"}
    renamed = replace(other, classes=("healthy", "bacteria", "virus"))
    request = {"NORMAL": ["healthy"], "PNEUMONIA": ["bacteria", "virus"]}
    assert mapping_of(request, renamed, run) == {"healthy": "NORMAL", "bacteria": "PNEUMONIA", "virus": "PNEUMONIA"}


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        ({}, "the class healthy is none of the model, which has NORMAL, PNEUMONIA; .* --map 'NORMAL=healthy'"),
        ({"NORMAL": ["healthy"]}, "the class ill is none of the model, .* --map 'PNEUMONIA=ill'"),
        ({"Normal": ["healthy"]}, "--map Normal=healthy: the model has the classes NORMAL, PNEUMONIA"),
        ({"NORMAL": ["well"]}, "--map NORMAL=well: .* has the classes healthy, ill"),
        ({"NORMAL": ["ill"], "PNEUMONIA": ["ill"]}, "ill becomes both NORMAL and PNEUMONIA"),
    ],
)
def test_a_map_that_cannot_be_followed_is_one_line(
    run: Run, other: Dataset, request_: dict[str, list[str]], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        mapping_of(request_, replace(other, classes=("healthy", "ill")), run)
