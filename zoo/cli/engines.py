"""Options of engines on the command line."""

from __future__ import annotations

from collections.abc import Sequence


def engine_options(engine: str, slurm: Sequence[str] | None, ray: Sequence[str] | None) -> dict[str, str] | None:
    """The options of the chosen engine.

    Args:
        engine: Its name.
        slurm: The values of `--slurm`.
        ray: The values of `--ray`.

    Returns:
        Options by name; None without any.

    Raises:
        ConfigError: An option has no value, or is for another engine.
    """
    from benchmark.runs.execution.engines.batch_script import parse_pairs
    from zoo.config.errors import ConfigError

    for name, texts in (("slurm", slurm), ("ray", ray)):
        if texts and engine != name:
            raise ConfigError(f"--{name}: is for --engine {name}; add it, or leave --{name} out")
    if slurm:
        return parse_pairs("--slurm", slurm)
    return parse_pairs("--ray", ray) if ray else None
