"""Runs whose scores no stored model gives: they are refused, with what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.runs.deployment.model_files import model_of
from benchmark.runs.execution.reuse import reusable_run
from benchmark.runs.run import Member
from benchmark.runs.storage.store import Store
from tests.support import tiny
from zoo.config.errors import ConfigError
from zoo.models.card import ModelCard

MEAN = ModelCard.model_validate(
    {
        "name": "mean",
        "title": "A mean",
        "change": "averages",
        "model": {"builder": "ensemble", "members": ["a", "b"]},
        "recipe": {"average": "probabilities", "choose": 2},
    }
)


def test_an_ensemble_has_no_model_and_names_the_members_that_count(tmp_path: Path) -> None:
    ids = ("a" * 12, "b" * 12)
    spec = tiny.spec(card=MEAN, members=ids)
    members = tuple(
        Member(card=name, run_id=run_id, weight=weight, log_loss=0.5)
        for name, run_id, weight in zip("ab", ids, (0.0, 1.0), strict=True)
    )
    run = tiny.finished(spec, members=members)
    with pytest.raises(ConfigError, match=r"\(mean seed 0\) averages stored scores of b and has no model; use one of"):
        model_of(run, Store(tmp_path))


def test_a_run_whose_scores_are_means_of_views_is_refused(tmp_path: Path) -> None:
    card = tiny.card(augmentation={"rotation_degrees": 5}, test_time_augmentation=3)
    run = tiny.finished(tiny.spec(card=card))
    with pytest.raises(ConfigError, match=r"averages 4 views of each image .* run the card with test_time"):
        model_of(run, Store(tmp_path))


def test_an_ensemble_is_reused_without_a_model_also_where_models_are_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rules = tiny.protocol(keep_models=True)
    for spec, is_reused in (
        (tiny.spec(card=MEAN, protocol=rules, members=("a" * 12, "b" * 12)), True),
        (tiny.spec(protocol=rules), False),
    ):
        store.save(tiny.finished(spec))
        assert (reusable_run(store, spec) is not None) == is_reused
