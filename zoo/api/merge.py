"""`zoo.merge`: copies the runs of other stores into one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from benchmark.runs.storage.store import Store
from benchmark.runs.storage.upkeep import merging
from benchmark.runs.storage.upkeep.verification import STAGES
from zoo.api.arguments.inputs import PathLike, resolve_store
from zoo.api.output.messages import Messages, OnMessage, silent
from zoo.api.registration.registrations import record_outcome
from zoo.config.arguments import PATH, several
from zoo.config.errors import ConfigError


@dataclass(frozen=True)
class MergeResults:
    """What a merge copied.

    Attributes:
        store: The store that received the runs.
        copied: Ids of the copied runs.
        present: Ids of the runs that it had already, with the same results.
        evaluations: Ids of the copied evaluations.
        messages: Lines that begin with `warning:` or `note:`.
    """

    store: Store
    copied: tuple[str, ...]
    present: tuple[str, ...]
    evaluations: tuple[str, ...]
    messages: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The document that `zoo runs merge --json` prints."""
        return {
            "store": self.store.name,
            "copied": list(self.copied),
            "present": list(self.present),
            "evaluations": list(self.evaluations),
        }


def merge(
    others: PathLike | Store | Iterable[PathLike | Store],
    store: PathLike | Store = "runs",
    *,
    on_message: OnMessage = silent,
) -> MergeResults:
    """Copy the runs of other stores into one, as `zoo runs merge` does; all of them or none.

    Runs, evaluations, suspected labels, shortcuts and registrations are copied. A run that the store has with
    the same results is skipped; a finished one replaces a failed one.

    Args:
        others: The folders or URIs of the other stores, or Stores.
        store: The store that receives the runs; it is created if it does not exist.
        on_message: Called with each note.

    Returns:
        What was copied.

    Raises:
        ConfigError: A store does not exist, a run or its registrations are damaged, or two runs with one id have
            different results.
        OSError: The store cannot be written.
    """
    messages = Messages(on_message)
    target = resolve_store(store)
    sources = [resolve_store(other) for other in several("others", others, (*PATH, Store), "stores to merge")]
    if not sources:
        raise ConfigError("no store is given; name the stores whose runs are to be copied")
    for source in sources:
        if not source.root.is_dir():
            raise ConfigError(f"{source.name}: no such folder; give a store to copy from")
        if source.root.resolve() == target.root.resolve():
            raise ConfigError(f"{source.name}: is --store itself; name other stores")
        if not source.heads():
            raise ConfigError(f"{source.name}: contains no runs; name a store that `zoo bench` wrote")
    plan = merging.plan_merge(target, sources)
    if plan.runs or plan.evaluations or plan.beside or plan.chains:
        merging.merge(target, plan)
        record_outcome(target, [run.run_id for _, run in plan.runs if run.spec.stage in STAGES])
    for source, continues in plan.chains:
        if not continues:
            messages.note(
                f"{source.name}: its registrations do not continue those of {target.name} and are stored apart; "
                "`zoo verify` checks them, and reports count its runs as not registered"
            )
    for line in target.finish():
        messages.warn(line)
    return MergeResults(
        target,
        tuple(run.run_id for _, run in plan.runs),
        plan.present,
        tuple(evaluation.evaluation_id for _, evaluation in plan.evaluations),
        messages.lines(),
    )
