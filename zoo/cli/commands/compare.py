"""`zoo compare`: cards against each other, image by image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.completion import run_names
from zoo.cli.options import JsonOption, StoreOption, err, out, print_json, warn

if TYPE_CHECKING:
    from benchmark.runs.run import Run
    from benchmark.runs.storage.store import Store
    from reports.results.measured import Measured


def command(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[A B]",
            help="Two cards, or two runs by their id; all cards are ranked if left out.",
            autocompletion=run_names,
        ),
    ] = None,
    store: StoreOption = Path("runs"),
    metric: Annotated[
        str | None, typer.Option("--metric", help="What all cards are ranked by; auc if left out.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Compare cards on the same test images: differences with intervals and tests, groups that cannot be told apart."""
    from benchmark.evidence.metrics.definitions import aliases, canonical, measures
    from benchmark.runs.storage.store import Store
    from reports.report import same_conditions
    from zoo.config import plugins
    from zoo.config.strict_yaml import ConfigError, unknown

    if names and len(names) != 2:
        raise ConfigError(f"zoo compare takes two names, not {len(names)}; without names it ranks all cards")
    if names and metric is not None:
        raise ConfigError("--metric is what all cards are ranked by; leave it out for two names")
    for problem in plugins.load(plugins.METRICS).broken:
        warn(problem)
    metric = None if metric is None else canonical(metric)
    known = measures()
    if metric is not None and metric not in known:
        raise unknown("metric", metric, known, aliases(known))
    kept = Store(store)
    runs, problems = kept.runs("bench")
    for problem in problems:
        warn(problem)
    groups = same_conditions(run for run in runs if run.status == "ok")
    if not groups:
        raise ConfigError(f"--store {store}: holds no finished runs; `zoo bench --all --store {store}` makes them")
    if names:
        _show_pairs(names, _pairs(names, runs, groups, kept), json)
    else:
        _show_rankings(groups, kept, metric or "auc", json)


def _show_pairs(names: Sequence[str], pairs: Sequence[tuple[Measured, Measured]], json: bool) -> None:
    from reports.render.terminal.pairs import pair_table
    from reports.results.measured import conditions
    from reports.results.pairs import compare_pair

    _warn(measured for pair in pairs for measured in pair)
    compared = [(conditions(a.runs[0].spec), compare_pair(a, b)) for a, b in pairs]
    if json:
        print_json(
            [
                {"conditions": where, "a": names[0], "b": names[1], "metrics": [asdict(one) for one in found]}
                for where, found in compared
            ]
        )
        return
    for where, found in compared:
        out().print(where, markup=False)
        out().print(pair_table(names[0], names[1], found))


def _show_rankings(groups: Sequence[Sequence[Run]], store: Store, metric: str, json: bool) -> None:
    from reports.render.terminal.pairs import ranking_table
    from reports.results.measured import conditions, gather
    from reports.results.pairs import rank
    from zoo.config.strict_yaml import ConfigError

    gathered = [list(gather(group, store).values()) for group in groups]
    _warn(measured for group in gathered for measured in group)
    ranked = [
        (conditions(group[0].runs[0].spec), ranking)
        for group in gathered
        if (ranking := rank(group, metric)) is not None
    ]
    if not ranked:
        raise ConfigError(f"--store {store.root}: holds no two cards with {metric} on the same test images")
    if json:
        print_json([{"conditions": where, **asdict(ranking)} for where, ranking in ranked])
        return
    for where, ranking in ranked:
        out().print(where, markup=False)
        out().print(ranking_table(ranking))


def _pairs(
    names: Sequence[str], runs: Sequence[Run], groups: Sequence[Sequence[Run]], store: Store
) -> list[tuple[Measured, Measured]]:
    """What the two names stand for, once for every data and protocol that both were run on. Raises ConfigError."""
    from zoo.config.strict_yaml import ConfigError, unknown

    for name in names:
        if not any(_is(run, name) for group in groups for run in group):
            if any(_is(run, name) for run in runs):
                raise ConfigError(f"--store {store.root}: {name} has no finished run")
            raise unknown("card or run", name, sorted({run.spec.card.name for group in groups for run in group}))
    both = [group for group in groups if all(any(_is(run, name) for run in group) for name in names)]
    if not both:
        raise ConfigError(f"--store {store.root}: {names[0]} and {names[1]} were not run on the same data and protocol")
    found = [(_measured(names[0], group, store), _measured(names[1], group, store)) for group in both]
    if shared := {run.run_id for run in found[0][0].runs} & {run.run_id for run in found[0][1].runs}:
        raise ConfigError(f"{names[0]} and {names[1]} share the run {min(shared)}; give two that share none")
    alike = [(a, b) for a, b in found if a.same_images(b)]
    if not alike:
        raise ConfigError(f"{names[0]} and {names[1]} were scored on other test images; they cannot be paired")
    return alike


def _measured(name: str, group: Iterable[Run], store: Store) -> Measured:
    """The card or the run of that name in `group`, which holds it."""
    from reports.results.measured import gather

    (found,) = gather((run for run in group if _is(run, name)), store).values()
    return found


def _is(run: Run, name: str) -> bool:
    return name in (run.spec.card.name, run.run_id)


def _warn(found: Iterable[Measured]) -> None:
    for one in found:
        if one.left_out:
            seeds = ", ".join(map(str, one.left_out))
            err().print(
                f"warning: {one.card.name}: left out are seeds scored on other test images than seed "
                f"{one.runs[0].spec.seed}: {seeds}",
                markup=False,
                soft_wrap=True,
            )
