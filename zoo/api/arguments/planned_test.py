"""The test set of a plan: from numbers, from a protocol, or from data and a protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmark.data.dataset import Dataset
from benchmark.evidence.metrics.influence import ClassSizes
from benchmark.runs.protocol import Protocol
from benchmark.runs.storage.store import Store
from reports.claims.model import Claims
from reports.planning.figures import test_sizes
from reports.verdicts.figures import different_data, different_protocol
from zoo.api.arguments.inputs import PathLike, Paths
from zoo.api.bench import plan_bench
from zoo.api.output.messages import Messages
from zoo.config.errors import ConfigError
from zoo.models.card import ModelCard


@dataclass(frozen=True)
class PlannedTest:
    """What will be measured.

    Attributes:
        sizes: Test images by class, two classes as `negatives` and `positives`; None for the test set of each row.
        seeds: The number of trainings per card.
        class_sizes: Whether the class sizes are fixed by the protocol or drawn.
        not_comparable: Why no verdict would come out, in words; None if one would.
    """

    sizes: Mapping[str, int] | None
    seeds: int
    class_sizes: ClassSizes
    not_comparable: str | None = None


def of_sizes(
    claims: Claims, test: int | None, positives: int | None, seeds: Sequence[int] | None, protocol: Protocol | None
) -> PlannedTest:
    """The test set of stated numbers.

    Args:
        claims: The claims, whose test set gives the shares of the classes.
        test: Number of test images; None takes that of the protocol, or the test set of each row.
        positives: Number of positives; None takes the shares of the claims, or equal ones if the protocol balances.
        seeds: The seeds; None for those of the protocol, or one.
        protocol: The protocol; None for none. Without one, class sizes count as fixed where they are equal.

    Returns:
        The test set.

    Raises:
        ConfigError: The numbers do not fit, or are about two classes and the claims about more.
    """
    of_claims = next((sizes for row in claims.rows if (sizes := test_sizes(row)) is not None), None)
    shares = of_claims or {"negatives": 1, "positives": 1}
    if positives is not None and len(shares) > 2:
        raise ConfigError(
            f"--positives {positives}: the claims have {len(shares)} classes, in the shares of their test set"
        )
    if test is None and protocol is not None:
        test = protocol.sampling.test
    if test is None and positives is not None:
        raise ConfigError(f"--positives {positives}: needs --test, the number of all test images")
    if protocol is not None and protocol.sampling.balanced:
        shares = dict.fromkeys(shares, 1)
    sizes = None if test is None else _divided(test, positives, shares)
    number = len(seeds) if seeds is not None else 1 if protocol is None else len(protocol.seeds)
    known = sizes or of_claims or shares
    equal = max(known.values()) == min(known.values())
    class_sizes: ClassSizes = ("fixed" if equal else "drawn") if protocol is None else protocol.class_sizes
    return PlannedTest(sizes, number, class_sizes)


def of_data(
    claims: Claims,
    known: Mapping[str, ModelCard],
    data: PathLike | Dataset,
    protocol: PathLike | Protocol | None,
    seeds: int | Iterable[int] | None,
    store: PathLike | Store,
    card_folders: Paths,
    messages: Messages,
) -> PlannedTest:
    """The test set that a benchmark of the cards of claims would measure on data.

    Args:
        claims: The claims.
        known: All cards by name.
        data: The source.
        protocol: As in `plan_bench`.
        seeds: As in `plan_bench`.
        store: The store, which remembers the options of the source.
        card_folders: Folders with more cards.
        messages: Receives the notes and warnings about the data.

    Returns:
        The test set, of all folds together under a cross-validation.

    Raises:
        ConfigError: The claims name no card, or none can run.
        DataError: The data cannot be used.
    """
    named = {row.card for row in claims.rows if row.card is not None}
    named |= {name for each in claims.statements for form in each.assertion.forms() for name in form.assertion.cards}
    cards = sorted(named & set(known))
    if not cards:
        raise ConfigError(f"{claims.name}: names no card that can run; leave --data out and give --test")
    planned = plan_bench(cards, data=data, protocol=protocol, seeds=seeds, store=store, card_folders=card_folders)
    for line in planned.messages:
        kind, _, text = line.partition(": ")
        (messages.warn if kind == "warning" else messages.note)(text)
    specs, splits = planned.plan.specs, planned.splits
    first = specs[0]
    tests = [split.facts.classes["test"] for split in splits if split.seeds == splits[0].seeds]
    counts = [sum(each) for each in zip(*tests, strict=True)]
    classes = first.dataset.classes
    names = ("negatives", "positives") if len(classes) == 2 else classes
    return PlannedTest(
        dict(zip(names, counts, strict=True)),
        len({spec.seed for spec in specs}),
        first.protocol.class_sizes,
        different_data(claims, first) or different_protocol(claims, first),
    )


def _divided(test: int, positives: int | None, shares: Mapping[str, int]) -> dict[str, int]:
    """A number of images divided between the classes by their shares, at least one each."""
    if positives is not None:
        if not 0 < positives < test:
            raise ConfigError(f"--positives {positives}: give 1 to {test - 1}, fewer than --test {test}")
        return {"negatives": test - positives, "positives": positives}
    if test < len(shares):
        raise ConfigError(f"--test {test}: {len(shares)} classes need at least one image each")
    total, left, sizes = sum(shares.values()), test, dict[str, int]()
    for index, (name, share) in enumerate(shares.items()):
        others = len(shares) - index - 1
        sizes[name] = left if not others else min(max(1, round(test * share / total)), left - others)
        left -= sizes[name]
    return sizes
