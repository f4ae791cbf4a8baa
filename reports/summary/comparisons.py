"""The comparisons of a section: with the best card, with the baselines, and what the images can show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from benchmark.evidence.comparison.multiplicity import holm
from benchmark.evidence.comparison.verdict import above
from benchmark.evidence.estimate import SampleEstimate
from reports.results.comparison.pairs import SIGNIFICANT, compare_pair
from reports.results.measured import AnyResults
from reports.summary.best import metric_of
from reports.summary.model import AgainstBaseline, AgainstBest, BestCard, CardLabel, Comparisons, Resolution

Ranked = Sequence[tuple[AnyResults, SampleEstimate]]
"""Cards on the same test images with their AUC, best first."""

CHANCE = 0.5
"""The AUC of the same score for every image, also the macro mean over classes."""
MOST_IMAGES = 1_000_000
"""More test images than this count as no number."""


def comparisons(ranked: Ranked, labels: Mapping[str, CardLabel], left_out: Mapping[str, str]) -> Comparisons | None:
    """The comparisons with the best card, as one family of tests.

    Args:
        ranked: The cards.
        labels: The labels of all cards by name.
        left_out: Why a card is not in `ranked`, by its name.

    Returns:
        The comparisons; None with fewer than two cards.
    """
    if len(ranked) < 2:
        return None
    best, metric = ranked[0][0], metric_of(ranked[0][0])
    differences = [compare_pair(best, other, (metric,))[0].difference for other, _ in ranked[1:]]
    adjusted = holm([each.p_value for each in differences])
    compared = [
        AgainstBest(labels[other.card.name], figure, difference, p, p is not None and p <= SIGNIFICANT)
        for (other, figure), difference, p in zip(ranked[1:], differences, adjusted, strict=True)
    ]
    return Comparisons(
        metric=metric,
        worse=tuple(each for each in compared if each.is_worse),
        similar=tuple(each for each in compared if not each.is_worse),
        left_out=tuple((labels[name], reason) for name, reason in left_out.items()),
    )


def baselines(
    ranked: Ranked, labels: Mapping[str, CardLabel], compared: Comparisons | None
) -> tuple[AgainstBaseline, ...]:
    """All cards that are no baselines against each baseline, first against a constant answer.

    Each pair of cards is tested once. Where one of the two is the best card, its test is in the family of the
    comparisons with the best. All other pairs of a card and a baseline are a second family. A card beats a baseline if
    its AUC is higher and the difference, paired by image, is significant at the 5% level by Holm's method over the
    family. If no card gives a constant answer, a card beats such an answer if the 95% interval of its AUC lies above
    0.5.

    Args:
        ranked: The cards.
        labels: The labels of all cards by name.
        compared: The comparisons with the best card; None with fewer than two cards.

    Returns:
        The comparisons. Where every card is a baseline: each against a constant answer, unless a card gives one.
    """
    models = [(card, figure) for card, figure in ranked if not labels[card.card.name].is_baseline]
    if not models and any(is_constant(card) for card, _ in ranked):
        return ()
    if not models:
        names = [card.card.name for card, _ in ranked]
        return (AgainstBaseline("constant", None, *_divided(names, _above_chance(ranked), labels)),) if names else ()
    names = [card.card.name for card, _ in models]
    reference = sorted((card for card, _ in ranked if labels[card.card.name].is_baseline), key=_constant_first)
    beaten = _beaten(ranked[0][0], [card for card, _ in models], reference, compared)
    by_card = [
        AgainstBaseline(
            "constant" if is_constant(card) else "card",
            labels[card.card.name],
            *_divided(names, beaten[card.card.name], labels),
        )
        for card in reference
    ]
    if any(is_constant(card) for card in reference):
        return tuple(by_card)
    return (AgainstBaseline("constant", None, *_divided(names, _above_chance(models), labels)), *by_card)


def is_constant(results: AnyResults) -> bool:
    """Whether a card has the same scores for every test image, with every seed and in every fold."""
    parts = (part for scores in results.test for part in scores.by_fold())
    return all(np.ptp(part.y_score, axis=0).max() == 0 for part in parts)


def _above_chance(cards: Ranked) -> set[str]:
    """The names of the cards whose whole 95% interval lies above the AUC of a constant answer."""
    return {card.card.name for card, figure in cards if above(figure, CHANCE).verdict == "reproduced"}


def _constant_first(results: AnyResults) -> bool:
    return not is_constant(results)


def _beaten(
    best: AnyResults, models: Sequence[AnyResults], reference: Sequence[AnyResults], compared: Comparisons | None
) -> dict[str, set[str]]:
    """The names of the models that beat each baseline."""
    worse = set() if compared is None else {each.card.name for each in compared.worse}
    beaten: dict[str, set[str]] = {}
    for baseline in reference:
        behind_best = best in models and baseline.card.name in worse
        beaten[baseline.card.name] = {best.card.name} if behind_best else set()
    pairs = [(model, baseline) for baseline in reference for model in models if best not in (model, baseline)]
    gains = [compare_pair(model, baseline, (metric_of(baseline),))[0].difference for model, baseline in pairs]
    adjusted = holm([gain.p_value for gain in gains])
    for (model, baseline), gain, p in zip(pairs, gains, adjusted, strict=True):
        if gain.value is not None and gain.value > 0 and p is not None and p <= SIGNIFICANT:
            beaten[baseline.card.name].add(model.card.name)
    return beaten


def _divided(names: Sequence[str], beats: set[str], labels: Mapping[str, CardLabel]) -> Iterator[tuple[CardLabel, ...]]:
    yield tuple(labels[name] for name in names if name in beats)
    yield tuple(labels[name] for name in names if name not in beats)


def resolution(best: BestCard, compared: Comparisons | None, images: int) -> Resolution:
    """What the test images can show about the best card and its lead.

    Args:
        best: The best card.
        compared: The comparisons with it; None where there are none.
        images: The number of test images.

    Returns:
        The half-widths, the detectable difference, and how many images would show the lead.
    """
    estimates = {best.metric: best.figure, **best.leading.figures}
    others = [] if compared is None else [*compared.worse, *compared.similar]
    runner_up = max(others, key=lambda each: each.figure.value or 0.0, default=None)
    needed, reason = (None, None) if runner_up is None else _images_needed(runner_up, images)
    return Resolution(
        images=images,
        half_widths={
            metric: (each.high - each.low) / 2
            for metric, each in estimates.items()
            if each.low is not None and each.high is not None
        },
        detectable=None if runner_up is None else runner_up.behind.smallest_detectable,
        runner_up=None if runner_up is None else runner_up.card,
        lead=None if runner_up is None else runner_up.behind,
        images_needed=needed,
        reason=reason,
    )


def _images_needed(runner_up: AgainstBest, images: int) -> tuple[int | None, str | None]:
    """The number of test images whose smallest detectable difference is the lead; it falls with their square root."""
    lead = runner_up.behind
    if runner_up.is_worse:
        return None, "these images show the difference"
    if not lead.value:
        return None, "both have the same value"
    if lead.smallest_detectable is None:
        return None, lead.reason or "the smallest detectable difference is not known"
    needed = math.ceil(images * (lead.smallest_detectable / lead.value) ** 2)
    if needed > MOST_IMAGES:
        return None, f"more than {MOST_IMAGES:,} test images would be needed"
    return max(needed, images + 1), None
