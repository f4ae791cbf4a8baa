"""The tuner `optuna`: a tree-structured Parzen estimator (Bergstra et al. 2011), by ask and tell.

Its study is in memory. A resumed search asks a new study with the same seed and reports the objectives of stored runs
to it in the same order, so that it proposes the same trials.
"""

from __future__ import annotations

import json
from typing import Any

from search_spaces.proposals import Proposal
from search_spaces.space import Parameter, SearchSpace
from zoo.config.errors import ConfigError

_MOST_RANDOM = 10


def make_optuna_tuner(space: SearchSpace) -> OptunaTuner:
    """Make the tuner for a space. Raises ConfigError if Optuna is not installed."""
    try:
        import optuna
    except ImportError as error:
        raise ConfigError("tuner optuna: needs the package optuna; pip install 'zoo-bench[optuna]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # The trials of a round that have no objective yet count as bad ones, so that a round is spread out.
    sampler = optuna.samplers.TPESampler(
        seed=space.seed, n_startup_trials=min(_MOST_RANDOM, 1 + space.budget.trials // 3), constant_liar=True
    )
    direction = "maximize" if space.direction == "higher" else "minimize"
    return OptunaTuner(space, optuna.create_study(direction=direction, sampler=sampler))


class OptunaTuner:
    """Proposes trials of a study and reports to it."""

    def __init__(self, space: SearchSpace, study: Any) -> None:
        """Make a tuner without trials.

        Args:
            space: The space.
            study: A study of Optuna in memory.
        """
        self._space = space
        self._study = study

    def propose(self, count: int) -> list[Proposal]:
        """Ask for `count` trials; a space is never exhausted, since combinations may repeat."""
        proposals = []
        for _ in range(count):
            trial = self._study.ask()
            proposals.append(Proposal(self._values(trial), self._space.budget.epochs, trial))
        return proposals

    def report(self, proposal: Proposal, value: float | None) -> None:
        """Tell the study the objective of a trial, or that it failed."""
        from optuna.trial import TrialState

        if value is None:
            self._study.tell(proposal.trial, state=TrialState.FAIL)
        else:
            self._study.tell(proposal.trial, value)

    def _values(self, trial: Any) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for path, parameter in self._space.parameters.items():
            if all(values.get(parent, _ABSENT) in allowed for parent, allowed in parameter.when.items()):
                values[path] = _suggested(trial, path, parameter)
        return values


_ABSENT = object()


def _suggested(trial: Any, path: str, parameter: Parameter) -> Any:
    """The value of one parameter. Choices are JSON, since Optuna supports only plain values."""
    if parameter.kind == "boolean":
        return trial.suggest_categorical(path, [False, True])
    if parameter.kind == "choice":
        return json.loads(trial.suggest_categorical(path, [json.dumps(value) for value in parameter.values or ()]))
    low, high, step = parameter.low or 0.0, parameter.high or 0.0, parameter.step
    is_log = parameter.scale == "log"
    if is_log and step is not None:  # Optuna has no steps on a log scale
        power = trial.suggest_int(path, 0, (parameter.count() or 1) - 1)
        return int(low) * int(step) ** power if parameter.kind == "int" else low * step**power
    if parameter.kind == "int":
        return trial.suggest_int(path, int(low), int(high), step=int(step or 1), log=is_log)
    return trial.suggest_float(path, low, high, step=step, log=is_log)
