"""Valid records for tests, made without training anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from benchmark.evidence import Figure, Scores, TestScores, ValidationScores, choose, diagnose, figures
from benchmark.evidence.metrics.influence import ClassSizes
from benchmark.runs.environment import Environment
from benchmark.runs.history import History
from benchmark.runs.protocol import Protocol, load_protocol
from benchmark.runs.run import Costs, DatasetFacts, Run, RunSpec, SplitFacts
from zoo.models.card import ModelCard
from zoo.models.catalog import REPORT_COLLECTION, load_catalog

Curves = Mapping[str, Sequence[float]]

PHANTOM = DatasetFacts(
    source="phantom",
    title="synthetic chest radiographs drawn by zoo",
    synthetic=True,
    classes=("NORMAL", "PNEUMONIA"),
    fingerprint="0123456789abcdef" * 4,
)
KAGGLE = DatasetFacts(
    source="kaggle:paultimothymooney/chest-xray-pneumonia",
    title="chest_xray",
    synthetic=False,
    classes=("NORMAL", "PNEUMONIA"),
    fingerprint="fedcba9876543210" * 4,
)
ENVIRONMENT = Environment(
    versions={"zoo": "0.1.0", "python": "3.11.9", "keras": "3.15.1"},
    commit="abcdef012345",
    platform="Linux x86_64",
    processor="a processor",
    cores=2,
    threads=2,
    memory_gib=15.6,
    precision="float32",
    weights=None,
)
SPLIT = SplitFacts({"train": 480, "val": 120, "test": 200}, "ab" * 32, ())
COSTS = Costs(
    seconds=42.0,
    epochs=3,
    seconds_per_epoch=12.5,
    inference_ms_per_image=1.5,
    peak_memory_mib=900.0,
    parameters=1_234_567,
    trainable_parameters=234_567,
)
HEALTHY: Curves = {
    "loss": [0.69, 0.5, 0.4],
    "accuracy": [0.55, 0.75, 0.85],
    "recall": [0.6, 0.75, 0.85],
    "val_loss": [0.68, 0.52, 0.45],
    "val_accuracy": [0.6, 0.75, 0.82],
    "val_recall": [0.9, 0.7, 0.8],
}


@cache
def cards() -> dict[str, ModelCard]:
    """The built-in cards."""
    return load_catalog().of(REPORT_COLLECTION)


def make_card(name: str = "attempt-1", **changes: Any) -> ModelCard:
    """A built-in card, some of its fields changed and validated again."""
    return ModelCard.model_validate({**cards()[name].model_dump(mode="json"), **changes})


def make_spec(
    card: str | ModelCard = "attempt-1",
    *,
    seed: int = 0,
    protocol: str | Protocol = "quick",
    dataset: DatasetFacts = PHANTOM,
) -> RunSpec:
    """What a run is asked to be."""
    return RunSpec(
        card=cards()[card] if isinstance(card, str) else card,
        protocol=load_protocol(protocol) if isinstance(protocol, str) else protocol,
        dataset=dataset,
        seed=seed,
    )


def on_val(y_true: Sequence[int], y_score: Sequence[float]) -> ValidationScores:
    """Validation scores of these labels."""
    return ValidationScores("val", np.asarray(y_true), np.asarray(y_score, dtype=float))


def on_test(y_true: Sequence[int], y_score: Sequence[float]) -> TestScores:
    """Test scores of these labels."""
    return TestScores("test", np.asarray(y_true), np.asarray(y_score, dtype=float))


def of_counts(tp: int, fp: int, tn: int, fn: int) -> TestScores:
    """Test scores with exactly these decisions at 0.5."""
    return on_test([1] * tp + [0] * fp + [0] * tn + [1] * fn, [0.9] * (tp + fp) + [0.1] * (tn + fn))


def planted(negatives: int, positives: int, shift: float = 2.0, seed: int = 0) -> tuple[list[int], list[float]]:
    """Labels and scores whose ranking is as good as `shift` standard deviations; 0 is chance."""
    labels = [0] * negatives + [1] * positives
    drawn = np.random.default_rng(seed).normal(shift * (np.array(labels) - 0.5))
    return labels, (1 / (1 + np.exp(-drawn))).tolist()


def recorded_history(curves: Curves = HEALTHY, *phases: str) -> History:
    """`curves` as a training records them, in each of the `phases` anew (one, `train`, where none is given)."""
    epochs = range(len(curves["loss"]))
    return History.of(
        {"phase": phase, "epoch": i + 1, **{name: values[i] for name, values in curves.items()}}
        for phase in phases or ("train",)
        for i in epochs
    )


def make_run(
    card: str | ModelCard = "attempt-1",
    *,
    val: ValidationScores | None = None,
    test: TestScores | None = None,
    history: Curves = HEALTHY,
    seed: int = 0,
    protocol: str | Protocol = "quick",
    dataset: DatasetFacts = PHANTOM,
    error: str | None = None,
    **changes: Any,
) -> Run:
    """A run with the figures, threshold and diagnosis of the given scores; a failed one when `error` is given.

    `changes` replace fields of the record.
    """
    spec = make_spec(card, seed=seed, protocol=protocol, dataset=dataset)
    finished = "2026-01-02T03:04:05+00:00"
    fields: dict[str, Any] = {"spec": spec, "finished": finished, "split": SPLIT, "environment": ENVIRONMENT}
    if error is not None:
        return Run(**{**fields, "status": "failed", "error": error, **changes})
    val = val or on_val(*planted(60, 60, seed=1))
    test = test or on_test(*planted(100, 100, seed=2))
    sizes = spec.protocol.class_sizes
    threshold = choose(val, spec.protocol.threshold.rule, spec.protocol.threshold.value)
    fields |= {
        "status": "ok",
        "threshold": threshold,
        "at_half": {"val": _figures(val, 0.5, sizes), "test": _figures(test, 0.5, sizes)},
        "at_chosen": {}
        if threshold.value is None
        else {"val": _figures(val, threshold.value, sizes), "test": _figures(test, threshold.value, sizes)},
        "diagnosis": diagnose(val, test, history, classes=dataset.classes),
        "costs": COSTS,
    }
    return Run(**{**fields, **changes})


def _figures(scores: Scores, threshold: float, sizes: ClassSizes) -> dict[str, Figure]:
    found = figures(scores, threshold, sizes)
    return {"loss": Figure("loss", found["log_loss"].value, None, None, None, None), **found}


def changed(data: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """`data` with another value at a dotted path."""
    key, _, rest = path.partition(".")
    return {**data, key: changed(data[key], rest, value) if rest else value}
