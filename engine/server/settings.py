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
from engine.errors import refusals
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

    catalog: str = Field("operator", description="name of a bundled catalog, or a catalog file")
    ledger: str | None = Field(None, description="file or address of the ledger; without it, the catalog's own")
    standing: Path | None = Field(None, description="file of scheduled queries, shown to the clients entitled to them")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8021, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    flight_port: int | None = Field(
        None, ge=0, le=65535, description="port for Flight SQL, which BI tools use; without it, Flight SQL is off"
    )
    tls_cert: Path | None = Field(None, description="certificate chain, PEM")
    tls_key: Path | None = Field(None, description="private key of the certificate, PEM")
    behind_tls_proxy: bool = Field(
        False,
        description="true where a proxy in front of the server terminates TLS: other addresses then need no tls_cert",
    )
    proxy_addresses: str = Field(
        "127.0.0.1,::1", description="addresses or networks of that proxy; its X-Forwarded-For header is trusted"
    )
    secret_file: Path | None = Field(
        None, description="file with the secret that keys are hashed with; without it, a file next to the ledger"
    )
    key_days: float = Field(90.0, gt=0, le=3650, description="lifetime of a new key, in days")
    oidc_issuer: str | None = Field(
        None, description="OpenID Connect provider whose tokens are accepted instead of keys"
    )
    oidc_audience: str | None = Field(None, description="audience that its tokens must name")
    oidc_keys: Path | None = Field(None, description="its public keys, a JWKS file; read again when it changes")
    oidc_algorithms: str = Field("ES256,RS256,EdDSA", description="accepted signature algorithms")
    oidc_name_claim: str = Field("sub", description="claim with the caller's name; for an analyst, the client's")
    oidc_role_claim: str = Field("passersby_role", description="claim with the caller's role")
    max_body_bytes: int = Field(1_000_000, ge=1_000, description="largest body of a request, in bytes")
    max_sql_chars: int = Field(MAX_CHARACTERS, ge=100, le=MAX_CHARACTERS, description="longest SQL text, in characters")
    rate: str = Field("1200/minute", description="requests that one client may send")
    queue: int = Field(64, ge=1, le=72, description="queries that may wait or run at once; free answers do not count")
    queue_per_client: int = Field(32, ge=1, le=72, description="of these, queries of one client")
    jobs_per_client: int = Field(8, ge=1, description="unfinished jobs of one client")
    job_days: float = Field(30.0, gt=0, description="days after which finished jobs and their answers are deleted")
    deadline_seconds: float = Field(60.0, gt=0, description="seconds after which a query continues as a job")
    stop_seconds: float = Field(
        30.0, gt=0, description="seconds that running queries have to finish when the server stops"
    )
    slots: int = Field(2, ge=1, description="queries that read data at once")
    least_seconds: float = Field(0.5, gt=0, description="shortest time in which a new release is answered, in seconds")
    unit_rows: float = Field(
        2e6,
        ge=1e4,
        le=1e7,
        description="most work that the rows of one person may cause in a query, counted in plain rows",
    )
    hung_seconds: float = Field(30.0, ge=2, description="seconds without a heartbeat after which a worker is replaced")
    least_free_mb: float = Field(
        64.0, ge=0, description="free disk space next to the ledger, in MB, below which the server is not ready"
    )
    alert_webhook: str | None = Field(None, description="URL that alerts are posted to: https, or http on this machine")
    alert_mail_to: str | None = Field(None, description="recipients of alerts by mail, separated by commas")
    alert_mail_from: str | None = Field(None, description="sender of these mails")
    alert_smtp: str | None = Field(None, description="mail server, host:port")
    alert_smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="encryption to the mail server: starttls, tls, or none (on this machine only)"
    )
    alert_smtp_user: str | None = Field(None, description="user name at the mail server, where it requires one")
    alert_smtp_password_file: Path | None = Field(None, description="file with that user's password")
    alert_seconds: float = Field(60.0, gt=0, description="seconds between two checks of budgets for alerts")
    verify_hours: float = Field(24.0, gt=0, description="hours between two verifications of the ledger")
    rows_per_second: float = Field(
        2e6, gt=0, description="rows per second that one query processes at least on this machine"
    )

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
            raise ValueError("rate allows no request: 1200/minute")
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
