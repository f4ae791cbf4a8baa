"""`zoo plan`: its answers, its document, its errors, and that it trains nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scipy.stats import binom

import zoo as package
from tests.support.claims import contents, figure, row, write_claims
from zoo.cli.app import main

RECALL = contents(row("one", figure("recall", 0.9833)), margin_from="agreed with the readers")


def zoo(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["zoo", "plan", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "400")
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_claims_are_planned_in_a_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = write_claims(tmp_path, RECALL)
    assert zoo(monkeypatch, path, "--test", 400, "--positives", 200) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "With 400 test images and 1 seed" in out
    assert "one: test recall 0.9833" in out
    assert "Margin 0.05: agreed with the readers." in out


def test_the_document_is_that_of_the_verb(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = write_claims(tmp_path, RECALL)
    assert zoo(monkeypatch, path, "--json", "--sensitivity", "0.9@0.95", "--prevalence", "0.1") == 0
    document = json.loads(capsys.readouterr().out)
    assert document == package.plan(path, sensitivity="0.9@0.95", prevalence=0.1).to_dict()
    assert document["claims"]["margin_from"] == "agreed with the readers"
    assert document["claims"]["claims"][0]["about"] == "one"


def test_a_guarantee_takes_the_positives_of_the_binomial(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert zoo(monkeypatch, "--sensitivity", "0.95@0.95", "--json") == 0
    numbers = json.loads(capsys.readouterr().out)["guarantee"]["positives"]
    assert numbers[:3] == [59, 93, 124]
    for missed, number in enumerate(numbers):
        assert binom.cdf(missed, number, 0.05) <= 0.05 < binom.cdf(missed, number - 1, 0.05)


def test_a_width_is_answered_in_words_of_tripod_ai(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert zoo(monkeypatch, "--width", 0.1, "--metric", "Sensitivity", "--expected", 0.9, "--prevalence", 0.2) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert out.startswith("TRIPOD+AI item 10, sample size: ")
    assert "95% confidence interval of at most 0.1 for an expected recall of 0.9" in out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((), "nothing to plan: give CLAIMS"),
        (("--width", 0.1), "--width needs --metric and --expected"),
        (("--metric", "auc"), "--metric belongs to --width"),
        (("--width", 2, "--metric", "auc", "--expected", 0.9), "--width 2: give a width above 0 and below 1"),
        (("--width", 0.1, "--metric", "acuracy", "--expected", 0.9), "Did you mean accuracy or"),
        (("--width", 0.1, "--metric", "brier", "--expected", 0.1), "depends on the distribution of the scores"),
        (
            ("--width", 0.1, "--metric", "auc", "--expected", 3),
            "--expected 3: AUC lies between 0.00 and 1.00, both excluded",
        ),
        (
            ("--width", 0.1, "--metric", "recall", "--expected", 0.9, "--prevalence", "0.5,0.3,0.2"),
            "say of which classes: recall:macro",
        ),
        (
            ("--width", 0.1, "--metric", "auc", "--expected", 0.9, "--prevalence", "1.5"),
            "--prevalence 1.5: give the share",
        ),
        (("--prevalence", "half"), "--prevalence half: give a share such as 0.3"),
        (("--sensitivity", "0.95"), "add the confidence of the guarantee, as in 0.95@0.95"),
        (
            ("--sensitivity", "1@0.95"),
            "no number of images guarantees a sensitivity of 1; give less, such as 0.95@0.95",
        ),
        (("--width", 0.1, "--metric", "recall", "--expected", 1), "of exactly 1.00 has no two-sided interval; give a"),
        (("keras_xray", "--test", 1), "test"),
        (("keras_xray", "--positives", 5), "--positives 5: needs --test"),
        (("keras_xray", "--test", 50, "--positives", 50), "--positives 50: give 1 to 49"),
        (("keras_xray", "--spread", 2), "--spread 2: give a standard deviation"),
        (("keras_xray", "--difference", 2), "--difference 2: give a difference above 0 and below 1"),
        (("keras_xray", "--protocol", "auto"), "--protocol auto depends on the images; add --data"),
        (("keras_xray", "--seeds", 100), "a plan simulates at most 20 trainings"),
        (("keras_xray", "--data", "phantom"), "names no card that can run"),
        (("keras_xray", "--data", "phantom", "--test", 50), "--data has its own test images"),
        (("unknown",), "unknown"),
    ],
)
def test_a_wrong_request_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[object, ...], line: str
) -> None:
    assert zoo(monkeypatch, *arguments) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert line in err


def test_the_test_part_of_data_is_planned(tmp_path: Path) -> None:
    """The protocol of the phantom has 200 test images; on synthetic images no verdict would come out."""
    claims = write_claims(tmp_path, contents(row("one", figure("recall", 0.9833), card="attempt-5")))
    results = package.plan(claims, data="phantom", protocol="quick", store=tmp_path / "runs", sets=20)
    assert results.claims is not None
    sizes = results.claims.experiment.sizes
    assert sizes is not None
    assert sum(sizes.values()) == 200
    assert any("synthetic images" in line for line in results.messages)
    assert not (tmp_path / "runs").exists()
