"""A MedMNIST-style archive is a data set."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from benchmark.data import Dataset, open_dataset
from tests.images import refusal

Arrays = dict[str, npt.NDArray[Any]]
COUNTS = {"train": 6, "val": 4, "test": 2}


def arrays(shape: tuple[int, ...] = (8, 8), **changes: Any) -> Arrays:
    generator = np.random.default_rng(0)
    made: Arrays = {}
    for part, count in COUNTS.items():
        made[f"{part}_images"] = generator.integers(0, 256, (count, *shape), dtype=np.uint8)
        made[f"{part}_labels"] = np.arange(count).reshape(-1, 1) % 2
    return made | changes


def archive(tmp_path: Path, content: Arrays) -> Path:
    path = tmp_path / "archive.npz"
    np.savez(path, **content)
    return path


def opened(tmp_path: Path, content: Arrays) -> Dataset:
    return open_dataset(str(archive(tmp_path, content)))


def test_medmnist_keys_give_parts_and_labels(tmp_path: Path) -> None:
    dataset = opened(tmp_path, arrays())
    assert Counter(image.part for image in dataset.images) == COUNTS
    assert Counter(image.label for image in dataset.images) == {0: 6, 1: 6}
    assert dataset.classes == ("0", "1")
    assert not dataset.synthetic


def test_labels_stay_with_their_images(tmp_path: Path) -> None:
    content = arrays()
    for part in COUNTS:
        content[f"{part}_images"][:] = 40 + 160 * content[f"{part}_labels"].reshape(-1, 1, 1)
    dataset = opened(tmp_path, content)
    levels = dataset.read(dataset.images, 4)[:, 2, 2, 0]
    assert levels.tolist() == [40 + 160 * image.label for image in dataset.images]


@pytest.mark.parametrize(("shape", "channels"), [((8, 8), 1), ((8, 8, 1), 1), ((8, 8, 3), 3), ((9, 5), 1)])
def test_images_of_each_shape_are_read(tmp_path: Path, shape: tuple[int, ...], channels: int) -> None:
    dataset = opened(tmp_path, arrays(shape))
    assert dataset.channels == channels
    pixels = dataset.read(dataset.images[:3], 6)
    assert pixels.shape == (3, 6, 6, channels)
    assert pixels.dtype == np.uint8


def test_grey_images_in_three_channels_are_read_in_one(tmp_path: Path) -> None:
    grey, colour = arrays((8, 8)), arrays((8, 8))
    for part in COUNTS:
        colour[f"{part}_images"] = np.repeat(grey[f"{part}_images"][..., None], 3, axis=3)
    dataset = opened(tmp_path, colour)
    assert dataset.channels == 1
    first = next(image for image in dataset.images if image.part == "train")
    assert np.array_equal(dataset.read([first], 8)[0, ..., 0], grey["train_images"][0])


def test_flat_labels_are_the_same_as_a_column(tmp_path: Path) -> None:
    column = opened(tmp_path, arrays())
    flat = opened(tmp_path, arrays() | {f"{part}_labels": np.arange(count) % 2 for part, count in COUNTS.items()})
    assert flat.images == column.images
    assert flat.fingerprint == column.fingerprint


def test_no_images_are_no_pixels(tmp_path: Path) -> None:
    assert opened(tmp_path, arrays()).read((), 5).shape == (0, 5, 5, 1)


def test_without_patients_every_image_is_its_own(tmp_path: Path) -> None:
    dataset = opened(tmp_path, arrays())
    assert len({image.patient for image in dataset.images}) == 12


def test_patients_are_taken_from_the_archive(tmp_path: Path) -> None:
    dataset = opened(tmp_path, arrays(train_patients=np.array([7, 7, 8, 8, 9, 9])))
    assert Counter(image.patient for image in dataset.images if image.part == "train") == {"7": 2, "8": 2, "9": 2}


def test_classes_are_named_by_the_archive(tmp_path: Path) -> None:
    assert opened(tmp_path, arrays(classes=np.array(["well", "ill"]))).classes == ("well", "ill")


def test_the_larger_label_is_positive(tmp_path: Path) -> None:
    labels = {f"{part}_labels": 5 - 2 * (np.arange(count) % 2) for part, count in COUNTS.items()}
    dataset = opened(tmp_path, arrays() | labels)
    assert dataset.classes == ("3", "5")
    assert next(image.label for image in dataset.images if image.part == "train") == 1


def test_labels_may_be_words(tmp_path: Path) -> None:
    labels = {f"{part}_labels": np.array(["ill", "well"])[np.arange(count) % 2] for part, count in COUNTS.items()}
    assert opened(tmp_path, arrays() | labels).classes == ("ill", "well")


def test_equal_pixels_have_equal_digests(tmp_path: Path) -> None:
    content = arrays()
    content["test_images"][0] = content["train_images"][3]
    digests = Counter(image.digest for image in opened(tmp_path, content).images)
    assert sorted(digests.values()) == [1] * 10 + [2]


def test_the_fingerprint_follows_pixels_and_labels(tmp_path: Path) -> None:
    one = arrays()
    pixel, label = arrays(), arrays()
    pixel["val_images"][0, 0, 0] ^= 1
    label["train_labels"] = 1 - label["train_labels"]
    fingerprints = [opened(tmp_path, content).fingerprint for content in (one, pixel, label, arrays())]
    assert len(set(fingerprints)) == 3
    assert fingerprints[0] == fingerprints[3]


def test_equal_bytes_of_another_shape_are_another_content(tmp_path: Path) -> None:
    shapes = {"train_images": np.zeros((6, 8, 2), np.uint8), "val_images": np.zeros((4, 2, 8), np.uint8)}
    digests = {image.part: image.digest for image in opened(tmp_path, arrays() | shapes).images}
    assert digests["train"] != digests["val"]


@pytest.mark.parametrize("key", ["train_images", "val_labels", "test_images"])
def test_a_missing_key_is_named_beside_those_found(tmp_path: Path, key: str) -> None:
    content = arrays()
    del content[key]
    message = refusal(lambda: opened(tmp_path, content))
    assert message.startswith(f"{tmp_path / 'archive.npz'}: key '{key}' is missing")
    assert "train_labels" in message


def test_three_classes_are_refused(tmp_path: Path) -> None:
    message = refusal(lambda: opened(tmp_path, arrays(train_labels=np.array([0, 1, 2, 0, 1, 2]))))
    assert "[0, 1, 2]" in message
    assert "two classes are needed" in message


def test_one_class_is_refused(tmp_path: Path) -> None:
    labels = {f"{part}_labels": np.ones(count, int) for part, count in COUNTS.items()}
    assert "two classes are needed" in refusal(lambda: opened(tmp_path, arrays() | labels))


@pytest.mark.parametrize(
    "images",
    [
        pytest.param(np.zeros((6, 8, 8), np.complex64), id="complex"),
        pytest.param(np.zeros((6, 8, 8), np.uint64), id="64 bit"),
        pytest.param(np.zeros((6, 64), np.uint8), id="flattened"),
        pytest.param(np.zeros((6, 8, 8, 4), np.uint8), id="four channels"),
        pytest.param(np.zeros((6, 8, 8, 8, 1), np.uint8), id="volumes"),
    ],
)
def test_images_of_another_kind_are_refused(tmp_path: Path, images: npt.NDArray[Any]) -> None:
    message = refusal(lambda: opened(tmp_path, arrays(train_images=images)))
    assert f"train_images is {images.dtype} of shape {images.shape}" in message
    assert "uint8 (n, h, w) or (n, h, w, 3) is needed" in message


@pytest.mark.parametrize(
    "change",
    [{"train_labels": np.array([0, 1])}, {"val_patients": np.array([1, 2, 3])}, {"val_labels": np.zeros((4, 14), int)}],
)
def test_labels_and_patients_are_as_many_as_images(tmp_path: Path, change: Arrays) -> None:
    part = next(iter(change)).split("_")[0]
    message = refusal(lambda: opened(tmp_path, arrays() | change))
    assert f"{part}_images has {COUNTS[part]} images" in message


@pytest.mark.parametrize("key", ["classes", "train_patients", "train_labels"])
def test_pickled_objects_are_refused(tmp_path: Path, key: str) -> None:
    objects = np.array([Path("a"), 1, "b", 0, 1, 0], dtype=object)
    message = refusal(lambda: opened(tmp_path, arrays() | {key: objects}))
    assert message.startswith(f"{tmp_path / 'archive.npz'}: not a readable .npz of plain arrays")


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "archive.npz"
    path.write_bytes(b"hello world, this is no archive")
    assert refusal(lambda: open_dataset(str(path))).startswith(f"{path}: not a readable .npz")
