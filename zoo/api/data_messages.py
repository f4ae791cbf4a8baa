"""What to know about a data set before its figures are read."""

from __future__ import annotations

from collections.abc import Iterable

from benchmark.data.checks.leakage import leaks
from benchmark.data.dataset import Dataset
from benchmark.data.decoding.formats import formats
from benchmark.data.positive_class import positive_warning
from benchmark.data.splits import make_split
from benchmark.runs.execution.events import Event, Started
from benchmark.runs.run import DatasetFacts
from reports.claims.model import built_in_sources
from reports.results.recognised import identity_line
from zoo.api.messages import Messages
from zoo.models.card import ModelCard


def report_data(dataset: Dataset, messages: Messages, cards: Iterable[ModelCard] = ()) -> None:
    """Report to `messages` what is odd about `dataset`; `cards` are those that will run on it."""
    facts = DatasetFacts.of(dataset)
    if (warning := positive_warning(dataset.classes, dataset.positive)) is not None:
        messages.warn(warning)
    named = {card.source.data for card in cards if card.source is not None}
    if facts.known_as is not None and facts.known_as not in {*named, *(each.data for each in built_in_sources())}:
        messages.note(f"no card that runs and no built-in claims are about {facts.known_as} (--data-is)")
    if (count := len(dataset.problems)) > 0:
        files = "1 file is" if count == 1 else f"{count} files are"
        messages.warn(f"{files} left out; `zoo data` lists them")
    stored = formats(dataset)
    on_files = stored.warnings if stored is not None else ()
    for note in (*dataset.notes, *on_files, *filter(None, [identity_line(facts)])):
        messages.note(note)


class LeakCheck:
    """Warns about leakage between the parts of a split, once per split.

    It compares the images when the first run on a split has started: they are prepared then, and the comparison takes
    less time than that run needs to load its network.
    """

    def __init__(self, dataset: Dataset, messages: Messages) -> None:
        self._dataset = dataset
        self._messages = messages
        self._checked: set[str] = set()

    def handle(self, event: Event) -> None:
        """Check the split of a run that has just started."""
        if not isinstance(event, Started) or event.split.fingerprint in self._checked:
            return
        self._checked.add(event.split.fingerprint)
        protocol = event.spec.protocol
        split = make_split(self._dataset, protocol.sampling, event.spec.split_seed)
        for line in leaks(self._dataset, split, protocol.image_size).lines():
            self._messages.warn(f"leakage: {line}")
