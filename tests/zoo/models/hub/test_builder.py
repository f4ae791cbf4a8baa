"""Backbones of KerasHub under a new head: exact cuts, presets and their digests, unfreezing, and stored models."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.config.errors import ConfigError
from zoo.models.card import ModelCard
from zoo.models.hub import presets
from zoo.models.registry import build, complete_params, find_weights, get_builder
from zoo.models.weights_files import file_digest

SIDE = 56
SHAPE = (SIDE, SIDE, 3)
CONFIGS: dict[str, dict[str, Any]] = {
    "CSPNet": {
        "stem_filters": 8,
        "stem_kernel_size": 3,
        "stem_strides": 2,
        "stackwise_depth": [1, 2],
        "stackwise_strides": [2, 2],
        "stackwise_num_filters": [16, 32],
        "stage_type": "dark",
        "block_type": "dark_block",
    },
    "DINOV2": {
        "patch_size": 14,
        "num_layers": 3,
        "hidden_dim": 32,
        "num_heads": 2,
        "intermediate_dim": 64,
        "num_register_tokens": 2,
        "position_embedding_shape": [112, 112],
        "drop_path_rate": 0.5,
    },
    "DINOV3": {"patch_size": 14, "num_layers": 2, "hidden_dim": 32, "num_heads": 2, "intermediate_dim": 64},
    "HGNetV2": {
        "depths": [1, 1],
        "embedding_size": 16,
        "hidden_sizes": [32, 48],
        "stem_channels": [3, 8, 16],
        "hidden_act": "relu",
        "use_learnable_affine_block": False,
        "stackwise_stage_filters": [[16, 8, 32, 1, 1, 3], [32, 16, 48, 1, 1, 3]],
        "apply_downsample": [False, True],
        "use_lightweight_conv_block": [False, False],
    },
    "ResNet": {
        "input_conv_filters": [64],
        "input_conv_kernel_sizes": [7],
        "stackwise_num_filters": [64, 64],
        "stackwise_num_blocks": [1, 1],
        "stackwise_num_strides": [1, 2],
        "block_type": "basic_block",
    },
}
LEVELS = np.random.default_rng(0).uniform(0, 255, (3, *SHAPE)).astype(np.float32)


@pytest.fixture(scope="module")
def library() -> Any:
    return pytest.importorskip("keras_hub", reason="the extra `hub` is not installed").models


def random(backbone: str, **more: Any) -> dict[str, Any]:
    return {"backbone": backbone, "config": CONFIGS[backbone], "weights": "random", **more}


def scores(model: Any, training: bool = False) -> Any:
    import keras

    return keras.ops.convert_to_numpy(model(LEVELS, training=training))


@pytest.mark.parametrize("backbone", CONFIGS)
def test_every_cut_is_exact_and_the_base_is_in_inference_mode(backbone: str, library: Any, tmp_path: Path) -> None:
    import keras

    from benchmark.training.cuts import cuts
    from benchmark.training.model_graph import build_flat
    from benchmark.training.network import frozen_layers, segment
    from benchmark.training.use.model_file import save_model

    keras.utils.set_random_seed(1)
    flat = build_flat("hub", random(backbone), SHAPE)
    assert flat.opaque_reason is None
    expected = scores(flat.original)
    assert np.ptp(expected) > 1e-4
    layers = [cut.layer for cut in cuts(flat.model, set(frozen_layers(flat.model)))]
    blocks = ["embeddings", "layers_0", "layers_1", "layers_2", "pooled"]
    assert layers == blocks if backbone == "DINOV2" else layers[-1] == "pooled"
    for layer in layers:
        features = segment(flat.model, None, layer)(LEVELS)
        behind = keras.ops.convert_to_numpy(segment(flat.model, layer, None)(features))
        np.testing.assert_allclose(behind, expected, atol=1e-4)
    unfreeze = get_builder("hub").unfreeze
    assert unfreeze is not None
    unfreeze.apply(flat.original, 10_000)
    flat.sync_trainable()
    assert len(flat.model.trainable_variables) > 2
    np.testing.assert_array_equal(scores(flat.model, training=True), scores(flat.model))
    again = save_model(flat.model, tmp_path / "model.keras")
    np.testing.assert_allclose(scores(again), expected, atol=1e-6)


def test_every_backbone_is_tested() -> None:
    from zoo.models.hub.builder import BACKBONES

    assert set(BACKBONES) == set(CONFIGS)


def preset_in(folder: Path, library: Any) -> Any:
    """A preset with random weights, as KerasHub writes it, and its backbone."""
    import keras

    keras.utils.set_random_seed(2)
    backbone = library.DINOV2Backbone(**CONFIGS["DINOV2"], image_shape=(112, 112, 3))
    backbone.save_to_preset(str(folder))
    converter = {"scale": [0.01, 0.02, 0.03], "offset": [-1.0, 0.5, 0.25]}
    document = {"class_name": "DINOV2ImageConverter", "config": {"image_size": [112, 112], **converter}}
    (folder / "image_converter.json").write_text(json.dumps(document), encoding="utf-8")
    return backbone


@pytest.mark.parametrize("pooling", ["average", "max", "token"])
def test_a_preset_gives_the_features_of_keras_hub_with_its_own_input_rule(
    pooling: str, library: Any, tmp_path: Path
) -> None:
    import keras

    backbone = preset_in(tmp_path / "preset", library)
    params = {"backbone": "DINOV2", "preset": str(tmp_path / "preset"), "pooling": pooling}
    assert find_weights("hub", params) == "preset in the card"
    weights = get_builder("hub").weights_of(params)
    assert weights is not None
    assert weights.digest() == file_digest(tmp_path / "preset" / "model.weights.h5")
    model = build("hub", params, (112, 112, 3), 3)
    assert model.output_shape == (None, 3)
    levels = np.random.default_rng(0).uniform(0, 255, (2, 112, 112, 3)).astype(np.float32)
    tokens = keras.ops.convert_to_numpy(backbone(levels * [0.01, 0.02, 0.03] + [-1.0, 0.5, 0.25], training=False))
    patches = tokens[:, 3:]  # behind the class token and two registers
    expected = {"token": tokens[:, 0], "average": patches.mean(axis=1), "max": patches.max(axis=1)}[pooling]
    features = keras.Model(model.inputs, model.layers[-1].input)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(features(levels)), expected, atol=1e-5)
    # Positions are interpolated for images of another size.
    assert np.isfinite(scores(build("hub", params, SHAPE))).all()


def test_weights_need_the_stated_digest(library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handle = "keras/dinov2/keras/tiny/1"
    folder = tmp_path / "models" / handle
    preset_in(folder, library)
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    params = {"backbone": "DINOV2", "preset": f"kaggle:{handle}"}
    assert find_weights("hub", params) == "kagglehub's cache"
    digest = file_digest(folder / "model.weights.h5")
    with pytest.raises(ConfigError, match=rf"model\.digest: a downloaded preset needs the digest .* is {digest}: st"):
        build("hub", params, SHAPE)
    with pytest.raises(ConfigError, match=rf"these are not the weights of the card: .* is {digest}, not {'0' * 64}"):
        build("hub", params | {"digest": "0" * 64}, SHAPE)
    assert build("hub", params | {"digest": digest}, SHAPE).count_params()
    with pytest.raises(ConfigError, match="is the preset of DINOV2Backbone, not of DINOV3Backbone"):
        build("hub", params | {"backbone": "DINOV3", "digest": digest}, SHAPE)
    (folder / "image_converter.json").unlink()
    with pytest.raises(ConfigError, match="the preset does not state how levels become the input; give levels"):
        build("hub", params | {"digest": digest}, SHAPE)


@pytest.mark.parametrize("asked", [True, False])
def test_a_preset_is_downloaded_once_by_kagglehub(asked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The download itself needs the internet; here a module takes its place that fails, or says where the files are."""
    handle, calls = f"keras/dinov2/keras/downloaded/{asked:d}", list[str]()

    class Hub:
        @staticmethod
        def model_download(handle: str) -> str:
            calls.append(handle)
            if not asked:
                raise OSError("no route to host")
            return str(tmp_path)

    for name in ("config.json", "model.weights.h5"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ZOO_OFFLINE", raising=False)
    monkeypatch.setitem(sys.modules, "kagglehub", Hub)
    for _ in range(2):
        if asked:
            assert presets.find(f"kaggle:{handle}").origin == "Kaggle"
        else:
            with pytest.raises(ConfigError, match=r"no download \(no route to host\); connect to the internet once"):
                presets.find(f"kaggle:{handle}")
    assert calls == [handle]


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"backbone": "DINOV2"}, "give either model.preset or model.config, the arguments of the backbone"),
        ({"backbone": "DINOV2", "config": {}, "preset": "here"}, "give either model.preset or model.config"),
        ({"backbone": "DINOV2", "preset": "nowhere"}, "nowhere: has no config.json; give kaggle:OWNER/MODEL"),
        (
            {"backbone": "DINOV2", "preset": "kaggle:keras/dinov2/keras/small"},
            "with its version, it is always",
        ),
        ({"backbone": "DINOV2", "config": CONFIGS["DINOV2"]}, "'preset' needs model.preset; give one"),
        (random("DINOV2") | {"config": {"layers": 1}}, "DINOV2 cannot be built for images of 56 x 56 px"),
        (random("ResNet", pooling="token"), "pooling: token needs a transformer"),
    ],
)
def test_what_cannot_be_built_says_what_would_be_right(params: dict[str, Any], problem: str, library: Any) -> None:
    with pytest.raises(ConfigError, match=problem):
        build("hub", params, SHAPE)


