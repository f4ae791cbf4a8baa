"""Statements: the sentences of a report as strict, frozen data, in a small vocabulary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from benchmark.evidence.diagnosis.diagnoses import FINDINGS
from benchmark.evidence.metrics.multiclass import find_multiclass, multiclass_metric_names
from benchmark.evidence.metrics.printed import PRINTED, printed_aliases
from benchmark.evidence.metrics.registry import NOT_METRICS, aliases, find_metric, metrics
from benchmark.evidence.scores import SplitName
from zoo.config.renames import formerly
from zoo.config.strict import Strict
from zoo.config.strict_yaml import suggest
from zoo.models.card import MOST_ENTRIES, NAME_PATTERN
from zoo.models.metrics import ClassName, Measured, MetricName, OverClasses
from zoo.models.published import Printed

Entry = TypeVar("Entry")
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Text = Annotated[str, Field(min_length=1)]
Margin = Annotated[float, Field(ge=0, le=1e9, description="the difference must exceed this")]
_Metric = Annotated[MetricName, Field(description="what is compared: the name of a metric or an alias")]
_Split = Annotated[SplitName, Field(description="the images that the figure is about")]
_Card = Annotated[Name, Field(description="name of the card")]
_First = Annotated[Name, Field(description="the first card")]
_Second = Annotated[Name, Field(description="the second card")]


def _at_least(count: int) -> AfterValidator:
    """Count the entries of a tuple after each was validated. `min_length` of pydantic also counts invalid ones."""

    def check(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        if len(entries) < count:
            raise ValueError(f"needs at least {count} {'entry' if count == 1 else 'entries'}")
        return entries

    return AfterValidator(check)


ONE_OR_MORE = _at_least(1)
_TWO_OR_MORE = _at_least(2)
AT_MOST = Field(max_length=MOST_ENTRIES)

At = Literal["half", "chosen"]
"""Which decisions a figure is of: `half` for threshold 0.5, of three classes or more for the class with the highest
score; `chosen` for those that the runs chose on validation. Tables have a column of this name."""

OptionalAt = Annotated[
    At | None,
    Field(description="decisions: `half` (0.5, or the highest score), `chosen` on validation; null: as the protocol"),
]
_CARDS = ("a", "b", "card")


class Assertion(Strict):
    """What one form of statement asserts: about which cards and metric, and by how much.

    A new form is a subclass, a field of `Form` and a function in `reports.verdicts.statements` that judges it.
    """

    @property
    def cards(self) -> tuple[str, ...]:
        """The cards whose runs decide it."""
        return tuple(getattr(self, field) for field in _CARDS if field in type(self).model_fields)


class OfFigure(Measured, Assertion):
    """An assertion about a figure. `at` says of which decisions; without it, of those that the protocol asks for.

    A statement is about a model in use, and the protocol says how the model decides: the figures of its rule lead in
    every table, so they decide here too.
    """

    at: OptionalAt = None

    @model_validator(mode="after")
    def _of_decisions(self) -> Self:
        metric = find_metric(self.metric)
        several = find_multiclass(self.key)
        depends = metric.uses_threshold if metric is not None else several is None or several.uses_decisions
        if self.at is not None and (not depends or self.metric in NOT_METRICS):
            raise ValueError(f"{self.metric} does not depend on decisions; drop `at`")
        return self

    @model_validator(mode="after")
    def _of_two_models(self) -> Self:
        first, second = getattr(self, "a", None), getattr(self, "b", None)
        if first is not None and first == second:
            raise ValueError(f"`a` and `b` are both {first}; a comparison is of two models")
        return self

    @model_validator(mode="after")
    def _as_share(self) -> Self:
        record = find_metric(self.metric) or find_multiclass(self.key)
        if record is None or not record.is_fraction:
            return self
        for field in ("value", "margin", "within"):
            bound = getattr(self, field, 0.0)
            if not 0 <= bound <= 1:
                hint = f"; is it given in percent? Then it is {field}: {bound / 100:g}" if 1 < bound <= 100 else ""
                raise ValueError(f"{field}: a bound of {self.metric} is a share between 0 and 1, not {bound:g}{hint}")
        return self


class Superior(OfFigure):
    """A is better than B in a metric by more than `margin`."""

    a: _First
    b: _Second
    metric: _Metric
    of_class: ClassName = None
    average: OverClasses = None
    margin: Margin = 0.0
    split: _Split = "test"
    significant: bool = Field(default=False, description="whether the source calls the difference significant")
    p_value: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="the printed p value, or its bound: 0.001 for p < 0.001; null: not printed"
    )


class NotSuperior(Superior):
    """A is not better than B in a metric by more than `margin`; it may be worse."""

    @model_validator(mode="after")
    def _without_significance(self) -> Self:
        if self.significant or self.p_value is not None:
            raise ValueError("`significant` and `p_value` are of `superior`; drop them")
        return self


class Equivalent(OfFigure):
    """A and B differ by at most `within` in a metric, in either direction."""

    a: _First
    b: _Second
    metric: _Metric
    of_class: ClassName = None
    average: OverClasses = None
    within: Annotated[float, Field(gt=0, le=1e9, description="the largest difference either way")]
    split: _Split = "test"


class AtLeast(OfFigure):
    """A card's metric is at least `value`."""

    card: _Card
    metric: _Metric
    of_class: ClassName = None
    average: OverClasses = None
    value: Annotated[Printed, Field(description="the bound")]
    split: _Split = "test"


