"""What a run is asked to be and what it became: frozen, versioned records."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from benchmark.data.dataset import Dataset, PatientFacts
from benchmark.data.quotas import count_classes
from benchmark.data.splits import Split
from benchmark.evidence.diagnosis.causes import Finding
from benchmark.evidence.diagnosis.training_record import TrainingDiagnostics
from benchmark.evidence.metrics.definitions import Figure, out_of_range
from benchmark.evidence.thresholds.choice import Threshold
from benchmark.evidence.thresholds.rules import rule_names
from benchmark.runs.environment import Environment
from benchmark.runs.protocol import Protocol
from benchmark.training.frozen.methods import Trial, Way
from zoo.config.strict import Strict
from zoo.models.card import ModelCard

SEMANTICS = 4
"""Raised when the same spec would give another result."""

RECORD_VERSION = 4
"""Raised when run.json changes its shape."""

_FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class DatasetFacts(Strict):
    """What a run remembers of its data: enough to name it, to open it as it was opened, to know it
    again, and to read other images alike.

    `patients`, `positive`, `test_names` and `known_as` are the data set's; a record that does not say them has None.
    `levels` has for each depth of the images the stored levels that become 0 and 255, and is empty where all hold 8
    bits. Old records have None: their 16-bit images were read as 0..65535.
    """

    source: str
    title: str
    synthetic: bool
    classes: tuple[str, str]
    fingerprint: str
    patients: PatientFacts | None = None
    positive: str | None = None
    test_names: str | None = None
    known_as: str | None = None
    levels: dict[str, tuple[float, float]] | None = None
    patient_pattern: str | None = None

    @classmethod
    def of(cls, dataset: Dataset) -> DatasetFacts:
        """The facts of `dataset`."""
        return cls(
            source=dataset.source,
            title=dataset.title,
            synthetic=dataset.synthetic,
            classes=dataset.classes,
            fingerprint=dataset.fingerprint,
            patients=dataset.patients,
            positive=dataset.positive,
            test_names=dataset.test_names,
            known_as=dataset.known_as,
            levels=dict(dataset.levels),
            patient_pattern=dataset.patient_pattern,
        )

    @property
    def patients_unknown(self) -> bool:
        """Whether it is known that nobody says which images are of one patient."""
        return self.patients is not None and not self.patients.known

    @property
    def reading(self) -> dict[str, tuple[float, float]]:
        """The levels by which the run read its images."""
        return {"8-bit": (0.0, 255.0), "16-bit": (0.0, 65535.0)} if self.levels is None else self.levels


class RunSpec(Strict):
    """One card under one protocol on one data set with one seed.

    A run of stage `search` is scored on validation alone and never opens the test split. `fold` is (folds, index): the
    train and val images are then dealt anew by patient.
    """

    card: ModelCard
    protocol: Protocol
    dataset: DatasetFacts
    seed: int
    semantics: int = SEMANTICS
    stage: Literal["bench", "search"] = "bench"
    fold: tuple[int, int] | None = None

    @property
    def run_id(self) -> str:
        """Twelve hexadecimal digits of a hash of all that decides the result."""
        identity: dict[str, object] = {
            "card": self.card.identity(),
            "protocol": self.protocol.identity(),
            "dataset": self.dataset.fingerprint,
            "seed": self.seed,
            "semantics": self.semantics,
        }
        if self.stage != "bench":
            identity["stage"] = self.stage
        if self.fold is not None:
            identity["fold"] = self.fold
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def conditions(self) -> str:
        """Equal for runs that may be compared: the same data under the same protocol."""
        return json.dumps([self.dataset.fingerprint, self.protocol.conditions()], sort_keys=True)

    @property
    def split_seed(self) -> int | tuple[int, int]:
        """What the split is drawn from: the protocol's split seed, with the run's seed under `split: per-seed`."""
        fixed = self.protocol.split == "fixed"
        return self.protocol.split_seed if fixed else (self.protocol.split_seed, self.seed)


@dataclass(frozen=True)
class Progress:
    """How far a run is: `done` of `total` batches, and what it is at."""

    done: int
    total: int
    label: str


@dataclass(frozen=True)
class SplitFacts:
    """What a run records about its split: images in each part, a fingerprint, what to know of how it was drawn, and
    images of class 0 and of class 1 in each part (empty in records that did not count them)."""

    sizes: dict[str, int]
    fingerprint: str
    notes: tuple[str, ...]
    classes: dict[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, split: Split) -> SplitFacts:
        """The facts of `split`."""
        parts = {"train": split.train, "val": split.val, "test": split.test}
        classes = {name: count_classes(part) for name, part in parts.items()}
        return cls({name: len(part) for name, part in parts.items()}, split.fingerprint, split.notes, classes)


@dataclass(frozen=True)
class Job:
    """What a worker computes: a run on prepared pixels in `folder`. `also_unfrozen` are the numbers of unfrozen layers
    of other runs that will ask for the same features. `trial` is what chooses how frozen layers are computed, where the
    protocol leaves that open."""

    spec: RunSpec
    folder: Path
    split: SplitFacts
    also_unfrozen: tuple[int, ...] = ()
    trial: Trial | Way | None = None


class Costs(Strict):
    """`seconds` of the whole run, `seconds_per_epoch` of training, `peak_memory_mib` of its process.

    `inference_ms_per_image` is not measured in a search: it would cost a trial on a frozen base most of its time.
    `stages` are seconds by stage: `start` (of the process, until it reads data), `data` (prepared images), `features`
    (of frozen layers, computed or read), `training`, `scoring`, and `figures` (with all that the diagnosis needs); a
    record may lack them.
    """

    seconds: float
    epochs: int
    seconds_per_epoch: float
    inference_ms_per_image: float | None = None
    peak_memory_mib: float
    parameters: int
    trainable_parameters: int
    stages: dict[str, float] = Field(default={})


class Run(Strict):
    """The outcome of a RunSpec.

    A finished run has figures, costs and a threshold (perhaps without a value, with the reason); a failed one has an
    `error` of one line. `at_half` and `at_chosen` hold figures by split and metric at threshold 0.5 and at the one
    chosen on validation. `checks` are what was recorded for the diagnosis. `finished` is the UTC time in ISO 8601.
    `files` holds the SHA-256 of every other file of the run by its name; the store writes it, and records older than it
    have none.
    """

    version: int = RECORD_VERSION
    spec: RunSpec
    status: Literal["ok", "failed"]
    finished: str
    error: str | None = None
    split: SplitFacts
    threshold: Threshold | None = None
    at_half: dict[str, dict[str, Figure]] = Field(default={})
    at_chosen: dict[str, dict[str, Figure]] = Field(default={})
    diagnosis: tuple[Finding, ...] = ()
    checks: TrainingDiagnostics | None = None
    costs: Costs | None = None
    environment: Environment | None = None
    files: dict[_FileName, _Sha256] = Field(default={})

    @model_validator(mode="after")
    def _whole(self) -> Run:
        if self.status == "ok" and (self.error or not self.at_half or self.costs is None or self.threshold is None):
            raise ValueError("a finished run has figures, costs and a threshold, and no error")
        if self.status == "failed" and not self.error:
            raise ValueError("a failed run says why")
        for figures in (*self.at_half.values(), *self.at_chosen.values()):
            for name, figure in figures.items():
                if figure.metric != name:
                    raise ValueError(f"{name} holds a figure of {figure.metric}")
                if any(x is not None and not math.isfinite(x) for x in (figure.value, figure.low, figure.high)):
                    raise ValueError(f"{figure.metric} is not finite")
                if (problem := out_of_range(figure)) is not None:
                    raise ValueError(problem)
        if self.threshold is not None:
            _check_threshold(self.threshold)
        return self

    @property
    def run_id(self) -> str:
        """The spec's."""
        return self.spec.run_id

    @classmethod
    def failed(cls, spec: RunSpec, error: str, split: SplitFacts, environment: Environment | None = None) -> Run:
        """The record of a run that did not finish."""
        return cls(spec=spec, status="failed", finished=now(), error=error, split=split, environment=environment)

    def figures(self, split: str = "test", chosen: bool = False) -> dict[str, Figure]:
        """Figures of `split` at 0.5, or at the chosen threshold; empty when there are none."""
        return (self.at_chosen if chosen else self.at_half).get(split, {})


def _check_threshold(threshold: Threshold) -> None:
    if threshold.rule not in rule_names():
        raise ValueError(f"unknown threshold rule '{threshold.rule}'")
    for number in (threshold.value, threshold.low, threshold.high):
        if number is not None and not 0 <= number <= 1:
            raise ValueError(f"the threshold {number:g} is not within 0 and 1")


def now() -> str:
    """The UTC time in ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
