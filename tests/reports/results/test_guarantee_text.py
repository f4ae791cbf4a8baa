"""What is said about a threshold: the share that was guaranteed, on which images, and what the test says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.runs.protocol import ThresholdRule
from benchmark.runs.storage.store import Store
from reports.results.guarantee_text import stated_share
from reports.results.leading import leading
from reports.results.rescored import with_rule
from tests.support.records import on_val, planted
from tests.support.stored import keep


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
    chosen, test = lines(store, "sensitivity=0.9@0.95")
    assert chosen.startswith(
        "chosen so that sensitivity is at least 0.9 with 95% confidence, on 200 validation images (100 PNEUMONIA"
    )
    assert "; its 95% lower bound there is 0.9" in chosen
    assert test.startswith("test sensitivity ")
    assert " [" in test


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
