"""A search result."""

from __future__ import annotations

from benchmark.runs.run import Run
from benchmark.runs.trial import SearchResult, Trial
from tests.support.tiny import card, finished, spec, split_facts

RATE, UNITS = "recipe.optimizer.learning_rate", "model.dense_units"


def result() -> SearchResult:
    """Three trials, two of them run again under other seeds, and one that failed."""
    trials = []
    for number, (rate, units, auc) in enumerate(((2e-5, 8, 0.91), (2.5e-3, 16, 0.95), (4e-3, 16, 0.80))):
        again = (
            tuple(finished(spec(100 + seed), auc=auc - 0.02 - 0.01 * seed) for seed in range(2)) if number < 2 else ()
        )
        trials.append(Trial(number, {RATE: rate, UNITS: units}, card(), (finished(spec(number), auc=auc),), again))
    failed = Run.failed(spec(9), "it | broke <script>", split_facts())
    trials.append(Trial(3, {RATE: 0.9, UNITS: 8}, card(), (failed,)))
    return SearchResult(card(), "mine", "random", "auc", "higher", (RATE, UNITS), tuple(trials))


def without_objective() -> SearchResult:
    """One trial that failed."""
    return SearchResult(card(), "mine", "random", "auc", "higher", (RATE,), (result().trials[3],))
