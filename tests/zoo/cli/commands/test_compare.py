"""`zoo compare`: two cards or runs, or all of them; wrong requests in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.evidence.metrics.registry import measures
from benchmark.runs.protocol import load_protocol
from benchmark.runs.run import Run
from benchmark.runs.storage.beside.remembered import remember_bench
from benchmark.runs.storage.store import Store
from reports.results.comparison.leading import leading
from tests.support.records import KAGGLE, PHANTOM, make_run, of_counts, on_test, on_val, planted
from tests.support.stored import keep
from tests.support.tiny import ROOT, run_python
from tests.zoo.cli import test_app as test_zoo_cli
from tests.zoo.cli.test_app import Answer, Zoo

METRICS = tuple(measures())

zoo = test_zoo_cli.zoo
ELSEWHERE = "attempt-4"
FAILED = "attempt-6a"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store: attempt-1 with two seeds and a third on other images, others with one, one on other images, one that
    failed, and one that ran on other data alone."""
    store = Store(tmp_path_factory.mktemp("compare") / "runs")
    for seed in (0, 1):
        keep(store, "attempt-1", on_test(*planted(80, 80, 1.0, 10 + seed)), seed=seed)
    keep(store, "attempt-1", seed=2, images="others")
    keep(store, "attempt-2", on_test(*planted(80, 80, 1.0, 20)))
    keep(store, "attempt-6b", on_test(*planted(80, 80, 4.0, 30)))
    keep(store, ELSEWHERE, images="others")
    keep(store, "attempt-7", dataset=PHANTOM)
    store.save(make_run(FAILED, error="boom", dataset=KAGGLE))
    return store.root


@pytest.fixture(scope="module")
def runs(root: Path) -> dict[str, Run]:
    """The runs of the store, as CARD/SEED."""
    return {f"{run.spec.card.name}/{run.spec.seed}": run for run in Store(root).runs()[0]}


