"""Readiness: can queries be answered now? Periodic probe of the worker's heartbeat, a ledger commit, and free space.

The public answer names only the failing part; the cause is in the log and among the health checks.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from dataclasses import dataclass, field
from enum import StrEnum

from engine.errors import Refused
from engine.server.service import Service
from engine.server.telemetry import Throttle, log
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
