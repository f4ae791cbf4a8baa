"""A Report as tidy tables in CSV: a row an observation, a column a variable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmark.evidence.estimate import Estimate
from benchmark.evidence.metrics.definitions import Figure
from benchmark.runs.run import Run
from reports.render.csv_text import csv_text
from reports.report import Report, Section
from reports.results.card_figures import CardFigures

Value = str | int | float | None


def render(report: Report) -> dict[str, str]:
    """The tables of `report` by name, each as the text of a CSV file: `figures` of every run, `cards` over their seeds,
    `claims` with verdicts, `causes` of failures, `ranking`, and `runs` with their times.

    What is missing is an empty cell. Text that a spreadsheet would run as a formula gets an apostrophe before it.
    """
    return {
        "figures": csv_text(_FIGURES, _figures(report)),
        "cards": csv_text(_CARDS, _cards(report)),
        "claims": csv_text(_CLAIMS, _claims(report)),
        "causes": csv_text(_CAUSES, _causes(report)),
        "ranking": csv_text(_RANKING, _ranking(report)),
        "runs": csv_text(_RUNS, _runs(report)),
    }


_WHERE = ("data", "protocol", "synthetic")
_VALUE = ("value", "low", "high")
_FIGURES = (*_WHERE, "card", "seed", "run", "split", "decided", "threshold", "metric", *_VALUE, "method", "reason")
_CARDS = (*_WHERE, "card", "seeds", "decided", "metric", *_VALUE, "n", "reason")
_CLAIMS = (
    *_WHERE,
    "claims",
    "kind",
    "about",
    "claim",
    "where",
    "verdict",
    "why",
    "images_needed",
    "published",
    *(f"measured_{name}" for name in _VALUE),
    *(f"difference_{name}" for name in _VALUE),
)
_CAUSES = (*_WHERE, "claims", "card", "kind", "change", "other", "metric", *_VALUE, "p_adjusted")
_RANKING = (*_WHERE, "metric", "card", *_VALUE, "seeds", "seed_sd", "group")
_RUNS = (
    *_WHERE,
    "card",
    "seed",
    "run",
    "status",
    "error",
    "diagnosis",
    "epochs",
    "seconds",
    "seconds_per_epoch",
    "inference_ms_per_image",
    "peak_memory_mib",
    "parameters",
    "trainable_parameters",
    "finished",
)


def _where(section: Section) -> tuple[Value, ...]:
    spec = section.runs[0].spec
    return spec.dataset.source, spec.protocol.name, str(section.synthetic).lower()


def _bounds(found: Estimate | None) -> tuple[Value, ...]:
    return (None, None, None) if found is None else (found.value, found.low, found.high)


def _figures(report: Report) -> Iterator[tuple[Value, ...]]:
    for section in report.sections:
        for run in section.runs:
            for decided, by_split, cut in _decided(run):
                for split, figures in by_split.items():
                    for f in figures.values():
                        name = (run.spec.card.name, run.spec.seed, run.run_id, split, decided, cut, f.metric)
                        yield (*_where(section), *name, f.value, f.low, f.high, f.method, f.reason)


def _decided(run: Run) -> Iterator[tuple[str, Mapping[str, Mapping[str, Figure]], float | None]]:
    yield "0.5", run.at_half, 0.5
    yield "chosen", run.at_chosen, run.threshold.value if run.threshold else None


def _cards(report: Report) -> Iterator[tuple[Value, ...]]:
    for section in report.sections:
        for card in section.cards:
            for decided, figures in (("0.5", card.at_half), ("chosen", card.at_chosen)):
                for metric, found in figures.items():
                    name = (card.card.name, _seeds(card), decided, metric)
                    yield (*_where(section), *name, *_bounds(found), found.n, found.reason)


def _seeds(card: CardFigures) -> str:
    return " ".join(map(str, card.seeds))


def _claims(report: Report) -> Iterator[tuple[Value, ...]]:
    for section in report.sections:
        for held in section.claims:
            for kind, judged in (("statement", held.statements), ("figure", held.figures)):
                for one in judged:
                    decision = one.decision
                    said = (held.claims.name, kind, one.about, one.claim, one.where)
                    why = (decision.verdict, decision.reason, decision.needed)
                    published = None if one.published is None else one.published.value
                    yield (
                        *_where(section), *said, *why, published, *_bounds(one.measured), *_bounds(one.difference)
                    )  # fmt: skip


def _causes(report: Report) -> Iterator[tuple[Value, ...]]:
    for section in report.sections:
        for held in section.claims:
            for card, causes in held.causes.items():
                for cause in causes:
                    what = (held.claims.name, card, cause.kind, cause.change, cause.other, cause.metric)
                    yield (*_where(section), *what, *_bounds(cause.effect), cause.p_adjusted)


def _ranking(report: Report) -> Iterator[tuple[Value, ...]]:
    for section in report.sections:
        if (ranking := section.ranking) is not None:
            for name, found in ranking.figures.items():
                figure = (found.value, found.low, found.high, found.seeds, found.spread)
                yield (*_where(section), ranking.metric, name, *figure, ranking.letters[name])


def _runs(report: Report) -> Iterator[tuple[Value, ...]]:
    for section in report.sections:
        for run in section.runs:
            c = run.costs
            costs: tuple[Value, ...] = (None,) * 7
            if c is not None:
                times = (c.seconds, c.seconds_per_epoch, c.inference_ms_per_image)
                costs = (c.epochs, *times, c.peak_memory_mib, c.parameters, c.trainable_parameters)
            found = "; ".join(finding.code for finding in run.diagnosis)
            name = (run.spec.card.name, run.spec.seed, run.run_id, run.status, run.error, found)
            yield (*_where(section), *name, *costs, run.finished)
