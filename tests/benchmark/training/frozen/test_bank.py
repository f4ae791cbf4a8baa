"""The feature bank on disk: verified blocks, a limited size, shared by processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.training.frozen.bank import Bank, default_bank
from zoo.config.errors import ConfigError

ROOMY = 1 << 30


def rows(*values: float) -> np.ndarray:
    return np.stack([np.full((2, 3), value, np.float32) for value in values])


def block_files(bank: Bank) -> list[Path]:
    return sorted(bank.root.glob("*/[!.]*.block"))


def test_rows_have_the_order_of_the_requested_keys(tmp_path: Path) -> None:
    bank = Bank(tmp_path, ROOMY)
    bank.write("space", ["a", "b"], rows(1, 2))
    bank.write("space", ["c"], rows(3))
    found = Bank(tmp_path, ROOMY).rows("space", ["c", "a", "b", "a"])
    assert found is not None
    assert found.take(np.array([3, 0, 2]))[:, 0, 0].tolist() == [1, 3, 2]


def test_a_missing_key_gives_no_rows(tmp_path: Path) -> None:
    bank = Bank(tmp_path, ROOMY)
    bank.write("space", ["a"], rows(1))
    assert bank.rows("space", ["a", "b"]) is None
    assert set(bank.find("space", ["a", "b"])) == {"a"}
    assert bank.rows("other", ["a"]) is None


@given(
    data=st.lists(st.tuples(st.text("abcdef", min_size=1, max_size=3), st.floats(-1e6, 1e6, width=32)), min_size=1),
    dtype=st.sampled_from([np.float32, ml_dtypes.bfloat16, np.float64]),
)
@settings(max_examples=30, deadline=None)
def test_stored_rows_are_returned(data: list[tuple[str, float]], dtype: type) -> None:
    wanted = dict(data)
    with tempfile.TemporaryDirectory() as folder:
        bank = Bank(Path(folder), ROOMY)
        values = np.array(list(wanted.values()), dtype=dtype)[:, None]
        assert bank.write("space", list(wanted), values)
        found = Bank(Path(folder), ROOMY).rows("space", list(wanted))
        assert found is not None
        taken = found.take(np.arange(len(wanted)))
        assert taken.dtype == values.dtype
        assert np.array_equal(taken.astype(np.float64), values.astype(np.float64))


@pytest.mark.parametrize("where", [0, 15, 60, -1, -9])
def test_a_damaged_block_is_removed(tmp_path: Path, where: int) -> None:
    Bank(tmp_path, ROOMY).write("space", ["a", "b"], rows(1, 2))
    [file] = tmp_path.glob("space/*.block")
    content = bytearray(file.read_bytes())
    content[where] ^= 0xFF
    file.write_bytes(content)
    assert Bank(tmp_path, ROOMY).rows("space", ["a", "b"]) is None
    assert not file.exists()


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.99])
def test_a_truncated_block_is_never_read(tmp_path: Path, share: float) -> None:
    Bank(tmp_path, ROOMY).write("space", ["a", "b"], rows(1, 2))
    [file] = tmp_path.glob("space/*.block")
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    assert Bank(tmp_path, ROOMY).rows("space", ["a", "b"]) is None


def test_a_file_of_a_killed_writer_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "space").mkdir()
    (tmp_path / "space" / ".writing-abc").write_bytes(b"zoo bank 1\n")
    assert Bank(tmp_path, ROOMY).rows("space", ["a"]) is None


def test_a_file_of_a_killed_writer_is_removed_after_a_day(tmp_path: Path) -> None:
    bank = Bank(tmp_path, ROOMY)
    bank.write("space", ["a"], rows(1))
    old, young = tmp_path / "space" / ".writing-old", tmp_path / "space" / ".writing-young"
    for path in (old, young):
        path.write_bytes(b"half a block")
    past = time.time() - 25 * 3600
    os.utime(old, (past, past))
    bank.write("other", ["b"], rows(2))
    assert not old.exists()
    assert young.exists()
    assert bank.rows("space", ["a"]) is not None


def test_least_recently_used_blocks_are_removed_first(tmp_path: Path) -> None:
    bank = Bank(tmp_path, ROOMY)
    for index, key in enumerate("abc"):
        bank.write(key, [key], rows(index))
    size = block_files(bank)[0].stat().st_size
    for age, key in ((30, "a"), (20, "b"), (10, "c")):
        [file] = tmp_path.glob(f"{key}/*.block")
        os.utime(file, (time.time() - age, time.time() - age))
    assert Bank(tmp_path, ROOMY).rows("a", ["a"]) is not None
    tight = Bank(tmp_path, 3 * size)
    assert tight.write("d", ["d"], rows(4))
    left = {file.parent.name for file in block_files(tight)}
    assert left == {"a", "c", "d"}


def test_the_bank_stays_within_its_limit(tmp_path: Path) -> None:
    bank = Bank(tmp_path, 2000)
    for number in range(40):
        bank.write(f"space{number % 3}", [str(number)], rows(number))
        assert sum(file.stat().st_size for file in block_files(bank)) <= 2000


def test_rows_larger_than_the_limit_are_not_stored(tmp_path: Path) -> None:
    assert not Bank(tmp_path, 10).write("space", ["a"], rows(1))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_stores_nothing_silently(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    bank = Bank(tmp_path / "file" / "below", ROOMY)
    assert not bank.write("space", ["a"], rows(1))
    with bank.lock("space"):
        assert bank.rows("space", ["a"]) is None


def test_mapped_rows_survive_the_removal_of_their_block(tmp_path: Path) -> None:
    bank = Bank(tmp_path, ROOMY)
    bank.write("space", ["a"], rows(7))
    found = bank.rows("space", ["a"])
    assert found is not None
    block_files(bank)[0].unlink()
    assert found.take(np.array([0]))[0, 0, 0] == 7


def test_the_declared_size_must_be_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_CACHE_GIB", "0.5")
    assert default_bank().limit == 1 << 29
    for wrong in ("plenty", "nan", "-1", "-inf"):
        monkeypatch.setenv("ZOO_CACHE_GIB", wrong)
        with pytest.raises(ConfigError, match=f"ZOO_CACHE_GIB is '{wrong}'; give a number of GiB from 0"):
            default_bank()


def test_without_a_limit_everything_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("ZOO_CACHE_GIB", "inf")
    bank = default_bank()
    assert bank.write("space", ["a"], rows(1))
    assert bank.rows("space", ["a"]) is not None
    monkeypatch.setenv("ZOO_CACHE_GIB", "0")
    assert not default_bank().write("space", ["b"], rows(2))


WRITER = """
import sys, numpy as np
from pathlib import Path
from benchmark.training.frozen.bank import Bank
bank = Bank(Path(sys.argv[1]), 1 << 30)
print("ready", flush=True)
for number in range(100000):
    keys = [f"{sys.argv[2]}-{number}-{i}" for i in range(8)]
    bank.write("space", keys, np.full((8, 20000), number, np.float32))
"""


@pytest.mark.slow
def test_kill_9_of_two_writers_leaves_only_complete_blocks(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name], stdout=subprocess.PIPE) for name in "xy"
    ]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    time.sleep(0.5)
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    bank = Bank(tmp_path, ROOMY)
    files = block_files(bank)
    keys = [f"{name}-{number}-{i}" for name in "xy" for number in range(len(files)) for i in range(8)]
    found = bank.find("space", keys)
    assert {name for key in found for name in key[0]} == {"x", "y"}
    assert len(block_files(bank)) == len(files), "a renamed block was incomplete"
    assert len(found) == 8 * len(files)


HOLDER = """
import sys, time
from pathlib import Path
from benchmark.training.frozen.bank import Bank
with Bank(Path(sys.argv[1]), 1 << 30).lock("space"):
    print("locked", flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    holder.kill()
    holder.wait()
    with Bank(tmp_path, ROOMY).lock("space"):
        assert Bank(tmp_path, ROOMY).write("space", ["a"], rows(1))
