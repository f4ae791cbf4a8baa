"""A card in a few figures: what is averaged, what is left out of the means, and what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.evidence.metrics.registry import Figure, measures
from benchmark.runs.storage.store import Store
from reports.report import build_report
from reports.results.comparison.card_figures import CardFigures, card_figures, caution_note, failures
from reports.results.measured import collect_results
from reports.text import estimate
from tests.support.records import make_run, of_counts, on_test, on_val, planted
from tests.support.stored import keep
from tests.support.study import COLLAPSED, FAILED, SEVERAL, SINGLE, store_in


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CardFigures]:
    store = store_in(tmp_path_factory.mktemp("study"))
    return of(store)


def of(store: Store) -> dict[str, CardFigures]:
    runs = store.runs()[0]
    return {card.card.name: card for card in card_figures(runs, collect_results(runs, store))}


def test_every_card_has_every_metric_at_half(found: dict[str, CardFigures]) -> None:
    assert set(found) == {SINGLE, SEVERAL, COLLAPSED, FAILED}
    for name in (SINGLE, SEVERAL, COLLAPSED):
        assert list(found[name].at_half) == list(measures())


def test_figures_of_one_seed_are_those_of_its_counts(found: dict[str, CardFigures]) -> None:
    half = found[SINGLE].at_half
    assert half["accuracy"].value == pytest.approx(359 / 468)
    assert half["precision"].value == pytest.approx(131 / 137)
    assert half["recall"].value == pytest.approx(131 / 234)
    assert half["accuracy"].n == 468


def test_figures_of_several_seeds_are_their_means(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    keep(store, SINGLE, of_counts(tp=80, fp=10, tn=90, fn=20), seed=0)
    keep(store, SINGLE, on_test(of_counts(80, 10, 90, 20).y_true.tolist(), [0.9] * 80 + [0.1] * 120), seed=1)
    (card,) = of(store).values()
    assert card.seeds == (0, 1)
    assert card.at_half["accuracy"].value == pytest.approx((170 / 200 + 180 / 200) / 2)
    assert card.at_half["accuracy"].low is not None
    assert len(card.seconds) == 2


def test_decisions_differ_at_the_chosen_threshold_and_rankings_do_not(found: dict[str, CardFigures]) -> None:
    card = found[SEVERAL]
    assert card.at_half["recall"].value != card.at_chosen["recall"].value
    assert card.at_half["auc"].value == card.at_chosen["auc"].value


def test_without_a_chosen_threshold_there_are_no_figures_at_it(found: dict[str, CardFigures]) -> None:
    assert found[COLLAPSED].at_chosen == {}
    assert found[COLLAPSED].thresholds == (None,)
    assert list(found[COLLAPSED].diagnosis) == ["single-class collapse: PNEUMONIA"]


def test_a_card_whose_runs_failed_has_errors_and_no_figures(found: dict[str, CardFigures]) -> None:
    card = found[FAILED]
    assert (card.seeds, card.failed, card.at_half, card.seconds) == ((), (0,), {}, ())
    assert card.errors == ("ResourceExhausted: no memory",)


def test_an_undefined_figure_says_why(found: dict[str, CardFigures]) -> None:
    mcc = found[COLLAPSED].at_half["mcc"]
    assert mcc.value is None
    assert mcc.reason


def test_a_seed_on_other_images_is_left_out_by_name(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    keep(store, SINGLE, seed=0)
    keep(store, SINGLE, seed=1, images="elsewhere")
    (card,) = of(store).values()
    assert (card.seeds, card.left_out) == ((0,), (1,))


def test_without_scores_a_single_run_keeps_its_recorded_interval_and_several_have_none() -> None:
    one = card_figures([make_run()], {})[0].at_half["accuracy"]
    assert None not in (one.value, one.low, one.high)
    runs = [make_run(seed=seed, test=on_test(*planted(100, 100, seed=seed))) for seed in (0, 1)]
    both = card_figures(runs, {})[0].at_half["accuracy"]
    values = [run.figures()["accuracy"].value for run in runs]
    assert both.value == pytest.approx(sum(value for value in values if value is not None) / 2)
    assert (both.low, both.high) == (None, None)
    assert both.reason is not None
    assert "scores" in both.reason


def test_figures_that_a_run_lacks_are_explained() -> None:
    run = make_run()
    assert failures([run]) == []
    recorded = run.at_half["test"]
    newer = {name: figure for name, figure in recorded.items() if name != "f1"}
    reason = "mcc of package benchmark raised ValueError: no such thing"
    failed = recorded | {"mcc": Figure.missing("mcc", reason)}
    copies = [run.model_copy(update={"at_half": {"test": figures}, "at_chosen": {}}) for figures in (newer, failed)]
    assert failures(copies) == [
        "Not recorded, because the metric is newer than the run: F1.",
        f"Missing: {reason}.",
    ]


def test_a_fault_of_one_seed_is_counted_once() -> None:
    blind = {"val": on_val([0, 1] * 60, [0.98] * 120), "test": on_test([0, 1] * 50, [0.98] * 100)}
    (card,) = card_figures([make_run(seed=0), make_run(seed=1, **blind)], {})
    assert card.diagnosis == {"single-class collapse: PNEUMONIA": 1}


def test_marked_intervals_are_explained_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    for name in (SINGLE, SEVERAL):
        keep(store, name, on_test(*planted(96, 4, 1.5, 4)))
    cards = list(of(store).values())
    assert estimate(cards[0].at_half["recall"]).endswith("]†")
    assert estimate(cards[0].at_half["specificity"]).endswith("]")
    note = caution_note(cards)
    assert note is not None
    assert note.startswith("† An interval with this mark may be far off: it rests on fewer than 5 images of a class")
    (section,) = build_report(store.runs()[0], store.history, scores=store).sections
    assert section.notes.count(note) == 1


def test_without_marked_intervals_nothing_is_explained(found: dict[str, CardFigures]) -> None:
    assert caution_note([found[SINGLE]]) is None
