"""`zoo report`: the file it writes, claims, strictness, thresholds chosen anew, wrong requests, and what it loads."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmark.data.sources import open_dataset
from benchmark.runs.run import DatasetFacts
from benchmark.runs.storage.store import Store
from reports.render.files import WRITERS
from tests.reports.render.markdown.test_document import tables
from tests.support.claims import contents, figure, row, write_claims
from tests.support.records import KAGGLE, PHANTOM, make_run, of_counts, on_test, on_val, planted, recorded_history
from tests.support.stored import keep, keep_seeds
from zoo.cli.app import main

ROOT = Path(__file__).resolve().parents[4]
CARD = "attempt-5"
RIGHT = of_counts(tp=212, fp=20, tn=214, fn=22)


@dataclass(frozen=True)
class Answer:
    """How the command ended, what it said, and the report that it wrote."""

    code: int
    out: str
    err: str
    report: str


Report = Callable[..., Answer]


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Report:
    """`zoo report --store STORE --out OUT ARGUMENTS...` on the runs in `tmp_path`, as markdown without pictures, which
    take a second to draw, unless a format is among them."""
    monkeypatch.setenv("COLUMNS", "400")

    def run(*arguments: object) -> Answer:
        capsys.readouterr()
        where = ["--store", tmp_path / "runs", "--out", tmp_path / "out"]
        with monkeypatch.context() as patched:
            if "--format" not in arguments:
                where += ["--format", "md"]
                patched.setattr("reports.figures.files.write_pictures", lambda *_: ())
            patched.setattr("sys.argv", ["zoo", "report", *map(str, [*where, *arguments])])
            with pytest.raises(SystemExit) as ended:
                main()
        said = capsys.readouterr()
        path = tmp_path / "out" / "report.md"
        written = path.read_text(encoding="utf-8") if path.exists() else ""
        return Answer(int(ended.value.code or 0), said.out, said.err, written)

    return run


def claims(folder: Path, printed: float, name: str = "study", **more: Any) -> Path:
    test = {"negatives": 234, "positives": 234, "location": "Section 2"}
    source = {"report": "A study", "data": KAGGLE.source, "test": test}
    return write_claims(
        folder, contents(row("one", figure("accuracy", printed), card=CARD), source=source, **more), name
    )


def kept(folder: Path, **more: Any) -> Store:
    store = Store(folder / "runs")
    keep(store, CARD, RIGHT, **more)
    return store


def test_the_report_is_written_and_its_tables_are_well_formed(tmp_path: Path, report: Report) -> None:
    store = kept(tmp_path)
    keep(store, "attempt-6b", on_test(RIGHT.y_true.tolist(), planted(234, 234)[1]))
    answer = report("--claims", claims(tmp_path, 0.9103))
    assert answer.code == 0
    assert answer.err == ""
    assert str(tmp_path / "out" / "report.md") in answer.out
    assert len(tables(answer.report)) >= 8
    for heading in ("### Claims", "### Which cards differ significantly", "### Calibration"):
        assert heading in answer.report


@pytest.mark.parametrize(
    ("printed", "verdict", "code"),
    [(0.9103, "reproduced", 0), (0.8697, "inconclusive", 0), (0.5, "differs", 1), (0.9113, "impossible", 1)],
)
def test_strict_ends_with_1_when_a_claim_differs_or_is_impossible(
    tmp_path: Path, report: Report, printed: float, verdict: str, code: int
) -> None:
    for seed in (0, 1):
        kept(tmp_path, seed=seed)
    path = claims(tmp_path, printed)
    strict, lenient = report("--claims", path, "--strict"), report("--claims", path)
    assert (strict.code, lenient.code) == (code, 0)
    assert f"| {verdict} | `one` |" in strict.report
    assert strict.report == lenient.report


def test_strict_ends_with_0_on_synthetic_images_and_on_what_never_ran(tmp_path: Path, report: Report) -> None:
    keep(Store(tmp_path / "runs"), CARD, RIGHT, dataset=PHANTOM)
    keep(Store(tmp_path / "runs"), "attempt-1", RIGHT, dataset=KAGGLE)
    answer = report("--claims", claims(tmp_path, 0.5), "--strict")
    assert answer.code == 0
    assert "| not comparable | `one` |" in answer.report
    assert "| not run | `one` |" in answer.report


def test_one_of_several_claims_files_is_enough_for_strict(tmp_path: Path, report: Report) -> None:
    for seed in (0, 1):
        kept(tmp_path, seed=seed)
    same, other = claims(tmp_path, 0.9103, "same"), claims(tmp_path, 0.5, "other")
    answer = report("--claims", same, "--claims", other, "--strict")
    assert answer.code == 1
    assert answer.report.count("### Claims") == 2


FILES = {
    "md": ["report.md"],
    "html": ["report.html"],
    "json": ["report.json"],
    "csv": [f"csv/{name}.csv" for name in ("cards", "changes", "claims", "figures", "images", "ranking", "runs")],
    "tex": ["report.tex"],
}


def written(folder: Path) -> set[str]:
    """The files of the report, pictures left out."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {name for name in found if not name.startswith("figures/")}


