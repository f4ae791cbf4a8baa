"""The computation of one run, in a process of its own."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

import benchmark.training.backend as backend
from benchmark.data.checks.batch_effect import BatchEffect, prepared_effects
from benchmark.data.checks.leakage import related_test_images
from benchmark.data.decoding.prepared import LabelledImages, is_whole, load
from benchmark.evidence.averages import cross_entropy
from benchmark.evidence.decisions.decide import Decision
from benchmark.evidence.diagnosis.training_record import (
    Intensity,
    IntensityContrast,
    TrainingDiagnostics,
    batch_norm_probe,
)
from benchmark.evidence.metrics.registry import Figure
from benchmark.evidence.scores import AnyScores, SplitName, scores_of
from benchmark.evidence.thresholds.choice import Threshold
from benchmark.runs.deployment.known_images import IMAGES, write_known
from benchmark.runs.deployment.model_files import write_model
from benchmark.runs.environment import describe_environment
from benchmark.runs.execution.averaging import Averaged, average_and_score
from benchmark.runs.execution.failure import RunState, failed_run, has_finished_run, save_failed, traceback_of
from benchmark.runs.execution.job_training import convolutions_of, fit_job, methods_of, of_subset
from benchmark.runs.execution.limits import peak_memory
from benchmark.runs.execution.messages import Message, NotStored, PreparedLost, Stored
from benchmark.runs.history import History
from benchmark.runs.outcome import (
    Choice,
    choose,
    costs_of,
    default_decision,
    figures_of,
    findings,
    is_chosen,
    unintended,
)
from benchmark.runs.run import Costs, Job, Progress, Run, RunSpec, now
from benchmark.runs.storage.store import Store
from benchmark.training.fit import Fitted, Step, TrainingDiverged, total_loss
from benchmark.training.network import BATCH
from benchmark.training.use.predict import ms_per_image, score
from benchmark.training.use.probe import grey_levels, score_in_both_modes
from zoo.config.errors import ConfigError
from zoo.models.recipe import Recipe
from zoo.models.registry import get_builder

_EVERY_S = 0.25
_MIB = 1024**2
_PATIENCE_S = 3600.0
_TRIES = 3
_STORING = "storing the run"
_Read = TypeVar("_Read")


def work(job: Job, root: Path, threads: int, pipe: Connection) -> None:
    """Compute and store a run; the entry point of its process.

    Args:
        job: What to compute.
        root: The folder of the store.
        threads: Number of threads that compute.
        pipe: Where messages are sent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    _prefer_as_oom_victim()
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def notify(message: Message) -> None:
        try:
            pipe.send(message)
        except OSError:
            os._exit(1)  # the parent has ended, and nothing follows this run

    try:
        store = Store(root)
        run = run_job(job, store, threads, notify)
        notify(Stored(run if run.status == "failed" and has_finished_run(store, run) else None))
    except OSError as error:
        notify(NotStored(f"{error.filename or root}: {error.strerror or error}"))


def run_job(job: Job, store: Store, threads: int, notify: Callable[[Message], None] = lambda _: None) -> Run:
    """Compute and store a run.

    Args:
        job: What to compute.
        store: Where the run is stored.
        threads: Number of threads that compute.
        notify: Sends messages to the process that started this one.

    Returns:
        The run. If a step failed, it is a failed run that names the step; it is stored with its traceback, epochs and
        scores, unless the store has a finished run with its id.

    Raises:
        OSError: The store cannot be written.
    """
    state = RunState(notify)
    try:
        write = None
        if job.spec.members:
            state.environment = describe_environment(backend.versions(), threads, None, None)
            state.timer.end("start")
            run = assess(job, average_and_score(job, store, state, _loaded), state)
        else:
            scored = train_and_score(job, threads, state)
            run = assess(job, scored, state)
            write = partial(_write_model, scored, state) if job.spec.protocol.keep_models else None
        state.begin(_STORING)
        store.save(run, state.scores, state.history, write)
    except (Exception, SystemExit) as error:
        if isinstance(error, OSError) and state.step == _STORING:
            raise
        run = failed_run(job, state, error, is_plain=isinstance(error, (TrainingDiverged, ConfigError)))
        save_failed(store, run, state.scores, state.history, traceback_of(error))
    return run


@dataclass(frozen=True)
class Scored:
    """A trained model, its images and scores, and what was chosen on validation.

    Attributes:
        fitted: The trained model.
        train: Training images.
        val: Validation images.
        val_scores: Scores of validation.
        test_scores: Scores of test; None in a search.
        choice: The threshold or decision chosen on validation.
    """

    fitted: Fitted
    train: LabelledImages
    val: LabelledImages
    val_scores: AnyScores
    test_scores: AnyScores | None
    choice: Choice


