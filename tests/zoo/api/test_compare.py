"""`zoo.compare` gives what `zoo compare` prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import zoo as package
from benchmark.runs.decision_rule import DecisionRule
from benchmark.runs.protocol import load_protocol
from benchmark.runs.storage.store import Store
from tests.support.multiclass_stores import BETTER, COLLAPSED, WORSE, three_classes_in
from tests.support.records import on_test, planted
from tests.support.stored import keep
from tests.support.tiny import card
from tests.zoo.cli import test_app as test_zoo_cli
from tests.zoo.cli.test_app import Zoo
from zoo.config.errors import ConfigError

zoo = test_zoo_cli.zoo


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two cards, the first with a seed on images of its own."""
    store = Store(tmp_path_factory.mktemp("compare") / "runs")
    keep(store, "attempt-1", on_test(*planted(80, 80, 1.0, 10)))
    keep(store, "attempt-1", seed=1, images="others")
    keep(store, "attempt-2", on_test(*planted(80, 80, 3.0, 20)))
    return store


def plain(document: Any) -> Any:
    return json.loads(json.dumps(document))


@pytest.mark.parametrize("names", [[], ["attempt-1", "attempt-2"]])
def test_document_and_messages_are_those_of_the_command(zoo: Zoo, store: Store, names: list[str]) -> None:
    lines: list[str] = []
    results = package.compare(*names, store=store, on_message=lines.append)
    answer = zoo("compare", *names, "--store", store.root, "--json")
    assert plain(results.to_dict()) == json.loads(answer.out)
    assert list(results.messages) == lines == answer.err.splitlines()
    assert "attempt-1: without seed 1," in lines[0]


def test_frames_have_a_row_per_metric_or_card(store: Store) -> None:
    pair = package.compare("attempt-1", "attempt-2", store=store.root).to_frame()
    assert set(pair["a"]) == {"attempt-1"}
    assert {"auc", "accuracy"} <= set(pair["metric"])
    assert (pair["value_a"] - pair["value_b"] - pair["difference"]).abs().max() < 1e-12
    ranked = package.compare(store=str(store.root), metric="accuracy").to_frame()
    assert list(ranked["card"]) == ["attempt-2", "attempt-1"]


def test_names_of_cards_are_escaped(tmp_path: Path) -> None:
    store = Store(tmp_path / "<b>runs</b>")
    for seed, name in enumerate(("one", "two")):
        keep(store, card(name, epochs=seed + 1), on_test(*planted(40, 40, seed=seed)))
    for names in ([], ["one", "two"]):
        text = package.compare(*names, store=store)._repr_html_()
        assert "<td>" in text
        assert "<b>" not in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"names": ["attempt-1"]}, "two names, not 1"),
        ({"names": ["attempt-1", "atempt-2"]}, "Did you mean attempt-2"),
        ({"names": [], "metric": "acuracy"}, "Did you mean accuracy"),
        ({"names": [], "metric": "Acuracy"}, "Unknown metric 'Acuracy'. Did you mean accuracy"),
        (
            {"names": ["attempt-1", "attempt-7"]},
            "contains no run of attempt-7; `zoo bench attempt-7 --store .*` creates",
        ),
    ],
)
def test_a_wrong_request_is_one_line(store: Store, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        package.compare(*arguments.pop("names"), store=store, **arguments)
    assert len(refused.value.lines) == 1


def test_an_empty_store_says_how_to_fill_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="contains no finished runs; `zoo bench --all"):
        package.compare(store=tmp_path)


@pytest.mark.parametrize(("label", "name"), [("F1", "f1"), ("AUC", "auc"), ("Sensitivity", "sensitivity")])
def test_a_metric_may_be_given_by_its_label(store: Store, label: str, name: str) -> None:
    assert package.compare(store=store, metric=label) == package.compare(store=store, metric=name)


