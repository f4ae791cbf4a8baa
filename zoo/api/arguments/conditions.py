"""Resolves the conditions of a benchmark: what the store remembers of a source, and the protocol that fits the data."""

from __future__ import annotations

from dataclasses import astuple, fields

from benchmark.data.dataset import DataError, Dataset
from benchmark.runs.auto_protocol import resolve_auto
from benchmark.runs.execution.machine.speed_trial import machine_speed
from benchmark.runs.protocol import AUTO, Protocol
from benchmark.runs.storage.beside.remembered import SourceOptions, auto_protocol_of, options_of
from benchmark.runs.storage.store import Store
from zoo.api.arguments.inputs import PathLike, resolve_data, resolve_protocol
from zoo.api.output.messages import Messages
from zoo.config.errors import ConfigError

NONE = "none"
"""As the value of an option: without what the store remembers."""


def open_data(data: PathLike | Dataset, options: SourceOptions, store: Store, messages: Messages) -> Dataset:
    """Open a source with the options of its latest benchmark in the store, as far as no others are given.

    Args:
        data: A source or a Dataset; a Dataset already has its options.
        options: The options that were given. `none` is an option that is not to be taken from the store; for the
            positive class, name the other class instead.
        store: The store of the runs.
        messages: Receives a note about options that the store supplied, and about those that were replaced.

    Returns:
        The data set.

    Raises:
        DataError: The source cannot be used.
        ConfigError: An option cannot be used.
    """
    remembered = None if isinstance(data, Dataset) else options_of(store, str(data))
    merged, supplied, replaced = _merged(options, remembered or SourceOptions())
    if supplied:
        messages.note(f"{', '.join(supplied)}: as {store.name} remembers it of {data}; another value replaces it")
    if replaced:
        messages.note(f"{', '.join(replaced)}: instead of the value that {store.name} remembers of {data}")
    try:
        return resolve_data(data, merged.patients, merged.positive, merged.data_is, merged.hold_out)
    except (DataError, ConfigError) as error:
        if not supplied:
            raise
        raise DataError(f"{error} ({', '.join(supplied)} as {store.name} remembers it of {data})") from error


def resolve_conditions(
    protocol: PathLike | Protocol | None, dataset: Dataset, store: Store, messages: Messages
) -> Protocol:
    """The protocol of a benchmark.

    Args:
        protocol: A name, a file or a Protocol. None takes `quick` for the phantom and `auto` for any other data.
        dataset: The images.
        store: The store, which remembers what `auto` chose for them.
        messages: Receives a note before the speed of this machine is measured, and about what the store supplied.

    Returns:
        The protocol; that of `auto` as it was made for these images, with its reasons.

    Raises:
        ConfigError: The protocol is unknown or invalid.
    """
    if protocol is None:
        protocol = "quick" if dataset.source == "phantom" else AUTO
    if protocol != AUTO:
        return resolve_protocol(protocol)
    if (remembered := auto_protocol_of(store, dataset.fingerprint)) is not None:
        messages.note(f"protocol auto: as the store {store.name} remembers it for these images")
        return remembered
    return resolve_auto(dataset, machine_speed(lambda: messages.note("measuring the speed of this machine, once")))


def check_protocol(protocol: PathLike | Protocol | None) -> None:
    """Raise ConfigError if a protocol other than `auto` is unknown or invalid, before data are opened."""
    if protocol is not None and protocol != AUTO:
        resolve_protocol(protocol)


def _merged(requested: SourceOptions, remembered: SourceOptions) -> tuple[SourceOptions, list[str], list[str]]:
    """The options to use, those that the store supplied, and those that replace what it remembers, in words."""
    values: dict[str, str | None] = {}
    supplied, replaced = [], []
    for field, value, before in zip(fields(requested), astuple(requested), astuple(remembered), strict=True):
        option = f"--{field.name.replace('_', '-')}"
        if value is None:
            values[field.name] = before
            supplied += [f"{option} {before}"] * (before is not None)
            continue
        dropped = value == NONE and field.name != "positive"
        values[field.name] = None if dropped else value
        replaced += [f"{option} {value}"] * (before not in (None, value))
    return SourceOptions(**values), supplied, replaced
