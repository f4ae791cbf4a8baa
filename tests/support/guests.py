"""Packages of plug-ins as pip would leave them in a folder, and the command that sees them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support import tiny
from tests.support.forked import run_forked
from tests.support.tiny import ROOT

CARD = (
    "title: A guest\nchange: something\nmodel: {{builder: {builder}}}\n"
    "recipe: {{optimizer: {{name: adam, learning_rate: 0.01}}, epochs: 1, batch_size: 16}}\n"
)
"""A card of the builder `builder`."""
NET = """
    inputs = keras.Input(input_shape)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3)(inputs))
    return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(x))
"""
"""The rest of a builder that builds."""


def install(folder: Path, name: str, points: Mapping[str, str], **files: str) -> Path:
    """Put a distribution `name` into `folder`: modules `files` by name, and `points`, a module by entry-point group."""
    folder.mkdir(exist_ok=True)
    for module, text in files.items():
        (folder / f"{module}.py").write_text(text, encoding="utf-8")
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    lines = [f"[{group}]\n{name} = {module}\n" for group, module in points.items()]
    (info / "entry_points.txt").write_text("".join(lines), encoding="utf-8")
    return folder


def builder(name: str, body: str, *, minimum_size: str = "1") -> str:
    """The source of a builder `name` whose function's body is `body`."""
    return (
        "from zoo import register_builder\n\n\n"
        f"@register_builder({name!r}, minimum_size={minimum_size})\n"
        f"def {name}(input_shape):\n    'A guest.'\n    import os, signal, subprocess, sys, time\n"
        f"    import keras, numpy\n{body}\n"
    )


def write_cards(folder: Path, *builders: str) -> Path:
    """A folder with a card for each of `builders`, of the same name."""
    folder.mkdir(exist_ok=True)
    for name in builders:
        (folder / f"{name.replace('_', '-')}.yaml").write_text(CARD.format(builder=name), encoding="utf-8")
    return folder


def environment(packages: Path, cache: Path) -> dict[str, str]:
    """The variables of a process that sees this checkout and `packages`, with a cache of its own."""
    return tiny.environment(cache) | {"PYTHONPATH": os.pathsep.join([str(packages), str(ROOT)])}


def zoo(packages: Path, cache: Path, *arguments: str, cwd: Path, **more: Any) -> subprocess.CompletedProcess[str]:
    """`zoo` that sees `packages`: in a fork, or as `python -m zoo` with options of `subprocess.run`."""
    if not more:
        return run_forked(arguments, cwd, environment(packages, cache))
    return subprocess.run(
        [sys.executable, "-m", "zoo", *arguments],
        cwd=cwd,
        env=environment(packages, cache),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        **more,
    )
