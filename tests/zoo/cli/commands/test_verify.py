"""`zoo bench` registers before it scores, and `zoo verify` notices what is not as it was registered: real commands."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmark.runs.registration import Outcome, Registration
from benchmark.runs.storage.beside.chain import FOLDER, read_chain
from benchmark.runs.storage.store import Store
from tests.support.claims import contents, figure, row, write_claims
from tests.support.forked import run_forked
from tests.support.tiny import environment, write_npz, write_protocol

BENCH = ("bench", "constant", "--data", "tiny.npz", "--protocol", "smallest.yaml", "--store", "runs")
CLAIMS = ("--claims", "study.yaml")


@dataclass(frozen=True)
class Folder:
    """A folder with images, a protocol, claims and the store of a benchmark that registered them."""

    path: Path
    cache: Path
    bench: subprocess.CompletedProcess[str]

    def zoo(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run_forked(arguments, self.path, environment(self.cache))

    @property
    def store(self) -> Store:
        return Store(self.path / "runs")

    def copy(self, target: Path) -> Folder:
        return Folder(Path(shutil.copytree(self.path, target, dirs_exist_ok=True)), self.cache, self.bench)


def write_study(folder: Path, accuracy: float = 0.5) -> Path:
    source = {"report": "A study", "data": "tiny.npz", "test": {"negatives": 50, "positives": 50, "location": "x"}}
    rows = [row("one", figure("accuracy", accuracy), card="constant"), row("two", figure("auc", 0.5), card="constant")]
    return write_claims(folder, contents(*rows, source=source))


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    path, cache = tmp_path_factory.mktemp("verify"), tmp_path_factory.mktemp("cache")
    write_npz(path / "tiny.npz")
    write_protocol(path / "smallest.yaml")
    write_study(path)
    return Folder(path, cache, run_forked((*BENCH, *CLAIMS), path, environment(cache)))


def test_a_benchmark_registers_first_and_records_its_runs_at_the_end(registered: Folder) -> None:
    assert registered.bench.returncode == 0, registered.bench.stderr
    planned, outcome = read_chain(registered.store).links
    assert isinstance(planned.entry, Registration)
    assert isinstance(outcome.entry, Outcome)
    (run,) = registered.store.runs()[0]
    assert run.registration == planned.digest
    assert planned.entry.time <= run.finished <= outcome.entry.time
    assert planned.entry.runs[run.run_id].stored is False
    assert [each.name for each in planned.entry.claims] == ["study"]
    assert outcome.entry.records.keys() == {run.run_id}
    assert f"registered: {outcome.digest} " in registered.bench.stderr


def test_a_store_as_it_was_registered_has_exit_code_0(registered: Folder) -> None:
    done = registered.zoo("verify", "runs", *CLAIMS, "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["exit_code"]) == (0, 0)
    assert {check["state"] for check in document["checks"]} == {"same"}
    head = registered.zoo("verify", "--digest").stdout.strip()
    assert head == document["head"] == read_chain(registered.store).head
    assert registered.zoo("verify", "--expect", head[:12]).returncode == 0
    assert "were removed or rewritten" in " ".join(registered.zoo("verify", "--expect", "0" * 64).stdout.split())


def test_a_rerun_registers_only_what_changed_and_the_report_says_what_came_after(
    registered: Folder, tmp_path: Path
) -> None:
    folder = registered.copy(tmp_path)
    assert folder.zoo(*BENCH, *CLAIMS).returncode == 0
    assert read_chain(folder.store).count == 2
    write_study(folder.path, accuracy=0.9)
    done = folder.zoo("verify", "runs", *CLAIMS)
    assert done.returncode == 1
    assert "row one came after" in done.stdout
    assert "row one: test accuracy: " in done.stdout
    assert folder.zoo(*BENCH, *CLAIMS).returncode == 0
    (_, _, later) = read_chain(folder.store).links
    assert isinstance(later.entry, Registration)
    assert all(each.stored for each in later.entry.runs.values())
    assert folder.zoo("verify", "runs", *CLAIMS).returncode == 1
    reported = folder.zoo("report", "--store", "runs", "--out", "out", "--format", "md", *CLAIMS)
    assert "Of 2 claims of study, 1 was registered before the scores; row one came after." in reported.stdout


def _edit_record(store: Store, run: Path) -> None:
    record: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))
    record["at_half"]["test"]["accuracy"]["high"] = 0.99  # an interval, which no score is checked against
    (run / "run.json").write_text(json.dumps(record), encoding="utf-8")


def _edit_scores(store: Store, run: Path) -> None:
    with (run / "predictions.parquet").open("ab") as file:
        file.write(b"0")


def _edit_registration(store: Store, run: Path) -> None:
    path = min((store.root / FOLDER).glob("*.json"))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b'"stored":false', b'"stored":true'))


def _remove_run(store: Store, run: Path) -> None:
    shutil.rmtree(run)


@pytest.mark.parametrize("edit", [_edit_record, _edit_scores, _edit_registration, _remove_run])
def test_a_changed_file_has_exit_code_3(registered: Folder, tmp_path: Path, edit: Any) -> None:
    folder = registered.copy(tmp_path)
    edit(folder.store, folder.store.folder(folder.store.runs()[0][0].run_id))
    done = folder.zoo("verify", "runs")
    assert done.returncode == 3
    assert "tampered" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("verify", "nowhere"), "no such store"),
        (("verify", "--digest", "nowhere"), "no such store"),
        (("verify", "--expect", "xyz"), "give 12 to 64 hexadecimal digits"),
        (("verify", "--claims", "absent.yaml"), "absent.yaml"),
        ((*BENCH, "--claims", "absent.yaml"), "absent.yaml"),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_code_2(registered: Folder, arguments: tuple[str, ...], says: str) -> None:
    done = registered.zoo(*arguments)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert says in done.stderr
