"""Results as data frames and as HTML for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from reports.text import number, one_line
from zoo.config.errors import ConfigError

if TYPE_CHECKING:
    import pandas


def frame(rows: Sequence[Mapping[str, Any] | Sequence[Any]], columns: Sequence[str] | None = None) -> pandas.DataFrame:
    """A pandas frame of `rows`.

    Args:
        rows: Mappings from column to value, or values in the order of `columns`.
        columns: The columns, also where there is no row; None takes the keys of `rows`.

    Returns:
        One row per item of `rows`.

    Raises:
        ConfigError: pandas is not installed.
    """
    try:
        import pandas
    except ModuleNotFoundError as error:
        raise ConfigError("pandas is not installed; `pip install 'zoo-bench[frames]'`") from error
    return pandas.DataFrame(list(rows), columns=None if columns is None else list(columns))


def html_table(caption: str, columns: Sequence[str], rows: Iterable[Iterable[Any]], notes: Iterable[str] = ()) -> str:
    """An HTML table in which all text is escaped.

    Args:
        caption: The line above the table.
        columns: The headings.
        rows: One value per column. None gives an empty cell; a float gets three decimals.
        notes: Paragraphs below the table.

    Returns:
        HTML without a document around it.
    """
    head = "".join(f"<th>{_cell(text)}</th>" for text in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(value)}</td>' for value in row)}</tr>" for row in rows)
    below = "".join(f"<p>{_cell(note)}</p>" for note in notes)
    return (
        f"<table><caption>{_cell(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"
    )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return number(value) if isinstance(value, float) else escape(one_line(str(value)))
