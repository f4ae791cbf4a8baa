"""Programs of an exported folder that need none of this project: its own modules, joined, and a service."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path

UNLIKE = (
    "benchmark.data.levels",
    "benchmark.data.decoding.pixels",
    "benchmark.data.grey_descriptors",
    "benchmark.evidence.diagnosis.reference",
)
"""The modules of unlike.py, each before those that import it."""

DRIFT, SERVICE = "benchmark.evidence.diagnosis.drift", "benchmark.runs.deployment.service"

_OWN = ("benchmark", "reports", "zoo", "search_spaces")
_UNLIKE_TEXT = '"""Reads images and recognises those unlike the training images; needs NumPy and Pillow."""'

REQUIREMENTS = """\
numpy>=1.26        # arrays
onnxruntime>=1.18  # runs model.onnx
pillow>=10         # decodes and resizes images
scipy>=1.15        # the tests of drift.py
"""

SERVE_REQUIREMENTS = """\
fastapi>=0.110         # routes and errors of service.py
uvicorn>=0.29          # the HTTP server
python-multipart>=0.0.18  # images that a browser form sends, parsed in memory
"""

SERVE = '''\
"""Serves the model: pip install -r requirements.txt -r requirements-serve.txt; python serve.py [--host ADDRESS]."""
import argparse
import uvicorn
import example, service

options = argparse.ArgumentParser(description="Serve this model: POST an image to /predict.")
options.add_argument("--host", default="127.0.0.1", help="where to listen; only 127.0.0.1 is closed to the network")
options.add_argument("--port", type=int, default=8000)
options.add_argument("--max-mib", type=float, default=20, help="the largest request that is read, in MiB")
options.add_argument("--max-megapixels", type=float, default=25, help="the largest image, in million pixels")
given = options.parse_args()
limits = service.Limits(int(given.max_mib * 2**20), int(given.max_megapixels * 10**6))
local = given.host in ("127.0.0.1", "localhost", "::1")
hosts = ["127.0.0.1", "localhost", "[::1]", "::1"] if local else ["*"]
app = service.make_app(example.facts, example.prepare, example.predict, limits, hosts)
uvicorn.run(app, host=given.host, port=given.port, log_level="warning", access_log=False, server_header=False)
'''


def unlike() -> str:
    """The source of unlike.py: how images are read and described, and their references."""
    return joined(UNLIKE, _UNLIKE_TEXT)


def drift() -> str:
    """The source of drift.py: whether a batch differs from validation."""
    return _source(DRIFT)


def service() -> str:
    """The source of service.py: the application that `zoo serve` runs."""
    return _source(SERVICE)


def containerfile(names: Iterable[str]) -> str:
    """The recipe of a container image that serves the model.

    Args:
        names: The files that the service needs.

    Returns:
        A Containerfile, which Podman and Docker read.
    """
    files = " ".join(sorted(names))
    check = "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=5)"
    return f"""\
# podman build -t model .
# podman run --rm --read-only --cap-drop=all -p 127.0.0.1:8000:8000 model
FROM docker.io/library/python:3.12-slim
WORKDIR /model
COPY requirements.txt requirements-serve.txt ./
RUN pip install --no-cache-dir -r requirements.txt -r requirements-serve.txt
COPY {files} ./
RUN useradd --no-create-home model
USER model
ENV PYTHONDONTWRITEBYTECODE=1
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "{check}"]
CMD ["python", "serve.py", "--host", "0.0.0.0"]
"""


def joined(modules: Sequence[str], text: str) -> str:
    """Join modules of this project into one that imports none of them.

    Args:
        modules: Their names, each before those that import it. No name may be defined by two of them.
        text: The docstring of the result, in quotes.

    Returns:
        The source.
    """
    whole: set[str] = set()
    names: dict[str, set[str]] = {}
    parts = []
    for module in modules:
        source = _source(module)
        tree = ast.parse(source)
        first = 0
        for node in tree.body:
            if isinstance(node, ast.Expr) and node is tree.body[0]:
                first = node.end_lineno or 0
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                first = node.end_lineno or 0
                aliases = {ast.unparse(alias) for alias in node.names}
                if isinstance(node, ast.Import):
                    whole |= {f"import {alias}" for alias in aliases}
                elif (package := node.module or "").partition(".")[0] not in (*_OWN, "__future__"):
                    names[package] = names.get(package, set()) | aliases
            else:
                break
        parts.append("\n".join(source.splitlines()[first:]).strip("\n"))
    imports = [*sorted(whole), *(f"from {name} import {', '.join(sorted(names[name]))}" for name in sorted(names))]
    head = "\n".join([text, "", "from __future__ import annotations", "", *imports])
    return "\n\n\n".join([head, *parts]) + "\n"


def _source(module: str) -> str:
    """The source of a module, which is not imported."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).read_text(encoding="utf-8")
