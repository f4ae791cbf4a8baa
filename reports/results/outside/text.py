"""External validations in words and in the cells of tables."""

from __future__ import annotations

from collections.abc import Iterator

from benchmark.evidence.calibration.calibrators import Calibrator
from benchmark.evidence.decisions.decide import Decision
from benchmark.evidence.external.observed_expected import OBSERVED_EXPECTED
from benchmark.evidence.metrics.registry import Figure
from benchmark.runs.outcome import Choice
from reports.results.outside.figures import PREVALENCE, Group
from reports.results.outside.recalibration import Recalibration
from reports.results.outside.validation import OutsideValidation
from reports.text import MISSING, capital, decimals_of, estimate, listed, number, plural, probability

TITLE = "Outside validation"
"""The heading of the section."""


RECALIBRATED_HEADS = ("figure", "as stored", "recalibrated", "difference, paired")
"""The heads of the table of both versions of the model."""

GROUPS: dict[Group, str] = {
    "discrimination": "discrimination",
    "decisions": "decisions as transferred",
    "calibration": "calibration",
    "images": "images",
}
"""What the figures of a group are about."""

INTRODUCTION = (
    "A stored model is applied without refitting, with its threshold or decision and its calibration, to images from "
    "elsewhere: external validation in the terms of TRIPOD+AI. Nothing of it changes a run."
)

FEW_EVENTS = 100
"""With fewer images of a class, external validation is imprecise (Collins et al. 2016)."""


def heading(validation: OutsideValidation) -> str:
    """The model and the images in a few words."""
    spec = validation.evaluation.spec
    part = "" if spec.part == "all" else f", part {spec.part}"
    return f"{validation.card}, seed {validation.seed}, on {spec.data.title}{part}"


def heads(validation: OutsideValidation) -> tuple[str, str, str, str]:
    """The heads of the table of figures. Images of the model's own source are not called outside."""
    return "figure", "test of the run", "own source" if validation.own_source else "outside", "difference"


def sentences(validation: OutsideValidation) -> tuple[str, ...]:
    """What a reader must know about an external validation, the most important first."""
    return tuple(_sentences(validation))


def rows_text(validation: OutsideValidation) -> list[tuple[str, ...]]:
    """The cells of the table of figures, in the order of `heads`."""
    return [
        (row.label, _text(row.test), _text(row.outside), _text(row.difference, sign=True)) for row in validation.rows
    ]


def recalibrated_text(recalibration: Recalibration) -> list[tuple[str, ...]]:
    """The cells of the table of both versions, in the order of `RECALIBRATED_HEADS`."""
    return [
        (
            row.label,
            _text(row.as_stored),
            _text(row.recalibrated),
            MISSING if row.difference is None else estimate(row.difference, decimals_of(row.key), sign=True),
        )
        for row in recalibration.rows
    ]


def recalibration_sentences(validation: OutsideValidation) -> tuple[str, ...]:
    """What was refitted on which images, and on which both versions are compared; empty if it was not asked for."""
    recalibration = validation.recalibration
    if recalibration is None:
        return ()
    if recalibration.reason is not None:
        return (f"Recalibration on a part of these images is not possible: {recalibration.reason}.",)
    part, rest = sum(recalibration.part), sum(recalibration.rest)
    unit = "patients" if recalibration.by_patient else "images"
    return (
        f"What recalibration would give: {plural(part, 'image')} ({recalibration.share:.0%} of the {unit} of each "
        f"class, seed {recalibration.seed}) set it, and both versions are compared on the other "
        f"{plural(rest, 'image')}. The stored model and its threshold stay as they are.",
        f"{_refitted(recalibration)}; {_chosen_again(validation.choice, recalibration.choice)}.",
    )


def one_line_about(validation: OutsideValidation) -> str:
    """The external validation in one line, for the view of a run."""
    keys = ("auc", "auc:macro", "recall", "specificity", "accuracy", "calibration_slope")
    figures = [f"{row.label} {_text(row.outside)}" for key in keys if (row := validation.row(key)) is not None]
    if len(validation.classes) == 2:
        figures = [text for text in figures if not text.startswith("accuracy")]
    count = plural(sum(validation.images), "image")
    kind = "evaluation on its own source" if validation.own_source else "outside validation"
    return f"{kind} {validation.evaluation.evaluation_id}, {count} of {_source(validation)}: " + ", ".join(figures)


