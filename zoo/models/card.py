"""Model cards: a model, its training recipe and the figures published about it, as strict, frozen data."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    model_serializer,
    model_validator,
)

from benchmark.evidence.metrics.multiclass import find_multiclass
from benchmark.evidence.metrics.printed import PRINTED, has_average, is_count, printed_aliases
from benchmark.evidence.metrics.registry import find_metric
from zoo.config.renames import Joined, formerly
from zoo.config.strict import ChosenModel, Strict
from zoo.config.strict_yaml import decimal_places, suggest
from zoo.models.metrics import ClassName, Measured, OverClasses, PrintedName, figure_problem
from zoo.models.recipe import AverageRecipe, ProbeRecipe, Recipe, recipe_model

# Metrics of which a share of 1% or less is far less likely than a share that was taken for a percentage.
_LARGE = ("accuracy", "precision", "recall", "sensitivity", "specificity", "f1", "auc", "balanced_accuracy")
_IN_PERCENT = ("value", "upper", "low", "high", "sd")

# A value of three decimals or more rarely ends in four zeros, while `decimals` is easily mistyped.
_SOME_PLACES = 3
_MANY_ZEROS = 4

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"

# Upper bounds are far above every sensible value: they stop typing errors and files made to waste time.
ImageCount = Annotated[int, Field(gt=0, le=1_000_000)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Printed = Annotated[float, Field(ge=-1e9, le=1e9)]

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


class TestSizes(Strict):
    """The number of images per class in a test set of two classes."""

    __test__ = False  # pytest would collect a class of this name

    negatives: Annotated[ImageCount, Field(description="images of the negative class")]
    positives: Annotated[ImageCount, Field(description="images of the positive class")]

    @property
    def total(self) -> int:
        """The number of images."""
        return self.negatives + self.positives


class MulticlassTestSizes(BaseModel):
    """The number of images of each class in a test set of three classes or more: `{NORMAL: 234, ..., virus: 148}`."""

    __test__ = False  # pytest would collect a class of this name
    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)
    __pydantic_extra__: dict[str, Annotated[ImageCount, Field(description="images of the class of this name")]]

    @property
    def sizes(self) -> dict[str, int]:
        """The number of images by class, in the order of the file."""
        return dict(self.__pydantic_extra__)

    @property
    def total(self) -> int:
        """The number of images."""
        return sum(self.__pydantic_extra__.values())

    @model_validator(mode="after")
    def _several(self) -> Self:
        if len(self.__pydantic_extra__) < 3:
            raise ValueError("name the classes of three or more; two classes have `negatives` and `positives`")
        if "" in self.__pydantic_extra__:
            raise ValueError("a class has no name; give each class its name")
        return self


def by_keys(several: Callable[[Mapping[str, Any]], bool], two: type[BaseModel], many: type[BaseModel]) -> ChosenModel:
    """Return a validator that chooses one of two models, such as that for two classes or for more, by a mapping's keys.

    A union of the models would report the errors of both.

    Args:
        several: Whether a mapping is one of `many`.
        two: The model for other mappings.
        many: The model for the mappings that `several` recognises.

    Returns:
        An annotation for the union of both.
    """

    return chosen_by(lambda mapping: many if several(mapping) else two, two, many)


def chosen_by(choose: Callable[[Mapping[str, Any]], type[BaseModel]], *models: type[BaseModel]) -> ChosenModel:
    """Return a validator that chooses one of several models by the keys of a mapping, as `by_keys` does.

    Args:
        choose: Returns the model for a mapping.
        models: All models, of which the first is for what is no mapping.

    Returns:
        An annotation for the union of the models.
    """

    def validate(value: Any, _handler: object, info: ValidationInfo) -> BaseModel:
        if isinstance(value, models):
            return value
        model = choose(value) if isinstance(value, dict) else models[0]
        if info.mode == "json":
            return model.model_validate_json(json.dumps(value), strict=True)
        return model.model_validate(value)

    return ChosenModel(validate, choose=choose)


def names_classes(sizes: Mapping[str, Any]) -> bool:
    """Return whether test sizes name their classes, instead of negatives and positives."""
    return bool(set(sizes) - {"location", "where"}) and not {"negatives", "positives"} & set(sizes)


class Source(Strict):
    """Where a model was published."""

    report: str = Field(description="the report, so that a reader can find it")
    section: str = Field(description="where in the report the model is described")
    data: str | None = Field(default=None, description="the data set, as `zoo bench --data` names it; null: not stated")
    test: Annotated[
        Annotated[TestSizes | MulticlassTestSizes, by_keys(names_classes, TestSizes, MulticlassTestSizes)] | None,
        Joined(test_negatives="negatives", test_positives="positives"),
        Field(description="images per class in the test set behind the figures; null: not stated"),
    ] = None


class PublishedFigure(Measured):
    """One printed figure: its value, its number of decimals and its location in the source."""

    optional: ClassVar[tuple[str, ...]] = ("class", "average", "low", "high", "sd")

    metric: Annotated[PrintedName, Field(description="what was measured: the name of a figure or an alias")]
    of_class: ClassName = None
    average: OverClasses = None
    value: Annotated[Printed, Field(description="the printed value; a share as 0.91, or as 91 with `percent`")]
    upper: Printed | None = Field(default=None, description="upper end, if the source prints a range from `value`")
    split: Literal["train", "val", "test"] = Field(description="the images that the figure is about")
    decimals: Annotated[int, Field(ge=0, le=10, description="decimals that the source prints: 2 for 0.90")]
    epoch: Literal["first", "last", "every"] | None = Field(
        default=None, description="the moment of training; null: the trained model"
    )
    low: Printed | None = Field(default=None, description="lower end of the printed interval")
    high: Printed | None = Field(default=None, description="upper end of the printed interval")
    sd: Annotated[Printed, Field(ge=0)] | None = Field(default=None, description="the printed standard deviation")
    percent: bool = Field(
        default=False,
        exclude=True,
        description="whether all of these are in percent; `decimals` then counts those of the percentage",
    )
    location: Annotated[str, formerly("where"), Field(description="where in the source it is printed")]

    @model_validator(mode="before")
    @classmethod
    def _as_fraction(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        for name in ("folds", "seeds"):
            if name in data:
                raise ValueError(f"give `averaged: {name}` and `{name}: {data[name]}` in the row, not in a figure")
        if "decimals" not in data and isinstance(data.get("metric"), str) and is_count(_printed_name(data["metric"])):
            data = {**data, "decimals": 0}
        decimals = data.get("decimals")
        if data.get("percent") is not True or not isinstance(decimals, int):
            return data
        numbers = {name: data[name] for name in _IN_PERCENT if isinstance(data.get(name), int | float)}
        if (problem := _share_as_percent(data)) is not None:
            raise ValueError(problem)
        places = decimals + 2
        fractions = {name: round(number / 100, max(places, 12)) for name, number in numbers.items()}
        return {**data, **fractions, "decimals": places, "percent": False}

    @model_validator(mode="after")
    def _plausible(self) -> PublishedFigure:
        high = self.value if self.upper is None else self.upper
        if high < self.value:
            raise ValueError("upper must not be below value")
        metric = find_metric(self.metric) or find_multiclass(self.metric)
        fraction = self.metric == "score" if metric is None else metric.is_fraction
        if metric is None and self.metric in PRINTED:
            fraction = PRINTED[self.metric].range == (0, 1)
        if fraction and not (self.value >= 0 and high <= 1):
            hint = f"; is it given in percent?{_as_share(self.value, self.decimals)}" if high > 1 else ""
            raise ValueError(f"{self.metric} must be within [0, 1]{hint}")
        if is_count(self.metric) and not (self.value >= 0 and self.value == int(self.value)):
            raise ValueError(f"{self.metric} is a number of images: give a whole number, or a share as error_rate")
        if (self.low is None) != (self.high is None):
            raise ValueError("an interval needs both `low` and `high`")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("high must not be below low")
        for number in (self.value, high):
            places = decimal_places(number)
            if places > self.decimals or (places >= _SOME_PLACES and self.decimals >= places + _MANY_ZEROS):
                count = f"{places} decimal{'' if places == 1 else 's'}"
                raise ValueError(f"{number!r} has {count}, but `decimals` is {self.decimals}; one is a typing error")
        return self


def _share_as_percent(data: Mapping[str, Any]) -> str | None:
    """Why a value in percent is probably a share; None for other values, and for metrics that are small if good."""
    value, decimals, metric = data.get("value"), data.get("decimals"), data.get("metric")
    if (
        not isinstance(value, int | float)
        or not isinstance(decimals, int)
        or metric not in _LARGE
        or not 0 < value <= 1
    ):
        return None
    share = f"`value: {value / 100:.{decimals + 2}f}, decimals: {decimals + 2}`"
    return (
        f"{value!r} with `percent: true` is {value / 100:g}; is it a share? Then drop `percent`. If it is {value!r}%, "
        f"give {share} without `percent`"
    )


def _printed_name(name: str) -> str:
    return printed_aliases().get(name, name)


def _as_share(percent: float, decimals: int) -> str:
    """What a percentage is as a share, in words; `decimals` may be those of either. Empty for no percentage."""
    if not 0 <= percent <= 100:
        return ""
    places = decimal_places(percent)
    of_share = decimals if decimals >= places + 2 else max(places, decimals) + 2
    return f" {percent!r}% is `value: {percent / 100:.{of_share}f}, decimals: {of_share}`; or add `percent: true`"


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
        ValueError: It states a `model` as well, or names fewer than two cards.
    """
    if data.get("ensemble") is None:
        return dict(data)
    if "model" in data:
        raise ValueError("ensemble: averages the scores of other cards and has no network; drop `model` or `ensemble`")
    if not isinstance(data["ensemble"], list) or len(data["ensemble"]) < 2:
        raise ValueError("ensemble: give a list of two or more cards, such as [small-cnn, vgg16-probe]")
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


