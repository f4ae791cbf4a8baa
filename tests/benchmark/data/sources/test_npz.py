"""A MedMNIST-style archive is a data set."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import benchmark.data.sources.npz as npz
from benchmark.data.dataset import Dataset
from benchmark.data.sources import open_dataset
from tests.support.images import refusal

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


def test_a_class_that_a_part_lacks_is_named(tmp_path: Path) -> None:
    message = refusal(lambda: opened(tmp_path, arrays(train_labels=np.array([0, 1, 2, 0, 1, 2]))))
    assert "val_labels lacks 2; every part needs each of the 3 classes" in message


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
    [{"train_labels": np.array([0, 1])}, {"val_patients": np.array([1, 2, 3])}],
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


def test_words_in_one_part_and_numbers_in_another_are_refused(tmp_path: Path) -> None:
    message = refusal(lambda: opened(tmp_path, arrays(train_labels=np.array(["a", "b"] * 3))))
    assert "labels are strings in one part and numbers in another" in message


def test_a_header_that_python_cannot_split_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    header = b"{'descr': '|u1', 'shape': ((((1,), \n"  # the tokenizer's error is no ValueError
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train_images.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    assert "not a readable .npz of plain arrays" in refusal(lambda: open_dataset(str(path)))


def test_a_member_with_a_line_break_in_its_name_is_named_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **{"train\nimage": np.zeros(3)})
    assert "it contains train\\nimage" in refusal(lambda: open_dataset(str(path)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(
            {"train_labels": np.array([0, 1, 0, 1, 0, np.nan])},
            "train_labels contains NaN or infinite values",
            id="NaN label",
        ),
        pytest.param(
            {"val_patients": np.array([1, 2, np.inf, 3])},
            "val_patients contains NaN or infinite",
            id="no patient",
        ),
        pytest.param(
            {"train_labels": np.zeros(6, [("a", int), ("b", float)])},
            "train_labels is of type [('a', '<i8'), ('b', '<f8')]; numbers or strings are needed",
            id="structured labels",
        ),
        pytest.param(
            {"test_labels": np.array(["2020-01-01", "2020-01-02"], "M8[D]")},
            "test_labels is of type datetime64[D]; numbers or strings are needed",
            id="dates",
        ),
        pytest.param(
            {"classes": np.array([1, 2**31], np.uint32).view("U1")},
            "classes contains characters that do not exist in Unicode",
            id="a character beyond Unicode",
        ),
        pytest.param(
            {"train_patients": np.array(["a", "b", "c", "\ud800", "e", "f"])},
            "train_patients contains characters that do not exist in Unicode",
            id="half a surrogate pair",
        ),
        pytest.param({"classes": np.array("ill")}, "classes has shape (); two names are needed", id="scalar classes"),
        pytest.param({"classes": np.array([["a", "b"]])}, "classes has shape (1, 2)", id="a row of classes"),
        pytest.param(
            {"classes": np.array(["ill", "ill"])}, "classes names both 'ill'; two different names", id="one name twice"
        ),
        pytest.param(
            {"train_images": np.zeros((6, 0, 8), np.uint8)}, "every image needs pixels", id="images without height"
        ),
        pytest.param(
            {"val_images": np.zeros((4, 8, 8), np.uint16)},
            "val_images is uint16, train_images uint8; one type is needed",
            id="two depths",
        ),
    ],
)
def test_what_names_no_two_classes_of_images_is_refused_in_a_line(tmp_path: Path, change: Arrays, says: str) -> None:
    assert says in refusal(lambda: opened(tmp_path, arrays() | change))


def in_depth(dtype: str, factor: float) -> Arrays:
    return {
        key: (value.astype(float) * factor).astype(dtype) if "images" in key else value
        for key, value in arrays().items()
    }


@pytest.mark.parametrize(
    ("dtype", "factor", "levels"),
    [
        pytest.param("uint16", 1, {"16-bit": (0, 255)}, id="8 bits in 16"),
        pytest.param("uint16", 4095 / 255, {"16-bit": (0, 4095)}, id="12 bits in 16"),
        pytest.param("uint16", 257, {"16-bit": (0, 65535)}, id="16 bits"),
        pytest.param("int32", 257, {"32-bit": (0, 65535)}, id="16 bits in 32"),
        pytest.param("float32", 1 / 255, {"float": (0, 1)}, id="shares of white"),
        pytest.param("float64", 1, {"float": (0, 255)}, id="8-bit levels as floats"),
    ],
)
def test_deeper_arrays_are_read_by_one_scale(tmp_path: Path, dtype: str, factor: float, levels: object) -> None:
    plain = opened(tmp_path, arrays())
    deep = opened(tmp_path, in_depth(dtype, factor))
    assert deep.levels == levels
    apart = deep.read(deep.images, 8).astype(int) - plain.read(plain.images, 8)
    assert np.abs(apart).max() <= 1
    assert plain.levels == {}


def test_an_image_that_is_not_finite_is_named(tmp_path: Path) -> None:
    content = in_depth("float32", 1)
    content["val_images"][2, 3, 3] = np.nan
    assert "image val/000002 contains levels that are NaN" in refusal(lambda: opened(tmp_path, content))


def claiming(shape: tuple[int, ...]) -> bytes:
    """An .npy file whose header claims bytes that do not follow."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.getvalue()


