"""Probabilities of runs as markdown lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from statistics import median

from benchmark.evidence.calibration.reliability import Reliability
from benchmark.evidence.calibration.utility import DecisionCurve
from benchmark.evidence.metrics.definitions import Figure
from reports.render.markdown.table import folded, table
from reports.results.probabilities import Probabilities
from reports.text import MISSING, estimate, measured, number


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
        "Test scores as they are, and after a calibrator fitted on validation; one that does not lower the "
        "cross-fitted validation log loss is rolled back. Slope 1 is calibrated; ECE over 10 bins of equal mass.",
        "",
        *_kept(rows),
        *folded(
            "Calibration of every run",
            table(_CALIBRATION_HEADS, (line for row in rows for line in _calibration(row))),
        ),
        "### What a call is worth at other prevalences",
        "",
        "Predictive values by Bayes' rule from test recall and specificity at the chosen threshold, or at 0.5 where "
        "none was chosen.",
        "",
        *folded("Predictive values of every run", [*_values_table(rows, "PPV"), "", *_values_table(rows, "NPV")]),
        "Where, by net benefit, acting on the scores is worth more than treating everybody and than treating nobody: "
        "threshold probabilities, at test's own prevalence.",
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
    "at the chosen one",
    "hindsight",
    "at hindsight",
]
_CALIBRATION_HEADS = ["card", "seed", "scores", "log loss", "Brier", "ECE", "smooth ECE", "slope"]


def _transfer(row: Probabilities) -> list[str]:
    chosen, best = row.transfer.chosen, row.transfer.oracle
    return [
        f"`{row.card}`",
        str(row.seed),
        chosen.rule,
        estimate(chosen) if chosen.value is not None else chosen.reason or MISSING,
        _decisions(row.transfer.at_half),
        _decisions(row.transfer.at_chosen),
        number(best.value),
        _decisions(best.figures),
    ]


def _decisions(figures: Mapping[str, Figure]) -> str:
    names = ("accuracy", "recall", "specificity")
    return " / ".join(measured(figures.get(name)) for name in names) if figures else MISSING


def _calibration(row: Probabilities) -> Iterator[list[str]]:
    """The scores as they are, and a line of its own for what the calibrator makes of them, or why it is not used."""
    name = [f"`{row.card}`", str(row.seed)]
    rolled_back = "" if row.after is not None else f"; {row.calibrator.method} rolled back: {row.calibrator.reason}"
    yield [*name, f"as they are{rolled_back}", *_parts(row.before)]
    if row.after is not None:
        yield [*name, row.calibrator.method, *_parts(row.after)]


def _kept(rows: Sequence[Probabilities]) -> list[str]:
    """In how many runs a calibrator was kept, and what it does to the calibration error of a typical one."""
    kept = [(row.before.ece, row.after.ece) for row in rows if row.after is not None]
    text = f"Kept in {len(kept)} of {len(rows)} runs"
    if kept:
        before, after = (median(side) for side in zip(*kept, strict=True))
        text += f", where the median test ECE went from {number(before)} to {number(after)}"
    return [f"{text}.", ""]


def _parts(found: Reliability) -> list[str]:
    slope = measured(found.slope, with_interval=True) if found.slope.value is not None else MISSING
    return [number(x) for x in (found.log_loss, found.brier, found.ece, found.smooth_ece)] + [slope]


def _values_table(rows: Sequence[Probabilities], which: str) -> list[str]:
    shares = [f"{100 * value.prevalence:g}%" for value in rows[0].values] if rows else []
    return table(["card", "seed", *(f"{which} at {share}" for share in shares)], (_values(row, which) for row in rows))


def _values(row: Probabilities, which: str) -> list[str]:
    figures = [value.ppv if which == "PPV" else value.npv for value in row.values]
    return [f"`{row.card}`", str(row.seed), *(measured(figure, with_interval=True) for figure in figures)]


def _useful(curve: DecisionCurve) -> str:
    """The threshold probabilities at which the model beats both, as ranges of the points of the curve."""
    beats = set(curve.better_than_both())
    cuts = [point.threshold for point in curve.points]
    ranges = [list(run) for held, run in groupby(cuts, key=beats.__contains__) if held]
    shown = [number(run[0], 2) if len(run) == 1 else f"{number(run[0], 2)} to {number(run[-1], 2)}" for run in ranges]
    return ", ".join(shown) or "nowhere"
