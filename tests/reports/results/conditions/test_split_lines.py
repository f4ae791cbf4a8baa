"""Before anything is trained, a bench says how many images go where, how many are left out, and why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from benchmark.data.dataset import DataError
from benchmark.data.sources.phantom import open_phantom
from benchmark.runs.execution.events import Started
from benchmark.runs.plan import MOST_SPLITS, PlannedSplit, make_plan, planned_splits
from benchmark.runs.protocol import Protocol, load_protocol
from benchmark.runs.run import SplitFacts
from reports.results.conditions.split_lines import split_lines, split_notes
from tests.support.images import in_memory, rows_of
from tests.support.tiny import card
from zoo.cli.progress import watching

CLASSES = ("NORMAL", "PNEUMONIA")
LARGE = (240, 240), (60, 60), (234, 234)
SMALL = (6, 6), (2, 2), (4, 4)


def planned(seed: int, *sizes: tuple[int, int], notes: Sequence[str] = ()) -> PlannedSplit:
    counts = dict(zip(("train", "val", "test"), sizes, strict=True))
    totals = {name: sum(count) for name, count in counts.items()}
    return PlannedSplit((seed,), SplitFacts(totals, f"split {seed}", tuple(notes), counts))


def test_every_part_is_counted_by_class_and_what_is_left_out() -> None:
    assert split_lines([planned(0, *LARGE)], CLASSES, 5216) == [
        "split: train 480 (240 NORMAL + 240 PNEUMONIA), val 120 (60 + 60), test 468 (234 + 234); "
        "4,148 of 5,216 images left out"
    ]
    assert "left out" not in split_lines([planned(0, *LARGE)], CLASSES, 1068)[0]


def test_what_the_counts_alone_show_is_warned_of_before_training() -> None:
    lines = split_lines([planned(0, *SMALL)], CLASSES, 500)
    assert [line.split(":")[1].strip() for line in lines[1:]] == [
        "training has too few images of a class",
        "validation is too small for reliable choices",
    ]


def test_splits_of_the_same_sizes_share_a_line_and_others_name_their_seeds() -> None:
    alike = split_lines([planned(seed, *LARGE) for seed in range(3)], CLASSES, 1068)
    assert len(alike) == 1
    assert alike[0].endswith("; drawn anew for each of 3 splits")
    other = split_lines([planned(0, *LARGE), planned(1, *SMALL), planned(2, *LARGE)], CLASSES, 1068)
    assert [line.split(": ")[0] for line in other[:2]] == ["split of seeds 0, 2", "split of seed 1"]


def test_notes_that_differ_in_a_number_alone_are_said_once() -> None:
    splits = [planned(seed, *LARGE, notes=[f"{seed + 2} images left out: a reason"]) for seed in range(3)]
    assert split_notes(splits) == ["2 images left out: a reason"]


def under(**fields: object) -> Protocol:
    return load_protocol("quick").model_copy(update=fields)


def test_a_plan_draws_a_split_for_each_seed_where_the_protocol_says_so() -> None:
    phantom = open_phantom()
    fixed = planned_splits(make_plan([card("a"), card("b")], under(seeds=(0, 1)), phantom), phantom)
    assert [split.seeds for split in fixed] == [(0, 1)]
    own = planned_splits(make_plan([card()], under(seeds=(0, 1), split="per-seed"), phantom), phantom)
    assert [split.seeds for split in own] == [(0,), (1,)]
    assert len({split.facts.fingerprint for split in own}) == 2
    many = make_plan([card()], under(split="per-seed"), phantom, list(range(MOST_SPLITS + 5)))
    assert len(planned_splits(many, phantom)) == MOST_SPLITS


def test_the_header_of_a_bench_says_it_and_no_note_is_said_twice(tmp_path: Path) -> None:
    dataset = in_memory(rows_of("all", 150))
    plan = make_plan([card()], under(), dataset)
    with (tmp_path / "said").open("w") as file, watching(Console(file=file, width=200), plan, dataset) as handle:
        handle(Started(plan.specs[0], planned_splits(plan, dataset)[0].facts))
    said = (tmp_path / "said").read_text().splitlines()
    assert sum(line.startswith("split: train 76 (38 NORMAL + 38 PNEUMONIA), val 28 (14 + 14)") for line in said) == 1
    assert sum("too few for the protocol" in line for line in said) == 1


def test_a_source_that_cannot_be_split_is_refused_before_a_run_starts() -> None:
    dataset = in_memory(rows_of("all", 4))
    with pytest.raises(DataError, match="3 of each"):
        planned_splits(make_plan([card()], under(), dataset), dataset)