def _sentences(validation: OutsideValidation) -> Iterator[str]:
    counts = [f"{count} {name}" for name, count in zip(validation.classes, validation.images, strict=True)]
    patients = "patients are not known" if validation.patients is None else plural(validation.patients, "patient")
    yield (
        f"{plural(sum(validation.images), 'image')} of {_source(validation)}: {listed(counts)}; {patients}. "
        f"{capital(_transferred(validation.choice))} ({validation.rule}). Probabilities are "
        f"{'calibrated on the validation images of the run' if validation.calibrated else 'the raw scores'}."
    )
    if validation.own_source:
        yield (
            "These images are of the source that the model was trained on. This is no external validation, unless "
            "this part of the source is from another hospital, machine or time."
        )
    yield from _left_out(validation)
    if validation.absent:
        yield (
            f"No image is of {listed(validation.absent)}: figures that need it are missing, and the others are not "
            "about the task as a whole."
        )
    few = [
        f"{count} {name}"
        for name, count in zip(validation.classes, validation.images, strict=True)
        if 0 < count < FEW_EVENTS
    ]
    if few:
        yield (
            f"Only {listed(few)}: with fewer than {FEW_EVENTS} images of a class, external validation is imprecise "
            "(Collins et al. 2016)."
        )
    yield from _calibration(validation)
    yield from _prevalence(validation)
    chance = validation.evaluation.unlike_by_chance
    expected = (
        "the model has no references of its training images, so only colour and depth are checked"
        if chance is None
        else f"about {chance:.1%} exceed each limit by chance"
    )
    yield f"Unlike the training images: {estimate(validation.unlike)} of the images; {expected}."


def _left_out(validation: OutsideValidation) -> Iterator[str]:
    evaluation = validation.evaluation
    if evaluation.known:
        counts = listed([f"{count} {split}" for split, count in evaluation.known.items()])
        related = f", and {plural(evaluation.related, 'image')} of their patients" if evaluation.related else ""
        yield f"Left out as images of this model: {counts}{related}. They are no outside validation."
    if not evaluation.digests_known:
        yield (
            "The model was stored without the digests of its images, so images that it knows cannot be recognised: "
            "figures may be too good."
        )
    if evaluation.without_score:
        name, reason = next(iter(evaluation.without_score.items()))
        count = plural(len(evaluation.without_score), "image")
        yield f"{count} without a score left out, such as {name} ({reason})."


def _calibration(validation: OutsideValidation) -> Iterator[str]:
    """What the intervals say about the probabilities of two classes."""
    ratio, slope = validation.row(OBSERVED_EXPECTED), validation.row("calibration_slope")
    if ratio is not None and (side := _side(ratio.outside, 1.0)) is not None:
        yield (
            f"Probabilities are too {'low' if side > 0 else 'high'} on average: observed / expected is "
            f"{estimate(ratio.outside)}."
        )
    if slope is not None and (side := _side(slope.outside, 1.0)) is not None:
        yield (
            f"Probabilities are too {'moderate' if side > 0 else 'extreme'}: the calibration slope is "
            f"{estimate(slope.outside)}."
        )


def _prevalence(validation: OutsideValidation) -> Iterator[str]:
    row = validation.row(PREVALENCE)
    if row is not None and not validation.absent and _side(row.difference, 0.0) is not None:
        yield (
            f"The share of {validation.classes[1]} is {estimate(row.outside)} here and {estimate(row.test)} in the "
            "test of the run: accuracy, predictive values, F1, average precision and calibration change with it."
        )


def _side(figure: Figure, aim: float) -> int | None:
    """On which side of `aim` the whole interval is; None if it includes the aim or is missing."""
    if figure.bounds is None or figure.bounds[0] <= aim <= figure.bounds[1]:
        return None
    return 1 if figure.bounds[0] > aim else -1


def _source(validation: OutsideValidation) -> str:
    spec = validation.evaluation.spec
    return spec.data.source if spec.part == "all" else f"{spec.data.source} ({spec.part})"


def _transferred(choice: Choice) -> str:
    if isinstance(choice, Decision):
        return "the decision is transferred" if choice.is_chosen else f"no decision was chosen: {choice.reason}"
    if choice.value is None:
        return f"no threshold was chosen: {choice.reason}"
    return f"the threshold {probability(choice.value)} is transferred"


def _refitted(recalibration: Recalibration) -> str:
    calibrator = recalibration.calibrator
    if calibrator is None or not calibrator.accepted:
        reason = "unknown" if calibrator is None else calibrator.reason
        return f"Probabilities, taken as scores, are not recalibrated: {reason}"
    if isinstance(calibrator, Calibrator):
        slope, intercept = calibrator.parameters
        return f"Probabilities are refitted on the logit with slope {number(slope)} and intercept {number(intercept)}"
    return "Probabilities are refitted with a slope and an intercept per class (vector scaling)"


def _chosen_again(stored: Choice, again: Choice | None) -> str:
    if again is None or isinstance(again, Decision):
        chosen = again is not None and again.is_chosen
        return "the decision is chosen again by the rule of the run" if chosen else "no decision can be chosen again"
    if again.value is None:
        return f"no threshold can be chosen again: {again.reason}"
    before = MISSING if stored.value is None or isinstance(stored, Decision) else probability(stored.value)
    return f"the threshold becomes {probability(again.value)} instead of {before} by the rule of the run"


def _text(figure: Figure | None, sign: bool = False) -> str:
    return MISSING if figure is None else estimate(figure, decimals_of(figure.metric), sign)
