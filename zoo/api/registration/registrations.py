"""What is registered before the test split is opened: which claims apply, and the entries of the chain."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from benchmark.data.dataset import Dataset
from benchmark.runs.plan import Plan
from benchmark.runs.registration import Outcome, RegisteredClaims, Registration, program_version, registration_of
from benchmark.runs.run import DatasetFacts
from benchmark.runs.storage.beside.chain import Chain, Link, append, read_chain, record_digest
from benchmark.runs.storage.store import PREDICTIONS, Store
from reports.claims.model import Claims, built_in_sources, claims_about, is_about_several, load_claims
from reports.claims.registered import registered
from reports.results.conditions.recognised import by_data, is_data
from zoo.api.arguments.inputs import Paths, folders_of
from zoo.api.output.messages import silent
from zoo.config.arguments import PATH, several
from zoo.config.errors import ConfigError
from zoo.models.card import ModelCard
from zoo.models.catalog import load_cards

ClaimsLike = str | Path | Claims
ClaimsArgument = ClaimsLike | Iterable[ClaimsLike] | None


def resolve_claims(claims: ClaimsArgument, cards: Mapping[str, ModelCard]) -> list[Claims]:
    """The requested claims.

    Args:
        claims: Built-in names, YAML files or Claims; one of them or several. None requests none.
        cards: All cards by name.

    Returns:
        The claims, whose rows have the figures of their cards.

    Raises:
        ConfigError: A claims file is unknown or invalid.
    """
    requested = [] if claims is None else several("claims", claims, (*PATH, Claims), "built-in names, files or Claims")
    return [each if isinstance(each, Claims) else load_claims(str(each), cards) for each in requested]


def applying_claims(
    claims: ClaimsArgument, chosen: Sequence[ModelCard], dataset: Dataset, card_folders: Paths = ()
) -> tuple[RegisteredClaims, ...]:
    """What is registered of the claims that a report on the planned runs would compare.

    Args:
        claims: The claims that the user requested, as in `resolve_claims`.
        chosen: The cards of the plan.
        dataset: The data of the plan.
        card_folders: Folders with more cards.

    Returns:
        The requested claims, and the built-in ones about these cards and data.

    Raises:
        ConfigError: A claims file is unknown or invalid.
    """
    facts = DatasetFacts.of(dataset)
    is_published = any(each.data is not None and is_data(facts, each.data) for each in built_in_sources())
    if claims is None and not is_published:
        return ()
    known = load_cards(folders_of(card_folders), silent, ()) | {card.name: card for card in chosen}
    requested = resolve_claims(claims, known)
    names = {each.name for each in requested}
    available = claims_about({card.name for card in chosen}, known) if is_published else []
    fitting = [each for each in available if len(facts.classes) == 2 or is_about_several(each)]
    same, _ = by_data(facts, [each for each in fitting if each.name not in names])
    return tuple(map(registered, (*requested, *same)))


def register(
    plan: Plan, dataset: Dataset, store: Store, stored: Iterable[str], claims: Sequence[RegisteredClaims] = ()
) -> Link | None:
    """Register a plan, before any of its runs opens the test split.

    Args:
        plan: The plan.
        dataset: Its data.
        store: The store of its runs.
        stored: The ids of the runs that the store contains.
        claims: The claims that apply.

    Returns:
        The registration that precedes the runs: a new one, or an earlier one that contains the runs and the claims.
        None if there is nothing to register: all runs are stored, in a store without registrations.

    Raises:
        Unreadable: A newer version of the program wrote the chain.
        OSError: The store cannot be written.
    """
    known = set(stored)
    planned = registration_of(plan.specs, DatasetFacts.of(dataset), known, claims)

    def make(chain: Chain) -> Registration | None:
        all_stored = planned.runs.keys() <= known
        if (chain.head is None and all_stored) or _covering(chain, planned, known) is not None:
            return None
        return planned

    return append(store, make) or _covering(read_chain(store), planned, known)


def record_outcome(store: Store, run_ids: Iterable[str], reused: Container[str] = ()) -> Link | None:
    """Append the digests of the records of runs that have scores to the chain, if it does not contain them.

    A failed run may have scores too, which whoever edits claims afterwards may know.

    Args:
        store: The store.
        run_ids: The ids of the runs of a benchmark or a curve that has ended.
        reused: The ids of those that it did not compute. A recorded one keeps its digest: another record under the same
            id was edited.

    Returns:
        The new entry; None if the chain is empty, or contains every record.

    Raises:
        OSError: The store cannot be written.
    """
    runs = [run for run_id in run_ids if (run := store.get(run_id)) is not None]
    scored = [run.run_id for run in runs if run.status == "ok" or PREDICTIONS in run.files]
    digests = {run_id: digest for run_id in scored if (digest := record_digest(store, run_id)) is not None}

    def make(chain: Chain) -> Outcome | None:
        recorded = {run_id: digest for _, entry in chain.outcomes for run_id, digest in entry.records.items()}
        missing = {
            run_id: digest
            for run_id, digest in digests.items()
            if recorded.get(run_id) != digest and not (run_id in reused and run_id in recorded)
        }
        return Outcome(program=program_version(), records=missing) if chain.head is not None and missing else None

    return append(store, make)


def record_evaluation(store: Store, evaluation_id: str, digest: str, *, reused: bool = False) -> Link | None:
    """Append the digest of the record of an evaluation to the chain.

    Args:
        store: The store.
        evaluation_id: The id of the evaluation.
        digest: SHA-256 of its record.
        reused: Whether it was stored before. A recorded one then keeps its digest: another record was edited.

    Returns:
        The new entry; None if the chain is empty, or contains the record.

    Raises:
        Unreadable: A newer version of the program wrote the chain.
        OSError: The store cannot be written.
    """

    def make(chain: Chain) -> Outcome | None:
        if chain.head is None or (reused and any(evaluation_id in entry.evaluations for _, entry in chain.outcomes)):
            return None
        return Outcome(program=program_version(), evaluations={evaluation_id: digest})

    return append(store, make)


def head_of(store: Store) -> str | None:
    """Digest of the last entry of the chain of a store; None without a chain that can be read."""
    with suppress(ConfigError):
        return read_chain(store).head
    return None


def _covering(chain: Chain, planned: Registration, stored: set[str]) -> Link | None:
    """The last registration that contains what is planned, if no run to be computed has a record since."""
    computed = planned.runs.keys() - stored
    for link, entry in reversed(chain.registrations):
        recorded = {
            run_id for later, each in chain.outcomes if later.position > link.position for run_id in each.records
        }
        if computed & recorded:
            return None
        if entry.covers(planned):
            return link
    return None
