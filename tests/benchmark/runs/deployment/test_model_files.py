"""Stored models in use give the scores of the bench: of one model, of averaged views, and of an ensemble."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import zoo
from benchmark.data.dataset import Dataset
from benchmark.data.decoding.prepared import LabelledImages
from benchmark.data.sources import open_dataset
from benchmark.runs.deployment.known_images import KnownImages
from benchmark.runs.deployment.model_files import averaged_in_words, references_of, stored_models
from benchmark.runs.deployment.multiclass import any_decider_of
from benchmark.runs.deployment.predictions import Predictor
from benchmark.runs.execution.reuse import reusable_run
from benchmark.runs.run import Run
from benchmark.runs.storage.beside.evaluations import evaluations_of, model_digest
from benchmark.runs.storage.lookup import has_models
from benchmark.runs.storage.store import Store
from benchmark.training.use.model_file import load_model
from benchmark.training.use.predict import AppliedModel, ImageDescriber
from tests.support import tiny
from tests.support.kept import compute, images_of, in_this_process
from zoo.api.serve import _model as served
from zoo.config.errors import ConfigError
from zoo.models.card import ModelCard

RULES = tiny.protocol(
    sampling={"train": 24, "val": 16, "test": 16, "balanced": True, "min_val": 0}, keep_models=True, view_seed=3
)
VIEWS = {"augmentation": {"rotation_degrees": 25, "brightness": [0.5, 1.5]}, "test_time_augmentation": 2}


def probe(name: str, side: int, **recipe: object) -> ModelCard:
    """Logistic regression on blocks of pixels."""
    return ModelCard.model_validate(
        {
            "name": name,
            "title": name,
            "change": "a probe",
            "model": {"builder": "pixels", "side": side},
            "recipe": {"probe": "logistic", **recipe},
        }
    )


MEMBERS = (tiny.card("scratch", epochs=1, **VIEWS), probe("blocks", 8), probe("turned", 16, **VIEWS))
MEAN = ModelCard.model_validate(
    {
        "name": "mean",
        "title": "A mean",
        "change": "averages",
        "model": {"builder": "ensemble", "members": [card.name for card in MEMBERS]},
        "recipe": {"average": "logits"},
    }
)


@dataclass(frozen=True)
class World:
    """A store of three members, two of which average views, and of their ensemble."""

    store: Store
    members: tuple[Run, ...]
    mean: Run
    test: LabelledImages
    data: Dataset
    cache: Path

    def copy(self, root: Path) -> Store:
        """The same store at another place, which a test may change."""
        shutil.copytree(self.store.root, root)
        return Store(root)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("averaged")
    names = tiny.write_folder(root / "images", ["HEALTHY", "ILL"], images=40)
    data, store, cache = open_dataset(str(names)), Store(root / "runs"), root / "cache"
    members = tuple(compute(card, RULES, data, store, cache) for card in MEMBERS)
    mean = compute(MEAN, RULES, data, store, cache, members=tuple(run.run_id for run in members))
    with in_this_process(cache):
        yield World(store, members, mean, images_of(RULES, data, cache, "test"), data, cache)


def test_predictions_for_files_and_arrays_have_the_stored_test_scores(world: World) -> None:
    for run in (*world.members, world.mean):
        stored = dict(zip(world.store.images(run, "test"), world.store.scores(run, "test").y_score, strict=True))
        expected = [stored[name] for name in world.test.names]
        predicted = zoo.predict(run.run_id, [world.data.files[name] for name in stored], store=world.store)
        assert [each.score for each in predicted.predictions] == pytest.approx(list(stored.values()), abs=1e-6)
        predictor = Predictor(run, world.store, any_decider_of(run, world.store))
        arrays = list(predictor.predict_pixels(world.test.names, world.test.pixels, world.test.digests))
        assert [each.score for each in arrays] == pytest.approx(expected, abs=1e-6)
        assert run.threshold is not None
        assert run.threshold.value is not None
        called = [each.decision for each in predicted.predictions]
        assert called == [("HEALTHY", "ILL")[int(score >= run.threshold.value)] for score in stored.values()]
        assert predicted.known == ("test",) * 16
        assert len(predicted.notes) == (1 if run.spec.card.name == "blocks" else 2)


def test_averaged_views_are_not_the_scores_of_the_unchanged_image(world: World) -> None:
    """Otherwise the test above could not fail."""
    for run in (world.members[0], world.members[2]):
        applied = AppliedModel(load_model(world.store.model_file(run)))
        described = ImageDescriber([applied]).describe(world.test.pixels)
        stored = dict(zip(world.store.images(run, "test"), world.store.scores(run, "test").y_score, strict=True))
        assert np.abs(described.scores - [stored[name] for name in world.test.names]).max() > 1e-3


def test_the_service_gives_the_same_scores_and_says_what_they_are(world: World) -> None:
    facts, prepare, predict = served(world.mean, world.store)
    assert facts["scores"] == "the mean of the logits of scratch (0.33), blocks (0.33), turned (0.33)"
    stored = world.store.scores(world.mean, "test").y_score
    names = world.store.images(world.mean, "test")
    for name, score in list(zip(names, stored, strict=True))[:4]:
        content = world.data.files[name].read_bytes()
        assert predict(prepare(content, 10**6))["scores"]["ILL"] == pytest.approx(score, abs=1e-5)
    assert served(world.members[0], world.store)[0]["scores"].startswith("the mean over the unchanged image and 2 augm")


def test_unlike_images_are_detected_by_the_features_of_every_member(world: World) -> None:
    names = {"grey", "layout", *(f"features of {card.name}" for card in MEMBERS)}
    assert set(references_of(world.mean, world.store)) == names
    assert averaged_in_words(world.members[1]) is None
    known = KnownImages.of(world.mean, world.store)
    assert {known.part_of_digest(digest) for digest in world.test.digests} == {"test"}


def test_an_ensemble_is_evaluated_elsewhere_with_the_models_of_its_members(world: World, tmp_path: Path) -> None:
    store = world.copy(tmp_path / "runs")
    elsewhere = tiny.write_folder(tmp_path / "elsewhere", ["HEALTHY", "ILL"], images=9)
    for path in elsewhere.rglob("*.png"):
        path.write_bytes(path.read_bytes() + b"another file")
    results = zoo.evaluate(world.mean.run_id, elsewhere, store=store)
    files = [elsewhere / row["image"] for row in results.images]
    predicted = zoo.predict(world.mean.run_id, files, store=store)
    assert [row["score"] for row in results.images] == [each.score for each in predicted.predictions]
    assert zoo.evaluate(world.mean.run_id, elsewhere, store=store).reused
    assert evaluations_of(store, [world.mean])[world.mean.run_id] == (results.evaluation,)
    digests = {model_digest(run, store) for run in (*world.members, world.mean)}
    assert len(digests) == 4
    shutil.rmtree(store.folder(world.members[1].run_id))
    assert model_digest(world.mean, store) not in digests
    assert evaluations_of(store, [world.mean]) == {}


def test_all_missing_models_are_named_with_one_command_that_keeps_them(world: World, tmp_path: Path) -> None:
    store = world.copy(tmp_path / "runs")
    assert has_models(world.mean, store)
    assert {each.about.partition("; ")[2] for each in zoo.prune(store).models} == {"averaged by mean"}
    store.model_file(world.members[1]).unlink()
    assert not has_models(world.mean, store)
    text = r"averages blocks, whose model is not in the store; keep it with: zoo bench mean .*--keep-models"
    with pytest.raises(ConfigError, match=rf"\(mean seed 0\) {text}"):
        stored_models(world.mean, store)
    shutil.rmtree(store.folder(world.members[2].run_id))
    with pytest.raises(
        ConfigError, match="averages blocks, turned, whose models are not in the store; keep them with: z"
    ):
        zoo.predict(world.mean.run_id, next(iter(world.data.files.values())), store=store)


def test_a_member_that_was_computed_again_with_other_scores_is_refused(world: World, tmp_path: Path) -> None:
    store = world.copy(tmp_path / "runs")
    again = compute(MEMBERS[0], RULES, world.data, store, world.cache, weights_seed=1)
    assert again.run_id == world.members[0].run_id
    with pytest.raises(ConfigError, match="averages scores that its members scratch, blocks, turned no longer have"):
        stored_models(world.mean, store)


@pytest.mark.parametrize("member", [True, False], ids=["views", "ensemble"])
def test_an_export_says_why_it_has_no_such_model(member: bool, world: World, tmp_path: Path) -> None:
    run = world.members[0] if member else world.mean
    with pytest.raises(ConfigError, match=r"an exported folder has one model that scores the unchanged image; use zoo"):
        zoo.export(run.run_id, store=world.store, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_ensemble_is_reused_without_a_model_also_where_models_are_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for spec, is_reused in (
        (tiny.spec(card=MEAN, protocol=RULES, members=("a" * 12, "b" * 12, "c" * 12)), True),
        (tiny.spec(protocol=RULES), False),
    ):
        store.save(tiny.finished(spec))
        assert (reusable_run(store, spec) is not None) == is_reused
