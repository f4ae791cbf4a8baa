"""Cards that end badly by themselves: a loss that becomes NaN, a builder that hangs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.faults.study import Study, Tally
from tests.support.guests import builder, install
from tests.support.tiny import ROOT

LIMIT_S = 5
NET = """
    inputs = keras.Input(input_shape)
    x = keras.layers.Rescaling(float("nan"))(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(x))
"""


@dataclass(frozen=True)
class Guest:
    """A card of a builder that ends badly.

    Attributes:
        name: What it does.
        body: The body of the builder.
        says: A part of the line that the failed run must have.
        options: Words of the command.
    """

    name: str
    body: str
    says: str
    options: tuple[str, ...] = ()


NAN = Guest("a card whose loss becomes NaN", NET, "the training loss is nan")
HANGING = Guest(
    f"a hanging card, limited to {LIMIT_S} s",
    "    time.sleep(4000)\n",
    f"ended after {LIMIT_S} s (--run-timeout)",
    ("--run-timeout", str(LIMIT_S)),
)


def end_badly(guest: Guest, count: int, folder: Path, whole: Mapping[str, str]) -> Tally:
    """Run a card that ends badly beside one that is sound.

    Args:
        guest: The card.
        count: How many times.
        folder: Where the studies are written.
        whole: The results of an undisturbed study of which the sound card is part.

    Returns:
        What happened. A study is unfinished unless the bad card is a failed row that says why, and different unless the
        sound card has its results.
    """
    tally = Tally(guest.name)
    name = "guest_nan" if guest is NAN else "guest_hanging"
    packages = install(
        folder / name, name.replace("_", "-"), {"zoo.builders": name}, **{name: builder(name, guest.body)}
    )
    variables = {"PYTHONPATH": os.pathsep.join([str(packages), str(ROOT)])}
    for number in range(count):
        study = Study.create(folder / f"{name}-{number}", variables)
        (study.folder / "cards" / "guest.yaml").write_text(
            f"title: A guest\nchange: ends badly\nmodel: {{builder: {name}}}\n"
            "recipe: {optimizer: {name: adam, learning_rate: 0.01}, epochs: 1, batch_size: 16}\n",
            encoding="utf-8",
        )
        code, printed, _ = study.finish("guest", *guest.options)
        tally.faults += 1
        tally.printed(printed)
        tally.look(study, {})
        failed = [run.error or "" for run in study.store.runs()[0] if run.status == "failed"]
        if code != 1 or len(failed) != 1 or guest.says not in failed[0]:
            tally.unfinished += 1
            tally.notes += [f"exit {code}: {line}" for line in (failed or printed.splitlines()[-2:])]
        results = study.results()
        if len(results) != 1 or not results.items() <= whole.items():
            tally.different += 1
            tally.notes.append(f"{study.folder}: the sound card has other results than undisturbed")
    return tally
