"""The registry of weights: complete, with digests, and with a licence wherever Keras or a package states one."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import pytest

from zoo.models.application.backbones import BACKBONES
from zoo.models.catalog import load_cards
from zoo.models.known_weights import known_weights
from zoo.models.registry import get_builder
from zoo.models.vgg16.weights import IMAGENET_DIGEST

OF_PACKAGES = [name for name, known in known_weights().items() if known.package is not None]


def test_every_network_has_an_entry_and_every_entry_a_network() -> None:
    assert set(known_weights()) == set(BACKBONES)


def test_only_files_without_a_digest_are_unused() -> None:
    assert [name for name, known in known_weights().items() if known.digest is None] == ["MobileNet", "MobileNetV2"]


def test_licences_are_stated_where_keras_states_them() -> None:
    unknown = {name for name, known in known_weights().items() if known.licence is None}
    assert {name.rstrip("0123BLMS") for name in unknown} == {
        *("ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtSmall", "ConvNeXtTiny", "ConvNeXtXLarge"),
        *("EfficientNetV", "MobileNetV3Large", "MobileNetV3Small"),
    }


def test_networks_pretrained_on_more_than_1000_classes_say_so() -> None:
    larger = {name for name, known in known_weights().items() if "21k" in known.pretrained_on}
    assert larger == {"ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtXLarge"}  # as Keras' documentation says
    assert all("ImageNet-1k (ILSVRC 2012)" in known.pretrained_on for known in known_weights().values())


@pytest.mark.parametrize("name", OF_PACKAGES)
def test_the_digest_of_a_package_is_that_of_its_file(name: str) -> None:
    known = known_weights()[name]
    spec = importlib.util.find_spec(str(known.package))
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"package {known.package} is not installed")
    content = (Path(spec.submodule_search_locations[0]) / known.file).read_bytes()
    assert hashlib.sha256(content).hexdigest() == known.digest


def test_both_builders_of_vgg16_name_the_same_entry() -> None:
    entry = known_weights()["VGG16"]
    assert entry.tensors == IMAGENET_DIGEST
    for builder, params in (("vgg16", {}), ("vgg16_pooled", {}), ("application", {"backbone": "VGG16"})):
        weights = get_builder(builder).weights_of(params)
        assert weights is not None
        assert (weights.network, weights.licence, weights.pretrained_on) == (
            "VGG16",
            entry.licence,
            entry.pretrained_on,
        )


def test_weights_of_a_file_have_no_entry() -> None:
    weights = get_builder("application").weights_of({"backbone": "VGG16", "weights": "mine.h5"})
    assert weights is not None
    assert (weights.network, weights.licence, weights.pretrained_on) == (None, None, None)


def test_every_pretrained_built_in_card_is_in_the_registry() -> None:
    for card in load_cards().values():
        weights = get_builder(card.model.builder).weights_of(card.model.params)
        assert weights is None or weights.network in known_weights()
