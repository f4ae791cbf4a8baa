"""A Report as markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmark.evidence.rules import value_range
from benchmark.runs.protocol import ThresholdRule
from benchmark.runs.run import Run
from reports.claims_markdown import claims_markdown
from reports.compare import Comparison
from reports.markdown_table import cell, table
from reports.numbers import (
    MISSING,
    difference,
    interval,
    is_count,
    measured,
    number,
    published_value,
    seconds,
)
from reports.pairs_tables import ranking_markdown
from reports.probabilities_markdown import probabilities_markdown
from reports.report import Report, Section

_DETAIL = (
    "loss",
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "specificity",
    "f1",
    "mcc",
    "auc",
    "average_precision",
    "brier",
    "true_positives",
    "false_positives",
    "true_negatives",
    "false_negatives",
)


def render(report: Report) -> str:
    """`report` as GitHub-flavoured markdown."""
    parts = ["# Model-zoo benchmark", ""]
    for section in report.sections:
        parts += _section(section)
    for skip in report.skips:
        parts.append(f"- skipped `{skip.card.name}`: {cell(skip.reason)}")
    return "\n".join(parts).rstrip() + "\n"


def _section(section: Section) -> list[str]:
    lines = [f"## {cell(section.title)}", ""]
    lines += [f"> {cell(note)}\n" for note in section.notes]
    for claims in section.claims:
        lines += claims_markdown(claims)
    lines += ["### Comparison", "", "Test figures at threshold 0.5, with 95% intervals.", ""]
    lines += _comparison(section)
    if section.ranking is not None:
        lines += ["", *ranking_markdown(section.ranking)]
    lines += ["", "### Published and measured", ""]
    lines += _published(section.comparisons)
    lines += ["", "### Test figures", ""]
    for title, chosen in (("At threshold 0.5", False), ("At the threshold chosen on validation", True)):
        lines += [f"{title}:", "", *_details(section.runs, chosen), ""]
    if section.probabilities:
        lines += probabilities_markdown(section.probabilities)
    lines += ["### Diagnosis", "", *_diagnoses(section.runs), ""]
    lines += ["### Data, protocol, environment", "", *_methods(section.runs), ""]
    return lines


def _comparison(section: Section) -> list[str]:
    rows = []
    for run in section.runs:
        figures = run.figures()
        rows.append(
            [
                f"`{run.spec.card.name}`",
                run.spec.card.changes,
                str(run.spec.seed),
                measured(figures.get("accuracy"), with_interval=True),
                measured(figures.get("recall"), with_interval=True),
                measured(figures.get("auc"), with_interval=True),
                run.error or "; ".join(finding.title for finding in run.diagnosis),
                seconds(run.costs.seconds) if run.costs else MISSING,
            ]
        )
    return table(["card", "what it changes", "seed", "accuracy", "recall", "AUC", "diagnosis", "time"], rows)


def _published(comparisons: Sequence[Comparison]) -> list[str]:
    if not comparisons:
        return ["No card here has published figures."]
    rows = []
    for c in comparisons:
        when = f", {c.published.epoch} epoch" if c.published.epoch else ""
        rows.append(
            [
                f"`{c.card}`",
                str(c.seed),
                f"{c.published.split} {c.published.metric}{when}",
                f"{published_value(c)} {interval(c.published_interval)}".rstrip(),
                f"{_number(c)} {interval(c.measured_interval)}".rstrip(),
                difference(c),
                "other data" if c.other_data else "same data",
                c.published.where + (f" ({c.note})" if c.note else ""),
            ]
        )
    heads = ["card", "seed", "figure", "published", "measured", "difference", "data", "where"]
    return table(heads, rows)


def _number(c: Comparison) -> str:
    return number(c.measured, 0 if is_count(c.published.metric) else 3)


def _details(runs: Iterable[Run], chosen: bool) -> list[str]:
    rows = []
    for run in runs:
        figures = run.figures("test", chosen)
        threshold = run.threshold.value if chosen and run.threshold else 0.5
        name = [f"`{run.spec.card.name}`", str(run.spec.seed), number(threshold)]
        rows.append(name + [measured(figures.get(metric)) for metric in _DETAIL])
    return table(["card", "seed", "threshold", *(name.replace("_", " ") for name in _DETAIL)], rows)


def _diagnoses(runs: Iterable[Run]) -> list[str]:
    lines = []
    for run in runs:
        name = f"`{run.spec.card.name}` seed {run.spec.seed}"
        if run.error:
            lines.append(f"- {name}: failed: {cell(run.error)}")
        lines += [f"- {name}: {cell(f'{finding.title}: {finding.evidence}')}" for finding in run.diagnosis]
        if run.threshold is not None and run.threshold.value is None and run.threshold.reason:
            lines.append(f"- {name}: no threshold chosen: {cell(run.threshold.reason)}")
    return lines or ["Nothing found."]


def _methods(runs: Sequence[Run]) -> list[str]:
    first = runs[0]
    protocol = first.spec.protocol
    sizes = ", ".join(f"{count} {split}" for split, count in first.split.sizes.items())
    sampling = protocol.sampling
    lines = [
        f"- Data: {cell(first.spec.dataset.title)}; classes {', '.join(map(cell, first.spec.dataset.classes))} "
        f"(the last is positive); fingerprint `{first.spec.dataset.fingerprint[:16]}`",
        f"- Split by patient: {sizes} images, {'balanced' if sampling.balanced else 'natural balance'}, "
        f"{protocol.split}, split seed {protocol.split_seed}; fingerprint `{first.split.fingerprint[:16]}`",
        f"- Images {protocol.image_size} px; views of a training image: {protocol.views}, view seed "
        f"{protocol.view_seed}; precision {protocol.precision}",
        f"- Threshold: {_rule(protocol.threshold)}; the test split is scored once, after training",
    ]
    lines += [f"- Split: {cell(note)}" for note in dict.fromkeys(note for run in runs for note in run.split.notes)]
    for run in runs:
        if run.costs is not None:
            c = run.costs
            lines.append(
                f"- `{run.spec.card.name}` seed {run.spec.seed}: {c.parameters:,} parameters, "
                f"{c.trainable_parameters:,} trainable; {c.epochs} epochs of {c.seconds_per_epoch:.1f} s; inference "
                f"{number(c.inference_ms_per_image, 1)} ms an image; peak memory {c.peak_memory_mib:.0f} MiB"
            )
    environments = {
        run.environment.model_dump_json(exclude={"weights"}): run.environment for run in runs if run.environment
    }
    for environment in environments.values():
        versions = ", ".join(f"{name} {version}" for name, version in environment.versions.items())
        lines.append(
            f"- Environment: {cell(versions)}; {cell(environment.platform)}; {cell(environment.processor)}, "
            f"{environment.cores} cores, "
            f"{environment.threads} threads a run, {environment.memory_gib} GiB; "
            f"frozen layers in {environment.precision}"
            + (f"; commit {cell(environment.commit)}" if environment.commit else "")
        )
    weights = {run.environment.weights for run in runs if run.environment and run.environment.weights}
    lines += [f"- Pretrained weights: {cell(origin)}" for origin in sorted(weights)]
    return lines


def _rule(threshold: ThresholdRule) -> str:
    if threshold.rule == "fixed":
        return f"fixed at {threshold.value:g}"
    value = "" if value_range(threshold.rule) is None else f" {threshold.value:g}"
    return f"{threshold.rule}{value}, chosen on validation scores alone"
