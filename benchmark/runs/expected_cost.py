"""Expected time and space of a benchmark of six cards, which `auto` compares with its budget.

The cards are those of a first look at a data set: two that train no convolution, a small CNN trained from scratch,
frozen VGG16 twice, and VGG16 with its last block fine-tuned.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType

from benchmark.runs.run import RunSpec
from benchmark.training.machine_speed import VGG16_BLOCKS, MachineSpeed, convolution_work
from zoo.models.card import ModelCard
from zoo.models.recipe import Recipe
from zoo.models.registry import get_builder

CARDS = 6
"""The cards that `auto` plans for."""
EPOCHS = 12
"""Epochs of the CNN; the head of frozen VGG16 and the fine-tuned block have fewer each, and as many together."""

_OF_VGG16 = MappingProxyType(
    {
        "SqueezeNet1.1": 0.03,
        "EfficientNetLite0": 0.06,
        "DenseNet121": 0.28,
        "EfficientNetV2B0": 0.08,
        "MobileNetV3Small": 0.02,
    }
)
"""Processor time of a forward pass relative to VGG16's, measured at 224 px in float32; other networks count as one."""
_START_S = 12.0  # start of a run, its figures and its diagnosis, measured on two cores
_BACKWARD = 3.0  # a training step takes about three times the multiply-adds of a forward pass
_BYTES = 4  # of a feature in float32


@dataclass(frozen=True)
class Workload:
    """What a benchmark computes.

    Attributes:
        train: Number of training images.
        scored: Number of validation and test images.
        image_size: Side of the images in pixels.
        views: Augmented views per training image.
        max_epochs: The cap on epochs per phase; None for none.
        trainings: How many times each card is trained: once, or once per fold.
    """

    train: int
    scored: int
    image_size: int
    views: int
    max_epochs: int | None = None
    trainings: int = 1


@dataclass(frozen=True)
class ExpectedCost:
    """Expected time in minutes, and space for features of frozen layers in GiB."""

    minutes: float
    feature_gib: float


@dataclass(frozen=True)
class Trainings:
    """What a benchmark trains, each number a number of runs.

    Attributes:
        runs: All runs.
        small: Runs of a CNN that is trained from scratch.
        finetuned: Runs that train the last block of a pretrained network, in those of VGG16.
        frozen: The pretrained networks whose frozen layers compute features, each once, in those of VGG16; 0 for none.
    """

    runs: int
    small: int
    finetuned: float
    frozen: float

    @classmethod
    def of(cls, specs: Iterable[RunSpec], stored: Iterable[RunSpec] = ()) -> Trainings:
        """Count the runs of each kind: pretrained networks have frozen layers.

        Args:
            specs: The runs.
            stored: Runs whose features are in the cache; their networks do not count as `frozen`.

        Returns:
            The numbers of runs.
        """
        with_features = {_network(spec.card) for spec in stored}
        runs = small = 0
        finetuned = 0.0
        networks: dict[str, float] = {}
        for spec in specs:
            recipe, network = spec.card.recipe, _network(spec.card)
            runs += 1
            small += isinstance(recipe, Recipe) and network is None
            if network is not None:
                networks[network] = _OF_VGG16.get(network, 1.0)
                finetuned += networks[network] * (isinstance(recipe, Recipe) and recipe.finetune is not None)
        return cls(runs, small, finetuned, sum(cost for name, cost in networks.items() if name not in with_features))


def _network(card: ModelCard) -> str | None:
    """The name of the pretrained network of a card; None without one."""
    params = card.model.params
    weights = get_builder(card.model.builder).weights_of(params)
    if weights is None:
        return None
    return weights.network or str(params.get("backbone", weights.name))


def expected_cost(work: Workload, speed: MachineSpeed, trainings: Trainings | None = None) -> ExpectedCost:
    """Estimate what a benchmark costs on a machine.

    Features of frozen layers are computed once per image and view, whatever the number of trainings. The fine-tuned
    block trains on features of the layers before it.

    Args:
        work: What is computed.
        speed: What the machine was measured to do.
        trainings: The runs; None for six cards, each trained `work.trainings` times.

    Returns:
        The estimate. Neither decoding of images nor the load of the machine is included.
    """
    if trainings is None:
        trainings = Trainings(CARDS * work.trainings, work.trainings, work.trainings, frozen=1.0)
    side, epochs = work.image_size, EPOCHS if work.max_epochs is None else min(EPOCHS, work.max_epochs)
    used_views = min(work.views, epochs)
    forward_passes = work.train * (used_views + 1) + work.scored
    whole = convolution_work(side)
    last_block = whole - convolution_work(side, VGG16_BLOCKS[:-1])
    giga_operations = trainings.frozen * forward_passes * whole / 1e9
    giga_operations += trainings.finetuned * (_BACKWARD * work.train * epochs / 2 + work.scored) * last_block / 1e9
    megapixels = trainings.small * (work.train + work.scored / 2 / _BACKWARD) * epochs * side * side / 1e6
    seconds = trainings.runs * _START_S + giga_operations / speed.frozen + megapixels / speed.training
    features = (side // 16) ** 2 * 512 + (side // 32) ** 2 * 512  # per view: before the last block, and after it
    return ExpectedCost(seconds / 60, forward_passes * features * _BYTES / 1024**3)
