"""Texts with letters that no font has are drawn without a warning and without an empty box."""

from __future__ import annotations

import warnings
from pathlib import Path

import matplotlib.font_manager as fonts
import pytest
from matplotlib.figure import Figure

from reports.figures.glyphs import drawable, with_numbers
from reports.figures.svg import inline_svg, save, style

RARE = "\U000f0000"  # of a private use area: no font at hand has it


@pytest.mark.parametrize("ending", [".png", ".svg"])
def test_no_warning_reaches_the_user(tmp_path: Path, ending: str) -> None:
    with style():
        figure = Figure(figsize=(3, 1))
        figure.text(0.1, 0.5, f"Lungenentzündung {RARE} 肺炎", weight="bold")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save(figure, tmp_path / f"figure{ending}")
        assert "肺炎" in inline_svg(figure, "title", "description")
    assert figure.texts[0].get_text() == f"Lungenentzündung {RARE} 肺炎"


def test_a_letter_without_a_glyph_is_written_as_its_number() -> None:
    assert with_numbers(f"Röntgen {RARE}") == "Röntgen \\U000f0000"
    assert with_numbers("plain\ntext") == "plain\ntext"


def test_letters_that_are_drawn_stand_in_a_font(tmp_path: Path) -> None:
    figure = Figure()
    text = figure.text(0, 0, f"é {RARE} 肺")
    with drawable(figure):
        faces = [fonts.get_font(fonts.findfont(name)) for name in text.get_fontfamily()]
        known = {code for face in faces for code in face.get_charmap()}
        assert {ord(letter) for letter in text.get_text()} <= known
