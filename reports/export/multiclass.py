"""What decision.json, the example and the model card say about three or more classes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from benchmark.evidence.calibration.class_wise import assess_multiclass
from benchmark.evidence.decisions.decide import TIE, Decision
from benchmark.evidence.metrics.multiclass import multiclass_metrics
from benchmark.evidence.metrics.registry import label_of
from benchmark.evidence.scores import CLIP, MulticlassScores
from benchmark.runs.deployment.multiclass import MulticlassDecisionRule
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from reports.render.markdown.table import cell, table
from reports.render.terminal.predictions import calibration_line
from reports.results.guarantee_text import StatedShare
from reports.text import capital, interval, measured, number

MULTICLASS_FORMAT = 3
"""Version of a decision.json for three or more classes."""

FORMULA = "probabilities = softmax(slopes * log(clip(scores, clip, 1)) + intercepts)"


def guarantee_document(share: StatedShare | None) -> dict[str, Any] | None:
    """What was guaranteed for decision.json; None for a rule that states no share of right decisions in a class."""
    if share is None:
        return None
    test = None if share.test is None else {key: getattr(share.test, key) for key in ("value", "low", "high")}
    return {
        "rule": share.rule,
        "of_class": share.of_class,
        **asdict(share.guarantee),
        "test": test,
        "in_words": "; ".join(share.lines()),
    }


def decision_and_calibration(
    decider: MulticlassDecisionRule, share: StatedShare | None = None, again: str | None = None
) -> dict[str, Any]:
    """The parts of decision.json that turn raw scores into a class and probabilities.

    Args:
        decider: What decides for the run.
        share: What validation supports of the share that the rule states; None for other rules.
        again: How the decision was chosen again, in words; None for the decision of the run.

    Returns:
        The fields of the document.
    """
    decision, calibrator = decider.decision, decider.calibrator
    threshold = decision.threshold
    return {
        "decision": {
            "rule": decision.rule,
            "in_words": decision.in_words(),
            "class": decision.of_class,
            "chosen_again": again,
            "target": decision.target,
            "value": decision.value,
            "costs": None if decision.costs is None else [list(row) for row in decision.costs],
            "raw": None if threshold is None else threshold.value,
            "low": None if threshold is None else threshold.low,
            "high": None if threshold is None else threshold.high,
            "reason": decision.reason,
            "caution": decision.caution,
            "guarantee": guarantee_document(share),
            "decision": f"{_sentence(decision)}; of equally good classes the first{_calibrated_or_not(decision)}",
        },
        "calibration": {
            "method": calibrator.method if calibrator.accepted else None,
            "reason": calibrator.reason,
            "slopes": list(calibrator.slopes),
            "intercepts": list(calibrator.intercepts),
            "clip": CLIP,
            "formula": formula(decider),
        },
    }


def formula(decider: MulticlassDecisionRule) -> str:
    """The formula of the calibrated probabilities, given raw scores."""
    return FORMULA if decider.calibrator.accepted else "probabilities = scores"


def example_lines(decider: MulticlassDecisionRule) -> tuple[str, str]:
    """Python expressions of `probabilities`, given `scores` and `facts`, and of `decision`, given `classes` as well."""
    probabilities = "scores"
    if decider.calibrator.accepted:
        part = 'np.array(facts["calibration"]["{}"])'
        slopes, intercepts = part.format("slopes"), part.format("intercepts")
        probabilities = f"softmax({slopes} * np.log(np.clip(scores, {CLIP!r}, 1)) + {intercepts})"
    decision, raw = decider.decision, 'facts["decision"]["raw"]'
    highest = "classes[scores.argmax()]"
    if not decision.is_chosen:
        return probabilities, "None"
    if decision.rule == "cost":
        weights = "scores" if decision.calibrator is None else "probabilities"
        return probabilities, f'classes[cheapest({weights} @ np.array(facts["decision"]["costs"]))]'
    if decision.rule == "abstain":
        return probabilities, f"{highest} if scores.max() >= {raw} else None"
    if decision.of_class is not None:
        label = decision.classes.index(decision.of_class)
        others = f"classes[np.where(np.arange(len(classes)) == {label}, -1, scores).argmax()]"
        return probabilities, f"classes[{label}] if scores[{label}] >= {raw} else {others}"
    return probabilities, highest


EXAMPLE_HELPERS = f"""\
def softmax(x):
    powers = np.exp(x - x.max())
    return powers / powers.sum()

