"""The measurement of this machine."""

from __future__ import annotations

import pytest

from benchmark.training.frozen.speed import measure_speed


@pytest.mark.slow
def test_a_machine_has_a_speed() -> None:
    speed = measure_speed(None)
    assert speed.frozen > 0.1  # GMAC/s; the slowest processor that runs TensorFlow has more
    assert speed.training > 1e-3
