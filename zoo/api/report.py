"""`zoo.report`: writes a report about a store, in one or several formats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.runs.cross_validation import folds_of
from benchmark.runs.decision_rule import DecisionRule
from benchmark.runs.protocol import ThresholdRule
from benchmark.runs.run import Run
from benchmark.runs.storage.beside.remembered import latest_conditions
from benchmark.runs.storage.lookup import Conditions
from benchmark.runs.storage.store import Store
from reports.claims.model import claims_about
from reports.registration import with_registrations
from reports.render.files import SHOW_GALLERIES, check_formats, write_report
from reports.report import Report, build_report
from reports.results.conditions.skipped import stored_skips
from reports.results.folds import pool_folds
from reports.results.rescored import Rule, all_with_rule
from reports.summary.model import Summary
from reports.text import plural
from reports.verdicts.report import ClaimsReport, differs
from zoo.api.arguments.inputs import (
    PathLike,
    Paths,
    declared,
    known_cards,
    new_folder,
    readable_runs,
    resolve_among,
    resolve_existing_store,
    stored_runs,
)
from zoo.api.output.galleries import galleries_of
from zoo.api.output.messages import Messages, OnMessage, silent
from zoo.api.output.tables import frame, html_table
from zoo.api.registration.registrations import ClaimsArgument, resolve_claims
from zoo.config.arguments import flag, optional_text, several
from zoo.config.errors import ConfigError

if TYPE_CHECKING:
    import pandas

_COLUMNS = ("claims", "data", "kind", "about", "verdict", "reason")


@dataclass(frozen=True)
class ReportResults:
    """A written report.

    Attributes:
        report: The content of every format, as plain data.
        paths: The files to open.
        messages: Lines that begin with `warning:` or `note:`.
    """

    report: Report
    paths: tuple[Path, ...]
    messages: tuple[str, ...] = ()

    @property
    def verdicts(self) -> tuple[ClaimsReport, ...]:
        """The verdicts on each claims file, section by section."""
        return tuple(claims for section in self.report.sections for claims in section.claims)

    @property
    def summaries(self) -> tuple[Summary, ...]:
        """The summary of each section."""
        return tuple(section.summary for section in self.report.sections if section.summary is not None)

    @property
    def differs(self) -> bool:
        """Whether a claim differs or is impossible."""
        return differs(self.verdicts)

    def to_frame(self) -> pandas.DataFrame:
        """One row per figure or statement with its verdict. Raises ConfigError when pandas is not installed."""
        return frame(self._rows(), _COLUMNS)

    def _rows(self) -> list[tuple[str, str, str, str, str, str]]:
        return [
            (each.claims.name, each.data, kind, judgement.about, judgement.decision.verdict, judgement.decision.reason)
            for each in self.verdicts
            for kind, judgements in (("figure", each.figures), ("statement", each.statements))
            for judgement in judgements
        ]

    def _repr_html_(self) -> str:
        written = [f"wrote {path}" for path in self.paths]
        return html_table("Verdicts on claims", _COLUMNS, self._rows(), (*written, *self.messages))


def report(
    store: PathLike | Store = "runs",
    *,
    out: PathLike = ".",
    formats: str | Iterable[str] = SHOW_GALLERIES,
    claims: ClaimsArgument = None,
    threshold_rule: str | None = None,
    decision: str | None = None,
    gallery: bool = False,
    data: PathLike | None = None,
    protocol: str | None = None,
    patients: str | None = None,
    data_is: str | None = None,
    card_folders: Paths = (),
    on_message: OnMessage = silent,
    on_progress: Callable[[str], None] = silent,
) -> ReportResults:
    """Write a report about a store, as `zoo report` does: verdicts, figures, curves, methods, limits, checklists.

    Args:
        store: The folder that contains the runs, or a Store.
        out: The folder for the report.
        formats: `md`, `html`, `json`, `csv` or `tex`; one or several.
        claims: Claims to check: built-in names, YAML files or Claims. None checks the built-in ones about the cards and
            the data of the store; those about other data are only mentioned.
        threshold_rule: Choose thresholds of two classes again on the stored validation scores: `youden`, `cost=5`, ...
        decision: Choose decisions among three or more classes again on the stored validation scores: `abstain=0.7`,
            `class_at=NAME:sensitivity:0.95`, `cost=TRUE:PREDICTED:10`, ...
        gallery: Show test images, with Grad-CAM of stored models.
        data: Report only the runs on this source; None reports all, those of the latest benchmark first. With
            `gallery`, it may also be the place to which the images of the runs were moved.
        protocol: Report only the runs under the protocol of this name; None reports all.
        patients: Pattern of the gallery's file names; None takes the pattern of the runs.
        data_is: The published data set that the images are, by its name in claims and cards.
        card_folders: Folders with more cards.
        on_message: Called with each warning when it arises; the result collects them too.
        on_progress: Called with a line before each step that may take seconds.

    Returns:
        The report as data, and the files written.

    Raises:
        ConfigError: An argument cannot be used, or the store contains no runs.
        DataError: The gallery's images cannot be read.
        OSError: `out` cannot be written.
    """
    right = "'md', 'html', 'json', 'csv' or 'tex', or a list of them"
    chosen: list[str] = several("formats", formats, str, right, may_be_empty=False)
    check_formats(chosen)
    flag("gallery", gallery)
    folder = new_folder(out)
    among = resolve_among(data, protocol)
    optional_text("patients", patients, "a regular expression or None")
    optional_text("data_is", data_is, "the name of a data set or None")
    if gallery and not set(chosen) & set(SHOW_GALLERIES):
        raise ConfigError(f"--gallery: only {' and '.join(SHOW_GALLERIES)} show it; ask for one of them too")
    if not gallery and patients is not None:
        raise ConfigError("--patients locates the images of --gallery; add --gallery or drop it")
    optional_text("threshold_rule", threshold_rule, "a rule such as 'youden' or 'cost=5', or None")
    optional_text("decision", decision, "a rule such as 'abstain=0.7', or None")
    rules: dict[str, Rule] = {}
    if threshold_rule is not None:
        rules[f"Thresholds were chosen again by the rule {threshold_rule}"] = ThresholdRule.parse(threshold_rule)
    if decision is not None:
        rules[f"Decisions were chosen again by the rule {decision}"] = DecisionRule.parse(decision)
    messages = Messages(on_message)
    known = known_cards(card_folders, messages)
    loaded = resolve_claims(claims, known)
    source = resolve_existing_store(store)
    runs = readable_runs(source, messages, "bench")
    curve_runs = list(filter(among.fit, readable_runs(source, Messages(), "curve")))
    if not runs and not curve_runs:
        runs = stored_runs(source, Messages(), "bench")  # raises, and says what to do
    if gallery and not any(Conditions(data=among.data).fit(run) for run in runs):
        among = Conditions(protocol=protocol)  # the images of the runs were moved there
    if runs:
        runs = _latest_first(among.select(runs, source), source)
    else:
        messages.note(f"{source.root}: contains runs of `zoo curve` alone; `zoo bench` compares cards")
    notes = []
    if data_is is not None:
        runs = declared(runs, data_is)
    for change, rule in rules.items():
        runs = all_with_rule(runs, source, rule)
        these = "thresholds" if isinstance(rule, ThresholdRule) else "decisions"
        notes.append(
            f"{change} on the stored validation scores, after the test split was scored: figures at these {these} are "
            "fair only if test scores did not suggest the rule."
        )
    runs = pool_folds(runs, source)
    available = [] if loaded else claims_about({run.spec.card.name for run in runs}, known)
    on_progress(f"reporting on {_runs_and_cards([*runs, *curve_runs])}: figures, intervals and comparisons")
    content = build_report(
        runs,
        source.history,
        stored_skips(runs, source),
        scores=source,
        claims=loaded,
        available=available,
        notes=notes,
        curve_runs=curve_runs,
    )
    content = with_registrations(content, source)
    galleries = {}
    if gallery:
        images = None if data is None else str(data)
        galleries = galleries_of(runs, source, data=images, patients=patients, on_progress=on_progress)
    on_progress(f"writing {', '.join(chosen)}")
    paths = write_report(content, source, folder, chosen, galleries)
    return ReportResults(content, tuple(paths), messages.lines())


def _runs_and_cards(runs: Sequence[Run]) -> str:
    """The runs, of which each fold is one, and their cards: `20 runs of 4 cards`."""
    count = sum(len(folds_of(run)) for run in runs)
    return f"{plural(count, 'run')} of {plural(len({run.spec.card.name for run in runs}), 'card')}"


def _latest_first(runs: Sequence[Run], store: Store) -> list[Run]:
    """`runs` with those on the data and under the protocol of the latest benchmark first."""
    latest = latest_conditions(runs, store)
    return sorted(runs, key=lambda run: run.spec.conditions != latest)
