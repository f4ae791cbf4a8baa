"""Runs loaders on mutated files, and keeps the smallest file of each finding."""

from __future__ import annotations

import contextlib
import faulthandler
import hashlib
import json
import os
import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from tests.faults.fuzz import mutations
from tests.faults.fuzz.targets import TARGETS, USER_ERRORS, Target

MOST_SECONDS = 5.0
"""Processor time that one file may take."""

MOST_MIB = 1500
"""By how much one file may raise the peak of the memory."""

HANG_S = 120
"""Seconds after which a loader counts as hanging that no signal can interrupt."""

_TRIES = 300


class TooLong(BaseException):
    """A loader takes more than `MOST_SECONDS`."""


@dataclass(frozen=True)
class Finding:
    """What a loader did with a file, other than to answer or to raise an error of a user.

    Attributes:
        target: The loader.
        error: The exception in one line, or what it took too much of.
        where: The innermost place in a file of the project, or of what it called.
        content: The smallest file that does the same.
    """

    target: str
    error: str
    where: str
    content: bytes

    def save(self, folder: Path) -> Path:
        """Write the file, and the error beside it, into a folder, and return the path of the file."""
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{self.target}-{hashlib.sha256(self.content).hexdigest()[:12]}"
        path = folder / f"{name}{TARGETS[self.target].suffix}"
        path.write_bytes(self.content)
        (folder / f"{name}.txt").write_text(f"{self.error}\n{self.where}\n", encoding="utf-8", errors="replace")
        return path


@dataclass
class Fuzzed:
    """What was tried.

    Attributes:
        inputs: How many files.
        refused: How many of them the loader refused with an error of a user.
        seconds: Processor time in seconds.
        findings: One finding for each kind of error and place.
    """

    inputs: int = 0
    refused: int = 0
    seconds: float = 0.0
    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)


def fuzz(name: str, seed: int, folder: Path, count: int | None = None, seconds: float | None = None) -> Fuzzed:
    """Give mutated files to a loader.

    Args:
        name: A name in `TARGETS`.
        seed: The seed of the mutations.
        folder: Where files are written.
        count: How many files; no bound by default.
        seconds: Processor time in seconds; no bound by default.

    Returns:
        What was tried, with one finding of each kind.
    """
    target = TARGETS[name]
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"mine{target.suffix}"
    seeds = target.seeds()
    chance = random.Random(f"{seed}-{name}")
    done = Fuzzed()
    begin = time.process_time()
    with _interrupting():
        while (count is None or done.inputs < count) and (seconds is None or time.process_time() - begin < seconds):
            content = target.mutate(chance.choice(seeds), chance, seeds)
            kind = attempt(target, path, content)
            done.inputs += 1
            done.refused += kind == _REFUSED
            if kind not in (None, _REFUSED) and kind not in done.findings:
                content = _smallest(target, path, content, kind)
                done.findings[kind] = Finding(name, *kind, content)
    done.seconds = time.process_time() - begin
    return done


_REFUSED = ("refused", "")


def attempt(target: Target, path: Path, content: bytes) -> tuple[str, str] | None:
    """Load a file.

    Args:
        target: The loader.
        path: Where the file is written.
        content: Its bytes.

    Returns:
        None if the loader answers, `("refused", "")` for an error of a user, else the error and its place.
    """
    path.write_bytes(content)
    before, peak = time.process_time(), _peak_mib()
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    faulthandler.dump_traceback_later(HANG_S, exit=True)
    try:
        try:
            target.load(path)
        finally:  # inside, since the timer may still fire until it is off
            signal.setitimer(signal.ITIMER_PROF, 0)
        outcome = None
    except USER_ERRORS as error:
        lines = getattr(error, "lines", (str(error),))
        bad = [line for line in lines if len(line.splitlines()) != 1]
        outcome = ("an error that is not one line", _where(error)) if bad else _REFUSED
    except TooLong:
        outcome = (f"more than {MOST_SECONDS:g} s", "")
    except Exception as error:
        outcome = (_kind(error), _where(error))
    finally:
        faulthandler.cancel_dump_traceback_later()
    if time.process_time() - before > MOST_SECONDS:
        return f"more than {MOST_SECONDS:g} s", ""
    if _peak_mib() - peak > MOST_MIB:
        return f"more than {MOST_MIB} MiB", ""
    return outcome


def _kind(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:60]}"


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    inner = [frame for frame in frames if "site-packages" not in frame.filename and "/tests/" not in frame.filename]
    last = (inner or frames)[-1]
    return f"{'/'.join(Path(last.filename).parts[-3:])}:{last.lineno} {last.name}"


def _smallest(target: Target, path: Path, content: bytes, kind: tuple[str, str]) -> bytes:
    """The smallest version of a file, among a few hundred tries, that ends in an error of the same type and place."""

    def same(candidate: bytes) -> bool:
        outcome = attempt(target, path, candidate)
        return outcome is not None and outcome[1] == kind[1] and outcome[0].split(":")[0] == kind[0].split(":")[0]

    smaller: Callable[[bytes], Iterator[bytes]] = _shorter
    tries = _TRIES if "more than" not in kind[0] else 20
    while tries > 0:
        for candidate in smaller(content):
            tries -= 1
            if tries <= 0:
                break
            if len(candidate) < len(content) and same(candidate):
                content = candidate
                break
        else:
            break
    return content


def _shorter(content: bytes) -> Iterator[bytes]:
    with contextlib.suppress(ValueError, RecursionError):
        data: Any = json.loads(content)
        if isinstance(data, dict | list):
            yield from (
                mutations.as_text(each).encode("utf-8", "surrogatepass") for each in mutations.smaller_trees(data)
            )
            return
    yield from mutations.smaller_bytes(content)


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextlib.contextmanager
def _interrupting() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGPROF, before)


def main(name: str, seed: int, seconds: float, folder: Path, findings: Path) -> int:
    """Fuzz a loader in this process and print what was tried as JSON.

    Args:
        name: The loader.
        seed: The seed of the mutations.
        seconds: Processor time in seconds.
        folder: Where files are written.
        findings: The folder that receives the files of findings.

    Returns:
        0.
    """
    os.environ["ZOO_CACHE_DIR"] = str(folder / "cache")
    done = fuzz(name, seed, folder, seconds=seconds)
    lines = [f"{f.error} at {f.where}: {f.save(findings)}" for f in done.findings.values()]
    print(json.dumps({"inputs": done.inputs, "refused": done.refused, "seconds": done.seconds, "findings": lines}))
    return 0


if __name__ == "__main__":
    loader, seed_text, seconds_text, *folders = sys.argv[1:]
    sys.exit(main(loader, int(seed_text), float(seconds_text), *map(Path, folders)))  # type: ignore[arg-type]
