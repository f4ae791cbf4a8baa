"""What runs share: stored runs that are not computed again, and features of frozen layers."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.runs.run import Run, RunSpec
from benchmark.runs.storage.store import Store
from zoo.models.registry import Unfrozen, get_builder


def reusable_run(store: Store, spec: RunSpec) -> Run | None:
    """The stored run of `spec` if it is finished and whole, with its model where the protocol keeps one; else None."""
    run = store.get(spec.run_id)
    if run is None or run.status != "ok":
        return None
    needs_model = spec.protocol.keep_models and not spec.members
    return None if needs_model and not store.model_is_whole(run) else run


def feature_key(spec: RunSpec) -> str:
    """A key that is equal for runs with the same features: the same builder, base, views and preprocessing."""
    recipe, model = spec.card.recipe, spec.card.model
    builder = get_builder(model.builder)
    weights, base = builder.weights_of(model.params), builder.base_of(model.params)
    facts = (model.builder, weights and weights.name, base, recipe.preprocessing, recipe.augmentation)
    return repr((*facts, spec.split_seed, spec.protocol.identity()))


def shared_cuts(specs: Sequence[RunSpec], also: Sequence[Unfrozen]) -> dict[str, tuple[Unfrozen, ...]]:
    """The unfrozen layers in each group of runs that may share features.

    Args:
        specs: The runs.
        also: Unfrozen layers that later runs will have.

    Returns:
        Sorted numbers and names by `feature_key`.
    """
    numbers: dict[str, set[Unfrozen]] = {}
    for spec in specs:
        model = spec.card.model
        numbers.setdefault(feature_key(spec), set(also)).add(get_builder(model.builder).unfrozen(model.params))
    return {key: tuple(sorted(layers, key=lambda each: f"{each:>9}")) for key, layers in numbers.items()}
