"""Images per second of frozen backbones, the size of their features, and how exact a cut is.

    python -m tests.perf.backbones [NAME ...] [--size 160] [--rounds 5]

Every backbone has random weights, and Keras computes it in float32 up to its pooled features, as for a probe. The
backbones take turns in one process, and each line is a median. The difference compares the features that two parts
compute with those of the whole network, for six cuts spread over all (`zoo cards NAME`): the largest one of all cuts,
relative to the largest feature.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

import benchmark.training.backend as backend
from benchmark.training.cuts import cuts
from benchmark.training.frozen.prefix import prefix
from benchmark.training.model_graph import flatten
from benchmark.training.network import BATCH, frozen_layers, preprocessing_model, segment
from zoo.models.registry import build

NAMES = (
    "VGG16",
    "SqueezeNet1.1",
    "EfficientNetLite0",
    "MobileNetV3Small",
    "DenseNet121",
    "ResNet50V2",
    "EfficientNetV2B0",
    "ConvNeXtTiny",
)

_TRIED = 6


@dataclass(frozen=True)
class Subject:
    """A backbone.

    Attributes:
        compute: Returns the pooled features of all images.
        parameters: Number of its parameters.
        features: Number of its features per image.
        cuts: Number of places where the frozen part can end.
        difference: The largest change by one of `_TRIED` cuts, relative to the largest feature.
    """

    compute: Callable[[], object]
    parameters: int
    features: int
    cuts: int
    difference: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    backend.prepare_process(0, os.cpu_count() or 1)
    shape = (options.size, options.size, 1)
    images = np.random.default_rng(0).integers(0, 256, (3 * BATCH, *shape)).astype(np.float32)
    subjects = {name: subject(name, images) for name in options.names}
    durations: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(options.rounds):
        for name, each in subjects.items():
            start = time.perf_counter()
            each.compute()
            durations[name].append(time.perf_counter() - start)
    print(f"| backbone, {options.size} px | images/s | parameters | features per image | cuts | difference |")
    print("|---|---|---|---|---|---|")
    for name, each in subjects.items():
        rate = len(images) / statistics.median(durations[name])
        print(
            f"| {name} | {rate:.1f} | {each.parameters:,} | {each.features:,} | {each.cuts} | {each.difference:.1g} |"
        )


def subject(name: str, images: np.ndarray) -> Subject:
    keras.utils.set_random_seed(0)
    side = images.shape[1]
    params = {"backbone": name, "weights": "random"}
    model = flatten(build("application", params, (side, side, 3)), (side, side, 3), name).model
    frozen = frozen_layers(model)
    front = preprocessing_model(images.shape[1:], "builder")
    compute = prefix(front, model, None, frozen[-1], ())
    compute(images[:BATCH])  # traces the graph
    places = cuts(model, frozen)
    few = np.repeat(images[:BATCH], 3, axis=-1)
    whole = np.asarray(segment(model, None, frozen[-1])([few]))
    differences = []
    for index in np.unique(np.linspace(0, len(places) - 2, _TRIED).astype(int)):  # the last cut leaves no second part
        layer = places[index].layer
        parts = np.asarray(segment(model, layer, frozen[-1])(segment(model, None, layer)([few])))
        differences.append(float(np.abs(parts - whole).max()))
    return Subject(
        lambda: compute(images),
        model.count_params(),
        int(np.prod(whole.shape[1:])),
        len(places),
        max(differences) / float(np.abs(whole).max()),
    )


if __name__ == "__main__":
    main()
