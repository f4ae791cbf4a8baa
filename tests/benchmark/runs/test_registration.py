"""Digests of registrations: equal content gives equal bytes, and another recipe another digest."""

from __future__ import annotations

import hashlib
import json

import pytest

from benchmark.runs.registration import canonical, digest, registered_claims, registration_of
from tests.support.records import KAGGLE, make_card, make_spec


def test_a_digest_is_that_of_sorted_json_without_blanks_in_ascii() -> None:
    value = {"b": [1, 2.5, None], "a": {"é": True}}
    text = json.dumps(value, sort_keys=True).replace(", ", ",").replace(": ", ":")
    assert canonical(value) == text.encode("ascii") == b'{"a":{"\\u00e9":true},"b":[1,2.5,null]}'
    assert digest(value) == hashlib.sha256(text.encode()).hexdigest()
    assert digest(dict(reversed(value.items()))) == digest(value)
    with pytest.raises(ValueError, match="JSON"):
        canonical(float("nan"))


def test_a_registration_names_what_decides_the_result_and_not_prose() -> None:
    specs = [make_spec(seed=seed, dataset=KAGGLE) for seed in (0, 1)]
    planned = registration_of(specs, KAGGLE, [specs[0].run_id])
    assert {run_id: each.stored for run_id, each in planned.runs.items()} == {
        specs[0].run_id: True,
        specs[1].run_id: False,
    }
    assert planned.data.fingerprint == KAGGLE.fingerprint
    assert planned.protocol.fields == specs[0].protocol.identity()
    assert planned.protocol.digest == digest(specs[0].protocol.identity())
    prose, recipe = make_card(title="Another title"), make_card(recipe={**make_card().recipe.model_dump(), "epochs": 3})
    of = {
        name: registration_of([make_spec(card, dataset=KAGGLE)], KAGGLE, ()).cards["attempt-1"]
        for name, card in (("prose", prose), ("recipe", recipe))
    }
    assert of["prose"] == planned.cards["attempt-1"] != of["recipe"]


def test_a_registration_covers_fewer_runs_and_claims_but_no_others() -> None:
    specs = [make_spec(seed=seed, dataset=KAGGLE) for seed in (0, 1)]
    one, other = (registered_claims("study", {"row a": value}, {}) for value in (1, 2))
    both = registration_of(specs, KAGGLE, (), [one])
    assert both.covers(registration_of(specs[:1], KAGGLE, (), [one]))
    assert both.covers(registration_of(specs, KAGGLE, ()))
    assert not both.covers(registration_of(specs, KAGGLE, (), [other]))
    assert not registration_of(specs[:1], KAGGLE, (), [one]).covers(both)


def test_the_rule_of_three_classes_is_that_of_their_decision() -> None:
    facts = KAGGLE.model_copy(update={"classes": ("a", "b", "c")})
    spec = make_spec(dataset=facts)
    planned = registration_of([spec], facts, ())
    assert planned.protocol.rule == spec.protocol.decision.in_words()
    assert planned.data.classes == ("a", "b", "c")
