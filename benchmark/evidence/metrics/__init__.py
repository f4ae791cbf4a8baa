"""Metrics, one record each. Importing this package registers the built-in metrics in the order of the tables."""

from benchmark.evidence.metrics import decisions, probabilities  # isort: split

from benchmark.evidence.metrics import counts

__all__ = ["counts", "decisions", "probabilities"]
