"""Runs as Arrow tables, the source of `zoo.load_runs` and of the CSV files of a report."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from benchmark.evidence.metrics.keys import MeasureKey
from benchmark.evidence.metrics.multiclass import find_multiclass
from benchmark.evidence.metrics.registry import metrics
from reports.results.conditions.settings import flat_settings

if TYPE_CHECKING:
    import pyarrow

    from benchmark.runs.run import Run
    from benchmark.runs.storage.store import Store

Row = Mapping[str, Any]
KEY = {"run_id": "string", "card": "string", "seed": "int64"}
"""Types of the columns that identify a run in every table."""

CONDITIONS = ("data", "protocol", "synthetic")
"""Columns that contain the conditions of a run."""

_RUN = {
    **KEY,
    "stage": "string",
    "status": "string",
    "error": "string",
    "finished": "time",
    "data": "string",
    "data_title": "string",
    "data_fingerprint": "string",
    "synthetic": "bool",
    "negative_class": "string",
    "positive_class": "string",
    "protocol": "string",
    "image_size": "int64",
    "builder": "string",
    "train_images": "int64",
    "val_images": "int64",
    "test_images": "int64",
    "split_fingerprint": "string",
    "threshold": "float64",
    "threshold_rule": "string",
    "diagnosis": "string",
    "seconds": "float64",
    "epochs": "int64",
    "seconds_per_epoch": "float64",
    "inference_ms_per_image": "float64",
    "peak_memory_mib": "float64",
    "parameters": "int64",
    "trainable_parameters": "int64",
    "model_kept": "bool",
}
_FIGURE = {
    **KEY,
    "split": "string",
    "at": "string",
    "threshold": "float64",
    "metric": "string",
    "value": "float64",
    "low": "float64",
    "high": "float64",
    "method": "string",
    "reason": "string",
}
_OF_CLASSES = {"average": "string", "class": "string"}
_RUN_OF_CLASSES = {"classes": "string", "decision_rule": "string"}
"""Further columns of a store with runs on three or more classes."""


def arrow_table(columns: Mapping[str, str], rows: Iterable[Row]) -> pyarrow.Table:
    """Convert rows to an Arrow table.

    Args:
        columns: Type by column: an Arrow alias such as `float64`, or `time` for UTC times.
        rows: Values by column name; an absent value becomes null.

    Returns:
        The table, with exactly these columns.
    """
    import pyarrow as pa

    rows = list(rows)
    return pa.table(
        {name: pa.array([row.get(name) for row in rows], arrow_type(kind)) for name, kind in columns.items()}
    )


def arrow_type(kind: str) -> Any:
    """Return the Arrow type of an alias; `time` is a UTC time in microseconds."""
    import pyarrow as pa

    return pa.timestamp("us", tz="UTC") if kind == "time" else pa.type_for_alias(kind)


def runs_table(runs: Iterable[Run], store: Store) -> pyarrow.Table:
    """Return one row per run, with the columns of `zoo.load_runs`."""
    runs = list(runs)
    columns = {**_RUN, **dict.fromkeys(_figure_columns(), "float64")}
    if any(run.spec.fold is not None for run in runs):
        columns |= {"fold": "int64"}
    if several := [run for run in runs if has_several_classes(run)]:
        columns |= {**_RUN_OF_CLASSES, **dict.fromkeys(_multiclass_columns(several), "float64")}
    return arrow_table(columns, (_run_row(run, store) for run in runs))


def figures_table(runs: Iterable[Run]) -> pyarrow.Table:
    """Return one row per run, split, threshold and metric, with the columns of `zoo.load_figures`."""
    runs = list(runs)
    columns = dict(_FIGURE)
    if any(map(has_several_classes, runs)):
        before = list(_FIGURE).index("metric") + 1
        columns = dict([*list(_FIGURE.items())[:before], *_OF_CLASSES.items(), *list(_FIGURE.items())[before:]])
    return arrow_table(columns, (row for run in runs for row in _figure_rows(run)))


def settings_table(runs: Iterable[Run]) -> pyarrow.Table:
    """Return one row per run and one column per setting, with the columns of `zoo.load_settings`."""
    rows = [{**key_of(run), **flat_settings(run.spec)} for run in runs]
    names = sorted({name: None for row in rows for name in row if name not in KEY}, key=_group)
    columns = {**KEY, **{name: _common({type(row[name]) for row in rows if name in row}) for name in names}}
    texts = {name for name, kind in columns.items() if kind == "string"}
    return arrow_table(columns, [{k: str(v) if k in texts else v for k, v in row.items()} for row in rows])


def has_several_classes(run: Run) -> bool:
    """Return whether the data of a run have three or more classes."""
    return len(run.spec.dataset.classes) > 2


def threshold_of(run: Run) -> float | None:
    """Return the threshold chosen on validation, which some decision rules of three or more classes have too."""
    decision = run.decision
    chosen = run.threshold if decision is None else decision.threshold
    return None if chosen is None else chosen.value


def key_of(run: Run) -> dict[str, Any]:
    """Return the values of the KEY columns."""
    return {"run_id": run.run_id, "card": run.spec.card.name, "seed": run.spec.seed}


def conditions_of(run: Run) -> dict[str, Any]:
    """Return the values of the CONDITIONS columns."""
    spec = run.spec
    return {"data": spec.dataset.source, "protocol": spec.protocol.name, "synthetic": spec.dataset.synthetic}


def _run_row(run: Run, store: Store) -> dict[str, Any]:
    data, costs = run.spec.dataset, run.costs
    row: dict[str, Any] = {
        **key_of(run),
        "stage": run.spec.stage,
        "fold": None if run.spec.fold is None else run.spec.fold[1] + 1,
        "status": run.status,
        "error": run.error,
        "finished": datetime.fromisoformat(run.finished),
        **conditions_of(run),
        "data_title": data.title,
        "data_fingerprint": data.fingerprint,
        "negative_class": data.classes[0] if len(data.classes) == 2 else None,
        "positive_class": data.classes[1] if len(data.classes) == 2 else None,
        "image_size": run.spec.protocol.image_size,
        "builder": run.spec.card.model.builder,
        **{f"{part}_images": run.split.sizes.get(part) for part in ("train", "val", "test")},
        "split_fingerprint": run.split.fingerprint,
        "threshold": threshold_of(run),
        "threshold_rule": None if has_several_classes(run) else run.spec.protocol.threshold.rule,
        "diagnosis": None if run.status == "failed" else ", ".join(finding.code for finding in run.diagnosis),
        **(costs.model_dump(exclude={"stages"}) if costs is not None else {}),
        "model_kept": store.has_model(run),
        "classes": ", ".join(data.classes),
        "decision_rule": run.spec.protocol.decision.rule if has_several_classes(run) else None,
    }
    for split in ("val", "test"):
        for key, figure in run.figures(split).items():
            name = _column(key)
            row |= {f"{split}_{name}": figure.value, f"{split}_{name}_low": figure.low}
            row[f"{split}_{name}_high"] = figure.high
    chosen = run.figures("test", chosen=True)
    row |= {f"test_chosen_{_column(key)}": figure.value for key, figure in chosen.items()}
    return row


def _column(key: str) -> str:
    """The key of a figure in the name of a column: `recall_macro` for `recall:macro`."""
    return key.replace(":", "_")


def _multiclass_columns(runs: Iterable[Run]) -> Iterator[str]:
    """The columns of the figures of all classes that any of `runs` has; figures of one class are in rows only."""
    for split in ("test", "val"):
        for key in _keys(runs, split):
            yield from (f"{split}_{_column(key)}{end}" for end in ("", "_low", "_high"))
    for key in _keys(runs, "test", chosen=True):
        measure = find_multiclass(key)
        if measure is not None and measure.uses_decisions:
            yield f"test_chosen_{_column(key)}"


def _keys(runs: Iterable[Run], split: str, *, chosen: bool = False) -> list[str]:
    """The keys of figures of all classes, in table order."""
    keys = dict.fromkeys(key for run in runs for key in run.figures(split, chosen) if find_multiclass(key) is not None)
    return [key for key in keys if MeasureKey.parse(key).of_class is None]


def _figure_columns() -> Iterator[str]:
    for split in ("test", "val"):
        yield f"{split}_loss"
        for metric, record in metrics().items():
            yield f"{split}_{metric}"
            if record.kind != "count":
                yield from (f"{split}_{metric}_low", f"{split}_{metric}_high")
    yield from (f"test_chosen_{metric}" for metric in metrics(lambda record: record.uses_threshold))


def _figure_rows(run: Run) -> Iterator[Row]:
    half = None if has_several_classes(run) else 0.5
    for at, threshold, by_split in (("half", half, run.at_half), ("chosen", threshold_of(run), run.at_chosen)):
        for split, figures in by_split.items():
            for name, f in figures.items():
                key = {**key_of(run), "split": split, "at": at, "threshold": threshold, **_measure(name, run)}
                yield {**key, "value": f.value, "low": f.low, "high": f.high, "method": f.method, "reason": f.reason}


def _measure(name: str, run: Run) -> Row:
    """What a figure is of, in columns."""
    if not has_several_classes(run):
        return {"metric": name}
    key = MeasureKey.parse(name)
    return {"metric": key.metric, "average": key.average, "class": key.of_class}


def _common(kinds: Collection[type]) -> str:
    """Return the column type that fits the values of all `kinds`, of which there is at least one."""
    names = {bool: "bool", int: "int64", float: "float64"}
    if set(kinds) == {int, float}:
        return "float64"
    (first, *others) = set(kinds)
    return "string" if others else names.get(first, "string")


def _group(setting: str) -> int:
    return ("model", "recipe", "protocol").index(setting.partition(".")[0])
