"""What a worker notes of a failure: its class, and nothing that a value could be in."""

from __future__ import annotations

import io
import json

import pytest

from engine.errors import ExecutionFailed
from engine.problems import Refused, problem
from engine.server.frames import read_frame
from engine.server.worker import Worker


class Failing:
    def do(self, verb: str, arguments: object) -> None:
        if verb == "explain":
            raise ValueError("Z-SECRET")
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
    assert frame is not None and frame.said["problem"]["code"] == code
    assert kind not in json.dumps(frame.said) and "Z-SECRET" not in json.dumps(frame.said)
