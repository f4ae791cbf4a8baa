"""`zoo.search` tunes on validation, writes the winner and scores it on test once, as `zoo search` does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import zoo as package
from benchmark.runs.storage.beside.chain import read_chain
from benchmark.runs.storage.store import Store
from search_spaces.space import load_space
from tests.support.tiny import card, write_npz, write_protocol
from tests.zoo.cli import test_app as test_zoo_cli
from tests.zoo.cli.test_app import Zoo
from zoo.config.errors import ConfigError

zoo = test_zoo_cli.zoo


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"card": "attempt-8"}, "Unknown card 'attempt-8'"),
        ({"card": "attempt-7", "space": "vgg16_hed"}, "Did you mean vgg16_head"),
        ({"card": "attempt-7", "tuner": "randm"}, "Did you mean random"),
        ({"card": "attempt-7", "name": "attempt-6b"}, "already exists"),
        ({"card": card("unsaved")}, "save it as a YAML file"),
    ],
)
def test_a_search_that_cannot_be_is_refused_before_anything_is_written(
    tmp_path: Path, arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        package.search(arguments.pop("card"), **arguments, store=tmp_path / "runs", out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_trials_winner_and_bench_are_those_of_the_command(zoo: Zoo, tmp_path: Path) -> None:
    npz, rules = write_npz(tmp_path / "tiny.npz"), write_protocol(tmp_path / "smallest.yaml")
    space = tmp_path / "rates.yaml"
    space.write_text(
        "title: Rates\nobjective: auc\ntuner: random\nbudget: {trials: 2}\nreseed: {top: 1, seeds: 1}\nparameters:\n"
        "  recipe.optimizer.learning_rate: {kind: float, low: 1.0e-5, high: 1.0e-2, scale: log}\n",
        encoding="utf-8",
    )
    store, rounds = tmp_path / "runs", []
    results = package.search(
        "attempt-1", data=npz, protocol=rules, store=store, space=load_space(str(space)), out=tmp_path / "ours",
        on_trial=rounds.append,
    )  # fmt: skip
    options = ["--data", npz, "--protocol", rules, "--store", store, "--space", space, "--out", tmp_path / "theirs"]
    answer = zoo("search", "attempt-1", *options, "--json")
    assert answer.code == 0
    document = json.loads(answer.out)
    ours = json.loads(json.dumps(results.to_dict(), default=str))
    assert ours["trials"] == document["trials"]
    assert ours["bench"] == document["bench"]
    assert ours["trials_at_once"] == document["trials_at_once"] == 1
    assert results.winner is not None
    assert results.winner.read_bytes() == Path(document["card"]).read_bytes()
    assert [path for path in results.paths if not path.is_file()] == []
    assert len(rounds[-1].trials) == len(results.to_frame()) == 2
    assert {run.spec.stage for trial in results.trials.trials for run in trial.runs} == {"search"}
    assert results.bench is not None
    (link,) = [link for link, _ in read_chain(Store(store)).registrations]  # of the winner alone, before its scores
    assert {run.registration for run in results.bench.runs} == {link.digest}
    assert {run.registration for trial in results.trials.trials for run in trial.runs} == {None}
