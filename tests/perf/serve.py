"""Requests per second and latencies of `zoo serve`, or of an exported folder, with 1 and 4 clients.

    python tests/perf/serve.py IMAGE -- zoo serve RUN --store DIR --port 8010
    python tests/perf/serve.py IMAGE -- python EXPORTED/serve.py --port 8010

It starts the command, waits until the service answers, and posts the image for `--seconds` per number of clients.
"""

from __future__ import annotations

import argparse
import http.client
import signal
import subprocess
import threading
import time
from pathlib import Path

import numpy as np


def posting(port: int, content: bytes, until: float, seconds: list[float]) -> None:
    """Posts `content` on one connection until a moment, and appends how long each answer took."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while (start := time.perf_counter()) < until:
        connection.request("POST", "/predict", content, {"content-type": "image/png"})
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        seconds.append(time.perf_counter() - start)


def wait(port: int, process: subprocess.Popen[bytes]) -> None:
    """Waits until the service answers; raises RuntimeError if its process ends."""
    while process.poll() is None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("the service ended before it answered")


def main() -> None:
    """Prints one line per number of clients."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", type=Path)
    parser.add_argument("--port", type=int, default=8010)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("command", nargs="+", help="what starts the service on that port")
    given = parser.parse_args()
    start, content = time.perf_counter(), given.image.read_bytes()
    with subprocess.Popen(given.command) as process:
        wait(given.port, process)
        print(f"ready after {time.perf_counter() - start:.1f} s; {len(content) / 2**10:.0f} KiB per image")
        posting(given.port, content, time.perf_counter() + 2, [])
        for clients in (1, 4):
            seconds: list[float] = []
            begin = time.perf_counter()
            until = begin + given.seconds
            threads = [
                threading.Thread(target=posting, args=(given.port, content, until, seconds)) for _ in range(clients)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            rate = len(seconds) / (time.perf_counter() - begin)
            p50, p95 = 1000 * np.quantile(seconds, (0.5, 0.95))
            print(f"{clients} clients: {rate:.1f} requests/s, p50 {p50:.0f} ms, p95 {p95:.0f} ms, n {len(seconds)}")
        process.send_signal(signal.SIGINT)


if __name__ == "__main__":
    main()
