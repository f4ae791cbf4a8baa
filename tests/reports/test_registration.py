"""A report says once what was registered before the scores, and nothing new without registrations."""

from __future__ import annotations

import json
from pathlib import Path

from benchmark.runs.storage.beside.chain import read_chain
from benchmark.runs.storage.store import Store
from reports.claims.model import Claims
from reports.limits import limits
from reports.registration import with_registrations
from reports.render.json import render
from reports.report import Report, Section, build_report
from reports.verdicts.registered import order_text
from tests.support.registered import CARD, OTHER, claims_in, registered_store
from tests.support.stored import keep

ROWS = (f"row {CARD}", f"row {OTHER}")
NOTHING = "Nothing was registered before the test split"


def report_of(store: Store, *claims: Claims) -> Report:
    return with_registrations(build_report(store.runs()[0], store.history, scores=store, claims=claims), store)


def section_of(store: Store, *claims: Claims) -> Section:
    (section,) = report_of(store, *claims).sections
    return section


def test_a_report_says_once_what_came_before_and_what_after(tmp_path: Path) -> None:
    store = registered_store(tmp_path, claims_in(tmp_path))
    section = section_of(store, claims_in(tmp_path, auc=0.7))
    facts = section.registration
    assert facts is not None
    assert (facts.cards, facts.unregistered, facts.damaged) == ((CARD, OTHER), (), False)
    (report,) = section.claims
    assert [note for note in report.notes if "came after" in note] == [order_text(facts.claims[0])]
    (text,) = [fact.text for fact in section.methods.facts if fact.topic == "registration"]
    assert text.startswith(f"the recipe of {CARD} and {OTHER}, the protocol, the data and the rule (youden, ")
    assert str(read_chain(store).head) in text
    assert not any(NOTHING in limit for limit in limits(section))
    document = json.loads(render(report_of(store)))
    assert document["sections"][0]["registration"]["cards"] == [CARD, OTHER]


def test_a_store_without_registrations_says_so_in_one_limit(tmp_path: Path) -> None:
    store, claims = Store(tmp_path / "runs"), claims_in(tmp_path)
    keep(store, CARD)
    keep(store, OTHER)
    section = section_of(store, claims)
    assert section.registration is None
    assert sum(NOTHING in limit for limit in limits(section)) == 1
    assert not any(NOTHING in limit for limit in limits(section_of(store)))
    assert "registration" not in {fact.topic for fact in section.methods.facts}
    document = json.loads(render(report_of(store)))
    assert "registration" not in document["sections"][0]
    assert all("registration" not in run for run in document["sections"][0]["runs"])


def test_runs_without_a_registration_are_named_in_a_store_with_some(tmp_path: Path) -> None:
    store = registered_store(tmp_path, claims_in(tmp_path))
    keep(store, "attempt-7")
    section = section_of(store, claims_in(tmp_path))
    assert section.registration is not None
    assert section.registration.unregistered == ("attempt-7",)
    (text,) = [fact.text for fact in section.methods.facts if fact.topic == "registration"]
    assert "no registration precedes the scores of attempt-7" in text
