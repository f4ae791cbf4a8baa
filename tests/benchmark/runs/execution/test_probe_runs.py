"""Runs of probes: what is stored, and every page that shows them without epochs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

import zoo
from tests.support.forked import run_forked
from tests.support.tiny import environment, write_npz, write_protocol
from zoo.api.bench import BenchResults

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("probes")


@pytest.fixture(scope="module")
def results(place: Path) -> BenchResults:
    return zoo.bench(
        ["constant", "pixels-logistic"],
        data=write_npz(place / "tiny.npz"),
        protocol=write_protocol(place / "smallest.yaml"),
        seeds=2,
        store=place / "runs",
        keep_models=True,
    )


def test_a_run_records_its_probe_and_no_epochs(results: BenchResults) -> None:
    assert results.failed == ()
    for run in results.runs:
        assert run.probe is not None
        assert run.probe.rows == run.split.sizes["train"]
        assert run.costs is not None
        assert (run.costs.epochs, run.costs.seconds_per_epoch) == (0, None)
        assert len(results.store.history(run)) == 0
        assert run == results.store.get(run.run_id)
        assert "overfitting" not in {finding.code for finding in run.diagnosis}


def test_a_constant_answers_with_the_share_and_pixels_beat_it(results: BenchResults) -> None:
    constant, *_, pixels = results.runs
    scores = results.store.binary_scores(constant, "test").y_score
    assert np.allclose(scores, 0.5, atol=1e-6)
    assert constant.figures()["auc"].value == 0.5
    assert (pixels.figures()["auc"].value or 0) > 0.8


def test_every_seed_has_the_same_scores_and_the_spread_is_zero(results: BenchResults) -> None:
    first, second = results.runs[2:]
    stored = [results.store.binary_scores(run, "test").y_score for run in (first, second)]
    assert np.array_equal(*stored)
    assert first.run_id != second.run_id


def test_every_page_is_made_without_epochs(results: BenchResults, place: Path) -> None:
    report = zoo.report(results.store, out=place / "report", formats=["md", "html", "json"])
    text = (place / "report" / "report.md").read_text(encoding="utf-8")
    assert len(report.paths) == 3
    assert "no epochs: fitted in one step" in text
    assert "a probe is the same for every seed, so its spread over seeds is 0: constant, pixels-logistic" in text
    for command in (
        ("show", "pixels-logistic:0"),
        ("compare", "constant", "pixels-logistic"),
        ("track", "tensorboard", "--out", "board"),
    ):
        done = run_forked(command, place, environment(place))
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


def test_an_exported_probe_gives_the_stored_scores(results: BenchResults, place: Path) -> None:
    run = results.runs[-1]
    zoo.export(run, store=results.store, out=place / "exported")
    session = onnxruntime.InferenceSession(place / "exported" / "model.onnx")
    with np.load(place / "tiny.npz") as arrays:
        pixels = arrays["test_images"][..., None].astype(np.float32)
    scores, *_ = session.run(None, {session.get_inputs()[0].name: pixels})
    stored = results.store.binary_scores(run, "test").y_score
    assert len(stored) == 20
    assert all(np.abs(scores[:, 0] - score).min() < 1e-4 for score in stored)


def test_a_run_records_whether_intensity_distinguishes_its_splits_and_the_report_repeats_it(place: Path) -> None:
    """In the held-out images all grey levels are higher; train and validation do not differ."""
    generator = np.random.default_rng(0)
    rows = ["path,label,patient,site"]
    for number in range(180):
        site, label = "ABC"[number % 3], number // 3 % 2
        grey = generator.normal(90 + 20 * label + 15 * (site == "C"), 12, (32, 32)).clip(0, 255).astype(np.uint8)
        Image.fromarray(grey).save(place / f"{number}.png")
        rows.append(f"{number}.png,{'ab'[label]},p{number},{site}")
    (place / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    results = zoo.bench(
        "pixels-logistic",
        data=place / "labels.csv",
        hold_out="site=C",
        protocol=write_protocol(place / "smallest.yaml"),
        store=place / "brighter",
    )
    warning = "intensity alone distinguishes test from train"
    assert [line for line in results.messages if line.startswith(f"warning: {warning}: AUC ")]
    [run] = results.runs
    assert run.checks is not None
    assert {split: each.significant for split, each in run.checks.contrasts.items()} == {"val": False, "test": True}
    report = zoo.report(results.store, out=place / "brighter-report", formats=["md"])
    problems = [problem.text for problem in report.summaries[0].problems]
    assert [text for text in problems if text.startswith(f"This split: {warning} (AUC ")]
