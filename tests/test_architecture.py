"""Who may import whom, and what stays out of the quick commands."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("zoo", "benchmark", "search_spaces", "reports")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
KERAS_ROOMS = ("zoo/builders/", "zoo/weights.py", "benchmark/training/", "search_spaces/search.py")
FRONT = ("zoo/cli.py", "zoo/__main__.py", "zoo/commands/")
GROUND = (
    "zoo.card",
    "zoo.registry",
    "zoo.builders",
    "zoo.weights",
    "zoo.strict_yaml",
    "zoo.catalog",
    "zoo.cards",
)


def imports(path: Path) -> set[str]:
    """Every module a file names in an import, type-checking blocks left out."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def uses(path: Path, *prefixes: str) -> set[str]:
    return {m for m in imports(path) for p in prefixes if m == p or m.startswith(f"{p}.")}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_module_imports_only_from_the_floors_below(path: Path) -> None:
    room = name(path)
    if room.startswith(FRONT):
        return
    assert not uses(path, "zoo.cli", "zoo.commands"), "nobody imports the front door"
    if room.startswith("zoo/"):
        assert not uses(path, "benchmark", "reports", "search_spaces")
    if room.startswith("benchmark/"):
        assert not uses(path, "reports", "search_spaces")
    if room.startswith("benchmark/evidence/"):
        assert not uses(path, "benchmark.data", "benchmark.training", "benchmark.runs", "zoo")
    if room.startswith("benchmark/data/"):
        assert not uses(path, "benchmark.evidence", "benchmark.training", "benchmark.runs")
    if room.startswith("benchmark/training/"):
        assert not uses(path, "benchmark.evidence", "benchmark.runs")
    if room.startswith("reports/"):
        assert not uses(path, "search_spaces", "benchmark.training")
    if room.startswith("search_spaces/"):
        assert not uses(path, "reports")


@pytest.mark.parametrize("path", FILES, ids=name)
def test_keras_is_imported_only_in_its_rooms(path: Path) -> None:
    if uses(path, "keras"):
        assert name(path).startswith(KERAS_ROOMS)
    if uses(path, "tensorflow"):
        assert name(path) == "benchmark/training/backend.py"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_module_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("arguments", [["--help"], ["cards"], ["cards", "attempt-7"], ["bench", "--help"]])
def test_quick_commands_load_no_network_library(arguments: list[str]) -> None:
    code = (
        "import sys; from zoo.cli import app; "
        f"sys.argv = ['zoo', *{arguments!r}]\n"
        "try: app()\n"
        "except SystemExit: pass\n"
        "heavy = {'keras', 'tensorflow', 'jax', 'torch', 'sklearn', 'scipy'} & set(sys.modules)\n"
        "print('HEAVY', sorted(heavy), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stderr.strip().endswith("HEAVY []")
