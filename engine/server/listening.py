"""Settings -> where a server listens: the ports, the certificate and the extra are looked at before anything starts.

Behind this, uvicorn and gRPC would end, or hang, without a word that a person can use.
"""

from __future__ import annotations

import importlib.util
import socket
import ssl

from budgets import ParamError
from engine.accounts.problems import Refused, problem
from engine.server.settings import Settings, is_loopback


def check_listening(settings: Settings) -> None:
    """Raise Refused where a line would be open, a port can't be listened on, or a certificate or extra is missing.

    Commands that read the same settings and do not listen, such as bootstrap, are not held to it.
    """
    _check_line(settings)
    _check_certificate(settings)
    check_port(settings.host, settings.port, "--port")
    if settings.flight_port is None:
        return
    if not all(map(_installed, ("google.protobuf", "pyarrow.flight"))):
        raise _refused("Flight SQL needs an extra.", "pip install '.[flight]', in the clone of passersby")
    if settings.flight_port == settings.port != 0:
        raise _refused(f"Port {settings.port} can't be that of HTTP and of Flight SQL.", "another --flight-port")
    check_port(settings.host, settings.flight_port, "--flight-port")


def _check_line(settings: Settings) -> None:
    """Refuse to send keys and answers over an open line."""
    if settings.tls_cert is None and not settings.behind_tls_proxy and not is_loopback(settings.host):
        why = f"{settings.host} can be reached from other machines, and keys would go there unencrypted."
        cure = "tls_cert and tls_key, or behind_tls_proxy where a proxy before this server speaks TLS"
        raise _refused(why, cure)


def check_port(host: str, port: int, option: str) -> None:
    """Raise Refused where an address can't be listened on."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except OSError:
        why = f"Port {port} of {host} can't be listened on: it is in use, or not allowed."
        raise _refused(why, f"another {option}; 0 takes a free one") from None


def in_url(host: str) -> str:
    """Write an address as it stands in a URL."""
    return f"[{host}]" if ":" in host else host


def _check_certificate(settings: Settings) -> None:
    """Read certificate and key as the servers will; a key must not wait for a password."""
    cure = "--tls-cert and --tls-key with files in PEM, the key without a password"
    for path in (settings.tls_cert, settings.tls_key):
        if path is not None and not path.is_file():
            raise _refused(f"There is no file {path}.", cure)
    if settings.tls_cert is None or settings.tls_key is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_cert, settings.tls_key, password="")
    except OSError:  # SSLError is one
        why = f"{settings.tls_cert} and {settings.tls_key} are no certificate and its key, or can't be read."
        raise _refused(why, cure) from None


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # what it lies in is not there either
        return False


def _refused(why: str, cure: str) -> Refused:
    return Refused(problem(ParamError(why, cure), None))
