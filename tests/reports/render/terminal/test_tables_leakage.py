"""The table of leakage says of each part what it shares, and how that was found."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from benchmark.data.checks.describe import describe
from benchmark.data.sources import open_dataset
from reports.render.terminal.tables import data_tables
from tests.support.images import image_folder, in_memory, rows_of, save
from tests.support.pictures import picture, reencoded


def shown(summary: object, width: int = 160) -> str:
    text = io.StringIO()
    Console(file=text, width=width).print(data_tables(summary))  # type: ignore[arg-type]
    return text.getvalue()


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
    text = shown(describe(open_dataset(str(tmp_path))))
    assert "same patient" in text
    # images, same patient, identical, near duplicate
    assert cells(text, "test", "train")[:4] == ["22", "1", "1", "1"]
    assert cells(text, "train", "train", "itself") == ["40", "-", "0", "0"]
    assert "near duplicates: hashes at most" in text
    assert "near duplicates: test/A/copy.png and train/A/person8_bacteria_1.png" in text


def test_near_duplicates_that_cannot_be_told_are_no_zeros(tmp_path: Path) -> None:
    text = shown(describe(open_dataset(str(image_folder(tmp_path, {"A": 4, "B": 4})))))
    assert cells(text, "all", "all", "itself") == ["8", "-", "0", "-"]
    assert "near duplicates are undetermined: 28 pairs of different images are too few" in text


def test_flat_images_are_said_not_to_be_compared() -> None:
    assert "8 images are flat" in shown(describe(in_memory(rows_of("all", 8))))


@pytest.mark.parametrize("width", [80, 120, 200])
def test_no_figure_is_cut(tmp_path: Path, width: int) -> None:
    text = shown(describe(open_dataset(str(image_folder(tmp_path, {"A": 11, "B": 11})))), width)
    assert max(map(len, text.splitlines())) <= width
    assert "22" in text
