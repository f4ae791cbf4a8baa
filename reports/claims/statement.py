"""Statements: the sentences of a report as data, in a small vocabulary. Strict, frozen; what they are worth is decided
elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Self, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from benchmark.evidence.diagnosis.causes import FINDINGS
from benchmark.evidence.metrics.definitions import METRICS
from benchmark.evidence.scores import SplitName
from zoo.config.metric_names import ALIASES
from zoo.config.strict import Strict
from zoo.config.strict_yaml import suggest
from zoo.models.card import MOST_ENTRIES, NAME_PATTERN, MetricName, ModelCard, Printed

PRINTED_METRICS = (*METRICS, "loss", "score")
"""What a figure may be of: every metric, the loss of training, and the scores themselves."""
Entry = TypeVar("Entry")
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Text = Annotated[str, Field(min_length=1)]
Margin = Annotated[float, Field(ge=0, le=1e9)]


def _at_least(count: int) -> AfterValidator:
    """Entries of a tuple, counted once each is valid: pydantic's own `min_length` also counts those that are not."""

    def check(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        if len(entries) < count:
            raise ValueError(f"needs at least {count} {'entry' if count == 1 else 'entries'}")
        return entries

    return AfterValidator(check)


ONE_OR_MORE = _at_least(1)
_TWO_OR_MORE = _at_least(2)
AT_MOST = Field(max_length=MOST_ENTRIES)
_CARDS = ("a", "b", "card")


class Assertion(Strict):
    """What one form of statement asserts. A new form is a subclass, a field of `Form` and a function in
    `reports.verdicts.statements` that judges it."""

    @property
    def cards(self) -> tuple[str, ...]:
        """The cards whose runs decide it."""
        return tuple(getattr(self, field) for field in _CARDS if field in type(self).model_fields)


class Better(Assertion):
    """A beats B on a metric by more than `margin`."""

    a: Name
    b: Name
    metric: MetricName
    margin: Margin = 0.0
    split: SplitName = "test"


class NoBetter(Better):
    """A does not beat B on a metric by more than `margin`; it may be worse."""


class Alike(Assertion):
    """A and B differ by no more than `within` on a metric, in either direction."""

    a: Name
    b: Name
    metric: MetricName
    within: Annotated[float, Field(gt=0, le=1e9)]
    split: SplitName = "test"


class AtLeast(Assertion):
    """A card's metric is at least `value`."""

    card: Name
    metric: MetricName
    value: Printed
    split: SplitName = "test"


class AtMost(AtLeast):
    """A card's metric is at most `value`."""


class Diagnosis(Assertion):
    """Any of these findings of `benchmark.evidence.diagnosis.causes` holds for the card."""

    card: Name
    finding: Annotated[tuple[str, ...], ONE_OR_MORE, AT_MOST]


class MatrixOf(Assertion):
    """The confusion matrix printed with row `matrix` is the one of `card`."""

    matrix: Name
    card: Name

    @property
    def cards(self) -> tuple[str, ...]:
        """None: the audit of what was printed decides it."""
        return ()


class ThresholdMatters(Assertion):
    """On test, a threshold chosen on validation beats 0.5 on a metric by more than `margin`."""

    card: Name
    metric: MetricName
    margin: Margin = 0.0


class Form(Strict):
    """One thing that a statement says; exactly one of the fields is given."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    better: Better | None = None
    no_better: NoBetter | None = None
    alike: Alike | None = None
    at_least: AtLeast | None = None
    at_most: AtMost | None = None
    diagnosis: Diagnosis | None = None
    matrix_of: MatrixOf | None = None
    threshold_matters: ThresholdMatters | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        given = self.model_fields_set
        if len(given) != 1 or getattr(self, next(iter(given))) is None:
            raise ValueError(f"takes exactly one of {', '.join(type(self).model_fields)}")
        return self

    @property
    def name(self) -> str:
        """The name of the field that is given."""
        return next(iter(self.model_fields_set))

    @property
    def assertion(self) -> Assertion:
        """The field that is given."""
        assertion: Assertion = getattr(self, self.name)
        return assertion


class Says(Form):
    """What a statement says: one form, or several of which all or any must hold."""

    all: Annotated[tuple[Form, ...], _TWO_OR_MORE, AT_MOST] = ()
    any: Annotated[tuple[Form, ...], _TWO_OR_MORE, AT_MOST] = ()

    def forms(self) -> tuple[Form, ...]:
        """The forms inside; itself when it is one."""
        return self.all or self.any or (self,)

    def asserted(self) -> tuple[Form, ...]:
        """The forms that must hold for the statement to hold: all but those of `any`."""
        return () if self.any else self.forms()


class Statement(Strict):
    """A sentence of the report: quoted, translated, and as data. `reading` says how the words became `says`."""

    id: Name
    where: Text
    text: Text
    translation: str | None = None
    reading: str | None = None
    says: Says


def unknown_in_statement(statement: Statement, cards: Mapping[str, ModelCard]) -> Iterator[str]:
    """Names in a statement that mean nothing, each with its place below the statement."""
    for form in statement.says.forms():
        assertion, where = form.assertion, f"says.{form.name}"
        for field in _CARDS:
            if hasattr(assertion, field):
                yield from unknown_name(f"{where}.{field}", "card", getattr(assertion, field), cards)
        if hasattr(assertion, "metric"):
            yield from unknown_metric(f"{where}.metric", assertion.metric)
        for i, code in enumerate(getattr(assertion, "finding", ())):
            yield from unknown_name(f"{where}.finding.{i}", "finding", code, FINDINGS)


def unknown_metric(where: str, name: str) -> Iterator[str]:
    """A line when no figure is of a metric called `name`, with the nearest names there are for metrics."""
    if name not in PRINTED_METRICS:
        yield f"{where}: unknown metric '{name}'. {suggest(name, PRINTED_METRICS, ALIASES)}"


def unknown_name(where: str, kind: str, name: str, known: Iterable[str]) -> Iterator[str]:
    """A line when `name` is not `known`, with the nearest ones."""
    known = list(known)
    if name not in known:
        yield f"{where}: unknown {kind} '{name}'. {suggest(name, known)}"
