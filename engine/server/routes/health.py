"""Health checks of the server, and the endpoints of checks, alerts and stored releases.

The checks read the server's tables and the ledger, never private data.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from engine.problems import Refused
from engine.server.http.problems import Problem
from engine.server.http.responses import AlertTold, Checked, StoredTold
from engine.server.routes.access import Asker
from engine.server.routes.alerts import Alerts, is_open
from engine.server.routes.jobs import UNFINISHED
from engine.server.routes.readiness import MEGABYTE, Look, Part, Readiness
from engine.server.service import House
from engine.server.settings import is_loopback
from engine.server.storage import later_text, now_text
from engine.server.telemetry import log
from engine.server.worker.frames import Json

SOON_DAYS = 7.0  # before a key expires
LONG_HOURS = 1.0  # age of an unfinished job
AGAIN_SECONDS = 5.0  # until a failed verification is retried


class State(StrEnum):
    """Result of a check."""

    PASSED = "passed"
    LOOK = "look"  # needs attention
    FAILED = "failed"


@dataclass
class Checks:
    """Health checks of one server."""

    house: House
    alerts: Alerts
    readiness: Readiness = field(init=False)
    verified: dict[str, Any] | None = field(default=None, init=False)  # result of the last verification of the ledger

    def __post_init__(self) -> None:
        """Create the readiness check of the same server."""
        self.readiness = Readiness(self.house)

    async def run(self) -> None:
        """Verify the ledger periodically, until cancelled."""
        while True:
            try:
                await self.house.line.ready()
                await self.verify()
                await asyncio.sleep(self.house.settings.verify_hours * 3600)
            except Exception as failure:  # retry
                log.warning("checks wait", kind=type(failure).__name__)
                await asyncio.sleep(AGAIN_SECONDS)

    async def verify(self) -> None:
        """Verify the ledger, and keep the result."""
        told = await self.house.do("verify")
        self.verified = {"at": now_text(), "sequence": told["sequence"]}
        self.verified |= {"found": told["found"], "clock": told["clock"]}
        if told["found"]:
            log.error("the ledger is not as it was written", findings=len(told["found"]))

    async def told(self) -> list[dict[str, str]]:
        """Run every check, and return the results."""
        look = await self.readiness.look()
        found = [self._transport(), self._worker(), *_of_look(look), self._ledger(), self._clock()]
        found += await run_in_threadpool(lambda: [self._keys(), self._jobs(), self._alerts()])
        try:
            found += [each async for each in self._of_worker()]
        except (Refused, Problem):
            found.append(_told("accounts", State.FAILED, "the worker does not answer"))
        return found

    def _transport(self) -> dict[str, str]:
        settings = self.house.settings
        if settings.tls_cert is not None:
            return _told("transport", State.PASSED, "TLS")
        if settings.behind_tls_proxy:
            return _told("transport", State.PASSED, "behind a proxy that speaks TLS")
        state = State.PASSED if is_loopback(settings.host) else State.FAILED
        return _told("transport", state, f"without TLS, at {settings.host} alone")

    def _worker(self) -> dict[str, str]:
        again = self.house.line.restarts
        if not self.house.line.is_ready:
            return _told("worker", State.FAILED, self.house.line.state)
        return _told("worker", State.LOOK if again else State.PASSED, f"ready; started again {again} times")

    def _ledger(self) -> dict[str, str]:
        if self.verified is None:
            return _told("ledger", State.LOOK, "not verified yet")
        found, at = self.verified["found"], self.verified["at"][:16]
        if found:
            return _told("ledger", State.FAILED, f"not as it was written: {found[0]}")
        return _told("ledger", State.PASSED, f"{self.verified['sequence']} rows are as they were written, at {at} UTC")

    def _clock(self) -> dict[str, str]:
        steps = [] if self.verified is None else self.verified["clock"]
        if not steps:
            return _told("clock", State.PASSED, "it ran forwards, as far as the ledger's rows were verified")
        return _told("clock", State.LOOK, f"{steps[-1]} Steps back in all: {len(steps)}")

    def _keys(self) -> dict[str, str]:
        soon = later_text(days=SOON_DAYS)
        ending = sorted(row["name"] for row in self.house.keys.listed() if row["lives"] and row["expires_at"] < soon)
        if not ending:
            return _told("keys", State.PASSED, f"none ends within {SOON_DAYS:.0f} days")
        return _told("keys", State.LOOK, f"end within {SOON_DAYS:.0f} days: {', '.join(ending)}")

    def _jobs(self) -> dict[str, str]:
        before = later_text(hours=-LONG_HOURS)
        long = [row for row in self.house.books.jobs_in(*UNFINISHED) if row["made_at"] < before]
        return _told("jobs", State.LOOK if long else State.PASSED, f"unfinished for more than an hour: {len(long)}")

    def _alerts(self) -> dict[str, str]:
        if not self.alerts.channels:
            return _told("alerts", State.LOOK, "nobody is told: there is neither alert_webhook nor alert_mail_to")
        if self.alerts.trouble is not None:
            return _told("alerts", State.FAILED, f"they wait: {self.alerts.trouble}")
        rows = self.house.books.all_alerts()
        waiting = [row for row in rows if row["sent_at"] is None]
        lost = [row for row in waiting if not is_open(row)]
        state = State.FAILED if lost else State.LOOK if any(row["problem"] for row in waiting) else State.PASSED
        return _told("alerts", state, f"{len(rows) - len(waiting)} sent, {len(waiting)} not yet, {len(lost)} given up")

    async def _of_worker(self) -> AsyncIterator[dict[str, str]]:
        frozen = await self.house.do("frozen")
        yield _told("accounts", State.LOOK if frozen else State.PASSED, f"frozen: {len(frozen)}")
        today = datetime.now(UTC).date().isoformat()
        for each in await self.house.do("calibrations_due"):
            name, due = f"calibration of {each['dataset']}", each["due_on"]
            if due is None:
                yield _told(name, State.LOOK, "none: bounds are those that the catalog declares")
            else:
                yield _told(name, State.LOOK if due <= today else State.PASSED, f"due on {due}")
        rollups = await self.house.do("rollups")
        if rollups["declared"]:
            yield _rollups(**rollups)


def _of_look(look: Look) -> list[dict[str, str]]:
    """Health checks of a readiness probe: ledger writes, and free disk space."""
    writes, space = look.causes.get(Part.LEDGER), look.causes.get(Part.SPACE)
    if Part.WORKER in look.causes:
        writes = "the worker does not answer"
    written = _told("ledger writes", State.FAILED if writes else State.PASSED, writes or "a commit went through")
    if look.free_bytes is None:
        return [written]
    free = f"{look.free_bytes // MEGABYTE:,} MB free beside the ledger"
    return [written, _told("free space", State.FAILED if space else State.PASSED, free)]


def _rollups(declared: int, read: int) -> dict[str, str]:
    said = f"{read} of {declared} declared are read"
    if read == declared:
        return _told("rollups", State.PASSED, said)
    cure = "catalog optimize makes them of the data as they are, for a server that is started after it"
    return _told("rollups", State.LOOK, f"{said}; {cure}")


def _told(check: str, state: State, said: str) -> dict[str, str]:
    return {"check": check, "state": str(state), "said": said}


router = APIRouter(prefix="/v1/admin")


@router.get("/health", response_model=list[Checked], operation_id="health")
async def health(asker: Asker, request: Request) -> Json:
    """Show the results of the server's own checks."""
    del asker
    checks: Checks = request.app.state.checks
    return await checks.told()


@router.get("/alerts", response_model=list[AlertTold], operation_id="alerts")
async def alerts(asker: Asker) -> Json:
    """List budget alerts and whether they were sent, newest first."""
    names = ("channel", "made_at", "sent_at", "tries", "problem")
    rows = await run_in_threadpool(asker.house.books.all_alerts)
    return [{**json.loads(row["said"]), **{name: row[name] for name in names}} for row in rows]


@router.get("/releases", response_model=list[StoredTold], operation_id="releases")
async def releases(asker: Asker) -> Json:
    """List the stored releases of each dataset and whether they are still replayed; no numbers."""
    return await asker.do("stored_releases")
