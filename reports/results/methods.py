"""How the runs of a section were made, as plain data: flow of images, preparation, selection, versions, times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmark.data.levels import levels_line
from benchmark.evidence.scores import Scores
from benchmark.runs.environment import Environment
from benchmark.runs.protocol import Protocol
from benchmark.runs.run import DatasetFacts, Run
from reports.results.measured import CardResults
from reports.results.recipe import PREPROCESSING, augmentation_in_words, kept_weights
from zoo.models.card import ModelCard

UNKNOWN = "not known to the program"
"""What stands where a record does not say it."""
NOT_KEPT = "scores of these images are not kept"
NO_PATIENTS = "patients are not recorded"
PATIENTS_UNKNOWN = "patients are not known"


@dataclass(frozen=True)
class FlowRow:
    """The images of one split and how many patients they are of: those of the class `label`, or all where it is None.
    A count that is None is not known to the program, for the `reason`."""

    split: str
    label: str | None
    images: int | None
    patients: int | None
    reason: str | None = None


@dataclass(frozen=True)
class Fact:
    """One thing about how the runs were made, in a sentence or two, under a topic that several facts may share."""

    topic: str
    text: str


@dataclass(frozen=True)
class RunCosts:
    """What one finished run cost: times in seconds and milliseconds, memory in MiB."""

    card: str
    seed: int
    parameters: int
    trainable: int
    epochs: int
    seconds: float
    seconds_per_epoch: float
    inference_ms_per_image: float | None
    peak_memory_mib: float


@dataclass(frozen=True)
class Methods:
    """`flow` has a row for each split as a whole, then one for each of its classes: those of the first run, where seeds
    drew splits of their own. `left_out` says what no split holds and why. `facts` are in reading order, those of one
    topic together."""

    classes: tuple[str, str]
    flow: tuple[FlowRow, ...]
    left_out: tuple[str, ...]
    facts: tuple[Fact, ...]
    costs: tuple[RunCosts, ...]


def methods(runs: Sequence[Run], measured: Mapping[str, CardResults]) -> Methods:
    """The methods of `runs`, which share data and protocol; classes and patients are counted in the scores that
    `measured` holds. Raises IndexError when there are no runs."""
    first = next((run for run in runs if run.status == "ok"), runs[0])
    held = next((found for found in measured.values() if found.runs[0].split == first.split), None)
    return Methods(
        classes=first.spec.dataset.classes,
        flow=tuple(_flow(first, held)),
        left_out=tuple(dict.fromkeys(note for run in runs for note in run.split.notes)),
        facts=tuple(_facts(runs, first)),
        costs=tuple(_costs(runs)),
    )


def _flow(run: Run, held: CardResults | None) -> Iterator[FlowRow]:
    classes, sizes = run.spec.dataset.classes, run.split.sizes
    reason = PATIENTS_UNKNOWN if run.spec.dataset.patients_unknown else NO_PATIENTS
    for split in sizes:
        scores: Scores | None = None
        if held is not None and split in ("val", "test"):
            scores = held.val[0] if split == "val" else held.test[0]
        if scores is not None:
            yield _counted(split, None, scores, np.ones(len(scores), dtype=bool), reason)
        else:
            yield FlowRow(split, None, sizes[split], None, NOT_KEPT)
        for place, label in enumerate(classes):
            if scores is not None:
                yield _counted(split, label, scores, scores.y_true == place, reason)
            elif split in run.split.classes:
                yield FlowRow(split, label, run.split.classes[split][place], None, NOT_KEPT)
            elif run.spec.protocol.sampling.balanced and run.spec.fold is None and sizes[split] % 2 == 0:
                yield FlowRow(split, label, sizes[split] // 2, None, f"half of the split, balanced; {NOT_KEPT}")
            else:
                yield FlowRow(split, label, None, None, NOT_KEPT)


def _counted(
    split: str, label: str | None, scores: Scores, which: npt.NDArray[np.bool_], reason: str = NO_PATIENTS
) -> FlowRow:
    images = int(np.count_nonzero(which))
    if scores.patient is None:
        return FlowRow(split, label, images, None, reason)
    patients = {name for name, here in zip(scores.patient, which, strict=True) if here}
    return FlowRow(split, label, images, len(patients))


def _facts(runs: Sequence[Run], first: Run) -> Iterator[Fact]:
    protocol, data = first.spec.protocol, first.spec.dataset
    kind = "SYNTHETIC images drawn by the program" if data.synthetic else "images as the source holds them"
    yield Fact("data", f"{data.title}, source {data.source}; {kind}; fingerprint {data.fingerprint[:16]}")
    yield Fact("data", f"classes {' and '.join(data.classes)}, the last one positive; labels are those of the source")
    if (scale := levels_line(data.levels or {})) is not None:
        yield Fact("data", f"grey levels: {scale}")
    yield from _split_facts(runs, protocol)
    yield from _preparation(runs, protocol)
    yield from _selection(runs, protocol)
    yield from _seeds(runs, protocol)
    yield from _environments(runs)


def _split_facts(runs: Sequence[Run], protocol: Protocol) -> Iterator[Fact]:
    balance = "the same number of each class" if protocol.sampling.balanced else "classes in their natural balance"
    drawn = f"one split from split seed {protocol.split_seed} for all seeds"
    if protocol.split == "per-seed":
        drawn = f"a split of its own for each seed, from split seed {protocol.split_seed} and the seed"
    yield Fact("split", f"{apart(runs[0].spec.dataset)}; {balance}; {drawn}")
    prints = dict.fromkeys(run.split.fingerprint[:16] for run in runs)
    yield Fact("split", f"fingerprint {', '.join(prints)}")


def apart(data: DatasetFacts) -> str:
    """What no two splits of `data` share."""
    if data.patients_unknown:
        return (
            "by image: no identical image stands in two splits; patients are not known, so that images of one patient "
            "may stand in several"
        )
    line = data.patients.line() if data.patients is not None else None
    return "by patient: no patient and no identical image stands in two splits" + (f"; {line}" if line else "")


def _preparation(runs: Sequence[Run], protocol: Protocol) -> Iterator[Fact]:
    yield Fact("preprocessing", f"images resized to {protocol.image_size} x {protocol.image_size} px")
    for text, names in _by_text(runs, lambda card: PREPROCESSING[card.recipe.preprocessing]).items():
        yield Fact("preprocessing", f"{text}: {names}")
    for text, names in _by_text(runs, lambda card: augmentation_in_words(card.recipe.augmentation)).items():
        yield Fact("augmentation", f"{text}: {names}")
    views = "a new one every epoch" if protocol.views == "fresh" else f"{protocol.views} of them, reused over epochs"
    yield Fact("augmentation", f"augmented views of a training image: {views}; view seed {protocol.view_seed}")


def _selection(runs: Sequence[Run], protocol: Protocol) -> Iterator[Fact]:
    if protocol.max_epochs is not None:
        yield Fact("selection", f"each phase of a recipe is cut to {protocol.max_epochs} epochs")
    for text, names in _by_text(runs, kept_weights).items():
        yield Fact("selection", f"{text}: {names}")
    yield Fact("selection", "every card of the store is shown; none was picked by its test figures")
    yield Fact("threshold", f"{protocol.threshold.in_words()}; the test split is scored once, after training")
    yield Fact(
        "calibration",
        "fitted on validation scores alone; rolled back where it does not lower the cross-fitted validation log loss",
    )


def _seeds(runs: Sequence[Run], protocol: Protocol) -> Iterator[Fact]:
    seeds: dict[str, list[int]] = {}
    for run in runs:
        seeds.setdefault(run.spec.card.name, []).append(run.spec.seed)
    alike: dict[tuple[int, ...], list[str]] = {}
    for name, of_card in seeds.items():
        alike.setdefault(tuple(sorted(of_card)), []).append(name)
    for numbers, names in alike.items():
        which = "every card" if len(alike) == 1 else ", ".join(names)
        many = "seed" if len(numbers) == 1 else "seeds"
        yield Fact("seeds", f"{many} {', '.join(map(str, numbers))}: {which}")
    yield Fact("seeds", "a seed decides initial weights, dropout, batch order and the order of views")
    yield Fact("precision", f"frozen layers in {protocol.precision}" + _precisions(runs, protocol))
    for text, of_cards in _by_way(runs).items():
        yield Fact("precision", f"{text}: {of_cards}")


def _precisions(runs: Sequence[Run], protocol: Protocol) -> str:
    used = sorted({run.environment.precision for run in runs if run.environment})
    return f", which was {', '.join(used)}" if protocol.precision == "auto" and used else ""


def _by_way(runs: Sequence[Run]) -> dict[str, str]:
    """How frozen layers were computed and why: the sentence to the names of the cards, for runs that say it."""
    found: dict[str, list[str]] = {}
    for run in runs:
        told = run.environment.prefix_in_words() if run.environment else None
        if told is not None:
            found.setdefault(f"computed by {told}", []).append(run.spec.card.name)
    return {text: ", ".join(dict.fromkeys(names)) for text, names in found.items()}


def _environments(runs: Sequence[Run]) -> Iterator[Fact]:
    held = [run.environment for run in runs if run.environment is not None]
    commits: dict[str, list[str]] = {}
    for environment in held:
        versions = ", ".join(f"{name} {version}" for name, version in environment.versions.items())
        commits.setdefault(versions, []).append(environment.commit or UNKNOWN)
    for versions, of_runs in commits.items():
        yield Fact("versions", f"{versions}; commit {', '.join(dict.fromkeys(of_runs))}")
    for text in dict.fromkeys(map(_machine, held)):
        yield Fact("hardware", text)
    for origin in sorted({environment.weights for environment in held if environment.weights}):
        yield Fact("pretrained weights", origin)


def _machine(e: Environment) -> str:
    return f"{e.platform}; {e.processor}, {e.cores} cores, {e.threads} threads a run, {e.memory_gib} GiB memory"


def _costs(runs: Sequence[Run]) -> Iterator[RunCosts]:
    for run in runs:
        if (c := run.costs) is not None:
            yield RunCosts(
                run.spec.card.name,
                run.spec.seed,
                c.parameters,
                c.trainable_parameters,
                c.epochs,
                c.seconds,
                c.seconds_per_epoch,
                c.inference_ms_per_image,
                c.peak_memory_mib,
            )


def _by_text(runs: Sequence[Run], say: Callable[[ModelCard], str]) -> dict[str, str]:
    """The cards of `runs` that the same text says something about: text to names, `every card` where it is all."""
    cards = {run.spec.card.name: run.spec.card for run in runs}
    found: dict[str, list[str]] = {}
    for name, card in cards.items():
        found.setdefault(say(card), []).append(name)
    return {text: "every card" if len(found) == 1 else ", ".join(names) for text, names in found.items()}
