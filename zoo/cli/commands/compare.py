"""`zoo compare`: compares or ranks cards on the same test images."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo.cli.completion import run_names
from zoo.cli.options import JsonOption, RunDataOption, RunProtocolOption, StoreOption, out, print_json, say


def command(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="A B",
            help="Two cards, or the ids of two runs. Default: all cards are ranked.",
            autocompletion=run_names,
        ),
    ] = None,
    store: StoreOption = "runs",
    data: RunDataOption = None,
    protocol: RunProtocolOption = None,
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric",
            metavar="NAME",
            help="The metric of the ranking. For A and B with three or more classes, the metric of each class, or one "
            "figure: mcc, f1:macro, recall:class:NAME. Default: auc, recall.",
        ),
    ] = None,
    threshold_rule: Annotated[
        str | None,
        typer.Option(
            "--threshold-rule",
            metavar="RULE[=VALUE]",
            help="For two classes: choose thresholds again on the stored validation scores, as in zoo report, or "
            "fixed=0.5. Default: those that the runs chose.",
        ),
    ] = None,
    decision: Annotated[
        str | None,
        typer.Option(
            "--decision",
            metavar="RULE[=VALUE]",
            help="For three or more classes: choose decisions again on the stored validation scores, as in zoo report, "
            "or protocol for those of the runs. Default: the class with the highest score.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Compare two cards, or rank all: differences with intervals and tests, and groups of indistinguishable cards."""
    from reports.render.terminal.pairs import class_table, pair_table, ranking_table
    from zoo.api.compare import compare

    results = compare(
        *(names or ()),
        store=store,
        data=data,
        protocol=protocol,
        metric=metric,
        threshold_rule=threshold_rule,
        decision=decision,
        on_message=say,
    )
    if json:
        print_json(results.to_dict())
        return
    for pair in results.pairs:
        out().print(pair.conditions, markup=False)
        out().print(pair_table(pair.a, pair.b, pair.metrics, pair.decided))
        if pair.classes is not None:
            out().print(class_table(pair.classes))
    for each in results.rankings:
        out().print(each.conditions, markup=False)
        if each.threshold is not None:
            out().print(f"Decided {each.threshold}", markup=False)
        if each.decision is not None:
            out().print(f"Decision: {each.decision}", markup=False)
        out().print(ranking_table(each.ranking))
