"""What each metric is: one record per metric. Those built in are registered here, in the order of all tables."""

from benchmark.evidence.metrics import decisions, probabilities  # isort: split

from benchmark.evidence.metrics import counts

__all__ = ["counts", "decisions", "probabilities"]
