"""Names and numbers of a run that every experiment tracker gets."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from benchmark.evidence.metrics.keys import MeasureKey
from benchmark.evidence.metrics.multiclass import find_multiclass
from benchmark.evidence.metrics.registry import find_metric
from reports.frames.tables import has_several_classes, threshold_of

if TYPE_CHECKING:
    from benchmark.evidence.metrics.registry import Figure
    from benchmark.runs.run import Run

_REFUSED = re.compile(r"[^A-Za-z0-9_.-]")
_LONGEST = 100


def final_figures(run: Run) -> dict[str, Figure]:
    """The figures of a run by name.

    Args:
        run: A finished or failed run.

    Returns:
        Figures such as `test/auc` and `val/recall` at threshold 0.5, and `test_chosen/recall` at the chosen one for
        metrics that depend on it. Figures without a value are left out. Three or more classes have names such as
        `test/recall/macro` and `test/recall/class/NORMAL`, of the class with the highest score and, under
        `test_chosen`, of the chosen decisions. In names of classes, "_" replaces characters that trackers refuse.
    """
    name_of: Callable[[str], str] = _path_of(run.spec.dataset.classes) if has_several_classes(run) else str
    figures_by_name = {
        f"{split}/{name_of(key)}": figure for split, figures in run.at_half.items() for key, figure in figures.items()
    }
    for split, figures in run.at_chosen.items():
        figures_by_name |= {f"{split}_chosen/{name_of(key)}": f for key, f in figures.items() if _uses_decisions(key)}
    return {name: figure for name, figure in figures_by_name.items() if figure.value is not None}


def values(figures: Mapping[str, Figure]) -> dict[str, float]:
    """The values of `final_figures`."""
    return {name: figure.value for name, figure in figures.items() if figure.value is not None}


def bounds(figures: Mapping[str, Figure]) -> dict[str, float]:
    """The bounds of the 95% intervals of `final_figures`, such as `test/auc_low` and `test/auc_high`."""
    ends = ((f"{name}_{end}", getattr(figure, end)) for name, figure in figures.items() for end in ("low", "high"))
    return {name: bound for name, bound in ends if bound is not None}


def costs(run: Run) -> dict[str, float]:
    """The chosen `threshold` and the costs: `cost/seconds`, `cost/parameters`, ..., `cost/seconds/STAGE`."""
    numbers: dict[str, float | None] = {"threshold": threshold_of(run)}
    if run.costs is not None:
        numbers |= {f"cost/{name}": value for name, value in run.costs.model_dump(exclude={"stages"}).items()}
        numbers |= {f"cost/seconds/{stage}": value for stage, value in run.costs.stages.items()}
    return {name: float(value) for name, value in numbers.items() if value is not None}


def about(run: Run) -> dict[str, str]:
    """The facts that identify a run, by name; facts that do not apply are left out."""
    spec, several = run.spec, has_several_classes(run)
    facts = {
        "run_id": run.run_id,
        "card": spec.card.name,
        "seed": spec.seed_text,
        "stage": spec.stage,
        "status": run.status,
        "error": run.error or "",
        "finished": run.finished,
        "protocol": spec.protocol.name,
        "dataset": spec.dataset.source,
        "dataset_title": spec.dataset.title,
        "dataset_fingerprint": spec.dataset.fingerprint,
        "synthetic": str(spec.dataset.synthetic).lower(),
        "positive_class": "" if several else spec.dataset.classes[1],
        "classes": ", ".join(spec.dataset.classes) if several else "",
        "decision": run.decision.in_words() if run.decision else "",
        "split_fingerprint": run.split.fingerprint,
        "diagnosis": ", ".join(finding.code for finding in run.diagnosis),
        "commit": (run.environment.commit if run.environment else None) or "",
    }
    return {name: text for name, text in facts.items() if text}


def times(run: Run) -> tuple[float, float]:
    """Start and end of a run, in seconds since 1970 (UTC)."""
    end = datetime.fromisoformat(run.finished).timestamp()
    return end - (run.costs.seconds if run.costs else 0.0), end


def _uses_decisions(key: str) -> bool:
    record = find_metric(key)
    if record is not None:
        return record.uses_threshold
    measure = find_multiclass(key)
    return measure is not None and measure.uses_decisions


def _path_of(classes: Sequence[str]) -> Callable[[str], str]:
    """Return what turns the key of a figure into a path of characters that every tracker takes."""
    names: dict[str, str] = {}
    for name in classes:
        plain = _REFUSED.sub("_", name).strip(".")[:_LONGEST] or "_"
        free = (plain, *(f"{plain}-{number}" for number in range(2, len(classes) + 1)))
        names[name] = next(each for each in free if each not in names.values())

    def path(key: str) -> str:
        parsed = MeasureKey.parse(key)
        if parsed.of_class is not None:
            return f"{parsed.metric}/class/{names[parsed.of_class]}"
        return parsed.metric if parsed.average is None else f"{parsed.metric}/{parsed.average}"

    return path
