"""Runs as TensorBoard logs: one folder a run with one event file, written without TensorFlow."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.render.markdown.table import table
from reports.results.settings import flat_settings
from reports.text import MISSING, measured
from reports.tracking.records import about, costs, final_figures, times, values
from zoo.config.strict_yaml import ConfigError

if TYPE_CHECKING:
    from benchmark.runs.history import Epoch
    from benchmark.runs.run import Run
    from benchmark.runs.storage.store import Store

FILE = "events.out.tfevents.zoo"


def write_logs(runs: Iterable[Run], store: Store, out: Path) -> list[Path]:
    """Write every run's folder below `out` and return them; one that is there is replaced, whole or not at all.

    A folder is `CARD-seedN-RUN_ID`, in `search/` for trials. It holds, by epoch, the scalars `loss/train`, `loss/val`
    and so on, then the final figures and costs at the last epoch, the settings as hyperparameters, and two texts:
    what the run is, and its figures with their intervals.
    Raises ConfigError when TensorBoard is not installed, OSError when a file cannot be written.
    """
    try:
        import tensorboard  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(
            "zoo log tensorboard: TensorBoard is not installed; `pip install 'zoo-bench[tensorboard]'`"
        ) from error
    written = []
    for run in runs:
        folder = out / ("search" if run.spec.stage == "search" else "") / folder_name(run)
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / FILE, _records(run, store.history(run).epochs))
        written.append(folder)
    return written


def folder_name(run: Run) -> str:
    """What the run is called in TensorBoard."""
    return f"{run.spec.card.name}-seed{run.spec.seed}-{run.run_id}"


def _records(run: Run, history: Sequence[Epoch]) -> bytes:
    from tensorboard.summary.writer.record_writer import RecordWriter

    buffer = io.BytesIO()
    writer = RecordWriter(buffer)
    for event in _events(run, history):
        writer.write(event.SerializeToString())
    return buffer.getvalue()


def _events(run: Run, history: Sequence[Epoch]) -> Iterator[Any]:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    start, end = times(run)
    yield Event(wall_time=start, file_version="brain.Event:2")
    yield Event(wall_time=start, summary=Summary(value=[_session_start(run, start)]))
    clock = start
    for epoch in history:
        clock = min(end, clock + epoch.values.get("seconds", 0.0))
        yield Event(wall_time=clock, step=epoch.step, summary=_scalars(_by_split(epoch.values)))
    last = history[-1].step if history else 0
    yield Event(wall_time=end, step=last, summary=_scalars({**values(final_figures(run)), **costs(run)}))
    texts = [_text("about", table(("what", "this run"), about(run).items())), _text("figures", _figures(run))]
    yield Event(wall_time=end, step=last, summary=Summary(value=texts))
    yield Event(wall_time=end, summary=Summary(value=[_session_end(run, end)]))


def _by_split(recorded: Mapping[str, float]) -> dict[str, float]:
    """`val_loss` as `loss/val` and `loss` as `loss/train`, so that TensorBoard puts the two side by side."""
    found = {}
    for name, value in recorded.items():
        part = "val" if name.startswith("val_") else "epoch" if name == "seconds" else "train"
        found[f"{name.removeprefix('val_')}/{part}"] = value
    return found


def _scalars(found: Mapping[str, float]) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Summary(value=[Summary.Value(tag=name, simple_value=value) for name, value in found.items()])


def _text(tag: str, lines: Sequence[str]) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
    from tensorboard.compat.proto.types_pb2 import DT_STRING
    from tensorboard.plugins.text.metadata import create_summary_metadata

    tensor = TensorProto(
        dtype=DT_STRING, tensor_shape=TensorShapeProto(), string_val=["\n".join(lines).encode("utf-8")]
    )
    metadata = create_summary_metadata(display_name=tag, description="")
    return Summary.Value(tag=tag, metadata=metadata, tensor=tensor)


def _session_start(run: Run, start: float) -> Any:
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionStartInfo

    spec = run.spec
    # Runs that differ in their seed alone are one group, and its figures are their means.
    info = SessionStartInfo(
        group_name=f"{spec.card.name}, {spec.protocol.name}, {spec.dataset.fingerprint[:12]}", start_time_secs=start
    )
    for name, value in flat_settings(spec).items():
        if isinstance(value, bool):
            info.hparams[name].bool_value = value
        elif isinstance(value, str):
            info.hparams[name].string_value = value
        else:
            info.hparams[name].number_value = value
    return _hparams("_hparams_/session_start_info", HParamsPluginData(session_start_info=info))


def _session_end(run: Run, end: float) -> Any:
    from tensorboard.plugins.hparams.api_pb2 import Status
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo

    status = Status.STATUS_SUCCESS if run.status == "ok" else Status.STATUS_FAILURE
    info = SessionEndInfo(status=status, end_time_secs=end)
    return _hparams("_hparams_/session_end_info", HParamsPluginData(session_end_info=info))


def _hparams(tag: str, data: Any) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams.metadata import NULL_TENSOR, create_summary_metadata

    return Summary.Value(tag=tag, metadata=create_summary_metadata(data), tensor=NULL_TENSOR)


def _figures(run: Run) -> list[str]:
    """Test figures, of a trial those on validation, with their intervals, at both thresholds."""
    split = "val" if run.spec.stage == "search" else "test"
    half, chosen = run.figures(split), run.figures(split, chosen=True)
    rows = [
        (name, *(measured(at.get(name), with_interval=True) if at else MISSING for at in (half, chosen)))
        for name in half
    ]
    return table((split, "at 0.5", "at the chosen threshold"), rows)


def _replace(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=".part-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, 0o644)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
