"""Protocols: strict files, stable identities, budgets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from benchmark.data.splits import Sampling
from benchmark.evidence.thresholds.rules import get_rule, rule_names
from benchmark.runs.protocol import Protocol, ThresholdRule, decides, decision_problem, load_protocol
from tests.support.tiny import card, protocol
from zoo.config.errors import ConfigError
from zoo.models.card import ModelCard

BUILT_IN = ("full", "published", "quick")
OTHER: dict[str, Any] = {
    "image_size": 48,
    "split": "per-seed",
    "split_seed": 1,
    "view_seed": 1,
    "views": "fresh",
    "max_epochs": 3,
    "precision": "bfloat16",
    "prefix": "keras",
    "training_precision": "bfloat16",
    "training_convolutions": "direct",
    "threshold": {"rule": "fixed", "value": 0.4},
    "decision": {"rule": "abstain", "value": 0.7},
}
OTHER_SAMPLING: dict[str, Any] = {
    "train": 38,
    "val": 18,
    "test": 18,
    "balanced": False,
    "val_fraction": 0.3,
    "test_fraction": 0.3,
    "min_val": 5,
}


def write(folder: Path, text: str, name: str = "mine.yaml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_protocol_is_called_as_its_file(name: str) -> None:
    assert load_protocol(name).name == name


def test_published_holds_the_conditions_of_the_report() -> None:
    published = load_protocol("published")
    assert published.image_size == 150
    assert published.sampling == Sampling(train=480, val=120, test=468, balanced=True)
    assert published.seeds == (0,)
    assert published.max_epochs is None


def test_full_takes_all_images_in_their_own_balance() -> None:
    sampling = load_protocol("full").sampling
    assert (sampling.train, sampling.val, sampling.test, sampling.balanced) == (None, None, None, False)


def test_quick_is_the_smallest_built_in_protocol() -> None:
    quick, *others = (load_protocol(name) for name in ("quick", "published", "full"))
    assert quick.max_epochs is not None
    assert all(quick.image_size < other.image_size for other in others)


def test_an_unknown_name_is_answered_with_the_nearest_ones() -> None:
    with pytest.raises(ConfigError, match=r"Unknown protocol 'publishd'\. Did you mean published"):
        load_protocol("publishd")


def test_a_file_that_is_not_there_is_answered_with_the_built_in_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file; built-in: auto, full, published, quick"):
        load_protocol(str(tmp_path / "mine.yaml"))


def test_a_file_needs_only_a_title_and_an_image_size(tmp_path: Path) -> None:
    assert load_protocol(write(tmp_path, "title: Mine\nimage_size: 64")) == Protocol(
        name="mine", title="Mine", image_size=64
    )


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("seeds: [0, 1, 0]", "seeds must differ"),
        ("seeds: []", "seeds"),
        ("seeds: [-1]", "seeds.0"),
        ("seeds: 0", "seeds"),
        ("views: 0", "views"),
        ("views: often", "views"),
        ("max_epochs: '3'", "max_epochs"),
        ("max_epochs: 2.5", "max_epochs"),
        ("keep_models: 1", "keep_models"),
        ("sampling: {train: 1.5}", "sampling.train"),
        ("sampling: {val_fraction: 1}", "sampling.val_fraction"),
        ("precision: float16", "precision"),
        ("prefix: bfloat16", "prefix"),
        ("precision: bfloat16\nprefix: filtered", "precision: bfloat16 and prefix: filtered"),
        ("precision: bfloat16\nprefix: keras", "leave one of them out"),
        ("name: other", "must equal the file's name, 'mine'"),
        ("threshold: {rule: yuden}", "unknown rule 'yuden'. Did you mean youden?"),
        ("threshold: {rule: fixed, value: 2}", "threshold.value: rule fixed takes a value from 0 to 1 (got 2)"),
        ("threshold: {rule: cost, value: 0}", "threshold.value: rule cost takes a value above 0"),
        ("threshold: {rule: cost}", "threshold.value: rule cost needs a value above 0"),
        ("threshold: {rule: cost, value: .inf}", "mine.yaml:3:32: '.inf' is not a finite number"),
        ("threshold: {rule: cost, value: 1.0e+10}", "threshold.value: rule cost takes a value above 0, at most 1e+09"),
        ("threshold: {rule: cost, value: '5'}", "threshold.value"),
        ("threshold: {rule: sensitivity, value: 95}", "rule sensitivity takes a value above 0, at most 1"),
        ("threshold: {rule: youden, value: 0.3}", "threshold.value: rule youden takes no value"),
        ("decision: {rule: argmx}", "decision.rule: unknown rule 'argmx'. Did you mean argmax?"),
        ("decision: {rule: abstain}", "decision: rule abstain needs a value above 0, at most 1, as in abstain=0.7"),
        ("decision: {rule: abstain, value: '0.7'}", "decision.value"),
        ("decision: {rule: argmax, costs: {A: {B: 2}}}", "decision: rule argmax takes no costs"),
        ("decision: {rule: cost, costs: {A: {A: 2}}}", "decision: costs: a right decision for A costs nothing"),
        ("decision: {rule: class_at, clas: A}", "decision.clas"),
        ("max_epoch: 3", "Did you mean max_epochs"),
        ("sampling: {trian: 10}", "Did you mean train"),
        ("image_size: 64", "the key 'image_size' is duplicated"),
    ],
)
def test_a_wrong_field_is_one_line_with_file_and_field(tmp_path: Path, line: str, says: str) -> None:
    path = write(tmp_path, f"title: Mine\nimage_size: 32\n{line}")
    with pytest.raises(ConfigError) as caught:
        load_protocol(path)
    assert all(said.startswith(path) for said in caught.value.lines)
    assert says in caught.value.lines[0]


def test_only_a_forced_way_of_computing_frozen_layers_makes_another_run() -> None:
    plain = load_protocol("quick")
    assert "prefix" not in plain.identity()
    forced = [plain.model_copy(update={"prefix": way}) for way in ("keras", "filtered")]
    assert len({str(rules.identity()) for rules in (plain, *forced)}) == 3


def test_training_in_float32_is_no_part_of_the_identity() -> None:
    changed = protocol(training_precision="bfloat16").identity()
    assert {name for name in changed if name not in protocol().identity()} == {"training_precision"}


def test_only_a_named_method_of_convolutions_makes_another_run() -> None:
    assert "training_convolutions" not in protocol().identity()
    named = [protocol(training_convolutions=method) for method in ("direct", "filtered")]
    assert len({str(rules.identity()) for rules in (protocol(), *named)}) == 3


def test_bfloat16_cannot_be_filtered(tmp_path: Path) -> None:
    text = "title: Mine\nimage_size: 32\ntraining_precision: bfloat16\ntraining_convolutions: filtered"
    with pytest.raises(ConfigError, match="contradict each other; leave one of them out"):
        load_protocol(write(tmp_path, text))


def test_every_error_of_a_file_is_said_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "title: ''\nimage_size: 4\nviews: 0")
    with pytest.raises(ConfigError) as caught:
        load_protocol(path)
    text = "\n".join(caught.value.lines)
    assert all(field in text for field in ("title", "image_size", "views"))


def test_name_title_and_seeds_are_no_part_of_the_identity() -> None:
    other = protocol(name="other", title="Other", seeds=(3, 4))
    assert other.identity() == protocol().identity()


@pytest.mark.parametrize("field", OTHER)
def test_any_other_field_changes_the_identity(field: str) -> None:
    assert protocol(**{field: OTHER[field]}).identity() != protocol().identity()


@pytest.mark.parametrize("field", OTHER_SAMPLING)
def test_how_images_are_sampled_changes_the_identity(field: str) -> None:
    sampling = protocol().sampling.model_dump() | {field: OTHER_SAMPLING[field]}
    assert protocol(sampling=sampling).identity() != protocol().identity()


def test_the_number_of_test_folds_changes_the_identity_and_none_leaves_it_out() -> None:
    whole = protocol(sampling={})
    assert "test_folds" not in whole.identity()
    folded = [protocol(sampling={}, test_folds=count).identity() for count in (2, 5)]
    assert folded[0] != folded[1]
    assert {name for name in folded[0] if name not in whole.identity()} == {"test_folds"}


@pytest.mark.parametrize(
    ("sampling", "which"), [({"balanced": True}, "balanced"), ({"test": 40}, "test"), ({"test_fraction": 0.3}, "")]
)
def test_test_folds_test_every_image(sampling: dict[str, Any], which: str) -> None:
    if not which:
        assert protocol(sampling=sampling, test_folds=5).test_folds == 5
        return
    with pytest.raises(ValidationError, match=f"test_folds tests every image, and sampling.{which} leaves some out"):
        protocol(sampling=sampling, test_folds=5)


@pytest.mark.parametrize("count", [0, 1, 11])
def test_there_are_two_to_ten_test_folds(count: int) -> None:
    with pytest.raises(ValidationError, match="test_folds"):
        protocol(sampling={}, test_folds=count)


def test_folds_of_three_classes_may_decide_by_any_rule() -> None:
    folded = protocol(sampling={}, test_folds=5, decision={"rule": "abstain", "value": 0.7})
    assert decision_problem(folded, ("a", "b", "c")) is None


def test_every_field_says_once_whether_it_decides_results_display_or_retention() -> None:
    marks = {name: decides(field) for name, field in Protocol.model_fields.items()}
    assert set(marks.values()) == {"result", "display", "retention"}
    assert {name for name, mark in marks.items() if mark == "result"} == {"sampling", "test_folds", *OTHER}
    assert set(Sampling.model_fields) == set(OTHER_SAMPLING)


def test_conditions_are_the_identity_and_the_name() -> None:
    first, second = protocol(), protocol(name="other")
    assert first.conditions() == {"name": first.name, **first.identity()}
    assert first.conditions() != second.conditions()
    assert first.conditions() == protocol(title="Other", seeds=(3, 4), keep_models=True).conditions()


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_identity_of_a_rule_without_a_value_is_the_one_that_stored_runs_were_hashed_with(name: str) -> None:
    assert load_protocol(name).identity()["threshold"] == {"rule": "youden", "value": 0.5}


@pytest.mark.parametrize(
    ("line", "rule", "value"),
    [
        ("{rule: youden}", "youden", 0.5),
        ("{rule: youden, value: 0.5}", "youden", 0.5),
        ("{}", "youden", 0.5),
        ("{rule: fixed}", "fixed", 0.5),
        ("{rule: fixed, value: 0.5}", "fixed", 0.5),
        ("{rule: fixed, value: 0}", "fixed", 0.0),
        ("{rule: cost, value: 5}", "cost", 5.0),
        ("{rule: sensitivity, value: 0.95}", "sensitivity", 0.95),
        ("{rule: prevalence}", "prevalence", 0.5),
    ],
)
def test_a_threshold_rule_is_read_with_its_value(tmp_path: Path, line: str, rule: str, value: float) -> None:
    read = load_protocol(write(tmp_path, f"title: Mine\nimage_size: 32\nthreshold: {line}")).threshold
    assert (read.rule, read.value) == (rule, value)


def test_a_confidence_is_part_of_the_identity_only_where_it_is_stated() -> None:
    plain, sure = (
        protocol(threshold={"rule": "sensitivity", "value": 0.9, **more}) for more in ({}, {"confidence": 0.95})
    )
    assert plain.identity()["threshold"] == {"rule": "sensitivity", "value": 0.9}
    assert sure.identity()["threshold"] == {"rule": "sensitivity", "value": 0.9, "confidence": 0.95}
    assert sure.threshold == ThresholdRule.parse("sensitivity = 0.9 @ 0.95")
    assert sure.threshold.in_words() == "sensitivity 0.9 with 95% confidence, chosen on validation scores alone"


@pytest.mark.parametrize("rule", rule_names())
def test_a_threshold_rule_is_equal_after_a_round_trip_through_json(rule: str) -> None:
    made = ThresholdRule.parse(rule if get_rule(rule).value is None else f"{rule}=0.9")
    assert ThresholdRule.model_validate_json(made.model_dump_json(), strict=True) == made


@pytest.mark.parametrize(
    ("text", "rule", "value"),
    [
        ("youden", "youden", 0.5),
        ("fixed", "fixed", 0.5),
        ("fixed=0.4", "fixed", 0.4),
        ("cost=5", "cost", 5.0),
        (" cost = 2.5 ", "cost", 2.5),
        ("sensitivity=0.95", "sensitivity", 0.95),
        ("specificity=1", "specificity", 1.0),
    ],
)
def test_a_rule_is_read_from_the_command_line(text: str, rule: str, value: float) -> None:
    assert ThresholdRule.parse(text) == ThresholdRule(rule=rule, value=value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("yuoden", "Unknown threshold rule 'yuoden'. Did you mean youden?"),
        ("sensitivty=0.9", "Unknown threshold rule 'sensitivty'. Did you mean sensitivity?"),
        ("0.4", "Unknown threshold rule '0.4'. Known: cost, f1, fixed, mcc"),
        ("", "Unknown threshold rule ''. Known: cost"),
        ("cost", "rule cost needs a value above 0"),
        ("cost=0", "rule cost takes a value above 0"),
        ("cost=nan", "rule cost takes a value above 0"),
        ("cost=", "rule cost: '' is not a number"),
        ("cost=5:1", "rule cost: '5:1' is not a number"),
        ("fixed=2", "rule fixed takes a value from 0 to 1"),
        ("youden=0.5", "rule youden takes no value"),
        ("prevalence=0.15", "rule prevalence takes no value"),
        ("sensitivity=0.95@x", "rule sensitivity: confidence: 'x' is not a number"),
        ("sensitivity=0.95@1", "rule sensitivity takes a confidence from 0.5, below 1"),
        ("sensitivity=0.95@nan", "rule sensitivity takes a confidence from 0.5, below 1"),
        ("sensitivity=1@0.95", "no number of images guarantees a value of 1"),
        ("cost=5@0.95", "rule cost takes no confidence; sensitivity and specificity do"),
    ],
)
def test_a_rule_that_cannot_be_read_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ThresholdRule.parse(text)
    assert len(caught.value.lines) == 1
    assert caught.value.lines[0].startswith(says)
    assert "\n" not in caught.value.lines[0]


def two_phases(head: int, tune: int) -> ModelCard:
    return card(
        model={"builder": "vgg16", "unfreeze_layers": 4},
        epochs=head,
        finetune={"learning_rate": 1e-5, "epochs": tune},
    )


@given(head=st.integers(1, 50), tune=st.integers(1, 50), most=st.integers(1, 50))
def test_a_budget_caps_both_phases_and_lengthens_none(head: int, tune: int, most: int) -> None:
    recipe = protocol(max_epochs=most).budgeted(two_phases(head, tune)).recipe
    assert recipe.finetune is not None
    assert (recipe.epochs, recipe.finetune.epochs) == (min(head, most), min(tune, most))


def test_a_budget_changes_nothing_but_epochs() -> None:
    before = two_phases(9, 9)
    after = protocol(max_epochs=9).budgeted(before)
    assert after == before
    assert protocol(max_epochs=2).budgeted(card(epochs=9)) == card(epochs=2)


def test_without_a_budget_a_card_keeps_its_epochs() -> None:
    assert protocol(max_epochs=None).budgeted(two_phases(7, 8)) == two_phases(7, 8)


def test_a_protocol_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        protocol().image_size = 64
