"""The HTTP service of one model: an image is posted, its probabilities and decision come back as JSON.

The module needs nothing of this project, so that an exported model can be served by the same code. Images stay in
memory: they are written to no file, and neither they nor their names are logged.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

RAW = ("image/", "application/octet-stream", "application/dicom")
"""The content types of a raw body, by their beginnings; DICOM gets the decoder's answer."""

_MULTIPART = "multipart/form-data"
_MOST_PARTS = 16
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_HOW = "POST the bytes of one image with content-type image/*, or one file as multipart/form-data"


@dataclass(frozen=True)
class Limits:
    """What the service accepts.

    Attributes:
        most_bytes: The largest body of a request, in bytes.
        most_pixels: The largest image, in pixels.
        seconds: The longest time to receive a body, in seconds.
        waiting: The most requests that are received or wait for the model at the same time.
    """

    most_bytes: int = 20 * 2**20
    most_pixels: int = 25_000_000
    seconds: float = 30.0
    waiting: int = 16


class Refused(Exception):
    """A request that gets an error instead of a prediction."""

    def __init__(self, status: int, reason: str) -> None:
        """Take the HTTP status and the reason in one line."""
        super().__init__(reason)
        self.status, self.reason = status, reason


def make_app(
    facts: Mapping[str, Any],
    prepare: Callable[[bytes, int], Any],
    predict: Callable[[Any], Mapping[str, Any]],
    limits: Limits = Limits(),
    hosts: Sequence[str] = ("*",),
) -> FastAPI:
    """Make the application.

    Args:
        facts: The content of decision.json.
        prepare: From the bytes of an image file and the most pixels to an image; raises any error for a bad file.
        predict: From that image to its prediction; raises ValueError if the model gives no probability. It is called
            for one image at a time.
        limits: What is accepted.
        hosts: The host names under which the service answers; `*` for any.

    Returns:
        The application, with `/`, `/healthz` and `/predict`.
    """
    app = FastAPI(title=str(facts["title"]), docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(_KnownHosts, hosts=frozenset(hosts))
    fixed, one_at_a_time, waiting = _constants(facts), threading.Lock(), asyncio.Semaphore(limits.waiting)

    def answer(content: bytes) -> dict[str, Any]:
        with one_at_a_time:
            try:
                image = prepare(content, limits.most_pixels)
            except Exception as error:  # Pillow's decoders raise many kinds of errors on damaged files
                raise Refused(422, _reason(error)) from error
            try:
                return {**fixed, **predict(image)}
            except ValueError as error:
                raise Refused(422, _reason(error)) from error

    @app.get("/")
    async def describe() -> JSONResponse:
        return _json(_description(facts, limits))

    @app.get("/healthz")
    async def health() -> JSONResponse:
        return _json({"status": "ok", "run": facts["run"]})

    @app.post("/predict")
    async def predict_image(request: Request) -> JSONResponse:
        if waiting.locked():
            raise Refused(503, f"{limits.waiting} requests are waiting; try again later")
        async with waiting:
            kind, options = parse_options_header(request.headers.get("content-type", ""))
            name = kind.decode("latin-1").lower()
            if name and name != _MULTIPART and not name.startswith(RAW):
                raise Refused(415, f"content-type {name[:80]!r} is not accepted; {_HOW}")
            content = await _body(request, limits)
            if name == _MULTIPART:
                content = await run_in_threadpool(_only_file, content, options.get(b"boundary"))
            if not content:
                raise Refused(400, f"the image is empty; {_HOW}")
            return _json(await run_in_threadpool(answer, content))

    @app.exception_handler(Refused)
    async def refuse(_: Request, error: Refused) -> JSONResponse:
        return _json({"error": error.reason}, error.status)

    @app.exception_handler(HTTPException)
    async def refuse_route(request: Request, error: HTTPException) -> JSONResponse:
        reasons = {
            404: "no such page; there are /, /healthz and /predict",
            405: f"{request.method} is not accepted for {request.url.path[:80]}; {_HOW}, to /predict",
        }
        return _json({"error": reasons.get(error.status_code, str(error.detail))}, error.status_code)

    return app


class _KnownHosts:
    """Answers only requests to known host names. Starlette's TrustedHostMiddleware refuses in plain text."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "*" in self._hosts or _host_of(Headers(scope=scope)) in self._hosts:
            await self._app(scope, receive, send)
            return
        known = ", ".join(sorted(self._hosts))
        await _json({"error": f"the host name is not one of this service: {known}"}, 400)(scope, receive, send)


def _host_of(headers: Headers) -> str | None:
    """The name in the Host header without its port. Starlette's own URL ignores a header that it cannot parse."""
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:  # such as an unclosed bracket
        return None


async def _body(request: Request, limits: Limits) -> bytes:
    """Receive a body, but never more than the limit allows."""
    declared = request.headers.get("content-length", "")
    too_large = Refused(413, f"the body is larger than {limits.most_bytes / 2**20:g} MiB")
    if declared.isdecimal() and int(declared) > limits.most_bytes:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(limits.seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limits.most_bytes:
                    raise too_large
    except TimeoutError as error:
        raise Refused(408, f"the body did not arrive within {limits.seconds:g} seconds") from error
    except ClientDisconnect as error:
        raise Refused(400, "the connection ended before the body did") from error
    return bytes(body)


def _only_file(body: bytes, boundary: bytes | None) -> bytes:
    """The content of the only file of a multipart body. Starlette's own parser would write it to a temporary file."""
    files: list[bytearray] = []
    header, is_file, parts, complete = [bytearray(), bytearray()], False, 0, False

    def begin() -> None:
        nonlocal is_file, parts
        is_file, parts = False, parts + 1
        if parts > _MOST_PARTS:
            raise Refused(400, f"more than {_MOST_PARTS} parts; {_HOW}")

    def end_header() -> None:
        nonlocal is_file
        if header[0].lower() == b"content-disposition":
            is_file = b"filename" in parse_options_header(bytes(header[1]))[1]
        header[0], header[1] = bytearray(), bytearray()

    def begin_content() -> None:
        if is_file:
            files.append(bytearray())

    def end() -> None:
        nonlocal complete
        complete = True

    def take(data: bytes, start: int, end: int) -> None:
        if is_file:
            files[-1].extend(memoryview(data)[start:end])

    callbacks = {
        "on_part_begin": begin,
        "on_header_field": lambda data, start, end: header[0].extend(data[start:end]),
        "on_header_value": lambda data, start, end: header[1].extend(data[start:end]),
        "on_header_end": end_header,
        "on_headers_finished": begin_content,
        "on_part_data": take,
        "on_end": end,
    }
    try:
        parser = MultipartParser(boundary or b"", callbacks)  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except Refused:
        raise
    except Exception as error:  # of the parser, all about a damaged body
        raise Refused(400, f"the multipart body is damaged; {_HOW}") from error
    if not complete:
        raise Refused(400, f"the multipart body ends before its last boundary; {_HOW}")
    if len(files) != 1:
        raise Refused(400, f"the multipart body has {len(files)} files; {_HOW}")
    return bytes(files[0])


def _constants(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of every prediction that do not depend on the image."""
    several, names = "decision" in facts, ("rule", "in_words", "calibrated", "raw")
    rule = facts["decision" if several else "threshold"]
    return {
        "run": facts["run"],
        "classes": facts["classes"],
        "decision_rule" if several else "threshold": {name: rule[name] for name in names if name in rule},
        "calibrated": facts["calibration"]["method"] is not None,
        "clinical_use": False,
    }


def _description(facts: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    names = ("title", "card", "seed", "protocol", "image", "calibration")
    return {
        "about": "Probabilities and a decision per image, for research. Not for clinical use",
        **{name: facts[name] for name in names},
        **_constants(facts),
        "data": facts["data"].get("title"),
        "synthetic_images": facts["data"].get("synthetic"),
        "how": f"{_HOW}, to /predict",
        "limits": {"bytes": limits.most_bytes, "pixels": limits.most_pixels, "seconds_per_body": limits.seconds},
    }


def _reason(error: Exception) -> str:
    """The first line of an error. That of an unknown format has the address of an object, which says nothing."""
    text = str(error).strip() or type(error).__name__
    if "cannot identify image file" in text:
        return "not an image of a supported format; send PNG, JPEG, BMP, TIFF, WebP, GIF or PPM"
    return text.splitlines()[0][:300]


def _json(document: Mapping[str, Any], status: int = 200) -> JSONResponse:

    return JSONResponse(json.loads(json.dumps(document, default=str)), status, headers=_HEADERS)
