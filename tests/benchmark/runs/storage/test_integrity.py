"""Nothing damaged is believed, nothing whole is lost: runs whose files were edited, swapped, cut or taken away."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.evidence.metrics import registry as definitions
from benchmark.evidence.metrics.registry import Figure, metrics, values
from benchmark.runs.deployment.model_files import REFERENCE, model_of
from benchmark.runs.execution.reuse import reusable_run
from benchmark.runs.run import Run
from benchmark.runs.storage.files import Damaged, Unreadable
from benchmark.runs.storage.integrity import disagreement
from benchmark.runs.storage.lookup import resolve_run
from benchmark.runs.storage.store import Store
from tests.support.records import on_test, planted
from tests.support.stored import keep
from zoo.config.errors import ConfigError

RECORD, PREDICTIONS, HISTORY, MODEL = "run.json", "predictions.parquet", "history.csv", "model.keras"
few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
Damage = Callable[[Path], None]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two runs, `attempt-1` and `attempt-2`."""
    store = Store(tmp_path / "runs")
    keep(store, "attempt-1")
    keep(store, "attempt-2", on_test(*planted(50, 70, seed=5)))
    return store


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two runs that no test changes."""
    root = tmp_path_factory.mktemp("original") / "runs"
    for name in ("attempt-1", "attempt-2"):
        keep(Store(root), name, on_test(*planted(20, 30, seed=5)))
    return root


def named(store: Store, card: str) -> tuple[Run, Path]:
    run = next(run for run in store.runs()[0] if run.spec.card.name == card)
    return run, store.root / run.run_id


def edit(path: Path, *keys: str, to: Any) -> None:
    """Another value at a place of a JSON file."""
    data = place = json.loads(path.read_text(encoding="utf-8"))
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = to
    path.write_text(json.dumps(data), encoding="utf-8")


def as_of_before(folder: Path) -> None:
    """A record as it was written before records held digests."""
    data = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    del data["files"]
    (folder / RECORD).write_text(json.dumps(data | {"version": 2}), encoding="utf-8")


def left_out(store: Store, folder: Path) -> str:
    """The line for a run that is left out while the other one is not."""
    runs, problems = store.runs()
    assert [run.run_id == folder.name for run in runs] == [False]
    (line,) = problems
    assert str(folder) in line
    assert line.isprintable()
    return line


def empty(folder: Path) -> None:
    (folder / PREDICTIONS).write_bytes(b"")


def perfect(folder: Path) -> None:
    """Scores that get every image right, in a file that can be read."""
    table = pq.read_table(folder / PREDICTIONS)
    column = pa.array([float(label) for label in table["y_true"].to_pylist()])
    pq.write_table(table.set_column(table.schema.get_field_index("y_score"), "y_score", column), folder / PREDICTIONS)


DAMAGES: dict[str, Damage] = {
    "empty predictions": empty,
    "no predictions": lambda folder: (folder / PREDICTIONS).unlink(),
    "garbled predictions": lambda folder: (folder / PREDICTIONS).write_text("no parquet"),
    "perfect predictions": perfect,
    "predictions are a folder": lambda folder: ((folder / PREDICTIONS).unlink(), (folder / PREDICTIONS).mkdir())[0],
    "no history": lambda folder: (folder / HISTORY).unlink(),
    "garbled history": lambda folder: (folder / HISTORY).write_bytes(b"loss,accuracy\nx,\xff"),
}


@pytest.mark.parametrize("before", [False, True], ids=["with digests", "record of before"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_run_with_a_damaged_file_is_named_and_left_out(store: Store, damage: Damage, before: bool) -> None:
    run, folder = named(store, "attempt-1")
    if before:
        as_of_before(folder)
        assert len(store.runs()[0]) == 2
    damage(folder)
    assert "run the card again" in left_out(store, folder)
    assert store.get(run) is None


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_run_is_computed_again_and_then_whole(store: Store, damage: Damage) -> None:
    run, folder = named(store, "attempt-1")
    assert reusable_run(store, run.spec) == run
    damage(folder)
    assert reusable_run(store, run.spec) is None
    keep(store, "attempt-1")
    assert store.runs()[1] == []
    assert reusable_run(store, run.spec) is not None


@pytest.mark.parametrize("before", [False, True], ids=["with digests", "record of before"])
@pytest.mark.parametrize(
    ("keys", "to", "says"),
    [
        (("at_half", "test", "auc", "value"), 0.99, "test at 0.5: auc is 0.99 in run.json, but 0.9"),
        (("at_half", "test", "auc", "value"), None, "auc is missing in run.json"),
        (("at_half", "test", "auc", "value"), 7.5, "auc 7.5 is not within 0 and 1"),
        (("at_half", "test", "auc", "high"), 1.5, "auc 1.5 is not within 0 and 1"),
        (("at_half", "test", "auc", "high"), 0.1, "auc: the interval ends at 0.1, below its start"),
        (("at_half", "test", "mcc", "value"), -1.5, "mcc -1.5 is not within -1 and 1"),
        (("at_half", "test", "loss", "value"), -0.1, "loss -0.1 is not within 0 and inf"),
        (("at_half", "val", "false_negatives", "value"), 0.0, "val at 0.5: false_negatives is 0 in run.json"),
        (("at_chosen", "test", "f1", "value"), 1.0, "test at the chosen threshold: f1 is 1 in run.json"),
        (("at_half", "train"), {}, "it has figures of train, but no scores of it"),
        (("at_half", "test", "auc", "metric"), "f1", "auc contains a figure of f1"),
        (("threshold", "value"), 0.95, "at the chosen threshold: "),
        (("threshold", "value"), None, "no such threshold"),
        (("threshold", "value"), 1.5, "the threshold 1.5 is not between 0 and 1"),
        (("threshold", "rule"), "yuden", "unknown threshold rule 'yuden'"),
        (("spec", "protocol", "threshold", "rule"), "yuden", "unknown rule 'yuden'"),
        (("spec", "protocol", "veiws"), 2, "spec.protocol.veiws: Extra inputs are not permitted"),
        (("spec", "protocol", "b\nad\x1b[2J"), 2, "spec.protocol.b ad [2J: "),
        (("files",), {"../../x": "0" * 64}, "files.../../x"),
        (("version",), math.inf, "Infinity"),
        (("version",), 10**400, "its version is not valid"),
        (("version",), True, "its version is not valid"),
        (("costs", "seconds"), math.nan, "NaN"),
    ],
)
def test_a_record_that_was_edited_is_named_by_what_is_wrong(
    store: Store, before: bool, keys: tuple[str, ...], to: Any, says: str
) -> None:
    _, folder = named(store, "attempt-1")
    if before:
        as_of_before(folder)
    edit(folder / RECORD, *keys, to=to)
    assert says in left_out(store, folder)


def test_a_number_that_json_cannot_hold_is_damage(store: Store) -> None:
    _, folder = named(store, "attempt-1")
    text = (folder / RECORD).read_text(encoding="utf-8")
    (folder / RECORD).write_text(text.replace('"seconds": ', '"seconds": 1e999, "other": ', 1), encoding="utf-8")
    assert "1e999" in left_out(store, folder)


def test_figures_that_differ_by_rounding_are_the_same(store: Store) -> None:
    run, folder = named(store, "attempt-1")
    auc = run.figures()["auc"].value
    assert auc is not None
    edit(folder / RECORD, "at_half", "test", "auc", "value", to=auc + 1e-9)
    assert store.runs()[1] == []
    edit(folder / RECORD, "at_half", "test", "auc", "value", to=auc - 1e-5)
    assert "auc" in left_out(store, folder)


def test_a_loss_with_penalties_is_taken_as_recorded(store: Store) -> None:
    _, folder = named(store, "attempt-1")
    edit(folder / RECORD, "at_half", "test", "loss", "value", to=123.0)
    assert store.runs()[1] == []


def test_a_failed_run_is_whole_with_scores_and_without(store: Store) -> None:
    _, folder = named(store, "attempt-1")
    data = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    data |= {"status": "failed", "error": "figures failed after training: no memory"}
    (folder / RECORD).write_text(json.dumps(data | {"at_half": {}, "at_chosen": {}}), encoding="utf-8")
    assert store.runs()[1] == []
    empty(folder)
    left_out(store, folder)
    (folder / PREDICTIONS).unlink()
    (folder / HISTORY).unlink()
    (folder / RECORD).write_text(json.dumps(data | {"at_half": {}, "at_chosen": {}, "files": {}}), encoding="utf-8")
    assert store.runs()[1] == []


@pytest.mark.parametrize("name", [RECORD, PREDICTIONS, HISTORY])
@pytest.mark.parametrize("target", ["pipe", "/dev/zero", "/proc/kmsg", "/nowhere"])
def test_what_is_no_file_is_named_and_never_opened(store: Store, name: str, target: str) -> None:
    _, folder = named(store, "attempt-1")
    path = folder / name
    path.unlink()
    if target == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(target)
    assert name in left_out(store, folder)


def test_a_record_of_any_size_is_not_read_whole(store: Store) -> None:
    _, folder = named(store, "attempt-1")
    os.truncate(folder / RECORD, 2**40)  # sparse: it takes no space
    assert "has 1,099,511,627,776 bytes" in left_out(store, folder)


def test_a_link_to_a_file_is_followed(store: Store, tmp_path: Path) -> None:
    run, folder = named(store, "attempt-1")
    (folder / PREDICTIONS).rename(tmp_path / "elsewhere")
    (folder / PREDICTIONS).symlink_to(tmp_path / "elsewhere")
    assert store.runs()[1] == []
    assert len(store.scores(run, "test")) == 200


@pytest.mark.parametrize("name", [RECORD, PREDICTIONS])
def test_permission_is_not_damage(store: Store, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    run, folder = named(store, "attempt-1")

    def refusing(path: Path, *arguments: Any, **more: Any) -> Any:
        if path == folder / name:
            raise PermissionError(13, "Permission denied", str(path))
        return really(path, *arguments, **more)

    really = Path.open
    monkeypatch.setattr(Path, "open", refusing)
    line = left_out(store, folder)
    assert line == f"{folder / name}: cannot be read: Permission denied"
    with pytest.raises(Unreadable, match="Permission denied"):
        reusable_run(store, run.spec)  # it may be whole: computing it again could replace what is there


def test_a_store_that_may_not_be_read_is_not_an_empty_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(path: Path) -> list[str]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "listdir", refusing)
    with pytest.raises(Unreadable, match="Permission denied"):
        store.runs()


def test_a_run_under_another_name_is_not_computed_over(store: Store) -> None:
    run, folder = named(store, "attempt-1")
    other, there = named(store, "attempt-2")
    shutil.rmtree(folder)
    shutil.copytree(there, folder)
    assert f"contains the run {other.run_id}" in left_out(store, folder)
    with pytest.raises(ConfigError, match="rename the folder"):
        reusable_run(store, run.spec)


def with_model(store: Store, card: str) -> tuple[Run, Path]:
    def write(path: Path) -> None:
        path.write_text(f"the model of {card}")
        path.with_name(REFERENCE).write_text(f"the reference of {card}")

    run, _ = named(store, card)
    parts = [(store.scores(run, split), store.images(run, split)) for split in ("val", "test")]
    store.save(run, parts, store.history(run), write)
    return named(store, card)


@pytest.mark.parametrize("damage", ["swapped", "missing", "pipe"])
def test_a_model_of_another_run_is_told_with_the_command_that_keeps_it(store: Store, damage: str) -> None:
    run, folder = with_model(store, "attempt-1")
    _, other = with_model(store, "attempt-2")
    keeping = run.spec.model_copy(update={"protocol": run.spec.protocol.model_copy(update={"keep_models": True})})
    assert model_of(run, store) == folder / MODEL
    assert reusable_run(store, keeping) == run
    (folder / MODEL).unlink()
    if damage == "swapped":
        shutil.copy(other / MODEL, folder / MODEL)
    elif damage == "pipe":
        os.mkfifo(folder / MODEL)
    with pytest.raises(ConfigError, match="zoo bench attempt-1 --keep-models") as refused:
        model_of(run, store)
    assert len(refused.value.lines) == 1
    assert reusable_run(store, keeping) is None
    assert store.runs()[1] == []  # figures do not rest on it


def test_a_model_that_was_put_beside_a_run_is_not_its_own(store: Store) -> None:
    run, folder = named(store, "attempt-1")
    (folder / MODEL).write_text("a model from elsewhere")
    with pytest.raises(
        Damaged, match=r"model\.keras: was not saved with the run; keep the model again with: zoo bench"
    ):
        model_of(run, store)


def test_a_reference_of_another_model_is_told_too(store: Store) -> None:
    run, folder = with_model(store, "attempt-1")
    (folder / REFERENCE).write_text("another reference")
    with pytest.raises(Damaged, match=rf"{REFERENCE}: is not the file that was saved"):
        model_of(run, store)


def test_a_name_that_means_a_damaged_run_says_what_is_wrong_with_it(store: Store) -> None:
    run, folder = named(store, "attempt-1")
    empty(folder)
    for name in ("attempt-1", "attempt-1:0", run.run_id, run.run_id[:6]):
        with pytest.raises(ConfigError, match=PREDICTIONS):
            resolve_run(store, name)
    (folder / RECORD).write_text("{")
    with pytest.raises(ConfigError, match=RECORD):
        resolve_run(store, run.run_id[:6])


def test_picking_a_run_tells_of_the_damaged_ones(store: Store) -> None:
    _, folder = named(store, "attempt-1")
    empty(folder)
    told: list[str] = []
    assert resolve_run(store, "attempt-2", told.append).spec.card.name == "attempt-2"
    assert [PREDICTIONS in line for line in told] == [True]


@pytest.mark.parametrize(
    "text", ['{"version": Infinity}', '{"version": 1e400}', '{"version": true}', '{"version": "1"}']
)
def test_a_mark_of_no_version_is_one_line(store: Store, text: str) -> None:
    (store.root / "store.json").write_text(text)
    with pytest.raises(ConfigError, match=r"store\.json: is damaged; delete only this file") as refused:
        Store(store.root)
    assert len(refused.value.lines) == 1


def test_a_mark_with_a_number_of_many_digits_is_one_short_line(store: Store) -> None:
    (store.root / "store.json").write_text(f'{{"version": 1{"0" * 100_000}}}')
    with pytest.raises(ConfigError, match="is damaged") as refused:
        Store(store.root)
    assert len(str(refused.value)) < 500


def test_a_mark_that_is_a_pipe_is_not_opened(store: Store) -> None:
    (store.root / "store.json").unlink()
    os.mkfifo(store.root / "store.json")
    with pytest.raises(ConfigError, match="is damaged"):
        Store(store.root)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def edited(draw: st.DrawFn, text: str) -> bytes:
    """A record after up to three edits somewhere in it, cut, or with other bytes at a place."""
    kind = draw(st.sampled_from(["edit", "edit", "edit", "cut", "bytes"]))
    raw = text.encode()
    if kind == "cut":
        return raw[: draw(st.integers(0, len(raw)))]
    if kind == "bytes":
        at = draw(st.integers(0, len(raw)))
        return raw[:at] + draw(st.binary(min_size=1, max_size=4)) + raw[at + 1 :]
    data = json.loads(text)
    for _ in range(draw(st.integers(1, 3))):
        place: Any = data
        while True:
            keys = sorted(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and place[key] and draw(st.integers(0, 9)):
                place = place[key]
                continue
            if draw(st.booleans()):
                place[key] = draw(st.floats(0, 1) | JSON)
            elif isinstance(place, dict) and draw(st.booleans()):
                place[draw(st.text(max_size=8))] = place.pop(key)
            else:
                del place[key]
            break
    return json.dumps(data).encode()


def check_that_nothing_false_is_returned(store: Store, wrong: str) -> None:
    """Every folder is a run or a line, and no run has a figure that its scores do not have."""
    runs, problems = store.runs()
    assert all(line.isprintable() for line in problems)
    assert len(runs) + len(problems) == 2
    for run in runs:
        assert run.run_id == wrong or not problems or wrong in problems[0]
        for chosen, figures in ((False, run.at_half), (True, run.at_chosen)):
            for split, recorded in figures.items():
                threshold = run.threshold.value if chosen and run.threshold else 0.5
                assert threshold is not None
                own = values(store.scores(run, split), threshold)  # type: ignore[arg-type]
                for name in metrics().keys() & recorded.keys():
                    assert recorded[name].value == pytest.approx(own[name], rel=1e-6, abs=1e-6)


@few
@given(data=st.data(), before=st.booleans())
def test_whatever_is_edited_in_a_record_no_false_figure_is_returned(
    data: st.DataObject, before: bool, original: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("edited") / "runs"
    shutil.copytree(original, root)
    _, folder = named(Store(root), "attempt-1")
    if before:
        as_of_before(folder)
    (folder / RECORD).write_bytes(data.draw(edited((folder / RECORD).read_text(encoding="utf-8"))))
    check_that_nothing_false_is_returned(Store(root), folder.name)


@few
@given(data=st.data(), name=st.sampled_from([PREDICTIONS, HISTORY]), before=st.booleans())
def test_whatever_is_changed_in_a_file_no_false_figure_is_returned(
    data: st.DataObject, name: str, before: bool, original: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("changed") / "runs"
    shutil.copytree(original, root)
    _, folder = named(Store(root), "attempt-1")
    if before:
        as_of_before(folder)
    raw = (folder / name).read_bytes()
    at = data.draw(st.integers(0, len(raw)))
    (folder / name).write_bytes(raw[:at] + data.draw(st.binary(max_size=8)) + raw[at + data.draw(st.integers(0, 8)) :])
    check_that_nothing_false_is_returned(Store(root), folder.name)


def test_a_metric_that_fails_or_failed_does_not_make_a_run_damaged(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = named(store, "attempt-1")
    scores = {split: store.scores(run, split) for split in ("val", "test")}
    failed = Figure.missing("mcc", "mcc of package benchmark raised ValueError: no such thing")
    before = run.model_copy(update={"at_half": {"test": run.at_half["test"] | {"mcc": failed}}})
    assert disagreement(before, scores) is None

    def fails(_: object) -> float:
        raise ValueError("no such thing")

    broken = replace(metrics()["mcc"], of_decisions=fails)
    monkeypatch.setattr(definitions, "_METRICS", definitions._METRICS | {"mcc": broken})
    assert disagreement(run, scores) is None
