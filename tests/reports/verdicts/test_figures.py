"""Every published figure has the verdict that what was measured bears out."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import accuracy_score, log_loss

from benchmark.evidence import Figure, TestScores
from benchmark.evidence.comparison.verdict import Decision
from benchmark.evidence.estimate import Trainings
from benchmark.evidence.intervals.formulas import wilson
from benchmark.evidence.intervals.trainings import of_one_training
from benchmark.runs.storage.store import Store
from reports.claims.model import load_claims
from reports.results.measured import collect_results
from reports.verdicts.figures import ClaimVerdict
from tests.support.claims import contents, figure, row, write_claims
from tests.support.judging import CARD, ELSEWHERE, RIGHT, claims_about, judged, of_figure, of_store
from tests.support.records import KAGGLE, PHANTOM, cards, of_counts, on_test, on_val, planted
from tests.support.stored import keep


@pytest.mark.parametrize(
    ("printed", "verdict"), [(0.9103, "reproduced"), (0.9145, "reproduced"), (0.5, "differs"), (0.8697, "inconclusive")]
)
def test_a_figure_is_judged_by_the_interval_of_its_difference(tmp_path: Path, printed: float, verdict: str) -> None:
    found = of_figure(tmp_path, of_counts(**RIGHT), figure("accuracy", printed))
    assert found.decision.verdict == verdict
    assert found.measured is not None
    assert found.measured.value == pytest.approx(426 / 468)
    assert found.difference is not None
    assert found.difference.value == pytest.approx(426 / 468 - printed)


@pytest.mark.parametrize(
    ("metric", "counts", "printed"),
    [
        ("recall", {"tp": 234, "fp": 234, "tn": 0, "fn": 0}, 1.0),
        ("specificity", {"tp": 234, "fp": 234, "tn": 0, "fn": 0}, 0.0),
        ("accuracy", {"tp": 234, "fp": 234, "tn": 0, "fn": 0}, 0.5),
        ("auc", {"tp": 234, "fp": 0, "tn": 234, "fn": 0}, 1.0),
    ],
)
def test_more_seeds_do_not_weaken_a_verdict(
    tmp_path: Path, metric: str, counts: dict[str, int], printed: float
) -> None:
    """Runs that call everything positive, or make no error, reproduce what was published, be it one or three."""
    for seeds in ((0,), (0, 1, 2)):
        decision = of_figure(
            tmp_path / str(len(seeds)), of_counts(**counts), figure(metric, printed), seeds=seeds, margin=0.1
        ).decision
        assert decision.verdict == "reproduced", (seeds, decision.reason)


def test_one_training_contradicts_no_published_figure(tmp_path: Path) -> None:
    decision = of_figure(tmp_path, of_counts(**RIGHT), figure("accuracy", 0.5), seeds=(0,)).decision
    assert (decision.verdict, decision.one_training) == ("inconclusive", True)
    assert decision.reason.startswith("one training cannot contradict")


def test_a_published_figure_is_one_training_more(tmp_path: Path) -> None:
    """Trainings of .6, .7 and .8 do not contradict .9103: its training may be as far from the mean as theirs."""
    kept = Store(tmp_path / "runs")
    for seed, right in enumerate((60, 70, 80)):
        half = [0.9] * right + [0.1] * (100 - right)
        keep(kept, CARD, on_test([1] * 100 + [0] * 100, half + [1 - score for score in half]), seed=seed)
    claims = claims_about(tmp_path / "claims", row("one", figure("accuracy", 0.9103), card=CARD))
    found = judged(claims, of_store(kept))[0]
    assert found.measured is not None
    assert found.difference is not None
    assert found.measured.trainings == Trainings(3, pytest.approx(0.1))
    low, high = found.difference.bounds or (0.0, 0.0)
    measured_low, measured_high = found.measured.bounds or (0.0, 0.0)
    published = of_one_training(0.9103, wilson(426, 468), Trainings(3, 0.1), (0, 1))
    assert published[1] == 1  # an accuracy ends there
    assert low == pytest.approx(0.7 - 0.9103 - math.hypot(0.7 - measured_low, 1 - 0.9103))
    assert high == pytest.approx(0.7 - 0.9103 + math.hypot(measured_high - 0.7, 0.9103 - published[0]))
    assert found.decision.verdict == "inconclusive"


def test_the_difference_counts_the_uncertainty_of_both_test_sets(tmp_path: Path) -> None:
    """Both standard errors under the root, as for two independent proportions."""
    found = of_figure(tmp_path, of_counts(**RIGHT), figure("recall", 0.6026)).difference
    p, q, n = 212 / 234, 141 / 234, 234
    wanted = norm.ppf(0.975) * np.sqrt(p * (1 - p) / n + q * (1 - q) / n)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert (found.high - found.low) / 2 == pytest.approx(wanted, rel=0.03)


def test_a_larger_published_test_set_makes_a_difference_more_certain(tmp_path: Path) -> None:
    widths = []
    for images in (234, 2340):
        found = of_figure(tmp_path / str(images), of_counts(**RIGHT), figure("accuracy", 0.5), sizes=(images, images))
        assert found.difference is not None
        assert found.difference.low is not None
        assert found.difference.high is not None
        widths.append(found.difference.high - found.difference.low)
    assert widths[1] < widths[0]


def test_the_images_that_are_said_to_be_needed_would_tell_and_a_third_would_not(tmp_path: Path) -> None:
    def scaled(factor: float) -> ClaimVerdict:
        test = of_counts(**{name: round(count * factor) for name, count in RIGHT.items()})
        return of_figure(tmp_path / str(factor), test, figure("accuracy", 0.88), sizes=(23400, 23400))

    first = scaled(1)
    assert first.decision.verdict == "inconclusive"
    assert first.decision.needed is not None
    factor = first.decision.needed / 468
    assert scaled(1.1 * factor).decision.verdict == "reproduced"
    assert scaled(max(1.0, 0.33 * factor)).decision.verdict == "inconclusive"


def test_no_number_of_images_can_tell_what_the_published_figure_leaves_open(tmp_path: Path) -> None:
    """More of our images do not narrow an interval of 468 images of others."""
    many = of_counts(**{name: 100 * count for name, count in RIGHT.items()})
    for place, test in enumerate((of_counts(**RIGHT), many)):
        decision = of_figure(tmp_path / str(place), test, figure("accuracy", 0.8697)).decision
        assert decision.verdict == "inconclusive"
        assert decision.needed is None
        assert "published figure is too uncertain" in decision.reason


@pytest.mark.parametrize(
    ("printed", "says"),
    [
        (figure("accuracy", 0.9103, "train"), "train figure"),
        (figure("accuracy", 0.9103, "val"), "val figure"),
        (figure("accuracy", 0.9, decimals=2, upper=0.95), "range"),
        (figure("accuracy", 0.9103, epoch="last"), "during training"),
        (figure("score", 0.5), "score has no measured counterpart"),
    ],
)
def test_a_figure_without_a_counterpart_is_not_comparable(tmp_path: Path, printed: dict[str, Any], says: str) -> None:
    decision = of_figure(tmp_path, of_counts(**RIGHT), printed).decision
    assert decision.verdict == "not comparable"
    assert says in decision.reason


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"dataset": PHANTOM}, ["synthetic"]),
        ({"dataset": ELSEWHERE}, ["different data", "other radiographs", KAGGLE.source]),
        ({"data": None}, ["do not name their data"]),
        ({"conditions": {"image_size": 150}}, ["quick", "image size 64 instead of 150"]),
        ({"conditions": {"train": 5000}}, ["training images 480 instead of 5000"]),
        ({"sizes": (100, 300)}, ["prevalence", "50%", "75%"]),
    ],
)
def test_a_figure_measured_under_other_conditions_is_not_comparable_and_the_reason_says_which(
    tmp_path: Path, more: dict[str, Any], says: list[str]
) -> None:
    decision = of_figure(tmp_path, of_counts(**RIGHT), figure("accuracy", 0.91, decimals=2), **more).decision
    assert decision.verdict == "not comparable"
    assert [part for part in says if part not in decision.reason] == []


def test_recall_and_auc_are_comparable_under_another_class_mix(tmp_path: Path) -> None:
    for metric in ("recall", "auc"):
        found = of_figure(tmp_path / metric, of_counts(**RIGHT), figure(metric, 0.9, decimals=1), sizes=(100, 300))
        assert found.decision.verdict in ("reproduced", "inconclusive")


def test_a_card_that_never_ran_is_not_run(tmp_path: Path) -> None:
    decision = of_figure(tmp_path, None, figure("accuracy", 0.9103)).decision
    assert decision.verdict == "not run"
    assert CARD in decision.reason


@pytest.mark.parametrize("test", [None, of_counts(**RIGHT)])
def test_what_the_audit_rules_out_is_impossible_with_or_without_a_run(tmp_path: Path, test: TestScores | None) -> None:
    decision = of_figure(tmp_path, test, figure("accuracy", 0.9113)).decision
    assert decision.verdict == "impossible"
    assert "0.9113" in decision.reason


def test_a_figure_is_measured_at_the_threshold_it_was_published_for(tmp_path: Path) -> None:
    test = on_test(*planted(234, 234, seed=3))
    found = of_figure(tmp_path, test, figure("accuracy", 0.5), threshold=0.3)
    assert found.measured is not None
    assert found.measured.value == pytest.approx(accuracy_score(test.y_true, test.y_score >= 0.3))
    assert found.measured.value != pytest.approx(accuracy_score(test.y_true, test.y_score >= 0.5))


def test_a_printed_count_has_its_difference_and_no_interval(tmp_path: Path) -> None:
    found = of_figure(tmp_path, of_counts(**RIGHT), figure("true_positives", 200, decimals=0), conditions={})
    assert found.difference is not None
    assert found.difference.value == 12
    assert found.decision == Decision("inconclusive", "a count has no interval")


def test_a_perfect_ranking_is_no_difference_of_one(tmp_path: Path) -> None:
    """The interval of an AUC of 1 has a lower end, which leaves open whether it is more than .05 above .96."""
    perfect = on_test([0] * 50 + [1] * 50, np.linspace(0, 1, 100).tolist())
    found = of_figure(tmp_path, perfect, figure("auc", 0.96, decimals=2))
    assert found.difference is not None
    assert found.difference.value == pytest.approx(0.04)
    assert found.decision.verdict == "inconclusive"


def test_an_undefined_figure_is_inconclusive_with_its_reason(tmp_path: Path) -> None:
    found = of_figure(tmp_path, of_counts(tp=0, fp=0, tn=234, fn=234), figure("precision", 0.9, decimals=1))
    assert found.measured is not None
    assert found.measured.value is None
    assert found.decision.verdict == "inconclusive"
    assert "undefined" in found.decision.reason


def test_a_printed_loss_is_held_against_the_reported_loss_with_its_penalty(tmp_path: Path) -> None:
    test = on_test(*planted(234, 234, seed=3))
    entropy, penalty = log_loss(test.y_true, test.y_score), 0.25
    store = Store(tmp_path / "runs")
    run = keep(store, CARD, test)
    reported = {
        split: figures | {"loss": Figure("loss", entropy + penalty, None, None, None, None)}
        for split, figures in run.at_half.items()
    }
    measured = collect_results([run.model_copy(update={"at_half": reported})], store)
    printed = figure("loss", round(entropy + penalty, 4))
    found = judged(claims_about(tmp_path / "claims", row("one", printed, card=CARD)), measured)[0]
    assert found.measured is not None
    assert found.measured.value == pytest.approx(entropy + penalty)
    assert found.measured.low is not None
    assert found.measured.high is not None
    assert found.measured.low < entropy + penalty < found.measured.high
    assert found.decision.verdict in ("reproduced", "inconclusive")
    far = figure("loss", round(3 * entropy + penalty, 4))
    assert judged(claims_about(tmp_path / "far", row("one", far, card=CARD)), measured)[0].decision.one_training


def test_a_loss_of_another_kind_is_not_comparable(tmp_path: Path) -> None:
    focal = {"name": "binary_focal_crossentropy", "alpha": 0.25, "gamma": 2}
    decision = of_figure(tmp_path, of_counts(**RIGHT), figure("loss", 0.1), loss=focal).decision
    assert decision.verdict == "not comparable"
    assert "focal" in decision.reason


def test_only_the_figure_that_can_be_the_misprint_is_impossible(tmp_path: Path) -> None:
    """Of accuracy, recall and specificity of 212 + 20 + 214 + 22 images and a precision that none gives."""
    figures = [("accuracy", 0.9103), ("precision", 0.8138), ("recall", 0.9060), ("specificity", 0.9145)]
    keep(Store(tmp_path / "runs"), CARD, of_counts(**RIGHT))
    claims = claims_about(tmp_path / "claims", row("one", *(figure(*each) for each in figures), card=CARD))
    verdicts = judged(claims, of_store(Store(tmp_path / "runs")))
    of_metric = {each.published.metric: each for each in verdicts if each.published}
    assert [name for name, each in of_metric.items() if each.decision.verdict == "impossible"] == ["precision"]
    assert of_metric["accuracy"].decision.verdict == "reproduced"
    for name in ("accuracy", "recall", "specificity"):  # from the matrix that gives all but the precision
        delta = of_metric[name].difference
        assert delta is not None
        assert delta.value == pytest.approx(0, abs=1e-4)
        assert delta.bounds is not None


def test_a_figure_without_interval_says_why(tmp_path: Path) -> None:
    """Recall and specificity agree; each of the others contradicts them and each other."""
    figures = [figure("accuracy", 0.5), figure("precision", 0.6), figure("f1", 0.3), figure("recall", 0.9060)]
    store = Store(tmp_path / "runs")
    keep(store, CARD, of_counts(**RIGHT))
    alone = cards()[CARD].model_copy(update={"name": "alone", "source": None})
    keep(store, alone, of_counts(**RIGHT))
    rows = [row("one", *figures, card=CARD), row("two", figure("recall", 0.9060), card="alone")]
    held = contents(rows[1], source={"report": "A study", "data": KAGGLE.source})
    contradictory = judged(claims_about(tmp_path / "one", rows[0]), of_store(store))
    unsized = judged(load_claims(str(write_claims(tmp_path / "two", held)), {"alone": alone}), of_store(store))
    reasons = {each.decision.reason for each in contradictory if each.decision.verdict == "inconclusive"}
    assert reasons == {
        "the published figure has no interval: no confusion matrix gives the figures of its row together"
    }
    assert unsized[0].decision.reason == (
        "the published figure has no interval: the size of its test set is not stated"
    )


def test_a_figure_at_a_chosen_threshold_is_compared_at_those_that_the_runs_chose(tmp_path: Path) -> None:
    labels, scores = planted(234, 234, 3.0, 2)
    low = on_test(labels, [score / 3 for score in scores])
    val_labels, val_scores = planted(100, 100, 3.0, 1)
    store = Store(tmp_path / "runs")
    keep(store, CARD, low, on_val(val_labels, [score / 3 for score in val_scores]))
    printed = figure("recall", 0.9060)
    rows = [row("half", printed, card=CARD), row("chosen", printed, card=CARD, at="chosen")]
    half, chosen = judged(claims_about(tmp_path / "claims", *rows), of_store(store))
    assert (half.measured.value if half.measured else None) == 0
    assert half.at == "at 0.5"
    assert "measured at 0.5: " in half.decision.reason
    assert chosen.measured is not None
    assert chosen.measured.value is not None
    assert chosen.measured.value > 0.85
    assert chosen.at is not None
    assert "chosen on validation" in chosen.at


def test_figures_that_fit_only_with_another_meaning_are_not_compared(tmp_path: Path) -> None:
    """Macro averages of 360 + 40 + 194 + 30 images, of which the row says nothing."""
    counted = of_counts(tp=360, fp=40, tn=194, fn=30)
    printed = {"precision": 0.8830, "recall": 0.8761, "f1": 0.8793, "accuracy": 0.8878}
    figures = [figure(name, value) for name, value in printed.items()]
    decision = of_figure(tmp_path, counted, *figures, sizes=(234, 390)).decision
    assert decision.verdict == "not comparable"
    assert "They would fit as macro averages" in decision.reason
