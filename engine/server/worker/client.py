"""Client of the worker process: starts it, calls its verbs over a pipe, and restarts it when it dies or hangs."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.problems import Refused
from engine.server.telemetry import log
from engine.server.worker.frames import Frame, next_frame, packed
from engine.server.worker.verbs import Reply

AGAIN_AFTER = 0.2  # pause before a worker is restarted; doubled after each failed start
MOST = 10.0
BEAT_SECONDS = 1.0  # interval of the worker's heartbeat
QUIET_BEATS = 5  # missed in a row; after that no new calls are sent
FIRST_BEATS = 120  # until a new worker's first heartbeat: it loads its libraries
CALL_SECONDS = 60.0  # time limit of calls that read no data
LONG_CALL_SECONDS = 900.0
LONG_CALLS = frozenset(
    {"audit", "figures", "ledger", "object_many", "plan", "rehearse", "release_figure", "report", "take", "verify"}
)
# A query that reads data for longer than both of these hangs; the engine itself stops a statement earlier.
READING_SECONDS, READING_BUCKETS = 900.0, 16


def _unheard(*_: object) -> None:
    """Ignore a callback."""


@dataclass(frozen=True)
class Heard:
    """Callbacks on a query's progress in the worker, run on the event loop."""

    queued: Callable[[], None] = _unheard  # parsed, priced, and in the queue
    bucket: Callable[[float], None] = _unheard  # begins to read data, with its bucket in seconds


UNHEARD = Heard()


class WorkerDied(Exception):
    """The worker ended, or did not answer, during a call. What it charged is durable."""


@dataclass
class _Waiting:
    """A call that waits for its reply."""

    answer: asyncio.Future[Reply]
    heard: Heard
    is_question: bool = False
    due: float = math.inf  # monotonic time after which a query that reads data counts as hung


