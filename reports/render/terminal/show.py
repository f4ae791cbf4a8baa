"""Renders one run for a terminal of any width, and as a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from benchmark.evidence.diagnosis.diagnoses import Finding
from benchmark.evidence.metrics.registry import label_of, metrics
from benchmark.runs.cross_validation import CrossValidatedRun
from benchmark.runs.deployment.decision_rule import DecisionRule, decider_of
from benchmark.runs.history import History
from benchmark.runs.run import Run
from benchmark.runs.storage.lookup import has_models
from benchmark.runs.storage.store import Store
from reports.render.terminal.multiclass import class_table, matrix_lines
from reports.render.terminal.predictions import calibration_line
from reports.render.terminal.summary import summary_view
from reports.render.terminal.table import escape, plain_table
from reports.render.terminal.text_chart import text_chart
from reports.render.words import NO_FAULT, PUBLISHED
from reports.report import outside_of, summary_of
from reports.results.comparison.card_figures import caution_note, failures, known_figures
from reports.results.comparison.leading import leading, nothing_chosen
from reports.results.comparison.published import compare_card, difference_text, published_text
from reports.results.conditions.methods import members_in_words, methods
from reports.results.conditions.recipe import AVERAGED, NO_EPOCHS, recipe_in_words
from reports.results.conditions.split_faults import BY_DESIGN
from reports.results.curves import SeedHistory, seed_history
from reports.results.guarantee_text import stated_share
from reports.results.measured import (
    collect_multiclass_results,
    collect_results,
    conditions,
    decides_by_choice,
    is_multiclass,
)
from reports.results.multiclass.figures import multiclass_card
from reports.results.multiclass.text import decision_lines, overall_keys
from reports.results.outside.text import one_line_about
from reports.summary.fine_tuning import gain_of_run
from reports.summary.text import fine_tuning_sentence
from reports.text import (
    MISSING,
    decimals_of,
    measured,
    number,
    one_line,
    plural,
    probability,
    seconds,
    threshold,
)
from zoo.config.errors import ConfigError

_TOPICS = ("data", "split", "precision", "versions", "hardware", "pretrained weights")
_WIDE = 110  # columns that two charts side by side need


def run_view(run: Run, store: Store, width: int) -> RenderableType:
    """Render a run: conditions, figures, threshold, diagnosis, learning curve, recipe, costs and environment.

    Args:
        run: The run, finished or failed.
        store: The store that contains it.
        width: Columns of the terminal.

    Returns:
        A renderable of rich.

    Raises:
        ConfigError: Scores or epochs of the run cannot be read.
    """
    spec = run.spec
    parts: list[RenderableType] = [
        Text(one_line(f"{spec.card.title} ({spec.card.name}, seed {spec.seed_text})"), style="bold"),
        *_answer(run, store),
        escape(f"run {run.run_id}, {spec.stage}, {run.status}, finished {run.finished}; {conditions(spec)}"),
    ]
    if run.error is not None:
        parts.append(escape(f"FAILED: {run.error}"))
        if (traceback := store.traceback_file(run)).is_file():
            parts.append(escape(f"traceback: {traceback}"))
    if run.status == "ok":
        if is_multiclass(run):
            parts += _multiclass(run, store, width)
        else:
            parts += [*_figures(run, width), *_published(run, store, width), *_threshold(run, store)]
        parts += _diagnosis(findings_of(run, store), BY_DESIGN if spec.card.looks_at_nothing else NO_FAULT)
    parts += [*_learning(store.history(run), width), *_recipe(run), *_facts(run), *_model(run, store)]
    return Group(*parts)


def _answer(run: Run, store: Store) -> Iterator[RenderableType]:
    """What matters first: for a trial its validation figures, otherwise the summary of the run alone."""
    if run.spec.stage == "search":
        names = overall_keys(known_figures(run)) if is_multiclass(run) else ("auc", "accuracy")
        figures = [
            f"{label_of(key)} {measured(figure)}" for key in names[:2] if (figure := run.figures("val").get(key))
        ]
        yield escape("A trial of a search: its figures are of validation images and no result. " + ", ".join(figures))
        return
    if run.spec.subset is not None:
        name, of_curve = run.spec.card.name, run.spec.subset
        yield escape(
            f"A training of a curve: {of_curve.images} training images, draw {of_curve.draw + 1}. `zoo curve {name}` "
            "shows the curve."
        )
        return
    yield summary_view(summary_of([run], store))
    gain = gain_of_run(run, store)
    yield from () if gain is None else (escape(fine_tuning_sentence(gain)),)


def run_document(run: Run, store: Store) -> dict[str, Any]:
    """The run as a JSON document: record, epochs, calibration, findings, recipe, methods and model."""
    one_model = run.status == "ok" and not is_multiclass(run) and not isinstance(run, CrossValidatedRun)
    decider = decider_of(run, store) if one_model else None
    return {
        "run_id": run.run_id,
        **({"folds": [fold.run_id for fold in run.folds]} if isinstance(run, CrossValidatedRun) else {}),
        "record": run.model_dump(mode="json"),
        "history": [{name: str(value) for name, value in row.items()} for row in store.history(run).rows()],
        "calibration": None if decider is None else _calibration(decider),
        "findings": [asdict(finding) for finding in findings_of(run, store)],
        "recipe": dict(recipe_in_words(run.spec.protocol.budgeted(run.spec.card), len(run.spec.dataset.classes))),
        "methods": [{"topic": fact.topic, "text": fact.text} for fact in methods([run], {}).facts],
        "model": str(store.model_file(run)) if store.has_model(run) else None,
        "model_problem": _model_problem(run, store),
    }


def findings_of(run: Run, store: Store) -> tuple[Finding, ...]:
    """The findings about a run, diagnosed anew from its stored scores; those recorded for a trial."""
    if is_multiclass(run):
        several = collect_multiclass_results([run], store)
        return several[run.spec.card.name].findings[0] if several else run.diagnosis
    results = collect_results([run], store)
    return results[run.spec.card.name].findings[0] if results else run.diagnosis


def _calibration(decider: DecisionRule) -> dict[str, Any]:
    calibrator = decider.calibrator
    return {
        "method": calibrator.method if calibrator.accepted else None,
        "reason": calibrator.reason,
        "calibrated_threshold": decider.calibrated_threshold,
    }


def _figures(run: Run, width: int) -> Iterator[RenderableType]:
    """A column per split and threshold; in a narrow terminal the intervals are below the figures."""
    chosen = run.threshold.value if run.threshold else None
    where = "each fold's threshold" if isinstance(run, CrossValidatedRun) else probability(chosen)
    columns = [
        (f"{split} at {f'{where}, chosen' if at_chosen else '0.5'}", run.figures(split, at_chosen))
        for split in ("test", "val")
        for at_chosen in _leading_first(run)
        if run.figures(split, at_chosen)
    ]
    table = plain_table("metric, 95% interval", *(name for name, _ in columns))
    for metric in ("loss", *metrics()):
        cells = [measured(figures.get(metric), with_interval=True) for _, figures in columns]
        if any(text != MISSING for text in cells):
            table.add_row(label_of(metric), *(_stack(text, width) for text in cells))
    yield from _titled("Figures", *map(escape, _order(run)), table, *_remarks(run))


def _remarks(run: Run) -> Iterator[str]:
    """Which figures are missing, and what the mark of intervals means."""
    note = caution_note((), [run])
    yield from map(escape, (*failures([run]), *([] if note is None else [note])))


def _leading_first(run: Run) -> tuple[bool, ...]:
    """Whether figures are of the choice on validation, for each set of figures in the order of the columns."""
    return (True, False) if leading(run).chosen else (False, True)


def _order(run: Run) -> list[str]:
    """A line about which figures come first, or why they are missing; none where the default ones are the only ones."""
    lead, reason = leading(run), nothing_chosen(run)
    if not lead.chosen:
        return []
    return [f"{lead.beside} alone; {reason}" if reason else f"{lead.words}; then {lead.beside}"]


def _multiclass(run: Run, store: Store, width: int) -> Iterator[RenderableType]:
    """Figures of all classes together per split and decision, those of each class on test, and the matrix of test."""
    columns = [
        (f"{split}, {'chosen decision' if chosen else 'highest score'}", run.figures(split, chosen))
        for split in ("test", "val")
        for chosen in _leading_first(run)
        if decides_by_choice(run) or not chosen
        if run.figures(split, chosen)
    ]
    table = plain_table("metric, 95% interval", *(name for name, _ in columns))
    for key in ("loss", *overall_keys(known_figures(run))):
        cells = [measured(figures.get(key), with_interval=True) for _, figures in columns]
        if any(text != MISSING for text in cells):
            table.add_row(label_of(key), *(_stack(text, width) for text in cells))
    yield from _titled("Figures", *map(escape, _order(run)), table, *_remarks(run))
    results = collect_multiclass_results([run], store).get(run.spec.card.name)
    if results is None:
        return
    classes = run.spec.dataset.classes
    counts = dict(zip(classes, run.split.classes.get("test", (None,) * len(classes)), strict=True))
    card = multiclass_card(results, store.history)
    for decided, chosen in ((card.chosen, True), (card.argmax, False)):
        if decided is not None:
            yield from _titled(
                f"Test, {decided.rule}",
                class_table(run.figures("test", chosen), counts, width),
                *matrix_lines(classes, decided.total, width),
            )
    yield from _titled("Decision and calibration", *map(escape, decision_lines(run, card)))


def _threshold(run: Run, store: Store) -> Iterator[RenderableType]:
    if isinstance(run, CrossValidatedRun):
        yield from _titled(
            "Threshold and calibration of each fold",
            escape(run.spec.protocol.threshold.in_words()),
            *(escape(f"run {fold.run_id}: {_of_fold(decider_of(fold, store))}") for fold in run.folds),
        )
        return
    decider = decider_of(run, store)
    chosen = decider.threshold
    value = threshold(chosen) if chosen.value is not None else f"none: {chosen.reason}"
    share = stated_share(run, store.binary_scores(run, "val"))
    yield from _titled(
        "Threshold and calibration",
        escape(f"threshold {value}; {run.spec.protocol.threshold.in_words()}"),
        *(() if share is None else map(escape, share.lines())),
        escape(_on_scale(decider)),
    )


def _of_fold(decider: DecisionRule) -> str:
    chosen = decider.threshold
    value = threshold(chosen) if chosen.value is not None else f"none: {chosen.reason}"
    return f"threshold {value}; {calibration_line(decider.calibrator)}"


def _on_scale(decider: DecisionRule) -> str:
    """The threshold as a probability where calibration is used, and what probabilities are."""
    line = calibration_line(decider.calibrator)
    if decider.threshold.value is None or not decider.calibrator.accepted:
        return line
    return f"as a calibrated probability {probability(decider.calibrated_threshold)}; {line}"


def _published(run: Run, store: Store, width: int) -> Iterator[RenderableType]:
    compared = compare_card([run], store.history, collect_results([run], store).get(run.spec.card.name))
    if not compared:
        return
    if all(each.other_data for each in compared):
        yield from _titled(
            PUBLISHED,
            f"The published figures of this card are about other data; `zoo cards {run.spec.card.name}` lists them.",
        )
        return
    table = plain_table("published", "figure", "measured", "difference", "note")
    for each in compared:
        figure = each.published
        note = "; ".join(filter(None, ["different data" if each.other_data else "", each.note or ""]))
        name = f"{figure.split} {label_of(figure.metric)}" + (f", {figure.epoch} epoch" if figure.epoch else "")
        value = number(each.measured.value, decimals_of(figure.metric))
        table.add_row(escape(name), published_text(each), value, _stack(difference_text(each), width), escape(note))
    yield from _titled(f"{PUBLISHED}, at 0.5", table)


def _diagnosis(findings: Sequence[Finding], without: str) -> Iterator[RenderableType]:
    lines = []
    for finding in findings:
        lines.append(escape(f"- {finding.title} ({finding.code}): {finding.evidence}"))
        if finding.test:
            lines.append(escape(f"  to test it: {finding.test}"))
    yield from _titled("Diagnosis", *(lines or [without]))


def _learning(epochs: History, width: int) -> Iterator[RenderableType]:
    if not epochs:
        return
    history = seed_history(0, epochs)
    side_by_side = width >= _WIDE
    each = width // 2 - 2 if side_by_side else width
    charts = ["\n".join(lines) for name in ("loss", "accuracy") if (lines := _chart(history, name, each, side_by_side))]
    phases = ", ".join(f"{name} from epoch {first}" for first, name in history.phases)
    legend = f"t training, v validation, # both; {plural(len(epochs), 'epoch')}: {phases} (| on the axis)"
    curves: RenderableType = (
        Columns([Text(chart) for chart in charts], padding=(0, 2), equal=True)
        if side_by_side
        else Group(*(Text(chart) for chart in charts))
    )
    yield from _titled("Learning curve", escape(legend), curves)


def _chart(history: SeedHistory, name: str, width: int, side_by_side: bool) -> list[str]:
    pair = {"t": getattr(history, name), "v": getattr(history, f"val_{name}")}
    breaks = [first for first, _ in history.phases]
    lines = text_chart(pair, "tv", width=min(width, 100), breaks=breaks, height=10 if side_by_side else 8)
    last = [number(values[-1]) for values in pair.values()]
    return [f"{name}; last epoch: training {last[0]}, validation {last[1]}", *lines] if lines else []


def _recipe(run: Run) -> Iterator[RenderableType]:
    card = run.spec.protocol.budgeted(run.spec.card)
    yield from _titled(
        "Recipe", _pairs([("change", card.change), *recipe_in_words(card, len(run.spec.dataset.classes))])
    )


def _facts(run: Run) -> Iterator[RenderableType]:
    sizes = ", ".join(f"{count} {split}" for split, count in run.split.sizes.items())
    rows = [("images", sizes)]
    rows += [(fact.topic, fact.text) for fact in methods([run], {}).facts if fact.topic in _TOPICS]
    rows += [("note", note) for note in run.split.notes]
    if (probe := run.probe) is not None:
        rows += [("probe", line) for line in (probe.in_words(), *probe.notes)]
    rows += [("member", line) for line in members_in_words(run)]
    if (costs := run.costs) is not None:
        per_image, per_epoch = costs.inference_ms_per_image, costs.seconds_per_epoch
        epochs = AVERAGED if run.spec.card.members else NO_EPOCHS
        if per_epoch is not None:
            epochs = f"{plural(costs.epochs, 'epoch')}, {per_epoch:.1f} s per epoch"
        rows += [
            ("time", f"{seconds(costs.seconds)}; {epochs}"),
            ("inference", MISSING if per_image is None else f"{per_image:.1f} ms per image"),
            ("memory", f"{costs.peak_memory_mib:.0f} MiB at most"),
            ("parameters", f"{costs.parameters:,}, {costs.trainable_parameters:,} of them trainable"),
        ]
        if costs.features_needed:
            stored = costs.features_needed - (costs.features_computed or 0)
            rows.append(("features", f"{stored:,} of {costs.features_needed:,} from the bank"))
    yield from _titled("Methods and costs", _pairs(rows))


def _model(run: Run, store: Store) -> Iterator[RenderableType]:
    from benchmark.runs.deployment.model_files import command_that_keeps

    if run.status != "ok":
        return
    exports = run.spec.card.recipe.test_time_augmentation == 0 and not run.spec.card.members
    if isinstance(run, CrossValidatedRun):
        stored = "" if all(has_models(fold, store) for fold in run.folds) else ", where it is stored"
        ids = ", ".join(fold.run_id for fold in run.folds)
        commands = "`zoo predict RUN`, `zoo export RUN`" if exports else "`zoo predict RUN`"
        yield escape(f"each fold has a model of its own{stored}: {commands} with {ids}")
    elif (problem := _model_problem(run, store)) is not None:
        yield escape(f"model stored but not usable: {problem}")
    elif has_models(run, store):
        stored = "models of its members stored" if run.members else "model stored"
        more = f", `zoo export {run.run_id}`" if exports else ""
        yield escape(f"{stored}: `zoo predict {run.run_id} IMAGE...`{more}")
    elif run.spec.stage == "bench":
        missing = "models of its members not stored; store them" if run.members else "model not stored; store it"
        yield escape(f"{missing} with: {command_that_keeps(run, store)}")
    yield from (escape(one_line_about(each)) for each in outside_of([run], store))


def _model_problem(run: Run, store: Store) -> str | None:
    """Why the stored models of a run cannot be used; None if they can be used or do not exist."""
    from benchmark.runs.deployment.model_files import stored_models

    if run.status != "ok" or not has_models(run, store):
        return None
    try:
        stored_models(run, store)
    except ConfigError as error:
        return str(error)
    return None


def _stack(text: str, width: int) -> str:
    """Put the interval below its figure in a narrow terminal."""
    return text if width >= _WIDE else text.replace(" ", "\n", 1)


def _titled(title: str, *parts: RenderableType) -> Iterator[RenderableType]:
    yield ""
    yield Rule(title, align="left", characters="-", style="none")
    yield from parts


def _pairs(rows: Sequence[tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("topic", no_wrap=True)
    table.add_column("text", overflow="fold")
    previous = ""
    for topic, text in rows:
        table.add_row("" if topic == previous else topic, escape(text))
        previous = topic
    return table
