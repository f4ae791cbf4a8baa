"""What cards add over the strongest facts without content, on the same test images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmark.data.checks.shortcuts import Shortcut
from benchmark.evidence.comparison.multiclass import multiclass_differences
from benchmark.evidence.comparison.multiplicity import holm
from benchmark.evidence.comparison.paired import Difference, differences
from benchmark.evidence.intervals.seeds import MulticlassPairedScores, PairedScores, SeedFigure, seed_figure
from benchmark.evidence.scores import AnyScores, scores_of
from benchmark.runs.cross_validation import folds_of
from benchmark.runs.run import Run
from benchmark.runs.shortcuts import SplitShortcuts, auc_key, without_decisions
from benchmark.runs.storage.beside.shortcuts import shortcuts_of_run
from benchmark.runs.storage.store import Store
from reports.results.measured import AnyResults

_CARD, _FACTS = "card", "facts"


@dataclass(frozen=True)
class Gain:
    """What a card adds over facts without content.

    Attributes:
        card: The name of the card.
        difference: Its test AUC minus that of the facts, paired by image.
        p_adjusted: The p-value by Holm's method over the cards; None where no test exists.
    """

    card: str
    difference: Difference
    p_adjusted: float | None


@dataclass(frozen=True)
class ShortcutBaseline:
    """Facts without content, and what cards add over the strongest of them.

    Attributes:
        shortcuts: The groups of facts, judged on train and validation; of several splits, those of the first.
        scored: The groups that are scored on test: the strongest on train and validation of each split.
        test: Their test AUC, for three or more classes its macro mean; None where no card has these test images.
        gains: What each card adds.
    """

    shortcuts: tuple[Shortcut, ...]
    scored: tuple[str, ...]
    test: SeedFigure | None
    gains: tuple[Gain, ...]


def shortcut_baseline(measured: Mapping[str, AnyResults], store: Store) -> ShortcutBaseline | None:
    """Compare cards with facts without content.

    Args:
        measured: The results of the cards by name.
        store: The store, with what it recorded about the splits.

    Returns:
        The comparison; None if the store recorded nothing about the first card's split.
    """
    records: dict[str, SplitShortcuts | None] = {}
    shortcuts: tuple[Shortcut, ...] = ()
    facts: list[str] = []
    test, compared = None, {}
    for card, results in measured.items():
        for run in results.runs:
            for fold in folds_of(run):
                if fold.split.fingerprint not in records:
                    records[fold.split.fingerprint] = shortcuts_of_run(store, fold)
                if (record := records[fold.split.fingerprint]) is not None:
                    shortcuts = shortcuts or record.shortcuts
                    facts += [record.test.facts] if record.test is not None else []
        baseline = [_scores(run, results, index, records) for index, run in enumerate(results.runs)]
        scores = [each for each in baseline if each is not None]
        if not scores or len(scores) < len(baseline):
            continue
        paired = without_decisions(scores)
        key = auc_key(len(results.runs[0].spec.dataset.classes))
        test = test or seed_figure(key, paired.first(), class_sizes=results.class_sizes)
        compared[card] = _difference(key, results, paired)
    if not shortcuts:
        return None
    adjusted = holm([each.p_value for each in compared.values()])
    gains = tuple(Gain(card, one, p) for (card, one), p in zip(compared.items(), adjusted, strict=True))
    return ShortcutBaseline(shortcuts, tuple(dict.fromkeys(facts)), test, gains)


def _scores(
    run: Run, results: AnyResults, index: int, records: Mapping[str, SplitShortcuts | None]
) -> AnyScores | None:
    """The scores of the facts on the test images of a run, in its order; None if one is missing or of another class."""
    of_image: dict[str, tuple[int, tuple[float, ...]]] = {}
    for fold in folds_of(run):
        record = records[fold.split.fingerprint]
        if record is None or record.test is None:
            return None
        rows = zip(record.test.labels, record.test.scores, strict=True)
        of_image |= dict(zip(record.test.names, rows, strict=True))
    test, classes = results.test[index], run.spec.dataset.classes
    rows_of_run = [of_image.get(name) for name in results.images]
    known = [row for row in rows_of_run if row is not None]
    if len(known) < len(rows_of_run) or [label for label, _ in known] != test.y_true.tolist():
        return None
    y_score = np.array([scores for _, scores in known])
    return scores_of(
        "test",
        test.y_true,
        y_score[:, 1] if len(classes) == 2 else y_score,
        classes,
        test.patient,
        ordered=run.spec.dataset.ordered,
        fold=test.fold,
    )


def _difference(key: str, results: AnyResults, facts: PairedScores | MulticlassPairedScores) -> Difference:
    """The AUC of a card minus that of the facts. The facts have the same scores for every seed, as a probe has."""
    card = without_decisions(results.test)
    options = results.class_sizes
    if isinstance(card, PairedScores) and isinstance(facts, PairedScores):
        return differences((key,), {_CARD: card, _FACTS: facts}, class_sizes=options)[key, _CARD, _FACTS]
    assert isinstance(card, MulticlassPairedScores)
    assert isinstance(facts, MulticlassPairedScores)
    return multiclass_differences((key,), {_CARD: card, _FACTS: facts}, class_sizes=options)[key, _CARD, _FACTS]
