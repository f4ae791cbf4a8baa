"""Protocols: the conditions that all cards of a comparison share."""

from __future__ import annotations

from collections.abc import Collection
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from benchmark.data.splits import Sampling
from benchmark.evidence.decisions.rules import cost_matrix
from benchmark.evidence.metrics.influence import ClassSizes
from benchmark.evidence.thresholds.rules import UNUSED, get_rule, rule_names
from benchmark.runs.decision_rule import DecisionRule, parsed_number
from benchmark.training.precision import TrainingPrecision
from zoo.config.errors import ConfigError
from zoo.config.strict import Strict
from zoo.config.strict_yaml import named_file, read_yaml, suggest, unknown, validate
from zoo.models.card import MOST_ENTRIES, ModelCard, Seed
from zoo.models.recipe import Epochs, Recipe


class ThresholdRule(Strict):
    """How the decision threshold is chosen on validation scores.

    With a confidence, the threshold is chosen so that the lower one-sided bound on validation reaches `value`. The
    value of a rule without a parameter is UNUSED.
    """

    rule: str = Field(default="youden", description="name of the rule")
    value: float = Field(default=None, validate_default=True, description="parameter of the rule; null: its default")
    confidence: float | None = Field(
        default=None,
        description="sensitivity, specificity: the confidence that further images reach `value`; null: no guarantee",
    )

    @field_validator("rule")
    @classmethod
    def _known(cls, rule: str) -> str:
        if rule not in rule_names():
            raise ValueError(f"unknown rule '{rule}'. {suggest(rule, rule_names())}")
        return rule

    @field_validator("value", mode="wrap")
    @classmethod
    def _fits(cls, value: Any, parse: ValidatorFunctionWrapHandler, info: ValidationInfo) -> float:
        number = None if value is None else parse(value)
        return get_rule(info.data["rule"]).parameter(number) if "rule" in info.data else UNUSED

    @field_validator("confidence")
    @classmethod
    def _sure(cls, confidence: float | None, info: ValidationInfo) -> float | None:
        problem = get_rule(info.data["rule"]).confidence_problem(confidence) if "rule" in info.data else None
        if problem is not None:
            raise ValueError(problem)
        if confidence is not None and info.data.get("value") == 1:
            raise ValueError("no number of images guarantees a value of 1; state less, or leave confidence out")
        return confidence

    @classmethod
    def parse(cls, text: str) -> ThresholdRule:
        """Parse a rule such as "youden", "cost=5", or "sensitivity=0.95@0.95" with a confidence. Raises ConfigError."""
        name, equals, rest = (part.strip() for part in text.partition("="))
        number, at, sure = (part.strip() for part in rest.partition("@"))
        if name not in rule_names():
            raise unknown("threshold rule", name, rule_names())
        if equals and get_rule(name).value is None:
            raise ConfigError(f"rule {name} takes no value")
        value = parsed_number(f"rule {name}", number) if equals else None
        confidence = parsed_number(f"rule {name}: confidence", sure) if at else None
        if (problem := get_rule(name).confidence_problem(confidence)) is not None:
            raise ConfigError(problem)
        try:
            return cls(rule=name, value=get_rule(name).parameter(value), confidence=confidence)
        except ValidationError as error:
            raise ConfigError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error
        except ValueError as error:
            raise ConfigError(str(error)) from error

    def in_words(self) -> str:
        """Say how the threshold is chosen."""
        return get_rule(self.rule).in_words(self.value, self.confidence)

    def aim(self) -> str:
        """Say what the threshold is chosen for, such as "sensitivity at least 0.95"."""
        return get_rule(self.rule).aim(self.value, self.confidence)


AUTO = "auto"
"""The protocol that is resolved for a data set (`benchmark.runs.auto_protocol`)."""

_FOLDER = Path(str(resources.files("benchmark.runs.protocols")))

RESULT, DISPLAY, RETENTION = (Field(json_schema_extra={"decides": what}) for what in ("result", "display", "retention"))
"""What a field of a protocol decides: the result of a run, how it is displayed, or which runs and files are kept."""


class Choice(Strict):
    """A value that `auto` chose for a field of a protocol, and why."""

    field: str = Field(description="name of the field, or its path, as sampling.train")
    value: int | float | str | None = Field(description="what was chosen")
    why: str = Field(description="the reason in words")


