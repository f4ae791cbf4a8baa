"""Which single declared change moves a figure, and by how much: between cards, and by scoring the same images anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from benchmark.evidence.comparison.multiplicity import holm
from benchmark.evidence.comparison.paired import Difference
from benchmark.evidence.estimate import SampleEstimate
from reports.results.measured import CardResults
from reports.results.pairs import difference, estimate, gain_of_calibration, gain_of_threshold, gain_without
from zoo.models.card import ModelCard

Kind = Literal["card", "threshold", "calibration", "images"]
_WITHOUT = {
    "same patient": "without {} test images of patients who are in train or val",
    "identical": "without {} test images identical to one in train or val",
    "near duplicate": "without {} test images nearly the same as one in train or val",
    "repeated": "without {} test images identical to another test image",
}


@dataclass(frozen=True)
class ChangeEffect:
    """One change and its effect on a metric of a card: the figure after it minus the figure before, by image.

    `kind` is "card" for another card that differs in one thing, "threshold" and "calibration" for the same scores read
    otherwise, "images" for the same scores without some images. `p_adjusted` is Holm's over all causes asked for
    together; None where no test could be made.
    """

    kind: Kind
    card: str
    other: str | None
    change: str
    metric: str
    effect: SampleEstimate
    p_adjusted: float | None = None


def single_change_effects(card: str, metric: str, measured: Mapping[str, CardResults]) -> tuple[ChangeEffect, ...]:
    """The single changes that touch `card`, the largest effect on `metric` first.

    Cards count that stand in `measured`, were scored on the same images, and either extend one another or differ in
    one setting of model or recipe. Raises KeyError when `card` is not measured.
    """
    own = measured[card]
    found: list[tuple[Kind, str | None, str, Difference]] = [
        ("card", name, change, difference(other, own, metric))
        for name, other in sorted(measured.items())
        if name != card and own.same_images(other) and (change := single_change(own.card, other.card)) is not None
    ]
    found.append(("threshold", None, "threshold chosen on validation", gain_of_threshold(own, metric)))
    found.append(("calibration", None, "scores calibrated on validation", gain_of_calibration(own, metric)))
    for reason, images in (own.related or {}).items():
        found.append(("images", None, _WITHOUT[reason].format(len(images)), gain_without(own, images, metric)))
    found = [one for one in found if one[-1].value is not None]
    adjusted = holm([effect.p_value for *_, effect in found])
    causes = [
        ChangeEffect(kind, card, other, change, metric, estimate(effect, len(own.test[0])), p)
        for (kind, other, change, effect), p in zip(found, adjusted, strict=True)
    ]
    return tuple(sorted(causes, key=lambda cause: (-abs(cause.effect.value or 0.0), cause.kind, cause.other or "")))


def single_change(before: ModelCard, after: ModelCard) -> str | None:
    """What leads from one card to the other in words, when it is one declared change; None when it is more.

    One setting of model or recipe counts as one, and so does everything by which a card differs from the one that it
    extends, since the card declares it as its change.
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
    return f"{path}: {_shown(a.get(path))} to {_shown(b.get(path))}"


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


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)
