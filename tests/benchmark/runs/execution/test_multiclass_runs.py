"""Runs on three classes: figures follow from stored scores, and nothing that is chosen has seen the test split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score

from benchmark.data.sources import open_dataset
from benchmark.evidence.decisions.decide import decide
from benchmark.evidence.scores import MulticlassTestScores
from benchmark.runs.decision_rule import DecisionRule
from benchmark.runs.execution.execute import execute_all
from benchmark.runs.plan import make_plan
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from tests.support.tiny import SIDE, card, protocol

pytestmark = pytest.mark.slow

CLASSES = ("BACTERIA", "NORMAL", "VIRUS")
SAMPLING = {"train": 60, "val": 30, "test": 30, "balanced": True, "min_val": 0}
CARD = card(
    "three",
    model={"dropout": 0.3},
    epochs=6,
    early_stopping={"monitor": "val_loss", "patience": 2},
    class_weights="balanced",
    label_smoothing=0.05,
)
RULES = ("class_at=VIRUS:sensitivity:0.9", "cost=VIRUS:NORMAL:10", "abstain=accuracy:0.9")


@dataclass(frozen=True)
class Bench:
    """Runs of one card under each rule, and their store."""

    store: Store
    runs: dict[str, Run]


def write_three(path: Path, test_seed: int) -> Path:
    """Arrays of three classes, which differ in the place of a bright band; `test_seed` decides the test part alone."""
    arrays: dict[str, Any] = {"classes": np.array(CLASSES)}
    for number, (part, count) in enumerate((("train", 72), ("val", 36), ("test", 36))):
        generator = np.random.default_rng(test_seed if part == "test" else [7, number])
        labels = generator.permutation(np.arange(count) % 3)
        pixels = generator.integers(40, 160, (count, SIDE, SIDE))
        for index, label in enumerate(labels):
            pixels[index, 10 * label : 10 * label + 10] += 50
        arrays |= {f"{part}_images": pixels.astype(np.uint8), f"{part}_labels": labels}
        arrays[f"{part}_patients"] = np.array([f"{part}{index // 2}" for index in range(count)])
    np.savez(path, **arrays)
    return path


def bench(folder: Path, test_seed: int) -> Bench:
    dataset = open_dataset(str(write_three(folder / "three.npz", test_seed)))
    store, runs = Store(folder / "runs"), dict[str, Run]()
    for rule in RULES:
        conditions = protocol(sampling=SAMPLING, decision=DecisionRule.parse(rule).model_dump())
        [runs[rule]] = execute_all(make_plan([CARD], conditions, dataset).specs, dataset, store)
    return Bench(store, runs)


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return bench(tmp_path_factory.mktemp("one"), 1)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The same training and validation images with another test part."""
    return bench(tmp_path_factory.mktemp("elsewhere"), 2)


def test_every_run_finishes_and_its_store_can_be_read(one: Bench) -> None:
    assert [run.error for run in one.runs.values()] == [None] * len(RULES)
    runs, problems = one.store.runs()
    assert (len(runs), problems) == (len(RULES), [])


@pytest.mark.parametrize("rule", RULES)
def test_figures_are_those_of_scikit_learn_on_the_stored_scores(one: Bench, rule: str) -> None:
    run = one.runs[rule]
    test = one.store.scores(run, "test")
    assert isinstance(test, MulticlassTestScores)
    assert run.decision is not None
    for chosen, decided in ((False, test.y_score.argmax(axis=1)), (True, decide(run.decision, test.y_score))):
        figures = run.figures("test", chosen)
        assert figures["accuracy"].value == pytest.approx(accuracy_score(test.y_true, decided))
        recalls = recall_score(test.y_true, decided, labels=[0, 1, 2], average=None)
        assert [figures[f"recall:class:{name}"].value for name in CLASSES] == pytest.approx(recalls.tolist())
        assert figures["auc:macro"].value == pytest.approx(roc_auc_score(test.y_true, test.y_score, multi_class="ovr"))


@pytest.mark.parametrize("rule", RULES)
def test_nothing_that_is_fitted_or_chosen_has_seen_the_test_split(one: Bench, elsewhere: Bench, rule: str) -> None:
    first, second = one.runs[rule], elsewhere.runs[rule]
    assert first.decision is not None
    assert first.decision == second.decision
    assert first.at_half["val"] == second.at_half["val"]
    assert first.at_chosen["val"] == second.at_chosen["val"]
    scores = [
        (each.store.scores(run, "val"), each.store.scores(run, "test"))
        for each, run in ((one, first), (elsewhere, second))
    ]
    assert scores[0][0].y_score.tolist() == scores[1][0].y_score.tolist()
    assert scores[0][1].y_score.tolist() != scores[1][1].y_score.tolist()


def test_a_sensitivity_is_reached_on_validation(one: Bench) -> None:
    recall = one.runs[RULES[0]].figures("val", chosen=True)["recall:class:VIRUS"].value
    assert recall is not None
    assert recall >= 0.9


def test_the_easy_difference_is_learned(one: Bench) -> None:
    macro = one.runs[RULES[0]].figures()["auc:macro"].value
    assert macro is not None
    assert macro > 0.8
