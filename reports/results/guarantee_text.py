"""What was guaranteed when a threshold was chosen, on which images, and what the test says about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.evidence.metrics.registry import Figure
from benchmark.evidence.scores import Scores
from benchmark.evidence.thresholds.choice import Threshold
from benchmark.evidence.thresholds.guarantee import REPORTED, Guarantee, guarantee_at, images_needed
from benchmark.evidence.thresholds.rules import get_rule
from benchmark.runs.protocol import Protocol
from benchmark.runs.run import DatasetFacts, Run
from reports.results.conditions.hold_out_text import held_out_images, other_images
from reports.text import estimate, number, plural


@dataclass(frozen=True)
class StatedShare:
    """The share of right decisions in a class that the rule of a run states.

    Attributes:
        rule: `sensitivity` or `specificity`.
        of_class: The class in words, such as "PNEUMONIA" or "other than MELANOMA".
        guarantee: What validation supports.
        test: The share on test with its interval; None where the run was not scored on test.
        limits: What a guarantee is not about; None without a guarantee.
    """

    rule: str
    of_class: str
    guarantee: Guarantee
    test: Figure | None
    limits: str | None = None

    def lines(self) -> tuple[str, ...]:
        """Sentences without ends: how the threshold was chosen, what the test says, and the limits of a guarantee."""
        test = () if self.test is None else (f"test {self.rule} {estimate(self.test)} at this threshold",)
        return (self.chosen(), *test, *([] if self.limits is None else [self.limits]))

    def chosen(self) -> str:
        """What was guaranteed or not, and on which images."""
        facts = self.guarantee
        patients = "" if facts.patients is None else f", of {plural(facts.patients, 'patient')}"
        images = f"{plural(facts.validation, 'validation image')} ({facts.images} {self.of_class}{patients})"
        bound = f"{100 * (facts.confidence or REPORTED):g}% lower bound there is {number(facts.low)}"
        if facts.confidence is not None:
            return (
                f"chosen so that {self.rule} is at least {facts.target:g} with {100 * facts.confidence:g}% confidence, "
                f"on {images}: {self.rule} {number(facts.share)}; its {bound}"
            )
        return (
            f"chosen for {self.rule} {facts.target:g} on {images}, not guaranteed on other images: {self.rule} "
            f"{number(facts.share)} on validation; its {bound}"
        )


def stated_share(run: Run, val: Scores | None = None) -> StatedShare | None:
    """What was guaranteed by the threshold of a run, or by that of the class of its decision.

    Args:
        run: A finished run.
        val: Its validation scores of two classes, for records that do not say it.

    Returns:
        The share that the rule states; None for rules that state none, and where nothing was chosen.
    """
    decision = run.decision
    threshold = run.threshold if decision is None else decision.threshold
    if threshold is None or threshold.value is None:
        return None
    guarantee = threshold.guarantee or _of_old_record(run, threshold, val)
    if guarantee is None:
        return None
    label = get_rule(threshold.rule).class_stated
    metric = "recall" if label else "specificity"
    if decision is None:
        of_class, key = run.spec.dataset.classes[label], metric
    else:
        of_class = str(decision.of_class) if label else f"other than {decision.of_class}"
        key = f"{metric}:class:{decision.of_class}"
    limits = None if guarantee.confidence is None else _limits(run.spec.dataset)
    return StatedShare(threshold.rule, of_class, guarantee, run.figures("test", chosen=True).get(key), limits)


def _limits(facts: DatasetFacts) -> str:
    elsewhere = f" ({other_images(facts)}; the test images are {held_out_images(facts)})" if facts.hold_out else ""
    return (
        f"the guarantee is about images like those of validation{elsewhere}, not those of another hospital or machine, "
        "and about this card alone, not the best of several"
    )


def shortage_warning(protocol: Protocol, counts: Sequence[int], classes: Sequence[str]) -> str | None:
    """Why a protocol's rule will guarantee nothing on a planned split, before anything is trained.

    Args:
        protocol: The protocol.
        counts: The number of validation images of each class.
        classes: The names of the classes; of two, the positive one is last.

    Returns:
        A sentence without an end; None for a rule without a confidence, and where images may suffice.
    """
    of_two, stated = protocol.threshold, protocol.decision
    if len(classes) == 2:
        rule, value, confidence, of_class = of_two.rule, of_two.value, of_two.confidence, classes[1]
    elif stated.of_class in classes and stated.target is not None and stated.value is not None:
        rule, value, confidence, of_class = str(stated.target), stated.value, stated.confidence, str(stated.of_class)
    else:
        return None
    if confidence is None:
        return None
    of_rule = get_rule(rule)
    positives = counts[list(classes).index(of_class)]
    images = positives if of_rule.class_stated else sum(counts) - positives
    needed = images_needed(value, confidence)
    if needed is None or images >= needed:
        return None
    kind = of_class if of_rule.class_stated else f"other than {of_class}"
    return (
        f"{of_rule.aim(value, confidence)} needs at least {needed} validation images of {kind}; there are {images}: no "
        "threshold will be chosen"
    )


def _of_old_record(run: Run, threshold: Threshold, val: Scores | None) -> Guarantee | None:
    if val is None or run.decision is not None or threshold.value is None:
        return None
    rule = run.spec.protocol.threshold
    return guarantee_at(val, get_rule(rule.rule), rule.value, threshold.value, rule.confidence)
