"""The store: one folder a run, whole or not at all; readable whatever happened to its writers."""

from __future__ import annotations

import json
import os
import pickle
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.evidence.scores import Scores, TestScores, ValidationScores
from benchmark.runs.history import NO_HISTORY, History
from benchmark.runs.run import RECORD_VERSION, Run
from benchmark.runs.storage.store import STORE_VERSION, Store
from tests.support.tiny import finished, run_python, spec, split_facts
from zoo.config.errors import ConfigError

DAY_S = 24 * 3600
few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Store]:
    return lambda: Store(tmp_path_factory.mktemp("store") / "runs")


def scores(split: str = "test", count: int = 4) -> Scores:
    kind = {"val": ValidationScores, "test": TestScores}.get(split, Scores)
    labels, values = np.arange(count) % 2, np.linspace(0, 1, count)
    return kind(split, labels, values, tuple(f"p{number}" for number in range(count)))


def names(count: int = 4) -> list[str]:
    return [f"{number}.png" for number in range(count)]


def visible(store: Store) -> list[str]:
    return sorted(path.name for path in store.root.iterdir() if not path.name.startswith("."))


def leftovers(store: Store) -> list[Path]:
    return sorted(store.root.glob(".writing-*"))


def test_a_store_is_made_on_the_first_write(store: Store) -> None:
    assert store.runs() == ([], [])
    assert store.get("0" * 12) is None
    store.sweep()
    assert not store.root.exists()
    store.save(finished(spec()))
    assert visible(store) == sorted([spec().run_id, "store.json"])


def test_a_saved_run_is_read_back_equal(store: Store) -> None:
    run = finished(spec())
    assert store.save(run) == store.root / run.run_id
    assert store.get(run) == store.get(run.run_id) == run
    assert Store(store.root).runs() == ([run], [])


def test_a_failed_run_is_kept_too(store: Store) -> None:
    run = Run.failed(spec(), "the training loss is nan", split_facts())
    store.save(run)
    assert store.get(run) == run
    assert store.history(run) == NO_HISTORY


def test_runs_are_sorted_by_card_and_seed_whatever_their_ids(store: Store) -> None:
    for seed in (2, 0, 1):
        store.save(finished(spec(seed=seed)))
    assert [run.spec.seed for run in store.runs()[0]] == [0, 1, 2]


def test_a_second_result_replaces_the_first_with_all_its_files(store: Store) -> None:
    store.save(finished(spec(), auc=0.6), [(scores(), names())], History.of([{"loss": 1}]), lambda path: path.touch())
    second = finished(spec(), auc=0.7)
    place = store.save(second)
    assert store.runs() == ([second], [])
    assert [path.name for path in place.iterdir()] == ["run.json"]
    assert leftovers(store) == []


@few
@given(data=st.data())
def test_scores_are_read_back_exactly(data: st.DataObject, fresh: Callable[[], Store]) -> None:
    store, run = fresh(), finished(spec())
    kept = {}
    for split in ("train", "val", "test"):
        rows = data.draw(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1), words, words), min_size=1, max_size=9))
        labels, values, patients, images = zip(*rows, strict=True)
        kind = {"val": ValidationScores, "test": TestScores}.get(split, Scores)
        kept[split] = kind(split, np.array(labels), np.array(values), patients), images
    store.save(run, list(kept.values()))
    for split, (written, _) in kept.items():
        read = store.scores(run, split)
        assert type(read) is type(written)
        assert read.split == split
        assert read.y_true.tolist() == written.y_true.tolist()
        assert read.y_score.tolist() == written.y_score.tolist()
        assert read.patient == written.patient


