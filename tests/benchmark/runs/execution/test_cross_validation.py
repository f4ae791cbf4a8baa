"""A fold is blind to the images that it tests."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import pytest

from benchmark.data.dataset import Dataset, Image, Pixels
from benchmark.data.sources import open_dataset
from benchmark.runs.drawn_split import draw_split
from benchmark.runs.execution.execute import execute_all
from benchmark.runs.plan import make_plan
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from tests.support.tiny import card, protocol, write_npz

pytestmark = pytest.mark.slow

UNDER = protocol(test_folds=2, sampling={"val_fraction": 0.3, "min_val": 0}, keep_models=True)
STOPPING = card(
    "stopping",
    model={"filters": [8]},
    optimizer={"name": "adam", "learning_rate": 0.001},
    epochs=4,
    early_stopping={"monitor": "val_accuracy", "patience": 2},
)


def without_parts(path: Path) -> Dataset:
    dataset = open_dataset(str(write_npz(path / "tiny.npz")))
    return replace(dataset, images=tuple(replace(image, part="all") for image in dataset.images))


def dark(dataset: Dataset, names: set[str]) -> Dataset:
    """The same data set with other pixels in the images of these names."""

    def read(images: Sequence[Image], size: int) -> Pixels:
        pixels = dataset.read(images, size).copy()
        for row, image in enumerate(images):
            if image.name in names:
                pixels[row] = 255 - pixels[row]
        return pixels

    return replace(dataset, read=read)


def first_fold(dataset: Dataset, root: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Store, Run]:
    """Fold 1 of `dataset`, prepared in a cache of its own, since the cache knows images by their names."""
    monkeypatch.setenv("ZOO_CACHE_DIR", str(root / "cache"))
    store = Store(root / "runs")
    [run] = execute_all(make_plan([STOPPING], UNDER, dataset).specs[:1], dataset, store)
    assert run.status == "ok"
    return store, run


def weights(store: Store, run: Run) -> dict[str, Any]:
    """The weights of the stored model, by name."""
    values: dict[str, Any] = {}
    with (
        zipfile.ZipFile(store.model_file(run)) as archive,
        h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file,
    ):
        file.visititems(lambda name, item: values.update({name: item[()].tolist()} if hasattr(item, "shape") else {}))
    return values


def test_changing_the_tested_images_changes_neither_weights_nor_threshold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = without_parts(tmp_path)
    spec = make_plan([STOPPING], UNDER, dataset).specs[0]
    tested = {image.name for image in draw_split(dataset, spec).test}
    store, run = first_fold(dataset, tmp_path / "one", monkeypatch)
    elsewhere, other = first_fold(dark(dataset, tested), tmp_path / "two", monkeypatch)
    assert set(store.images(run, "test")) == tested
    assert run.threshold == other.threshold
    assert weights(store, run)
    assert weights(store, run) == weights(elsewhere, other)
    assert store.binary_scores(run, "val").y_score.tolist() == elsewhere.binary_scores(other, "val").y_score.tolist()
    assert store.history(run).column("val_loss") == elsewhere.history(other).column("val_loss")
    assert store.binary_scores(run, "test").y_score.tolist() != elsewhere.binary_scores(other, "test").y_score.tolist()
