"""A data summary shows counts, warnings and what parts share, and how that was found."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.data.checks.describe import DataSummary, describe
from benchmark.data.dataset import Part, Problem
from benchmark.data.sources import open_dataset
from reports.render.terminal.data import data_tables
from tests.support.images import Row, image_folder, in_memory, rows_of, save
from tests.support.pictures import picture, reencoded
from tests.support.terminal import SUMMARY, WIDTHS, flat, shown


@pytest.mark.parametrize("width", WIDTHS)
def test_a_data_summary_shows_counts_classes_and_the_positive_one(width: int) -> None:
    text = flat(shown(data_tables(SUMMARY), width))
    for part in ("NORMAL", "PNEUMONIA", "1341", "3875", "1000", "1800", "122", "positive class: PNEUMONIA"):
        assert part in text
    assert "SYNTHETIC" not in text


def test_a_synthetic_data_summary_says_so() -> None:
    assert "SYNTHETIC" in shown(data_tables(replace(SUMMARY, synthetic=True)))


@pytest.mark.parametrize("width", WIDTHS)
def test_a_data_summary_shows_warnings_and_what_was_left_out(width: int) -> None:
    summary = replace(
        SUMMARY, warnings=("2 patients stand in train and test",), problems=(Problem("a/b[1].jpeg", "truncated"),)
    )
    text = flat(shown(data_tables(summary), width))
    assert "2 patients stand in train and test" in text
    assert "a/b[1].jpeg: truncated" in text


def test_a_long_list_of_what_was_left_out_is_cut_and_says_by_how_many() -> None:
    problems = tuple(Problem(f"image-{i:03}.jpeg", "truncated") for i in range(33))
    text = shown(data_tables(replace(SUMMARY, problems=problems)))
    listed = len(re.findall(r"image-\d{3}\.jpeg", text))
    assert 0 < listed < 33
    assert f"{33 - listed} more" in text


def summarised(summary: DataSummary, width: int = 160) -> str:
    return shown(data_tables(summary), width)


def cells(text: str, *starts: str) -> list[str]:
    """The cells of the row that begins with these."""
    [row] = [line.split() for line in text.splitlines() if tuple(line.split()[: len(starts)]) == starts]
    return row[len(starts) :]


def test_each_kind_of_leak_has_its_column(tmp_path: Path) -> None:
    for number in range(60):
        part, kind = ("train", "bacteria") if number < 40 else ("test", "virus")
        save(picture(number), tmp_path / part / "AB"[number % 2] / f"person{number % 40}_{kind}_1.png")
    save(reencoded(picture(8)), tmp_path / "test" / "A" / "copy.png")
    save(picture(9), tmp_path / "test" / "B" / "person9_bacteria_2.png")
    text = summarised(describe(open_dataset(str(tmp_path))))
    assert "same patient" in text
    # images, same patient, identical, near duplicate
    assert cells(text, "test", "train")[:4] == ["22", "1", "1", "1"]
    assert cells(text, "train", "train", "itself") == ["40", "-", "0", "0"]
    assert "near duplicates: hashes at most" in text
    assert "near duplicates: test/A/copy.png and train/A/person8_bacteria_1.png" in text


def test_near_duplicates_that_cannot_be_told_are_no_zeros(tmp_path: Path) -> None:
    text = summarised(describe(open_dataset(str(image_folder(tmp_path, {"A": 4, "B": 4})))))
    assert cells(text, "all", "all", "itself") == ["8", "-", "0", "-"]
    assert "near duplicates are undetermined: 28 pairs of different images are too few" in text


def test_flat_images_are_said_not_to_be_compared() -> None:
    assert "8 images are of one grey level" in summarised(describe(in_memory(rows_of("all", 8))))


@pytest.mark.parametrize("width", [80, 120, 200])
def test_no_figure_is_cut(tmp_path: Path, width: int) -> None:
    text = summarised(describe(open_dataset(str(image_folder(tmp_path, {"A": 11, "B": 11})))), width)
    assert max(map(len, text.splitlines())) <= width
    assert "22" in text


def test_ten_classes_are_rows_with_their_share_below_each_part() -> None:
    parts: tuple[Part, ...] = ("train", "test")
    rows: list[Row] = [
        (f"{part}/{label}-{n}", part, label, f"{part}{label}-{n}", f"{label:02x}{part}{n}")
        for part in parts
        for label in range(10)
        for n in range(1 + label)
    ]
    text = shown(data_tables(describe(replace(in_memory(rows), classes=tuple("abcdefghij"), ordered=True))), 80)
    cells = [line.split() for line in text.splitlines()]
    for part in parts:
        for label, name in enumerate("abcdefghij"):
            assert any(row[:4] == [part, name, str(1 + label), f"{(1 + label) / 55:.1%}"] for row in cells)
    assert "10 classes, ordered: a < b < c" in text
    assert "positive class" not in text
    assert max(map(len, text.splitlines()[:24])) <= 80
