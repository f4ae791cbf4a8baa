"""The plain text of a plan, shared by all renderers."""

from __future__ import annotations

from collections.abc import Iterator

from benchmark.evidence.comparison.power import POWER
from reports.planning.model import ClaimPlan, Plan
from reports.text import MISSING, number, plural


def heads(plan: Plan) -> tuple[str, ...]:
    """The heads of the table of claims."""
    return (
        "claim",
        "margin",
        "can be met from",
        "reproduced",
        f"differs if {plan.experiment.difference:g} off",
        "images for 80%",
        "seeds for 80%",
    )


def row_cells(claim: ClaimPlan) -> list[str]:
    """The cells of a claim under `heads`, with its note below its words."""
    words = f"{claim.about}: {claim.claim}"
    if claim.if_true is not None and claim.if_true != "no difference":
        words += f" (if true: {claim.if_true})"
    if claim.note is not None:
        words += f"\n  {claim.note}"
    planned = claim.power is not None
    return [
        words,
        number(claim.limit),
        number(claim.attainable),
        _percent(claim.power),
        _percent(claim.power_to_differ),
        MISSING if not planned else "none" if claim.images is None else f"{claim.images:,}",
        MISSING if not planned else "none" if claim.seeds is None else str(claim.seeds),
    ]


def answer(plan: Plan) -> str:
    """How many claims can be decided with this test set, in a sentence."""
    planned = [claim for claim in plan.claims if claim.power is not None]
    likely = sum(claim.power is not None and claim.power >= POWER for claim in planned)
    limited = sum(claim.note is not None and "too uncertain" in claim.note for claim in planned)
    if not planned:
        return "No claim can be planned; the table says why."
    sizes = plan.experiment.sizes
    of = "the published test sets" if sizes is None else f"{sum(sizes.values()):,} test images"
    text = (
        f"With {of} and {plural(plan.experiment.noise.seeds, 'seed')}, {likely} of {plural(len(planned), 'claim')} "
        "would probably be reproduced if true"
    )
    return text + (f"; {limited} cannot be at this margin by any number of images." if limited else ".")


def note_lines(plan: Plan) -> Iterator[str]:
    """What the columns mean, where the margin comes from, and the assumptions."""
    origin = "where it comes from is not stated" if plan.margin_from is None else plan.margin_from
    yield f"Margin {plan.margin:g}: {origin}."
    yield (
        "can be met from: the smallest margin, or distance from a bound, at which the claim is reproduced with 80% "
        "probability. reproduced: the probability at the margin, of printed figures if nothing differs."
    )
    yield from plan.notes


def _percent(share: float | None) -> str:
    return MISSING if share is None else f"{share:.0%}"
