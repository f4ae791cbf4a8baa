"""Renders a search as markdown."""

from __future__ import annotations

from collections.abc import Mapping

from benchmark.runs.trial import SearchResult
from reports.render.markdown.table import table
from reports.results.search import crosstab, luck, trial_table
from reports.text import plural


def search_markdown(result: SearchResult, pictures: Mapping[str, str]) -> str:
    """Render a search as a document; `pictures` maps captions to files in the same folder."""
    heads, rows = trial_table(result)
    lines = [f"# Search: {result.base.name}", ""]
    lines += [
        f"Space `{result.space}`, tuner {result.tuner}, {plural(len(result.trials), 'trial')}; the objective is "
        f"validation {result.metric} ({result.direction} is better). No trial saw the test split.",
        "",
    ]
    if result.at_once > 1:
        lines += [f"The tuner proposed {result.at_once} trials at a time, before it learned their objectives.", ""]
    lines += ["## Selection bias of the best trial", "", *(f"- {line}" for line in luck(result)), ""]
    lines += ["## Trials, best first", "", *table(heads, rows), ""]
    if (crossed := crosstab(result)) is not None:
        title, heads, rows = crossed
        lines += [f"## {title}", ""]
        lines += [
            "Mean objective, with the number of executions in brackets. A float is the lower end of its half decade."
        ]
        lines += ["", *table(heads, rows), ""]
    for caption, file in pictures.items():
        lines += [f"## {caption}", "", f"![{caption}]({file})", ""]
    return "\n".join(lines).rstrip() + "\n"
