"""`zoo.prune`: removes from a store what no result needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmark.runs.storage.store import Store
from benchmark.runs.storage.upkeep.pruning import Removable, removable, remove
from zoo.api.arguments.inputs import PathLike, readable_runs, resolve_existing_store
from zoo.api.output.messages import Messages, OnMessage, silent
from zoo.config.errors import ConfigError

_MIB = 1024**2


@dataclass(frozen=True)
class PruneResults:
    """What can be removed from a store, or was.

    Attributes:
        store: The store.
        entries: Failed runs with a later finished one, leftovers of killed processes, and, if they were asked for,
            stored models.
        models: The stored models, whether they were asked for or not.
        removed: Whether `entries` were removed.
        messages: Lines that begin with `warning:` or `note:`.
    """

    store: Store
    entries: tuple[Removable, ...]
    models: tuple[Removable, ...]
    removed: bool
    messages: tuple[str, ...] = ()

    @property
    def mib(self) -> float:
        """The size of `entries` in MiB."""
        return sum(entry.bytes for entry in self.entries) / _MIB

    @property
    def models_mib(self) -> float:
        """The size of the stored models in MiB."""
        return sum(entry.bytes for entry in self.models) / _MIB

    def to_dict(self) -> dict[str, Any]:
        """The document that `zoo runs prune --json` prints."""
        rows = [
            {"kind": each.kind, "path": str(each.path), "bytes": each.bytes, "about": each.about}
            for each in self.entries
        ]
        return {"store": self.store.name, "removed": self.removed, "mib": self.mib, "entries": rows}


def prune(
    store: PathLike | Store = "runs", *, models: bool = False, apply: bool = False, on_message: OnMessage = silent
) -> PruneResults:
    """List what no result needs, as `zoo runs prune` does, and remove it if that is asked for.

    Args:
        store: The folder that contains the runs, or a Store.
        models: Whether stored models can go too. Figures remain; `zoo predict`, `zoo export` and `zoo evaluate` need
            a model.
        apply: Whether to remove what is listed.
        on_message: Called with each warning.

    Returns:
        What can be removed, or was.

    Raises:
        ConfigError: The store cannot be read, or it is no folder and `apply` is set.
        OSError: Something cannot be removed.
    """
    messages = Messages(on_message)
    source = resolve_existing_store(store)
    if apply and source.name != str(source.root):
        raise ConfigError(
            f"{source.name}: only a folder can be pruned; remove objects, commits first, with the tools of the bucket"
        )
    candidates = removable(source, readable_runs(source, messages))
    of_models = tuple(entry for entry in candidates if entry.kind == "model")
    entries = tuple(entry for entry in candidates if models or entry.kind != "model")
    if apply:
        remove(source, entries)
    return PruneResults(source, entries, of_models, apply, messages.lines())
