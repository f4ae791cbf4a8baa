"""Patients of images, from file names by a declared pattern."""

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
"""Patterns that leave out the end of a name: a counter, a view or a letter behind the patient's number."""

_MIN_MATCHING = 0.8  # of the names
_MIN_STEMS = 3  # stems with several images: one or two are a class or a series
_MIN_JOINED = 0.1  # of the stems, and of the images
_MAX_IMAGES = 50  # per stem, on average


def compile_pattern(pattern: str | None) -> re.Pattern[str]:
    """Compile a pattern for patients.

    Args:
        pattern: A regular expression whose named groups form the patient's key; None for the public chest X-ray set's.

    Returns:
        The compiled pattern.

    Raises:
        DataError: It is not a regular expression with a named group.
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


def patient_facts(known: int, images: int, by_folder: bool = False) -> PatientFacts:
    """Say whether the patients of a folder are known.

    Args:
        known: Number of images with a known patient.
        images: Number of all images.
        by_folder: Whether patients come from folders, not from file names.

    Returns:
        The facts.
    """
    return PatientFacts("unknown" if not known else "folders" if by_folder else "names", known, images)


def patient_notes(images: Sequence[Image], facts: PatientFacts, remedy: str = "give --patients") -> tuple[str, ...]:
    """Say which patients of `images` are unknown, and by which pattern similar names would become one patient.

    Args:
        images: The images.
        facts: Whether their patients are known.
        remedy: What makes patients known.

    Returns:
        The notes.
    """
    line = facts.line()
    if line is None:
        return ()
    if not facts.known:
        line = (
            "no file name matches the default patient pattern: every image counts as a patient of its own; "
            f"{remedy}. If neither names nor a table tell patients apart, there is nothing to do: figures are too good "
            "if patients have several images"
        )
    near = near_names([image for image in images if image.patient == image.name])
    return (line,) if near is None else (line, near.line())


@dataclass(frozen=True)
class NearNames:
    """Images whose names differ from another's only at their end.

    Attributes:
        pattern: A pattern that joins them.
        first: One of two such names.
        second: The other.
        images: Number of such images.
        stems: Number of patients by `pattern`.
        crossing: Number of those patients with images in two parts.
    """

    pattern: str
    first: str
    second: str
    images: int
    stems: int
    crossing: int

    def line(self) -> str:
        """Describe the names and the pattern in one line."""
        across = f", {self.crossing} of them in two parts" if self.crossing else ""
        return (
            f"{self.images} file names differ from another's only at their end ({self.first} and {self.second}): if "
            f"these are images of one patient, give --patients '{self.pattern}', which gives {self.stems} "
            f"patients{across}"
        )


def near_names(images: Sequence[Image]) -> NearNames | None:
    """Find a pattern by which most names of `images` fall into many small groups.

    Args:
        images: Images without a known patient.

    Returns:
        The names and the pattern; None if names are plain counters or nothing is joined.
    """
    for pattern in _ENDINGS:
        compiled = re.compile(pattern)
        stems: dict[str, list[Image]] = defaultdict(list)
        for image in images:
            if (key := patient_key(image.name, compiled)) is not None:
                stems[key].append(image)
        matched = sum(map(len, stems.values()))
        several = [members for members in stems.values() if len(members) > 1]
        joined = sum(map(len, several))
        if matched < _MIN_MATCHING * len(images) or len(several) < max(_MIN_STEMS, _MIN_JOINED * len(stems)):
            continue
        if len(stems) * _MAX_IMAGES < matched or joined < _MIN_JOINED * matched:
            continue
        if len(stems) <= len({(image.part, image.label) for image in images}):  # names of parts or classes
            continue
        crossing = [members for members in several if len({image.part for image in members}) > 1]
        example = (crossing or several)[0]
        other = next((image for image in example if image.part != example[0].part), example[1])
        first, second = (image.name if crossing else image.name.rpartition("/")[2] for image in (example[0], other))
        return NearNames(pattern, first, second, joined, len(stems), len(crossing))
    return None
