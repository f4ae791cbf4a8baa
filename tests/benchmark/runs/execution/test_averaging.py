"""Ensembles of stored runs: what is averaged, what is chosen on validation alone, and when they run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.data.decoding.prepared import LabelledImages
from benchmark.data.sources import open_dataset
from benchmark.evidence.scores import AnyScores, SplitName
from benchmark.runs.execution.averaging import Averaged, average_and_score
from benchmark.runs.execution.engines.engine import Ended, Work
from benchmark.runs.execution.execute import execute_all
from benchmark.runs.execution.failure import RunState
from benchmark.runs.plan import make_plan, unaveraged
from benchmark.runs.run import Job, Run, RunSpec
from benchmark.runs.storage.store import Store
from tests.support import tiny
from tests.support.multiclass_stores import RADIOGRAPHS, make_multiclass_run, simulated
from tests.support.multiclass_stores import on_test as multiclass_test
from tests.support.multiclass_stores import on_val as multiclass_val
from tests.support.records import SPLIT, on_test, on_val, planted
from tests.support.stored import keep
from zoo.config.errors import ConfigError
from zoo.models.card import ModelCard

NAMES = ("attempt-1", "attempt-6b", "attempt-7")
SHIFTS = (0.2, 2.0, 1.5)


def ensemble(members: Sequence[str] = NAMES, **recipe: Any) -> ModelCard:
    return ModelCard.model_validate(
        {
            "name": "mean",
            "title": "A mean",
            "change": "averages",
            "model": {"builder": "ensemble", "members": list(members)},
            "recipe": {"average": "probabilities", **recipe},
        }
    )


def stored(root: Path, *, shuffle_test: bool = False) -> tuple[Store, list[Run]]:
    """Runs of three cards; with `shuffle_test`, the test scores of every run belong to other images."""
    store, runs = Store(root), []
    for place, (name, shift) in enumerate(zip(NAMES, SHIFTS, strict=True)):
        labels, scores = planted(40, 40, shift, 20 + place)
        if shuffle_test:
            scores = np.random.default_rng(place).permutation(scores).tolist()
        val = on_val(*planted(30, 30, shift, place))
        runs.append(keep(store, name, on_test(labels, scores), val))
    return store, runs


def averaged(store: Store, runs: Sequence[Run], card: ModelCard) -> Averaged:
    spec = RunSpec(
        card=card,
        protocol=runs[0].spec.protocol,
        dataset=runs[0].spec.dataset,
        seed=0,
        members=tuple(run.run_id for run in runs),
    )

    def load(_folder: Path, split: SplitName, _state: RunState) -> LabelledImages:
        """Images in another order than that of the stored scores."""
        part = "val" if split == "train" else split
        labels = store.scores(runs[0], part).y_true
        order = np.random.default_rng(7).permutation(len(labels))
        names = tuple(f"{part}/{place}" for place in order)
        pixels = np.zeros((len(labels), 4, 4, 1), np.uint8)
        return LabelledImages(split, pixels, labels[order], names, names, names)

    return average_and_score(Job(spec, store.root, SPLIT), store, RunState(lambda _: None), load)


def in_stored_order(scores: AnyScores) -> Any:
    order = np.random.default_rng(7).permutation(len(scores))
    return scores.y_score[np.argsort(order)]


def test_the_scores_are_the_mean_of_the_stored_ones_image_by_image(tmp_path: Path) -> None:
    store, runs = stored(tmp_path)
    result = averaged(store, runs, ensemble())
    for split, scores in (("val", result.val_scores), ("test", result.test_scores)):
        expected = np.mean([store.scores(run, split).y_score for run in runs], axis=0)
        assert in_stored_order(scores) == pytest.approx(expected)
    assert [member.weight for member in result.members] == pytest.approx([1 / 3] * 3)
    assert [(member.card, member.run_id) for member in result.members] == [(r.spec.card.name, r.run_id) for r in runs]


def test_three_classes_are_averaged_too(tmp_path: Path) -> None:
    store, runs = Store(tmp_path), []
    labels = [0] * 20 + [1] * 20 + [2] * 20
    names = [[f"{part}/{place}" for place in range(60)] for part in ("val", "test")]
    for place, name in enumerate(NAMES):
        val = multiclass_val(RADIOGRAPHS, labels, simulated(labels, 3, seed=place))
        test = multiclass_test(RADIOGRAPHS, labels, simulated(labels, 3, images=1, seed=place))
        runs.append(make_multiclass_run(name, val, test))
        store.save(runs[-1], [(val, names[0]), (test, names[1])])
    result = averaged(store, runs, ensemble(choose=4))
    weights = [member.weight for member in result.members]
    expected = np.average([store.scores(run, "test").y_score for run in runs], axis=0, weights=weights)
    assert in_stored_order(result.test_scores) == pytest.approx(expected)


@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_members_and_threshold_are_chosen_without_the_test_split(average: str, tmp_path: Path) -> None:
    card = ensemble(average=average, choose=6)
    first, second = (
        averaged(*stored(tmp_path / str(shuffle), shuffle_test=shuffle), card) for shuffle in (False, True)
    )
    assert first.members == second.members
    assert first.choice == second.choice
    assert not np.array_equal(first.test_scores.y_score, second.test_scores.y_score)
    assert first.members[0].weight == 0  # hardly better than chance


def test_scores_of_other_images_are_refused(tmp_path: Path) -> None:
    store, runs = stored(tmp_path)
    runs[2] = keep(store, NAMES[2], images="elsewhere")
    with pytest.raises(ConfigError, match=r"of attempt-7 scored other val images"):
        averaged(store, runs, ensemble())


@dataclass
class _Recorded:
    """An engine that finishes every run at once, except those of the cards that fail."""

    work: Work
    failing: tuple[str, ...]
    submitted: list[list[str]]
    _ended: list[Ended] = field(default_factory=list)

    @property
    def is_busy(self) -> bool:
        return bool(self._ended)

    def submit(self, specs: Sequence[RunSpec]) -> list[RunSpec]:
        if specs:
            self.submitted.append([spec.card.name for spec in specs])
        for spec in specs:
            failed = spec.card.name in self.failing
            run = Run.failed(spec, "out of luck", tiny.split_facts()) if failed else tiny.finished(spec)
            self._ended.append(Ended(spec, run))
        return []

    def watch(self) -> list[Ended]:
        ended, self._ended = self._ended, []
        return ended

    def cancel(self) -> None:
        self._ended.clear()


@pytest.mark.parametrize("failing", [(), ("b",)])
def test_an_ensemble_follows_its_members_and_is_a_skip_if_one_failed(failing: tuple[str, ...], tmp_path: Path) -> None:
    dataset = open_dataset(str(tiny.write_npz(tmp_path / "tiny.npz")))
    cards = [ensemble("ab"), tiny.card("a"), tiny.card("b")]
    plan = make_plan(cards, tiny.protocol(), dataset)
    submitted: list[list[str]] = []
    runs = execute_all(
        plan.specs, dataset, Store(tmp_path / "runs"), engine=lambda work: _Recorded(work, failing, submitted)
    )
    if failing:
        assert submitted == [["a", "b"]]
        assert [run.spec.card.name for run in runs] == ["a", "b"]
        (skip,) = unaveraged(plan.specs, runs)
        assert (skip.card.name, skip.reason) == ("mean", "the run of its member b, seed 0 failed: out of luck")
    else:
        assert submitted == [["a", "b"], ["mean"]]
        assert [run.spec.card.name for run in runs] == ["mean", "a", "b"]
        assert unaveraged(plan.specs, runs) == ()
