"""Search spaces: read from strict YAML, and applied to a card."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from benchmark.evidence.metrics.multiclass import find_multiclass, is_of_classes, multiclass_metric_names
from benchmark.evidence.metrics.registry import aliases, find_metric, measures
from zoo.config.errors import ConfigError
from zoo.config.strict import Strict
from zoo.config.strict_yaml import named_file, read_yaml, suggest, unknown, validate
from zoo.models.card import MOST_ENTRIES, ModelCard
from zoo.models.catalog import check_phases, check_preprocessing, merge
from zoo.models.metrics import MetricName
from zoo.models.recipe import Epochs, Recipe
from zoo.models.registry import Unfrozen, complete_params, get_builder

_LISTED = 12
TUNERS = ("random", "bayesian", "hyperband", "grid", "optuna")
_BUILT_IN = Path(str(resources.files("search_spaces")))
Tuner = Literal["random", "bayesian", "hyperband", "grid", "optuna"]
Bound = Annotated[float, Field(ge=-1e9, le=1e9)]
AT_MOST = Field(max_length=MOST_ENTRIES)
MOST_TRIALS = 10_000
"""The most trials of a search."""


class Parameter(Strict):
    """One parameter of the card."""

    kind: Literal["float", "int", "choice", "boolean"] = Field(description="what its values are")
    low: Bound | None = Field(default=None, description="float, int: the lowest value")
    high: Bound | None = Field(default=None, description="float, int: the highest value")
    step: Annotated[float, Field(gt=0, le=1e9)] | None = Field(
        default=None, description="float, int: difference of neighbouring values; on a log scale their factor, above 1"
    )
    scale: Literal["linear", "log"] = Field(
        default="linear", description="float, int: whether differences or factors count as steps of one size"
    )
    values: Annotated[tuple[Any, ...], AT_MOST] | None = Field(default=None, description="choice: what to choose from")
    when: dict[str, Annotated[tuple[Any, ...], AT_MOST]] = Field(
        default={}, description="another parameter, listed above, and its values for which this one is varied"
    )

    @model_validator(mode="after")
    def _whole(self) -> Parameter:
        ranged, listed = self.kind in ("float", "int"), self.kind == "choice"
        bounded = [bound is not None for bound in (self.low, self.high)]
        if not (all(bounded) if ranged else not any(bounded)):
            raise ValueError(f"{self.kind} needs low and high" if ranged else f"{self.kind} takes no low or high")
        if ranged and (self.low or 0.0) >= (self.high or 0.0):
            raise ValueError("low must be below high")
        if self.scale == "log" and (self.low or 0.0) <= 0:
            raise ValueError("a log scale needs low above 0")
        if self.kind == "int" and any(number is not None and number % 1 for number in (self.low, self.high, self.step)):
            raise ValueError("low, high and step of an int are whole numbers")
        if listed != bool(self.values):
            raise ValueError("choice needs values" if listed else f"{self.kind} takes no values")
        if len(self.when) > 1:
            raise ValueError("when names one parameter")
        return self

    def count(self) -> int | None:
        """The number of values that KerasTuner distinguishes; None for a float without steps."""
        if self.kind not in ("float", "int"):
            return len(self.options())
        low, high = self.low or 0.0, self.high or 0.0
        if self.step is None and self.kind == "float":
            return None
        if self.step is not None and self.scale == "log":
            return int(math.log(high / low, self.step) + 1e-8) + 1  # with KerasTuner's tolerance
        return int((high - low) // (self.step or 1)) + 1

    def options(self) -> Sequence[Any]:
        """The values of a choice, an int or a boolean that KerasTuner distinguishes; empty for a float."""
        if self.kind == "int":
            low, high, step = int(self.low or 0), int(self.high or 0), int(self.step or 1)
            if self.scale == "log" and self.step is not None:
                return [low * step**index for index in range(self.count() or 0)]
            return range(low, high + 1, step)
        return [False, True] if self.kind == "boolean" else list(self.values or ())


class Budget(Strict):
    """The budget of a search."""

    trials: Annotated[int, Field(gt=0, le=MOST_TRIALS)] = Field(default=12, description="the search ends after so many")
    epochs: Epochs | None = Field(
        default=None,
        description="cap on each phase of a trial; for hyperband, the largest number of epochs; null: none",
    )
    minutes: Annotated[float, Field(gt=0, le=1_000_000)] | None = Field(
        default=None, description="the search ends after so many minutes; null: no limit"
    )


class Reseed(Strict):
    """How many trials are run again, to show the part of luck in their rank."""

    top: Annotated[int, Field(ge=0, le=1000)] = Field(default=3, description="how many of the best trials; 0: none")
    seeds: Annotated[int, Field(ge=0, le=1000)] = Field(default=3, description="with how many other seeds each")


class SearchSpace(Strict):
    """Parameters by their path in the card, and how they are searched.

    The objective of a trial is the mean over executions and folds.
    """

    name: str = Field(description="how `zoo search` and its results name it")
    title: Annotated[str, Field(min_length=1, max_length=200, description="what is searched")]
    objective: Annotated[
        MetricName,
        Field(
            description="the validation metric to optimise; of three or more classes, `auc` means its macro mean and "
            "`recall:class:NAME` the recall of one class"
        ),
    ] = "auc"
    tuner: Tuner = Field(default="random", description="what proposes the trials: an oracle of KerasTuner, or Optuna")
    seed: Annotated[int, Field(ge=0, lt=2**32 - 1)] = Field(default=0, description="seed of the tuner")
    budget: Budget = Field(default=Budget(), description="when the search ends")
    executions: Annotated[int, Field(gt=0, le=1000)] = Field(
        default=1, description="runs per trial, each with its own seed"
    )
    folds: Annotated[int, Field(ge=2, le=20)] | None = Field(
        default=None, description="folds by patient of the train and validation images; null: one split"
    )
    reseed: Reseed = Field(default=Reseed(), description="which trials are run again with other seeds")
    parameters: Annotated[
        dict[str, Parameter],
        Field(min_length=1, max_length=100, description="what is varied, by its path in the card, model.* or recipe.*"),
    ]

    @model_validator(mode="after")
    def _known(self) -> SearchSpace:
        known = measures()
        if self.objective not in known and find_multiclass(self.objective) is None:
            nearest = suggest(self.objective, (*known, *multiclass_metric_names()), aliases(known))
            raise ValueError(f"objective: unknown metric '{self.objective}'. {nearest}")
        earlier: dict[str, Parameter] = {}
        for path, parameter in self.parameters.items():
            if path.split(".", 1)[0] not in ("model", "recipe") or "." not in path:
                raise ValueError(f"parameters.{path}: must be a path in the card, model.* or recipe.*")
            if parameter.scale == "log" and parameter.step is not None and parameter.step <= 1:
                raise ValueError(
                    f"parameters.{path}.step: on a log scale a step is a factor above 1, such as 2; "
                    f"it is {parameter.step:g}"
                )
            if self.tuner == "grid" and (parameter.count() or 0) > MOST_TRIALS:
                raise ValueError(
                    f"parameters.{path}: has {parameter.count()} values, more than {MOST_TRIALS}; raise its step or "
                    "narrow it"
                )
            for parent, values in parameter.when.items():
                if parent not in earlier:
                    raise ValueError(f"parameters.{path}.when: '{parent}' must be a parameter listed above it")
                options = earlier[parent].options()
                if not options or any(value not in options for value in values):
                    raise ValueError(
                        f"parameters.{path}.when.{parent}: {list(values)} are not among its {_listed(options)}"
                    )
            earlier[path] = parameter
        return self

    @property
    def direction(self) -> Literal["higher", "lower"]:
        """Whether a higher or a lower objective is better."""
        measure = find_metric(self.objective) or find_multiclass(self.objective)
        return "lower" if measure is not None and measure.direction == "lower" else "higher"

    def for_classes(self, classes: Sequence[str]) -> SearchSpace:
        """Return the space with an objective that runs on these classes have.

        Args:
            classes: The names of the classes of the data.

        Returns:
            The space itself for two classes. For more, a metric of one class against the rest becomes its macro mean.

        Raises:
            ConfigError: The objective is for another number of classes, or of a class that does not exist.
        """
        where = f"space {self.name}: objective: {self.objective}"
        if len(classes) == 2:
            if self.objective in measures():
                return self
            metric = self.objective.partition(":")[0]
            known = metric if metric in measures() else "auc"
            raise ConfigError(f"{where} is for three or more classes; for {' and '.join(classes)} use {known}")
        key = f"{self.objective}:macro" if is_of_classes(self.objective) else self.objective
        measure = find_multiclass(key)
        if measure is None:
            raise ConfigError(f"{where} is for two classes; for {len(classes)} use auc, balanced_accuracy or log_loss")
        if measure.of_class is not None and measure.of_class not in classes:
            raise ConfigError(f"{where}: unknown class '{measure.of_class}'. {suggest(measure.of_class, classes)}")
        return self.model_copy(update={"objective": key})

    def unfrozen(self, base: ModelCard) -> tuple[Unfrozen, ...]:
        """The unfrozen layers that trials of `base` may have; empty if the space does not vary them."""
        unfreeze = get_builder(base.model.builder).unfreeze
        parameter = None if unfreeze is None else self.parameters.get(f"model.{unfreeze.parameter}")
        options = () if parameter is None else parameter.options()[:MOST_ENTRIES]
        return tuple(value for value in options if isinstance(value, int | str))


def load_space(name: str) -> SearchSpace:
    """Load the built-in space `name`, or the YAML file with that path. Raises ConfigError."""
    path = named_file("search space", "--space", name, _BUILT_IN)
    return validate(SearchSpace, {"name": path.stem, **read_yaml(path)}, str(path))


def fitting_space(base: ModelCard) -> SearchSpace:
    """The first built-in space, by name, whose parameters all exist in `base`. Raises ConfigError if there is none."""
    for path in sorted(_BUILT_IN.glob("*.yaml")):
        space = load_space(path.stem)
        try:
            check_paths(base, space)
        except ConfigError:
            continue
        return space
    raise ConfigError(f"card {base.name}: no built-in space fits it; give one with --space FILE")


def with_overrides(
    space: SearchSpace, *, tuner: str | None = None, trials: int | None = None, executions: int | None = None
) -> SearchSpace:
    """Replace settings of a space.

    Args:
        space: The space.
        tuner: Another tuner; None keeps the space's.
        trials: Another number of trials; None keeps the space's.
        executions: Another number of runs per trial; None keeps the space's.

    Returns:
        The space with these settings.

    Raises:
        ConfigError: A setting is not valid.
    """
    data = space.model_dump(mode="json")
    data["tuner"] = tuner or space.tuner
    data["executions"] = executions or space.executions
    data["budget"]["trials"] = trials or space.budget.trials
    if tuner is not None and tuner not in TUNERS:
        raise unknown("tuner", tuner, TUNERS)
    return validate(SearchSpace, data, f"space {space.name}")


def trial_card(base: ModelCard, values: Mapping[str, Any], name: str | None = None) -> ModelCard:
    """Make the card of a trial.

    Args:
        base: The card to tune.
        values: Values by path in the card.
        name: Another name for the card; None keeps the name of `base`.

    Returns:
        The card with these values and without published figures.

    Raises:
        ConfigError: The result is not a valid card.
    """
    data = merge(base.model_dump(mode="json"), nested(values))
    data["name"] = name or base.name
    data["published"] = []
    where = f"card {base.name} with {json.dumps(dict(values), default=str)}"
    card = validate(ModelCard, data, where)
    params = complete_params(card.model.builder, card.model.params, f"{where}: model")
    check_phases(card, where)
    check_preprocessing(card, where)
    return card.model_copy(update={"model": card.model.model_copy(update=params)})


def check_paths(base: ModelCard, space: SearchSpace) -> None:
    """Raise ConfigError unless every parameter of `space` exists in `base`."""
    known = set(_paths(base.model_dump(mode="json", include={"model", "recipe"})))
    known |= {f"model.{name}" for name in get_builder(base.model.builder).parameters.model_fields}
    known |= {f"recipe.{name}" for name in type(base.recipe).model_fields}  # a dump leaves out some defaults
    for path in space.parameters:
        if path not in known:
            raise ConfigError(
                f"space {space.name}: parameters.{path}: card {base.name} has no such parameter. {suggest(path, known)}"
            )


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nest values by path: {"recipe.epochs": 1} becomes {"recipe": {"epochs": 1}}."""
    data: dict[str, Any] = {}
    for path, value in values.items():
        *parents, last = path.split(".")
        inner = data
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = value
    return data


