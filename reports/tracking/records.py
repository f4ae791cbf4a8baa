"""What a run leaves in a tracker of experiments: names and numbers that every tracker is told alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from benchmark.evidence.metrics.definitions import METRICS

if TYPE_CHECKING:
    from benchmark.evidence.metrics.definitions import Figure
    from benchmark.runs.run import Run


def final_figures(run: Run) -> dict[str, Figure]:
    """A run's figures by name: `test/auc`, `val/recall` at threshold 0.5, `test_chosen/recall` at the chosen one for
    what depends on it. Figures without a value are left out."""
    found = {f"{split}/{name}": figure for split, figures in run.at_half.items() for name, figure in figures.items()}
    for split, figures in run.at_chosen.items():
        found |= {f"{split}_chosen/{name}": figure for name, figure in figures.items() if _of_decisions(name)}
    return {name: figure for name, figure in found.items() if figure.value is not None}


def values(figures: Mapping[str, Figure]) -> dict[str, float]:
    """The value of each of `final_figures`."""
    return {name: figure.value for name, figure in figures.items() if figure.value is not None}


def bounds(figures: Mapping[str, Figure]) -> dict[str, float]:
    """The bounds of their 95% intervals, as `test/auc_low` and `test/auc_high`, where there is one."""
    ends = ((f"{name}_{end}", getattr(figure, end)) for name, figure in figures.items() for end in ("low", "high"))
    return {name: bound for name, bound in ends if bound is not None}


def costs(run: Run) -> dict[str, float]:
    """The chosen `threshold`, and what the run cost: `cost/seconds`, `cost/parameters` and so on, and the seconds of
    each stage as `cost/seconds/NAME`."""
    found: dict[str, float | None] = {"threshold": run.threshold.value if run.threshold else None}
    if run.costs is not None:
        found |= {f"cost/{name}": value for name, value in run.costs.model_dump(exclude={"stages"}).items()}
        found |= {f"cost/seconds/{stage}": value for stage, value in run.costs.stages.items()}
    return {name: float(value) for name, value in found.items() if value is not None}


def about(run: Run) -> dict[str, str]:
    """What a run is, in words; what does not apply is left out."""
    spec = run.spec
    told = {
        "run_id": run.run_id,
        "card": spec.card.name,
        "seed": str(spec.seed),
        "stage": spec.stage,
        "status": run.status,
        "error": run.error or "",
        "finished": run.finished,
        "protocol": spec.protocol.name,
        "dataset": spec.dataset.source,
        "dataset_title": spec.dataset.title,
        "dataset_fingerprint": spec.dataset.fingerprint,
        "synthetic": str(spec.dataset.synthetic).lower(),
        "positive_class": spec.dataset.classes[1],
        "split_fingerprint": run.split.fingerprint,
        "diagnosis": ", ".join(finding.code for finding in run.diagnosis),
        "commit": (run.environment.commit if run.environment else None) or "",
    }
    return {name: text for name, text in told.items() if text}


def times(run: Run) -> tuple[float, float]:
    """When a run started and when it finished, in seconds since 1970 (UTC)."""
    end = datetime.fromisoformat(run.finished).timestamp()
    return end - (run.costs.seconds if run.costs else 0.0), end


def _of_decisions(metric: str) -> bool:
    known = METRICS.get(metric)
    return known is not None and known.of_decisions is not None
