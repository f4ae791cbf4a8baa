"""`import zoo` is cheap, and every public name can be loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

import zoo
from tests.support.tiny import ROOT

HEAVY = {"keras", "tensorflow", "numpy", "pydantic", "yaml", "rich", "pandas", "pyarrow", "benchmark", "reports"}


def test_the_import_loads_no_library_and_no_other_package() -> None:
    code = "import sys, zoo; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not HEAVY & loaded
    assert {name for name in loaded if name.startswith("zoo")} == {"zoo"}


@pytest.mark.parametrize("name", zoo.__all__)
def test_every_public_name_can_be_loaded_and_is_listed(name: str) -> None:
    assert getattr(zoo, name) is not None
    assert name in dir(zoo)


def test_the_verbs_of_the_commands_are_functions_with_documentation() -> None:
    for verb in ("bench", "search", "report", "audit", "compare", "predict", "export"):
        documentation = getattr(zoo, verb).__doc__
        assert all(part in documentation for part in ("Args:", "Returns:", "Raises:"))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'benhc'"):
        zoo.benhc  # noqa: B018


def test_no_verb_loads_keras() -> None:
    code = "import sys, zoo; [getattr(zoo, name) for name in zoo.__all__]; print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
