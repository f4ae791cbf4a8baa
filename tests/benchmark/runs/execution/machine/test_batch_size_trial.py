"""A run that exceeds a limit of memory is a failed row that names a batch size that would about fit."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmark.data.sources import open_dataset
from benchmark.runs.execution.execute import execute_all
from benchmark.runs.execution.limits import Limits
from benchmark.runs.execution.machine.batch_size_trial import FittingBatchSize, batch_size_of
from benchmark.runs.run import DatasetFacts, Run
from benchmark.runs.storage.store import Store
from tests.support.memory_group import ENTER, memory_group
from tests.support.tiny import card, environment, protocol, spec, write_npz, write_protocol
from zoo.models.card import ModelCard

LIMIT_GIB = 2.4


def test_the_advice_names_what_fits_and_what_was_asked_for() -> None:
    fitting = FittingBatchSize((32, 16), 16, 1.25 * 1024**3)
    assert fitting.advice(64) == ("batch_size 16 would fit (about 1.2 GiB in a trial of 2 batches); the card has 64")
    assert FittingBatchSize((2, 1)).advice(4) == (
        "not even batch_size 1 fits; use a protocol with a smaller image_size"
    )


def test_a_probe_has_no_batch_size() -> None:
    probe = card().model_dump() | {"recipe": {"probe": "logistic"}}
    assert batch_size_of(ModelCard.model_validate(probe)) is None
    assert batch_size_of(card(batch_size=8)) == 8


@pytest.mark.slow
def test_the_row_names_a_batch_size_that_needs_about_as_much_as_the_limit_or_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))
    dataset, store = open_dataset(str(write_npz(tmp_path / "tiny.npz"))), Store(tmp_path / "runs")

    def run_with(batch_size: int, limits: Limits) -> Run:
        wide = card(model={"filters": [256]}, epochs=1, batch_size=batch_size)
        of = spec(card=wide, protocol=protocol(image_size=160), dataset=DatasetFacts.of(dataset))
        [run] = execute_all([of], dataset, store, limits=limits, threads=1)
        return run

    large = run_with(40, Limits(memory_gib=LIMIT_GIB))
    assert large.status == "failed"
    assert large.memory_limit_mib == LIMIT_GIB * 1024
    named = re.search(r"batch_size (\d+) would fit \(about [0-9.]+ GiB", large.error or "")
    assert named is not None, large.error
    small = run_with(int(named[1]), Limits())
    assert small.costs is not None
    assert small.costs.peak_memory_mib < 1.25 * LIMIT_GIB * 1024, (large.error, small.costs)  # about


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group whose processes together get `LIMIT_GIB`."""
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(memory_group(int(LIMIT_GIB * 1024**3)))
        except OSError as error:
            pytest.skip(f"no control group with a limit of memory can be made here: {error}")
        yield folder


@pytest.mark.slow
def test_a_run_that_reaches_the_limit_of_a_control_group_says_what_would_fit(tmp_path: Path, group: Path) -> None:
    write_npz(tmp_path / "tiny.npz")
    write_protocol(tmp_path / "p.yaml", image_size=160)
    text = (tmp_path / "p.yaml").read_text(encoding="utf-8").replace("image_size: 32\n", "")
    (tmp_path / "p.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "cards").mkdir()

    wide = card("wide", model={"filters": [256]}, epochs=1, batch_size=40)
    content = wide.model_dump(mode="json", exclude={"name"}, exclude_defaults=True)
    (tmp_path / "cards" / "wide.yaml").write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML
    words = ["bench", "wide", "--cards", "cards", "--data", "tiny.npz", "--protocol", "p.yaml"]
    done = subprocess.run(
        [*ENTER, str(group), sys.executable, "-m", "zoo", *words],
        cwd=tmp_path,
        env=environment(tmp_path / "cache"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode < 2, done.stderr
    [run] = Store(tmp_path / "runs").runs()[0]
    assert run.status == "failed"
    # The command ends a run itself where it sees in time that memory is scarce; else the kernel does.
    by_either = r"(memory limit of 2\.4 GiB|of 2\.4 GiB were left \(this run alone needs more\) during .*); "
    assert re.search(f"{by_either}(batch_size \\d+ would fit|not even batch_size 1 fits)", run.error or ""), run.error