def train_and_score(job: Job, threads: int, state: RunState) -> Scored:
    """Train, score validation, choose the threshold or decision there, and only then score test.

    Args:
        job: What to compute.
        threads: Number of threads that compute.
        state: The state of the run, which is updated.

    Returns:
        The trained model with its scores and what was chosen.
    """
    spec = job.spec
    backend.prepare_process(spec.seed, threads)
    methods = methods_of(job)
    state.environment = describe_environment(backend.versions(), threads, None, None)
    card = spec.protocol.budgeted(spec.card)  # the spec keeps the card as written, by which the run is identified
    weights = None
    if (pretrained := get_builder(card.model.builder).weights_of(card.model.params)) is not None:
        state.begin("reading the pretrained weights")
        weights = f"{pretrained.find()}, SHA-256 {pretrained.digest()[:16]}"
        state.environment = state.environment.model_copy(update={"weights": weights})
    state.timer.end("start")
    state.begin("reading the prepared images")
    train, val = of_subset(_loaded(job.folder, "train", state), spec), _loaded(job.folder, "val", state)
    state.timer.end("data")
    state.begin("building and training")
    fitted = fit_job(job, card, train, val, methods, _throttled(state.notify))
    state.history = History.of(fitted.history)
    if (used := fitted.network.method) is not None:
        state.environment = describe_environment(backend.versions(), threads, used.method, used.reason, weights)
    if fitted.filterable:
        state.environment = state.environment.with_convolutions(convolutions_of(job))
    state.timer.end("training")
    state.timer.move(at_fit := fitted.network.feature_seconds, "training", "features")
    state.begin("scoring validation")
    val_scores = _scores(spec, fitted, val)
    state.add_scores(val_scores, val)
    state.begin("choosing the threshold")
    choice = choose(spec.protocol, val_scores)
    test_scores = None
    if spec.stage != "search":
        # The test split is opened only here, after everything is fitted and chosen.
        state.begin("scoring the test split")
        test = _loaded(job.folder, "test", state)
        test_scores = _scores(spec, fitted, test)
        state.add_scores(test_scores, test)
    state.timer.end("scoring")
    state.timer.move(fitted.network.feature_seconds - at_fit, "scoring", "features")
    return Scored(fitted, train, val, val_scores, test_scores, choice)


def _scores(spec: RunSpec, fitted: Fitted, images: LabelledImages) -> AnyScores:
    facts = spec.dataset
    patients = None if facts.patients_unknown else images.patients
    y_score = score(fitted, images)
    return scores_of(images.split, images.labels, y_score, facts.classes, patients, ordered=facts.ordered)


def assess(job: Job, scored: Scored | Averaged, state: RunState) -> Run:
    """Make the record of a trained and scored model, or of an ensemble: figures, probes, diagnosis, costs.

    Args:
        job: What was computed.
        scored: The model with its scores, or the scores of an ensemble.
        state: The state of the run, which is updated.

    Returns:
        The record of a finished run.
    """
    spec, train, choice = job.spec, scored.train, scored.choice
    fitted = scored.fitted if isinstance(scored, Scored) else None
    card, bench = spec.protocol.budgeted(spec.card), spec.stage == "bench"  # the card as it was trained
    by_part: dict[str, AnyScores] = {scores.split: scores for scores, _ in state.parts}
    state.begin("the loss")
    if fitted is None:
        losses = {part: cross_entropy(s.y_true, s.y_score) for part, s in by_part.items()}
        modes = None
    else:
        losses = {part: total_loss(card, fitted.model, s.y_true, s.y_score) for part, s in by_part.items()}
        batch = card.recipe.batch_size if isinstance(card.recipe, Recipe) else BATCH
        state.begin("the probe in both modes")
        modes = batch_norm_probe(*score_in_both_modes(fitted, train, batch))
    state.begin("the grey levels")
    parts = (train, *(images for _, images in state.parts))
    intensity: dict[str, Intensity] = {images.split: Intensity(*grey_levels(images)) for images in parts}
    related = None
    if bench:
        state.begin("the search for related images")
        related = _with_prepared(job.folder, related_test_images, state)
    contrasts = {}
    if bench and spec.fold is None:  # folds are drawn at random
        state.begin("the comparison of intensities")
        unit = "images" if spec.dataset.patients_unknown else "patients"
        contrasts = _contrasts(_with_prepared(job.folder, lambda folder: prepared_effects(folder, unit), state))
    checks = TrainingDiagnostics(modes=modes, intensity=intensity, related=related, contrasts=contrasts)
    inference_ms = None
    if bench and isinstance(scored, Scored):
        state.begin("the timing of inference")
        inference_ms = ms_per_image(scored.fitted, scored.val)
    state.begin("the figures")
    sizes = spec.protocol.class_sizes
    costs = costs_of(choice)
    at_half = {
        part: _with_loss(losses[part], figures_of(s, default_decision(s), sizes, costs)) for part, s in by_part.items()
    }
    at_chosen = {
        part: _with_loss(losses[part], figures_of(s, choice, sizes, costs))
        for part, s in by_part.items()
        if is_chosen(choice)
    }
    state.begin("the diagnosis")
    diagnosis = findings(
        scored.val_scores,
        scored.test_scores,
        state.history.curves(),
        classes=spec.dataset.classes,
        checks=checks,
        losses=losses if card.recipe.loss.name == "binary_crossentropy" else None,
        counts=job.split.classes,
    )
    state.begin("the record")
    return Run(
        spec=spec,
        status="ok",
        finished=now(),
        split=job.split,
        threshold=choice if isinstance(choice, Threshold) else None,
        decision=choice if isinstance(choice, Decision) else None,
        at_half=at_half,
        at_chosen=at_chosen,
        diagnosis=unintended(diagnosis, card),
        checks=checks,
        probe=None if fitted is None else fitted.probe,
        members=scored.members if isinstance(scored, Averaged) else (),
        costs=_costs(scored, inference_ms, state),
        environment=state.environment,
        registration=job.registration,
    )


