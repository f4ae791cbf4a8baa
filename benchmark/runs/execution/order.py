"""The order in which runs are computed: cheap kinds of training first, so that a benchmark has answers early."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from benchmark.runs.run import RunSpec
from zoo.models.recipe import AverageRecipe, ProbeRecipe
from zoo.models.registry import get_builder


class Cost(IntEnum):
    """What a run trains, the cheapest first.

    On two cores with 400 images, these took about 2 s, 15 s, 20 s, 80 s and 300 s per fold.
    """

    FIT = 0  # a probe without a pretrained base
    PROBE = 1  # a probe on features of a pretrained base
    HEAD = 2  # new layers on features of a frozen base
    SCRATCH = 3  # all layers
    FINETUNED = 4  # layers of a pretrained base as well
    AVERAGE = 5  # nothing: an ensemble waits for its members


def cost_of(spec: RunSpec) -> Cost:
    """What a run trains. Raises ConfigError for an unknown builder."""
    recipe, model = spec.card.recipe, spec.card.model
    builder = get_builder(model.builder)
    if isinstance(recipe, AverageRecipe):
        return Cost.AVERAGE
    pretrained = builder.weights_of(model.params) is not None
    if isinstance(recipe, ProbeRecipe):
        return Cost.PROBE if pretrained else Cost.FIT
    if not pretrained:
        return Cost.SCRATCH
    return Cost.FINETUNED if recipe.finetune is not None and builder.unfrozen(model.params) else Cost.HEAD


def cheap_first(specs: Iterable[RunSpec]) -> list[RunSpec]:
    """The runs in the order of `Cost`, the cheapest first; runs of one kind stay in their order."""
    return sorted(specs, key=cost_of)
