"""What cards add over facts without content: the difference of two AUCs on the same test images."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import roc_auc_score

from benchmark.data.checks.shortcuts import Shortcut
from benchmark.evidence.comparison.multiplicity import holm
from benchmark.runs.run import Run
from benchmark.runs.shortcuts import SplitShortcuts, TestScoresOfFacts
from benchmark.runs.storage.beside.shortcuts import write_shortcuts
from benchmark.runs.storage.store import Store
from reports.render import csv as csv_tables
from reports.render import latex
from reports.render.html.page import render as html
from reports.render.markdown.document import render as markdown
from reports.report import build_report
from reports.results.images.shortcuts import ShortcutBaseline, shortcut_baseline
from reports.results.measured import collect_multiclass_results, collect_results
from tests.support.multiclass_stores import three_classes_in
from tests.support.records import on_test, planted
from tests.support.stored import keep

NOTABLE = Shortcut("file size", 0.97, 0.95, 0.99, 0.55, 0.01, 200, "median bytes: 9 in A, 5 in B")


def record(store: Store, run: Run, names: list[str], labels: list[int], scores: npt.NDArray[np.float64]) -> None:
    """Record facts about the split of `run`, with the images in another order."""
    order = np.random.default_rng(9).permutation(len(names))
    test = TestScoresOfFacts(
        facts="file size",
        names=tuple(names[place] for place in order),
        labels=tuple(labels[place] for place in order),
        scores=tuple(map(tuple, scores[order].tolist())),
    )
    recorded = SplitShortcuts(
        shortcuts=(NOTABLE, Shortcut("bit depth", None, reason="the same for all images")), test=test
    )
    spec = run.spec
    write_shortcuts(store, spec.dataset.fingerprint, run.split.fingerprint, spec.protocol.image_size, recorded)


def baseline_of(store: Store) -> ShortcutBaseline | None:
    return shortcut_baseline(collect_results(store.runs()[0], store), store)


def two_cards(root: Path) -> tuple[Store, list[int], npt.NDArray[np.float64]]:
    store = Store(root)
    labels, better = planted(100, 100, seed=2)
    keep(store, "attempt-7", on_test(labels, better))
    facts = np.random.default_rng(3).uniform(size=200) * 0.6 + 0.4 * np.asarray(labels)
    run = keep(store, "attempt-6b", on_test(labels, 1 - np.asarray(better)))
    record(store, run, [f"test/{place}" for place in range(200)], list(labels), np.stack([1 - facts, facts], axis=1))
    return store, list(labels), facts


def test_a_card_is_compared_with_the_facts_on_the_same_images(tmp_path: Path) -> None:
    store, labels, facts = two_cards(tmp_path)
    baseline = baseline_of(store)
    assert baseline is not None
    assert baseline.test is not None
    of_facts = roc_auc_score(labels, facts)
    assert baseline.test.value == pytest.approx(of_facts)
    gains = {gain.card: gain for gain in baseline.gains}
    better = planted(100, 100, seed=2)[1]
    assert gains["attempt-7"].difference.value == pytest.approx(roc_auc_score(labels, better) - of_facts)
    assert gains["attempt-6b"].difference.value == pytest.approx(1 - roc_auc_score(labels, better) - of_facts)
    adjusted = holm([gain.difference.p_value for gain in baseline.gains])
    assert [gain.p_adjusted for gain in baseline.gains] == list(adjusted)


def test_tables_of_shortcuts_are_exported(tmp_path: Path) -> None:
    store, _, _ = two_cards(tmp_path)
    report = build_report(store.runs()[0], store.history, scores=store)
    table = list(csv.DictReader(io.StringIO(csv_tables.render(report, store)["shortcuts"])))
    baseline = report.sections[0].shortcuts
    assert baseline is not None
    assert baseline.test is not None
    assert [(row["kind"], row["about"]) for row in table] == [
        *(("facts", "file size"), ("facts", "bit depth"), ("test", "file size")),
        *(("gain", gain.card) for gain in baseline.gains),
    ]
    assert (table[0]["value"], table[0]["notable"], table[1]["value"]) == ("0.97", "true", "")
    assert [float(row["value"]) for row in table[2:]] == pytest.approx(
        [baseline.test.value, *(gain.difference.value for gain in baseline.gains)]
    )
    tex = latex.render(report)
    assert r"\label{tab:shortcuts}" in tex
    assert r"\label{tab:shortcut-gains}" in tex
    assert "median bytes: 9 in A, 5 in B" in tex
    bare = build_report(store.runs()[0], store.history)
    assert "shortcuts" not in csv_tables.render(bare, store)
    assert "tab:shortcut" not in latex.render(bare)


def test_a_notable_shortcut_is_a_problem_and_a_section_of_every_page(tmp_path: Path) -> None:
    store, _, _ = two_cards(tmp_path)
    report = build_report(store.runs()[0], store.history, scores=store)
    summary = report.sections[0].summary
    assert summary is not None
    assert [each.text for each in summary.problems if each.code == "shortcut"] == [
        "File size alone distinguishes the classes: AUC 0.97 [0.95, 0.99], shuffled patients 0.55 (median bytes: 9 in "
        "A, 5 in B); part of that may be what the images show; compare it with what a card adds."
    ]
    for page in (markdown(report), html(report)):
        assert "What cards add over facts without content" in page
        assert "Not judged as shortcuts: bit depth (the same for all images)." in page


def test_three_classes_have_the_macro_mean(tmp_path: Path) -> None:
    store = three_classes_in(tmp_path)
    run = next(run for run in store.runs()[0] if run.status == "ok")
    measured = collect_multiclass_results(store.runs()[0], store)
    assert shortcut_baseline(measured, store) is None
    first = next(iter(measured.values()))
    names, labels = list(first.images), first.test[0].y_true.tolist()
    facts = np.random.default_rng(1).dirichlet(np.ones(3), len(names)) * 0.7 + 0.3 * np.eye(3)[labels]
    record(store, run, names, labels, facts)
    baseline = shortcut_baseline(measured, store)
    assert baseline is not None
    assert baseline.test is not None
    assert baseline.test.value == pytest.approx(roc_auc_score(labels, facts, multi_class="ovr"))
    assert all(gain.difference.value is not None for gain in baseline.gains)


def test_facts_about_other_images_are_not_compared(tmp_path: Path) -> None:
    store, labels, facts = two_cards(tmp_path)
    run = store.runs()[0][0]
    scores = np.stack([1 - facts, facts], axis=1)
    names = [f"test/{place}" for place in range(200)]
    record(store, run, names, [1 - label for label in labels], scores)
    baseline = baseline_of(store)
    assert baseline is not None
    assert (baseline.test, baseline.gains) == (None, ())
    record(store, run, ["other", *names[1:]], labels, scores)
    assert baseline_of(store) == baseline
