"""zoo: a declarative model-zoo benchmark for image classification on small labelled folders."""

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
    "register_builder",
]
