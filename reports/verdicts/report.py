"""The report on a claims file: its audit, a verdict for every claim, and the effects of changes to cards that fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from benchmark.evidence.comparison.verdict import VERDICTS, Decision, Verdict
from reports.audit.audit import Audit, audit
from reports.claims.model import Claims
from reports.results.measured import AnyResults, MulticlassResults
from reports.text import listed, seed_list
from reports.verdicts.attribution import ChangeEffect, change_effects
from reports.verdicts.figures import ClaimVerdict, figure_verdicts
from reports.verdicts.statements import statement_verdicts

EXPLAINED = "accuracy"
TWO_CLASSES_ONLY = (
    "What leaving related images out, or calibration, would change cannot be judged here: these changes are for "
    "two classes only."
)
"""The note on the changes that change_effects does not measure for three or more classes."""
_FAULTS = {"single-class-collapse", "one-class-threshold", "train-inference-gap"}


@dataclass(frozen=True)
class ClaimsReport:
    """A claims file compared with the runs of one section.

    Attributes:
        claims: The claims.
        audit: Their audit.
        data: The data and protocol of the runs in words.
        synthetic: Whether the images are synthetic.
        figures: The verdicts of the figures, in the order of the file.
        statements: The verdicts of the statements, in the order of the file.
        changes: The effects of changes on the accuracy of a card, by card. Contains cards with a fault in every run and
            cards that a claim differs from, or would if it did not rest on one training.
        notes: What the verdicts do not account for.
    """

    claims: Claims
    audit: Audit
    data: str
    synthetic: bool
    figures: tuple[ClaimVerdict, ...]
    statements: tuple[ClaimVerdict, ...]
    changes: Mapping[str, tuple[ChangeEffect, ...]]
    notes: tuple[str, ...]

    def counts(self) -> dict[Verdict, int]:
        """The number of figures and statements by verdict; verdicts without any are left out."""
        counts = Counter(claim.decision.verdict for claim in (*self.figures, *self.statements))
        return {verdict: counts[verdict] for verdict in VERDICTS if counts[verdict]}


def report_on_claims(claims: Claims, measured: Mapping[str, AnyResults], data: str, synthetic: bool) -> ClaimsReport:
    """Audits claims and compares them with measured results.

    Args:
        claims: The claims.
        measured: The results of the cards by name.
        data: The data and protocol of the results in words.
        synthetic: Whether the images are synthetic.

    Returns:
        The audit, the verdicts, and the effects of changes to the cards that fail.
    """
    audited = audit(claims)
    figures = figure_verdicts(claims, audited, measured)
    statements = statement_verdicts(claims, audited, measured)
    targets = dict.fromkeys(
        (*_failing(measured), *_differing(claims, figures), *_subjects(claims, statements, measured))
    )
    changes = {name: change_effects(name, EXPLAINED, measured) for name in targets}
    notes = () if synthetic else tuple(_notes(claims, measured))
    if any(isinstance(measured[name], MulticlassResults) for name in changes):
        notes = (*notes, TWO_CLASSES_ONLY)
    return ClaimsReport(claims, audited, data, synthetic, figures, statements, changes, notes)


def contradicts(decision: Decision) -> bool:
    """Whether a verdict is differs, or would be if it did not rest on one training alone."""
    return decision.verdict == "differs" or decision.one_training


def differs(reports: Iterable[ClaimsReport]) -> bool:
    """Whether any claim has the verdict differs or impossible."""
    return any(VERDICTS[verdict].answer == "does not hold" for report in reports for verdict in report.counts())


def _notes(claims: Claims, measured: Mapping[str, AnyResults]) -> Iterator[str]:
    about = {name: measured[name] for name in sorted({*_cards(claims)} & set(measured))}
    single = [name for name, results in about.items() if results.is_one_training]
    if single:
        which = "every card" if len(single) == len(about) else listed(single)
        yield (
            f"One seed was run for {which}: its verdicts do not account for the variation between seeds, so no claim "
            "about it differs."
        )
    for name, results in about.items():
        if results.left_out:
            seeds = seed_list(results.left_out)
            yield f"Left out: {name}, {seeds}, scored on different test images than its first seed."
    if about and all(results.related == {} for results in about.values()):
        known = not any(results.runs[0].spec.dataset.patients_unknown for results in about.values())
        relative = "an image of the same patient or a near duplicate" if known else "a near duplicate"
        yield (
            f"No test image has {relative} in train or val, or a copy in test: leakage explains no difference here"
            + ("." if known else ", as judged by pixels; patients are not known.")
        )


def _cards(claims: Claims) -> Iterator[str]:
    """The cards that rows and statements name."""
    yield from (row.card for row in claims.rows if row.card is not None)
    for statement in claims.statements:
        for form in statement.assertion.forms():
            yield from form.assertion.cards


def _failing(measured: Mapping[str, AnyResults]) -> Iterator[str]:
    """Cards with the same fault of decisions in every run."""
    for name, results in measured.items():
        codes = [{finding.code for finding in findings} & _FAULTS for findings in results.findings]
        if set.intersection(*codes):
            yield name


def _differing(claims: Claims, figures: Iterable[ClaimVerdict]) -> Iterator[str]:
    cards = {row.name: row.card for row in claims.rows}
    for figure in figures:
        card = cards[figure.about]
        if contradicts(figure.decision) and card is not None:
            yield card


def _subjects(claims: Claims, statements: Iterable[ClaimVerdict], measured: Mapping[str, AnyResults]) -> Iterator[str]:
    """Cards in a statement whose verdict is differs; of two compared cards, the first."""
    assertions = {each.id: each.assertion for each in claims.statements}
    for statement in statements:
        if contradicts(statement.decision):
            for form in assertions[statement.about].forms():
                yield from (card for card in form.assertion.cards[:1] if card in measured)
