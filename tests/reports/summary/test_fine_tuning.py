"""What fine-tuning added to a probe: paired by image, one family of tests, with the seconds of both."""

from __future__ import annotations

from pathlib import Path

import pytest
from sklearn.metrics import roc_auc_score
from statsmodels.stats.multitest import multipletests

from benchmark.runs.storage.store import Store
from reports.render.html.page import render as render_html
from reports.render.json import render as render_json
from reports.render.markdown.document import render as render_markdown
from reports.render.terminal.show import run_view
from reports.render.terminal.summary import summary_view
from reports.report import build_report, summary_of
from reports.results.comparison.pairs import compare_pair
from reports.results.measured import collect_results
from reports.summary.fine_tuning import gain_of_run
from reports.summary.model import Summary
from reports.summary.text import fine_tuning_sentence
from reports.text import estimate
from tests.support.records import COSTS, on_test, planted
from tests.support.stored import keep
from tests.support.terminal import flat, shown
from zoo.models.catalog import load_cards

PAIRS = {"vgg16-finetuned": "vgg16-probe", "squeezenet-finetuned": "squeezenet-probe"}
SHIFTS = {"vgg16-finetuned": 3.0, "vgg16-probe": 1.2, "squeezenet-finetuned": 2.0, "squeezenet-probe": 2.1}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two fine-tuned cards with their probes, of which one gained much."""
    made = Store(tmp_path_factory.mktemp("made") / "runs")
    for seed, (name, shift) in enumerate(SHIFTS.items()):
        costs = COSTS.model_copy(update={"seconds": 80.0 if "finetuned" in name else 5.0})
        keep(made, load_cards()[name], on_test(*planted(100, 100, shift, seed)), costs=costs)
    return made


@pytest.fixture(scope="module")
def summary(store: Store) -> Summary:
    return summary_of(store.runs()[0], store)


def test_gains_are_paired_differences_in_one_family(store: Store, summary: Summary) -> None:
    measured = collect_results(store.runs()[0], store)
    gains = {each.card.name: each for each in summary.fine_tuning}
    assert {name: each.probe.name for name, each in gains.items()} == PAIRS
    areas = {name: roc_auc_score(each.test[0].y_true, each.test[0].y_score) for name, each in measured.items()}
    for name, probe in PAIRS.items():
        assert gains[name].gain == compare_pair(measured[name], measured[probe], ("auc",))[0].difference
        assert gains[name].gain.value == pytest.approx(areas[name] - areas[probe])
    p_values = [gains[name].gain.p_value for name in PAIRS]
    adjusted = multipletests(p_values, method="holm")[1]
    assert [gains[name].p_adjusted for name in PAIRS] == pytest.approx(list(adjusted))


def test_a_sentence_says_difference_interval_p_and_seconds(summary: Summary) -> None:
    clear, none = (next(each for each in summary.fine_tuning if each.card.name == name) for name in PAIRS)
    assert fine_tuning_sentence(clear) == (
        f"AUC of vgg16-finetuned minus that of vgg16-probe: {estimate(clear.gain)}, p <.001; 80 s instead of 5 s."
    )
    assert ", not distinguishable from 0; 80 s instead of 5 s." in fine_tuning_sentence(none)


def test_every_report_says_it(store: Store, summary: Summary) -> None:
    report = build_report(store.runs()[0], store.history, scores=store)
    for sentence in map(fine_tuning_sentence, summary.fine_tuning):
        assert sentence in flat(shown(summary_view(summary), 300))
        for text in (render_markdown(report), render_html(report), render_json(report)):
            assert sentence.replace("<", "&lt;") in text or sentence in text
    assert "What fine-tuning added" in render_html(report)


def test_show_compares_a_run_with_its_stored_probe(store: Store, summary: Summary) -> None:
    runs = {run.spec.card.name: run for run in store.runs()[0]}
    (expected,) = (each for each in summary.fine_tuning if each.card.name == "squeezenet-finetuned")
    gain = gain_of_run(runs["squeezenet-finetuned"], store)
    assert gain is not None
    assert gain.gain == expected.gain
    assert fine_tuning_sentence(gain) in flat(shown(run_view(runs["squeezenet-finetuned"], store, 300), 300))
    assert gain_of_run(runs["vgg16-probe"], store) is None


def test_without_its_probe_on_the_same_images_a_card_is_not_compared(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    tuned = keep(store, load_cards()["vgg16-finetuned"])
    assert gain_of_run(tuned, store) is None
    keep(store, load_cards()["vgg16-probe"], images="other")
    assert summary_of(store.runs()[0], store).fine_tuning == ()
    assert gain_of_run(tuned, store) is None
