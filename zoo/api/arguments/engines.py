"""Resolves the engine of a command: where its runs are computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmark.data.dataset import Dataset
from benchmark.runs.execution.engines.engine import Make
from benchmark.runs.execution.engines.local import LocalEngine
from benchmark.runs.execution.engines.unit import MakeQueue
from benchmark.training.quiet import check_backend
from zoo.config.arguments import text, whole, wrong
from zoo.config.errors import ConfigError

ENGINES = ("local", "slurm", "ray")
"""The engines by name."""

MOST_CORES = 1024


@dataclass(frozen=True)
class EngineChoice:
    """An engine with its options.

    Attributes:
        name: One of `ENGINES`.
        options: Its options by name.
        cores: Number of cores, and of threads, of each run; None for all that this process may use, or one elsewhere.
    """

    name: str = "local"
    options: Mapping[str, str] = field(default_factory=dict)
    cores: int | None = None

    def maker(self) -> Make:
        """What makes the engine. Raises ConfigError if this machine cannot use it."""
        queue = self.queue()
        if queue is None:
            return LocalEngine
        from benchmark.runs.execution.engines.remote import remote_engine

        return remote_engine(queue)

    def queue(self) -> MakeQueue | None:
        """What makes the engine on other machines; None for this machine. Raises ConfigError as `maker`."""
        if self.name == "local":
            return None
        if self.name == "ray":
            from benchmark.runs.execution.engines.ray import ray_queue

            return ray_queue(self.options, self.cores)
        from benchmark.runs.execution.engines.slurm import slurm_queue

        return slurm_queue(self.options)

    def check_answers(self) -> None:
        """Raise ConfigError if other machines do not answer, or would refuse every run: nothing is written then."""
        if self.name == "ray":
            from benchmark.runs.execution.engines.ray import connect

            connect(self.options)
        elif self.name == "slurm":
            from benchmark.runs.execution.engines.slurm import check_cluster

            check_cluster(self.options)


LOCAL = EngineChoice()


def resolve_engine(
    engine: str,
    options: Mapping[str, object] | None,
    cores: int | None,
    data: object,
    *,
    only_printed: bool = False,
) -> EngineChoice:
    """Check the choice of an engine.

    Args:
        engine: Its name.
        options: Its options, such as `{"partition": "main", "time": 30}`.
        cores: Number of cores of each run; None for the default of the engine.
        data: The data argument of the command.
        only_printed: Whether the runs are only printed as a batch script, which needs no SLURM here.

    Returns:
        The choice.

    Raises:
        ConfigError: The engine or the backend of Keras is unknown or cannot be used, an option does not fit it, or
            `data` is a Dataset, which other machines cannot open.
    """
    check_backend()
    text("engine", engine, "local, slurm or ray")
    if engine not in ENGINES:
        raise ConfigError(f"--engine {engine[:40]}: give local, slurm or ray")
    if options is not None and not isinstance(options, Mapping):
        raise wrong("engine_options", options, "options by name, such as {'partition': 'main', 'time': 30}")
    cores = None if cores is None else whole("cores", cores, 1, MOST_CORES)
    words = {} if options is None else {str(name): str(value) for name, value in options.items()}
    if only_printed and engine != "slurm":
        raise ConfigError("--print-batch: is for --engine slurm; add it, or leave --print-batch out")
    if engine == "local":
        if words:
            raise ConfigError("engine_options: are for the engines slurm and ray; name one, or leave them out")
        return EngineChoice(cores=cores)
    if isinstance(data, Dataset):
        raise ConfigError(f"--engine {engine}: other machines cannot open a Dataset object; give its source as text")
    if engine == "ray":
        choice = EngineChoice(engine, words, cores)
        choice.maker()
        return choice
    from benchmark.runs.execution.engines.batch_script import parse_options

    parsed = parse_options(f"{name}={value}" for name, value in words.items())
    if cores is not None and parsed.setdefault("cpus_per_task", str(cores)) != str(cores):
        raise ConfigError(f"--cores {cores}: differs from --slurm cpus_per_task={parsed['cpus_per_task']}; give one")
    choice = EngineChoice(engine, parsed, cores)
    if not only_printed:
        choice.maker()
    return choice
