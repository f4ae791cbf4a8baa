"""What is said about a threshold: the share that was guaranteed, on which images, and what the test says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmark.runs.plan import PlannedSplit
from benchmark.runs.protocol import ThresholdRule
from benchmark.runs.run import SplitFacts
from benchmark.runs.storage.store import Store
from reports.report import summary_of
from reports.results.comparison.leading import leading
from reports.results.conditions.split_lines import split_lines
from reports.results.guarantee_text import stated_share
from reports.results.rescored import with_rule
from tests.support.records import KAGGLE, on_val, planted
from tests.support.stored import keep
from tests.support.tiny import protocol as tiny_protocol


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    place: Path = tmp_path_factory.mktemp("store")
    made = Store(place)
    keep(made, "attempt-1", None, on_val(*planted(100, 100, 1.5, seed=1)))
    return made


def lines(store: Store, rule: str) -> tuple[str, ...]:
    (run,) = store.runs()[0]
    share = stated_share(with_rule(run, store, ThresholdRule.parse(rule)))
    return () if share is None else share.lines()


def test_a_guarantee_names_its_images_and_the_test(store: Store) -> None:
    chosen, test, limits = lines(store, "sensitivity=0.9@0.95")
    assert chosen.startswith(
        "chosen so that sensitivity is at least 0.9 with 95% confidence, on 200 validation images (100 PNEUMONIA"
    )
    assert "; its 95% lower bound there is 0.9" in chosen
    assert test.startswith("test sensitivity ")
    assert " [" in test
    assert limits.startswith("the guarantee is about images like those of validation, not those of another hospital")


def test_a_guarantee_is_not_about_the_held_out_images_nor_the_best_of_several(tmp_path: Path) -> None:
    made, val = Store(tmp_path), on_val(*planted(100, 100, 1.5, seed=1))
    facts = KAGGLE.model_copy(update={"hold_out": "site=C"})
    for name in ("attempt-1", "attempt-7"):
        keep(made, name, None, val, dataset=facts)
    runs = [with_rule(run, made, ThresholdRule.parse("sensitivity=0.9@0.95")) for run in made.runs()[0]]
    share = stated_share(runs[0])
    assert share is not None
    assert "images like those of validation (every other site; the test images are site C)" in share.lines()[-1]
    problems = [problem.text for problem in summary_of(runs, made).problems]
    assert "; the test images are site C, for which nothing is guaranteed." in " ".join(problems)
    assert "is about each card alone; for the best of 2 cards it is weaker." in " ".join(problems)


@pytest.mark.parametrize(
    ("protocol", "counts", "classes", "says"),
    [
        ({"threshold": {"rule": "sensitivity", "value": 0.95, "confidence": 0.95}}, (90, 35), "ab", "59"),
        ({"threshold": {"rule": "sensitivity", "value": 0.95, "confidence": 0.95}}, (9, 59), "ab", None),
        ({"threshold": {"rule": "specificity", "value": 0.9, "confidence": 0.95}}, (28, 99), "ab", "29"),
        ({"threshold": {"rule": "sensitivity", "value": 0.95}}, (9, 5), "ab", None),
        ({"threshold": {"rule": "youden"}}, (9, 5), "ab", None),
        (
            {"decision": {"rule": "class_at", "of_class": "b", "value": 0.9, "confidence": 0.95}},
            (90, 28, 90),
            "abc",
            "29",
        ),
        ({"decision": {"rule": "argmax"}}, (9, 5, 5), "abc", None),
    ],
)
def test_too_few_validation_images_for_a_guarantee_are_a_warning_before_training(
    protocol: dict[str, Any], counts: tuple[int, ...], classes: str, says: str | None
) -> None:
    """The numbers needed are those of the table on thresholds: 59 for 95%, 29 for 90%."""
    parts = {"train": (300,) * len(counts), "val": counts, "test": (300,) * len(counts)}
    facts = SplitFacts({name: sum(of) for name, of in parts.items()}, "split", (), parts)
    lines = split_lines([PlannedSplit((0,), facts)], tuple(classes), 5000, tiny_protocol(**protocol))
    warnings = [line for line in lines if "no threshold will be chosen" in line]
    assert len(warnings) == (says is not None)
    assert all("warning: s" in line and f"needs at least {says} validation images of " in line for line in warnings)


def test_a_specificity_is_about_the_negative_class(store: Store) -> None:
    assert "(100 NORMAL" in lines(store, "specificity=0.9@0.95")[0]


def test_without_a_confidence_it_is_said_that_nothing_is_guaranteed(store: Store) -> None:
    (chosen, _) = lines(store, "sensitivity=0.95")
    assert "not guaranteed on other images: sensitivity 0.95" in chosen
    assert "its 95% lower bound there is 0.8" in chosen
    assert lines(store, "youden") == ()


def test_old_records_are_completed_from_their_scores(store: Store) -> None:
    (run,) = store.runs()[0]
    rescored = with_rule(run, store, ThresholdRule.parse("sensitivity=0.95"))
    assert rescored.threshold is not None
    old = rescored.model_copy(update={"threshold": replace(rescored.threshold, guarantee=None)})
    assert stated_share(old) is None
    assert stated_share(old, store.binary_scores(run, "val")) == stated_share(rescored)


def test_too_few_images_leave_the_figures_missing_with_the_reason(store: Store) -> None:
    (run,) = store.runs()[0]
    rescored = with_rule(run, store, ThresholdRule.parse("sensitivity=0.99@0.95"))
    figure = leading(rescored).of_run(rescored, "recall")
    assert figure is not None
    assert figure.value is None
    assert "needs at least 299 positive validation images" in str(figure.reason)
    assert stated_share(rescored) is None
