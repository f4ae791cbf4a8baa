"""`zoo.report` writes the files of `zoo report` and returns the verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import zoo as package
from benchmark.runs.storage.beside.remembered import remember_bench
from benchmark.runs.storage.store import Store
from tests.support.records import KAGGLE
from tests.support.stored import keep
from tests.support.study import claims_in, store_in
from tests.support.training_sizes import keep_curve
from tests.zoo.cli import test_app as test_zoo_cli
from tests.zoo.cli.test_app import Zoo
from zoo.config.errors import ConfigError

zoo = test_zoo_cli.zoo


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_files_are_those_of_the_command(zoo: Zoo, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    formats = ("json", "csv", "tex")
    results = package.report(store, out=tmp_path / "ours", formats=formats, threshold_rule="cost=5")
    options = [option for name in formats for option in ("--format", name)]
    answer = zoo("report", "--store", store.root, "--out", tmp_path / "theirs", *options, "--threshold-rule", "cost=5")
    assert answer.code == 0
    assert files(tmp_path / "ours") == files(tmp_path / "theirs") != {}
    assert [path for path in results.paths if not path.is_file()] == []
    assert all(
        f"wrote {tmp_path / 'theirs' / path.relative_to(tmp_path / 'ours')}" in answer.out for path in results.paths
    )


def test_verdicts_are_rows_and_claims_may_be_objects(tmp_path: Path) -> None:
    store, claims = store_in(tmp_path), claims_in(tmp_path)
    results = package.report(store.root, out=tmp_path / "out", formats="json", claims=claims)
    table = results.to_frame()
    assert len(table) == sum(len(each.figures) + len(each.statements) for each in results.verdicts) > 3
    assert results.differs == bool({"differs", "impossible"} & set(table["verdict"]))
    assert str(tmp_path / "out" / "report.json") in results._repr_html_()


def test_a_damaged_run_is_a_message(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    (store.root / "0123456789ab").mkdir()
    (store.root / "0123456789ab" / "run.json").write_text("{")
    lines: list[str] = []
    results = package.report(store, out=tmp_path / "out", formats="json", on_message=lines.append)
    assert list(results.messages) == lines
    assert [line.startswith("warning: ") and "0123456789ab" in line for line in lines] == [True]


def test_a_store_of_a_curve_alone_has_a_report_of_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    keep_curve(store)
    steps: list[str] = []
    formats = ("md", "html", "json", "csv", "tex")
    results = package.report(store, out=tmp_path / "out", formats=formats, on_progress=steps.append)
    assert steps[0] == "reporting on 16 runs of 1 card: figures, intervals and comparisons"
    assert results.messages == (f"note: {store.root}: contains runs of `zoo curve` alone; `zoo bench` compares cards",)
    (curve,) = results.report.training_sizes
    text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert text.startswith("# Learning curves of chest")
    assert all(
        "would probably add about" in each and f"{curve.points[-1].figure.value:.3f}" in each for each in (text, page)
    )
    assert "No run compares cards" in page


def test_folds_are_counted_as_runs(tmp_path: Path) -> None:
    store, steps = store_in(tmp_path), list[str]()
    package.report(store, out=tmp_path / "out", formats="json", on_progress=steps.append)
    runs = store.runs()[0]
    cards = {run.spec.card.name for run in runs}
    assert steps[0].startswith(f"reporting on {len(runs)} runs of {len(cards)} cards: ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"formats": "pdf"}, "Unknown format 'pdf'"),
        ({"formats": ["csv"], "gallery": True}, "--gallery"),
        ({"patients": "(?P<patient>p)"}, "add --gallery"),
        ({"threshold_rule": "yuoden"}, "Did you mean youden"),
        ({"claims": "nothing"}, "Unknown claims 'nothing'"),
        ({"store": "none"}, "no such store"),
        ({"data_is": "kaggle:a/b", "store": "none"}, "no such store"),
    ],
)
def test_a_wrong_request_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=says):
        package.report(**{"out": "out", **arguments})
    assert list(tmp_path.iterdir()) == []


def test_the_latest_bench_leads_and_options_select(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    mine = KAGGLE.model_copy(update={"source": "mine", "fingerprint": "ab" * 32})
    other = keep(store, "attempt-2", dataset=mine)
    for run in (other, next(run for run in store.runs()[0] if run.run_id != other.run_id)):
        remember_bench(store, [run.run_id], run.spec.dataset)
        sections = package.report(store, out=tmp_path / "out", formats="json").report.sections
        assert len(sections) > 1
        assert sections[0].runs[0].spec.dataset == run.spec.dataset
    (section,) = package.report(store, out=tmp_path / "out", formats="json", data="mine").report.sections
    assert [run.run_id for run in section.runs] == [other.run_id]
    with pytest.raises(ConfigError, match=r"--protocol full: .* has runs on"):
        package.report(store, out=tmp_path / "out", formats="json", protocol="full")
