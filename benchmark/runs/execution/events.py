"""What happens to the runs of `execute_all`, as its caller hears of it."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.runs.run import Progress, Run, RunSpec, SplitFacts


@dataclass(frozen=True)
class Preparing:
    """The split of a run is drawn and its images are decoded."""

    spec: RunSpec


@dataclass(frozen=True)
class Started:
    """The process of a run has started, on images that were split as `split` says."""

    spec: RunSpec
    split: SplitFacts


@dataclass(frozen=True)
class Stepped:
    """A run has made progress."""

    spec: RunSpec
    progress: Progress


@dataclass(frozen=True)
class Finished:
    """A run has ended, well or not, and is stored."""

    spec: RunSpec
    run: Run


@dataclass(frozen=True)
class Reused:
    """The store already had the run."""

    spec: RunSpec
    run: Run


@dataclass(frozen=True)
class Elsewhere:
    """Another process computes the run; it is waited for."""

    spec: RunSpec


Event = Preparing | Started | Stepped | Finished | Reused | Elsewhere