def cheapest(costs):  # sums of equal costs may differ in the last digits
    return (costs <= costs.min() * (1 + {TIE!r})).argmax()
"""


def decision_lines(decider: MulticlassDecisionRule, share: StatedShare | None = None) -> list[str]:
    """The section of the model card on the decision, the share that it states, and the probabilities."""
    decision = decider.decision
    lines = ["## Decision and probability", ""]
    if not decision.is_chosen:
        lines.append(
            f"Nothing was chosen for {cell(decision.in_words())}: {cell(decision.reason or '')}. The model returns "
            "scores without a decision."
        )
    else:
        threshold = decision.threshold
        bounds = "" if threshold is None or threshold.bounds is None else f" (95% {interval(threshold.bounds)})"
        lines.append(
            f"Decision: {cell(_sentence(decision))}{bounds} ({cell(decision.in_words())}). "
            + (
                "The raw scores decide, as in the benchmark; calibration never changes a decision."
                if decision.calibrator is None
                else "The calibrated probabilities decide, as in the benchmark."
            )
        )
        lines += [] if share is None else ["", f"{cell(capital('; '.join(share.lines())))}."]
        if decision.caution is not None:
            lines += ["", f"Caution: {cell(decision.caution)}."]
    return [*lines, "", f"{cell(calibration_line(decider.calibrator))}: `{formula(decider)}`.", ""]


def figure_lines(run: Run, store: Store, decider: MulticlassDecisionRule) -> Iterator[str]:
    """Write the section of the model card on figures: of the highest score, and of another chosen decision.

    Args:
        run: The exported run.
        store: The store that contains it.
        decider: Its decision and calibration.

    Yields:
        Lines of markdown.

    Raises:
        ConfigError: The scores of `run` cannot be read.
    """
    decision = decider.decision
    columns = [("test, highest score", run.figures("test"))]
    if decision.is_chosen and decision.rule != "argmax":
        on_test, on_val = ((f"{split}, {decision.in_words()}", run.figures(split, True)) for split in ("test", "val"))
        columns = [on_test, *columns, on_val]
    else:
        columns += [("val, highest score", run.figures("val"))]
    yield from (
        "## Figures",
        "",
        "With 95% intervals. What was chosen was chosen on validation, so validation figures of it are optimistic.",
        "",
    )
    records = multiclass_metrics(
        decider.classes, ordered=run.spec.dataset.ordered, costs=decision.costs, abstains=decision.abstains
    )
    rows = [
        [label_of(key), *(measured(figures.get(key), with_interval=True) for _, figures in columns)]
        for key in records
        if any(key in figures for _, figures in columns)
    ]
    yield from table(["metric", *(name for name, _ in columns)], rows)
    yield ""
    if run.spec.stage != "bench":
        yield "This run is a trial of a search, which is never scored on test."
    else:
        test = store.scores(run, "test")
        assert isinstance(test, MulticlassScores)
        before, after = assess_multiclass(test), assess_multiclass(decider.calibrator.apply(test))
        yield (
            f"Test, uncalibrated and calibrated: ECE of the highest score {number(before.top_label.ece)} and "
            f"{number(after.top_label.ece)}; mean ECE of the classes {number(before.class_wise_ece)} and "
            f"{number(after.class_wise_ece)}; Brier score {number(before.brier)} and {number(after.brier)}; log loss "
            f"{number(before.log_loss)} and {number(after.log_loss)}."
        )
    yield ""


def _calibrated_or_not(decision: Decision) -> str:
    return ", whatever the calibration" if decision.calibrator is None else ""


def _sentence(decision: Decision) -> str:
    raw = None if decision.threshold is None else decision.threshold.value
    if not decision.is_chosen:
        return "none"
    if decision.rule == "cost":
        weights = "scores" if decision.calibrator is None else "probabilities"
        return f"the class with the lowest expected cost, {weights} x costs"
    if decision.rule == "abstain":
        return f"the class with the highest raw score if it is at least {raw!r}, else none"
    if decision.rule == "class_at":
        return (
            f"{decision.of_class} where its raw score is at least {raw!r}, else the one of the other classes with the "
            "highest raw score"
        )
    return "the class with the highest raw score"
