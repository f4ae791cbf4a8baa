"""Which class is positive: the one that the user names, or the last of the source, with a warning if that is odd."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

from benchmark.data.classes import listed
from benchmark.data.dataset import DataError, Dataset

_NO_FINDING = re.compile(
    "|".join(
        (
            r"normal|normale|normales|normali|normals|normais|nofindings?",
            r"healthy|unaffected|uninfected|clear|gesunde?n?|unauffa?e?llige?",
            r"neg|negati[fv](e|es|a|as|o|os|i|s)?",
            r"benign(e|es|a|as|o|os|i)?|benins?|gutartige?n?",
            r"control|controls|controle|controles|controlo|controllo|controlli|kontrollen?|temoins?",
            r"san[aoi]s?|saine?s?|sadi[ao]s?|saudavel|saudaveis|saludables?",
        )
    )
)
"""Words for "no finding" in English, German, French, Spanish, Italian and Portuguese, without accents."""

_NOT = re.compile("no|non|not|none|without|kein|keinen?|nicht|ohne|aucune?|pas|sans|sin|ningun|nessuna?|senza|nao|sem")
_REACH = 2  # words after a negation that it applies to


def with_positive(dataset: Dataset, name: str) -> Dataset:
    """Make the class `name` of two positive, as the user asked.

    Args:
        dataset: The data set.
        name: The name of one of its two classes.

    Returns:
        The data set with this class last.

    Raises:
        DataError: There is no such class, or there are more than two classes.
    """
    if len(dataset.classes) > 2:
        raise DataError(
            f"--positive {name}: {dataset.source} has {len(dataset.classes)} classes ({listed(dataset.classes)}); only "
            "of two classes one is positive, so leave it out"
        )
    if name not in dataset.classes:
        has = " and ".join(dataset.classes)
        raise DataError(f"--positive {name}: {dataset.source} has the classes {has}; give one of them")
    return replace(in_order(dataset, name), positive=name)


def in_order(dataset: Dataset, positive: str) -> Dataset:
    """Swap the classes and labels if `positive` is the first of two classes; more than two stay as they are."""
    if len(dataset.classes) != 2 or positive != dataset.classes[0]:
        return dataset
    first, second = dataset.classes
    images = tuple(replace(image, label=1 - image.label) for image in dataset.images)
    return replace(dataset, classes=(second, first), images=images)


def positive_warning(classes: tuple[str, ...], positive: str | None) -> str | None:
    """Warn if the user named no positive class and the name of the last of two classes says that nothing was found.

    Args:
        classes: Their names; of two, the positive class is last. For more than two there is no warning.
        positive: The class that the user named, if any.

    Returns:
        The warning in one line, or None.
    """
    if len(classes) != 2 or positive is not None or not says_no_finding(classes[1]):
        return None
    return (
        f"'{classes[1]}' is taken as the positive class, the finding that recall, precision and predictive values are "
        f"about, because it comes last; if '{classes[0]}' is the finding, give --positive '{classes[0]}' (or "
        f"--positive '{classes[1]}' to keep it)"
    )


def says_no_finding(name: str) -> bool:
    """Whether a class name says in words that nothing was found.

    Args:
        name: The name, such as "normal", "sin hallazgos" or "no pneumonia", for which the answer is yes, or "abnormal"
            or "non-healthy", for which it is no.

    Returns:
        True if it does, in one of six languages.
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    decomposed = unicodedata.normalize("NFKD", spaced.casefold().replace("ß", "ss"))
    words = re.findall(r"[a-z]+", "".join(letter for letter in decomposed if not unicodedata.combining(letter)))
    negations = [_NOT.fullmatch(word) is not None for word in words]
    matches = [
        index
        for index, word in enumerate(words)
        if _NO_FINDING.fullmatch(word) and words[index : index + 2] not in (["clear", "cell"], ["clear", "cells"])
    ]
    if matches:
        return not any(negations[max(0, matches[0] - _REACH) : matches[0]])
    return bool(words) and (negations[0] or negations[-1])
