"""The explained words of a section of the page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from reports.glossary import TERMS
from reports.report import Section
from reports.summary.explained import explanations
from reports.text import capital

_GLOSSARY_WORDS: Mapping[str, str] = MappingProxyType(
    {"macro AUC": "macro average", "[low, high]": "confidence interval"}
)
"""Words of a summary that the glossary has under another name."""


@dataclass(frozen=True)
class Term:
    """A word with its explanation; `id` is that of the note that a word opens."""

    id: str
    text: str


def chapter_terms(section: Section, key: str) -> dict[str, Term]:
    """The words of the glossary, with the names of the classes where the summary explains a word by them.

    Args:
        section: The section of the report.
        key: Identifies the section in ids.

    Returns:
        The terms by word, in alphabetical order.
    """
    by_classes = {}
    if section.summary is not None:
        for each in explanations(section.summary, section.classes):
            by_classes[_GLOSSARY_WORDS.get(each.word, each.word)] = f"{capital(each.text)}."
    return {
        word: Term(f"{key}-term-{re.sub('[^a-z0-9]+', '-', word.lower())}", by_classes.get(word, text))
        for word, text in TERMS.items()
    }
