"""Renders a report as tidy CSV tables, with the column names of the data frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from benchmark.evidence.estimate import Estimate
from benchmark.evidence.metrics.keys import MeasureKey
from reports.frames.tables import CONDITIONS, Row, conditions_of, figures_table, runs_table
from reports.render.csv_text import csv_text
from reports.render.training_size import COLUMNS, curve_rows
from reports.report import Report, Section
from reports.results.multiclass.figures import ClassMatrix

if TYPE_CHECKING:
    from benchmark.runs.storage.store import Store


def render(report: Report, store: Store) -> dict[str, str]:
    """Render the tables of a report as CSV.

    Args:
        report: The report.
        store: The store that contains its runs.

    Returns:
        Text by file name: `runs` and `figures` as in `zoo.load_runs` and `zoo.load_figures`, `cards` over their seeds,
        `claims` with verdicts, `changes` (their effects), the `ranking`, and `images` with a row per test
        image and card. With curves over training images, `training_images` has a row per size. A missing value is an
        empty cell. If a section has three or more classes, there are also `matrices`, with a row per cell of every
        confusion matrix, and `cards` has the columns `average` and `class`; its `metric` is then without them.
    """
    runs = [run for section in report.sections for run in section.runs]
    several = any(len(section.classes) > 2 for section in report.sections)
    files = {}
    for name, table in {"runs": runs_table(runs, store), "figures": figures_table(runs)}.items():
        files[name] = csv_text(table.column_names, map(dict.values, table.to_pylist()))
    for name, (columns, rows_of) in ({**_TABLES, **_MULTICLASS_TABLES} if several else _TABLES).items():
        rows = ({**conditions_of(section.runs[0]), **row} for section in report.sections for row in rows_of(section))
        heads = (*CONDITIONS, *columns)
        files[name] = csv_text(heads, ([row.get(head) for head in heads] for row in rows))
    if any(section.shortcuts is not None for section in report.sections):
        rows = ({**conditions_of(section.runs[0]), **row} for section in report.sections for row in _shortcuts(section))
        heads = (*CONDITIONS, *_SHORTCUTS)
        files["shortcuts"] = csv_text(heads, ([row.get(head) for head in heads] for row in rows))
    if any(section.label_errors is not None for section in report.sections):
        rows = (
            {**conditions_of(section.runs[0]), **asdict(suspect)}
            for section in report.sections
            if section.label_errors is not None
            for suspect in section.label_errors.suspects
        )
        heads = (*CONDITIONS, *_SUSPECTS)
        files["label_errors"] = csv_text(heads, ([row.get(head) for head in heads] for row in rows))
    if report.training_sizes:
        rows = (row for curve in report.training_sizes for row in curve_rows(curve))
        files["training_images"] = csv_text(COLUMNS, (row.values() for row in rows))
    return files


def _cards(section: Section) -> Iterator[Row]:
    """The figures of the cards; those of the decisions that lead come first."""
    lead = section.leading
    for card in section.cards:
        name = {"card": card.card.name, "seeds": " ".join(map(str, card.seeds))}
        ordered = sorted((("half", card.at_half), ("chosen", card.at_chosen)), key=lambda each: each[0] != lead.at)
        for at, figures in ordered:
            row = {**name, "at": at, "leads": at == lead.at}
            for metric, figure in figures.items():
                yield {**row, "metric": metric, **_bounds(figure), "n": figure.n, "reason": figure.reason}


def _cards_of_classes(section: Section) -> Iterator[Row]:
    for row in _cards(section):
        key = MeasureKey.parse(row["metric"])
        yield {**row, "metric": key.metric, "average": key.average, "class": key.of_class}


def _matrices(section: Section) -> Iterator[Row]:
    if section.multiclass is None:
        return
    for card in section.multiclass.cards:
        for at, decided in (("half", card.argmax), ("chosen", card.chosen)):
            if decided is not None:
                for seed, matrix in zip(card.seeds, decided.runs, strict=True):
                    yield from ({"card": card.card, "seed": seed, "at": at, **cell} for cell in _cells(section, matrix))


def _cells(section: Section, matrix: ClassMatrix) -> Iterator[Row]:
    """The cells of a matrix; the predicted class is empty for abstentions."""
    for true, name in enumerate(section.classes):
        for called, other in enumerate(section.classes):
            yield {
                **{"true_class": name, "called_class": other, "images": matrix.counts[true][called]},
                **{"share_of_true": matrix.by_row[true][called], "share_of_called": matrix.by_column[true][called]},
            }
        yield {"true_class": name, "images": matrix.abstained[true]}


def _claims(section: Section) -> Iterator[Row]:
    for report in section.claims:
        for kind, claims in (("statement", report.statements), ("figure", report.figures)):
            for claim in claims:
                decision = claim.decision
                yield {
                    **{"claims": report.claims.name, "kind": kind, "about": claim.about},
                    **{"claim": claim.claim, "where": claim.where},
                    **{"verdict": decision.verdict, "why": decision.reason, "images_needed": decision.needed},
                    "published": None if claim.published is None else claim.published.value,
                    "measured_at": claim.at,
                    **_bounds(claim.measured, "measured_"),
                    **_bounds(claim.difference, "difference_"),
                }


def _changes(section: Section) -> Iterator[Row]:
    for report in section.claims:
        for card, changes in report.changes.items():
            for each in changes:
                change = {"kind": each.kind, "change": each.change, "other": each.other}
                settings = {"settings": "; ".join(each.settings), "metric": each.metric}
                effect = {**_bounds(each.effect), "p_value": each.p_value, "p_adjusted": each.p_adjusted}
                yield {"claims": report.claims.name, "card": card, **change, **settings, **effect}


def _ranking(section: Section) -> Iterator[Row]:
    if (ranking := section.ranking) is not None:
        for card, figure in ranking.figures.items():
            spread = {"seeds": figure.seeds, "seed_sd": figure.spread, "group": ranking.letters[card]}
            yield {"metric": ranking.metric, "card": card, **_bounds(figure), **spread}


def _images(section: Section) -> Iterator[Row]:
    """The test images, most missed first, with a row per card."""
    if (errors := section.image_errors) is not None:
        for row in errors.rows:
            image = {"image": row.name, "true_class": row.true_class, "misses": row.misses, "fold": row.fold}
            columns = (errors.runs, row.wrong_runs, row.missed, row.probability, row.threshold)
            for card, *values in zip(errors.cards, *columns, strict=True):
                names = ("runs", "wrong_runs", "missed", "probability", "threshold")
                yield {**image, "card": card, **dict(zip(names, values, strict=True))}


def _shortcuts(section: Section) -> Iterator[Row]:
    """The facts that need no content, the strongest of them on test, and what each card adds over it."""
    if (baseline := section.shortcuts) is None:
        return
    for each in baseline.shortcuts:
        figures = {"value": each.auc, "low": each.low, "high": each.high, "chance": each.chance, "p_value": each.p}
        further = {"images": each.images, "notable": each.notable, "in_pixels": each.in_pixels}
        yield {"kind": "facts", "about": each.facts, **figures, **further, "detail": each.detail, "reason": each.reason}
    if baseline.test is not None:
        yield {"kind": "test", "about": "; ".join(baseline.scored), **_bounds(baseline.test)}
    for gain in baseline.gains:
        tested = {"p_value": gain.difference.p_value, "p_adjusted": gain.p_adjusted, "reason": gain.difference.reason}
        yield {"kind": "gain", "about": gain.card, **_bounds(gain.difference), **tested}


def _bounds(estimate: Estimate | None, prefix: str = "") -> Row:
    return {f"{prefix}{name}": getattr(estimate, name, None) for name in _VALUE}


_VALUE = ("value", "low", "high")
_SUSPECTS = ("name", "part", "patient", "label", "suggested", "score")
_SHORTCUTS = (
    *("kind", "about", *_VALUE, "chance", "p_value", "p_adjusted", "images", "notable", "in_pixels"),
    *("detail", "reason"),
)
_CALL = ("true_class", "called_class")
_CLAIM = ("claims", "kind", "about", "claim", "where", "verdict", "why", "images_needed", "published", "measured_at")
_TABLES: Mapping[str, tuple[tuple[str, ...], Callable[[Section], Iterator[Row]]]] = {
    "cards": (("card", "seeds", "at", "leads", "metric", *_VALUE, "n", "reason"), _cards),
    "claims": ((*_CLAIM, *(f"{of}_{name}" for of in ("measured", "difference") for name in _VALUE)), _claims),
    "changes": (
        ("claims", "card", "kind", "change", "other", "settings", "metric", *_VALUE, "p_value", "p_adjusted"),
        _changes,
    ),
    "ranking": (("metric", "card", *_VALUE, "seeds", "seed_sd", "group"), _ranking),
    "images": (
        ("image", "true_class", "misses", "card", "runs", "wrong_runs", "missed", "probability", "fold", "threshold"),
        _images,
    ),
}
_MULTICLASS_TABLES: Mapping[str, tuple[tuple[str, ...], Callable[[Section], Iterator[Row]]]] = {
    "cards": (
        ("card", "seeds", "at", "leads", "metric", "average", "class", *_VALUE, "n", "reason"),
        _cards_of_classes,
    ),
    "matrices": (("card", "seed", "at", *_CALL, "images", "share_of_true", "share_of_called"), _matrices),
}
"""The tables of a report with a section on three or more classes, where they differ from those above."""
