"""Fixtures that several test files share."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("no-clock", deadline=None)  # no test passes or fails by the clock
settings.load_profile("no-clock")


TESTS = Path(__file__).parent
LONGEST = (
    "docs/test_docs.py",
    "test_end_to_end.py",
    "search_spaces/test_search.py",
    "benchmark/runs/execution/test_hostile_builders.py",
    "zoo/cli/test_app.py",
    "zoo/models/test_nested_builders.py",
    "benchmark/runs/execution/test_probe_runs.py",
    "zoo/api/test_bench.py",
    "zoo/cli/commands/test_predict.py",
    "benchmark/training/frozen/test_features.py",
    "benchmark/training/test_nested_models.py",
    "reports/render/html/test_multiclass_browser.py",
    "reports/render/html/test_page_browser.py",
    "zoo/models/test_foreign_weights.py",
    "zoo/models/test_metric_plugins.py",
    "benchmark/evidence/comparison/test_multiclass.py",
    "zoo/cli/commands/test_report.py",
    "reports/verdicts/test_statements.py",
    "benchmark/evidence/comparison/test_subset.py",
)
"""Files of minutes. They run first: one that began last would leave the other process without work."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files; pytest-xdist keeps the order with `--no-loadscope-reorder`."""
    ranks = {TESTS / file: rank for rank, file in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


@pytest.fixture(scope="module", autouse=True)
def _collect_garbage() -> Iterator[None]:
    """Free what the tests of a file made. What stays is not looked at again: full collections of a process that has
    loaded everything take a second, and a few libraries ask for one in each call."""
    gc.freeze()
    yield
    gc.collect()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """A folder of real radiographs; the test is skipped when there is none."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data" / "chest_xray"
    folder = Path(os.environ.get("ZOO_REAL_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real radiographs: {folder.name} is not beside the repository (set ZOO_REAL_DATA)")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _no_trial() -> Iterator[None]:
    """Caches of tests are new: each would have the machine tried out, and the run would depend on what was found."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_PREFIX", "filtered")
        patch.setenv("ZOO_CONVOLUTIONS", "filtered")
        patch.setenv("ZOO_SPEED", "0.1,0.01")  # a machine on which `auto` chooses its cheapest conditions
        yield


@pytest.fixture(scope="session", autouse=True)
def _never_slow() -> Iterator[None]:
    """What a command writes to stderr does not depend on the load of the machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.cli.plain_progress.SLOW_SECONDS", 3600.0)
        yield


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def needs_bfloat16() -> None:
    """Skips where no convolution is computed in bfloat16: oneDNN that is told to do without what the processor has
    (ONEDNN_MAX_CPU_ISA) refuses it, and TensorFlow does not fall back."""
    import keras

    try:
        keras.ops.conv(keras.ops.ones((4, 40, 40, 3), "bfloat16"), keras.ops.ones((3, 3, 3, 4), "bfloat16"))
    except Exception as error:  # of the backend's own kinds
        pytest.skip(f"this machine computes no convolution in bfloat16: {type(error).__name__}")
