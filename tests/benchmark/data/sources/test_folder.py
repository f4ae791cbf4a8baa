"""A folder of class folders is a data set: what is read, what is left out, what is refused."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from benchmark.data.sources import open_dataset
from tests.support.images import image_folder, noise, opened, refusal, save

KAGGLE = {"train/NORMAL": 4, "train/PNEUMONIA": 6, "val/NORMAL": 1, "val/PNEUMONIA": 1, "test/NORMAL": 2} | {
    "test/PNEUMONIA": 3
}


def cut(image: Pillow.Image, path: Path) -> None:
    content = save(image, path).read_bytes()
    path.write_bytes(content[: len(content) // 2])


def test_parts_and_classes_come_from_kaggles_folders(tmp_path: Path) -> None:
    dataset = opened(image_folder(tmp_path, KAGGLE))
    counts = Counter(f"{image.part}/{dataset.classes[image.label]}" for image in dataset.images)
    assert counts == KAGGLE
    assert not dataset.synthetic
    assert dataset.problems == ()


def test_plain_class_folders_have_no_parts(tmp_path: Path) -> None:
    dataset = opened(image_folder(tmp_path, {"cat": 2, "dog": 3}))
    assert Counter((image.part, image.label) for image in dataset.images) == {("all", 0): 2, ("all", 1): 3}


def test_the_second_class_of_the_alphabet_is_positive(tmp_path: Path) -> None:
    dataset = opened(image_folder(tmp_path, {"zebra": 1, "ape": 1}))
    assert dataset.classes == ("ape", "zebra")
    assert {image.name.split("/")[0]: image.label for image in dataset.images} == {"ape": 0, "zebra": 1}


def test_names_are_relative_posix_paths_in_order(tmp_path: Path) -> None:
    dataset = opened(image_folder(tmp_path, KAGGLE))
    names = [image.name for image in dataset.images]
    assert names == sorted(names)
    assert "train/PNEUMONIA/image_005.png" in names
    assert all((tmp_path / name).is_file() for name in names)


def test_other_folders_beside_the_parts_do_not_count(tmp_path: Path) -> None:
    image_folder(tmp_path, KAGGLE | {"chest_xray/train/NORMAL": 2, "notes": 1})
    assert len(opened(tmp_path).images) == sum(KAGGLE.values())


def test_train_alone_is_enough(tmp_path: Path) -> None:
    dataset = opened(image_folder(tmp_path, {"train/A": 2, "train/B": 2}))
    assert {image.part for image in dataset.images} == {"train"}


def test_links_to_files_and_folders_are_followed(tmp_path: Path) -> None:
    real = image_folder(tmp_path / "real", {"A": 3, "B": 2})
    linked = tmp_path / "linked"
    (linked / "B").mkdir(parents=True)
    (linked / "A").symlink_to(real / "A", target_is_directory=True)
    for file in (real / "B").iterdir():
        (linked / "B" / file.name).symlink_to(file)
    assert opened(linked).fingerprint == opened(real).fingerprint
    assert opened(linked).read(opened(linked).images, 4).any()


def test_a_link_to_itself_is_no_image(tmp_path: Path) -> None:
    image_folder(tmp_path, {"A": 20, "B": 20})
    (tmp_path / "A" / "loop.png").symlink_to(tmp_path / "A" / "loop.png")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert len(opened(tmp_path).images) == 40


@pytest.mark.parametrize("name", [".DS_Store", "._image_000.png", "Thumbs.db", "desktop.ini"])
def test_files_that_systems_leave_behind_are_no_images(tmp_path: Path, name: str) -> None:
    image_folder(tmp_path, {"A": 2, "B": 2})
    (tmp_path / "A" / name).write_bytes(b"not an image")
    dataset = opened(tmp_path)
    assert len(dataset.images) == 4
    assert dataset.problems == ()


@pytest.mark.parametrize("name", [".git", "__MACOSX"])
def test_folders_that_systems_leave_behind_are_no_classes(tmp_path: Path, name: str) -> None:
    image_folder(tmp_path, {"A": 2, "B": 2, name: 1})
    assert opened(tmp_path).classes == ("A", "B")


@pytest.mark.real_data
def test_the_radiographs_are_those_of_the_table(real_data: Path) -> None:
    dataset = opened(real_data)
    images = Counter((image.part, dataset.classes[image.label]) for image in dataset.images)
    patients = Counter(
        (part, dataset.classes[label])
        for part, label, _ in {(image.part, image.label, image.patient) for image in dataset.images}
    )
    assert images == {
        ("train", "NORMAL"): 1099,
        ("train", "PNEUMONIA"): 3477,
        ("val", "NORMAL"): 8,
        ("val", "PNEUMONIA"): 8,
        ("test", "NORMAL"): 234,
        ("test", "PNEUMONIA"): 390,
    }
    assert patients == {
        ("train", "NORMAL"): 974,
        ("train", "PNEUMONIA"): 2274,
        ("val", "NORMAL"): 8,
        ("val", "PNEUMONIA"): 7,
        ("test", "NORMAL"): 229,
        ("test", "PNEUMONIA"): 162,
    }
    assert dataset.channels == 1
    assert dataset.problems == ()


@pytest.mark.parametrize(
    ("counts", "where", "says"),
    [
        pytest.param({"A": 2}, "", ["(A)", "two are needed"], id="one class"),
        pytest.param({"A": 2, "B": 0}, "B", ["is empty", "every class needs images"], id="empty class"),
        pytest.param(
            {"A": 2, "B": 2, "C": 2},
            "",
            ["3 classes (A, B, C) with 6 files", "fewer than 3 per class"],
            id="three folders with two files each",
        ),
        pytest.param(
            {"train/A": 2, "train/B": 2, "test/A": 2},
            "test",
            ["no folder for class 'B'", "every part needs both classes"],
            id="a class missing in a part",
        ),
        pytest.param(
            {"train/A": 2, "train/B": 2, "test/A": 2, "test/C": 2},
            "train",
            ["no folder for class 'C'", "3 classes (A, B, C)"],
            id="another class in a part",
        ),
        pytest.param({"train/A": 2, "train/B": 2, "val": 0}, "val", ["no folder for class 'A'"], id="empty part"),
        pytest.param(
            {"val/A": 2, "val/B": 2, "test/A": 2, "test/B": 2},
            "",
            ["val and test but no train folder", "name the parts train, val, test"],
            id="no train",
        ),
        pytest.param({"train": 0}, "", ["two are needed"], id="no class"),
        pytest.param({}, "", ["contains no folders", "give train/val/test/CLASS/* or CLASS/*"], id="nothing"),
        pytest.param({"A": 0, "B": 0}, "A", ["is empty"], id="all empty"),
    ],
)
def test_a_folder_that_is_no_data_set_is_refused_by_its_path(
    tmp_path: Path, counts: dict[str, int], where: str, says: list[str]
) -> None:
    image_folder(tmp_path, counts)
    message = refusal(lambda: opened(tmp_path))
    assert message.startswith(f"{tmp_path / where if where else tmp_path}: ")
    for part in says:
        assert part in message


def test_a_class_of_hidden_files_is_empty(tmp_path: Path) -> None:
    image_folder(tmp_path, {"A": 2, "B": 0})
    (tmp_path / "B" / ".DS_Store").write_bytes(b"x")
    assert refusal(lambda: opened(tmp_path)).startswith(f"{tmp_path / 'B'}: is empty")


def test_many_classes_are_named_in_short(tmp_path: Path) -> None:
    image_folder(tmp_path, {f"class_{i:02d}": 1 for i in range(40)})
    message = refusal(lambda: opened(tmp_path))
    assert "40 classes" in message
    assert len(message) < len(str(tmp_path)) + 250


def test_images_without_class_folders_are_refused(tmp_path: Path) -> None:
    save(noise(0), tmp_path / "a.png")
    assert "contains no folders" in refusal(lambda: opened(tmp_path))


def test_a_class_without_a_readable_image_is_refused(tmp_path: Path) -> None:
    image_folder(tmp_path, {"train/A": 30, "train/B": 30, "test/A": 2, "test/B": 0})
    (tmp_path / "test" / "B" / "bad.png").write_bytes(b"bad")
    message = refusal(lambda: opened(tmp_path))
    assert message.startswith(f"{tmp_path / 'test' / 'B'}: ")
    assert "no readable image" in message


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        pytest.param(lambda path: path.write_bytes(b""), "empty", id="zero bytes"),
        pytest.param(lambda path: path.write_text("hello"), "not an image", id="text"),
        pytest.param(lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n"), "", id="a signature alone"),
        pytest.param(lambda path: cut(noise(1, 64), path.with_suffix(".jpeg")), "truncated", id="half a JPEG"),
        pytest.param(lambda path: cut(noise(1, 64), path), "truncated", id="half a PNG"),
    ],
)
def test_a_file_that_cannot_be_decoded_is_left_out_and_listed(
    tmp_path: Path, write: Callable[[Path], Any], reason: str
) -> None:
    image_folder(tmp_path, {"A": 20, "B": 20})
    whole = opened(tmp_path)
    write(tmp_path / "B" / "bad.png")
    dataset = opened(tmp_path)
    (problem,) = dataset.problems
    assert problem.name.startswith("B/bad.")
    assert reason in problem.reason
    assert problem.reason
    assert "\n" not in problem.reason
    assert dataset.images == whole.images


def test_one_in_twenty_may_be_unreadable(tmp_path: Path) -> None:
    image_folder(tmp_path, {"A": 19, "B": 19})
    for index in range(2):
        (tmp_path / "A" / f"bad_{index}.png").write_bytes(b"bad")
    assert len(opened(tmp_path).problems) == 2


def test_more_than_one_in_twenty_are_refused(tmp_path: Path) -> None:
    image_folder(tmp_path, {"A": 18, "B": 19})
    for index in range(3):
        (tmp_path / "A" / f"bad_{index}.png").write_bytes(b"bad")
    message = refusal(lambda: opened(tmp_path))
    assert message.startswith(f"{tmp_path}: 3 of 40 files cannot be read, more than 5%")
    assert "A/bad_0.png (not an image)" in message
    assert "remove them" in message


def test_a_folder_of_bad_files_is_refused_in_short(tmp_path: Path) -> None:
    for index in range(60):
        for name in ("A", "B"):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / f"bad_{index}.png").write_bytes(b"bad")
    message = refusal(lambda: opened(tmp_path))
    assert "120 of 120" in message
    assert len(message) < len(str(tmp_path)) + 250


def test_a_file_that_cannot_be_opened_is_listed_and_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_folder(tmp_path, {"A": 20, "B": 20})
    whole = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path.name == "image_003.png" and path.parent.name == "A":
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refused)
        dataset = opened(tmp_path)
    assert [(problem.name, problem.reason) for problem in dataset.problems] == [
        ("A/image_003.png", "Permission denied")
    ]
    assert len(dataset.images) == 39
    assert len(opened(tmp_path).images) == 40


def test_a_forbidden_file_is_listed(tmp_path: Path) -> None:
    image_folder(tmp_path, {"A": 20, "B": 20})
    file = tmp_path / "A" / "image_003.png"
    file.chmod(0)
    if os.access(file, os.R_OK):
        pytest.skip("permission bits do not bind this user")
    (problem,) = opened(tmp_path).problems
    assert problem.name == "A/image_003.png"
    assert "denied" in problem.reason


def test_a_forbidden_folder_is_refused(tmp_path: Path) -> None:
    image_folder(tmp_path, {"A": 2, "B": 2})
    (tmp_path / "A").chmod(0)
    try:
        if os.access(tmp_path / "A", os.R_OK):
            pytest.skip("permission bits do not bind this user")
        message = refusal(lambda: opened(tmp_path))
    finally:
        (tmp_path / "A").chmod(0o755)
    assert message.startswith(f"{tmp_path / 'A'}: cannot be listed")


def test_a_folder_that_cannot_be_listed_is_refused_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image_folder(tmp_path, {"A": 2, "B": 2})
    listing = Path.iterdir

    def refused(path: Path) -> Iterator[Path]:
        if path.name == "B":
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr(Path, "iterdir", refused)
    assert refusal(lambda: opened(tmp_path)) == f"{tmp_path / 'B'}: cannot be listed: Permission denied"


def test_the_fingerprint_does_not_depend_on_the_order_of_listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_folder(tmp_path, KAGGLE)
    before = opened(tmp_path).fingerprint
    listing = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: iter(sorted(listing(path), reverse=True)))
    assert opened(tmp_path).fingerprint == before


def test_unreadable_files_are_listed_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image_folder(tmp_path, {"A": 40, "B": 40})
    for name in "acb":
        (tmp_path / "A" / f"{name}.png").write_bytes(b"bad")
    listing = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: iter(sorted(listing(path), reverse=True)))
    assert [problem.name for problem in opened(tmp_path).problems] == ["A/a.png", "A/b.png", "A/c.png"]


def test_the_fingerprint_does_not_depend_on_when_files_were_written(tmp_path: Path) -> None:
    image_folder(tmp_path, KAGGLE)
    before = opened(tmp_path).fingerprint
    for index, file in enumerate(sorted(tmp_path.rglob("*.png"))):
        os.utime(file, (1_000_000 + index, 1_000_000 + index))
    assert opened(tmp_path).fingerprint == before


def test_the_fingerprint_does_not_depend_on_where_the_folder_is(tmp_path: Path) -> None:
    one, other = image_folder(tmp_path / "one", KAGGLE), image_folder(tmp_path / "other", KAGGLE)
    assert opened(one).fingerprint == opened(other).fingerprint


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda root: save(noise(999), root / "train/NORMAL/image_000.png"), id="content"),
        pytest.param(lambda root: (root / "train/NORMAL/image_000.png").unlink(), id="a file less"),
        pytest.param(lambda root: save(noise(999), root / "train/NORMAL/more.png"), id="a file more"),
        pytest.param(
            lambda root: (root / "train/NORMAL/image_000.png").rename(root / "train/NORMAL/renamed.png"), id="name"
        ),
        pytest.param(
            lambda root: (root / "train/NORMAL/image_000.png").rename(root / "train/PNEUMONIA/moved.png"),
            id="class",
        ),
        pytest.param(
            lambda root: (root / "train/NORMAL/image_000.png").rename(root / "test/NORMAL/moved.png"), id="part"
        ),
    ],
)
def test_the_fingerprint_follows_what_results_depend_on(tmp_path: Path, change: Callable[[Path], Any]) -> None:
    image_folder(tmp_path, KAGGLE)
    before = opened(tmp_path).fingerprint
    change(tmp_path)
    assert opened(tmp_path).fingerprint != before


def test_the_fingerprint_follows_the_declared_patients(tmp_path: Path) -> None:
    image_folder(tmp_path, {"A": 3, "B": 3})
    declared = open_dataset(str(tmp_path), patient_pattern=r"image_0(?P<patient>\d)")
    assert declared.fingerprint != opened(tmp_path).fingerprint


def test_equal_files_have_equal_digests(tmp_path: Path) -> None:
    image_folder(tmp_path, {"A": 2, "B": 2})
    save(noise(0), tmp_path / "B" / "copy.png")
    digests = {image.name: image.digest for image in opened(tmp_path).images}
    assert digests["A/image_000.png"] == digests["B/copy.png"]
    assert len(set(digests.values())) == 4


def test_grey_images_are_read_in_one_channel(tmp_path: Path) -> None:
    save(noise(0).convert("RGB"), tmp_path / "A" / "a.png")
    save(noise(1), tmp_path / "B" / "b.png")
    dataset = opened(tmp_path)
    assert dataset.channels == 1
    assert np.array_equal(dataset.read(dataset.images, 12)[0, ..., 0], np.asarray(noise(0)))


def test_one_coloured_image_makes_three_channels(tmp_path: Path) -> None:
    image_folder(tmp_path, {"A": 3, "B": 3})
    save(Pillow.new("RGB", (12, 12), (10, 20, 30)), tmp_path / "B" / "z.png")
    dataset = opened(tmp_path)
    pixels = dataset.read(dataset.images, 12)
    assert dataset.channels == 3
    assert pixels[-1, 5, 5].tolist() == [10, 20, 30]
    assert np.array_equal(pixels[0], np.repeat(np.asarray(noise(0))[..., None], 3, axis=2))


def test_pixels_come_in_the_order_and_size_asked_for(tmp_path: Path) -> None:
    for index, level in enumerate([10, 50, 90, 130]):
        save(Pillow.new("L", (20, 14), level), tmp_path / "AB"[index % 2] / f"{index}.png")
    dataset = opened(tmp_path)
    by_name = {image.name: image for image in dataset.images}
    wanted = [by_name[name] for name in ("B/3.png", "A/0.png", "B/1.png", "B/3.png")]
    pixels = dataset.read(wanted, 6)
    assert pixels.shape == (4, 6, 6, 1)
    assert pixels.dtype == np.uint8
    assert pixels[:, 3, 3, 0].tolist() == [130, 10, 50, 130]


def test_no_images_are_no_pixels(tmp_path: Path) -> None:
    dataset = opened(image_folder(tmp_path, {"A": 1, "B": 1}))
    assert dataset.read((), 7).shape == (0, 7, 7, 1)


def test_files_of_several_kinds_stand_side_by_side(tmp_path: Path) -> None:
    save(Pillow.new("L", (8, 8), 77), tmp_path / "A" / "a.png")
    save(Pillow.fromarray(np.full((8, 8), 77 * 257, np.uint16)), tmp_path / "A" / "b.tiff")
    save(Pillow.new("RGB", (8, 8), (77, 77, 77)), tmp_path / "B" / "c.bmp")
    save(Pillow.new("L", (8, 8), 77), tmp_path / "B" / "d.jpeg")
    dataset = opened(tmp_path)
    assert dataset.channels == 1
    assert (dataset.read(dataset.images, 8) == 77).all()
    assert len(dataset.images) == 4
