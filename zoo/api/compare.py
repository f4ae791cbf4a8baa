"""`zoo.compare`: compares or ranks cards on the same test images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from benchmark.evidence.metrics.registry import Metric, aliases, measures
from benchmark.runs.run import Run
from benchmark.runs.storage.lookup import unknown_run
from benchmark.runs.storage.store import Store
from reports.report import same_conditions
from reports.results.measured import CardResults, collect_results, conditions
from reports.results.pairs import Pair, Ranking, compare_pair, rank
from zoo.api.inputs import PathLike, readable_runs, resolve_store
from zoo.api.messages import Messages, OnMessage, silent
from zoo.api.tables import frame, html_table
from zoo.config import plugins
from zoo.config.arguments import optional_text, text
from zoo.config.errors import ConfigError
from zoo.config.strict_yaml import suggest

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class PairComparison:
    """Two cards or runs on the same data under the same protocol.

    Attributes:
        conditions: The data and the protocol.
        a: Name of the first.
        b: Name of the second.
        metrics: One comparison per metric.
    """

    conditions: str
    a: str
    b: str
    metrics: tuple[Pair, ...]

    def rows(self) -> list[dict[str, Any]]:
        """Values, difference with 95% interval and adjusted p-value (Holm) of each metric."""
        return [
            {
                "metric": each.metric,
                "value_a": each.a.value,
                "value_b": each.b.value,
                "difference": each.difference.value,
                "low": each.difference.low,
                "high": each.difference.high,
                "p_adjusted": each.p_adjusted,
            }
            for each in self.metrics
        ]


@dataclass(frozen=True)
class CardRanking:
    """All cards on the same data under the same protocol.

    Attributes:
        conditions: The data and the protocol.
        ranking: The cards by one metric, best first.
    """

    conditions: str
    ranking: Ranking

    def rows(self) -> list[dict[str, Any]]:
        """Figure with 95% interval and letters of each card; cards that share a letter are not distinguishable."""
        return [
            {
                "card": card,
                "value": figure.value,
                "low": figure.low,
                "high": figure.high,
                "letters": self.ranking.letters[card],
            }
            for card, figure in self.ranking.figures.items()
        ]


@dataclass(frozen=True)
class CompareResults:
    """Either pairs or rankings, one per data set and protocol.

    Attributes:
        pairs: The comparisons of two names.
        rankings: The rankings of all cards.
        messages: Lines that begin with `warning:` or `note:`.
    """

    pairs: tuple[PairComparison, ...] = ()
    rankings: tuple[CardRanking, ...] = ()
    messages: tuple[str, ...] = ()

    def to_dict(self) -> list[dict[str, Any]]:
        """The document that `zoo compare --json` prints."""
        ranked = [{"conditions": each.conditions, **asdict(each.ranking)} for each in self.rankings]
        return [asdict(pair) for pair in self.pairs] + ranked

    def to_frame(self) -> pandas.DataFrame:
        """One row per metric of a pair, or per ranked card. Raises ConfigError when pandas is not installed."""
        pairs = [
            {"conditions": pair.conditions, "a": pair.a, "b": pair.b, **row}
            for pair in self.pairs
            for row in pair.rows()
        ]
        rankings = [
            {"conditions": each.conditions, "metric": each.ranking.metric, **row}
            for each in self.rankings
            for row in each.rows()
        ]
        return frame(pairs + rankings)

    def _repr_html_(self) -> str:
        tables = [
            html_table(
                f"{pair.conditions}: {pair.a} minus {pair.b}",
                ("metric", pair.a, pair.b, "difference", "low", "high", "p (Holm)"),
                (row.values() for row in pair.rows()),
            )
            for pair in self.pairs
        ]
        tables += [
            html_table(
                f"{each.conditions}: test {each.ranking.metric}",
                ("card", each.ranking.metric, "low", "high", "group"),
                (row.values() for row in each.rows()),
            )
            for each in self.rankings
        ]
        return "".join(tables) + html_table("Messages", (), [], self.messages) * bool(self.messages)


def compare(
    *names: str, store: PathLike | Store = "runs", metric: str | None = None, on_message: OnMessage = silent
) -> CompareResults:
    """Compare two cards or runs, or rank all cards, on the same test images, as `zoo compare` does.

    Args:
        names: Two cards, or two runs, each by its id or as CARD:SEED; without names all cards are ranked.
        store: The folder that contains the runs, or a Store.
        metric: The metric of the ranking, by its name or its label in tables; None takes `auc`.
        on_message: Called with each warning when it arises; the result collects them too.

    Returns:
        Differences with intervals and tests, or a ranking with groups of cards that are not distinguishable.

    Raises:
        ConfigError: A name or the metric is unknown, or the two cannot be paired.
    """
    if names and len(names) != 2:
        raise ConfigError(f"zoo compare takes two names, not {len(names)}; without names it ranks all cards")
    for name in names:
        text("names", name, "two cards, or two runs")
    optional_text("metric", metric, "the name of a metric or None")
    if names and metric is not None:
        raise ConfigError("--metric is for the ranking of all cards; leave it out for two names")
    source, messages = resolve_store(store), Messages(on_message)
    for problem in plugins.load(plugins.METRICS).broken:
        messages.warn(problem)
    metric = "auc" if metric is None else _metric_named(metric, measures())
    runs = readable_runs(source, messages, "bench")
    groups = same_conditions(run for run in runs if run.status == "ok")
    if not groups:
        root = source.root
        raise ConfigError(f"--store {root}: contains no finished runs; `zoo bench --all --store {root}` creates them")
    if not names:
        return CompareResults(rankings=_rankings(groups, source, metric, messages), messages=messages.lines())
    pairs = _pairs(names, runs, groups, source)
    _warn_of_left_out((side for pair in pairs for side in pair), messages)
    comparisons = [
        PairComparison(conditions(a.runs[0].spec), names[0], names[1], tuple(compare_pair(a, b))) for a, b in pairs
    ]
    return CompareResults(tuple(comparisons), messages=messages.lines())


def _metric_named(name: str, known: Mapping[str, Metric]) -> str:
    """The metric in `known` with this name, alias or label, in any case. Raises ConfigError."""
    labels = {label.casefold(): each.name for each in known.values() for label in (each.label, *each.aliases)}
    for candidate in (name, name.casefold(), labels.get(name.casefold(), name)):
        if candidate in known:
            return candidate
    raise ConfigError(f"Unknown metric '{name}'. {suggest(name.casefold(), known, aliases(known))}")


def _rankings(
    groups: Sequence[Sequence[Run]], store: Store, metric: str, messages: Messages
) -> tuple[CardRanking, ...]:
    results = [list(collect_results(group, store).values()) for group in groups]
    _warn_of_left_out((card for group in results for card in group), messages)
    ranked = [
        CardRanking(conditions(group[0].runs[0].spec), ranking)
        for group in results
        if (ranking := rank(group, metric)) is not None
    ]
    if not ranked:
        raise ConfigError(f"--store {store.root}: contains no two cards with {metric} on the same test images")
    return tuple(ranked)


def _pairs(
    names: Sequence[str], runs: Sequence[Run], groups: Sequence[Sequence[Run]], store: Store
) -> list[tuple[CardResults, CardResults]]:
    """The two sides, once per data set and protocol on which both were run. Raises ConfigError."""
    for name in names:
        if not any(_is(run, name) for group in groups for run in group):
            if any(_is(run, name) for run in runs):
                raise ConfigError(f"--store {store.root}: {name} has no finished run")
            raise unknown_run("card or run", name, store, runs, {run.spec.card.name for run in runs})
    common = [group for group in groups if all(any(_is(run, name) for run in group) for name in names)]
    if not common:
        raise ConfigError(f"--store {store.root}: {names[0]} and {names[1]} were not run on the same data and protocol")
    sides = [(_results_of(names[0], group, store), _results_of(names[1], group, store)) for group in common]
    if shared := {run.run_id for run in sides[0][0].runs} & {run.run_id for run in sides[0][1].runs}:
        raise ConfigError(f"{names[0]} and {names[1]} share the run {min(shared)}; give two that share none")
    paired = [(a, b) for a, b in sides if a.same_images(b)]
    if not paired:
        raise ConfigError(f"{names[0]} and {names[1]} were scored on different test images; they cannot be paired")
    return paired


def _results_of(name: str, group: Iterable[Run], store: Store) -> CardResults:
    (results,) = collect_results((run for run in group if _is(run, name)), store).values()
    return results


def _is(run: Run, name: str) -> bool:
    return name in (run.spec.card.name, run.run_id, f"{run.spec.card.name}:{run.spec.seed}")


def _warn_of_left_out(cards: Iterable[CardResults], messages: Messages) -> None:
    for card in cards:
        if card.left_out:
            seeds = f"{'seed' if len(card.left_out) == 1 else 'seeds'} {', '.join(map(str, card.left_out))}"
            messages.warn(
                f"{card.card.name}: without {seeds}, which used different test images than seed "
                f"{card.runs[0].spec.seed}"
            )
