"""Sphinx builds the documentation with this: `sphinx-build -W -b html docs build/docs`. Nothing is fetched."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

import zoo  # noqa: E402 - from this checkout, whose place is only known now

project = "zoo"
release = zoo.__version__
copyright = "the authors of zoo"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "docstrings",
    "sphinx.ext.napoleon",
    "command_pages",
    "field_tables",
    "example_files",
]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
default_role = "code"  # docstrings name things in single backticks
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
maximum_signature_line_length = 88

exclude_patterns = ["example/*"]  # its report is included in a page of its own

html_theme = "furo"
html_title = "zoo"
html_copy_source = False
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["zoo.css"]
pygments_style = "default"
pygments_dark_style = "monokai"
