"""Servers on loopback: an S3 of its own process, and an HTTP server that does what one would rather not meet."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

BUCKET = "records"


class S3:
    """A running S3 server with one bucket."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    def put(self, key: str, data: bytes) -> str:
        """Store an object; its URL."""
        request = urllib.request.Request(f"{self.endpoint}/{BUCKET}/{key}", data=data, method="PUT", headers={"Content-Type": "binary/octet-stream"})
        urllib.request.urlopen(request, timeout=30).close()
        return f"s3://{BUCKET}/{key}"


@contextmanager
def running_s3() -> Iterator[S3]:
    """moto's server in a process of its own."""
    if importlib.util.find_spec("moto") is None or importlib.util.find_spec("flask") is None:
        pytest.skip("moto[server] is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(port)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    server = S3(f"http://127.0.0.1:{port}")
    try:
        end = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(urllib.request.Request(f"{server.endpoint}/{BUCKET}", method="PUT"), timeout=5).close()
                break
            except OSError:
                if time.monotonic() > end or process.poll() is not None:
                    pytest.skip("moto's server does not start")
                time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.wait(20)


def s3_environment(monkeypatch: pytest.MonkeyPatch, server: S3) -> None:
    """What a user would have in the environment."""
    for name, value in {
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "hidden",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)


@dataclass
class Request:
    """One request and what was answered."""

    method: str
    path: str
    span: tuple[int, int] | None
    match: str | None
    sent: int = 0


@dataclass
class Web:
    """A web server whose files and faults a test decides.

    `fault(request, number)` gives what happens to a request of a file, counted from 0 for each file: "" for an answer, "503", "404", "slow",
    "cut" (the body ends early), "reset" (the connection breaks), "whole" (ranges are not known), "changed" (another version from here on).
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    fault: Callable[[Request, int], str] = lambda request, number: ""
    requests: list[Request] = field(default_factory=list)
    honest: bool = True
    tagged: bool = True

    @property
    def sent(self) -> int:
        """Bytes of bodies."""
        return sum(r.sent for r in self.requests)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    web: Web

    def log_message(self, *args: object) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            pass  # the client was tired of waiting

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        web, name = self.web, self.path.split("?")[0].lstrip("/")
        number = sum(r.path == name for r in web.requests)
        span = re.match(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        request = Request(self.command, name, (int(span[1]), int(span[2]) + 1) if span else None, self.headers.get("If-Match"))
        web.requests.append(request)
        fault = web.fault(request, number)
        if name not in web.files or fault == "404":
            return self._answer(404, b"")
        if fault == "503":
            return self._answer(503, b"busy")
        if fault == "slow":
            time.sleep(2.0)
        if fault == "changed":
            web.tags[name] = '"another"'
            web.files[name] = bytes(b ^ 1 for b in web.files[name])
        data, tag = web.files[name], web.tags.setdefault(name, '"first"')
        if web.honest and request.match not in (None, tag):
            return self._answer(412, b"")
        headers = {"ETag": tag} if web.tagged else {}
        headers["Last-Modified"] = "Wed, 21 Oct 2015 07:28:00 GMT"
        if request.span is None or fault == "whole":
            return self._answer(200, data, headers, request)
        start, stop = request.span[0], min(request.span[1], len(data))
        if start >= len(data):
            return self._answer(416, b"")
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
        return self._answer(206, data[start:stop], headers, request, fault)

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None, request: Request | None = None, fault: str = "") -> None:
        if fault == "reset":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault == "cut":
            body, self.close_connection = body[: len(body) // 2], True
        self.wfile.write(body)
        if request is not None:
            request.sent += len(body)


@contextmanager
def running_web() -> Iterator[Web]:
    """The server, in a thread."""
    web = Web()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"web": web}))
    server.daemon_threads = True
    web.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
