"""Published figures against what was measured: a verdict for each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from benchmark.evidence.comparison.verdict import Decision, within
from benchmark.evidence.estimate import SampleEstimate
from benchmark.evidence.metrics.definitions import find_metric, label_of, measures
from benchmark.evidence.published.feasible import Range
from benchmark.runs.run import RunSpec
from reports.audit.audit import Audit, AuditRow
from reports.claims.model import Claims, Row
from reports.results.compare import (
    has_counterpart,
    is_open_loss,
    measured_on_test,
    minus_published,
    published_interval,
)
from reports.results.measured import CardResults
from reports.results.recognised import is_data, other_classes
from zoo.models.card import PublishedFigure

SYNTHETIC = "synthetic images say nothing about radiographs"
"""Why no verdict rests on them."""
_SAME_MIX = 0.01
_NEVER = 1_000_000


@dataclass(frozen=True)
class ClaimVerdict:
    """A claim and its verdict.

    `claim` says it in words, `where` where it stands; `published` is the printed figure of a figure claim.
    `measured` and `difference` (measured minus published) are there where they could be computed, even when the
    verdict may not rest on them.
    """

    about: str
    claim: str
    where: str
    decision: Decision
    published: PublishedFigure | None = None
    measured: SampleEstimate | None = None
    difference: SampleEstimate | None = None
    quote: str | None = None


def judge_figures(claims: Claims, audit: Audit, measured: Mapping[str, CardResults]) -> tuple[ClaimVerdict, ...]:
    """A verdict for every figure of every row, in the order of the file."""
    rows = {row.name: row for row in audit.rows}
    return tuple(
        _judge_figure(claims, audit, row, rows[row.name], printed, measured.get(row.card or ""))
        for row in claims.rows
        for printed in row.figures
    )


def _judge_figure(
    claims: Claims, audit: Audit, row: Row, audited: AuditRow, printed: PublishedFigure, found: CardResults | None
) -> ClaimVerdict:
    value, own, delta = None, None, None
    if found is not None and has_counterpart(printed):
        value = measured_on_test(found, printed.metric, row.threshold)
        own = published_interval(printed, value, audited)
        delta = minus_published(value, printed, own)
    ruled_out = audit.ruled_out(row.name, printed)
    if ruled_out is not None:
        decision = Decision("impossible", ruled_out.statement)
    elif found is None:
        decision = Decision("not run", f"the store holds no finished run of {row.card or row.name}")
    elif value is None or delta is None:
        decision = Decision("not comparable", _why_no_counterpart(printed))
    elif (other := _other_conditions(claims, row, printed, found)) is not None:
        decision = Decision("not comparable", other)
    else:
        margin = claims.loss_margin * printed.value if is_open_loss(printed.metric) else claims.margin
        decision = _with_images_needed(within(delta, margin), value, own, margin - abs(delta.value or 0.0))
    return ClaimVerdict(row.name, _in_words(printed), printed.location, decision, printed, value, delta)


def has_direction(metric: str) -> bool:
    """Whether a metric is read from scores and is better high or low, which a count is not."""
    return metric in measures()


def is_of_decisions(figure: PublishedFigure) -> bool:
    """Whether a printed figure rests on the decisions of the finished model on test."""
    metric = find_metric(figure.metric)
    return has_counterpart(figure) and metric is not None and metric.uses_threshold


def _with_images_needed(decision: Decision, measured: SampleEstimate, own: Range | None, distance: float) -> Decision:
    """`decision` with the images that could tell, from `distance` to the margin: they narrow the measured interval
    alone, and none can tell where the published one is as wide."""
    if decision.verdict != "inconclusive" or own is None or measured.bounds is None:
        return decision
    left = distance**2 - ((own[1] - own[0]) / 2) ** 2
    if left <= 0:
        reason = f"{decision.reason}, and the published figure alone is too uncertain for any number of images to tell"
        return replace(decision, reason=reason, needed=None)
    needed = math.ceil(measured.n * ((measured.bounds[1] - measured.bounds[0]) / 2) ** 2 / left)
    return replace(decision, needed=max(needed, measured.n + 1) if needed < _NEVER else None)


def _why_no_counterpart(printed: PublishedFigure) -> str:
    if printed.split != "test":
        return f"a {printed.split} figure, read on images that are not stated"
    if printed.epoch is not None:
        return "read during training, not of the finished model"
    if printed.upper is not None:
        return "a printed range has no single counterpart"
    return f"{label_of(printed.metric)} has no measured counterpart"


def _other_conditions(claims: Claims, row: Row, printed: PublishedFigure, found: CardResults) -> str | None:
    """Why what was measured is not about what the printed figure is about, or None."""
    spec = found.runs[0].spec
    if spec.dataset.synthetic:
        return SYNTHETIC
    if claims.source.data is None:
        return "the claims do not say which data they are about"
    if not is_data(spec.dataset, claims.source.data, [claims]):
        return f"other data: measured on {spec.dataset.title}, published on {claims.source.data}"
    if (classes := other_classes(spec.dataset, claims.source)) is not None:
        return classes
    if printed.metric == "loss" and row.loss is not None and row.loss.name != found.card.recipe.loss.name:
        return f"other loss: measured {found.card.recipe.loss.name}, published {row.loss.name}"
    return other_protocol(claims, spec) or _other_mix(row, printed, found)


def _other_mix(row: Row, printed: PublishedFigure, found: CardResults) -> str | None:
    metric = find_metric(printed.metric)
    if row.test is None or (metric is not None and not metric.depends_on_prevalence):
        return None
    published = row.test.positives / (row.test.negatives + row.test.positives)
    measured = float(found.test[0].y_true.mean())
    if abs(measured - published) <= _SAME_MIX:
        return None
    return f"other class mix: {measured:.0%} of the test images are positive instead of {published:.0%}"


def other_protocol(claims: Claims, spec: RunSpec) -> str | None:
    """Which of the conditions of `claims` the protocol of `spec` does not keep, or None."""
    differing = [
        f"{name} {measured} instead of {stated}"
        for name, stated, measured in (
            ("image size", claims.conditions.image_size, spec.protocol.image_size),
            ("training images", claims.conditions.train, spec.protocol.sampling.train),
        )
        if stated is not None and measured != stated
    ]
    return f"other protocol ({spec.protocol.name}): {', '.join(differing)}" if differing else None


def _in_words(printed: PublishedFigure) -> str:
    value = f"{printed.value:.{printed.decimals}f}"
    if printed.upper is not None:
        value += f" to {printed.upper:.{printed.decimals}f}"
    when = f", {printed.epoch} epoch" if printed.epoch else ""
    return f"{printed.split} {label_of(printed.metric)} {value}{when}"
