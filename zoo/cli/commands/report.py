"""`zoo report`: a store as a report, in one or several formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.options import CardsOption, DataIsOption, PatientsOption, StoreOption, err, known_cards, out, warn


def command(
    store: StoreOption = Path("runs"),
    out_dir: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the report is written.")] = Path("."),
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format", metavar="NAME", help="md, html, json, csv or tex; may be repeated. Default: md, html."
        ),
    ] = None,
    claims: Annotated[
        list[str] | None,
        typer.Option(
            "--claims",
            metavar="NAME_OR_FILE",
            help="Claims to judge, built-in or a file; may be repeated. Left out: those about the store's cards.",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 when a claim differs or is impossible.")
    ] = False,
    threshold: Annotated[
        str | None,
        typer.Option(
            "--threshold",
            metavar="RULE[=VALUE]",
            help="Choose thresholds anew on the stored validation scores: youden, f1, cost=5, sensitivity=0.95, ...",
        ),
    ] = None,
    gallery: Annotated[
        bool, typer.Option("--gallery", help="Show test images, with Grad-CAM of the models that were kept.")
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(
            "--data", metavar="SOURCE", help="Where --gallery finds the images. Left out: where the runs did."
        ),
    ] = None,
    patients: PatientsOption = None,
    data_is: DataIsOption = None,
    cards: CardsOption = None,
) -> None:
    """Write a report from a store: verdicts on claims, figures, curves, methods, limits, checklists."""
    from benchmark.runs.protocol import ThresholdRule
    from benchmark.runs.storage.store import Store
    from reports.claims.model import claims_about, load_claims
    from reports.render.files import SHOW_GALLERIES, check_formats, write_report
    from reports.render.terminal.claims import claims_tables
    from reports.report import build_report
    from reports.results.rescored import all_with_threshold_rule
    from reports.verdicts.report import differs
    from zoo.cli.data_notes import stated
    from zoo.cli.galleries import galleries_of
    from zoo.config.strict_yaml import ConfigError

    asked = formats or list(SHOW_GALLERIES)
    check_formats(asked)
    if gallery and not set(asked) & set(SHOW_GALLERIES):
        raise ConfigError(f"--gallery: is shown in {' and '.join(SHOW_GALLERIES)} alone; ask for one of them too")
    if not gallery and (data is not None or patients is not None):
        raise ConfigError("--data and --patients say where --gallery finds its images; add --gallery or drop them")
    rule = None if threshold is None else ThresholdRule.parse(threshold)
    known = known_cards(cards)
    named = [load_claims(name, known) for name in claims or ()]
    kept = Store(store)
    runs, problems = kept.runs("bench")
    for problem in problems:
        warn(problem)
    if not runs:
        raise ConfigError(f"--store {store}: holds no runs; `zoo bench --all --store {store}` makes them")
    notes = []
    if data_is is not None:
        runs = stated(runs, data_is)
    if rule is not None:
        runs = all_with_threshold_rule(runs, kept, rule)
        notes.append(
            f"Thresholds were chosen anew by the rule {threshold} on the stored validation scores. It was named when "
            "test was already scored: figures at these thresholds are fair only if test did not suggest the rule."
        )
    judged = named if claims else claims_about({run.spec.card.name for run in runs}, known)
    report = build_report(runs, kept.history, scores=kept, claims=judged, notes=notes)
    shown = galleries_of(runs, kept, data=data, patients=patients, tell=err().print) if gallery else {}
    written = write_report(report, kept, out_dir, asked, shown)
    verdicts = [claims for section in report.sections for claims in section.claims]
    for each in verdicts:
        out().print(claims_tables(each))
    for path in written:
        out().print(f"wrote {path}", markup=False)
    if strict and differs(verdicts):
        raise typer.Exit(1)
