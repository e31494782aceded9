"""Readiness: can queries be answered now? Periodic probe of the worker's heartbeat, a ledger commit, and free space.

The public answer names only the failing part; the cause is in the log and among the health checks.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from dataclasses import dataclass, field
from enum import StrEnum

from engine.problems import Refused
from engine.server.service import House
from engine.server.telemetry import Throttle, log
from engine.server.worker.client import WorkerDied

LOOK_SECONDS = 5.0  # interval of probes
STARTING_SECONDS = 0.05  # interval of probes while the worker is not ready
PATIENCE = 10.0  # time limit of a commit
STALE = 3 * (LOOK_SECONDS + PATIENCE)  # age in seconds at which a probe is ignored
MEGABYTE = 1_000_000


class Part(StrEnum):
    """Parts that must work; the values are the public messages."""

    WORKER = "The worker is starting, or does not answer."
    LEDGER = "The ledger can't be written."
    SPACE = "Too little space is free beside the ledger."


@dataclass(frozen=True)
class Look:
    """Result of a probe: a cause for each part that fails."""

    causes: dict[Part, str]
    free_bytes: int | None = None  # None for a ledger in a database or in memory
    at: float = field(default_factory=time.monotonic)


NOT_YET = Look({Part.WORKER: "not looked at yet"})


@dataclass
class Readiness:
    """Readiness of one server."""

    house: House
    last: Look = NOT_YET
    _throttle: Throttle = field(default_factory=Throttle)

    async def run(self) -> None:
        """Probe periodically, until cancelled."""
        while True:
            try:
                await self.look()
            except Exception as failure:  # keep probing
                log.error("readiness not looked at", kind=type(failure).__name__)
            there = Part.WORKER not in self.last.causes
            await asyncio.sleep(LOOK_SECONDS if there else STARTING_SECONDS)

    async def look(self) -> Look:
        """Probe now, log each cause at most once a minute, and keep the result."""
        free, causes = self._free_bytes(), await self._of_worker()
        least = self.house.settings.least_free_mb
        if free is not None and free < least * MEGABYTE:
            causes[Part.SPACE] = f"less than {least:g} MB free"
        before, self.last = self.last, Look(causes, free)
        for part, cause in causes.items():
            if self._throttle.is_due((part, cause)):
                log.error("not ready", part=part.name.lower(), cause=cause)
        if before.causes and not causes:
            log.info("ready to answer")
        return self.last

    def why_not(self) -> Part | None:
        """First part that failed in the last probe; None if the server is ready."""
        if not self.house.line.is_ready or time.monotonic() - self.last.at > STALE:
            return Part.WORKER
        return next(iter(self.last.causes), None)

    async def _of_worker(self) -> dict[Part, str]:
        """Probe a commit to the ledger through the worker, with a time limit."""
        if not self.house.line.is_ready:
            return {Part.WORKER: self.house.line.state}
        try:
            async with asyncio.timeout(PATIENCE):
                cause = (await self.house.line.call("probe", {})).told
        except TimeoutError:
            return {Part.LEDGER: f"no commit within {PATIENCE:.0f} s"}
        except (WorkerDied, Refused) as failure:
            return {Part.WORKER: type(failure).__name__}
        return {} if cause is None else {Part.LEDGER: str(cause)}

    def _free_bytes(self) -> int | None:
        folder = self.house.books.folder
        return None if folder is None else shutil.disk_usage(folder).free
