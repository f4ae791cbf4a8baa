"""How a protocol states the decision among three or more classes, in YAML and as text."""

from __future__ import annotations

import math
from typing import TypedDict

from pydantic import Field, ValidationError, field_validator, model_validator

from benchmark.evidence.decisions.rules import FACTS, RULES, Costs, RuleName, Target, in_words, parameter_problem
from zoo.config.errors import ConfigError
from zoo.config.strict import Strict
from zoo.config.strict_yaml import suggest, unknown


class DecisionParameters(TypedDict):
    """The arguments of `choose_decision`."""

    rule: RuleName
    of_class: str | None
    target: Target | None
    value: float | None
    costs: Costs | None
    confidence: float | None


class DecisionRule(Strict):
    """How images are decided among three or more classes; what must be chosen is chosen on validation scores."""

    rule: RuleName = Field(
        default="argmax", description="the highest score, the lowest cost, one class at a rate, or none when unsure"
    )
    of_class: str | None = Field(default=None, description="class_at: the class that gets a threshold")
    target: Target | None = Field(
        default=None,
        description="what `value` states; class_at: sensitivity or specificity; abstain: confidence or accuracy; null: "
        "the first of the two",
    )
    value: float | None = Field(default=None, description="class_at, abstain: the rate or confidence to reach")
    costs: dict[str, dict[str, float]] = Field(
        default_factory=dict,
        description="cost: the cost of a wrong decision, by true class, then by predicted class; others cost 1",
    )
    confidence: float | None = Field(
        default=None, description="class_at: the confidence that further images reach `value`; null: no guarantee"
    )

    @field_validator("rule", mode="before")
    @classmethod
    def _known(cls, rule: object) -> object:
        if isinstance(rule, str) and rule not in RULES:
            raise ValueError(f"unknown rule '{rule}'. {suggest(rule, RULES)}")
        return rule

    @field_validator("of_class", mode="before")
    @classmethod
    def _plain(cls, name: object) -> object:
        return str(name) if type(name) is int else name  # YAML makes a number of a class such as 3

    @model_validator(mode="after")
    def _complete(self) -> DecisionRule:
        problem = parameter_problem(self.rule, self.of_class, self.target, self.value, self.costs, self.confidence)
        if problem is not None:
            raise ValueError(problem)
        if self.target is None and FACTS[self.rule].targets:
            object.__setattr__(self, "target", FACTS[self.rule].targets[0])
        return self

    def __hash__(self) -> int:
        return hash((self.rule, self.of_class, self.target, self.value, self.confidence))  # dicts have no hash

    @classmethod
    def parse(cls, text: str) -> DecisionRule:
        """Parse a rule such as "argmax", "class_at=MELANOMA:sensitivity:0.95" or "abstain=accuracy:0.95".

        Args:
            text: `argmax`; `cost=TRUE:PREDICTED:COST`, with commas between several; `class_at=CLASS:TARGET:VALUE`, or
                with a confidence `class_at=CLASS:TARGET:VALUE@CONFIDENCE`; or `abstain=CONFIDENCE` or
                `abstain=accuracy:VALUE`. The class of `class_at` may contain colons.

        Returns:
            The rule.

        Raises:
            ConfigError: The text is no rule, in one line that says what would be right.
        """
        name, equals, rest = (part.strip() for part in text.partition("="))
        rule = next((each for each in RULES if each == name), None)
        if rule is None:
            raise unknown("decision rule", name, RULES)
        facts = FACTS[rule]
        if equals and not (facts.targets or facts.takes_costs):
            raise ConfigError(f"rule {rule} takes no value")
        settings: dict[str, object] = {"rule": rule}
        if equals and facts.takes_costs:
            settings["costs"] = _costs(rest)
        elif equals:
            *before, number = (part.strip() for part in rest.rsplit(":", 2 if facts.takes_class else 1))
            if facts.takes_class:
                number, at, sure = (part.strip() for part in number.partition("@"))
                if at:
                    settings["confidence"] = parsed_number(f"rule {rule}: confidence", sure)
            settings["value"] = _number(rule, number)
            if before:
                target = before.pop()
                if target not in facts.targets:
                    raise ConfigError(f"rule {rule} has no target '{target}'. {suggest(target, facts.targets)}")
                settings["target"] = target
            if facts.takes_class:
                if not before:
                    raise ConfigError(f"rule {rule} needs a class, a target and a value, as in {facts.example}")
                settings["of_class"] = before[0]
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            raise ConfigError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error

    @property
    def parameters(self) -> DecisionParameters:
        """The arguments that `choose_decision` takes."""
        return {
            "rule": self.rule,
            "of_class": self.of_class,
            "target": self.target,
            "value": self.value,
            "costs": self.costs or None,
            "confidence": self.confidence,
        }

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes that the rule names, each once."""
        named = [] if self.of_class is None else [self.of_class]
        named += [name for true, row in self.costs.items() for name in (true, *row)]
        return tuple(dict.fromkeys(named))

    def in_words(self) -> str:
        """Say how images are decided."""
        return in_words(self.rule, self.of_class, self.target, self.value, self.confidence)


def parsed_number(of: str, text: str) -> float:
    """Return the number that a rule as text states; raise ConfigError, which begins with `of`, if it is none."""
    try:
        return float(text)
    except ValueError as error:
        raise ConfigError(f"{of}: '{text}' is not a number") from error


def _number(rule: RuleName, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(f"rule {rule}: '{text}' is not a finite number, as in {FACTS[rule].example}")
    return number


def _costs(text: str) -> dict[str, dict[str, float]]:
    costs: dict[str, dict[str, float]] = {}
    for cell in text.split(","):
        parts = [part.strip() for part in cell.split(":")]
        if len(parts) != 3:
            raise ConfigError(
                f"rule cost: '{cell.strip()}' is not TRUE:PREDICTED:COST, as in {FACTS['cost'].example}; "
                "names with a comma or a colon need a protocol file"
            )
        true, called, cost = parts
        if called in costs.get(true, {}):
            raise ConfigError(f"rule cost: the cost of {true} predicted as {called} is given twice")
        costs.setdefault(true, {})[called] = _number("cost", cost)
    return costs
