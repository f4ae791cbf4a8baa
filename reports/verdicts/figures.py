"""A verdict for each published figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from benchmark.evidence.comparison.power import images_to_decide_margin
from benchmark.evidence.comparison.verdict import Decision, of_one_training, within
from benchmark.evidence.estimate import SampleEstimate
from benchmark.evidence.metrics.multiclass import find_multiclass
from benchmark.evidence.metrics.registry import find_metric, label_of, measures
from benchmark.evidence.published.feasible import Range
from benchmark.runs.run import RunSpec
from reports.audit.audit import Audit, AuditRow
from reports.claims.model import Claims, Row
from reports.results.comparison.published import (
    has_counterpart,
    is_open_loss,
    measured_on_test,
    minus_published,
    of_one_draw,
    published_interval,
    published_threshold,
)
from reports.results.conditions.recognised import is_data, other_classes
from reports.results.measured import AnyResults, MulticlassResults
from reports.results.multiclass.class_figures import class_figure
from reports.text import listed
from reports.verdicts.decisions import measured_at
from reports.verdicts.published import ruling, why_no_interval, without_misprint
from zoo.models.published import PublishedFigure

SYNTHETIC = "synthetic images say nothing about radiographs"
"""Why runs on synthetic images have no verdict."""
_SAME_PREVALENCE = 0.01


@dataclass(frozen=True)
class ClaimVerdict:
    """A claim and its verdict.

    Attributes:
        about: Name of the row, or id of the statement.
        claim: The claim in words.
        where: Its location in the publication.
        decision: The verdict with its reason.
        published: The printed figure; None for a statement.
        measured: The measured counterpart where it could be computed, even if the verdict is not based on it.
        difference: Measured minus published, likewise.
        quote: The text of a statement.
        at: The decisions of the measured figure, such as "at 0.5"; None where it does not depend on decisions, and for
            a statement, whose reason says it.
        margin_from: Where the margin of a statement comes from; None where the statement does not say it.
    """

    about: str
    claim: str
    where: str
    decision: Decision
    published: PublishedFigure | None = None
    measured: SampleEstimate | None = None
    difference: SampleEstimate | None = None
    quote: str | None = None
    at: str | None = None
    margin_from: str | None = None


def figure_verdicts(claims: Claims, audit: Audit, measured: Mapping[str, AnyResults]) -> tuple[ClaimVerdict, ...]:
    """A verdict for every figure of every row.

    Args:
        claims: The claims.
        audit: Their audit, which can rule a figure out.
        measured: The results of the cards by name.

    Returns:
        The verdicts in the order of the file.
    """
    audited = {row.name: row for row in audit.rows}
    rows = {row.name: without_misprint(audit, row, audited[row.name], claims.matrices) for row in claims.rows}
    return tuple(
        _figure_verdict(claims, audit, row, rows[row.name], printed, measured.get(row.card or ""))
        for row in claims.rows
        for printed in row.figures
    )


def _figure_verdict(
    claims: Claims, audit: Audit, row: Row, audited: AuditRow, printed: PublishedFigure, results: AnyResults | None
) -> ClaimVerdict:
    value, interval, delta, at = None, None, None, None
    mismatch = None if results is None else different_number_of_classes(row, results)
    ruled_out = ruling(audit, row, printed)
    if results is not None and mismatch is None and has_counterpart(printed):
        value, at = _measured(results, printed, row), measured_at(row, printed.key, results)
        interval = None if ruled_out is not None else published_interval(printed, value, audited)
        delta = minus_published(value, printed, interval)
        if delta.value is not None and value.bounds is not None and interval is None:
            delta = replace(delta, reason=why_no_interval(row, audited))
    if ruled_out is not None:
        decision = Decision("impossible", ruled_out.statement)
    elif results is None:
        why = "the row names no card" if row.card is None else f"the store has no finished run of {row.card}"
        decision = Decision("not run", why)
    elif mismatch is not None:
        decision = Decision("not comparable", mismatch)
    elif value is None or delta is None:
        decision = Decision("not comparable", _why_no_counterpart(printed))
    elif (otherwise := audit.fits_otherwise(row.name, printed)) is not None:
        decision = Decision("not comparable", otherwise.statement)
    elif (different := _different_conditions(claims, row, printed, results)) is not None:
        decision = Decision("not comparable", different)
    else:
        margin = margin_of(claims, printed)
        decision = figure_decision(delta, margin, results.is_one_training, at)
        if decision.verdict == "inconclusive" and not decision.one_training:
            draw = None if interval is None else of_one_draw(interval, printed, value)
            decision = _with_images_needed(decision, value, draw, delta, margin, results.is_one_training)
    return ClaimVerdict(row.name, figure_in_words(printed), printed.location, decision, printed, value, delta, at=at)


def margin_of(claims: Claims, printed: PublishedFigure) -> float:
    """The margin of a printed figure; that of a loss without a greatest value is a share of the figure."""
    return claims.loss_margin * printed.value if is_open_loss(printed.metric) else claims.margin


def figure_decision(delta: SampleEstimate, margin: float, one_training: bool, at: str | None = None) -> Decision:
    """The verdict on a printed figure that the interval of a difference gives.

    Args:
        delta: Measured minus published, with its interval.
        margin: The margin of the figure, above 0.
        one_training: Whether one training of a recipe was measured, which cannot contradict a claim about it.
        at: The decisions of the measured figure, such as "at 0.5"; None where it does not depend on decisions.

    Returns:
        The verdict with its reason.
    """
    decision = within(delta, margin)
    if at is not None and delta.bounds is not None:
        decision = replace(decision, reason=f"measured {at}: {decision.reason}")
    return of_one_training(decision) if one_training else decision


def _measured(results: AnyResults, printed: PublishedFigure, row: Row) -> SampleEstimate:
    threshold = published_threshold(row)
    if isinstance(results, MulticlassResults):
        return class_figure(results, printed.key, chosen=threshold is None)
    return measured_on_test(results, printed.metric, threshold)


def different_number_of_classes(row: Row, results: AnyResults) -> str | None:
    """Whether a row and runs are of different classes where one of them has three or more, in words; None if not."""
    measured = results.runs[0].spec.dataset.classes
    if not isinstance(results, MulticlassResults):
        return f"different classes: measured {listed(measured)}, published three or more" if row.is_multiclass else None
    published = None if row.of_several is None else tuple(row.of_several.sizes)
    if published is None and row.is_multiclass:
        published = tuple({figure.of_class for figure in row.figures if figure.of_class} - set(measured))
        return f"different classes: no {listed(published)} among {listed(measured)}" if published else None
    if published is None:
        return None if row.of_two is None else f"different classes: measured {listed(measured)}, published two"
    if set(published) != set(measured):
        return f"different classes: measured {listed(measured)}, published {listed(published)}"
    return None


def has_direction(metric: str) -> bool:
    """Whether higher or lower values of a metric, or of the figure of a key, are better; a count has none."""
    return metric in measures() or find_multiclass(metric) is not None


def is_of_decisions(figure: PublishedFigure) -> bool:
    """Whether a printed figure is a threshold metric of the finished model on test."""
    metric = find_metric(figure.metric)
    return has_counterpart(figure) and metric is not None and metric.uses_threshold


def _with_images_needed(
    decision: Decision,
    measured: SampleEstimate,
    published: Range | None,
    delta: SampleEstimate,
    margin: float,
    one_training: bool,
) -> Decision:
    """`decision`, which is inconclusive, with the number of test images that would decide with 80% probability.

    More images narrow only the measured interval. No number can decide where half of the published interval alone
    exceeds the distance to the margin, or where the figure differs and one training cannot say so.
    """
    if published is None or measured.bounds is None or delta.value is None:
        return decision
    if one_training and abs(delta.value) > margin:
        reason = f"{decision.reason}; no number of test images could decide, as one training cannot contradict"
        return replace(decision, reason=reason, needed=None)
    fixed_half = (published[1] - published[0]) / 2
    if abs(margin - abs(delta.value)) <= fixed_half:
        reason = f"{decision.reason}; no number of test images could decide, as the published figure is too uncertain"
        return replace(decision, reason=reason, needed=None)
    half = (measured.bounds[1] - measured.bounds[0]) / 2
    return replace(decision, needed=images_to_decide_margin(measured.n, half, delta.value, margin, fixed_half))


def _why_no_counterpart(printed: PublishedFigure) -> str:
    if printed.split != "test":
        return f"a {printed.split} figure, computed on images that are not stated"
    if printed.epoch is not None:
        return "recorded during training, not for the finished model"
    if printed.upper is not None:
        return "a printed range has no single measured counterpart"
    return f"{label_of(printed.key)} has no measured counterpart"


def _different_conditions(claims: Claims, row: Row, printed: PublishedFigure, results: AnyResults) -> str | None:
    """Which condition of the measurement differs from that of the printed figure, or None."""
    spec = results.runs[0].spec
    if (data := different_data(claims, spec)) is not None:
        return data
    if printed.metric == "loss" and row.loss is not None and row.loss.name != results.card.recipe.loss.name:
        return f"different loss: measured {results.card.recipe.loss.name}, published {row.loss.name}"
    return different_protocol(claims, spec) or _different_prevalence(row, printed, results)


def _different_prevalence(row: Row, printed: PublishedFigure, results: AnyResults) -> str | None:
    if isinstance(results, MulticlassResults):
        return _different_shares(row, printed, results)
    return different_prevalence(row, printed, float(results.test[0].y_true.mean()))


def different_prevalence(row: Row, printed: PublishedFigure, measured: float) -> str | None:
    """How the prevalence of measured test images differs from that of a printed figure, in words.

    Args:
        row: The row of the figure, with its test set.
        printed: The printed figure.
        measured: The share of positives in the measured test images.

    Returns:
        The difference; None where the figure does not depend on prevalence, or the shares agree.
    """
    metric = find_metric(printed.metric)
    if row.of_two is None or (metric is not None and not metric.depends_on_prevalence):
        return None
    published = row.of_two.positives / row.of_two.total
    if abs(measured - published) <= _SAME_PREVALENCE:
        return None
    return f"different prevalence: {measured:.0%} of the test images are positive instead of {published:.0%}"


def _different_shares(row: Row, printed: PublishedFigure, results: MulticlassResults) -> str | None:
    """The class whose share of the test images differs most from that of the printed figure, in words, or None."""
    measure = find_multiclass(printed.key)
    if row.of_several is None or (measure is not None and not measure.depends_on_prevalence):
        return None
    published = {name: count / row.of_several.total for name, count in row.of_several.sizes.items()}
    labels = results.test[0].y_true
    measured = {name: float((labels == label).mean()) for label, name in enumerate(results.classes)}
    name = max(published, key=lambda each: abs(published[each] - measured[each]))
    if abs(published[name] - measured[name]) <= _SAME_PREVALENCE:
        return None
    shares = f"{measured[name]:.0%} of the test images are {name} instead of {published[name]:.0%}"
    return f"different class shares: {shares}"


def different_data(claims: Claims, spec: RunSpec) -> str | None:
    """How the data of `spec` differ from those of `claims`, in words; None where they are the same."""
    if spec.dataset.synthetic:
        return SYNTHETIC
    if claims.source.data is None:
        return "the claims do not name their data"
    if not is_data(spec.dataset, claims.source.data, [claims]):
        return f"different data: measured on {spec.dataset.title}, published on {claims.source.data}"
    return other_classes(spec.dataset, claims.source)


def different_protocol(claims: Claims, spec: RunSpec) -> str | None:
    """Which stated conditions of `claims` differ from the protocol of `spec`, in words; None where none does."""
    differing = [
        f"{name} {measured} instead of {stated}"
        for name, stated, measured in (
            ("image size", claims.conditions.image_size, spec.protocol.image_size),
            ("training images", claims.conditions.train, spec.protocol.sampling.train),
        )
        if stated is not None and measured != stated
    ]
    return f"different protocol ({spec.protocol.name}): {', '.join(differing)}" if differing else None


def figure_in_words(printed: PublishedFigure) -> str:
    """A printed figure as a claim, such as "test recall 0.9060"."""
    value = f"{printed.value:.{printed.decimals}f}"
    if printed.upper is not None:
        value += f" to {printed.upper:.{printed.decimals}f}"
    when = f", {printed.epoch} epoch" if printed.epoch else ""
    return f"{printed.split} {label_of(printed.key)} {value}{when}"
