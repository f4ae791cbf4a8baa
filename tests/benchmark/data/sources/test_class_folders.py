"""Folders of three or more classes: what is a class, and what only looks like one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.images import image_folder, opened, refusal

THREE = ("bacteria", "NORMAL", "virus")


@pytest.mark.parametrize("above", ["", "data/", "data/images/"])
def test_class_folders_are_classes_in_alphabetical_order_at_any_depth(tmp_path: Path, above: str) -> None:
    dataset = opened(image_folder(tmp_path, {f"{above}{name}": 4 for name in THREE}))
    assert dataset.classes == ("NORMAL", "bacteria", "virus")
    assert [image.name.split("/")[0] for image in dataset.images] == [dataset.classes[i.label] for i in dataset.images]
    assert dataset.positive is None


def test_parts_of_three_classes_are_read(tmp_path: Path) -> None:
    counts = {f"{part}/{name}": 3 for part in ("Train", "valid", "test") for name in THREE}
    dataset = opened(image_folder(tmp_path, counts))
    assert {(image.part, image.label) for image in dataset.images} == {
        (part, label) for part in ("train", "val", "test") for label in range(3)
    }


def test_parts_below_a_folder_beside_other_folders_are_found(tmp_path: Path) -> None:
    counts = {f"set/{part}/{name}": 3 for part in ("train", "test") for name in THREE}
    (tmp_path / "papers" / "old").mkdir(parents=True)
    (tmp_path / "scripts" / "old").mkdir(parents=True)
    dataset = opened(image_folder(tmp_path, counts))
    assert len(dataset.classes) == 3
    assert any("read from set/" in note for note in dataset.notes)


def test_the_first_folder_below_every_class_is_the_patient(tmp_path: Path) -> None:
    counts = {f"{name}/case{number}": 2 for name in THREE for number in range(4)}
    dataset = opened(image_folder(tmp_path, counts))
    assert dataset.patients is not None
    assert dataset.patients.origin == "folders"
    assert len({image.patient for image in dataset.images}) == 4
    assert any("4 folders, such as case0, have the same name in several classes" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        pytest.param(
            {f"{part}/{name}": 3 for part in ("training_set", "test_set", "val_set") for name in THREE},
            ["its 3 folders (test_set, training_set, val_set) contain the same folders (NORMAL, bacteria, virus)"],
            id="parts under other names",
        ),
        pytest.param(
            {f"fold{number}/{name}": 3 for number in range(5) for name in THREE},
            ["its 5 folders", "as parts do", "name the parts train, val and test"],
            id="folds",
        ),
        pytest.param(
            {f"patient_{number:02d}": 5 for number in range(12)},
            ["12 folders (patient_00,", "named like patients", "CLASS/PATIENT/*"],
            id="patients without classes",
        ),
        pytest.param(
            {f"{number:04d}": 2 for number in range(30)},
            ["30 classes (0000,", "with 60 files", "CLASS/PATIENT/*"],
            id="numbered folders with few files",
        ),
        pytest.param(
            {"Normal": 5, "normal": 5, "ill": 5},
            ["3 classes (Normal, ill, normal)", "Normal and normal differ only in case: give them one name"],
            id="one name in two cases",
        ),
        pytest.param({"A": 5, "B": 5, "C": 0, "D": 5}, ["C: is empty; every class needs images"], id="empty class"),
        pytest.param({"data/A": 5}, ["1 class folder", "two are needed"], id="one class"),
    ],
)
def test_folders_that_are_no_classes_are_refused(tmp_path: Path, counts: dict[str, int], says: list[str]) -> None:
    message = refusal(lambda: opened(image_folder(tmp_path, counts)))
    for words in says:
        assert words in message


def test_a_folder_beside_the_classes_without_images_is_named(tmp_path: Path) -> None:
    root = image_folder(tmp_path, {"A": 60, "B": 60, "code": 0})
    (root / "code" / "train.py").write_text("print()")
    assert "code: contains no readable image; every class needs images" in refusal(lambda: opened(root))


def test_two_spellings_of_a_class_are_refused_where_there_are_only_these_two(tmp_path: Path) -> None:
    assert "differ only in case" in refusal(lambda: opened(image_folder(tmp_path, {"Normal": 5, "normal": 5})))
