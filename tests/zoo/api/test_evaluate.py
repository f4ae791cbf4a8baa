"""`zoo.evaluate` scores images as `zoo.predict` does, stores the result beside the run, and changes no run."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import zoo as package
from benchmark.data.dataset import DataError
from benchmark.data.sources import open_dataset
from benchmark.runs.deployment.known_images import IMAGES, write_known
from benchmark.runs.storage.beside.evaluations import EVALUATIONS
from benchmark.runs.storage.store import Store
from tests.support.kept import in_this_process
from tests.support.tiny import SIDE, write_folder
from tests.zoo.api.output.test_galleries import keep
from tests.zoo.cli import test_app as test_zoo_cli
from tests.zoo.cli.test_app import Zoo
from zoo.config.errors import ConfigError

zoo = test_zoo_cli.zoo
COUNT = 24


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evaluate")


@pytest.fixture(scope="module")
def store(root: Path) -> Iterator[Store]:
    """An untrained model, and the images that it knows."""
    for part in ("train", "test"):
        write_folder(root / "own" / part, ["HEALTHY", "ILL"], images=4 if part == "train" else 12)
    dataset, store = open_dataset(str(root / "own")), Store(root / "runs")
    run = keep(store, dataset, with_model=True)
    parts = {
        part: [image.digest for image in dataset.images if image.part == part] for part in ("train", "val", "test")
    }
    write_known(store.model_file(run).with_name(IMAGES), parts)
    with in_this_process(root / "cache"):
        yield store


@pytest.fixture(scope="module")
def pixels(root: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(9).integers(0, 200, (COUNT, SIDE, SIDE), dtype=np.uint8)


@pytest.fixture(scope="module")
def other(root: Path, pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Path:
    """New images in class folders with the names of the model."""
    for place, image in enumerate(pixels):
        folder = root / "other" / ("HEALTHY", "ILL")[place % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(image).save(folder / f"{place:02d}.png")
    return root / "other"


def test_scores_are_those_of_predict_and_the_run_stays(store: Store, other: Path) -> None:
    (run,) = store.runs()[0]
    before = {file: file.read_bytes() for file in store.folder(run.run_id).iterdir()}
    results = package.evaluate("tiny", other, store=store)
    predicted = package.predict("tiny", other, store=store)
    assert [row["score"] for row in results.images] == [each.score for each in predicted.predictions]
    assert [row["unlike"] or "" for row in results.images] == [
        "; ".join(each.outside) for each in predicted.predictions
    ]
    assert results.validation.images == (COUNT // 2, COUNT // 2)
    assert {file: file.read_bytes() for file in store.folder(run.run_id).iterdir()} == before
    assert "<table" in results._repr_html_()
    assert results.to_frame()["metric"].iloc[0] == "auc"


def test_the_same_request_reuses_the_result(store: Store, other: Path) -> None:
    first = package.evaluate("tiny", other, store=store)

    def refuse(predictions, total):  # type: ignore[no-untyped-def]
        raise AssertionError("it predicts again")

    again = package.evaluate("tiny", other, store=store, progress=refuse)
    assert again.reused
    assert again.validation == first.validation
    with pytest.raises(AssertionError, match="it predicts again"):
        package.evaluate("tiny", other, store=store, split_seed=1, progress=refuse)
    assert [each.name for each in (store.root / EVALUATIONS).iterdir()] == [first.evaluation.evaluation_id]


def test_arrays_with_other_class_names_score_as_files_do(
    store: Store, other: Path, root: Path, pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> None:
    arrays: dict[str, np.ndarray] = {}
    for part, rows in {"train": slice(0, 8), "val": slice(8, 16), "test": slice(16, COUNT)}.items():
        arrays |= {f"{part}_images": pixels[rows], f"{part}_labels": (np.arange(COUNT) % 2)[rows]}
    np.savez(root / "other.npz", **arrays)
    names = {"HEALTHY": "0", "ILL": ("1",)}
    from_arrays = package.evaluate("tiny", root / "other.npz", store=store, class_map=names, recalibrate_on=0)
    from_files = package.evaluate("tiny", other, store=store)
    scores = [sorted(row["score"] for row in each.images) for each in (from_arrays, from_files)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)
    assert from_arrays.validation.recalibration is None
    assert [row["class"] for row in from_arrays.images].count("ILL") == COUNT // 2


def test_the_command_prints_a_table_a_document_or_csv(zoo: Zoo, store: Store, other: Path) -> None:
    arguments = ("evaluate", "tiny", "--data", other, "--store", store.root)
    assert "test of the run" in zoo(*arguments).out
    document = json.loads(zoo(*arguments, "--json").out)
    results = package.evaluate("tiny", other, store=store)
    assert document == json.loads(json.dumps(results.to_dict()))
    rows = list(csv.DictReader(io.StringIO(zoo(*arguments, "--csv").out)))
    assert {row["model"] for row in rows} >= {"as stored"}
    both = zoo(*arguments, "--csv", "--json")
    assert (both.code, both.err) == (2, "zoo: zoo evaluate: --json and --csv exclude each other; give one\n")


def test_images_of_the_model_are_never_outside_validation(store: Store, root: Path) -> None:
    with pytest.raises(DataError, match="outside validation needs images that the model does not know"):
        package.evaluate("tiny", root / "own", store=store)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"recalibrate_on": 1.0}, "--recalibrate-on 1: give a share from 0"),
        ({"class_map": "HEALTHY"}, "--map HEALTHY: 'HEALTHY' is no pair"),
        ({"part": "half"}, "--part half: give one of all, train, val, test"),
        ({"positive": "HEALTHY"}, "--positive HEALTHY: the positive class is that of the model, ILL"),
    ],
)
def test_what_cannot_be_evaluated_is_one_line(
    store: Store, other: Path, arguments: dict[str, object], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem) as refused:
        package.evaluate("tiny", other, store=store, **arguments)
    assert "\n" not in str(refused.value)


def test_a_run_without_a_model_is_told_how_to_store_it(root: Path, other: Path) -> None:
    bare = Store(root / "bare")
    keep(bare, open_dataset(str(root / "own")))
    with pytest.raises(ConfigError, match="was not kept; keep it with: zoo bench"):
        package.evaluate("tiny", other, store=bare)


@pytest.fixture(scope="module")
def ill(other: Path, root: Path) -> Path:
    """Images of one class alone."""
    shutil.copytree(other / "ILL", root / "ill" / "ILL")
    return root / "ill"


def test_a_source_of_one_class_is_evaluated_without_the_figures_that_need_both(store: Store, ill: Path) -> None:
    validation = package.evaluate("tiny", ill, store=store).validation
    assert validation.absent == ("HEALTHY",)
    outside = {row.key: row.outside for row in validation.rows}
    assert {key for key, figure in outside.items() if figure.value is not None} == {
        *("accuracy", "recall", "brier", "log_loss", "prevalence"),
    }
    assert {figure.reason for figure in outside.values() if figure.value is None} == {"no image is of HEALTHY"}
    assert validation.recalibration is not None
    assert validation.recalibration.reason == "no image is of HEALTHY"
    with pytest.raises(DataError, match="two are needed"):
        open_dataset(str(ill))


def test_a_table_of_one_class_is_evaluated_and_trained_on_by_nobody(store: Store, ill: Path) -> None:
    table = ill / "ill.csv"
    rows = [f"ILL/{file.name},ILL" for file in sorted((ill / "ILL").iterdir())]
    table.write_text("\n".join(["path,label", *rows]), encoding="utf-8")
    assert package.evaluate("tiny", table, store=store, recalibrate_on=0).validation.images == (0, len(rows))
    with pytest.raises(DataError, match="two or more classes are needed"):
        package.bench("pixels-logistic", data=table, store=store)


def test_other_images_of_the_own_source_are_not_called_outside(store: Store, root: Path, other: Path) -> None:
    for name in ("HEALTHY", "ILL"):
        for file in sorted((other / name).iterdir())[:6]:
            shutil.copy(file, root / "own" / "train" / name / f"new-{file.name}")
    results = package.evaluate("tiny", root / "own", store=store)
    assert results.validation.images == (6, 6)
    text = results._repr_html_()
    assert "<th>own source</th>" in text
    assert "This is no external validation" in text
    assert "<th>outside</th>" in package.evaluate("tiny", other, store=store)._repr_html_()
