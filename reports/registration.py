"""Adds to a report what was registered before the scores, and which claims came before them."""

from __future__ import annotations

from dataclasses import replace

from benchmark.runs.storage.beside.chain import Chain, read_chain
from benchmark.runs.storage.store import Store
from reports.report import Report, Section
from reports.results.conditions.methods import Fact
from reports.verdicts.registered import facts_text, order_text, registration_facts


def with_registrations(report: Report, store: Store) -> Report:
    """A report with what the store registered: a note for each claims file, and a fact among the methods.

    Args:
        report: The report on runs of the store.
        store: The store.

    Returns:
        The report; unchanged for a store without registrations.

    Raises:
        Unreadable: A newer version of the program wrote the registrations, or the system refuses access.
    """
    chain = read_chain(store)
    return replace(report, sections=tuple(_with_registration(section, chain) for section in report.sections))


def _with_registration(section: Section, chain: Chain) -> Section:
    facts = registration_facts(section.runs, [each.claims for each in section.claims], chain)
    if facts is None:
        return section
    ordered = zip(section.claims, facts.claims, strict=True)
    return replace(
        section,
        claims=tuple(replace(each, notes=(*each.notes, order_text(order))) for each, order in ordered),
        methods=replace(section.methods, facts=(*section.methods.facts, Fact("registration", facts_text(facts)))),
        registration=facts,
    )
