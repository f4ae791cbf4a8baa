"""The commands that would help next after a section."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Sequence

from benchmark.evidence.thresholds.rules import get_rule
from benchmark.runs.command_line import bench_command, curve_command, store_option
from benchmark.runs.cross_validation import folds_of
from benchmark.runs.protocol import AUTO
from benchmark.runs.run import Run, RunSpec
from benchmark.runs.storage.beside.remembered import cards_under, protocol_option, records, words_of_cards
from benchmark.runs.storage.lookup import has_models
from benchmark.runs.storage.store import Store
from reports.results.measured import AnyResults, CardResults
from reports.results.training_size.figures import TrainingSizeCurve
from reports.summary.model import BestCard, Comparisons, NextStep
from reports.summary.unfinished import Unfinished
from reports.text import plural
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
    missing: Unfinished,
    store: Store,
    curve: TrainingSizeCurve | None = None,
) -> tuple[NextStep, ...]:
    """The commands, the most helpful first.

    Args:
        runs: Runs on the same data under the same protocol.
        tested: The results of the best card; None without scores.
        best: The best card; None without scores.
        compared: The comparisons with it; None where there are none.
        missing: The cards and runs that have not finished.
        store: The store of the runs.
        curve: The learning curve that the summary quotes; None without one.

    Returns:
        At least one command, unless nothing failed and nothing has scores.
    """
    steps = [*_of_missing(runs, missing, store)]
    if tested is not None and best is not None:
        probes = {run.spec.card.name for run in runs if isinstance(run.spec.card.recipe, ProbeRecipe)}
        steps += _steps(tested, best, compared, probes, store)
        if curve is None or curve.card != best.card.name:
            steps += _of_curve(tested.runs[0].spec, best, store)
    return tuple(steps)


def _of_missing(runs: Sequence[Run], missing: Unfinished, store: Store) -> Iterator[NextStep]:
    """What to do about runs that have not finished."""
    if missing.is_running:
        yield NextStep("report again when the bench has ended", _report(runs[0].spec, store))
        return
    if missing.is_complete:
        return
    spec = runs[0].spec
    seeds = sorted({run.spec.seed for run in runs})
    count = None if seeds == sorted(spec.protocol.seeds) or seeds != list(range(len(seeds))) else len(seeds)
    selection = words_of_cards(store, missing.selection)
    command = bench_command(selection, spec, store.name, keep_models=spec.protocol.keep_models, seeds=count)
    yield NextStep("repeat the command, which reuses the runs that finished", command)
    if not missing.may_succeed:
        yield NextStep("see why a run failed", _zoo("show", missing.causes[0][0].run_id, *store_option(store.name)))


def _steps(
    tested: AnyResults, best: BestCard, compared: Comparisons | None, probes: Collection[str], store: Store
) -> Iterator[NextStep]:
    spec = tested.runs[0].spec
    others = () if compared is None else compared.similar  # best first, so those with the same figure lead
    similar = [each.card.name for each in others if not (each.card.is_baseline or each.card.name in probes)]
    if best.of == 1 and not best.unfinished:
        yield _comparison(spec, store)
    elif others:
        pair = (best.card.name, others[0].card.name)
        command = _zoo("compare", *pair, *_among(spec, pair, store), *store_option(store.name))
        yield NextStep("see in which figures the best two differ", command)
    is_probe = isinstance(tested.card.recipe, ProbeRecipe)  # the same for every seed
    leading = [*([] if is_probe else [best.card.name]), *similar][:_MOST_CARDS]
    if best.seeds < SEEDS and leading:
        command = bench_command(words_of_cards(store, leading), spec, store.name, seeds=SEEDS)
        yield NextStep("train with more seeds, to measure how much trainings vary", command)
    stored = next((run for run in tested.runs if any(has_models(fold, store) for fold in folds_of(run))), None)
    if stored is not None:
        yield NextStep("use the best card on new images", _prediction(stored, len(tested.runs), store))
    elif best.of > 1 or not best.card.is_baseline:
        command = bench_command(words_of_cards(store, [best.card.name]), spec, store.name, keep_models=True)
        yield NextStep("store the model of the best card, to use it on new images", command)
    yield from _rule(tested, store)


def _of_curve(spec: RunSpec, best: BestCard, store: Store) -> Iterator[NextStep]:
    """A learning curve of the best card, if `zoo curve` accepts its conditions."""
    if (
        not best.card.is_baseline
        and not spec.card.members
        and (spec.protocol.test_folds is None or spec.protocol.name == AUTO)
    ):
        command = curve_command(words_of_cards(store, [best.card.name]), spec, store.name)
        yield NextStep("ask whether more images would help", command)


def _prediction(run: Run, seeds: int, store: Store) -> str:
    """The command that predicts with a run by the name of its card, with what makes the name mean this run alone."""
    spec = run.spec
    name = spec.card.name if seeds == 1 else f"{spec.card.name}:{spec.seed}"
    return _zoo("predict", name, "FILES", *_among(spec, (spec.card.name,), store), *store_option(store.name))


def _among(spec: RunSpec, names: Collection[str], store: Store) -> list[str]:
    """The options that make names of cards mean runs under these conditions, where the store has others too."""
    others = (each.spec for each in records(store) if each.spec.card.name in names)
    several = any(other.conditions != spec.conditions for other in others if other.stage == "bench")
    return ["--data", spec.dataset.source, "--protocol", spec.protocol.name] if several else []


def _comparison(spec: RunSpec, store: Store) -> NextStep:
    """How to compare a single card: with the other cards of the store under the same conditions, or with new runs."""
    others = cards_under(store, spec.conditions) - {spec.card.name}
    if others:
        purpose = f"compare with the {plural(len(others), 'other card')} in the store"
        return NextStep(purpose, _report(spec, store))
    return NextStep("compare with other cards", bench_command(["--all"], spec, store.name))


def _rule(tested: AnyResults, store: Store) -> Iterator[NextStep]:
    """A threshold for a stated sensitivity, where the protocol states none."""
    spec = tested.runs[0].spec
    rule = spec.protocol.threshold
    if isinstance(tested, CardResults) and get_rule(rule.rule).value is None:
        command = _report(spec, store, "--threshold-rule", f"sensitivity={SENSITIVITY:g}")
        yield NextStep("choose a threshold for a stated sensitivity", command)


def _report(spec: RunSpec, store: Store, *words: str) -> str:
    """The command that reports on runs like this one, first of all where the store has others on the same data."""
    return _zoo("report", *words, *protocol_option(store, spec), *store_option(store.name))


def _zoo(*words: str) -> str:
    return shlex.join(["zoo", *words])
