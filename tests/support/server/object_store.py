"""An in-memory S3 object store on a free port, from Python packages."""

from __future__ import annotations

import logging
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moto.server import ThreadedMotoServer
    from pyarrow.fs import S3FileSystem

BUCKET = "city-lake"
REGION = "us-east-1"
KEY = "AKIAOFTHETESTS"
CREDENTIALS = {  # dummy credentials, so that the user's own are not read
    "AWS_ACCESS_KEY_ID": KEY,
    "AWS_SECRET_ACCESS_KEY": "of nobody",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}


class ObjectStore:
    """A bucket of a store that can go offline, and that records requests."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self._log = logging.getLogger("werkzeug")
        self._handler = RequestRecorder(self.requests)
        self._log.addHandler(self._handler)
        self._log.setLevel(logging.INFO)
        self._log.propagate = False
        self._server = _started(0)
        self.host, self.port = self._server.get_host_and_port()

    def empty(self) -> None:
        """Delete all objects and records."""
        self._call("POST", "moto-api/reset")
        self._call("PUT", BUCKET)

    def put(self, path: str, data: bytes) -> None:
        """Write an object."""
        with self._files().open_output_stream(f"{BUCKET}/{path}") as out:
            out.write(data)

    def address(self, path: str, bucket: str = BUCKET) -> str:
        """Address of objects, for this machine only."""
        return f"s3://{bucket}/{path}?region={REGION}&scheme=http&endpoint_override={self.host}:{self.port}"

    def reads(self, name: str) -> int:
        """Count the reads of an object's content."""
        return sum("GET " in line and f"{name} " in line for line in self.requests)  # of ranges, which are coloured

    def require_credentials(self) -> None:
        """Require credentials from now on."""
        self._call("POST", "moto-api/reset-auth", b"0")

    def allow_anonymous(self) -> None:
        """Require no credentials."""
        self._call("POST", "moto-api/reset-auth", b"inf")

    def go_offline(self) -> None:
        """Go offline."""
        self._server.stop()
        server = self._server._server
        assert server is not None
        server.server_close()  # otherwise clients would wait for a response

    def go_online(self) -> None:
        """Go online again, with all objects."""
        self._server = _started(self.port)

    def close(self) -> None:
        """Shut down."""
        self.allow_anonymous()
        self.go_offline()
        self._log.removeHandler(self._handler)

    def _files(self) -> S3FileSystem:
        from pyarrow.fs import S3FileSystem  # imported late: processes that fork must not load it

        place = {"endpoint_override": f"{self.host}:{self.port}", "scheme": "http", "region": REGION}
        return S3FileSystem(access_key=KEY, secret_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"], **place)

    def _call(self, method: str, path: str, data: bytes = b"") -> None:
        kind = {"Content-Type": "application/octet-stream"}  # otherwise Python sends a form's content type
        request = urllib.request.Request(f"http://{self.host}:{self.port}/{path}", data, kind, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """Run a store."""
    store = ObjectStore()
    try:
        yield store
    finally:
        store.close()


class RequestRecorder(logging.Handler):
    def __init__(self, requests: list[str]) -> None:
        super().__init__()
        self._asked = requests

    def emit(self, record: logging.LogRecord) -> None:
        self._asked.append(record.getMessage().partition('"')[2])


def _started(port: int) -> ThreadedMotoServer:
    from moto.server import ThreadedMotoServer  # imported late: takes half a second

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    return server
