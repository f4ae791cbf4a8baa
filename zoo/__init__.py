"""zoo: a declarative model-zoo benchmark for image classification on small labelled folders."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reports.frames.load import load_figures, load_history, load_runs, load_scores, load_settings
    from zoo.models.card import Augmentation, ModelCard, PublishedFigure, Recipe
    from zoo.models.catalog import load_cards
    from zoo.models.registry import PretrainedWeights, Unfreeze, register_builder

    __version__: str

__all__ = [
    "Augmentation",
    "ModelCard",
    "PretrainedWeights",
    "PublishedFigure",
    "Recipe",
    "Unfreeze",
    "__version__",
    "load_cards",
    "load_figures",
    "load_history",
    "load_runs",
    "load_scores",
    "load_settings",
    "register_builder",
]

_LAZY = {
    "Augmentation": "zoo.models.card",
    "ModelCard": "zoo.models.card",
    "PretrainedWeights": "zoo.models.registry",
    "PublishedFigure": "zoo.models.card",
    "Recipe": "zoo.models.card",
    "Unfreeze": "zoo.models.registry",
    "load_cards": "zoo.models.catalog",
    "load_figures": "reports.frames.load",
    "load_history": "reports.frames.load",
    "load_runs": "reports.frames.load",
    "load_scores": "reports.frames.load",
    "load_settings": "reports.frames.load",
    "register_builder": "zoo.models.registry",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: `zoo --help` needs none of them.
    if name == "__version__":
        return import_module("importlib.metadata").version("zoo-bench")
    if name not in _LAZY:
        raise AttributeError(f"module 'zoo' has no attribute '{name}'")
    return getattr(import_module(_LAZY[name]), name)