@few
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "phase": words,
                "epoch": st.integers(1, 999),
                "loss": st.floats(allow_nan=False),
                'odd, "name"': st.floats(0, 1) | st.just(""),
            }
        ),
        max_size=5,
    )
)
def test_a_history_is_read_back_exactly(rows: list[dict[str, Any]], fresh: Callable[[], Store]) -> None:
    store, run = fresh(), finished(spec())
    history = History.of(rows)
    store.save(run, history=history)
    assert store.history(run) == history
    assert [epoch.step for epoch in history.epochs] == list(range(1, len(rows) + 1))
    assert history.column("loss") == tuple(row["loss"] for row in rows)
    assert history.column('odd, "name"') == tuple(
        None if row['odd, "name"'] == "" else row['odd, "name"'] for row in rows
    )
    assert [(epoch.phase, epoch.epoch) for epoch in history.epochs] == [(row["phase"], row["epoch"]) for row in rows]


def test_a_model_lies_in_the_folder_of_its_run(store: Store) -> None:
    place = store.save(finished(spec()), write_model=lambda path: path.write_text("weights"))
    assert (place / "model.keras").read_text() == "weights"


def test_scores_of_a_run_without_any_are_a_clear_error(store: Store) -> None:
    store.save(finished(spec()))
    with pytest.raises(ConfigError, match=r"predictions\.parquet: is missing; run the card again"):
        store.scores(finished(spec()), "test")


@pytest.mark.parametrize("kept", [0, 3, 0.5, -1], ids=["empty", "three bytes", "half", "all but one"])
def test_scores_in_a_cut_file_are_a_clear_error(store: Store, kept: float) -> None:
    run = finished(spec())
    path = store.save(run, [(scores(), names())]) / "predictions.parquet"
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if kept == 0.5 else int(kept)])
    with pytest.raises(ConfigError, match="cannot be read"):
        store.scores(run, "test")


def damaged(text: str) -> st.SearchStrategy[str]:
    return st.one_of(
        st.just(""),
        st.text(max_size=40),
        st.integers(0, len(text) - 2).map(lambda end: text[:end]),
        st.sampled_from(sorted(json.loads(text))).map(lambda key: without(text, key)).filter(lambda t: t != text),
        st.recursive(st.none() | st.booleans() | st.integers() | words, st.lists, max_leaves=5).map(json.dumps),
    )


def without(text: str, key: str) -> str:
    data = json.loads(text)
    optional = ("error", "decision", "at_chosen", "diagnosis", "checks", "probe", "environment", "files")
    return text if key in optional else json.dumps({k: v for k, v in data.items() if k != key})


GOOD, BAD = finished(spec(seed=0)), finished(spec(seed=1))


@few
@given(text=damaged(BAD.model_dump_json()))
def test_a_damaged_record_is_a_problem_with_its_path_and_hides_no_other(text: str, fresh: Callable[[], Store]) -> None:
    store = fresh()
    store.save(GOOD)
    path = store.save(BAD) / "run.json"
    path.write_text(text, encoding="utf-8")
    runs, problems = store.runs()
    assert runs == [GOOD]
    assert [problem.startswith(f"{path}: ") for problem in problems] == [True]
    assert "\n" not in problems[0]
    assert store.get(BAD) is None


def test_a_damaged_record_can_be_written_again(store: Store) -> None:
    path = store.save(BAD) / "run.json"
    path.write_bytes(b"\xff\xfe")
    assert len(store.runs()[1]) == 1
    store.save(BAD)
    assert store.runs() == ([BAD], [])


def test_a_record_of_a_newer_version_is_refused_by_its_version(store: Store) -> None:
    path = store.save(BAD) / "run.json"
    path.write_text(json.dumps({"version": RECORD_VERSION + 1, "unheard": "of"}), encoding="utf-8")
    [problem] = store.runs()[1]
    assert f"newer version of zoo (record version {RECORD_VERSION + 1}, this one knows {RECORD_VERSION})" in problem
    assert "delete" not in problem


def test_a_store_of_a_newer_version_is_refused_by_its_version(store: Store) -> None:
    store.save(GOOD)
    (store.root / "store.json").write_text(json.dumps({"version": STORE_VERSION + 1}))
    with pytest.raises(ConfigError, match=f"newer version of zoo .store version {STORE_VERSION + 1}") as caught:
        Store(store.root)
    assert len(caught.value.lines) == 1


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}", "null"])
def test_a_damaged_mark_costs_no_run(store: Store, text: str) -> None:
    store.save(GOOD)
    mark = store.root / "store.json"
    mark.write_text(text)
    with pytest.raises(ConfigError, match="delete only this file, the runs remain"):
        Store(store.root)
    mark.unlink()
    again = Store(store.root)
    again.save(BAD)
    assert again.runs() == ([GOOD, BAD], [])


