"""The runs behind the figures of a card."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.runs.run import Run
from reports.results.comparison.card_figures import CardFigures


def finished_runs(figures: CardFigures, runs: Sequence[Run]) -> tuple[Run, ...]:
    """The runs behind the figures of a card, one per seed.

    Args:
        figures: The figures.
        runs: Runs of any card, among them those of this card.

    Returns:
        The finished runs of the same version of the card, without those that were left out.
    """
    identity = figures.card.identity()
    return tuple(
        run
        for run in runs
        if run.status == "ok"
        and run.spec.card.name == figures.card.name
        and run.spec.seed in figures.seeds
        and run.spec.card.identity() == identity
    )
