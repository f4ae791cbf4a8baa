"""The model files of a store: written with references of the training images, checked, and opened again.

Keras is loaded only when a model is written.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmark.evidence.averages import mean_scores
from benchmark.evidence.diagnosis.out_of_distribution import fit_reference
from benchmark.evidence.diagnosis.reference import FIELDS, LOOKS, OODReference, references_in
from benchmark.runs.command_line import bench_command
from benchmark.runs.run import Run
from benchmark.runs.storage.beside.remembered import words_of_cards
from benchmark.runs.storage.files import Damaged, read_bytes
from benchmark.runs.storage.lookup import scoring_runs
from benchmark.runs.storage.store import Store
from zoo.config.errors import ConfigError
from zoo.models.recipe import AverageRecipe
from zoo.models.registry import outputs_for

if TYPE_CHECKING:
    from benchmark.data.decoding.prepared import LabelledImages
    from benchmark.training.fit import Fitted

Floats = npt.NDArray[np.float64]

MOST_IMAGES = 1000
"""The most training images, and the most validation images, on which a reference is fitted."""

REFERENCE = "reference.npz"
"""The file beside a kept model that describes its training images."""

_MOST_BYTES = 1024**3
_TOLERANCE = 1e-4  # of a score; rounding on another processor is less


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
    from benchmark.training.use.predict import AppliedModel, ImageDescriber

    describer = ImageDescriber([AppliedModel(save_model(fitted.model, path))])
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
    """Find the model file of a run that is no ensemble, and check that it is the one that was saved.

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
        raise ConfigError(f"{_in_words(run)} failed: {run.error}")
    path = store.model_file(run)
    if not path.is_file():
        raise ConfigError(f"the model of {_in_words(run)} was not kept; keep it with: {command_that_keeps(run, store)}")
    store.check_model(run, f"keep the model again with: {command_that_keeps(run, store)}")
    return path


@dataclass(frozen=True)
class StoredModel:
    """A stored model that gives scores of a run.

    Attributes:
        run: The run that trained it: the run itself, or a member of an ensemble.
        path: Its file.
        weight: The weight of its scores in the mean, in (0, 1].
    """

    run: Run
    path: Path
    weight: float


def stored_models(run: Run, store: Store) -> tuple[StoredModel, ...]:
    """Find the models that give the scores of a run, and check that they are those that were saved.

    Args:
        run: The run.
        store: The store that contains it.

    Returns:
        Its model; for an ensemble, those of the members that count.

    Raises:
        ConfigError: As in `model_of`; or members lack models, and the message names all with one command that keeps
            them; or a member has other scores than the ensemble averaged.
    """
    if not run.members:
        return (StoredModel(run, model_of(run, store), 1.0),)
    members = scoring_runs(run, store)
    if missing := [each.card for each in members if each.run is None or not store.has_model(each.run)]:
        models_are, them = ("model is", "it") if len(missing) == 1 else ("models are", "them")
        raise ConfigError(
            f"{_in_words(run)} averages {', '.join(missing)}, whose {models_are} not in the store; keep {them} with: "
            f"{command_that_keeps(run, store)}"
        )
    models = [StoredModel(each.run, model_of(each.run, store), each.weight) for each in members if each.run is not None]
    _check_mean(run, models, store)
    return tuple(models)


def mean_of(run: Run, models: Sequence[StoredModel]) -> Callable[[Sequence[Floats]], Floats]:
    """The function that averages the scores of the models of `run`, in their order, as the bench did."""
    recipe, weights = run.spec.card.recipe, [each.weight for each in models]
    average = recipe.average if isinstance(recipe, AverageRecipe) else "probabilities"
    return lambda scores: mean_scores(scores, weights, average)


def _check_mean(run: Run, models: Sequence[StoredModel], store: Store) -> None:
    """Raise ConfigError unless the stored scores of an ensemble are the mean of those of its members."""
    names = store.images(run, "val")
    scores: list[Floats] = []
    for each in models:
        places = {name: place for place, name in enumerate(store.images(each.run, "val"))}
        of_member = store.scores(each.run, "val").y_score
        scores.append(of_member[[places[name] for name in names]])
    distance = np.abs(mean_of(run, models)(scores) - store.scores(run, "val").y_score)
    if not distance.max() <= _TOLERANCE:
        listed = ", ".join(each.run.spec.card.name for each in models)
        raise ConfigError(
            f"{_in_words(run)} averages scores that its members {listed} no longer have: they were computed again; "
            f"delete {store.folder(run.run_id)}, then: {command_that_keeps(run, store)}"
        )


def averaged_in_words(run: Run) -> str | None:
    """What the scores of a run are means of; None for those of one model and the unchanged image."""
    if run.members:
        of_members = [f"{each.card} ({each.weight:.2f})" for each in run.members if each.weight]
        recipe = run.spec.card.recipe
        average = recipe.average if isinstance(recipe, AverageRecipe) else "probabilities"
        return f"the mean of the {average} of {', '.join(of_members)}"
    if views := run.spec.card.recipe.test_time_augmentation:
        return f"the mean over the unchanged image and {views} augmented {'view' if views == 1 else 'views'}"
    return None


def references_of(run: Run, store: Store) -> dict[str, OODReference]:
    """Read the references of the training images beside the models of a run.

    Args:
        run: A finished run.
        store: The store that contains it.

    Returns:
        The references by the names of the descriptors; empty if a model has none. Members of an ensemble share those
        of grey levels.

    Raises:
        ConfigError: A file is damaged or cannot be read.
    """
    references: dict[str, OODReference] = {}
    for each in scoring_runs(run, store):
        of_model = {} if each.run is None else read_references(store.model_file(each.run).with_name(REFERENCE))
        if not of_model:
            return {}
        names = {"features": features_name(run, each.card)}
        references |= {names.get(name, name): reference for name, reference in of_model.items()}
    return references


def features_name(run: Run, card: str) -> str:
    """The name of the features of a model among the descriptors of images: that of its card, if there are several."""
    return f"features of {card}" if run.members else "features"


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
    references = references_of(run, store)
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


def _in_words(run: Run) -> str:
    return f"the run {run.run_id} ({run.spec.card.name} seed {run.spec.seed})"


def _spread(count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Up to MOST_IMAGES indices of `count`, spread evenly, since images are sorted by class."""
    return np.linspace(0, count - 1, min(count, MOST_IMAGES)).astype(np.int64)
