"""The keeper of the worker goes on, whatever ends one: a machine without room for a process, or what is no frame."""

from __future__ import annotations

import asyncio
import io
import sys
from typing import Any

import pytest

from engine.server import link as link_module
from engine.server.frames import LENGTHS, LONGEST, Frame, next_frame, packed, read_frame
from engine.server.link import Link, WorkerDied
from tests.support.patience import LONGEST as PATIENCE

READY = packed(Frame({"ready": 1}))
BREAKS = {
    "too long": LENGTHS.pack(LONGEST + 1, 0),
    "no JSON": LENGTHS.pack(1, 0) + b"{",
    "no answer": packed(Frame({})),
}


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "AGAIN_AFTER", 0.001)


def in_time(work: Any) -> None:
    asyncio.run(asyncio.wait_for(work, PATIENCE))


async def come(there: Any) -> None:
    while not there():
        await asyncio.sleep(0.001)


def starting(monkeypatch: pytest.MonkeyPatch, *programs: str | Exception) -> None:
    """Let workers be these programs, one after the other; the last again and again."""
    start, left = asyncio.create_subprocess_exec, list(programs)

    async def started(*command: str, **more: Any) -> asyncio.subprocess.Process:
        del command
        program = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(program, Exception):
            raise program
        return await start(sys.executable, "-I", "-S", "-c", program, **more)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", started)


def writing(frames: bytes) -> str:
    """Give the program of a worker that is ready, says so much when it is asked, and then only listens."""
    opened = "import sys; source, out = sys.stdin.buffer, sys.stdout.buffer; source.read1();"
    return (
        f"{opened} out.write({READY!r}); out.flush(); source.read1(); out.write({frames!r}); out.flush(); source.read()"
    )


def test_a_machine_that_has_no_process_left_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server was busy until somebody started it anew, and did not say why."""
    full = BlockingIOError(11, "Resource temporarily unavailable")
    starting(monkeypatch, full, full, writing(b""))

    async def kept() -> None:
        link = Link({})
        link.start()
        await link.ready()
        assert link.restarts == 2
        await link.stop(PATIENCE)

    in_time(kept())


@pytest.mark.parametrize("said", BREAKS.values(), ids=BREAKS)
def test_a_worker_that_says_no_frame_is_ended_and_who_waits_is_told(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link said that it was ready, and whoever asked waited for ever."""
    starting(monkeypatch, writing(said), writing(b""))

    async def kept() -> None:
        link = Link({})
        link.start()
        await link.ready()
        first = link.pid
        with pytest.raises(WorkerDied):
            await link.call("query", {})
        await come(lambda: link.is_ready and link.pid != first)
        await link.stop(PATIENCE)

    in_time(kept())


@pytest.mark.parametrize("left", range(1, 40, 3))
def test_a_frame_that_is_cut_is_the_end(left: int) -> None:
    whole = packed(Frame({"id": 1, "told": "so"}, b"rows of arrow"))
    assert read_frame(io.BytesIO(whole)) == Frame({"id": 1, "told": "so"}, b"rows of arrow")
    assert read_frame(io.BytesIO(whole[:left])) is None

    async def read() -> Frame | None:
        stream = asyncio.StreamReader()
        stream.feed_data(whole[:left])
        stream.feed_eof()
        return await next_frame(stream)

    assert asyncio.run(read()) is None
