"""Results as data frames and as HTML for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from reports.text import one_line
from zoo.config.strict_yaml import ConfigError

if TYPE_CHECKING:
    import pandas


def frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> pandas.DataFrame:
    """`rows` as a pandas frame. Raises ConfigError when pandas is not installed."""
    try:
        import pandas
    except ModuleNotFoundError as error:
        raise ConfigError("pandas is not installed; `pip install 'zoo-bench[frames]'`") from error
    return pandas.DataFrame(list(rows), columns=None if columns is None else list(columns))


def html_table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Any]], notes: Iterable[str] = ()) -> str:
    """An HTML table with notes below; all text is escaped."""
    head = "".join(f"<th>{_cell(text)}</th>" for text in heads)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(value)}</td>' for value in row)}</tr>" for row in rows)
    below = "".join(f"<p>{_cell(note)}</p>" for note in notes)
    return (
        f"<table><caption>{_cell(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"
    )


def _cell(value: Any) -> str:
    return "" if value is None else escape(one_line(str(value)))
