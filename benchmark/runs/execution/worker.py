"""One run, start to end, in a process that does nothing else."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

import benchmark.training.backend as backend
from benchmark.data.checks.leakage import related_test_images
from benchmark.data.decoding.prepared import LabelledImages, SplitName, is_whole, load
from benchmark.evidence.diagnosis.causes import diagnose
from benchmark.evidence.diagnosis.training_record import (
    Intensity,
    TrainingDiagnostics,
    batch_norm_probe,
)
from benchmark.evidence.intervals.figures import figures
from benchmark.evidence.metrics.definitions import Figure
from benchmark.evidence.metrics.influence import ClassSizes
from benchmark.evidence.scores import Scores, TestScores, ValidationScores
from benchmark.evidence.thresholds.choice import Threshold, choose_with_interval
from benchmark.runs.deployment.model_files import write_model
from benchmark.runs.environment import describe_environment
from benchmark.runs.execution.failure import RunState, failed_run, holds_finished, save_failed, traceback_of
from benchmark.runs.execution.messages import Message, NotStored, PreparedLost, Stored
from benchmark.runs.history import History
from benchmark.runs.run import Costs, Job, Progress, Run, now
from benchmark.runs.storage.store import Store
from benchmark.training.fit import FeatureOptions, Fitted, Step, TrainingDiverged, fit, total_loss
from benchmark.training.frozen.bank import default_bank
from benchmark.training.frozen.prefix import available_methods
from benchmark.training.use.predict import ms_per_image, score
from benchmark.training.use.probe import grey_levels, score_in_both_modes
from zoo.config.strict_yaml import ConfigError
from zoo.models.registry import get_builder

_EVERY_S = 0.25
_PATIENCE_S = 3600.0
_TRIES = 3
_STORING = "storing the run"
_Read = TypeVar("_Read")


def work(job: Job, root: Path, threads: int, pipe: Connection) -> None:
    """Process entry: compute `job`, save its run in the store at `root`, and send messages to `pipe`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    _go_first_when_memory_ends()
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def notify(message: Message) -> None:
        try:
            pipe.send(message)
        except OSError:
            os._exit(1)  # nobody listens any more: the parent has gone, and this run is nobody's

    try:
        store = Store(root)
        run = run_job(job, store, threads, notify)
        notify(Stored(run if run.status == "failed" and holds_finished(store, run) else None))
    except OSError as error:
        notify(NotStored(f"{error.filename or root}: {error.strerror or error}"))


def run_job(job: Job, store: Store, threads: int, notify: Callable[[Message], None] = lambda _: None) -> Run:
    """Compute and store a run.

    Args:
        job: What to compute.
        store: Where the run goes.
        threads: How many threads compute.
        notify: Sends messages to the process that started this one.

    Returns:
        The run that was stored. If a step failed it is a failed run that names the step; its traceback, epochs and
        scores are stored with it, unless the store has a finished run in its place.

    Raises:
        OSError: The store cannot be written.
    """
    state = RunState(notify)
    try:
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
    """A training, its scores and the threshold chosen on those of validation."""

    fitted: Fitted
    train: LabelledImages
    val: LabelledImages
    val_scores: ValidationScores
    test_scores: TestScores | None
    threshold: Threshold


def train_and_score(job: Job, threads: int, state: RunState) -> Scored:
    """Train, score validation, choose the threshold there, and only then score the test split."""
    spec = job.spec
    backend.prepare_process(spec.seed, threads)
    methods = available_methods(spec.protocol.precision, spec.protocol.prefix, job.trial)
    state.environment = describe_environment(backend.versions(), threads, None, None)
    card = spec.protocol.budgeted(spec.card)
    weights = None
    if (pretrained := get_builder(card.model.builder).weights_of(card.model.params)) is not None:
        state.begin("reading the pretrained weights")
        weights = f"{pretrained.find()}, SHA-256 {pretrained.digest()[:16]}"
        state.environment = state.environment.model_copy(update={"weights": weights})
    state.stages.end("start")
    state.begin("reading the prepared images")
    train, val = (_loaded(job.folder, part, state) for part in ("train", "val"))
    state.stages.end("data")
    state.begin("building and training")
    fitted = fit(
        card,
        train,
        val,
        seed=spec.seed,
        view_seed=spec.protocol.view_seed,
        views=None if spec.protocol.views == "fresh" else spec.protocol.views,
        features=FeatureOptions(default_bank(), methods, job.also_unfrozen),
        on_step=_throttled(state.notify),
    )
    state.history = History.of(fitted.history)
    if (taken := fitted.network.method) is not None:
        state.environment = describe_environment(backend.versions(), threads, taken.method, taken.reason, weights)
    state.stages.end("training")
    state.stages.move(at_fit := fitted.network.feature_seconds, "training", "features")
    state.begin("scoring validation")
    known = not spec.dataset.patients_unknown
    val_scores = ValidationScores("val", val.labels, score(fitted, val), val.patients if known else None)
    state.add_scores(val_scores, val)
    state.begin("choosing the threshold")
    rule = spec.protocol.threshold
    threshold = choose_with_interval(val_scores, rule.rule, rule.value)
    test_scores = None
    if spec.stage == "bench":
        # Only here, with everything fitted and chosen, is the test split opened.
        state.begin("scoring the test split")
        test = _loaded(job.folder, "test", state)
        test_scores = TestScores("test", test.labels, score(fitted, test), test.patients if known else None)
        state.add_scores(test_scores, test)
    state.stages.end("scoring")
    state.stages.move(fitted.network.feature_seconds - at_fit, "scoring", "features")
    return Scored(fitted, train, val, val_scores, test_scores, threshold)


