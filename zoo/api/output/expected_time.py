"""How long runs will probably take: as long as stored runs like them, else as `auto` expects on this machine."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from benchmark.runs.execution.machine.speed_trial import known_speed
from benchmark.runs.expected_cost import Trainings, Workload, expected_cost
from benchmark.runs.run import RunSpec
from benchmark.runs.storage.store import Store
from benchmark.training.machine_speed import MachineSpeed
from reports.text import plural


@dataclass(frozen=True)
class PlannedCost:
    """What `auto` expects of runs on this machine.

    Attributes:
        work: What one run with all training images computes.
        speed: What this machine was measured to do when idle.
    """

    work: Workload
    speed: MachineSpeed

    @classmethod
    def of(cls, specs: Sequence[RunSpec]) -> PlannedCost | None:
        """The expected cost of runs under one protocol.

        Args:
            specs: The runs.

        Returns:
            The cost; None unless `auto` made the protocol and the speed of this machine is known.
        """
        if not specs:
            return None
        protocol = specs[0].protocol
        sizes = {choice.field.removeprefix("sampling."): choice.value for choice in protocol.choices}
        train, val, test = (sizes.get(part) for part in ("train", "val", "test"))
        if not (isinstance(train, int) and isinstance(val, int) and isinstance(test, int)):
            return None
        speed = known_speed()
        if speed is None or isinstance(protocol.views, str):
            return None
        return cls(Workload(train, val + test, protocol.image_size, protocol.views, protocol.max_epochs), speed)

    def seconds(self, specs: Sequence[RunSpec], stored: Sequence[RunSpec] = ()) -> float:
        """The expected time of runs one after the other on an idle machine, in seconds.

        Args:
            specs: The runs.
            stored: Runs that have finished, so that the features of their networks are in the cache.

        Returns:
            The sum. Features are computed once for all runs; each run trains on its own number of images.
        """
        frozen = Trainings(0, 0, 0.0, frozen=Trainings.of(specs, stored).frozen)
        minutes = expected_cost(self.work, self.speed, frozen).minutes
        for work, of_size in self._by_size(specs):
            trainings = replace(Trainings.of(of_size), frozen=0.0)
            minutes += expected_cost(work, self.speed, trainings).minutes
        return 60 * minutes

    def _by_size(self, specs: Sequence[RunSpec]) -> Iterator[tuple[Workload, list[RunSpec]]]:
        """The runs by their number of training images: those of a curve have a part of them."""
        sizes = [self.work.train if spec.subset is None else spec.subset.images for spec in specs]
        for size in dict.fromkeys(sizes):
            of_size = [spec for spec, images in zip(specs, sizes, strict=True) if images == size]
            yield replace(self.work, train=size), of_size


def expected_time(specs: Sequence[RunSpec], reused: set[str], store: Store) -> str | None:
    """How many runs are to compute, and about how long that takes.

    Args:
        specs: All runs that are asked for, under one protocol.
        reused: The ids of those that the store has.
        store: The store.

    Returns:
        A line. Runs take as long as stored runs of their card under the same conditions; others as long as `auto`
        expects. None where neither is known and `auto` did not make the protocol.
    """
    by_auto = bool(specs[0].protocol.choices)
    missing = [spec for spec in specs if spec.run_id not in reused]
    if not missing:
        return f"nothing to compute: all {plural(len(specs), 'run')} are stored" if by_auto else None
    measured = _measured(store, [spec for spec in specs if spec.run_id in reused])
    unknown = [spec for spec in missing if _alike(spec) not in measured]
    seconds = sum(measured[_alike(spec)] for spec in missing if _alike(spec) in measured)
    what = f"{plural(len({spec.card.name for spec in missing}), 'card')} to compute, {len(missing)} of "
    what += plural(len(specs), "run")
    if not unknown:
        return f"about {_minutes(seconds)}: expected for {what}, as long as the stored runs took"
    planned = PlannedCost.of(specs)
    if planned is None:
        return what if by_auto else None
    seconds += planned.seconds(unknown, [spec for spec in specs if _alike(spec) in measured])
    return f"about {_minutes(seconds)}: expected for {what}, on an idle machine"


def _alike(spec: RunSpec) -> tuple[str, int | None]:
    """What runs of about the same duration share under one protocol: the card and the number of training images."""
    return spec.card.name, None if spec.subset is None else spec.subset.images


def _measured(store: Store, stored: Sequence[RunSpec]) -> dict[tuple[str, int | None], float]:
    """The median seconds of stored runs; the first run of a card may have computed features for the others."""
    seconds: dict[tuple[str, int | None], list[float]] = {}
    for spec in stored:
        run = store.get(spec.run_id)
        if run is not None and run.costs is not None:
            seconds.setdefault(_alike(spec), []).append(run.costs.seconds)
    return {alike: statistics.median(each) for alike, each in seconds.items()}


def _minutes(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return f"{minutes} min" if minutes < 100 else f"{minutes / 60:.1f} h"