def winner_yaml(
    base: ModelCard, values: Mapping[str, Any], *, space: str, objective: str, epochs: int | None
) -> dict[str, Any]:
    """Make the card file of a search's winner, which extends the tuned card and contains only the differences.

    Args:
        base: The tuned card.
        values: The winner's values by path in the card.
        space: Name of the search space.
        objective: What the winner was chosen by, in words.
        epochs: The cap on epochs per phase of the winning trial, if any.

    Returns:
        The content of the file.
    """
    change = nested(values)
    if epochs is not None and isinstance(base.recipe, Recipe):
        recipe = change.setdefault("recipe", {})
        recipe["epochs"] = min(base.recipe.epochs, epochs)
        if base.recipe.finetune is not None:
            recipe.setdefault("finetune", {})["epochs"] = min(base.recipe.finetune.epochs, epochs)
        if recipe.get("warmup", base.recipe.warmup) >= min(epochs, base.recipe.epochs):
            recipe["warmup"] = 0.5  # what the trial had: a warm-up takes at most half of a phase that is cut short
    settings = ", ".join(f"{path.rsplit('.', 1)[-1]} {_text(value)}" for path, value in values.items())
    return {
        "extends": base.name,
        "title": f"{base.title}, tuned"[:200],
        "change": f"tuned: {settings}"[:200],
        "assumptions": f"Chosen by a search of the space {space}: {objective}.",
        **change,
    }


def _listed(options: Sequence[Any]) -> str:
    """List options as "[8, 16, 32]"; a long list is shortened to the first ones and the last."""
    if len(options) <= _LISTED:
        return str(list(options))
    first = ", ".join(map(str, options[: _LISTED - 2]))
    return f"[{first}, ..., {options[-1]}]"


def _text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _paths(data: Mapping[str, Any], before: str = "") -> list[str]:
    paths = []
    for key, value in data.items():
        paths.append(f"{before}{key}")
        if isinstance(value, Mapping):
            paths += _paths(value, f"{before}{key}.")
    return paths
