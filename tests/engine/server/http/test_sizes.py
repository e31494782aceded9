"""Bodies of answers that differ in noisy numbers have one length, with or without advice, for any column names."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from budgets import Loss
from dialect.algebra import NoteCode
from dialect.parser.suggestions.rewrite_suggestions import ChangeKind
from engine.api.wire import answer as wire_answer
from engine.api.wire.answer import CARD, advice_shape, shorten_advice
from engine.pipeline.advice import Advice, Proposal
from engine.pipeline.notes import FEW_ROWS_REASON
from engine.server.flight import server as flight_server
from engine.server.http import sizes
from engine.server.http.responses import ARROW, JSON, answer_body
from engine.server.worker.verbs import arrow_stream

LONG = "SELECT count(*) AS n FROM visit WHERE zone IN (" + "'a zone', " * 400 + "'z')"
MUCH = Advice(
    ("noise of 12.3 hides a person.",) * 3,
    tuple(
        Proposal(change, "ask so", LONG, Loss.rounded_up("0.005"), {"n": 1.0}, 1, 0.5)
        for change in list(ChangeKind)[:3]
    ),
)


def rows(number: float | None, advice: dict[str, Any] | None, name: str = "n") -> bytes:
    """Write an answer of one number as the worker sends it; NULL comes with its note."""
    card = {
        "intervals": {name: [None if number is None else [number - 1, number + 1]]},
        "reliability": {name: ["good"]},
        "advice": advice,
        "notes": [] if number is not None else [f"{name}: 1,000,000 values are NULL: {FEW_ROWS_REASON}"],
        "note_codes": [] if number is not None else [str(NoteCode.NULL_QUANTILE)],
    }
    column = pa.array([number], pa.float64())
    table = pa.table({name: column}).replace_schema_metadata({CARD: json.dumps(card).encode()})
    return arrow_stream(table)


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


@pytest.mark.parametrize("media_type", [JSON, ARROW])
@pytest.mark.parametrize(
    "character", ["n", "é", "東", "🙂", '"', "\x01"], ids=["ascii", "latin", "cjk", "emoji", "quote", "control"]
)
def test_a_column_of_any_name_has_bodies_of_one_length_with_null_or_a_number(
    media_type: str, character: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, much = character * 5_000, shorten_advice(advice_shape(MUCH))
    bodies = [answer_body(rows(number, much, name), media_type) for number in (None, 0.25)]
    assert len(bodies[0]) == len(bodies[1])
    monkeypatch.setattr(sizes, "size_class", lambda length: length)
    exact = [len(answer_body(rows(number, much, name), media_type)) for number in (None, 0.25)]
    assert exact[0] == exact[1], "the bound is no less than either body"
    monkeypatch.setattr(sizes, "_escaped_length", lambda name: 0)  # planted: names have no length
    planted = [len(answer_body(rows(number, much, name), media_type)) for number in (None, 0.25)]
    assert planted[0] > planted[1]


def old_card(table: pa.Table, notes: list[str]) -> bytes:
    """An answer as a worker of a version before note codes stored it."""
    ends = [None if value is None else [value - 1, value + 1] for value in table.column("n").to_pylist()]
    card = {"intervals": {"n": ends}, "reliability": {"n": ["good"] * len(ends)}, "advice": None, "notes": notes}
    return arrow_stream(table.replace_schema_metadata({CARD: json.dumps(card).encode()}))


@pytest.mark.parametrize("media_type", [JSON, ARROW])
def test_a_stored_answer_without_note_codes_has_one_length(media_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "size_class", lambda length: length)
    clipped, null = "n: clipped at 33 per person.", "n: 1 value(s) are NULL because their denominator may be 0."
    bodies = [
        answer_body(old_card(pa.table({"n": pa.array([number], pa.float64())}), notes), media_type)
        for number, notes in ((7.0, [clipped]), (None, [clipped, null]))
    ]
    assert len(bodies[0]) == len(bodies[1])


def test_a_long_stored_answer_without_note_codes_is_sent_over_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flight_server, "MAX_ROWS_WITH_INTERVALS", 1)
    schema, batches = flight_server.padded(old_card(pa.table({"n": [1.0, 2.0]}), ["n: clipped at 33 per person."]))
    card = json.loads(schema.metadata[CARD])
    assert sum(batch.num_rows for batch, _ in batches) == 2
    codes = dict(zip(card["notes"], card["note_codes"], strict=True))
    assert codes.pop("n: clipped at 33 per person.") == "" and list(codes.values()) == ["intervals_omitted"]


def test_advice_is_shortened_from_its_end_and_no_more_than_needed() -> None:
    told = advice_shape(MUCH)
    kept = shorten_advice(told)
    assert told is not None and kept is not None
    assert kept["instead"] == told["instead"][: len(kept["instead"])] and 1 <= len(kept["instead"]) < 3
    assert kept["why"] == told["why"]
    assert shorten_advice(advice_shape(Advice(("why",), ()))) == {"why": ["why"], "instead": []}
    assert shorten_advice(None) is None


def profiled(clip_bound: float, share: float) -> bytes:
    """Write an answer of one number whose clip bound was chosen from a profile, as the worker sends it."""
    name = "n" * 60
    chosen = {"clip_bounds": {name: clip_bound}, "predicted_bias": {name: 0.0}} if clip_bound else {"clip_bounds": {}}
    card = {
        **chosen,
        "bias_within": {name: {"share": share, "amount": share / 3}} if share else {},
        "interval_parts": {name: {"noise": 1 - share, "clipping": share / 7}} if share else {},
        "intervals": {name: [[0.0, 2.0]]},
        "notes": ["Clipping is corrected."],
        "note_codes": [str(NoteCode.PROFILE)],
    }
    table = pa.table({name: pa.array([1.0])}).replace_schema_metadata({CARD: json.dumps(card).encode()})
    return arrow_stream(table)


@pytest.mark.parametrize("media_type", [JSON, ARROW])
def test_clip_bounds_of_a_profile_change_no_body_length(media_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "MIN_CLASS_BYTES", 16)

    def found() -> set[int]:
        choices = ((16.0, 0.25), (13.454342644059432, 0.031415926535897934), (0.0, 0.0))
        return {len(answer_body(profiled(bound, share), media_type)) for bound, share in choices}

    assert len(found()) == 1
    monkeypatch.setattr(sizes, "PROFILED_FIELDS", ())  # planted: their length counts
    assert len(found()) > 1
