"""Plans: the runs of cards under a protocol with several seeds, and the cards that are skipped, with the reason."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmark.data.cross_validation import folds_problem
from benchmark.data.dataset import DataError, Dataset
from benchmark.runs.drawn_split import draw_split, split_key
from benchmark.runs.protocol import Protocol, decision_problem
from benchmark.runs.run import DatasetFacts, Run, RunSpec, SplitFacts
from zoo.config.errors import ConfigError
from zoo.models.card import ModelCard, recipe_problem
from zoo.models.registry import ONE_OUTPUT, find_weights, get_builder, smallest_image, supports_classes
from zoo.models.weights_files import WeightsUnavailable

MOST_SPLITS = 20
"""The most splits that are drawn before a plan starts; under `split: per-seed` there is one for each seed, and under
`test_folds` one for each fold."""


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
    """Plan a run of each card with each seed; under `test_folds` one for each fold.

    An ensemble averages the runs of its members with the same seed and fold, which are planned beside it. A card is
    skipped if its pretrained weights are not available, its network needs larger images, its builder or recipe is
    for other classes than those of the data, or a member is skipped.

    Args:
        cards: The cards.
        protocol: The conditions that they share.
        dataset: The images.
        seeds: Seeds of the runs; the protocol's by default.

    Returns:
        The runs and the skipped cards.

    Raises:
        ConfigError: The threshold rule or the decision of the protocol does not fit the classes.
        DataError: The images cannot be divided into the folds of the protocol.
    """
    facts = DatasetFacts.of(dataset)
    if (problem := decision_problem(protocol, facts.classes, protocol.model_fields_set)) is not None:
        raise ConfigError(problem)
    folds: list[tuple[int, int] | None] = [None]
    if (count := protocol.test_folds) is not None:
        if (problem := folds_problem(dataset, count)) is not None:
            raise DataError(problem)
        folds = [(count, index) for index in range(count)]
    cards = tuple(cards)
    repetitions = [(seed, fold) for seed in (protocol.seeds if seeds is None else seeds) for fold in folds]
    planned: dict[str, list[RunSpec]] = {}
    reasons: dict[str, str] = {}
    for card in sorted(cards, key=lambda card: bool(card.members)):  # members before ensembles
        reason = _obstacle(card, protocol, facts.classes) or _missing_member(card, planned, reasons)
        if reason is not None:
            reasons[card.name] = reason
            continue
        ids = [[spec.run_id for spec in planned[name]] for name in card.members]
        members: list[tuple[str, ...]] = list(zip(*ids, strict=True)) if ids else [()] * len(repetitions)
        planned[card.name] = [
            RunSpec(card=card, protocol=protocol, dataset=facts, seed=seed, fold=fold, members=of)
            for (seed, fold), of in zip(repetitions, members, strict=True)
        ]
    return Plan(
        tuple(spec for card in cards for spec in planned.get(card.name, ())),
        tuple(Skip(card, reasons[card.name]) for card in cards if card.name in reasons),
    )


def unaveraged(specs: Sequence[RunSpec], runs: Sequence[Run]) -> tuple[Skip, ...]:
    """List the ensembles that have no run because runs of their members failed.

    Args:
        specs: The planned runs.
        runs: The runs that exist.

    Returns:
        One skip per ensemble, with the first failure.
    """
    failed = {run.run_id: run for run in runs if run.status == "failed"}
    existing = {run.run_id for run in runs}
    skips: dict[str, Skip] = {}
    for spec in specs:
        of_members = [failed[run_id] for run_id in spec.members if run_id in failed]
        if spec.run_id in existing or not of_members or spec.card.name in skips:
            continue
        member = of_members[0]
        name = f"{member.spec.card.name}, seed {member.spec.seed_text}"
        skips[spec.card.name] = Skip(spec.card, f"the run of its member {name} failed: {member.error}")
    return tuple(skips.values())


@dataclass(frozen=True)
class PlannedSplit:
    """The split of the runs with these seeds, and its fold (number of folds, index from 0) under `test_folds`."""

    seeds: tuple[int, ...]
    facts: SplitFacts
    fold: tuple[int, int] | None = None


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
    specs: dict[Hashable, list[RunSpec]] = {}
    for spec in plan.specs:
        specs.setdefault(split_key(spec), []).append(spec)
    return tuple(
        PlannedSplit(
            tuple(dict.fromkeys(spec.seed for spec in same)), SplitFacts.of(draw_split(dataset, same[0])), same[0].fold
        )
        for same in list(specs.values())[:MOST_SPLITS]
    )


def _missing_member(
    card: ModelCard, planned: Mapping[str, Sequence[RunSpec]], reasons: Mapping[str, str]
) -> str | None:
    for name in card.members:
        if name in reasons:
            return f"its member {name} is skipped: {reasons[name]}"
        if name not in planned:
            return f"its member {name} is not among the cards"
    return None


def _obstacle(card: ModelCard, protocol: Protocol, names: tuple[str, ...]) -> str | None:
    """Why a card is skipped; None if it can run. Raises ConfigError for an unknown builder."""
    builder, params, classes = get_builder(card.model.builder).name, card.model.params, len(names)
    try:
        smallest = smallest_image(builder, params)
        if protocol.image_size < smallest:
            return (
                f"images of {protocol.image_size} px (protocol {protocol.name}: image_size) are too small: this "
                f"network needs at least {smallest} px"
            )
        if not supports_classes(builder, classes):
            return f"builder {builder}: {ONE_OUTPUT.format(classes=classes)}"
        if (problem := recipe_problem(card, classes, names)) is not None:
            return problem
        find_weights(builder, params)
    except WeightsUnavailable as error:
        return f"the weights are not at hand: {' '.join(error.lines)}"
    except ConfigError as error:
        return " ".join(error.lines)
    return None
