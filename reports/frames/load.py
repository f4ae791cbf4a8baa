"""Loads runs, figures, scores, epochs and settings of a store as data frames.

Every function takes the folder of a store, and `frame`, the type of the result:

- `"pandas"`: a `pandas.DataFrame` with pandas' own column types; missing numbers are NaN;
- `"arrow"`: a `pyarrow.Table`. Other libraries read it in one call, without copying a column:
  `polars.from_arrow(table)`, `table.to_pandas(types_mapper=pandas.ArrowDtype)`.

A missing value is null, never 0. Every function raises ConfigError, a ValueError of one line, if the folder does not
exist, a run is unknown or pandas is not installed. A run that cannot be read is left out with a RuntimeWarning.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from benchmark.runs.storage.remote.mirror import is_uri
from benchmark.runs.storage.remote.store import existing_store
from benchmark.runs.storage.store import Store
from reports.frames.scores import scores_table
from reports.frames.tables import KEY, arrow_table, figures_table, key_of, runs_table, settings_table
from zoo.config.errors import ConfigError
from zoo.config.strict_yaml import unknown

if TYPE_CHECKING:
    import pyarrow

    from benchmark.evidence.scores import SplitName
    from benchmark.runs.run import Run, Stage

Frame = Literal["pandas", "arrow"]
_STAGES: tuple[Stage, ...] = ("bench", "search", "curve")
_SPLITS: tuple[SplitName, ...] = ("val", "test")


def load_runs(store: str | Path, *, stage: Stage | None = "bench", frame: Frame = "pandas") -> Any:
    """One row per run, failed ones included, ordered by data, protocol, card and seed.

    The columns are always the same, in the same order:

    - the run: `run_id`, `card`, `seed`, `stage`, `status` (ok, failed), `error`, `finished` (UTC);
    - its data: `data` (the source), `data_title`, `data_fingerprint`, `synthetic`, `negative_class`, `positive_class`,
      `protocol`, `image_size` (pixels per side), `builder`, `train_images`, `val_images`, `test_images` (counts),
      `split_fingerprint`;
    - decisions: `threshold` (chosen on validation, in [0, 1]), `threshold_rule`, `diagnosis` (codes of its findings,
      separated by ", ", empty without findings);
    - costs: `seconds`, `epochs`, `seconds_per_epoch`, `inference_ms_per_image`, `peak_memory_mib`, `parameters`,
      `trainable_parameters`, `model_kept`;
    - figures at threshold 0.5: `test_loss` and `val_loss`, then per metric `test_METRIC` and `val_METRIC` with the
      bounds of the 95% interval, `test_METRIC_low` and `test_METRIC_high`. Shares are in [0, 1], mcc in [-1, 1];
    - test figures at the chosen threshold: `test_chosen_METRIC`, for metrics that depend on it.

    If there are runs on three or more classes, further columns follow: `classes` (their names), `decision_rule`, and
    the figures of all classes that the runs have, such as `test_recall_macro`. At 0.5 then means the class with the
    highest score, and `test_chosen_METRIC` are figures of the chosen decisions. Columns of the other kind of run are
    null. Figures of one class are in `load_figures` only.

    `load_figures` has all figures in rows, `load_settings` the settings of cards and protocols.

    Args:
        store: Folder of the store.
        stage: `"bench"`, `"search"` for trials of searches, `"curve"` for trainings of `zoo curve`, None for all.
        frame: `"pandas"` or `"arrow"`.

    Returns:
        The data frame.
    """
    source = _open(store, frame)
    return _converted(runs_table(_runs(source, stage), source), frame)


def load_figures(store: str | Path, *, stage: Stage | None = "bench", frame: Frame = "pandas") -> Any:
    """One row per run, split, threshold and metric: the tidy form of `load_runs`.

    Columns: `run_id`, `card`, `seed`, `split` (val, test), `at` (half, chosen), `threshold` (0.5 or the chosen one),
    `metric`, `value`, `low` and `high` (95% interval), `method` (of the interval), `reason` (why something is missing).

    If there are runs on three or more classes, `metric` is followed by `average` (macro, weighted, micro) and `class`
    (the class that is judged against the rest); both are null for figures of all classes together. `half` then means
    the class with the highest score, `chosen` the chosen decisions, and `threshold` is null where they have none.

    Args:
        store: Folder of the store.
        stage: `"bench"`, `"search"` for trials of searches, `"curve"` for trainings of `zoo curve`, None for all.
        frame: `"pandas"` or `"arrow"`.

    Returns:
        The data frame.
    """
    return _converted(figures_table(_runs(_open(store, frame), stage)), frame)


def load_scores(
    store: str | Path,
    runs: Iterable[str] | None = None,
    *,
    split: SplitName | None = None,
    frame: Frame = "pandas",
) -> Any:
    """One row per scored image and run.

    Columns: `run_id`, `card`, `seed`, `split` (val, test), `image` (its name in the data), `patient` (null if not
    known), `y_true` (1 is the positive class), `y_score` (uncalibrated probability of that class), `threshold` (the
    chosen one). Choose and fit on val only; test is for scoring.

    If a run has three or more classes, `y_true` is the index of its class, `y_score` is null, and further columns
    follow: `true_class` and `called_class` (names; the predicted one by the chosen decision, null without a decision),
    and `score:CLASS`, the uncalibrated probability of each class.

    Args:
        store: Folder of the store.
        runs: Run ids; None for all finished benchmark runs.
        split: `"val"` or `"test"`; None for both.
        frame: `"pandas"` or `"arrow"`.

    Returns:
        The data frame.
    """
    if split is not None and split not in _SPLITS:
        raise unknown("split", split, _SPLITS)
    source = _open(store, frame)
    requested = None if runs is None else list(dict.fromkeys(runs))
    selected = _runs(source, "bench" if requested is None else None)
    if requested is not None:
        by_id = {run.run_id: run for run in selected}
        for name in requested:
            if name not in by_id:
                raise unknown("run", name, by_id)
        selected = [by_id[name] for name in requested]
    return _converted(scores_table(selected, source, _SPLITS if split is None else (split,)), frame)


def load_history(store: str | Path, *, stage: Stage | None = "bench", frame: Frame = "pandas") -> Any:
    """One row per run and epoch, in the order of training.

    Columns: `run_id`, `card`, `seed`, `phase` (as the run named it), `epoch` (from 1 in each phase), `step` (from 1,
    through all phases), then the recorded values: `loss`, `accuracy`, `recall`, the same on validation as `val_*`,
    `seconds`.

    Args:
        store: Folder of the store.
        stage: `"bench"`, `"search"` for trials of searches, `"curve"` for trainings of `zoo curve`, None for all.
        frame: `"pandas"` or `"arrow"`.

    Returns:
        The data frame.
    """
    source = _open(store, frame)
    rows: list[dict[str, Any]] = []
    for run in _runs(source, stage):
        for epoch in source.history(run).epochs:
            position = {"phase": epoch.phase, "epoch": epoch.epoch, "step": epoch.step}
            rows.append({**key_of(run), **position, **epoch.values})
    fixed = {**KEY, "phase": "string", "epoch": "int64", "step": "int64"}
    recorded = {name: "float64" for row in rows for name in row if name not in fixed}
    return _converted(arrow_table(fixed | recorded, rows), frame)


def load_settings(store: str | Path, *, stage: Stage | None = "bench", frame: Frame = "pandas") -> Any:
    """One row per run, one column per setting, to join with `load_runs` by `run_id`.

    Columns: `run_id`, `card`, `seed`, then the settings of cards and protocols by path: `model.builder`,
    `recipe.optimizer.learning_rate`, `protocol.image_size`, ... A setting that is a number in one run and text in
    another (`protocol.views`: 2, fresh) is text in all.

    Args:
        store: Folder of the store.
        stage: `"bench"`, `"search"` for trials of searches, `"curve"` for trainings of `zoo curve`, None for all.
        frame: `"pandas"` or `"arrow"`.

    Returns:
        The data frame.
    """
    return _converted(settings_table(_runs(_open(store, frame), stage)), frame)


def _open(store: str | Path, frame: Frame) -> Store:
    """Open the store in that folder; raise ConfigError without one, or if `frame` is not available."""
    if frame not in get_args(Frame):
        raise ConfigError(
            f'frame={frame!r}: known are "pandas" and "arrow"; other libraries convert the Arrow table, '
            "as polars.from_arrow(table) does"
        )
    if frame == "pandas" and importlib.util.find_spec("pandas") is None:
        raise ConfigError("pandas is not installed; `pip install 'zoo-bench[frames]'`, or use frame=\"arrow\"")
    return existing_store(str(store) if is_uri(str(store)) else Path(store).expanduser())


def _runs(store: Store, stage: Stage | None) -> list[Run]:
    if stage not in (None, *_STAGES):
        raise unknown("stage", str(stage), _STAGES)
    runs, problems = store.runs(stage)
    for problem in problems:
        warnings.warn(problem, RuntimeWarning, stacklevel=3)
    return runs


def _converted(table: pyarrow.Table, frame: Frame) -> Any:
    return table if frame == "arrow" else table.to_pandas()
