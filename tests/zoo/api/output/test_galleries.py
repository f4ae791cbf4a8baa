"""Images, stored scores and kept models meet: the right images, the right run, and a refusal of other data."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from benchmark.data.dataset import Dataset
from benchmark.data.sources import open_dataset
from benchmark.evidence.scores import Scores
from benchmark.runs.cross_validation import CrossValidatedRun
from benchmark.runs.deployment.model_files import command_that_keeps
from benchmark.runs.protocol import Protocol
from benchmark.runs.run import DatasetFacts, Run
from benchmark.runs.storage.store import Store
from reports.gallery.text import sentences
from reports.gallery.tiles import overlay
from reports.render.markdown.gallery import gallery_markdown
from reports.results.folds import pool_folds
from tests.support.records import make_run, make_spec, on_test, on_val, planted, recorded_history
from tests.support.tiny import ROOT, SIDE, card, protocol
from zoo.api.output.galleries import galleries_of
from zoo.config.errors import ConfigError

SIZES = {"small": (40, 40), "large": (60, 80)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """48 test images of two series and two sizes, and a train part."""
    generator = np.random.default_rng(0)
    for part, count in (("train", 4), ("test", 24)):
        for number, name in enumerate(("HEALTHY", "ILL")):
            place = tmp_path / "data" / part / name
            place.mkdir(parents=True)
            for index in range(count):
                series = "small" if index % 2 else "large"
                pixels = generator.integers(20 + 40 * number, 120 + 40 * number, SIZES[series], dtype=np.uint8)
                Pillow.fromarray(pixels).save(place / f"{series}{index:03d}.png")
    return tmp_path / "data"


def keep(store: Store, dataset: Dataset, seed: int = 0, *, with_model: bool = False, **changes: object) -> Run:
    """A run that scored the test part of `dataset`, with the model of `tiny.card` untrained when one is asked for."""
    images = [image for image in dataset.images if image.part == "test"]
    labels = [image.label for image in images]
    scores = np.random.default_rng(seed).random(len(images))
    model = _untrained() if with_model else None
    if model is not None:
        scores = model.predict_on_batch(dataset.read(images, SIDE))[:, 0]
    test: Scores = on_test(labels, scores.tolist())
    test = replace(test, patient=tuple(image.patient for image in images))
    val = on_val(*planted(20, 20, seed=1))
    run = make_run(
        card(), val=val, test=test, seed=seed, protocol=protocol(), dataset=DatasetFacts.of(dataset), **changes
    )
    parts: list[tuple[Scores, list[str]]] = [(val, [f"v{n}" for n in range(40)]), (test, [i.name for i in images])]
    store.save(run, parts, recorded_history(), None if model is None else model.save)
    return run


def _untrained(seed: int = 0) -> Any:
    import keras

    from benchmark.training.network import join, preprocessing_model
    from zoo.models.registry import build

    keras.utils.set_random_seed(seed)
    model = build("scratch_cnn", {"filters": [4], "dense_units": 8}, (SIDE, SIDE, 3))
    return join(preprocessing_model((SIDE, SIDE, 1), "rescale"), model, "tiny")


def test_a_gallery_shows_the_run_s_own_images(tmp_path: Path, folder: Path) -> None:
    store, dataset = Store(tmp_path / "store"), open_dataset(str(folder))
    run = keep(store, dataset)
    result = galleries_of([run], store)[run.run_id]
    labels = {image.name: dataset.classes[image.label] for image in dataset.images}
    tiles = [tile for group in result.groups for tile in group.tiles]
    assert len(tiles) == 16
    assert all(labels[tile.name] == tile.real for tile in tiles)
    assert result.layer is None
    assert result.maps_reason == "the model of this run was not kept; `zoo bench --keep-models` keeps it"


def folded(store: Store, dataset: Dataset) -> tuple[Run, list[Any]]:
    """Two folds as one run, and the untrained model of each; the threshold of a fold divides its scores."""
    under, models = protocol(test_folds=2, sampling={"min_val": 0}), []
    tested = [image for image in dataset.images if image.part == "test"]
    for index in (0, 1):
        images, model = tested[index::2], _untrained(index)
        scores = model.predict_on_batch(dataset.read(images, SIDE))[:, 0].astype(float)
        test = on_test([image.label for image in images], scores.tolist())
        middle = float(np.median(scores))
        val = on_val([0] * 20 + [1] * 20, [middle - 0.001] * 20 + [middle] * 20)
        spec = make_spec(card(), protocol=under, dataset=DatasetFacts.of(dataset)).model_copy(
            update={"fold": (2, index)}
        )
        run = make_run(card(), val=val, test=test, protocol=under, spec=spec, dataset=spec.dataset)
        names = [[f"v{index}-{place}" for place in range(40)], [image.name for image in images]]
        store.save(run, [(val, names[0]), (test, names[1])], recorded_history(), model.save)
        models.append(model)
    [pooled] = pool_folds(store.runs()[0], store)
    return pooled, models


@pytest.mark.slow
def test_each_image_of_a_cross_validation_is_decided_and_explained_by_its_fold(tmp_path: Path, folder: Path) -> None:
    from benchmark.training.use.explain import explain

    store, dataset = Store(tmp_path / "store"), open_dataset(str(folder))
    pooled, models = folded(store, dataset)
    assert isinstance(pooled, CrossValidatedRun)
    thresholds = [run.threshold.value for run in pooled.folds if run.threshold and run.threshold.value is not None]
    result = galleries_of([pooled], store)[pooled.run_id]
    assert result.decided.startswith("the threshold of the fold of each image, chosen on validation by the rule youden")
    assert result.threshold is None
    assert result.layer is not None
    assert result.notes == ()
    test, names = store.binary_scores(pooled, "test"), store.images(pooled, "test")
    images = {image.name: image for image in dataset.images}
    tiles = [tile for group in result.groups for tile in group.tiles]
    folds = set()
    for tile in tiles:
        place = names.index(tile.name)
        assert test.fold is not None
        fold = int(test.fold[place])
        called = int(test.y_score[place] >= thresholds[fold])
        assert tile.predicted == dataset.classes[called]
        if fold not in folds:
            pixels = dataset.read([images[tile.name]], SIDE)
            heat = explain(models[fold], pixels, np.array([called]), seeds=()).maps[0]
            assert tile.overlay == (overlay(pixels[0], heat) if heat.any() else None)
        folds.add(fold)
    assert folds == {0, 1}
    assert result.subgroups is not None
    store.model_file(pooled.folds[1]).unlink()
    [without] = galleries_of([pooled], store).values()
    assert without.maps_reason == (
        "the model of fold 2 of 2 was not kept; `zoo bench --keep-models` keeps the models of all folds"
    )


def test_subgroups_are_of_names_sizes_and_brightness(tmp_path: Path, folder: Path) -> None:
    store = Store(tmp_path / "store")
    run = keep(store, open_dataset(str(folder)))
    result = galleries_of([run], store)[run.run_id].subgroups
    assert result is not None
    by_kind: dict[str, list[str]] = {}
    for group in result.groups:
        by_kind.setdefault(group.kind, []).append(group.name)
    assert "grouping by file names divides the images as by image size" in result.left_out
    assert by_kind["image size"] == ["smallest third (1,600 to 1,600 pixels)", "middle third (4,800 to 4,800 pixels)"]
    assert len(by_kind["mean grey level"]) == 3


def test_the_phantom_says_that_it_knows_no_sizes(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    run = keep(store, open_dataset("phantom"))
    result = galleries_of([run], store)[run.run_id]
    assert result.synthetic
    assert any("does not record original sizes" in line for line in result.subgroups.left_out)  # type: ignore[union-attr]


def test_data_given_are_read_in_place_of_the_recorded_source(tmp_path: Path, folder: Path) -> None:
    store = Store(tmp_path / "store")
    run = keep(store, open_dataset(str(folder)))
    moved = folder.rename(tmp_path / "moved")
    assert galleries_of([run], store, data=str(moved))[run.run_id].card == "tiny"
    with pytest.raises(ValueError, match="no such source"):
        galleries_of([run], store)


PATIENTS = r"(?P<key>[a-z]+\d{2})"


def test_a_run_s_own_patient_pattern_opens_its_images(tmp_path: Path, folder: Path) -> None:
    store = Store(tmp_path / "store")
    keep(store, open_dataset(str(folder), patient_pattern=PATIENTS))
    (run,), _ = store.runs()
    assert run.spec.dataset.patient_pattern == PATIENTS
    assert run.spec.dataset.fingerprint != open_dataset(str(folder)).fingerprint
    assert galleries_of([run], store)[run.run_id].card == "tiny"
    with pytest.raises(ConfigError, match="is not the data of run"):
        galleries_of([run], store, patients=r"(?P<key>[a-z]+)")


def test_moved_data_are_opened_with_the_pattern_of_each_run(tmp_path: Path, folder: Path) -> None:
    store = Store(tmp_path / "store")
    patterned = keep(store, open_dataset(str(folder), patient_pattern=PATIENTS))
    plain = keep(store, open_dataset(str(folder)))
    moved = folder.rename(tmp_path / "moved")
    assert set(galleries_of([patterned, plain], store, data=str(moved))) == {patterned.run_id, plain.run_id}


def test_the_command_that_keeps_a_model_names_the_pattern(tmp_path: Path, folder: Path) -> None:
    store = Store(tmp_path / "store")
    run = keep(store, open_dataset(str(folder), patient_pattern=PATIENTS))
    words = shlex.split(command_that_keeps(run, store))
    assert words[words.index("--patients") + 1] == PATIENTS
    assert "--patients" not in command_that_keeps(keep(store, open_dataset(str(folder))), store)


def test_a_record_without_a_pattern_is_read(tmp_path: Path, folder: Path) -> None:
    facts = DatasetFacts.of(open_dataset(str(folder))).model_dump()
    del facts["patient_pattern"]
    assert DatasetFacts.model_validate(facts).patient_pattern is None


def test_other_data_are_refused_in_one_line(tmp_path: Path, folder: Path) -> None:
    store = Store(tmp_path / "store")
    run = keep(store, open_dataset(str(folder)))
    with pytest.raises(ConfigError, match="is not the data of run") as caught:
        galleries_of([run], store, data="phantom")
    assert str(caught.value).count("\n") == 0
    assert run.spec.dataset.fingerprint[:12] in str(caught.value)


def test_a_source_that_changed_since_is_refused(tmp_path: Path, folder: Path) -> None:
    store = Store(tmp_path / "store")
    run = keep(store, open_dataset(str(folder)))
    (folder / "test" / "ILL" / "small001.png").unlink()
    with pytest.raises(ConfigError, match="is not the data of run"):
        galleries_of([run], store)


def test_one_seed_of_a_card_is_shown_the_first_with_a_model(tmp_path: Path, folder: Path) -> None:
    store, dataset = Store(tmp_path / "store"), open_dataset(str(folder))
    first = keep(store, dataset, seed=0)
    second = keep(store, dataset, seed=1, with_model=True)
    failed = make_run("attempt-2", error="out of memory", dataset=DatasetFacts.of(dataset))
    heard: list[str] = []
    result = galleries_of([first, second, failed], store, on_progress=heard.append)
    assert list(result) == [second.run_id]
    assert heard == ["gallery of tiny, seed 1"]


def test_a_kept_model_gives_maps_and_a_sanity_check(tmp_path: Path, folder: Path) -> None:
    store = Store(tmp_path / "store")
    run = keep(store, open_dataset(str(folder)), with_model=True)
    result = galleries_of([run], store)[run.run_id]
    assert result.layer == "conv1"
    assert any(tile.overlay is not None for group in result.groups for tile in group.tiles)
    assert result.sanity is not None
    assert result.sanity.draws == 3
    assert result.inside is None
    assert result.notes == ()


def test_lungs_are_known_in_the_phantom(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    run = keep(store, open_dataset("phantom"), with_model=True)
    result = galleries_of([run], store)[run.run_id]
    assert result.region == "lungs"
    assert result.inside is not None
    assert 0.08 < result.inside.expected < 0.5


def test_a_model_that_is_not_the_run_s_is_told(tmp_path: Path, folder: Path) -> None:
    store = Store(tmp_path / "store")
    dataset = open_dataset(str(folder))
    run = keep(store, dataset)
    _untrained().save(store.model_file(run))  # type: ignore[attr-defined]
    result = galleries_of([run], store)[run.run_id]
    assert any("differ from the stored ones" in line for line in sentences(result))


def test_a_model_that_was_not_saved_with_the_run_is_not_explained(tmp_path: Path, folder: Path) -> None:
    store = Store(tmp_path / "store")
    keep(store, open_dataset(str(folder)), with_model=True)
    (run,) = store.runs()[0]
    store.model_file(run).write_bytes(b"another model")
    with pytest.raises(ConfigError, match=r"model\.keras: is not the file that was saved with the run") as refused:
        galleries_of([run], store)
    assert len(refused.value.lines) == 1


def test_protocols_are_shown_apart(tmp_path: Path, folder: Path) -> None:
    store, dataset = Store(tmp_path / "store"), open_dataset(str(folder))
    run = keep(store, dataset)
    other: Protocol = protocol(image_size=40)
    twin = run.model_copy(update={"spec": run.spec.model_copy(update={"protocol": other})})
    store.save(twin, [(store.scores(run, split), store.images(run, split)) for split in ("val", "test")])
    assert set(galleries_of([run, twin], store)) == {run.run_id, twin.run_id}


def test_without_a_kept_model_no_keras_is_imported(tmp_path: Path, folder: Path) -> None:
    store = Store(tmp_path / "store")
    keep(store, open_dataset(str(folder)))
    code = (
        "import sys; from pathlib import Path; from benchmark.runs.storage.store import Store\n"
        "from zoo.api.output.galleries import galleries_of\n"
        f"store = Store(Path({str(tmp_path / 'store')!r}))\n"
        "print(len(galleries_of(store.runs()[0], store)), 'keras' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]


@pytest.mark.parametrize("named", [True, False])
def test_the_images_are_opened_with_the_run_s_own_positive_class(tmp_path: Path, folder: Path, named: bool) -> None:
    store, dataset = Store(tmp_path / "store"), open_dataset(str(folder), positive="HEALTHY")
    run, plain = keep(store, dataset), keep(store, open_dataset(str(folder)), seed=1)
    result = galleries_of([run, plain], store, data=str(folder) if named else None)
    assert {name: shown.classes for name, shown in result.items()} == {
        run.run_id: ("ILL", "HEALTHY"),
        plain.run_id: ("HEALTHY", "ILL"),
    }
    labels = {image.name: dataset.classes[image.label] for image in dataset.images}
    assert all(labels[tile.name] == tile.real for shown in result.values() for g in shown.groups for tile in g.tiles)


def test_columns_of_a_table_of_images_are_subgroups_of_two_classes_too(tmp_path: Path, folder: Path) -> None:
    images = sorted(folder.rglob("*.png"))
    rows = [f"{path},{path.parent.name},{path.parent.parent.name},{'AB'[n % 2]}" for n, path in enumerate(images)]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label,split,site", *rows]), encoding="utf-8")
    store = Store(tmp_path / "store")
    run = keep(store, open_dataset(str(tmp_path / "labels.csv")))
    subgroups = galleries_of([run], store)[run.run_id].subgroups
    assert subgroups is not None
    sites = [group for group in subgroups.groups if group.kind == "site"]
    assert [(group.name, group.images) for group in sites] == [("A", 24), ("B", 24)]
    assert [rate.metric for rate in sites[0].rates] == ["recall", "specificity", "accuracy"]


def test_a_held_out_column_is_named_and_a_division_of_the_images_counts_once(tmp_path: Path, folder: Path) -> None:
    """The series of the names divides the test images as the column `scanner` does."""
    images = sorted(folder.rglob("*.png"))
    rows = [f"{p},{p.parent.name},{'AB'[p.parent.parent.name == 'test']},{p.name[:5]}" for p in images]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label,site,scanner", *rows]), encoding="utf-8")
    store = Store(tmp_path / "store")
    run = keep(store, open_dataset(str(tmp_path / "labels.csv"), hold_out="site=B"))
    gallery = galleries_of([run], store)[run.run_id]
    assert gallery.subgroups is not None
    kinds = {group.kind for group in gallery.subgroups.groups}
    assert "scanner" in kinds
    assert not kinds & {"file names", "site"}
    assert "grouping by file names divides the images as by scanner" in gallery.subgroups.left_out
    assert "site was held out: every test image has site=B, and none of the others" in gallery.subgroups.left_out
    assert "##### Subgroups" in gallery_markdown(gallery, None)
