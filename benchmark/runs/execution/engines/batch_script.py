"""Batch scripts of SLURM, as submitit writes them, that compute the tasks of a folder as an array; their submission."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from zoo.config.atomic import write_text
from zoo.config.errors import ConfigError

_SEPARATOR = re.compile(r",(?=[A-Za-z][A-Za-z_-]*=)")
_RESERVED = (
    "array",
    "output",
    "error",
    "map_count",
    "folder",
    "command",
    "ntasks_per_node",
    "nodes",
    "additional_parameters",
)
_LISTS = ("setup", "teardown")
_LIMIT_S = 60.0
_REFUSALS = ("fatal:", "unable to contact", "invalid", "unrecognized", "not permitted", "denied")
"""Words of sbatch where it would refuse a job. With others, such as `Requested nodes are busy`, it may queue one."""


def parse_options(texts: Iterable[str]) -> dict[str, str]:
    """Parse options of SLURM.

    Args:
        texts: Each has NAME=VALUE pairs with commas between them: `partition=main,time=30,gres=gpu:1`.

    Returns:
        Values by name, with underscores for hyphens in the names.

    Raises:
        ConfigError: A text has no value, or an option that the program sets itself.
    """
    options = parse_pairs("--slurm", texts)
    for name in options:
        if name in _RESERVED:
            raise ConfigError(f"--slurm {name}: is set by the program; leave it out")
    for name in ("cpus_per_task", "array_parallelism"):
        if name in options and not (options[name].isdigit() and int(options[name])):
            raise ConfigError(f"--slurm {name}={options[name][:20]}: give a whole number from 1")
    return options


def parse_pairs(option: str, texts: Iterable[str]) -> dict[str, str]:
    """Parse NAME=VALUE pairs with commas between them; a value may contain commas that no name follows.

    Args:
        option: The option that an error names.
        texts: The texts.

    Returns:
        Values by name, with underscores for hyphens in the names.

    Raises:
        ConfigError: A pair has no name or no value.
    """
    options: dict[str, str] = {}
    for text in texts:
        for pair in _SEPARATOR.split(text):
            name, equals, value = pair.partition("=")
            name = name.strip().lstrip("-").replace("-", "_")
            if not equals or not name or not value.strip():
                example = "partition=main,time=30" if option == "--slurm" else "address=auto"
                raise ConfigError(f"{option} {pair[:40]}: give NAME=VALUE, such as {example}")
            options[name] = value.strip()
    return options


def check_installed() -> None:
    """Raise ConfigError if submitit is not installed."""
    if find_spec("submitit") is None:
        raise ConfigError("--engine slurm: needs submitit; install it with pip install 'zoo-bench[slurm]'")


def batch_script(folder: Path, count: int, options: Mapping[str, str], module: str) -> str:
    """Write the script of an array of tasks.

    Args:
        folder: The absolute path of the folder of the tasks, which also receives their logs.
        count: Number of tasks.
        options: Options of SLURM by name. Those that submitit does not know are passed to SLURM as they are.
        module: The module that computes a task.

    Returns:
        The text of the script, for sbatch.

    Raises:
        ConfigError: submitit is not installed, or refuses an option.
    """
    check_installed()
    import submitit

    class Executor(submitit.SlurmExecutor):  # type: ignore[misc]
        @classmethod
        def affinity(cls) -> int:
            return 1  # a script can be written where no SLURM is installed

        def text(self, command: str) -> str:
            script: str = self._make_submission_file_text(command, "")
            return script

    known = Executor._valid_parameters()
    parameters: dict[str, Any] = {"job_name": "zoo", "time": None, "wckey": None, "use_srun": False}
    parameters["stderr_to_stdout"] = True
    extra: dict[str, Any] = {}
    for name, value in options.items():
        read: Any = True if value.lower() == "true" else int(value) if value.isdigit() else value
        if name in _LISTS:
            read = [value]
        (parameters if name in known else extra)[name] = read
    if extra:
        parameters["additional_parameters"] = extra
    executor = Executor(folder, max_num_timeout=0)
    try:
        executor.update_parameters(**parameters)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"--slurm: {' '.join(str(error).split())[:200]}") from error
    executor.parameters["map_count"] = count
    command = shlex.join([sys.executable, "-m", module, str(folder)])
    return executor.text(f'{command} "$SLURM_ARRAY_TASK_ID"')


class Refused(ConfigError):
    """SLURM does not accept a job."""


def check_accepted(options: Mapping[str, str], module: str) -> None:
    """Ask SLURM whether it accepts jobs with these options, and submit nothing.

    Args:
        options: Options of SLURM by name.
        module: The module that computes a task.

    Raises:
        Refused: SLURM does not answer, or refuses an option.
        ConfigError: The same, if sbatch says nothing about it.
    """
    with tempfile.TemporaryDirectory() as name:
        script = Path(name, "batch.sh")
        write_text(script, batch_script(script.parent, 1, options, module))
        answer = _sbatch("--test-only", str(script))
    words = _words(answer)
    if answer.returncode and any(refusal in words.lower() for refusal in _REFUSALS):
        raise Refused(f"--engine slurm: sbatch refuses: {words}")


def submit(script: Path) -> str:
    """Submit a script.

    Args:
        script: Its path.

    Returns:
        The number of its job.

    Raises:
        Refused: SLURM does not accept it; the error has the words of sbatch.
        ConfigError: sbatch ends without an answer, so that the script may have been submitted.
    """
    answer = _sbatch("--parsable", str(script))
    if answer.returncode:
        raise Refused(f"--engine slurm: sbatch refuses: {_words(answer)}")
    return answer.stdout.strip().partition(";")[0]


def call(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of SLURM for a minute at most. Raises OSError and SubprocessError."""
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=_LIMIT_S)


def _sbatch(*words: str) -> subprocess.CompletedProcess[str]:
    try:
        return call("sbatch", *words)
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigError(f"--engine slurm: sbatch failed: {error}") from error


def _words(answer: subprocess.CompletedProcess[str]) -> str:
    """What sbatch says, in one line."""
    return " ".join(answer.stderr.replace("sbatch: ", "").removeprefix("error: ").split())


def log_file(folder: Path, job: str) -> Path:
    """Return the path of the log of a task, as the script names it.

    Args:
        folder: The folder of the tasks.
        job: The job with the number of its task: `12_3`.

    Returns:
        The path, which exists once the task has started.
    """
    return folder / f"{job}_0_log.out"
