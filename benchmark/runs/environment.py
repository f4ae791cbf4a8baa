"""The versions, commit and hardware that a run was computed with."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from functools import cache
from pathlib import Path

import psutil

from benchmark.training.convolutions.methods import CONVOLUTION_LABELS, ChosenConvolutions
from benchmark.training.frozen.methods import METHOD_LABELS
from zoo.config.strict import Strict

_PACKAGES = ("numpy", "scipy", "scikit-learn", "pillow")


class Environment(Strict):
    """What a run was computed with.

    Attributes:
        versions: Version of each package, and of Python.
        commit: The commit of zoo's checkout; None outside of one.
        platform: Operating system and architecture.
        processor: Name of the processor.
        cores: Number of its cores.
        threads: Number of threads that the run used.
        memory_gib: Memory of the machine.
        precision: Precision of frozen layers.
        prefix: The method that computed frozen layers (`benchmark.training.frozen.methods`); None if there are none,
            or in old records.
        prefix_reason: Why that method was used.
        convolutions: The method of wide convolutions in training (`benchmark.training.convolutions.methods`). None if
            there was no choice: without such convolutions, in bfloat16, on an accelerator, with another backend than
            TensorFlow, and in old records.
        convolutions_reason: Why that method was used.
        weights: Where pretrained weights came from; None without any.
    """

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
    convolutions: str | None = None
    convolutions_reason: str | None = None
    weights: str | None = None

    def prefix_in_words(self) -> str | None:
        """Say how frozen layers were computed and why; None if the record has no `prefix`."""
        if self.prefix is None:
            return None
        return f"{METHOD_LABELS.get(self.prefix, self.prefix)}; {self.prefix_reason}"

    def with_convolutions(self, chosen: ChosenConvolutions) -> Environment:
        """Return the environment of a run that trained wide convolutions by the chosen method."""
        return self.model_copy(update={"convolutions": chosen.method, "convolutions_reason": chosen.reason})

    def convolutions_in_words(self) -> str | None:
        """Say how wide convolutions were computed in training and why; None if the record has no `convolutions`."""
        if self.convolutions is None:
            return None
        return f"{CONVOLUTION_LABELS.get(self.convolutions, self.convolutions)}; {self.convolutions_reason}"


def describe_environment(
    backend: dict[str, str], threads: int, way: str | None, reason: str | None, weights: str | None = None
) -> Environment:
    """Describe this machine and the installed versions.

    Args:
        backend: Versions of Keras and its backend.
        threads: Number of threads that the run uses.
        way: The method that computed frozen layers, if any.
        reason: Why that method was used.
        weights: Where pretrained weights came from, if any.

    Returns:
        The environment of the run.
    """
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
    """The commit of the checkout that this code runs from, with "+changes" if files differ; None outside of one."""
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
    """The name of the processor, or its architecture if the platform does not report a name."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def processor_features() -> tuple[str, ...]:
    """List the instruction sets that the processor supports, in which processors of one name may differ.

    Returns:
        Their names, sorted; empty if the platform does not report them.
    """
    return tuple(sorted(_cpuinfo("flags", "Features").split()))


def _cpuinfo(*keys: str) -> str:
    """The first value of one of `keys` in Linux's description of the processor; empty if there is none."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    values = (line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() in keys)
    return next(values, "")
