"""The effects of changes on a figure: between two cards, or on the same scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from benchmark.evidence.comparison.multiplicity import holm
from benchmark.evidence.comparison.paired import Difference
from benchmark.evidence.estimate import SampleEstimate
from reports.results.comparison.pairs import difference, estimate, gain_of_calibration, gain_of_threshold, gain_without
from reports.results.measured import AnyResults, CardResults, MulticlassResults
from reports.results.multiclass.class_figures import class_difference, gain_of_decision
from zoo.models.card import ModelCard

Kind = Literal["card", "threshold", "calibration", "images"]
_Change = tuple[Kind, str | None, "CardChange", Difference]
_WITHOUT = {
    "same patient": "without {} test images of patients who are in train or val",
    "identical": "without {} test images identical to one in train or val",
    "near duplicate": "without {} test images almost identical to one in train or val",
    "repeated": "without {} test images identical to another test image",
}


@dataclass(frozen=True)
class ChangeEffect:
    """A change and its effect on a metric of a card.

    Attributes:
        kind: "card" for another card; "threshold" and "calibration" for the same scores with another threshold or
            decision, or calibrated; "images" for the same scores without some test images.
        card: The card before the change.
        other: The card after the change; None for the other kinds.
        change: The change in words.
        metric: Name of the metric.
        effect: The metric after the change minus before, paired by image.
        settings: For "card", the settings that differ, each with both values. The effect is of all of them together.
        p_value: The p-value of the effect alone, which belongs to its interval; None where no test exists.
        p_adjusted: The p-value by Holm's method over all changes of the card; None where no test exists.
    """

    kind: Kind
    card: str
    other: str | None
    change: str
    metric: str
    effect: SampleEstimate
    settings: tuple[str, ...] = ()
    p_value: float | None = None
    p_adjusted: float | None = None


@dataclass(frozen=True)
class CardChange:
    """What differs between two cards.

    Attributes:
        words: A single change, or a declared one, which may be of several settings.
        settings: The settings that differ, each with both values.
    """

    words: str
    settings: tuple[str, ...]


def change_effects(card: str, metric: str, measured: Mapping[str, AnyResults]) -> tuple[ChangeEffect, ...]:
    """The effects of the changes that were measured for a card.

    Another card is a change if it was scored on the same images, and the two differ in one setting of model or recipe
    or one of them extends the other.

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
    p_values = [effect.p_value for *_, effect in changes]
    effects = [
        ChangeEffect(
            kind,
            card,
            other,
            change.words,
            metric,
            estimate(effect, len(results.test[0])),
            change.settings,
            p,
            adjusted,
        )
        for (kind, other, change, effect), p, adjusted in zip(changes, p_values, holm(p_values), strict=True)
    ]
    return tuple(
        sorted(effects, key=lambda change: (-abs(change.effect.value or 0.0), change.kind, change.other or ""))
    )


def _changes(results: CardResults, metric: str, measured: Mapping[str, AnyResults]) -> Iterator[_Change]:
    for name, other in sorted(measured.items()):
        if name != results.card.name and isinstance(other, CardResults) and results.same_images(other):
            change = card_change(results.card, other.card)
            if change is not None:
                yield "card", name, change, difference(other, results, metric)
    yield "threshold", None, CardChange("threshold chosen on validation", ()), gain_of_threshold(results, metric)
    yield "calibration", None, CardChange("scores calibrated on validation", ()), gain_of_calibration(results, metric)
    for reason, images in (results.related or {}).items():
        yield (
            "images",
            None,
            CardChange(_WITHOUT[reason].format(len(images)), ()),
            gain_without(results, images, metric),
        )


def _multiclass_changes(
    results: MulticlassResults, metric: str, measured: Mapping[str, AnyResults]
) -> Iterator[_Change]:
    for name, other in sorted(measured.items()):
        if name != results.card.name and isinstance(other, MulticlassResults) and results.same_images(other):
            change = card_change(results.card, other.card)
            if change is not None:
                yield "card", name, change, class_difference(other, results, metric)
    yield "threshold", None, CardChange("decision chosen on validation", ()), gain_of_decision(results, metric)


def card_change(before: ModelCard, after: ModelCard) -> CardChange | None:
    """The change from one card to another; None if they differ in several settings that neither declares.

    A card that extends the other declares what it changes. Its words alone describe a change only if one setting of
    model or recipe differs.

    Args:
        before: The card before the change.
        after: The card after the change.

    Returns:
        The declared change, with the names of its settings where they are several; else the setting with its two
        values.
    """
    a, b = dict(_settings(before)), dict(_settings(after))
    differing = sorted(path for path in {*a, *b} if a.get(path) != b.get(path))
    settings = tuple(f"{path}: {_setting_text(a.get(path))} to {_setting_text(b.get(path))}" for path in differing)
    if after.extends == before.name and after.change is not None:
        declared = after.change
    elif before.extends == after.name and before.change is not None:
        declared = f"without: {before.change}"
    else:
        return CardChange(settings[0], settings) if len(settings) == 1 else None
    if len(settings) == 1:
        return CardChange(declared, settings)
    return CardChange(f"declared change: {declared} ({len(settings)} settings: {', '.join(differing)})", settings)


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