def class_problems(
    path: str,
    figures: tuple[PublishedFigure, ...],
    test: TestSizes | MulticlassTestSizes | None,
    classes: tuple[str, ...] = (),
    *,
    average_of_two: bool = False,
) -> Iterator[str]:
    """Yield a line for each figure that is not one of the classes of its test set, with its path.

    Args:
        path: The path of the figures in their file.
        figures: Figures that were printed together.
        test: The test set behind them; None where it is not stated.
        classes: The names of three classes or more, if something else than the test set states them.
        average_of_two: Whether figures of two classes may be averages over both.

    Yields:
        Lines that say what would be right.
    """
    names = tuple(test.sizes) if isinstance(test, MulticlassTestSizes) else classes
    several = bool(names) or any(figure.of_class or figure.average for figure in figures)
    for i, figure in enumerate(figures):
        field = "class" if figure.of_class is not None else "average"
        if average_of_two and figure.average is not None and isinstance(test, TestSizes):
            if figure.average == "micro":
                yield f"{path}.{i}.average: a micro average of two classes is their accuracy; give it as accuracy"
            elif not has_average(figure.metric):
                yield f"{path}.{i}.average: {figure.metric} of two classes has no average; drop `average`"
        elif (figure.of_class or figure.average) and isinstance(test, TestSizes):
            instead = ", say `positive: CLASS` in the row" if average_of_two else ""
            yield (
                f"{path}.{i}.{field}: is for three classes or more, but the test set has negatives and positives; drop "
                f"`{field}`{instead}, or give the number of images of every class in `test`"
            )
        elif figure.of_class is not None and names and figure.of_class not in names:
            yield f"{path}.{i}.class: unknown class '{figure.of_class}'. {suggest(figure.of_class, names)}"
        elif not isinstance(test, TestSizes) and not (figure.of_class or figure.average):
            problem = figure_problem(figure.metric, several=several, classes=names)
            if problem is not None:
                yield f"{path}.{i}.metric: {problem}"
