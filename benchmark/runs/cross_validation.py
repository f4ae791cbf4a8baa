"""The folds of a card and seed as one run: test scores in which every image appears once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from benchmark.evidence.metrics.influence import Cut
from benchmark.evidence.scores import AnyScores, MulticlassScores, scores_of
from benchmark.runs.run import Run, RunSpec


class CrossValidatedRun(Run):
    """The finished folds of a card and seed as one run, which no store contains.

    Its test scores are those of its folds. Nothing can be chosen on its validation scores: validation images of one
    fold are test images of another. Each fold has its own threshold and calibrator, so `threshold` has no value.

    Attributes:
        folds: The run of each fold, in order.
    """

    folds: tuple[Run, ...] = Field(exclude=True)


class IncompleteRun(Run):
    """The folds of a card and seed of which some have not finished, as one failed run, which no store contains.

    Attributes:
        folds: The runs of the folds that have a record, finished or failed.
        pending: The indices of the folds that a running benchmark has not finished yet.
    """

    folds: tuple[Run, ...] = Field(exclude=True)
    pending: tuple[int, ...] = Field(exclude=True)


def whole_spec(spec: RunSpec) -> RunSpec:
    """The specification of all folds together; that of an ensemble names the cards of its members, not their runs."""
    return spec.model_copy(update={"fold": None, "members": spec.card.members})


def is_fold(run: Run) -> bool:
    """Whether a run is one fold of a cross-validation that tests every image."""
    spec = run.spec
    return spec.stage == "bench" and spec.fold is not None and spec.protocol.test_folds is not None


def folds_of(run: Run) -> tuple[Run, ...]:
    """The runs behind a run: its folds, or the run itself."""
    return run.folds if isinstance(run, (CrossValidatedRun, IncompleteRun)) else (run,)


def is_pending(run: Run) -> bool:
    """Whether a running benchmark computes a run that has no figures yet."""
    return isinstance(run, IncompleteRun) and bool(run.pending)


def is_interrupted(run: Run) -> bool:
    """Whether a run has no figures yet because its benchmark ended before all folds ran, none of which failed."""
    return isinstance(run, IncompleteRun) and not run.pending and all(fold.error is None for fold in run.folds)


def is_unfinished(run: Run) -> bool:
    """Whether a run has no figures yet although nothing failed: a benchmark computes it, or was interrupted."""
    return is_pending(run) or is_interrupted(run)


def chosen_cut(run: Run, scores: AnyScores) -> Cut | None:
    """The threshold that a run of two classes chose on validation.

    Args:
        run: The run.
        scores: Its scores.

    Returns:
        One threshold, or that of each image's fold (n,); None where the run, or one of its folds, chose none.
    """
    if not isinstance(run, CrossValidatedRun):
        return run.threshold.value if run.threshold else None
    values = [fold.threshold.value if fold.threshold else None for fold in run.folds]
    known = [value for value in values if value is not None]
    if len(known) < len(values) or scores.fold is None:
        return None
    return np.array(known)[scores.fold]


def pooled_names(names: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Sort the images of all folds by name, so that their order does not depend on the folds.

    Args:
        names: The names of the images of each fold.

    Returns:
        The names, and their places in the folds one after the other.
    """
    together = [name for of_fold in names for name in of_fold]
    order = sorted(range(len(together)), key=lambda place: together[place])
    return tuple(together[place] for place in order), tuple(order)


def pooled_scores(parts: Sequence[AnyScores], names: Sequence[Sequence[str]]) -> AnyScores:
    """Put the scores of all folds together, in the order of `pooled_names`.

    Args:
        parts: The scores of each fold on one split.
        names: The names of their images.

    Returns:
        The scores with their folds.
    """
    first, order = parts[0], list(pooled_names(names)[1])
    classes = first.classes if isinstance(first, MulticlassScores) else ("negative", "positive")
    ordered = isinstance(first, MulticlassScores) and first.ordered
    known = all(part.patient is not None for part in parts)
    patients = [patient for part in parts for patient in part.patient or ()] if known else None
    fold = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    return scores_of(
        first.split,
        np.concatenate([part.y_true for part in parts])[order],
        np.concatenate([part.y_score for part in parts])[order],
        classes,
        None if patients is None else tuple(patients[place] for place in order),
        ordered=ordered,
        fold=fold[order],
    )
