"""`zoo.evaluate`: applies a stored model to the images of another source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from benchmark.data.classes import one_class_is_enough
from benchmark.data.dataset import Dataset
from benchmark.runs.deployment.model_files import stored_models
from benchmark.runs.deployment.multiclass import AnyPrediction
from benchmark.runs.deployment.outside import Chosen, choose_images, mapping_of
from benchmark.runs.execution.evaluation_task import compute_evaluation
from benchmark.runs.run import Run
from benchmark.runs.storage.beside.evaluations import (
    EvaluatedData,
    EvaluatedPart,
    Evaluation,
    EvaluationSpec,
    evaluated_images,
    evaluation_digest,
    model_digest,
    stored_evaluation,
)
from benchmark.runs.storage.beside.remembered import SourceOptions
from benchmark.runs.storage.store import Store
from reports.render.terminal.outside import COLUMNS, outside_document, outside_rows
from reports.results.outside.text import heading, heads, recalibration_sentences, rows_text, sentences
from reports.results.outside.validation import OutsideValidation, outside_validation
from reports.text import plural
from zoo.api.arguments.conditions import open_data
from zoo.api.arguments.inputs import PathLike, resolve_run, resolve_store
from zoo.api.output.messages import Messages, OnMessage, silent
from zoo.api.output.tables import frame, html_table
from zoo.api.predict import Progress
from zoo.api.registration.registrations import record_evaluation
from zoo.config.arguments import one_of_types, optional_text, real, text, whole
from zoo.config.errors import ConfigError

if TYPE_CHECKING:
    import pandas

_PARTS: tuple[str, ...] = get_args(EvaluatedPart)


@dataclass(frozen=True)
class EvaluateResults:
    """The external validation of a stored model.

    Attributes:
        run: The run whose model was evaluated. It is not changed.
        evaluation: What was evaluated, as stored beside the runs.
        validation: The figures, with those of the test of the run and their differences.
        images: One row per image: name, true class, patient, score of the positive class or of each class, and why it
            is unlike the training images.
        reused: Whether the store had this evaluation already.
        messages: Lines that begin with `warning:` or `note:`.
    """

    run: Run
    evaluation: Evaluation
    validation: OutsideValidation
    images: tuple[dict[str, Any], ...]
    reused: bool
    messages: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The document that `zoo evaluate --json` prints."""
        return {"run": self.run.run_id, **outside_document(self.validation), "per_image": list(self.images)}

    def to_frame(self) -> pandas.DataFrame:
        """One row per figure, as `zoo evaluate --csv`. Raises ConfigError when pandas is not installed."""
        return frame(outside_rows(self.validation), COLUMNS)

    def _repr_html_(self) -> str:
        lines = (*sentences(self.validation), *recalibration_sentences(self.validation), *self.messages)
        return html_table(heading(self.validation), heads(self.validation), rows_text(self.validation), lines)


