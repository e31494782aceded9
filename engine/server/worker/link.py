"""Client of the worker process: starts it, calls its verbs over a pipe, and restarts it when it dies or hangs."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.errors import Refused
from engine.server.telemetry import log
from engine.server.worker.frames import Frame, Result, next_frame, pack

RESTART_SECONDS = 0.2  # pause before a worker is restarted; doubled after each failed start
MAX_RESTART_SECONDS = 10.0
BEAT_SECONDS = 1.0  # interval of the worker's heartbeat
QUIET_AFTER_MISSED_BEATS = 5  # missed in a row; after that no new calls are sent
STARTUP_BEATS = 120  # until a new worker's first heartbeat: it loads its libraries
CALL_SECONDS = 60.0  # time limit of calls that read no data
LONG_CALL_SECONDS = 900.0
LONG_CALLS = frozenset(
    {"audit", "figures", "ledger", "object_many", "rehearse", "release_figure", "report", "take", "verify"}
)
STARTING = "starting"  # state of a worker that opens its data
# A query that reads data for longer than both of these hangs; the engine itself stops a statement earlier.
READING_SECONDS, READING_BUCKETS = 900.0, 16


def _ignore(*_: object) -> None:
    """Ignore a callback."""


@dataclass(frozen=True)
class QueryCallbacks:
    """Callbacks on a query's progress in the worker, run on the event loop."""

    on_queued: Callable[[], None] = _ignore  # parsed, priced, and in the queue
    on_bucket: Callable[[float], None] = _ignore  # begins to read data, with its bucket in seconds


NO_CALLBACKS = QueryCallbacks()


class WorkerDied(Exception):
    """The worker ended, or did not answer, during a call. What it charged is durable."""


@dataclass
class _PendingCall:
    """A call that waits for its reply."""

    reply: asyncio.Future[Result]
    callbacks: QueryCallbacks
    is_question: bool = False
    deadline: float = math.inf  # monotonic time after which a query that reads data counts as hung


