"""`zoo.verify`: cards, claims and verdicts at hand against those that were registered."""

from __future__ import annotations

from pathlib import Path

import pytest

import zoo as package
from benchmark.runs.storage.store import Store
from tests.support.records import KAGGLE, make_spec
from tests.support.registered import CARD, OTHER, claims_in, entry, registered_store
from tests.support.stored import keep
from zoo.api.verify import VerifyResults
from zoo.config.errors import ConfigError
from zoo.models.catalog import load_cards


def states(results: VerifyResults, about: str) -> list[str]:
    return [check.state for check in results.checks if check.about == about]


def test_everything_as_registered_is_the_same(tmp_path: Path) -> None:
    claims = claims_in(tmp_path)
    results = package.verify(registered_store(tmp_path, claims), claims=claims)
    assert results.exit_code == 0
    assert {check.about: check.state for check in results.checks} == {
        "chain": "same",
        "runs": "same",
        "cards": "same",
        "protocol quick": "same",
        "claims study": "same",
    }
    assert results.entries == 2
    assert results.to_dict()["head"] == results.head
    assert list(results.to_frame().columns) == ["state", "about", "text", "right"]
    assert "Verification of" in results._repr_html_()


def test_a_claim_with_another_verdict_is_named_with_the_registered_one(tmp_path: Path) -> None:
    store = registered_store(tmp_path, claims_in(tmp_path, auc=0.91), seeds=(0, 1))
    results = package.verify(store, claims=claims_in(tmp_path, auc=0.5))
    assert results.exit_code == 1
    (order, change) = [check for check in results.checks if check.about == "claims study"]
    assert f"row {CARD} came after" in order.text
    assert (change.text, change.right) == (
        f"row {CARD}: test auc: differs; registered: reproduced",
        "the verdict reproduced",
    )


def test_claims_that_were_not_registered_or_are_not_at_hand_are_named(tmp_path: Path) -> None:
    claims = claims_in(tmp_path)
    store = registered_store(tmp_path, claims)
    assert states(package.verify(store), "claims study") == ["unchecked"]
    other = claims.model_copy(update={"name": "other"})
    results = package.verify(store, claims=[claims, other])
    assert (states(results, "claims study"), states(results, "claims other")) == (["same"], ["other"])
    assert results.exit_code == 1


def test_a_card_with_another_recipe_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    card = load_cards()[CARD]
    changed = card.model_copy(update={"recipe": card.recipe.model_copy(update={"batch_size": 7})})
    unknown = card.model_copy(update={"name": "mine"})
    entry(store, [make_spec(each, dataset=KAGGLE) for each in (changed, unknown)])
    results = package.verify(store)
    assert (states(results, f"card {CARD}"), states(results, "card mine")) == (["other"], ["unchecked"])


def test_a_store_without_registrations_is_not_as_registered(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    keep(store, OTHER)
    results = package.verify(store)
    assert results.exit_code == 1
    assert [(check.about, check.state) for check in results.checks] == [("chain", "other"), ("runs", "same")]
    with pytest.raises(ConfigError, match="contains no runs"):
        package.verify(tmp_path / "none")