def test_unknown_names_and_a_missing_library_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="Did you mean DINOV2 or DINOV3"):
        complete_params("hub", {"backbone": "DINOv2"}, "card")
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(ConfigError, match=r"needs KerasHub \(.*\); pip install 'zoo-bench\[hub\]'"):
        build("hub", random("DINOV2"), SHAPE)


@pytest.mark.slow
def test_a_card_is_trained_behind_its_frozen_blocks(library: Any, tmp_path: Path) -> None:
    import keras

    from benchmark.training.fit import FeatureOptions, fit
    from benchmark.training.frozen.bank import Bank
    from tests.support import multiclass

    recipe = {"optimizer": {"learning_rate": 1e-2}, "epochs": 1, "batch_size": 8, "preprocessing": "builder"}
    recipe |= {"finetune": {"learning_rate": 1e-2, "epochs": 1}}
    model = {"builder": "hub", **random("DINOV2", unfreeze="layers_2")}
    card = ModelCard.model_validate({"name": "d", "title": "t", "change": "c", "model": model, "recipe": recipe})
    images = [multiclass.images(split, np.arange(8) % 2, 2, side=SIDE) for split in ("train", "val")]
    keras.utils.set_random_seed(0)
    fitted = fit(card, *images, seed=0, view_seed=0, features=FeatureOptions(Bank(tmp_path, 1 << 30)))
    assert fitted.network.prefix_end == "layers_1"
    assert [row["phase"] for row in fitted.history] == ["head", "finetune"]


@pytest.mark.slow
@pytest.mark.parametrize("probe", ["logistic", "knn"])
def test_a_probe_is_fitted_to_the_class_token(probe: str, library: Any, tmp_path: Path) -> None:
    from benchmark.training.fit import FeatureOptions, fit
    from benchmark.training.frozen.bank import Bank
    from tests.support import multiclass

    model = {"builder": "hub", **random("DINOV2", pooling="token")}
    recipe = {"probe": probe, "preprocessing": "builder"}
    card = ModelCard.model_validate({"name": "d", "title": "t", "change": "c", "model": model, "recipe": recipe})
    images = [multiclass.images(split, np.arange(8) % 2, 2, side=SIDE) for split in ("train", "val")]
    fitted = fit(card, *images, seed=0, view_seed=0, features=FeatureOptions(Bank(tmp_path, 1 << 30)))
    assert fitted.probe is not None
