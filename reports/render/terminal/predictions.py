"""Renders predictions as a table, a CSV file and a JSON document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from rich.console import Group, RenderableType

from benchmark.evidence.calibration.calibrators import Calibrator
from benchmark.evidence.calibration.scaling import MulticlassCalibrator
from benchmark.runs.deployment.decision_rule import DecisionRule, Prediction
from benchmark.runs.deployment.multiclass import AnyDecisionRule, AnyPrediction, MulticlassDecisionRule
from benchmark.runs.run import Run
from reports.render.csv_text import csv_text
from reports.render.terminal.table import escape, plain_table
from reports.results.scale import scale_of
from reports.text import MISSING, number, one_line, plural, probability

NOT_CLINICAL = "Not for clinical use: a benchmark's model, not validated for decisions about patients."


KNOWN: Mapping[str, str] = MappingProxyType(
    {
        "train": "a training image of this model",
        "val": "a validation image of this model",
        "test": "a test image of this model",
    }
)
"""What is said about an image that the model has seen or was tested on, by split."""

Known = Sequence[str | None]
"""The split of each predicted image among the images of the model, None for others; empty where none is known."""


def predictions_table(
    run: Run,
    decider: AnyDecisionRule,
    predictions: Sequence[AnyPrediction],
    notes: Sequence[str] = (),
    known: Known = (),
) -> RenderableType:
    """Render predictions for a terminal.

    Args:
        run: The run that predicted.
        decider: Its threshold, or its decision among several classes, and its calibration.
        predictions: One per image.
        notes: Further lines for the reader.
        known: The splits of images of the model.

    Returns:
        A table with one row per image, then the lines of `summary` and the notes.
    """
    table = plain_table(*map(escape, shown_columns(decider)), "note")
    for each, part in zip(predictions, known or [None] * len(predictions), strict=True):
        row = shown_row(each, decider)
        cells = [probability(value) if isinstance(value, float) else escape(value or MISSING) for value in row]
        table.add_row(*cells, escape(note_of(each, part)))
    lines = (*summary(run, decider, predictions), *known_lines(known), *notes)
    return Group(table, *map(escape, lines))


def known_lines(known: Known) -> list[str]:
    """A line about images that the model has seen, whose predictions say nothing about new images; none without any."""
    count = sum(part in ("train", "val") for part in known)
    if not count:
        return []
    return [
        f"{plural(count, 'file')} of {len(known)} used for training or validation of this model: on those it is better "
        "than on new images"
    ]


def note_of(each: AnyPrediction, part: str | None) -> str:
    """The note on an image, with whether the model knows it from its training or test; or the error."""
    text = _note_or_error(each)
    return "; ".join(filter(None, ("" if part is None else KNOWN.get(part, part), text)))


def predictions_csv(run: Run, decider: AnyDecisionRule, predictions: Sequence[AnyPrediction], known: Known = ()) -> str:
    """CSV with one row per image, unrounded figures and empty cells for missing values.

    Args:
        run: The run that predicted.
        decider: Its threshold, or its decision among several classes, and its calibration.
        predictions: One per image.
        known: The splits of images of the model.

    Returns:
        For two classes the probability and the score of the positive one. For more the predicted class and its
        probability, then the columns `probability:CLASS` and `score:CLASS` of each class. The last columns are the same
        in each row: whether probabilities are calibrated, the threshold of the score, and the run.
    """
    model = (scale_of(decider.calibrator).calibrated, _threshold(decider), run.run_id)
    parts = known or [None] * len(predictions)
    pairs = zip(predictions, parts, strict=True)
    rows = [(*values(each, decider.classes), note_of(each, part), *model) for each, part in pairs]
    return csv_text((*value_columns(decider), "note", "calibrated", "threshold", "run"), rows)


def predictions_document(
    run: Run,
    decider: AnyDecisionRule,
    predictions: Sequence[AnyPrediction],
    notes: Sequence[str] = (),
    known: Known = (),
) -> dict[str, Any]:
    """The predictions as a JSON document.

    Args:
        run: The run that predicted.
        decider: Its threshold, or its decision among several classes, and its calibration.
        predictions: One per image.
        notes: Further lines for the reader.
        known: The splits of images of the model.

    Returns:
        The run, its threshold or decision, its calibration, the notes and the images.
    """
    return {
        "run": run.run_id,
        "card": run.spec.card.name,
        "seed": run.spec.seed,
        "classes": list(decider.classes),
        **(_of_two(decider) if isinstance(decider, DecisionRule) else _of_several(decider)),
        "notes": list(notes),
        "images": [
            {**asdict(each), "known": part}
            for each, part in zip(predictions, known or [None] * len(predictions), strict=True)
        ],
    }


def summary(run: Run, decider: AnyDecisionRule, predictions: Sequence[AnyPrediction]) -> list[str]:
    """Sentences about predictions.

    Args:
        run: The run that predicted.
        decider: Its threshold, or its decision among several classes, and its calibration.
        predictions: One per image.

    Returns:
        Lines with the counts by class, the run, the rule, the calibration and the warning against clinical use.
    """
    decided = [each for each in predictions if each.error is None]
    counts = ", ".join(f"{sum(each.decision == name for each in decided)} {name}" for name in decider.classes)
    if isinstance(decider, MulticlassDecisionRule) and decider.decision.abstains:
        abstained = sum(each.abstained for each in decided if not isinstance(each, Prediction))
        counts += f", {abstained} left without a class"
    outside = sum(bool(each.outside) for each in decided)
    broken = len(predictions) - len(decided)
    return [
        f"{plural(len(predictions), 'image')}: {counts}; {outside} unlike the training images; "
        f"{broken} without a prediction",
        f"run {run.run_id}: {run.spec.card.name} seed {run.spec.seed}{_fold(run, decider)}, trained on "
        f"{run.spec.dataset.title}",
        decision_line(decider),
        *_cautions(decider),
        calibration_line(decider.calibrator),
        NOT_CLINICAL,
    ]


def _fold(run: Run, decider: AnyDecisionRule) -> str:
    """Which model of a cross-validation predicts; the figures of its report are of all of them."""
    if run.spec.fold is None:
        return ""
    count, index = run.spec.fold
    value = decider.threshold.value if isinstance(decider, DecisionRule) else None
    threshold = "" if value is None else f", threshold {probability(value)}"
    return f": the model of fold {index + 1} of {count}{threshold}"


def decision_line(decider: AnyDecisionRule) -> str:
    """The rule by which images are decided, or the reason why there is none."""
    if isinstance(decider, MulticlassDecisionRule):
        decision = decider.decision
        if not decision.is_chosen:
            return f"no decision: nothing was chosen for {decision.in_words()} ({decision.reason})"
        threshold = decision.threshold
        chosen = "" if threshold is None else f" (score of at least {probability(threshold.value)})"
        weights = "" if decision.probabilities_in_words is None else f"; {decision.probabilities_in_words}"
        return f"decision: {decision.in_words()}{chosen}{weights}"
    threshold = decider.threshold
    if threshold.value is None:
        return f"no decision: no threshold was chosen ({threshold.reason})"
    calibrated = scale_of(decider.calibrator).calibrated
    also = f"; as a calibrated probability {probability(decider.calibrated_threshold)}" if calibrated else ""
    cut = probability(threshold.value)
    chosen = f"rule {threshold.rule}, chosen on validation{also}"
    return f"decision: {decider.classes[1]} if the score is {cut} or more ({chosen})"


def _threshold(decider: AnyDecisionRule) -> float | None:
    """The score from which an image is decided; None if there is none, as with the class of the highest score."""
    threshold = decider.threshold if isinstance(decider, DecisionRule) else decider.decision.threshold
    return None if threshold is None else threshold.value


def _cautions(decider: AnyDecisionRule) -> list[str]:
    caution = decider.decision.caution if isinstance(decider, MulticlassDecisionRule) else None
    return [] if caution is None else [f"caution: {caution}"]


def calibration_line(calibrator: Calibrator | MulticlassCalibrator) -> str:
    """The calibrator of the probabilities, or the reason why there is none."""
    if not calibrator.accepted:
        return f"{scale_of(calibrator).words}: calibration was rolled back ({calibrator.reason})"
    method = calibrator.method if isinstance(calibrator, Calibrator) else f"{calibrator.method} scaling"
    return (
        f"{scale_of(calibrator).words}: by {method} (log loss "
        f"{number(calibrator.log_loss_before)} before, {number(calibrator.log_loss_after)} after, cross-fitted)"
    )


def shown_columns(decider: AnyDecisionRule) -> tuple[str, ...]:
    """The heads of the columns that a person reads, without the note."""
    scale = scale_of(decider.calibrator)
    if isinstance(decider, DecisionRule):
        positive = decider.classes[1]
        return ("image", *([f"P({positive})", "score"] if scale.calibrated else [f"score of {positive}"]), "decision")
    return ("image", "decision", scale.noun, "next class", f"its {scale.noun}")


def shown_row(each: AnyPrediction, decider: AnyDecisionRule) -> tuple[str | float | None, ...]:
    """Return the cells of one image that a person reads.

    The next class is the most probable of those that were not predicted. A score that is not calibrated is no
    probability, and is given once.

    Args:
        each: The prediction.
        decider: The rule that decided it.

    Returns:
        Values in the order of `shown_columns`; None for missing ones.
    """
    if isinstance(each, Prediction):
        values = (each.probability, each.score) if scale_of(decider.calibrator).calibrated else (each.score,)
        return (each.image, *values, each.decision)
    others = {name: value for name, value in each.probabilities.items() if name != each.decision}
    following = max(others, key=lambda name: others[name], default=None)
    return (each.image, each.decision, each.probability, following, others.get(following or ""))


def value_columns(decider: AnyDecisionRule) -> tuple[str, ...]:
    """The heads of all values per image, as in CSV, without the note."""
    return _value_columns(decider.classes)


def values(each: AnyPrediction, classes: Sequence[str]) -> tuple[str | float | None, ...]:
    """All values of one image, in the order of `value_columns`; None for missing ones."""
    if isinstance(each, Prediction):
        return (each.image, each.probability, each.score, each.decision)
    by_class = (table.get(name) for table in (each.probabilities, each.scores) for name in classes)
    return (each.image, each.decision, each.probability, *by_class)


def note(each: AnyPrediction) -> str:
    """What is unusual about one image, other than an error."""
    abstained = not isinstance(each, Prediction) and each.abstained
    parts = ["no class: its highest score is below the confidence"] if abstained else []
    parts += [f"outside: {'; '.join(each.outside)}"] if each.outside else []
    return "; ".join(parts)


def _note_or_error(each: AnyPrediction) -> str:
    return note(each) if each.error is None else f"no prediction: {one_line(each.error)}"


def _value_columns(classes: Sequence[str]) -> tuple[str, ...]:
    if len(classes) < 3:
        return ("image", "probability", "score", "decision")
    by_class = (f"{kind}:{name}" for kind in ("probability", "score") for name in classes)
    return ("image", "decision", "probability", *by_class)


def _of_two(decider: DecisionRule) -> dict[str, Any]:
    return {
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
            "probability_is": scale_of(decider.calibrator).words,
        },
    }


def _of_several(decider: MulticlassDecisionRule) -> dict[str, Any]:
    decision, calibrator = decider.decision, decider.calibrator
    return {
        "decision": {
            "rule": decision.rule,
            "in_words": decision.in_words(),
            "class": decision.of_class,
            "raw": decision.threshold.value if decision.threshold is not None else None,
            "reason": decision.reason,
            "caution": decision.caution,
        },
        "calibration": {
            "method": calibrator.method if calibrator.accepted else None,
            "reason": calibrator.reason,
            "probability_is": scale_of(calibrator).words,
        },
    }
