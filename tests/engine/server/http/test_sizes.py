"""Bodies of answers that differ in noisy numbers have one length, with or without advice."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import pytest

from budgets import Loss
from dialect.parser.suggestions.rewrite_suggestions import ChangeKind
from engine.api.wire import answer as wire_answer
from engine.api.wire.answer import CARD, advice_shape, shorten_advice
from engine.pipeline.advice import Advice, Proposal
from engine.server.http.responses import ARROW, JSON, answer_body

LONG = "SELECT count(*) AS n FROM visit WHERE zone IN (" + "'a zone', " * 400 + "'z')"
MUCH = Advice(
    ("noise of 12.3 hides a person.",) * 3,
    tuple(
        Proposal(change, "ask so", LONG, Loss.rounded_up("0.005"), {"n": 1.0}, 1, 0.5)
        for change in list(ChangeKind)[:3]
    ),
)


def rows(number: float, advice: dict[str, Any] | None) -> bytes:
    """Write an answer of one number as the worker sends it."""
    card = {
        "intervals": {"n": [[number - 1, number + 1]]},
        "reliability": {"n": ["good"]},
        "advice": advice,
        "notes": [],
        "note_codes": [],
    }
    table = pa.table({"n": [number]}).replace_schema_metadata({CARD: json.dumps(card).encode()})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue()


def lengths(media_type: str) -> set[int]:
    """Lengths of strong answers, weak ones, and weak ones with much advice."""
    some = advice_shape(Advice(("why",), ()))
    return {
        len(answer_body(rows(number, advice), media_type))
        for number, advice in ((1e6, None), (0.25, some), (-3.0, shorten_advice(advice_shape(MUCH))))
    }


@pytest.mark.parametrize("media_type", [JSON, ARROW])
def test_advice_on_weak_numbers_changes_no_body_length(media_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(lengths(media_type)) == 1
    monkeypatch.setattr(wire_answer, "MAX_ADVICE_CHARACTERS", 10**6)  # planted: advice of any length
    assert len(lengths(media_type)) == 2


def test_advice_is_shortened_from_its_end_and_no_more_than_needed() -> None:
    told = advice_shape(MUCH)
    kept = shorten_advice(told)
    assert told is not None and kept is not None
    assert kept["instead"] == told["instead"][: len(kept["instead"])] and 1 <= len(kept["instead"]) < 3
    assert kept["why"] == told["why"]
    assert shorten_advice(advice_shape(Advice(("why",), ()))) == {"why": ["why"], "instead": []}
    assert shorten_advice(None) is None
