"""Claims: the figures and statements that a report printed, as strict, frozen data."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import Field, PrivateAttr, model_validator

from reports.claims.classes import (
    interpretation_problems,
    is_about_several_classes,
    matrix_problems,
    named_classes,
    row_problems,
)
from reports.claims.meaning import class_names, interpretation_with_meaning, meaning_problems, with_meaning
from reports.claims.printed import AnyMatrix, AnyTestSet, MulticlassTestSet, PrintedClassMatrix, test_of_card
from reports.claims.printed import Interpretation as Interpretation
from reports.claims.printed import PrintedMatrix as PrintedMatrix
from reports.claims.printed import Row as Row
from reports.claims.printed import TestSet as TestSet
from reports.claims.statement import (
    AT_MOST,
    ONE_OR_MORE,
    Name,
    Statement,
    Text,
    printed_metrics,
    unknown_in_statement,
    unknown_metric,
    unknown_name,
    with_cards,
)
from zoo.config.errors import ConfigError
from zoo.config.renames import formerly
from zoo.config.strict import Strict
from zoo.config.strict_yaml import named_file, near, read_yaml, validate
from zoo.models.card import NAME_PATTERN, ModelCard
from zoo.models.metrics import Measured
from zoo.models.published import PublishedFigure
from zoo.models.recipe import Loss

_BUILT_IN = Path(str(resources.files("reports.claims.data")))
_COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")


class Recognise(Strict):
    """How the data are recognised under any folder name."""

    test_names_sha256: Annotated[
        str,
        Field(
            pattern=r"^[0-9a-f]{64}$",
            description="SHA-256 of the sorted lines CLASS/NAME of the test part, joined by newlines; "
            "`test_names` of `zoo data --json`",
        ),
    ]
    classes: Annotated[tuple[str, ...], Field(min_length=2), AT_MOST] | None = Field(
        default=None, description="names of the classes, of two the positive one last; null: not checked"
    )


class Source(Strict):
    """The report."""

    report: Annotated[Text, Field(description="the report, so that a reader can find it")]
    data: str | None = Field(
        default=None, description="its data, as `zoo bench --data` names them; null: figures are audited, not compared"
    )
    recognise: Recognise | None = Field(default=None, description="how the same data are recognised under another name")
    language: str | None = Field(default=None, description="language of the report")
    test: AnyTestSet | None = Field(default=None, description="images per class in the test set behind the figures")
    other_tests: Annotated[tuple[TestSet, ...], Field(max_length=20)] = Field(
        default=(), description="further test sets of the same data that the figures may be from"
    )

    @model_validator(mode="after")
    def _recognised_as_something(self) -> Source:
        if self.recognise is not None and self.data is None:
            raise ValueError("recognise needs data, the name of the data set; add it")
        return self


class Setting(Strict):
    """A printed setting. Two different values of one setting of a row contradict each other."""

    row: Annotated[Name, Field(description="the row that it is about")]
    setting: Annotated[Text, Field(description="what was set, such as learning rate")]
    value: float | int | str = Field(description="its printed value")
    location: Annotated[Text, formerly("where"), Field(description="where in the source it is printed")]


class Conditions(Strict):
    """Conditions under which the figures were obtained.

    Runs under different conditions are not comparable. An unstated condition is not checked.
    """

    image_size: Annotated[int, Field(gt=0, le=100_000)] | None = Field(
        default=None, description="image side in pixels; null: not stated"
    )
    train: Annotated[int, Field(gt=0, le=1_000_000_000)] | None = Field(
        default=None, description="number of training images; null: not stated"
    )


class Claims(Strict):
    """A claims file. After `load_claims` every row has all its figures, its test set and its loss. The four published
    counts of a row are then an entry of `matrices`.
    """

    name: Annotated[Name, Field(description="how commands and reports name it")]
    title: Annotated[Text, Field(description="what the claims are about, as reports print it")]
    source: Annotated[Source, Field(description="the report, its data and its test set")]
    conditions: Conditions = Field(
        default=Conditions(), description="what a run must share with the report to be comparable"
    )
    margin: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.05, description="a figure is reproduced if the interval of the difference lies within ± this"
    )
    loss_margin: Annotated[float, Field(gt=0, le=1000)] = Field(
        default=0.1, description="the same for a loss, as a fraction of the published value"
    )
    margin_from: Text | None = Field(
        default=None, description="where the margins come from, such as a guideline; null: not stated"
    )
    rows: Annotated[tuple[Row, ...], ONE_OR_MORE, AT_MOST, Field(description="the printed figures, one row per model")]
    interpretations: Annotated[
        tuple[Interpretation, ...], AT_MOST, formerly("readings"), Field(description="meanings of ambiguous sentences")
    ] = ()
    matrices: Annotated[tuple[AnyMatrix, ...], AT_MOST, Field(description="the printed confusion matrices")] = ()
    settings: Annotated[
        tuple[Setting, ...], AT_MOST, Field(description="what the report says about how a model was made")
    ] = ()
    statements: Annotated[tuple[Statement, ...], AT_MOST, Field(description="sentences of the report, as data")] = ()

    # Names in statements that no card has, each with the nearest names of cards. Not part of a file.
    _near_cards: Mapping[str, tuple[str, ...]] = PrivateAttr(default_factory=dict)

    def rows_near(self, name: str) -> tuple[str, ...]:
        """Return the rows that a name in a statement resembles; none where it is the name of a row or a card."""
        rows = [row.name for row in self.rows]
        return near(name, rows) if name in self._near_cards and name not in rows else ()

    def without_card(self, names: Iterable[str]) -> str | None:
        """Return why models cannot be run because no card has their name.

        Args:
            names: Names in a statement.

        Returns:
            A sentence with the names that no card has, and the nearest names; None if every name is that of a card.
        """
        absent = [name for name in dict.fromkeys(names) if name in self._near_cards]
        if not absent:
            return None
        near = [f"{name}: did you mean {' or '.join(self._near_cards[name])}?" for name in absent]
        near = [line for line, name in zip(near, absent, strict=True) if self._near_cards[name]]
        rows = {row.name for row in self.rows}
        in_row = " and add its name to the row as `card`" if rows & set(absent) else ""
        return "; ".join(
            [
                f"no card of this name: cannot be run here ({', '.join(absent)})",
                f"write a card, name its folder with --cards DIR{in_row}",
                *near,
            ]
        )


def claims_names() -> tuple[str, ...]:
    """Return the names of the built-in claims files."""
    return tuple(sorted(path.stem for path in _BUILT_IN.glob("*.yaml")))


def built_in_sources() -> tuple[Source, ...]:
    """Return the sources of the built-in claims, in the order of their names."""
    paths = [_BUILT_IN / f"{name}.yaml" for name in claims_names()]
    return tuple(validate(Source, read_yaml(path)["source"], str(path)) for path in paths)


def load_claims(name: str, cards: Mapping[str, ModelCard]) -> Claims:
    """Load claims and complete their rows with what the cards published.

    Args:
        name: The name of built-in claims, or the path of a YAML file.
        cards: All cards by name.

    Returns:
        The claims.

    Raises:
        ConfigError: With every error of the file.
    """
    path = named_file("claims", "CLAIMS", name, _BUILT_IN)
    data = read_yaml(path, Claims)
    if "name" not in data and not re.search(NAME_PATTERN, path.stem):
        proper = re.sub(r"[^a-z0-9._-]+", "-", path.stem.lower()).strip("-") or "claims"
        raise ConfigError(
            f"{path}: the file's name is the name of the claims: lower case letters, digits, '.', '_' and '-' only; "
            f"rename the file to '{proper}{path.suffix}'"
        )
    if data.setdefault("name", path.stem) != path.stem:
        raise ConfigError(f"{path}: name: is '{data['name']}'; must equal the file's name, '{path.stem}'")
    written = validate(Claims, data, str(path))
    errors = [f"{path}: {problem}" for problem in _problems(written, cards)]
    if errors:
        raise ConfigError(*errors)
    claims = _resolve(written, cards)
    problems = (*_matrix_problems(claims), *_class_problems(written, claims), *_meaning_problems(claims))
    errors = [f"{path}: {problem}" for problem in problems]
    if errors:
        raise ConfigError(*errors)
    return _with_meaning(claims)


def claims_about(names: Collection[str], cards: Mapping[str, ModelCard]) -> list[Claims]:
    """Return the built-in claims that have a row about any of the cards `names`."""
    loaded = [load_claims(name, cards) for name in claims_names()]
    return [claims for claims in loaded if any(row.card in names for row in claims.rows)]


def is_about_several(claims: Claims) -> bool:
    """Return whether a row, a matrix or a statement of claims is about three classes or more."""
    named = (form.assertion for statement in claims.statements for form in statement.assertion.forms())
    return (
        any(row.is_multiclass for row in claims.rows)
        or any(isinstance(matrix, PrintedClassMatrix) for matrix in claims.matrices)
        or any(isinstance(each, Measured) and each.key != each.metric for each in named)
    )


def row_of_card(card: ModelCard, claims: Sequence[Claims] = ()) -> tuple[Row, AnyMatrix | None]:
    """Find what was published about a card.

    Args:
        card: The card.
        claims: Claims to search first.

    Returns:
        The first row of `claims` about the card, or else a row with the figures of the card itself; and the printed
        confusion matrix of that row.
    """
    source = Source(report=card.title)
    alone = Claims(name=card.name, title=card.title, source=source, rows=(Row(name=card.name, card=card.name),))
    candidates = (*claims, _with_meaning(_resolve(alone, {card.name: card})))
    row, matrices = next((row, each.matrices) for each in candidates for row in each.rows if row.card == card.name)
    return row, next((matrix for matrix in matrices if matrix.row == row.name), None)


def _resolve(claims: Claims, cards: Mapping[str, ModelCard]) -> Claims:
    rows = []
    matrices: list[AnyMatrix] = list(claims.matrices)
    for row in claims.rows:
        card = cards[row.card] if row.card is not None else None
        figures = _together(card.published if card else (), row.figures)
        counts = {figure.metric: figure for figure in figures if _is_final_count(figure)}
        if len(counts) == len(_COUNTS):
            figures = tuple(figure for figure in figures if not _is_final_count(figure))
            tp, fp, tn, fn = (round(counts[metric].value) for metric in _COUNTS)
            location = counts["true_positives"].location
            matrices.append(PrintedMatrix(row=row.name, location=location, tp=tp, fp=fp, tn=tn, fn=fn))
        of_card, of_source = test_of_card(card), claims.source.test
        if isinstance(of_source, MulticlassTestSet) and not isinstance(of_card, MulticlassTestSet):
            of_card = None  # the card's own publication had two classes
        test = row.test or of_card or of_source
        loss = row.loss or (card.recipe.loss if card else Loss())
        rows.append(row.model_copy(update={"figures": figures, "test": test, "loss": loss}))
    card_of = {row.name: row.card for row in rows if row.card is not None and row.name not in cards}
    statements = tuple(with_cards(statement, card_of) for statement in claims.statements)
    resolved = claims.model_copy(update={"rows": tuple(rows), "matrices": tuple(matrices), "statements": statements})
    forms = [form for statement in statements for form in statement.assertion.forms()]
    named = dict.fromkeys(name for form in forms for name in form.assertion.cards)
    resolved._near_cards = {name: near(name, cards) for name in named if name not in cards}
    return resolved


def _with_meaning(claims: Claims) -> Claims:
    """Give every figure the name that says which average it is and which class is positive."""
    rows, names = {row.name: row for row in claims.rows}, _class_names(claims)
    several = {name: is_about_several_classes(row, claims.matrices) for name, row in rows.items()}
    return claims.model_copy(
        update={
            "rows": tuple(with_meaning(row, several[row.name], names[row.name]) for row in claims.rows),
            "interpretations": tuple(
                interpretation_with_meaning(each, rows[each.row], several[each.row], names[each.row])
                for each in claims.interpretations
            ),
        }
    )


def _class_names(claims: Claims) -> dict[str, tuple[str, ...] | None]:
    recognise = claims.source.recognise
    return {row.name: class_names(row, None if recognise is None else recognise.classes) for row in claims.rows}


def _meaning_problems(claims: Claims) -> Iterator[str]:
    names = _class_names(claims)
    for i, row in enumerate(claims.rows):
        several = is_about_several_classes(row, claims.matrices)
        yield from meaning_problems(f"rows.{i}", row, several, names[row.name])


def _together(of_card: Sequence[PublishedFigure], of_row: Sequence[PublishedFigure]) -> tuple[PublishedFigure, ...]:
    """Join the figures of a card and of its row. A figure that both state comes once, with the more decimals."""
    of_row_by_key = {_key(figure): figure for figure in of_row}
    finer = [max(figure, of_row_by_key.get(_key(figure), figure), key=lambda each: each.decimals) for figure in of_card]
    of_card_keys = {_key(figure) for figure in of_card}
    return (*finer, *(figure for figure in of_row if _key(figure) not in of_card_keys))


def _key(figure: PublishedFigure) -> tuple[object, ...]:
    return figure.key, figure.split, figure.epoch, figure.value, figure.upper


def _is_final_count(figure: PublishedFigure) -> bool:
    return figure.metric in _COUNTS and figure.split == "test" and figure.epoch is None and figure.upper is None


def _problems(claims: Claims, cards: Mapping[str, ModelCard]) -> Iterator[str]:
    """Yield a line for each name in a claims file that does not exist or occurs twice, with its path."""
    of_cards = [test_of_card(cards.get(row.card or "")) for row in claims.rows]
    rows = [row.name for row in claims.rows]
    yield from _duplicates("rows", "name", rows)
    yield from _duplicates("statements", "id", (statement.id for statement in claims.statements))
    for i, row in enumerate(claims.rows):
        if row.card is not None:
            yield from _unknown_card(f"rows.{i}.card", row.card, cards)
        yield from _unknown_metrics(f"rows.{i}", row.figures)
    for i, interpretation in enumerate(claims.interpretations):
        yield from unknown_name(f"interpretations.{i}.row", "row", interpretation.row, rows)
        yield from _unknown_metrics(f"interpretations.{i}", interpretation.figures)
    for i, matrix in enumerate(claims.matrices):
        yield from unknown_name(f"matrices.{i}.row", "row", matrix.row, rows)
    for i, setting in enumerate(claims.settings):
        yield from unknown_name(f"settings.{i}.row", "row", setting.row, rows)
    classes = named_classes(claims.rows, claims.matrices, (claims.source.test, *of_cards))
    for i, statement in enumerate(claims.statements):
        known = (*rows, *cards)
        yield from (f"statements.{i}.{problem}" for problem in unknown_in_statement(statement, known, classes))


def _unknown_card(path: str, name: str, cards: Collection[str]) -> Iterator[str]:
    if name not in cards:
        candidates = near(name, cards)
        hint = f"Did you mean {' or '.join(candidates)}? " if candidates else ""
        yield f"{path}: unknown card '{name}'. {hint}`zoo cards` lists all; --cards DIR adds a folder; or drop `card`"


def _matrix_problems(claims: Claims) -> Iterator[str]:
    rows = [matrix.row for matrix in claims.matrices]
    yield from _duplicates("matrices", "row", rows)
    for i, statement in enumerate(claims.statements):
        for form in statement.assertion.forms():
            if form.matrix_of is not None:
                path = f"statements.{i}.assertion.matrix_of.matrix"
                yield from unknown_name(path, "printed matrix of row", form.matrix_of.matrix, rows)


def _class_problems(written: Claims, resolved: Claims) -> Iterator[str]:
    """Yield a line for each figure and matrix that is not of the classes of its row, with its path."""
    for i, row in enumerate(resolved.rows):
        yield from row_problems(f"rows.{i}", row, written.rows[i], resolved.matrices)
    rows = {row.name: row for row in resolved.rows}
    for i, interpretation in enumerate(resolved.interpretations):
        yield from interpretation_problems(f"interpretations.{i}", interpretation, rows[interpretation.row])
    for i, matrix in enumerate(written.matrices):
        yield from matrix_problems(f"matrices.{i}", matrix, rows[matrix.row])


def _unknown_metrics(path: str, figures: Iterable[PublishedFigure]) -> Iterator[str]:
    for i, figure in enumerate(figures):
        yield from unknown_metric(f"{path}.figures.{i}.metric", figure.metric, printed_metrics())


def _duplicates(path: str, field: str, names: Iterable[str]) -> Iterator[str]:
    earlier: set[str] = set()
    for i, name in enumerate(names):
        if name in earlier:
            yield f"{path}.{i}.{field}: '{name}' is a duplicate; rename one"
        earlier.add(name)
