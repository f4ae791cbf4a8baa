"""`zoo export`: a kept model in a folder that needs no zoo."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.options import RunArgument, StoreOption, out, warn

if TYPE_CHECKING:
    from benchmark.runs.run import Run
    from benchmark.runs.storage.store import Store

_BUILDING = ".zoo-export-"  # in a folder of the user's, where nothing else is called so


def command(
    name: RunArgument,
    store: StoreOption = Path("runs"),
    out_dir: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="A folder that is not there yet; CARD-SEED if left out.")
    ] = None,
) -> None:
    """Write a folder: the model as Keras and ONNX, threshold and calibration, a model card, a short example."""
    from benchmark.runs.storage.lookup import resolve_run
    from benchmark.runs.storage.store import Store
    from zoo.config.strict_yaml import ConfigError

    kept = Store(store)
    run = resolve_run(kept, name, warn)
    folder = out_dir or Path(f"{run.spec.card.name}-{run.spec.seed}")
    if folder.exists():
        raise ConfigError(f"--out {folder}: is there already; remove it, or give another folder")
    for path in _write(run, kept, folder):
        out().print(f"wrote {path}", markup=False, soft_wrap=True)


def _write(run: Run, store: Store, folder: Path) -> list[Path]:
    """The files of `folder`, which is built beside its place and renamed into it: whole or not there."""
    from benchmark.runs.deployment.decision_rule import decider_of
    from benchmark.runs.deployment.model_files import maker_of, model_of
    from benchmark.training.quiet import load_keras
    from reports.export.decision_file import Written, decision_document, example
    from reports.export.model_card import model_card
    from zoo.config.atomic import atomic_folder, write_text
    from zoo.config.leftovers import sweep

    model = model_of(run, store)  # one that is missing is told before Keras is loaded
    load_keras()
    import benchmark.training.backend as backend
    from benchmark.training.use.export import check_installed, write_onnx
    from benchmark.training.use.model_file import load_model

    check_installed()
    backend.prepare_process(run.spec.seed, os.cpu_count() or 1)
    decider = decider_of(run, store)
    folder.parent.mkdir(parents=True, exist_ok=True)
    sweep(folder.parent, f"{_BUILDING}*")
    with atomic_folder(folder, prefix=_BUILDING) as building:
        shutil.copyfile(model, building / "model.keras")
        written = Written(asdict(write_onnx(load_model(model, maker_of(run)), building / "model.onnx")))
        document = json.dumps(decision_document(run, decider, written), indent=2, ensure_ascii=False)
        write_text(building / "decision.json", document)
        write_text(building / "README.md", model_card(run, store, decider, written))
        write_text(building / "example.py", example(decider, written))
    return sorted(folder.iterdir())
