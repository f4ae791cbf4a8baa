"""Every verdict has its meaning, its order, a look in a terminal and a look in a page."""

from __future__ import annotations

from importlib import resources
from typing import get_args

from rich.style import Style

from benchmark.evidence.comparison.verdict import VERDICTS, Answer, Verdict
from reports.verdicts.style import STYLES, TONES


def test_every_verdict_has_a_meaning_and_a_style() -> None:
    assert set(VERDICTS) == set(STYLES) == set(get_args(Verdict))
    assert len({style.icon for style in STYLES.values()}) == len(STYLES)
    for style in STYLES.values():
        Style.parse(style.terminal)


def test_every_answer_has_a_colour_of_the_page_and_a_verdict() -> None:
    assert set(TONES) == set(get_args(Answer)) == {meaning.answer for meaning in VERDICTS.values()}
    sheet = (resources.files("reports.render.html.templates") / "report.css").read_text(encoding="utf-8")
    for tone in TONES.values():
        assert f"--{tone}: light-dark(" in sheet
