"""`zoo.predict` gives what `zoo predict` prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import zoo as package
from benchmark.data.sources import open_dataset
from benchmark.runs.storage.store import Store
from tests.support.kept import in_this_process
from tests.support.tiny import run_python, write_folder
from tests.zoo.api.output.test_galleries import keep
from tests.zoo.cli import test_app as test_zoo_cli
from tests.zoo.cli.test_app import Zoo
from zoo.config.errors import ConfigError

zoo = test_zoo_cli.zoo


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders in test, and a file that is no image."""
    root = tmp_path_factory.mktemp("predict") / "images"
    for part in ("train", "test"):
        write_folder(root / part, ["HEALTHY", "ILL"], images=4 if part == "train" else 12)
    return root


@pytest.fixture(scope="module")
def store(images: Path) -> Iterator[Store]:
    store = Store(images.parent / "runs")
    keep(store, open_dataset(str(images)), with_model=True)
    with in_this_process(images.parent / "cache"):
        yield store


def test_the_document_is_that_of_the_command(zoo: Zoo, store: Store, images: Path) -> None:
    folder = images / "test" / "ILL"
    results = package.predict("tiny", folder, store=store)
    answer = zoo("predict", "tiny", folder, "--store", store.root, "--json")
    assert json.loads(json.dumps(results.to_dict(), default=str)) == json.loads(answer.out)
    assert results.failed == ()
    (run,) = store.runs()[0]
    assert package.predict(run, [folder], store=store.root).predictions == results.predictions


def test_a_file_that_is_no_image_is_a_row_with_an_error(store: Store, images: Path, tmp_path: Path) -> None:
    name = "<img src=x>.png"
    (tmp_path / name).write_bytes(b"no image")
    results = package.predict("tiny", [images / "test" / "ILL" / "0.png", tmp_path / name], store=store)
    assert [prediction.error is None for prediction in results.predictions] == [True, False]
    assert results.failed == results.predictions[1:]
    table = results.to_frame()
    assert table["probability"].notna().tolist() == [True, False]
    assert "<img" not in results._repr_html_()
    assert "&lt;img src=x&gt;.png" in results._repr_html_()


def test_progress_sees_every_prediction_and_their_number(store: Store, images: Path) -> None:
    remaining: list[int] = []

    def progress(predictions, total):  # type: ignore[no-untyped-def]
        for number, prediction in enumerate(predictions, 1):
            remaining.append(total - number)
            yield prediction

    results = package.predict("tiny", images / "test" / "ILL", store=store, progress=progress)
    assert remaining == list(range(len(results.predictions)))[::-1]


def test_what_cannot_be_predicted_is_refused(store: Store, images: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file or folder"):
        package.predict("tiny", tmp_path / "none.png", store=store)
    with pytest.raises(ConfigError, match="Unknown run 'tinny'"):
        package.predict("tinny", images, store=store)
    with pytest.raises(ConfigError, match="no such store"):
        package.predict("tiny", images, store=tmp_path / "none")


@pytest.mark.slow
def test_a_process_that_has_used_keras_can_predict(store: Store, images: Path) -> None:
    code = (
        "import sys, keras, zoo\n"
        "keras.ops.ones(3) + 1\n"
        "print(len(zoo.predict('tiny', sys.argv[1], store=sys.argv[2]).predictions))"
    )
    with run_python(code, str(images / "test" / "ILL"), str(store.root)) as process:
        out, _ = process.communicate()
    assert out.split() == ["12"]
