"""`zoo.plan`: what a test set can find out, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from benchmark.data.dataset import Dataset
from benchmark.evidence.metrics.influence import ClassSizes
from benchmark.evidence.planning.noise import Noise
from benchmark.runs.protocol import AUTO, Protocol
from benchmark.runs.storage.store import Store
from reports.claims.model import Claims, load_claims
from reports.planning.model import SETS, ClaimPlan, Experiment, Plan
from reports.planning.plan import plan_claims
from reports.planning.sample_size import GuaranteePlan, WidthAnswer, guarantee_plan, width_answer
from zoo.api.arguments.inputs import PathLike, Paths, known_cards, resolve_protocol, resolve_seeds
from zoo.api.arguments.planned_test import of_data, of_sizes
from zoo.api.output.messages import Messages, OnMessage, silent
from zoo.api.output.tables import frame, html_table
from zoo.config.arguments import PATH, one_of_types, real, whole
from zoo.config.errors import ConfigError
from zoo.models.recipe import ProbeRecipe

if TYPE_CHECKING:
    import pandas

_COLUMNS = tuple(ClaimPlan.__dataclass_fields__)
_MOST_IMAGES = 50_000
_MOST_SEEDS = 20


@dataclass(frozen=True)
class PlanResults:
    """What a test set can find out.

    Attributes:
        claims: What can come out for each claim; None if no claims were given.
        width: How many test images a wished interval takes; None if no width was given.
        guarantee: How many positive validation images a guaranteed sensitivity takes; None if none was given.
        messages: Lines that begin with `warning:` or `note:`.
    """

    claims: Plan | None = None
    width: WidthAnswer | None = None
    guarantee: GuaranteePlan | None = None
    messages: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The document that `zoo plan --json` prints: the parts that were asked for."""
        document: dict[str, Any] = TypeAdapter(PlanResults).dump_python(self, mode="json")
        return {name: part for name, part in document.items() if part is not None and name != "messages"}

    def to_frame(self) -> pandas.DataFrame:
        """One row per planned claim. Raises ConfigError when pandas is not installed."""
        return frame(self._rows(), _COLUMNS)

    def _rows(self) -> list[tuple[Any, ...]]:
        return [] if self.claims is None else [tuple(asdict(each).values()) for each in self.claims.claims]

    def _repr_html_(self) -> str:
        parts = [each.sentence for each in (self.width, self.guarantee) if each is not None]
        return html_table("Plan", _COLUMNS, self._rows(), (*parts, *self.messages))


def plan(
    claims: str | Path | Claims | None = None,
    *,
    test: int | None = None,
    positives: int | None = None,
    seeds: int | Iterable[int] | None = None,
    protocol: PathLike | Protocol | None = None,
    data: PathLike | Dataset | None = None,
    difference: float | None = None,
    spread: float = 0.0,
    expected: float | None = None,
    width: float | None = None,
    metric: str | None = None,
    prevalence: float | Sequence[float] | None = None,
    sensitivity: str | None = None,
    sets: int = SETS,
    store: PathLike | Store = "runs",
    card_folders: Paths = (),
    on_message: OnMessage = silent,
) -> PlanResults:
    """Say what a test set can find out, as `zoo plan` does; nothing is trained.

    Args:
        claims: A built-in name, a YAML file or Claims; None for a plan of `width` or `sensitivity` alone.
        test: Number of test images; None takes those of `data`, of the protocol, or of each row of the claims.
        positives: Number of positives among them; None takes the prevalence of the claims.
        seeds: A number N of trainings per card, or seeds; None takes those of the protocol, or 1.
        protocol: A built-in name, a YAML file or a Protocol, for seeds and test images; with `data` as in `zoo.bench`.
        data: The source whose test part is measured.
        difference: The true difference, for `differs` and for sentences. None takes twice the margin for `differs`, and
            for sentences the printed figures of their cards; twice the margin where these are not printed.
        spread: Standard deviation of the true figure between trainings of a recipe, by assumption.
        expected: The true figure: for `width`, and for cards without a printed figure (then .8 by default).
        width: The wished width of a 95% interval, above 0.
        metric: The figure of `width`: a metric, or a key such as `recall:macro`.
        prevalence: For `width` and `sensitivity`: the share of positives, .5 by default, or the share of each of three
            classes or more, which are then called 1, 2, ...
        sensitivity: A guaranteed sensitivity and its confidence: `0.95@0.95`.
        sets: The number of simulated experiments per claim.
        store: The store, which remembers the options of `data`.
        card_folders: Folders with more cards.
        on_message: Called with each warning or note when it arises; the result collects them too.

    Returns:
        The parts that were asked for.

    Raises:
        ConfigError: An argument is wrong, arguments exclude each other, or the claims file is unknown or invalid.
        DataError: The data cannot be read, or cannot be split as the protocol asks.
    """
    messages = Messages(on_message)
    if width is None and metric is not None:
        raise ConfigError("--metric belongs to --width; give the wished width of the interval: --width 0.05")
    if claims is None and width is None and sensitivity is None:
        raise ConfigError(
            "nothing to plan: give CLAIMS, --width with --metric and --expected, or --sensitivity 0.95@0.95"
        )
    planned = guarantee = answer = None
    if width is not None:
        if metric is None or expected is None:
            raise ConfigError(
                "--width needs --metric and --expected, the figure that is expected: --metric auc --expected 0.95"
            )
        answer = width_answer(width, metric, expected, prevalence, _class_sizes(protocol, data))
    if sensitivity is not None:
        guarantee = guarantee_plan(sensitivity, prevalence)
    elif prevalence is not None and width is None:
        raise ConfigError("--prevalence belongs to --width and --sensitivity; claims have --test and --positives")
    if claims is not None:
        if not 0 <= real("spread", spread, "a standard deviation from 0 to 0.5") <= 0.5:
            raise ConfigError(f"--spread {spread:g}: give a standard deviation from 0 to 0.5, such as 0.03")
        planned = _plan_claims(
            claims,
            test,
            positives,
            seeds,
            protocol,
            data,
            difference,
            spread,
            expected,
            sets,
            store,
            card_folders,
            messages,
        )
    return PlanResults(planned, answer, guarantee, messages.lines())