@pytest.mark.parametrize(
    ("shape", "size"),
    [((10**9, 1000, 10**4), "8.88 PiB"), ((10**6, 100, 100), "9.31 GiB"), ((10**30,), "8.67e+11 EiB")],
)
def test_a_claim_beyond_the_bound_is_refused_before_it_is_read(
    tmp_path: Path, shape: tuple[int, ...], size: str
) -> None:
    content = arrays()
    del content["train_images"]
    path = archive(tmp_path, content)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("train_images.npy", claiming(shape))
    message = refusal(lambda: open_dataset(str(path)))
    assert f"train_images alone {size}; at most 4 GiB are read" in message


def test_a_bomb_is_refused_by_what_it_unpacks_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz, "MOST_BYTES", 2**20)
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, **arrays(train_images=np.zeros((6, 600, 600), np.uint8)))
    assert path.stat().st_size < 2**16
    assert "at most 1 MiB are read" in refusal(lambda: open_dataset(str(path)))


def test_other_arrays_beside_those_of_the_data_set_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npz, "MOST_BYTES", 2**16)
    objects = np.array([Path("a"), 1], dtype=object)
    dataset = opened(tmp_path, arrays(notes=objects, embedding=np.zeros((600, 600))))
    assert len(dataset.images) == 12


def many_classes(labels: Sequence[Any], **changes: npt.NDArray[Any]) -> Arrays:
    """Arrays in which each part has every label twice."""
    twice = np.array([*labels, *labels])
    pixels = np.random.default_rng(0).integers(0, 256, (len(twice), 8, 8), dtype=np.uint8)
    parts = {f"{part}_{kind}": value for part in COUNTS for kind, value in (("images", pixels), ("labels", twice))}
    return parts | changes


@pytest.mark.parametrize(
    ("labels", "classes"),
    [([0, 1, 2, 3], ("0", "1", "2", "3")), ([10, 2, 30], ("2", "10", "30")), (["c", "a", "b"],) * 2],
)
def test_each_value_of_the_labels_is_a_class_in_sorted_order(
    tmp_path: Path, labels: Sequence[Any], classes: Sequence[str]
) -> None:
    dataset = opened(tmp_path, many_classes(labels))
    assert dataset.classes == tuple(sorted(classes, key=lambda name: (len(name), name)))
    assert not dataset.ordered
    by_value = {str(value): index for index, value in enumerate(dataset.classes)}
    train = [image for image in dataset.images if image.part == "train"]
    assert [image.label for image in train] == [by_value[str(label)] for label in (*labels, *labels)]


def test_names_and_whether_the_classes_are_ordered_are_read(tmp_path: Path) -> None:
    names = np.array(["none", "mild", "severe"])
    dataset = opened(tmp_path, many_classes([0, 1, 2], classes=names, ordered=np.array(True)))
    assert dataset.classes == ("none", "mild", "severe")
    assert dataset.ordered
    assert dataset.fingerprint != opened(tmp_path, many_classes([0, 1, 2], classes=names)).fingerprint


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"classes": np.array(["a", "b"])}, "classes has shape (2,); 3 names, one per label (0, 1, 2), are needed"),
        ({"classes": np.array(["a", "b", "a"])}, "classes contains 'a' twice"),
        ({"classes": np.array(["a", "b", "A"])}, "'a' and 'A' differ only in case"),
        ({"ordered": np.array("yes")}, "ordered is 'yes'; it must be one true or false"),
        ({"ordered": np.array([1, 0])}, "it must be one true or false"),
        ({"val_labels": np.zeros((6, 14), int)}, "val_labels has 14 labels per image (6 x 14)"),
        ({"val_labels": np.eye(3, dtype=int)[[0, 1, 2, 0, 1, 2]]}, "val_labels.argmax(axis=1)"),
        ({"val_labels": np.zeros((6, 1, 1), int)}, "val_labels has shape (6, 1, 1); give (n,) or (n, 1)"),
        ({"val_labels": np.arange(3, 9)}, "labels have 9 values for 18 images"),
    ],
)
def test_what_is_no_single_class_per_image_is_refused(tmp_path: Path, changes: Arrays, says: str) -> None:
    assert says in refusal(lambda: opened(tmp_path, many_classes([0, 1, 2]) | changes))
