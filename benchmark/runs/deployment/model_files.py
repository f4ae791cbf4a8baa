"""The model files of a store: written with references of the training images, checked, and opened again.

Keras is loaded only when a model is written.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.evidence.diagnosis.out_of_distribution import fit_reference
from benchmark.evidence.diagnosis.reference import FIELDS, LOOKS, OODReference, references_in
from benchmark.runs.command_line import bench_command
from benchmark.runs.run import Run
from benchmark.runs.storage.files import Damaged, read_bytes
from benchmark.runs.storage.remembered import words_of_cards
from benchmark.runs.storage.store import Store
from zoo.config.errors import ConfigError
from zoo.models.registry import outputs_for

if TYPE_CHECKING:
    from benchmark.data.decoding.prepared import LabelledImages
    from benchmark.training.fit import Fitted

MOST_IMAGES = 1000
"""The most training images, and the most validation images, on which a reference is fitted."""

REFERENCE = "reference.npz"
"""The file beside a kept model that describes its training images."""

_MOST_BYTES = 1024**3


def write_model(fitted: Fitted, train: LabelledImages, val: LabelledImages, path: Path) -> None:
    """Write a model and, beside it in `reference.npz`, references that detect images unlike its training images.

    The references describe grey levels, their layout and features. They are computed with the model as read back from
    its file, as a later prediction computes them. Without finite features, no references are written.

    Args:
        fitted: The trained model.
        train: Training images, on which the references are fitted.
        val: Validation images, which set the limits.
        path: The file of the model.

    Raises:
        OSError: A file cannot be written.
        ConfigError: Keras cannot write the model or read it again.
    """
    from benchmark.training.use.model_file import save_model
    from benchmark.training.use.predict import ImageDescriber

    describer = ImageDescriber(save_model(fitted.model, path))
    train_index, val_index = _spread(len(train)), _spread(len(val))
    of_train, of_val = describer.describe(train.pixels[train_index]), describer.describe(val.pixels[val_index])
    labels = train.labels[train_index]
    try:
        val_descriptors = of_val.by_name()
        references = {
            name: fit_reference(rows, labels, val_descriptors[name]) for name, rows in of_train.by_name().items()
        }
    except ValueError:
        return
    write_references(path.with_name(REFERENCE), references)


def write_references(path: Path, references: Mapping[str, OODReference]) -> None:
    """Write references as named arrays in an .npz file. Raises OSError."""
    arrays = {f"{name}.{field}": getattr(each, field) for name, each in references.items() for field in FIELDS}
    np.savez(path, allow_pickle=False, **{key: np.asarray(value, dtype=np.float64) for key, value in arrays.items()})


def read_references(path: Path) -> dict[str, OODReference]:
    """Read the references in a file.

    Args:
        path: A file that `write_references` wrote.

    Returns:
        The references by name; empty if the file is missing.

    Raises:
        ConfigError: The file is damaged or cannot be read.
    """
    try:
        data = read_bytes(path, _MOST_BYTES)
    except FileNotFoundError:
        return {}
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return references_in({key: arrays[key] for key in arrays.files})
    except Exception as error:  # a damaged archive raises errors of many kinds
        raise Damaged(f"{path}: cannot be read: {error}; keep the model again") from error


def model_of(run: Run, store: Store) -> Path:
    """Find the model file of a run and check that it is the one that was saved.

    Args:
        run: The run.
        store: The store that contains it.

    Returns:
        The file.

    Raises:
        ConfigError: The run failed, or its model is missing, is not the saved one, or cannot be read. The message has
            the command that keeps the model.
    """
    if run.status != "ok":
        raise ConfigError(f"the run {run.run_id} ({run.spec.card.name} seed {run.spec.seed}) failed: {run.error}")
    of_run = f"the run {run.run_id} ({run.spec.card.name} seed {run.spec.seed})"
    if run.members:
        names = ", ".join(member.card for member in run.members if member.weight)
        raise ConfigError(f"{of_run} averages stored scores of {names} and has no model; use one of these cards")
    if views := run.spec.card.recipe.test_time_augmentation:
        raise ConfigError(
            f"{of_run} averages {1 + views} views of each image (recipe.test_time_augmentation), and a stored model "
            "scores one view, for which no threshold was chosen; run the card with test_time_augmentation: 0"
        )
    path = store.model_file(run)
    if not path.is_file():
        raise ConfigError(
            f"the model of the run {run.run_id} ({run.spec.card.name} seed {run.spec.seed}) was not kept; keep it "
            f"with: {command_that_keeps(run, store)}"
        )
    store.check_model(run, f"keep the model again with: {command_that_keeps(run, store)}")
    return path


def maker_of(run: Run) -> Callable[[], Any]:
    """A function that builds the untrained network of `run`, since its builder may define layers of the model file."""
    from zoo.models.registry import build

    model, size = run.spec.card.model, run.spec.protocol.image_size
    return lambda: build(model.builder, model.params, (size, size, 3), outputs_of(run))


def outputs_of(run: Run) -> int:
    """The number of scores per image of the model of `run`."""
    return outputs_for(len(run.spec.dataset.classes))


def reference_note(run: Run, store: Store) -> str:
    """Say how images unlike the training images are detected, and how often similar ones are flagged by chance."""
    references = read_references(store.model_file(run).with_name(REFERENCE))
    if not references:
        return (
            "outside: this model has no references of its training images, so that only colour is checked; delete the "
            "run's folder and bench it again with --keep-models"
        )
    looks = ", ".join(LOOKS.get(name, name) for name in references)
    share = max(reference.share for reference in references.values())
    return (
        f"outside: detected by {looks}; each exceeds its limit for about {share:.1%} of images like those of "
        "validation. An image inside all limits may still be of another kind"
    )


def command_that_keeps(run: Run, store: Store) -> str:
    """Compose the `zoo bench` command that computes a run again and keeps its model.

    Args:
        run: The run.
        store: The store that contains it.

    Returns:
        The command line, quoted for a shell.
    """
    spec = run.spec
    seeds = None if spec.seed in spec.protocol.seeds else spec.seed + 1
    return bench_command(words_of_cards(store, [spec.card.name]), spec, store.name, keep_models=True, seeds=seeds)


def _spread(count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Up to MOST_IMAGES indices of `count`, spread evenly, since images are sorted by class."""
    return np.linspace(0, count - 1, min(count, MOST_IMAGES)).astype(np.int64)
