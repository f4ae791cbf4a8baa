"""Compare this project with what a user would write instead: ratios of wall time and peak memory.

    python tests/perf/compare.py {w1,w2,w3,w4,w5} [--small] [--data SOURCE] [--views fresh|N[,...]]
        [--precision P[,...]] [--training P[,...]] [--jobs N[,...]]

w1: a search (stock KerasTuner RandomSearch versus `zoo search`, the same trials; needs the extra `perf`),
w2: attempt-6b for 20 epochs, w3: three seeds of attempt-7, w4: attempt-1,
w5: all cards of the report, against one script per card.

Both sides use the same images, splits and epochs, in processes that start cold. This project's modules are compiled,
as those of an installation are, and its cache is empty, so its time includes the trials of the machine. The plain side
gets decoded images. It computes in float32, this project in `--precision` (frozen layers) and `--training` (training
steps), float32 by default. With several `--views`, `--precision`, `--training` or `--jobs` each is compared with the
one plain run. Wall times depend on other load; processor times, of all processes of a side, much less. The last line is
the mean time per stage of a run. `else` is everything outside of the stages: trials of the machine, drawing the split,
decoding, the report.
"""

from __future__ import annotations

import argparse
import compileall
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmark.data.decoding.prepared import load, prepare
from benchmark.data.sources import open_dataset
from benchmark.data.splits import make_split
from benchmark.runs.protocol import Protocol
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from zoo.models.catalog import REPORT_COLLECTION, load_catalog

