"""Names, prose and docstrings follow `docs/style.md`, as far as a program can tell."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("zoo", "benchmark", "search_spaces", "reports")
SOURCES = sorted(path for folder in (*PACKAGES, "docs") for path in (ROOT / folder).rglob("*.py"))
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])
PAGES = [page for page in PAGES if page.name != "style.md" and "example" not in page.parts]
TEMPLATES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.j2"))

NAMES = {
    *("found", "told", "held", "kept", "shown", "said", "asked", "meant", "wishes", "seen", "given", "taken", "gone"),
    *("made", "drawn", "judged", "counted", "turned", "moved", "own", "looked"),
}
"""Names that say how a value came about and not what it is."""

CONTRACTS = {("PatientFacts", "told"), ("FormatCell", "turned")}
"""Fields that keep their names because run.json or the output of `--json` has them."""

_UNIT = "image|epoch|card|seed|run|trial|patient|class|line|row|fold|file|folder|source|metric|second|process|split"
_COUNT = "ms|s|seconds|minutes|lines?|rows?|runs?|images?|epochs?|folders?|files?|one|process(?:es)?|figures?|scores?"
PHRASES = re.compile(
    rf"\b(?:{_COUNT}) an? (?:{_UNIT})\b"
    r"|\b(?:told|tell(?:s|ing)?) (?:apart|from|by|which)\b"
    r"|\bcannot (?:be told|tell)\b"
    r"|\bmend(?:s|ed|ing)?\b"
    r"|\bstands? (?:beside|twice|there|here|in|on|at|below|above|before|after|for)\b"
    r"|\b(?:is|are) there already\b"
    r"|\bgoes? on from\b"
    r"|\bby what\b|\bof what\b"
    r"|\bfront door\b|\bground floor\b|\bwings?\b|\brooms?\b"
    r"|\bin hindsight\b"
    r"|\bare alike\b|\bthat there (?:is|are)\b"
    r"|\bso far as\b",
    re.IGNORECASE,
)
"""Phrases that are translated rather than English, or private to this project."""


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def stored_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    contracts = {
        id(field.target)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for field in node.body
        if isinstance(field, ast.AnnAssign) and (node.name, ast.unparse(field.target)) in CONTRACTS
    }
    for node in ast.walk(tree):
        if id(node) in contracts:
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of a page outside of code blocks; docstrings, comments and strings with a blank of a module."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        text = re.sub(
            r"^(```+)[^`].*?^\1|^```\n.*?^```", lambda m: "\n" * m.group().count("\n"), text, flags=re.M | re.S
        )
        yield from enumerate(text.splitlines(), 1)
        return
    for number, line in enumerate(text.splitlines(), 1):
        if "#" in line:
            yield number, line.partition("#")[2]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            for offset, line in enumerate(node.value.splitlines()):
                yield node.lineno + offset, line


def public_functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from (
                inner for inner in node.body if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_")
            )


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_name_says_what_a_value_is(path: Path) -> None:
    names = stored_names(ast.parse(path.read_text(encoding="utf-8")))
    assert [(line, name) for line, name in names if name.strip("_") in NAMES] == []


@pytest.mark.parametrize("path", [*SOURCES, *PAGES, *TEMPLATES], ids=relative)
def test_prose_is_plain_english(path: Path) -> None:
    assert [(line, match.group()) for line, text in prose(path) for match in PHRASES.finditer(text)] == []


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_public_function_documents_its_arguments_and_result(path: Path) -> None:
    for function in public_functions(ast.parse(path.read_text(encoding="utf-8"))):
        decorators = {ast.unparse(decorator) for decorator in function.decorator_list}
        if decorators & {"overload", "override"} or function.name == "command":
            continue  # the signature of a command is documented by its options
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        names = [argument.arg for argument in arguments if argument.arg not in ("self", "cls")]
        text = ast.get_docstring(function)
        assert text, f"{function.name} has no docstring"
        if "\n" not in text and len(names) < 3:
            continue
        returns = function.returns is not None and ast.unparse(function.returns) != "None"
        assert not names or "Args:" in text, f"{function.name}: no Args"
        assert not returns or "property" in decorators or re.search(r"Returns:|Yields:", text), (
            f"{function.name}: no Returns"
        )
