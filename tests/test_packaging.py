"""The installed project is complete."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_four_packages_share_one_parent_folder() -> None:
    parents = set()
    for package in ("zoo", "benchmark", "search_spaces", "reports"):
        module = importlib.import_module(package)
        assert module.__file__ is not None
        parents.add(Path(module.__file__).resolve().parent.parent)
    assert len(parents) == 1


def test_every_folder_with_code_or_data_is_a_package_or_is_listed_as_its_data() -> None:
    patterns = PROJECT["tool"]["setuptools"]["package-data"]
    listed = {
        path
        for package, globs in patterns.items()
        if package != "*"
        for glob in globs
        for path in ROOT.joinpath(*package.split(".")).glob(glob)
    }
    files = {
        path
        for package in ("zoo", "benchmark", "search_spaces", "reports")
        for pattern in ("*.py", "*.yaml", "*.j2")
        for path in (ROOT / package).rglob(pattern)
    }
    assert {path for path in files - listed if not (path.parent / "__init__.py").is_file()} == set()
    assert listed


def test_every_dependency_says_what_it_is_for() -> None:
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    named = [line for line in lines if line.startswith('  "') and ">=" in line and "]" not in line]
    assert len(named) > 10
    assert all("#" in line for line in named)


def test_python_m_zoo_is_the_command_line() -> None:
    done = subprocess.run([sys.executable, "-m", "zoo", "--version"], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout.strip()) == (0, PROJECT["project"]["version"])