ROOT = Path(__file__).resolve().parents[2]
PLAIN = {"w1": "search", "w2": "frozen", "w3": "finetuned", "w4": "scratch", "w5": "card"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", choices=PLAIN)
    parser.add_argument("--small", action="store_true", help="half the images, half the epochs, half the trials")
    parser.add_argument("--data", default="phantom")
    parser.add_argument("--views", default="fresh")
    parser.add_argument("--precision", default="float32", help="float32, bfloat16, auto or several, with commas")
    parser.add_argument("--training", default="float32", help="float32, bfloat16 or both, with a comma")
    parser.add_argument("--jobs", default="1", help="runs at a time, or several numbers, with commas")
    parsed = parser.parse_args()
    options = sizes(parsed.workload, parsed.small)
    ours = {}
    for package in ("zoo", "benchmark", "search_spaces", "reports"):  # as an installation is
        compileall.compile_dir(ROOT / package, quiet=1)
    with tempfile.TemporaryDirectory(prefix="zoo-perf-") as folder:
        asked = (parsed.views, parsed.precision, parsed.training, parsed.jobs)
        for variant in itertools.product(*(names.split(",") for names in asked)):
            views, precision, training, jobs = variant
            place = Path(folder) / "-".join(variant)
            place.mkdir()
            rules = protocol(parsed.small, views, options.get("cap"), precision)
            rules |= {"training_precision": training}
            (place / "perf.yaml").write_text(json.dumps(rules), encoding="utf-8")  # JSON is YAML
            used = timed([*command(parsed.workload, parsed.data, options, place), "--jobs", jobs], place)
            ours[variant] = used, runs_of(place, parsed.workload)
        arrays = write_arrays(parsed.data, protocol(parsed.small, "fresh", None), Path(folder))
        plain = [sys.executable, str(ROOT / "tests/perf/plain.py"), PLAIN[parsed.workload], str(arrays)]
        scripts = plain_cards(options["cap"]) if parsed.workload == "w5" else [options]
        theirs = in_total([timed([*plain, json.dumps(each)], Path(folder)) for each in scripts])
    for (views, precision, training, jobs), (used, runs) in ours.items():
        workload = f"{parsed.workload}{' --small' if parsed.small else ''}"
        print(f"{workload} on {parsed.data}, views {views}, {precision}, training in {training}, {jobs} at a time:")
        measured = [run for run in runs if run.spec.stage == "search" or parsed.workload != "w1"]
        print_ratio(measured, used, [auc for out in theirs["out"] for auc in json.loads(out.splitlines()[-1])], theirs)
        print_stages(runs, used["seconds"])


def sizes(workload: str, small: bool) -> dict[str, Any]:
    """Epochs (of each phase), trials and seeds of a workload; `cap` is the protocol's max_epochs."""
    half = 2 if small else 1
    return {
        "w1": {"epochs": 4 // half, "trials": 12 // half, "cap": 4 // half},
        "w2": {"epochs": 20 // half},
        "w3": {"epochs": 8 // half, "finetune_epochs": 4 if small else 6, "seeds": 3, "cap": 4 if small else None},
        "w4": {"epochs": 12 // half, "cap": 12 // half},
        "w5": {"cap": 12 // half},
    }[workload]


def protocol(small: bool, views: str, cap: int | None, precision: str = "float32") -> dict[str, Any]:
    half = 2 if small else 1
    return {
        "title": "Comparison with a plain script",
        "image_size": 150,
        "sampling": {"train": 480 // half, "val": 120 // half, "test": 20, "balanced": True},
        "views": views if views == "fresh" else int(views),
        "precision": precision,
        **({"max_epochs": cap} if cap else {}),
    }


def write_arrays(source: str, rules: dict[str, Any], place: Path) -> Path:
    """Write the images of the split for the plain side."""
    dataset = open_dataset(source)
    perf = Protocol.model_validate({"name": "perf", **rules})
    folder = prepare(dataset, make_split(dataset, perf.sampling, perf.split_seed), perf.image_size, place / "arrays")
    train, val = load(folder, "train"), load(folder, "val")
    path = place / "arrays.npz"
    np.savez(path, x=train.pixels, y=train.labels, val_x=val.pixels, val_y=val.labels)
    return path


def command(workload: str, source: str, options: dict[str, Any], place: Path) -> list[str]:
    data = str(Path(source).resolve()) if Path(source).exists() else source
    shared = ["--data", data, "--protocol", "perf.yaml", "--store", "store"]
    zoo = [sys.executable, "-m", "zoo"]
    if workload == "w1":
        space = SPACE | {"budget": {"trials": options["trials"]}}
        (place / "space.yaml").write_text(json.dumps(space), encoding="utf-8")
        return [*zoo, "search", "attempt-7", "--space", "space.yaml", "--out", "out", *shared]
    if workload == "w2":
        card = {"extends": "attempt-6b", "title": "t", "change": "c", "recipe": {"epochs": options["epochs"]}}
        (place / "cards").mkdir()
        (place / "cards" / "longer.yaml").write_text(json.dumps(card), encoding="utf-8")
        return [*zoo, "bench", "longer", "--cards", "cards", *shared]
    if workload == "w3":
        return [*zoo, "bench", "attempt-7", "--seeds", str(options["seeds"]), *shared]
    if workload == "w5":
        return [*zoo, "bench", "--all", "--collection", REPORT_COLLECTION, *shared]
    return [*zoo, "bench", "attempt-1", *shared]


def plain_cards(cap: int) -> list[dict[str, Any]]:
    """The model and the recipe of each card of the report, with no phase longer than `cap` epochs."""
    cards = [card.model_dump(mode="json") for card in load_catalog().of(REPORT_COLLECTION).values()]
    for card in cards:
        for phase in filter(None, (card["recipe"], card["recipe"]["finetune"])):
            phase["epochs"] = min(phase["epochs"], cap)
    return [{"model": card["model"], "recipe": card["recipe"]} for card in cards]


SPACE = {
    "title": "Learning rate x layers to unfreeze",
    "objective": "auc",
    "tuner": "random",
    "reseed": {"top": 0, "seeds": 0},
    "parameters": {
        "recipe.finetune.learning_rate": {"kind": "float", "low": 1e-6, "high": 1e-3, "scale": "log"},
        "model.unfreeze_layers": {"kind": "int", "low": 0, "high": 4},
    },
}


def timed(arguments: list[str], place: Path) -> dict[str, Any]:
    """Run a command. Return wall and processor seconds, peak memory of the process in MiB, and its output."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ZOO_CACHE_DIR": str(place / "cache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with (place / "stdout").open("w+") as out, (place / "stderr").open("w+") as err:
        before = time.perf_counter()
        process = subprocess.Popen(
            arguments, cwd=place, env=environment, stdout=out, stderr=err, start_new_session=True
        )
        used: dict[int, float] = {}
        status = None
        while status is None:
            used |= processor_seconds(process.pid)
            time.sleep(0.1)
            ended, code, usage = os.wait4(process.pid, os.WNOHANG)
            status = code if ended else None
        seconds = time.perf_counter() - before
    if status:
        sys.exit(f"{' '.join(arguments[:4])} failed:\n{(place / 'stderr').read_text()[-3000:]}")
    processor = sum(used.values())
    return {
        "seconds": seconds,
        "processor": processor,
        "peak": usage.ru_maxrss / 1024,
        "out": (place / "stdout").read_text(),
    }


def in_total(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The sums of seconds, the largest peak and all outputs of commands that ran one after the other."""
    sums = {name: sum(part[name] for part in parts) for name in ("seconds", "processor")}
    return {**sums, "peak": max(part["peak"] for part in parts), "out": [part["out"] for part in parts]}


def processor_seconds(session: int) -> dict[int, float]:
    """The processor time of each process of a session until now."""
    used = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.getsid(process.pid) == session:
                times = process.cpu_times()
                used[process.pid] = times.user + times.system
    return used


def runs_of(place: Path, workload: str) -> list[Run]:
    """The runs of the store, including the winner of a search."""
    store = Store(place / "store")
    return [run for stage in (("search", "bench") if workload == "w1" else ("bench",)) for run in store.runs(stage)[0]]


def print_ratio(runs: list[Run], ours: dict[str, Any], plain: list[float], theirs: dict[str, Any]) -> None:
    aucs = sorted(run.figures("val")["auc"].value or 0.0 for run in runs)
    ratio = theirs["seconds"] / ours["seconds"]
    peak = max(ours["peak"], *(run.costs.peak_memory_mib for run in runs if run.costs))
    print(f"  wall time: zoo {ours['seconds']:.0f} s, plain {theirs['seconds']:.0f} s: {ratio:.1f}x")
    spent = theirs["processor"] / ours["processor"]
    print(f"  processor: zoo {ours['processor']:.0f} s, plain {theirs['processor']:.0f} s: {spent:.1f}x")
    print(f"  best val AUC: zoo {aucs[-1]:.4f}, plain {max(plain):.4f}")
    print(f"  all val AUCs: zoo {[round(x, 4) for x in aucs]}, plain {[round(x, 4) for x in sorted(plain)]}")
    print(f"  peak memory of the largest process: zoo {peak:.0f} MiB, plain {theirs['peak']:.0f} MiB")


def print_stages(runs: list[Run], seconds: float) -> None:
    for what, words in (
        ("frozen layers", {run.environment.prefix_in_words() for run in runs if run.environment}),
        ("convolutions in training", {run.environment.convolutions_in_words() for run in runs if run.environment}),
    ):
        print(f"  {what}: {'; '.join(sorted(text for text in words if text)) or 'none'}")
    stages: dict[str, float] = {}
    for run in runs:
        for stage, spent in (run.costs.stages if run.costs else {}).items():
            stages[stage] = stages.get(stage, 0.0) + spent
    stages["else"] = seconds - sum(stages.values())
    means = ", ".join(f"{stage} {spent / len(runs):.1f} s" for stage, spent in stages.items())
    print(f"  of {len(runs)} runs, each on average: {means}")


if __name__ == "__main__":
    main()
