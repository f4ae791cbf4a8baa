"""Inject faults into small studies and count what they destroy.

   python -m tests.faults [--quick] [--only kills,disk] [--seed 0] [--keep FOLDER]

Each study trains a few small models; it is disturbed, its command is run again, and its scores are compared, bit for
bit, with those of an undisturbed study. The exit code is 1 if a finished run was lost or computed again, a folder was
damaged, a traceback was printed, or results differ. Full disks need root, who can mount file systems.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.faults.disk import can_mount, full, read_only
from tests.faults.interrupted import interrupt
from tests.faults.study import Tally, reference
from tests.faults.together import crowd, jumping_clock

COMMANDS = ("bench", "search", "bank")
SERIES = ("kills", "signals", "disk", "together", "clock")


def series(asked: argparse.Namespace, folder: Path) -> Iterator[Callable[[], Tally]]:
    """The series that were asked for, each as a function that injects its faults.

    Args:
        asked: The arguments of the command line.
        folder: Where studies are written.
    """
    kills, disks, others, minutes = (3, 2, 1, 0.5) if asked.quick else (100, 20, 5, 10.0)
    results, seconds = reference(folder, COMMANDS)

    def interrupted(command: str, number: signal.Signals, count: int) -> Callable[[], Tally]:
        place = (results[command], seconds[command])
        return lambda: interrupt(command, number, count, asked.seed, folder, place)

    if "kills" in asked.only:
        for command, share in (("bench", 0.5), ("search", 0.3), ("bank", 0.2)):
            yield interrupted(command, signal.SIGKILL, max(1, round(share * kills)))
    if "signals" in asked.only:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            yield interrupted("bench", number, others)
    if "disk" in asked.only and can_mount():
        yield lambda: full("bench", disks - disks // 2, asked.seed, folder, results["bench"])
        yield lambda: full("bank", disks // 2, asked.seed, folder, results["bank"], cache=True)
        yield lambda: read_only("bench", folder, results["bench"])
    if "together" in asked.only:
        for processes in (2, 4):
            yield lambda processes=processes: crowd(  # type: ignore[misc]
                "bench", processes, minutes, asked.seed, folder, results["bench"]
            )
    if "clock" in asked.only:
        yield lambda: jumping_clock("bench", others, folder, results["bench"])


def show(tallies: list[Tally], console: Console) -> None:
    """Print the counts.

    Args:
        tallies: What each series did.
        console: Where to.
    """
    table = Table("series", *("faults", "too late", "finished runs", "lost", "damaged", "tracebacks"), box=None)
    for name in ("unfinished", "other results"):
        table.add_column(name)
    for tally in tallies:
        counts = (tally.faults, tally.late, tally.finished, tally.lost, tally.damaged, tally.tracebacks)
        table.add_row(tally.name, *map(str, (*counts, tally.unfinished, tally.different)))
    console.print(table)
    for tally in tallies:
        for note in dict.fromkeys(tally.notes):
            console.print(f"{tally.name}: {note}", markup=False, highlight=False)


def main() -> int:
    """Inject the faults that the command line asks for."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a few faults of each kind")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(SERIES), help=", ".join(SERIES))
    parser.add_argument("--seed", type=int, default=0, help="seed of moments, sizes and victims")
    parser.add_argument("--keep", type=Path, help="a new folder for the studies, which are removed otherwise")
    asked = parser.parse_args()
    console = Console(width=160)
    tallies = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        for inject in series(asked, folder):
            begin = time.monotonic()
            tallies.append(inject())
            print(f"{tallies[-1].name}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
        show(tallies, console)
    return 0 if all(tally.sound for tally in tallies) else 1


if __name__ == "__main__":
    sys.exit(main())
