"""The commands that would help next after a section."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from benchmark.evidence.thresholds.rules import get_rule
from benchmark.runs.command_line import bench_command, store_option
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from reports.results.measured import AnyResults, CardResults
from reports.summary.model import BestCard, CardLabel, Comparisons, NextStep
from zoo.models.recipe import ProbeRecipe

SEEDS = 3
"""Fewer seeds estimate the variation between trainings poorly."""
SENSITIVITY = 0.95
"""The stated sensitivity in the proposed command."""
_MOST_CARDS = 3


def next_steps(
    runs: Sequence[Run],
    tested: AnyResults | None,
    best: BestCard | None,
    compared: Comparisons | None,
    labels: Mapping[str, CardLabel],
    store: Store,
) -> tuple[NextStep, ...]:
    """The commands, the most helpful first.

    Args:
        runs: Runs on the same data under the same protocol.
        tested: The results of the best card; None without scores.
        best: The best card; None without scores.
        compared: The comparisons with it; None where there are none.
        labels: The labels of all cards by name.
        store: The store of the runs.

    Returns:
        At least one command.
    """
    if tested is None or best is None:
        failed = next((run for run in runs if run.status == "failed"), None)
        if failed is None:
            return ()
        return (NextStep("see why a run failed", _zoo("show", failed.run_id, *store_option(store.root))),)
    return tuple(_steps(tested, best, compared, labels, store))


def _steps(
    tested: AnyResults,
    best: BestCard,
    compared: Comparisons | None,
    labels: Mapping[str, CardLabel],
    store: Store,
) -> Iterator[NextStep]:
    spec = tested.runs[0].spec
    similar = [] if compared is None else [each.card.name for each in compared.similar if not each.card.is_baseline]
    if best.of == 1:
        command = bench_command(["--all"], spec, store.root)
        yield NextStep("compare with other cards", command)
    is_probe = isinstance(tested.card.recipe, ProbeRecipe)  # the same for every seed
    leading = [*([] if is_probe else [best.card.name]), *similar][:_MOST_CARDS]
    if best.seeds < SEEDS and leading:
        command = bench_command(leading, spec, store.root, seeds=SEEDS)
        yield NextStep("train with more seeds, to measure how much trainings vary", command)
    stored = next((run for run in tested.runs if store.has_model(run)), None)
    if stored is not None:
        yield NextStep(
            "use the best card on new images", _zoo("predict", stored.run_id, "IMAGE", *store_option(store.root))
        )
    else:
        command = bench_command([best.card.name], spec, store.root, keep_models=True)
        yield NextStep("store the model of the best card, to use it on new images", command)
    yield from _rule(tested, store)


def _rule(tested: AnyResults, store: Store) -> Iterator[NextStep]:
    """A threshold for a stated sensitivity, where the protocol states none."""
    rule = tested.runs[0].spec.protocol.threshold
    if isinstance(tested, CardResults) and get_rule(rule.rule).value is None:
        command = _zoo("report", "--threshold-rule", f"sensitivity={SENSITIVITY:g}", *store_option(store.root))
        yield NextStep("choose a threshold for a stated sensitivity", command)


def _zoo(*words: str) -> str:
    return shlex.join(["zoo", *words])
