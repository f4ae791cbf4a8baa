"""`zoo.labels` judges the split of a bench, writes its list with pictures, and refuses to judge test labels."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import zoo
from benchmark.data.dataset import Dataset
from benchmark.data.splits import make_split
from tests.support.tiny import protocol
from zoo.api import labels as module

pytest.importorskip("cleanlab")


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return zoo.open_dataset("digits")


def test_the_list_is_written_with_pictures(digits: Dataset, tmp_path: Path) -> None:
    conditions = protocol(sampling={"train": 100, "val": 60, "test": 100})
    results = zoo.labels(digits, protocol=conditions, store=tmp_path / "runs", out=tmp_path / "out")
    split = make_split(digits, conditions.sampling, conditions.split_seed)
    assert results.checked == len(split.train) + len(split.val)
    assert not {each.name for each in results.suspects} & {image.name for image in split.test}
    table, page = results.paths
    assert len(list(csv.DictReader(table.open(encoding="utf-8")))) == len(results.suspects)
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") == len(results.suspects)
    assert results.about in text
    assert results.to_dict()["checked"] == results.checked


def test_a_protocol_that_tests_every_image_is_refused(digits: Dataset, tmp_path: Path) -> None:
    with pytest.raises(zoo.ConfigError, match="tests every image"):
        zoo.labels(digits, protocol=protocol(test_folds=3), store=tmp_path)


def test_a_missing_package_is_named(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(zoo.ConfigError, match=r"pip install 'zoo-bench\[labels\]'"):
        zoo.labels(digits)
