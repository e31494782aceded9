"""What `serve` says where it can't listen: a port that is taken, a certificate that is not there."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from engine.desk import Refused
from engine.server.serving import check_line
from engine.server.settings import Settings


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refused) as refused:
            check_line(Settings(port=port))
    assert f"Port {port} " in str(refused.value.problem) and "--port" in str(refused.value.problem)


def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        check_line(Settings(port=0, tls_cert=tmp_path / "c.pem", tls_key=tmp_path / "k.pem"))
    assert "c.pem" in str(refused.value.problem)