@pytest.mark.parametrize("name", list(FILES))
def test_a_format_writes_its_files_and_no_others(tmp_path: Path, report: Report, name: str) -> None:
    kept(tmp_path)
    answer = report("--format", name)
    assert answer.code == 0
    assert written(tmp_path / "out") == set(FILES[name])
    assert all(f"wrote {tmp_path / 'out' / path}" in answer.out for path in FILES[name])
    assert (tmp_path / "out" / "figures").is_dir() == (name == "md")


def test_formats_may_be_several_and_one_named_twice_is_written_once(tmp_path: Path, report: Report) -> None:
    kept(tmp_path)
    answer = report("--format", "tex", "--format", "json", "--format", "tex")
    assert written(tmp_path / "out") == {"report.tex", "report.json"}
    assert answer.out.count("wrote ") == 2


def test_every_format_is_tested_here() -> None:
    assert set(FILES) == set(WRITERS)


def test_pictures_stand_beside_the_report_that_names_them(tmp_path: Path, report: Report) -> None:
    kept(tmp_path)
    named = re.findall(r"!\[[^]]+\]\((.*?)\)", report("--format", "md").report)
    assert len(named) == 6
    assert all((tmp_path / "out" / path).is_file() for path in named)


def test_without_claims_those_about_the_store_s_cards_are_judged(tmp_path: Path, report: Report) -> None:
    kept(tmp_path)
    answer = report()
    assert "Informe de desarrollo" in answer.report
    assert "one-class-collapse" in answer.out
    assert "keras.io" not in answer.report


def test_claims_about_other_data_are_mentioned_and_compared_only_when_asked_for(tmp_path: Path, report: Report) -> None:
    keep(Store(tmp_path / "runs"), "attempt-6b", RIGHT, dataset=PHANTOM)
    answer = report()
    assert answer.code == 0
    assert "### Claims" not in answer.report
    assert "0.7671" not in answer.report
    for text in (answer.out, answer.report):
        assert "zoo report --claims pneumonia_report" in text
    asked = report("--claims", "pneumonia_report")
    assert "### Claims" in asked.report
    assert "0.7671" in asked.report
    assert "zoo report --claims" not in asked.out


def test_strict_without_claims_is_refused(tmp_path: Path, report: Report) -> None:
    keep(Store(tmp_path / "runs"), "attempt-6b", RIGHT, dataset=PHANTOM)
    answer = report("--strict")
    assert answer.code == 2
    assert answer.err == "zoo: --strict: no claims are about these cards and data; name claims with --claims\n"


def test_claims_of_a_store_with_failed_runs_alone_are_not_run(tmp_path: Path, report: Report) -> None:
    Store(tmp_path / "runs").save(make_run(CARD, error="no memory", dataset=KAGGLE))
    answer = report("--claims", claims(tmp_path, 0.9103), "--strict")
    assert answer.code == 0
    assert "| not run | `one` |" in answer.report


