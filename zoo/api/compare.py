"""`zoo.compare`: cards against each other, image by image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from benchmark.evidence.metrics.definitions import aliases, canonical, measures
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from reports.report import same_conditions
from reports.results.measured import CardResults, collect_results, conditions
from reports.results.pairs import Pair, Ranking, compare_pair, rank
from reports.text import interval, number
from zoo.api.inputs import PathLike, readable_runs, resolve_store
from zoo.api.messages import Messages, OnMessage, silent
from zoo.api.tables import frame, html_table
from zoo.config import plugins
from zoo.config.strict_yaml import ConfigError, unknown

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class PairComparison:
    """Two cards or runs on the same data under the same protocol, which `conditions` names."""

    conditions: str
    a: str
    b: str
    metrics: tuple[Pair, ...]


@dataclass(frozen=True)
class CardRanking:
    """All cards on the same data under the same protocol, which `conditions` names."""

    conditions: str
    ranking: Ranking


@dataclass(frozen=True)
class CompareResults:
    """Either pairs or rankings, one for each data and protocol.

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
        rows: list[dict[str, Any]] = [
            {
                "conditions": pair.conditions,
                "a": pair.a,
                "b": pair.b,
                "metric": each.metric,
                "value_a": each.a.value,
                "value_b": each.b.value,
                "difference": each.difference.value,
                "low": each.difference.low,
                "high": each.difference.high,
                "p_adjusted": each.p_adjusted,
            }
            for pair in self.pairs
            for each in pair.metrics
        ]
        rows += [
            {
                "conditions": each.conditions,
                "metric": each.ranking.metric,
                "card": card,
                "value": figure.value,
                "low": figure.low,
                "high": figure.high,
                "letters": each.ranking.letters[card],
            }
            for each in self.rankings
            for card, figure in each.ranking.figures.items()
        ]
        return frame(rows)

    def _repr_html_(self) -> str:
        tables = [
            html_table(
                f"{pair.conditions}: {pair.a} minus {pair.b}",
                ("metric", pair.a, pair.b, "difference", "95% interval", "p (Holm)"),
                [
                    (
                        each.metric,
                        number(each.a.value),
                        number(each.b.value),
                        number(each.difference.value),
                        _interval(each.difference.low, each.difference.high),
                        number(each.p_adjusted),
                    )
                    for each in pair.metrics
                ],
            )
            for pair in self.pairs
        ]
        tables += [
            html_table(
                f"{each.conditions}: test {each.ranking.metric}",
                ("card", each.ranking.metric, "95% interval", "group"),
                [
                    (card, number(figure.value), _interval(figure.low, figure.high), each.ranking.letters[card])
                    for card, figure in each.ranking.figures.items()
                ],
            )
            for each in self.rankings
        ]
        return "".join(tables) + html_table("Messages", (), [], self.messages) * bool(self.messages)


def compare(
    *names: str, store: PathLike | Store = "runs", metric: str | None = None, on_message: OnMessage = silent
) -> CompareResults:
    """Compare two cards or runs, or rank all cards, on the same test images, as `zoo compare` does.

    Args:
        names: Two cards, or two runs by their ids; no name ranks all cards.
        store: The folder of the runs, or a Store.
        metric: The metric of the ranking; None takes `auc`.
        on_message: Called with each warning when it arises; the result collects them too.

    Returns:
        Differences with intervals and tests, or cards in groups that are not distinguishable.

    Raises:
        ConfigError: A name or the metric is unknown, or the two cannot be paired.
    """
    if names and len(names) != 2:
        raise ConfigError(f"zoo compare takes two names, not {len(names)}; without names it ranks all cards")
    if names and metric is not None:
        raise ConfigError("--metric is what all cards are ranked by; leave it out for two names")
    source, messages = resolve_store(store), Messages(on_message)
    for problem in plugins.load(plugins.METRICS).broken:
        messages.warn(problem)
    metric = None if metric is None else canonical(metric)
    known = measures()
    if metric is not None and metric not in known:
        raise unknown("metric", metric, known, aliases(known))
    runs = readable_runs(source, messages, "bench")
    groups = same_conditions(run for run in runs if run.status == "ok")
    if not groups:
        root = source.root
        raise ConfigError(f"--store {root}: contains no finished runs; `zoo bench --all --store {root}` creates them")
    if not names:
        return CompareResults(rankings=_rankings(groups, source, metric or "auc", messages), messages=messages.lines())
    pairs = _pairs(names, runs, groups, source)
    _warn_of_left_out((measured for pair in pairs for measured in pair), messages)
    compared = [
        PairComparison(conditions(a.runs[0].spec), names[0], names[1], tuple(compare_pair(a, b))) for a, b in pairs
    ]
    return CompareResults(tuple(compared), messages=messages.lines())


def _rankings(
    groups: Sequence[Sequence[Run]], store: Store, metric: str, messages: Messages
) -> tuple[CardRanking, ...]:
    gathered = [list(collect_results(group, store).values()) for group in groups]
    _warn_of_left_out((measured for group in gathered for measured in group), messages)
    ranked = [
        CardRanking(conditions(group[0].runs[0].spec), ranking)
        for group in gathered
        if (ranking := rank(group, metric)) is not None
    ]
    if not ranked:
        raise ConfigError(f"--store {store.root}: contains no two cards with {metric} on the same test images")
    return tuple(ranked)


def _pairs(
    names: Sequence[str], runs: Sequence[Run], groups: Sequence[Sequence[Run]], store: Store
) -> list[tuple[CardResults, CardResults]]:
    """The two sides, once for every data and protocol that both were run on. Raises ConfigError."""
    for name in names:
        if not any(_is(run, name) for group in groups for run in group):
            if any(_is(run, name) for run in runs):
                raise ConfigError(f"--store {store.root}: {name} has no finished run")
            raise unknown("card or run", name, sorted({run.spec.card.name for group in groups for run in group}))
    common = [group for group in groups if all(any(_is(run, name) for run in group) for name in names)]
    if not common:
        raise ConfigError(f"--store {store.root}: {names[0]} and {names[1]} were not run on the same data and protocol")
    sides = [(_measured(names[0], group, store), _measured(names[1], group, store)) for group in common]
    if shared := {run.run_id for run in sides[0][0].runs} & {run.run_id for run in sides[0][1].runs}:
        raise ConfigError(f"{names[0]} and {names[1]} share the run {min(shared)}; give two that share none")
    paired = [(a, b) for a, b in sides if a.same_images(b)]
    if not paired:
        raise ConfigError(f"{names[0]} and {names[1]} were scored on different test images; they cannot be paired")
    return paired


def _measured(name: str, group: Iterable[Run], store: Store) -> CardResults:
    """The card or run called `name`, which has runs in `group`."""
    (measured,) = collect_results((run for run in group if _is(run, name)), store).values()
    return measured


def _is(run: Run, name: str) -> bool:
    return name in (run.spec.card.name, run.run_id)


def _warn_of_left_out(cards: Iterable[CardResults], messages: Messages) -> None:
    for card in cards:
        if card.left_out:
            seeds = ", ".join(map(str, card.left_out))
            messages.warn(
                f"{card.card.name}: seeds {seeds} are left out; they were scored on different test images than seed "
                f"{card.runs[0].spec.seed}"
            )


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else interval((low, high))
