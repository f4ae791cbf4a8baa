"""KerasTuner's oracles as tuners.

KerasTuner loads Keras, which takes seconds and hundreds of MiB and is of no use to a process that only plans runs. The
oracle of a search is therefore in a process of its own. Where the platform can fork, that process comes from the one
that has loaded Keras for the runs.
"""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

from benchmark.runs.execution.fork_server import warm_up, worker_context
from benchmark.runs.execution.separate_process import SeparateObject
from benchmark.training.quiet import load_keras
from search_spaces.proposals import Proposal
from search_spaces.space import Parameter, SearchSpace
from zoo.config.errors import ConfigError

if TYPE_CHECKING:
    import keras_tuner

_NEVER = 10**9


class SeparateOracle:
    """An `Oracle` in a process of its own."""

    def __init__(self, space: SearchSpace, folder: str) -> None:
        """Start the process. The first call of `propose` reports an invalid space.

        Args:
            space: The space.
            folder: A folder for the state that KerasTuner always writes.
        """
        warm_up()
        self._oracle = SeparateObject(
            worker_context(), _quiet_oracle, (space, folder), "the process that proposes trials"
        )

    def propose(self, count: int) -> list[Proposal]:
        """Propose trials, as `Oracle.propose` does.

        Args:
            count: The most proposals.

        Returns:
            The proposals.

        Raises:
            ChildProcessError: The process has ended.
            ConfigError: The space is invalid, as `Oracle` says.
        """
        proposals: list[Proposal] = self._call("propose", count)
        return proposals

    def report(self, proposal: Proposal, value: float | None) -> None:
        """Report an objective, as `Oracle.report` does.

        Args:
            proposal: A proposal of `propose`.
            value: Its objective; None if the trial failed.

        Raises:
            ChildProcessError: The process has ended.
        """
        self._call("report", proposal, value)

    def close(self) -> None:
        """End the process."""
        self._oracle.close()

    def _call(self, method: str, *arguments: Any) -> Any:
        try:
            return self._oracle.call(method, *arguments)
        except ChildProcessError as error:
            raise ChildProcessError(f"{error}; run the same command again") from error


class Oracle:
    """An oracle of KerasTuner as a tuner. It needs Keras."""

    def __init__(self, space: SearchSpace, folder: str) -> None:
        """Make the oracle of a space.

        Args:
            space: The space.
            folder: A folder for the state that KerasTuner always writes.

        Raises:
            ConfigError: The tuner is hyperband, and the space has no budget of epochs.
        """
        self._space = space
        self._oracle = make_oracle(space)
        self._oracle._set_project_dir(folder, "search")

    def propose(self, count: int) -> list[Proposal]:
        """Propose trials, the same ones to the same search: objectives are reported in a fixed order.

        Args:
            count: The most proposals.

        Returns:
            The proposals; fewer than `count` if the space or the budget has no more.
        """
        proposed = []
        for worker in range(count):
            trial = self._oracle.create_trial(f"worker-{worker}")
            if trial.status != "RUNNING":
                break
            values = trial.hyperparameters.values
            epochs = values.get("tuner/epochs", self._space.budget.epochs)
            proposed.append(Proposal(_values(self._space, values), epochs, trial.trial_id))
        return proposed

    def report(self, proposal: Proposal, value: float | None) -> None:
        """Report an objective.

        Args:
            proposal: A proposal of `propose`.
            value: Its objective; None if the trial failed.
        """
        if value is not None:
            self._oracle.update_trial(proposal.trial, {self._space.objective: value})
        trial = self._oracle.get_trial(proposal.trial)
        trial.status = "INVALID" if value is None else "COMPLETED"
        self._oracle.end_trial(trial)


def _quiet_oracle(space: SearchSpace, folder: str) -> Oracle:
    """Make the oracle in its own process, whose output would interrupt that of the command."""
    warnings.simplefilter("ignore")  # scikit-learn's, about KerasTuner's Gaussian process
    return Oracle(space, folder)


def make_oracle(space: SearchSpace) -> Any:
    """Make KerasTuner's oracle for `space`. Its seed is the space's plus 1, since KerasTuner ignores a seed of 0."""
    load_keras()
    import keras_tuner

    options: dict[str, Any] = {
        "objective": keras_tuner.Objective(space.objective, "max" if space.direction == "higher" else "min"),
        "hyperparameters": hyperparameters(space),
        "allow_new_entries": False,
        "tune_new_entries": False,
        "seed": space.seed + 1,
        "max_consecutive_failed_trials": _NEVER,
    }
    if space.tuner == "hyperband":
        if space.budget.epochs is None:
            raise ConfigError(f"space {space.name}: budget.epochs: hyperband needs it, the most epochs of a trial")
        oracle = keras_tuner.oracles.HyperbandOracle(max_epochs=space.budget.epochs, hyperband_iterations=0, **options)
    else:
        kinds = {
            "random": keras_tuner.oracles.RandomSearchOracle,
            "bayesian": keras_tuner.oracles.BayesianOptimizationOracle,
            "grid": keras_tuner.oracles.GridSearchOracle,
        }
        oracle = kinds[space.tuner](max_trials=space.budget.trials, **options)
    oracle.verbose = 0
    return oracle


def hyperparameters(space: SearchSpace) -> keras_tuner.HyperParameters:
    """Make KerasTuner's parameters for `space`, with choices as JSON, since KerasTuner supports only plain values."""
    load_keras()
    import keras_tuner

    declared = keras_tuner.HyperParameters()
    for path, parameter in space.parameters.items():
        if parameter.when:
            parent, values = next(iter(parameter.when.items()))
            with declared.conditional_scope(parent, [_encoded(space.parameters[parent], value) for value in values]):
                _declare(declared, path, parameter)
        else:
            _declare(declared, path, parameter)
    return declared


def _declare(declared: keras_tuner.HyperParameters, path: str, parameter: Parameter) -> None:
    if parameter.kind == "float":
        declared.Float(path, parameter.low, parameter.high, step=parameter.step, sampling=parameter.scale)
    elif parameter.kind == "int":
        step = None if parameter.step is None else int(parameter.step)
        declared.Int(path, int(parameter.low or 0), int(parameter.high or 0), step=step, sampling=parameter.scale)
    elif parameter.kind == "boolean":
        declared.Boolean(path)
    else:
        declared.Choice(path, [json.dumps(value) for value in parameter.values or ()], ordered=False)


def _encoded(parameter: Parameter, value: Any) -> Any:
    """`value` as KerasTuner has it."""
    return json.dumps(value) if parameter.kind == "choice" else value


def _values(space: SearchSpace, proposed: dict[str, Any]) -> dict[str, Any]:
    """The proposed values by path in the card, without parameters whose condition (`when`) is not met."""
    values: dict[str, Any] = {}
    for path, parameter in space.parameters.items():
        if path in proposed:
            value = proposed[path]
            if parameter.kind == "int":
                value = int(value)  # KerasTuner's grid gives floats, such as 8.0, on a log scale
            elif parameter.kind == "float":
                value = float(value)  # its Bayesian oracle gives NumPy's floats, which YAML does not represent
            values[path] = json.loads(value) if parameter.kind == "choice" else value
    return values
