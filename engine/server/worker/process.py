"""The worker process: holds the data, answers frames, has no network. `python -P -m engine.server.worker.process`.

It keeps memory that may contain private data to itself: no core dumps, no debuggers.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, BinaryIO

from budgets import LedgerUnavailable, failure_cause
from engine.api.session import open_session
from engine.errors import ExecutionFailed, Refused, problem_shape
from engine.mechanism.gaussian import NoiseRefused
from engine.server.telemetry import Throttle
from engine.server.worker.frames import Frame, Json, pack, read_frame
from engine.server.worker.pacing import PacedEngine, ResponsePacing, bucket_callback, queued_callback
from engine.server.worker.verbs import VerbHandler

PR_SET_DUMPABLE = 4  # linux/prctl.h


def forbid_dumps() -> None:
    """Disable core dumps, and attaching from other processes of this user (prctl(2), PR_SET_DUMPABLE; Linux only)."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def silence_tracebacks() -> None:
    """Report only the class of an uncaught exception: a traceback's text may contain a value."""
    sys.excepthook = lambda kind, error, trace: _report_kind(kind)
    threading.excepthook = lambda failed: _report_kind(failed.exc_type)


def _report_kind(kind: type[BaseException] | None) -> None:
    sys.stderr.write(f'{{"event": "uncaught", "kind": "{kind.__name__ if kind else "unknown"}"}}\n')


SLOW_VERBS = frozenset({"query", "rehearse", "take"})  # verbs that may wait for a slot, or take long
SLOW_THREADS = 512  # threads for these: more than queue, admitted calls and jobs together
QUICK_THREADS = 16  # threads for quick verbs, which never wait for slow ones
BEAT_SECONDS = 1.0
SWITCH_SECONDS = 0.001  # how long a thread keeps the GIL: a short answer waits for each other thread
_unavailable_throttle = Throttle()  # by cause
DEFECT_PROBLEM = problem_shape(
    "E_SERVER", "The server could not do this.", "tell whoever runs the server; its log has the kind of the failure"
)


class Worker:
    """Serves one session over a pipe."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        """Keep both ends of the pipe."""
        self._source, self._sink, self._write_lock = source, sink, threading.Lock()

    def run(self) -> None:
        """Open the catalog of the first frame, then answer until the pipe closes; running calls finish first."""
        opening = read_frame(self._source)
        if opening is None:
            return
        threading.Thread(target=self._send_heartbeats, daemon=True).start()
        try:
            session = open_session(
                opening.message["catalog"], ledger=opening.message["ledger"], progress=self._send_progress
            )
        except Refused as refused:
            self._send({"refused": refused.problem})
            return
        engine = PacedEngine.of(session.engine, ResponsePacing(**opening.message["pace"]))
        with replace(session, engine=engine) as paced:
            handler = VerbHandler(paced, opening.message.get("standing"))
            _ = engine.backend.empty  # allocated now: out of memory must not depend on running queries
            gc.freeze()  # modules and catalog stay: a full collection would scan them for 0.2 s amid an answer
            self._send({"ready": os.getpid()})
            self.serve(handler)

    def serve(self, handler: VerbHandler) -> None:
        """Answer calls until the pipe closes. Calls that wait for a slot have threads of their own."""
        with ThreadPoolExecutor(SLOW_THREADS) as slow_threads, ThreadPoolExecutor(QUICK_THREADS) as quick_threads:
            while (frame := read_frame(self._source)) is not None:
                threads = slow_threads if frame.message["verb"] in SLOW_VERBS else quick_threads
                threads.submit(self._answer, handler, frame.message)

    def _answer(self, handler: VerbHandler, message: Mapping[str, Json]) -> None:
        call_id = message["id"]
        queued_callback.set(lambda: self._send({"id": call_id, "queued": True}))
        bucket_callback.set(lambda seconds: self._send({"id": call_id, "bucket": seconds}))
        try:
            result = handler.run(message["verb"], message["arguments"])
            rows = result if isinstance(result, bytes) else b""
            self._send({"id": call_id, "told": None if rows else result}, rows)
        except Refused as refused:
            if isinstance(cause := refused.__cause__, ExecutionFailed):
                _log(message["verb"], cause.kind)
            elif isinstance(cause, LedgerUnavailable) and _unavailable_throttle.is_due(why := failure_cause(cause)):
                _log(message["verb"], "LedgerUnavailable", cause=why)
            self._send({"id": call_id, "problem": refused.problem})
        except NoiseRefused as failure:  # before any charge: later it would be an ExecutionFailed
            _log(message["verb"], "NoiseRefused", cause=str(failure))  # both losses depend on public facts alone
            self._send({"id": call_id, "problem": DEFECT_PROBLEM})
        except Exception as failure:
            _log(message["verb"], type(failure).__name__)
            self._send({"id": call_id, "problem": DEFECT_PROBLEM})

    def _send_heartbeats(self) -> None:
        """Send a heartbeat every second: threads run here, and the pipe is writable."""
        with contextlib.suppress(OSError, ValueError):  # the server is gone, or the pipe is closed
            while True:
                self._send({"beat": True})
                time.sleep(BEAT_SECONDS)

    def _send_progress(self, stage: str, fraction: float) -> None:
        self._send({"making": stage, "fraction": fraction})

    def _send(self, message: dict[str, Any], rows: bytes = b"") -> None:
        with self._write_lock:
            self._sink.write(pack(Frame(message, rows)))
            self._sink.flush()


def _log(verb: Json, kind: str, **more: str) -> None:
    """Log the class of a failure, not its text, which may contain a value. An unwritable log is ignored."""
    with contextlib.suppress(OSError):
        sys.stderr.write(json.dumps({"event": "failed", "verb": verb, "kind": kind, **more}) + "\n")


def main() -> None:
    """Take over the pipe from stdin and stdout, so that nothing else ever writes into it, and serve."""
    forbid_dumps()
    silence_tracebacks()
    sys.setswitchinterval(SWITCH_SECONDS)
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.close(0)
    try:
        Worker(source, sink).run()
    except BrokenPipeError:
        os._exit(1)  # the server is gone: what was charged is durable


if __name__ == "__main__":
    main()
