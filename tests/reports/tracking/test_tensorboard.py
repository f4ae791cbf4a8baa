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
from zoo.config.errors import ConfigError


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
    return str(found.Tensors(f"{tag}/text_summary")[0].tensor_proto.string_val[0].decode("utf-8"))


def hyperparameters(found: Any) -> Any:
    from tensorboard.plugins.hparams.metadata import parse_session_start_info_plugin_data

    content = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    return parse_session_start_info_plugin_data(content).hparams


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
    assert f"| run\\_id | {run.run_id} |" in text(found, "about")
    assert run.spec.dataset.fingerprint in text(found, "about")


def test_settings_are_hyperparameters(store: Store, tmp_path: Path, read: Any) -> None:
    runs = [keep(store, "attempt-7", seed=seed) for seed in (0, 1)]
    first, second = (hyperparameters(read(folder)) for folder in written(runs, store, tmp_path))
    card = make_card("attempt-7")
    assert first["recipe.optimizer.learning_rate"].number_value == card.recipe.optimizer.learning_rate
    assert first["model.builder"].string_value == "vgg16"
    assert first["recipe.augmentation.horizontal_flip"].WhichOneof("kind") == "bool_value"
    assert [each["seed"].number_value for each in (first, second)] == [0, 1]


def test_a_failed_run_is_a_folder_that_says_why(store: Store, tmp_path: Path, read: Any) -> None:
    ended = "_hparams_/session_end_info"
    run = make_run("attempt-2", error="out of *memory* | here")
    store.save(run)
    failed, finished = (read(folder) for folder in written([run, keep(store, "attempt-1")], store, tmp_path))
    assert r"out of \*memory\* \| here" in text(failed, "about")
    assert "test/auc" not in failed.Tags()["scalars"]
    assert finished.SummaryMetadata(ended)
    with pytest.raises(KeyError):
        failed.SummaryMetadata(ended)


def test_a_trial_has_a_folder_of_its_own_and_shows_validation(store: Store, tmp_path: Path, read: Any) -> None:
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
    assert written([run], store, tmp_path / "logs") == first
    assert [path.name for path in first[0].iterdir()] == [FILE]
    assert len(read(first[0]).Scalars("loss/train")) == 3


def test_without_the_library_the_extra_is_named_in_one_line(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
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
