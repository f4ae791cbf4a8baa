"""Versions, commit and hardware that a run was computed with."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from functools import cache
from pathlib import Path

import psutil

from benchmark.training.frozen.methods import METHOD_LABELS
from zoo.config.strict import Strict

_PACKAGES = ("numpy", "scipy", "scikit-learn", "pillow")


class Environment(Strict):
    """`threads` a run computes with; `memory_gib` of the machine; `precision` of frozen layers; `prefix` is the way in
    which they were computed (`benchmark.training.frozen.methods`) and `prefix_reason` why, None where there are none or
    a record does not say; `weights` says where pretrained ones came from."""

    versions: dict[str, str]
    commit: str | None
    platform: str
    processor: str
    cores: int
    threads: int
    memory_gib: float
    precision: str = "float32"
    prefix: str | None = None
    prefix_reason: str | None = None
    weights: str | None = None

    def prefix_in_words(self) -> str | None:
        """How frozen layers were computed and why; None where the record does not say."""
        if self.prefix is None:
            return None
        return f"{METHOD_LABELS.get(self.prefix, self.prefix)}; {self.prefix_reason}"


def describe_environment(
    backend: dict[str, str], threads: int, way: str | None, reason: str | None, weights: str | None = None
) -> Environment:
    """This machine and these versions; `backend` adds those of Keras and what lies below. Frozen layers were computed
    in `way` for the `reason`."""
    packages = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return Environment(
        versions={
            "zoo": importlib.metadata.version("zoo-bench"),
            "python": platform.python_version(),
            **backend,
            **packages,
        },
        commit=_commit(),
        platform=f"{platform.system()} {platform.machine()}",
        processor=processor(),
        cores=os.cpu_count() or 1,
        threads=threads,
        memory_gib=round(psutil.virtual_memory().total / 1024**3, 1),
        precision="bfloat16" if way == "bfloat16" else "float32",
        prefix=way,
        prefix_reason=reason,
        weights=weights,
    )


@cache
def _commit() -> str | None:
    """The commit of the checkout this code runs from, marked when files differ from it; None outside of one."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "--short=12", "HEAD")
        return commit + ("+changes" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()


def processor() -> str:
    """The processor's name, as far as the platform tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def processor_features() -> tuple[str, ...]:
    """What the processor says that it can do, sorted: processors of one name may differ in it. Empty where the platform
    does not tell."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.partition(":")[0].strip() in ("flags", "Features"):
                return tuple(sorted(line.partition(":")[2].split()))
    except OSError:
        pass
    return ()
