"""Letters that a font lacks: another font is taken where one at hand has them, else their number stands for them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text

_FIRST = "DejaVu Sans"
_WIDE = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "IPAGothic",
    "Hiragino Sans",
    "PingFang SC",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "Arial Unicode MS",
    "Segoe UI",
    "Unifont",
)
"""Fonts with many letters, those that systems bring along."""


@contextmanager
def drawable(figure: Figure) -> Iterator[None]:
    """Every text of `figure` in fonts that have its letters; a letter that none has is written as its number, such as
    `\\u80ba`, where the font would show an empty box. Afterwards the texts are what they were."""
    before: list[tuple[Text, str, list[str]]] = []
    for text in figure.findobj(Text):
        if isinstance(text, Text) and not text.get_text().isascii():
            before.append((text, text.get_text(), text.get_fontfamily()))
            text.set_fontfamily(list(_families()))
            text.set_text(with_numbers(text.get_text()))
    try:
        with quiet():  # a bold face may lack what the plain one has
            yield
    finally:
        for text, words, family in before:
            text.set_text(words)
            text.set_fontfamily(family)


def with_numbers(text: str) -> str:
    """`text` with the letters that no font at hand has as their numbers."""
    return "".join(letter if letter.isspace() or ord(letter) in _letters() else _number(letter) for letter in text)


@contextmanager
def quiet() -> Iterator[None]:
    """Without matplotlib's warnings of missing glyphs: an SVG is drawn with the fonts of who reads it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield


def _number(letter: str) -> str:
    return letter.encode("ascii", "backslashreplace").decode()


@cache
def _families() -> tuple[str, ...]:
    installed = {font.name for font in fontManager.ttflist}
    return (_FIRST, *(name for name in _WIDE if name in installed))


@cache
def _letters() -> frozenset[int]:
    faces = (get_font(findfont(FontProperties(family=name))) for name in _families())
    return frozenset(code for face in faces for code in face.get_charmap())
