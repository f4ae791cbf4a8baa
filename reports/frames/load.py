"""Results as data frames: the runs, figures, scores, epochs and settings of a store.

Every function takes the store's folder and `frame`, which says what comes back:

- `"pandas"`: a `pandas.DataFrame` with pandas' own column types; missing numbers are NaN;
- `"polars"`: a `polars.DataFrame`, which shares its memory with the Arrow table;
- `"arrow"`: a `pyarrow.Table`, the door to everything else: `polars.from_arrow(table)` and
  `table.to_pandas(types_mapper=pandas.ArrowDtype)` read it without copying a column.

Missing is missing, never 0. All of them raise ConfigError, a ValueError of one line, for a folder that is not there, an
unknown run and a library that is not installed. A run whose folder cannot be read is left out with a RuntimeWarning
that names it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from benchmark.evidence.metrics.definitions import METRICS
from benchmark.evidence.metrics.influence import METRICS as WITH_INTERVAL
from benchmark.runs.storage.store import Store
from reports.frames.arrow import Frame, check_frame, column_type, common, converted, frame_of, table
from reports.results.settings import flat_settings
from zoo.config.strict_yaml import ConfigError, unknown

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from benchmark.evidence.metrics.definitions import Figure
    from benchmark.evidence.scores import SplitName
    from benchmark.runs.run import Run

Stage = Literal["bench", "search"]
_SPLITS: tuple[SplitName, ...] = ("val", "test")
_OF_DECISIONS = tuple(name for name, metric in METRICS.items() if metric.of_decisions is not None)
_KEY = {"run_id": "string", "card": "string", "seed": "int64"}
_RUN = {
    **_KEY,
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
    **_KEY,
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
_SCORE = {
    **_KEY,
    "split": "string",
    "image": "string",
    "patient": "string",
    "y_true": "int64",
    "y_score": "float64",
    "threshold": "float64",
}


@overload
def load_runs(store: str | Path, *, stage: Stage | None = ..., frame: Literal["pandas"] = ...) -> pandas.DataFrame: ...
@overload
def load_runs(store: str | Path, *, stage: Stage | None = ..., frame: Literal["polars"]) -> polars.DataFrame: ...
@overload
def load_runs(store: str | Path, *, stage: Stage | None = ..., frame: Literal["arrow"]) -> pyarrow.Table: ...
def load_runs(store: str | Path, *, stage: Stage | None = "bench", frame: Frame = "pandas") -> Any:
    """One row a run, failed ones too, by data, protocol, card and seed. `stage` None gives trials of searches as well.

    Columns, always the same ones in the same order:

    - who: `run_id`, `card`, `seed`, `stage`, `status` (ok, failed), `error`, `finished` (UTC);
    - on what: `data` (the source), `data_title`, `data_fingerprint`, `synthetic`, `negative_class`, `positive_class`,
      `protocol`, `image_size` (pixels a side), `builder`, `train_images`, `val_images`, `test_images` (counts),
      `split_fingerprint`;
    - decided: `threshold` (a probability, chosen on validation) and `threshold_rule`, `diagnosis` (codes of its
      findings with ", " between them, empty when healthy);
    - costs: `seconds`, `epochs`, `seconds_per_epoch`, `inference_ms_per_image`, `peak_memory_mib`, `parameters`,
      `trainable_parameters`, `model_kept`;
    - figures at threshold 0.5: `test_loss` and `val_loss`, then for each metric `test_METRIC` and `val_METRIC`, shares
      in [0, 1] but for losses, mcc in [-1, 1] and counts of images, with the bounds of its 95% interval in
      `test_METRIC_low` and `_high` where it has one;
    - figures on test at the chosen threshold: `test_chosen_METRIC`, for metrics of decisions.

    `load_figures` has all figures, in rows; `load_settings` what the cards and protocols say.
    """
    kept = _open(store, frame)
    columns = {**_RUN, **dict.fromkeys(_figure_columns(), "float64")}
    return frame_of(columns, [_run_row(run, kept) for run in _runs(kept, stage)], frame)


@overload
def load_figures(
    store: str | Path, *, stage: Stage | None = ..., frame: Literal["pandas"] = ...
) -> pandas.DataFrame: ...
@overload
def load_figures(store: str | Path, *, stage: Stage | None = ..., frame: Literal["polars"]) -> polars.DataFrame: ...
@overload
def load_figures(store: str | Path, *, stage: Stage | None = ..., frame: Literal["arrow"]) -> pyarrow.Table: ...
def load_figures(store: str | Path, *, stage: Stage | None = "bench", frame: Frame = "pandas") -> Any:
    """One row a run, split, threshold and metric: the tidy form of `load_runs`.

    Columns: `run_id`, `card`, `seed`, `split` (val, test), `at` (half, chosen), `threshold` (0.5 or the chosen one),
    `metric`, `value`, `low` and `high` (95% interval), `method` (of the interval), `reason` (why something is missing).
    """
    rows = []
    for run in _runs(_open(store, frame), stage):
        chosen = run.threshold.value if run.threshold else None
        for at, threshold, by_split in (("half", 0.5, run.at_half), ("chosen", chosen, run.at_chosen)):
            for split, figures in by_split.items():
                place = {**_key(run), "split": split, "at": at, "threshold": threshold}
                rows += [{**place, **_figure(name, figure)} for name, figure in figures.items()]
    return frame_of(_FIGURE, rows, frame)


@overload
def load_scores(
    store: str | Path,
    runs: Iterable[str] | None = ...,
    *,
    split: SplitName | None = ...,
    frame: Literal["pandas"] = ...,
) -> pandas.DataFrame: ...
@overload
def load_scores(
    store: str | Path, runs: Iterable[str] | None = ..., *, split: SplitName | None = ..., frame: Literal["polars"]
) -> polars.DataFrame: ...
@overload
def load_scores(
    store: str | Path, runs: Iterable[str] | None = ..., *, split: SplitName | None = ..., frame: Literal["arrow"]
) -> pyarrow.Table: ...
def load_scores(
    store: str | Path,
    runs: Iterable[str] | None = None,
    *,
    split: SplitName | None = None,
    frame: Frame = "pandas",
) -> Any:
    """One row an image that a run scored, of all finished benchmark runs or of the run ids `runs`, of both splits or of
    `split`.

    Columns: `run_id`, `card`, `seed`, `split` (val, test), `image` (its name in the data), `patient` (missing where not
    known), `y_true` (1 is the run's positive class), `y_score` (the network's probability of that class, not
    calibrated), `threshold` (the run's chosen one). What is chosen or fitted is chosen on val; test is for scoring.
    """
    import pyarrow as pa

    if split is not None and split not in _SPLITS:
        raise unknown("split", split, _SPLITS)
    kept = _open(store, frame)
    wanted = None if runs is None else list(dict.fromkeys(runs))
    found = _runs(kept, "bench" if wanted is None else None)
    if wanted is not None:
        by_id = {run.run_id: run for run in found}
        for name in wanted:
            if name not in by_id:
                raise unknown("run", name, by_id)
        found = [by_id[name] for name in wanted]
    parts = [
        _scores(run, kept, part)
        for run in found
        for part in _SPLITS
        if part in run.at_half and (split is None or part == split)
    ]
    return converted(pa.concat_tables(parts) if parts else table(_SCORE, []), frame)


@overload
def load_history(
    store: str | Path, *, stage: Stage | None = ..., frame: Literal["pandas"] = ...
) -> pandas.DataFrame: ...
@overload
def load_history(store: str | Path, *, stage: Stage | None = ..., frame: Literal["polars"]) -> polars.DataFrame: ...
@overload
def load_history(store: str | Path, *, stage: Stage | None = ..., frame: Literal["arrow"]) -> pyarrow.Table: ...
def load_history(store: str | Path, *, stage: Stage | None = "bench", frame: Frame = "pandas") -> Any:
    """One row a run and epoch, in the order of training.

    Columns: `run_id`, `card`, `seed`, `phase` (as the run named it), `epoch` (from 1 in each phase), `step` (from 1,
    through all phases), then what training recorded: `loss`, `accuracy`, `recall`, the same on validation as `val_*`,
    `seconds`.
    """
    kept = _open(store, frame)
    rows: list[dict[str, Any]] = []
    for run in _runs(kept, stage):
        for epoch in kept.history(run).epochs:
            place = {"phase": epoch.phase, "epoch": epoch.epoch, "step": epoch.step}
            rows.append({**_key(run), **place, **epoch.values})
    fixed = {**_KEY, "phase": "string", "epoch": "int64", "step": "int64"}
    return frame_of(fixed | {name: "float64" for row in rows for name in row if name not in fixed}, rows, frame)


@overload
def load_settings(
    store: str | Path, *, stage: Stage | None = ..., frame: Literal["pandas"] = ...
) -> pandas.DataFrame: ...
@overload
def load_settings(store: str | Path, *, stage: Stage | None = ..., frame: Literal["polars"]) -> polars.DataFrame: ...
@overload
def load_settings(store: str | Path, *, stage: Stage | None = ..., frame: Literal["arrow"]) -> pyarrow.Table: ...
def load_settings(store: str | Path, *, stage: Stage | None = "bench", frame: Frame = "pandas") -> Any:
    """One row a run, one column a setting, to be joined to `load_runs` by `run_id`.

    Columns: `run_id`, `card`, `seed`, then what the cards and protocols say, by path: `model.builder`,
    `recipe.optimizer.learning_rate`, `protocol.image_size`, ... A setting that is a number for one run and
    text for another (`protocol.views`: 2, fresh) is text for all.
    """
    rows = [{**_key(run), **flat_settings(run.spec)} for run in _runs(_open(store, frame), stage)]
    named = sorted({name: None for row in rows for name in row if name not in _KEY}, key=_group)
    columns = {**_KEY, **{name: common({type(row[name]) for row in rows if name in row}) for name in named}}
    texts = {name for name, kind in columns.items() if kind == "string"}
    return frame_of(columns, [{k: str(v) if k in texts else v for k, v in row.items()} for row in rows], frame)


def _open(store: str | Path, frame: Frame) -> Store:
    check_frame(frame)
    root = Path(store).expanduser()
    if not root.exists():
        raise ConfigError(f"{root}: no such store; `zoo bench --all --store {root}` makes one")
    return Store(root)


def _runs(store: Store, stage: Stage | None) -> list[Run]:
    if stage not in (None, "bench", "search"):
        raise unknown("stage", stage, ("bench", "search"))
    found, problems = store.runs(stage)
    for problem in problems:
        warnings.warn(problem, RuntimeWarning, stacklevel=3)
    return found


def _key(run: Run) -> dict[str, Any]:
    return {"run_id": run.run_id, "card": run.spec.card.name, "seed": run.spec.seed}


def _run_row(run: Run, store: Store) -> dict[str, Any]:
    data, costs = run.spec.dataset, run.costs
    row: dict[str, Any] = {
        **_key(run),
        "stage": run.spec.stage,
        "status": run.status,
        "error": run.error,
        "finished": datetime.fromisoformat(run.finished),
        "data": data.source,
        "data_title": data.title,
        "data_fingerprint": data.fingerprint,
        "synthetic": data.synthetic,
        "negative_class": data.classes[0],
        "positive_class": data.classes[1],
        "protocol": run.spec.protocol.name,
        "image_size": run.spec.protocol.image_size,
        "builder": run.spec.card.model.builder,
        **{f"{part}_images": run.split.sizes.get(part) for part in ("train", "val", "test")},
        "split_fingerprint": run.split.fingerprint,
        "threshold": run.threshold.value if run.threshold else None,
        "threshold_rule": run.spec.protocol.threshold.rule,
        "diagnosis": None if run.status == "failed" else ", ".join(finding.code for finding in run.diagnosis),
        **(costs.model_dump(exclude={"stages"}) if costs is not None else {}),
        "model_kept": store.has_model(run),
    }
    for split in _SPLITS:
        for name, figure in run.figures(split).items():
            row |= {f"{split}_{name}": figure.value, f"{split}_{name}_low": figure.low}
            row[f"{split}_{name}_high"] = figure.high
    chosen = run.figures("test", chosen=True)
    row |= {f"test_chosen_{name}": figure.value for name, figure in chosen.items()}
    return row


def _figure_columns() -> Iterator[str]:
    for split in ("test", "val"):
        yield f"{split}_loss"
        for metric in METRICS:
            yield f"{split}_{metric}"
            if metric in WITH_INTERVAL:
                yield from (f"{split}_{metric}_low", f"{split}_{metric}_high")
    yield from (f"test_chosen_{metric}" for metric in _OF_DECISIONS)


def _figure(name: str, figure: Figure) -> dict[str, Any]:
    bounds = {"value": figure.value, "low": figure.low, "high": figure.high}
    return {"metric": name, **bounds, "method": figure.method, "reason": figure.reason}


def _scores(run: Run, store: Store, split: SplitName) -> pyarrow.Table:
    import pyarrow as pa

    scores = store.scores(run, split)
    n = len(scores)
    same = {**_key(run), "split": split, "threshold": run.threshold.value if run.threshold else None}
    columns = {name: pa.repeat(pa.scalar(value, column_type(_SCORE[name])), n) for name, value in same.items()}
    columns |= {"image": pa.array(store.images(run, split)), "y_true": pa.array(scores.y_true)}
    columns["y_score"] = pa.array(scores.y_score)
    columns["patient"] = pa.nulls(n, pa.string()) if scores.patient is None else pa.array(scores.patient)
    return pa.table({name: columns[name] for name in _SCORE})


def _group(setting: str) -> int:
    return ("model", "recipe", "protocol").index(setting.partition(".")[0])
