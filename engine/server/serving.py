"""Settings -> a server that runs: its books and its worker, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from budgets import ParamError
from engine.accounts.key_acts import KeyAct, note_key
from engine.accounts.open import ledger_place, opened
from engine.accounts.problems import Refused, problem
from engine.server.app import create_app
from engine.server.auth.keys import Keys, read_pepper
from engine.server.books import MEMORY, Books
from engine.server.http.protocol import BoundedProtocol
from engine.server.http.roles import Role
from engine.server.listening import check_listening, in_url
from engine.server.logs import begin_logs, log
from engine.server.service import House
from engine.server.settings import Settings
from engine.server.starting import check_starting
from engine.server.worker.client import Link
from engine.server.worker.hardening import forbid_dumps, silence_tracebacks

DEMO_DAYS = 1.0
DEMO_CLIENT = "demo"

_Made = tuple[tuple[str, dict[str, Any]], ...]  # role and key


@dataclass(frozen=True)
class Running:
    """What is told when questions can be asked."""

    url: str
    keys: tuple[tuple[str, str], ...] = ()  # of a demonstration: role and key


def run_server(settings: Settings, told: Callable[[Running], None], *, demo: bool = False) -> None:
    """Serve until a signal; raises Refused where the catalog, its data or the ledger can't be opened."""
    forbid_dumps()
    silence_tracebacks()
    begin_logs()
    check_listening(settings)
    check_starting(settings)
    place = ledger_place(settings.catalog, settings.ledger)
    with closing(Books.beside(place)) as books:
        house = House(settings, books, Keys(books, read_pepper(secret_file(settings, place))), _link(settings, place))
        _Serving(house, told, _demo_keys(house) if demo else ()).run()


class _Serving:
    """One run of uvicorn."""

    def __init__(self, house: House, told: Callable[[Running], None], keys: _Made) -> None:
        self._house, self._told, self._keys = house, told, keys
        self._refused: Refused | None = None
        self._server = uvicorn.Server(_configuration(house.settings, create_app(house, self._life)))

    def run(self) -> None:
        for ending in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises it again when it has stopped: what follows it
            signal.signal(ending, lambda *_: None)  # here, closing and cleaning up, is not to be cut off
        try:
            self._server.run()
        except SystemExit:  # where it did not start
            if self._refused is None:
                raise
        if self._refused is not None:
            raise self._refused

    @asynccontextmanager
    async def _life(self, house: House) -> AsyncIterator[None]:
        link = house.line
        assert isinstance(link, Link)  # noqa: S101  made above
        link.start()
        opening = asyncio.create_task(self._tell(link))
        try:
            async with _flight_door(house):
                yield
        except Refused as refused:  # uvicorn stops what did not start, and would say no more
            self._refused = refused
            raise
        finally:
            opening.cancel()
            log.info("stopping")
            await link.stop(house.settings.stop_seconds)

    async def _tell(self, link: Link) -> None:
        try:
            await link.ready()
        except Refused as refused:
            self._refused, self._server.should_exit = refused, True
            return
        for _, key in self._keys:
            await self._house.note_key(KeyAct.MADE, key, DEMO_CLIENT)
        while not self._server.started:
            await asyncio.sleep(0.01)
        settings = self._house.settings
        port = self._server.servers[0].sockets[0].getsockname()[1]
        scheme = "http" if settings.tls_cert is None else "https"
        log.info("ready", host=settings.host, port=port)
        keys = tuple((role, key["key"]) for role, key in self._keys)
        self._told(Running(f"{scheme}://{in_url(settings.host)}:{port}", keys))


@asynccontextmanager
async def _flight_door(house: House) -> AsyncIterator[None]:
    """Open the door for BI tools where a port is set; raises Refused where somebody took the port meanwhile."""
    if house.settings.flight_port is None:
        yield
        return
    from engine.server.flight.door import flight_door  # late: most servers have none

    async with flight_door(house) as port:
        log.info("flight", host=house.settings.host, port=port)
        yield


def _configuration(settings: Settings, app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        settings.host,
        settings.port,
        http=BoundedProtocol,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.behind_tls_proxy,
        forwarded_allow_ips=settings.proxy_addresses,
        timeout_graceful_shutdown=round(settings.stop_seconds),
        timeout_keep_alive=30,
        limit_concurrency=None,
    )


def _link(settings: Settings, place: str) -> Link:
    names = ("least_seconds", "rows_per_second", "slots", "queue", "queue_per_client", "unit_rows")
    pace = {name: getattr(settings, name) for name in names}
    standing = None if settings.standing is None else str(settings.standing)
    opening = {"catalog": settings.catalog, "ledger": place, "pace": pace, "standing": standing}
    return Link(opening, settings.hung_seconds)


def _demo_keys(house: House) -> _Made:
    return tuple((str(role), house.keys.make(DEMO_CLIENT, role, by=DEMO_CLIENT, days=DEMO_DAYS)) for role in Role)


def make_first_admin(settings: Settings, name: str, *, again: bool = False) -> dict[str, Any]:
    """Make the key of the first admin, on the server's machine; raises Refused where there is one, and not `again`."""
    place = ledger_place(settings.catalog, settings.ledger)
    if place == MEMORY:
        raise Refused(problem(ParamError("A ledger in memory keeps no keys.", "--ledger FILE"), None))
    with opened(settings.catalog, place) as kept, closing(Books.beside(place)) as books:
        keys = Keys(books, read_pepper(secret_file(settings, place)))
        made = keys.bootstrap(name, days=settings.key_days, again=again)
        noted = *((KeyAct.REVOKED, old) for old in made["taken_back"]), (KeyAct.MADE, name)
        for act, whose in noted:
            note_key(kept.ledger, act=act, name=whose, role=made["role"], by=made["made_by"])
        return made


def secret_file(settings: Settings, place: str) -> Path:
    """Find the file of the server's secret: where the settings say, else beside a ledger file; raises Refused."""
    if settings.secret_file is not None:
        return settings.secret_file
    if "://" in place:
        why = "A ledger in a database has no place beside it for the server's secret."
        raise Refused(problem(ParamError(why, "secret_file, the same file for every server of this ledger"), None))
    return Path(f"{place}.secret")
