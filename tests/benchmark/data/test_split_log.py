"""What a split says of how it was drawn, and which parts it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmark.data.quotas import Shares
from benchmark.data.split_log import SplitLog, check_classes, check_patients, lack, note_shares
from benchmark.data.splits import Sampling, groups, make_split
from tests.support.images import in_memory, refusal, rows_of


@pytest.mark.parametrize(("part", "which"), [("all", "images"), ("train", "images of train")])
def test_images_that_are_set_aside_for_test_are_not_called_drawn(part: str, which: str) -> None:
    """Of 40 images that are set aside, the protocol asks for 10; the note gives the first number for what it is."""
    rows = rows_of("all" if part == "all" else "train", 200)
    split = make_split(in_memory(rows), Sampling(test=10), 0)
    assert len(split.test) == 10
    assert f"the source has no test part: 40 {which} are set aside for test at random, by patient" in split.notes
    assert "30 images not drawn: the protocol asks for test 10" in split.notes


def test_a_class_with_fewer_patients_than_parts_is_refused_with_the_notes() -> None:
    dataset = in_memory(rows_of("train", 3), source="folder")
    log = SplitLog(dataset.classes)
    log.leave_out(0, "nothing")
    log.leave_out(2, "2 images left out")
    grouped = groups(dataset.images)
    check_patients(dataset, grouped, ("train",), log)
    message = refusal(lambda: check_patients(dataset, grouped, ("train", "val"), log))
    assert message.startswith("folder: train and val need patients of both classes, 2 of each; ")
    assert message.endswith("contain 2 of NORMAL and 1 of PNEUMONIA; 2 images left out")
    assert (log.left_out, log.notes) == (2, ["2 images left out"])


def test_a_part_that_lacks_a_class_is_refused_with_the_reason() -> None:
    dataset = replace(in_memory(rows_of("train", 4)), classes=("a", "b", "c"))
    log = SplitLog(dataset.classes)
    assert log.count(dataset.images) == (2, 2, 0)
    message = refusal(lambda: check_classes(dataset, "val", dataset.images, 2, log))
    assert message.endswith("no images of c, and needs every class; the protocol's sampling asks for val 2")
    assert "asks for" not in refusal(lambda: check_classes(dataset, "val", dataset.images, None, log))


def test_shares_are_noted_where_the_images_are_too_few() -> None:
    dataset, log = in_memory(rows_of("train", 4)), SplitLog(("NORMAL", "PNEUMONIA"))
    enough, few = (Shares((10, 10), (5, 5), (0, 0), scaled=scaled) for scaled in (False, True))
    note_shares(dataset, (20, 20), enough, ("train", "val"), "train 20", log)
    assert (log.notes, log.explained) == ([], ())
    note_shares(dataset, (20, 20), few, ("train", "val"), "train 20", log)
    assert log.explained == ("train", "val")
    assert log.notes == [
        "train and val are drawn from the same 20 images of NORMAL and 20 of PNEUMONIA, too few for the protocol's "
        "train 20: train keeps half of each class; val gets the rest"
    ]


def test_a_part_without_images_of_a_class_says_which() -> None:
    assert lack((0, 3), ("a", "b")) == "the images left for it are all of one class"
    assert lack((0, 0, 3), ("a", "b", "c")) == "no images of a and b are left for it"
    assert lack((1, 1, 1), ("a", "b", "c")) == "fewer images are requested than there are classes, 3"
