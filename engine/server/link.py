"""The HTTP process's end of the pipe: starts the worker, asks it, and starts another one where it died."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.problems import Refused
from engine.server.clerk import Reply
from engine.server.frames import Frame, next_frame, packed
from engine.server.logs import log

AGAIN_AFTER = 0.2  # seconds before a worker that could not be started is tried again; doubled up to MOST
MOST = 10.0


def _unheard(*_: object) -> None:
    """Let nobody be told."""


@dataclass(frozen=True)
class Heard:
    """What is told of a question on its way, on the loop."""

    queued: Callable[[], None] = _unheard  # it is read and priced, and has a place in the queue
    bucket: Callable[[float], None] = _unheard  # it begins to read data, in a bucket of so many seconds


UNHEARD = Heard()


class WorkerDied(Exception):
    """The worker ended while it was asked; what it had charged is durable."""


@dataclass
class _Waiting:
    """Who waits for an answer."""

    answer: asyncio.Future[Reply]
    heard: Heard


@dataclass
class Link:
    """A pipe to a worker; `opening` is the first frame of each."""

    opening: Mapping[str, Any]
    restarts: int = 0
    making: tuple[str, float] | None = None  # what the worker makes before it is ready, and how far it is
    refused: Mapping[str, Any] | None = None  # why the last worker did not open
    pid: int | None = None
    _ready: asyncio.Event = field(default_factory=asyncio.Event)
    _waiting: dict[int, _Waiting] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _process: asyncio.subprocess.Process | None = None
    _kept: asyncio.Task[None] | None = None
    _stopping: bool = False

    def start(self) -> None:
        """Start the worker, and keep one running from now on."""
        self._kept = asyncio.create_task(self._keep())

    @property
    def is_ready(self) -> bool:
        """Tell whether questions can be asked now."""
        return self._ready.is_set()

    async def ready(self) -> None:
        """Wait until the worker has opened the data; raises Refused where it can't."""
        while not self._ready.is_set():
            if self.refused is not None:
                raise Refused(dict(self.refused))
            await asyncio.sleep(0.02)

    async def call(self, verb: str, arguments: Mapping[str, Any], heard: Heard = UNHEARD) -> Reply:
        """Ask the worker; raises Refused, or WorkerDied where no worker is there or it ended meanwhile."""
        if not self._ready.is_set() or self._process is None or self._process.stdin is None:
            raise WorkerDied
        number = next(self._numbers)
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[number] = _Waiting(answer, heard)
        try:
            self._process.stdin.write(packed(Frame({"id": number, "verb": verb, "arguments": dict(arguments)})))
            return await answer
        finally:
            self._waiting.pop(number, None)

    async def stop(self, patience: float) -> None:
        """Close the pipe, so that the worker ends when what runs has ended; after `patience` seconds end it."""
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
        """Run one worker to its end, whatever ends it; tell whether it ever was ready."""
        self._process, was_ready = None, False
        try:
            stream = await self._started()
            while (frame := await next_frame(stream)) is not None:
                was_ready |= "ready" in frame.said
                self._heard(frame)
        except Exception as failure:  # the machine has no process left, or what was written is no frame: the next one
            log.error("the worker is lost", kind=type(failure).__name__)
        finally:
            self._ready.clear()
            await self._buried()
        return was_ready

    async def _started(self) -> asyncio.StreamReader:
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-P", "-m", "engine.server.worker")
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, start_new_session=True)
        assert process.stdin is not None and process.stdout is not None  # noqa: S101  both are pipes
        self._process, self.pid = process, process.pid
        process.stdin.write(packed(Frame(self.opening)))
        return process.stdout

    async def _buried(self) -> None:
        """See that a worker is gone which is not heard any more, and tell who waits for it."""
        if self._process is not None:
            if self._process.returncode is None and self._process.stdout and not self._process.stdout.at_eof():
                self._process.kill()
            await self._process.wait()
        for waiting in list(self._waiting.values()):
            if not waiting.answer.done():
                waiting.answer.set_exception(WorkerDied())

    def _heard(self, frame: Frame) -> None:
        said = frame.said
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
            return  # nobody waits any more
        if "queued" in said:
            waiting.heard.queued()
        elif "bucket" in said:
            waiting.heard.bucket(float(said["bucket"]))
        elif "problem" in said:
            waiting.answer.set_exception(Refused(said["problem"]))
        else:
            waiting.answer.set_result(Reply(said["told"], rows))
