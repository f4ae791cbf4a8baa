"""`zoo.compare`: compares or ranks cards on the same test images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from benchmark.evidence.metrics.multiclass import class_metrics, find_multiclass
from benchmark.evidence.metrics.registry import measures
from benchmark.runs.decision_rule import DecisionRule
from benchmark.runs.protocol import ThresholdRule
from benchmark.runs.run import Run
from benchmark.runs.storage.beside.remembered import latest_conditions
from benchmark.runs.storage.lookup import ANY, data_and_protocols, names_of, unknown_run
from benchmark.runs.storage.store import Store
from reports.report import same_conditions
from reports.results.comparison.leading import depends_on_decisions, leading, nothing_chosen
from reports.results.comparison.pairs import Pair, Ranking, compare_pair, compared_metrics, rank, ranked_by, same_images
from reports.results.folds import pool_folds
from reports.results.measured import (
    AnyResults,
    MulticlassResults,
    collect_multiclass_results,
    collect_results,
    conditions,
    decides_by_choice,
    is_multiclass,
)
from reports.results.multiclass.class_pairs import CLASS_METRIC, ClassComparison, compare_classes
from reports.results.multiclass.figures import ARGMAX
from reports.results.rescored import all_with_rule
from zoo.api.arguments.inputs import PathLike, readable_runs, resolve_among, resolve_existing_store
from zoo.api.arguments.metric_names import figure_of_classes, metric_named
from zoo.api.output.messages import Messages, OnMessage, silent
from zoo.api.output.tables import frame, html_table
from zoo.config import plugins
from zoo.config.arguments import optional_text, text
from zoo.config.errors import ConfigError

if TYPE_CHECKING:
    import pandas

PROTOCOL = "protocol"
"""The `decision` that the runs chose on validation by the rule of their protocol."""

_AT_HALF = "--threshold-rule fixed=0.5 compares them at 0.5"


@dataclass(frozen=True)
class PairComparison:
    """Two cards or runs on the same data under the same protocol.

    Attributes:
        conditions: The data and the protocol.
        a: Name of the first.
        b: Name of the second.
        metrics: One comparison per metric.
        classes: The comparison class by class; None for two classes, or if one figure was asked for.
        decision: The decision rule of three or more classes in words; None for two classes.
        threshold: Which thresholds decide between two classes, in words; None for three or more.
    """

    conditions: str
    a: str
    b: str
    metrics: tuple[Pair, ...]
    classes: ClassComparison | None = None
    decision: str | None = None
    threshold: str | None = None

    @property
    def decided(self) -> str:
        """How images are decided, as part of a sentence."""
        if self.decision is None:
            return self.threshold or ""
        return f"for {self.decision}" if self.decision == ARGMAX else f"by the decision {self.decision}"

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
        decision: The decision rule of three or more classes in words; None for two classes, or if the metric is of
            scores.
        threshold: Which thresholds decide between two classes, in words; None for three or more, or if the metric is of
            scores.
    """

    conditions: str
    ranking: Ranking
    decision: str | None = None
    threshold: str | None = None

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
        ranked = [
            {
                "conditions": each.conditions,
                **asdict(each.ranking),
                "decision": each.decision,
                "threshold": each.threshold,
            }
            for each in self.rankings
        ]
        documents = [asdict(pair) for pair in self.pairs] + ranked
        for document in documents:
            for field in ("classes", "decision", "threshold"):
                if field in document and document[field] is None:
                    del document[field]
        return documents

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
    *names: str,
    store: PathLike | Store = "runs",
    data: PathLike | None = None,
    protocol: str | None = None,
    metric: str | None = None,
    threshold_rule: str | None = None,
    decision: str | None = None,
    on_message: OnMessage = silent,
) -> CompareResults:
    """Compare two cards or runs, or rank all cards, on the same test images, as `zoo compare` does.

    Args:
        names: Two cards, or two runs, each by its id or as CARD:SEED; without names all cards are ranked.
        store: The folder that contains the runs, or a Store.
        data: The source of the runs. With None for this and `protocol`, the data and the protocol of the latest
            benchmark count, if the store knows it and the names have runs there; otherwise all.
        protocol: The name of their protocol; None for any.
        metric: The metric of the ranking, by its name or its label in tables; None takes `auc`. With three or more
            classes it may be a key such as `f1:weighted` or `recall:class:NORMAL`, and a metric of one class ranks by
            its macro mean. With two names, a metric of one class is compared class by class, and any other figure of
            three or more classes alone; None compares all figures, and `recall` class by class.
        threshold_rule: How thresholds of two classes are chosen again on the stored validation scores, such as
            `sensitivity=0.95`, or `fixed=0.5`. None takes those that the runs chose.
        decision: How images are decided among three or more classes: `protocol` for what the runs chose on validation,
            or a rule that is chosen again on the stored validation scores, such as `abstain=0.7`. None decides for the
            class with the highest score.
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
    optional_text("threshold_rule", threshold_rule, "a rule such as 'youden' or 'fixed=0.5', or None")
    optional_text("decision", decision, "a rule such as 'abstain=0.7', 'protocol', or None")
    source, messages = resolve_existing_store(store), Messages(on_message)
    for problem in plugins.load(plugins.METRICS).broken:
        messages.warn(problem)
    among = resolve_among(data, protocol)
    runs = pool_folds(among.select(readable_runs(source, messages, "bench"), source), source)
    groups = same_conditions(run for run in runs if run.status == "ok")
    if among == ANY:
        groups = _of_latest_bench(groups, names, source, messages)
    if not groups:
        root = source.name
        raise ConfigError(f"--store {root}: contains no finished runs; `zoo bench --all --store {root}` creates them")
    if threshold_rule is not None:
        rule = ThresholdRule.parse(threshold_rule)
        groups = same_conditions(all_with_rule([run for group in groups for run in group], source, rule))
    if decision is not None:
        groups = same_conditions(_decided_again([run for group in groups for run in group], source, decision))
    chosen = decision is not None
    if not names:
        rankings = _rankings(groups, source, metric, chosen, messages)
        if threshold_rule is not None and all(each.threshold is None for each in rankings):
            ranked = rankings[0].ranking.metric
            messages.note(f"--threshold-rule changes no figure of {ranked}; --metric recall ranks at the threshold")
        return CompareResults(rankings=rankings, messages=messages.lines())
    pairs = _pairs(names, runs, groups, source)
    if metric is not None and not any(isinstance(a, MulticlassResults) for a, _ in pairs):
        raise ConfigError("--metric is for the ranking of all cards; leave it out for two names")
    _warn_of_left_out((side for pair in pairs for side in pair), messages)
    _note_other_decision((a for a, _ in pairs), chosen, messages)
    comparisons = [_comparison(names[0], names[1], a, b, metric, chosen, messages) for a, b in pairs]
    return CompareResults(tuple(comparisons), messages=messages.lines())


def _of_latest_bench(
    groups: list[list[Run]], names: Sequence[str], store: Store, messages: Messages
) -> list[list[Run]]:
    """The group of the latest benchmark if it contains all names; otherwise all groups."""
    latest = latest_conditions((run for group in groups for run in group), store)
    chosen = [group for group in groups if group[0].spec.conditions == latest]
    complete = all(any(_is(run, name) for run in group) for group in chosen for name in names)
    if len(groups) < 2 or not chosen or not complete:
        return groups
    others = data_and_protocols(run for group in groups if group not in chosen for run in group)
    latest = data_and_protocols(chosen[0][:1])
    messages.note(f"on the latest bench's data and protocol, {latest}; --data and --protocol choose another: {others}")
    return chosen


def _decided_again(runs: Sequence[Run], store: Store, decision: str) -> list[Run]:
    """The runs with another rule for three or more classes, or as they are for `protocol`. Raises ConfigError."""
    if not any(map(is_multiclass, runs)):
        raise ConfigError("--decision is for three or more classes; two classes take --threshold-rule")
    return list(runs) if decision == PROTOCOL else list(all_with_rule(runs, store, DecisionRule.parse(decision)))


def _comparison(
    name_a: str, name_b: str, a: AnyResults, b: AnyResults, metric: str | None, chosen: bool, messages: Messages
) -> PairComparison:
    data = conditions(a.runs[0].spec)
    if not (isinstance(a, MulticlassResults) and isinstance(b, MulticlassResults)):
        metrics = None
        if undecided := _without_threshold((a, b)):
            metrics = [name for name in compared_metrics() if not depends_on_decisions(name)]
            messages.warn(f"{undecided}: figures of decisions are left out; {_AT_HALF}")
        pairs = compare_pair(a, b, metrics, chosen=True)
        return PairComparison(data, name_a, name_b, pairs, threshold=leading(a.runs[0]).words)
    words = {_decision_of(side, chosen) for side in (a, b)}
    figure = CLASS_METRIC if metric is None else figure_of_classes(metric, a.runs[0], chosen)
    by_class = compare_classes(a, b, figure, chosen=chosen) if figure in class_metrics() else None
    whole = compare_pair(a, b, None if by_class else (figure,), chosen=chosen)
    return PairComparison(data, name_a, name_b, whole, by_class, words.pop())


def _without_threshold(results: Iterable[AnyResults]) -> str:
    """The runs on two classes that chose no threshold, with the reason; empty if all did."""
    reasons = [
        f"{run.spec.card.name} seed {run.spec.seed}: {reason}"
        for each in results
        for run in each.runs
        if (reason := nothing_chosen(run)) is not None
    ]
    return "; ".join(reasons)


def _decision_of(results: MulticlassResults, chosen: bool) -> str:
    """How images are decided, in words. Raises ConfigError if a run chose no decision."""
    if not chosen or results.runs[0].spec.protocol.decision.rule == "argmax":
        return ARGMAX
    for run in results.runs:
        if not decides_by_choice(run):
            why = "" if run.decision is None else f": {run.decision.reason}"
            raise ConfigError(
                f"{run.spec.card.name} seed {run.spec.seed}: no decision was chosen{why}; leave --decision out to "
                "compare by the highest score"
            )
    return results.runs[0].spec.protocol.decision.in_words()


def _with_decision(
    cards: Iterable[AnyResults], chosen: bool, messages: Messages
) -> tuple[list[AnyResults], str | None]:
    """The cards with a decision, and the decision in words. The others are left out with a warning."""
    decided: dict[str, list[AnyResults]] = {}
    for card in cards:
        try:
            words = _decision_of(card, chosen) if isinstance(card, MulticlassResults) else ""
        except ConfigError as error:
            messages.warn(f"left out of the ranking: {error.lines[0].partition(';')[0]}")
        else:
            decided.setdefault(words, []).append(card)
    return next(((cards, words) for words, cards in decided.items()), ([], None))


def _with_threshold(cards: Iterable[AnyResults], messages: Messages) -> tuple[list[AnyResults], str | None]:
    """The cards of which every run chose a threshold, and which threshold that is. The others are left out with a
    warning."""
    decided = []
    for card in cards:
        if undecided := _without_threshold([card]):
            messages.warn(f"left out of the ranking: {undecided}; {_AT_HALF}")
        else:
            decided.append(card)
    return decided, leading(decided[0].runs[0]).words if decided else None


def _note_other_decision(results: Iterable[AnyResults], chosen: bool, messages: Messages) -> None:
    """Note which decision of a protocol is not compared."""
    rules = dict.fromkeys(
        each.runs[0].spec.protocol.decision.in_words()
        for each in results
        if isinstance(each, MulticlassResults) and each.runs[0].spec.protocol.decision.rule != "argmax"
    )
    for rule in () if chosen else rules:
        messages.note(f"figures are for {ARGMAX}; --decision {PROTOCOL} takes the protocol's decision: {rule}")


def _ranking_metric(metric: str | None, first: Run, chosen: bool) -> str:
    """The metric that ranks runs on the data of `first`. Raises ConfigError."""
    if metric is None:
        return "auc"
    return figure_of_classes(metric, first, chosen) if is_multiclass(first) else metric_named(metric, measures())


def _rankings(
    groups: Sequence[Sequence[Run]], store: Store, metric: str | None, chosen: bool, messages: Messages
) -> tuple[CardRanking, ...]:
    by_group = [_ranking_metric(metric, group[0], chosen) for group in groups]
    results = [_collected(group, store) for group in groups]
    _warn_of_left_out((card for group in results for card in group), messages)
    ranked = []
    for group, each in zip(results, by_group, strict=True):
        words = threshold = None
        if group and is_multiclass(group[0].runs[0]):
            if _is_of_decisions(ranked_by(group, each)):
                _note_other_decision(group[:1], chosen, messages)
                group, words = _with_decision(group, chosen, messages)
            ranking = rank(group, each, chosen=chosen)
        else:
            if depends_on_decisions(each):
                group, threshold = _with_threshold(group, messages)
            ranking = rank(group, each, chosen=True)
        if ranking is not None:
            ranked.append(CardRanking(conditions(group[0].runs[0].spec), ranking, words, threshold))
    if not ranked:
        raise ConfigError(f"--store {store.name}: contains no two cards with {by_group[0]} on the same test images")
    return tuple(ranked)


def _is_of_decisions(key: str) -> bool:
    measure = find_multiclass(key)
    return measure is None or measure.uses_decisions


def _pairs(
    names: Sequence[str], runs: Sequence[Run], groups: Sequence[Sequence[Run]], store: Store
) -> list[tuple[AnyResults, AnyResults]]:
    """The two sides, once per data set and protocol on which both were run. Raises ConfigError."""
    for name in names:
        if not any(_is(run, name) for group in groups for run in group):
            if any(_is(run, name) for run in runs):
                raise ConfigError(f"--store {store.name}: {name} has no finished run")
            trials = readable_runs(store, Messages(), "search")
            raise unknown_run("card or run", name, store, [*runs, *trials], {run.spec.card.name for run in runs})
    common = [group for group in groups if all(any(_is(run, name) for run in group) for name in names)]
    if not common:
        _check_same_classes(names, groups, store)
        raise ConfigError(f"--store {store.name}: {names[0]} and {names[1]} were not run on the same data and protocol")
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
            f"--store {store.name}: {names[0]} was run on the classes {', '.join(first[0])}, {names[1]} on "
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
    return name in names_of(run)


def _warn_of_left_out(cards: Iterable[AnyResults], messages: Messages) -> None:
    for card in cards:
        if card.left_out:
            seeds = f"{'seed' if len(card.left_out) == 1 else 'seeds'} {', '.join(map(str, card.left_out))}"
            messages.warn(
                f"{card.card.name}: without {seeds}, which used different test images than seed "
                f"{card.runs[0].spec.seed}"
            )
