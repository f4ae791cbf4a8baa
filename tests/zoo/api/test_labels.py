"""`zoo.labels` judges the split of a bench, writes its list with pictures, and judges no test label."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import zoo
from benchmark.data.dataset import Dataset
from benchmark.data.splits import Split, make_split
from benchmark.runs.label_errors import LabelCheck
from benchmark.runs.run import conditions_of
from benchmark.runs.storage.beside.label_errors import RecordedLabels, read_labels
from benchmark.runs.storage.store import Store
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
    recorded = read_labels(Store(tmp_path / "runs"), conditions_of(digits.fingerprint, conditions))
    assert recorded is not None
    assert (recorded.suspects, recorded.is_tested) == (results.suspects, False)


def test_a_protocol_that_tests_every_image_is_judged_in_one_split(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = []

    def judge(dataset: Dataset, split: Split) -> LabelCheck:
        judged.append(split)
        return LabelCheck((), 0.5)

    monkeypatch.setattr(module, "suspected_labels", judge)
    store = Store(tmp_path / "runs")
    folded = protocol(test_folds=3, sampling={"min_val": 0})
    results = zoo.labels(digits, protocol=folded, store=store)
    assert any("tests every image in folds; the labels are judged in one split" in each for each in results.messages)
    (split,) = judged
    assert split == make_split(digits, folded.sampling, folded.split_seed)
    assert len(split.test) > 0
    assert results.checked == len(split.train) + len(split.val) == len(digits.images) - len(split.test)
    recorded = read_labels(store, conditions_of(digits.fingerprint, folded))
    assert recorded == RecordedLabels(checked=results.checked, agreement=0.5, is_tested=True)


def test_a_store_that_cannot_be_written_is_a_warning(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "suspected_labels", lambda dataset, split: LabelCheck((), 0.5))
    (tmp_path / ".labels").write_text("a file where the folder should be", encoding="utf-8")
    results = zoo.labels(digits, protocol=protocol(), store=tmp_path)
    assert any("`zoo report` will not list this" in each for each in results.messages)


def test_a_missing_package_is_named(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(zoo.ConfigError, match=r"pip install 'zoo-bench\[labels\]'"):
        zoo.labels(digits)
