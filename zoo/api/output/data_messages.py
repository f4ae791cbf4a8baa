"""Messages about a data set: its class order, unreadable files, formats, leakage."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import numpy as np

from benchmark.data.checks.batch_effect import effects_of_split
from benchmark.data.checks.leakage import leaks
from benchmark.data.dataset import Dataset
from benchmark.data.decoding.formats import formats
from benchmark.data.positive_class import positive_warning
from benchmark.data.splits import Split
from benchmark.evidence.diagnosis.multiclass import classes_of_one_group
from benchmark.runs.drawn_split import draw_split
from benchmark.runs.execution.events import Event, Started
from benchmark.runs.run import DatasetFacts, RunSpec
from benchmark.runs.shortcuts import SplitShortcuts, shortcuts_of_split
from benchmark.runs.storage.beside.shortcuts import read_shortcuts, write_shortcuts
from benchmark.runs.storage.store import Store
from reports.claims.model import built_in_sources
from reports.results.conditions.recognised import identity_line
from zoo.api.output.messages import Messages
from zoo.models.card import ModelCard


def class_group_warnings(dataset: Dataset) -> list[str]:
    """Warn of classes that occur only with one value of an attribute, such as a site.

    Args:
        dataset: The data set. Its train part counts, and images without a part.

    Returns:
        One line per class and attribute, in the order of the attributes.
    """
    images = [image for image in dataset.images if image.part in ("train", "all")]
    findings = classes_of_one_group(
        np.array([image.label for image in images], dtype=np.int64),
        {column: [of.get(image.name, "") for image in images] for column, of in dataset.attributes.items()},
        dataset.classes,
        [image.patient for image in images] if dataset.unit == "patient" else None,
    )
    return [f"{finding.title}: {finding.evidence}" for finding in findings]


def report_data(dataset: Dataset, messages: Messages, cards: Iterable[ModelCard] = ()) -> None:
    """Report what a user should know about a data set before a run.

    Args:
        dataset: The data set.
        messages: Receives the warnings and notes.
        cards: The cards that will run; their published data sets are known names for `--data-is`.
    """
    facts = DatasetFacts.of(dataset)
    if (warning := positive_warning(dataset.classes, dataset.positive)) is not None:
        messages.warn(warning)
    for line in class_group_warnings(dataset):
        messages.warn(line)
    published = {card.source.data for card in cards if card.source is not None}
    published |= {source.data for source in built_in_sources()}
    if facts.known_as is not None and facts.known_as not in published:
        messages.note(f"--data-is {facts.known_as}: no card of this run and no built-in claims are about this data set")
    if (count := len(dataset.problems)) > 0:
        files = "1 file is" if count == 1 else f"{count} files are"
        messages.warn(f"{files} left out; `zoo data` lists {'it' if count == 1 else 'them'}")
    file_formats = formats(dataset)
    format_warnings = () if file_formats is None else file_formats.warnings
    for note in (*dataset.notes, *format_warnings, *filter(None, [identity_line(facts)])):
        messages.note(note)


class LeakCheck:
    """Warns about leakage between the parts of a split, about intensities that distinguish them, and about shortcuts.

    Leakage and intensities are checked once per split. Shortcuts are judged and recorded once per split, and warned of
    once. It compares the images when the first run on a split has started: they are decoded by then, and the comparison
    takes less time than that run needs to load its network.

    Args:
        dataset: The data set of the runs.
        messages: Receives the warnings.
        store: Where shortcuts are recorded; None to check leakage and intensities alone.
    """

    def __init__(self, dataset: Dataset, messages: Messages, store: Store | None = None) -> None:
        self._dataset = dataset
        self._messages = messages
        self._store = store
        self._checked: set[str] = set()

    def handle(self, event: Event) -> None:
        """Check the split of a run that has just started."""
        if not isinstance(event, Started) or event.split.fingerprint in self._checked:
            return
        first = not self._checked
        self._checked.add(event.split.fingerprint)
        split = draw_split(self._dataset, event.spec)
        for line in leaks(self._dataset, split, event.spec.protocol.image_size).lines():
            self._messages.warn(f"leakage: {line}")
        if event.spec.fold is None:  # folds are drawn at random
            for effect in effects_of_split(self._dataset, split, event.spec.protocol.image_size):
                if effect.significant:
                    self._messages.warn(f"{effect.line()}; a threshold may not transfer")
        if self._store is not None:
            recorded = self._shortcuts(event.spec, split, self._store)
            for shortcut in recorded.shortcuts:
                if shortcut.notable and first:  # the splits of one data set say nearly the same
                    say = self._messages.warn if shortcut.in_pixels else self._messages.note
                    say(f"shortcut: {shortcut.line()}")

    def _shortcuts(self, spec: RunSpec, split: Split, store: Store) -> SplitShortcuts:
        """The shortcuts of the split, from the store or computed and recorded there."""
        key = (self._dataset.fingerprint, split.fingerprint, spec.protocol.image_size)
        recorded = read_shortcuts(store, *key)
        if recorded is None:
            recorded = shortcuts_of_split(self._dataset, split, spec.protocol.image_size)
            with suppress(OSError):  # the run itself reports a store that cannot be written
                write_shortcuts(store, *key, recorded)
        return recorded
