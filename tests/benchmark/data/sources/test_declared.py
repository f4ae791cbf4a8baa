"""The order of classes in classes.yaml: for a folder, for an archive, and the one line for each mistake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmark.data.sources import open_dataset
from tests.support.images import image_folder, opened, refusal

GRADES = ("none", "mild", "severe")


def folder(root: Path, content: str) -> Path:
    """Three class folders with this classes.yaml."""
    image_folder(root, dict.fromkeys(GRADES, 4))
    (root / "classes.yaml").write_text(content)
    return root


@pytest.mark.parametrize("ordered", [True, False])
def test_the_classes_of_a_folder_have_the_declared_order(tmp_path: Path, ordered: bool) -> None:
    dataset = opened(folder(tmp_path, f"classes: [none, mild, severe]\nordered: {str(ordered).lower()}\n"))
    assert dataset.classes == GRADES
    assert dataset.ordered is ordered
    assert all(image.name.startswith(f"{GRADES[image.label]}/") for image in dataset.images)
    assert dataset.positive is None
    assert [entry.reason for entry in dataset.ignored] == ["declares the order of the classes"]


def test_the_order_and_the_scale_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    plain = opened(folder(tmp_path, "classes: [mild, none, severe]\n"))
    other = opened(folder(tmp_path, "classes: [none, mild, severe]\n"))
    scale = opened(folder(tmp_path, "classes: [none, mild, severe]\nordered: true\n"))
    (tmp_path / "classes.yaml").unlink()
    assert opened(tmp_path).fingerprint == plain.fingerprint
    assert len({plain.fingerprint, other.fingerprint, scale.fingerprint}) == 3


def test_the_last_of_two_declared_classes_is_positive(tmp_path: Path) -> None:
    image_folder(tmp_path, {"ILL": 4, "NORMAL": 4})
    (tmp_path / "classes.yaml").write_text("classes: [NORMAL, ILL]\n")
    dataset = opened(tmp_path)
    assert dataset.classes == ("NORMAL", "ILL")
    assert dataset.positive == "ILL"
    assert open_dataset(str(tmp_path), positive="NORMAL").classes == ("ILL", "NORMAL")


def test_an_archive_has_the_declaration_beside_it(tmp_path: Path) -> None:
    labels, pixels = np.arange(9) % 3, np.random.default_rng(0).integers(0, 256, (9, 8, 8), dtype=np.uint8)
    arrays = {
        f"{part}_{kind}": value
        for part in ("train", "val", "test")
        for kind, value in (("images", pixels), ("labels", labels))
    }
    np.savez(tmp_path / "grades.npz", classes=np.array(["severe", "none", "mild"]), **arrays)
    (tmp_path / "grades.classes.yaml").write_text("classes: [none, mild, severe]\nordered: true\n")
    dataset = open_dataset(str(tmp_path / "grades.npz"))
    assert dataset.classes == GRADES
    assert [image.label for image in dataset.images if image.part == "test"] == [2, 0, 1] * 3


def test_numbers_are_names(tmp_path: Path) -> None:
    image_folder(tmp_path, dict.fromkeys(("0", "1", "2"), 4))
    (tmp_path / "classes.yaml").write_text("classes: [2, 1, 0]\n")
    assert opened(tmp_path).classes == ("2", "1", "0")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("classes: [none, mild, sever]", "the class 'severe' of the data is missing; add it. Did you mean sever?"),
        ("classes: [none, mild, severe, worst]", "the data have no images of the class 'worst'"),
        ("classes: [none, mild, mild]", "lists 'mild' twice (none, mild, mild)"),
        ("classes: [no, mild, severe]", "YAML reads a name as False; put it into quotes"),
        ("classes: [null, mild, severe]", "YAML reads a name as None; put it into quotes"),
        ("classes: [none]", "classes"),
        ("class: [none, mild, severe]", "class: unknown key. Did you mean classes?"),
        ("classes: [none, mild, severe]\nordered: maybe", "ordered"),
        ("- none\n- mild", "must contain a mapping"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, content: str, says: str) -> None:
    message = refusal(lambda: opened(folder(tmp_path, content)))
    assert message.startswith(str(tmp_path / "classes.yaml"))
    assert says in message
