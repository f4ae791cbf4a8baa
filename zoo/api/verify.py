"""`zoo.verify`: compares a store with what was registered before its scores."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.runs.protocol import AUTO, built_in_protocols, load_protocol
from benchmark.runs.registration import Registration, digest
from benchmark.runs.run import Run
from benchmark.runs.storage.beside.chain import Chain, read_chain, read_chains_apart
from benchmark.runs.storage.beside.evaluations import evaluation_ids
from benchmark.runs.storage.files import Damaged
from benchmark.runs.storage.remote.mirror import is_uri
from benchmark.runs.storage.store import Store
from benchmark.runs.storage.upkeep.verification import (
    STAGES,
    Check,
    apart_checks,
    chain_checks,
    evaluation_checks,
    run_checks,
)
from reports.claims.model import Claims, claims_names, load_claims
from reports.report import same_conditions
from reports.results.folds import pool_folds
from reports.results.measured import collect_multiclass_results, collect_results, conditions, is_multiclass
from reports.verdicts.registered import ClaimsOrder, order_of, order_text, verdict_changes
from zoo.api.arguments.inputs import PathLike, Paths, as_declared, known_cards, resolve_existing_store
from zoo.api.output.messages import Messages, OnMessage, silent
from zoo.api.output.tables import frame, html_table
from zoo.api.registration.registrations import ClaimsArgument, resolve_claims
from zoo.config.arguments import optional_text
from zoo.config.errors import ConfigError
from zoo.models.card import ModelCard

if TYPE_CHECKING:
    import pandas

SAME, OTHER, TAMPERED = 0, 1, 3
"""Exit codes: as registered; other claims, rules or cards than registered, or registered too late; changed."""

_COLUMNS = ("state", "about", "text", "right")


@dataclass(frozen=True)
class VerifyResults:
    """A store compared with its registrations.

    Attributes:
        store: The store.
        checks: What was compared, each with its result.
        head: Digest of the last entry of the chain; None without registrations.
        entries: Number of entries of the chain.
        messages: Lines that begin with `warning:` or `note:`.
    """

    store: Store
    checks: tuple[Check, ...]
    head: str | None
    entries: int
    messages: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 if all is as registered, 1 if something is other or came later than registered, 3 if a file was changed."""
        states = {check.state for check in self.checks}
        return TAMPERED if "tampered" in states else OTHER if "other" in states else SAME

    def to_dict(self) -> dict[str, Any]:
        """The document that `zoo verify --json` prints."""
        return {
            "store": self.store.name,
            "exit_code": self.exit_code,
            "head": self.head,
            "entries": self.entries,
            "checks": [dict(zip(_COLUMNS, row, strict=True)) for row in self._rows()],
        }

    def to_frame(self) -> pandas.DataFrame:
        """One row per check. Raises ConfigError when pandas is not installed."""
        return frame(self._rows(), _COLUMNS)

    def _rows(self) -> list[tuple[str, ...]]:
        return [(check.state, check.about, check.text, check.right) for check in self.checks]

    def _repr_html_(self) -> str:
        return html_table(f"Verification of {self.store.name}", _COLUMNS, self._rows(), self.messages)


def verify(
    store: PathLike | Store = "runs",
    *,
    claims: ClaimsArgument = None,
    expect: str | None = None,
    card_folders: Paths = (),
    on_message: OnMessage = silent,
) -> VerifyResults:
    """Compare a store with what was registered before its scores, as `zoo verify` does; nothing is trained or written.

    Args:
        store: The folder that contains the runs, or a Store.
        claims: The claims files at hand: built-in names, YAML files or Claims. Registered built-in ones are compared
            too.
        expect: A digest that the chain of registrations must contain, or its first 12 digits or more.
        card_folders: Folders with more cards.
        on_message: Called with each warning when it arises; the result collects them too.

    Returns:
        The checks: of the chain, the runs with those of curves, the evaluations, the cards, the protocols and the
        claims. A damaged file is a check, too, and everything else is compared all the same.

    Raises:
        ConfigError: An argument cannot be used, or the store contains neither runs nor registrations.
    """
    optional_text("expect", expect, "a digest or None")
    if expect is not None and not re.fullmatch(r"[0-9a-f]{12,64}", expect):
        raise ConfigError(
            f"--expect {expect}: is no digest; give 12 to 64 hexadecimal digits, as zoo verify prints them"
        )
    messages = Messages(on_message)
    known = known_cards(card_folders, messages)
    requested = resolve_claims(claims, known)
    source, damage = _opened(store)
    chain, apart = read_chain(source), read_chains_apart(source)
    surveyed, damaged = source.survey(indexed=False)
    runs = [run for run in surveyed if run.spec.stage in STAGES]
    problems = [each for each in damaged if each.run is None or each.run.spec.stage in STAGES]
    if not (runs or problems or chain.count or damage or evaluation_ids(source)):
        raise ConfigError(
            f"--store {source.name}: contains no runs; `zoo bench --all --store {source.name}` creates them"
        )
    benches = [run for run in runs if run.spec.stage == "bench"]
    checks = [
        *damage,
        *chain_checks(chain, expect, source.name),
        *apart_checks(apart),
        *run_checks(source, runs, problems, chain, apart),
        *evaluation_checks(source, surveyed, chain),
        *_card_checks(chain, known),
        *_protocol_checks(chain),
        *_claims_checks(pool_folds(as_declared(benches, source), source), source, chain, requested, known),
    ]
    return VerifyResults(source, tuple(checks), chain.head, chain.count, messages.lines())


