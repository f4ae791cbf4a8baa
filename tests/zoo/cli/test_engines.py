"""Options of engines as words of the command line."""

from __future__ import annotations

import pytest

from zoo.cli.engines import engine_options
from zoo.config.errors import ConfigError


def test_the_options_are_those_of_the_chosen_engine() -> None:
    assert engine_options("local", None, None) is None
    assert engine_options("slurm", ["partition=main,time=30"], None) == {"partition": "main", "time": "30"}
    assert engine_options("ray", None, ["address=head:6379", "num_gpus=1"]) == {"address": "head:6379", "num_gpus": "1"}


@pytest.mark.parametrize(
    ("engine", "slurm", "ray", "error"),
    [
        ("local", ["time=30"], None, "--slurm: is for --engine slurm; add it, or leave --slurm out"),
        ("slurm", None, ["address=auto"], "--ray: is for --engine ray; add it, or leave --ray out"),
        ("ray", None, ["head:6379"], "--ray head:6379: give NAME=VALUE, such as address=auto"),
    ],
)
def test_options_of_another_engine_are_refused(
    engine: str, slurm: list[str] | None, ray: list[str] | None, error: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        engine_options(engine, slurm, ray)
    assert str(raised.value) == error
