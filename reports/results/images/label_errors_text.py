"""Sentences and rows about labels that are probably wrong."""

from __future__ import annotations

from benchmark.runs.storage.beside.label_errors import RecordedLabels
from reports.text import number, plural

MOST = 20
"""The most images in a table."""

HEADS = ("image", "part", "label", "suggested", "score of the label")
"""The heads of the table of images."""


def sentences(labels: RecordedLabels) -> list[str]:
    """How many labels are suspects, how they were found, and what to do with them."""
    lines = [
        f"{plural(len(labels.suspects), 'suspect')} among {labels.checked} images of train and validation, by "
        "confident learning on out-of-fold scores of a classifier of pixels, which agrees with "
        f"{labels.agreement:.1%} of the labels. Look at each: the rarer it agrees, the more suspects have the right "
        "label. zoo labels --out DIR writes their pictures.",
    ]
    if labels.is_tested:
        lines.append(
            "The labels were judged in one split, but this protocol tests every image in folds: a corrected label is a "
            "test label here. Compare cards after corrections under a protocol without test_folds."
        )
    else:
        lines.append("No test label was judged: labels that a model corrects favour that model.")
    if len(labels.suspects) > MOST:
        lines.append(f"The {MOST} most suspect ones are listed.")
    return lines


def rows(labels: RecordedLabels) -> list[tuple[str, ...]]:
    """The most suspect images, as rows under `HEADS`."""
    return [(each.name, each.part, each.label, each.suggested, number(each.score)) for each in labels.suspects[:MOST]]
