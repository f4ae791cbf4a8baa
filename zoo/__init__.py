"""zoo: a declarative model-zoo benchmark for image classification on small labelled folders."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reports.frames import load_figures, load_history, load_runs, load_scores, load_settings
    from zoo.card import Augmentation, ModelCard, PublishedFigure, Recipe
    from zoo.catalog import load_cards
    from zoo.registry import register_builder

__version__ = "0.1.0"

__all__ = [
    "Augmentation",
    "ModelCard",
    "PublishedFigure",
    "Recipe",
    "__version__",
    "load_cards",
    "load_figures",
    "load_history",
    "load_runs",
    "load_scores",
    "load_settings",
    "register_builder",
]

_ROOMS = {
    "Augmentation": "zoo.card",
    "ModelCard": "zoo.card",
    "PublishedFigure": "zoo.card",
    "Recipe": "zoo.card",
    "load_cards": "zoo.catalog",
    "load_figures": "reports.frames",
    "load_history": "reports.frames",
    "load_runs": "reports.frames",
    "load_scores": "reports.frames",
    "load_settings": "reports.frames",
    "register_builder": "zoo.registry",
}


def __getattr__(name: str) -> Any:
    # Loaded when first asked for: `zoo --help` needs none of them.
    if name not in _ROOMS:
        raise AttributeError(f"module 'zoo' has no attribute '{name}'")
    return getattr(import_module(_ROOMS[name]), name)