@dataclass
class Link:
    """Link to the worker process; `opening` is the first frame sent to each.

    A worker sends a heartbeat every second. It is killed and replaced if none comes for `hung_seconds`, or if a query
    reads for much longer than its bucket. A slow query is no reason by itself.
    """

    opening: Mapping[str, Any]
    hung_seconds: float = 30.0
    restarts: int = 0
    making: tuple[str, float] | None = None  # stage and progress (0 to 1) of opening the data
    refused: Mapping[str, Any] | None = None  # wire shape of the refusal, if the last worker could not open the data
    pid: int | None = None
    _ready: asyncio.Event = field(default_factory=asyncio.Event)
    _waiting: dict[int, _Waiting] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _process: asyncio.subprocess.Process | None = None
    _kept: asyncio.Task[None] | None = None
    _beats_missed: int = 0
    _was_heard: bool = False  # since the last interval
    _stopping: bool = False

    def start(self) -> None:
        """Start the worker, and restart it from now on whenever it ends."""
        self._kept = asyncio.create_task(self._keep())

    @property
    def is_ready(self) -> bool:
        """Is the worker able to answer now? False while it starts, or without a heartbeat."""
        return self._ready.is_set() and not self._is_quiet

    @property
    def state(self) -> str:
        """State of the worker: ready, starting, without a heartbeat."""
        if self._ready.is_set():
            return "without a heartbeat" if self._is_quiet else "ready"
        return "starting"

    @property
    def _is_quiet(self) -> bool:
        return self._beats_missed >= QUIET_BEATS

    async def ready(self) -> None:
        """Wait until the worker has opened the data; raises Refused where it can't."""
        while not self.is_ready:
            if self.refused is not None:
                raise Refused(dict(self.refused))
            await asyncio.sleep(0.02)

    async def call(self, verb: str, arguments: Mapping[str, Any], heard: Heard = UNHEARD) -> Reply:
        """Call a verb; raises Refused, or WorkerDied if there is no worker, it died, or it took too long.

        A query has no time limit: it waits for a slot, and its bucket bounds how long it reads.
        """
        if not self.is_ready or self._process is None or self._process.stdin is None:
            raise WorkerDied
        number = next(self._numbers)
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        is_question = verb == "query"
        self._waiting[number] = _Waiting(answer, heard, is_question)
        limit = None if is_question else LONG_CALL_SECONDS if verb in LONG_CALLS else CALL_SECONDS
        try:
            self._process.stdin.write(packed(Frame({"id": number, "verb": verb, "arguments": dict(arguments)})))
            async with asyncio.timeout(limit):
                return await answer
        except TimeoutError:
            log.warning("the worker took too long", verb=verb)
            raise WorkerDied from None
        finally:
            self._waiting.pop(number, None)

    async def stop(self, patience: float) -> None:
        """Close the pipe, so that the worker ends after its running calls; kill it after `patience` seconds."""
        self._stopping = True
        self._ready.clear()
        process = self._process
        if process is not None and process.returncode is None:
            if process.stdin is not None:
                process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), patience)
            except TimeoutError:
                process.kill()
        if self._kept is not None:
            await self._kept

    async def _keep(self) -> None:
        pause = AGAIN_AFTER
        while not self._stopping:
            pause = AGAIN_AFTER if await self._one_life() else min(MOST, pause * 2)
            await self._pause(pause)

    async def _pause(self, seconds: float) -> None:
        if not self._stopping:
            self.restarts += 1
            await asyncio.sleep(seconds)

    async def _one_life(self) -> bool:
        """Run one worker process until it ends; return whether it was ever ready."""
        self._process, was_ready = None, False
        watch: asyncio.Task[None] | None = None
        try:
            process, stream = await self._started()
            watch = asyncio.create_task(self._watch(process))
            while (frame := await next_frame(stream)) is not None:
                was_ready |= "ready" in frame.said
                self._heard(frame)
        except Exception as failure:  # no process could be started, or invalid frames: restart
            log.error("the worker is lost", kind=type(failure).__name__)
        finally:
            self._ready.clear()
            if watch is not None:
                watch.cancel()
            await self._buried()
        return was_ready

    async def _started(self) -> tuple[asyncio.subprocess.Process, asyncio.StreamReader]:
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-P", "-m", "engine.server.worker.process")
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, start_new_session=True)
        assert process.stdin is not None and process.stdout is not None  # noqa: S101  both are pipes
        self._process, self.pid = process, process.pid
        process.stdin.write(packed(Frame(self.opening)))
        return process, process.stdout

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Count missed heartbeats, and kill a worker that hangs.

        Intervals are counted by sleeping, not by the clock, so that a suspended machine does not count as a hang.
        """
        self._beats_missed, self._was_heard, was_ever_heard = 0, False, False
        while process.returncode is None:
            await asyncio.sleep(BEAT_SECONDS)
            was_ever_heard |= self._was_heard
            self._beats_missed = 0 if self._was_heard else self._beats_missed + 1
            self._was_heard = False
            if self._is_quiet:
                self._let_go()
            most = self.hung_seconds / BEAT_SECONDS if was_ever_heard else FIRST_BEATS
            overdue = any(waiting.due < time.monotonic() for waiting in self._waiting.values())
            if self._beats_missed >= most or overdue:
                log.error("the worker hangs", beats_missed=self._beats_missed, reading=overdue)
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                return

    def _let_go(self) -> None:
        """Fail calls to a worker without a heartbeat. Queries keep waiting: the next worker runs them again."""
        for waiting in self._waiting.values():
            if not (waiting.is_question or waiting.answer.done()):
                waiting.answer.set_exception(WorkerDied())

    async def _buried(self) -> None:
        """Make sure that the old process is gone, and fail its calls."""
        if self._process is not None:
            if self._process.returncode is None and self._process.stdout and not self._process.stdout.at_eof():
                self._process.kill()
            await self._process.wait()
        for waiting in list(self._waiting.values()):
            if not waiting.answer.done():
                waiting.answer.set_exception(WorkerDied())

    def _heard(self, frame: Frame) -> None:
        said = frame.said
        self._was_heard = True
        if "beat" in said:
            return
        if "ready" in said:
            self.making, self.refused = None, None
            self._ready.set()
        elif "making" in said:
            self.making = (str(said["making"]), float(said["fraction"]))
        elif "refused" in said:
            self.refused = said["refused"]
        else:
            self._answered(said, frame.rows)

    def _answered(self, said: Mapping[str, Any], rows: bytes) -> None:
        waiting = self._waiting.get(int(said["id"]))
        if waiting is None or waiting.answer.done():
            return  # the caller has gone
        if "queued" in said:
            waiting.heard.queued()
        elif "bucket" in said:
            seconds = float(said["bucket"])
            waiting.due = time.monotonic() + max(READING_SECONDS, READING_BUCKETS * seconds)
            waiting.heard.bucket(seconds)
        elif "problem" in said:
            waiting.answer.set_exception(Refused(said["problem"]))
        else:
            waiting.answer.set_result(Reply(said["told"], rows))
