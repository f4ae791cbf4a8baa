"""What a kept model says of image files, one prediction a file. Keras is loaded when the first one is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmark.data.sources.entries import is_hidden, printable
from benchmark.runs.deployment.decision_rule import DecisionRule, Prediction, ood_reasons
from benchmark.runs.deployment.model_files import REFERENCE, maker_of, model_of, read_references
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from benchmark.training.quiet import load_keras
from zoo.config.strict_yaml import ConfigError


def image_files(paths: Iterable[Path]) -> list[Path]:
    """The files of `paths` in order, folders replaced by the files in and below them, sorted by name; hidden ones, and
    those that systems leave behind, are left out. Raises ConfigError for a path that is not there or an empty folder.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(_below(path))
            if not inside:
                raise ConfigError(f"{printable(str(path))}: holds no files; give images, or a folder of images")
            files += inside
        elif path.exists():
            files.append(path)
        else:
            raise ConfigError(f"{printable(str(path))}: no such file or folder; give images, or a folder of images")
    return files


def predict_files(run: Run, store: Store, decider: DecisionRule, files: Iterable[Path]) -> Iterator[Prediction]:
    """A prediction for each of `files`, in their order, as the bench scored its own images: the same decoding,
    resizing, preprocessing, precision and batches. Where the model gives no probability, nothing is decided.

    Raises ConfigError when the run's model was not kept or cannot be read.
    """
    load_keras()
    import benchmark.training.backend as backend
    from benchmark.training.use.model_file import load_model
    from benchmark.training.use.predict import ImageDescriber

    path = model_of(run, store)
    references = read_references(path.with_name(REFERENCE))
    backend.prepare_process(run.spec.seed, os.cpu_count() or 1)
    describer = ImageDescriber(load_model(path, maker_of(run)), run.spec.dataset.reading)
    for seen in describer.describe_files(files):
        if seen.descriptors is None:
            yield Prediction(seen.name, error=seen.error)
            continue
        score = float(seen.descriptors.scores[0])
        if (problem := decider.problem(score)) is not None:
            yield Prediction(seen.name, error=problem)
            continue
        yield Prediction(
            seen.name,
            probability=decider.probability(score),
            score=score,
            decision=decider.decide(score),
            outside=(
                *([seen.note] if seen.note else []),
                *ood_reasons(
                    references,
                    seen.descriptors.by_name(),
                    colour=seen.colour,
                    channels=describer.channels,
                ),
            ),
        )


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not is_hidden(name)]
        yield from (Path(place, name) for name in names if not is_hidden(name))
