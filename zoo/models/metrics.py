"""Metrics as cards, claims and search spaces name them: those built in, and those of the group `zoo.metrics`."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from benchmark.evidence.metrics.definitions import canonical, load_before_queries
from zoo.config import plugins

load_before_queries(lambda: plugins.load(plugins.METRICS))

MetricName = Annotated[str, AfterValidator(canonical)]
"""A metric by its own name or another of the field's; kept under its own."""