def _contrasts(effects: Iterable[BatchEffect]) -> dict[str, IntensityContrast]:
    """What a record contains of comparisons of intensities; those without figures are left out."""
    return {
        effect.part: IntensityContrast(
            effect.auc, effect.chance, effect.significant, effect.strongest, effect.strongest_auc, effect.unit
        )
        for effect in effects
        if effect.auc is not None
        and effect.chance is not None
        and effect.strongest is not None
        and effect.strongest_auc is not None
    }


def _write_model(scored: Scored, state: RunState, path: Path) -> None:
    state.begin("writing the model")
    write_model(scored.fitted, scored.train, scored.val, path)
    parts = {"train": scored.train, **{images.split: images for _, images in state.parts}}
    write_known(path.with_name(IMAGES), {part: images.digests for part, images in parts.items()})
    state.begin(_STORING)


def _loaded(folder: Path, part: SplitName, state: RunState) -> LabelledImages:
    return _with_prepared(folder, lambda whole: load(whole, part), state)


def _with_prepared(folder: Path, read: Callable[[Path], _Read], state: RunState) -> _Read:
    """Call `read` with the prepared `folder`; if it was cleared from the cache, wait until it is prepared again."""
    for _ in range(_TRIES):
        try:
            return read(folder)
        except FileNotFoundError:
            state.notify(PreparedLost())
            _wait_for(folder)
    return read(folder)


def _wait_for(folder: Path) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not is_whole(folder) and time.monotonic() < until:
        time.sleep(_EVERY_S)


def _with_loss(loss: float, figures: dict[str, Figure]) -> dict[str, Figure]:
    return {"loss": Figure("loss", loss), **figures}


def _costs(scored: Scored | Averaged, inference_ms: float | None, state: RunState) -> Costs:
    """The costs of the run until now."""
    state.timer.end("figures")
    if isinstance(scored, Averaged):
        return scored.costs(time.perf_counter() - state.started, state.timer.seconds, peak_memory() / _MIB)
    fitted = scored.fitted
    return Costs(
        seconds=time.perf_counter() - state.started,
        epochs=len(fitted.history),
        seconds_per_epoch=fitted.seconds_per_epoch,
        inference_ms_per_image=inference_ms,
        peak_memory_mib=peak_memory() / _MIB,
        parameters=fitted.parameters,
        trainable_parameters=fitted.trainable_parameters,
        stages=state.timer.seconds,
        features_needed=fitted.network.features_needed,
        features_computed=fitted.network.features_computed,
    )


def _throttled(notify: Callable[[Progress], None]) -> Callable[[Step], None]:
    last = 0.0

    def on_step(step: Step) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _EVERY_S or step.done == step.total:
            last = now
            notify(Progress(step.done, step.total, step.label, step.before))

    return on_step


def _prefer_as_oom_victim() -> None:
    """Let the kernel end this process first if memory runs out, rather than its parent, which has other runs."""
    with suppress(OSError):  # the file exists only on Linux
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
