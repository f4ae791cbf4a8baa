"""`zoo search`: tune a card, and bench what wins."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.completion import card_names, space_names
from zoo.cli.options import (
    CardsOption,
    DataOption,
    JsonOption,
    PatientsOption,
    PositiveOption,
    ProtocolOption,
    RunMemoryOption,
    RunTimeoutOption,
    StoreOption,
    err,
    known_cards,
    limits_of,
    out,
    print_json,
)

if TYPE_CHECKING:
    from benchmark.runs.trial import SearchResult


def command(
    card: Annotated[str, typer.Argument(metavar="CARD", help="The card to tune.", autocompletion=card_names)],
    space: Annotated[
        str | None,
        typer.Option(
            "--space",
            metavar="NAME_OR_FILE",
            help="The search space; the first that fits the card if left out.",
            autocompletion=space_names,
        ),
    ] = None,
    tuner: Annotated[
        str | None,
        typer.Option("--tuner", metavar="NAME", help="random, bayesian, hyperband or grid, instead of the space's."),
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, max=10_000, metavar="N", help="Trials, instead of the space's.")
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", min=1, max=1000, metavar="N", help="Executions a trial, instead of the space's."),
    ] = None,
    data: DataOption = "phantom",
    protocol: ProtocolOption = "quick",
    store: StoreOption = Path("runs"),
    out_dir: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where the winning card and the search report are written.")
    ] = Path("search"),
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Name of the winning card; CARD-tuned if left out.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, metavar="N", help="Trials at a time.")] = 1,
    run_timeout: RunTimeoutOption = "24h",
    run_memory: RunMemoryOption = None,
    cards: CardsOption = None,
    patients: PatientsOption = None,
    positive: PositiveOption = None,
    json: JsonOption = False,
) -> None:
    """Tune a card on validation, write the winner as a card, and score it on the test split once."""
    from benchmark.data.cache import declared_gib
    from benchmark.runs.execution.execute import execute_all, warm_up
    from benchmark.runs.plan import make_plan, planned_splits
    from benchmark.runs.protocol import load_protocol
    from benchmark.runs.storage.store import Store
    from reports.render.terminal.comparison import comparison_tables
    from reports.render.terminal.search import search_tables
    from reports.report import build_report
    from reports.results.search import trial_rows
    from reports.results.split_lines import split_lines
    from search_spaces.space import fitting_space, load_space, overridden
    from zoo.cli.data_notes import opened, tell_notes
    from zoo.cli.progress import searching, watching
    from zoo.config.strict_yaml import ConfigError
    from zoo.models.catalog import check_new_name, load_cards, select

    declared_gib()  # a wrong limit is told now and not by every trial
    limits = limits_of(run_timeout, run_memory)
    known = known_cards([*(cards or ()), *([out_dir] if out_dir.is_dir() else [])])
    base = select(known, [card])[0]
    winning = name or f"{base.name}-tuned"
    check_new_name(winning, known, out_dir)
    chosen = overridden(
        load_space(space) if space else fitting_space(base), tuner=tuner, trials=trials, executions=seeds
    )
    rules = load_protocol(protocol)
    kept = Store(store)
    warm_up()
    dataset = opened(data, patients, positive)
    tell_notes(err(), dataset, [base])
    plan = make_plan([base], rules, dataset)
    if not plan.specs:
        raise ConfigError(*(f"card {skip.card.name}: {skip.reason}" for skip in plan.skips))
    out_dir.mkdir(parents=True, exist_ok=True)
    try:  # what is missing is told before the search, not after it
        import matplotlib  # noqa: F401

        from search_spaces.search import search
    except ModuleNotFoundError as error:
        raise ConfigError(f"zoo search needs {error.name}; pip install 'zoo-bench[search]'") from error
    console = err()
    with searching(console, chosen, base, dataset) as (on_event, on_trial):
        for line in split_lines(planned_splits(plan, dataset), dataset.classes, len(dataset.images)):
            console.print(line, markup=False, soft_wrap=True)
        result = search(
            base, chosen, rules, dataset, kept, jobs=jobs, limits=limits, on_event=on_event, on_trial=on_trial
        )
    _write_report(result, out_dir)
    if not result.ranked():
        out().print(search_tables(result))
        raise typer.Exit(1)
    winner = _write_winner(result, chosen.name, out_dir, winning)
    tuned = select(load_cards([*(cards or ()), out_dir], lambda _: None), [winner.stem])
    plan = make_plan(tuned, rules, dataset)
    with watching(err(), plan, dataset) as on_bench:
        runs = execute_all(plan.specs, dataset, kept, limits=limits, on_event=on_bench)
    if json:
        print_json(
            {"card": str(winner), "trials": trial_rows(result), "bench": [r.model_dump(mode="json") for r in runs]}
        )
    else:
        again = ["zoo", "bench", winner.stem, "--cards", str(out_dir), "--data", data, "--protocol", protocol]
        again += [] if patients is None else ["--patients", patients]
        again += [] if positive is None else ["--positive", positive]
        again += ["--store", str(store)]
        out().print(search_tables(result))
        out().print(comparison_tables(build_report(runs, kept.history)))
        out().print(
            f"wrote {winner} and {out_dir / 'search.md'}; run it with: {shlex.join(again)}",
            markup=False,
            soft_wrap=True,
        )
    if any(run.status == "failed" for run in runs):
        raise typer.Exit(1)


def _write_winner(result: SearchResult, space: str, folder: Path, name: str) -> Path:
    from search_spaces.space import winner_yaml
    from zoo.config.atomic import write_text
    from zoo.config.strict_yaml import write_yaml

    best = result.ranked()[0]
    told = f"val {result.metric} {result.value(best):.4f}, the best of {len(result.trials)} trials"
    path = folder / f"{name}.yaml"
    write_text(path, write_yaml(winner_yaml(result.base, best.values, space=space, objective=told, epochs=best.epochs)))
    return path


def _write_report(result: SearchResult, folder: Path) -> None:
    import json

    from reports.figures.search import search_pictures
    from reports.render.csv_text import csv_text
    from reports.render.markdown.search import search_markdown
    from reports.results.search import trial_rows
    from zoo.config.atomic import write_text

    rows: list[dict[str, Any]] = trial_rows(result)
    write_text(folder / "trials.json", json.dumps(rows, indent=2))
    heads = list(rows[0]) if rows else ["trial"]
    write_text(folder / "trials.csv", csv_text(heads, [list(row.values()) for row in rows]))
    files = {}
    for number, (caption, svg) in enumerate(search_pictures(result).items()):
        files[caption] = f"search-{number}.svg"
        write_text(folder / files[caption], svg)
    write_text(folder / "search.md", search_markdown(result, files))
