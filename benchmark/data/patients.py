"""Which images belong to one patient, read from file names by a declared pattern."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.data.dataset import DataError, Image, PatientFacts

PUBLIC_CHEST_XRAY = (
    r"(?P<series>IM|NORMAL2)-(?:IM-)?(?P<number>\d+)-\d+(?:-\d+)?\.|"
    r"person(?P<person>\d+)_(?P<kind>bacteria|virus)_\d+(?:_\d+)?\."
)
"""File names of the public paediatric chest X-ray set. Its patient numbers start anew in each of the series bacteria,
virus, IM and NORMAL2, so that a number alone joins different children."""

_ENDINGS = (
    r"(?P<patient>.+)_\d+\.",
    r"(?P<patient>.+)-\d+\.",
    r"(?P<patient>.+) ?\(\d+\)\.",
    r"(?P<patient>.*\d)[_-][A-Za-z]+\d*\.",
    r"(?P<patient>.*\d)[A-Da-d]\.",
    r"(?P<patient>[^_-]*\d[^_-]*)[_-]",
)
"""Patterns that leave out how names of one patient's images end: a counter, a view, a letter, all behind the number."""

_MOST = 0.8  # of the names match
_FEWEST_STEMS = 3  # stems with several images: one or two are a class or a series
_SHARE = 0.1  # of the stems, and of the images, are joined
_LARGEST = 50  # images of a stem, on average


def compile_pattern(pattern: str | None) -> re.Pattern[str]:
    """`pattern`, or the public set's; the values of its named groups, together, are the patient's key.

    Raises DataError when it is not a regular expression with a named group.
    """
    try:
        compiled = re.compile(PUBLIC_CHEST_XRAY if pattern is None else pattern)
    except re.error as error:
        raise DataError(f"--patients '{pattern}': not a regular expression: {error}") from error
    if not compiled.groupindex:
        raise DataError(f"--patients '{pattern}': needs a named group for the patient, such as (?P<patient>\\d+)")
    return compiled


def patient_key(name: str, pattern: re.Pattern[str]) -> str | None:
    """The patient's key in a file name.

    Args:
        name: A relative POSIX path.
        pattern: It is matched from the start of the last part of `name`, or of all of `name` if it contains a slash.

    Returns:
        The values of the named groups, or None if the pattern does not match.
    """
    match = pattern.match(name if "/" in pattern.pattern else name.rpartition("/")[2])
    if match is None:
        return None
    return "-".join(f"{group}={value}" for group, value in sorted(match.groupdict().items()) if value) or None


def patient_facts(told: int, images: int, by_folder: bool = False) -> PatientFacts:
    """Whether the patients of a folder are known, `told` of its `images` by name or by the folder they lie in."""
    return PatientFacts("unknown" if not told else "folders" if by_folder else "names", told, images)


def patient_notes(images: Sequence[Image], facts: PatientFacts) -> tuple[str, ...]:
    """What to know of the patients of `images`, whose names told so many: one line, and one with a pattern that would
    join images with names nearly alike."""
    told = facts.line()
    if told is None:
        return ()
    if not facts.known:
        told = (
            "no file name matches the default patient pattern: every image counts as a patient of its own; give "
            "--patients"
        )
    alone = [image for image in images if image.patient == image.name]
    found = near_names(alone)
    return (told,) if found is None else (told, found.line())


@dataclass(frozen=True)
class NearNames:
    """`images` have names that differ from another's only at their end, such as `first` and `second`; `pattern` joins
    them into `stems`, of which `crossing` stand in two parts."""

    pattern: str
    first: str
    second: str
    images: int
    stems: int
    crossing: int

    def line(self) -> str:
        """The names, and the pattern that would join them."""
        across = f", {self.crossing} of them in two parts" if self.crossing else ""
        return (
            f"{self.images} file names differ from another's only at their end ({self.first} and {self.second}): if "
            f"these are images of one patient, give --patients '{self.pattern}', which makes {self.stems} "
            f"patients{across}"
        )


def near_names(images: Sequence[Image]) -> NearNames | None:
    """The first of `_ENDINGS` by which most names of `images` fall into many groups of a few; None where names are
    plain counters, or where nothing is joined."""
    for pattern in _ENDINGS:
        compiled = re.compile(pattern)
        stems: dict[str, list[Image]] = defaultdict(list)
        for image in images:
            if (key := patient_key(image.name, compiled)) is not None:
                stems[key].append(image)
        matched = sum(map(len, stems.values()))
        several = [members for members in stems.values() if len(members) > 1]
        joined = sum(map(len, several))
        if matched < _MOST * len(images) or len(several) < max(_FEWEST_STEMS, _SHARE * len(stems)):
            continue
        if len(stems) * _LARGEST < matched or joined < _SHARE * matched:
            continue
        if len(stems) <= len({(image.part, image.label) for image in images}):  # names that say the part or the class
            continue
        apart = [members for members in several if len({image.part for image in members}) > 1]
        shown = (apart or several)[0]
        other = next((image for image in shown if image.part != shown[0].part), shown[1])
        first, second = (image.name if apart else image.name.rpartition("/")[2] for image in (shown[0], other))
        return NearNames(pattern, first, second, joined, len(stems), len(apart))
    return None
