"""The plain text of figures and matrices of three or more classes, shared by terminal, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product

from benchmark.evidence.decisions.decide import Decision
from benchmark.evidence.estimate import Estimate
from benchmark.evidence.intervals.multiclass import few_units
from benchmark.evidence.metrics.keys import MeasureKey
from benchmark.evidence.metrics.registry import label_of
from benchmark.evidence.scores import MulticlassScores
from benchmark.runs.run import Run
from reports.results.guarantee_text import stated_share
from reports.results.multiclass.decision_text import decision_remarks
from reports.results.multiclass.figures import ClassMatrix, MulticlassCard, MulticlassProbabilities
from reports.text import MISSING, decimals_of, estimate, listed, number, plural, threshold

CLASS_METRICS = ("recall", "precision", "f1", "auc")
"""The metrics of each class against the rest in tables of classes; all of them are in JSON and CSV."""
NO_CALL = "no class"
"""The column of images without a decision."""
MOST_CLASSES = 20
"""With more classes than this, a matrix on a page cannot be read."""
_LETTERS = 40  # of all class names together that may head columns
_WITH_SHARES = 5  # classes, up to which a cell also has its share of the row
_CONFUSIONS = 5
_EMPTY = "·"


def overall_keys(figures: Iterable[str]) -> list[str]:
    """The keys of figures of all classes together and of macro means, in their order."""
    return [key for key in figures if not _is_detail(MeasureKey.parse(key))]


def _is_detail(key: MeasureKey) -> bool:
    return key.of_class is not None or key.average not in (None, "macro")


def few_images_note(scores: MulticlassScores) -> str | None:
    """A sentence that names the classes with too few images for intervals of 95%; None if there are none."""
    few = few_units(scores)
    if not few:
        return None
    counts = []
    for name, (images, patients) in few.items():
        of_patients = "" if scores.patient is None else f" of {plural(patients, 'patient')}"
        counts.append(f"{name} ({plural(images, 'image')}{of_patients})")
    return (
        f"Few test images of {listed(counts)}: intervals of their figures and of macro averages are cautious; they can "
        "be wider than 95% needs."
    )


def class_heads(metrics: Sequence[str] = CLASS_METRICS) -> list[str]:
    """The column heads of `class_rows`."""
    return ["class", "images", *map(label_of, metrics)]


def class_rows(
    figures: Mapping[str, Estimate | None],
    images: Mapping[str, int | None],
    metrics: Sequence[str] = CLASS_METRICS,
    *,
    with_interval: bool = True,
) -> list[list[str]]:
    """A row for each class with its figures against the rest.

    Args:
        figures: Figures by key, such as `recall:class:NORMAL`.
        images: The number of images of each class, in the order of the rows; None where it is not known.
        metrics: The metrics.
        with_interval: Whether figures have their 95% intervals.

    Returns:
        The rows under `class_heads(metrics)`.
    """
    rows = []
    for name, count in images.items():
        cells = [
            _figure(figures.get(str(MeasureKey(metric, of_class=name))), metric, with_interval) for metric in metrics
        ]
        rows.append([name, MISSING if count is None else str(count), *cells])
    return rows


def _figure(figure: Estimate | None, metric: str, with_interval: bool) -> str:
    decimals = decimals_of(metric)
    return estimate(figure, decimals) if with_interval else number(None if figure is None else figure.value, decimals)


def codes(classes: Sequence[str]) -> tuple[str, ...]:
    """Short column heads of classes: their names if they are short, else letters, or numbers beyond 26 classes."""
    if sum(map(len, classes)) <= _LETTERS:
        return tuple(classes)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return (
        tuple(letters[: len(classes)]) if len(classes) <= len(letters) else tuple(map(str, range(1, len(classes) + 1)))
    )


def matrix_heads(classes: Sequence[str], matrix: ClassMatrix) -> list[str]:
    """The column heads of `matrix_rows`: the codes of the predicted classes."""
    return ["true \\ predicted", *codes(classes), *([NO_CALL] if any(matrix.abstained) else []), "images"]


def matrix_rows(classes: Sequence[str], matrix: ClassMatrix) -> list[list[str]]:
    """A row for each true class with the number of images that were predicted as each class; a dot means none.

    With few classes a cell also has its share of the row.

    Args:
        classes: The names of the classes.
        matrix: The decisions.

    Returns:
        The rows under `matrix_heads`.
    """
    rows = []
    for label, (name, code) in enumerate(zip(classes, codes(classes), strict=True)):
        counts, shares = matrix.counts[label], matrix.by_row[label]
        cells = [_cell(count, share, len(classes)) for count, share in zip(counts, shares, strict=True)]
        abstained = matrix.abstained[label]
        extra = [str(abstained) if abstained else _EMPTY] if any(matrix.abstained) else []
        rows.append([name if code == name else f"{code} {name}", *cells, *extra, str(sum(counts) + abstained)])
    return rows


def _cell(count: int, share: float | None, classes: int) -> str:
    if not count:
        return _EMPTY
    return f"{count} ({share:.0%})" if classes <= _WITH_SHARES and share is not None else str(count)


def confusions(classes: Sequence[str], matrix: ClassMatrix, most: int = _CONFUSIONS) -> str:
    """A sentence with the most frequent confusions.

    Args:
        classes: The names of the classes.
        matrix: The decisions.
        most: The largest number of confusions to name.

    Returns:
        The sentence, also where no image was confused.
    """
    ranked = sorted(_off_diagonal(matrix), key=lambda cell: -cell[0])[:most]
    if not ranked:
        return "No image was predicted as a wrong class."
    parts = [
        f"{classes[true]} predicted as {classes[called]} ({count} of {plural(_images(matrix, true), 'image')})"
        for count, true, called in ranked
    ]
    return f"Most frequent confusions: {'; '.join(parts)}."


def _off_diagonal(matrix: ClassMatrix) -> Iterator[tuple[int, int, int]]:
    for true, called in product(range(len(matrix.counts)), repeat=2):
        if true != called and matrix.counts[true][called]:
            yield matrix.counts[true][called], true, called


def _images(matrix: ClassMatrix, label: int) -> int:
    return sum(matrix.counts[label]) + matrix.abstained[label]


def never_called(classes: Sequence[str], matrix: ClassMatrix) -> tuple[str, ...]:
    """The classes with images, none of which, nor any other image, was predicted as the class."""
    return tuple(
        name
        for label, name in enumerate(classes)
        if _images(matrix, label) and not any(row[label] for row in matrix.counts)
    )


def decision_lines(run: Run, card: MulticlassCard) -> list[str]:
    """Sentences about the decision that a run chose on validation, and about its calibration.

    Args:
        run: A finished run.
        card: The results of this run.

    Returns:
        The lines, without ends.
    """
    decision = run.decision
    lines = []
    if decision is not None:
        lines.append(f"decision: {decision.in_words()}")
        if decision.threshold is not None and decision.threshold.value is not None:
            lines.append(f"threshold {threshold(decision.threshold)}")
            share = stated_share(run)
            lines += () if share is None else share.lines()
        lines += decision_remarks(decision)
        if decision.reason is not None:
            lines.append(f"nothing was chosen: {decision.reason}; decisions are for the class with the highest score")
    for each in card.probabilities:
        lines.append(f"calibration: {calibration_text(each)}")
        errors = [part.top_label.ece for part in (each.before, each.after) if part is not None]
        lines.append(f"test ECE of the predicted class {' and calibrated '.join(map(number, errors))}")
    return lines


def decision_keys(decision: Decision) -> tuple[str, ...]:
    """The figures that show what a decision was chosen for; none for the highest score."""
    if decision.of_class is not None:
        of_class = (
            str(MeasureKey(metric, of_class=decision.of_class)) for metric in ("recall", "specificity", "precision")
        )
        return (*of_class, "accuracy")
    of_rule = {"cost": ("expected_cost",), "abstain": ("coverage", "selective_accuracy")}
    return (*of_rule[decision.rule], "accuracy", "recall:macro") if decision.rule in of_rule else ()


def calibration_text(row: MulticlassProbabilities) -> str:
    """The calibrator of a run and whether it is used."""
    return f"{row.method} scaling" + ("" if row.accepted else f" rolled back: {row.reason}")


def lowest_recall(figures: Mapping[str, Estimate], classes: Sequence[str]) -> tuple[str, Estimate] | None:
    """The class with the lowest recall, the first of equal ones, and its recall; None where no class has one."""
    known = [(name, figures.get(str(MeasureKey("recall", of_class=name)))) for name in classes]
    defined = [(name, figure) for name, figure in known if figure is not None and figure.value is not None]
    return min(defined, key=lambda each: each[1].value or 0.0, default=None)
