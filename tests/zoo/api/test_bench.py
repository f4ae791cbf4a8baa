"""`zoo.bench` computes what `zoo bench` computes, from scripts of any kind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import zoo as package
from benchmark.data.dataset import DataError
from benchmark.runs.protocol import Choice
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from tests.support.records import make_run
from tests.support.tiny import card, environment, finished, protocol, spec, write_npz, write_protocol
from tests.zoo.cli import test_app as test_zoo_cli
from tests.zoo.cli.test_app import Zoo
from zoo.api.bench import BenchResults
from zoo.config.errors import ConfigError

zoo = test_zoo_cli.zoo


def test_a_plan_writes_nothing_and_names_what_would_be_reused(tmp_path: Path) -> None:
    npz, rules = write_npz(tmp_path / "tiny.npz"), write_protocol(tmp_path / "smallest.yaml")
    arguments: dict[str, Any] = {"data": npz, "protocol": rules, "seeds": 2, "store": tmp_path / "runs"}
    plan = package.plan_bench(["attempt-1", card()], **arguments)
    assert [(each.card.name, each.seed) for each in plan.plan.specs] == [
        ("attempt-1", 0),
        ("attempt-1", 1),
        ("tiny", 0),
        ("tiny", 1),
    ]
    assert plan.reused == set()
    assert not (tmp_path / "runs").exists()
    assert [split.seeds for split in plan.splits] == [(0, 1)]
    Store(tmp_path / "runs").save(finished(plan.plan.specs[0]))
    assert package.plan_bench(["attempt-1", card()], **arguments).reused == {plan.plan.specs[0].run_id}


@pytest.mark.parametrize("will_run", [False, True])
def test_keras_is_loaded_ahead_only_for_a_plan_that_will_run(
    will_run: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[None] = []
    monkeypatch.setattr("zoo.api.bench.warm_up", lambda: started.append(None))
    npz, rules = write_npz(tmp_path / "tiny.npz"), write_protocol(tmp_path / "smallest.yaml")
    package.plan_bench("constant", data=npz, protocol=rules, store=tmp_path / "runs", will_run=will_run)
    assert len(started) == will_run


def test_the_expected_time_is_that_of_the_runs_that_are_not_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SPEED", "100,1")
    npz, rules = write_npz(tmp_path / "tiny.npz"), protocol()
    names = ["constant", "pixels-logistic"]
    plan = package.plan_bench(names, data=npz, protocol=rules, store=tmp_path / "runs")
    assert plan.expected_time is None  # not a protocol of auto
    sizes = [Choice(field=f"sampling.{part}", value=20, why="small") for part in ("train", "val", "test")]
    chosen = rules.model_copy(update={"name": "auto", "choices": tuple(sizes), "keep_models": True})

    def expected() -> tuple[str | None, str | None]:
        plan = package.plan_bench(names, data=npz, protocol=chosen, store=tmp_path / "runs")
        return plan.expected_time, plan.trained_again

    two = "about 1 min: expected for 2 cards to compute, 2 of 2 runs, on an idle machine"
    assert expected() == (two, None)
    constant, pixels = package.plan_bench(names, data=npz, protocol=chosen, store=tmp_path / "runs").plan.specs
    store = Store(tmp_path / "runs")
    store.save(finished(constant))
    again = "1 finished run of constant has no stored model: it is trained again"
    assert expected() == (two, again)
    store.save(finished(constant), write_model=lambda path: path.write_bytes(b"a model"))
    one = "about 1 min: expected for 1 card to compute, 1 of 2 runs, on an idle machine"
    assert expected() == (one, None)
    store.save(finished(pixels), write_model=lambda path: path.write_bytes(b"a model"))
    assert expected() == ("nothing to compute: all 2 runs are stored", None)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"cards": "atempt-1"}, ConfigError, "Did you mean attempt-1"),
        ({"cards": "attempt-1", "protocol": "quik"}, ConfigError, "Did you mean quick"),
        ({"cards": "attempt-1", "protocol": protocol(image_size=8)}, ConfigError, "card attempt-1: .* too small"),
        ({"cards": "attempt-1", "data": "phantm"}, DataError, "Did you mean phantom"),
        ({"cards": "attempt-1", "seeds": 0}, ConfigError, "names no seed"),
        ({"cards": "attempt-1", "run_timeout": "soon"}, ConfigError, "--run-timeout soon"),
        ({"cards": "attempt-1", "store": __file__}, ConfigError, "is a file"),
    ],
)
def test_a_wrong_request_is_the_command_s_one_line(
    zoo: Zoo, arguments: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as refused:
        package.bench(arguments.pop("cards"), **arguments)
    assert "\n" not in str(refused.value)


def results(*runs: Run, messages: tuple[str, ...] = ()) -> BenchResults:
    return BenchResults(runs, (), Store(Path("runs")), messages)


def test_failed_runs_are_results_and_names_are_escaped() -> None:
    run = make_run(card("bold"), error="<script>alert(1)</script>")
    bench = results(run, finished(spec()), messages=("note: <b>",))
    assert bench.failed == (run,)
    text = bench._repr_html_()
    assert "<script>" not in text
    assert "<b>" not in text
    assert "&lt;script&gt;" in text


@dataclass(frozen=True)
class Script:
    """What a script printed and left behind."""

    out: str
    err: str
    folder: Path


@pytest.fixture(scope="module")
def run_script(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Script]:
    """Runs the text of a script in a folder with the data `tiny.npz` and the protocol `smallest.yaml`."""
    cache = tmp_path_factory.mktemp("cache")

    def run(text: str) -> Script:
        folder = tmp_path_factory.mktemp("script")
        write_npz(folder / "tiny.npz")
        write_protocol(folder / "smallest.yaml")
        (folder / "script.py").write_text(text, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "script.py"],
            cwd=folder,
            env=environment(cache),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return Script(done.stdout, done.stderr, folder)

    return run


BENCH = """
import zoo
print("started")
events, lines = [], []
results = zoo.bench(
    "attempt-1", data="tiny.npz", protocol="smallest.yaml", seeds=[1, 0],
    on_event=events.append, on_message=lines.append,
)
runs = [(run.spec.seed, run.status) for run in results.runs]
print(results.store.root, runs, len(events) > 3, results.messages == tuple(lines))
table = results.to_frame()
print(list(table["seed"]), table["test_auc"].between(0, 1).all())
"""


@pytest.mark.slow
def test_a_script_without_a_guard_gives_the_runs_of_the_command(
    zoo: Zoo, run_script: Callable[[str], Script], tmp_path: Path
) -> None:
    script = run_script(BENCH)
    assert script.out.splitlines() == ["started", "runs [(1, 'ok'), (0, 'ok')] True True", "[1, 0] True"]
    folder = script.folder
    options = ["--data", folder / "tiny.npz", "--protocol", folder / "smallest.yaml", "--seeds", 2]
    assert zoo("bench", "attempt-1", *options, "--store", tmp_path / "runs").code == 0
    ours, theirs = (Store(root).runs()[0] for root in (folder / "runs", tmp_path / "runs"))
    assert [run.spec.card for run in ours] == [run.spec.card for run in theirs]
    assert [(run.run_id, run.at_half, run.threshold) for run in ours] == [
        (run.run_id, run.at_half, run.threshold) for run in theirs
    ]


BUILDER = """
import zoo

@zoo.register_builder("mini", minimum_size=8)
def mini(input_shape, *, filters: int = 4):
    import keras
    inputs = keras.Input(input_shape)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(filters, 3)(inputs))
    return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(x))

card = zoo.ModelCard(
    name="mini", title="Mini", change="mini", model={"builder": "mini"},
    recipe={"optimizer": {"name": "adam", "learning_rate": 0.01}, "epochs": 1, "batch_size": 16},
)
results = zoo.bench(card, data="tiny.npz", protocol="smallest.yaml")
print([(run.status, run.error, run.spec.card.model.params) for run in results.runs])
"""


@pytest.mark.slow
def test_a_script_without_a_guard_may_register_the_builder_that_it_runs(run_script: Callable[[str], Script]) -> None:
    assert run_script(BUILDER).out.splitlines() == ["[('ok', None, {'filters': 4})]"]


def test_a_builder_of_an_interactive_session_is_refused_with_advice(tmp_path: Path) -> None:
    code = BUILDER.replace('data="tiny.npz", protocol="smallest.yaml"', "")
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "builder mini: is registered in an interactive session" in done.stderr
    assert "move it to a .py file" in done.stderr
