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

import benchmark.training.backend as backend  # first: it quietens the backend before anything imports it
from benchmark.data.checks.leakage import related_test_images
from benchmark.data.decoding.prepared import LabelledImages, SplitName, is_whole, load
from benchmark.evidence.diagnosis.causes import diagnose
from benchmark.evidence.diagnosis.training_record import Checks, Intensity, modes_of
from benchmark.evidence.intervals.figures import figures
from benchmark.evidence.metrics.definitions import Figure
from benchmark.evidence.metrics.influence import ClassSizes
from benchmark.evidence.scores import Scores, TestScores, ValidationScores
from benchmark.evidence.thresholds.choice import Threshold, choose_with_interval
from benchmark.runs.deployment.model_files import write_model
from benchmark.runs.environment import describe_environment
from benchmark.runs.execution.failure import Reached, failed_run, holds_finished, save_failed, traceback_of
from benchmark.runs.execution.messages import Message, NotStored, PreparedLost, Stored
from benchmark.runs.execution.stages import Stages
from benchmark.runs.run import Costs, Job, Progress, Run, now
from benchmark.runs.storage.store import Store
from benchmark.runs.trained import Trained, put_aside, take_up
from benchmark.training.fit import Fitted, Step, TrainingDiverged, fit, total_loss
from benchmark.training.frozen.bank import default_bank
from benchmark.training.frozen.prefix import ways_here
from benchmark.training.use.predict import ms_per_image, score
from benchmark.training.use.probe import grey_levels, score_in_both_modes
from zoo.config.strict_yaml import ConfigError
from zoo.models.vgg16.weights import load as load_weights

_EVERY_S = 0.25
_PATIENCE_S = 3600.0
_TRIES = 3
_STORING = "storing the run"
_Read = TypeVar("_Read")


