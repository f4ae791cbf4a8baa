"""`zoo.verify`: cards, claims and verdicts at hand against those that were registered."""

from __future__ import annotations

from pathlib import Path

import pytest

import zoo as package
from benchmark.runs.storage.store import Store
from tests.support.records import KAGGLE, make_spec
from tests.support.registered import CARD, OTHER, claims_in, entry, registered_store, spec_of
from tests.support.stored import keep
from tests.support.training_sizes import keep_curve
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
    with pytest.raises(ConfigError, match="no such store"):
        package.verify(tmp_path / "none")


def test_a_store_of_curves_is_compared_too(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    keep_curve(store, sizes=(50,), draws=2)
    results = package.verify(store)
    assert results.exit_code == 1
    assert [(check.about, check.state) for check in results.checks] == [("chain", "other"), ("runs", "same")]
    path = next(store.root.glob("*/predictions.parquet"))
    path.write_bytes(path.read_bytes() + b" ")
    assert package.verify(store).exit_code == 3


@pytest.mark.parametrize("content", ["{", '{"version": "one"}', "[]"])
def test_a_damaged_mark_is_a_finding_and_the_rest_is_compared(tmp_path: Path, content: str) -> None:
    store = registered_store(tmp_path)
    (store.root / "store.json").write_text(content, encoding="utf-8")
    results = package.verify(store.root)
    assert results.exit_code == 3
    assert states(results, "store.json") == ["tampered"]
    assert states(results, "runs") == ["same"]


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"version": 4, "spec": 1}'])
def test_a_damaged_run_is_a_finding_and_the_rest_is_compared(tmp_path: Path, content: bytes) -> None:
    claims = claims_in(tmp_path)
    store = registered_store(tmp_path, claims)
    run_id = spec_of(CARD).run_id
    (store.folder(run_id) / "run.json").write_bytes(content)
    results = package.verify(store, claims=claims)
    assert results.exit_code == 3
    assert (states(results, f"run {run_id}"), states(results, "runs")) == (["tampered"], ["same"])
    assert states(results, "claims study") == ["same"]
