"""Loads plug-ins: entry points of other packages.

Each plug-in is first imported in a separate process. If it exits, crashes or hangs on import, a line names it and the
other plug-ins are loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from zoo.config.atomic import atomic_file
from zoo.config.cache_dir import cache_dir

BUILDERS, CARDS = "zoo.builders", "zoo.cards"
METRICS, SOURCES = "zoo.metrics", "zoo.sources"
_KINDS = {BUILDERS: "builder plug-in", CARDS: "card package", METRICS: "metric plug-in", SOURCES: "source plug-in"}
_TRIAL_S = 60.0
_HUNG_S = 3600.0
"""Seconds until a plug-in that hung is tried again, unless its files change before."""
_MOST_FILES = 2000
_TRIAL: list[str] = []
"""The plug-in that this process was started to import; empty in all other processes."""
_LONGEST = 300
_TRY = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from zoo.config.plugins import report_problem; report_problem(*sys.argv[2:])"
)


@dataclass(frozen=True)
class Plugins:
    """The plug-ins of a group.

    Attributes:
        loaded: Each plug-in that could be imported, with the imported object.
        broken: A line per plug-in that could not be imported.
    """

    loaded: tuple[tuple[EntryPoint, Any], ...]
    broken: tuple[str, ...]


@cache
def load(group: str) -> Plugins:
    """Import the plug-ins of the entry-point group `group`; failures become lines."""
    loaded: list[tuple[EntryPoint, Any]] = []
    broken: list[str] = []
    if _TRIAL:  # a plug-in that queries the others on import must not start processes for them
        return Plugins((), ())
    for entry in entry_points(group=group):
        problem = _problem(entry)
        if problem is None:
            try:
                with redirect_stdout(sys.stderr):  # stdout is for the output of the command
                    loaded.append((entry, entry.load()))
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                problem = _in_a_line(error)
        if problem is not None:
            broken.append(broken_line(entry, problem))
    return Plugins(tuple(loaded), tuple(broken))


def broken_line(entry: EntryPoint, problem: str) -> str:
    """A line that names a plug-in, its `problem` and the remedy."""
    return (
        f"the {_KINDS.get(entry.group, 'plug-in')} '{entry.name}' ({entry.value}) cannot be loaded: {problem}; "
        "fix or uninstall its package"
    )


def report_problem(pipe: str, group: str, name: str, value: str) -> None:
    """Import a plug-in, write its problem to a pipe as JSON, and end this separate process.

    Args:
        pipe: Number of the file descriptor; null is written if the import succeeds.
        group: The entry-point group of the plug-in.
        name: Its name within the group.
        value: The module, and the object in it if any.
    """
    _TRIAL.append(value)
    problem = None
    try:
        EntryPoint(name, value, group).load()
    except BaseException as error:
        problem = _in_a_line(error)
    os.write(int(pipe), json.dumps(problem).encode())
    os._exit(0)  # without waiting for threads and exit handlers of the plug-in


def _problem(entry: EntryPoint) -> str | None:
    """Why `entry` cannot be imported, or None; cached until its files change."""
    path = cache_dir() / "plugins" / f"{_stamp(entry)}.json"
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        if known["problem"] is None or time.time() - known["at"] < _HUNG_S:
            return None if known["problem"] is None else str(known["problem"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    problem, quick = _try_out(entry)
    if problem is None or not quick:
        _write(path, {"problem": problem, "at": time.time(), "plug-in": f"{entry.name} = {entry.value}"})
    return problem


def _try_out(entry: EntryPoint) -> tuple[str | None, bool]:
    """Why `entry` cannot be imported, or None, and whether another trial would be quick."""
    reading, writing = os.pipe()
    words = [sys.executable, "-c", _TRY, json.dumps(sys.path), str(writing), entry.group, entry.name, entry.value]
    null = subprocess.DEVNULL
    try:
        with subprocess.Popen(
            words, stdin=null, stdout=null, stderr=null, pass_fds=(writing,), start_new_session=True
        ) as process:
            try:
                code = process.wait(_TRIAL_S)
            except subprocess.TimeoutExpired:
                again = "it is tried again in an hour, or after `zoo cache --clear`"
                return f"its import does not end within {_TRIAL_S:.0f} s ({again})", False
            finally:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)  # with its child processes
        os.set_blocking(reading, False)
        with suppress(BlockingIOError, ValueError):
            return json.loads(os.read(reading, 65536)), True
    finally:
        os.close(reading)
        os.close(writing)
    if code < 0:
        return f"its import crashes Python ({signal.Signals(-code).name})", True
    return f"its import ends the process (exit code {code})", True


def _in_a_line(error: BaseException) -> str:
    printable = "".join(c if c.isprintable() else " " for c in str(error))  # a terminal obeys control characters
    text = " ".join(printable.split())[:_LONGEST]
    if isinstance(error, SystemExit):
        return f"its import exits ({text or 'without a code'})"
    return text if " " in text else f"{type(error).__name__}: {text}".removesuffix(": ")


def _stamp(entry: EntryPoint) -> str:
    """A digest that changes with the files and the version of the plug-in's package, and with Python's version."""
    facts: list[Any] = [sys.version, sys.executable, entry.group, entry.value]
    with suppress(Exception):  # the version may be missing, the metadata damaged
        facts.append(entry.dist.version if entry.dist is not None else None)
    for path in islice(_files(entry), _MOST_FILES):
        with suppress(OSError):
            facts.append((str(path), path.stat().st_mtime_ns, path.stat().st_size))
    return hashlib.sha256(repr(facts).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _files(entry: EntryPoint) -> Iterator[Path]:
    try:
        spec = find_spec(entry.module.partition(".")[0])  # for the outermost package this imports nothing
    except (ImportError, ValueError, AttributeError):
        return
    if spec is None:
        return
    if spec.origin is not None:
        yield Path(spec.origin)
    for folder in spec.submodule_search_locations or ():
        yield from sorted(Path(folder).rglob("*.py"))


def _write(path: Path, facts: dict[str, Any]) -> None:
    with suppress(OSError):  # without a cache, a plug-in is tried each time
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path, sync=False) as part:
            part.write_text(json.dumps(facts), encoding="utf-8")