def evaluate(
    run: str | Run,
    data: PathLike | Dataset,
    *,
    store: PathLike | Store = "runs",
    part: str = "all",
    class_map: str | Mapping[str, str | Iterable[str]] | None = None,
    recalibrate_on: float = 0.5,
    split_seed: int = 0,
    patients: str | None = None,
    positive: str | None = None,
    hold_out: str | None = None,
    run_data: PathLike | None = None,
    protocol: str | None = None,
    progress: Progress = lambda predictions, total: predictions,
    on_message: OnMessage = silent,
) -> EvaluateResults:
    """Evaluate a stored model on the images of another source without refitting, as `zoo evaluate` does.

    The result is stored beside the runs, and the same request reuses it. The run, its threshold and its calibration
    stay as they are. Images that the model knows, and further images of their patients, are left out.

    Args:
        run: A run, its id, the beginning of its id, CARD or CARD:SEED. Its model must be stored.
        data: The other source, as of `bench`, or a Dataset.
        store: The folder that contains the runs, or a Store.
        part: The part of the source to evaluate: `all`, `train`, `val` or `test`.
        class_map: The classes of the source that are not named as in the model: `MODEL=OTHER` pairs separated by
            commas, or a mapping from the class of the model to one or several of the source.
        recalibrate_on: The share of the images, by patient, on which a second version is recalibrated. It is compared
            with the stored one on the other images; 0 for none.
        split_seed: Seed of this division.
        patients: Regular expression for file names, as of `bench`. For this and the next two, None takes what the store
            remembers of the source, and `none` (not as a class) nothing.
        positive: The positive class of two; it must be that of the model.
        hold_out: COLUMN=VALUE; the images with this value become the part `test`.
        run_data: The source of the run; None for any.
        protocol: The name of the protocol of the run; None for any.
        progress: Wraps the predictions, as `tqdm.tqdm` does.
        on_message: Called with each warning and note when it arises; the result collects them too.

    Returns:
        The validation.

    Raises:
        ConfigError: The run is unknown, its model was not stored, an argument cannot be used, or classes do not match.
        DataError: The source cannot be read, or contains only images of the model.
        OSError: The store cannot be written.
    """
    source, messages = resolve_store(store), Messages(on_message)
    request = EvaluationRequest.of(part, class_map, recalibrate_on, split_seed, positive)
    chosen = resolve_run(run, source, messages, run_data, protocol)
    stored_models(chosen, source)  # reports a missing model before the data are opened
    with one_class_is_enough():
        dataset = open_data(data, SourceOptions(patients, positive, None, hold_out), source, messages)
    spec = request.spec(chosen, source, dataset, messages)
    warn_of_repeated(choose_images(dataset, spec.part, chosen, source), messages)
    evaluation = stored_evaluation(source, spec.evaluation_id)
    reused = evaluation is not None
    if evaluation is None:

        def watch(predictions: Iterable[AnyPrediction], total: int) -> Iterable[AnyPrediction]:
            return progress(predictions, total=total)

        evaluation = compute_evaluation(spec, dataset, chosen, source, watch=watch)
    return results_of(chosen, evaluation, source, reused=reused, messages=messages)


@dataclass(frozen=True)
class EvaluationRequest:
    """The checked arguments of `evaluate` that all runs and sources share.

    Attributes:
        part: The part of the source.
        classes: The classes of the source by class of the model, as requested.
        recalibrate_on: The share of the images for recalibration.
        split_seed: Seed of this division.
        positive: The positive class of two, if given.
    """

    part: EvaluatedPart
    classes: dict[str, tuple[str, ...]]
    recalibrate_on: float
    split_seed: int
    positive: str | None

    @classmethod
    def of(
        cls,
        part: str,
        class_map: str | Mapping[str, str | Iterable[str]] | None,
        recalibrate_on: float,
        split_seed: int,
        positive: str | None,
    ) -> EvaluationRequest:
        """Check the arguments of `evaluate` that all runs and sources share.

        Args:
            part: As of `evaluate`; so are the others.
            class_map: The classes of the source that are not named as in the model.
            recalibrate_on: The share of the images for recalibration.
            split_seed: Seed of this division.
            positive: The positive class of two.

        Returns:
            The request.

        Raises:
            ConfigError: An argument cannot be used.
        """
        share, seed = _share(recalibrate_on), whole("split_seed", split_seed, 0)
        optional_text("positive", positive, "the name of a class or None")
        requested = _requested(class_map)
        if part not in _PARTS:
            raise ConfigError(f"--part {part}: give one of {', '.join(_PARTS)}")
        return cls(_part(part), requested, share, seed, positive)

    def spec(self, run: Run, store: Store, dataset: Dataset, messages: Messages) -> EvaluationSpec:
        """Describe the evaluation of a run on a source.

        Args:
            run: The run.
            store: The store that contains it.
            dataset: The source.
            messages: Receives notes about how the source differs from that of the run.

        Returns:
            The specification.

        Raises:
            ConfigError: A class of the source is none of the model.
        """
        mapping = mapping_of(self.classes, dataset, run)
        _check_positive(self.positive, mapping, run)
        for note in _notes(dataset, run):
            messages.note(note)
        return EvaluationSpec(
            run_id=run.run_id,
            model=model_digest(run, store),
            data=EvaluatedData.of(dataset),
            part=self.part,
            mapping=mapping,
            recalibrated_on=self.recalibrate_on,
            split_seed=self.split_seed,
        )


