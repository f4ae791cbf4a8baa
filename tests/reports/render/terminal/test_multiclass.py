"""What the terminal shows of three and of ten classes, as it was read and approved, at every width.

After an intended change, `ZOO_GOLDEN=write pytest tests/reports/render/terminal/test_multiclass.py` rewrites the files;
read the difference before committing it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from rich.console import Group, RenderableType

from benchmark.runs.decision_rule import DecisionRule
from benchmark.runs.protocol import load_protocol
from benchmark.runs.storage.store import Store
from reports.render.terminal.comparison import answers, comparison_tables
from reports.render.terminal.multiclass import matrix_lines
from reports.render.terminal.runs import runs_table, status_line
from reports.render.terminal.show import run_document, run_view
from reports.report import build_report
from reports.results.multiclass.figures import ClassMatrix
from tests.reports.render.terminal.test_golden import printed
from tests.support.multiclass_stores import (
    DIGITS,
    WORSE,
    make_multiclass_run,
    on_test,
    on_val,
    simulated,
    ten_classes_in,
)
from tests.support.multiclass_stores import three_classes_in as three_in

GOLDEN = Path(__file__).resolve().parents[3] / "golden"


@pytest.fixture(scope="module", params=["three", "ten"])
def shown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[RenderableType]]:
    with pytest.MonkeyPatch.context() as patch:  # commands name the store
        patch.chdir(tmp_path_factory.mktemp(request.param))
        store = (three_in if request.param == "three" else ten_classes_in)(Path())
        runs, _ = store.runs()
        report = build_report(runs, store.history, scores=store)
        views = [run_view(runs[-1], store, width) for width in (80, 120)]
    compared = Group(comparison_tables(report), answers(report, store.root))
    return request.param, [compared, runs_table(runs), *views]


def test_the_terminal_shows_what_was_read_and_approved(shown: tuple[str, list[RenderableType]]) -> None:
    count, (compared, runs, narrow, _) = shown
    text = "\n".join(f"$ {name}\n{printed(each, 80)}\n" for name, each in (("bench", compared), ("runs", runs)))
    text += f"$ show\n{printed(narrow, 80).partition('model not stored')[0]}\n"  # then the path of the store follows
    golden = GOLDEN / f"terminal-80-{count}-classes.txt"
    if os.environ.get("ZOO_GOLDEN") == "write":
        golden.write_text(text, encoding="utf-8")
    assert text.splitlines() == golden.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_and_no_interval_is_cut(shown: tuple[str, list[RenderableType]], width: int) -> None:
    _, (compared, runs, narrow, wide) = shown
    text = "\n".join(printed(each, width) for each in (compared, runs, narrow if width == 80 else wide))
    assert max(map(len, text.splitlines())) <= width
    assert [cut for cut in re.findall(r"\[[^\]]*\]", text) if "\n" in cut] == []
    assert "macro AUC" in text


def compared_under(folder: Path, rule: str) -> str:
    protocol = load_protocol("quick").model_copy(update={"decision": DecisionRule.parse(rule)})
    store = three_in(folder, protocol=protocol)
    runs, _ = store.runs()
    text = printed(comparison_tables(build_report(runs, store.history, scores=store)), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "those by highest score are below them" in " ".join(text.split())
    return text


def test_the_comparison_has_the_figures_of_the_protocol_s_decision_with_the_rule(tmp_path: Path) -> None:
    text = compared_under(tmp_path, "class_at=VIRUS:sensitivity:0.95")
    by_decision = text.partition("Test figures by the decision chosen on validation: VIRUS at sensitivity 0.95")[2]
    assert "; recall, specificity and precision of VIRUS card, seed " in " ".join(by_decision.split())
    runs, _ = Store(tmp_path / "runs").runs()
    run = next(run for run in runs if run.spec.card.name == WORSE)
    row = next(line for line in by_decision.splitlines() if line.split()[:2] == [WORSE, "0"])
    keys = ("recall:class:VIRUS", "specificity:class:VIRUS", "precision:class:VIRUS", "accuracy")
    assert row.split()[2:] == [f"{run.figures(chosen=True)[key].value:.3f}" for key in keys]
    assert run.figures(chosen=True)["specificity:class:VIRUS"] != run.figures()["specificity:class:VIRUS"]
    reason = (
        "attempt-1-batchnorm seed 0: no decision chosen, so the highest score decides: VIRUS: all validation scores"
    )
    assert reason in " ".join(text.split())


def test_a_figure_that_a_decision_leaves_undefined_has_its_reason(tmp_path: Path) -> None:
    text = " ".join(compared_under(tmp_path, "abstain=0.9").split())
    assert "Test figures by the decision chosen on validation: abstention below confidence 0.9" in text
    assert "attempt-1-batchnorm 0: test selective accuracy is undefined: every decision abstains" in text


def test_a_matrix_that_does_not_fit_is_left_out() -> None:
    classes = [f"class number {n}" for n in range(40)]
    counts = [[5 if true == called else int(called == 0) for called in range(40)] for true in range(40)]
    lines = list(matrix_lines(classes, ClassMatrix.of(counts, [0] * 40), 80))
    assert str(lines[0]).startswith("A matrix of 40 classes needs ")
    assert str(lines[1]).startswith("Most frequent confusions: class number 1 predicted as class number 0")


def test_the_status_of_a_run_has_its_macro_auc() -> None:
    labels = [place % 10 for place in range(60)]
    scores = simulated(labels, 10, shift=9)
    run = make_multiclass_run("attempt-7", on_val(DIGITS, labels, scores), on_test(DIGITS, labels, scores), DIGITS)
    assert "test accuracy 1.000, macro AUC 1.000; 42 s" in status_line(run, reused=False)


def test_a_run_is_a_document(tmp_path: Path) -> None:
    store = three_in(tmp_path)
    document = run_document(store.runs()[0][-1], store)
    assert document["record"]["decision"]["rule"] == "argmax"
    assert document["recipe"]["loss"] == "categorical crossentropy"
