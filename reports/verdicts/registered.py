"""Which claims were registered before the scores of the runs that they are compared with, and which came after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmark.runs.cross_validation import folds_of
from benchmark.runs.registration import RegisteredClaims
from benchmark.runs.run import Run
from benchmark.runs.storage.beside.chain import Chain
from reports.audit.audit import audit
from reports.claims.model import Claims
from reports.claims.registered import RULES, claims_from, registered
from reports.results.measured import AnyResults
from reports.text import listed, plural
from reports.verdicts.figures import ClaimVerdict, figure_verdicts
from reports.verdicts.statements import statement_verdicts

_MOST_NAMES = 8


@dataclass(frozen=True)
class ClaimsOrder:
    """The claims of a file in the order of the registrations and the scores.

    Attributes:
        name: The name of the file.
        before: The items that are as they were registered before the scores: `rules`, `row NAME`, `statement ID`.
        after: The items that were added or changed after the scores, or never registered.
        removed: The items that were registered before the scores and that the file no longer contains.
        registered: The file as it was last registered before the scores; None if it was not.
        time: When it was; None if it was not.
    """

    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    removed: tuple[str, ...] = ()
    registered: RegisteredClaims | None = None
    time: str | None = None

    @property
    def is_same(self) -> bool:
        """Whether the file is as it was registered before the scores."""
        return not self.after and not self.removed


@dataclass(frozen=True)
class VerdictChange:
    """A claim whose verdict is not that of the registered file.

    Attributes:
        claim: `row NAME: FIGURE` or `statement ID`.
        registered: The verdict by the registered file; None if it does not contain the claim.
        present: The verdict by the file at hand; None if it does not contain the claim.
    """

    claim: str
    registered: str | None
    present: str | None


@dataclass(frozen=True)
class RegistrationFacts:
    """What was registered before the scores of the runs of a section.

    Attributes:
        head: Digest of the last entry of the chain.
        time: The earliest time of the registrations that precede the runs.
        rule: The rule for thresholds or decisions, in words, as it was registered.
        cards: The cards of the runs that were registered before their scores.
        unregistered: The cards with a run whose scores no registration precedes.
        claims: The order of each claims file.
        damaged: Whether the chain was changed.
    """

    head: str
    time: str | None
    rule: str | None
    cards: tuple[str, ...]
    unregistered: tuple[str, ...]
    claims: tuple[ClaimsOrder, ...]
    damaged: bool


def last_position(run: Run, chain: Chain) -> int:
    """The number of the last entry of the chain that certainly precedes the scores of a run.

    Args:
        run: A run or the folds of one.
        chain: The chain of its store.

    Returns:
        The place of the registration that its record names, or of the entry before the first record of the run if
        that is earlier, since a run that is computed again has scores that were known before. 0 if no entry precedes.
    """
    positions = []
    for fold in folds_of(run):
        link = None if fold.registration is None else chain.find(fold.registration)
        recorded = [link.position - 1 for link, entry in chain.outcomes if fold.run_id in entry.records]
        positions.append(min([0 if link is None else link.position, *recorded]))
    return min(positions, default=0)


def order_of(claims: Claims, runs: Iterable[Run], chain: Chain) -> ClaimsOrder:
    """Compare claims with their registrations.

    Args:
        claims: The claims.
        runs: The runs that they are compared with.
        chain: The chain of the store.

    Returns:
        The items of the claims by whether a registration with the same item precedes the scores of all finished runs.
    """
    present = registered(claims)
    limit = min((last_position(run, chain) for run in runs if run.status == "ok"), default=chain.count)
    earlier = [
        (entry.time, each)
        for link, entry in chain.registrations
        for each in entry.claims
        if link.position <= limit and each.name == claims.name
    ]
    if not earlier:
        return ClaimsOrder(claims.name, (), tuple(present.items))
    time, last = earlier[-1]
    before = tuple(key for key, digest in present.items.items() if last.items.get(key) == digest)
    after = tuple(key for key in present.items if key not in before)
    removed = tuple(key for key in last.items if key not in present.items)
    return ClaimsOrder(claims.name, before, after, removed, last, time)


def order_text(order: ClaimsOrder) -> str:
    """Say in a sentence which claims of a file came before the scores."""
    if order.registered is None:
        return f"The claims {order.name} were not registered before the scores: they may have been chosen after."
    count = sum(key != RULES for key in (*order.before, *order.after))
    if order.is_same:
        return f"Registered before the scores: {plural(count, 'claim')} of {order.name}, and the margins."
    unchanged = sum(key != RULES for key in order.before)
    were = "was" if unchanged == 1 else "were"
    parts = [f"Of {plural(count, 'claim')} of {order.name}, {unchanged} {were} registered before the scores"]
    came_after = [key for key in order.after if key != RULES]
    if came_after:
        parts.append(f"{names_of(came_after)} came after")
    if RULES in order.after:
        parts.append("the margins, conditions or data of the file were changed after, which concerns every verdict")
    if order.removed:
        parts.append(f"{names_of(order.removed)} {'was' if len(order.removed) == 1 else 'were'} removed")
    return "; ".join(parts) + "."


def names_of(items: Sequence[str]) -> str:
    """The names of items in words; of many, the first ones and the number of the others."""
    if len(items) <= _MOST_NAMES:
        return listed(list(items))
    return f"{', '.join(items[:_MOST_NAMES])} and {len(items) - _MOST_NAMES} more"


def facts_text(facts: RegistrationFacts) -> str:
    """Say in one text what was registered before the scores."""
    if facts.damaged:
        return "the registrations of the store were changed; `zoo verify` lists what differs."
    if facts.time is None:
        return "no registration of the store precedes the scores of these runs."
    parts = [
        f"the recipe of {listed(facts.cards)}, the protocol, the data and the rule ({facts.rule}) were registered at "
        f"{facts.time}, before the test split was scored"
    ]
    if facts.unregistered:
        parts.append(f"no registration precedes the scores of {listed(facts.unregistered)}")
    parts.append(f"the last entry of the chain is {facts.head}, and `zoo verify` checks it")
    return "; ".join(parts) + "."


def registration_facts(runs: Sequence[Run], claims: Sequence[Claims], chain: Chain) -> RegistrationFacts | None:
    """Collect what was registered before the scores of runs.

    Args:
        runs: The runs of a section.
        claims: The claims that are compared with them.
        chain: The chain of their store.

    Returns:
        The facts; None if the store has no chain.
    """
    if chain.head is None:
        return None
    finished = [run for run in runs if run.status == "ok"]
    positions = {run.run_id: last_position(run, chain) for run in finished}
    preceding = [entry for link, entry in chain.registrations if link.position in positions.values()]
    unregistered = tuple(dict.fromkeys(run.spec.card.name for run in finished if not positions[run.run_id]))
    cards = tuple(dict.fromkeys(run.spec.card.name for run in finished if run.spec.card.name not in unregistered))
    return RegistrationFacts(
        head=chain.head,
        time=preceding[0].time if preceding else None,
        rule=preceding[0].protocol.rule if preceding else None,
        cards=cards,
        unregistered=unregistered,
        claims=tuple(order_of(each, runs, chain) for each in claims),
        damaged=bool(chain.problems),
    )


def verdict_changes(
    order: ClaimsOrder, claims: Claims, measured: Mapping[str, AnyResults]
) -> tuple[VerdictChange, ...] | None:
    """Judge the registered claims and those at hand on the same scores.

    Args:
        order: The order of the claims.
        claims: The claims at hand.
        measured: The results of the cards by name.

    Returns:
        The claims whose verdict differs or exists in one of the files only; None if the registered claims cannot be
        judged, because they were not registered or this version of the program does not know a field of them.
    """
    earlier = None if order.registered is None else claims_from(order.registered)
    if earlier is None:
        return None
    then, present = _verdicts(earlier, measured), _verdicts(claims, measured)
    return tuple(
        VerdictChange(claim, then.get(claim), present.get(claim))
        for claim in dict.fromkeys((*then, *present))
        if then.get(claim) != present.get(claim)
    )


def _verdicts(claims: Claims, measured: Mapping[str, AnyResults]) -> dict[str, str]:
    audited = audit(claims)
    verdicts: dict[str, str] = {}
    for figure in figure_verdicts(claims, audited, measured):
        key = f"row {figure.about}: {_figure_name(figure)}"
        verdicts[key if key not in verdicts else f"{key} ({figure.where})"] = figure.decision.verdict
    for statement in statement_verdicts(claims, audited, measured):
        verdicts[f"statement {statement.about}"] = statement.decision.verdict
    return verdicts


def _figure_name(figure: ClaimVerdict) -> str:
    """The split and the metric of a figure without its value, which an edit may change."""
    published = figure.published
    if published is None:
        return figure.claim
    return f"{published.split} {published.key}" + (f", {published.epoch} epoch" if published.epoch else "")
