"""`zoo compare`: cards against each other, image by image."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.commands.options import JsonOption, StoreOption, err, out, print_json

if TYPE_CHECKING:
    from reports.measured import Measured


def command(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[A B]", help="Two cards, or two runs by their id; all cards are ranked if left out."),
    ] = None,
    store: StoreOption = Path("runs"),
    metric: Annotated[str, typer.Option("--metric", help="What cards are ranked by.")] = "auc",
    json: JsonOption = False,
) -> None:
    """Compare cards on the same test images: differences with intervals and tests, groups that cannot be told apart."""
    from benchmark.evidence.influence import METRICS
    from benchmark.runs.store import Store
    from reports.measured import gather
    from reports.pairs import compare_pair, rank
    from reports.pairs_tables import pair_table, ranking_table
    from reports.report import same_conditions
    from zoo.strict_yaml import ConfigError, unknown

    if names and len(names) != 2:
        raise ConfigError(f"zoo compare takes two names, not {len(names)}; without names it ranks all cards")
    if metric not in METRICS:
        raise unknown("metric", metric, METRICS)
    kept = Store(store)
    runs, problems = kept.runs("bench")
    for problem in problems:
        err().print(f"warning: {problem}", markup=False)
    groups = [gather(group, kept) for group in same_conditions(runs)]
    if not any(groups):
        raise ConfigError(f"--store {store}: holds no finished runs; `zoo bench --all --store {store}` makes them")
    if names:
        a, b = _pair(names, groups, str(store))
        if not a.same_images(b):
            raise ConfigError(f"{names[0]} and {names[1]} were scored on other test images; they cannot be paired")
        found = compare_pair(a, b)
        if json:
            print_json([asdict(pair) for pair in found])
        else:
            out().print(pair_table(names[0], names[1], found))
        return
    rankings = [ranking for group in groups if (ranking := rank(list(group.values()), metric)) is not None]
    if not rankings:
        raise ConfigError(f"--store {store}: holds no two cards with {metric} on the same test images")
    if json:
        print_json([asdict(ranking) for ranking in rankings])
        return
    for ranking in rankings:
        out().print(ranking_table(ranking))


def _pair(names: list[str], groups: list[dict[str, Measured]], store: str) -> list[Measured]:
    """What the two names stand for, in the first group of runs that knows both. Raises ConfigError."""
    from zoo.strict_yaml import ConfigError, unknown

    known = [_by_name(group) for group in groups]
    for group in known:
        if all(name in group for name in names):
            return [group[name] for name in names]
    everywhere = {name for group in known for name in group}
    for name in names:
        if name not in everywhere:
            raise unknown("card or run", name, sorted(everywhere))
    raise ConfigError(f"--store {store}: {names[0]} and {names[1]} were not run on the same data and protocol")


def _by_name(group: dict[str, Measured]) -> dict[str, Measured]:
    """Cards by name, and each of their runs by its id."""
    found = dict(group)
    for measured in group.values():
        found |= {run.run_id: measured.only(place) for place, run in enumerate(measured.runs)}
    return found
