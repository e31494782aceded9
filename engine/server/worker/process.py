"""The worker process: holds the data, answers frames, has no network. `python -P -m engine.server.worker.process`."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, BinaryIO

from budgets import LedgerUnavailable, cause_of
from engine.api.session import open_desk
from engine.errors import ExecutionFailed
from engine.problems import Refused
from engine.server.telemetry import Throttle
from engine.server.worker.frames import Frame, Json, packed, read_frame
from engine.server.worker.hardening import forbid_dumps, silence_tracebacks
from engine.server.worker.pacing import Pace, PacedEngine, announced, queued
from engine.server.worker.verbs import Clerk

WAITING = frozenset({"query", "rehearse", "plan", "take"})  # verbs that may wait for a slot, or take long
QUESTIONS = 512  # threads for these: more than queue, admitted calls and jobs together
OTHERS = 16  # threads for quick verbs, which never wait for slow ones
BEAT_SECONDS = 1.0
SWITCH_SECONDS = 0.001  # how long a thread keeps the GIL: a short answer waits for each other thread
_unavailable = Throttle()  # by cause
BROKEN = {
    "code": "E_SERVER",
    "message": "The server could not do this.",
    "hint": "tell whoever runs the server; its log has the kind of the failure",
    "span": None,
    "sql": None,
}


class Worker:
    """Serves one session over a pipe."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        """Keep both ends of the pipe."""
        self._source, self._sink, self._writing = source, sink, threading.Lock()

    def run(self) -> None:
        """Open the catalog of the first frame, then answer until the pipe closes; running calls finish first."""
        first = read_frame(self._source)
        if first is None:
            return
        threading.Thread(target=self._beat, daemon=True).start()
        try:
            desk = open_desk(first.said["catalog"], ledger=first.said["ledger"], progress=self._making)
        except Refused as refused:
            self._send({"refused": refused.problem})
            return
        engine = PacedEngine.of(desk.engine, Pace(**first.said["pace"]))
        with replace(desk, engine=engine) as paced:
            clerk = Clerk(paced, first.said.get("standing"))
            _ = engine.backend.empty  # allocated now: out of memory must not depend on running queries
            self._send({"ready": os.getpid()})
            self.serve(clerk)

    def serve(self, clerk: Clerk) -> None:
        """Answer calls until the pipe closes. Calls that wait for a slot have threads of their own."""
        with ThreadPoolExecutor(QUESTIONS) as questions, ThreadPoolExecutor(OTHERS) as others:
            while (frame := read_frame(self._source)) is not None:
                threads = questions if frame.said["verb"] in WAITING else others
                threads.submit(self._answer, clerk, frame.said)

    def _answer(self, clerk: Clerk, said: Mapping[str, Json]) -> None:
        number = said["id"]
        queued.set(lambda: self._send({"id": number, "queued": True}))
        announced.set(lambda seconds: self._send({"id": number, "bucket": seconds}))
        try:
            reply = clerk.do(said["verb"], said["arguments"])
            self._send({"id": number, "told": reply.told}, reply.rows)
        except Refused as refused:
            if isinstance(cause := refused.__cause__, ExecutionFailed):
                _log(said["verb"], cause.kind)
            elif isinstance(cause, LedgerUnavailable) and _unavailable.is_due(why := cause_of(cause)):
                _log(said["verb"], "LedgerUnavailable", cause=why)
            self._send({"id": number, "problem": refused.problem})
        except Exception as failure:
            _log(said["verb"], type(failure).__name__)
            self._send({"id": number, "problem": BROKEN})

    def _beat(self) -> None:
        """Send a heartbeat every second: threads run here, and the pipe is writable."""
        with contextlib.suppress(OSError, ValueError):  # the server is gone, or the pipe is closed
            while True:
                self._send({"beat": True})
                time.sleep(BEAT_SECONDS)

    def _making(self, stage: str, fraction: float) -> None:
        self._send({"making": stage, "fraction": fraction})

    def _send(self, said: dict[str, Any], rows: bytes = b"") -> None:
        with self._writing:
            self._sink.write(packed(Frame(said, rows)))
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
