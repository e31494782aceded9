"""The link to the worker survives any end of it: a machine without room for a process, or an invalid frame."""

from __future__ import annotations

import asyncio
import io
import sys
from typing import Any

import pytest

from engine.server.worker import link as link_module
from engine.server.worker.frames import LENGTHS, MAX_FRAME_BYTES, Frame, next_frame, pack, read_frame
from engine.server.worker.link import PipeLink, QueryCallbacks, WorkerDied
from tests.support.timeouts import MAX_SECONDS

READY = pack(Frame({"ready": 1}))
BREAKS = {
    "too long": LENGTHS.pack(MAX_FRAME_BYTES + 1, 0),
    "no JSON": LENGTHS.pack(1, 0) + b"{",
    "no answer": pack(Frame({})),
}


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "RESTART_SECONDS", 0.001)


def in_time(work: Any) -> None:
    asyncio.run(asyncio.wait_for(work, MAX_SECONDS))


async def come(there: Any) -> None:
    while not there():
        await asyncio.sleep(0.001)


def starting(monkeypatch: pytest.MonkeyPatch, *programs: str | Exception) -> None:
    """Use these programs as workers, one after the other; the last again and again."""
    start, left = asyncio.create_subprocess_exec, list(programs)

    async def started(*command: str, **more: Any) -> asyncio.subprocess.Process:
        del command
        program = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(program, Exception):
            raise program
        return await start(sys.executable, "-I", "-S", "-c", program, **more)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", started)


def writing(frames: bytes) -> str:
    """Program of a worker that is ready, writes so much per request, and then only listens."""
    opened = "import sys; source, out = sys.stdin.buffer, sys.stdout.buffer; source.read1();"
    return (
        f"{opened} out.write({READY!r}); out.flush(); source.read1(); out.write({frames!r}); out.flush(); source.read()"
    )


def test_a_machine_that_has_no_process_left_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server was busy until somebody started it anew, and did not say why."""
    full = BlockingIOError(11, "Resource temporarily unavailable")
    starting(monkeypatch, full, full, writing(b""))

    async def scenario() -> None:
        link = PipeLink({})
        link.start()
        await link.ready()
        assert link.restarts == 2
        await link.stop(MAX_SECONDS)

    in_time(scenario())


@pytest.mark.parametrize("said", BREAKS.values(), ids=BREAKS)
def test_a_worker_that_writes_no_frame_is_ended_and_its_callers_fail(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: the link was ready, and callers waited for ever."""
    starting(monkeypatch, writing(said), writing(b""))

    async def scenario() -> None:
        link = PipeLink({})
        link.start()
        await link.ready()
        first = link.pid
        with pytest.raises(WorkerDied):
            await link.call("query", {})
        assert not link._pending, "what was asked is kept for ever"
        await come(lambda: link.is_ready and link.pid != first)
        await link.stop(MAX_SECONDS)

    in_time(scenario())


@pytest.mark.parametrize("left", range(1, 40, 3))
def test_a_truncated_frame_counts_as_end_of_stream(left: int) -> None:
    whole = pack(Frame({"id": 1, "told": "so"}, b"rows of arrow"))
    assert read_frame(io.BytesIO(whole)) == Frame({"id": 1, "told": "so"}, b"rows of arrow")
    assert read_frame(io.BytesIO(whole[:left])) is None

    async def read() -> Frame | None:
        stream = asyncio.StreamReader()
        stream.feed_data(whole[:left])
        stream.feed_eof()
        return await next_frame(stream)

    assert asyncio.run(read()) is None


HUNG = 0.2  # seconds


@pytest.fixture
def _short_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(link_module, "QUIET_AFTER_MISSED_BEATS", 5)


BEATING = (
    f"import sys, time; source, out = sys.stdin.buffer, sys.stdout.buffer; source.read1(); out.write({READY!r});"
    f"beat = {pack(Frame({'beat': True}))!r}\n"
)
FALLS_SILENT = f"{BEATING}out.write(beat); out.flush(); source.read(1); time.sleep(600)"  # asked something, it hangs
BEATS_ON = f"{BEATING}while True: out.write(beat); out.flush(); time.sleep(0.005)"
STUCK_IN_A_QUESTION = (
    f"{BEATING}out.flush(); source.read(1); out.write({pack(Frame({'id': 0, 'bucket': 0.5}))!r})\n"
    "while True: out.write(beat); out.flush(); time.sleep(0.005)"
)


@pytest.mark.usefixtures("_short_beats")
@pytest.mark.parametrize("verb", ["explain", "query"])
def test_a_worker_that_falls_silent_is_replaced_and_its_callers_fail(
    verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: callers waited without end for a worker stopped by a signal, and the server was ready."""
    starting(monkeypatch, FALLS_SILENT, BEATS_ON)

    async def scenario() -> None:
        link = PipeLink({}, HUNG)
        link.start()
        await link.ready()
        first = link.pid
        with pytest.raises(WorkerDied):
            await link.call(verb, {})
        await come(lambda: link.is_ready and link.pid != first)
        assert link.restarts == 1
        await link.stop(0.01)

    in_time(scenario())


@pytest.mark.usefixtures("_short_beats")
def test_calls_that_read_no_data_fail_before_a_silent_worker_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    starting(monkeypatch, FALLS_SILENT)

    async def scenario() -> None:
        link = PipeLink({}, hung_seconds=600)
        link.start()
        await link.ready()
        question = asyncio.create_task(link.call("query", {}))
        with pytest.raises(WorkerDied):
            await link.call("explain", {})
        assert not link.is_ready and link.state == "without a heartbeat" and not question.done()
        with pytest.raises(WorkerDied):  # at once
            await link.call("explain", {})
        await link.stop(0.01)
        with pytest.raises(WorkerDied):
            await question

    in_time(scenario())


@pytest.mark.usefixtures("_short_beats")
def test_a_worker_with_a_heartbeat_survives_and_an_overlong_call_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starting(monkeypatch, BEATS_ON)
    monkeypatch.setattr(link_module, "CALL_SECONDS", 0.1)

    async def scenario() -> None:
        link = PipeLink({}, HUNG)
        link.start()
        await link.ready()
        question = asyncio.create_task(link.call("query", {}))
        with pytest.raises(WorkerDied):
            await link.call("tables", {})
        await asyncio.sleep(3 * HUNG)
        assert link.is_ready and not link.restarts and not question.done(), "a long question is no hung worker"
        await link.stop(0.01)
        with pytest.raises(WorkerDied):
            await question

    in_time(scenario())


@pytest.mark.usefixtures("_short_beats")
def test_a_query_far_beyond_its_pacing_bucket_ends_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    starting(monkeypatch, STUCK_IN_A_QUESTION, BEATS_ON)
    monkeypatch.setattr(link_module, "READING_SECONDS", 0.1)
    monkeypatch.setattr(link_module, "READING_BUCKETS", 0.2)

    async def scenario() -> None:
        link, told = PipeLink({}, 600), list[float]()
        link.start()
        await link.ready()
        with pytest.raises(WorkerDied):
            await link.call("query", {}, QueryCallbacks(on_bucket=told.append))
        assert told == [0.5], "so that its death is counted"
        await come(lambda: link.is_ready)
        await link.stop(0.01)

    in_time(scenario())