def _plan_claims(
    claims: str | Path | Claims,
    test: int | None,
    positives: int | None,
    seeds: int | Iterable[int] | None,
    protocol: PathLike | Protocol | None,
    data: PathLike | Dataset | None,
    difference: float | None,
    spread: float,
    expected: float | None,
    sets: int,
    store: PathLike | Store,
    card_folders: Paths,
    messages: Messages,
) -> Plan:
    one_of_types("claims", claims, (*PATH, Claims), "a built-in name, a YAML file or Claims")
    known = known_cards(card_folders, messages)
    loaded = claims if isinstance(claims, Claims) else load_claims(str(claims), known)
    number = None if test is None else whole("test", test, 2, _MOST_IMAGES)
    if positives is not None:
        whole("positives", positives, 1, _MOST_IMAGES)
    if data is not None:
        if test is not None or positives is not None:
            raise ConfigError("--data has its own test images; leave --test and --positives out, or leave --data out")
        target = of_data(loaded, known, data, protocol, seeds, store, card_folders, messages)
    else:
        conditions = None if protocol is None else _protocol(protocol)
        target = of_sizes(loaded, number, positives, resolve_seeds(seeds), conditions)
    if target.seeds > _MOST_SEEDS:
        raise ConfigError(f"--seeds {target.seeds}: a plan simulates at most {_MOST_SEEDS} trainings per card")
    experiment = Experiment(
        sizes=target.sizes,
        noise=Noise(target.seeds, spread),
        class_sizes=target.class_sizes,
        difference=_difference(difference, loaded),
        expected=_expected(expected),
        sets=whole("sets", sets, 20, 100_000),
        from_printed=difference is None,
    )
    if target.not_comparable is not None:
        messages.warn(f"verdicts on these runs would be not comparable: {target.not_comparable}")
    probes = {name for name, card in known.items() if isinstance(card.recipe, ProbeRecipe)}
    return plan_claims(loaded, experiment, probes)


def _difference(difference: float | None, claims: Claims) -> float:
    if difference is None:
        return 2 * claims.margin
    if not 0 < real("difference", difference, "a difference above 0 and below 1") < 1:
        raise ConfigError(f"--difference {difference:g}: give a difference above 0 and below 1, such as 0.1")
    return difference


def _expected(expected: float | None) -> float:
    value = 0.8 if expected is None else real("expected", expected, "a figure such as 0.8")
    if not 0 < value < 1:
        raise ConfigError(f"--expected {value:g}: give a figure above 0 and below 1, such as 0.8")
    return value


def _protocol(protocol: PathLike | Protocol) -> Protocol:
    if protocol == AUTO:
        raise ConfigError("--protocol auto depends on the images; add --data SOURCE, or name another protocol")
    return resolve_protocol(protocol)


def _class_sizes(protocol: PathLike | Protocol | None, data: PathLike | Dataset | None) -> ClassSizes:
    if data is not None:
        raise ConfigError("--data is for claims; --width and --sensitivity have --prevalence")
    return "drawn" if protocol is None else _protocol(protocol).class_sizes
