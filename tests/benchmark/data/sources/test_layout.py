"""Every entry of a folder is an image of a part and a class, or ignored for a reason, or the folder is refused."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.checks.describe import describe
from benchmark.data.dataset import Dataset
from benchmark.data.sources import open_dataset
from benchmark.data.sources.entries import is_hidden
from benchmark.data.sources.layout import PART_NAMES, image_root, read_layout
from reports.results.conditions.accounts import account_lines
from tests.support.images import image_folder, noise, opened, refusal, save

PARTED = {"train/NORMAL": 4, "train/PNEUMONIA": 6, "test/NORMAL": 2, "test/PNEUMONIA": 3}
LEFT = (".DS_Store", "Thumbs.db", "desktop.ini", "._p001.png")
LEFT_FOLDERS = (
    ".ipynb_checkpoints",
    "__MACOSX",
    "@eaDir",
    "$RECYCLE.BIN",
    "System Volume Information",
    "lost+found",
    "#recycle",
    ".Trashes",
)


def counts(dataset: Dataset) -> dict[tuple[str, str], int]:
    return Counter((image.part, dataset.classes[image.label]) for image in dataset.images)


def files_below(root: Path) -> int:
    return sum(len(names) for _, _, names in os.walk(root))


def accounted(dataset: Dataset) -> int:
    return len(dataset.images) + len(dataset.problems) + sum(entry.files for entry in dataset.ignored)


def said(dataset: Dataset) -> str:
    return "\n".join(dataset.notes)


@pytest.mark.parametrize("part", PART_NAMES)
@pytest.mark.parametrize("write", [str.lower, str.upper, str.capitalize])
def test_parts_are_known_by_each_of_their_names(tmp_path: Path, part: str, write: object) -> None:
    for name in PART_NAMES[part]:  # type: ignore[index]
        root = tmp_path / name
        folders = {"train": "train", "val": "val", "test": "test"} | {part: write(name)}  # type: ignore[operator]
        image_folder(root, {f"{folder}/{label}": 2 for folder in folders.values() for label in "AB"})
        assert counts(opened(root)) == {(each, label): 2 for each in folders for label in "AB"}


def test_two_folders_that_mean_one_part_are_refused_by_name(tmp_path: Path) -> None:
    image_folder(tmp_path, {"train/A": 1, "train/B": 1, "val/A": 1, "val/B": 1, "validation/A": 1, "validation/B": 1})
    message = refusal(lambda: opened(tmp_path))
    assert "val and validation both mean the part val" in message


def test_classes_called_like_parts_are_classes_where_there_is_no_train_part(tmp_path: Path) -> None:
    assert opened(image_folder(tmp_path, {"valid": 2, "invalid": 3})).classes == ("invalid", "valid")


def test_classes_that_differ_in_case_only_are_refused_as_such(tmp_path: Path) -> None:
    image_folder(tmp_path, {"train/NORMAL": 1, "train/SICK": 1, "test/Normal": 1, "test/Sick": 1})
    message = refusal(lambda: opened(tmp_path))
    assert "4 classes (NORMAL, Normal, SICK, Sick)" in message
    assert "NORMAL and Normal differ only in case" in message


def test_what_systems_leave_is_ignored_everywhere_and_counted(tmp_path: Path) -> None:
    root = image_folder(tmp_path, {"A": 3, "B": 3})
    for folder in LEFT_FOLDERS:
        (root / folder).mkdir()
        image_folder(root / "A" / folder, {"inside": 2})
    for name in LEFT:
        (root / "B" / name).write_bytes(b"x")
    dataset = opened(root)
    assert dataset.classes == ("A", "B")
    assert len(dataset.images) == 6
    assert {entry.reason for entry in dataset.ignored} == {"system files"}
    assert {f"{folder}/" for folder in LEFT_FOLDERS} <= {entry.name for entry in dataset.ignored}
    assert accounted(dataset) == files_below(root) == 6 + 2 * len(LEFT_FOLDERS) + len(LEFT)


@pytest.mark.parametrize("name", ["THUMBS.DB", "Desktop.ini", "@EADIR", "$Recycle.Bin"])
def test_systems_write_their_names_in_any_letters(name: str) -> None:
    assert is_hidden(name)
    assert not is_hidden(f"{name.strip('$@')}_1.png")


def test_files_outside_of_the_class_folders_are_named_as_ignored(tmp_path: Path) -> None:
    root = image_folder(tmp_path, PARTED)
    (root / "readme.txt").write_text("read me")
    save(noise(1), root / "train" / "stray.png")
    dataset = opened(root)
    assert {(entry.name, entry.reason) for entry in dataset.ignored} == {
        ("readme.txt", "not in a class folder"),
        ("train/stray.png", "not in a class folder"),
    }
    assert accounted(dataset) == files_below(root)


def archive(root: Path) -> Path:
    """The public archive as it unpacks: the parts, a second copy of them, and what a system left."""
    image_folder(root / "chest_xray", PARTED | {"val/NORMAL": 1, "val/PNEUMONIA": 1})
    shutil.copytree(root / "chest_xray", root / "copy")
    (root / "copy").rename(root / "chest_xray" / "chest_xray")
    (root / "chest_xray" / "chest_xray" / ".DS_Store").write_bytes(b"x")
    image_folder(root / "chest_xray" / "__MACOSX", {"train/NORMAL": 2})
    return root


def test_the_public_archive_is_read_as_it_unpacks(tmp_path: Path) -> None:
    root = archive(tmp_path)
    above, inside = opened(root), opened(root / "chest_xray")
    assert len(inside.images) == 17
    assert above.fingerprint == inside.fingerprint
    reasons = {entry.name: (entry.files, entry.reason) for entry in inside.ignored}
    assert reasons["__MACOSX/"] == (2, "system files")
    assert reasons["chest_xray/"] == (18, "a copy: its files have the names and sizes of those that are read")
    assert "read from chest_xray/" in said(above)
    assert "read from" not in said(inside)
    assert accounted(above) == accounted(inside) == files_below(root)


def test_a_folder_beside_the_parts_that_is_no_copy_is_not_called_one(tmp_path: Path) -> None:
    root = image_folder(tmp_path, PARTED)
    image_folder(root / "more", PARTED)
    save(noise(999, 40), root / "more" / "train" / "NORMAL" / "image_000.png")
    image_folder(root / "figures", {"a": 1})
    reasons = {entry.name: entry.reason for entry in opened(root).ignored}
    assert reasons["more/"].startswith("a partial copy: ")
    assert reasons["figures/"] == "not one of the parts"


def test_two_data_sets_in_one_folder_are_refused_by_name(tmp_path: Path) -> None:
    for name in ("first", "second"):
        image_folder(tmp_path / name, PARTED)
    assert "several data sets (first, second); give one" in refusal(lambda: opened(tmp_path))


def test_folders_below_the_classes_are_the_patients(tmp_path: Path) -> None:
    folders = {f"{label}/{label}{patient}/day{day}": 2 for label in "AB" for patient in range(5) for day in (1, 2)}
    dataset = opened(image_folder(tmp_path, folders))
    assert len(dataset.images) == 40
    assert len({image.patient for image in dataset.images}) == 10
    assert all(image.patient == f"folder={image.name.split('/')[1]}" for image in dataset.images)
    assert dataset.patients is not None
    assert (dataset.patients.origin, dataset.patients.told) == ("folders", 40)


@pytest.mark.parametrize("part", ["", "train/"])
@pytest.mark.parametrize("day", ["", "/day1"])
def test_patients_of_one_name_in_both_classes_are_one_unless_the_path_says_otherwise(
    tmp_path: Path, part: str, day: str
) -> None:
    folders = {f"{part}{label}/patient{patient}{day}": 3 for label in "AB" for patient in range(5)}
    root = image_folder(tmp_path, folders)
    dataset = opened(root)
    assert len({image.patient for image in dataset.images}) == 5
    note = next(note for note in dataset.notes if "same name in both classes" in note)
    pattern = note.split("give --patients '", 1)[1].rpartition("'")[0]
    apart = open_dataset(str(root), patient_pattern=pattern)
    assert len({image.patient for image in apart.images}) == 10
    assert apart.notes == ()


@pytest.mark.parametrize(
    "nested",
    [
        pytest.param({"A/images": 4, "B/images": 4}, id="one folder a class"),
        pytest.param({"A/left": 2, "A/right": 2, "B/left": 2, "B/right": 2}, id="two groups"),
        pytest.param({"A": 2, "A/second_scanner": 2, "B": 3, "B/second_scanner": 1}, id="some of the images"),
    ],
)
def test_other_folders_below_the_classes_are_read_and_said(tmp_path: Path, nested: Mapping[str, int]) -> None:
    dataset = opened(image_folder(tmp_path, nested))
    assert counts(dataset) == {("all", "A"): 4, ("all", "B"): 4}
    assert "read as images of" in said(dataset)
    assert dataset.patients is not None
    assert not dataset.patients.known


def test_parts_inside_of_classes_are_refused_with_what_would_be_right(tmp_path: Path) -> None:
    image_folder(tmp_path, {f"{label}/{part}": 2 for label in "AB" for part in ("train", "test")})
    message = refusal(lambda: opened(tmp_path))
    assert "a part inside a class" in message
    assert "test/A" in message


def test_a_class_of_empty_folders_is_refused_as_such(tmp_path: Path) -> None:
    image_folder(tmp_path, {"A": 2, "B/one": 0})
    assert "B: contains folders but no files" in refusal(lambda: opened(tmp_path))


def test_a_link_to_a_folder_above_is_ignored_and_never_followed_for_ever(tmp_path: Path) -> None:
    root = image_folder(tmp_path, {"A": 2, "B": 2})
    image_folder(root / "A", {"first": 1})
    (root / "A" / "again").symlink_to(root / "A" / "first", target_is_directory=True)
    for number, aim in enumerate((root / "A", root, root.parent, Path("/"))):
        (root / "A" / f"up{number}").symlink_to(aim, target_is_directory=True)
        (root / f"up{number}").symlink_to(aim if number else root, target_is_directory=True)
    dataset = opened(root)
    assert len(dataset.images) == 5
    assert Counter(entry.reason for entry in dataset.ignored) == {
        "a link to a folder that contains it": 8,
        "a link to a folder that is already read": 1,
    }
    assert accounted(dataset) == files_below(root) == 5
    chain = tmp_path / "chain"
    chain.mkdir()
    (chain / "again").symlink_to(chain, target_is_directory=True)
    assert "contains no folders" in refusal(lambda: opened(chain))


def test_without_a_test_part_the_validation_part_is_read(tmp_path: Path) -> None:
    dataset = opened(
        image_folder(tmp_path, {f"{part}/{label}": 3 for part in ("train", "validation") for label in "AB"})
    )
    assert {image.part for image in dataset.images} == {"train", "val"}


def test_the_lines_of_a_summary_add_up(tmp_path: Path) -> None:
    root = image_folder(tmp_path, {"A": 30, "B": 30, "__MACOSX": 3})
    (root / "A" / "bad.png").write_bytes(b"bad")
    (root / "A" / "Thumbs.db").write_bytes(b"x")
    (root / "notes.txt").write_text("notes")
    lines = list(account_lines(describe(opened(root))))
    assert "5 files: __MACOSX/, Thumbs.db (system files); notes.txt (not in a class folder)" in lines[0] or (
        "5 files: Thumbs.db, __MACOSX/ (system files); notes.txt (not in a class folder)" in lines[0]
    )
    assert lines[1] == f"files: 60 used + 1 left out + 5 ignored = {files_below(root)} in all"


def test_a_summary_without_leftovers_has_no_such_lines(tmp_path: Path) -> None:
    assert list(account_lines(describe(opened(image_folder(tmp_path, {"A": 5, "B": 5}))))) == []


NAMES = st.sampled_from(["a.png", "b.png", ".DS_Store", "Thumbs.db", "x.txt"])
PLACES = st.sampled_from(
    ["", "A", "B", "A/p1", "B/p1/q", "train/A", "train/B", "Test/A", "test/B", "__MACOSX/A", "extra", "train", "val/A"]
)


@settings(max_examples=150, deadline=None)
@given(files=st.lists(st.tuples(PLACES, NAMES), min_size=4, max_size=25, unique=True))
def test_every_file_is_used_or_ignored_or_the_folder_is_refused(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[str, str]]
) -> None:
    from benchmark.data.dataset import DataError

    root = tmp_path_factory.mktemp("any")
    for place, name in files:
        (root / place).mkdir(parents=True, exist_ok=True)
        (root / place / name).write_bytes(b"x")
    try:
        layout = read_layout(root)
    except DataError:
        return
    assert len(layout.files) + sum(entry.files for entry in layout.ignored) == files_below(root)
    assert len({found.path for found in layout.files}) == len(layout.files)


def test_the_outermost_of_two_copies_is_taken(tmp_path: Path) -> None:
    image_folder(tmp_path / "chest_xray", PARTED)
    image_folder(tmp_path / "chest_xray" / "chest_xray", PARTED)
    assert image_root(tmp_path) == tmp_path / "chest_xray"


def test_a_download_that_is_the_data_set_is_its_own_root(tmp_path: Path) -> None:
    assert image_root(image_folder(tmp_path, PARTED)) == tmp_path
