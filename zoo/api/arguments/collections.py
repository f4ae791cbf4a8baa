"""Which collection of cards a benchmark runs if it names neither cards nor a collection."""

from __future__ import annotations

from benchmark.data.dataset import Dataset
from benchmark.runs.run import DatasetFacts
from reports.results.conditions.recognised import is_data
from zoo.api.output.messages import Messages
from zoo.models.card import ModelCard
from zoo.models.catalog import REPORT_COLLECTION, STARTER_COLLECTION, Catalog


def cards_for(dataset: Dataset, catalog: Catalog, messages: Messages) -> list[ModelCard]:
    """The cards that `--all` means for a data set, and every card that is not built in.

    Args:
        dataset: The images.
        catalog: All known cards.
        messages: Receives a note if the collection is not that of the report.

    Returns:
        The report's cards for the phantom and for the report's own data; the starter cards for all other data.
    """
    report = catalog.of(REPORT_COLLECTION)
    facts = DatasetFacts.of(dataset)
    published = {card.source.data for card in report.values() if card.source is not None and card.source.data}
    if facts.source == "phantom" or any(is_data(facts, name) for name in published):
        return list(catalog.of_default(REPORT_COLLECTION).values())
    messages.note(
        f"--all means the collection {STARTER_COLLECTION} for these images; --collection {REPORT_COLLECTION} runs the "
        "cards of the pneumonia report"
    )
    return list(catalog.of_default(STARTER_COLLECTION).values())
