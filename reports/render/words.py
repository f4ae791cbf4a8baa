"""Headings and sentences that terminal, markdown, LaTeX and the page share."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from benchmark.evidence.comparison.verdict import Answer
from reports.findings import ANSWERS
from reports.results.conditions.methods import UNKNOWN
from reports.verdicts.text import CHANGES_READ

ANSWER_TITLES: Mapping[Answer, str] = MappingProxyType(
    dict(zip(ANSWERS, ("Holds", "Does not hold", "Undetermined"), strict=True))
)
"""The heading of the claims with each answer."""
RANKING = "Which cards differ significantly"
TOGETHER = "All cards together"
RECALL_BY_CLASS = "Recall of each class"
MISSED_IMAGES = "Which images are missed"
EFFECTS_OF_CHANGES = "Effects of changes"
CHANGE_EFFECTS = (
    f"{CHANGES_READ}. Differences are paired by image; where patients are known, the images of a patient count as one. "
    "p belongs to the interval; Holm is p adjusted over the changes of a card. If cards differ in several settings, "
    "the effect is of all of them together."
)
LABEL_ERRORS = "Suspected label errors"
SHORTCUTS = "What cards add over facts without content"
PUBLISHED = "Published and measured"
PREDICTIVE_VALUES = "Predictive values at other prevalences"
COSTS = "Costs per run"
TRAINING_IMAGES = "Training images"
SKIPPED = "Skipped cards"
NO_FAULT = "No known fault was detected."
CHECKLISTS = (
    f"Items are paraphrased. The authors have to answer those that are {UNKNOWN}; other answers may be incomplete."
)
