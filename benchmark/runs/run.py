"""The records of a run: its specification and its outcome, frozen and versioned."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from benchmark.data.dataset import Dataset, PatientFacts
from benchmark.data.splits import Split
from benchmark.evidence.decisions.decide import Decision
from benchmark.evidence.diagnosis.diagnoses import Finding
from benchmark.evidence.diagnosis.training_record import TrainingDiagnostics
from benchmark.evidence.metrics.registry import Figure, out_of_range
from benchmark.evidence.thresholds.choice import Threshold
from benchmark.evidence.thresholds.rules import rule_names
from benchmark.runs.environment import Environment
from benchmark.runs.protocol import Protocol
from benchmark.training.convolutions.methods import ConvolutionMethod, ConvolutionTrial
from benchmark.training.frozen.methods import PrefixMethod, PrefixTrial
from benchmark.training.probe_facts import ProbeFacts
from zoo.config.strict import Strict
from zoo.models.card import ModelCard
from zoo.models.registry import Unfrozen

SEMANTICS = 4
"""Raised when the same specification would give another result."""

RECORD_VERSION = 7
"""Raised when the structure of run.json changes."""

Stage = Literal["bench", "search", "curve"]
"""What a run is for: a benchmark, a trial of a search, or a point of a curve over training images."""

_FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in hexadecimal."""


class DatasetFacts(Strict):
    """What a run records about its data set: enough to name it, open it again, recognise it, and decode other images
    in the same way.

    The attributes are those of `Dataset`. Old records have None for what they do not contain.

    Attributes:
        source: The source string that opens it again.
        title: What it is, for people.
        synthetic: Whether the images are drawn by a program.
        classes: Names of the classes; of two, the positive one is last.
        fingerprint: SHA-256 of everything that can decide a result.
        patients: Whether patients are known.
        positive: The class that the user named as positive, if any.
        test_names: Digest of the names in the test part.
        known_as: The data set that the user declared it to be, if any.
        levels: The stored levels that become 0 and 255, by depth; empty if all images have 8 bits. None in old
            records, whose 16-bit images were scaled from 0..65535.
        patient_pattern: The pattern for file names with which it was opened, if any.
        ordered: Whether the order of the classes is a scale.
        hold_out: The images that were held out for the test, as COLUMN=VALUE, if the user asked for it.
    """

    source: str
    title: str
    synthetic: bool
    classes: Annotated[tuple[str, ...], Field(min_length=2)]
    fingerprint: str
    patients: PatientFacts | None = None
    positive: str | None = None
    test_names: str | None = None
    known_as: str | None = None
    levels: dict[str, tuple[float, float]] | None = None
    patient_pattern: str | None = None
    ordered: bool = False
    hold_out: str | None = None

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """Record the facts of `dataset`."""
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
            ordered=dataset.ordered,
            hold_out=dataset.hold_out,
        )

    @property
    def patients_unknown(self) -> bool:
        """Whether the record says that patients are not known; False for a record without `patients`."""
        return self.patients is not None and not self.patients.known

    @property
    def reading(self) -> dict[str, tuple[float, float]]:
        """The stored levels that became 0 and 255 in this run, by depth."""
        return {"8-bit": (0.0, 255.0), "16-bit": (0.0, 65535.0)} if self.levels is None else self.levels


class TrainingSubset(Strict):
    """The part of the training images that a run of a curve trains on.

    Attributes:
        images: Number of training images. Those of one draw are nested: a smaller subset is part of a larger one.
        of: Number of training images of the split, from which they are drawn.
        draw: The number of the draw, from 0.
    """

    images: Annotated[int, Field(ge=1)]
    of: Annotated[int, Field(ge=1)]
    draw: Annotated[int, Field(ge=0)]


def conditions_of(fingerprint: str, protocol: Protocol) -> str:
    """The `RunSpec.conditions` of runs on the data with this fingerprint under a protocol."""
    return json.dumps([fingerprint, protocol.conditions()], sort_keys=True)


