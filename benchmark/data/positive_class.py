"""Which class is the finding: named by the user, or taken by the order of the source and then questioned."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

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
"""Words that say that nothing was found: English, German, French, Spanish, Italian, Portuguese, without accents."""

_NOT = re.compile("no|non|not|none|without|kein|keinen?|nicht|ohne|aucune?|pas|sans|sin|ningun|nessuna?|senza|nao|sem")
_FOLLOWED = 2


def with_positive(dataset: Dataset, name: str) -> Dataset:
    """`dataset` with the class `name` as the positive one. Raises DataError when there is no such class."""
    if name not in dataset.classes:
        first, second = dataset.classes
        raise DataError(f"--positive {name}: {dataset.source} has the classes {first} and {second}; give one of them")
    return replace(in_order(dataset, name), positive=name)


def in_order(dataset: Dataset, positive: str) -> Dataset:
    """`dataset` with its classes and labels turned where `positive` is its first class; else as it is."""
    first, second = dataset.classes
    if positive != first:
        return dataset
    images = tuple(replace(image, label=1 - image.label) for image in dataset.images)
    return replace(dataset, classes=(second, first), images=images)


def positive_warning(classes: tuple[str, str], positive: str | None) -> str | None:
    """What to know where nobody named the `positive` class and the one taken sounds as if nothing were found."""
    if positive is not None or not says_no_finding(classes[1]):
        return None
    return (
        f"'{classes[1]}' is taken as the positive class, the finding that recall, precision and predictive values are "
        f"about, because it comes last; if '{classes[0]}' is the finding, give --positive '{classes[0]}' (or "
        f"--positive '{classes[1]}' to keep it)"
    )


def says_no_finding(name: str) -> bool:
    """Whether a class name says word by word that nothing was found: "normal", "sin hallazgos", "no pneumonia"; not
    "abnormal" or "non-healthy"."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    plain = unicodedata.normalize("NFKD", parted.casefold().replace("ß", "ss"))
    words = re.findall(r"[a-z]+", "".join(letter for letter in plain if not unicodedata.combining(letter)))
    denied = [_NOT.fullmatch(word) is not None for word in words]
    said = [
        place
        for place, word in enumerate(words)
        if _NO_FINDING.fullmatch(word) and words[place : place + 2] not in (["clear", "cell"], ["clear", "cells"])
    ]
    if said:
        return not any(denied[max(0, said[0] - _FOLLOWED) : said[0]])
    return bool(words) and (denied[0] or denied[-1])