class Protocol(Strict):
    """Image size, sampling, seeds and budget: the conditions that all cards of a comparison share.

    With `test_folds`, a card with a seed is one run per fold.
    """

    name: Annotated[
        str, DISPLAY, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", description="how runs and reports name it")
    ]
    title: Annotated[str, DISPLAY, Field(min_length=1, max_length=200, description="what it is for")]
    image_size: Annotated[
        int, RESULT, Field(ge=8, le=2048, description="side in pixels to which every image is resized")
    ]
    seeds: Annotated[
        tuple[Seed, ...],
        RETENTION,
        Field(
            min_length=1,
            max_length=MOST_ENTRIES,
            description="each card is trained once per seed: initial weights, dropout and orders depend on it",
        ),
    ] = (0,)
    sampling: Annotated[Sampling, RESULT, Field(description="how many images each part gets")] = Sampling()
    split: Annotated[
        Literal["fixed", "per-seed"],
        RESULT,
        Field(description="fixed: one split for all seeds; per-seed: another one for each seed"),
    ] = "fixed"
    split_seed: Annotated[Seed, RESULT, Field(description="decides which images go to which part")] = 0
    view_seed: Annotated[Seed, RESULT, Field(description="decides the augmented views")] = 0
    views: Annotated[
        Annotated[int, Field(gt=0, le=1000)] | Literal["fresh"],
        RESULT,
        Field(description="augmented views per training image; fresh: a new one in each epoch"),
    ] = 2
    max_epochs: Annotated[
        Epochs | None, RESULT, Field(description="cap on the epochs of each phase of a card; null: the card decides")
    ] = None
    precision: Annotated[
        Literal["float32", "bfloat16", "auto"],
        RESULT,
        Field(description="of frozen layers: float32, bfloat16, or auto, what a trial of the machine chooses"),
    ] = "auto"
    prefix: Annotated[
        Literal["auto", "keras", "filtered"],
        RESULT,
        Field(
            description="the method for frozen layers: keras, filtered, or auto, what a trial of the machine chooses"
        ),
    ] = "auto"
    training_precision: Annotated[
        TrainingPrecision,
        RESULT,
        Field(description="precision of training steps: float32, or bfloat16; scores are computed in float32"),
    ] = "float32"
    training_convolutions: Annotated[
        Literal["auto", "direct", "filtered"],
        RESULT,
        Field(
            description="the method for wide 3 x 3 convolutions in training steps in float32: direct, filtered, or "
            "auto, what a trial of the machine chooses"
        ),
    ] = "auto"
    threshold: Annotated[
        ThresholdRule,
        RESULT,
        Field(description="two classes: the rule by which the threshold is chosen on validation"),
    ] = ThresholdRule()
    decision: Annotated[
        DecisionRule, RESULT, Field(description="three or more classes: the rule by which images are decided")
    ] = DecisionRule()
    test_folds: Annotated[
        Annotated[int, Field(ge=2, le=10)] | None,
        RESULT,
        Field(description="number of folds by patient, so that every image is tested once; null: one test part"),
    ] = None
    keep_models: Annotated[
        bool, RETENTION, Field(description="whether trained models are stored, for zoo predict and zoo export")
    ] = False
    choices: Annotated[
        tuple[Choice, ...],
        DISPLAY,
        Field(max_length=MOST_ENTRIES, description="the reasons of a protocol that `auto` made; they change no result"),
    ] = ()

    @model_validator(mode="after")
    def _distinct(self) -> Protocol:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds must differ from each other")
        return self

    @model_validator(mode="after")
    def _computable(self) -> Protocol:
        if self.precision == "bfloat16" and self.prefix != "auto":
            raise ValueError(
                f"precision: bfloat16 and prefix: {self.prefix}, which computes in float32, contradict each other; "
                "leave one of them out"
            )
        return self

    @model_validator(mode="after")
    def _trainable_by_its_method(self) -> Protocol:
        if self.training_precision == "bfloat16" and self.training_convolutions == "filtered":
            raise ValueError(
                "training_precision: bfloat16 and training_convolutions: filtered, which computes in float32, "
                "contradict each other; leave one of them out"
            )
        return self

    @model_validator(mode="after")
    def _every_image_is_tested(self) -> Protocol:
        if self.test_folds is not None and (self.sampling.test is not None or self.sampling.balanced):
            which = "balanced" if self.sampling.balanced else "test"
            raise ValueError(f"test_folds tests every image, and sampling.{which} leaves some out; drop one of them")
        return self

    @property
    def class_sizes(self) -> ClassSizes:
        """Whether the draw fixes the number of images per class; intervals depend on it."""
        return "fixed" if self.sampling.balanced else "drawn"

    @classmethod
    def result_fields(cls) -> set[str]:
        """The names of the fields that decide the result of a run."""
        return {name for name, field in cls.model_fields.items() if decides(field) == "result"}

    def identity(self) -> dict[str, object]:
        """The fields that decide the result of a run, as run ids hash them."""
        facts = self.model_dump(mode="json", include=self.result_fields())
        if self.prefix == "auto":  # left out, so that runs stored without the field keep their ids
            del facts["prefix"]
        if self.training_precision == "float32":
            del facts["training_precision"]
        if self.training_convolutions == "auto":
            del facts["training_convolutions"]
        if self.decision == DecisionRule():
            del facts["decision"]
        if self.test_folds is None:
            del facts["test_folds"]
        for rule in (facts.get("threshold"), facts.get("decision")):
            if isinstance(rule, dict) and rule["confidence"] is None:
                del rule["confidence"]
        return facts

    def conditions(self) -> dict[str, object]:
        """The fields that comparable runs share: those that decide results, and the name of the protocol."""
        return {"name": self.name, **self.identity()}

    def budgeted(self, card: ModelCard) -> ModelCard:
        """Cap each phase of `card` at `max_epochs`.

        A run records the card as written, since `run_id` identifies that card and the protocol separately. Whoever
        trains or describes the run caps it again.

        Args:
            card: A card with the epochs of its recipe. A probe or an ensemble has none, and is returned unchanged.

        Returns:
            The card as it is trained under this protocol.
        """
        recipe = card.recipe
        if self.max_epochs is None or not isinstance(recipe, Recipe):
            return card
        changes: dict[str, object] = {"epochs": min(recipe.epochs, self.max_epochs)}
        if recipe.finetune is not None:
            epochs = min(recipe.finetune.epochs, self.max_epochs)
            changes["finetune"] = recipe.finetune.model_copy(update={"epochs": epochs})
        return card.model_copy(update={"recipe": recipe.model_copy(update=changes)})


