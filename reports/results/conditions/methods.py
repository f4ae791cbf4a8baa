"""The methods of a section as plain data: flow of images, preparation, selection, versions and costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmark.data.levels import levels_line
from benchmark.evidence.scores import AnyScores
from benchmark.runs.cross_validation import folds_of
from benchmark.runs.environment import Environment
from benchmark.runs.protocol import Protocol
from benchmark.runs.run import DatasetFacts, Run
from reports.results.conditions.hold_out_text import hold_out_text
from reports.results.conditions.protocol_choices import choice_lines
from reports.results.conditions.recipe import PREPROCESSING, augmentation_in_words, kept_weights
from reports.results.measured import AnyResults, is_multiclass
from reports.text import listed, plural, seed_list
from zoo.config.errors import ConfigError
from zoo.models.card import ModelCard
from zoo.models.recipe import ProbeRecipe
from zoo.models.registry import get_builder

UNKNOWN = "not known to the program"
"""The text for a fact that no record contains."""
NOT_RECORDED = "not recorded"
"""The text for a number in the flow of images, whose row has the reason."""
NOT_KEPT = "scores of these images are not stored"
NO_PATIENTS = "patients are not recorded"
PATIENTS_UNKNOWN = "patients are not known"
DETERMINISTIC = "a probe is the same for every seed, so its spread over seeds is 0"
_EXCLUDED = ("left out", "not drawn")


@dataclass(frozen=True)
class FlowRow:
    """The numbers of images and patients of one split and class.

    Attributes:
        split: The split.
        label: The class; None for all classes together.
        images: The number of images; None where it is not recorded.
        patients: The number of their patients; None where it is not recorded.
        reason: Why a number is not recorded.
    """

    split: str
    label: str | None
    images: int | None
    patients: int | None
    reason: str | None = None


@dataclass(frozen=True)
class Fact:
    """A fact about how the runs were made, under a topic that several facts may share."""

    topic: str
    text: str


@dataclass(frozen=True)
class RunCosts:
    """The costs of one finished run: times in seconds and milliseconds, memory in MiB.

    A probe has no epochs, and None for the seconds per epoch.
    """

    card: str
    seed: int
    parameters: int
    trainable: int
    epochs: int
    seconds: float
    seconds_per_epoch: float | None
    inference_ms_per_image: float | None
    peak_memory_mib: float


@dataclass(frozen=True)
class Methods:
    """The methods of a section.

    Attributes:
        classes: The names of the classes; of two, the positive one is last.
        flow: A row for each split, followed by a row for each of its classes; from the first run, where each seed has
            its own split.
        left_out: Notes on how the splits were drawn, including the excluded images.
        facts: The facts in reading order, those of one topic together.
        costs: The costs of each finished run.
    """

    classes: tuple[str, ...]
    flow: tuple[FlowRow, ...]
    left_out: tuple[str, ...]
    facts: tuple[Fact, ...]
    costs: tuple[RunCosts, ...]

    @property
    def exclusions(self) -> tuple[str, ...]:
        """The notes in `left_out` that report excluded images."""
        return tuple(note for note in self.left_out if any(word in note for word in _EXCLUDED))


def methods(runs: Sequence[Run], measured: Mapping[str, AnyResults]) -> Methods:
    """Describes how runs were made.

    Args:
        runs: At least one run; all on the same data under the same protocol.
        measured: The results of the cards by name; classes and patients are counted in their scores.

    Returns:
        The methods.

    Raises:
        IndexError: There are no runs.
    """
    first = next((run for run in runs if run.status == "ok"), runs[0])
    results = next((each for each in measured.values() if each.runs[0].split == first.split), None)
    return Methods(
        classes=first.spec.dataset.classes,
        flow=tuple(_flow(first, results)),
        left_out=tuple(dict.fromkeys(note for run in runs for note in run.split.notes)),
        facts=tuple(_facts(runs, first)),
        costs=tuple(_costs(runs)),
    )


def _flow(run: Run, results: AnyResults | None) -> Iterator[FlowRow]:
    classes, sizes = run.spec.dataset.classes, run.split.sizes
    reason = PATIENTS_UNKNOWN if run.spec.dataset.patients_unknown else NO_PATIENTS
    for split in sizes:
        scores: AnyScores | None = None
        if results is not None and split in ("val", "test") and not (split == "val" and folds_of(run) != (run,)):
            scores = results.val[0] if split == "val" else results.test[0]
        if scores is not None:
            yield _flow_row(split, None, scores, np.ones(len(scores), dtype=bool), reason)
        else:
            yield FlowRow(split, None, sizes[split], None, NOT_KEPT)
        for index, label in enumerate(classes):
            if scores is not None:
                yield _flow_row(split, label, scores, scores.y_true == index, reason)
            elif split in run.split.classes:
                yield FlowRow(split, label, run.split.classes[split][index], None, NOT_KEPT)
            elif run.spec.protocol.sampling.balanced and run.spec.fold is None and sizes[split] % len(classes) == 0:
                share = "half" if len(classes) == 2 else f"1/{len(classes)}"
                count = sizes[split] // len(classes)
                yield FlowRow(split, label, count, None, f"{share} of the split, balanced; {NOT_KEPT}")
            else:
                yield FlowRow(split, label, None, None, NOT_KEPT)


def _flow_row(
    split: str, label: str | None, scores: AnyScores, which: npt.NDArray[np.bool_], reason: str = NO_PATIENTS
) -> FlowRow:
    images = int(np.count_nonzero(which))
    if scores.patient is None:
        return FlowRow(split, label, images, None, reason)
    patients = {name for name, here in zip(scores.patient, which, strict=True) if here}
    return FlowRow(split, label, images, len(patients))


def _facts(runs: Sequence[Run], first: Run) -> Iterator[Fact]:
    protocol, data = first.spec.protocol, first.spec.dataset
    kind = "SYNTHETIC images drawn by the program" if data.synthetic else "images of the source, unchanged"
    yield Fact("data", f"{data.title}, source {data.source}; {kind}; fingerprint {data.fingerprint[:16]}")
    yield Fact("data", f"classes {_classes(data)}; labels are those of the source")
    if (scale := levels_line(data.levels or {})) is not None:
        yield Fact("data", f"grey levels: {scale}")
    for line in choice_lines(protocol):
        yield Fact("protocol", f"auto chose {line}")
    yield from _split_facts(runs, protocol)
    yield from _preparation(runs, protocol)
    yield from _selection(runs, protocol)
    yield from _seeds(runs, protocol)
    yield from _environments(runs)


def _classes(data: DatasetFacts) -> str:
    if len(data.classes) == 2:
        return f"{' and '.join(data.classes)}, the second one positive"
    return listed(data.classes) + (", whose order is a scale" if data.ordered else "")


def _split_facts(runs: Sequence[Run], protocol: Protocol) -> Iterator[Fact]:
    balance = "the same number of each class" if protocol.sampling.balanced else "classes in their natural balance"
    origin = f"one split from split seed {protocol.split_seed} for all seeds"
    if protocol.split == "per-seed":
        origin = f"a separate split for each seed, from split seed {protocol.split_seed} and the seed"
    if protocol.test_folds is not None:
        seed = f"split seed {protocol.split_seed}" + (" and the seed" if protocol.split == "per-seed" else "")
        origin = (
            f"{protocol.test_folds}-fold cross-validation, folds from {seed}: each image is tested once, by the model "
            "of its fold, whose threshold and calibration are from validation images of this fold"
        )
    if (where := hold_out_text(runs[0].spec.dataset)) is not None:
        yield Fact("split", f"{where}; validation is drawn from the images to train on")
    yield Fact("split", f"{separation(runs[0].spec.dataset)}; {balance}; {origin}")
    prints = dict.fromkeys(run.split.fingerprint[:16] for run in runs)
    yield Fact("split", f"fingerprint {', '.join(prints)}")


def separation(data: DatasetFacts) -> str:
    """How the splits of a data set are kept disjoint, in words."""
    if data.patients_unknown:
        return (
            "by image: no identical image is in two splits; patients are not known, so images of one patient may be in "
            "several splits"
        )
    line = data.patients.line() if data.patients is not None else None
    return "by patient: no patient and no identical image is in two splits" + (f"; {line}" if line else "")


def _preparation(runs: Sequence[Run], protocol: Protocol) -> Iterator[Fact]:
    yield Fact("preprocessing", f"images resized to {protocol.image_size} x {protocol.image_size} px")
    for text, names in _by_text(runs, lambda card: PREPROCESSING[card.recipe.preprocessing]).items():
        yield Fact("preprocessing", f"{text}: {names}")
    for text, names in _by_text(runs, lambda card: augmentation_in_words(card.recipe.augmentation)).items():
        yield Fact("augmentation", f"{text}: {names}")
    views = "new in every epoch" if protocol.views == "fresh" else f"{protocol.views}, reused over epochs"
    yield Fact("augmentation", f"augmented views per training image: {views}; view seed {protocol.view_seed}")


def _selection(runs: Sequence[Run], protocol: Protocol) -> Iterator[Fact]:
    if protocol.max_epochs is not None:
        yield Fact("selection", f"each phase of a recipe has at most {plural(protocol.max_epochs, 'epoch')}")
    for text, names in _by_text(runs, kept_weights).items():
        yield Fact("selection", f"{text}: {names}")
    for text, names in _probes(runs).items():
        yield Fact("selection", f"{text}: {names}")
    for run in runs:
        if run.members:
            name = f"{run.spec.card.name}, seed {run.spec.seed_text}"
            yield Fact("selection", f"{name}: averages {weights_in_words(run)}")
    yield Fact("selection", "every card of the store is reported; none was selected by its test figures")
    if is_multiclass(runs[0]):
        yield Fact("decision", f"{protocol.decision.in_words()}; the test split is scored once, after training")
    else:
        yield Fact("threshold", f"{protocol.threshold.in_words()}; the test split is scored once, after training")
    yield Fact(
        "calibration",
        "fitted on validation scores alone; rolled back where it does not lower the cross-fitted validation log loss",
    )


def _seeds(runs: Sequence[Run], protocol: Protocol) -> Iterator[Fact]:
    seeds: dict[str, list[int]] = {}
    cards = {run.spec.card.name: run.spec.card for run in runs}
    for run in runs:
        seeds.setdefault(run.spec.card.name, []).append(run.spec.seed)
    names_by_seeds: dict[tuple[int, ...], list[str]] = {}
    for name, of_card in seeds.items():
        names_by_seeds.setdefault(tuple(sorted(of_card)), []).append(name)
    for numbers, names in names_by_seeds.items():
        which = "every card" if len(names_by_seeds) == 1 else ", ".join(names)
        yield Fact("seeds", f"{seed_list(numbers)}: {which}")
    yield Fact("seeds", "a seed determines initial weights, dropout, batch order and the order of views")
    repeated = [name for name, of_card in seeds.items() if len(of_card) > 1]
    probes = [name for name in repeated if isinstance(cards[name].recipe, ProbeRecipe)]
    if probes and protocol.split == "fixed":
        yield Fact("seeds", f"{DETERMINISTIC}: {', '.join(probes)}")
    if not all(card.members for card in cards.values()):
        yield Fact("precision", f"frozen layers in {protocol.precision}" + _precisions(runs, protocol))
    if protocol.training_precision != "float32":
        yield Fact("precision", f"training steps in {protocol.training_precision}, scores in float32")
    for text, of_cards in _computations(runs).items():
        yield Fact("precision", f"{text}: {of_cards}")


def weights_in_words(run: Run) -> str:
    """The members of an ensemble that count, with their weights: `a (0.75) and b (0.25)`."""
    return listed([f"{member.card} ({member.weight:.2f})" for member in run.members if member.weight])


def members_in_words(run: Run) -> list[str]:
    """One line per member of an ensemble: its weight and its log loss on validation."""
    return [
        f"{member.card}: weight {member.weight:.2f}; validation log loss {member.log_loss:.3f}"
        for member in run.members
    ]


def _probes(runs: Sequence[Run]) -> dict[str, str]:
    """How probes were fitted, with the names and the seeds of their runs."""
    runs_by_text: dict[str, dict[str, list[int]]] = {}
    for run in runs:
        if run.probe is not None:
            text = "; ".join([run.probe.in_words(), *run.probe.notes])
            runs_by_text.setdefault(text, {}).setdefault(run.spec.card.name, []).append(run.spec.seed)
    return {
        text: ", ".join(f"{name} ({seed_list(sorted(seeds))})" for name, seeds in by_card.items())
        for text, by_card in runs_by_text.items()
    }


def _precisions(runs: Sequence[Run], protocol: Protocol) -> str:
    used = sorted({run.environment.precision for run in runs if run.environment})
    return f", which was {', '.join(used)}" if protocol.precision == "auto" and used else ""


def _computations(runs: Sequence[Run]) -> dict[str, str]:
    """How frozen layers and wide convolutions were computed and why, with the names of the cards, where recorded."""
    names_by_text: dict[str, list[str]] = {}
    for run in runs:
        prefix = run.environment.prefix_in_words() if run.environment else None
        if prefix is not None:
            names_by_text.setdefault(f"computed by {prefix}", []).append(run.spec.card.name)
    for run in runs:
        convolutions = run.environment.convolutions_in_words() if run.environment else None
        if convolutions is not None:
            names_by_text.setdefault(f"wide convolutions in training {convolutions}", []).append(run.spec.card.name)
    return {text: ", ".join(dict.fromkeys(names)) for text, names in names_by_text.items()}


def _environments(runs: Sequence[Run]) -> Iterator[Fact]:
    environments = [run.environment for run in runs if run.environment is not None]
    commits: dict[str, list[str]] = {}
    for environment in environments:
        versions = ", ".join(f"{name} {version}" for name, version in environment.versions.items())
        commits.setdefault(versions, []).append(environment.commit or UNKNOWN)
    for versions, of_runs in commits.items():
        yield Fact("versions", f"{versions}; commit {', '.join(dict.fromkeys(of_runs))}")
    for text in dict.fromkeys(map(_machine, environments)):
        yield Fact("hardware", text)
    for origin in sorted({environment.weights for environment in environments if environment.weights}):
        yield Fact("pretrained weights", origin)
    yield from _pretraining(runs)


def _pretraining(runs: Sequence[Run]) -> Iterator[Fact]:
    """What the weights were pretrained on, and what that means for photographs; nothing where no builder states it."""
    names_by_text: dict[str, list[str]] = {}
    for run in runs:
        if (text := pretrained_on(run.spec.card)) is not None:
            names_by_text.setdefault(text, []).append(run.spec.card.name)
    for text, names in names_by_text.items():
        fact = f"{text}: {', '.join(dict.fromkeys(names))}"
        if not runs[0].spec.dataset.synthetic:
            fact += "; if images of these data are from there too, the weights may have seen some of the test images"
        yield Fact("pretraining", fact)


def pretrained_on(card: ModelCard) -> str | None:
    """The images on which the weights of a card were pretrained, in words; None without, or if that is not known."""
    try:
        weights = get_builder(card.model.builder).weights_of(card.model.params)
    except ConfigError:  # a stored run may need a package that is not installed
        return None
    return None if weights is None else weights.pretrained_on


def _machine(e: Environment) -> str:
    cores, threads = plural(e.cores, "core"), plural(e.threads, "thread")
    return f"{e.platform}; {e.processor}, {cores}, {threads} per run, {e.memory_gib} GiB memory"


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


def _by_text(runs: Sequence[Run], describe: Callable[[ModelCard], str]) -> dict[str, str]:
    """Each description with the names of the cards that it applies to, or "every card"."""
    cards = {run.spec.card.name: run.spec.card for run in runs}
    by_text: dict[str, list[str]] = {}
    for name, card in cards.items():
        by_text.setdefault(describe(card), []).append(name)
    return {text: "every card" if len(by_text) == 1 else ", ".join(names) for text, names in by_text.items()}
