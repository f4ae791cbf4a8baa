"""Renders threshold transfer, calibration and predictive values as markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from statistics import median

from benchmark.evidence.calibration.reliability import Reliability
from benchmark.evidence.calibration.utility import DecisionCurve
from benchmark.evidence.metrics.registry import Figure
from reports.render.markdown.table import cell, folded, table
from reports.render.words import PREDICTIVE_VALUES
from reports.results.guarantee_text import StatedShare
from reports.results.probabilities import Probabilities
from reports.text import MISSING, estimate, measured, number, plural, probability, threshold


def probabilities_markdown(rows: Sequence[Probabilities]) -> list[str]:
    """Lines with a table each for threshold transfer, calibration and predictive values."""
    return [
        "### Threshold transfer",
        "",
        "Test accuracy / recall / specificity at 0.5, at the threshold that the rule chose on validation, and at the "
        "oracle threshold, which the rule would have chosen on test.",
        "",
        *table(_TRANSFER_HEADS, map(_transfer, rows)),
        "",
        *(line for row in rows if row.share is not None for line in _stated(row, row.share)),
        "### Calibration",
        "",
        "Test scores, uncalibrated and calibrated on validation. A calibrator that does not lower the cross-fitted "
        "validation log loss is rolled back. A calibrated score has slope 1; the ECE has 10 bins of equal mass.",
        "",
        *_calibration_summary(rows),
        *folded(
            "Calibration per run",
            table(_CALIBRATION_HEADS, (line for row in rows for line in _calibration(row))),
        ),
        f"### {PREDICTIVE_VALUES}",
        "",
        "By Bayes' rule from test recall and specificity at the chosen threshold, or at 0.5 if none was chosen.",
        "",
        *folded("Predictive values per run", [*_values_table(rows, "PPV"), "", *_values_table(rows, "NPV")]),
        "Threshold probabilities at which acting on the scores has more net benefit than treating all and treating "
        "none, at the prevalence of the test set:",
        "",
        *table(["card", "seed", "useful at"], ([f"`{row.card}`", str(row.seed), _useful(row.curve)] for row in rows)),
        "",
    ]


_TRANSFER_HEADS = [
    "card",
    "seed",
    "rule",
    "threshold",
    "at 0.5",
    "at the chosen threshold",
    "oracle threshold",
    "at the oracle threshold",
]
_CALIBRATION_HEADS = ["card", "seed", "scores", "log loss", "Brier", "ECE", "smooth ECE", "slope"]


def _transfer(row: Probabilities) -> list[str]:
    chosen, best = row.transfer.chosen, row.transfer.oracle
    return [
        f"`{row.card}`",
        str(row.seed),
        chosen.rule,
        threshold(chosen) if chosen.value is not None else chosen.reason or MISSING,
        _decisions(row.transfer.at_half),
        _decisions(row.transfer.at_chosen),
        probability(best.value),
        _decisions(best.figures),
    ]


def _stated(row: Probabilities, share: StatedShare) -> list[str]:
    return [f"`{row.card}`, seed {row.seed}: {cell('; '.join(share.lines()))}.", ""]


def _decisions(figures: Mapping[str, Figure]) -> str:
    names = ("accuracy", "recall", "specificity")
    return " / ".join(measured(figures.get(name)) for name in names) if figures else MISSING


def _calibration(row: Probabilities) -> Iterator[list[str]]:
    """A row for the uncalibrated scores, and one for the calibrated ones unless calibration was rolled back."""
    name = [f"`{row.card}`", str(row.seed)]
    rolled_back = "" if row.after is not None else f"; {row.calibrator.method} rolled back: {row.calibrator.reason}"
    yield [*name, f"uncalibrated{rolled_back}", *_reliability(row.before)]
    if row.after is not None:
        yield [*name, row.calibrator.method, *_reliability(row.after)]


def _calibration_summary(rows: Sequence[Probabilities]) -> list[str]:
    """How many runs or folds are calibrated, and the median calibration error of those runs before and after."""
    errors = [(row.before.ece, row.after.ece) for row in rows if row.after is not None]
    fits = [fit for row in rows for fit in getattr(row.calibrator, "fits", ())]
    if fits:
        count = sum(fit.accepted for fit in fits)
        text = f"{count} of {plural(len(fits), 'fold')} {'is' if count == 1 else 'are'} calibrated"
        text += f", in {len(errors)} of {plural(len(rows), 'cross-validation')}" if len(rows) > 1 else ""
    else:
        text = f"{len(errors)} of {plural(len(rows), 'run')} {'is' if len(errors) == 1 else 'are'} calibrated"
    if errors:
        before, after = (median(side) for side in zip(*errors, strict=True))
        text += f"; the median test ECE changed from {number(before)} to {number(after)}"
    return [f"{text}.", ""]


def _reliability(assessed: Reliability) -> list[str]:
    losses = (assessed.log_loss, assessed.brier, assessed.ece, assessed.smooth_ece)
    return [*map(number, losses), estimate(assessed.slope)]


def _values_table(rows: Sequence[Probabilities], which: str) -> list[str]:
    shares = [f"{100 * value.prevalence:g}%" for value in rows[0].values] if rows else []
    return table(["card", "seed", *(f"{which} at {share}" for share in shares)], (_values(row, which) for row in rows))


def _values(row: Probabilities, which: str) -> list[str]:
    figures = [value.ppv if which == "PPV" else value.npv for value in row.values]
    return [f"`{row.card}`", str(row.seed), *(measured(figure, with_interval=True) for figure in figures)]


def _useful(curve: DecisionCurve) -> str:
    """The threshold probabilities at which the model is better than both, as ranges."""
    useful = set(curve.better_than_both())
    thresholds = [point.threshold for point in curve.points]
    ranges = [list(points) for inside, points in groupby(thresholds, key=useful.__contains__) if inside]
    texts = [" to ".join(number(end, 2) for end in sorted({points[0], points[-1]})) for points in ranges]
    return ", ".join(texts) or "nowhere"
