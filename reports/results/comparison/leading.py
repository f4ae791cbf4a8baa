"""Which figures of runs lead: at the threshold or by the decision of the protocol, with the default ones beside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmark.evidence.estimate import SampleEstimate
from benchmark.evidence.metrics.multiclass import find_multiclass
from benchmark.evidence.metrics.registry import NOT_METRICS, Figure, find_metric
from benchmark.runs.outcome import HALF
from benchmark.runs.protocol import Protocol
from benchmark.runs.run import Run
from reports.results.comparison.card_figures import CardFigures
from reports.results.measured import is_multiclass
from reports.results.multiclass.figures import ARGMAX
from reports.text import estimate, number


@dataclass(frozen=True)
class Leading:
    """Which decisions the leading figures of runs under one protocol are of.

    Attributes:
        chosen: Whether they are those of the protocol's rule; else the default ones.
        words: Which decisions, such as "at the threshold chosen on validation: sensitivity at least 0.95".
        beside: The default decisions, such as "at 0.5", whose figures are given beside; None where these lead.
    """

    chosen: bool
    words: str
    beside: str | None = None

    @property
    def at(self) -> Literal["half", "chosen"]:
        """The leading decisions as the column `at` of tables names them."""
        return "chosen" if self.chosen else "half"

    def of_run(self, run: Run, key: str, split: str = "test") -> Figure | None:
        """The leading figure of a run.

        Args:
            run: A finished run under the protocol.
            key: Name of the metric, or its key for three or more classes.
            split: "val" or "test".

        Returns:
            The figure; without a value, with the reason, where the run chose nothing on validation. None where it was
            not recorded.
        """
        if not self.chosen or not depends_on_decisions(key):
            return run.figures(split).get(key) or run.figures(split, chosen=True).get(key)
        reason = nothing_chosen(run)
        if reason is not None and run.figures(split):
            return Figure.missing(key, reason)
        return run.figures(split, chosen=True).get(key)

    def beside_run(self, run: Run, key: str, split: str = "test") -> Figure | None:
        """The figure of a run by the default decisions.

        Args:
            run: A finished run under the protocol.
            key: Name of the metric, or its key for three or more classes.
            split: "val" or "test".

        Returns:
            The figure; None where it leads, or does not depend on decisions.
        """
        return run.figures(split).get(key) if self._has_beside(key) else None

    def of_card(self, card: CardFigures, key: str) -> SampleEstimate | None:
        """The leading figure of a card over its seeds.

        Args:
            card: The figures of a card under the protocol.
            key: Name of the metric, or its key for three or more classes.

        Returns:
            The figure; without a value, with the reason, where a run chose nothing on validation. None where no run
            has it.
        """
        if not self.chosen or not depends_on_decisions(key):
            return card.at_half.get(key) or card.at_chosen.get(key)
        if not card.at_chosen and key in card.at_half:
            return SampleEstimate.missing(card.at_half[key].n, "a run chose nothing on validation")
        return card.at_chosen.get(key)

    def beside_card(self, card: CardFigures, key: str) -> SampleEstimate | None:
        """The figure of a card by the default decisions; None where it leads, or does not depend on decisions."""
        return card.at_half.get(key) if self._has_beside(key) else None

    def card_text(self, card: CardFigures, key: str) -> str:
        """The leading figure of a card with its 95% interval, then in brackets the one by the default decisions.

        Args:
            card: The figures of a card under the protocol.
            key: Name of the metric, or its key for three or more classes.

        Returns:
            The text. The figure in brackets has its interval only where the leading one is missing.
        """
        figure, beside = self.of_card(card, key), self.beside_card(card, key)
        if beside is None:
            return estimate(figure)
        missing = figure is None or figure.value is None
        return f"{estimate(figure)} ({estimate(beside) if missing else number(beside.value)})"

    def _has_beside(self, key: str) -> bool:
        return self.chosen and depends_on_decisions(key)


def leading(run: Run) -> Leading:
    """Which figures of a run lead, and of all runs under its conditions.

    A threshold other than 0.5, and a decision other than the highest score, lead: they are what the protocol asks for.
    A run that chose nothing has no leading figures, and its default figures never replace them.

    Args:
        run: A run under the protocol.

    Returns:
        The decisions whose figures lead.
    """
    return _of_classes(run.spec.protocol) if is_multiclass(run) else _of_threshold(run.spec.protocol)


def _of_threshold(protocol: Protocol) -> Leading:
    rule = protocol.threshold
    if rule.rule == "fixed" and rule.value == HALF:
        return Leading(False, f"at threshold {HALF:g}")
    if rule.rule == "fixed":
        return Leading(True, f"at the stated threshold {rule.value:g}", f"at {HALF:g}")
    return Leading(True, f"at the threshold chosen on validation: {rule.aim()}", f"at {HALF:g}")


def _of_classes(protocol: Protocol) -> Leading:
    rule = protocol.decision
    if rule.rule == "argmax":
        return Leading(False, f"of decisions for {ARGMAX}")
    return Leading(True, f"by the decision of the protocol: {rule.in_words()}", "by highest score")


def depends_on_decisions(key: str) -> bool:
    """Whether a figure depends on the threshold or the decision; its key may be of three or more classes."""
    if key in NOT_METRICS:
        return False
    if (metric := find_metric(key)) is not None:
        return metric.uses_threshold
    several = find_multiclass(key)
    return several is None or several.uses_decisions


def nothing_chosen(run: Run) -> str | None:
    """Why a run chose no threshold or no decision on validation; None where it chose one, or failed."""
    if is_multiclass(run):
        decision = run.decision
        return None if decision is None or decision.reason is None else f"no decision chosen: {decision.reason}"
    if run.threshold is None or run.threshold.value is not None or not run.threshold.reason:
        return None
    if run.figures("test", chosen=True):  # each fold of a cross-validation has its own
        return None
    return f"no threshold chosen: {run.threshold.reason}"
