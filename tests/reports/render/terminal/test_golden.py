"""What the terminal shows at 120 columns, as it was read and approved.

After an intended change, `ZOO_GOLDEN=write pytest tests/reports/render/terminal/test_golden.py` rewrites the
file; read the difference before committing it.
"""

from __future__ import annotations

import io
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, Group, RenderableType
from rich.text import Text

from benchmark.data.dataset import Problem
from benchmark.runs.execution.events import Finished, Progressed, Started
from benchmark.runs.plan import Plan, Skip
from benchmark.runs.run import Progress
from benchmark.runs.storage.store import Store
from reports.audit.audit import audit
from reports.claims.model import load_claims
from reports.render.terminal.audit import audit_tables
from reports.render.terminal.cards import cards_table
from reports.render.terminal.claims import claims_tables
from reports.render.terminal.comparison import answers, comparison_tables
from reports.render.terminal.data import data_tables
from reports.render.terminal.pairs import pair_table, ranking_table
from reports.render.terminal.runs import plan_table, runs_table
from reports.results.comparison.pairs import compare_pair, rank
from reports.results.measured import collect_results
from tests.support.records import cards, make_run, make_spec
from tests.support.study import SEVERAL, SINGLE, report_in
from tests.support.terminal import SUMMARY
from zoo.cli import progress

WIDTHS = (80, 120, 200)
GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "terminal-120.txt"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RenderableType]:
    """Every table of the command line by its name, over one made store."""
    with pytest.MonkeyPatch.context() as patch:  # commands name the store
        patch.chdir(tmp_path_factory.mktemp("study"))
        report = report_in(Path())
        (section,) = report.sections
        measured = collect_results([run for run in section.runs if run.status == "ok"], Store(Path("runs")))
    ranking = rank(list(measured.values()), "auc")
    assert ranking is not None
    skip = Skip(cards()[SEVERAL], "images of 16 px are too small: this network needs at least 32 px")
    plan = Plan((make_spec("attempt-1"), make_spec("attempt-2"), make_spec("attempt-2", seed=1)), (skip,))
    data = replace(
        SUMMARY,
        warnings=("val has 16 images: too few to choose on; protocols set it aside and re-split train",),
        problems=(Problem("train/NORMAL/IM-0001-0001.jpeg", "truncated"),),
    )
    return {
        "zoo runs": runs_table(section.runs),
        "zoo bench": Group(comparison_tables(report), answers(report, Path("runs"))),
        "zoo bench --dry-run": plan_table(plan, {plan.specs[0].run_id}),
        "zoo bench, live": _live(),
        "zoo compare": ranking_table(ranking),
        "zoo compare A B": pair_table(
            SEVERAL, SINGLE, compare_pair(measured[SEVERAL], measured[SINGLE]), "at threshold 0.5"
        ),
        "zoo report": claims_tables(section.claims[0]),
        "zoo audit": audit_tables(audit(load_claims("keras_xray", cards()))),
        "zoo data": data_tables(data),
    }


def tables(shown: dict[str, RenderableType], width: int) -> dict[str, RenderableType]:
    """All of them, with the cards' own table."""
    some = ("attempt-1", "attempt-1-batchnorm-fast", SINGLE, SEVERAL)
    return {**shown, "zoo cards": cards_table({"pneumonia-report": [cards()[name] for name in some]}, width)}


def _live() -> progress.View:
    """The live view when some runs are done, one failed, one is at it, and others wait."""
    specs = tuple(make_spec(name) for name in cards())
    view = progress.View(Plan(specs, ()))
    for spec in specs[:5]:
        failed = {"error": "ResourceExhausted: no memory"} if spec.card.name == "attempt-2" else {}
        view.handle(Started(spec, make_run().split))
        view.handle(Finished(spec, make_run(spec.card.name, **failed)))
    view.handle(Started(specs[5], make_run().split))
    view.handle(Progressed(specs[5], Progress(20, 400, "train 1/20")))
    return view


def printed(renderable: RenderableType, width: int, **terminal: object) -> str:
    """What a terminal of so many columns and 24 lines shows, without trailing blanks."""
    file = io.StringIO()
    console = Console(file=file, width=width, height=24, highlight=False, **terminal)  # type: ignore[arg-type]
    console.print(renderable)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def test_the_terminal_shows_what_was_read_and_approved(shown: dict[str, RenderableType]) -> None:
    text = "\n".join(f"$ {name}\n{printed(table, 120)}\n" for name, table in tables(shown, 120).items())
    if os.environ.get("ZOO_GOLDEN") == "write":
        GOLDEN.write_text(text, encoding="utf-8")
    assert text.splitlines() == GOLDEN.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("width", WIDTHS)
def test_no_figure_or_name_is_cut_and_no_line_is_wider(shown: dict[str, RenderableType], width: int) -> None:
    text = "\n".join(printed(table, width) for table in tables(shown, width).values())
    assert max(map(len, text.splitlines())) <= width
    for figure in ("0.767", "[0.782, 0.843]", "0.560", "[0.717, 0.812]", "ResourceExhausted: no memory"):
        assert figure in text
    for name in (SINGLE, SEVERAL, "attempt-1-batchnorm", "attempt-1-batchnorm-fast", "attempt-2"):
        assert re.search(rf"(?<!\S){re.escape(name)}(?!\S)", text), name
    assert re.search(r"^ [0-9a-f]{12}  attempt-6b +0  ok +0\.767 ", text, re.MULTILINE)
    brackets = re.findall(r"\[[^\]]*\]", text)
    assert [cut for cut in brackets if "\n" in cut] == []


@pytest.mark.parametrize("width", WIDTHS)
def test_colour_adds_nothing_to_the_words(shown: dict[str, RenderableType], width: int) -> None:
    for name, table in tables(shown, width).items():
        coloured = printed(table, width, force_terminal=True, color_system="truecolor")
        words = "\n".join(line.rstrip() for line in Text.from_ansi(coloured).plain.splitlines())
        assert words.rstrip() == printed(table, width).rstrip(), name


@pytest.mark.parametrize("width", WIDTHS)
def test_a_terminal_without_these_letters_gets_the_same_words(shown: dict[str, RenderableType], width: int) -> None:
    for name, table in tables(shown, width).items():
        file = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="replace")
        Console(file=file, width=width, height=24, highlight=False).print(table)
        file.flush()
        text = file.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]
        assert max(map(len, text.splitlines())) <= width
        words, plain = (set(re.findall(r"[A-Za-z0-9.]{3,}", some)) for some in (printed(table, width), text))
        assert words <= plain, name
