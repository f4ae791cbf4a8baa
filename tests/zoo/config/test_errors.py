"""Errors of what a user can correct."""

from __future__ import annotations

import pickle

from zoo.config.errors import ConfigError


def test_an_error_from_another_process_keeps_its_lines() -> None:
    there = ConfigError("space a: tuner: unknown", "a file\nwith a line break in its name")
    there.add_note("in make_oracle")
    error = pickle.loads(pickle.dumps(there))
    assert error.lines == ("space a: tuner: unknown", "a file\\nwith a line break in its name")
    assert error.__notes__ == ["in make_oracle"]