def assess(job: Job, scored: Scored, state: RunState) -> Run:
    """The record of a training that was scored: figures, probes, diagnosis, costs."""
    spec, fitted, train, threshold = job.spec, scored.fitted, scored.train, scored.threshold
    card, bench = spec.protocol.budgeted(spec.card), spec.stage == "bench"
    by_part: dict[str, Scores] = {scores.split: scores for scores, _ in state.parts}
    state.begin("the loss")
    losses = {part: total_loss(card, fitted.model, s.y_true, s.y_score) for part, s in by_part.items()}
    state.begin("the probe in both modes")
    modes = batch_norm_probe(*score_in_both_modes(fitted, train, card.recipe.batch_size))
    state.begin("the grey levels")
    seen = (train, *(images for _, images in state.parts))
    intensity: dict[str, Intensity] = {images.split: Intensity(*grey_levels(images)) for images in seen}
    related = None
    if bench:
        state.begin("the search for related images")
        related = _with_prepared(job.folder, related_test_images, state)
    checks = TrainingDiagnostics(modes=modes, intensity=intensity, related=related)
    inference_ms = None
    if bench:
        state.begin("the timing of inference")
        inference_ms = ms_per_image(fitted, scored.val)
    state.begin("the figures")
    sizes = spec.protocol.class_sizes
    at_half = {part: _figures(s, 0.5, losses[part], sizes) for part, s in by_part.items()}
    at_chosen = (
        {}
        if threshold.value is None
        else {part: _figures(s, threshold.value, losses[part], sizes) for part, s in by_part.items()}
    )
    state.begin("the diagnosis")
    diagnosis = diagnose(
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
        threshold=threshold,
        at_half=at_half,
        at_chosen=at_chosen,
        diagnosis=diagnosis,
        checks=checks,
        costs=_costs(fitted, inference_ms, state),
        environment=state.environment,
    )


def _write_model(scored: Scored, state: RunState, path: Path) -> None:
    state.begin("writing the model")
    write_model(scored.fitted, scored.train, scored.val, path)
    state.begin(_STORING)


def _loaded(folder: Path, part: SplitName, state: RunState) -> LabelledImages:
    return _with_prepared(folder, lambda whole: load(whole, part), state)


def _with_prepared(folder: Path, read: Callable[[Path], _Read], state: RunState) -> _Read:
    """What `read` makes of the prepared `folder`; where it was cleared from the cache, once it is there again."""
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


def _figures(scores: Scores, threshold: float, loss: float, class_sizes: ClassSizes) -> dict[str, Figure]:
    return {"loss": Figure("loss", loss), **figures(scores, threshold, class_sizes)}


def _costs(fitted: Fitted, inference_ms: float | None, state: RunState) -> Costs:
    """What the run cost up to now."""
    state.stages.end("figures")
    return Costs(
        seconds=time.perf_counter() - state.started,
        epochs=len(fitted.history),
        seconds_per_epoch=fitted.seconds_per_epoch,
        inference_ms_per_image=inference_ms,
        peak_memory_mib=_peak_memory_mib(),
        parameters=fitted.parameters,
        trainable_parameters=fitted.trainable_parameters,
        stages=state.stages.seconds,
    )


def _peak_memory_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)  # bytes there, KiB elsewhere


def _throttled(notify: Callable[[Progress], None]) -> Callable[[Step], None]:
    last = 0.0

    def on_step(step: Step) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _EVERY_S or step.done == step.total:
            last = now
            notify(Progress(step.done, step.total, step.label))

    return on_step


def _go_first_when_memory_ends() -> None:
    """Of all processes the kernel is to end this one, not the one that started it and has other runs to tend."""
    with suppress(OSError):  # there is such a file on Linux alone
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
