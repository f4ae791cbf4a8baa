"""Names of metrics in cards, claims and search spaces: built-in metrics, and those of the group `zoo.metrics`."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from benchmark.evidence.metrics.registry import canonical, load_before_queries
from zoo.config import plugins

load_before_queries(lambda: plugins.load(plugins.METRICS))

MetricName = Annotated[str, AfterValidator(canonical)]
"""The name or an alias of a metric; stored as the name."""