def work(job: Job, store: Path, threads: int, pipe: Connection) -> None:
    """Process entry: compute `job`, keep its run in `store`, and send `benchmark.runs.execution.messages` to `pipe`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    _go_first_when_memory_ends()
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def tell(message: Message) -> None:
        try:
            pipe.send(message)
        except OSError:
            os._exit(1)  # nobody listens any more: the parent has gone, and this run is nobody's

    try:
        kept = Store(store)
        run = keep(job, kept, threads, tell)
        tell(Stored(run if run.status == "failed" and holds_finished(kept, run) else None))
    except OSError as error:
        tell(NotStored(f"{error.filename or store}: {error.strerror or error}"))


def keep(job: Job, store: Store, threads: int, tell: Callable[[Message], None]) -> Run:
    """Compute `job` and save its run. Where a step fails, a failed run is saved that names it, with the traceback, the
    epochs and the scores there are; a finished run of before stays. Raises OSError of the store."""
    started, stages = time.perf_counter(), Stages()
    reached = Reached(tell)
    try:
        scored = _train_and_score(job, store.root, threads, started, reached, stages)
        run = _assess(job, scored, started, reached, stages)
        reached.begin(_STORING)
        store.save(
            run,
            reached.scores,
            reached.history,
            partial(_write_model, scored, reached) if job.spec.protocol.keep_models else None,
        )
    except (Exception, SystemExit) as error:
        if isinstance(error, OSError) and reached.step == _STORING:
            raise
        run = failed_run(job, reached, error, teaches=isinstance(error, (TrainingDiverged, ConfigError)))
        save_failed(store, run, reached.scores, reached.history, traceback_of(error))
    return run


@dataclass(frozen=True)
class _Scored:
    """A training, its scores and the threshold chosen on those of validation; `before` is the training it took up."""

    fitted: Fitted
    train: LabelledImages
    val: LabelledImages
    val_scores: ValidationScores
    test_scores: TestScores | None
    threshold: Threshold
    before: Trained | None


def _train_and_score(job: Job, store: Path, threads: int, started: float, reached: Reached, stages: Stages) -> _Scored:
    """Train, score validation, choose the threshold there, and only then score the test split."""
    spec = job.spec
    backend.prepare_process(spec.seed, threads)
    ways = ways_here(spec.protocol.precision, spec.protocol.prefix, job.trial)
    reached.environment = describe_environment(backend.versions(), threads, None, None)
    card = spec.protocol.budgeted(spec.card)
    weights = None
    if card.model.params.get("weights", "random") != "random":
        reached.begin("reading the pretrained weights")
        record = load_weights(card.model.params["weights"])[1]
        weights = f"{record.origin}, SHA-256 {record.digest[:16]}"
        reached.environment = reached.environment.model_copy(update={"weights": weights})
    made_by = {**backend.versions(), "threads": threads, "ways": ways.names, "weights": weights}
    before = take_up(store, spec, made_by)
    stages.end("start")
    reached.begin("reading the prepared images")
    train, val = (_loaded(job.folder, part, reached) for part in ("train", "val"))
    stages.end("data")
    reached.begin("building and training")
    fitted = fit(
        card,
        train,
        val,
        seed=spec.seed,
        view_seed=spec.protocol.view_seed,
        bank=default_bank(),
        ways=ways,
        also_unfrozen=job.also_unfrozen,
        views=None if spec.protocol.views == "fresh" else spec.protocol.views,
        trained=(before.weights, before.history) if before else None,
        on_step=_throttled(reached.tell),
    )
    reached.history = fitted.history
    if (taken := fitted.network.taken) is not None:
        reached.environment = describe_environment(backend.versions(), threads, taken.way, taken.reason, weights)
    stages.end("training")
    stages.move(at_fit := fitted.network.seconds_of_features, "training", "features")
    if job.put_aside and before is None:
        reached.begin("putting the weights aside")
        arrays = tuple(fitted.network.tail.get_weights())
        seconds = time.perf_counter() - started
        put_aside(store, spec, Trained(arrays, fitted.history, seconds, _peak_memory_mib(), made_by))
    reached.begin("scoring validation")
    known = not spec.dataset.patients_unknown
    val_scores = ValidationScores("val", val.labels, score(fitted, val), val.patients if known else None)
    reached.scored(val_scores, val)
    reached.begin("choosing the threshold")
    rule = spec.protocol.threshold
    threshold = choose_with_interval(val_scores, rule.rule, rule.value)
    test_scores = None
    if spec.stage == "bench":
        # Only here, with everything fitted and chosen, is the test split opened.
        reached.begin("scoring the test split")
        test = _loaded(job.folder, "test", reached)
        test_scores = TestScores("test", test.labels, score(fitted, test), test.patients if known else None)
        reached.scored(test_scores, test)
    stages.end("scoring")
    stages.move(fitted.network.seconds_of_features - at_fit, "scoring", "features")
    return _Scored(fitted, train, val, val_scores, test_scores, threshold, before)


def _assess(job: Job, scored: _Scored, started: float, reached: Reached, stages: Stages) -> Run:
    """The record of a training that was scored: figures, probes, diagnosis, costs."""
    spec, fitted, train, threshold = job.spec, scored.fitted, scored.train, scored.threshold
    card, bench = spec.protocol.budgeted(spec.card), spec.stage == "bench"
    by_part: dict[str, Scores] = {scores.split: scores for scores, _ in reached.parts}
    reached.begin("the loss")
    losses = {part: total_loss(card, fitted.model, s.y_true, s.y_score) for part, s in by_part.items()}
    columns = {
        name: [float(row[name]) for row in fitted.history] for name in ("loss", "accuracy", "val_loss", "val_accuracy")
    }
    reached.begin("the probe in both modes")
    modes = modes_of(*score_in_both_modes(fitted, train, card.recipe.batch_size))
    reached.begin("the grey levels")
    seen = (train, *(images for _, images in reached.parts))
    intensity: dict[str, Intensity] = {images.split: Intensity(*grey_levels(images)) for images in seen}
    related = None
    if bench:
        reached.begin("the search for related images")
        related = _with_prepared(job.folder, related_test_images, reached)
    checks = Checks(modes=modes, intensity=intensity, related=related)
    inference_ms = None
    if bench:
        reached.begin("the timing of inference")
        inference_ms = ms_per_image(fitted, scored.val)
    reached.begin("the figures")
    sizes = spec.protocol.class_sizes
    at_half = {part: _figures(s, 0.5, losses[part], sizes) for part, s in by_part.items()}
    at_chosen = (
        {}
        if threshold.value is None
        else {part: _figures(s, threshold.value, losses[part], sizes) for part, s in by_part.items()}
    )
    reached.begin("the diagnosis")
    diagnosis = diagnose(
        scored.val_scores,
        scored.test_scores,
        columns,
        classes=spec.dataset.classes,
        checks=checks,
        losses=losses if card.recipe.loss.name == "binary_crossentropy" else None,
        counts=job.split.classes,
    )
    reached.begin("the record")
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
        costs=_costs(fitted, inference_ms, time.perf_counter() - started, scored.before, stages),
        environment=reached.environment,
    )


def _write_model(scored: _Scored, reached: Reached, path: Path) -> None:
    reached.begin("writing the model")
    write_model(scored.fitted, scored.train, scored.val, path)
    reached.begin(_STORING)


def _loaded(folder: Path, part: SplitName, reached: Reached) -> LabelledImages:
    return _with_prepared(folder, lambda whole: load(whole, part), reached)


def _with_prepared(folder: Path, read: Callable[[Path], _Read], reached: Reached) -> _Read:
    """What `read` makes of the prepared `folder`; where it was cleared from the cache, once it is there again."""
    for _ in range(_TRIES):
        try:
            return read(folder)
        except FileNotFoundError:
            reached.tell(PreparedLost())
            _wait_for(folder)
    return read(folder)


def _wait_for(folder: Path) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not is_whole(folder) and time.monotonic() < until:
        time.sleep(_EVERY_S)


def _figures(scores: Scores, threshold: float, loss: float, class_sizes: ClassSizes) -> dict[str, Figure]:
    return {"loss": Figure("loss", loss), **figures(scores, threshold, class_sizes)}


def _costs(fitted: Fitted, inference_ms: float | None, seconds: float, before: Trained | None, stages: Stages) -> Costs:
    """What the run cost, with the training that was done `before` where it was taken up; `stages` ends here."""
    stages.end("figures")
    return Costs(
        seconds=seconds + (before.seconds if before else 0.0),
        epochs=len(fitted.history),
        seconds_per_epoch=fitted.seconds_per_epoch,
        inference_ms_per_image=inference_ms,
        peak_memory_mib=max(_peak_memory_mib(), before.peak_memory_mib if before else 0.0),
        parameters=fitted.parameters,
        trainable_parameters=fitted.trainable_parameters,
        stages=stages.seconds,
    )


def _peak_memory_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)  # bytes there, KiB elsewhere


def _throttled(tell: Callable[[Progress], None]) -> Callable[[Step], None]:
    last = 0.0

    def on_step(step: Step) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _EVERY_S or step.done == step.total:
            last = now
            tell(Progress(step.done, step.total, step.label))

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
