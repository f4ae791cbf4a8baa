"""Events that `execute_all` reports to its caller."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.runs.run import Progress, Run, RunSpec, SplitFacts


@dataclass(frozen=True)
class Preparing:
    """The split of a run is being drawn and its images are being decoded."""

    spec: RunSpec


@dataclass(frozen=True)
class Started:
    """The process of a run has started, on the images of `split`."""

    spec: RunSpec
    split: SplitFacts


@dataclass(frozen=True)
class Progressed:
    """A run has made progress."""

    spec: RunSpec
    progress: Progress


@dataclass(frozen=True)
class Finished:
    """A run has finished or failed, and is stored."""

    spec: RunSpec
    run: Run


@dataclass(frozen=True)
class Reused:
    """The store already contains the run."""

    spec: RunSpec
    run: Run


@dataclass(frozen=True)
class ComputedElsewhere:
    """Another process computes the run, and this one waits for it."""

    spec: RunSpec


@dataclass(frozen=True)
class Submitted:
    """An engine on other machines has accepted the run; `where` names it there: `SLURM job 12`."""

    spec: RunSpec
    where: str


@dataclass(frozen=True)
class Waiting:
    """The run waits, for at most ten minutes, until other programs use less memory."""

    spec: RunSpec


@dataclass(frozen=True)
class Postponed:
    """The run was ended because memory was nearly used up. It is tried again once, alone, after the other runs."""

    spec: RunSpec
    reason: str


Event = Preparing | Started | Progressed | Finished | Reused | ComputedElsewhere | Submitted | Waiting | Postponed
