"""Compare backends of Keras: figures of one card of each family by seed, their spread, paired differences, and seconds.

    python -m tests.perf.backends --data SOURCE [--seeds 5] [--backends tensorflow,jax] [--cards a,b] [--out FOLDER]

Every seed runs with every backend in a process of its own, with an empty cache and a store of its own, on the same
split: 200 training, 100 validation and 200 test images of 96 px. The backends take turns. A seed decides initial
weights, dropout and orders, but backends draw other numbers from it, so that networks differ as between two seeds. The
difference is paired by seed; its interval is that of Student's t at 95%. The mean difference of the score of a test
image is given between backends and between seeds. With --out, the stores stay there, and the same command reuses their
runs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmark.evidence.scores import SplitName
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store

ROOT = Path(__file__).resolve().parents[2]
CARDS = ("constant", "pixels-logistic", "small-cnn", "squeezenet-probe", "squeezenet-finetuned")
PROTOCOL = """\
title: The same small split for every backend
image_size: 96
sampling: {train: 200, val: 100, test: 200, balanced: true}
views: 2
max_epochs: 10
"""
PARTS: tuple[SplitName, ...] = ("val", "test")
BENCH = (
    "import sys, zoo\n"
    "data, protocol, store, seed, *cards = sys.argv[1:]\n"
    "zoo.bench(cards, data=data, protocol=protocol, store=store, seeds=[int(seed)], on_message=print)\n"
)


@dataclass(frozen=True)
class Result:
    """A finished run, and its scores of the test images."""

    run: Run
    scores: npt.NDArray[np.float64]

    def auc(self, part: SplitName) -> float:
        value = self.run.figures(part)["auc"].value
        assert value is not None
        return value


BySeed = list[dict[str, Result]]
"""Results by card, for each seed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--backends", default="tensorflow,jax")
    parser.add_argument("--cards", default=",".join(CARDS))
    parser.add_argument("--out", type=Path)
    parsed = parser.parse_args()
    backends, cards = parsed.backends.split(","), parsed.cards.split(",")
    with tempfile.TemporaryDirectory(prefix="zoo-backends-") as text:
        folder = Path(text) if parsed.out is None else parsed.out.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "small.yaml").write_text(PROTOCOL, encoding="utf-8")
        data = str(Path(parsed.data).absolute()) if Path(parsed.data).exists() else parsed.data
        results: dict[str, BySeed] = {backend: [] for backend in backends}
        for seed in range(parsed.seeds):
            for backend in backends:
                results[backend].append(bench(backend, seed, data, cards, folder))
        print(f"\n{', '.join(version(backend, by_seed) for backend, by_seed in results.items())}\n")
        print_figures(results, cards)
        print_differences(results, cards)


def bench(backend: str, seed: int, data: str, cards: Sequence[str], folder: Path) -> dict[str, Result]:
    """Returns: the runs of a seed with a backend, computed in a process of its own unless the store has them."""
    store = folder / f"{backend}-{seed}"
    with tempfile.TemporaryDirectory(prefix="zoo-cache-") as cache:
        variables = {**os.environ, "KERAS_BACKEND": backend, "ZOO_CACHE_DIR": cache, "PYTHONPATH": str(ROOT)}
        words = [sys.executable, "-c", BENCH, data, str(folder / "small.yaml"), str(store), str(seed), *cards]
        done = subprocess.run(words, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{backend}, seed {seed}: {done.stdout}{done.stderr}")
    runs = {run.spec.card.name: run for run in Store(store).runs()[0]}
    results = {}
    for card in cards:
        run = runs.get(card)
        if run is None or run.status != "ok":
            sys.exit(f"{backend}, seed {seed}, {card}: {done.stdout if run is None else run.error}")
        results[card] = result = Result(run, Store(store).scores(run, "test").y_score)
        figures = f"val {result.auc('val'):.4f}, test {result.auc('test'):.4f}"
        print(f"{card}, seed {seed}, {backend}: {figures}", flush=True)
    return results


def version(backend: str, results: BySeed) -> str:
    environment = next(iter(results[0].values())).run.environment
    assert environment is not None
    assert environment.versions["backend"] == backend
    return f"{backend} {environment.versions[backend]}"


def print_figures(results: Mapping[str, BySeed], cards: Sequence[str]) -> None:
    print("| card | backend | val AUC by seed | mean | sd | test AUC by seed | mean | sd | seconds per run |")
    print("|---|---|---|---|---|---|---|---|---|")
    for card in cards:
        for backend, by_seed in results.items():
            cells = []
            for part in PARTS:
                values = [each[card].auc(part) for each in by_seed]
                cells += [" ".join(f"{value:.3f}" for value in values), f"{statistics.mean(values):.3f}", sd(values)]
            costs = [each[card].run.costs for each in by_seed]
            seconds = statistics.mean(each.seconds for each in costs if each is not None)
            print(f"| {card} | {backend} | {' | '.join(cells)} | {seconds:.1f} |")


def print_differences(results: Mapping[str, BySeed], cards: Sequence[str]) -> None:
    """Prints: the differences of AUC by seed, and of scores of test images beside those between seeds of a backend."""
    first, *others = results
    print(f"\n| card | backend | val AUC minus {first} | test AUC minus {first} | scores | seeds of {first} |")
    print("|---|---|---|---|---|---|")
    for card in cards:
        between_seeds = mean_difference(combinations([each[card] for each in results[first]], 2))
        for backend in others:
            pairs = [(a[card], b[card]) for a, b in zip(results[first], results[backend], strict=True)]
            cells = [interval([b.auc(part) - a.auc(part) for a, b in pairs]) for part in PARTS]
            print(f"| {card} | {backend} | {' | '.join(cells)} | {mean_difference(pairs)} | {between_seeds} |")


def mean_difference(pairs: Iterable[tuple[Result, Result]]) -> str:
    """Returns: the mean absolute difference of the score of a test image."""
    differences = [float(np.abs(b.scores - a.scores).mean()) for a, b in pairs]
    return f"{statistics.mean(differences):.2g}" if differences else "-"


def sd(values: Sequence[float]) -> str:
    return f"{statistics.stdev(values):.3f}" if len(values) > 1 else "-"


def interval(differences: Sequence[float]) -> str:
    """Returns: the mean difference with its interval."""
    mean = statistics.mean(differences)
    if len(differences) < 2:
        return f"{mean:+.3f}"
    half = stats.t.ppf(0.975, len(differences) - 1) * statistics.stdev(differences) / len(differences) ** 0.5
    return f"{mean:+.3f} [{mean - half:+.3f}, {mean + half:+.3f}]"


if __name__ == "__main__":
    main()
