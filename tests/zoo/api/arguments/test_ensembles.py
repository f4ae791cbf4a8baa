"""Ensembles from the card to the page: they are planned, reused, reported and applied like any other card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from sklearn.metrics import roc_auc_score

import zoo
from tests.support.forked import run_forked
from tests.support.tiny import SIDE, environment, write_npz, write_protocol
from zoo.api.bench import BenchResults

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ensembles")
    (folder / "cards").mkdir()
    members = ["constant", "pixels-logistic", "pixels-16"]
    cards = {
        "pixels-16": {
            "title": "16 x 16 blocks",
            "change": "fewer pixels",
            "model": {"builder": "pixels", "side": 16},
            "recipe": {"probe": "logistic"},
        },
        "mean": {"title": "A mean", "change": "averages", "ensemble": members},
        "chosen": {"extends": "mean", "title": "Chosen", "change": "chosen", "recipe": {"choose": 4}},
    }
    for name, card in cards.items():
        (folder / "cards" / f"{name}.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")
    write_npz(folder / "tiny.npz")
    write_npz(folder / "other.npz", test_seed=5)
    Image.fromarray(np.full((SIDE, SIDE), 90, np.uint8)).save(folder / "one.png")
    write_protocol(folder / "smallest.yaml")
    return folder


@pytest.fixture(scope="module")
def results(place: Path) -> BenchResults:
    return zoo.bench(
        ["mean", "chosen"],
        card_folders=place / "cards",
        data=place / "tiny.npz",
        protocol=place / "smallest.yaml",
        store=place / "runs",
        keep_models=True,
    )


def test_members_run_first_and_the_scores_are_their_mean(results: BenchResults) -> None:
    runs = {run.spec.card.name: run for run in results.runs}
    assert list(runs) == ["constant", "pixels-logistic", "pixels-16", "mean", "chosen"]
    assert results.failed == results.skips == ()
    mean = results.store.binary_scores(runs["mean"], "test")
    of_members = [results.store.binary_scores(runs[name], "test").y_score for name in list(runs)[:3]]
    assert mean.y_score == pytest.approx(np.mean(of_members, axis=0))
    assert runs["mean"].figures()["auc"].value == pytest.approx(roc_auc_score(mean.y_true, mean.y_score))
    assert runs["mean"].threshold is not None
    assert runs["mean"].costs is not None
    assert runs["mean"].costs.epochs == 0


def test_a_second_benchmark_reuses_the_ensembles_although_models_are_kept(results: BenchResults, place: Path) -> None:
    plan = zoo.plan_bench(
        ["chosen"],
        card_folders=place / "cards",
        data=place / "tiny.npz",
        protocol=place / "smallest.yaml",
        store=place / "runs",
        keep_models=True,
    )
    assert plan.reused == {spec.run_id for spec in plan.plan.specs}
    assert plan.plan.specs[-1].run_id == results.runs[-1].run_id


@pytest.mark.parametrize(
    ("words", "code", "shown"),
    [
        (["show", "chosen", "--store", "runs"], 0, "weight"),
        (["report", "--store", "runs"], 0, "wrote report.md"),
        (["verify", "runs", "--cards", "cards"], 0, ""),
        (["show", "mean", "--store", "runs"], 0, "models of its members stored: `zoo predict "),
        (
            ["predict", "mean", "one.png", "--store", "runs"],
            0,
            "scores: the mean of the probabilities of constant (0.",
        ),
        (["evaluate", "mean", "--data", "other.npz", "--store", "runs"], 0, "AUC"),
        (["export", "mean", "--store", "runs", "--out", "out"], 2, "or export a member"),
        (["curve", "mean", "--cards", "cards", "--data", "tiny.npz"], 2, "is not trained; give zoo curve one of"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_commands_know_ensembles(
    words: list[str], code: int, shown: str, results: BenchResults, place: Path, tmp_path: Path
) -> None:
    assert results.runs
    answer = run_forked(words, place, environment(tmp_path))
    assert answer.returncode == code, answer.stdout + answer.stderr
    assert shown in answer.stdout + answer.stderr
