"""`zoo.evaluate_all`: each model on each source is a row, with the result of `zoo.evaluate` or with its reason."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import zoo as package
from benchmark.data.dataset import DataError
from benchmark.runs.execution.evaluation_task import compute, main, write_evaluation_tasks
from benchmark.runs.storage.beside.evaluations import EVALUATIONS
from benchmark.runs.storage.store import Store
from tests.support.evaluated_models import keep_models, write_elsewhere
from tests.support.kept import in_this_process
from tests.zoo.cli import test_app as test_zoo_cli
from tests.zoo.cli.test_app import Zoo

module = import_module("zoo.api.evaluate_all")
zoo = test_zoo_cli.zoo


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evaluate-all")


@pytest.fixture(scope="module")
def store(root: Path) -> Iterator[Store]:
    with in_this_process(root / "cache"):
        yield keep_models(root)


@pytest.fixture(scope="module")
def sources(root: Path) -> tuple[Path, Path]:
    """Images with the names of the model, and with others."""
    return write_elsewhere(root / "other"), write_elsewhere(root / "unnamed", ("a", "b"))


def test_each_model_on_each_source_is_a_row_with_its_result_or_its_reason(
    store: Store, sources: tuple[Path, Path]
) -> None:
    lines: list[str] = []
    results = package.evaluate_all("tiny", sources, store=store, on_line=lines.append)
    assert [(row.name, Path(row.data).name) for row in results.rows] == [
        (f"tiny:{seed}", name) for name in ("other", "unnamed") for seed in range(3)
    ]
    first, second, bare, *unnamed = results.rows
    assert "was not kept" in (bare.error or "")
    assert all("the class a is none of the model" in (row.error or "") for row in unnamed[:2])
    assert len(results.failed) == 4
    for row in (first, second):
        alone = package.evaluate(row.run, row.data, store=store)
        assert alone.reused
        assert row.results is not None
        assert alone.to_dict() == row.results.to_dict()
    again = package.evaluate_all("tiny", sources, store=store, on_line=lines.append)
    assert [row.results and row.results.reused for row in again.rows[:2]] == [True, True]
    assert sum("finished" in line for line in lines) == 2


def test_the_command_prints_a_line_for_each_and_its_exit_code_says_that_some_failed(
    zoo: Zoo, store: Store, sources: tuple[Path, Path]
) -> None:
    arguments = ("evaluate", "tiny:0", "tiny:2", "--data", sources[0], "--store", store.root)
    printed = zoo(*arguments)
    assert printed.code == 1
    assert "AUC" in printed.out
    assert f"tiny:2 on {sources[0]} failed:" in printed.out
    document = json.loads(zoo(*arguments, "--json").out)
    assert [("error" in each, each["seed"]) for each in document["evaluations"]] == [(False, "0"), (True, "2")]
    rows = list(csv.DictReader(io.StringIO(zoo(*arguments, "--csv").out)))
    assert {(row["seed"], bool(row["value"])) for row in rows if row["metric"] == "auc"} == {("0", True)}
    assert ["was not kept" in row["reason"] for row in rows if row["seed"] == "2"] == [True]


def test_a_task_computes_what_a_store_lacks_and_reports_why_it_cannot(
    store: Store, sources: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(sources[0])
    results = package.evaluate_all("tiny:1", sources[0], store=store)
    evaluation = results.rows[0].results.evaluation  # type: ignore[union-attr]
    path = store.root / EVALUATIONS / evaluation.evaluation_id / "predictions.parquet"
    before = path.read_bytes()
    path.unlink()  # a damaged evaluation is computed again
    changed = evaluation.spec.model_copy(update={"model": "0" * 64})
    folder = write_evaluation_tasks(store, [evaluation.spec, changed], "slurm", 1)
    assert compute(folder, 0).files == evaluation.files
    assert path.read_bytes() == before
    assert main([str(folder), "1"]) == 2
    assert "the model of run" in (folder / "1.error").read_text(encoding="utf-8")


def test_a_wrong_source_is_reported_before_anything_is_computed_on_another(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, lines = write_elsewhere(tmp_path / "right"), list[str]()
    (tmp_path / "hollow").mkdir()
    before = sorted(path.name for path in (store.root / EVALUATIONS).glob("*"))
    with pytest.raises(DataError, match="hollow"):
        package.evaluate_all("tiny:0", [right, tmp_path / "hollow"], store=store, on_line=lines.append)
    monkeypatch.setattr(module, "open_data", lambda *_: pytest.fail("a source was opened"))
    with pytest.raises(DataError, match="rigth: no such source"):
        package.evaluate_all("tiny:0", [right, tmp_path / "rigth"], store=store, on_line=lines.append)
    assert lines == []
    assert sorted(path.name for path in (store.root / EVALUATIONS).glob("*")) == before
