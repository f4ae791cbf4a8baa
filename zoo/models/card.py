"""Model cards: a model, its training recipe and the figures published about it, as strict, frozen data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from zoo.config.renames import formerly
from zoo.config.strict import Strict, chosen_by
from zoo.models.published import MulticlassTestSizes, PublishedFigure, Source, TestSizes, class_problems
from zoo.models.recipe import AverageRecipe, ProbeRecipe, Recipe, recipe_model

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"

Seed = Annotated[int, Field(ge=0, lt=2**32)]

MOST_ENTRIES = 1000
"""The largest number of entries in a list of a file."""


class ModelSpec(BaseModel):
    """A registered builder and its parameters, side by side: `{builder: NAME, parameter: value, ...}`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    builder: str = Field(description="name of a registered builder; every other key is one of its parameters")

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of the builder, as in the card."""
        return deepcopy(self.model_extra or {})


class ModelCard(Strict):
    """A model, its recipe and the figures published about it."""

    name: Annotated[str, Field(pattern=NAME_PATTERN, description="how commands and reports name it")]
    title: Annotated[str, Field(min_length=1, max_length=200, description="what the model is, as reports print it")]
    change: Annotated[
        str,
        Field(min_length=1, max_length=200, description="in a few words, how it differs from the card that it extends"),
        formerly("changes"),
    ]
    extends: str | None = Field(default=None, description="the card from which it inherits what it does not state")
    baseline: bool = Field(
        default=False, description="whether every model should beat it, such as a constant answer; not inherited"
    )
    source: Source | None = Field(default=None, description="where the model was published; not inherited")
    assumptions: Annotated[
        str | None,
        formerly("left_open"),
        Field(description="what the source does not state, and what the card uses instead; not inherited"),
    ] = None
    probe_card: str | None = Field(
        default=None,
        description="of a fine-tuned card: the card of a probe on the same pretrained network, with which reports "
        "compare it; not inherited",
    )
    model: ModelSpec = Field(description="the builder and its parameters")
    recipe: Annotated[
        Recipe | ProbeRecipe | AverageRecipe,
        chosen_by(recipe_model, Recipe, ProbeRecipe, AverageRecipe),
        Field(description="how the model is trained"),
    ]
    ensemble: Annotated[tuple[str, ...], Field(min_length=2, max_length=100)] | None = Field(
        default=None,
        exclude=True,
        description="cards whose scores are averaged, in place of a network: `model` then is `{builder: ensemble, "
        "members: [...]}`",
    )
    published: Annotated[
        tuple[PublishedFigure, ...],
        Field(max_length=MOST_ENTRIES, description="figures published about the model; not inherited"),
    ] = ()

    @model_validator(mode="after")
    def _ensemble_as_model(self) -> Self:
        if self.ensemble is not None:  # a file of a card, whose loader calls `with_ensemble`, does not get here
            raise ValueError(
                "ensemble: is for card files; here give `model: {builder: ensemble, members: [...]}` and "
                "`recipe: {average: probabilities}`"
            )
        if isinstance(self.recipe, AverageRecipe) and "members" not in self.model.params:
            raise ValueError(
                "recipe.average: is for a card with `ensemble: [card, card]`; drop it, or name the members"
            )
        return self

    @model_validator(mode="after")
    def _figures_of_the_classes(self) -> Self:
        test = None if self.source is None else self.source.test
        for problem in class_problems("published", self.published, test):
            raise ValueError(problem)
        return self

    @model_serializer(mode="wrap")
    def _without_probe_card(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A card without the field and one with its default are the same card, so their records are equal.
        data: dict[str, Any] = serialize(self)
        if data.get("probe_card", "") is None:
            del data["probe_card"]
        return data

    @property
    def looks_at_nothing(self) -> bool:
        """Whether the answer is the same for every image by design."""
        return self.model.builder == "constant"

    @property
    def members(self) -> tuple[str, ...]:
        """The names of the cards whose scores an ensemble averages; empty for a card with a network."""
        return tuple(self.model.params["members"]) if isinstance(self.recipe, AverageRecipe) else ()

    def identity(self) -> dict[str, Any]:
        """Return what decides the result of a run.

        Prose and published figures do not belong to it, so editing a sentence causes no retraining.

        Returns:
            The name, the model and the recipe, as JSON types.
        """
        return self.model_dump(mode="json", include={"name", "model", "recipe"})

    def with_old_keys(self) -> dict[str, Any]:
        """Return the card as `zoo cards --json` prints it until version 0.3: as JSON types, with the old keys."""
        card = self.model_dump(mode="json", by_alias=True)
        if self.source is not None:
            test = card["source"].pop("test") or {}
            if isinstance(self.source.test, MulticlassTestSizes):
                return card | {"source": card["source"] | {"test": test}}
            card["source"] |= {f"test_{label}": test.get(label) for label in TestSizes.model_fields}
        return card


def with_ensemble(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card's data with `model` and `recipe` in place of `ensemble`.

    Args:
        data: What a card states.

    Returns:
        The same data if it states no `ensemble`.

    Raises:
        ValueError: It states a `model` as well, names fewer than two cards, or what is no name.
    """
    if data.get("ensemble") is None:
        return dict(data)
    if "model" in data:
        raise ValueError("ensemble: averages the scores of other cards and has no network; drop `model` or `ensemble`")
    if not isinstance(data["ensemble"], list) or len(data["ensemble"]) < 2:
        raise ValueError("ensemble: give a list of two or more cards, such as [small-cnn, vgg16-probe]")
    for place, member in enumerate(data["ensemble"]):
        if not isinstance(member, str):
            raise ValueError(f"ensemble.{place}: must be the name of a card (got {json.dumps(member, default=str)})")
    rest = {key: value for key, value in data.items() if key != "ensemble"}
    recipe = {} if data.get("recipe") is None else data["recipe"]
    # What is no mapping is refused by the schema.
    average = {"average": "probabilities", **recipe} if isinstance(recipe, dict) else recipe
    return {**rest, "model": {"builder": "ensemble", "members": data["ensemble"]}, "recipe": average}


def recipe_problem(card: ModelCard, classes: int, names: Sequence[str] = ()) -> str | None:
    """Why a card cannot be trained on these classes.

    Args:
        card: The card.
        classes: Number of classes, 2 or more.
        names: Their names, for weights by name.

    Returns:
        One line that names the option and what would be right; None if the recipe is for any number of classes.
    """
    loss, weights = card.recipe.loss, card.recipe.class_weights
    if isinstance(weights, dict) and set(weights) != set(names):
        return (
            f"recipe.class_weights has the classes {', '.join(weights)}, but those of the data are {', '.join(names)}; "
            "give a weight to each of these, or balanced"
        )
    if classes > 2 and loss.alpha is not None:
        return (
            f"recipe.loss.alpha {loss.alpha:g} is the weight of the positive class of two, but the data have {classes} "
            f"classes; give `loss: {{name: focal_crossentropy, gamma: {loss.gamma:g}}}`, and `class_weights: balanced` "
            "for classes of unequal size"
        )
    return None
