"""TensorBoard reads back what the store holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from reports.tracking.tensorboard import FILE, folder_name, write_logs
from tests.support.records import HEALTHY, make_card, make_run, make_spec
from tests.support.stored import keep
from tests.support.tiny import ROOT
from zoo.config.strict_yaml import ConfigError


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What TensorBoard reads in a folder."""
    # TensorBoard's own reader looks for this module to know that it is to do without TensorFlow.
    monkeypatch.setitem(sys.modules, "tensorboard.compat.notf", ModuleType("notf"))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def accumulated(folder: Path) -> Any:
        found = EventAccumulator(str(folder))
        found.Reload()
        return found

    return accumulated


def text(found: Any, tag: str) -> str:
    return str(found.Tensors(tag)[0].tensor_proto.string_val[0].decode("utf-8"))


def hparams(found: Any, tag: str) -> Any:
    from tensorboard.plugins.hparams.metadata import (
        parse_session_end_info_plugin_data,
        parse_session_start_info_plugin_data,
    )

    parse = {"start": parse_session_start_info_plugin_data, "end": parse_session_end_info_plugin_data}[tag]
    return parse(found.SummaryMetadata(f"_hparams_/session_{tag}_info").plugin_data.content)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def written(runs: list[Run], store: Store, out: Path) -> list[Path]:
    folders = write_logs(runs, store, out)
    assert all((folder / FILE).is_file() for folder in folders)
    return folders


def test_epochs_are_scalars_with_training_and_validation_side_by_side(store: Store, tmp_path: Path, read: Any) -> None:
    run = keep(store, "attempt-1")
    (folder,) = written([run], store, tmp_path / "logs")
    found = read(folder)
    for tag, name in (("loss/train", "loss"), ("loss/val", "val_loss"), ("recall/val", "val_recall")):
        scalars = found.Scalars(tag)
        assert [scalar.step for scalar in scalars] == [1, 2, 3]
        assert np.allclose([scalar.value for scalar in scalars], HEALTHY[name])
        assert sorted(scalar.wall_time for scalar in scalars) == [scalar.wall_time for scalar in scalars]


def test_final_figures_are_scalars_at_the_last_epoch_and_a_text_with_intervals(
    store: Store, tmp_path: Path, read: Any
) -> None:
    run = keep(store, "attempt-1")
    found = read(written([run], store, tmp_path)[0])
    for tag, figure in (
        ("test/auc", run.figures()["auc"]),
        ("val/accuracy", run.figures("val")["accuracy"]),
        ("test_chosen/recall", run.figures(chosen=True)["recall"]),
    ):
        (scalar,) = found.Scalars(tag)
        assert scalar.step == 3
        assert scalar.value == pytest.approx(figure.value)
    auc = run.figures()["auc"]
    assert f"| auc | {auc.value:.3f} [{auc.low:.3f}, {auc.high:.3f}] |" in text(found, "figures")
    assert f"| run_id | {run.run_id} |" in text(found, "about")
    assert run.spec.dataset.fingerprint in text(found, "about")


def test_settings_are_hyperparameters_and_seeds_of_one_card_are_one_group(
    store: Store, tmp_path: Path, read: Any
) -> None:
    runs = [keep(store, "attempt-7", seed=seed) for seed in (0, 1)]
    found = [hparams(read(folder), "start") for folder in written(runs, store, tmp_path)]
    card = make_card("attempt-7")
    assert found[0].hparams["recipe.optimizer.learning_rate"].number_value == card.recipe.optimizer.learning_rate
    assert found[0].hparams["model.builder"].string_value == "vgg16"
    assert found[0].hparams["recipe.augmentation.horizontal_flip"].bool_value is False
    assert found[0].group_name == found[1].group_name
    assert [one.hparams["seed"].number_value for one in found] == [0, 1]


def test_a_failed_run_is_a_folder_that_says_why(store: Store, tmp_path: Path, read: Any) -> None:
    from tensorboard.plugins.hparams.api_pb2 import Status

    run = make_run("attempt-2", error="out of *memory* | here")
    store.save(run)
    found = read(written([run], store, tmp_path)[0])
    assert hparams(found, "end").status == Status.STATUS_FAILURE
    assert r"out of \*memory\* \| here" in text(found, "about")
    assert "test/auc" not in found.Tags()["scalars"]


def test_a_trial_stands_apart_and_shows_validation(store: Store, tmp_path: Path, read: Any) -> None:
    run = make_run("attempt-3")
    run = run.model_copy(
        update={
            "spec": make_spec("attempt-3").model_copy(update={"stage": "search"}),
            "at_half": {"val": run.at_half["val"]},
            "at_chosen": {},
        }
    )
    store.save(run)
    (folder,) = written([run], store, tmp_path)
    assert folder == tmp_path / "search" / folder_name(run)
    assert text(read(folder), "figures").startswith("| val |")


def test_writing_again_replaces_and_adds_nothing(store: Store, tmp_path: Path, read: Any) -> None:
    run = keep(store, "attempt-1")
    first = written([run], store, tmp_path / "logs")
    before = (first[0] / FILE).read_bytes()
    assert written([run], store, tmp_path / "logs") == first
    assert [path.name for path in first[0].iterdir()] == [FILE]
    assert (first[0] / FILE).read_bytes() == before
    assert len(read(first[0]).Scalars("loss/train")) == 3


def test_without_tensorboard_the_extra_is_named_in_one_line(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ConfigError, match=r"zoo-bench\[tensorboard\]") as caught:
        write_logs([], store, tmp_path)
    assert len(caught.value.lines) == 1


def test_the_command_writes_every_run_and_loads_no_tensorflow(store: Store, tmp_path: Path) -> None:
    keep(store, "attempt-1")
    keep(store, "attempt-7")
    arguments = ["zoo", "track", "tensorboard", "--store", str(store.root), "--out", str(tmp_path / "logs")]
    code = (
        f"import sys; from zoo.cli.app import app; sys.argv = {arguments!r}\n"
        "try: app()\n"
        "except SystemExit: pass\n"
        "print('HEAVY', sorted({'keras', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == f"wrote 2 runs to {tmp_path / 'logs'}\nHEAVY []\n"
    assert len(list((tmp_path / "logs").glob(f"*/{FILE}"))) == 2
