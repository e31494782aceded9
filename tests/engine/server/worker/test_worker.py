"""What a worker notes of a failure, its class and nothing that a value could be in; and what holds up what in it."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Mapping
from typing import Any, cast

import pytest

from engine.errors import ExecutionFailed, Refused, problem
from engine.mechanism.gaussian import NoiseRefused
from engine.server.worker.frames import Frame, Result, pack, read_frame
from engine.server.worker.process import Worker
from engine.server.worker.verbs import VerbHandler

WAITING = 100  # more questions than the queue is long: jobs are no part of it


class Failing:
    def run(self, verb: str, arguments: object) -> None:
        if verb == "explain":
            raise ValueError("Z-SECRET")
        if verb == "release_figure":
            raise NoiseRefused(0.02, 10**9)
        failure = ExecutionFailed("BinderException")
        raise Refused(problem(failure, None)) from failure


@pytest.mark.parametrize(
    ("verb", "kind", "code"), [("query", "BinderException", "E_EXEC"), ("explain", "ValueError", "E_SERVER")]
)
def test_the_log_has_the_kind_of_a_failure(capsys: pytest.CaptureFixture[str], verb: str, kind: str, code: str) -> None:
    sink = io.BytesIO()
    Worker(io.BytesIO(), sink)._answer(Failing(), {"id": 1, "verb": verb, "arguments": {}})
    assert json.loads(capsys.readouterr().err) == {"event": "failed", "verb": verb, "kind": kind}
    sink.seek(0)
    frame = read_frame(sink)
    assert frame is not None and frame.message["problem"]["code"] == code
    assert kind not in json.dumps(frame.message) and "Z-SECRET" not in json.dumps(frame.message)


def test_the_log_has_the_reason_of_a_price_that_was_too_small(capsys: pytest.CaptureFixture[str]) -> None:
    """The check before a charge reads public facts alone, and whoever runs the server must know which price was wrong."""
    sink = io.BytesIO()
    Worker(io.BytesIO(), sink)._answer(Failing(), {"id": 1, "verb": "release_figure", "arguments": {}})
    noted = json.loads(capsys.readouterr().err)
    assert (noted["kind"], noted["cause"]) == ("NoiseRefused", str(NoiseRefused(0.02, 10**9)))
    sink.seek(0)
    frame = read_frame(sink)
    assert frame is not None and frame.message["problem"]["code"] == "E_SERVER"
    assert "0.02" not in json.dumps(frame.message)


class Slow:
    """A session whose queries wait until they are released."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def run(self, verb: str, arguments: Mapping[str, Any]) -> Result:
        del arguments
        if verb == "query":
            assert self.let_go.wait(60)
        return verb


def test_waiting_queries_block_no_other_call() -> None:
    """Jobs of thirteen clients once held every thread, and an admin's freeze waited for their turns."""
    (asked_out, asked_in), (told_out, told_in) = os.pipe(), os.pipe()
    clerk = Slow()
    with (
        os.fdopen(asked_out, "rb") as source,
        os.fdopen(told_in, "wb") as sink,
        os.fdopen(told_out, "rb") as told,
        os.fdopen(asked_in, "wb") as asked,
    ):
        worker = threading.Thread(target=Worker(source, sink).serve, args=(cast("VerbHandler", clerk),), daemon=True)
        worker.start()
        for number, verb in enumerate(["query"] * WAITING + ["freeze"]):
            asked.write(pack(Frame({"id": number, "verb": verb, "arguments": {}})))
        asked.close()
        late = threading.Timer(20, clerk.let_go.set)  # or a worker that fails would wait for ever
        late.start()
        answered = []
        for _ in range(WAITING + 1):
            frame = read_frame(told)
            assert frame is not None
            answered.append(frame.message["told"])
            clerk.let_go.set()
        late.cancel()
        worker.join(60)
    assert answered == ["freeze"] + ["query"] * WAITING