def thresholds(text: str) -> list[str]:
    """The chosen threshold of each run, with its interval."""
    return [one["threshold"] for rows in tables(text) for one in rows if "oracle threshold" in one]


def test_a_rule_chooses_again_and_the_report_says_that_it_came_late(tmp_path: Path, report: Report) -> None:
    kept(tmp_path)
    before, after = report(), report("--threshold-rule", "sensitivity=0.99")
    assert thresholds(before.report) != thresholds(after.report)
    assert "**threshold**: sensitivity 0.99, chosen on validation scores alone" in after.report
    assert "chosen again by the rule sensitivity=0.99" in after.report
    assert "chosen again" not in before.report


def test_a_declared_threshold_is_not_said_to_be_missing(tmp_path: Path, report: Report) -> None:
    """It has no interval, which is another thing than no value."""
    kept(tmp_path)
    answer = report("--threshold-rule", "fixed=0.3")
    assert thresholds(answer.report) == ["0.300"]
    assert "no threshold chosen" not in answer.report


@pytest.mark.parametrize("rule", ["youden", "f1", "mcc", "cost=5", "sensitivity=0.95", "specificity=0.9", "fixed=0.3"])
def test_permuted_test_scores_never_change_a_threshold(tmp_path: Path, report: Report, rule: str) -> None:
    labels, scores = planted(60, 60, seed=5)
    found = []
    for order in (scores, scores[::-1], [0.5] * 120):
        keep(Store(tmp_path / "runs"), CARD, on_test(labels, order))
        answer = report("--threshold-rule", rule)
        assert answer.code == 0
        found.append(thresholds(answer.report))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 1


def test_a_new_rule_leaves_the_store_as_it_was(tmp_path: Path, report: Report) -> None:
    kept(tmp_path)
    held = {path: path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file()}
    report("--threshold-rule", "f1")
    assert {path: path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file()} == held


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--threshold-rule", "yuoden"], ["threshold rule", "'yuoden'", "youden"]),
        (["--threshold-rule", "cost=-1"], ["cost"]),
        (["--threshold-rule", "sensitivity=high"], ["'high' is not a number"]),
        (["--threshold-rule", "sensitivity"], ["sensitivity", "needs a value"]),
        (["--threshold-rule", "youden=0.4"], ["youden takes no value"]),
        (["--claims", "pneumonia_reprot"], ["claims", "'pneumonia_reprot'", "pneumonia_report"]),
        (["--format", "mdd"], ["format", "'mdd'", "Did you mean md"]),
        (["--format", "md", "--format", "pdf"], ["format", "'pdf'", "csv, html, json, md, tex"]),
        (["--gallery", "--format", "json"], ["--gallery", "md and html"]),
        (["--data", "digits"], ["--data digits", "has runs on"]),
        (["--patients", "(?P<patient>p)"], ["--patients", "--gallery"]),
        (["--claims", "missing.yaml"], ["missing.yaml", "no such file", "pneumonia_report"]),
        (["--out", "{}/file"], ["file"]),
    ],
)
def test_a_wrong_request_is_one_line_that_says_what(
    tmp_path: Path, report: Report, arguments: list[str], says: list[str]
) -> None:
    kept(tmp_path)
    (tmp_path / "file").touch()
    answer = report(*(argument.replace("{}", str(tmp_path)) for argument in arguments))
    lines = answer.err.splitlines()
    assert (answer.code, answer.out, answer.report) == (2, "", "")
    assert [line.startswith("zoo: ") for line in lines] == [True]
    assert [part for part in says if part not in lines[0]] == []


def test_a_claims_file_with_errors_is_a_line_for_each(tmp_path: Path, report: Report) -> None:
    kept(tmp_path)
    wrong = [row("one", figure("acuracy", 0.5)), row("two", figure("accuracy", 0.5), card="attempt-77")]
    answer = report("--claims", write_claims(tmp_path, contents(*wrong)))
    assert answer.code == 2
    assert len(answer.err.splitlines()) == 2
    assert "Did you mean accuracy" in answer.err
    assert "Did you mean attempt-7" in answer.err


