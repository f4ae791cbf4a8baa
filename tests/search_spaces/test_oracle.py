"""KerasTuner's oracles, in a process of their own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmark.runs.execution.fork_server import warm_up
from search_spaces.oracle import Oracle, SeparateOracle
from search_spaces.proposals import Proposal, Tuner
from search_spaces.space import SearchSpace
from zoo.config.errors import ConfigError

ROOT = Path(__file__).parents[2]


def space(tuner: str, **changes: Any) -> SearchSpace:
    fields = {
        "name": "mine",
        "title": "Mine",
        "tuner": tuner,
        "budget": {"trials": 6, "epochs": 4},
        "parameters": {
            "recipe.optimizer.learning_rate": {"kind": "float", "low": 1e-4, "high": 1e-1, "scale": "log"},
            "model.dense_units": {"kind": "choice", "values": [4, 8, 16, 32]},
        },
    }
    return SearchSpace.model_validate(fields | changes)


def proposals(tuner: Tuner) -> list[Proposal]:
    """Three rounds of up to two; the second proposal of each fails."""
    proposed = []
    for _ in range(3):
        for number, proposal in enumerate(tuner.propose(2)):
            tuner.report(proposal, None if number else proposal.values["recipe.optimizer.learning_rate"])
            proposed.append(proposal)
    return proposed


ORACLES = pytest.mark.parametrize("name", ["random", "bayesian", "hyperband", "grid"])


@ORACLES
def test_an_oracle_writes_nowhere_but_in_its_folder_and_prints_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no-such-folder"))
    monkeypatch.chdir(tmp_path)
    assert len(proposals(Oracle(space(name), str(tmp_path / "its")))) > 3
    assert [path.name for path in tmp_path.iterdir()] == ["its"]
    assert capsys.readouterr().out == ""


@ORACLES
def test_an_oracle_proposes_the_same_in_its_own_process(name: str, tmp_path: Path) -> None:
    here = proposals(Oracle(space(name), str(tmp_path / "here")))
    with closing(SeparateOracle(space(name), str(tmp_path / "there"))) as oracle:
        there = proposals(oracle)
    assert [(each.values, each.epochs) for each in there] == [(each.values, each.epochs) for each in here]
    assert len({str(each.values) for each in here}) > 3


def test_an_invalid_space_is_reported_by_the_first_proposal(tmp_path: Path) -> None:
    without_epochs = space("hyperband", budget={"trials": 6})
    with (
        closing(SeparateOracle(without_epochs, str(tmp_path))) as oracle,
        pytest.raises(ConfigError, match=r"space mine: budget\.epochs: hyperband needs it"),
    ):
        oracle.propose(1)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals that end a process")
def test_an_oracle_whose_process_was_killed_says_how_to_resume(tmp_path: Path) -> None:
    warm_up()
    others = set(psutil.Process().children(recursive=True))
    with closing(SeparateOracle(space("random"), str(tmp_path))) as oracle:
        oracle.propose(1)
        [its_process] = set(psutil.Process().children(recursive=True)) - others
        its_process.kill()
        message = "^the process that proposes trials ended by SIGKILL; run the same command again$"
        with pytest.raises(ChildProcessError, match=message):
            oracle.propose(1)


def test_a_process_that_searches_does_not_load_keras(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from search_spaces.search import search\n"
        "from search_spaces.oracle import SeparateOracle\n"
        "from search_spaces.space import SearchSpace\n"
        f"space = SearchSpace.model_validate_json({space('random').model_dump_json()!r})\n"
        f"oracle = SeparateOracle(space, {str(tmp_path)!r})\n"
        "count = len(oracle.propose(2))\n"
        "heavy = {'keras', 'keras_tuner', 'tensorflow', 'jax', 'torch'} & set(sys.modules)\n"
        "print(count, sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.split("\n")[0] == "2 []"
