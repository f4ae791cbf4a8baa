"""`zoo.export`: writes a stored model to a folder that works without zoo."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmark.runs.deployment.batch import reference_of
from benchmark.runs.deployment.model_files import REFERENCE, averaged_in_words, maker_of, model_of, outputs_of
from benchmark.runs.deployment.multiclass import any_decider_of
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from benchmark.training.quiet import load_keras
from reports.export import standalone
from reports.export.decision_file import ExportedModel, decision_document, example
from reports.export.model_card import model_card
from zoo.api.arguments.inputs import PathLike, resolve_run, resolve_store
from zoo.api.arguments.rules import under_rule
from zoo.api.output.messages import Messages, OnMessage, silent
from zoo.api.output.tables import html_table
from zoo.config.arguments import path
from zoo.config.atomic import atomic_folder, write_text
from zoo.config.cgroups import usable_cores
from zoo.config.errors import ConfigError
from zoo.config.leftovers import sweep

_BUILDING = ".zoo-export-"  # unique enough for a folder of the user


@dataclass(frozen=True)
class ExportResults:
    """An exported model.

    Attributes:
        run: The run that trained the model.
        paths: The files written, all in one folder.
        messages: Lines that begin with `warning:` or `note:`.
    """

    run: Run
    paths: tuple[Path, ...]
    messages: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        return html_table(f"Model of the run {self.run.run_id}", ("file",), [[path] for path in self.paths])


def export(
    run: str | Run,
    *,
    store: PathLike | Store = "runs",
    data: PathLike | None = None,
    protocol: str | None = None,
    threshold_rule: str | None = None,
    decision: str | None = None,
    out: PathLike | None = None,
    container: bool = False,
    on_message: OnMessage = silent,
) -> ExportResults:
    """Write the model as Keras and ONNX, threshold and calibration, what recognises unlike images and a drift of a
    batch, a model card and an example, as `zoo export` does.

    Args:
        run: As in `predict`.
        store: The folder that contains the runs, or a Store.
        data: As in `predict`.
        protocol: As in `predict`.
        threshold_rule: As in `predict`.
        decision: As in `predict`.
        out: A new folder; None takes CARD-SEED, with -foldN for a fold of a cross-validation.
        container: Whether to write a service and a Containerfile too.
        on_message: Called with each warning when it arises; the result collects them too.

    Returns:
        The files of the folder, which is complete or does not exist.

    Raises:
        ConfigError: The run is unknown, its model was not stored, `out` exists, or a library is not installed.
        OSError: `out` cannot be written.
    """
    source, messages = resolve_store(store), Messages(on_message)
    chosen = under_rule(resolve_run(run, source, messages, data, protocol), source, threshold_rule, decision, messages)
    spec = chosen.spec
    fold = "" if spec.fold is None else f"-fold{spec.fold[1] + 1}"
    folder = path("out", out) if out is not None else Path(f"{spec.card.name}-{spec.seed}{fold}")
    if folder.exists():
        raise ConfigError(f"--out {folder}: already exists; remove it, or give another folder")
    _write(chosen, source, folder, container)
    return ExportResults(chosen, tuple(sorted(folder.iterdir())), messages.lines())


def _write(run: Run, store: Store, folder: Path, container: bool) -> None:
    if (averaged := averaged_in_words(run)) is not None:
        raise ConfigError(
            f"the run {run.run_id} ({run.spec.card.name} seed {run.spec.seed}) averages: a score is {averaged}; an "
            "exported folder has one model that scores the unchanged image; use zoo predict, zoo evaluate or zoo serve"
            + (", or export a member" if run.members else "")
        )
    model = model_of(run, store)  # reports a missing model before Keras is loaded
    load_keras()
    import benchmark.training.backend as backend
    from benchmark.training.use.export import check_installed, write_onnx
    from benchmark.training.use.model_file import load_model

    check_installed()
    if backend.name() != "tensorflow":
        raise ConfigError(
            f"KERAS_BACKEND={backend.name()}: ONNX is written by TensorFlow; export with KERAS_BACKEND=tensorflow, "
            "which reads models of every backend"
        )
    backend.prepare_process(run.spec.seed, usable_cores())
    decider = any_decider_of(run, store)
    folder.parent.mkdir(parents=True, exist_ok=True)
    sweep(folder.parent, f"{_BUILDING}*")
    with atomic_folder(folder, prefix=_BUILDING) as building:
        shutil.copyfile(model, building / "model.keras")
        trained = load_model(model, maker_of(run), outputs_of(run))
        exported = ExportedModel(asdict(write_onnx(trained, building / "model.onnx")))
        val = store.binary_scores(run, "val") if len(decider.classes) == 2 else None
        document = json.dumps(decision_document(run, decider, exported, val), indent=2, ensure_ascii=False)
        write_text(building / "decision.json", document)
        write_text(building / "README.md", model_card(run, store, decider, exported))
        write_text(building / "example.py", example(decider, exported))
        write_text(building / "unlike.py", standalone.unlike())
        write_text(building / "drift.py", standalone.drift())
        if (reference := model.with_name(REFERENCE)).is_file():
            shutil.copyfile(reference, building / "novelty.npz")
        write_text(building / "validation.json", json.dumps(asdict(reference_of(run, store, decider))))
        write_text(building / "requirements.txt", standalone.REQUIREMENTS)
        if container:
            write_text(building / "service.py", standalone.service())
            write_text(building / "serve.py", standalone.SERVE)
            needed = {path.name for path in building.iterdir()} - {"model.keras", "README.md", "requirements.txt"}
            write_text(building / "requirements-serve.txt", standalone.SERVE_REQUIREMENTS)
            write_text(building / "Containerfile", standalone.containerfile(needed))
