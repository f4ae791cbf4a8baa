"""Claims about the built-in cards, and their judgements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark.evidence import TestScores
from benchmark.evidence.comparison.verdict import Decision
from benchmark.runs.storage.store import Store
from reports.audit.audit import audit
from reports.claims.model import Claims, load_claims
from reports.report import Report, build_report
from reports.results.measured import CardResults, collect_results
from reports.verdicts.figures import ClaimVerdict, figure_verdicts
from reports.verdicts.statements import statement_verdicts
from tests.support.claims import contents, figure, row, write_claims
from tests.support.records import KAGGLE, cards, on_test, on_val, planted
from tests.support.stored import SEEDS, keep, keep_seeds

RIGHT = {"tp": 212, "fp": 20, "tn": 214, "fn": 22}  # accuracy 426/468 = 0.9103, recall 212/234 = 0.9060
ELSEWHERE = KAGGLE.model_copy(update={"source": "folder", "title": "other radiographs"})
CARD = "attempt-5"  # publishes nothing itself
BLIND = "attempt-6a"  # of `two_cards`, the one that calls every image positive


def claims_about(
    folder: Path,
    *rows: dict[str, Any],
    says: Sequence[dict[str, Any]] = (),
    data: str | None = KAGGLE.source,
    **more: Any,
) -> Claims:
    """Claims about the built-in cards and the real data."""
    test = {"negatives": 234, "positives": 234, "location": "Section 2"}
    source = {"report": "A study", "data": data, "test": test}
    statements = [
        {"id": f"said-{place}", "location": "Conclusion", "text": "Dicho.", "assertion": one}
        for place, one in enumerate(says)
    ]
    rows = rows or (row("nothing", figure("score", 0.5)),)
    held = contents(*rows, source=source, statements=statements, **more)
    return load_claims(str(write_claims(folder, held)), cards())


def judged(claims: Claims, measured: Mapping[str, CardResults]) -> tuple[ClaimVerdict, ...]:
    """Every claim judged: figures first, then statements."""
    done = audit(claims)
    return (*figure_verdicts(claims, done, measured), *statement_verdicts(claims, done, measured))


def of_store(store: Store) -> dict[str, CardResults]:
    """What the runs of a store measured."""
    return collect_results(store.runs()[0], store)


def of_figure(
    folder: Path, test: TestScores | None, *figures: dict[str, Any], seeds: Sequence[int] = SEEDS, **more: Any
) -> ClaimVerdict:
    """The judgement of the first of these figures of a card with these scores for every seed; None: it never ran."""
    kept = Store(folder / "runs")
    run = {name: more.pop(name) for name in ("dataset", "protocol") if name in more}
    about = {name: more.pop(name) for name in ("threshold", "loss") if name in more}
    if "sizes" in more:
        about["test"] = dict(zip(("negatives", "positives"), more.pop("sizes"), strict=True)) | {"location": "Table 1"}
    if test is not None:
        keep_seeds(kept, CARD, test, seeds=seeds, **run)
    claims = claims_about(folder / "claims", row("one", *figures, card=CARD, **about), **more)
    return judged(claims, of_store(kept))[0]


def of_statement(folder: Path, says: dict[str, Any], **more: Any) -> Decision:
    """The decision on a statement of this form from the store beside `folder`."""
    claims = claims_about(folder / "claims", says=[says], **more)
    return judged(claims, of_store(Store(folder / "runs")))[-1].decision


def two_cards(folder: Path, **more: Any) -> Store:
    """Runs of `CARD`, which is good, and of `BLIND`."""
    store = Store(folder / "runs")
    keep(store, CARD, on_test(*planted(234, 234, 3.0, 1)), **more)
    blind = on_test([0] * 234 + [1] * 234, [0.9] * 468)
    keep(store, BLIND, blind, on_val([0, 1] * 60, [0.9] * 120), **more)
    return store


def study(folder: Path, text: str = "Dicho.", location: str = "Conclusion", **more: Any) -> Claims:
    """A figure of each kind of verdict, a statement that holds and one that does not."""
    figures = [
        figure("accuracy", 0.5),
        figure("auc", 0.98),
        figure("recall", 0.9, "val"),
        figure("true_positives", 230, decimals=0),
    ]
    says = [{"a": CARD, "b": BLIND, "metric": "auc"}, {"a": BLIND, "b": CARD, "metric": "auc"}]
    statements = [
        {"id": f"said-{place}", "location": location, "text": text, "assertion": {"superior": one}}
        for place, one in enumerate(says)
    ]
    rows = [row("one", *figures, card=CARD), row("two", figure("accuracy", 0.9113), card=BLIND)]
    test = {"negatives": 234, "positives": 234, "location": "Section 2"}
    source = {"report": "A study", "data": KAGGLE.source, "test": test}
    held = contents(*rows, **{"source": source, "statements": statements, **more})
    return load_claims(str(write_claims(folder / "claims", held)), cards())


def report_of(store: Store, claims: Claims) -> Report:
    """The report of all runs in `store` with these claims."""
    return build_report(store.runs()[0], store.history, scores=store, claims=[claims])
