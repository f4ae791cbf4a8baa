"""Probabilities of runs as markdown lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from benchmark.evidence.metrics import Figure
from benchmark.evidence.reliability import Reliability
from benchmark.evidence.utility import DecisionCurve
from reports.markdown_table import table
from reports.numbers import MISSING, interval, measured, number
from reports.probabilities import Probabilities


def probabilities_markdown(rows: Sequence[Probabilities]) -> list[str]:
    """Transfer of the threshold, calibration, and predictive values, a table each."""
    return [
        "### How the threshold transfers",
        "",
        "Test accuracy / recall / specificity at 0.5, at the threshold that the rule chose on validation, and at the "
        "one that it would have chosen on test itself: hindsight, which nobody has when it matters.",
        "",
        *table(_TRANSFER_HEADS, map(_transfer, rows)),
        "",
        "### Calibration",
        "",
        "Test scores before a calibrator fitted on validation and, in the last column, after it; one that does not "
        "lower the cross-fitted validation log loss is rolled back. Slope 1 is calibrated; ECE over 10 bins of equal "
        "mass.",
        "",
        *table(_CALIBRATION_HEADS, map(_calibration, rows)),
        "",
        "### What a call is worth at other prevalences",
        "",
        "Predictive values by Bayes' rule from test recall and specificity at the chosen threshold, or at 0.5 where "
        "none was chosen. The last column is where, by net benefit, acting on the scores is worth more than treating "
        "everybody and than treating nobody: threshold probabilities, at test's own prevalence.",
        "",
        *table(_values_heads(rows), map(_values, rows)),
        "",
    ]


_TRANSFER_HEADS = [
    "card",
    "seed",
    "rule",
    "threshold",
    "at 0.5",
    "at the chosen one",
    "hindsight",
    "at hindsight",
]
_CALIBRATION_HEADS = ["card", "seed", "calibrator", "log loss", "Brier", "ECE", "smooth ECE", "slope", "after"]


def _transfer(row: Probabilities) -> list[str]:
    chosen, best = row.transfer.chosen, row.transfer.hindsight
    bounds = None if chosen.low is None or chosen.high is None else (chosen.low, chosen.high)
    return [
        f"`{row.card}`",
        str(row.seed),
        chosen.rule,
        f"{number(chosen.value)} {interval(bounds)}".rstrip() if chosen.value is not None else chosen.reason or MISSING,
        _decisions(row.transfer.at_half),
        _decisions(row.transfer.at_chosen),
        number(best.value),
        _decisions(best.figures),
    ]


def _decisions(figures: Mapping[str, Figure]) -> str:
    names = ("accuracy", "recall", "specificity")
    return " / ".join(measured(figures.get(name)) for name in names) if figures else MISSING


def _calibration(row: Probabilities) -> list[str]:
    kept = row.calibrator.method if row.calibrator.kept else f"rolled back: {row.calibrator.reason}"
    after = MISSING if row.after is None else "; ".join(_short(row.after))
    return [f"`{row.card}`", str(row.seed), kept, *_parts(row.before), after]


def _parts(found: Reliability) -> list[str]:
    slope = measured(found.slope, with_interval=True) if found.slope.value is not None else MISSING
    return [number(x) for x in (found.log_loss, found.brier, found.ece, found.smooth_ece)] + [slope]


def _short(found: Reliability) -> list[str]:
    names = ("log loss", "Brier", "ECE", "smooth ECE", "slope")
    return [f"{name} {text}" for name, text in zip(names, _parts(found), strict=True)]


def _values_heads(rows: Sequence[Probabilities]) -> list[str]:
    shares = [f"{100 * value.prevalence:g}%" for value in rows[0].values] if rows else []
    return ["card", "seed", *(f"{name} at {share}" for share in shares for name in ("PPV", "NPV")), "useful at"]


def _values(row: Probabilities) -> list[str]:
    cells = [measured(figure, with_interval=True) for value in row.values for figure in (value.ppv, value.npv)]
    return [f"`{row.card}`", str(row.seed), *cells, _useful(row.curve)]


def _useful(curve: DecisionCurve) -> str:
    """The threshold probabilities at which the model beats both, as ranges of the points of the curve."""
    beats = set(curve.better_than_both())
    cuts = [point.threshold for point in curve.points]
    ranges = [list(run) for held, run in groupby(cuts, key=beats.__contains__) if held]
    shown = [number(run[0], 2) if len(run) == 1 else f"{number(run[0], 2)} to {number(run[-1], 2)}" for run in ranges]
    return ", ".join(shown) or "nowhere"
