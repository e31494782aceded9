"""Servers for tests: an application with the session in process, and a real one with its worker."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import httpx2
import pytest
import uvicorn
from starlette.testclient import TestClient

from engine import Session
from engine.server.app import create_app
from engine.server.auth.keys import Keys, read_pepper
from engine.server.http.roles import Role
from engine.server.service import Service
from engine.server.settings import Settings
from engine.server.storage import ServerTables
from engine.server.worker.frames import Result
from engine.server.worker.link import NO_CALLBACKS, QueryCallbacks
from engine.server.worker.pacing import bucket_callback, queued_callback
from engine.server.worker.verbs import VerbHandler
from tests.support.ledger.blank_ledger import StorePool
from tests.support.timeouts import killed_after_timeout, until

PEPPER = b"p" * 32
PROGRAM = "from passersby.cli.app import app; app()"
ANSWERS_AT = re.compile(r"passersby answers at (\S+)")
PATIENCE = 60.0


@dataclass
class InProcessWorker:
    """A worker connection to a session in the same process."""

    clerk: VerbHandler
    is_ready: bool = True
    restarts: int = 0
    state: str = "ready"
    called: list[str] = field(default_factory=list)  # verbs

    async def ready(self) -> None:
        """Report ready."""

    async def call(self, verb: str, arguments: Mapping[str, Any], heard: QueryCallbacks = NO_CALLBACKS) -> Result:
        """Call a verb in a thread, as the worker does."""
        self.called.append(verb)
        loop = asyncio.get_running_loop()

        def done() -> Result:
            queued_callback.set(lambda: loop.call_soon_threadsafe(heard.on_queued) and None)
            bucket_callback.set(heard.on_bucket)
            return self.clerk.run(verb, arguments)

        return await asyncio.to_thread(done)


@dataclass
class TestServer:
    """An application, with a key for each role."""

    __test__: ClassVar[bool] = False  # for pytest: no class of tests
    house: Service
    client: TestClient
    keys: Mapping[Role, str]

    def send(self, method: str, path: str, role: Role | None = Role.ANALYST, **more: Any) -> httpx2.Response:
        """Send a request with the key of a role."""
        headers = {**more.pop("headers", {}), **({} if role is None else bearer(self.keys[role]))}
        return self.client.request(method, path, headers=headers, **more)

    def ask(self, sql: str, role: Role | None = Role.ANALYST, **more: Any) -> httpx2.Response:
        """Run a query."""
        body = {"sql": sql, **more.pop("terms", {})}
        return self.send("POST", "/v1/queries", role, json=body, **more)


@contextmanager
def inhabited(session: Session, **settings: Any) -> Iterator[TestServer]:
    """Serve a session in this process, to one client of each role, named after it."""
    with blank_books() as books:
        house = Service(_settings(**settings), books, Keys(books, PEPPER), InProcessWorker(VerbHandler(session)))
        made = {role: house.keys.make(str(role), role, by="test", days=1)["key"] for role in Role}
        with TestClient(create_app(house), raise_server_exceptions=False) as client:
            yield TestServer(house, client, made)


@contextmanager
def listening(inside: TestServer) -> Iterator[str]:
    """Serve an application on a local port; yields its URL."""
    app = create_app(inside.house)
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", 0, log_config=None, access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE)


class OffTheLoop:
    """A store that fails when the event loop's thread uses it."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def reading(self) -> Any:
        """Read, in a thread only."""
        return self._off_the_loop().reading()

    def writing(self) -> Any:
        """Write, in a thread only."""
        return self._off_the_loop().writing()

    def _off_the_loop(self) -> Any:
        with suppress(RuntimeError):  # raised if no loop is running
            asyncio.get_running_loop()
            pytest.fail("the event loop, and with it every request, waits for the books")
        return self._store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def _books() -> ServerTables:
    books = ServerTables.open_for(":memory:")
    books._store = OffTheLoop(books._store)  # type: ignore[assignment]
    return books


blank_books = StorePool(_books).borrow
_settings = cache(Settings)  # reading each from the environment takes as long as a request


def bearer(key: str) -> dict[str, str]:
    """Authorization header of a key."""
    return {"Authorization": f"Bearer {key}"}


@dataclass
class Running:
    """A server in its own processes."""

    process: subprocess.Popen[str]
    url: str
    ledger: Path
    address: str  # address of the ledger: file or database

    def key(self, name: str, role: Role = Role.ANALYST) -> str:
        """Create a key on the server's machine."""
        with closing(ServerTables.open_for(self.address)) as books:
            pepper = read_pepper(Path(f"{self.ledger}.secret"))
            made: str = Keys(books, pepper).make(name, role, by="test", days=1)["key"]
            return made

    def worker(self) -> int:
        """Find the worker process."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        found = children.read_text(encoding="ascii").split()
        return int(found[0])

    def kill(self) -> None:
        """Kill the server and its worker, as a power cut would."""
        worker = self.worker()
        for process in (self.process.pid, worker):
            os.kill(process, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Stop the server gracefully, and wait."""
        self.process.terminate()
        return self.process.wait(PATIENCE)


@contextmanager
def running(catalog: str, ledger: Path, address: str | None = None, **settings: object) -> Iterator[Running]:
    """Start a server, wait until it is ready, and stop it; `address` is the ledger's if it is in a database."""
    place = address or str(ledger)
    settings |= {"secret_file": f"{ledger}.secret"}
    given = {f"PASSERSBY_SERVER_{name.upper()}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-c", PROGRAM, "serve", catalog, "--port", "0", "--ledger", place]
    log = ledger.with_suffix(".log").open("a", encoding="utf-8")
    environment = {**os.environ, "PASSERSBY_DATA": str(ledger.parent), **given}  # marks of its own
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
    try:
        assert process.stdout is not None
        with killed_after_timeout(process):
            first_line = process.stdout.readline()
        found = ANSWERS_AT.match(first_line)
        assert found is not None, (
            f"it did not start: {first_line!r} {ledger.with_suffix('.log').read_text(encoding='utf-8')}"
        )
        yield Running(process, found[1], ledger, place)
    finally:
        log.close()
        if process.poll() is None:
            process.terminate()
            process.wait(PATIENCE)
