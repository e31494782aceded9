"""Health checks of the server, and the endpoints of checks, alerts and stored releases.

The checks read the server's tables and the ledger, never private data.

Readiness: can queries be answered now? A periodic probe of the worker's heartbeat, a ledger commit, and free space. The
public answer names only the failing part; the cause is in the log and among the health checks.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool

from engine.errors import Refused
from engine.server.http.responses import Alert, HealthCheck, StoredReleases
from engine.server.routes.access import Caller
from engine.server.routes.alerts import Alerts, is_open
from engine.server.routes.jobs import UNFINISHED
from engine.server.service import Service
from engine.server.settings import is_loopback
from engine.server.storage import later_text, now_text
from engine.server.telemetry import Throttle, log
from engine.server.worker.frames import Json
from engine.server.worker.link import STARTING, WorkerDied

PROBE_SECONDS = 5.0  # interval of probes
STARTING_PROBE_SECONDS = 0.05  # interval of probes while the worker is not ready
COMMIT_TIMEOUT_SECONDS = 10.0  # time limit of a commit
STALE_SECONDS = 3 * (PROBE_SECONDS + COMMIT_TIMEOUT_SECONDS)  # age in seconds at which a probe is ignored
MEGABYTE = 1_000_000


class Part(StrEnum):
    """Parts that must work; the values are the public messages."""

    WORKER = "The worker is starting, or does not answer."
    LEDGER = "The ledger can't be written."
    SPACE = "Too little space is free beside the ledger."


@dataclass(frozen=True)
class Probe:
    """Result of a probe: a cause for each part that fails."""

    causes: dict[Part, str]
    free_bytes: int | None = None  # None for a ledger in a database or in memory
    at: float = field(default_factory=time.monotonic)


NOT_PROBED = Probe({Part.WORKER: "not looked at yet"})


@dataclass
class Readiness:
    """Readiness of one server."""

    service: Service
    last_probe: Probe = NOT_PROBED
    _throttle: Throttle = field(default_factory=Throttle)

    async def run(self) -> None:
        """Probe periodically, until cancelled."""
        while True:
            try:
                await self.probe()
            except Exception as failure:  # keep probing
                log.error("readiness not looked at", kind=type(failure).__name__)
            is_worker_ready = Part.WORKER not in self.last_probe.causes
            await asyncio.sleep(PROBE_SECONDS if is_worker_ready else STARTING_PROBE_SECONDS)

    async def probe(self) -> Probe:
        """Probe now, log each cause at most once a minute, and keep the result."""
        free, causes = self._free_bytes(), await self._probe_worker()
        least = self.service.settings.least_free_mb
        if free is not None and free < least * MEGABYTE:
            causes[Part.SPACE] = f"less than {least:g} MB free"
        before, self.last_probe = self.last_probe, Probe(causes, free)
        for part, cause in causes.items():
            if self._throttle.is_due((part, cause)):
                log_it = log.info if cause == STARTING else log.error
                log_it("not ready", part=part.name.lower(), cause=cause)
        if before.causes and not causes:
            log.info("ready to answer")
        return self.last_probe

    def failing_part(self) -> Part | None:
        """First part that failed in the last probe; None if the server is ready."""
        if not self.service.worker.is_ready or time.monotonic() - self.last_probe.at > STALE_SECONDS:
            return Part.WORKER
        return next(iter(self.last_probe.causes), None)

    async def _probe_worker(self) -> dict[Part, str]:
        """Probe a commit to the ledger through the worker, with a time limit."""
        if not self.service.worker.is_ready:
            return {Part.WORKER: self.service.worker.state}
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_SECONDS):
                cause = await self.service.worker.call("probe", {})
        except TimeoutError:
            return {Part.LEDGER: f"no commit within {COMMIT_TIMEOUT_SECONDS:.0f} s"}
        except (WorkerDied, Refused) as failure:
            return {Part.WORKER: type(failure).__name__}
        return {} if cause is None else {Part.LEDGER: str(cause)}

    def _free_bytes(self) -> int | None:
        folder = self.service.tables.folder
        return None if folder is None else shutil.disk_usage(folder).free


EXPIRY_WARNING_DAYS = 7.0  # before a key expires
LONG_JOB_HOURS = 1.0  # age of an unfinished job
RETRY_SECONDS = 5.0  # until a failed verification is retried


class State(StrEnum):
    """Result of a check."""

    PASSED = "passed"
    WARNING = "look"  # needs attention
    FAILED = "failed"


@dataclass
class Checks:
    """Health checks of a server: ledger, worker, disk, keys, transport and scheduled work."""

    service: Service
    alerts: Alerts
    readiness: Readiness = field(init=False)
    verified: dict[str, Any] | None = field(default=None, init=False)  # result of the last verification of the ledger

    def __post_init__(self) -> None:
        """Create the readiness check of the same server."""
        self.readiness = Readiness(self.service)

    async def run(self) -> None:
        """Verify the ledger periodically, until cancelled."""
        while True:
            try:
                await self.service.worker.ready()
                await self.verify()
                await asyncio.sleep(self.service.settings.verify_hours * 3600)
            except Exception as failure:  # retry
                log.warning("checks wait", kind=type(failure).__name__)
                await asyncio.sleep(RETRY_SECONDS)

    async def verify(self) -> None:
        """Verify the ledger, and keep the result."""
        verification = await self.service.call("verify")
        self.verified = {"at": now_text(), "sequence": verification["sequence"]}
        self.verified |= {"found": verification["found"], "clock": verification["clock"]}
        if verification["found"]:
            log.error("the ledger is not as it was written", findings=len(verification["found"]))

    async def results(self) -> list[dict[str, str]]:
        """Run every check, and return the results."""
        probe = await self.readiness.probe()
        found = [self._transport(), self._worker(), *_probe_checks(probe), self._ledger(), self._clock()]
        found += await run_in_threadpool(lambda: [self._keys(), self._jobs(), self._alerts()])
        try:
            found += [each async for each in self._worker_checks()]
        except Refused:
            found.append(_row("accounts", State.FAILED, "the worker does not answer"))
        return found

    def _transport(self) -> dict[str, str]:
        settings = self.service.settings
        if settings.tls_cert is not None:
            return _row("transport", State.PASSED, "TLS")
        if settings.behind_tls_proxy:
            return _row("transport", State.PASSED, "behind a proxy that speaks TLS")
        state = State.PASSED if is_loopback(settings.host) else State.FAILED
        return _row("transport", state, f"without TLS, at {settings.host} alone")

    def _worker(self) -> dict[str, str]:
        again = self.service.worker.restarts
        if not self.service.worker.is_ready:
            return _row("worker", State.FAILED, self.service.worker.state)
        return _row("worker", State.WARNING if again else State.PASSED, f"ready; started again {again} times")

    def _ledger(self) -> dict[str, str]:
        if self.verified is None:
            return _row("ledger", State.WARNING, "not verified yet")
        found, at = self.verified["found"], self.verified["at"][:16]
        if found:
            return _row("ledger", State.FAILED, f"not as it was written: {found[0]}")
        return _row("ledger", State.PASSED, f"{self.verified['sequence']} rows are as they were written, at {at} UTC")

    def _clock(self) -> dict[str, str]:
        steps = [] if self.verified is None else self.verified["clock"]
        if not steps:
            return _row("clock", State.PASSED, "it ran forwards, as far as the ledger's rows were verified")
        return _row("clock", State.WARNING, f"{steps[-1]} Steps back in all: {len(steps)}")

    def _keys(self) -> dict[str, str]:
        soon = later_text(days=EXPIRY_WARNING_DAYS)
        ending = sorted(
            row["name"] for row in self.service.keys.list_keys() if row["lives"] and row["expires_at"] < soon
        )
        if not ending:
            return _row("keys", State.PASSED, f"none ends within {EXPIRY_WARNING_DAYS:.0f} days")
        return _row("keys", State.WARNING, f"end within {EXPIRY_WARNING_DAYS:.0f} days: {', '.join(ending)}")

    def _jobs(self) -> dict[str, str]:
        before = later_text(hours=-LONG_JOB_HOURS)
        long = [row for row in self.service.tables.jobs_in_states(*UNFINISHED) if row["made_at"] < before]
        return _row("jobs", State.WARNING if long else State.PASSED, f"unfinished for more than an hour: {len(long)}")

    def _alerts(self) -> dict[str, str]:
        if not self.alerts.channels:
            return _row("alerts", State.WARNING, "nobody is told: there is neither alert_webhook nor alert_mail_to")
        if self.alerts.last_failure is not None:
            return _row("alerts", State.FAILED, f"they wait: {self.alerts.last_failure}")
        rows = self.service.tables.all_alerts()
        waiting = [row for row in rows if row["sent_at"] is None]
        lost = [row for row in waiting if not is_open(row)]
        state = State.FAILED if lost else State.WARNING if any(row["problem"] for row in waiting) else State.PASSED
        return _row("alerts", state, f"{len(rows) - len(waiting)} sent, {len(waiting)} not yet, {len(lost)} given up")

    async def _worker_checks(self) -> AsyncIterator[dict[str, str]]:
        frozen = await self.service.call("frozen")
        yield _row("accounts", State.WARNING if frozen else State.PASSED, f"frozen: {len(frozen)}")
        today = datetime.now(UTC).date().isoformat()
        for each in await self.service.call("calibrations_due"):
            name, due = f"calibration of {each['dataset']}", each["due_on"]
            if due is None and each["declares"]:
                yield _row(name, State.WARNING, "none: nobody measured the declared clip bounds")
            elif due is None:
                yield _row(name, State.PASSED, "none: each question measures clip bounds")
            else:
                yield _row(name, State.WARNING if due <= today else State.PASSED, f"due on {due}")
        rollups = await self.service.call("rollups")
        if rollups["declared"]:
            yield _rollups(**rollups)


def _probe_checks(probe: Probe) -> list[dict[str, str]]:
    """Health checks of a readiness probe: ledger writes, and free disk space."""
    writes, space = probe.causes.get(Part.LEDGER), probe.causes.get(Part.SPACE)
    if Part.WORKER in probe.causes:
        writes = "the worker does not answer"
    written = _row("ledger writes", State.FAILED if writes else State.PASSED, writes or "a commit went through")
    if probe.free_bytes is None:
        return [written]
    free = f"{probe.free_bytes // MEGABYTE:,} MB free beside the ledger"
    return [written, _row("free space", State.FAILED if space else State.PASSED, free)]


def _rollups(declared: int, read: int) -> dict[str, str]:
    finding = f"{read} of {declared} declared are read"
    if read == declared:
        return _row("rollups", State.PASSED, finding)
    cure = "catalog optimize makes them of the data as they are, for a server that is started after it"
    return _row("rollups", State.WARNING, f"{finding}; {cure}")


def _row(check: str, state: State, finding: str) -> dict[str, str]:
    return {"check": check, "state": str(state), "said": finding}


async def _checks_of(request: Request) -> Checks:
    """Return the checks of the server that a request came to."""
    return request.app.state.checks


ServerChecks = Annotated[Checks, Depends(_checks_of)]
router = APIRouter(prefix="/v1/admin")


@router.get("/health", response_model=list[HealthCheck], operation_id="health")
async def health(asker: Caller, checks: ServerChecks) -> Json:
    """Show the results of the server's own checks."""
    del asker
    return await checks.results()


@router.get("/alerts", response_model=list[Alert], operation_id="alerts")
async def alerts(asker: Caller) -> Json:
    """List budget alerts and whether they were sent, newest first."""
    names = ("channel", "made_at", "sent_at", "tries", "problem")
    rows = await run_in_threadpool(asker.service.tables.all_alerts)
    return [{**json.loads(row["said"]), **{name: row[name] for name in names}} for row in rows]


@router.get("/releases", response_model=list[StoredReleases], operation_id="releases")
async def releases(asker: Caller) -> Json:
    """List the stored releases of each dataset and whether they are still replayed; no numbers."""
    return await asker.call("stored_releases")
