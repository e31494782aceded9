"""Errors of `serve` if it cannot listen: a port in use, a bad certificate, a missing extra."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from engine.errors import Refused
from engine.server.settings import Settings, check_listening, url_host
from tests.support.server.serving import PATIENCE, PROGRAM
from tests.support.server.sinks import certificate

FREE = 0


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as holding:
        yield holding.getsockname()[1]


def refusal(**settings: object) -> str:
    with pytest.raises(Refused) as refused:
        check_listening(Settings(**{"port": FREE, **settings}))
    return "{message} Try: {hint}".format(**refused.value.problem)


def test_a_port_that_is_taken_is_named(taken: int) -> None:
    told = refusal(port=taken)
    assert f"Port {taken} " in told and "another --port" in told
    told = refusal(flight_port=taken)
    assert f"Port {taken} " in told and "another --flight-port" in told


def test_keys_are_not_accepted_without_tls_on_public_addresses() -> None:
    assert "can be reached from other machines" in refusal(host="0.0.0.0")
    check_listening(Settings(port=FREE, host="0.0.0.0", behind_tls_proxy=True))
    check_listening(Settings(port=FREE, host="127.0.0.1"))


def test_http_and_flight_do_not_share_a_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert "of HTTP and of Flight SQL" in refusal(port=port, flight_port=port)
    check_listening(Settings(port=FREE, flight_port=FREE))


def test_flight_sql_without_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib.util, "find_spec", missing)
    assert "passersby" in refusal(flight_port=FREE) and "[flight]" in refusal(flight_port=FREE)
    check_listening(Settings(port=FREE))


def test_a_certificate_that_can_t_be_used_is_named(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    (cert, key), (_, other) = certificate(tmp_path / "one"), certificate(tmp_path / "other")
    check_listening(Settings(port=FREE, tls_cert=cert, tls_key=key))
    assert "There is no file" in refusal(tls_cert=tmp_path / "absent.pem", tls_key=key)
    assert str(other) in refusal(tls_cert=cert, tls_key=other)  # of another certificate
    assert "no certificate" in refusal(tls_cert=key, tls_key=key)
    assert "without a password" in refusal(tls_cert=cert, tls_key=_locked(key))


def _locked(key: Path) -> Path:
    """Write a key that asks for a password, which nobody would be there to type."""
    read = serialization.load_pem_private_key(key.read_bytes(), None)
    kept = serialization.BestAvailableEncryption(b"a word")
    locked = key.with_name("locked.pem")
    locked.write_bytes(read.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, kept))
    return locked


def test_a_port_taken_during_startup_ends_the_server(town_catalog: str, ledger_file: Path, taken: int) -> None:
    """Regression: it went on without an endpoint and without a message, deaf to signals."""
    late = f"import engine.server.app as s; s.check_listening = lambda settings: None; {PROGRAM}"
    command = [sys.executable, "-c", late, "serve", town_catalog, "--port", "0", "--flight-port", str(taken)]
    environment = {**os.environ, "PASSERSBY_DATA": str(ledger_file.parent)}
    ran = subprocess.run(
        [*command, "--ledger", str(ledger_file)], capture_output=True, text=True, timeout=PATIENCE, env=environment
    )
    assert ran.returncode == 1
    assert f"Port {taken} of 127.0.0.1 can't be listened on for Flight SQL." in " ".join(ran.stderr.split())


@pytest.mark.parametrize(
    ("host", "written"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("localhost", "localhost")]
)
def test_an_address_is_written_as_it_stands_in_a_url(host: str, written: str) -> None:
    assert url_host(host) == written