class RunSpec(Strict):
    """The specification of a run: one card under one protocol on one data set with one seed.

    Attributes:
        card: The card as written. `Protocol.budgeted` caps its epochs where it is trained or described.
        protocol: The protocol.
        dataset: The data set.
        seed: Decides initial weights, dropout and the order of batches.
        semantics: Version of the computation.
        stage: A run of stage `search` is scored on validation alone and never opens the test split.
        fold: (number of folds, index from 0) of a cross-validation. Under `test_folds` the fold is the test part; in a
            search it is the val part of the train and val images.
        subset: The part of the training images that a run of stage `curve` trains on. Validation and test images are
            those of all other runs under the protocol. None for other stages.
        members: Ids of the runs whose scores an ensemble averages, in the order of its card; empty for other cards.
    """

    card: ModelCard
    protocol: Protocol
    dataset: DatasetFacts
    seed: int
    semantics: int = SEMANTICS
    stage: Stage = "bench"
    fold: tuple[int, int] | None = None
    subset: TrainingSubset | None = None
    members: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _ensembles_have_members(self) -> RunSpec:
        if len(self.members) != len(self.card.members):
            raise ValueError("members: a run of an ensemble, and no other, names one run per member of its card")
        return self

    @model_validator(mode="after")
    def _curves_have_subsets(self) -> RunSpec:
        if (self.stage == "curve") != (self.subset is not None):
            raise ValueError("subset: a run of stage curve, and no other, trains on a subset of the training images")
        return self

    @model_serializer(mode="wrap")
    def _without_missing_subset(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = dump(self)
        if fields.get("subset") is None:  # documents of runs on all training images have no such field
            fields.pop("subset", None)
        if not fields.get("members"):  # only documents of ensembles have this field
            fields.pop("members", None)
        return fields

    @property
    def run_id(self) -> str:
        """Twelve hexadecimal digits of a hash of everything that decides the result."""
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
        if self.subset is not None:
            identity["subset"] = self.subset.model_dump()
        if self.members:
            identity["members"] = list(self.members)
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def seed_text(self) -> str:
        """The seed, and the fold or the subset if there is one: `0`, `0 (fold 2/5)`, `0 (100 images, draw 1)`."""
        if self.subset is not None:
            return f"{self.seed} ({self.subset.images} images, draw {self.subset.draw + 1})"
        return f"{self.seed}" if self.fold is None else f"{self.seed} (fold {self.fold[1] + 1}/{self.fold[0]})"

    @property
    def conditions(self) -> str:
        """A text that is equal for comparable runs: those with the same data and protocol."""
        return conditions_of(self.dataset.fingerprint, self.protocol)

    @property
    def split_seed(self) -> int | tuple[int, int]:
        """The seed of the split: the protocol's split seed, joined by the run's seed under `split: per-seed`.

        All runs of a curve have the split of seed 0, so that they are validated and tested on the same images.
        """
        fixed = self.protocol.split == "fixed"
        return self.protocol.split_seed if fixed else (self.protocol.split_seed, 0 if self.subset else self.seed)


@dataclass(frozen=True)
class Progress:
    """The progress of a run.

    Attributes:
        done: Number of batches done.
        total: Number of batches in all.
        label: What is being computed.
        before: Number of batches in the phases that have ended.
    """

    done: int
    total: int
    label: str
    before: int = 0


@dataclass(frozen=True)
class SplitFacts:
    """What a run records about its split.

    Attributes:
        sizes: Number of images by part.
        fingerprint: SHA-256 of the names in each part.
        notes: How the parts were drawn, one line each.
        classes: Number of images of each class, by part; empty in old records.
    """

    sizes: dict[str, int]
    fingerprint: str
    notes: tuple[str, ...]
    classes: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, split: Split) -> SplitFacts:
        """Record the facts of `split`."""
        parts = {"train": split.train, "val": split.val, "test": split.test}
        sizes = {name: len(part) for name, part in parts.items()}
        return cls(sizes, split.fingerprint, split.notes, split.by_class)


@dataclass(frozen=True)
class Job:
    """What a worker computes.

    Attributes:
        spec: The run.
        folder: The folder of prepared pixels.
        split: Facts about their split.
        also_unfrozen: Unfrozen layers of other runs that will use the same features.
        trial: What chooses the method for frozen layers if the protocol leaves it open.
        convolutions: What chooses the method for convolutions in training if the protocol leaves it open.
        registration: Digest of the registration that contains the run.
    """

    spec: RunSpec
    folder: Path
    split: SplitFacts
    also_unfrozen: tuple[Unfrozen, ...] = ()
    trial: PrefixTrial | PrefixMethod | None = None
    convolutions: ConvolutionTrial | ConvolutionMethod | None = None
    registration: str | None = None


class Costs(Strict):
    """What a run cost.

    Attributes:
        seconds: Seconds of the whole run.
        epochs: Number of epochs that were trained.
        seconds_per_epoch: Mean seconds per epoch of training; None for a probe, which has no epochs.
        inference_ms_per_image: Milliseconds per image. None in a search, where measuring it would take most of the time
            of a trial on a frozen base.
        peak_memory_mib: Peak memory of the process in MiB.
        parameters: Number of parameters.
        trainable_parameters: Number of those that are trained.
        stages: Seconds by stage: `start` (of the process, until it reads data), `data` (prepared images), `features`
            (of frozen layers, computed or loaded), `training`, `scoring`, and `figures` (with everything that the
            diagnosis needs). Empty in old records.
        features_needed: Number of features of frozen layers that training and scoring needed, one per image, view and
            layer; 0 without frozen layers, None in old records.
        features_computed: Number of those that the feature bank did not have, so that the run computed them.
    """

    seconds: float
    epochs: int
    seconds_per_epoch: float | None
    inference_ms_per_image: float | None = None
    peak_memory_mib: float
    parameters: int
    trainable_parameters: int
    stages: dict[str, float] = Field(default={})
    features_needed: int | None = None
    features_computed: int | None = None


class Member(Strict):
    """A member of an ensemble.

    Attributes:
        card: The name of its card.
        run_id: The run whose scores are averaged.
        weight: Its weight in the mean, in [0, 1]; 0 if it was not chosen.
        log_loss: The log loss of its validation scores, in nats.
    """

    card: str
    run_id: str
    weight: Annotated[float, Field(ge=0, le=1)]
    log_loss: float


