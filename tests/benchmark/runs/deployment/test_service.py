"""The HTTP service of a model: predictions as JSON, and one line with a 4xx for everything else."""

from __future__ import annotations

import http.client
import io
import json
import socket
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from PIL import Image as Pillow

pytest.importorskip("fastapi", reason="the serve extra is not installed")
pytest.importorskip("python_multipart", reason="the serve extra is not installed")
uvicorn = pytest.importorskip("uvicorn", reason="the serve extra is not installed")

from benchmark.data.decoding.pixels import PreparedImage, prepare_content  # noqa: E402
from benchmark.runs.deployment.service import Limits, make_app  # noqa: E402

FACTS = {
    "run": "0123456789ab",
    "title": "A network",
    "card": "tiny",
    "seed": 0,
    "protocol": "quick",
    "data": {"title": "images", "synthetic": True},
    "classes": ["HEALTHY", "ILL"],
    "threshold": {"rule": "youden", "raw": 0.5, "calibrated": 0.4, "low": 0.3, "high": 0.6},
    "calibration": {"method": None},
    "image": {"size": 8, "channels": 1},
}
LIMITS = Limits(most_bytes=100_000, most_pixels=250_000, seconds=1.0, waiting=2)


@dataclass(frozen=True)
class Answer:
    """A response with its JSON."""

    status: int
    document: Any
    headers: dict[str, str]


class Service:
    """A service of a model whose score is the mean grey level, in a thread."""

    def __init__(self) -> None:
        self.release, self.active, self.most_active = threading.Event(), 0, 0
        self.release.set()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        app = make_app(FACTS, self.prepare, self.predict, LIMITS, ["127.0.0.1", "localhost"])
        config = uvicorn.Config(app, log_config=None, log_level="warning", access_log=False, lifespan="off")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]})

    def prepare(self, content: bytes, most_pixels: int) -> PreparedImage:
        return prepare_content(content, {}, 8, 1, most_pixels)

    def predict(self, image: PreparedImage) -> dict[str, Any]:
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        assert self.release.wait(20)
        self.active -= 1
        score = float(image.pixels.mean()) / 255
        if score == 1:
            raise ValueError("the model gives nan, which is not a probability")
        reasons = ["in colour, trained on grey images alone"] if image.colour else []
        scores = {"HEALTHY": 1 - score, "ILL": score}
        decision = "ILL" if score >= 0.5 else "HEALTHY"
        return {"decision": decision, "probabilities": scores, "unlike": bool(reasons), "reasons": reasons}

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, names)
        response = connection.getresponse()
        answer = Answer(response.status, json.loads(response.read()), {k.lower(): v for k, v in response.getheaders()})
        connection.close()
        return answer

    def post(self, body: Any, content_type: str = "image/png") -> Answer:
        return self.request("POST", "/predict", body, content_type=content_type)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    running = Service()
    running.thread.start()
    while not running.server.started:
        time.sleep(0.01)
    yield running
    running.server.should_exit = True
    running.thread.join(20)
    assert not running.thread.is_alive()


