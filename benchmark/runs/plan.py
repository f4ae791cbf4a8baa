"""Cards x protocol x seeds: what will run, and what will not, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmark.data.dataset import Dataset
from benchmark.data.splits import make_split
from benchmark.runs.protocol import Protocol
from benchmark.runs.run import DatasetFacts, RunSpec, SplitFacts
from zoo.config.strict_yaml import ConfigError
from zoo.models.card import ModelCard
from zoo.models.registry import find_weights, get_builder, smallest_image

MOST_SPLITS = 20
"""Splits of a plan that are drawn before it starts; with one for each seed there may be many."""


@dataclass(frozen=True)
class Skip:
    """A card that cannot run here, and why."""

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
    """Every card with every seed (the protocol's when None); a card whose weights are not at hand, or whose network
    needs larger images, is skipped."""
    facts = DatasetFacts.of(dataset)
    specs: list[RunSpec] = []
    skips: list[Skip] = []
    for card in cards:
        reason = _obstacle(card, protocol)
        if reason is not None:
            skips.append(Skip(card, reason))
            continue
        wanted = protocol.seeds if seeds is None else seeds
        specs += [RunSpec(card=card, protocol=protocol, dataset=facts, seed=seed) for seed in wanted]
    return Plan(tuple(specs), tuple(skips))


@dataclass(frozen=True)
class PlannedSplit:
    """A split that runs with these seeds will be made on."""

    seeds: tuple[int, ...]
    facts: SplitFacts


def planned_splits(plan: Plan, dataset: Dataset) -> tuple[PlannedSplit, ...]:
    """The splits of `dataset` that the runs of `plan` will be made on, the first MOST_SPLITS of them; no pixel is read.
    Raises DataError when one cannot be drawn as the protocol asks."""
    seeds: dict[int | tuple[int, int], dict[int, None]] = {}
    for spec in plan.specs:
        seeds.setdefault(spec.split_seed, {})[spec.seed] = None
    return tuple(
        PlannedSplit(tuple(of_split), SplitFacts.of(make_split(dataset, plan.specs[0].protocol.sampling, split_seed)))
        for split_seed, of_split in list(seeds.items())[:MOST_SPLITS]
    )


def _obstacle(card: ModelCard, protocol: Protocol) -> str | None:
    builder, params = get_builder(card.model.builder).name, card.model.params  # an unknown one is no reason to skip
    try:
        smallest = smallest_image(builder, params)
        if protocol.image_size < smallest:
            return (
                f"images of {protocol.image_size} px (protocol {protocol.name}: image_size) are too small: this "
                f"network needs at least {smallest} px"
            )
        find_weights(builder, params)
    except ConfigError as error:
        return " ".join(error.lines)
    return None
