"""How `zoo bench` ends if a card has no weights, and what names that card. The run of the other card is stored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import zoo as package
from benchmark.data.sources import open_dataset
from benchmark.runs.protocol import load_protocol
from benchmark.runs.run import DatasetFacts
from benchmark.runs.storage.store import Store
from tests.support.stored import keep
from tests.support.tiny import write_npz, write_protocol
from tests.zoo.cli import test_app as test_zoo_cli
from tests.zoo.cli.test_app import Zoo, write_card
from zoo.models.catalog import load_cards

zoo = test_zoo_cli.zoo

PLAIN = "title: Plain\nchange: plain\nmodel: {builder: constant}\nrecipe: {probe: logistic}\n"
HEAVY = """\
title: Heavy
change: heavy
model: {builder: application, backbone: DenseNet121, weights: gone.h5}
recipe: {probe: logistic, preprocessing: builder}
"""
REASON = "the weights are not at hand: model.weights: gone.h5: no such file"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_npz(tmp_path / "tiny.npz")
    write_protocol(tmp_path / "smallest.yaml")
    write_card(tmp_path / "pair", "plain", PLAIN)
    for name in ("heavy", "heavier"):
        write_card(tmp_path / "pair", name, HEAVY)
    facts = DatasetFacts.of(open_dataset("tiny.npz"))
    card = load_cards(tmp_path / "pair")["plain"]
    keep(Store(tmp_path / "runs"), card, dataset=facts, protocol=load_protocol("smallest.yaml"))
    return tmp_path


def bench(zoo: Zoo, *words: object) -> test_zoo_cli.Answer:
    return zoo("bench", *words, "--cards", "pair", "--data", "tiny.npz", "--protocol", "smallest.yaml")


def test_a_card_of_a_collection_without_weights_does_not_fail_the_bench(zoo: Zoo, place: Path) -> None:
    answer = bench(zoo, "--collection", "pair")
    assert answer.code == 0
    assert f"skipped heavier and heavy: {REASON}" in answer.out


def test_a_card_that_was_named_without_weights_is_exit_code_1(zoo: Zoo, place: Path) -> None:
    answer = bench(zoo, "plain", "heavy")
    assert answer.code == 1
    assert f"skipped heavy: {REASON}" in answer.out


def test_no_card_with_weights_is_a_wrong_request(zoo: Zoo, place: Path) -> None:
    answer = bench(zoo, "heavy")
    assert (answer.code, answer.err) == (2, f"zoo: card heavy: {REASON}\n")


def test_reports_name_skipped_cards_once_until_they_have_run(zoo: Zoo, place: Path) -> None:
    bench(zoo, "--collection", "pair")
    bench(zoo, "plain")  # a later benchmark does not forget them
    package.report("runs", out="out", formats=("md", "html", "json"))
    markdown, page = ((place / "out" / f"report.{kind}").read_text(encoding="utf-8") for kind in ("md", "html"))
    assert f"- `heavier`, `heavy`: {REASON}\n" in markdown
    assert markdown.count("gone.h5") == page.count("gone.h5") == 1
    document = json.loads((place / "out" / "report.json").read_text(encoding="utf-8"))
    assert document["skipped"] == [{"card": name, "reason": REASON} for name in ("heavier", "heavy")]
    write_card(place / "pair", "heavy", PLAIN)
    keep(Store(place / "runs"), load_cards("pair")["heavy"], dataset=_facts(), protocol=load_protocol("smallest.yaml"))
    package.report("runs", out="out", formats="json")
    document = json.loads((place / "out" / "report.json").read_text(encoding="utf-8"))
    assert [each["card"] for each in document["skipped"]] == ["heavier"]


def _facts() -> DatasetFacts:
    return DatasetFacts.of(open_dataset("tiny.npz"))
