"""What runs share: stored runs that are not computed again, and features of frozen layers."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.runs.run import Run, RunSpec
from benchmark.runs.storage.store import Store
from zoo.models.registry import get_builder


def reusable_run(store: Store, spec: RunSpec) -> Run | None:
    """The stored run of `spec` if it finished and is intact, with its model if the protocol keeps models; else None."""
    run = store.get(spec.run_id)
    if run is None or run.status != "ok" or (spec.protocol.keep_models and not store.model_is_whole(run)):
        return None
    return run


def feature_key(spec: RunSpec) -> str:
    """A key that is equal for runs with the same features: the same builder, base, views and preprocessing."""
    recipe, model = spec.card.recipe, spec.card.model
    weights = get_builder(model.builder).weights_of(model.params)
    facts = (model.builder, weights and weights.name, recipe.preprocessing, recipe.augmentation)
    return repr((*facts, spec.split_seed, spec.protocol.identity()))


def shared_cuts(specs: Sequence[RunSpec], also: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """The numbers of unfrozen layers in each group of runs that may share features.

    Args:
        specs: The runs.
        also: Numbers of unfrozen layers that later runs will have.

    Returns:
        Sorted numbers by `feature_key`.
    """
    numbers: dict[str, set[int]] = {}
    for spec in specs:
        model = spec.card.model
        numbers.setdefault(feature_key(spec), set(also)).add(get_builder(model.builder).unfrozen(model.params))
    return {key: tuple(sorted(layers)) for key, layers in numbers.items()}
