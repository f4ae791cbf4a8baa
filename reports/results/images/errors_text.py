"""Sentences about the test images that cards miss, the same for every renderer."""

from __future__ import annotations

from collections.abc import Mapping

from reports.results.images.errors import ImageErrors
from reports.text import listed, plural


def summary(errors: ImageErrors) -> str:
    """How many test images every card misses, and how many some card misses, in one sentence."""
    images, missed, by_all = len(errors.rows), len(errors.missed_by_any), len(errors.missed_by_all)
    if len(errors.cards) == 1:
        return f"The card misses {missed} of {plural(images, 'test image')}."
    everyone = "Both cards miss" if len(errors.cards) == 2 else f"All {len(errors.cards)} cards miss"
    return f"{everyone} {by_all} of {plural(images, 'test image')}; at least one card misses {missed}."


def meaning(errors: ImageErrors, titles: Mapping[str, str]) -> str:
    """What a miss and a probability are; `titles` are by name of card."""
    of = "of the true class" if errors.probability_of is None else f"of {errors.probability_of}"
    decided = "by the decision rule" if errors.probability_of is None else "at the threshold"
    several = "; a card with several seeds, if most of its runs do" if max(errors.runs) > 1 else ""
    return (
        f"A card misses an image if its decision {decided} that it chose on validation is wrong{several}. "
        f"{_values(errors, of, titles)}{_folds(errors)}"
    )


def _values(errors: ImageErrors, of: str, titles: Mapping[str, str]) -> str:
    """Whether values are calibrated: of all cards, or of each."""
    if all(calibrated == models for calibrated, models in errors.calibrated):
        return f"Values are probabilities {of}, calibrated on validation."
    if not any(calibrated for calibrated, _ in errors.calibrated):
        return f"Values are scores {of}, not calibrated."
    by_share: dict[str, list[str]] = {}
    for name, (calibrated, models) in zip(errors.cards, errors.calibrated, strict=True):
        share = "all" if calibrated == models else "none" if not calibrated else f"{calibrated} of {models} models"
        by_share.setdefault(share, []).append(titles.get(name, name))
    words = {"all": "", "none": "not calibrated: "}
    parts = [f"{words.get(share, f'in {share}: ')}{listed(cards)}" for share, cards in by_share.items()]
    return f"Values are scores {of}. Calibrated on validation, so that they are probabilities: {'; '.join(parts)}."


def _folds(errors: ImageErrors) -> str:
    """That values of different folds are not compared with one threshold."""
    if not errors.rows or errors.rows[0].fold is None:
        return ""
    return " Each fold has its own model and threshold: a value that is right in one fold may be a miss in another."


def left_out(errors: ImageErrors, titles: Mapping[str, str]) -> list[str]:
    """Sentences about the cards that are left out; `titles` are by name of card."""
    lines = []
    if errors.one_answer:
        names = listed([titles.get(name, name) for name in errors.one_answer])
        lines.append(f"Left out, because every image gets the same answer: {names}.")
    if errors.other_images:
        names = listed([titles.get(name, name) for name in errors.other_images])
        lines.append(f"Left out, because they were scored on other test images: {names}.")
    return lines
