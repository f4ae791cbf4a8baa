"""The audit finds what figures say about themselves, and nothing that is not so."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from statsmodels.stats.proportion import proportion_confint

from benchmark.evidence.metrics.registry import Confusion
from reports.audit.audit import Audit, audit
from reports.audit.figures import KINDS, SEVERITIES
from reports.claims.model import claims_names, load_claims
from tests.support.claims import audit_of, claims_of, contents, derived, figure, of_kind, row, write_claims
from tests.support.records import cards

QUICK = settings(deadline=None, max_examples=40)
PRINTERS: dict[str, Callable[[float, int], float]] = {
    "half to even": lambda value, decimals: round(value, decimals),
    "half up": lambda value, decimals: float(Decimal(value).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)),
    "single precision": lambda value, decimals: float(f"{np.float32(value):.{decimals}f}"),
    "cut": lambda value, decimals: float(Decimal(value).quantize(Decimal(1).scaleb(-decimals), ROUND_DOWN)),
}


def text(found: Any) -> str:
    return f"{found.statement} {found.derivation}"


def two_by_two(matrix: Confusion) -> tuple[np.ndarray, np.ndarray]:
    """Labels and decisions with that confusion matrix."""
    y = np.repeat([1, 0, 0, 1], [matrix.tp, matrix.fp, matrix.tn, matrix.fn])
    called = np.repeat([1, 1, 0, 0], [matrix.tp, matrix.fp, matrix.tn, matrix.fn])
    return y, called


def test_a_finding_rules_something_out_when_it_is_impossible_and_only_then(skin: Audit) -> None:
    report = audit(load_claims("pneumonia_report", cards()))
    for found in (*report.findings, *skin.findings):
        assert bool(found.rules_out) == (found.severity == "impossible")
        assert set(found.rules_out) <= {cited.figure for cited in found.rests_on}


def test_the_keras_example_has_its_one_matrix_and_balanced_accuracy() -> None:
    done = audit(load_claims("keras_xray", {}))
    (only,) = done.rows
    assert only.matrices == (Confusion(tp=381, fp=107, tn=127, fn=9),)
    assert derived(done, only.name, "balanced_accuracy").low == pytest.approx(0.760, abs=5e-4)
    assert {f.severity for f in done.findings} == {"note"}


@pytest.mark.parametrize("name", claims_names())
def test_every_finding_cites_what_it_rests_on_and_has_a_known_kind(name: str) -> None:
    claims = load_claims(name, cards())
    done = audit(claims)
    for found in done.findings:
        assert found.kind in KINDS
        assert found.rests_on
        assert all(cited.text and cited.where for cited in found.rests_on)
        assert found.row in {each.name for each in claims.rows}
        assert (found.statement[-1], found.derivation[-1]) == (".", ".")
    graver = [SEVERITIES.index(found.severity) for found in done.findings]
    assert graver == sorted(graver)


@st.composite
def reports(draw: st.DrawFn) -> tuple[dict[str, Any], Confusion]:
    """Figures as some program prints them of scores that exist, in a claims file, and their matrix."""
    negatives, positives = draw(st.integers(3, 60)), draw(st.integers(3, 60))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    y = np.repeat([0, 1], [negatives, positives])
    drawn = random.normal(y * draw(st.floats(-1, 3)), 1) * draw(st.sampled_from([0.0, 0.2, 1.0, 20.0]))
    p = 1 / (1 + np.exp(-np.clip(drawn + draw(st.floats(-4, 4)), -15.5, 15.5)))
    called = (p >= 0.5).astype(int)
    clipped = np.clip(p, 1e-7, 1 - 1e-7)
    true = {
        "accuracy": sk.accuracy_score(y, called),
        "precision": sk.precision_score(y, called, zero_division=0),
        "recall": sk.recall_score(y, called),
        "specificity": sk.recall_score(y, called, pos_label=0),
        "balanced_accuracy": sk.balanced_accuracy_score(y, called),
        "f1": sk.f1_score(y, called, zero_division=0),
        "mcc": sk.matthews_corrcoef(y, called),
        "auc": sk.roc_auc_score(y, p),
        "brier": sk.brier_score_loss(y, p),
        "log_loss": sk.log_loss(y, clipped),
        "loss": sk.log_loss(y, clipped),
    }
    names = draw(st.lists(st.sampled_from(sorted(true)), min_size=1, unique=True))
    printer, split = PRINTERS[draw(st.sampled_from(sorted(PRINTERS)))], draw(st.sampled_from(["test", "val"]))
    figures = []
    for name in names:
        decimals = draw(st.integers(1, 5))
        figures.append(figure(name, printer(float(true[name]), decimals), split, decimals))
    if draw(st.booleans()):
        figures.append(figure("score", printer(float(p.min()), 2), split, 2, upper=printer(float(p.max()), 2)))
    tn, fp, fn, tp = map(int, sk.confusion_matrix(y, called, labels=[0, 1]).ravel())
    matrix = {"row": "one", "location": "Table 2", "tp": tp, "fp": fp, "tn": tn, "fn": fn}
    data = contents(row("one", *figures), negatives=negatives, positives=positives, matrices=[matrix])
    return data, Confusion(tp=tp, fp=fp, tn=tn, fn=fn)


@settings(QUICK, max_examples=60)
@given(made=reports())
def test_figures_of_scores_that_exist_are_never_called_impossible(made: tuple[dict[str, Any], Confusion]) -> None:
    data, matrix = made
    with tempfile.TemporaryDirectory() as folder:
        done = audit(claims_of(Path(folder), data))
    assert [found for found in done.findings if found.severity != "note"] == []
    (only,) = done.rows
    assert only.matrices is None or matrix in (*only.matrices, *(only.cut or ()))


def test_a_consistent_report_has_no_findings(tmp_path: Path) -> None:
    study = row(
        "net",
        figure("accuracy", 0.80, decimals=2),
        figure("recall", 0.75, decimals=2),
        figure("auc", 0.86, decimals=2),
        figure("loss", 0.45, decimals=2),
        alias="Network",
    )
    done = audit_of(tmp_path, study, negatives=1000, positives=600)
    assert done.findings == ()
    assert len(done.rows[0].matrices or ()) > 1


@pytest.fixture
def skin(tmp_path: Path) -> Audit:
    """A report that never was, with one fault of each kind."""
    rows = [
        row("off", figure("recall", 0.995, decimals=3), figure("accuracy", 0.5)),
        row("joint", figure("recall", 1.0), figure("specificity", 1.0), figure("accuracy", 0.8)),
        row("area", figure("recall", 1.0), figure("specificity", 0.95), figure("auc", 0.6)),
        row("brier", figure("accuracy", 0.5), figure("brier", 0.9)),
        row("twice", figure("accuracy", 0.8125), figure("accuracy", 0.83, decimals=2)),
        row("scores", figure("loss", 0.3), figure("score", 0.1, decimals=1, upper=0.2)),
        row("full", figure("accuracy", 0.4643), figure("recall", 0.6667)),
        row("first", figure("recall", 0.75), figure("specificity", 0.9), alias="Model A"),
        row("second", figure("recall", 0.5), figure("specificity", 0.8), alias="Model A"),
    ]
    matrices = [
        {"row": "second", "location": "Table 9", "tp": 45, "fp": 10, "tn": 90, "fn": 15},
        {"row": "first", "location": "Table 8", "tp": 3, "fp": 1, "tn": 9, "fn": 1},
    ]
    set_twice = [
        {"row": "first", "setting": "epochs", "value": value, "location": f"Section {value}"} for value in (10, 20)
    ]
    data = contents(*rows, matrices=matrices, settings=set_twice)
    data["source"]["other_tests"] = [{"negatives": 22, "positives": 6, "location": "Appendix"}]
    return audit(claims_of(tmp_path, data))


@pytest.mark.parametrize(
    ("kind", "name", "severity", "says"),
    [
        ("off-grid", "off", "impossible", ["recall 0.995", "60 positives", "59/60", "60/60"]),
        ("no-matrix", "joint", "impossible", ["recall 1.0000", "specificity 1.0000", "accuracy 0.8000", "together"]),
        ("auc-out-of-reach", "area", "impossible", ["AUC 0.6000", "0.9500"]),
        ("loss-too-high", "brier", "impossible", ["brier 0.9000", "squared error", "0.625"]),
        ("printed-twice", "twice", "contradiction", ["0.8125", "0.83"]),
        ("loss-of-scores", "scores", "contradiction", ["0.3000", "0.1–0.2"]),
        ("test-size", "full", "contradiction", ["22 + 6", "not its stated test set of 100 + 60", "13 of 28"]),
        ("matrix-not-of-row", "second", "contradiction", ["TP 45", "recall 0.7500", "0.5000"]),
        ("matrix-of-other-row", "second", "contradiction", ["that of first"]),
        ("matrix-size", "first", "contradiction", ["10 + 4", "100 + 60"]),
        ("settings", "first", "contradiction", ["Epochs", "10 and 20"]),
        ("same-name", "first", "contradiction", ["Model A", "first and second"]),
    ],
)
def test_each_fault_of_an_invented_report_is_found(
    skin: Audit, kind: str, name: str, severity: str, says: list[str]
) -> None:
    (found,) = of_kind(skin, kind, name)
    assert found.severity == severity
    assert [word for word in says if word not in text(found)] == []


def test_every_proportion_off_the_grid_is_named(tmp_path: Path) -> None:
    done = audit_of(tmp_path, row("off", figure("recall", 0.9990), figure("accuracy", 0.5032), figure("f1", 0.5)))
    assert [found.rests_on[0].text for found in of_kind(done, "off-grid")] == [
        "test recall 0.9990",
        "test accuracy 0.5032",
    ]


def test_a_conflict_cites_the_fewest_figures_that_make_it(tmp_path: Path) -> None:
    done = audit_of(
        tmp_path,
        row(
            "one", figure("precision", 0.6), figure("recall", 0.5), figure("specificity", 0.9), figure("accuracy", 0.5)
        ),
    )
    (found,) = of_kind(done, "no-matrix")
    assert len(found.rests_on) == 2


def test_figures_that_were_cut_and_not_rounded_are_no_conflict(tmp_path: Path) -> None:
    cut = row("cut", figure("recall", 0.66, decimals=2), test={"negatives": 3, "positives": 3, "location": "Table 1"})
    done = audit_of(tmp_path, cut)
    (noted,) = done.findings
    assert (noted.kind, noted.severity) == ("would-fit", "note")
    assert done.rows[0].matrices == ()
    assert {m.tp for m in done.rows[0].cut or ()} == {2}
    assert derived(done, "cut", "recall").low == pytest.approx(2 / 3)


def test_a_matrix_that_only_cut_figures_allow_keeps_an_auc_and_a_loss_possible(tmp_path: Path) -> None:
    """3 of 31 right prints accuracy 0.0 when it is cut; all matrices of a rounded 0.0 have a lower AUC."""
    cut = [figure("accuracy", 0.0, decimals=1), figure("auc", 0.5, decimals=1), figure("loss", 0.63, decimals=2)]
    done = audit_of(tmp_path, row("one", *cut), negatives=28, positives=3)
    assert {found.severity for found in done.findings} <= {"note"}
    assert not {"loss-too-high", "loss-too-low"} & {found.kind for found in done.findings}


def test_weight_penalties_may_raise_a_loss_but_nothing_lowers_it(tmp_path: Path) -> None:
    done = audit_of(tmp_path, row("one", figure("accuracy", 0.5), figure("loss", 30.0), figure("loss", 0.01, "val")))
    assert {(f.kind, f.severity) for f in done.findings} == {("loss-too-high", "note"), ("above-constant", "note")}
    low = audit_of(tmp_path, row("one", figure("accuracy", 0.5), figure("loss", 0.2)))
    assert of_kind(low, "loss-too-low")[0].severity == "impossible"


def test_a_declared_focal_loss_is_audited_as_one(tmp_path: Path) -> None:
    loss = {"name": "binary_focal_crossentropy", "alpha": 0.25, "gamma": 2.0}
    figures = figure("accuracy", 0.5), figure("loss", 0.09)
    assert of_kind(audit_of(tmp_path, row("one", *figures, loss=loss)), "loss-too-low") == []
    assert len(of_kind(audit_of(tmp_path, row("one", *figures)), "loss-too-low")) == 1


def test_another_threshold_moves_the_bound_of_a_loss(tmp_path: Path) -> None:
    figures = figure("accuracy", 0.5), figure("loss", 0.2)
    half, high = (
        of_kind(audit_of(tmp_path, row("one", *figures, threshold=t), negatives=60, positives=100), "loss-too-low")
        for t in (0.5, 0.9)
    )
    assert "threshold 0.5" in half[0].derivation
    assert high == []


def test_a_reading_is_audited_in_place_of_what_it_reads_and_called_one(tmp_path: Path) -> None:
    range_ = figure("accuracy", 0.6, "val", upper=0.9, epoch="last", decimals=1)
    study = row("one", range_, figure("recall", 1.0, "val", epoch="every"))
    figures = [figure("accuracy", 0.6, "val", epoch="last"), figure("precision", 0.9, "val", epoch="last")]
    reading = {"row": "one", "meaning": "a pair", "figures": figures}
    done = audit_of(tmp_path, study, interpretations=[reading])
    (found,) = [f for f in done.findings if f.severity == "impossible"]
    assert (found.kind, found.reading) == ("no-shares", "a pair")
    assert audit_of(tmp_path, study).findings == ()


def test_the_fewest_images_behind_a_split_s_accuracies_are_told(tmp_path: Path) -> None:
    figures = [
        figure("accuracy", 86 / 119, "train", epoch="first"),
        figure("accuracy", 100 / 119, "train", epoch="last"),
    ]
    for each in figures:
        each["value"] = round(each["value"], 4)
    (found,) = of_kind(audit_of(tmp_path, row("one", *figures)), "sample-size")
    assert "at least 119 images" in found.statement
    assert "86/119 and 100/119" in found.derivation


def test_four_counts_alone_are_the_row_s_matrix(tmp_path: Path) -> None:
    names = {"true_positives": 40, "false_positives": 10, "true_negatives": 90, "false_negatives": 20}
    done = audit_of(tmp_path, row("one", *(figure(name, value, decimals=0) for name, value in names.items())))
    assert done.rows[0].matrices == (Confusion(tp=40, fp=10, tn=90, fn=20),)
    assert derived(done, "one", "accuracy").low == pytest.approx(130 / 160)
    assert done.findings == ()


def test_what_cannot_be_listed_says_why(tmp_path: Path) -> None:
    bare = contents(row("one", figure("loss", 0.4)), row("two", figure("accuracy", 0.5)))
    del bare["source"]["test"]
    huge = {"negatives": 9000, "positives": 9000, "location": "Table 1"}
    bare["rows"].append(row("three", figure("f1", 0.5), test=huge))
    reasons = {each.name: each.reason for each in audit(claims_of(tmp_path, bare)).rows}
    assert reasons == {
        "one": "its test set is not stated",
        "two": "its test set is not stated",
        "three": "too many confusion matrices to list",
    }


@QUICK
@given(
    tp=st.integers(0, 60),
    tn=st.integers(0, 100),
    metric=st.sampled_from(["accuracy", "precision", "recall", "specificity", "balanced_accuracy", "f1", "mcc"]),
)
def test_derived_metrics_hold_the_true_matrix_s_and_wilson_s_interval(tp: int, tn: int, metric: str) -> None:
    matrix = Confusion(tp=tp, fp=100 - tn, tn=tn, fn=60 - tp)
    y, called = two_by_two(matrix)
    printed = round(float(np.mean(y == called)), 4), round(tp / 60, 4)
    with tempfile.TemporaryDirectory() as folder:
        done = audit_of(Path(folder), row("one", figure("accuracy", printed[0]), figure("recall", printed[1])))
    known = {each.metric: each for each in done.rows[0].derived}
    score = {
        "accuracy": sk.accuracy_score,
        "precision": lambda y, c: sk.precision_score(y, c, zero_division=0),
        "recall": sk.recall_score,
        "specificity": lambda y, c: sk.recall_score(y, c, pos_label=0),
        "balanced_accuracy": sk.balanced_accuracy_score,
        "f1": sk.f1_score,
        "mcc": sk.matthews_corrcoef,
    }[metric]
    if metric not in known:
        assert (tp, tn) == (0, 100) or metric == "mcc"
        return
    assert known[metric].low == pytest.approx(score(y, called))
    assert known[metric].high == pytest.approx(score(y, called))
    counted = {
        "accuracy": (tp + tn, 160),
        "recall": (tp, 60),
        "specificity": (tn, 100),
        "precision": (tp, tp + 100 - tn),
    }
    if metric in counted:
        assert known[metric].interval == pytest.approx(proportion_confint(*counted[metric], method="wilson"), abs=1e-9)


def test_intervals_cover_every_matrix_that_prints_the_row(tmp_path: Path) -> None:
    done = audit_of(tmp_path, row("one", figure("accuracy", 0.8, decimals=1)))
    matrices = done.rows[0].matrices or ()
    assert len(matrices) > 100
    bounds = [proportion_confint(m.tp + m.tn, 160, method="wilson") for m in matrices]
    expected = min(low for low, _ in bounds), max(high for _, high in bounds)
    assert derived(done, "one", "accuracy").interval == pytest.approx(expected, abs=1e-9)


def test_nothing_about_this_report_stands_in_the_code() -> None:
    root = Path(__file__).resolve().parents[3]
    files = [*root.glob("reports/audit/*.py"), root / "reports/claims/model.py", root / "reports/claims/statement.py"]
    files += [root / "benchmark/evidence/published/feasible.py", root / "benchmark/evidence/published/bounds.py"]
    for path in files:
        source = path.read_text(encoding="utf-8").lower()
        assert [word for word in ("attempt", "pneumonia", "234", "468", "vgg", "intento") if word in source] == [], path


def test_the_audit_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    rows = [row("one", figure("recall", 0.75), figure("accuracy", 0.5)), row("two", figure("recall", 0.9991))]
    there = audit_of(tmp_path / "a", *rows)
    back = audit_of(tmp_path / "b", *rows[::-1])
    assert set(there.findings) == set(back.findings)
    assert set(there.rows) == set(back.rows)


def test_a_file_that_was_written_is_the_file_that_is_audited(tmp_path: Path) -> None:
    path = write_claims(tmp_path, contents(row("one", figure("accuracy", 0.8125))), name="other")
    assert audit(load_claims(str(path), {})).name == "other"
