"""Cards x protocol x seeds: what runs, and what does not, with the reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.data.dataset import DataError, Dataset
from benchmark.data.sources import open_dataset
from benchmark.runs.cross_validation import whole_spec
from benchmark.runs.plan import make_plan, planned_splits
from benchmark.runs.protocol import load_protocol
from benchmark.runs.run import DatasetFacts, RunSpec
from tests.support.tiny import card, protocol, write_npz
from zoo.config.errors import ConfigError
from zoo.models import registry
from zoo.models.card import ModelCard, ModelSpec
from zoo.models.catalog import REPORT_COLLECTION, load_cards, load_catalog

# The ids under `quick` on the phantom, as stored runs have them.
PHANTOM_IDS = {
    "attempt-1": "eca75047e036",
    "attempt-1-batchnorm": "2a162ace9c44",
    "attempt-1-batchnorm-fast": "6dc689505877",
    "attempt-1-no-augmentation": "beed07684546",
    "attempt-2": "b194bb915c24",
    "attempt-3": "39255390a2bc",
    "attempt-3-focal": "b5917e423e87",
    "attempt-4": "6f6b283f485b",
    "attempt-4-strong": "5cf143c5a3c0",
    "attempt-5": "ad84d48d5dc0",
    "attempt-6a": "d06cdc8d9512",
    "attempt-6b": "4edbded8008c",
    "attempt-6b-caffe": "c17d96cef9ca",
    "attempt-7": "33082a18dadf",
}

FOLDED = protocol(test_folds=2, sampling={"min_val": 0})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return open_dataset(str(write_npz(tmp_path_factory.mktemp("plan") / "tiny.npz")))


def test_every_card_runs_with_every_seed_in_the_order_given(dataset: Dataset) -> None:
    plan = make_plan([card("b"), card("a")], protocol(seeds=(3, 1)), dataset)
    assert [(spec.card.name, spec.seed) for spec in plan.specs] == [("b", 3), ("b", 1), ("a", 3), ("a", 1)]
    assert plan.skips == ()


def test_seeds_that_are_given_replace_those_of_the_protocol(dataset: Dataset) -> None:
    plan = make_plan([card()], protocol(seeds=(7,)), dataset, seeds=[0, 1])
    assert [spec.seed for spec in plan.specs] == [0, 1]


def test_the_same_seed_is_the_same_run_wherever_it_was_named(dataset: Dataset) -> None:
    listed = make_plan([card()], protocol(seeds=(0, 1)), dataset)
    given = make_plan([card()], protocol(seeds=(5,)), dataset, seeds=[0, 1])
    assert [spec.run_id for spec in listed.specs] == [spec.run_id for spec in given.specs]


def test_a_spec_remembers_its_data(dataset: Dataset) -> None:
    facts = make_plan([card()], protocol(), dataset).specs[0].dataset
    assert facts.fingerprint == dataset.fingerprint
    assert (facts.source, facts.classes, facts.synthetic) == (dataset.source, dataset.classes, False)


def test_a_network_that_needs_larger_images_is_skipped_with_both_sizes(dataset: Dataset) -> None:
    deep = card("deep", model={"filters": [4, 4, 4, 4, 4]})
    plan = make_plan([deep, card()], protocol(), dataset)
    assert [spec.card.name for spec in plan.specs] == ["tiny"]
    [skip] = plan.skips
    assert skip.card.name == "deep"
    assert "32 px" in skip.reason
    assert "at least 94 px" in skip.reason


def test_a_card_whose_weights_are_not_at_hand_is_skipped_with_the_reason(dataset: Dataset, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere.h5")
    plan = make_plan([card(model={"builder": "vgg16", "weights": nowhere})], protocol(), dataset)
    assert plan.specs == ()
    assert nowhere in plan.skips[0].reason


def test_a_card_with_random_weights_needs_none(dataset: Dataset) -> None:
    assert make_plan([card(model={"builder": "vgg16", "weights": "random"})], protocol(), dataset).skips == ()


def test_an_unknown_builder_is_no_reason_to_skip(dataset: Dataset) -> None:
    with pytest.raises(ConfigError, match="Did you mean scratch_cnn"):
        make_plan([card(model={"builder": "scratch_cn"})], protocol(), dataset)


@pytest.mark.parametrize("name", ["quick", "published", "full"])
def test_no_built_in_card_is_too_large_for_a_built_in_protocol(
    dataset: Dataset, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    plan = make_plan(load_cards().values(), load_protocol(name), dataset)
    assert [skip.card.name for skip in plan.skips if "too small" in skip.reason] == []
    assert len({spec.run_id for spec in plan.specs}) == len(plan.specs)


def test_a_card_for_two_classes_is_skipped_for_three_with_what_would_be_right(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_BUILDERS", dict(registry._BUILDERS))

    @registry.register_builder("pair")
    def pair(input_shape: tuple[int, int, int]) -> None: ...

    three = replace(dataset, classes=("A", "B", "C"))
    focal = card("focal", loss={"name": "binary_focal_crossentropy", "alpha": 0.25, "gamma": 2})
    two = card("two").model_copy(update={"model": ModelSpec(builder="pair")})
    plan = make_plan([focal, two, card()], protocol(), three)
    assert [spec.card.name for spec in plan.specs] == ["tiny"]
    reasons = {skip.card.name: skip.reason for skip in plan.skips}
    assert "recipe.loss.alpha 0.25 is the weight of the positive class of two, but the data have 3" in reasons["focal"]
    assert "makes one probability, for two classes, but the data have 3 classes" in reasons["two"]
    assert make_plan([focal, two], protocol(), dataset).skips == ()


def test_under_test_folds_a_card_with_a_seed_is_a_run_per_fold(dataset: Dataset) -> None:
    whole = replace(dataset, images=tuple(replace(image, part="all") for image in dataset.images))
    plan = make_plan([card()], FOLDED, whole, seeds=[0, 1])
    assert [(spec.seed, spec.fold) for spec in plan.specs] == [(0, (2, 0)), (0, (2, 1)), (1, (2, 0)), (1, (2, 1))]
    assert len({spec.run_id for spec in plan.specs}) == 4
    splits = planned_splits(plan, whole)
    assert [(split.seeds, split.fold) for split in splits] == [((0, 1), (2, 0)), ((0, 1), (2, 1))]
    assert sum(split.facts.sizes["test"] for split in splits) == len(whole.images)


def test_a_source_with_a_test_part_is_not_divided_into_folds(dataset: Dataset) -> None:
    with pytest.raises(DataError, match=r"test_folds: 2: the source has its own test part of \d+ images"):
        make_plan([card()], FOLDED, dataset)


def test_the_runs_of_the_report_on_the_phantom_keep_their_ids() -> None:
    facts = DatasetFacts.of(open_dataset("phantom"))
    cards = load_catalog().of(REPORT_COLLECTION)
    specs = {
        name: RunSpec(card=of, protocol=load_protocol("quick"), dataset=facts, seed=0) for name, of in cards.items()
    }
    assert {name: spec.run_id for name, spec in specs.items()} == PHANTOM_IDS


def mean(*members: str) -> ModelCard:
    model = {"builder": "ensemble", "members": list(members)}
    fields = {"name": "mean", "title": "t", "change": "c", "model": model, "recipe": {"average": "probabilities"}}
    return ModelCard.model_validate(fields)


@pytest.mark.parametrize("folds", [None, 2])
def test_an_ensemble_averages_the_runs_of_the_same_seed_and_fold(folds: int | None, dataset: Dataset) -> None:
    whole = replace(dataset, images=tuple(replace(image, part="all") for image in dataset.images)) if folds else dataset
    rules = FOLDED if folds else protocol()
    plan = make_plan([mean("a", "b"), card("a"), card("b", epochs=1)], rules, whole, seeds=[3, 1])
    by_card = {name: [spec for spec in plan.specs if spec.card.name == name] for name in ("mean", "a", "b")}
    assert [spec.card.name for spec in plan.specs] == [name for name, specs in by_card.items() for _ in specs]
    for average, *members in zip(*by_card.values(), strict=True):
        assert average.members == tuple(spec.run_id for spec in members)
        assert {(spec.seed, spec.fold) for spec in members} == {(average.seed, average.fold)}
    assert len({whole_spec(spec).run_id for spec in by_card["mean"]}) == 2  # one cross-validation per seed
    assert not plan.skips


def test_the_run_id_of_an_ensemble_depends_on_the_runs_of_its_members(dataset: Dataset) -> None:
    plans = [make_plan([mean("a", "b"), card("a"), card("b", epochs=n)], protocol(), dataset) for n in (1, 2)]
    assert len({plan.specs[0].run_id for plan in plans}) == 2
    (spec,) = make_plan([card("a")], protocol(), dataset).specs
    assert "members" not in spec.model_dump(mode="json")


def test_an_ensemble_with_a_skipped_or_missing_member_is_skipped_with_the_reason(dataset: Dataset) -> None:
    large = card("b", model={"filters": [4] * 6})
    plan = make_plan([mean("a", "b"), card("a"), large], protocol(), dataset)
    reasons = {skip.card.name: skip.reason for skip in plan.skips}
    assert reasons["mean"] == f"its member b is skipped: {reasons['b']}"
    (skip,) = make_plan([mean("a", "b"), card("a")], protocol(), dataset).skips
    assert skip.reason == "its member b is not among the cards"
