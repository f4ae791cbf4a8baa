"""Where every file of a source went: used, left out or ignored, in lines that add up to what is on disk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmark.data.checks.describe import DataSummary
    from benchmark.data.dataset import Ignored

_SHOWN = 4


def patients_unknown(summary: DataSummary) -> bool:
    """Whether it is known that nobody says which images are of one patient."""
    return summary.patients is not None and not summary.patients.known


def account_lines(summary: DataSummary) -> Iterator[str]:
    """What is ignored and why, then the counts of all files; nothing where every file is used."""
    used, left_out = sum(cell.images for cell in summary.cells), len(summary.problems)
    ignored = sum(entry.files for entry in summary.ignored)
    if summary.ignored:
        yield ignored_line(summary.ignored)
    if left_out or ignored:
        whole = used + left_out + ignored
        yield f"files: {used} used + {left_out} left out + {ignored} ignored = {whole} in all"


def ignored_line(entries: tuple[Ignored, ...]) -> str:
    """How many files are ignored, and a few names for each reason."""
    reasons: dict[str, list[Ignored]] = {}
    for entry in entries:
        reasons.setdefault(entry.reason, []).append(entry)
    parts = []
    for reason, members in reasons.items():
        members.sort(key=lambda entry: not entry.files)  # empty folders last
        names = list(dict.fromkeys(_short(entry.name) for entry in members))
        shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
        parts.append(f"{shown} ({reason})")
    files = sum(entry.files for entry in entries)
    return f"ignored: {files} {'file' if files == 1 else 'files'}: {'; '.join(parts)}"


def _short(name: str) -> str:
    """The last part of a path: names that systems leave repeat in many folders."""
    last = name.rstrip("/").rpartition("/")[2]
    return f"{last}/" if name.endswith("/") else last
