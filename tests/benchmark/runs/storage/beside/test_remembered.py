"""What a store remembers: the latest bench, the options of a source, the protocol of a data set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark.runs.protocol import Choice, Protocol
from benchmark.runs.run import DatasetFacts
from benchmark.runs.storage.beside.remembered import (
    SourceOptions,
    auto_protocol_of,
    bench_requests,
    cards_under,
    declared_data,
    latest_bench,
    latest_conditions,
    options_of,
    records,
    remember_bench,
    running_bench,
    same_source,
    words_of_cards,
)
from benchmark.runs.storage.store import Store
from tests.support.records import KAGGLE, PHANTOM, make_run

CHOSEN = Choice(field="image_size", value=96, why="because")


def auto(size: int = 96) -> Protocol:
    return Protocol(name="auto", title="t", image_size=size, choices=(CHOSEN,), keep_models=True)


def images(**changes: object) -> DatasetFacts:
    return KAGGLE.model_copy(update={"source": "my_images", "fingerprint": "ab" * 32, **changes})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def test_an_empty_store_remembers_nothing(store: Store) -> None:
    assert latest_bench(store) is None
    assert latest_conditions([], store) is None
    assert options_of(store, "my_images") is None
    assert auto_protocol_of(store, "ab" * 32) is None
    assert declared_data(store) == {}


def test_the_latest_bench_is_the_one_that_was_asked_for_last_even_if_its_runs_are_reused(store: Store) -> None:
    first, second = make_run(dataset=PHANTOM), make_run(dataset=images(), finished="2026-02-01T00:00:00+00:00")
    for run in (first, second):
        store.save(run)
        remember_bench(store, [run.run_id], run.spec.dataset)
    assert latest_conditions(store.runs()[0], store) == second.spec.conditions
    assert records(store)[0].run_id == second.run_id
    remember_bench(store, [first.run_id], first.spec.dataset)
    assert latest_conditions(store.runs()[0], store) == first.spec.conditions
    assert records(store)[0].run_id == first.run_id


def test_options_are_those_of_the_records(store: Store) -> None:
    facts = images(patient_pattern="(?P<p>.)", positive="PNEUMONIA", known_as="kaggle:a/b", hold_out="site=B")
    store.save(make_run(dataset=facts))
    assert options_of(store, "my_images") == SourceOptions("(?P<p>.)", "PNEUMONIA", "kaggle:a/b", "site=B")
    assert options_of(store, "other_images") is None


def test_a_declaration_of_reused_runs_is_remembered_beside_them(store: Store) -> None:
    run = make_run(dataset=images())
    store.save(run)
    remember_bench(store, [run.run_id], images(known_as="kaggle:a/b"))
    remember_bench(store, [run.run_id], images())
    assert declared_data(store) == {"ab" * 32: "kaggle:a/b"}
    options = options_of(store, "my_images")
    assert options is not None
    assert options.data_is == "kaggle:a/b"


@pytest.mark.parametrize("text", ["", "[]", '{"version": 99}', '{"runs": 7}', "\x00"])
def test_a_file_that_cannot_be_used_is_as_good_as_none(store: Store, text: str) -> None:
    remember_bench(store, [], PHANTOM)
    (file,) = store.root.iterdir()
    file.write_text(text, encoding="utf-8")
    assert latest_bench(store) is None


def test_the_protocol_of_a_data_set_is_remembered_without_its_retention(store: Store) -> None:
    store.save(make_run(dataset=images(), protocol=auto()))
    protocol = auto_protocol_of(store, "ab" * 32)
    assert protocol == auto().model_copy(update={"keep_models": False})
    assert "threshold" not in protocol.model_fields_set  # it would be refused for three or more classes
    assert auto_protocol_of(store, "cd" * 32) is None


def test_a_protocol_file_that_only_has_the_name_is_not_what_auto_chose(store: Store) -> None:
    store.save(make_run(dataset=images(), protocol=auto().model_copy(update={"choices": ()})))
    assert auto_protocol_of(store, "ab" * 32) is None


def test_sources_are_the_same_by_text_or_by_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_images").mkdir()
    monkeypatch.chdir(tmp_path)
    assert same_source("my_images", "./my_images/")
    assert same_source("kaggle:a/b", "kaggle:a/b")
    assert not same_source("my_images", "other")
    assert not same_source("kaggle:a/b", "kaggle:a/c")


def test_cards_under_the_same_conditions_have_finished(store: Store) -> None:
    first = make_run("attempt-1")
    for run in (first, make_run("attempt-2"), make_run("attempt-5", error="no memory"), make_run(dataset=KAGGLE)):
        store.save(run)
    assert cards_under(store, first.spec.conditions) == {"attempt-1", "attempt-2"}


def ask(store: Store, conditions: str, cards: dict[str, str], *selection: str) -> None:
    remember_bench(store, list(cards), PHANTOM, conditions=conditions, cards=cards, selection=selection)


def asked_for(store: Store) -> list[tuple[str, set[str]]]:
    return [(each.conditions, {*each.cards.values()}) for each in bench_requests(store)]


def test_what_a_bench_asked_for_is_remembered_until_it_has_finished(store: Store) -> None:
    run = make_run("attempt-1", dataset=PHANTOM)
    ask(store, run.spec.conditions, {run.run_id: "attempt-1"}, "attempt-1")
    ask(store, "other", {"0" * 12: "attempt-2"}, "attempt-2")
    assert asked_for(store) == [("other", {"attempt-2"}), (run.spec.conditions, {"attempt-1"})]
    store.save(run)
    ask(store, "third", {"1" * 12: "attempt-2"}, "attempt-2")
    assert asked_for(store) == [("third", {"attempt-2"}), ("other", {"attempt-2"})]


@pytest.mark.parametrize(
    ("conditions", "cards", "selection", "remains"),
    [
        ("t", {"2" * 12: "a", "3" * 12: "b", "4" * 12: "c"}, ["a", "b", "c"], False),
        ("t", {"2" * 12: "c"}, ["--all"], False),
        ("t", {"0" * 12: "a"}, ["a"], True),
        ("t", {"2" * 12: "c"}, ["c"], True),
        ("u", {"2" * 12: "a", "3" * 12: "b"}, ["--all"], True),
    ],
    ids=["all cards and more", "the same words", "a part", "another card", "another protocol"],
)
def test_a_bench_that_asks_for_the_same_again_replaces_the_earlier_one(
    store: Store, conditions: str, cards: dict[str, str], selection: list[str], *, remains: bool
) -> None:
    ask(store, "t", {"0" * 12: "a", "1" * 12: "b"}, "--all")
    ask(store, conditions, cards, *selection)
    assert (("t", {"a", "b"}) in asked_for(store)) == remains


def test_the_file_of_an_earlier_version_is_read_and_its_bench_remains(store: Store) -> None:
    run = make_run("attempt-1", dataset=PHANTOM)
    store.save(run)
    old = {
        "version": 1,
        "runs": [run.run_id, "0" * 12],
        "declared": {"ab" * 32: "kaggle:a/b"},
        "cards": {run.run_id: "attempt-1", "0" * 12: "attempt-2"},
        "selection": ["--all"],
        "started": "2026-01-01T00:00:00+00:00",
    }
    (store.root / ".latest-bench.json").write_text(json.dumps(old), encoding="utf-8")
    assert latest_conditions([run], store) == run.spec.conditions
    ask(store, "other", {"1" * 12: "attempt-1"}, "attempt-1")
    assert asked_for(store) == [("other", {"attempt-1"}), ("", {"attempt-1", "attempt-2"})]
    assert declared_data(store) == {"ab" * 32: "kaggle:a/b"}
    ask(store, run.spec.conditions, {"2" * 12: "attempt-1", "3" * 12: "attempt-2"}, "attempt-1", "attempt-2")
    assert ("", {"attempt-1", "attempt-2"}) not in asked_for(store)


def test_a_claimed_run_is_of_the_latest_bench_that_asked_for_it(store: Store) -> None:
    ask(store, "t", {"0" * 12: "a", "1" * 12: "b"}, "--all")
    ask(store, "t", {"0" * 12: "a"}, "a")
    ask(store, "u", {"2" * 12: "a"}, "a")
    with store.claim("0" * 12):
        assert set(running_bench(store).started) == {"0" * 12}
    with store.claim("1" * 12), store.claim("2" * 12):
        assert set(running_bench(store).started) == {"0" * 12, "1" * 12, "2" * 12}
    assert not running_bench(store).started


def test_the_words_of_a_card_are_those_of_the_last_bench_that_ran_it(store: Store) -> None:
    ask(store, "t", {"0" * 12: "a", "1" * 12: "b"}, "mine/a.yaml", "b", "--cards", "many")
    ask(store, "u", {"2" * 12: "c"}, "c")
    assert words_of_cards(store, ["a", "c"]) == ["mine/a.yaml", "c", "--cards", "many"]
    assert words_of_cards(store, ["c"]) == ["c"]
