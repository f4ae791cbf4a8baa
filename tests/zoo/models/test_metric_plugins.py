"""A metric of another package is in tables, intervals, comparisons and schemas, without a line of this program."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.guests import NET, builder, environment, install, write_cards, zoo
from tests.support.tiny import write_protocol

METRICS = '''
import numpy
from benchmark.evidence import Confusion, Ratio, Scores, register_metric

@register_metric(
    reads="decisions", label="Jaccard index", aliases=("iou",), kind="share", direction="higher", range=(0, 1),
    depends_on_prevalence=True, ratio=Ratio((1, 0, 0, 0), (1, 1, 0, 1)), scale="Wilson",
)
def jaccard(c: Confusion) -> float | None:
    """TP / (TP + FP + FN)."""
    return c.tp / (c.tp + c.fp + c.fn) if c.tp + c.fp + c.fn else None

def errors(y_true, y_score):
    return numpy.abs(y_score - y_true)

@register_metric(
    reads="scores", label="mean absolute error", kind="loss", direction="lower", range=(0, 1),
    depends_on_prevalence=True, per_image=errors, scale="log",
)
def mean_absolute_error(scores: Scores) -> float | None:
    """Mean distance of score and label."""
    return float(errors(scores.y_true, scores.y_score).mean())

def kappa_influence(counts):
    def kappa_of(c):
        n = c.sum()
        chance = ((c[0] + c[1]) * (c[0] + c[3]) + (c[2] + c[3]) * (c[2] + c[1])) / n**2
        return ((c[0] + c[2]) / n - chance) / (1 - chance)
    step = 1e-6
    return numpy.array([(kappa_of(counts + e) - kappa_of(counts - e)) / (2 * step) for e in step * numpy.eye(4)])

@register_metric(
    reads="decisions", label="Cohen's kappa", kind="correlation", direction="higher", range=(-1, 1),
    depends_on_prevalence=True, influence=kappa_influence, scale="Fisher z",
)
def kappa(c: Confusion) -> float | None:
    """Agreement beyond chance (Cohen 1960)."""
    n = c.tp + c.fp + c.tn + c.fn
    chance = ((c.tp + c.fp) * (c.tp + c.fn) + (c.tn + c.fn) * (c.tn + c.fp)) / n**2
    return None if chance == 1 else ((c.tp + c.tn) / n - chance) / (1 - chance)

@register_metric(
    reads="scores", label="broken", kind="loss", direction="lower", range=(0, 1), depends_on_prevalence=True,
    per_image=errors, scale="log",
)
def broken(scores: Scores) -> float | None:
    """Fails."""
    raise ValueError("no such thing")
'''
FAILURE = "broken of package agreement raised ValueError: no such thing"
NAMES = ("jaccard", "mean_absolute_error", "kappa")
LABELS = ("Jaccard index", "mean absolute error", "Cohen's kappa")
EVIDENCE = """
import json, math
import numpy as np
import zoo.models.metrics
from benchmark.evidence import Scores, figures
from benchmark.evidence.intervals.bootstrap import replicates
from benchmark.evidence.metrics.registry import get_metric
from benchmark.evidence.metrics.influence import Clusters

