"""Claims where locks exclude nobody: leases by exclusive creation, with an end that other machines see."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from benchmark.runs.storage import claims
from benchmark.runs.storage.claims import Claims
from tests.support.tiny import ON_ANOTHER_MACHINE, run_python

RUN = "a" * 12
HOLD = (
    "with claims.Claims(Path(sys.argv[1])).claim('a' * 12) as mine:\n    print(mine, flush=True)\n    time.sleep(600)\n"
)
COMPUTE_ALL = (
    "waiting = [f'{number:012x}' for number in range(40)]\n"
    "own, done = claims.Claims(Path(sys.argv[1])), Path(sys.argv[3])\n"
    "while waiting:\n"
    "    for run_id in list(waiting):\n"
    "        with own.claim(run_id) as mine:\n"
    "            if mine:\n"
    "                waiting.remove(run_id)\n"
    "                if not (done / run_id).exists():\n"
    "                    with open(done / 'log', 'a') as log:\n"
    "                        log.write(f'{run_id}\\n')\n"
    "                    time.sleep(0.002)\n"
    "                    (done / run_id).touch()\n"
)


@pytest.fixture
def no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filelock.FileLock.acquire", lambda self, *_, **__: None)
    monkeypatch.setattr("filelock.FileLock.release", lambda self, *_, **__: None)


def test_machines_whose_locks_exclude_nobody_compute_each_run_once(tmp_path: Path) -> None:
    done = tmp_path / "done"
    done.mkdir()
    arguments = [(str(tmp_path / "claims"), host, str(done)) for host in ("n1", "n2", "n3")]
    processes = [run_python(ON_ANOTHER_MACHINE + COMPUTE_ALL, *words) for words in arguments]
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0, 0, 0]
    log = (done / "log").read_text(encoding="utf-8").split()
    assert sorted(log) == [f"{number:012x}" for number in range(40)]


def test_the_lease_of_a_dead_machine_ends_for_others_after_its_time(
    tmp_path: Path, no_lock: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = run_python(ON_ANOTHER_MACHINE + HOLD, str(tmp_path), "n1")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    monkeypatch.setattr(claims, "EXPIRY_S", 1.5)
    here = Claims(tmp_path)
    until = time.monotonic() + 2.5
    while time.monotonic() < until:  # longer than the expiry: the holder renews it
        with here.claim(RUN) as mine:
            assert not mine
        time.sleep(0.1)
    assert here.is_claimed(RUN)
    known = here.holder(RUN)
    assert known is not None
    assert (known.host, known.process) == ("n1", holder.pid)
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    with here.claim(RUN) as mine:
        assert not mine  # not yet: only silence shows that another machine has ended
    started = time.monotonic()
    while True:
        with here.claim(RUN) as mine:
            if mine:
                assert here.is_claimed(RUN)
                break
        time.sleep(0.05)
    assert 1.0 < time.monotonic() - started < 5.0


def test_a_lease_is_renewed_by_a_whole_file(tmp_path: Path, no_lock: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "HEARTBEAT_S", 0.01)
    with Claims(tmp_path).claim(RUN) as mine:
        assert mine
        (path,) = tmp_path.glob("*.lease-1/holder.json")
        with path.open("rb") as file:
            begin = time.monotonic()
            while path.stat().st_ino == os.fstat(file.fileno()).st_ino:  # a file that is rewritten keeps its number
                assert time.monotonic() < begin + 60
                time.sleep(0.01)
            assert json.loads(file.read())["process"] == os.getpid()


def test_a_killed_process_of_this_machine_leaves_no_lease_even_without_locks(tmp_path: Path, no_lock: None) -> None:
    code = "import sys, time\nfrom pathlib import Path\nfrom benchmark.runs.storage import claims\n" + HOLD
    holder = run_python(code, str(tmp_path))
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    here = Claims(tmp_path)
    with here.claim(RUN) as mine:
        assert not mine
    holder.kill()
    holder.communicate()
    with here.claim(RUN) as mine:
        assert mine
    assert not here.is_claimed(RUN)


def test_a_claim_of_the_same_process_number_after_a_restart_has_ended(tmp_path: Path, no_lock: None) -> None:
    here = Claims(tmp_path)
    with here.claim(RUN):
        pass
    (lease,) = tmp_path.glob("*.lease-1")
    (lease / "released").unlink()
    holder = json.loads((lease / "holder.json").read_text(encoding="utf-8"))
    assert not Claims(tmp_path).is_claimed("b" * 12)
    assert here.is_claimed(RUN)  # this process is alive
    (lease / "holder.json").write_text(json.dumps({**holder, "started": "0"}), encoding="utf-8")
    assert not here.is_claimed(RUN)
    with here.claim(RUN) as mine:
        assert mine
    assert [path.name for path in tmp_path.glob("*.lease-*")] == [f"{RUN}.lease-2"]


def test_a_lease_without_a_readable_holder_ends_after_its_time(
    tmp_path: Path, no_lock: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{RUN}.lease-3").mkdir()
    here = Claims(tmp_path)
    with here.claim(RUN) as mine:
        assert not mine
    monkeypatch.setattr(claims, "EXPIRY_S", 0.0)
    with here.claim(RUN) as mine:
        assert mine
    assert [path.name for path in tmp_path.glob("*.lease-*")] == [f"{RUN}.lease-4"]


def test_an_unreadable_or_missing_folder_has_no_claims(tmp_path: Path) -> None:
    assert not Claims(tmp_path / "missing").is_claimed(RUN)
    assert Claims(tmp_path / "missing").holder(RUN) is None
