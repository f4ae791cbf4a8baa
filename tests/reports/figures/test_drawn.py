"""Figures that are drawn once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from pydantic import BaseModel

import reports.content_cache
import reports.figures.drawn as module
from reports.figures.drawn import KIND, drawn_svg
from reports.figures.svg import to_svg


@pytest.fixture
def drawings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, ...]]:
    """The data that were drawn, with a cache of their own."""
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path))
    DRAWN.clear()
    return DRAWN


DRAWN: list[tuple[float, ...]] = []


def line(values: tuple[float, ...], label: str = "") -> Figure:
    DRAWN.append(values)
    figure = Figure(figsize=(1, 1))
    figure.add_axes((0, 0, 1, 1)).plot(values, label=label)
    return figure


def test_the_same_data_are_drawn_once(drawings: list[tuple[float, ...]], tmp_path: Path) -> None:
    first = drawn_svg(line, (0.0, 1.0))
    assert first == to_svg(line((0.0, 1.0)))
    drawings.clear()
    assert drawn_svg(line, (0.0, 1.0)) == first
    assert drawings == []
    assert drawn_svg(line, (0.0, 1.0 + 2**-52))
    assert drawings == [(0.0, 1.0 + 2**-52)]
    drawn_svg(line, (0.0, 1.0), label="other")
    assert len(drawings) == 2
    assert len(list((tmp_path / KIND).iterdir())) == 3


class Labelled(BaseModel):
    label: str


def labelled(model: Labelled) -> Figure:
    return line((0.0, 1.0), model.label)


def test_a_model_is_drawn_once_in_whatever_order_its_fields_were_given(drawings: list[tuple[float, ...]]) -> None:
    orders = [list({0: 0, 8: 0}), list({8: 0, 0: 0})]  # 0 and 8 collide: a set of both has the order of insertion
    fields = [set[int]() for _ in orders]
    for order, names in zip(orders, fields, strict=True):
        for name in order:
            names.add(name)
    assert [list(names) for names in fields] == orders
    for names in fields:
        drawn_svg(labelled, Labelled.model_construct(names, label="one"))  # type: ignore[arg-type]
    assert len(drawings) == 1
    drawn_svg(labelled, Labelled(label="another"))
    assert len(drawings) == 2


def test_another_program_draws_again(drawings: list[tuple[float, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    drawn_svg(line, (0.0, 1.0))
    monkeypatch.setattr(reports.content_cache, "_code", lambda: "another")
    drawn_svg(line, (0.0, 1.0))
    assert len(drawings) == 2


@pytest.mark.parametrize("content", [b"", b"<svg", b"\xff\xfe", b"<svg>...</svg"])
def test_a_damaged_file_is_drawn_again(drawings: list[tuple[float, ...]], tmp_path: Path, content: bytes) -> None:
    first = drawn_svg(line, (0.0, 1.0))
    [path] = (tmp_path / KIND).iterdir()
    path.write_bytes(content)
    assert drawn_svg(line, (0.0, 1.0)) == first
    assert path.read_text(encoding="utf-8") == first


def test_a_cache_that_cannot_be_written_changes_nothing(
    drawings: list[tuple[float, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "file"))
    assert drawn_svg(line, (0.0, 1.0)) == to_svg(line((0.0, 1.0)))
    assert len(drawings) == 2


def test_figures_that_were_not_used_for_long_are_removed(
    drawings: list[tuple[float, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    folder = tmp_path / KIND
    folder.mkdir()
    for day in range(6):
        (folder / f"{day}.svg").write_text("<svg/>", encoding="utf-8")
        os.utime(folder / f"{day}.svg", (day * 86400, day * 86400))
    drawn_svg(line, (0.0, 1.0))
    assert {path.stem for path in folder.iterdir()} > {"3", "4", "5"}
    assert len(list(folder.iterdir())) == 4  # three, and the figure that was drawn
    assert len(drawings) == 1
