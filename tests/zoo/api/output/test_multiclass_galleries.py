"""Galleries of three classes from a table of images, with stored scores, models and attributes of the data."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from benchmark.data.dataset import Dataset
from benchmark.data.sources import open_dataset
from benchmark.evidence.decisions.decide import Decision
from benchmark.evidence.thresholds.choice import Threshold
from benchmark.runs.run import DatasetFacts, Run
from benchmark.runs.storage.store import Store
from reports.gallery.gallery import Gallery
from tests.support.multiclass_stores import make_multiclass_run, on_test, on_val, simulated
from tests.support.records import recorded_history
from tests.support.tiny import SIDE, card, protocol
from zoo.api.output.galleries import galleries_of

CLASSES = ("blue", "green", "red")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of 72 images of three classes from two sites, 36 of them in the test part."""
    generator = np.random.default_rng(0)
    rows = []
    for number in range(72):
        label, part = number % 3, "test" if number >= 36 else "train"
        pixels = generator.integers(20 + 40 * label, 120 + 40 * label, (40, 40), dtype=np.uint8)
        name = f"image{number:03d}.png"
        Pillow.fromarray(pixels).save(tmp_path / name)
        rows.append((name, CLASSES[label], f"p{number}", part, "AB"[number // 3 % 2]))
    with (tmp_path / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label", "patient", "split", "site"), *rows])
    return tmp_path / "labels.csv"


def keep(store: Store, dataset: Dataset, decision: Decision | None = None, *, with_model: bool = False) -> Run:
    """A run that scored the test part of `dataset`, with an untrained model if one is asked for."""
    images = [image for image in dataset.images if image.part == "test"]
    labels = [image.label for image in images]
    scores = simulated(labels, 3, shift=1.0)
    model = _untrained() if with_model else None
    if model is not None:
        scores = model.predict_on_batch(dataset.read(images, SIDE)).astype(np.float64)
        scores /= scores.sum(axis=1, keepdims=True)
    facts = DatasetFacts.of(dataset)
    few = [place % 3 for place in range(30)]
    val, test = on_val(facts, few, simulated(few, 3, images=1)), on_test(facts, labels, scores)
    more = {} if decision is None else {"decision": decision, "at_chosen": {}}
    run = make_multiclass_run(card(), val, test, facts, protocol=protocol(), **more)
    parts = [(val, [f"v{n}" for n in range(30)]), (test, [image.name for image in images])]
    store.save(run, parts, recorded_history(), None if model is None else model.save)
    return run


def _untrained() -> object:
    import keras

    from benchmark.training.network import join, preprocessing_model
    from zoo.models.registry import build

    keras.utils.set_random_seed(0)
    model = build("scratch_cnn", {"filters": [4], "dense_units": 8}, (SIDE, SIDE, 3), outputs=3)
    return join(preprocessing_model((SIDE, SIDE, 1), "rescale"), model, "tiny")


def gallery_of(run: Run, store: Store) -> Gallery:
    return galleries_of([run], store)[run.run_id]


def test_images_are_those_of_the_table_with_their_classes(tmp_path: Path, table: Path) -> None:
    store, dataset = Store(tmp_path / "store"), open_dataset(str(table))
    gallery = gallery_of(keep(store, dataset), store)
    labels = {image.name: dataset.classes[image.label] for image in dataset.images}
    tiles = [tile for group in gallery.groups for tile in group.tiles]
    assert len(tiles) >= 18
    assert all(labels[tile.name] == tile.real for tile in tiles)
    assert gallery.classes == CLASSES
    assert gallery.maps_reason == "the model of this run was not kept; `zoo bench --keep-models` keeps it"


def test_columns_of_the_table_are_subgroups(tmp_path: Path, table: Path) -> None:
    store = Store(tmp_path / "store")
    subgroups = gallery_of(keep(store, open_dataset(str(table))), store).subgroups
    assert subgroups is not None
    sites = [group for group in subgroups.groups if group.kind == "site"]
    assert [(group.name, group.images) for group in sites] == [("A", 18), ("B", 18)]
    assert [rate.metric for rate in sites[0].rates][1:] == [f"recall:class:{name}" for name in CLASSES]


@pytest.mark.slow
def test_a_kept_model_gives_maps_for_the_called_and_the_true_class(tmp_path: Path, table: Path) -> None:
    store = Store(tmp_path / "store")
    gallery = gallery_of(keep(store, open_dataset(str(table)), with_model=True), store)
    assert gallery.layer == "conv1"
    assert gallery.notes == ()
    assert gallery.sanity is not None
    assert gallery.sanity.draws == 3
    for group in gallery.groups:
        for tile in group.tiles:
            assert tile.overlay or tile.overlay_reason
            assert bool(tile.true_overlay or tile.true_overlay_reason) == (tile.real != tile.predicted)


def test_abstentions_follow_the_decision_of_the_run(tmp_path: Path, table: Path) -> None:
    store = Store(tmp_path / "store")
    threshold = Threshold(0.7, "abstain")
    decision = Decision("abstain", CLASSES, target="confidence", value=0.7, threshold=threshold)
    run = keep(store, open_dataset(str(table)), decision)
    scores = dict(zip(store.images(run, "test"), store.scores(run, "test").y_score.max(axis=1), strict=True))
    tiles = [tile for group in gallery_of(run, store).groups for tile in group.tiles]
    assert any(tile.abstained for tile in tiles)
    assert all(tile.abstained == (scores[tile.name] < 0.7) for tile in tiles)
