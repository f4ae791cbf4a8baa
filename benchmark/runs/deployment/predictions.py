"""Predictions of a kept model for image files. Keras is loaded with the first prediction."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmark.data.sources.entries import is_hidden, printable
from benchmark.runs.deployment.decision_rule import DecisionRule, Prediction, ood_reasons
from benchmark.runs.deployment.model_files import REFERENCE, maker_of, model_of, outputs_of, read_references
from benchmark.runs.deployment.multiclass import AnyDecisionRule, AnyPrediction, MulticlassPrediction
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from benchmark.training.quiet import load_keras
from zoo.config.errors import ConfigError


def image_files(paths: Iterable[Path]) -> list[Path]:
    """List image files, with folders replaced by the files in and below them.

    Args:
        paths: Files and folders.

    Returns:
        The files in the order of `paths`; those of a folder sorted by path, without hidden and system files.

    Raises:
        ConfigError: A path does not exist, or a folder contains no files.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            contents = sorted(_below(path))
            if not contents:
                raise ConfigError(f"{printable(str(path))}: contains no files; give images, or a folder of images")
            files += contents
        elif path.exists():
            files.append(path)
        else:
            raise ConfigError(f"{printable(str(path))}: no such file or folder; give images, or a folder of images")
    return files


def predict_files(run: Run, store: Store, decider: AnyDecisionRule, files: Iterable[Path]) -> Iterator[AnyPrediction]:
    """Predict images exactly as the bench scored its images: decoding, resizing, preprocessing, precision and batches
    are the same.

    Args:
        run: A finished run.
        store: The store that contains it and its model.
        decider: The decision rule of the run.
        files: Image files.

    Yields:
        One prediction per file, in order.

    Raises:
        ConfigError: The model of the run was not kept or cannot be read.
    """
    load_keras()
    import benchmark.training.backend as backend
    from benchmark.training.use.model_file import load_model
    from benchmark.training.use.predict import ImageDescriber

    path = model_of(run, store)
    references = read_references(path.with_name(REFERENCE))
    backend.prepare_process(run.spec.seed, os.cpu_count() or 1)
    describer = ImageDescriber(load_model(path, maker_of(run), outputs_of(run)), run.spec.dataset.reading)
    for file in describer.describe_files(files):
        if file.descriptors is None:
            kind = Prediction if isinstance(decider, DecisionRule) else MulticlassPrediction
            yield kind(file.name, error=file.error)
            continue
        by_name = file.descriptors.by_name()
        outside = (
            *([file.note] if file.note else []),
            *ood_reasons(references, by_name, colour=file.colour, channels=describer.channels),
        )
        score = file.descriptors.scores[0]
        if isinstance(decider, DecisionRule):
            yield decider.predict(file.name, float(score), outside)
        else:
            yield decider.predict(file.name, score, outside)


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not is_hidden(name)]
        yield from (Path(parent, name) for name in names if not is_hidden(name))
