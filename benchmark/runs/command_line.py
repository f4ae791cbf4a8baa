"""Composes the commands that run more under the conditions of a run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from benchmark.runs.protocol import AUTO, load_protocol
from benchmark.runs.run import RunSpec
from zoo.config.errors import ConfigError

DEFAULT_STORE = Path("runs")
"""The store of commands without `--store`."""


def bench_command(
    cards: Sequence[str], spec: RunSpec, store: Path | str, *, keep_models: bool = False, seeds: int | None = None
) -> str:
    """Compose the `zoo bench` command that runs cards under the conditions of a run.

    A user's protocol is named by its file, without the folder, which the record does not contain.

    Args:
        cards: The names of the cards.
        spec: The run.
        store: The folder of the store, or its URI.
        keep_models: Whether trained models are stored.
        seeds: The number of seeds; None for those of the protocol.

    Returns:
        The command line, quoted for a shell.
    """
    words = ["zoo", "bench", *cards, *(["--keep-models"] if keep_models else []), *_conditions(spec)]
    words += [] if seeds is None else ["--seeds", str(seeds)]
    return shlex.join([*words, *store_option(store)])


def curve_command(card: Sequence[str], spec: RunSpec, store: Path | str) -> str:
    """Compose the `zoo curve` command that measures a card under the conditions of a run.

    Args:
        card: The name of the card, with the options that find it.
        spec: The run.
        store: The folder of the store, or its URI.

    Returns:
        The command line, quoted for a shell.
    """
    return shlex.join(["zoo", "curve", *card, *_conditions(spec), *store_option(store)])


def _conditions(spec: RunSpec) -> list[str]:
    """The options for the data and the protocol of a run."""
    facts, protocol = spec.dataset, spec.protocol
    words = ["--data", facts.source]
    options = {"--positive": facts.positive, "--patients": facts.patient_pattern, "--hold-out": facts.hold_out}
    for option, value in options.items():
        words += [] if value is None else [option, value]
    return [*words, "--protocol", protocol.name if _is_built_in(spec) else f"{protocol.name}.yaml"]


def store_option(store: Path | str) -> list[str]:
    """The option that names a store; none for the default one."""
    return [] if str(store) == str(DEFAULT_STORE) else ["--store", str(store)]


def _is_built_in(spec: RunSpec) -> bool:
    if spec.protocol.name == AUTO:  # the store remembers what it chose for these data
        return True
    try:
        return load_protocol(spec.protocol.name).identity() == spec.protocol.identity()
    except ConfigError:
        return False
