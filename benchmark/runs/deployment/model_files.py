"""The models that a store keeps: written with a reference of what they were trained on, found again, or how to keep
them. Keras is loaded only where a model is written."""

from __future__ import annotations

import io
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.evidence.diagnosis.out_of_distribution import OODReference, fit_reference
from benchmark.runs.deployment.decision_rule import LOOKS
from benchmark.runs.run import Run
from benchmark.runs.storage.files import Damaged, read_bytes
from benchmark.runs.storage.store import Store
from zoo.config.strict_yaml import ConfigError

if TYPE_CHECKING:
    from benchmark.data.decoding.prepared import LabelledImages
    from benchmark.training.fit import Fitted

MOST_IMAGES = 1000
"""How many training images, and how many validation images, a reference is fitted on at most."""

REFERENCE = "reference.npz"
"""The file beside a kept model that says what its training images look like."""

_MOST_BYTES = 1024**3
_FIELDS = ("means", "precision", "limit", "share", "images")


def write_model(fitted: Fitted, train: LabelledImages, val: LabelledImages, path: Path) -> None:
    """Write the model of `fitted` to `path`, and beside it, in `reference.npz`, references of `train` by which
    images unlike it are told: grey levels, their layout, features.

    The file is read back and used as a later prediction will use it. Features that are not finite leave no reference.
    Raises OSError, and ConfigError for a model that Keras cannot write or read again.
    """
    from benchmark.training.use.model_file import save_model
    from benchmark.training.use.predict import ImageDescriber

    describer = ImageDescriber(save_model(fitted.model, path))
    chosen, others = _some(len(train)), _some(len(val))
    shown, checked = describer.describe(train.pixels[chosen]), describer.describe(val.pixels[others])
    labels = train.labels[chosen]
    try:
        val_looks = checked.by_name()
        references = {name: fit_reference(rows, labels, val_looks[name]) for name, rows in shown.by_name().items()}
    except ValueError:
        return
    write_references(path.with_name(REFERENCE), references)


def write_references(path: Path, references: Mapping[str, OODReference]) -> None:
    """Plain arrays by name in an .npz file."""
    arrays = {f"{name}.{field}": getattr(each, field) for name, each in references.items() for field in _FIELDS}
    np.savez(path, allow_pickle=False, **{key: np.asarray(value, dtype=np.float64) for key, value in arrays.items()})


def read_references(path: Path) -> dict[str, OODReference]:
    """What `write_references` wrote; empty when there is no such file. Raises ConfigError when it is damaged, or cannot
    be read now."""
    try:
        data = read_bytes(path, _MOST_BYTES)
    except FileNotFoundError:
        return {}
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            names = dict.fromkeys(key.rpartition(".")[0] for key in arrays.files)
            return {name: _reference({field: arrays[f"{name}.{field}"] for field in _FIELDS}) for name in names}
    except Exception as error:  # a damaged archive raises many kinds
        raise Damaged(f"{path}: cannot be read: {error}; keep the model again") from error


def model_of(run: Run, store: Store) -> Path:
    """The file of the run's kept model, once it is the one that was saved with the run. Raises ConfigError, with the
    command that keeps it, when there is none or another one, or when it cannot be read."""
    if run.status != "ok":
        raise ConfigError(f"the run {run.run_id} ({run.spec.card.name} seed {run.spec.seed}) failed: {run.error}")
    path = store.model_file(run)
    if not path.is_file():
        raise ConfigError(
            f"the model of the run {run.run_id} ({run.spec.card.name} seed {run.spec.seed}) was not kept; keep it "
            f"with: {command_that_keeps(run, store)}"
        )
    store.check_model(run, f"keep the model again with: {command_that_keeps(run, store)}")
    return path


def maker_of(run: Run) -> Callable[[], Any]:
    """What makes the network of `run` anew, untrained: its builder may define layers that the kept file holds."""
    from zoo.models.registry import build

    model, size = run.spec.card.model, run.spec.protocol.image_size
    return lambda: build(model.builder, model.params, (size, size, 3))


def reference_note(run: Run, store: Store) -> str:
    """By what images outside of the training are told, and how often those alike are told so by chance."""
    references = read_references(store.model_file(run).with_name(REFERENCE))
    if not references:
        return (
            "outside: nothing of the training images was kept with this model, so that only colour tells; delete the "
            "run's folder and bench it again with --keep-models"
        )
    looks = ", ".join(LOOKS.get(name, name) for name in references)
    share = max(reference.share for reference in references.values())
    return (
        f"outside: told by {looks}, each beyond its limit for about {share:.1%} of images like those of validation; an "
        "image inside may still be of another kind"
    )


def command_that_keeps(run: Run, store: Store) -> str:
    """The `zoo bench` command that computes `run` again and keeps its model. A protocol or card of the user's own is
    named by the file it came from, whose folder the record does not know."""
    from benchmark.runs.protocol import load_protocol

    spec = run.spec
    try:
        built_in = load_protocol(spec.protocol.name).identity() == spec.protocol.identity()
    except ConfigError:
        built_in = False
    words = ["zoo", "bench", spec.card.name, "--keep-models", "--data", spec.dataset.source]
    words += ["--positive", spec.dataset.positive] if spec.dataset.positive is not None else []
    words += [] if spec.dataset.patient_pattern is None else ["--patients", spec.dataset.patient_pattern]
    words += ["--protocol", spec.protocol.name if built_in else f"{spec.protocol.name}.yaml"]
    words += ["--seeds", str(spec.seed + 1)] if spec.seed not in spec.protocol.seeds else []
    return shlex.join([*words, "--store", str(store.root)])


def _some(count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Up to MOST_IMAGES of `count` places, spread evenly: the images of both classes lie in runs."""
    return np.linspace(0, count - 1, min(count, MOST_IMAGES)).astype(np.int64)


def _reference(arrays: Mapping[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]) -> OODReference:
    return OODReference(
        means=arrays["means"],
        precision=arrays["precision"],
        limit=float(arrays["limit"]),
        share=float(arrays["share"]),
        images=int(arrays["images"]),
    )
