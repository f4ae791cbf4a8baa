"""Everything that is said of one claims file: its audit, a verdict for every claim, and what explains the failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from benchmark.evidence.comparison.verdict import VERDICTS, Verdict
from reports.audit.audit import Audit, audit
from reports.claims.model import Claims
from reports.results.measured import CardResults
from reports.results.recognised import is_data
from reports.text import listed
from reports.verdicts.attribution import ChangeEffect, single_change_effects
from reports.verdicts.figures import ClaimVerdict, judge_figures
from reports.verdicts.statements import judge_statements

EXPLAINED = "accuracy"
_FAULTS = {"single-class-collapse", "one-class-threshold", "train-inference-gap"}


@dataclass(frozen=True)
class ClaimsReport:
    """`claims` against the runs of one section, which `data` names: verdicts in the order of the file, and by card the
    single changes that move its accuracy, for cards that fail or differ from what was published or said of them.
    `notes` say what the verdicts leave out."""

    claims: Claims
    audit: Audit
    data: str
    synthetic: bool
    figures: tuple[ClaimVerdict, ...]
    statements: tuple[ClaimVerdict, ...]
    causes: Mapping[str, tuple[ChangeEffect, ...]]
    notes: tuple[str, ...]

    def counts(self) -> dict[Verdict, int]:
        """How many figures and statements have each verdict, those that none has left out."""
        held = Counter(judged.decision.verdict for judged in (*self.figures, *self.statements))
        return {verdict: held[verdict] for verdict in VERDICTS if held[verdict]}


def judge(claims: Claims, measured: Mapping[str, CardResults], data: str, synthetic: bool) -> ClaimsReport:
    """The report on `claims` from what was `measured` on `data`."""
    audited = audit(claims)
    figures = judge_figures(claims, audited, measured)
    statements = judge_statements(claims, audited, measured)
    targets = dict.fromkeys(
        (*_failing(measured), *_differing(claims, figures), *_subjects(claims, statements, measured))
    )
    causes = {name: single_change_effects(name, EXPLAINED, measured) for name in targets}
    notes = () if synthetic else tuple(_notes(claims, measured))
    return ClaimsReport(claims, audited, data, synthetic, figures, statements, causes, notes)


def differs(reports: Iterable[ClaimsReport]) -> bool:
    """Whether any claim was found to differ or to be impossible."""
    return any(VERDICTS[verdict].answer == "does not hold" for report in reports for verdict in report.counts())


def _notes(claims: Claims, measured: Mapping[str, CardResults]) -> Iterator[str]:
    about = {name: measured[name] for name in sorted({*_cards(claims)} & set(measured))}
    single = [name for name, found in about.items() if len(found.runs) == 1]
    if single:
        which = "every card" if len(single) == len(about) else listed(single)
        yield f"Of {which} one seed was run: verdicts that rest on it do not count how far figures vary over seeds."
    for name, found in about.items():
        if found.left_out:
            seeds = listed([str(seed) for seed in found.left_out])
            yield f"Left out: {name}, seed {seeds}, scored on other test images than its first seed."
    if about and all(found.related == {} for found in about.values()):
        known = not any(found.runs[0].spec.dataset.patients_unknown for found in about.values())
        relative = "relative" if known else "near duplicate"
        yield (
            f"No test image has a {relative} in train or val, or a copy in test: leakage explains nothing here"
            + ("." if known else ", as far as pixels tell; patients are not known.")
        )
    data = claims.source.data
    elsewhere = data is not None and any(
        not is_data(found.runs[0].spec.dataset, data, [claims]) for found in about.values()
    )
    if claims.statements and elsewhere:
        yield "Statements are about cards and judged on these images; printed figures are about other images."


def _cards(claims: Claims) -> Iterator[str]:
    """The cards that rows and statements name."""
    yield from (row.card for row in claims.rows if row.card is not None)
    for statement in claims.statements:
        for form in statement.assertion.forms():
            yield from form.assertion.cards


def _failing(measured: Mapping[str, CardResults]) -> Iterator[str]:
    """Cards of which every run shows the same fault of its decisions."""
    for name, found in measured.items():
        codes = [{finding.code for finding in findings} & _FAULTS for findings in found.findings]
        if set.intersection(*codes):
            yield name


def _differing(claims: Claims, figures: Iterable[ClaimVerdict]) -> Iterator[str]:
    cards = {row.name: row.card for row in claims.rows}
    for judged in figures:
        card = cards[judged.about]
        if judged.decision.verdict == "differs" and card is not None:
            yield card


def _subjects(claims: Claims, judged: Iterable[ClaimVerdict], measured: Mapping[str, CardResults]) -> Iterator[str]:
    """Cards of which a statement says something that differs; of two that are compared, the first."""
    assertions = {statement.id: statement.assertion for statement in claims.statements}
    for judgement in judged:
        if judgement.decision.verdict == "differs":
            for form in assertions[judgement.about].forms():
                yield from (card for card in form.assertion.cards[:1] if card in measured)