def test_a_store_that_is_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs"
    path.write_text("")
    with pytest.raises(ConfigError, match="is a file; give a folder"):
        Store(path)


def test_files_that_are_no_runs_are_left_alone(store: Store) -> None:
    store.save(GOOD)
    (store.root / "notes.txt").write_text("mine")
    (store.root / "empty").mkdir()
    store.sweep()
    assert store.runs() == ([GOOD], [])
    assert {"notes.txt", "empty"} <= set(visible(store))


def give_up(path: Path) -> NoReturn:
    path.write_text("half a model")
    raise KeyboardInterrupt


def disk_full(path: Path) -> NoReturn:
    path.write_text("half a model")
    raise OSError(28, "No space left on device", str(path))


@pytest.mark.parametrize("interrupt", [give_up, disk_full])
def test_an_interrupted_writer_leaves_nothing(store: Store, interrupt: Callable[[Path], NoReturn]) -> None:
    with pytest.raises((KeyboardInterrupt, OSError)):
        store.save(GOOD, [(scores(), names())], History.of([{"loss": 1}]), interrupt)
    assert store.runs() == ([], [])
    assert visible(store) == ["store.json"]
    assert leftovers(store) == []


@pytest.mark.parametrize("interrupt", [give_up, disk_full])
def test_an_interrupted_writer_leaves_what_was_there(store: Store, interrupt: Callable[[Path], NoReturn]) -> None:
    first = finished(spec())
    store.save(first, [(scores("val"), names()), (scores(), names())])
    before = store.runs()
    with pytest.raises((KeyboardInterrupt, OSError)):
        store.save(finished(spec(), auc=0.7), write_model=interrupt)
    assert store.runs() == before
    assert [run.figures() for run in before[0]] == [first.figures()]
    assert len(store.scores(first, "test")) == 4
    assert leftovers(store) == []


def test_what_an_interrupted_writer_left_is_swept_when_it_is_a_day_old(store: Store) -> None:
    store.save(GOOD)
    old, young = store.root / ".writing-old", store.root / ".writing-young"
    for folder in (old, young):
        folder.mkdir()
        (folder / "run.json").write_text(BAD.model_dump_json())
    past = time.time() - DAY_S - 60
    for path in (old / "run.json", old):
        os.utime(path, (past, past))
    os.utime(store.root / GOOD.run_id, (past, past))
    assert store.runs() == ([GOOD], [])
    store.sweep()
    assert leftovers(store) == [young]
    assert store.runs() == ([GOOD], [])


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_nothing_in_a_store_is_unpickled(store: Store, tmp_path: Path) -> None:
    went_off = tmp_path / "went-off"
    place = store.save(GOOD, [(scores(), names())], History.of([{"loss": 1}]))
    for path in (*place.iterdir(), place / "model.keras", place / "run.pkl", store.root / "index.pkl"):
        path.write_bytes(pickle.dumps(Bomb(went_off), protocol=0))
    assert store.get(GOOD) is None
    assert len(store.runs()[1]) == 1
    with pytest.raises(ConfigError):
        store.history(GOOD)
    with pytest.raises(ConfigError):
        store.scores(GOOD, "test")
    assert not went_off.exists()


def test_scores_need_no_file_but_the_predictions(store: Store) -> None:
    place = store.save(GOOD, [(scores("val"), names()), (scores("test"), names())], History.of([{"loss": 1}]))
    for path in place.iterdir():
        if path.name != "predictions.parquet":
            path.unlink()
    assert store.scores(GOOD, "val").y_score.tolist() == scores("val").y_score.tolist()