def _opened(store: PathLike | Store) -> tuple[Store, list[Check]]:
    """A store, also one whose store.json is damaged, with a check that says so."""
    try:
        return resolve_existing_store(store), []
    except Damaged as error:
        assert not isinstance(store, Store)  # it would be open
        if is_uri(str(store)):
            raise
        return Store(Path(store), check_mark=False), [Check("tampered", "store.json", str(error), "the file as saved")]


def _latest(chain: Chain) -> Iterator[Registration]:
    """The registrations of a chain, the last one first."""
    return (entry for _, entry in reversed(chain.registrations))


def _card_checks(chain: Chain, known: Mapping[str, ModelCard]) -> Iterator[Check]:
    """Compare the cards at hand with the last registration of each."""
    registered: dict[str, str] = {}
    for entry in _latest(chain):
        registered = {**entry.cards, **registered}
    same = 0
    for name, expected in sorted(registered.items()):
        if name not in known:
            yield Check("unchecked", f"card {name}", "is not at hand", "--cards DIR names the folder of the card")
        elif digest(known[name].identity()) != expected:
            text = "its model or recipe is not the one that was registered"
            yield Check(
                "other", f"card {name}", text, f"the registered recipe, or `zoo bench {name}`, which registers this"
            )
        else:
            same += 1
    if same:
        yield Check("same", "cards", f"{same} {'card has' if same == 1 else 'cards have'} the registered recipe")


def _protocol_checks(chain: Chain) -> Iterator[Check]:
    """Compare the built-in protocols with the last registration of each; others are only in the records of runs."""
    names: dict[str, str] = {}
    for entry in _latest(chain):
        names.setdefault(entry.protocol.name, entry.protocol.digest)
    for name, expected in sorted(names.items()):
        if name == AUTO or name not in built_in_protocols():
            continue
        if digest(load_protocol(name).identity()) == expected:
            yield Check("same", f"protocol {name}", "is the registered one")
        else:
            text = "the built-in protocol of this name is not the one that was registered"
            yield Check("other", f"protocol {name}", text, "the version of the program that registered it")


def _claims_checks(
    runs: Sequence[Run], store: Store, chain: Chain, requested: Sequence[Claims], known: Mapping[str, ModelCard]
) -> Iterator[Check]:
    """Compare the claims at hand with those that were registered before the scores of each group of runs."""
    data: dict[str, set[str]] = {}
    for _, entry in chain.registrations:
        for each in entry.claims:
            data.setdefault(each.name, set()).add(entry.data.fingerprint)
    at_hand = {each.name: each for each in requested}
    for name in sorted(data.keys() - at_hand.keys()):
        if name in claims_names():
            at_hand[name] = load_claims(name, known)
        else:
            yield Check("unchecked", f"claims {name}", "are not at hand", "--claims FILE names the file")
    for claims in at_hand.values():
        fingerprints = data.get(claims.name)
        for group in same_conditions(runs):
            if fingerprints is None or group[0].spec.dataset.fingerprint in fingerprints:
                yield from _order_checks(claims, group, store, chain)


def _order_checks(claims: Claims, runs: Sequence[Run], store: Store, chain: Chain) -> Iterator[Check]:
    order = order_of(claims, runs, chain)
    about, where = f"claims {claims.name}", conditions(runs[0].spec)
    text = f"{order_text(order)} ({where})"
    if order.is_same:
        yield Check("same", about, text)
        return
    if order.registered is None:
        remedy = "`zoo bench --claims` with this file in a new store, before the scores are known"
        yield Check("other", about, text, remedy)
        return
    yield Check("other", about, text, f"the file that was registered at {order.time}")
    yield from _verdict_checks(order, claims, runs, store)


def _verdict_checks(order: ClaimsOrder, claims: Claims, runs: Sequence[Run], store: Store) -> Iterator[Check]:
    """The verdicts of the claims at hand that are not those of the registered claims on the same scores."""
    about = f"claims {claims.name}"
    measured = collect_multiclass_results(runs, store) if is_multiclass(runs[0]) else collect_results(runs, store)
    changes = verdict_changes(order, claims, measured)
    if changes is None:
        remedy = "the version of the program that registered them"
        yield Check("unchecked", about, "this version cannot judge the registered claims", remedy)
    elif not changes:
        yield Check("same", about, "no verdict differs from that of the registered file")
    else:
        for change in changes:
            text = (
                f"{change.claim}: {change.present or 'no verdict'}; registered: {change.registered or 'no such claim'}"
            )
            right = "no such claim" if change.registered is None else f"the verdict {change.registered}"
            yield Check("other", about, text, right)
