"""What is registered of claims: a digest per claim, and content from which they can be made again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reports.claims.model import claims_names, load_claims
from reports.claims.registered import claims_from, registered
from tests.support.records import cards
from tests.support.registered import CARD, OTHER, claims_in

SAID = "statement said-0"


@pytest.mark.parametrize("name", claims_names())
def test_the_built_in_claims_are_the_same_after_registration(name: str) -> None:
    claims = load_claims(name, cards())
    again = claims_from(registered(claims))
    assert again is not None
    assert again.model_dump() == claims.model_dump()
    assert registered(again) == registered(claims)


@pytest.mark.parametrize(
    ("change", "items"),
    [
        ({}, set()),
        ({"auc": 0.91}, {f"row {CARD}"}),
        ({"margin": 0.2}, {"rules"}),
        ({"conditions": {"image_size": 32}}, {"rules"}),
        ({"title": "Another title"}, set()),
        ({"matrices": [{"row": OTHER, "tp": 1, "fp": 1, "tn": 233, "fn": 233, "location": "x"}]}, {f"row {OTHER}"}),
        ({"settings": [{"row": CARD, "setting": "epochs", "value": 3, "location": "x"}]}, {f"row {CARD}"}),
    ],
)
def test_a_change_concerns_the_digest_of_its_claim_alone(
    tmp_path: Path, change: dict[str, Any], items: set[str]
) -> None:
    before, after = registered(claims_in(tmp_path)), registered(claims_in(tmp_path, **change))
    assert before.items.keys() == after.items.keys() == {"rules", f"row {CARD}", f"row {OTHER}", SAID}
    assert {key for key in before.items if before.items[key] != after.items[key]} == items
    assert (before.digest == after.digest) == (not items)


def test_claims_of_another_version_of_the_program_are_none(tmp_path: Path) -> None:
    entry = registered(claims_in(tmp_path))
    assert claims_from(entry.model_copy(update={"content": {**entry.content, "later": 1}})) is None
