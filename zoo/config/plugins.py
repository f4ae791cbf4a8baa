"""Plug-ins: entry points of other packages. Each is tried out in a process of its own before it is imported here, so
that one that exits, crashes or hangs on import is a line, and the others go on."""

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
SOURCES = "zoo.sources"
_KINDS = {BUILDERS: "builder plug-in", CARDS: "card package", SOURCES: "source plug-in"}
_TRIAL_S = 60.0
_HUNG_S = 3600.0
"""How long a plug-in that hung is not tried out again, unless its files change."""
_MOST_FILES = 2000
_TRIAL: list[str] = []
"""What this process was started to try out; nothing in all others."""
_LONGEST = 300
_TRY = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from zoo.config.plugins import answer; answer(*sys.argv[2:])"
)


@dataclass(frozen=True)
class Plugins:
    """The plug-ins of a group: what those that could be imported are, and a line for each that could not."""

    loaded: tuple[tuple[EntryPoint, Any], ...]
    broken: tuple[str, ...]


@cache
def load(group: str) -> Plugins:
    """Import the plug-ins of `group` that can be imported. Without any, nothing is done."""
    loaded: list[tuple[EntryPoint, Any]] = []
    broken: list[str] = []
    if _TRIAL:  # one that looks the others up on import tries none of them out
        return Plugins((), ())
    for entry in entry_points(group=group):
        problem = _problem(entry)
        if problem is None:
            try:
                with redirect_stdout(sys.stderr):  # stdout is for what was asked for
                    loaded.append((entry, entry.load()))
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                problem = _in_a_line(error)
        if problem is not None:
            broken.append(told(entry, problem))
    return Plugins(tuple(loaded), tuple(broken))


def told(entry: EntryPoint, problem: str) -> str:
    """A line that names the plug-in and its `problem`."""
    return (
        f"the {_KINDS.get(entry.group, 'plug-in')} '{entry.name}' ({entry.value}) cannot be loaded: {problem}; "
        "fix or uninstall its package"
    )


def answer(pipe: str, group: str, name: str, value: str) -> None:
    """Import a plug-in and write its problem, or null, to the file descriptor `pipe`; for the process of a trial."""
    _TRIAL.append(value)
    problem = None
    try:
        EntryPoint(name, value, group).load()
    except BaseException as error:
        problem = _in_a_line(error)
    os.write(int(pipe), json.dumps(problem).encode())
    os._exit(0)  # whatever the plug-in started or registered for the end


def _problem(entry: EntryPoint) -> str | None:
    """Why `entry` cannot be imported, None when it can; from the cache where its files are those of a trial before."""
    path = cache_dir() / "plugins" / f"{_stamp(entry)}.json"
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        if known["problem"] is None or time.time() - known["at"] < _HUNG_S:
            return None if known["problem"] is None else str(known["problem"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    problem, again_at_once = _try_out(entry)
    if problem is None or not again_at_once:
        _write(path, {"problem": problem, "at": time.time(), "plug-in": f"{entry.name} = {entry.value}"})
    return problem


def _try_out(entry: EntryPoint) -> tuple[str | None, bool]:
    """Why `entry` cannot be imported, and whether that is soon found out the next time."""
    reading, writing = os.pipe()
    words = [sys.executable, "-c", _TRY, json.dumps(sys.path), str(writing), entry.group, entry.name, entry.value]
    no = subprocess.DEVNULL
    try:
        with subprocess.Popen(
            words, stdin=no, stdout=no, stderr=no, pass_fds=(writing,), start_new_session=True
        ) as process:
            try:
                code = process.wait(_TRIAL_S)
            except subprocess.TimeoutExpired:
                again = "it is tried again in an hour, or after `zoo cache --clear`"
                return f"its import does not end within {_TRIAL_S:.0f} s ({again})", False
            finally:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)  # with all that it started
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
    printable = "".join(c if c.isprintable() else " " for c in str(error))  # a terminal would obey the rest
    text = " ".join(printable.split())[:_LONGEST]
    if isinstance(error, SystemExit):
        return f"its import exits ({text or 'without a code'})"
    return text if " " in text else f"{type(error).__name__}: {text}".removesuffix(": ")


def _stamp(entry: EntryPoint) -> str:
    """Changes with the files of the plug-in's package, its version and that of Python."""
    facts: list[Any] = [sys.version, sys.executable, entry.group, entry.value]
    with suppress(Exception):  # metadata may lack it, or be damaged
        facts.append(entry.dist.version if entry.dist is not None else None)
    for path in islice(_files(entry), _MOST_FILES):
        with suppress(OSError):
            facts.append((str(path), path.stat().st_mtime_ns, path.stat().st_size))
    return hashlib.sha256(repr(facts).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _files(entry: EntryPoint) -> Iterator[Path]:
    try:
        spec = find_spec(entry.module.partition(".")[0])  # of the outermost package, which imports nothing
    except (ImportError, ValueError, AttributeError):
        return
    if spec is None:
        return
    if spec.origin is not None:
        yield Path(spec.origin)
    for place in spec.submodule_search_locations or ():
        yield from sorted(Path(place).rglob("*.py"))


def _write(path: Path, facts: dict[str, Any]) -> None:
    """Write `facts` whole or not at all; without a cache a plug-in is tried out each time."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path, sync=False) as part:
            part.write_text(json.dumps(facts), encoding="utf-8")
