"""Writes runs as TensorBoard logs, one folder with one event file per run, without TensorFlow."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from reports.frames.tables import has_several_classes
from reports.render.markdown.table import table
from reports.results.conditions.settings import flat_settings
from reports.text import MISSING, measured
from reports.tracking.records import about, costs, final_figures, times, values
from zoo.config.atomic import atomic_file
from zoo.config.errors import ConfigError

if TYPE_CHECKING:
    from benchmark.runs.run import Run
    from benchmark.runs.storage.store import Store

FILE = "events.out.tfevents.zoo"


def write_logs(runs: Iterable[Run], store: Store, out: Path) -> list[Path]:
    """Write one folder per run below `out`: `CARD-seedN-RUN_ID`, in `search/` for trials.

    A folder holds, by epoch, the scalars `loss/train`, `loss/val` and so on, then the final figures and costs at the
    last epoch, the settings as hyperparameters, and two texts: the facts of the run, and its figures with intervals.
    An existing event file is replaced atomically.

    Args:
        runs: The runs, finished or failed.
        store: The store that contains them.
        out: The folder for `tensorboard --logdir`.

    Returns:
        The folders, one per run.

    Raises:
        ConfigError: tensorboardX is not installed.
        OSError: A file cannot be written.
    """
    try:
        from tensorboardX import SummaryWriter
    except ModuleNotFoundError as error:
        raise ConfigError(
            "zoo track tensorboard: tensorboardX is not installed; `pip install 'zoo-bench[tensorboard]'`"
        ) from error
    folders = []
    for run in runs:
        folder = out / ("" if run.spec.stage == "bench" else run.spec.stage) / folder_name(run)
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory() as work:
            with SummaryWriter(work) as writer:
                _write(writer, run, store)
            (events,) = Path(work).iterdir()
            with atomic_file(folder / FILE) as part:
                shutil.copyfile(events, part)
        folders.append(folder)
    return folders


def folder_name(run: Run) -> str:
    """The name of the run in TensorBoard."""
    return f"{run.spec.card.name}-seed{run.spec.seed}-{run.run_id}"


def _write(writer: Any, run: Run, store: Store) -> None:
    from tensorboardX.summary import hparams

    start, end = times(run)
    # `add_hparams` would add a folder and hide hyperparameters that only other cards have.
    _, session_start, session_end = hparams(flat_settings(run.spec), {})
    writer.file_writer.add_summary(session_start, walltime=start)
    clock, step = start, 0
    for epoch in store.history(run).epochs:
        clock, step = min(end, clock + epoch.values.get("seconds", 0.0)), epoch.step
        for name, value in _by_split(epoch.values).items():
            writer.add_scalar(name, value, step, clock)
    for name, value in {**values(final_figures(run)), **costs(run)}.items():
        writer.add_scalar(name, value, step, end)
    writer.add_text("about", "\n".join(table(("fact", "value"), about(run).items())), step, end)
    writer.add_text("figures", "\n".join(_figures(run)), step, end)
    if run.status == "ok":  # the library can only end a session as a success
        writer.file_writer.add_summary(session_end, walltime=end)


def _by_split(recorded: Mapping[str, float]) -> dict[str, float]:
    """`val_loss` as `loss/val` and `loss` as `loss/train`, so that TensorBoard puts the two side by side."""
    by_split = {}
    for name, value in recorded.items():
        part = "val" if name.startswith("val_") else "epoch" if name == "seconds" else "train"
        by_split[f"{name.removeprefix('val_')}/{part}"] = value
    return by_split


def _figures(run: Run) -> list[str]:
    """Test figures (validation figures of a trial) with their intervals, at both thresholds."""
    split = "val" if run.spec.stage == "search" else "test"
    half, chosen = run.figures(split), run.figures(split, chosen=True)
    rows = [
        (name, *(measured(at.get(name), with_interval=True) if at else MISSING for at in (half, chosen)))
        for name in half
    ]
    ways = ("highest score", "chosen decision") if has_several_classes(run) else ("at 0.5", "at the chosen threshold")
    return table((split, *ways), rows)
