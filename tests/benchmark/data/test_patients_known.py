"""Whether patients are known is found out and said; names nearly alike are shown with the pattern that joins them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from benchmark.data.checks.describe import describe
from benchmark.data.dataset import Dataset
from benchmark.data.patients import near_names
from benchmark.data.sources import open_dataset
from benchmark.data.splits import Sampling, make_split
from reports.render.terminal.data import data_tables
from tests.reports.render.terminal.test_data import cells, summarised
from tests.support.images import image_folder, in_memory, noise, opened, save
from tests.support.tiny import write_npz

PATIENTS = 6


def named(root: Path, form: str, parts: tuple[str, ...] = ("",), shots: int = 4) -> Path:
    """Images whose names are `form` of a class letter, patient number and shot; shots go to `parts` in turn."""
    seed = 0
    for label in "NP":
        for patient in range(PATIENTS):
            for shot in range(shots):
                name = form.format(label=label, patient=patient, shot=shot, letter="abcd"[shot])
                save(noise(seed), root / parts[shot % len(parts)] / label / name)
                seed += 1
    return root


def suggested(dataset: Dataset) -> str:
    """The pattern that a note gives."""
    [note] = [note for note in dataset.notes if "differ from another's only at their end" in note]
    return re.search(r"--patients '(.*)', which", note)[1]  # type: ignore[index]


@pytest.mark.parametrize(
    "form",
    [
        "{label}{patient:03d}_{shot}.png",
        "{label}-{patient}-{shot:02d}.png",
        "{label} {patient} ({shot}).png",
        "{label}{patient:03d}{letter}.png",
        "{label}{patient:03d}_view{shot}.png",
        "{label}{patient:03d}_AP{letter}.png",
    ],
)
def test_names_nearly_alike_are_joined_by_the_pattern_that_is_shown(tmp_path: Path, form: str) -> None:
    dataset = opened(named(tmp_path, form))
    joined = open_dataset(str(tmp_path), patient_pattern=suggested(dataset))
    assert len({image.patient for image in joined.images}) == 2 * PATIENTS
    assert joined.patients is not None
    assert (joined.patients.known, joined.patients.line(), joined.notes) == (True, None, ())


def test_names_that_cross_parts_are_pointed_out_as_such(tmp_path: Path) -> None:
    dataset = opened(named(tmp_path, "{label}{patient:03d}_{shot}.png", ("train", "test")))
    [note] = [note for note in dataset.notes if "only at their end" in note]
    assert "train/N/N000_0.png" in note
    assert "test/N/N000_1.png" in note
    assert f"{2 * PATIENTS} of them in two parts" in note


@pytest.mark.parametrize(
    "form",
    [
        pytest.param("img_{label}{patient:02d}{shot:02d}.png", id="a counter of all"),
        pytest.param("{label}_{patient:02d}{shot:02d}.png", id="a counter of each class"),
        pytest.param("{label}{patient}x{shot}.png", id="nothing apart"),
    ],
)
def test_counters_are_no_patients(tmp_path: Path, form: str) -> None:
    assert not [note for note in opened(named(tmp_path, form)).notes if "only at their end" in note]


def test_series_of_many_images_are_no_patients() -> None:
    rows = [
        (f"20{year}_{number:04d}.png", "all", number % 2, f"20{year}_{number:04d}.png", f"{year} {number}")
        for year in range(10, 15)
        for number in range(100)
    ]
    assert near_names(in_memory(rows).images) is None  # type: ignore[arg-type]


def test_names_that_say_the_part_and_the_class_are_no_patients() -> None:
    rows = []
    for part in ("train", "val", "test"):
        for number in range(40):
            name = f"{part}/{part}_{'NA'[number % 2]}_{number // 2}.png"
            rows.append((name, part, number % 2, name, name))
    assert near_names(in_memory(rows).images) is None  # type: ignore[arg-type]


def test_where_no_name_matches_patients_are_not_known(tmp_path: Path) -> None:
    dataset = opened(image_folder(tmp_path, {"A": 30, "B": 30}))
    assert dataset.patients is not None
    assert not dataset.patients.known
    assert dataset.notes == (
        "no file name matches the default patient pattern: every image counts as a patient of its own; give --patients"
        ". If neither names nor a table tell patients apart, there is nothing to do: figures are too good if patients "
        "have several images",
    )
    summary = describe(dataset)
    assert dataset.notes[0] in summary.warnings
    text = summarised(summary)
    assert cells(text, "all", "A")[:2] == ["30", "–"]
    assert "pairs of different patients" not in text
    split = make_split(dataset, Sampling(), 0)
    assert "by image" in split.notes[0]
    assert not any("patient" in note for note in split.notes)


def test_names_that_match_in_part_are_counted(tmp_path: Path) -> None:
    root = image_folder(tmp_path, {"A": 3, "B": 3})
    for number in range(10):
        save(noise(100 + number), root / "A" / f"person{number}_virus_1.jpeg")
    dataset = opened(root)
    assert dataset.notes[0].startswith("patients are known for 10 of 16 images; each other image counts as")
    assert cells(summarised(describe(dataset)), "all", "A")[:2] == ["13", "13"]


def test_archives_and_the_phantom_say_it_themselves(tmp_path: Path) -> None:
    known = open_dataset(str(write_npz(tmp_path / "known.npz")))
    with np.load(tmp_path / "known.npz") as arrays:
        rest = {name: arrays[name] for name in arrays.files if not name.endswith("_patients")}
    np.savez(tmp_path / "unknown.npz", **rest)
    found = [known, open_dataset(str(tmp_path / "unknown.npz")), open_dataset("phantom")]
    assert [each.patients.origin for each in found if each.patients] == ["arrays", "unknown", "program"]
    assert [each.unit for each in found] == ["patient", "image", "patient"]


def test_known_patients_of_one_image_each_are_shown_as_such(tmp_path: Path) -> None:
    for number in range(20):
        save(noise(number), tmp_path / "AB"[number % 2] / f"person{number}_virus_1.jpeg")
    dataset = opened(tmp_path)
    assert dataset.notes == ()
    assert cells(summarised(describe(dataset)), "all", "A")[:2] == ["10", "10"]
    assert data_tables(describe(dataset)) is not None
