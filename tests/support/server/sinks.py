"""Alert targets for tests: a web hook and a mail server on local ports."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller

from tests.support.server.ports import free_port
from tests.support.timeouts import MAX_SECONDS

PATIENCE = 10.0


@dataclass
class Hook:
    """A web hook that answers with given statuses, and then with 200."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    taken: list[Any] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)  # when closed, clients wait


@contextmanager
def hook(*statuses: int) -> Iterator[Hook]:
    """Open a web hook."""
    found = Hook(statuses=list(statuses))
    found.open.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.open.wait(PATIENCE)
            status = found.statuses.pop(0) if found.statuses else 200
            if status == 200:
                found.taken.append(json.loads(body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Do nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}/alerts"
    try:
        yield found
    finally:
        found.open.set()
        server.shutdown()
        server.server_close()


@dataclass
class Mailbox:
    """Messages received by a mail server."""

    address: str = ""
    mails: list[Message] = field(default_factory=list)
    users: list[tuple[str, str]] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  the library's name
        """Receive a message."""
        self.mails.append(message_from_bytes(envelope.content))
        return "250 taken"


@contextmanager
def mailbox(secure: ssl.SSLContext | None = None) -> Iterator[Mailbox]:
    """Open a mail server; with a TLS context it requires STARTTLS."""
    box = Mailbox()
    port = free_port()
    more: dict[str, Any] = {} if secure is None else {"tls_context": secure, "require_starttls": True}
    controller = Controller(box, hostname="127.0.0.1", port=port, ready_timeout=MAX_SECONDS, **more)
    controller.start()
    box.address = f"localhost:{port}"
    try:
        yield box
    finally:
        controller.stop()


def certificate(folder: Any) -> tuple[Any, Any]:
    """Create a self-signed certificate of localhost and its key, as files."""
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    chain, secret = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(pem))
    secret.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return chain, secret
