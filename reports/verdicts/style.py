"""The look of verdicts in the terminal and in HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from benchmark.evidence.comparison.verdict import Answer, Verdict

TONES: Mapping[Answer, str] = MappingProxyType({"holds": "holds", "does not hold": "fails", "undetermined": "open"})
"""The colour of each answer, by the name of its custom property in the page's style sheet."""


@dataclass(frozen=True)
class Style:
    """The look of a verdict.

    Attributes:
        terminal: A style of rich.
        icon: The content of an SVG of 16 by 16.
    """

    terminal: str
    icon: str


STYLES: Mapping[Verdict, Style] = MappingProxyType(
    {
        "reproduced": Style("green", '<path d="M3 8.5l3.2 3.2L13 5"/>'),
        "differs": Style("bold yellow", '<path d="M3 6h10M3 10h10M10.5 3l-5 10"/>'),
        "inconclusive": Style("cyan", '<path d="M5.5 6a2.5 2.5 0 1 1 3.7 2.2c-.9.5-1.2.9-1.2 1.8M8 12.6v.2"/>'),
        "impossible": Style("bold red", '<circle cx="8" cy="8" r="5.5"/><path d="M4.1 4.1l7.8 7.8"/>'),
        "not comparable": Style("dim", '<path d="M5 3v10M11 3v10M3 13L13 3" stroke-dasharray="none"/>'),
        "not run": Style("dim", '<circle cx="8" cy="8" r="5.5" stroke-dasharray="2.2 2.2"/>'),
    }
)