HOLD_AND_WRITE = (
    "import sys, time\n"
    "from pathlib import Path\n"
    "from benchmark.runs.storage.store import Store\n"
    "from tests.support.tiny import finished, spec\n"
    "def stay(path):\n"
    "    path.write_text('half a model')\n"
    "    print('writing', flush=True)\n"
    "    time.sleep(600)\n"
    "store = Store(Path(sys.argv[1]))\n"
    "store.save(finished(spec(seed=0)))\n"
    "with store.claim('a' * 12) as mine:\n"
    "    store.save(finished(spec(seed=1)), write_model=stay)\n"
)


@dataclass(frozen=True)
class Killed:
    """A store whose writer was killed in the middle, and what it looked like before."""

    store: Store
    claimed_before: tuple[bool, bool]
    runs_before: tuple[list[Run], list[str]]
    exit_code: int


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    store = Store(tmp_path_factory.mktemp("killed") / "runs")
    writer = run_python(HOLD_AND_WRITE, str(store.root))
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        with store.claim("a" * 12) as its, store.claim("b" * 12) as other:
            before = its, other
        runs = store.runs()
    finally:
        writer.kill()
        writer.communicate()
    return Killed(store, before, runs, writer.returncode)


def test_a_claim_keeps_other_processes_from_this_run_alone(killed: Killed) -> None:
    assert killed.claimed_before == (False, True)


def test_a_claim_ends_when_its_holder_is_killed(killed: Killed) -> None:
    assert killed.exit_code == -signal.SIGKILL
    with killed.store.claim("a" * 12) as mine:
        assert mine


def test_a_run_that_is_being_written_is_not_there_yet(killed: Killed) -> None:
    runs, problems = killed.runs_before
    assert ([run.spec.seed for run in runs], problems) == ([0], [])


def test_a_killed_writer_leaves_nothing_that_can_be_read(killed: Killed) -> None:
    assert killed.store.runs() == killed.runs_before
    assert killed.store.get(finished(spec(seed=1))) is None
    assert len(leftovers(killed.store)) == 1


def test_a_claim_ends_with_its_block_and_with_an_error_in_it(store: Store) -> None:
    with pytest.raises(RuntimeError, match="within"), store.claim("a" * 12):
        raise RuntimeError("within")
    with store.claim("a" * 12) as first, store.claim("a" * 12) as second:
        assert (first, second) == (True, False)
    with store.claim("a" * 12) as mine:
        assert mine


def test_claims_are_not_listed_as_runs(store: Store) -> None:
    with store.claim(GOOD.run_id):
        assert store.runs() == ([], [])


WRITE = (
    "import contextlib, sys\n"
    "from pathlib import Path\n"
    "import numpy as np\n"
    "from benchmark.evidence.metrics.registry import Figure\n"
    "from benchmark.evidence.scores import TestScores\n"
    "from benchmark.runs.history import History\n"
    "from benchmark.runs.storage.store import Store\n"
    "from tests.support.tiny import finished, spec\n"
    "store, writer = Store(Path(sys.argv[1])), int(sys.argv[2])\n"
    "for number in range(12):\n"
    "    history = History.of([{'loss': writer}])\n"
    "    rows = TestScores('test', np.ones(50), np.arange(50) < 10 * writer, ('p',) * 50), ['i'] * 50\n"
    "    figures = {'test': {'recall': Figure('recall', writer / 5, None, None, None, None)}}\n"
    "    with contextlib.suppress(OSError):\n"
    "        store.save(finished(spec(seed=0), at_half=figures), [rows], history)\n"
    "    store.save(finished(spec(seed=1000 * writer + number), at_half=figures), [rows], history)\n"
)


@pytest.mark.slow
def test_two_processes_that_save_at_once_never_leave_a_broken_folder(store: Store) -> None:
    writers = [run_python(WRITE, str(store.root), number) for number in ("1", "2")]
    for writer in writers:
        writer.communicate()
    assert [writer.returncode for writer in writers] == [0, 0]
    runs, problems = store.runs()
    assert problems == []
    assert len(runs) == 2 * 12 + 1
    for run in runs:
        assert store.scores(run, "test").y_score.mean() == run.figures()["recall"].value
        assert len(store.history(run)) == 1
    assert leftovers(store) == []
