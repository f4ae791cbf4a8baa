"""Sentences and rows about facts that distinguish the classes without content."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reports.text import MISSING, interval, listed, number, p_text

if TYPE_CHECKING:
    from benchmark.data.checks.shortcuts import Shortcut
    from reports.results.images.shortcuts import ShortcutBaseline

FACT_HEADS = ("facts alone", "AUC", "95% interval", "shuffled", "notable", "what differs most")
GAIN_HEADS = ("card", "adds to the AUC", "95% interval", "p", "Holm")


def fact_rows(shortcuts: Sequence[Shortcut]) -> list[list[str]]:
    """The facts that were judged, as rows under `FACT_HEADS`."""
    return [
        [
            each.facts,
            number(each.auc),
            MISSING if each.low is None or each.high is None else interval((each.low, each.high)),
            number(each.chance),
            each.verdict(),
            each.detail or MISSING,
        ]
        for each in shortcuts
        if each.auc is not None
    ]


def gain_rows(baseline: ShortcutBaseline) -> list[list[str]]:
    """What each card adds, as rows under `GAIN_HEADS`."""
    return [
        [
            gain.card,
            number(gain.difference.value, sign=True),
            interval(gain.difference.bounds, sign=True) or gain.difference.reason or MISSING,
            p_text(gain.difference.p_value),
            p_text(gain.p_adjusted),
        ]
        for gain in baseline.gains
    ]


def sentences(baseline: ShortcutBaseline) -> list[str]:
    """What was judged on which images, and which facts are the baseline."""
    unit = baseline.shortcuts[0].unit
    lines = [
        "How well facts without content distinguish the classes: each group alone, by a linear classifier, "
        f"cross-validated on train and validation. The level of chance is that of shuffled {unit}.",
        *(f"{each.line()[:1].upper()}{each.line()[1:]}." for each in baseline.shortcuts if each.notable),
    ]
    if (line := unjudged_line(baseline.shortcuts)) is not None:
        lines.append(f"{line[:1].upper()}{line[1:]}.")
    if baseline.test is not None and baseline.scored:
        ends = interval(baseline.test.bounds)
        lines.append(
            f"The strongest on train and validation ({listed(baseline.scored)}), fitted to train, has a test AUC of "
            f"{number(baseline.test.value)} {ends}".rstrip()
            + ". What a card adds is its test AUC minus this one, paired by image; Holm is p adjusted over the cards."
        )
    return lines


def unjudged_line(shortcuts: Sequence[Shortcut]) -> str | None:
    """The facts that are not judged, by reason; None if all are, or there are none."""
    reasons: dict[str, list[str]] = {}
    for each in shortcuts:
        if each.auc is None and each.reason is not None:
            reasons.setdefault(each.reason, []).append(each.facts)
    if not reasons:
        return None
    listing = "; ".join(f"{', '.join(facts)} ({reason})" for reason, facts in reasons.items())
    return f"not judged as shortcuts: {listing}"
