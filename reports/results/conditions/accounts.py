"""Lines that account for every file of a source: used, left out or ignored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reports.text import plural

if TYPE_CHECKING:
    from benchmark.data.checks.describe import DataSummary
    from benchmark.data.dataset import Ignored

_SHOWN = 4


def patients_unknown(summary: DataSummary) -> bool:
    """Whether the source does not define which images are of one patient."""
    return summary.patients is not None and not summary.patients.known


def account_lines(summary: DataSummary) -> Iterator[str]:
    """Lines with the ignored files and the counts of all files; none where every file is used."""
    used, left_out = sum(cell.images for cell in summary.cells), len(summary.problems)
    ignored = sum(entry.files for entry in summary.ignored)
    if summary.ignored:
        yield ignored_line(summary.ignored)
    if left_out or ignored:
        whole = used + left_out + ignored
        yield f"files: {used} used + {left_out} left out + {ignored} ignored = {whole} in all"


def ignored_line(entries: tuple[Ignored, ...]) -> str:
    """The number of ignored files, with a few names for each reason."""
    reasons: dict[str, list[Ignored]] = {}
    for entry in entries:
        reasons.setdefault(entry.reason, []).append(entry)
    parts = []
    for reason, members in reasons.items():
        members.sort(key=lambda entry: not entry.files)  # empty folders last
        names = list(dict.fromkeys(_short(entry.name) for entry in members))
        examples = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
        parts.append(f"{examples} ({reason})")
    files = sum(entry.files for entry in entries)
    return f"ignored: {plural(files, 'file')}: {'; '.join(parts)}"


def _short(name: str) -> str:
    """The last part of a path: system files have the same name in many folders."""
    last = name.rstrip("/").rpartition("/")[2]
    return f"{last}/" if name.endswith("/") else last