def decision_problem(protocol: Protocol, classes: tuple[str, ...], file_keys: Collection[str] = ()) -> str | None:
    """Return why the threshold rule or the decision of a protocol does not fit the classes of the data.

    Args:
        protocol: The protocol.
        classes: The names of the classes, at least two.
        file_keys: The keys that a protocol file contains; a threshold rule that equals the default is one, too.

    Returns:
        One line that says what would be right; None if both fit.
    """
    where = f"protocol {protocol.name}"
    if len(classes) == 2:
        if protocol.decision == DecisionRule():
            return None
        return (
            f"{where}: decision: is for three or more classes; for {' and '.join(classes)} use threshold:, as in "
            "threshold: {rule: sensitivity, value: 0.95}"
        )
    if protocol.threshold != ThresholdRule() or "threshold" in file_keys:
        return (
            f"{where}: threshold: is for two classes, and the data have {len(classes)}; use decision:, as in "
            f"decision: {{rule: class_at, of_class: {classes[-1]}, target: sensitivity, value: 0.95}}"
        )
    for name in protocol.decision.classes:
        if name not in classes:
            return f"{where}: decision: unknown class '{name}'. {suggest(name, classes)}"
    if protocol.decision.rule == "cost":
        try:
            cost_matrix(protocol.decision.costs, classes)
        except ValueError as error:
            return f"{where}: decision: {error}"
    return None


def decides(field: FieldInfo) -> str | None:
    """What a field of a protocol decides: `result`, `display` or `retention`; None if it is not marked."""
    extra = field.json_schema_extra
    return str(extra["decides"]) if isinstance(extra, dict) and "decides" in extra else None


def built_in_protocols() -> list[str]:
    """The names of the built-in protocols, `auto` first."""
    names = {path.stem for path in _FOLDER.glob("*.yaml")} - {AUTO}
    return [AUTO, *sorted(names)]


def protocol_file(name: str) -> Path:
    """The file of the built-in protocol `name`, or the YAML file with that path. Raises ConfigError."""
    return named_file("protocol", "--protocol", name, _FOLDER)


def load_protocol(name: str) -> Protocol:
    """Load the built-in protocol `name`, or the YAML file with that path. Raises ConfigError, also for `auto`."""
    path = protocol_file(name)
    if path.stem == AUTO:
        raise ConfigError("protocol auto: depends on the data; `zoo protocols auto --data SOURCE` resolves it")
    data = read_yaml(path)
    stem = path.stem
    if data.setdefault("name", stem) != stem:
        raise ConfigError(f"{path}: name: is '{data['name']}'; must equal the file's name, '{stem}'")
    return validate(Protocol, data, str(path))
