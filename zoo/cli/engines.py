"""Options of engines on the command line."""

from __future__ import annotations

from collections.abc import Sequence


def slurm_options(texts: Sequence[str] | None) -> dict[str, str] | None:
    """The values of `--slurm` by name; None without the option. Raises ConfigError."""
    from benchmark.runs.execution.engines.batch_script import parse_options

    return None if not texts else parse_options(texts)
