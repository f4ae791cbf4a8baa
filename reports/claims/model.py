"""Claims: what a report printed, row by row, and what it says about it. Strict, frozen, plain data."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from reports.claims.statement import (
    AT_MOST,
    ONE_OR_MORE,
    Name,
    Statement,
    Text,
    unknown_in_statement,
    unknown_metric,
    unknown_name,
)
from zoo.config.strict import Strict
from zoo.config.strict_yaml import ConfigError, named_file, read_yaml, validate
from zoo.models.card import ImageCount, Loss, ModelCard, PublishedFigure

_BUILT_IN = Path(str(resources.files("reports.claims.data")))
_COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")
Count = Annotated[int, Field(ge=0, le=1_000_000)]


class TestSet(Strict):
    """How many images of each class a test set holds, and where that is said."""

    __test__ = False  # not a test class, whatever its name

    negatives: ImageCount
    positives: ImageCount
    where: Text


class Recognise(Strict):
    """How the data are recognised, whatever their folder is called. `test_names_sha256` is the SHA-256, in
    hexadecimal, of the sorted lines CLASS/NAME of the files of its test part, joined by newlines; `zoo data --json`
    shows it. `classes` are its two classes, the positive one last."""

    test_names_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    classes: tuple[str, str] | None = None


class Source(Strict):
    """The report. `data` is a SOURCE of `zoo data`, and `recognise` how it is recognised under another name; `test` the
    images its figures rest on; `other_tests` further test sets of the same data, which figures may rest on unsaid."""

    report: Text
    data: str | None = None
    recognise: Recognise | None = None
    language: str | None = None
    test: TestSet | None = None
    other_tests: Annotated[tuple[TestSet, ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _recognised_as_something(self) -> Source:
        if self.recognise is not None and self.data is None:
            raise ValueError("recognise needs data, the name of the data set; add it")
        return self


class PrintedMatrix(Strict):
    """A printed confusion matrix of the test split and the row it is said to belong to."""

    row: Name
    where: Text
    tp: Count
    fp: Count
    tn: Count
    fn: Count


class Setting(Strict):
    """A printed setting; several of one row and name that differ contradict each other."""

    row: Name
    setting: Text
    value: float | int | str
    where: Text


class Reading(Strict):
    """One way to take an ambiguous sentence about `row`: its figures take the place of the row's figures of the same
    metric, split and epoch, and are audited as if they had been printed."""

    row: Name
    reading: Text
    figures: Annotated[tuple[PublishedFigure, ...], ONE_OR_MORE, AT_MOST]


class Row(Strict):
    """What was printed about one model. `called` is the source's own name for it.

    `card` adds the card's published figures before `figures`, each once where both state it, and its test images and
    loss where the row states none.
    `loss` is what printed losses are read as, cross-entropy where nothing else is said; `threshold` is that of the
    decisions behind accuracy, precision and recall.
    """

    name: Name
    card: Name | None = None
    called: str | None = None
    figures: Annotated[tuple[PublishedFigure, ...], AT_MOST] = ()
    test: TestSet | None = None
    loss: Loss | None = None
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5

    @model_validator(mode="after")
    def _something(self) -> Row:
        if self.card is None and not self.figures:
            raise ValueError("a row needs a card or figures")
        return self


class Conditions(Strict):
    """Under which conditions the figures were read: the side of an image in pixels, the number of training images. Runs
    under others are not comparable; what is not stated excludes nothing."""

    image_size: Annotated[int, Field(gt=0, le=100_000)] | None = None
    train: Annotated[int, Field(gt=0, le=1_000_000_000)] | None = None


class Claims(Strict):
    """A claims file. After `load_claims` every row holds all its figures, test images and loss, and the four published
    counts of a row stand among `matrices` instead.

    A measured figure reproduces a published one when the interval of their difference lies within `margin`, or, for a
    loss, within `loss_margin` as a share of the published value.
    """

    name: Name
    title: Text
    source: Source
    conditions: Conditions = Conditions()
    margin: Annotated[float, Field(gt=0, lt=1)] = 0.05
    loss_margin: Annotated[float, Field(gt=0, le=1000)] = 0.1
    rows: Annotated[tuple[Row, ...], ONE_OR_MORE, AT_MOST]
    readings: Annotated[tuple[Reading, ...], AT_MOST] = ()
    matrices: Annotated[tuple[PrintedMatrix, ...], AT_MOST] = ()
    settings: Annotated[tuple[Setting, ...], AT_MOST] = ()
    statements: Annotated[tuple[Statement, ...], AT_MOST] = ()


def claims_names() -> tuple[str, ...]:
    """The claims files that are built in."""
    return tuple(sorted(path.stem for path in _BUILT_IN.glob("*.yaml")))


def built_in_sources() -> tuple[Source, ...]:
    """What the built-in claims say of their data."""
    paths = [_BUILT_IN / f"{name}.yaml" for name in claims_names()]
    return tuple(validate(Source, read_yaml(path)["source"], str(path)) for path in paths)


def load_claims(name: str, cards: Mapping[str, ModelCard]) -> Claims:
    """The built-in claims called `name`, or those in the YAML file of that path, with what `cards` published.

    Raises ConfigError with every error of the file.
    """
    path = named_file("claims", "CLAIMS", name, _BUILT_IN)
    data = read_yaml(path)
    if data.setdefault("name", path.stem) != path.stem:
        raise ConfigError(f"{path}: name: is '{data['name']}'; must equal the file's name, '{path.stem}'")
    written = validate(Claims, data, str(path))
    errors = [f"{path}: {problem}" for problem in _problems(written, cards)]
    if errors:
        raise ConfigError(*errors)
    claims = _resolve(written, cards)
    errors = [f"{path}: {problem}" for problem in _matrix_problems(claims)]
    if errors:
        raise ConfigError(*errors)
    return claims


def claims_about(names: Collection[str], cards: Mapping[str, ModelCard]) -> list[Claims]:
    """The built-in claims that have a row of any of the cards `names`."""
    loaded = [load_claims(name, cards) for name in claims_names()]
    return [claims for claims in loaded if any(row.card in names for row in claims.rows)]


def row_of_card(card: ModelCard, claims: Sequence[Claims] = ()) -> tuple[Row, PrintedMatrix | None]:
    """What was published about a card: the first row of `claims` about it, else what the card itself states, and the
    printed confusion matrix of that row."""
    own = Row(name=card.name, card=card.name)
    alone = _resolve(
        Claims(name=card.name, title=card.title, source=Source(report=card.title), rows=(own,)), {card.name: card}
    )
    rows = ((row, each.matrices) for each in (*claims, alone) for row in each.rows if row.card == card.name)
    row, matrices = next(rows)
    return row, next((matrix for matrix in matrices if matrix.row == row.name), None)


def _resolve(claims: Claims, cards: Mapping[str, ModelCard]) -> Claims:
    rows, matrices = [], list(claims.matrices)
    for row in claims.rows:
        card = cards[row.card] if row.card is not None else None
        figures = _together(card.published if card else (), row.figures)
        counts = {figure.metric: figure for figure in figures if _is_final_count(figure)}
        if len(counts) == len(_COUNTS):
            figures = tuple(figure for figure in figures if not _is_final_count(figure))
            tp, fp, tn, fn = (round(counts[metric].value) for metric in _COUNTS)
            matrices.append(
                PrintedMatrix(row=row.name, where=counts["true_positives"].where, tp=tp, fp=fp, tn=tn, fn=fn)
            )
        test = row.test or _test_of(card) or claims.source.test
        loss = row.loss or (card.recipe.loss if card else Loss())
        rows.append(row.model_copy(update={"figures": figures, "test": test, "loss": loss}))
    return claims.model_copy(update={"rows": tuple(rows), "matrices": tuple(matrices)})


def _together(of_card: Sequence[PublishedFigure], of_row: Sequence[PublishedFigure]) -> tuple[PublishedFigure, ...]:
    """The figures of a card, then those of its row; one that both state stands once, as stated with more decimals."""
    stated = {_known_by(figure): figure for figure in of_row}
    finer = [max(figure, stated.get(_known_by(figure), figure), key=lambda each: each.decimals) for figure in of_card]
    known = {_known_by(figure) for figure in of_card}
    return (*finer, *(figure for figure in of_row if _known_by(figure) not in known))


def _known_by(figure: PublishedFigure) -> tuple[object, ...]:
    return figure.metric, figure.split, figure.epoch, figure.value, figure.upper


def _is_final_count(figure: PublishedFigure) -> bool:
    return figure.metric in _COUNTS and figure.split == "test" and figure.epoch is None and figure.upper is None


def _test_of(card: ModelCard | None) -> TestSet | None:
    source = card.source if card else None
    if source is None or source.test_negatives is None or source.test_positives is None:
        return None
    where = f"{source.section}: {source.test_negatives} + {source.test_positives} test images"
    return TestSet(negatives=source.test_negatives, positives=source.test_positives, where=where)


def _problems(claims: Claims, cards: Mapping[str, ModelCard]) -> Iterator[str]:
    """Names in a claims file that mean nothing, each with its place."""
    rows = [row.name for row in claims.rows]
    yield from _twice("rows", "name", rows)
    yield from _twice("statements", "id", (statement.id for statement in claims.statements))
    for i, row in enumerate(claims.rows):
        if row.card is not None:
            yield from unknown_name(f"rows.{i}.card", "card", row.card, cards)
        yield from _unknown_metrics(f"rows.{i}", row.figures)
    for i, reading in enumerate(claims.readings):
        yield from unknown_name(f"readings.{i}.row", "row", reading.row, rows)
        yield from _unknown_metrics(f"readings.{i}", reading.figures)
    for i, matrix in enumerate(claims.matrices):
        yield from unknown_name(f"matrices.{i}.row", "row", matrix.row, rows)
    for i, setting in enumerate(claims.settings):
        yield from unknown_name(f"settings.{i}.row", "row", setting.row, rows)
    for i, statement in enumerate(claims.statements):
        yield from (f"statements.{i}.{problem}" for problem in unknown_in_statement(statement, cards))


def _matrix_problems(claims: Claims) -> Iterator[str]:
    printed = [matrix.row for matrix in claims.matrices]
    yield from _twice("matrices", "row", printed)
    for i, statement in enumerate(claims.statements):
        for form in statement.says.forms():
            if form.matrix_of is not None:
                where = f"statements.{i}.says.matrix_of.matrix"
                yield from unknown_name(where, "printed matrix of row", form.matrix_of.matrix, printed)


def _unknown_metrics(where: str, figures: Iterable[PublishedFigure]) -> Iterator[str]:
    for i, figure in enumerate(figures):
        yield from unknown_metric(f"{where}.figures.{i}.metric", figure.metric)


def _twice(where: str, field: str, names: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for i, name in enumerate(names):
        if name in seen:
            yield f"{where}.{i}.{field}: '{name}' stands twice; rename one"
        seen.add(name)
