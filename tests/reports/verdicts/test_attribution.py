"""The effects of changes: of one card to another, and of how the same scores are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score
from statsmodels.stats.multitest import multipletests

from benchmark.evidence import TestScores, ValidationScores
from benchmark.evidence.diagnosis.training_record import TrainingDiagnostics
from benchmark.runs.storage.store import Store
from reports.results.comparison.pairs import difference, gain_of_calibration, gain_of_threshold
from reports.results.measured import CardResults, collect_results
from reports.verdicts.attribution import ChangeEffect, card_change, change_effects
from tests.support.records import make_card, on_test, on_val, planted
from tests.support.stored import keep
from zoo.models.card import ModelCard
from zoo.models.catalog import load_cards

GOOD = on_test(*planted(100, 100, seed=2))
GOOD_VAL = on_val(*planted(60, 60, seed=1))


def changed(name: str, *, of: str = "attempt-1", extends: str | None = None, **model: Any) -> ModelCard:
    """A card whose model differs from that of `of` in `model`."""
    base = make_card(of).model_dump(mode="json")
    own = {"name": name, "extends": extends, "change": f"what {name} says", "model": {**base["model"], **model}}
    return ModelCard.model_validate({**base, **own})


def high(scores: TestScores | ValidationScores) -> list[float]:
    """As good a ranking, every score above 0.5."""
    return [0.6 + 0.4 * float(score) for score in scores.y_score]


COLLAPSED = on_test(GOOD.y_true.tolist(), high(GOOD))
COLLAPSED_VAL = on_val(GOOD_VAL.y_true.tolist(), high(GOOD_VAL))
BEFORE, AFTER = changed("before"), changed("after", dropout=0.1)
BOTH = changed("both", dropout=0.1, dense_units=8)
CHILD = changed("child", extends="before", dropout=0.1, dense_units=8)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture(scope="module")
def collapse(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CardResults]:
    """A card that collapsed, one setting away from a good one, and cards that must not be blamed."""
    kept = Store(tmp_path_factory.mktemp("collapse"))
    keep(kept, BEFORE, COLLAPSED, COLLAPSED_VAL)
    keep(kept, AFTER, GOOD, GOOD_VAL)
    keep(kept, BOTH, on_test(*planted(100, 100, seed=6)), GOOD_VAL)
    keep(kept, changed("elsewhere", dropout=0.2), GOOD, GOOD_VAL, images="others")
    return measured(kept)


def measured(store: Store) -> dict[str, CardResults]:
    return collect_results(store.runs()[0], store)


def by_kind(effects: tuple[ChangeEffect, ...]) -> dict[tuple[str, str | None], ChangeEffect]:
    return {(each.kind, each.other): each for each in effects}


def words(before: ModelCard, after: ModelCard) -> str | None:
    change = card_change(before, after)
    return None if change is None else change.words


def test_a_declared_change_of_several_settings_names_them() -> None:
    names = "(2 settings: model.dense_units, model.dropout)"
    assert words(BEFORE, CHILD) == f"declared change: what child says {names}"
    assert words(CHILD, BEFORE) == f"declared change: without: what child says {names}"
    change = card_change(BEFORE, CHILD)
    assert change is not None
    assert change.settings == ("model.dense_units: 128 to 8", "model.dropout: 0.5 to 0.1")


def test_a_declared_change_of_one_setting_is_said_in_the_words_of_the_card() -> None:
    assert words(BEFORE, changed("only", extends="before", dropout=0.1)) == "what only says"


def test_a_built_in_card_that_changes_more_than_one_setting_is_never_a_single_change() -> None:
    several = 0
    for name, card in load_cards().items():
        if card.extends is None:
            continue
        change = card_change(load_cards()[card.extends], card)
        assert change is not None, name
        assert change.words.startswith("declared change: ") == (len(change.settings) != 1), name
        several += len(change.settings) > 1
    assert several >= 6


def test_one_differing_setting_is_one_change_in_either_direction() -> None:
    assert words(BEFORE, AFTER) == "model.dropout: 0.5 to 0.1"
    assert words(AFTER, BEFORE) == "model.dropout: 0.1 to 0.5"


@pytest.mark.parametrize("other", [BOTH, changed("same")])
def test_two_differing_settings_or_none_are_no_change_if_none_is_declared(other: ModelCard) -> None:
    assert words(BEFORE, other) is None
    assert words(other, BEFORE) is None


def test_a_setting_that_is_not_there_is_shown_as_nothing() -> None:
    assert words(BEFORE, changed("with", batch_norm_momentum=0.9)) == "model.batch_norm_momentum: nothing to 0.9"


def test_a_list_is_one_setting_and_a_recipe_counts_too() -> None:
    assert words(BEFORE, changed("wide", filters=[64, 128, 256])) == "model.filters: [32, 64, 128] to [64, 128, 256]"
    base = BEFORE.model_dump(mode="json")
    small = ModelCard.model_validate({**base, "name": "small", "recipe": {**base["recipe"], "batch_size": 16}})
    assert words(BEFORE, small) == "recipe.batch_size: 32 to 16"


def test_a_planted_collapse_is_recovered_by_each_of_its_effects(collapse: dict[str, CardResults]) -> None:
    own = collapse["before"]
    assert accuracy_score(own.test[0].y_true, own.test[0].y_score >= 0.5) == 0.5
    effects = by_kind(change_effects("before", "accuracy", collapse))
    assert set(effects) == {("card", "after"), ("threshold", None), ("calibration", None)}
    for each in effects.values():
        assert each.card == "before"
        assert each.effect.low is not None
        assert each.effect.low > 0.25
        assert each.effect.n == len(GOOD)
        assert each.p_adjusted is not None
        assert each.p_adjusted < 0.001
    recovered = accuracy_score(GOOD.y_true, GOOD.y_score >= 0.5) - 0.5
    assert effects["card", "after"].effect.value == pytest.approx(recovered)
    assert effects["card", "after"].change == "model.dropout: 0.5 to 0.1"


def test_a_sibling_is_blamed_for_what_it_costs(collapse: dict[str, CardResults]) -> None:
    """From the good card, the same change costs as much as it gained."""
    gained = by_kind(change_effects("before", "accuracy", collapse))["card", "after"].effect
    lost = by_kind(change_effects("after", "accuracy", collapse))["card", "before"].effect
    assert lost.value == pytest.approx(-(gained.value or 0.0))
    assert lost.low == pytest.approx(-(gained.high or 0.0))


@pytest.mark.parametrize("card", ["before", "after", "both"])
def test_p_values_are_adjusted_by_holm_over_all_effects_of_a_card(collapse: dict[str, CardResults], card: str) -> None:
    own = collapse[card]
    effects = change_effects(card, "accuracy", collapse)
    gains = {"threshold": gain_of_threshold, "calibration": gain_of_calibration}
    differences = [
        difference(collapse[each.other], own, "accuracy") if each.other else gains[each.kind](own, "accuracy")
        for each in effects
    ]
    raw = [one.p_value for one in differences]
    assert raw == [each.p_value for each in effects]
    assert pytest.approx(multipletests(raw, method="holm")[1]) == [each.p_adjusted for each in effects]


def test_the_largest_effect_stands_first_whatever_its_sign(collapse: dict[str, CardResults]) -> None:
    for name in ("before", "after", "both"):
        sizes = [abs(each.effect.value or 0.0) for each in change_effects(name, "log_loss", collapse)]
        assert sizes == sorted(sizes, reverse=True)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(["before", "after", "both", "elsewhere"]))
def test_the_order_of_cards_decides_nothing(collapse: dict[str, CardResults], order: list[str]) -> None:
    turned = {name: collapse[name] for name in order}
    assert change_effects("after", "accuracy", turned) == change_effects("after", "accuracy", collapse)


@pytest.mark.parametrize("seeds", [1, 2])
def test_test_images_that_leak_are_a_change(store: Store, seeds: int) -> None:
    """All leaking images are decided rightly and the others no better than by chance: without them accuracy falls."""
    labels = [0, 1] * 100
    right = [0.1, 0.9] * 50 + [0.1, 0.1, 0.9, 0.9] * 25
    leaking = {"same patient": tuple(f"test/{place}" for place in range(100))}
    for seed in range(seeds):
        keep(store, BEFORE, on_test(labels, right), seed=seed, checks=TrainingDiagnostics(related=leaking))
    [effect] = [each for each in change_effects("before", "accuracy", measured(store)) if each.kind == "images"]
    assert effect.change == "without 100 test images of patients who are in train or val"
    assert effect.effect.value == pytest.approx(0.5 - 0.75)
    assert effect.effect.high is not None
    assert effect.effect.high < -0.1
    assert (effect.p_adjusted or 1.0) < 0.001


@pytest.mark.parametrize("related", [None, {}])
def test_without_related_images_leakage_is_no_change(store: Store, related: dict[str, tuple[str, ...]] | None) -> None:
    keep(store, BEFORE, GOOD, GOOD_VAL, checks=TrainingDiagnostics(related=related))
    assert "images" not in {each.kind for each in change_effects("before", "accuracy", measured(store))}


def test_a_rolled_back_calibrator_is_no_change(store: Store) -> None:
    """Ranking on validation is upside down, so no calibration is kept."""
    labels, scores = planted(60, 60)
    keep(store, BEFORE, COLLAPSED, on_val(labels, (1 - np.array(scores)).tolist()))
    assert "calibration" not in {each.kind for each in change_effects("before", "accuracy", measured(store))}


def test_scores_without_a_threshold_leave_no_change(store: Store) -> None:
    keep(store, BEFORE, COLLAPSED, on_val([0, 1] * 30, [0.7] * 60))
    assert change_effects("before", "accuracy", measured(store)) == ()


def test_a_card_that_was_not_measured_is_an_error(collapse: dict[str, CardResults]) -> None:
    with pytest.raises(KeyError, match="nobody"):
        change_effects("nobody", "accuracy", collapse)
