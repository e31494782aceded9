"""The container's health check asks whether the server lives, on any port, with or without TLS."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.support.server.ports import free_port
from tests.support.tree import ROOT

CONTAINER = (ROOT / "operations" / "Containerfile").read_text(encoding="utf-8")


def alive(port: int | None) -> bool:
    """Run the check as the container does."""
    told = {} if port is None else {"PASSERSBY_SERVER_PORT": str(port)}
    environment = {**os.environ, "http_proxy": "http://127.0.0.1:9", **told}  # podman hands the host's proxy on
    checked = subprocess.run([sys.executable, ROOT / "operations" / "alive.py"], env=environment, timeout=60)
    return checked.returncode == 0


class Copying(BaseHTTPRequestHandler):
    """A server that copies data: it lives, and is not ready."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class Broken(Copying):
    def do_GET(self) -> None:
        self.send_response(500)
        self.end_headers()


@pytest.fixture(params=[Copying, Broken])
def server(request: pytest.FixtureRequest) -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), request.param) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield listening
        listening.shutdown()
        thread.join()


def test_a_server_copying_data_is_alive_and_a_failed_one_is_not(server: HTTPServer) -> None:
    assert alive(server.server_port) is (server.RequestHandlerClass is Copying)


def test_without_a_listening_port_the_check_fails() -> None:
    assert not alive(free_port())


def test_the_container_runs_it_and_gives_it_the_port() -> None:
    (check,) = re.findall(r"^HEALTHCHECK (.*)$", CONTAINER, re.MULTILINE)
    (place,) = re.findall(r"^COPY operations/alive.py (\S+)$", CONTAINER, re.MULTILINE)
    assert "--start-period=" in check and check.endswith(f'["python", "{place}"]')
    (port,) = re.findall(r"PASSERSBY_SERVER_PORT=(\d+)", CONTAINER)  # before a settings file: the check reads none
    assert f"EXPOSE {port}" in CONTAINER
