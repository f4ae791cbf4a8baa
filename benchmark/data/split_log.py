"""What is noted of a split as it is drawn, and the errors where a part would lack a class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmark.data.dataset import DataError, Dataset, Image
from benchmark.data.quotas import Counts, Shares, count_classes
from benchmark.data.text import plural


@dataclass
class SplitLog:
    """Notes of a split of images of `classes` as it is drawn, the number of images that they leave out, and the parts
    whose sizes they explain."""

    classes: tuple[str, ...]
    notes: list[str] = field(default_factory=list)
    left_out: int = 0
    explained: tuple[str, ...] = ()

    def leave_out(self, count: int, note: str) -> None:
        """Count images that are left out, and note why; nothing for a count of 0."""
        if count:
            self.left_out += count
            self.notes.append(note)

    def reasons(self) -> str:
        """The notes as the end of a sentence."""
        return "".join(f"; {note}" for note in self.notes)

    def count(self, images: Sequence[Image]) -> Counts:
        """Count the images of each class."""
        return count_classes(images, len(self.classes))


def check_patients(dataset: Dataset, grouped: Sequence[Sequence[Image]], parts: Sequence[str], log: SplitLog) -> None:
    """Check that each of several parts can have a patient of each class.

    Args:
        dataset: The data set that is split.
        grouped: The images that the parts are drawn from, those of one patient together.
        parts: The names of the parts.
        log: What has been noted of the split.

    Raises:
        DataError: A class has too few patients.
    """
    labels = [{image.label for image in group} for group in grouped]
    patients = [sum(label in group for group in labels) for label in range(len(dataset.classes))]
    if min(patients) >= len(parts):
        return
    counts = list(zip(patients, dataset.classes, strict=True))
    if len(counts) == 2:
        raise DataError(
            f"{dataset.source}: {_listed(parts)} need patients of both classes, {len(parts)} of each; the images they "
            f"are drawn from contain {_listed([f'{count} of {name}' for count, name in counts])}" + log.reasons()
        )
    few = _listed([f"{plural(count, dataset.unit)} of {name}" for count, name in counts if count < len(parts)])
    raise DataError(
        f"{dataset.source}: {_listed(parts)} need {plural(len(parts), dataset.unit)} of every class; the images they "
        f"are drawn from contain {few}; add some, or leave the class out" + log.reasons()
    )


def check_classes(dataset: Dataset, name: str, part: Sequence[Image], requested: int | None, log: SplitLog) -> None:
    """Check that a part has images of every class.

    Args:
        dataset: The data set that is split.
        name: The name of the part.
        part: Its images.
        requested: The number of images that the protocol requests; None for all.
        log: What has been noted of the split.

    Raises:
        DataError: A class has none.
    """
    counts = log.count(part)
    if all(counts):
        return
    classes = len(counts)
    too_small = requested is not None and requested < classes
    why = f"; the protocol's sampling asks for {name} {requested}" if too_small else log.reasons()
    if classes == 2:
        present = f"{_by_class(counts, dataset.classes)}, and needs both classes"
    else:
        missing = [name for name, count in zip(dataset.classes, counts, strict=True) if not count]
        present = f"no images of {_listed(missing)}, and needs every class"
    raise DataError(f"{dataset.source}: the {name} split would contain {present}{why}")


def note_shares(
    dataset: Dataset, shared: Counts, shares: Shares, parts: Sequence[str], requests: str, log: SplitLog
) -> None:
    """Note that parts share too few images, if they do.

    Args:
        dataset: The data set that is split.
        shared: The number of images of each class that the parts are drawn from.
        shares: The number of images of each class that each part gets.
        parts: The names of the parts.
        requests: The requested sizes in words.
        log: What has been noted of the split; it gets the note.
    """
    if not shares.scaled:
        return
    others = [name for name in parts if name != "train"]
    rest = "gets the rest" if len(others) == 1 else "share the rest in proportion to their requested sizes"
    log.explained = tuple(parts)
    log.notes.append(
        f"{_listed(parts)} are drawn from the same {_by_class(shared, dataset.classes)}, too few for the protocol's "
        f"{requests}: train keeps half of each class; {_listed(others)} {rest}"
    )


def _by_class(counts: Counts, classes: Sequence[str]) -> str:
    """The number of images of each class: "3 images of A and 4 of B"."""
    first, *others = zip(counts, classes, strict=True)
    return _listed([f"{first[0]} images of {first[1]}", *(f"{count} of {name}" for count, name in others)])


def lack(present: Counts, classes: Sequence[str]) -> str:
    """Why as many images of each class as `present` has are none."""
    missing = [name for name, count in zip(classes, present, strict=True) if not count]
    if len(classes) > 2 and any(present) and missing:
        return f"no images of {_listed(missing)} are left for it"
    if len(classes) > 2 and any(present):
        return f"fewer images are requested than there are classes, {len(classes)}"
    return "the images left for it are all of one class" if any(present) else "no images are left for it"


def _listed(names: Sequence[str]) -> str:
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else names[0]
