"""zoo: a declarative model-zoo benchmark for image classification on small labelled folders."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.data.dataset import DataError as DataError
    from benchmark.data.dataset import Dataset as Dataset
    from benchmark.data.dataset import Image as Image
    from benchmark.data.sources import open_dataset as open_dataset
    from benchmark.data.sources import register_source as register_source
    from benchmark.evidence.metrics.registry import Confusion as Confusion
    from benchmark.evidence.metrics.registry import Ratio as Ratio
    from benchmark.evidence.metrics.registry import register_metric as register_metric
    from benchmark.evidence.scores import Scores as Scores
    from reports.frames.load import load_figures as load_figures
    from reports.frames.load import load_history as load_history
    from reports.frames.load import load_runs as load_runs
    from reports.frames.load import load_scores as load_scores
    from reports.frames.load import load_settings as load_settings
    from zoo.api.audit import AuditResults as AuditResults
    from zoo.api.audit import audit as audit
    from zoo.api.bench import BenchPlan as BenchPlan
    from zoo.api.bench import BenchResults as BenchResults
    from zoo.api.bench import bench as bench
    from zoo.api.bench import plan_bench as plan_bench
    from zoo.api.compare import CompareResults as CompareResults
    from zoo.api.compare import compare as compare
    from zoo.api.curve import CurvePlan as CurvePlan
    from zoo.api.curve import CurveResults as CurveResults
    from zoo.api.curve import curve as curve
    from zoo.api.curve import plan_curve as plan_curve
    from zoo.api.evaluate import EvaluateResults as EvaluateResults
    from zoo.api.evaluate import evaluate as evaluate
    from zoo.api.evaluate_all import EvaluateAllResults as EvaluateAllResults
    from zoo.api.evaluate_all import evaluate_all as evaluate_all
    from zoo.api.export import ExportResults as ExportResults
    from zoo.api.export import export as export
    from zoo.api.labels import LabelResults as LabelResults
    from zoo.api.labels import labels as labels
    from zoo.api.merge import MergeResults as MergeResults
    from zoo.api.merge import merge as merge
    from zoo.api.plan import PlanResults as PlanResults
    from zoo.api.plan import plan as plan
    from zoo.api.predict import PredictResults as PredictResults
    from zoo.api.predict import predict as predict
    from zoo.api.prune import PruneResults as PruneResults
    from zoo.api.prune import prune as prune
    from zoo.api.report import ReportResults as ReportResults
    from zoo.api.report import report as report
    from zoo.api.search import SearchPlan as SearchPlan
    from zoo.api.search import SearchResults as SearchResults
    from zoo.api.search import plan_search as plan_search
    from zoo.api.search import search as search
    from zoo.api.serve import serve as serve
    from zoo.api.verify import VerifyResults as VerifyResults
    from zoo.api.verify import verify as verify
    from zoo.config.errors import ConfigError as ConfigError
    from zoo.models.card import ModelCard as ModelCard
    from zoo.models.catalog import load_cards as load_cards
    from zoo.models.published import PublishedFigure as PublishedFigure
    from zoo.models.recipe import Augmentation as Augmentation
    from zoo.models.recipe import ProbeRecipe as ProbeRecipe
    from zoo.models.recipe import Recipe as Recipe
    from zoo.models.registry import PretrainedWeights as PretrainedWeights
    from zoo.models.registry import Unfreeze as Unfreeze
    from zoo.models.registry import register_builder as register_builder

    __version__: str

_GROUPS = {
    "benchmark.data.dataset": ("DataError", "Dataset", "Image"),
    "benchmark.data.sources": ("open_dataset", "register_source"),
    "benchmark.evidence.metrics.registry": ("Confusion", "Ratio", "register_metric"),
    "benchmark.evidence.scores": ("Scores",),
    "zoo.api.audit": ("AuditResults", "audit"),
    "zoo.api.bench": ("BenchPlan", "BenchResults", "bench", "plan_bench"),
    "zoo.api.compare": ("CompareResults", "compare"),
    "zoo.api.curve": ("CurvePlan", "CurveResults", "curve", "plan_curve"),
    "zoo.api.evaluate": ("EvaluateResults", "evaluate"),
    "zoo.api.evaluate_all": ("EvaluateAllResults", "evaluate_all"),
    "zoo.api.export": ("ExportResults", "export"),
    "zoo.api.labels": ("LabelResults", "labels"),
    "zoo.api.merge": ("MergeResults", "merge"),
    "zoo.api.plan": ("PlanResults", "plan"),
    "zoo.api.predict": ("PredictResults", "predict"),
    "zoo.api.prune": ("PruneResults", "prune"),
    "zoo.api.report": ("ReportResults", "report"),
    "zoo.api.search": ("SearchPlan", "SearchResults", "plan_search", "search"),
    "zoo.api.serve": ("serve",),
    "zoo.api.verify": ("VerifyResults", "verify"),
    "reports.frames.load": ("load_figures", "load_history", "load_runs", "load_scores", "load_settings"),
    "zoo.config.errors": ("ConfigError",),
    "zoo.models.card": ("ModelCard",),
    "zoo.models.catalog": ("load_cards",),
    "zoo.models.published": ("PublishedFigure",),
    "zoo.models.recipe": ("Augmentation", "ProbeRecipe", "Recipe"),
    "zoo.models.registry": ("PretrainedWeights", "Unfreeze", "register_builder"),
}
_MODULES = {name: module for module, names in _GROUPS.items() for name in names}

__all__ = ["__version__", *sorted(_MODULES)]


def __getattr__(name: str) -> Any:
    # Loaded on first use: `import zoo` loads neither Keras nor NumPy.
    if name == "__version__":
        return import_module("importlib.metadata").version("zoo-bench")
    if name not in _MODULES:
        raise AttributeError(f"module 'zoo' has no attribute '{name}'")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
