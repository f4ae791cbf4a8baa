"""The glossary of the docs and the explanations of the report are the same."""

from __future__ import annotations

import re

from benchmark.evidence.metrics.registry import metrics
from reports.glossary import TERMS, term_of
from tests.support.tiny import ROOT

PAGE = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")


def entries() -> dict[str, str]:
    """The text of each entry on one line, without emphasis, code marks and links."""
    pairs = re.findall(r"^(\S[^\n]*)\n: (.*?)(?=\n\n|\Z)", PAGE, flags=re.MULTILINE | re.DOTALL)
    return {term: " ".join(re.sub(r"[*`]|\[(?=[^\]]*\]\()|\]\([^)]*\)", "", text).split()) for term, text in pairs}


def test_every_explained_word_is_in_the_glossary_with_the_same_text() -> None:
    assert {term: entries().get(term) for term in TERMS} == dict(TERMS)


def test_the_glossary_is_in_alphabetical_order() -> None:
    assert list(entries()) == sorted(entries(), key=str.casefold)


def test_a_metric_is_explained_by_its_name_or_key() -> None:
    assert term_of("auc") == "AUC"
    assert term_of("recall:macro") == "balanced accuracy"
    assert term_of("mcc") is None
    assert {"accuracy", "recall", "specificity", "precision", "auc"} <= {name for name in metrics() if term_of(name)}