def test_scores_that_cannot_be_read_are_a_line(tmp_path: Path, report: Report) -> None:
    store = kept(tmp_path)
    (run,) = store.runs()[0]
    (tmp_path / "runs" / run.run_id / "predictions.parquet").write_bytes(b"no parquet")
    answer = report()
    assert answer.code == 2
    damaged, empty = answer.err.splitlines()
    assert "predictions.parquet" in damaged
    assert "contains no runs" in empty


def test_the_same_store_gives_the_same_report(tmp_path: Path, report: Report) -> None:
    kept(tmp_path)
    assert report("--threshold-rule", "f1").report == report("--threshold-rule", "f1").report


def test_a_gallery_is_shown_in_both_reports_and_its_pictures_are_beside(tmp_path: Path, report: Report) -> None:
    """The images of the phantom under scores that were made up; no model was kept, so there are no maps."""
    dataset = open_dataset("phantom")
    names = [image.name for image in dataset.images if image.part == "test"][:80]
    facts = DatasetFacts.of(dataset)
    test = on_test(*planted(40, 40, seed=3))
    run = make_run(CARD, dataset=facts, test=test)
    store = Store(tmp_path / "runs")
    store.save(
        run,
        [(on_val(*planted(60, 60, seed=1)), [f"val/{place}" for place in range(120)]), (test, names)],
        recorded_history(),
    )
    answer = report("--gallery", "--format", "md", "--format", "html")
    assert answer.code == 0
    assert "### Galleries" in answer.report
    pictures = re.findall(r"\]\((figures/gallery-.*?\.webp)\)", answer.report)
    assert len(pictures) == 16
    assert all((tmp_path / "out" / picture).is_file() for picture in pictures)
    assert "was not kept" in answer.report
    assert "data:image/webp" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_report_loads_no_keras(tmp_path: Path) -> None:
    kept(tmp_path)
    arguments = ["report", "--store", str(tmp_path / "runs"), "--out", str(tmp_path / "out"), "--threshold-rule", "f1"]
    arguments += [part for name in FILES for part in ("--format", name)]
    code = (
        "import sys; from zoo.cli.app import main; "
        f"sys.argv = ['zoo', *{arguments!r}]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('HEAVY', sorted({'keras', 'tensorflow', 'jax', 'torch', 'keras_tuner'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert written(tmp_path / "out") == {path for of_format in FILES.values() for path in of_format}
    assert done.stdout.strip().endswith("HEAVY []")


def test_a_statement_follows_the_rule_that_chooses_the_threshold(tmp_path: Path, report: Report) -> None:
    """Scores of which each above 0.3 is a positive: at 0.5 none is called positive."""
    (val, val_scores), (test, test_scores) = planted(100, 100, 3.0, 1), planted(100, 100, 3.0, 2)
    low = on_val(val, [score / 3 for score in val_scores])
    keep_seeds(Store(tmp_path / "runs"), CARD, on_test(test, [score / 3 for score in test_scores]), low)
    says = {"at_least": {"card": CARD, "metric": "recall", "value": 0.9}}
    sentence = {"id": "sensitive", "location": "p. 1", "text": "Sensitive.", "assertion": says}
    path = claims(tmp_path, 0.5, statements=[sentence])
    verdicts = {}
    for rule in ("fixed=0.5", "sensitivity=0.99"):
        answer = report("--claims", path, "--threshold-rule", rule)
        (statement,) = [one for rows in tables(answer.report) for one in rows if "statement" in one]
        verdicts[rule] = statement["verdict"]
        words = "at threshold 0.5: " if rule == "fixed=0.5" else "chosen on validation for sensitivity at least"
        assert words in statement["why"]
    assert verdicts["fixed=0.5"] == "differs"
    assert verdicts["sensitivity=0.99"] == "reproduced"
    (printed,) = [one for rows in tables(answer.report) for one in rows if "published" in one and "why" in one]
    assert printed["measured"].endswith(" at 0.5")