names = ("jaccard", "mean_absolute_error", "kappa")
generator = np.random.default_rng(0)
y_true = np.arange(400) % 2
y_score = np.clip(0.35 + 0.3 * y_true + 0.25 * generator.standard_normal(400), 0, 1)
patients = tuple(f"patient {k // 4}" for k in range(400))
measured = figures(Scores("test", y_true, y_score, patients), 0.5)
drawn = replicates(y_true, y_score[None], [0.5], patients, count=2000, seed=0, metrics=names)
clusters = Clusters(y_true, patients)
print(json.dumps({
    name: {
        "figure": [measured[name].value, measured[name].low, measured[name].high, measured[name].method],
        "bootstrap": float(drawn[name].std()),
        "linearised": math.sqrt(clusters.variance(get_metric(name).influence_values(y_true, y_score, 0.5))),
    }
    for name in names
}))
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the installed package `agreement`, which registers three metrics, and one with a builder."""
    folder = tmp_path_factory.mktemp("packages")
    install(folder, "agreement", {"zoo.metrics": "agreement"}, agreement=METRICS)
    return install(folder, "good-guest", {"zoo.builders": "good_guest"}, good_guest=builder("good_guest", NET))


def test_its_intervals_are_by_patient_and_agree_with_the_bootstrap(packages: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EVIDENCE],
        env=environment(packages, tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    document = json.loads(done.stdout)
    methods = dict(zip(NAMES, ("Wilson", "linearised, log", "linearised, Fisher z"), strict=True))
    for name in NAMES:
        value, low, high, method = document[name]["figure"]
        assert low < value < high
        assert method == f"{methods[name]}, by patient"
        assert document[name]["bootstrap"] == pytest.approx(document[name]["linearised"], rel=0.1)


@pytest.mark.parametrize("kind", ["card", "claims", "space"])
def test_its_names_are_in_the_schemas(packages: Path, tmp_path: Path, kind: str) -> None:
    done = zoo(packages, tmp_path, "schema", kind, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert '"jaccard"' in done.stdout
    assert '"iou"' in done.stdout


def test_claims_and_cards_may_name_it(packages: Path, tmp_path: Path) -> None:
    figure = "{{metric: iou, value: {}, split: test, decimals: 2, location: here}}"
    head = "title: A report\nsource: {report: A report, test: {negatives: 10, positives: 10, location: here}}\nrows:\n"
    rows = "  - {name: possible, figures: [%s]}\n  - {name: percent, figures: [%s]}\n"
    right, wrong = figure.format(0.5), figure.format(50)
    (tmp_path / "right.yaml").write_text(head + rows % (right, right), encoding="utf-8")
    (tmp_path / "wrong.yaml").write_text(head + rows % (right, wrong), encoding="utf-8")
    done = zoo(packages, tmp_path, "audit", "right.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Jaccard index 0.50" in done.stdout
    refused = zoo(packages, tmp_path, "audit", "wrong.yaml", cwd=tmp_path)
    assert refused.returncode == 2
    assert "jaccard must be within [0, 1]; is it given in percent?" in refused.stderr


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (
            "@register_metric(reads='decisions', kind='share', direction='higher', range=(0, 1), scale='logit',\n"
            "                 depends_on_prevalence=True)\ndef jaccard(c): ...\n",
            "the metric 'jaccard' cannot be registered: it lacks label",
        ),
        ("1 / 0\n", "division by zero"),
    ],
    ids=["incomplete", "fails at import"],
)
def test_a_broken_one_is_reported_in_a_line_and_the_rest_goes_on(tmp_path: Path, source: str, problem: str) -> None:
    text = f"from benchmark.evidence import register_metric\n{source}"
    folder = install(tmp_path / "broken", "agreement", {"zoo.metrics": "agreement"}, agreement=text)
    done = zoo(folder, tmp_path / "cache", "cards", "--json", cwd=tmp_path)
    assert done.returncode == 2
    assert json.loads(done.stdout)
    (line,) = done.stderr.splitlines()
    assert line == (
        f"zoo: the metric plug-in 'agreement' (agreement) cannot be loaded: {problem}; fix or uninstall its package"
    )


@dataclass(frozen=True)
class Bench:
    """Two cards, run where the package is installed."""

    packages: Path
    folder: Path

    def zoo(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = zoo(self.packages, self.folder / "cache", *arguments, cwd=self.folder)
        assert done.returncode == 0, done.stderr
        return done


@pytest.fixture(scope="module")
def bench(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("bench")
    folder_of_cards = write_cards(folder / "own", "good_guest")
    (folder_of_cards / "other.yaml").write_text(
        "title: Other\nchange: the rate\nextends: good-guest\nrecipe: {optimizer: {learning_rate: 0.1}}\n",
        encoding="utf-8",
    )
    write_protocol(folder / "smallest.yaml")
    bench = Bench(packages, folder)
    bench.zoo("bench", "good-guest", "other", "--cards", "own", "--protocol", "smallest.yaml")
    return bench


@pytest.mark.slow
def test_a_run_records_it_with_an_interval_and_shows_it(bench: Bench) -> None:
    records = [json.loads(path.read_text(encoding="utf-8")) for path in bench.folder.glob("runs/*/run.json")]
    [record] = [record for record in records if record["spec"]["card"]["name"] == "good-guest"]
    figures: dict[str, Any] = record["at_half"]["test"]
    assert set(NAMES) <= figures.keys()
    assert figures["mean_absolute_error"]["low"] < figures["mean_absolute_error"]["high"]
    assert (figures["broken"]["value"], figures["broken"]["reason"]) == (None, FAILURE)
    table = bench.zoo("show", "good-guest").stdout
    assert FAILURE in " ".join(table.split())
    for name, label in zip(NAMES, LABELS, strict=True):
        value = figures[name]["value"]
        [row] = [line for line in table.splitlines() if line.strip().startswith(label)]
        assert value is None or f"{value:.3f}" in row


@pytest.mark.slow
def test_it_is_in_every_form_of_the_report(bench: Bench) -> None:
    bench.zoo("report", "--out", "out", "--cards", "own")
    markdown = (bench.folder / "out" / "report.md").read_text(encoding="utf-8")
    page = (bench.folder / "out" / "report.html").read_text(encoding="utf-8")
    assert f"Missing: {FAILURE}." in markdown
    for label in LABELS:
        assert f"| {label} |" in markdown
    assert '<th scope="row">Jaccard index</th>' in page
    assert 'data-metric="jaccard" data-ratios="[[[1, 0, 0, 0], [1, 1, 0, 1]]]"' in page


@pytest.mark.slow
def test_cards_are_compared_and_ranked_by_it(bench: Bench) -> None:
    pair = bench.zoo("compare", "good-guest", "other").stdout
    assert all(label in pair for label in LABELS)
    [document] = json.loads(bench.zoo("compare", "--metric", "iou", "--json").stdout)
    assert document["metric"] == "jaccard"
    assert document["figures"].keys() == {"good-guest", "other"}