@dataclass
class PipeLink:
    """Link to the worker process; `opening` is the first frame sent to each.

    A worker sends a heartbeat every second. It is killed and replaced if none comes for `hung_seconds`, or if a query
    reads for much longer than its bucket. A slow query is no reason by itself.
    """

    opening: Mapping[str, Any]
    hung_seconds: float = 30.0
    restarts: int = 0
    opening_progress: tuple[str, float] | None = None  # stage and progress (0 to 1) of opening the data
    refused: Mapping[str, Any] | None = None  # wire shape of the refusal, if the last worker could not open the data
    pid: int | None = None
    _ready: asyncio.Event = field(default_factory=asyncio.Event)
    _pending: dict[int, _PendingCall] = field(default_factory=dict)
    _call_ids: itertools.count[int] = field(default_factory=itertools.count)
    _process: asyncio.subprocess.Process | None = None
    _supervisor: asyncio.Task[None] | None = None
    _missed_beats: int = 0
    _beat_seen: bool = False  # since the last interval
    _stopping: bool = False

    def start(self) -> None:
        """Start the worker, and restart it from now on whenever it ends."""
        self._supervisor = asyncio.create_task(self._supervise())

    @property
    def is_ready(self) -> bool:
        """Is the worker able to answer now? False while it starts, or without a heartbeat."""
        return self._ready.is_set() and not self._is_quiet

    @property
    def state(self) -> str:
        """State of the worker: ready, starting, without a heartbeat."""
        if self._ready.is_set():
            return "without a heartbeat" if self._is_quiet else "ready"
        return STARTING

    @property
    def _is_quiet(self) -> bool:
        return self._missed_beats >= QUIET_AFTER_MISSED_BEATS

    async def ready(self) -> None:
        """Wait until the worker has opened the data; raises Refused where it can't."""
        while not self.is_ready:
            if self.refused is not None:
                raise Refused(dict(self.refused))
            await asyncio.sleep(0.02)

    async def call(self, verb: str, arguments: Mapping[str, Any], callbacks: QueryCallbacks = NO_CALLBACKS) -> Result:
        """Call a verb; raises Refused, or WorkerDied if there is no worker, it died, or it took too long.

        A query has no time limit: it waits for a slot, and its bucket bounds how long it reads.
        """
        if not self.is_ready or self._process is None or self._process.stdin is None:
            raise WorkerDied
        call_id = next(self._call_ids)
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        is_question = verb == "query"
        self._pending[call_id] = _PendingCall(answer, callbacks, is_question)
        limit = None if is_question else LONG_CALL_SECONDS if verb in LONG_CALLS else CALL_SECONDS
        try:
            self._process.stdin.write(pack(Frame({"id": call_id, "verb": verb, "arguments": dict(arguments)})))
            async with asyncio.timeout(limit):
                return await answer
        except TimeoutError:
            log.warning("the worker took too long", verb=verb)
            raise WorkerDied from None
        finally:
            self._pending.pop(call_id, None)

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
        if self._supervisor is not None:
            await self._supervisor

    async def _supervise(self) -> None:
        pause = RESTART_SECONDS
        while not self._stopping:
            pause = RESTART_SECONDS if await self._run_worker() else min(MAX_RESTART_SECONDS, pause * 2)
            if not self._stopping:
                self.restarts += 1
                await asyncio.sleep(pause)

    async def _run_worker(self) -> bool:
        """Run one worker process until it ends; return whether it was ever ready."""
        self._process, was_ready = None, False
        watch: asyncio.Task[None] | None = None
        try:
            process, stream = await self._start_process()
            watch = asyncio.create_task(self._watch(process))
            while (frame := await next_frame(stream)) is not None:
                was_ready |= "ready" in frame.message
                self._receive(frame)
        except Exception as failure:  # no process could be started, or invalid frames: restart
            log.error("the worker is lost", kind=type(failure).__name__)
        finally:
            self._ready.clear()
            if watch is not None:
                watch.cancel()
            await self._reap_process()
        return was_ready

    async def _start_process(self) -> tuple[asyncio.subprocess.Process, asyncio.StreamReader]:
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-P", "-m", "engine.server.worker.process")
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, start_new_session=True)
        assert process.stdin is not None and process.stdout is not None  # noqa: S101  both are pipes
        self._process, self.pid = process, process.pid
        process.stdin.write(pack(Frame(self.opening)))
        return process, process.stdout

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Count missed heartbeats, and kill a worker that hangs.

        Intervals are counted by sleeping, not by the clock, so that a suspended machine does not count as a hang.
        """
        self._missed_beats, self._beat_seen, was_ever_seen = 0, False, False
        while process.returncode is None:
            await asyncio.sleep(BEAT_SECONDS)
            was_ever_seen |= self._beat_seen
            self._missed_beats = 0 if self._beat_seen else self._missed_beats + 1
            self._beat_seen = False
            if self._is_quiet:  # queries keep waiting: the next worker runs them again
                self._fail_calls(each for each in self._pending.values() if not each.is_question)
            max_missed_beats = self.hung_seconds / BEAT_SECONDS if was_ever_seen else STARTUP_BEATS
            overdue = any(pending.deadline < time.monotonic() for pending in self._pending.values())
            if self._missed_beats >= max_missed_beats or overdue:
                log.error("the worker hangs", beats_missed=self._missed_beats, reading=overdue)
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                return

    @staticmethod
    def _fail_calls(calls: Iterable[_PendingCall]) -> None:
        """Fail calls that a dead worker, or one without a heartbeat, does not answer."""
        for pending in calls:
            if not pending.reply.done():
                pending.reply.set_exception(WorkerDied())

    async def _reap_process(self) -> None:
        """Make sure that the old process is gone, and fail its calls."""
        if self._process is not None:
            if self._process.returncode is None and self._process.stdout and not self._process.stdout.at_eof():
                self._process.kill()
            await self._process.wait()
        self._fail_calls(self._pending.values())

    def _receive(self, frame: Frame) -> None:
        message = frame.message
        self._beat_seen = True
        if "beat" in message:
            return
        if "ready" in message:
            self.opening_progress, self.refused = None, None
            self._ready.set()
        elif "making" in message:
            self.opening_progress = (str(message["making"]), float(message["fraction"]))
        elif "refused" in message:
            self.refused = message["refused"]
        else:
            self._dispatch_reply(message, frame.rows)

    def _dispatch_reply(self, message: Mapping[str, Any], rows: bytes) -> None:
        pending = self._pending.get(int(message["id"]))
        if pending is None or pending.reply.done():
            return  # the caller has gone
        if "queued" in message:
            pending.callbacks.on_queued()
        elif "bucket" in message:
            seconds = float(message["bucket"])
            pending.deadline = time.monotonic() + max(READING_SECONDS, READING_BUCKETS * seconds)
            pending.callbacks.on_bucket(seconds)
        elif "problem" in message:
            pending.reply.set_exception(Refused(message["problem"]))
        else:
            pending.reply.set_result(rows or message["told"])
