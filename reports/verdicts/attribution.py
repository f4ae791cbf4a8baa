"""The effects of single changes on a figure: between two cards, or on the same scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from benchmark.evidence.comparison.multiplicity import holm
from benchmark.evidence.comparison.paired import Difference
from benchmark.evidence.estimate import SampleEstimate
from reports.results.class_figures import class_difference, gain_of_decision
from reports.results.measured import AnyResults, CardResults, MulticlassResults
from reports.results.pairs import difference, estimate, gain_of_calibration, gain_of_threshold, gain_without
from zoo.models.card import ModelCard

Kind = Literal["card", "threshold", "calibration", "images"]
_Change = tuple[Kind, str | None, str, Difference]
_WITHOUT = {
    "same patient": "without {} test images of patients who are in train or val",
    "identical": "without {} test images identical to one in train or val",
    "near duplicate": "without {} test images almost identical to one in train or val",
    "repeated": "without {} test images identical to another test image",
}


@dataclass(frozen=True)
class ChangeEffect:
    """A single change and its effect on a metric of a card.

    Attributes:
        kind: "card" for another card that differs in one setting; "threshold" and "calibration" for the same scores
            with another threshold or decision, or calibrated; "images" for the same scores without some test images.
        card: The card before the change.
        other: The card after the change; None for the other kinds.
        change: The change in words.
        metric: Name of the metric.
        effect: The metric after the change minus before, paired by image.
        p_adjusted: The p-value by Holm's method over all changes of the card; None where no test exists.
    """

    kind: Kind
    card: str
    other: str | None
    change: str
    metric: str
    effect: SampleEstimate
    p_adjusted: float | None = None


def single_change_effects(card: str, metric: str, measured: Mapping[str, AnyResults]) -> tuple[ChangeEffect, ...]:
    """The single changes that were measured for a card.

    Another card is a single change if it was scored on the same images and either one of the two extends the other or
    they differ in one setting of model or recipe.

    Args:
        card: Name of the card.
        metric: Name of the metric.
        measured: The results of all cards by name. Of three classes or more, other cards and the chosen decision are
            changes; calibration and images left out are not.

    Returns:
        The effects, the largest first.

    Raises:
        KeyError: `card` has no results.
    """
    results = measured[card]
    if isinstance(results, MulticlassResults):
        changes = list(_multiclass_changes(results, metric, measured))
    else:
        changes = list(_changes(results, metric, measured))
    changes = [change for change in changes if change[-1].value is not None]
    adjusted = holm([effect.p_value for *_, effect in changes])
    effects = [
        ChangeEffect(kind, card, other, change, metric, estimate(effect, len(results.test[0])), p)
        for (kind, other, change, effect), p in zip(changes, adjusted, strict=True)
    ]
    return tuple(
        sorted(effects, key=lambda change: (-abs(change.effect.value or 0.0), change.kind, change.other or ""))
    )


def _changes(results: CardResults, metric: str, measured: Mapping[str, AnyResults]) -> Iterator[_Change]:
    for name, other in sorted(measured.items()):
        if name != results.card.name and isinstance(other, CardResults) and results.same_images(other):
            change = single_change(results.card, other.card)
            if change is not None:
                yield "card", name, change, difference(other, results, metric)
    yield "threshold", None, "threshold chosen on validation", gain_of_threshold(results, metric)
    yield "calibration", None, "scores calibrated on validation", gain_of_calibration(results, metric)
    for reason, images in (results.related or {}).items():
        yield "images", None, _WITHOUT[reason].format(len(images)), gain_without(results, images, metric)


def _multiclass_changes(
    results: MulticlassResults, metric: str, measured: Mapping[str, AnyResults]
) -> Iterator[_Change]:
    for name, other in sorted(measured.items()):
        if name != results.card.name and isinstance(other, MulticlassResults) and results.same_images(other):
            change = single_change(results.card, other.card)
            if change is not None:
                yield "card", name, change, class_difference(other, results, metric)
    yield "threshold", None, "decision chosen on validation", gain_of_decision(results, metric)


def single_change(before: ModelCard, after: ModelCard) -> str | None:
    """The change from one card to another in words; None when it is more than one change.

    A change is one setting of model or recipe, or everything in which a card differs from the card that it extends:
    the card declares it as one change.

    Args:
        before: The card before the change.
        after: The card after the change.

    Returns:
        The declared change, or the setting with its two values.
    """
    if after.extends == before.name:
        return after.change
    if before.extends == after.name:
        return f"without: {before.change}"
    a, b = dict(_settings(before)), dict(_settings(after))
    differing = sorted(path for path in {*a, *b} if a.get(path) != b.get(path))
    if len(differing) != 1:
        return None
    path = differing[0]
    return f"{path}: {_setting_text(a.get(path))} to {_setting_text(b.get(path))}"


def _settings(card: ModelCard) -> Iterator[tuple[str, Any]]:
    identity = card.identity()
    yield from _leaves("model", identity["model"])
    yield from _leaves("recipe", identity["recipe"])


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _leaves(f"{path}.{key}", below)
    elif value is not None:
        yield path, value


def _setting_text(value: Any) -> str:
    return "nothing" if value is None else str(value)
