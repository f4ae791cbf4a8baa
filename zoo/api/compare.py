"""`zoo.compare`: compares or ranks cards on the same test images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from benchmark.evidence.metrics.multiclass import MulticlassMetric, class_metrics, multiclass_metrics
from benchmark.evidence.metrics.registry import Metric, aliases, measures
from benchmark.runs.run import Run
from benchmark.runs.storage.lookup import unknown_run
from benchmark.runs.storage.store import Store
from reports.report import same_conditions
from reports.results.class_pairs import CLASS_METRIC, ClassComparison, compare_classes
from reports.results.folds import pool_folds
from reports.results.measured import (
    AnyResults,
    MulticlassResults,
    collect_multiclass_results,
    collect_results,
    conditions,
    is_multiclass,
)
from reports.results.pairs import Pair, Ranking, compare_pair, rank, same_images
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
        classes: The comparison class by class; None for two classes.
    """

    conditions: str
    a: str
    b: str
    metrics: tuple[Pair, ...]
    classes: ClassComparison | None = None

    def rows(self) -> list[dict[str, Any]]:
        """Values, difference with 95% interval and adjusted p-value (Holm) of each metric, then of each class."""
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
            for each in (*self.metrics, *(self.classes.by_class if self.classes else ()))
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
        pairs = [asdict(pair) for pair in self.pairs]
        for pair in pairs:
            if pair["classes"] is None:
                del pair["classes"]
        return pairs + ranked

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
        metric: The metric of the ranking, by its name or its label in tables; None takes `auc`. With three or more
            classes it may be a key such as `f1:weighted`, and a metric of one class ranks by its macro mean. With two
            names it is the metric that is compared class by class; None takes `recall`.
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
    source, messages = resolve_store(store), Messages(on_message)
    for problem in plugins.load(plugins.METRICS).broken:
        messages.warn(problem)
    runs = pool_folds(readable_runs(source, messages, "bench"), source)
    groups = same_conditions(run for run in runs if run.status == "ok")
    if not groups:
        root = source.root
        raise ConfigError(f"--store {root}: contains no finished runs; `zoo bench --all --store {root}` creates them")
    if not names:
        return CompareResults(rankings=_rankings(groups, source, metric, messages), messages=messages.lines())
    pairs = _pairs(names, runs, groups, source)
    of_class = _class_metric(pairs, metric)
    _warn_of_left_out((side for pair in pairs for side in pair), messages)
    comparisons = [_comparison(names[0], names[1], a, b, of_class) for a, b in pairs]
    return CompareResults(tuple(comparisons), messages=messages.lines())


def _comparison(name_a: str, name_b: str, a: AnyResults, b: AnyResults, of_class: str) -> PairComparison:
    by_class = None
    if isinstance(a, MulticlassResults) and isinstance(b, MulticlassResults):
        by_class = compare_classes(a, b, of_class)
    return PairComparison(conditions(a.runs[0].spec), name_a, name_b, compare_pair(a, b), by_class)


def _class_metric(pairs: Sequence[tuple[AnyResults, AnyResults]], metric: str | None) -> str:
    """The metric that is compared class by class. Raises ConfigError."""
    if metric is None:
        return CLASS_METRIC
    if not any(isinstance(a, MulticlassResults) for a, _ in pairs):
        raise ConfigError("--metric is for the ranking of all cards; leave it out for two names")
    return _metric_named(metric, class_metrics())


def _ranking_metric(metric: str | None, first: Run) -> str:
    """The metric that ranks runs on the data of `first`. Raises ConfigError."""
    if metric is None:
        return "auc"
    if not is_multiclass(first):
        return _metric_named(metric, measures())
    facts = first.spec.dataset
    known = multiclass_metrics(facts.classes, ordered=facts.ordered)
    if metric in known:
        return metric
    if ":" in metric:
        keys = [key for key in known if key.startswith(f"{metric.partition(':')[0].casefold()}:")]
        raise ConfigError(f"Unknown figure '{metric}'. {suggest(metric, keys or known)}")
    whole = {key: record for key, record in known.items() if ":" not in key}
    return _metric_named(metric, {**class_metrics(), **whole})


