"""One run, start to end, in a process that does nothing else."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path

import benchmark.training.backend as backend  # first: it quietens the backend before anything imports it
from benchmark.data.leakage import related_test_images
from benchmark.data.prepared import LabelledImages, load
from benchmark.evidence.checks import Checks, Intensity, modes_of
from benchmark.evidence.diagnosis import diagnose
from benchmark.evidence.influence import ClassSizes
from benchmark.evidence.metrics import Figure, figures
from benchmark.evidence.scores import Scores, TestScores, ValidationScores
from benchmark.evidence.threshold import choose_with_interval
from benchmark.runs.environment import Environment, describe_environment
from benchmark.runs.kept import write_model
from benchmark.runs.run import Costs, Job, Progress, Run, now
from benchmark.runs.stages import Stages
from benchmark.runs.store import Store
from benchmark.runs.trained import Trained, put_aside, take_up
from benchmark.training.bank import default_bank
from benchmark.training.predict import ms_per_image, score
from benchmark.training.prefix import Taken, ways_here
from benchmark.training.probe import grey_levels, score_in_both_modes
from benchmark.training.train import Fitted, Step, TrainingDiverged, fit, total_loss
from zoo.strict_yaml import ConfigError
from zoo.weights import load as load_weights

_EVERY_S = 0.25


def work(job: Job, store: Path, threads: int, pipe: Connection) -> None:
    """Process entry: compute `job`, keep its run in `store`, and tell `pipe` on the way.

    What is sent: Progress, then None when the run is stored, or the message of an error of the store.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        keep(job, Store(store), threads, pipe.send)
        pipe.send(None)
    except OSError as error:
        pipe.send(f"{error.filename or store}: {error.strerror or error}")


def keep(job: Job, store: Store, threads: int, tell: Callable[[Progress], None]) -> Run:
    """Compute `job` and save its run; a failed training is saved as a failed run. Raises OSError of the store."""
    started, stages = time.perf_counter(), Stages()
    spec, folder, split = job.spec, job.folder, job.split
    backend.prepare_process(spec.seed, threads)
    ways = ways_here(spec.protocol.precision, spec.protocol.prefix, job.trial)
    taken: Taken | None = None
    card = spec.protocol.budgeted(spec.card)
    weights = None

    def environment() -> Environment:
        way, reason = (None, None) if taken is None else (taken.way, taken.reason)
        return describe_environment(backend.versions(), threads, way, reason, weights)

    try:
        if card.model.params.get("weights", "random") != "random":
            record = load_weights(card.model.params["weights"])[1]
            weights = f"{record.origin}, SHA-256 {record.digest[:16]}"
        made_by = {**backend.versions(), "threads": threads, "ways": ways.names, "weights": weights}
        before = take_up(store.root, spec, made_by)
        stages.end("start")
        train, val = load(folder, "train"), load(folder, "val")
        stages.end("data")
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
            on_step=_throttled(tell),
        )
        taken = fitted.network.taken
        stages.end("training")
        stages.move(at_fit := fitted.network.seconds_of_features, "training", "features")
        if job.put_aside and before is None:
            arrays = tuple(fitted.network.tail.get_weights())
            seconds = time.perf_counter() - started
            put_aside(store.root, spec, Trained(arrays, fitted.history, seconds, _peak_memory_mib(), made_by))
        known = not spec.dataset.patients_unknown
        val_scores = ValidationScores("val", val.labels, score(fitted, val), val.patients if known else None)
        rule = spec.protocol.threshold
        threshold = choose_with_interval(val_scores, rule.rule, rule.value)
        parts: list[tuple[Scores, LabelledImages]] = [(val_scores, val)]
        test_scores = None
        if spec.stage == "bench":
            # Only here, with everything fitted and chosen, is the test split opened.
            test = load(folder, "test")
            test_scores = TestScores("test", test.labels, score(fitted, test), test.patients if known else None)
            parts.append((test_scores, test))
        stages.end("scoring")
        stages.move(fitted.network.seconds_of_features - at_fit, "scoring", "features")
    except Exception as error:
        run = Run.failed(spec, _one_line(error), split, environment())
        store.save(run)
        return run
    scored = {scores.split: scores for scores, _ in parts}
    losses: dict[str, float] = {part: total_loss(card, fitted.model, s.y_true, s.y_score) for part, s in scored.items()}
    columns = {
        name: [float(row[name]) for row in fitted.history] for name in ("loss", "accuracy", "val_loss", "val_accuracy")
    }
    checks = Checks(
        modes=modes_of(*score_in_both_modes(fitted, train, card.recipe.batch_size)),
        intensity={
            images.split: Intensity(*grey_levels(images)) for images in (train, *(images for _, images in parts))
        },
        related=related_test_images(folder) if spec.stage == "bench" else None,
    )
    sizes = spec.protocol.class_sizes
    inference_ms = ms_per_image(fitted, val) if spec.stage == "bench" else None
    run = Run(
        spec=spec,
        status="ok",
        finished=now(),
        split=split,
        threshold=threshold,
        at_half={part: _figures(s, 0.5, losses[part], sizes) for part, s in scored.items()},
        at_chosen={}
        if threshold.value is None
        else {part: _figures(s, threshold.value, losses[part], sizes) for part, s in scored.items()},
        diagnosis=diagnose(
            val_scores,
            test_scores,
            columns,
            classes=spec.dataset.classes,
            checks=checks,
            losses=losses if card.recipe.loss.name == "binary_crossentropy" else None,
            counts=split.classes,
        ),
        checks=checks,
        costs=_costs(fitted, inference_ms, time.perf_counter() - started, before, stages),
        environment=environment(),
    )
    store.save(
        run,
        [(scores, images.names) for scores, images in parts],
        fitted.history,
        partial(write_model, fitted, train, val) if spec.protocol.keep_models else None,
    )
    return run


def _figures(scores: Scores, threshold: float, loss: float, class_sizes: ClassSizes) -> dict[str, Figure]:
    return {"loss": Figure("loss", loss, None, None, None, None), **figures(scores, threshold, class_sizes)}


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
            try:
                tell(Progress(step.done, step.total, step.label))
            except OSError:
                os._exit(1)  # nobody listens any more: the parent has gone, and this run is nobody's

    return on_step


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())[:500]
    return text if isinstance(error, (TrainingDiverged, ConfigError)) and text else f"{type(error).__name__}: {text}"
