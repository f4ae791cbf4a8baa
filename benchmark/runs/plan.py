"""Plans: the runs of cards under a protocol with several seeds, and the cards that are skipped, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmark.data.dataset import Dataset
from benchmark.data.splits import make_split
from benchmark.runs.protocol import Protocol, decision_problem
from benchmark.runs.run import DatasetFacts, RunSpec, SplitFacts
from zoo.config.errors import ConfigError
from zoo.models.card import ModelCard, recipe_problem
from zoo.models.registry import ONE_OUTPUT, find_weights, get_builder, smallest_image, supports_classes

MOST_SPLITS = 20
"""The most splits that are drawn before a plan starts; under `split: per-seed` there is one for each seed."""


@dataclass(frozen=True)
class Skip:
    """A card that cannot run on this machine under this protocol, and why."""

    card: ModelCard
    reason: str


@dataclass(frozen=True)
class Plan:
    """Runs in the order of the cards, and the cards that are skipped."""

    specs: tuple[RunSpec, ...]
    skips: tuple[Skip, ...]


def make_plan(
    cards: Iterable[ModelCard], protocol: Protocol, dataset: Dataset, seeds: Sequence[int] | None = None
) -> Plan:
    """Plan a run of each card with each seed.

    A card is skipped if its pretrained weights are not available, its network needs larger images, or its builder or
    recipe is for two classes and the data have more.

    Args:
        cards: The cards.
        protocol: The conditions that they share.
        dataset: The images.
        seeds: Seeds of the runs; the protocol's by default.

    Returns:
        The runs and the skipped cards.

    Raises:
        ConfigError: The threshold rule or the decision of the protocol does not fit the classes.
    """
    facts = DatasetFacts.of(dataset)
    if (problem := decision_problem(protocol, facts.classes, protocol.model_fields_set)) is not None:
        raise ConfigError(problem)
    specs: list[RunSpec] = []
    skips: list[Skip] = []
    for card in cards:
        reason = _obstacle(card, protocol, len(facts.classes))
        if reason is not None:
            skips.append(Skip(card, reason))
            continue
        specs += [
            RunSpec(card=card, protocol=protocol, dataset=facts, seed=seed)
            for seed in (protocol.seeds if seeds is None else seeds)
        ]
    return Plan(tuple(specs), tuple(skips))


@dataclass(frozen=True)
class PlannedSplit:
    """The split of the runs with these seeds."""

    seeds: tuple[int, ...]
    facts: SplitFacts


def planned_splits(plan: Plan, dataset: Dataset) -> tuple[PlannedSplit, ...]:
    """Draw the splits of a plan without reading a pixel.

    Args:
        plan: The plan.
        dataset: Its images.

    Returns:
        The splits, in the order of the runs; the first `MOST_SPLITS` of them.

    Raises:
        DataError: A split cannot be drawn as the protocol requests.
    """
    seeds: dict[int | tuple[int, int], dict[int, None]] = {}
    for spec in plan.specs:
        seeds.setdefault(spec.split_seed, {})[spec.seed] = None
    return tuple(
        PlannedSplit(tuple(of_split), SplitFacts.of(make_split(dataset, plan.specs[0].protocol.sampling, split_seed)))
        for split_seed, of_split in list(seeds.items())[:MOST_SPLITS]
    )


def _obstacle(card: ModelCard, protocol: Protocol, classes: int) -> str | None:
    """Why a card is skipped; None if it can run. Raises ConfigError for an unknown builder."""
    builder, params = get_builder(card.model.builder).name, card.model.params
    try:
        smallest = smallest_image(builder, params)
        if protocol.image_size < smallest:
            return (
                f"images of {protocol.image_size} px (protocol {protocol.name}: image_size) are too small: this "
                f"network needs at least {smallest} px"
            )
        if not supports_classes(builder, classes):
            return f"builder {builder}: {ONE_OUTPUT.format(classes=classes)}"
        if (problem := recipe_problem(card, classes)) is not None:
            return problem
        find_weights(builder, params)
    except ConfigError as error:
        return " ".join(error.lines)
    return None