def _metric_named(name: str, known: Mapping[str, Metric] | Mapping[str, Metric | MulticlassMetric]) -> str:
    """The metric in `known` with this name, alias or label, in any case. Raises ConfigError."""
    records = {metric: each for metric, each in known.items() if isinstance(each, Metric)}
    labels = {
        label.casefold(): metric
        for metric, each in known.items()
        for label in (each.label, *(each.aliases if isinstance(each, Metric) else ()))
    }
    for candidate in (name, name.casefold(), labels.get(name.casefold(), name)):
        if candidate in known:
            return candidate
    raise ConfigError(f"Unknown metric '{name}'. {suggest(name.casefold(), known, aliases(records))}")


def _rankings(
    groups: Sequence[Sequence[Run]], store: Store, metric: str | None, messages: Messages
) -> tuple[CardRanking, ...]:
    by_group = [_ranking_metric(metric, group[0]) for group in groups]
    results = [_collected(group, store) for group in groups]
    _warn_of_left_out((card for group in results for card in group), messages)
    ranked = [
        CardRanking(conditions(group[0].runs[0].spec), ranking)
        for group, each in zip(results, by_group, strict=True)
        if group and (ranking := rank(group, each)) is not None
    ]
    if not ranked:
        raise ConfigError(f"--store {store.root}: contains no two cards with {by_group[0]} on the same test images")
    return tuple(ranked)


def _pairs(
    names: Sequence[str], runs: Sequence[Run], groups: Sequence[Sequence[Run]], store: Store
) -> list[tuple[AnyResults, AnyResults]]:
    """The two sides, once per data set and protocol on which both were run. Raises ConfigError."""
    for name in names:
        if not any(_is(run, name) for group in groups for run in group):
            if any(_is(run, name) for run in runs):
                raise ConfigError(f"--store {store.root}: {name} has no finished run")
            raise unknown_run("card or run", name, store, runs, {run.spec.card.name for run in runs})
    common = [group for group in groups if all(any(_is(run, name) for run in group) for name in names)]
    if not common:
        _check_same_classes(names, groups, store)
        raise ConfigError(f"--store {store.root}: {names[0]} and {names[1]} were not run on the same data and protocol")
    sides = [(_results_of(names[0], group, store), _results_of(names[1], group, store)) for group in common]
    if shared := {run.run_id for run in sides[0][0].runs} & {run.run_id for run in sides[0][1].runs}:
        raise ConfigError(f"{names[0]} and {names[1]} share the run {min(shared)}; give two that share none")
    paired = [(a, b) for a, b in sides if same_images(a, b)]
    if not paired:
        raise ConfigError(f"{names[0]} and {names[1]} were scored on different test images; they cannot be paired")
    return paired


def _check_same_classes(names: Sequence[str], groups: Sequence[Sequence[Run]], store: Store) -> None:
    """Raise ConfigError if the two were run on data of different classes only."""
    first, second = (
        list(dict.fromkeys(run.spec.dataset.classes for group in groups for run in group if _is(run, name)))
        for name in names
    )
    if not {*first} & {*second}:
        raise ConfigError(
            f"--store {store.root}: {names[0]} was run on the classes {', '.join(first[0])}, {names[1]} on "
            f"{', '.join(second[0])}; only cards with the same classes can be compared"
        )


def _collected(runs: Iterable[Run], store: Store) -> list[AnyResults]:
    """The results of runs on the same data, of two classes or of more."""
    runs = list(runs)
    if runs and is_multiclass(runs[0]):
        return list(collect_multiclass_results(runs, store).values())
    return list(collect_results(runs, store).values())


def _results_of(name: str, group: Iterable[Run], store: Store) -> AnyResults:
    (results,) = _collected((run for run in group if _is(run, name)), store)
    return results


def _is(run: Run, name: str) -> bool:
    return name in (run.spec.card.name, run.run_id, f"{run.spec.card.name}:{run.spec.seed}")


def _warn_of_left_out(cards: Iterable[AnyResults], messages: Messages) -> None:
    for card in cards:
        if card.left_out:
            seeds = f"{'seed' if len(card.left_out) == 1 else 'seeds'} {', '.join(map(str, card.left_out))}"
            messages.warn(
                f"{card.card.name}: without {seeds}, which used different test images than seed "
                f"{card.runs[0].spec.seed}"
            )
