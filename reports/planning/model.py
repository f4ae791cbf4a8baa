"""A plan as plain data: for each claim, what can come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from benchmark.evidence.metrics.influence import ClassSizes
from benchmark.evidence.planning.noise import Noise

BETWEEN_CARDS = 0.5
"""Share of the variance of an image's scores that two cards have in common, by assumption."""
SETS = 400
"""The number of simulated experiments per claim."""
SEARCH_SETS = 150
"""The number of simulated experiments per step of a search."""
SEEDS = (1, 2, 3, 5)
"""The numbers of seeds that are tried."""


@dataclass(frozen=True)
class Experiment:
    """The planned measurement.

    Attributes:
        sizes: Test images by class, two classes as `negatives` and `positives`; None for the test set of each row.
        noise: The number of seeds, and how trainings vary by assumption.
        class_sizes: Whether the class sizes of the test set are fixed by the protocol or drawn.
        difference: The true difference at which a claim should be contradicted, beyond the margin of a statement.
        expected: The true figure of cards for which no figure is printed, by assumption.
        sets: The number of simulated experiments per claim.
        from_printed: Whether a statement is planned at the printed figures of its cards, where they are printed.
    """

    sizes: Mapping[str, int] | None
    noise: Noise
    class_sizes: ClassSizes
    difference: float
    expected: float
    sets: int = SETS
    from_printed: bool = False

    @property
    def search_sets(self) -> int:
        """The number of simulated experiments per step of a search."""
        return min(self.sets, SEARCH_SETS)


@dataclass(frozen=True)
class ClaimPlan:
    """What can come out for one claim.

    Attributes:
        about: Name of the row, or id of the statement.
        claim: The claim in words.
        kind: A printed figure, or a statement.
        if_true: The true state of affairs behind `power`, in words; None without a plan.
        limit: The margin or bound of the claim; None where it has none.
        attainable: The smallest margin, or distance from the bound, at which the claim is reproduced with 80%
            probability; None if none is.
        attainable_unlimited: The same with unlimited images and seeds, which the sample of a printed figure limits;
            None for a statement.
        power: The probability of `reproduced` under `if_true`.
        power_to_differ: The probability of `differs` if the truth differs by the difference of the experiment; None for
            one training, which cannot contradict a claim about a recipe.
        images: About how many test images give a power of 80%; None if no number does, or more than 50,000.
        seeds: The smallest tried number of seeds with a power of 80% on the planned images; None if none has it.
        note: Why there is no plan, or why no number of images or seeds suffices.
    """

    about: str
    claim: str
    kind: Literal["figure", "statement"]
    if_true: str | None = None
    limit: float | None = None
    attainable: float | None = None
    attainable_unlimited: float | None = None
    power: float | None = None
    power_to_differ: float | None = None
    images: int | None = None
    seeds: int | None = None
    note: str | None = None


@dataclass(frozen=True)
class Plan:
    """The plan for one claims file.

    Attributes:
        name: The name of the claims.
        title: Their title.
        margin: The margin of their figures.
        margin_from: Where it comes from; None where the file does not say it.
        experiment: The planned measurement.
        claims: One entry per printed test figure, and per part of a statement.
        notes: Assumptions, and what the plan does not cover.
    """

    name: str
    title: str
    margin: float
    margin_from: str | None
    experiment: Experiment
    claims: tuple[ClaimPlan, ...]
    notes: tuple[str, ...]
