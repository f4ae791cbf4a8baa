"""`zoo show` and what stands beside an export, from stored runs without models; refusals of `predict` and `export`."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console, RenderableType

from benchmark.evidence.calibration.calibrators import METHODS, Calibrator, calibrate
from benchmark.evidence.diagnosis.reference import OODReference, ood_reasons
from benchmark.evidence.thresholds.choice import Threshold
from benchmark.runs.deployment.decision_rule import DecisionRule, decider_of
from benchmark.runs.deployment.model_files import command_that_keeps, read_references, write_references
from benchmark.runs.storage.store import Store
from reports.export.decision_file import ExportedModel, decision_document, example
from reports.export.decision_file import formula as formula_of
from reports.export.model_card import model_card
from reports.render.terminal.predictions import predictions_csv, predictions_table
from reports.render.terminal.show import run_document, run_view
from tests.support.records import PHANTOM, make_card, make_run, on_val, planted
from tests.support.stored import believed, keep
from tests.support.tiny import write_protocol
from tests.zoo.cli import test_app as test_zoo_cli
from tests.zoo.cli.test_app import Zoo

zoo = test_zoo_cli.zoo
HOSTILE = "<script>alert(1)</script> [x](javascript:alert(1)) | `code` \x1b[31m [bold]é"
ONNX = {
    "opset": 17,
    "input": "pixels",
    "output": "score",
    "size": 64,
    "channels": 1,
    "difference": 1e-7,
    "checked": 16,
    "lowered": False,
    "lowered_difference": None,
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "runs")
    keep(store, "attempt-1")
    keep(store, "attempt-7", seed=3, dataset=PHANTOM)
    return store


def shown(store: Store, card: str, width: int) -> str:
    run = next(run for run in store.runs()[0] if run.spec.card.name == card)
    return printed(run_view(run, store, width), width)


def printed(renderable: RenderableType, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    with console.capture() as said:
        console.print(renderable)
    return said.get()


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_run_is_shown_whole_at_any_width(store: Store, width: int) -> None:
    text = shown(store, "attempt-7", width)
    assert max(map(len, text.splitlines())) <= width
    run = store.runs()[0][1]
    for figures in (run.figures(), run.figures(chosen=True), run.figures("val"), run.figures("val", True)):
        found = figures["recall"]
        assert f"{found.value:.3f}" in text
        assert f"[{found.low:.3f}, {found.high:.3f}]" in text
    for part in ("Figures", "Threshold and calibration", "Diagnosis", "Learning curve", "Recipe", "Methods and costs"):
        assert f"\n{part} --" in text
    assert "SYNTHETIC" in text
    assert "0.690" in text  # the highest loss labels the curve
    assert "model not stored; store it with" in text


def test_the_document_is_the_record_and_more(zoo: Zoo, store: Store) -> None:
    answer = zoo("show", "attempt-1", "--store", store.root, "--json")
    document = json.loads(answer.out)
    run = store.runs()[0][0]
    assert document["record"] == json.loads(run.model_dump_json())
    assert document["model"] is None
    assert len(document["history"]) == 3
    assert document == json.loads(json.dumps(run_document(run, store)))


def test_a_failed_run_says_why(zoo: Zoo, store: Store) -> None:
    store.save(make_run("attempt-2", error="the loss [is] nan"))
    answer = zoo("show", "attempt-2", "--store", store.root)
    assert answer.code == 0
    assert "FAILED: the loss [is] nan" in answer.out
    assert json.loads(zoo("show", "attempt-2", "--store", store.root, "--json").out)["calibration"] is None


@pytest.mark.parametrize("command", ["predict", "export"])
def test_a_model_that_was_not_kept_names_the_command_that_keeps_it(zoo: Zoo, store: Store, command: str) -> None:
    more = [store.root / "store.json"] if command == "predict" else []
    answer = zoo(command, "attempt-7:3", *more, "--store", store.root)
    assert answer.code == 2
    assert answer.out == ""
    assert answer.err.endswith(
        "was not kept; keep it with: zoo bench attempt-7 --keep-models --data phantom --protocol quick --seeds 4 "
        f"--store {store.root}\n"
    )


def test_a_protocol_of_the_users_own_is_named_as_a_file(store: Store) -> None:
    run = store.runs()[0][0]
    own = run.spec.protocol.model_copy(update={"name": "mine"})
    mine = run.model_copy(update={"spec": run.spec.model_copy(update={"protocol": own})})
    assert "--protocol mine.yaml " in command_that_keeps(mine, store)
    changed = run.spec.protocol.model_copy(update={"image_size": 32})
    other = run.model_copy(update={"spec": run.spec.model_copy(update={"protocol": changed})})
    assert "--protocol quick.yaml " in command_that_keeps(other, store)


def test_a_failed_run_has_no_model_to_use(zoo: Zoo, store: Store) -> None:
    store.save(make_run("attempt-2", error="boom"))
    answer = zoo("predict", "attempt-2", store.root, "--store", store.root)
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "failed: boom" in answer.err


@pytest.mark.parametrize("name", ["missing.png", "empty"])
def test_a_path_without_images_is_refused(zoo: Zoo, store: Store, tmp_path: Path, name: str) -> None:
    run = store.runs()[0][0]
    store.model_file(run).write_bytes(b"never opened")
    (tmp_path / "empty").mkdir()
    with believed(store, run):
        answer = zoo("predict", "attempt-1", tmp_path / name, "--store", store.root)
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert str(tmp_path / name) in answer.err


def test_keeping_models_runs_again_what_has_none(zoo: Zoo, tmp_path: Path) -> None:
    rules, root = write_protocol(tmp_path / "p.yaml"), tmp_path / "runs"
    common = ("bench", "attempt-1", "--protocol", rules, "--store", root, "--dry-run")
    first = zoo(*common)
    from benchmark.data.sources import open_dataset
    from benchmark.runs.plan import make_plan
    from benchmark.runs.protocol import load_protocol
    from zoo.models.catalog import load_cards, select

    (spec,) = make_plan(select(load_cards(), ["attempt-1"]), load_protocol(str(rules)), open_dataset("phantom")).specs
    assert spec.run_id in first.out
    store = Store(root)
    run = make_run("attempt-1").model_copy(update={"spec": spec})
    store.save(run)
    assert "0 to run, 1 reused" in zoo(*common).out
    again = zoo(*common, "--keep-models").out
    assert "1 to run, 0 reused" in again
    assert spec.run_id in again
    store.model_file(run).write_bytes(b"kept")
    assert "0 to run, 1 reused" in zoo(*common, "--keep-models").out


def decider(method: str, threshold: float | None = 0.4) -> DecisionRule:
    labels, scores = planted(60, 60, 1.0, seed=1)
    val = on_val(labels, [score**4 / (score**4 + (1 - score) ** 4) for score in scores])  # too sure of themselves
    calibrator = Calibrator("platt", accepted=False, reason="no") if method == "none" else calibrate(val, method)
    assert calibrator.accepted == (method != "none")
    reason = None if threshold is not None else "all scores are the same"
    return DecisionRule(("NORMAL", "PNEUMONIA"), Threshold(threshold, "youden", reason), calibrator)


@pytest.mark.parametrize("method", [*METHODS, "none"])
def test_the_example_calculates_the_same_probability(method: str) -> None:
    read = decider(method)
    written = ExportedModel(ONNX)
    (line,) = re.findall(r"probability = (.*)\n", example(read, written))
    facts = json.loads(json.dumps(decision_document(make_run(), read, written)))
    for score in (0.0, 1e-9, 0.2, 0.4, 0.5, 0.999, 1.0):
        found = eval(line, {"np": np, "facts": facts, "score": score})
        assert found == pytest.approx(read.probability(score), abs=1e-12)


@pytest.mark.parametrize("method", [*METHODS, "none"])
def test_the_printed_formula_calculates_the_same_probability(method: str) -> None:
    calibrator = decider(method).calibrator
    formula, _, logit = formula_of(calibrator).removeprefix("probability = ").partition(", x = ")
    functions = {"exp": np.exp, "log": np.log, "clip": np.clip, "interp": np.interp}
    for score in (0.0, 1e-9, 0.2, 0.4, 0.5, 0.999, 1.0):
        names = {**functions, "score": score, "knots_x": calibrator.knots_x, "knots_y": calibrator.knots_y}
        if logit:
            x, clipped = logit.split(", s = ")
            names["s"] = eval(clipped, names)
            names["x"] = eval(x, names)
        assert eval(formula, names) == pytest.approx(calibrator.probability(score), abs=1e-12)


def test_the_example_is_short_and_says_where_there_is_no_threshold() -> None:
    written = ExportedModel(ONNX)
    code = example(decider("platt"), written)
    assert len([line for line in code.splitlines()[1:] if line]) <= 48
    assert "no threshold" in example(decider("platt", None), written)
    compile(code, "example.py", "exec")


def test_the_decision_is_on_the_raw_score_whatever_the_calibration() -> None:
    for method in (*METHODS, "none"):
        read = decider(method)
        assert [read.decide(score) for score in (0.3999, 0.4, 0.9)] == ["NORMAL", "PNEUMONIA", "PNEUMONIA"]
        assert read.calibrated_threshold == pytest.approx(read.probability(0.4))
    assert decider("platt", None).decide(0.9) is None
    assert decider("platt", None).calibrated_threshold is None


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    card = make_card("attempt-1", title=HOSTILE[:200], change=HOSTILE)
    classes = ("NORMAL", "<img src=x onerror=alert(1)>|`")
    data = PHANTOM.model_copy(update={"classes": classes, "title": HOSTILE, "source": HOSTILE})
    store = Store(tmp_path / "runs")
    run = keep(store, card, dataset=data)
    text = model_card(run, store, decider_of(run, store), ExportedModel(ONNX))
    assert "<script" not in text
    assert "<img" not in text
    assert "[x](" not in text
    assert "\x1b" not in text
    heads = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in heads}) == 1
    terminal = shown(store, "attempt-1", 120)
    assert "\x1b" not in terminal
    assert "[bold]" in terminal


def test_the_model_card_says_what_it_is_not_for_and_how_well_it_did(store: Store) -> None:
    run = store.runs()[0][1]
    text = model_card(
        run, store, decider_of(run, store), ExportedModel({**ONNX, "lowered": True, "lowered_difference": 2e-3})
    )
    for needed in ("Not for clinical use", "SYNTHETIC", "## Intended use", "## Limits", "bfloat16", "0.002"):
        assert needed in text
    recall = run.figures("test", True)["recall"]
    assert f"{recall.value:.3f} [{recall.low:.3f}, {recall.high:.3f}]" in text


def test_references_are_kept_as_plain_arrays(tmp_path: Path) -> None:
    reference = OODReference(np.array([[1.0, 2.0], [3.0, 4.0]]), np.eye(2), 2.0, 0.01, 120)
    write_references(tmp_path / "reference.npz", {"grey": reference, "features": reference})
    back = read_references(tmp_path / "reference.npz")
    assert list(back) == ["grey", "features"]
    assert back["grey"].distances(np.array([[1.0, 5.0]])) == pytest.approx([5**0.5])
    assert (back["grey"].limit, back["grey"].share, back["grey"].images) == (2.0, 0.01, 120)
    assert read_references(tmp_path / "none.npz") == {}
    rows: dict[str, Any] = {"grey": np.array([[1.0, 5.0]]), "features": np.array([[1.0, 2.0]])}
    assert ood_reasons(back, rows, colour=True, channels=3) == ("grey levels 1.12 times the limit",)
    assert ood_reasons(back, rows, colour=True, channels=1)[0].startswith("in colour")


def test_a_prediction_row_shows_hostile_file_names(store: Store) -> None:
    from benchmark.runs.deployment.decision_rule import Prediction

    run = store.runs()[0][0]
    name = 'a"b,[red]\x1b[31m.png'
    rows = [Prediction(name, 0.5, 0.25, "NORMAL"), Prediction(name, error="cut\noff")]
    text = printed(predictions_table(run, decider("platt"), rows), 120)
    assert "\x1b" not in text
    assert "[red]" in text
    assert "no prediction: cut off" in text
    assert predictions_csv(run, decider("platt"), rows).count("\n") == 3


def test_a_model_that_is_not_the_run_s_is_told_and_not_offered(zoo: Zoo, store: Store) -> None:
    run = store.runs()[0][0]
    store.model_file(run).write_bytes(b"from elsewhere")
    told = " ".join(zoo("show", run.run_id, "--store", store.root).out.split())
    assert "model stored but not usable: " in told
    assert "model.keras: was not saved with the run" in told
    assert "`zoo predict" not in told
    document = json.loads(zoo("show", run.run_id, "--store", store.root, "--json").out)
    assert "was not saved with the run" in document["model_problem"]


@pytest.mark.parametrize("command", ["show", "predict", "export"])
def test_a_damaged_run_is_told_by_what_is_wrong_with_it(zoo: Zoo, store: Store, command: str) -> None:
    run = store.runs()[0][0]
    (store.folder(run.run_id) / "predictions.parquet").write_bytes(b"")
    more = [store.root / "store.json"] if command == "predict" else []
    answer = zoo(command, run.run_id, *more, "--store", store.root)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "predictions.parquet: is not the file that was saved with the run" in answer.err
    assert "Unknown run" not in answer.err
