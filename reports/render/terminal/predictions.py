"""Renders predictions as a table, a CSV file and a JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType

from benchmark.evidence.calibration.calibrators import Calibrator
from benchmark.runs.deployment.decision_rule import DecisionRule, Prediction
from benchmark.runs.run import Run
from reports.render.csv_text import csv_text
from reports.render.terminal.table import escape, plain_table
from reports.text import MISSING, number, one_line, plural

NOT_CLINICAL = "Not for clinical use: a benchmark's model, never checked on patients."


def predictions_table(
    run: Run, decider: DecisionRule, predictions: Sequence[Prediction], notes: Sequence[str] = ()
) -> RenderableType:
    """Render predictions for a terminal.

    Args:
        run: The run that predicted.
        decider: Its threshold and calibration.
        predictions: One per image.
        notes: Further lines for the reader.

    Returns:
        A table with one row per image, then the lines of `summary` and the notes.
    """
    table = plain_table("image", f"P({escape(decider.classes[1])})", "score", "decision", "note")
    for each in predictions:
        table.add_row(
            escape(each.image),
            number(each.probability),
            number(each.score),
            escape(each.decision or MISSING),
            escape(_note(each)),
        )
    return Group(table, *(escape(line) for line in (*summary(run, decider, predictions), *notes)))


def predictions_csv(predictions: Sequence[Prediction]) -> str:
    """CSV with one row per image, unrounded figures and empty cells for missing values."""
    heads = ("image", "probability", "score", "decision", "note")
    return csv_text(heads, [(p.image, p.probability, p.score, p.decision, _note(p)) for p in predictions])


def predictions_document(
    run: Run, decider: DecisionRule, predictions: Sequence[Prediction], notes: Sequence[str] = ()
) -> dict[str, Any]:
    """The predictions as a JSON document.

    Args:
        run: The run that predicted.
        decider: Its threshold and calibration.
        predictions: One per image.
        notes: Further lines for the reader.

    Returns:
        The run, its threshold and calibration, the notes and the images.
    """
    return {
        "run": run.run_id,
        "card": run.spec.card.name,
        "seed": run.spec.seed,
        "classes": list(decider.classes),
        "positive": decider.classes[1],
        "threshold": {
            "rule": decider.threshold.rule,
            "raw": decider.threshold.value,
            "calibrated": decider.calibrated_threshold,
            "reason": decider.threshold.reason if decider.threshold.value is None else None,
        },
        "calibration": {
            "method": decider.calibrator.method if decider.calibrator.accepted else None,
            "reason": decider.calibrator.reason,
        },
        "notes": list(notes),
        "images": [asdict(each) for each in predictions],
    }


def summary(run: Run, decider: DecisionRule, predictions: Sequence[Prediction]) -> list[str]:
    """Sentences about predictions.

    Args:
        run: The run that predicted.
        decider: Its threshold and calibration.
        predictions: One per image.

    Returns:
        Lines with the counts by class, the run, the threshold, the calibration and the warning against clinical use.
    """
    decided = [each for each in predictions if each.error is None]
    counts = ", ".join(f"{sum(each.decision == name for each in decided)} {name}" for name in decider.classes)
    outside = sum(bool(each.outside) for each in decided)
    broken = len(predictions) - len(decided)
    chosen = decider.threshold
    if chosen.value is None:
        decision = f"no decision: no threshold was chosen ({chosen.reason})"
    else:
        decision = (
            f"decision: {decider.classes[1]} if the score is {number(chosen.value)} or more (rule {chosen.rule}, "
            f"chosen on validation; as a probability {number(decider.calibrated_threshold)})"
        )
    return [
        f"{plural(len(predictions), 'image')}: {counts}; {outside} unlike the training images; "
        f"{broken} without a prediction",
        f"run {run.run_id}: {run.spec.card.name} seed {run.spec.seed}, trained on {run.spec.dataset.title}",
        decision,
        calibration_line(decider.calibrator),
        NOT_CLINICAL,
    ]


def calibration_line(calibrator: Calibrator) -> str:
    """The calibrator of the probabilities, or the reason why there is none."""
    if not calibrator.accepted:
        return f"probability: the uncalibrated score; calibration was rolled back ({calibrator.reason})"
    return (
        f"probability: calibrated by {calibrator.method} fitted on validation (log loss "
        f"{number(calibrator.log_loss_before)} before, {number(calibrator.log_loss_after)} after, cross-fitted)"
    )


def _note(each: Prediction) -> str:
    if each.error is not None:
        return f"no prediction: {one_line(each.error)}"
    return f"outside: {'; '.join(each.outside)}" if each.outside else ""
