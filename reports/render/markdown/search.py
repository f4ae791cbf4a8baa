"""A search as markdown."""

from __future__ import annotations

from collections.abc import Mapping

from benchmark.runs.trial import SearchResult
from reports.render.markdown.table import table
from reports.results.search import crosstab, luck, trial_table


def search_markdown(result: SearchResult, pictures: Mapping[str, str]) -> str:
    """The search as markdown; `pictures` maps a caption to a file beside it."""
    heads, rows = trial_table(result)
    lines = [f"# Search: {result.base.name}", ""]
    lines += [
        f"Space `{result.space}`, tuner {result.tuner}, {len(result.trials)} trials; the objective is validation "
        f"{result.metric} ({result.direction} is better). No trial saw the test split.",
        "",
    ]
    lines += ["## What the winner owes to luck", "", *(f"- {line}" for line in luck(result)), ""]
    lines += ["## Trials, best first", "", *table(heads, rows), ""]
    if (crossed := crosstab(result)) is not None:
        title, heads, rows = crossed
        lines += [f"## {title}", ""]
        lines += ["Mean objective, in brackets the executions behind it. A float stands for the half decade above it."]
        lines += ["", *table(heads, rows), ""]
    for caption, file in pictures.items():
        lines += [f"## {caption}", "", f"![{caption}]({file})", ""]
    return "\n".join(lines).rstrip() + "\n"
