"""TLS of both endpoints, with stock clients and our own: answers only over a verified certificate."""

from __future__ import annotations

import re
import socket
import ssl
import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import adbc_driver_flightsql.dbapi as adbc
import adbc_driver_manager
import httpx2
import pyarrow.flight as fl
import pytest
from adbc_driver_flightsql import DatabaseOptions

import passersby
from engine.errors import Refused
from engine.server.settings import Settings, check_listening
from tests.engine.server.test_alive import alive
from tests.support.server.serving import Running, running
from tests.support.server.sinks import certificate

COUNT = "SELECT zone, count(*) AS visits FROM visit GROUP BY zone"
FLIGHT = re.compile(r'"port": (\d+), "event": "flight"')


@dataclass(frozen=True)
class Secured:
    """A server with a certificate of localhost that signs itself, and another one that signs itself too."""

    server: Running
    key: str
    chain: Path
    another: Path

    @property
    def port(self) -> int:
        return int(self.server.url.rpartition(":")[2])

    @property
    def flight_port(self) -> int:
        found = FLIGHT.search(self.server.ledger.with_suffix(".log").read_text(encoding="utf-8"))
        assert found is not None
        return int(found[1])

    def tool(self, scheme: str = "grpc+tls", host: str = "localhost", vouched: Path | None = None) -> Any:
        """Connect as a BI tool does."""
        given = {"username": "whoever", "password": self.key}
        if vouched is not None:
            given[DatabaseOptions.TLS_ROOT_CERTS.value] = vouched.read_text(encoding="ascii")
        return closing(adbc.connect(f"{scheme}://{host}:{self.flight_port}", given, autocommit=True))


@pytest.fixture(scope="module")
def secured(town_catalog: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "another", "ledger")]
    (chain, key), (another, _) = (certificate(folder) for folder in folders[:2])
    ledger = folders[2] / "town.ledger"
    with running(town_catalog, ledger, least_seconds=0.01, flight_port=0, tls_cert=chain, tls_key=key) as server:
        assert server.url.startswith("https://")
        yield Secured(server, server.key("ana"), chain, another)


def test_the_container_s_health_check_asks_over_tls_too(secured: Secured) -> None:
    """The certificate is of another name than the one by which the container asks itself."""
    assert alive(secured.port)


# ------------------------------------------------------------------ Flight SQL


def test_a_stock_client_lists_and_asks_over_tls(secured: Secured) -> None:
    with secured.tool(vouched=secured.chain) as tool, closing(tool.cursor()) as cursor:
        assert tool.adbc_get_table_types() == ["TABLE"]
        cursor.execute(COUNT)
        first = cursor.fetchall()
        cursor.execute(COUNT)
        assert (len(first), cursor.fetchall()) == (7, first)
        with pytest.raises(adbc_driver_manager.Error, match="E_SAMPLE"):
            cursor.execute("SELECT * FROM visit LIMIT 100")


def test_another_stock_client_asks_over_tls(secured: Secured) -> None:
    """pyarrow's is another implementation (C++) than ADBC's (Go)."""
    with fl.FlightClient(
        f"grpc+tls://localhost:{secured.flight_port}", tls_root_certs=secured.chain.read_bytes()
    ) as client:
        options = fl.FlightCallOptions(headers=[(b"authorization", f"Bearer {secured.key}".encode())], timeout=30)
        assert [each.type for each in client.list_actions(options)] == [
            "CreatePreparedStatement",
            "ClosePreparedStatement",
        ]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"vouched": None}, "certificate"),  # nobody vouches for it
        ({"vouched": "another"}, "certificate"),  # another than the server's
        ({"vouched": "chain", "host": "127.0.0.1"}, "certificate"),  # it is of localhost alone
        ({"vouched": None, "scheme": "grpc"}, ""),  # without TLS
    ],
    ids=["unknown", "another", "another name", "open line"],
)
def test_a_client_sends_its_key_over_verified_tls_alone(secured: Secured, asked: dict[str, Any], why: str) -> None:
    vouched = getattr(secured, asked["vouched"] or "", None)
    refusing = pytest.raises(adbc_driver_manager.Error, match=f"(?i){why}")
    with refusing as refused, secured.tool(**asked | {"vouched": vouched}) as tool:
        tool.adbc_get_table_types()
    assert secured.key not in str(refused.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "a-host"])
def test_no_other_address_is_served_without_tls(host: str) -> None:
    settings = Settings(host=host, flight_port=0)  # a command that does not listen, such as bootstrap, may read them
    with pytest.raises(Refused, match="unencrypted"):
        check_listening(settings)


# ------------------------------------------------------------------ HTTP


def test_our_client_queries_over_tls(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(secured.chain))
    with passersby.connect(f"https://localhost:{secured.port}", api_key=secured.key) as city:
        assert len(city.query(COUNT).rows) == 7


@pytest.mark.parametrize(
    ("host", "vouched", "why"),
    [("localhost", "another", "self-signed certificate"), ("127.0.0.1", "chain", "not valid for '127.0.0.1'")],
)
def test_our_client_refuses_other_certificates(
    secured: Secured, host: str, vouched: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(getattr(secured, vouched)))
    with pytest.raises(passersby.ServerError, match=f"a certificate that is not taken: .*{why}"):
        passersby.connect(f"https://{host}:{secured.port}", api_key=secured.key)


def test_the_client_names_an_unreadable_certificate_file(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    for named in (secured.chain.with_name("absent.pem"), secured.server.ledger):
        monkeypatch.setenv("SSL_CERT_FILE", str(named))
        with pytest.raises(passersby.RefusedError, match=r"SSL_CERT_FILE .* holds no certificates"):
            passersby.connect(f"https://localhost:{secured.port}", api_key=secured.key)


def test_a_session_s_cookie_is_for_tls_alone(secured: Secured) -> None:
    secure = ssl.create_default_context(cafile=str(secured.chain))
    with httpx2.Client(base_url=f"https://localhost:{secured.port}", verify=secure, trust_env=False) as browser:
        entered = browser.post("/console/login", data={"key": secured.key})
    cookies = entered.headers.get_list("set-cookie")
    assert cookies and all("; Secure" in cookie for cookie in cookies)


@pytest.mark.parametrize("door", ["port", "flight_port"])
def test_old_tls_versions_are_refused(secured: Secured, door: str) -> None:
    def version(newest: ssl.TLSVersion) -> str | None:
        context = ssl.create_default_context(cafile=str(secured.chain))
        context.set_alpn_protocols(["h2"])
        context.set_ciphers("ALL:@SECLEVEL=0")  # or this side would not speak the old one either
        with warnings.catch_warnings(action="ignore"):
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, newest
        line = socket.create_connection(("localhost", getattr(secured, door)), timeout=30)
        with context.wrap_socket(line, server_hostname="localhost") as spoken:  # closes what it is handed
            return spoken.version()

    assert version(ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    assert version(ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    with pytest.raises((ssl.SSLError, OSError)):
        version(ssl.TLSVersion.TLSv1_1)
