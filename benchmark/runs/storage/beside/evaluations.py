"""Stored external validations: one folder per evaluation beside the runs, complete or absent.

An evaluation contains what was evaluated and what the model gave for each image. Its figures are computed from these
scores wherever they are shown, so that they cannot disagree with them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from benchmark.evidence.scores import AnyScores
from benchmark.runs.run import DatasetFacts, Run
from benchmark.runs.storage.contents import Predictions, write_predictions
from benchmark.runs.storage.files import Damaged, Unreadable, digest_of, one_line, read_bytes, refusal
from benchmark.runs.storage.lookup import scoring_runs
from benchmark.runs.storage.moves import swap
from benchmark.runs.storage.records import MOST_BYTES
from benchmark.runs.storage.store import MODEL, Store
from zoo.config.atomic import atomic_folder
from zoo.config.strict import Strict

EVALUATIONS = "evaluations"
"""The folder of a store with the evaluations of its models."""

RECORD = "evaluation.json"
PREDICTIONS = "predictions.parquet"
EVALUATION_VERSION = 1
"""Raised when the structure of evaluation.json changes, or the same request would give other scores."""

_MOST_FILE = 1024**3
_AGAIN = "run zoo evaluate again, or delete the folder of the evaluation"

EvaluatedPart = Literal["all", "train", "val", "test"]


class EvaluatedData(DatasetFacts):
    """The facts of images on which nothing is trained, so that they may be of a single class."""

    classes: Annotated[tuple[str, ...], Field(min_length=1)]


class EvaluationSpec(Strict):
    """What is evaluated on which images.

    Attributes:
        version: Version of this record's structure.
        run_id: The run whose model is applied.
        model: Its `model_digest`.
        data: The images. Its options are those with which the source was opened.
        part: The part of the source that is evaluated.
        mapping: The class of the model for each class of the data, by name.
        recalibrated_on: The share of the images, by patient, for recalibration; 0 for none.
        split_seed: Seed of this division.
    """

    version: int = EVALUATION_VERSION
    run_id: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
    model: str
    data: EvaluatedData
    part: EvaluatedPart = "all"
    mapping: dict[str, str]
    recalibrated_on: Annotated[float, Field(ge=0, lt=1)] = 0.5
    split_seed: int = 0

    @property
    def evaluation_id(self) -> str:
        """Twelve hexadecimal digits of a hash of everything that decides the result."""
        identity = self.model_dump(mode="json", exclude={"data"}) | {"data": self.data.fingerprint}
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]


class Evaluation(Strict):
    """The record of an evaluation.

    Attributes:
        spec: What was evaluated.
        finished: When it ended: UTC in ISO 8601.
        images: Number of images of the requested part.
        known: Number of images that were left out as images of the model, by its split.
        related: Number of other images that were left out, since their patients have such images.
        digests_known: Whether the model was stored with the digests of its images; without, none can be recognised.
        without_score: Images that could not be scored, each with the reason.
        unlike_by_chance: The share of images like those of validation that exceed one limit by chance; None if the
            model was stored without references of its training images.
        files: SHA-256 of each other file, by name.
    """

    spec: EvaluationSpec
    finished: str
    images: int
    known: dict[str, int] = Field(default={})
    related: int = 0
    digests_known: bool
    without_score: dict[str, str] = Field(default={})
    unlike_by_chance: float | None = None
    files: dict[str, str] = Field(default={})

    @property
    def evaluation_id(self) -> str:
        """The id of its request."""
        return self.spec.evaluation_id


def evaluation_folder(store: Store, evaluation_id: str) -> Path:
    """The folder of an evaluation, which exists if it is stored."""
    return store.root / EVALUATIONS / evaluation_id


def model_digest(run: Run, store: Store) -> str:
    """Identify the model that gives the scores of a run.

    Args:
        run: The run.
        store: The store that contains it.

    Returns:
        SHA-256 of its model file as its record has it, empty in old records; for an ensemble, SHA-256 of the weights
        and the digests of the members that count.

    Raises:
        ConfigError: The run of a member may be intact, but cannot be read.
    """
    if not run.members:
        return run.files.get(MODEL, "")
    members = [(each.weight, each.run and each.run.files.get(MODEL)) for each in scoring_runs(run, store)]
    return hashlib.sha256(json.dumps(members).encode()).hexdigest()


def save_evaluation(
    store: Store,
    evaluation: Evaluation,
    scores: AnyScores,
    names: Sequence[str],
    further: Mapping[str, Sequence[Any]],
) -> Evaluation:
    """Store an evaluation atomically; one with the same id is replaced.

    Args:
        store: The store of the run.
        evaluation: The record, to which a digest of each file is added.
        scores: The scores, typed as test scores, on which nothing can be chosen.
        names: The names of the images.
        further: Further columns of the table of images.

    Returns:
        The stored record.

    Raises:
        OSError: The folder cannot be written. The store is then unchanged.
    """
    target = evaluation_folder(store, evaluation.evaluation_id)
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_folder(target, move=swap) as building:
        write_predictions(building / PREDICTIONS, [(scores, names)], further)
        record = evaluation.model_copy(update={"files": {PREDICTIONS: digest_of(building / PREDICTIONS)}})
        (building / RECORD).write_text(record.model_dump_json(indent=1), encoding="utf-8")
    if store.send(f"{EVALUATIONS}/{record.evaluation_id}"):
        return read_evaluation(store, record.evaluation_id)
    return record


def stored_evaluation(store: Store, evaluation_id: str) -> Evaluation | None:
    """Find an evaluation.

    Args:
        store: The store of the run.
        evaluation_id: The id of the evaluation.

    Returns:
        The record; None if it is missing or damaged, so that it must be computed.

    Raises:
        ConfigError: It may be intact, but cannot be read.
    """
    try:
        record = read_evaluation(store, evaluation_id)
    except Damaged:
        return None
    return record if record.spec.version == EVALUATION_VERSION else None


def read_evaluation(store: Store, evaluation_id: str) -> Evaluation:
    """Read the record of an evaluation, and check that its scores are those that were saved.

    Args:
        store: The store of the run.
        evaluation_id: The id of the evaluation.

    Returns:
        The record.

    Raises:
        Damaged: A file is missing, is damaged, or differs from what was saved.
        Unreadable: It may be intact, but cannot be read.
    """
    folder = evaluation_folder(store, evaluation_id)
    try:
        record = Evaluation.model_validate_json(read_bytes(folder / RECORD, MOST_BYTES))
        digest = digest_of(folder / PREDICTIONS)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Damaged(f"{error.filename}: is missing; {_AGAIN}") from error
    except ValidationError as error:
        reason = one_line(error.errors()[0]["msg"])
        raise Damaged(f"{folder / RECORD}: is damaged ({reason}); {_AGAIN}") from error
    if record.evaluation_id != evaluation_id:
        raise Damaged(f"{folder}: contains the evaluation {record.evaluation_id}; rename the folder or delete it")
    if record.files != {PREDICTIONS: digest}:
        text = "is not the file that was saved with the evaluation (its SHA-256 differs)"
        raise Damaged(f"{folder / PREDICTIONS}: {text}; {_AGAIN}")
    return record


def evaluation_digest(store: Store, evaluation_id: str) -> str:
    """SHA-256 of the record of an evaluation, which contains that of its scores. Raises as `digest_of`."""
    return digest_of(evaluation_folder(store, evaluation_id) / RECORD)


def evaluation_ids(store: Store) -> tuple[str, ...]:
    """The names of the folders of evaluations, in order. Raises Unreadable if the system refuses access."""
    folder = store.root / EVALUATIONS
    try:
        return tuple(sorted(name for name in os.listdir(folder) if not name.startswith(".")))
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise Unreadable(refusal(folder, error)) from error


def evaluations_of(store: Store, runs: Iterable[Run]) -> dict[str, tuple[Evaluation, ...]]:
    """The evaluations of the models of runs, in the order in which they ended.

    Args:
        store: The store of the runs.
        runs: The runs. An evaluation of another model than the one that a run stores is left out.

    Returns:
        The evaluations by run id; empty without any.

    Raises:
        ConfigError: A record may be intact, but cannot be read.
    """
    of_id = {run.run_id: run for run in runs}
    records = [record for each in evaluation_ids(store) if (record := stored_evaluation(store, each)) is not None]
    evaluated = of_id.keys() & {record.spec.run_id for record in records}
    models = {each: model_digest(of_id[each], store) for each in evaluated}
    of_run: dict[str, list[Evaluation]] = {}
    for record in sorted(records, key=lambda record: (record.finished, record.evaluation_id)):
        if models.get(record.spec.run_id) == record.spec.model:
            of_run.setdefault(record.spec.run_id, []).append(record)
    return {run_id: tuple(of_run[run_id]) for run_id in of_id if run_id in of_run}


def evaluated_images(store: Store, evaluation: Evaluation, run: Run) -> tuple[AnyScores, tuple[str, ...], list[str]]:
    """Read what the model gave for each image.

    Args:
        store: The store of the run.
        evaluation: A stored evaluation.
        run: Its run, whose classes the scores have.

    Returns:
        The scores, typed as test scores; the names of the images; and why each is unlike the training images, which is
        empty where nothing indicates that.

    Raises:
        ConfigError: The file is missing or damaged.
    """
    path = evaluation_folder(store, evaluation.evaluation_id) / PREDICTIONS
    try:
        data = read_bytes(path, _MOST_FILE)
        if evaluation.files.get(PREDICTIONS) != hashlib.sha256(data).hexdigest():
            raise ValueError("it is not the file that was saved")
        table = Predictions(data)
        scores = table.scores("test", run.spec.dataset.classes, ordered=run.spec.dataset.ordered)
        return scores, table.images("test"), [text or "" for text in table.column("unlike")]
    except Damaged:
        raise
    except Exception as error:  # Parquet raises errors of many kinds for a damaged file
        raise Damaged(f"{path}: cannot be read: {one_line(error)}; run zoo evaluate again") from error
