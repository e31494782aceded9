"""The shapes that leave: exactly these keys, of exactly these types, and JSON that every reader takes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
import pytest

from dialect.algebra import NoteCode
from engine.api.session import Session
from engine.api.wire import answer as wire_answer
from engine.api.wire import tables as wire_tables
from engine.mechanism.answer import Answer
from engine.pipeline import notes as wire_notes
from engine.pipeline.compiled_query import Answered
from engine.pipeline.engine import Engine
from engine.pipeline.explain import explain
from engine.pricing.query_terms import Request
from passersby.result import summary
from passersby.result.wire import CARD_KEYS

BY_ZONE = "SELECT zone, COUNT(*) AS n, AVG(minutes) AS m FROM visit GROUP BY zone"
ACCOUNT = {"rho": float, "delta": float, "epsilon": float, "cap_rho": float}
PRICE = {"rho": float, "delta": float, "epsilon_at_delta": {"epsilon": float, "delta": float}}
OUTLOOK = {
    "further": int,
    "account": str | None,
    "client": str | None,
    "window": str | None,
    "next_window": str | None,
    "lasts_days": int | None,
    "rate_days": int | None,
    "would_fit_rho": float,
    "stopped": str | None,
    "would_fit_error": dict,
    "would_fit_windows": list,
    "other_windows": list,
    "free_at_rho": float | None,
    "told": [str],
}
MADE_FROM = [
    {
        "release": str,
        "release_id": str,
        "settled_at": str,
        "standing": bool,
        "groups": int,
        "how": str,
    }
]
CARD = {
    "intervals": dict,
    "predicted_bias": dict,
    "bias_within": dict,
    "interval_parts": dict,
    "reliability": dict,
    "advice": dict | None,
    "confidence": float,
    "simultaneous": dict | None,
    "selection": dict | None,
    "may_be_nothing": list,
    "price": PRICE,
    "remaining": {"client": ACCOUNT, "dataset": ACCOUNT},
    "outlook": OUTLOOK,
    "release_id": str,
    "replayed": bool,
    "made_from": MADE_FROM,
    "numbers_of": str | None,
    "windows": [str],
    "thresholds": list,
    "clip_bounds": dict,
    "notes": list,
    "note_codes": list,
}
EXPLAINED = {
    "columns": [{"name": str, "type": str}],
    "predicted_bias": dict,
    "bias_within": dict,
    "interval_parts": dict,
    "advice": dict | None,
    "confidence": float,
    "simultaneous": dict | None,
    "price": PRICE,
    "remaining": {"client": ACCOUNT, "dataset": ACCOUNT},
    "outlook": OUTLOOK,
    "replayed": bool,
    "made_from": MADE_FROM,
    "keys": [{"name": str, "kind": str, "count": int | None, "why": str, "release": str}],
    "bounds": [{"vector": str, "norm": float, "rule": str, "why": str, "predicted_bias": float}],
    "expected_error": dict,
    "expected_range": dict,
    "expected_from": str,
    "usual_rows": float | None,
    "thresholds": list,
    "windows": [str],
    "crossing": bool,
    "sql": str,
    "clip_bounds": dict,
    "notes": list,
    "note_codes": list,
}


def check(shape: Any, given: Any, place: str = "") -> None:
    """Compare with a shape: no key less, no key more, and each value of its type; a float is a float, never a whole."""
    if isinstance(shape, dict):
        assert set(given) == set(shape), place
        for name, inner in shape.items():
            check(inner, given[name], f"{place}.{name}")
    elif isinstance(shape, list):
        assert isinstance(given, list), place
        for each in given:
            check(shape[0], each, f"{place}[]")
    elif isinstance(shape, type):
        assert type(given) is shape, f"{place}: {given!r}"
    else:
        assert isinstance(given, shape), f"{place}: {given!r}"


def never(constant: str) -> NoReturn:
    raise AssertionError(f"{constant} is no JSON")


def strict(text: bytes | str) -> Any:
    """Read JSON as a reader does that knows no NaN."""
    return json.loads(text, parse_constant=never)


def card_of(engine: Engine, sql: str, client: str = "ann") -> dict[str, Any]:
    found: dict[str, Any] = strict(Session(engine).query(sql, client=client).schema.metadata[b"passersby"])
    return found


def test_a_card_has_its_shape(engine: Engine) -> None:
    card = card_of(engine, BY_ZONE)
    check(CARD, card)
    assert set(card["intervals"]) == {"n", "m"}
    for name, kind in (("n", int), ("m", float)):  # ends of whole numbers are whole
        pairs = card["intervals"][name]
        assert len(pairs) == 7
        assert all(pair is None or [type(end) for end in pair] == [kind, kind] for pair in pairs)
    assert len(card["release_id"]) == 64


def test_a_replay_is_marked_as_one_and_is_free(engine: Engine) -> None:
    first, again = card_of(engine, BY_ZONE), card_of(engine, BY_ZONE)
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert again["price"]["rho"] == again["price"]["epsilon_at_delta"]["epsilon"] == 0.0
    assert first["numbers_of"] is None and len(again["numbers_of"]) == len("2026-11-24")
    assert again["notes"] == [*again["notes"][:1], *first["notes"]] and again["numbers_of"] in again["notes"][0]
    unchanged = ("intervals", "release_id", "confidence", "remaining")
    assert {name: again[name] for name in unchanged} == {name: first[name] for name in unchanged}


def test_public_rows_have_a_card_without_a_release(engine: Engine) -> None:
    card = card_of(engine, "SELECT * FROM zone")
    assert (card["release_id"], card["replayed"], card["price"]["rho"]) == (None, False, 0.0)
    check({**CARD, "release_id": type(None), "outlook": type(None)}, card)


def test_an_explanation_has_its_shape(engine: Engine) -> None:
    session = Session(engine)
    for sql in (BY_ZONE, "SELECT shop, COUNT(*) AS n FROM visit GROUP BY shop", "SELECT * FROM zone"):
        given = session.explain(sql, client="ann")
        bounds = [set(bound) for bound in given["bounds"]]
        assert all({"vector", "norm", "rule", "why", "sensitivity", "sigma"} <= names for names in bounds)
        there = given["outlook"] is not None  # not of what is public
        assert there == bool(given["bounds"])
        check({**EXPLAINED, "bounds": list} | ({} if there else {"outlook": type(None)}), given)
        strict(json.dumps(given, allow_nan=False))
        for limit in given["thresholds"]:
            check({"threshold": int, "delta": float, "max_groups_per_person": int, "release": str}, limit)
        for error in given["expected_error"].values():
            assert error is None or type(error) is float


def test_clipping_notes_are_the_same_in_the_answer_and_the_explanation(engine: Engine) -> None:
    notes = wire_answer.explanation_shape(explain(engine, BY_ZONE, Request("ann")), {})["notes"]
    assert any("clipped at " in note for note in notes)
    assert card_of(engine, BY_ZONE)["notes"][-len(notes) :] == notes


def test_private_keys_come_with_their_threshold(engine: Engine) -> None:
    sql = "SELECT shop, COUNT(*) AS n FROM visit GROUP BY shop"
    (limit,) = Session(engine).explain(sql, client="ann")["thresholds"]
    assert any(
        f"fewer than about {limit['threshold']} people are hidden" in note for note in card_of(engine, sql)["notes"]
    )


def test_an_answer_without_groups_has_a_note_with_the_reason(engine: Engine) -> None:
    sql = "SELECT shop, COUNT(*) AS n FROM visit GROUP BY shop"
    assert wire_notes.NO_GROUPS_NOTE in card_of(engine, f"{sql} HAVING COUNT(*) > 1e9")["notes"]
    assert wire_notes.NO_GROUPS_NOTE not in card_of(engine, BY_ZONE)["notes"]
    assert (
        wire_notes.NO_GROUPS_NOTE not in card_of(engine, f"{BY_ZONE} HAVING COUNT(*) > 1e9")["notes"]
    )  # its keys are public
    assert wire_notes.NO_ROWS_NOTE in card_of(engine, f"{BY_ZONE} HAVING COUNT(*) > 1e9")["notes"]
    assert wire_notes.NO_ROWS_NOTE not in card_of(engine, BY_ZONE)["notes"]


def test_a_release_of_public_keys_alone_has_a_note(engine: Engine) -> None:
    told = wire_notes.KEYS_ONLY_NOTE.format("")
    for sql in ("SELECT zone FROM visit GROUP BY zone", "SELECT DISTINCT zone FROM visit"):
        assert told in card_of(engine, sql)["notes"]
    for sql in (BY_ZONE, "SELECT zone FROM visit GROUP BY zone HAVING COUNT(*) > 5", "SELECT DISTINCT shop FROM visit"):
        assert told not in card_of(engine, sql)["notes"]


def test_null_ratios_have_a_note(engine: Engine) -> None:
    def noise(exact: np.ndarray, *_: object) -> np.ndarray:
        return np.zeros_like(exact)

    card = card_of(replace(engine, add_noise=noise), BY_ZONE)
    assert card["intervals"]["m"] == [None] * 7
    assert card["notes"][0].startswith("m: 7 values are NULL")


@pytest.mark.parametrize("end", [float("nan"), float("inf"), float("-inf")])
def test_an_end_that_json_cannot_write_is_no_interval(engine: Engine, end: float) -> None:
    given = engine.answer("SELECT COUNT(*) - COUNT(DISTINCT person_id) AS n FROM visit", Request("ann"))
    strange = Answer(given.answer.table, {"n": (np.array([end]), np.array([1.0]))}, {})
    answered: Answered = replace(given, answer=strange)
    assert strict(wire_answer.answer_table(answered, {}, None).schema.metadata[wire_answer.CARD])["intervals"] == {
        "n": [None]
    }


def test_a_whole_end_beyond_64_bits_is_their_last_integer(engine: Engine) -> None:
    given = engine.answer("SELECT COUNT(*) - COUNT(DISTINCT person_id) AS n FROM visit", Request("ann"))
    strange = Answer(given.answer.table, {"n": (np.array([-1e30]), np.array([2.0**63]))}, {})
    card = strict(wire_answer.answer_table(replace(given, answer=strange), {}, None).schema.metadata[wire_answer.CARD])
    assert card["intervals"] == {"n": [[-(2**63), 2**63 - 1]]}


def test_a_price_is_never_rounded_down(engine: Engine) -> None:
    loss = engine.answer("SELECT shop, COUNT(*) AS n FROM visit GROUP BY shop", Request("ann")).charged_loss
    price = wire_answer.price(loss)
    check(PRICE, price)
    assert (price["rho"], price["delta"]) == (0.005, 1e-12)
    assert price["epsilon_at_delta"]["delta"] == pytest.approx(1e-9 + 1e-12)
    assert 0.56 < price["epsilon_at_delta"]["epsilon"] < 0.57


def test_tables_are_listed_without_hidden_columns(engine: Engine) -> None:
    shown = [wire_tables.table_shape(table, engine.catalog) for table in engine.catalog.tables]
    tables = {table["name"]: table for table in shown}
    assert set(tables) == {"person", "visit", "purchase", "zone"}
    assert "consent" not in {column["name"] for table in shown for column in table["columns"]}
    columns = {column["name"]: column for column in tables["visit"]["columns"]}
    assert columns["zone"] == {"name": "zone", "type": "VARCHAR", "nullable": False, "values_of": "zone.zone"}
    minutes = {"bounds": [0, 60], "sum_norm": 600, "centred_norm": 300, "centre": 30}
    assert columns["minutes"] == {"name": "minutes", "type": "DOUBLE", "nullable": True} | minutes
    assert tables["purchase"]["columns"][-1] == {
        "name": "person_id",
        "type": "BIGINT",
        "nullable": False,
    }  # of its visit
    assert tables["visit"]["norms"] == {"rows": 20, "persons": 3, "covers": 0.98, "by_keys": []}
    assert (tables["zone"]["norms"], tables["zone"]["primary_key"]) == (None, ["zone"])
    assert columns["day"]["range"] == ["2026-10-01", "2026-10-04"]
    assert [tables[name]["person"] for name in tables] == ["person_id", "person_id", "person_id", None]
    assert {tables[name]["kind"] for name in ("person", "visit", "purchase")} == {"private"}
    assert tables["zone"]["kind"] == "public"


def test_the_client_knows_the_card_and_the_codes_of_the_wire() -> None:
    """A code that no note has would be a phrase that nobody reads; a card's key that the client drops would be lost."""
    assert {*summary.PHRASES, *summary.OMITTED} <= set(NoteCode)
    assert tuple(wire_answer.EMPTY_CARD) == CARD_KEYS
