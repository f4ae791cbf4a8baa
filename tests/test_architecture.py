"""Who may import whom, and what stays out of the quick commands.

Every import counts: at the top of a module, inside a function, for type checking only, and by name in a string, as
lazy tables have them.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("zoo", "benchmark", "search_spaces", "reports")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

LAYERS = (
    # A module imports from its own package and from the rows above it. The longest prefix decides a module's row.
    ("zoo.config",),
    ("benchmark.evidence.scores", "benchmark.evidence.estimate"),
    ("benchmark.evidence.metrics",),
    ("zoo.models",),
    ("benchmark.evidence.intervals",),
    ("benchmark.evidence.comparison",),
    (
        "benchmark.evidence.calibration",
        "benchmark.evidence.diagnosis",
        "benchmark.evidence.published",
        "benchmark.evidence.thresholds",
    ),
    ("benchmark.evidence.decisions",),
    ("benchmark.evidence",),
    ("benchmark.data",),
    ("benchmark.data.decoding",),
    ("benchmark.data.sources",),
    ("benchmark.data.checks",),
    ("benchmark.training",),
    ("benchmark.training.frozen",),
    ("benchmark.training.convolutions",),
    ("benchmark.training.fit",),
    ("benchmark.training.use",),
    ("benchmark", "benchmark.runs"),
    ("benchmark.runs.storage",),
    ("benchmark.runs.deployment",),
    ("benchmark.runs.execution",),
    ("search_spaces", "reports.text", "reports.content_cache"),
    ("reports.computed_once",),
    ("reports.claims",),
    ("reports.audit",),
    ("reports.results",),
    ("reports.verdicts",),
    ("reports",),
    ("reports.checklists",),
    ("reports.gallery", "reports.frames.tables"),
    ("reports.figures",),
    ("reports.render",),
    ("reports.render.terminal", "reports.render.markdown"),
    ("reports.render.html",),
    ("reports.render.files",),
    ("reports.tracking",),
    ("reports.export", "reports.frames"),
    ("zoo.api",),
    ("zoo",),
    ("zoo.cli",),
    ("zoo.cli.commands",),
    ("zoo.cli.app",),
    ("zoo.__main__",),
)
NEVER = (
    # importer, imported: never, whatever the row.
    ("benchmark.evidence", "zoo"),
    ("benchmark.data", "benchmark.evidence"),
    ("benchmark.training", "benchmark.evidence"),
    ("reports", "benchmark.training"),
)
KERAS = ("zoo.models", "benchmark.training", "search_spaces.oracle")
TENSORFLOW = ("benchmark.training.backend",)
SERVER = {"fastapi", "starlette", "uvicorn", "python_multipart"}


def name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def below(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


MODULES = {name(path): path for path in FILES}


@cache
def imports(module: str) -> frozenset[str]:
    """Every module that `module` names: in any import statement, or as a whole string."""
    named: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, "relative imports hide where a module is"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            named |= inner & MODULES.keys() if inner <= MODULES.keys() else inner & MODULES.keys() | {node.module}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value:
            named |= {node.value} & MODULES.keys()
    return frozenset(named - {module})


def row(module: str) -> tuple[int, str]:
    """The row of a module in LAYERS, and the prefix that put it there."""
    return max(
        ((index, prefix) for index, prefixes in enumerate(LAYERS) for prefix in prefixes if below(module, prefix)),
        key=lambda found: len(found[1]),
    )


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_the_rows_above(module: str) -> None:
    here, own = row(module)
    for other in imports(module) & MODULES.keys():
        there, prefix = row(other)
        assert there < here or prefix == own, f"{module} may not import {other}"
        assert not [pair for pair in NEVER if below(module, pair[0]) and below(other, pair[1])]


def test_no_module_imports_itself_through_others() -> None:
    finished: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module not in finished:
            for other in sorted(imports(module) & MODULES.keys()):
                visit(other, (*path, module))
            finished.add(module)

    for module in MODULES:
        visit(module, ())


@pytest.mark.parametrize("module", MODULES)
def test_keras_is_imported_only_where_networks_are(module: str) -> None:
    roots = {other.partition(".")[0] for other in imports(module)}
    assert "keras" not in roots or any(below(module, allowed) for allowed in KERAS)
    assert "tensorflow" not in roots or module in TENSORFLOW


def test_only_the_service_needs_a_web_framework() -> None:
    users = {module for module in MODULES if SERVER & {other.partition(".")[0] for other in imports(module)}}
    assert users == {"benchmark.runs.deployment.service", "zoo.api.serve"}
    assert {module for module in MODULES if "benchmark.runs.deployment.service" in imports(module)} == {
        "reports.export.standalone",  # by name, to copy it
        "zoo.api.serve",
    }


@pytest.mark.parametrize(
    "arguments", [["--help"], ["cards"], ["cards", "attempt-7"], ["bench", "--help"], ["serve", "--help"]]
)
def test_quick_commands_load_no_network_library(arguments: list[str]) -> None:
    code = (
        "import sys; from zoo.cli.app import app; "
        f"sys.argv = ['zoo', *{arguments!r}]\n"
        "try: app()\n"
        "except SystemExit: pass\n"
        "heavy = {'keras', 'tensorflow', 'jax', 'torch', 'sklearn', 'scipy', 'numpy', 'fastapi'} & set(sys.modules)\n"
        "print('HEAVY', sorted(heavy), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stderr.strip().endswith("HEAVY []")


def test_parts_of_scipy_are_loaded_when_they_are_first_used() -> None:
    """`import scipy` is cheap, and `scipy.optimize.brentq` then loads its part. Most statistics need `special`."""
    parts = {module: [name for name in imports(module) if name.startswith("scipy.")] for module in MODULES}
    eager = {module for module, names in parts.items() if any(not each.startswith("scipy.special") for each in names)}
    assert eager == {"benchmark.runs.execution.preload"}


def test_outside_validation_feeds_nothing_back() -> None:
    """What trains, chooses, searches or judges claims cannot read what a model gave on images from elsewhere."""
    stored = "benchmark.runs.storage.beside.evaluations"
    users = {module for module in MODULES if stored in imports(module)}
    # They compare digests, or copy files as they are.
    upkeep = "benchmark.runs.storage.upkeep"
    comparing = {f"{upkeep}.verification", f"{upkeep}.merging", "zoo.api.verify"}
    assert users - comparing == {
        "benchmark.runs.deployment.outside",
        "reports.results.outside.validation",
        "zoo.api.evaluate",
        "zoo.api.evaluate_all",
        "benchmark.runs.execution.evaluation_task",
    }
    fitted = {module for module in MODULES if "benchmark.evidence.external.recalibration" in imports(module)}
    assert fitted == {"reports.results.outside.recalibration"}
