"""Statistical words of a summary, explained in a few words each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.summary.model import Summary

GLOSSARY = "docs/glossary.md"
"""The page with more about each word, in the program's documentation."""


_BETTER = (
    "the test of clearly worse, against a baseline; where the best card is one of the two, it is the same comparison, "
    "else all comparisons with baselines are counted together, so more cards may change this verdict too"
)
_ABOVE_CHANCE = "the whole 95% interval of its AUC lies above 0.5"


@dataclass(frozen=True)
class Explanation:
    """A word and its explanation, which continues the sentence `WORD: ...`."""

    word: str
    text: str


def explanations(summary: Summary, classes: Sequence[str]) -> tuple[Explanation, ...]:
    """The words that a summary uses, in reading order.

    Args:
        summary: The summary.
        classes: The names of the classes; of two, the positive one is last.

    Returns:
        The explanations; none without a best card.
    """
    best = summary.best
    if best is None:
        return ()
    words = [*_of_two(*classes)] if len(classes) == 2 else [*_of_several()]
    words.append(
        Explanation(
            "[low, high]",
            "the 95% interval: the values that are compatible with these test images; with more images it is narrower",
        )
    )
    if best.leading.is_chosen:
        words.append(
            Explanation(
                "chosen on validation",
                "on images that are neither trained on nor tested, so that the test is fair",
            )
        )
    if summary.comparisons is not None:
        words += [
            Explanation(
                "clearly worse",
                "chance alone would rarely give such a difference: in fewer than 5% of tests, all comparisons with the "
                "best card counted together (Holm's method); with more cards there are more comparisons, so the "
                "verdict on a card may change although its figures do not",
            ),
            Explanation(
                "cannot be distinguished",
                "these images do not show which is better; they do not show that both are equal",
            ),
        ]
    if summary.baselines:
        has_card = any(each.card is not None for each in summary.baselines)
        words.append(Explanation("clearly better", _BETTER if has_card else _ABOVE_CHANCE))
    return tuple(words)


def _of_two(negative: str, positive: str) -> list[Explanation]:
    return [
        Explanation(
            "AUC",
            f"the chance that a random {positive} image has a higher score than a random {negative} image; 0.5 is "
            "guessing, 1 is perfect",
        ),
        Explanation("sensitivity", f"the share of {positive} images that are predicted as {positive} (recall)"),
        Explanation("specificity", f"the share of {negative} images that are predicted as {negative}"),
        Explanation("accuracy", "the share of all images that are predicted correctly"),
        Explanation("precision", f"of the images that are predicted as {positive}, the share that are {positive}"),
        Explanation("threshold", f"the score at or above which an image is predicted as {positive}"),
    ]


def _of_several() -> list[Explanation]:
    return [
        Explanation(
            "macro AUC",
            "the chance that a random image of a class has a higher score for it than an image of another class, as a "
            "mean over the classes; 0.5 is guessing, 1 is perfect",
        ),
        Explanation("accuracy", "the share of all images that are predicted correctly"),
        Explanation("recall", "the share of the images of a class that are predicted as this class"),
    ]