def png(level: Any = 200, side: int = 20) -> bytes:
    file = io.BytesIO()
    Pillow.new("L" if isinstance(level, int) else "RGB", (side, side), level).save(file, "PNG")
    return file.getvalue()


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A PNG of a few hundred bytes whose header announces 3.6 thousand million pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(50_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def form(*files: bytes, field: bytes = b"image", filename: bytes = b'; filename="patient-name.png"') -> bytes:
    parts = [
        b'--XX\r\nContent-Disposition: form-data; name="' + field + b'"' + filename + b"\r\n\r\n" + file + b"\r\n"
        for file in files
    ]
    return b"".join(parts) + b"--XX--\r\n"


FORM = "multipart/form-data; boundary=XX"


def test_an_image_gets_probabilities_and_a_decision(service: Service) -> None:
    answer = service.post(png(200))
    assert answer.status == 200
    assert answer.document == {
        "run": "0123456789ab",
        "classes": ["HEALTHY", "ILL"],
        "threshold": {"rule": "youden", "raw": 0.5, "calibrated": 0.4},
        "calibrated": False,
        "clinical_use": False,
        "decision": "ILL",
        "probabilities": {"HEALTHY": pytest.approx(55 / 255), "ILL": pytest.approx(200 / 255)},
        "unlike": False,
        "reasons": [],
    }
    assert answer.headers["cache-control"] == "no-store"


def test_an_unlike_image_has_its_reason(service: Service) -> None:
    document = service.post(png((250, 10, 10))).document
    assert (document["unlike"], document["reasons"]) == (True, ["in colour, trained on grey images alone"])


@pytest.mark.parametrize("content_type", ["image/png", "IMAGE/PNG", "application/octet-stream", ""])
def test_raw_bodies_of_images_are_read(service: Service, content_type: str) -> None:
    assert service.post(png(10), content_type).document["decision"] == "HEALTHY"


def test_a_form_with_one_file_is_read_like_its_bytes(service: Service) -> None:
    assert service.post(form(png(200)), FORM).document == service.post(png(200)).document
    text = b'--XX\r\nContent-Disposition: form-data; name="note"\r\n\r\nwords\r\n'
    assert service.post(text + form(png(200)), FORM).document == service.post(png(200)).document


@pytest.mark.parametrize(
    ("body", "content_type", "status", "reason"),
    [
        (b"", "image/png", 400, "the image is empty"),
        (b"no image", "image/png", 422, "not an image of a supported format; send PNG, JPEG"),
        (png()[:50], "image/png", 422, "image file is truncated"),
        (bomb(), "image/png", 422, "60000 x 60000 pixels; images of at most 0.25 million pixels are read"),
        (bytes(128) + b"DICM" + bytes(50), "application/dicom", 422, "DICOM files are not read; convert them to PNG"),
        (png(255), "image/png", 422, "the model gives nan, which is not a probability"),
        (b"x" * 100_001, "image/png", 413, "the body is larger than 0.0953674 MiB"),
        (b"words", "text/plain", 415, "content-type 'text/plain' is not accepted; POST the bytes of one image"),
        (b"{}", "application/json", 415, "content-type 'application/json' is not accepted"),
        (b"a=1", "application/x-www-form-urlencoded", 415, "is not accepted; POST the bytes of one image"),
        (form(), FORM, 400, "the multipart body has 0 files"),
        (form(png(), png()), FORM, 400, "the multipart body has 2 files"),
        (form(png(), filename=b""), FORM, 400, "the multipart body has 0 files"),
        (form(b""), FORM, 400, "the image is empty"),
        (form(*[b"x"] * 17), FORM, 400, "more than 16 parts"),
        (form(png())[:-12], FORM, 400, "ends before its last boundary"),
        (b"--YY nonsense", FORM, 400, "the multipart body is damaged"),
        (form(png()), "multipart/form-data", 400, "the multipart body is damaged"),
    ],
)
def test_a_bad_input_is_one_line_with_4xx(
    service: Service, body: bytes, content_type: str, status: int, reason: str
) -> None:
    answer = service.post(body, content_type)
    assert (answer.status, set(answer.document)) == (status, {"error"})
    assert reason in answer.document["error"]
    assert "\n" not in answer.document["error"]
    assert "0x" not in answer.document["error"]
    assert "patient-name" not in answer.document["error"]


def test_a_body_without_a_length_is_read_up_to_the_limit(service: Service) -> None:
    answer = service.request("POST", "/predict", iter([b"x" * 60_000, b"x" * 60_000]), content_type="image/png")
    assert answer.status == 413
    assert service.request("POST", "/predict", iter([png()[:30], png()[30:]])).status == 200


def test_a_body_that_does_not_arrive_is_given_up(service: Service) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as slow:
        slow.sendall(b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\nabc")
        assert slow.recv(4000).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("GET", "/predict", 405, "GET is not accepted for /predict; POST the bytes of one image"),
        ("PUT", "/predict", 405, "PUT is not accepted"),
        ("POST", "/", 405, "POST is not accepted for /"),
        ("GET", "/docs", 404, "no such page; there are /, /healthz and /predict"),
        ("GET", "/openapi.json", 404, "no such page"),
    ],
)
def test_other_methods_and_pages_are_one_line(
    service: Service, method: str, path: str, status: int, reason: str
) -> None:
    answer = service.request(method, path)
    assert (answer.status, reason in answer.document["error"]) == (status, True)


def test_the_service_describes_itself_and_its_health(service: Service) -> None:
    assert service.request("GET", "/healthz").document == {"status": "ok", "run": "0123456789ab"}
    about = service.request("GET", "/").document
    assert (about["title"], about["run"], about["synthetic_images"]) == ("A network", "0123456789ab", True)
    assert about["limits"] == {"bytes": 100_000, "pixels": 250_000, "seconds_per_body": 1.0}
    assert "Not for clinical use" in about["about"]


@pytest.mark.parametrize("host", ["attacker.example", "localhost.attacker.example:80", "[::1", ""])
def test_a_page_of_another_host_is_not_answered(service: Service, host: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    connection.request("GET", "/", headers={"host": host})
    response = connection.getresponse()
    assert response.status == 400
    assert json.loads(response.read()) == {"error": "the host name is not one of this service: 127.0.0.1, localhost"}
    connection.close()


def test_the_model_sees_one_image_at_a_time_and_only_so_many_requests_wait(service: Service) -> None:
    service.release.clear()
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(service.post(png()).status)) for _ in range(6)]
    for thread in threads:
        thread.start()
    while len(statuses) < 4:  # those beyond the two that wait are refused at once
        time.sleep(0.01)
    assert set(statuses) == {503}
    assert service.request("GET", "/healthz").status == 200
    service.release.set()
    for thread in threads:
        thread.join(20)
    assert sorted(statuses) == [200, 200, 503, 503, 503, 503]
    assert service.most_active == 1
