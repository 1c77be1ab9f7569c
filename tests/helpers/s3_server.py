"""A real S3 server on this machine, with faults between it and whoever asks."""

from __future__ import annotations

import http.client
import importlib.util
import logging
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

BUCKET = "lab"

#: Of a request's method and key, what to do before it is passed on: nothing, or the status to answer instead.
Fault = Callable[[str, str], int | None]


@dataclass
class S3Server:
    """Where it is, what it was asked, and its faults.

    :param url: of the proxy, through which every request goes.
    :param asked: method and path of each request so far.
    :param fault: what goes wrong.
    """

    url: str
    client: Any
    asked: list[tuple[str, str]] = field(default_factory=list)
    fault: Fault | None = None

    def files(self, prefix: str) -> dict[str, bytes]:
        """Every object below a prefix but the notes of runs."""
        found = {}
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/"):
            for item in page.get("Contents", ()):
                key = item["Key"].removeprefix(f"{prefix}/")
                if not key.startswith(".farm/"):
                    found[key] = self.client.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()
        return found

    def require_keys(self, does: bool) -> None:
        """Whether the server refuses keys that it has not given out, which are all."""
        url = f"{self.client.meta.endpoint_url}/moto-api/reset-auth"
        count = b"0" if does else b"1e9"
        request = urllib.request.Request(url, count, {"Content-Type": "application/octet-stream"})
        urllib.request.urlopen(request).close()


class _Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: S3Server
    behind: tuple[str, int]

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.state.asked.append((self.command, self.path))
        status = self.state.fault(self.command, self.path) if self.state.fault is not None else None
        if status is not None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        connection = http.client.HTTPConnection(*self.behind)
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        data = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "server", "date"):
                self.send_header(name, value)
        if self.command != "HEAD" and answer.getheader("Content-Length") is None:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        connection.close()

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass_on

    def log_message(self, *arguments: Any) -> None:
        """Nothing is printed."""


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server with one empty bucket, to which the environment points."""
    if any(importlib.util.find_spec(name) is None for name in ("boto3", "moto", "flask")):
        pytest.skip("boto3 or moto is not installed (the extras s3 and dev)")
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    handler = type("Handler", (_Proxy,), {"behind": server.get_host_and_port()})
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    proxy.daemon_threads = True
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    with pytest.MonkeyPatch.context() as patch:
        url = f"http://127.0.0.1:{proxy.server_port}"
        patch.setenv("AWS_ENDPOINT_URL", url)
        patch.setenv("AWS_ACCESS_KEY_ID", "somebody")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.delenv("AWS_PROFILE", raising=False)
        direct = "http://{}:{}".format(*server.get_host_and_port())
        state = S3Server(url, boto3.client("s3", endpoint_url=direct))
        handler.state = state  # type: ignore[attr-defined]
        state.client.create_bucket(Bucket=BUCKET)
        try:
            yield state
        finally:
            proxy.shutdown()
            proxy.server_close()
            server.stop()
