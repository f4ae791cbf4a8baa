"""Training on features from the bank equals training the whole network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import pytest

from benchmark.data.decoding.prepared import LabelledImages
from benchmark.training.augmentation import augmented_view
from benchmark.training.fit import FeatureOptions, Fitted, Step, fit, loss_function
from benchmark.training.frozen.bank import Bank
from benchmark.training.frozen.features import Network, view_order
from benchmark.training.frozen.methods import BFLOAT16, FILTERED, KERAS, METHODS, AllowedMethods
from benchmark.training.frozen.prefix import ChosenMethod, filtered_layers
from benchmark.training.network import join, preprocessing_model, run_batched
from benchmark.training.use.predict import score
from zoo.models.card import ModelCard
from zoo.models.catalog import load_cards
from zoo.models.registry import build, get_builder

SIDE = 32
ROOMY = 1 << 30


def images(split: Literal["train", "val", "test"], count: int, seed: int = 0) -> LabelledImages:
    """Grey images whose class affects brightness and texture."""
    generator = np.random.default_rng([seed, len(split)])
    labels = np.arange(count) % 2
    pixels = generator.normal(110 + 25 * labels[:, None, None, None], 40, (count, SIDE, SIDE, 1))
    names = tuple(f"{split}{seed}-{i}" for i in range(count))
    digests = tuple(f"{(seed * 1000 + len(split) * 100 + i) * 2654435761 % 2**64:064x}" for i in range(count))
    return LabelledImages(split, np.clip(pixels, 0, 255).astype(np.uint8), labels, names, names, digests)


def card(name: str, **recipe: Any) -> ModelCard:
    """A built-in card with a small budget, at rates that move its weights."""
    base = load_cards()[name].model_dump(mode="json")
    base["recipe"] |= {"epochs": 2, "batch_size": 8, "optimizer": {"name": "adam", "learning_rate": 1e-3}} | recipe
    return ModelCard.model_validate(base)


FROZEN = card("attempt-6b")
UNFROZEN = card("attempt-7", finetune={"learning_rate": 1e-4, "epochs": 2})
CAFFE = card("attempt-6b-caffe")


def fitted(card: ModelCard, bank: Bank, seed: int = 0, methods: AllowedMethods = FILTERED, **options: Any) -> Fitted:
    keras.utils.set_random_seed(seed)
    train, val = images("train", 24), images("val", 12)
    return fit(card, train, val, seed=seed, view_seed=0, features=FeatureOptions(bank, methods), **options)


def trained_whole(card: ModelCard, seed: int) -> tuple[Any, list[float]]:
    """The reference: the whole network in one piece, from pixels, on the same views in the same order."""
    keras.utils.set_random_seed(seed)
    train = images("train", 24)
    model = build(card.model.builder, card.model.params, (SIDE, SIDE, 3))
    whole = join(preprocessing_model((SIDE, SIDE, 1), card.recipe.preprocessing), model, "reference")
    phases = [(card.recipe.epochs, card.recipe.optimizer.learning_rate)]
    if card.recipe.finetune is not None:
        phases.append((card.recipe.finetune.epochs, card.recipe.finetune.learning_rate))
    order = iter(view_order(seed, sum(epochs for epochs, _ in phases), None))
    losses = []
    for number, (epochs, rate) in enumerate(phases):
        if number:
            unfreeze = get_builder(card.model.builder).unfreeze
            assert unfreeze is not None
            unfreeze.apply(model, int(card.model.params["unfreeze_layers"]))
        whole.compile(optimizer=keras.optimizers.Adam(rate), loss=loss_function(card.recipe.loss), jit_compile=False)
        for epoch in range(1, epochs + 1):
            view, total = next(order), 0.0
            shuffled = np.random.default_rng([seed, number, epoch]).permutation(len(train))
            for first in range(0, len(shuffled), card.recipe.batch_size):
                chosen = shuffled[first : first + card.recipe.batch_size]
                digests = [train.digests[i] for i in chosen]
                pixels = augmented_view(train.pixels[chosen], digests, card.recipe.augmentation, view, 0)
                whole.reset_metrics()
                loss = whole.train_on_batch(pixels, train.labels[chosen].astype(np.float32)[:, None])
                total += float(np.asarray(loss).reshape(-1)[0]) * len(chosen)
            losses.append(total / len(train))
    return whole, losses


@pytest.mark.slow
@pytest.mark.parametrize("made", [FROZEN, UNFROZEN, CAFFE], ids=lambda card: card.name)
def test_training_on_the_bank_is_training_the_whole_network(made: ModelCard, tmp_path: Path) -> None:
    banked = fitted(made, Bank(tmp_path, ROOMY), seed=3)
    whole, losses = trained_whole(made, seed=3)
    test = images("test", 16)
    assert np.allclose([row["loss"] for row in banked.history], losses, atol=1e-4)
    assert np.abs(score(banked, test) - run_batched(whole, test.pixels)[:, 0]).max() < 1e-4
    ours, theirs = banked.model.get_weights(), whole.get_weights()
    assert len(ours) == len(theirs)
    assert max(float(np.abs(a - b).max()) for a, b in zip(ours, theirs, strict=True)) < 1e-4
    moved = [
        float(np.abs(a - b).max())
        for a, b in zip(ours, build("vgg16", made.model.params, (SIDE, SIDE, 3)).get_weights(), strict=True)
    ]
    assert max(moved) > 1e-3


@pytest.mark.slow
def test_a_second_run_computes_no_feature_and_reads_the_same_scores(tmp_path: Path) -> None:
    first = fitted(UNFROZEN, Bank(tmp_path, ROOMY))
    test = images("test", 16)
    scores = score(first, test)
    steps: list[Step] = []
    second = fitted(UNFROZEN, Bank(tmp_path, ROOMY), on_step=steps.append)
    assert not [step.label for step in steps if "features" in step.label]
    assert np.array_equal(score(second, test), scores)
    assert [row["loss"] for row in first.history] == [row["loss"] for row in second.history]


@pytest.mark.slow
def test_another_seed_shares_the_features_and_differs(tmp_path: Path) -> None:
    first = fitted(FROZEN, Bank(tmp_path, ROOMY), seed=0)
    steps: list[Step] = []
    second = fitted(FROZEN, Bank(tmp_path, ROOMY), seed=1, on_step=steps.append)
    assert not [step.label for step in steps if "features" in step.label]
    assert [row["loss"] for row in first.history] != [row["loss"] for row in second.history]


@pytest.mark.slow
def test_without_a_bank_the_scores_are_the_same(tmp_path: Path) -> None:
    test = images("test", 16)
    banked, unbanked = (score(fitted(UNFROZEN, Bank(tmp_path, limit)), test) for limit in (ROOMY, 0))
    assert np.array_equal(banked, unbanked)


def network(bank: Bank, steps: list[str], unfrozen: int = 0, also_store: Sequence[str] = ()) -> Network:
    model = build("vgg16", FROZEN.model.params, (SIDE, SIDE, 3))
    unfreeze = get_builder("vgg16").unfreeze
    assert unfreeze is not None
    if unfrozen:
        unfreeze.apply(model, unfrozen)
    return Network(
        model, (SIDE, SIDE, 1), FROZEN.recipe, view_seed=0, bank=bank, also_store=also_store, on_progress=steps.append
    )


@pytest.mark.parametrize(
    ("unfrozen", "prefix_end"),
    [(0, "flatten"), (1, "flatten"), (2, "block5_conv2"), (3, "block5_conv1"), (4, "block4_pool"), (6, "block4_conv2")],
)
def test_the_prefix_ends_where_training_begins(tmp_path: Path, unfrozen: int, prefix_end: str) -> None:
    made = network(Bank(tmp_path, ROOMY), [], unfrozen)
    assert made.prefix_end == prefix_end
    assert not [w for w in made.tail.weights if not w.trainable]


@pytest.mark.slow
def test_features_start_at_the_deepest_earlier_layer_in_the_bank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = images("train", 10)
    everything = np.arange(len(train))
    direct = network(Bank(tmp_path / "direct", ROOMY), []).batch(train, 0, everything)
    shallow = network(Bank(tmp_path / "other", ROOMY), [], unfrozen=4)
    shallow.batch(train, 0, everything)
    deep = network(Bank(tmp_path / "other", ROOMY), [])
    monkeypatch.setattr(deep, "_pixels", lambda *_: pytest.fail("the pixels were asked for"))
    assert np.array_equal(deep.batch(train, 0, everything), direct)


@pytest.mark.slow
def test_features_that_other_cards_need_are_also_stored(tmp_path: Path) -> None:
    train = images("train", 10)
    network(Bank(tmp_path, ROOMY), [], also_store=["block4_pool"]).unaugmented(train)
    steps: list[str] = []
    network(Bank(tmp_path, ROOMY), steps, unfrozen=4).unaugmented(train)
    assert steps == []


@pytest.mark.slow
def test_only_what_is_missing_is_computed(tmp_path: Path) -> None:
    bank = Bank(tmp_path, ROOMY)
    some, more = images("train", 10), images("train", 24)
    same = LabelledImages("train", more.pixels.copy(), more.labels, more.names, more.patients, more.digests)
    same.pixels[:10] = some.pixels
    same = LabelledImages(
        "train", same.pixels, same.labels, same.names, same.patients, (*some.digests, *more.digests[10:])
    )
    network(bank, []).batch(some, 1, np.arange(10))
    steps: list[str] = []
    found = network(bank, steps).batch(same, 1, np.arange(24))
    assert steps == ["features of view 1 14/14"]
    alone = network(Bank(tmp_path / "alone", ROOMY), []).batch(same, 1, np.arange(24))
    assert np.array_equal(found, alone)


@pytest.mark.slow
@pytest.mark.parametrize("change", ["pixels", "view", "view_seed", "preprocessing", "bfloat16", "keras", "weights"])
def test_everything_that_decides_a_feature_decides_its_namespace(
    tmp_path: Path, change: str, request: pytest.FixtureRequest
) -> None:
    if change == "bfloat16":
        request.getfixturevalue("needs_bfloat16")
    bank = Bank(tmp_path, ROOMY)
    train = images("train", 6)
    assert network(bank, []).method == ChosenMethod("filtered", "asked for", filtered_layers(network(bank, []).model))
    network(bank, []).batch(train, 0, np.arange(6))
    model = build("vgg16", FROZEN.model.params, (SIDE, SIDE, 3))
    recipe, view, options = FROZEN.recipe, 0, {"view_seed": 0, "methods": FILTERED}
    if change == "pixels":
        train.pixels[0, 0, 0] ^= 1
    if change == "view":
        view = 1
    if change == "view_seed":
        options["view_seed"] = 1
    if change == "preprocessing":
        recipe = CAFFE.recipe
    if change in METHODS:
        options["methods"] = {"bfloat16": BFLOAT16, "keras": KERAS}[change]
    if change == "weights":
        kernel, bias = model.get_layer("block1_conv1").get_weights()
        model.get_layer("block1_conv1").set_weights([kernel, bias + 1e-3])
    steps: list[str] = []
    Network(model, (SIDE, SIDE, 1), recipe, bank=bank, on_progress=steps.append, **options).batch(
        train, view, np.arange(6)
    )
    assert steps == [f"features of view {view} {1 if change == 'pixels' else 6}/{1 if change == 'pixels' else 6}"]


@pytest.mark.slow
def test_a_damaged_block_is_computed_again(tmp_path: Path) -> None:
    train = images("train", 10)
    before = network(Bank(tmp_path, ROOMY), []).unaugmented(train)
    for file in tmp_path.glob("*/*.block"):
        content = bytearray(file.read_bytes())
        content[-3] ^= 0xFF
        file.write_bytes(content)
    steps: list[str] = []
    assert np.array_equal(network(Bank(tmp_path, ROOMY), steps).unaugmented(train), before)
    assert steps == ["features of train 10/10"]


@pytest.mark.slow
@pytest.mark.usefixtures("needs_bfloat16")
def test_bfloat16_keeps_the_trained_part_in_float32_and_stays_near(tmp_path: Path) -> None:
    test = images("test", 16)
    full = fitted(UNFROZEN, Bank(tmp_path, ROOMY))
    low = fitted(UNFROZEN, Bank(tmp_path, ROOMY), methods=BFLOAT16)
    dtypes = {layer.name: layer.compute_dtype for layer in low.network.model.layers}
    assert dtypes["block4_conv3"] == "bfloat16"
    assert dtypes["block5_conv1"] == dtypes["dense"] == "float32"
    assert {str(weight.dtype) for weight in low.model.weights} == {"float32"}
    assert 0 < np.abs(score(full, test) - score(low, test)).max() < 0.2
    assert np.abs(score(low, test) - run_batched(low.model, test.pixels)[:, 0]).max() < 1e-2


@pytest.mark.slow
@pytest.mark.parametrize(("made", "methods"), [(UNFROZEN, FILTERED), (CAFFE, FILTERED), (UNFROZEN, BFLOAT16)])
def test_the_saved_model_is_ordinary_and_reads_pixels(
    made: ModelCard, methods: AllowedMethods, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if methods is BFLOAT16:
        request.getfixturevalue("needs_bfloat16")
    trained = fitted(made, Bank(tmp_path / "bank", ROOMY), methods=methods)
    trained.model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    test = images("test", 16)
    tolerance = 1e-2 if methods is BFLOAT16 else 1e-5
    assert loaded.input_shape == (None, SIDE, SIDE, 1)
    assert np.abs(run_batched(loaded, test.pixels)[:, 0] - score(trained, test)).max() < tolerance


def test_features_count_once_and_a_second_run_computes_none(tmp_path: Path) -> None:
    def counts(card: ModelCard, seed: int) -> tuple[int, int]:
        network = fitted(card, Bank(tmp_path / "bank", ROOMY), seed, views=2).network
        return network.features_needed, network.features_computed

    of_phase = 2 * 24 + 12  # two views of the training images, and validation
    assert counts(FROZEN, 0) == (of_phase, of_phase)
    assert counts(FROZEN, 1) == (of_phase, 0)
    assert counts(UNFROZEN, 0) == (2 * of_phase, of_phase)  # the second phase needs the inputs of block 5
    assert counts(CAFFE, 0) == (of_phase, of_phase)


def test_views_are_cycled_in_an_order_that_the_seed_draws() -> None:
    order = view_order(0, 10, 4)
    assert [sorted(order[:4]), sorted(order[4:8])] == [[0, 1, 2, 3]] * 2
    assert sorted(view_order(0, 7, None)) == list(range(7))
    assert view_order(0, 8, 4) == order[:8]
    assert len({tuple(view_order(seed, 8, 4)) for seed in range(6)}) > 1
