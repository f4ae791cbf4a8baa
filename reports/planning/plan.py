"""The plan for a claims file: every printed test figure and every part of a statement."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from reports.audit.audit import audit
from reports.claims.model import Claims
from reports.planning.figures import figure_plan
from reports.planning.model import BETWEEN_CARDS, ClaimPlan, Experiment, Plan
from reports.planning.statements import statement_plans
from reports.text import plural
from zoo.models.published import PublishedFigure


def plan_claims(claims: Claims, experiment: Experiment, probes: Collection[str] = ()) -> Plan:
    """Plan the verdicts on claims.

    Args:
        claims: The claims.
        experiment: The planned measurement.
        probes: The names of cards that are fitted, so that every seed is alike.

    Returns:
        The plan. It is the same for the same arguments: random numbers have a fixed seed.
    """
    audited = audit(claims)
    entries: list[ClaimPlan] = []
    for row in claims.rows:
        entries += (
            figure_plan(claims, audited, row, printed, experiment, row.card in probes)
            for printed in row.figures
            if _is_final(printed)
        )
    alike = dict.fromkeys(probes, True)
    for statement in claims.statements:
        entries += statement_plans(claims, {row.name: row for row in audited.rows}, statement, experiment, alike)
    notes = tuple(_notes(claims, experiment))
    return Plan(claims.name, claims.title, claims.margin, claims.margin_from, experiment, tuple(entries), notes)


def _notes(claims: Claims, experiment: Experiment) -> Iterator[str]:
    noise = experiment.noise
    yield (
        f"By {experiment.sets} simulated experiments per claim, judged by the rules of a report. A printed figure is "
        "taken to be as uncertain as its test set makes it. Scores of a class are normal, and each image is one "
        "patient; several images per patient need more."
    )
    if noise.seeds == 1:
        yield "differs is –: with one seed no claim about a recipe can differ, as another training may differ too."
    else:
        yield (
            f"Trainings differ with a standard deviation of {noise.spread:g} (--spread) and share "
            f"{noise.agreement:.0%} of the variance of an image's scores, by assumption."
        )
    if claims.statements:
        yield _truth_of_statements(experiment)
        yield (
            f"Two cards share {BETWEEN_CARDS:.0%} of the variance of an image's scores, and figures that are not "
            f"printed are {experiment.expected:g} (--expected), by assumption."
        )
    others = sum(not _is_final(each) for row in claims.rows for each in row.figures)
    if others:
        left_out = plural(others, "figure")
        yield f"Left out, as they cannot be compared: {left_out} of training, validation or single epochs."


def _truth_of_statements(experiment: Experiment) -> str:
    assumed = f"{experiment.difference:g} beyond its bound, or half the greatest possible distance if that is less"
    if not experiment.from_printed:
        return f"A sentence is planned for a truth that is {assumed} (--difference)."
    return (
        "A sentence is planned for the printed figures of its cards (if true: the printed ...). Where they are not "
        f"printed, the truth is assumed to be {assumed}: twice the margin. --difference states another truth."
    )


def _is_final(printed: PublishedFigure) -> bool:
    """Whether a printed figure is of the finished model on test."""
    return printed.split == "test" and printed.epoch is None