class Run(Strict):
    """The outcome of a `RunSpec`.

    A finished run has figures, costs, and a threshold or, for three or more classes, a decision; a failed run has an
    error.

    Attributes:
        version: Version of this record's structure.
        spec: What was to be computed.
        status: Whether the run finished.
        finished: When it ended: UTC in ISO 8601.
        error: Why it failed, in one line.
        split: Facts about its split.
        threshold: The threshold chosen on validation; without a value, its reason says why. None for more than two
            classes.
        decision: The decision among three or more classes, chosen on validation. None for two classes.
        at_half: Figures by split and metric: at threshold 0.5, or of the classes with the highest scores. Those of
            three or more classes have keys such as `recall:macro` (`MeasureKey`).
        at_chosen: Figures at the chosen threshold, or by the chosen decision, by split and metric.
        diagnosis: Findings about the training.
        checks: What was recorded for the diagnosis.
        probe: How the last layer was fitted; None for a card that trains in epochs, and in old records.
        members: What an ensemble averages; empty for other runs, whose documents have no such field.
        costs: What it cost.
        environment: What it was computed with.
        files: SHA-256 of each other file of the run, by name. The store writes it; empty in old records.
        registration: Digest of the registration that was written before the test split was opened. None in records
            of searches and in old ones, which do not have the field.
        memory_limit_mib: For a run that was ended because of its memory, the limit in MiB. None for any other, and
            where the limit is unknown.
    """

    version: int = RECORD_VERSION
    spec: RunSpec
    status: Literal["ok", "failed"]
    finished: str
    error: str | None = None
    split: SplitFacts
    threshold: Threshold | None = None
    decision: Decision | None = None
    at_half: dict[str, dict[str, Figure]] = Field(default={})
    at_chosen: dict[str, dict[str, Figure]] = Field(default={})
    diagnosis: tuple[Finding, ...] = ()
    checks: TrainingDiagnostics | None = None
    probe: ProbeFacts | None = None
    members: tuple[Member, ...] = ()
    costs: Costs | None = None
    environment: Environment | None = None
    files: dict[_FileName, Sha256] = Field(default={})
    registration: Sha256 | None = None
    memory_limit_mib: float | None = None

    @model_validator(mode="after")
    def _whole(self) -> Run:
        classes = len(self.spec.dataset.classes)
        choice = self.threshold if classes == 2 else self.decision
        if self.status == "ok" and (self.error or not self.at_half or self.costs is None or choice is None):
            chosen = "a threshold" if classes == 2 else "a decision"
            raise ValueError(f"a finished run has figures, costs and {chosen}, and no error")
        if self.status == "failed" and not self.error:
            raise ValueError("a failed run needs an error")
        for figures in (*self.at_half.values(), *self.at_chosen.values()):
            for name, figure in figures.items():
                if figure.metric != name:
                    raise ValueError(f"{name} contains a figure of {figure.metric}")
                if (problem := out_of_range(figure, classes=classes)) is not None:
                    raise ValueError(problem)
        if self.threshold is not None:
            _check_threshold(self.threshold)
        if self.decision is not None and self.decision.classes != self.spec.dataset.classes:
            raise ValueError("its decision is for other classes than those of the data")
        return self

    @model_serializer(mode="wrap")
    def _without_missing(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = dump(self)
        for name in ("registration", "memory_limit_mib"):
            if fields.get(name) is None:  # documents of runs without one have no such field
                fields.pop(name, None)
        if not fields.get("members"):
            fields.pop("members", None)
        return fields

    @property
    def choice(self) -> Threshold | Decision | None:
        """What was chosen on validation: the threshold, or the decision among three or more classes."""
        return self.threshold if self.decision is None else self.decision

    @property
    def run_id(self) -> str:
        """The id of the specification."""
        return self.spec.run_id

    @classmethod
    def failed(cls, spec: RunSpec, error: str, split: SplitFacts, environment: Environment | None = None) -> Run:
        """Make the record of a run that did not finish.

        Args:
            spec: What was to be computed.
            error: Why it failed, in one line.
            split: Facts about its split.
            environment: What it was computed with, if known.

        Returns:
            The record, with the present time.
        """
        return cls(spec=spec, status="failed", finished=now(), error=error, split=split, environment=environment)

    def figures(self, split: str = "test", chosen: bool = False) -> dict[str, Figure]:
        """Figures of `split` by metric, at the default or at the chosen decisions; empty if there are none."""
        return (self.at_chosen if chosen else self.at_half).get(split, {})


def _check_threshold(threshold: Threshold) -> None:
    if threshold.rule not in rule_names():
        raise ValueError(f"unknown threshold rule '{threshold.rule}'")
    for number in (threshold.value, threshold.low, threshold.high):
        if number is not None and not 0 <= number <= 1:
            raise ValueError(f"the threshold {number:g} is not between 0 and 1")


def now() -> str:
    """The present time: UTC in ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
