"""The model card of an exported run (Mitchell et al. 2019) as markdown; text of users is escaped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from benchmark.evidence.calibration.reliability import assess
from benchmark.evidence.metrics.registry import label_of, metrics
from benchmark.evidence.scores import Scores
from benchmark.runs.deployment.decision_rule import DecisionRule
from benchmark.runs.deployment.multiclass import AnyDecisionRule
from benchmark.runs.run import Run
from benchmark.runs.storage.beside.remembered import cards_under
from benchmark.runs.storage.store import Store
from reports.export.decision_file import ExportedModel, formula
from reports.export.multiclass import decision_lines, figure_lines
from reports.limits import limits
from reports.render.markdown.table import cell, table
from reports.render.terminal.predictions import NOT_CLINICAL, calibration_line
from reports.render.terminal.show import findings_of
from reports.report import build_report, outside_of
from reports.results.comparison.card_figures import caution_note
from reports.results.conditions.hold_out_text import hold_out_text
from reports.results.conditions.methods import methods
from reports.results.conditions.recipe import recipe_in_words
from reports.results.guarantee_text import stated_share
from reports.results.outside.text import INTRODUCTION, TITLE, one_line_about, sentences
from reports.results.rescored import chosen_again
from reports.text import capital, measured, number, probability
from zoo.config.errors import ConfigError
from zoo.models.card import ModelSpec
from zoo.models.registry import get_builder


def model_card(run: Run, store: Store, decider: AnyDecisionRule, exported: ExportedModel) -> str:
    """The README.md of an exported model.

    Args:
        run: The exported run.
        store: The store that contains it.
        decider: Its threshold, or its decision among several classes, and its calibration.
        exported: Its ONNX file.

    Returns:
        Markdown.

    Raises:
        ConfigError: The scores of `run` cannot be read.
    """
    spec = run.spec
    lines = [
        f"# {cell(spec.card.title)}",
        "",
        f"Card `{spec.card.name}`, seed {spec.seed_text}, run `{run.run_id}`: {cell(spec.card.change)}.",
        "",
        f"**{NOT_CLINICAL}**" + (" **It was trained on SYNTHETIC images.**" if spec.dataset.synthetic else ""),
        "",
        *_use(run, decider),
        *_files(decider, exported),
        *(
            _decision(decider, run, store.binary_scores(run, "val"))
            if isinstance(decider, DecisionRule)
            else [*decision_lines(decider, stated_share(run)), *_chosen_again(run)]
        ),
        *(_figures(run, store, decider) if isinstance(decider, DecisionRule) else figure_lines(run, store, decider)),
        *_outside(run, store),
        *_trained(run),
        *_limits(run, store, exported),
    ]
    return "\n".join(lines)


def _use(run: Run, decider: AnyDecisionRule) -> list[str]:
    names = [f"`{_code(name)}`" for name in decider.classes]
    classes = " from ".join(reversed(names)) if len(names) == 2 else f"{', '.join(names[:-1])} and {names[-1]}"
    return [
        "## Intended use",
        "",
        f"Research: distinguish {classes} in images like the training images, reproduce benchmark figures, compare "
        "models, inspect single images.",
        "",
        "Not intended: diagnosis, triage or any decision about a person; images of a different kind, body part, age "
        f"group, machine or hospital. {_tested(run)}",
        "",
    ]


def _tested(run: Run) -> str:
    where = hold_out_text(run.spec.dataset)
    return "No such use was tested." if where is None else f"The model was {cell(where)}; no other such use was tested."


def _files(decider: AnyDecisionRule, exported: ExportedModel) -> list[str]:
    onnx = exported.onnx
    lowered = (
        f" The benchmark computed some layers in bfloat16, this file computes them in float32: its scores differ from "
        f"the benchmark's by up to {onnx['lowered_difference']:.1g} on synthetic images, and a decision that close to "
        "the threshold may change."
        if onnx["lowered"]
        else ""
    )
    of_two = isinstance(decider, DecisionRule)
    choice = "threshold" if of_two else "decision"
    output = "score of the positive class, shape (n, 1)" if of_two else f"scores per class, (n, {len(decider.classes)})"
    return [
        "## Files",
        "",
        f"- `model.onnx`: ONNX, opset {onnx['opset']}, float32. Input `{onnx['input']}`: grey levels 0..255, shape "
        f"(n, {onnx['size']}, {onnx['size']}, {onnx['channels']}). Output `{onnx['output']}`: raw {output}. On "
        f"{onnx['checked']} synthetic images its scores were within "
        f"{onnx['difference']:.1g} of those of Keras in float32.{lowered}",
        "- `model.keras`: the same model in the format of Keras; loading it needs Keras and, for caffe preprocessing, "
        "`zoo`.",
        f"- `decision.json`: classes, {choice}, calibration, preparation of images, versions.",
        "- `example.py`: scores images without `zoo`: `pip install -r requirements.txt`, then "
        "`python example.py IMAGE...`. Per image it prints probabilities, the decision, and whether the image is "
        "unlike the training images; for all images together, whether their scores differ from those of validation.",
        "- `unlike.py`, `novelty.npz`: read images and recognise those unlike the training images, as `zoo predict` "
        "does: by grey levels, their layout, and the second output of `model.onnx`. Without `novelty.npz` only colour "
        "and depth are checked.",
        "- `drift.py`, `validation.json`: compare the scores and decisions of a batch with those of validation.",
        "- `serve.py`, `service.py`, `Containerfile`, if the folder was written with `--container`: an HTTP service.",
        "",
    ]


def _decision(decider: DecisionRule, run: Run, val: Scores) -> list[str]:
    chosen = decider.threshold
    lines = ["## Decision and probability", ""]
    if chosen.value is None:
        lines.append(
            f"No threshold was chosen: {cell(chosen.reason or '')}. The model returns a score without a decision."
        )
    else:
        bounds = "" if chosen.bounds is None else f", 95% [{', '.join(map(probability, chosen.bounds))}]"
        lines.append(
            f"`{_code(decider.classes[1])}` if the raw score is {chosen.value!r} or more{bounds} "
            f"({run.spec.protocol.threshold.in_words()}); else `{_code(decider.classes[0])}`. "
            f"{_as_probability(decider)}The raw score decides, as in the benchmark; calibration never changes a "
            "decision."
        )
        share = stated_share(run, val)
        lines += [] if share is None else ["", f"{cell(capital('; '.join(share.lines())))}."]
    lines += _chosen_again(run)
    return [*lines, "", f"{cell(calibration_line(decider.calibrator))}: `{formula(decider.calibrator)}`.", ""]


def _chosen_again(run: Run) -> list[str]:
    sentence = chosen_again(run)
    return [] if sentence is None else ["", f"{cell(capital(sentence))}.", ""]


def _as_probability(decider: DecisionRule) -> str:
    if not decider.calibrator.accepted:
        return ""
    return f"As a calibrated probability the threshold is {probability(decider.calibrated_threshold)}. "


def _figures(run: Run, store: Store, decider: DecisionRule) -> Iterator[str]:
    chosen = run.threshold.value if run.threshold else None
    columns = [("test at 0.5", run.figures("test"))]
    if chosen is not None:
        columns = [(f"test at {probability(chosen)}", run.figures("test", True)), *columns]
        columns += [(f"validation at {probability(chosen)}", run.figures("val", True))]
    yield from (
        "## Figures",
        "",
        "With 95% intervals. The threshold was chosen on validation, so validation figures at it are optimistic.",
        "",
    )
    rows = [
        [label_of(name), *(measured(figures.get(name), with_interval=True) for _, figures in columns)]
        for name in metrics()
    ]
    yield from table(["metric", *(name for name, _ in columns)], rows)
    yield ""
    if (note := caution_note((), [run])) is not None:
        yield from (cell(note), "")
    if run.spec.stage != "bench":
        yield "This run is a trial of a search, which is never scored on test."
    else:
        test = store.binary_scores(run, "test")
        before, after = assess(test), assess(decider.calibrator.apply(test))
        yield (
            f"Test, uncalibrated and calibrated: ECE {number(before.ece)} and {number(after.ece)}; Brier score "
            f"{number(before.brier)} and {number(after.brier)}; log loss {number(before.log_loss)} and "
            f"{number(after.log_loss)}."
        )
    yield ""


def _outside(run: Run, store: Store) -> Iterator[str]:
    """The external validations of the model; nothing without any."""
    validations = outside_of([run], store)
    if not validations:
        return
    yield from (f"## {TITLE}", "", INTRODUCTION, "")
    for validation in validations:
        yield f"- {cell(capital(one_line_about(validation)))}."
        yield from (f"  - {cell(sentence)}" for sentence in sentences(validation))
    yield ""


def _trained(run: Run) -> Iterator[str]:
    yield from ("## Data and training", "")
    sizes = ", ".join(f"{count} {split}" for split, count in run.split.sizes.items())
    yield f"- images: {sizes}"
    yield from (f"- note: {cell(note)}" for note in run.split.notes)
    yield from (
        f"- {topic}: {cell(text)}"
        for topic, text in recipe_in_words(run.spec.protocol.budgeted(run.spec.card), len(run.spec.dataset.classes))
    )
    skipped = ("seeds", "preprocessing", "augmentation", "selection", "threshold", "calibration")
    facts = methods([run], {}).facts
    yield from (f"- {fact.topic}: {cell(fact.text)}" for fact in facts if fact.topic not in skipped)
    if (licence := _licence(run.spec.card.model)) is not None:
        yield f"- licence of the pretrained weights: {cell(licence)}"
    if run.costs is not None:
        yield f"- parameters: {run.costs.parameters:,}, {run.costs.trainable_parameters:,} of them trainable"
    yield ""


def _licence(model: ModelSpec) -> str | None:
    """The licence of the pretrained weights according to their builder; None if the builder is not installed."""
    with suppress(ConfigError):
        weights = get_builder(model.builder).weights_of(model.params)
        return None if weights is None else weights.licence
    return None


def _limits(run: Run, store: Store, exported: ExportedModel) -> Iterator[str]:
    yield from ("## Limits", "")
    for finding in findings_of(run, store):
        yield f"- {cell(finding.title)}: {cell(finding.evidence)}"
    if run.spec.stage == "bench":
        section = build_report([run], store.history, scores=store).sections[0]
        stored = store.get(run.run_id) or run  # the exported run may have a rule that was chosen again
        scored = len(cards_under(store, stored.spec.conditions) | {run.spec.card.name})
        yield from (f"- {cell(text)}" for text in limits(section, scored))
    yield (
        "- An image inside all limits of `novelty.npz` may still be of another kind, and a batch without a difference "
        "from validation may still be of another population. A difference is not a fault by itself: other shares of "
        "the true classes cause one."
    )
    yield ""


def _code(text: str) -> str:
    return cell(text).replace("`", "'")