class AtMost(AtLeast):
    """A card's metric is at most `value`."""


class Diagnosis(Assertion):
    """Every seed of the card has one of these findings of `benchmark.evidence.diagnosis.diagnoses`."""

    card: _Card
    finding: Annotated[
        tuple[str, ...],
        ONE_OR_MORE,
        AT_MOST,
        Field(description="diagnoses, of which every seed has at least one"),
    ]


class MatrixOf(Assertion):
    """The confusion matrix printed for the row `matrix` belongs to `card`."""

    matrix: Annotated[Name, Field(description="the row with which the matrix is printed")]
    card: _Card

    @property
    def cards(self) -> tuple[str, ...]:
        """No card: the audit of the printed figures decides it."""
        return ()


class ThresholdMatters(Assertion):
    """On test, the threshold chosen on validation is better than 0.5 in a metric by more than `margin`."""

    card: _Card
    metric: _Metric
    margin: Margin = 0.0


class Form(Strict):
    """One form of statement: exactly one of the fields has a value."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    superior: Annotated[
        Superior | None, formerly("better"), Field(description="A is better than B by more than a margin")
    ] = None
    not_superior: Annotated[
        NotSuperior | None, formerly("no_better"), Field(description="A is not better than B by more than a margin")
    ] = None
    equivalent: Annotated[
        Equivalent | None, formerly("alike"), Field(description="A and B differ by at most a margin")
    ] = None
    at_least: AtLeast | None = Field(default=None, description="a figure is at least a value")
    at_most: AtMost | None = Field(default=None, description="a figure is at most a value")
    diagnosis: Diagnosis | None = Field(
        default=None,
        description="every seed has one of these faults of training",
    )
    matrix_of: MatrixOf | None = Field(default=None, description="a printed matrix is that of a card")
    threshold_matters: ThresholdMatters | None = Field(
        default=None, description="the threshold chosen on validation is better than 0.5 on test"
    )

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        fields = self.model_fields_set
        if len(fields) != 1 or getattr(self, next(iter(fields))) is None:
            raise ValueError(f"takes exactly one of {', '.join(type(self).model_fields)}")
        return self

    @property
    def name(self) -> str:
        """The name of the field that has a value."""
        return next(iter(self.model_fields_set))

    @property
    def assertion(self) -> Assertion:
        """The value of that field."""
        assertion: Assertion = getattr(self, self.name)
        return assertion


_Form = TypeVar("_Form", bound=Form)


class CombinedAssertion(Form):
    """What a statement asserts: one form, or several of which all or any must hold."""

    all: Annotated[tuple[Form, ...], _TWO_OR_MORE, AT_MOST, Field(description="all of these forms hold")] = ()
    any: Annotated[tuple[Form, ...], _TWO_OR_MORE, AT_MOST, Field(description="at least one of these forms holds")] = ()

    def forms(self) -> tuple[Form, ...]:
        """Return the forms of `all` or `any`, or else this form."""
        return self.all or self.any or (self,)

    def necessary(self) -> tuple[Form, ...]:
        """Return the forms that must hold if the statement holds: none of those in `any`."""
        return () if self.any else self.forms()


class Statement(Strict):
    """A sentence of the report: quoted, translated, and as data."""

    id: Annotated[Name, Field(description="how reports name it")]
    location: Annotated[Text, formerly("where"), Field(description="where in the source it is printed")]
    text: Annotated[Text, Field(description="the sentence, quoted in its own language")]
    translation: str | None = Field(default=None, description="its translation")
    paraphrase: Annotated[
        str | None,
        formerly("reading"),
        Field(description="in plain words, what the assertion takes the sentence to mean"),
    ] = None
    assertion: Annotated[
        CombinedAssertion,
        formerly("says"),
        Field(description="the sentence as data: one form, or `all` or `any` of several"),
    ]
    margin_from: Text | None = Field(
        default=None, description="where its margin or bound comes from; null: as `margin_from` of the file"
    )


def with_cards(statement: Statement, cards: Mapping[str, str]) -> Statement:
    """Return a statement with the cards of the rows that it names.

    Args:
        statement: The statement.
        cards: The name of a card by the name of its row.

    Returns:
        The statement; any other name is unchanged.
    """
    assertion = statement.assertion
    if assertion.all or assertion.any:
        field = "all" if assertion.all else "any"
        forms = tuple(_form_with_cards(form, cards) for form in assertion.forms())
        return statement.model_copy(update={"assertion": assertion.model_copy(update={field: forms})})
    return statement.model_copy(update={"assertion": _form_with_cards(assertion, cards)})


def _form_with_cards(form: _Form, cards: Mapping[str, str]) -> _Form:
    assertion = form.assertion
    names = {field: getattr(assertion, field) for field in _CARDS if hasattr(assertion, field)}
    changed = assertion.model_copy(update={field: cards.get(name, name) for field, name in names.items()})
    return form.model_copy(update={form.name: changed})


def unknown_in_statement(
    statement: Statement, rows_and_cards: Iterable[str], classes: Iterable[str] = ()
) -> Iterator[str]:
    """Yield a line for each name in a statement that does not exist, with its path below the statement.

    A card that does not exist is no error: a statement of a report may be about a model that nobody can run here. The
    card of a matrix must exist or be a row, since printed figures alone decide about it.

    Args:
        statement: The statement.
        rows_and_cards: The names of all rows and cards.
        classes: The classes that the claims name; without any, a class of a statement may have any name.

    Yields:
        The lines.
    """
    classes = list(classes)
    for form in statement.assertion.forms():
        assertion, path = form.assertion, f"assertion.{form.name}"
        if isinstance(assertion, MatrixOf):
            yield from unknown_name(f"{path}.card", "card or row", assertion.card, rows_and_cards)
        if hasattr(assertion, "metric"):
            yield from unknown_metric(f"{path}.metric", assertion.metric)
        if classes and isinstance(assertion, Measured) and assertion.of_class is not None:
            yield from unknown_name(f"{path}.class", "class", assertion.of_class, classes)
        for i, code in enumerate(getattr(assertion, "finding", ())):
            yield from unknown_name(f"{path}.finding.{i}", "finding", code, FINDINGS)


def measured_metrics() -> tuple[str, ...]:
    """Return the names that a statement may use: every metric, the training loss and single scores."""
    return tuple(dict.fromkeys((*metrics(), *multiclass_metric_names(), *NOT_METRICS)))


def printed_metrics() -> tuple[str, ...]:
    """Return the names that a printed figure may have: `measured_metrics`, and figures that are only printed."""
    return tuple(dict.fromkeys((*measured_metrics(), *PRINTED)))


def unknown_metric(path: str, name: str, known: Iterable[str] | None = None) -> Iterator[str]:
    """Yield a line if no figure can have this metric, with the nearest names and aliases of metrics.

    Args:
        path: The path of the name in its file.
        name: The name.
        known: The names that exist; None for `measured_metrics`.

    Yields:
        At most one line.
    """
    printed = known is not None
    names = tuple(measured_metrics() if known is None else known)
    if name not in names:
        others = aliases() | printed_aliases() if printed else aliases()
        same = next((metric for alias, metric in others.items() if alias.casefold() == name.casefold()), None)
        hint = f"Did you mean {same}?" if same is not None else suggest(name, names, others)
        average = None if printed or name not in PRINTED else PRINTED[name]
        if average is not None and average.of is not None:
            hint = f"Write `metric: {average.of}` and `average: {average.average}`."
        yield f"{path}: unknown metric '{name}'. {hint}"


def unknown_name(path: str, kind: str, name: str, known: Iterable[str]) -> Iterator[str]:
    """Yield a line if a name does not exist, with the nearest names.

    Args:
        path: The path of the name in its file.
        kind: What the name should be: `card`.
        name: The name.
        known: The names that exist.

    Yields:
        At most one line.
    """
    known = list(known)
    if name not in known:
        yield f"{path}: unknown {kind} '{name}'. {suggest(name, known)}"
