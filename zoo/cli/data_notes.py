"""What commands say of the data they opened, before anything is computed on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from benchmark.data.dataset import Dataset
    from benchmark.runs.run import Run
    from zoo.models.card import ModelCard


def opened(source: str, patients: str | None, positive: str | None, data_is: str | None = None) -> Dataset:
    """The data set `source` as the options say. Raises DataError."""
    from benchmark.data.sources import open_dataset

    dataset = open_dataset(source, patient_pattern=patients, positive=positive)
    if data_is is None:
        return dataset
    from zoo.config.strict_yaml import ConfigError

    if dataset.synthetic:
        raise ConfigError(f"--data-is {data_is}: {source} is drawn by the program; --data-is is for real images")
    return replace(dataset, known_as=data_is)


def tell_notes(console: Console, dataset: Dataset, cards: Iterable[ModelCard] = ()) -> None:
    """Print on `console` what to know of `dataset` before its figures are read, a line each; `cards` are those that
    will run on it."""
    from benchmark.data.decoding.formats import formats
    from benchmark.data.positive_class import positive_warning
    from benchmark.runs.run import DatasetFacts
    from reports.claims.model import built_in_sources
    from reports.results.recognised import identity_line
    from reports.text import one_line

    facts = DatasetFacts.of(dataset)
    if (warning := positive_warning(dataset.classes, dataset.positive)) is not None:
        console.print(f"warning: {warning}", markup=False, soft_wrap=True)
    named = {card.source.data for card in cards if card.source is not None}
    if facts.known_as is not None and facts.known_as not in {*named, *(each.data for each in built_in_sources())}:
        console.print(
            f"note: no card that runs and no built-in claims are about {facts.known_as} (--data-is)",
            markup=False,
            soft_wrap=True,
        )
    if (count := len(dataset.problems)) > 0:
        files = "1 file is" if count == 1 else f"{count} files are"
        console.print(f"warning: {files} left out; `zoo data` lists them", markup=False, soft_wrap=True)
    stored = formats(dataset)
    on_files = stored.warnings if stored is not None else ()
    for note in (*dataset.notes, *on_files, *filter(None, [identity_line(facts)])):
        console.print(f"note: {one_line(note)}", markup=False, soft_wrap=True)


def stated(runs: Iterable[Run], data_is: str) -> list[Run]:
    """`runs` on images from outside the program, said to have seen the data set `data_is`. Raises ConfigError when
    they saw several."""
    from zoo.config.strict_yaml import ConfigError

    held = list(runs)
    real = {run.spec.dataset.fingerprint: run.spec.dataset for run in held if not run.spec.dataset.synthetic}
    if len(real) != 1:
        what = ", ".join(facts.source for facts in real.values()) or "synthetic images only"
        raise ConfigError(f"--data-is {data_is}: the runs must be on one data set; the store has runs on {what}")
    return [run if run.spec.dataset.synthetic else saying(run, data_is) for run in held]


def saying(run: Run, data_is: str) -> Run:
    """`run`, said to have seen the data set `data_is`."""
    facts = run.spec.dataset.model_copy(update={"known_as": data_is})
    return run.model_copy(update={"spec": run.spec.model_copy(update={"dataset": facts})})
