"""Inject faults into small studies and count what they destroy.

   python -m tests.faults [--quick] [--only kills,disk] [--seed 0] [--json FILE] [--keep FOLDER]

Each study trains a few small models; it is disturbed, its command is run again, and its scores are compared, bit for
bit, with those of an undisturbed study. The exit code is 1 if a finished run was lost or computed again, a folder was
damaged, a traceback was printed, results differ, or a loader fails on a hostile file. Full disks and limits of
memory need root, who can mount file systems and make control groups. Series that cannot run here are named with the
reason.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.faults.broken import HANGING, NAN, end_badly
from tests.faults.clusters import ray_nodes, slurm_tasks, why_no_ray, why_no_slurm
from tests.faults.disk import full, read_only, why_no_mount
from tests.faults.fuzz.series import fuzz_loaders
from tests.faults.interrupted import interrupt
from tests.faults.memory import out_of_memory, why_no_group
from tests.faults.searches import ray_search, slurm_search
from tests.faults.study import Tally, undisturbed
from tests.faults.together import crowd, jumping_clock

SERIES = ("kills", "signals", "disk", "readonly", "together", "clock", "nan", "hang", "memory", "slurm", "ray", "fuzz")
_NEEDED = {
    "kills": ("bench", "search", "report", "bank"),
    "signals": ("bench",),
    "disk": ("bench", "bank"),
    **dict.fromkeys(("slurm", "ray"), ("cluster", "cluster-search")),
    **dict.fromkeys(("readonly", "together", "clock", "nan", "hang"), ("bench",)),
}
"""The commands of each series, which are run undisturbed first."""

Inject = Callable[[], Tally]


def series(asked: argparse.Namespace, folder: Path) -> Iterator[Inject]:
    """The series that were asked for, each as a function that injects its faults.

    Args:
        asked: The arguments of the command line.
        folder: Where studies are written.

    Yields:
        One function per row of the table.
    """
    kills, disks, nodes, others = (4, 2, 1, 1) if asked.quick else (100, 20, 20, 5)
    minutes = asked.minutes or (0.5 if asked.quick else 10.0)
    here = [name for name in asked.only if _why_not(name, folder) is None]
    names = [command for name in here for command in _NEEDED.get(name, ())]
    whole = undisturbed(folder, list(dict.fromkeys(names)))
    for name in asked.only:
        if name not in here:
            print(f"{name}: not run: {_why_not(name, folder)}", file=sys.stderr)
            continue
        match name:
            case "kills":
                for command, share in (("bench", 0.4), ("search", 0.25), ("bank", 0.2), ("report", 0.15)):
                    count = max(1, round(share * kills))
                    yield lambda command=command, count=count: interrupt(  # type: ignore[misc]
                        command, signal.SIGKILL, count, asked.seed, folder, whole[command]
                    )
            case "signals":
                for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                    yield lambda number=number: interrupt(  # type: ignore[misc]
                        "bench", number, others, asked.seed, folder, whole["bench"]
                    )
            case "disk":
                yield lambda: full("bench", disks - disks // 2, asked.seed, folder, whole["bench"])
                yield lambda: full("bank", disks // 2, asked.seed, folder, whole["bank"], cache=True)
            case "readonly":
                yield lambda: read_only("bench", folder, whole["bench"])
            case "slurm":
                yield lambda: slurm_tasks(nodes, asked.seed, folder, whole["cluster"])
                yield lambda: slurm_search(asked.seed, folder, whole["cluster-search"])
            case "ray":
                yield lambda: ray_nodes(nodes, asked.seed, folder, whole["cluster"])
                yield lambda: ray_search(asked.seed, folder, whole["cluster-search"])
            case "memory":
                yield lambda: out_of_memory(others, folder)
            case "fuzz":
                yield lambda: fuzz_loaders(minutes, asked.seed, folder)
            case "together":
                for processes in (2, 4):
                    yield lambda processes=processes: crowd(  # type: ignore[misc]
                        "bench", processes, minutes, asked.seed, folder, whole["bench"]
                    )
            case "clock":
                yield lambda: jumping_clock("bench", others, folder, whole["bench"])
            case "nan":
                yield lambda: end_badly(NAN, others, folder, whole["bench"].results)
            case "hang":
                yield lambda: end_badly(HANGING, others, folder, whole["bench"].results)


def _why_not(name: str, folder: Path) -> str | None:
    """Why a series cannot run here; None if it can."""
    if name in ("disk", "readonly"):
        return why_no_mount(folder)
    needed: dict[str, Callable[[], str | None]] = {"memory": why_no_group, "slurm": why_no_slurm, "ray": why_no_ray}
    return needed[name]() if name in needed else None


def show(tallies: list[Tally], console: Console) -> None:
    """Print the counts.

    Args:
        tallies: What each series did.
        console: Where to.
    """
    table = Table("series", *("faults", "too late", "finished runs", "lost", "damaged", "tracebacks"), box=None)
    for name in ("unfinished", "other results", "seconds"):
        table.add_column(name)
    for tally in tallies:
        counts = (tally.faults, tally.late, tally.finished, tally.lost, tally.damaged, tally.tracebacks)
        table.add_row(tally.name, *map(str, (*counts, tally.unfinished, tally.different, round(tally.seconds))))
    console.print(table)
    for tally in tallies:
        for note in dict.fromkeys(tally.notes):
            console.print(f"{tally.name}: {note}", markup=False, highlight=False)


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := sorted(set(names) - set(SERIES)):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; give some of {', '.join(SERIES)}")
    return names


def main() -> int:
    """Inject the faults that the command line asks for."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a few faults of each kind")
    parser.add_argument("--only", type=_names, default=list(SERIES), help=", ".join(SERIES))
    parser.add_argument("--seed", type=int, default=0, help="seed of moments, sizes, victims and inputs")
    parser.add_argument("--minutes", type=float, help="how long processes run together, and loaders are fuzzed")
    parser.add_argument("--json", type=Path, help="a file for the counts")
    parser.add_argument("--keep", type=Path, help="a new folder for the studies, which are removed otherwise")
    asked = parser.parse_args()
    tallies: list[Tally] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = (asked.keep or Path(temporary)).resolve()
        for inject in series(asked, folder):
            begin = time.monotonic()
            try:
                tally = inject()
            except Exception as error:  # the other series go on
                tally = Tally("a series that ended early", unfinished=1, notes=[f"{type(error).__name__}: {error}"])
            tally.seconds = time.monotonic() - begin
            tallies.append(tally)
            print(f"{tally.name}: {tally.seconds:.0f} s", file=sys.stderr, flush=True)
            if asked.json:  # after each series, since the next ones take minutes
                content = [asdict(each) | {"sound": each.is_sound} for each in tallies]
                asked.json.write_text(json.dumps(content, indent=1), encoding="utf-8")
        show(tallies, Console(width=170))
    return 0 if all(tally.is_sound for tally in tallies) else 1


if __name__ == "__main__":
    sys.exit(main())