def warn_of_repeated(images: Chosen, messages: Messages) -> None:
    """Warn of images with equal content, which intervals count as independent."""
    repeated = sum(count - 1 for count in Counter(image.digest for image in images.images).values())
    if repeated:
        messages.warn(f"{plural(repeated, 'image')} with the content of another one: intervals are too narrow")


def results_of(run: Run, evaluation: Evaluation, store: Store, *, reused: bool, messages: Messages) -> EvaluateResults:
    """Record a stored evaluation in the chain of registrations, and compute its figures.

    Args:
        run: The run.
        evaluation: Its evaluation.
        store: The store that contains both.
        reused: Whether the store had the evaluation before the command.
        messages: The warnings and notes about it.

    Returns:
        The validation.

    Raises:
        ConfigError: The stored scores cannot be read.
        OSError: The store cannot be written.
    """
    with suppress(OSError) if reused else nullcontext():  # a store that cannot be written can supply an evaluation
        key = evaluation.evaluation_id
        record_evaluation(store, key, evaluation_digest(store, key), reused=reused)
    for line in store.finish():
        messages.warn(line)
    validation = outside_validation(run, evaluation, store)
    return EvaluateResults(run, evaluation, validation, _per_image(store, evaluation, run), reused, messages.lines())


def _share(value: float) -> float:
    share = real("recalibrate_on", value, "a share from 0 to below 1, such as 0.5")
    if not 0 <= share < 1:
        raise ConfigError(f"--recalibrate-on {share:g}: give a share from 0 (none) to below 1, such as 0.5")
    return share


def _part(text: str) -> EvaluatedPart:
    parts: tuple[EvaluatedPart, ...] = get_args(EvaluatedPart)
    return next(each for each in parts if each == text)


def _requested(class_map: str | Mapping[str, str | Iterable[str]] | None) -> dict[str, tuple[str, ...]]:
    """The classes of the source by class of the model."""
    right = "MODEL=OTHER pairs separated by commas, such as 'NORMAL=healthy,PNEUMONIA=ill'"
    if class_map is None:
        return {}
    one_of_types("class_map", class_map, (str, Mapping), right)
    pairs: list[tuple[str, str]] = []
    if isinstance(class_map, str):
        for each in class_map.split(","):
            of_model, sign, other = (cell.strip() for cell in each.partition("="))
            if not (of_model and sign and other):
                raise ConfigError(f"--map {class_map}: '{each.strip()}' is no pair; give {right}")
            pairs.append((of_model, other))
    else:
        for of_model, others in class_map.items():
            listed = [others] if isinstance(others, str) else list(others)
            pairs += [(of_model, text("class_map", other, "the name of a class")) for other in listed]
    names = dict.fromkeys(of_model for of_model, _ in pairs)
    return {name: tuple(other for of_model, other in pairs if of_model == name) for name in names}


def _check_positive(positive: str | None, mapping: Mapping[str, str], run: Run) -> None:
    classes = run.spec.dataset.classes
    if positive is not None and len(classes) == 2 and mapping.get(positive) != classes[1]:
        raise ConfigError(
            f"--positive {positive}: the positive class is that of the model, {classes[1]}; leave --positive out, or "
            "name its class with --map"
        )


def _notes(dataset: Dataset, run: Run) -> Iterable[str]:
    facts = run.spec.dataset
    if dataset.patients is not None and (line := dataset.patients.line()) is not None:
        yield line
    if dataset.synthetic != facts.synthetic:
        one, other = ("real", "synthetic") if dataset.synthetic else ("synthetic", "real")
        yield f"the model was trained on {one} images, and these are {other}"
    if not dataset.files and dict(dataset.levels) != (facts.levels or {}):
        yield "levels are scaled by the range of this source, not by that of the training images"


def _per_image(store: Store, evaluation: Evaluation, run: Run) -> tuple[dict[str, Any], ...]:
    scores, names, unlike = evaluated_images(store, evaluation, run)
    classes, patients = run.spec.dataset.classes, scores.patient or (None,) * len(scores)
    rows = zip(names, scores.y_true.tolist(), patients, scores.y_score.tolist(), unlike, strict=True)
    return tuple(
        {"image": name, "class": classes[label], "patient": patient, "score": score, "unlike": text or None}
        for name, label, patient, score, text in rows
    )
