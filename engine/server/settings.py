"""Settings of a server, in order of precedence: command line, environment, settings file, the defaults here.

docs/server.md lists them in one table, which a test compares with this file. Ports, certificate and extras are checked
before anything starts: uvicorn and gRPC would otherwise end, or hang, without a usable message.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import socket
import ssl
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from budgets import ParamError
from dialect.parser import MAX_CHARACTERS
from engine.problems import refusals
from engine.server.worker.frames import Json

PREFIX = "PASSERSBY_SERVER_"
PUBLIC_KEY_ALGORITHMS = {"EdDSA", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"}
TOGETHER = (
    ("tls_cert", "tls_key"),
    ("oidc_issuer", "oidc_audience", "oidc_keys"),
    ("alert_mail_to", "alert_mail_from", "alert_smtp"),
    ("alert_smtp_user", "alert_smtp_password_file"),
)


class Settings(BaseSettings):
    """Settings of a server, fixed when it starts."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    catalog: str = Field("operator", description="a bundled catalog's name, or a catalog file")
    ledger: str | None = Field(None, description="the ledger's file or address; without it, the catalog's own")
    standing: Path | None = Field(None, description="the file of standing questions, which the entitled may see")
    host: str = Field("127.0.0.1", description="the address to listen at")
    port: int = Field(8021, ge=0, le=65535, description="the port to listen at; 0 takes a free one")
    flight_port: int | None = Field(
        None, ge=0, le=65535, description="the port for Flight SQL, which BI tools speak; without it there is none"
    )
    tls_cert: Path | None = Field(None, description="certificate chain, PEM")
    tls_key: Path | None = Field(None, description="its key, PEM")
    behind_tls_proxy: bool = Field(
        False, description="a proxy before it speaks TLS: another address without TLS is let"
    )
    proxy_addresses: str = Field(
        "127.0.0.1,::1", description="the addresses or networks of that proxy, whose X-Forwarded-For is believed"
    )
    secret_file: Path | None = Field(None, description="what keys are hashed with; without it, beside the ledger")
    key_days: float = Field(90.0, gt=0, le=3650, description="how long a new key lives, in days")
    oidc_issuer: str | None = Field(None, description="an identity provider whose tokens are taken instead of keys")
    oidc_audience: str | None = Field(None, description="whom its tokens are for")
    oidc_keys: Path | None = Field(None, description="its public keys, a JWKS file; read again when it is changed")
    oidc_algorithms: str = Field("ES256,RS256,EdDSA", description="the only signatures that are taken")
    oidc_name_claim: str = Field("sub", description="the claim that names who asks: of a client, for analysts")
    oidc_role_claim: str = Field("passersby_role", description="the claim that holds the role")
    max_body_bytes: int = Field(1_000_000, ge=1_000, description="the longest body of a request")
    max_sql_chars: int = Field(MAX_CHARACTERS, ge=100, le=MAX_CHARACTERS, description="the longest question")
    rate: str = Field("1200/minute", description="how often one client may ask anything")
    queue: int = Field(64, ge=1, le=72, description="questions that wait or run at once; free answers are none")
    queue_per_client: int = Field(32, ge=1, le=72, description="of these, one client's at most")
    jobs_per_client: int = Field(8, ge=1, description="unfinished jobs of one client")
    job_days: float = Field(30.0, gt=0, description="after which finished jobs and their answers are deleted")
    deadline_seconds: float = Field(60.0, gt=0, description="after which a question goes on as a job")
    stop_seconds: float = Field(30.0, gt=0, description="how long running questions may end in when it is stopped")
    slots: int = Field(2, ge=1, description="questions that read data at once")
    least_seconds: float = Field(0.5, gt=0, description="the shortest time in which a fresh release leaves")
    unit_rows: float = Field(
        2e6, ge=1e4, le=1e7, description="the most work of one person's rows in a question, as so many plain rows"
    )
    hung_seconds: float = Field(30.0, ge=2, description="after which a worker without a heartbeat is replaced")
    least_free_mb: float = Field(64.0, ge=0, description="free space beside the ledger that readiness asks for, in MB")
    alert_webhook: str | None = Field(None, description="where alerts are posted: https, or http of this machine")
    alert_mail_to: str | None = Field(None, description="who gets alerts as mail, with commas between")
    alert_mail_from: str | None = Field(None, description="who sends them")
    alert_smtp: str | None = Field(None, description="the mail server, host:port")
    alert_smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="how it is spoken to: starttls, tls, or none on this machine alone"
    )
    alert_smtp_user: str | None = Field(None, description="its user, where it asks for one")
    alert_smtp_password_file: Path | None = Field(None, description="the user's password, in a file")
    alert_seconds: float = Field(60.0, gt=0, description="how often budgets are looked at for alerts")
    verify_hours: float = Field(24.0, gt=0, description="how often the server verifies its ledger")
    rows_per_second: float = Field(2e6, gt=0, description="rows that one question works through in a second, at least")

    @field_validator("rate")
    @classmethod
    def _check_rate(cls, rate: str) -> str:
        """Accept a single rate that the `limits` library can parse and that allows at least one request."""
        from limits import parse_many  # late: the extra [server] brings it

        try:
            (parsed,) = parse_many(rate)
        except ValueError:
            raise ValueError("rate is a number of requests in a time: 1200/minute") from None
        if parsed.amount < 1:
            raise ValueError("rate lets nobody ask anything: 1200/minute")
        return rate

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        """Require settings of one thing together. Whether plain HTTP is allowed is up to `check_listening`."""
        for *first, last in TOGETHER:
            if len({getattr(self, name) is None for name in (*first, last)}) > 1:
                count = "both" if len(first) == 1 else "all three"
                raise ValueError(f"{', '.join(first)} and {last} belong together: give {count}")
        return self

    @model_validator(mode="after")
    def _check_algorithms(self) -> Self:
        """Accept public-key signatures only: with a shared secret, this server could forge tokens as well."""
        pinned = self.oidc_algorithms.split(",")
        if not set(pinned) <= PUBLIC_KEY_ALGORITHMS:
            raise ValueError(f"oidc_algorithms are some of {', '.join(sorted(PUBLIC_KEY_ALGORITHMS))}")
        return self

    @model_validator(mode="after")
    def _check_alert_channels(self) -> Self:
        """Require encryption for alerts and the mail password, except on this machine."""
        hook = urlsplit(self.alert_webhook or "https://none")
        if hook.scheme != "https" and not (hook.scheme == "http" and is_loopback(hook.hostname or "")):
            raise ValueError("alert_webhook begins with https://, or is on this machine")
        host, _ = host_and_port(self.alert_smtp or "localhost")
        if self.alert_smtp_security == "none" and not is_loopback(host):
            raise ValueError("alert_smtp_security is none for a mail server of this machine alone: starttls, or tls")
        return self

    @classmethod
    def settings_customise_sources(  # type: ignore[override]  # pydantic names every source
        cls, settings_cls: type[BaseSettings], **sources: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources by precedence."""
        return sources["init_settings"], sources["env_settings"], TomlConfigSettingsSource(settings_cls)


def read_settings(file: Path | None, **given: Json) -> Settings:
    """Read the settings; None means not given. Raises pydantic's ValidationError, OSError, TOMLDecodeError."""
    given_settings = {name: value for name, value in given.items() if value is not None}
    if file is None:
        return Settings(**given_settings)
    file.read_bytes()  # raises if missing: a named file must exist

    class OfFile(Settings):
        """Settings with this file as the source of lowest precedence."""

        model_config = SettingsConfigDict(toml_file=file)

    return OfFile(**given_settings)


def host_and_port(text: str) -> tuple[str, int | None]:
    """Parse host or host:port; raises ValueError."""
    try:
        place = urlsplit(f"//{text}")
        if place.netloc != text or place.username is not None or not place.hostname or place.port == 0:
            raise ValueError
        return place.hostname, place.port
    except ValueError:
        raise ValueError("alert_smtp is a host, or host:port: mail.example.org:587") from None


def is_loopback(host: str) -> bool:
    """Is an address on this machine only? True for loopback addresses and localhost."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@refusals()
def check_listening(settings: Settings) -> None:
    """Check that the server can listen safely; raises Refused.

    Refused are plain HTTP to other machines, a port in use, an unusable certificate, a missing extra. Commands that
    read the same settings and do not listen, such as bootstrap, skip this check.
    """
    _check_encryption(settings)
    _check_certificate(settings)
    check_port(settings.host, settings.port, "--port")
    if settings.flight_port is None:
        return
    if not all(map(_is_installed, ("google.protobuf", "pyarrow.flight"))):
        raise ParamError("Flight SQL needs an extra.", "pip install '.[flight]', in the clone of passersby")
    if settings.flight_port == settings.port != 0:
        raise ParamError(f"Port {settings.port} can't be that of HTTP and of Flight SQL.", "another --flight-port")
    check_port(settings.host, settings.flight_port, "--flight-port")


def _check_encryption(settings: Settings) -> None:
    """Refuse to send keys and answers unencrypted to other machines."""
    if settings.tls_cert is None and not settings.behind_tls_proxy and not is_loopback(settings.host):
        why = f"{settings.host} can be reached from other machines, and keys would go there unencrypted."
        cure = "tls_cert and tls_key, or behind_tls_proxy where a proxy before this server speaks TLS"
        raise ParamError(why, cure)


def check_port(host: str, port: int, option: str) -> None:
    """Check that an address can be listened on; raises ParamError."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe_socket:
            probe_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe_socket.bind(address)
    except OSError:
        why = f"Port {port} of {host} can't be listened on: it is in use, or not allowed."
        raise ParamError(why, f"another {option}; 0 takes a free one") from None


def url_host(host: str) -> str:
    """Format a host for use in a URL: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def _check_certificate(settings: Settings) -> None:
    """Load certificate and key as the servers will; a key with a password is refused."""
    cure = "--tls-cert and --tls-key with files in PEM, the key without a password"
    for path in (settings.tls_cert, settings.tls_key):
        if path is not None and not path.is_file():
            raise ParamError(f"There is no file {path}.", cure)
    if settings.tls_cert is None or settings.tls_key is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_cert, settings.tls_key, password="")
    except OSError:  # includes SSLError
        why = f"{settings.tls_cert} and {settings.tls_key} are no certificate and its key, or can't be read."
        raise ParamError(why, cure) from None


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its parent package is missing
        return False
