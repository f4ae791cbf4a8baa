"""Programs of an exported folder: one module from several, and what they need."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from reports.export import standalone
from tests.support.tiny import ROOT

PROGRAMS = {
    "unlike.py": standalone.unlike(),
    "drift.py": standalone.drift(),
    "service.py": standalone.service(),
    "serve.py": standalone.SERVE,
}
NEEDS = {
    "unlike.py": {"numpy", "PIL"},
    "drift.py": {"numpy", "scipy"},
    "service.py": {"fastapi", "starlette", "python_multipart"},
    "serve.py": {"uvicorn"},
}


def imported(source: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_needs_only_what_is_named(name: str) -> None:
    beside = {"unlike", "drift", "example", "service"}
    assert imported(PROGRAMS[name]) - sys.stdlib_module_names - beside == NEEDS[name]


def test_joined_modules_define_no_name_twice() -> None:
    tree = ast.parse(PROGRAMS["unlike.py"])
    names: Counter[str] = Counter()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names[node.name] += 1
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names[node.target.id] += 1
    assert [name for name, count in names.items() if count > 1] == []
    assert {"prepare_content", "with_grey", "references_in", "ood_reasons", "range_of"} <= set(names)


def test_unlike_runs_alone(tmp_path: Path) -> None:
    (tmp_path / "unlike.py").write_text(PROGRAMS["unlike.py"], encoding="utf-8")
    code = "import unlike, sys, json; print(json.dumps(sorted(name.partition('.')[0] for name in sys.modules)))"
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=tmp_path, env={}, capture_output=True, text=True, check=True)
    assert not {"zoo", "benchmark", "scipy", "sklearn", "keras"} & set(json.loads(done.stdout))


def test_requirements_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    known = {*project["dependencies"], *extras["export"], *extras["serve"]}
    text = standalone.REQUIREMENTS + standalone.SERVE_REQUIREMENTS
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    assert len(lines) == 7
    assert set(lines) <= known


def test_the_recipe_of_the_image_copies_what_the_service_needs_and_runs_as_a_user() -> None:
    text = standalone.containerfile(["model.onnx", "example.py"])
    instructions = re.findall(r"^([A-Z]+) (.*)$", text, re.M)
    assert [name for name, _ in instructions] == (
        ["FROM", "WORKDIR", "COPY", "RUN", "COPY", "RUN", "USER", "ENV", "EXPOSE", "HEALTHCHECK", "CMD"]
    )
    assert instructions[4][1] == "example.py model.onnx ./"
    check, command = (json.loads(value.removeprefix("CMD ")) for name, value in instructions[-2:])
    assert command == ["python", "serve.py", "--host", "0.0.0.0"]
    compile(check[2], "check", "exec")