def test_a_run_may_be_given_by_its_card_and_seed(store: Store) -> None:
    runs, _ = store.runs()
    first, second = (next(run for run in runs if run.spec.card.name == name) for name in ("attempt-1", "attempt-2"))
    by_id = package.compare(first.run_id, second.run_id, store=store)
    by_seed = package.compare(f"attempt-1:{first.spec.seed}", f"attempt-2:{second.spec.seed}", store=store)
    assert by_seed.pairs[0].metrics == by_id.pairs[0].metrics


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Cards on three classes."""
    return three_classes_in(tmp_path_factory.mktemp("three"))


@pytest.mark.parametrize("names", [[], [BETTER, WORSE], [BETTER, WORSE, "--metric", "f1"]])
def test_several_classes_are_documented_as_the_command_prints_them(zoo: Zoo, several: Store, names: list[str]) -> None:
    metric = "f1" if "--metric" in names else None
    results = package.compare(*names[:2], store=several, metric=metric)
    answer = zoo("compare", *names, "--store", several.root, "--json")
    assert plain(results.to_dict()) == json.loads(answer.out)


def test_a_pair_of_several_classes_has_rows_for_figures_and_classes(several: Store) -> None:
    pair = package.compare(BETTER, WORSE, store=several).to_frame()
    assert {"accuracy", "f1:macro", "recall:class:NORMAL", "recall:class:VIRUS"} <= set(pair["metric"])
    other = package.compare(BETTER, WORSE, store=several, metric="Precision").to_frame()
    assert {"precision:class:VIRUS"} <= set(other["metric"])
    assert "VIRUS" in package.compare(BETTER, WORSE, store=several)._repr_html_()


@pytest.mark.parametrize(
    ("metric", "key"),
    [
        (None, "auc:macro"),
        ("F1", "f1:macro"),
        ("f1:weighted", "f1:weighted"),
        ("recall:class:VIRUS", "recall:class:VIRUS"),
        ("kappa", "kappa"),
        ("Balanced accuracy", "balanced_accuracy"),
    ],
)
def test_several_classes_are_ranked_by_name_label_or_key(several: Store, metric: str | None, key: str) -> None:
    (ranking,) = package.compare(store=several, metric=metric).rankings
    assert ranking.ranking.metric == key
    assert ranking.rows()[0]["card"] == BETTER


@pytest.mark.parametrize(
    ("names", "metric", "says"),
    [
        ([], "f1:wieghted", "Unknown figure 'f1:wieghted'. Did you mean f1:weighted"),
        ([], "recall:class:VIRUSES", "Did you mean recall:class:VIRUS"),
        ([], "kapa", "Unknown metric 'kapa'. Did you mean kappa"),
        ([BETTER, WORSE], "recal", "Did you mean recall"),
        ([BETTER, WORSE], "recall:class:BACTERIUM", "Did you mean recall:class:BACTERIA"),
        ([BETTER, WORSE], "nothing", "one of all classes .accuracy, .* f1:macro, recall:class:VIRUS"),
        ([BETTER, WORSE], "coverage", "Unknown metric 'coverage'"),  # only decisions that abstain have one
    ],
)
def test_a_wrong_figure_of_several_classes_is_one_line(
    several: Store, names: list[str], metric: str, says: str
) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        package.compare(*names, store=several, metric=metric)
    assert len(refused.value.lines) == 1


@pytest.mark.parametrize(
    ("metric", "key"),
    [("MCC", "mcc"), ("macro F1", "f1:macro"), ("recall:class:VIRUS", "recall:class:VIRUS"), ("log_loss", "log_loss")],
)
def test_one_figure_of_two_cards_is_compared_alone(several: Store, metric: str, key: str) -> None:
    (pair,) = package.compare(BETTER, WORSE, store=several, metric=metric).pairs
    assert [(row["metric"], row["p_adjusted"]) for row in pair.rows()] == [(key, pair.metrics[0].difference.p_value)]
    runs, _ = several.runs()
    values = [run.figures()[key].value for run in runs if run.spec.card.name == BETTER]
    assert pair.metrics[0].a.value == pytest.approx(sum(values) / len(values))
    assert pair.decision == "the class with the highest score"


def test_cards_are_compared_by_the_decision_that_is_asked_for(zoo: Zoo, several: Store, tmp_path: Path) -> None:
    rule = "class_at=VIRUS:sensitivity:0.95"
    results = package.compare(f"{BETTER}:0", WORSE, store=several, decision=rule)
    (pair,) = results.pairs
    assert pair.decision == "VIRUS at sensitivity 0.95, chosen on validation scores alone"
    protocol = load_protocol("quick").model_copy(update={"decision": DecisionRule.parse(rule)})
    deciding = three_classes_in(tmp_path, protocol=protocol)
    run = next(run for run in deciding.runs()[0] if run.spec.card.name == WORSE)
    by_key = {each.metric: each.b.value for each in (*pair.metrics, *pair.classes.by_class)}  # type: ignore[union-attr]
    chosen, highest = run.figures(chosen=True), run.figures()
    for key in ("accuracy", "f1:macro", "recall:class:VIRUS", "recall:class:NORMAL"):
        assert by_key[key] == pytest.approx(chosen[key].value)
        assert by_key[key] != pytest.approx(highest[key].value)
    (calls,) = pair.classes.calls  # type: ignore[union-attr]
    virus = round(chosen["recall:class:VIRUS"].value * 64 / chosen["precision:class:VIRUS"].value)  # type: ignore[operator]
    assert calls.shares.calls_b[2] == virus
    answer = zoo("compare", f"{BETTER}:0", WORSE, "--store", deciding.root, "--decision", "protocol", "--json")
    assert json.loads(answer.out) == plain(results.to_dict())
    shown = zoo("compare", BETTER, WORSE, "--store", deciding.root)
    assert "Test figures for the class with the highest score" in " ".join(shown.out.split())
    assert "--decision protocol takes the protocol's decision: VIRUS at sensitivity 0.95" in shown.err


def test_a_card_without_a_chosen_decision_is_named(several: Store) -> None:
    rule = "class_at=VIRUS:sensitivity:0.95"
    with pytest.raises(ConfigError, match=f"{COLLAPSED} seed 0: no decision was chosen: VIRUS: all valid") as refused:
        package.compare(BETTER, COLLAPSED, store=several, decision=rule)
    assert len(refused.value.lines) == 1
    results = package.compare(store=several, decision=rule, metric="accuracy")
    assert [row["card"] for row in results.rankings[0].rows()] == [BETTER, WORSE]
    assert results.rankings[0].decision == "VIRUS at sensitivity 0.95, chosen on validation scores alone"
    assert f"warning: left out of the ranking: {COLLAPSED} seed 0: no decision was chosen" in results.messages[0]
    by_scores = package.compare(store=several, decision=rule, metric="auc").rankings[0]
    assert by_scores.decision is None
    assert len(by_scores.rows()) == 3


def test_two_classes_have_no_decision_rule(store: Store) -> None:
    with pytest.raises(ConfigError, match="--decision is for three or more classes; two classes take"):
        package.compare("attempt-1", "attempt-2", store=store, decision="abstain=0.7")


def test_cards_of_other_classes_are_refused_with_the_names(tmp_path: Path) -> None:
    store = three_classes_in(tmp_path)
    keep(store, "attempt-5", on_test(*planted(80, 80, 1.0, 10)))
    with pytest.raises(
        ConfigError, match="attempt-7 was run on the classes NORMAL, BACTERIA, VIRUS, attempt-5 on"
    ) as no:
        package.compare(BETTER, "attempt-5", store=store)
    assert len(no.value.lines) == 1


def test_two_classes_have_no_metric_of_each_class(store: Store) -> None:
    with pytest.raises(ConfigError, match="leave it out for two names"):
        package.compare("attempt-1", "attempt-2", store=store, metric="f1")
    assert "classes" not in package.compare("attempt-1", "attempt-2", store=store).to_dict()[0]


def test_a_threshold_rule_without_effect_on_the_ranking_is_a_note(store: Store) -> None:
    note = "note: --threshold-rule changes no figure of auc; --metric recall ranks at the threshold"
    assert note in package.compare(store=store, threshold_rule="fixed=0.5").messages
    assert note not in package.compare(store=store, threshold_rule="fixed=0.5", metric="recall").messages
