"""Scores of runs as an Arrow table, the source of `zoo.load_scores`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from benchmark.evidence.decisions.decide import Decision, decide
from benchmark.evidence.scores import MulticlassScores
from reports.frames.tables import KEY, arrow_table, arrow_type, has_several_classes, key_of, threshold_of

if TYPE_CHECKING:
    import pyarrow

    from benchmark.evidence.scores import SplitName
    from benchmark.runs.run import Run
    from benchmark.runs.storage.store import Store

_SCORE = {
    **KEY,
    "split": "string",
    "image": "string",
    "patient": "string",
    "y_true": "int64",
    "y_score": "float64",
    "threshold": "float64",
}
_NAMES = {"true_class": "string", "called_class": "string"}


def scores_table(runs: Iterable[Run], store: Store, splits: Sequence[SplitName]) -> pyarrow.Table:
    """Return one row per run and scored image of `splits`, with the columns of `zoo.load_scores`.

    Args:
        runs: The runs.
        store: The store that contains them.
        splits: The splits; a run without scores of one has no rows of it.

    Returns:
        The table.
    """
    import pyarrow as pa

    runs = list(runs)
    several = [run for run in runs if has_several_classes(run)]
    columns = dict(_SCORE)
    if several:
        classes = dict.fromkeys(name for run in several for name in run.spec.dataset.classes)
        columns |= {**_NAMES, **{_score(name): "float64" for name in classes}}
    parts = [_part(run, store, split, columns) for run in runs for split in splits if split in run.at_half]
    return pa.concat_tables(parts) if parts else arrow_table(columns, [])


def _part(run: Run, store: Store, split: SplitName, columns: dict[str, str]) -> pyarrow.Table:
    """The rows of one split of one run."""
    import pyarrow as pa

    scores = store.scores(run, split)
    n = len(scores)
    same = {**key_of(run), "split": split, "threshold": threshold_of(run)}
    values: dict[str, Any] = {
        name: pa.repeat(pa.scalar(value, arrow_type(columns[name])), n) for name, value in same.items()
    }
    values |= {"image": pa.array(store.images(run, split)), "y_true": pa.array(scores.y_true)}
    if scores.patient is not None:
        values["patient"] = pa.array(scores.patient)
    values |= (
        _of_classes(run, scores) if isinstance(scores, MulticlassScores) else {"y_score": pa.array(scores.y_score)}
    )
    return pa.table(
        {name: values[name] if name in values else pa.nulls(n, arrow_type(kind)) for name, kind in columns.items()}
    )


def _of_classes(run: Run, scores: MulticlassScores) -> dict[str, pyarrow.Array]:
    """The columns that only runs on three or more classes have."""
    import pyarrow as pa

    called = decide(run.decision or Decision(classes=scores.classes), scores.y_score).tolist()
    return {
        "true_class": pa.array([scores.classes[label] for label in scores.y_true]),
        "called_class": pa.array([None if label < 0 else scores.classes[label] for label in called], pa.string()),
        **{_score(name): pa.array(column) for name, column in zip(scores.classes, scores.y_score.T, strict=True)},
    }


def _score(name: str) -> str:
    return f"score:{name}"
