"""The fields of a protocol as a list: each with its value and its meaning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmark.runs.protocol import Protocol

MEANINGS = {
    "name": "how runs and reports name it: its file without the suffix",
    "title": "what it is for",
    "image_size": "side in pixels to which every image is resized",
    "seeds": "each card is trained once per seed: initial weights, dropout and orders depend on it",
    "sampling.train": "images to train on; null: all that the other parts leave",
    "sampling.val": "images to choose thresholds and epochs on; null: val_fraction of the training images",
    "sampling.test": "images to measure on; null: the test part of the source, or test_fraction of all images",
    "sampling.balanced": "whether each class gets the same number of images; else classes keep their shares",
    "sampling.val_fraction": "share of the training images that becomes validation if val is null",
    "sampling.test_fraction": "share of the images that becomes test if the source has no test part",
    "sampling.min_val": "a validation part of the source with fewer images is set aside",
    "split": "fixed: one split for all seeds; per-seed: another one for each seed",
    "split_seed": "decides which images go to which part",
    "view_seed": "decides the augmented views",
    "views": "augmented views per training image; fresh: a new one in each epoch",
    "max_epochs": "cap on the epochs of each phase of a card; null: the card decides",
    "precision": "of frozen layers: float32, bfloat16, or auto, what a trial of the machine chooses",
    "prefix": "the method for frozen layers: keras, filtered, or auto, what a trial of the machine chooses",
    "threshold": "two classes: the rule by which the threshold is chosen on validation",
    "decision": "three or more classes: the rule by which images are decided",
    "test_folds": "cross-validation: each image is tested once, in one of so many folds by patient; null: one test",
    "keep_models": "whether trained models are stored, for zoo predict and zoo export",
}
"""The meaning of each field; parts of `sampling` by path."""

_REASONS = "choices"  # not a condition: the reasons of a protocol that `auto` made


@dataclass(frozen=True)
class FieldRow:
    """A field of a protocol.

    Attributes:
        field: Its name, or its path as `sampling.train`.
        value: Its value as plain data.
        meaning: What it does.
        why: Why `auto` chose the value; None if it did not.
    """

    field: str
    value: Any
    meaning: str
    why: str | None = None


def field_rows(protocol: Protocol) -> list[FieldRow]:
    """List the fields of a protocol.

    Args:
        protocol: The protocol.

    Returns:
        The fields in the order of the file format, with the reasons of `auto`.
    """
    reasons = {choice.field: choice.why for choice in protocol.choices}
    return [FieldRow(field, value, MEANINGS.get(field, ""), reasons.get(field)) for field, value in _values(protocol)]


def _values(protocol: Protocol) -> Iterator[tuple[str, Any]]:
    for field, value in protocol.model_dump(mode="json", exclude={_REASONS}).items():
        if field == "sampling":
            yield from ((f"{field}.{part}", number) for part, number in value.items())
        elif field == "threshold":
            yield field, protocol.threshold.in_words()
        elif field == "decision":
            yield field, protocol.decision.in_words()
        else:
            yield field, value