def document(answer: Answer) -> Any:
    """The one document on stdout, which may hold no NaN and no infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    assert answer.code == 0, answer.err
    return json.loads(answer.out, parse_constant=refuse)


def one_line(answer: Answer) -> str:
    assert answer.code == 2
    assert answer.out == ""
    assert answer.err.startswith("zoo: ")
    assert answer.err.count("\n") == 1
    return answer.err


@pytest.mark.parametrize("width", ["80", "120"])
def test_two_cards_are_compared_with_their_names_whole(
    zoo: Zoo, root: Path, monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    answer = zoo("compare", "attempt-1", "attempt-6b", "--store", root)
    assert answer.code == 0
    flat = " ".join(answer.out.split())  # lines break where the terminal ends
    for text in ("A is attempt-1, 2 seeds", "B is attempt-6b, 1 seed", "balanced accuracy", "AUC", "protocol quick"):
        assert text in flat
    assert max(map(len, answer.out.splitlines())) <= int(width)


@pytest.mark.parametrize("width", ["80", "120", None])
def test_all_cards_are_ranked_with_their_names_whole(
    zoo: Zoo, root: Path, monkeypatch: pytest.MonkeyPatch, width: str | None
) -> None:
    """`None` is a pipe that says nothing of its width."""
    if width is None:
        monkeypatch.delenv("COLUMNS")
    else:
        monkeypatch.setenv("COLUMNS", width)
    answer = zoo("compare", "--store", root)
    assert answer.code == 0
    rows = [line.split() for line in answer.out.splitlines()]
    ranked = [row[0] for row in rows if row and row[0].startswith("attempt-") and len(row) > 4]
    assert ranked[0] == "attempt-6b"
    assert set(ranked) == {"attempt-6b", "attempt-1", "attempt-2"}
    assert f"Left out, as they lack this figure on the same images: {ELSEWHERE}." in " ".join(answer.out.split())
    assert "By test AUC" in answer.out


def test_seeds_on_other_images_are_left_out_and_named(zoo: Zoo, root: Path) -> None:
    for request in ([], ["attempt-1", "attempt-2"]):
        answer = zoo("compare", *request, "--store", root)
        assert answer.code == 0
        assert answer.err == ("warning: attempt-1: without seed 2, which used different test images than seed 0\n")


def test_two_runs_are_compared_by_their_ids(zoo: Zoo, root: Path, runs: dict[str, Run]) -> None:
    names = [runs["attempt-1/0"].run_id, runs["attempt-1/1"].run_id]
    (found,) = document(zoo("compare", *names, "--store", root, "--json"))
    assert [found["a"], found["b"]] == names
    for one in found["metrics"]:
        for side, key in (("a", "attempt-1/0"), ("b", "attempt-1/1")):
            figure = leading(runs[key]).of_run(runs[key], one["metric"])
            assert figure is not None
            assert one[side]["value"] == pytest.approx(figure.value)
            assert one[side]["seeds"] == 1


def test_two_classes_are_compared_at_the_chosen_thresholds_or_at_those_of_another_rule(
    zoo: Zoo, root: Path, runs: dict[str, Run]
) -> None:
    run = runs["attempt-2/0"]
    request = ("compare", "attempt-2", "attempt-6b", "--store", root, "--json")
    (chosen,), (half,) = document(zoo(*request)), document(zoo(*request, "--threshold-rule", "fixed=0.5"))
    assert chosen["threshold"].startswith("at the threshold chosen on validation: ")
    assert half["threshold"] == "at threshold 0.5"
    for pair, figures in ((chosen, run.figures(chosen=True)), (half, run.figures())):
        recall = next(one for one in pair["metrics"] if one["metric"] == "recall")
        assert recall["a"]["value"] == pytest.approx(figures["recall"].value)
    assert run.figures(chosen=True)["recall"].value != run.figures()["recall"].value
    ranked = zoo("compare", "--metric", "recall", "--store", root)
    assert "Decided at the threshold chosen on validation: " in ranked.out


def test_a_card_without_a_threshold_is_compared_by_its_scores_alone(zoo: Zoo, tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    keep(store, "attempt-1", on_test(*planted(80, 80, 1.0, 10)))
    flat = on_val([0] * 40 + [1] * 40, [0.6] * 80)
    keep(store, "attempt-2", on_test(*planted(80, 80, 1.0, 20)), flat)
    answer = zoo("compare", "attempt-1", "attempt-2", "--store", store.root, "--json")
    assert "attempt-2 seed 0: no threshold chosen" in answer.err
    assert "--threshold-rule fixed=0.5" in answer.err
    metrics = {one["metric"] for one in document(answer)[0]["metrics"]}
    assert "auc" in metrics
    assert not metrics & {"accuracy", "recall", "f1"}
    assert zoo("compare", "attempt-1", "attempt-2", "--store", store.root, "--threshold-rule", "fixed=0.5").err == ""


def test_a_run_that_its_card_leaves_out_can_be_compared_by_its_id(zoo: Zoo, root: Path, runs: dict[str, Run]) -> None:
    """Its seed saw the images of another card."""
    answer = zoo("compare", runs["attempt-1/2"].run_id, ELSEWHERE, "--store", root)
    assert (answer.code, answer.err) == (0, "")


def test_a_card_is_compared_with_a_run_of_another(zoo: Zoo, root: Path, runs: dict[str, Run]) -> None:
    (found,) = document(zoo("compare", "attempt-1", runs["attempt-2/0"].run_id, "--store", root, "--json"))
    assert {tuple(one["difference"]["seeds"]) for one in found["metrics"]} == {(2, 1)}


def test_the_document_of_a_pair_says_what_was_compared_on_what(zoo: Zoo, root: Path) -> None:
    (found,) = document(zoo("compare", "attempt-2", "attempt-6b", "--store", root, "--json"))
    assert (found["a"], found["b"]) == ("attempt-2", "attempt-6b")
    assert "chest_xray" in found["conditions"]
    for one in found["metrics"]:
        gap = one["difference"]
        assert gap["value"] == pytest.approx(one["a"]["value"] - one["b"]["value"])
        if gap["low"] is not None:
            assert gap["low"] <= gap["value"] <= gap["high"]


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_ranks_and_its_document_is_finite(zoo: Zoo, root: Path, metric: str) -> None:
    (found,) = document(zoo("compare", "--metric", metric, "--store", root, "--json"))
    assert found["metric"] == metric
    values = [figure["value"] for figure in found["figures"].values()]
    assert values == sorted(values, reverse=metric not in ("log_loss", "brier"))
    assert set(found["letters"]) == set(found["figures"])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([0.97] * 80, [0.97] * 80),
        ([0.97] * 80, [0.03] * 80),
        ([1.0] * 40 + [0.0] * 40, [0.0] * 40 + [1.0] * 40),
    ],
)
def test_collapsed_and_perfect_cards_give_finite_documents(
    zoo: Zoo, tmp_path: Path, first: list[float], second: list[float]
) -> None:
    store = Store(tmp_path / "runs")
    for name, scores in (("attempt-1", first), ("attempt-2", second)):
        for seed in (0, 1):
            keep(store, name, on_test([1] * 40 + [0] * 40, scores), seed=seed)
    (found,) = document(zoo("compare", "attempt-1", "attempt-2", "--store", store.root, "--json"))
    assert len(found["metrics"]) > 5
    runs = [run.run_id for run in store.runs()[0] if run.spec.seed == 0]
    document(zoo("compare", *runs, "--store", store.root, "--json"))
    document(zoo("compare", "--metric", "accuracy", "--store", store.root, "--json"))


def test_cards_that_met_under_two_protocols_are_compared_under_each(zoo: Zoo, tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    for protocol in ("quick", "published"):
        for number, name in enumerate(("attempt-1", "attempt-2")):
            keep(store, name, on_test(*planted(40, 40, seed=number)), protocol=load_protocol(protocol))
    for request in (["attempt-1", "attempt-2"], []):
        answer = zoo("compare", *request, "--store", store.root)
        assert [answer.out.count(f"protocol {name}\n") for name in ("quick", "published")] == [1, 1]
        assert len(document(zoo("compare", *request, "--store", store.root, "--json"))) == 2


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ("attempt-1", ["two names, not 1"]),
        ("attempt-1 attempt-2 attempt-6b", ["two names, not 3"]),
        ("attempt-1 atempt-2", ["Unknown card or run 'atempt-2'", "Did you mean attempt-2"]),
        ("attempt-1 0123456789ab", ["Unknown card or run '0123456789ab'"]),
        ("--metric acuracy", ["Unknown metric 'acuracy'", "Did you mean accuracy"]),
        ("--metric true_positives", ["Unknown metric 'true_positives'"]),
        ("attempt-1 attempt-2 --metric f1", ["--metric", "leave it out for two names"]),
        ("attempt-1 attempt-1", ["share the run"]),
        (f"attempt-1 {ELSEWHERE}", ["attempt-1", ELSEWHERE, "different test images"]),
        (f"attempt-1 {FAILED}", [FAILED, "no finished run"]),
        ("attempt-1 attempt-7", ["not run on the same data and protocol"]),
    ],
)
def test_a_wrong_request_is_answered_in_one_line(zoo: Zoo, root: Path, request_: str, says: list[str]) -> None:
    line = one_line(zoo("compare", *request_.split(), "--store", root))
    for part in says:
        assert part in line


def test_a_card_and_one_of_its_own_runs_are_refused(zoo: Zoo, root: Path, runs: dict[str, Run]) -> None:
    own = runs["attempt-1/1"].run_id
    assert f"share the run {own}" in one_line(zoo("compare", "attempt-1", own, "--store", root))


@pytest.mark.parametrize("request_", [[], ["attempt-1", "attempt-2"]])
def test_a_store_without_finished_runs_says_what_makes_them(zoo: Zoo, tmp_path: Path, request_: list[str]) -> None:
    store = Store(tmp_path)
    line = one_line(zoo("compare", *request_, "--store", store.root))
    assert "contains no finished runs" in line
    assert "zoo bench" in line
    store.save(make_run(error="boom"))
    assert one_line(zoo("compare", *request_, "--store", store.root)) == line


def test_a_single_card_cannot_be_ranked(zoo: Zoo, tmp_path: Path) -> None:
    keep(Store(tmp_path / "runs"), "attempt-1")
    assert "no two cards with auc" in one_line(zoo("compare", "--store", tmp_path / "runs"))


def test_a_run_that_cannot_be_read_is_a_warning_and_the_rest_is_compared(zoo: Zoo, tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    for name in ("attempt-1", "attempt-2"):
        keep(store, name, of_counts(40, 10, 30, 20))
    broken = store.root / "0123456789ab"
    broken.mkdir()
    (broken / "run.json").write_text("{")
    answer = zoo("compare", "--store", store.root, "--json")
    assert len(document(answer)) == 1
    assert answer.err.startswith("warning: ")
    assert "0123456789ab" in answer.err


def test_scores_of_a_third_card_that_cannot_be_read_do_not_stop_two_others(zoo: Zoo, tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    kept = [keep(store, name, of_counts(40, 10, 30, 20)) for name in ("attempt-1", "attempt-2", "attempt-3")]
    (store.root / kept[2].run_id / "predictions.parquet").unlink()
    assert zoo("compare", "attempt-1", "attempt-2", "--store", store.root).code == 0
    ranked = zoo("compare", "--store", store.root)
    assert ranked.code == 0
    assert "attempt-3" not in ranked.out
    assert "predictions.parquet: is missing" in ranked.err


def test_keras_is_not_imported(root: Path) -> None:
    code = (
        "import sys\n"
        "from zoo.cli.app import main\n"
        "sys.argv = ['zoo', 'compare', 'attempt-1', 'attempt-6b', '--json', '--store', *sys.argv[1:]]\n"
        "try: main()\n"
        "except SystemExit as ended: assert not ended.code\n"
        "print('HEAVY', sorted({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)))"
    )
    with run_python(code, str(root), cwd=ROOT) as process:
        out, _ = process.communicate()
    assert process.returncode == 0
    assert out.strip().endswith("HEAVY []")


def test_the_latest_bench_is_compared_and_options_choose_others(zoo: Zoo, tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    by_protocol: dict[str, Run] = {}
    for protocol in ("quick", "published"):
        for number, name in enumerate(("attempt-1", "attempt-2")):
            scores = on_test(*planted(40, 40, seed=number))
            by_protocol[protocol] = keep(store, name, scores, protocol=load_protocol(protocol))
    remember_bench(store, [by_protocol["quick"].run_id], KAGGLE)
    for request in (["attempt-1", "attempt-2"], []):
        answer = zoo("compare", *request, "--store", store.root)
        assert [answer.out.count(f"protocol {name}\n") for name in ("quick", "published")] == [1, 0]
        assert "latest bench" in answer.err
        assert f"{KAGGLE.source} under published" in answer.err
        other = zoo("compare", *request, "--store", store.root, "--protocol", "published")
        assert [other.out.count(f"protocol {name}\n") for name in ("quick", "published")] == [0, 1]
        assert other.err == ""
    refused = one_line(zoo("compare", "--store", store.root, "--data", "digits"))
    assert "has runs on" in refused


def test_a_trial_of_a_search_is_not_compared(zoo: Zoo, tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    run = keep(store, "attempt-1")
    trial = make_run("attempt-2", spec=make_run("attempt-2").spec.model_copy(update={"stage": "search"}))
    store.save(trial)
    line = one_line(zoo("compare", run.run_id, trial.run_id, "--store", store.root))
    assert f"{trial.run_id} is a trial of a search" in line
