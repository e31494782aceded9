"""Conditions that no listed value, or no declared date, meets: noted or refused before the charge, without the data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dialect import Code, Refusal, compile_query
from dialect.algebra import NoteCode
from engine.backends import duckdb
from engine.catalog.file import load_catalog
from engine.errors import EngineKind
from engine.pipeline.engine import Engine
from engine.pipeline.explain import explain
from engine.pipeline.notes import _suggestion
from engine.pricing.query_terms import Request
from tests.engine.town import CATALOG


class Noted:
    """A backend of which everything but public rows fails."""

    def __init__(self, inner: Any) -> None:
        self.target, self.count, self.values = inner.target, inner.count, inner.values
        self.empty = inner.empty


def notes(engine: Engine, condition: str) -> list[str]:
    apart = replace(engine, backend=Noted(engine.backend))  # type: ignore[arg-type]
    told = explain(apart, f"SELECT COUNT(*) AS n FROM visit WHERE {condition}", Request("ann")).notes
    return [note.text for note in told if note.code is NoteCode.UNKNOWN_VALUE]


@pytest.mark.parametrize(
    ("condition", "odd"),
    [
        ("zone IN ('z0', 'nowhere')", ["nowhere"]),
        ("(zone IN ('nowhere', 'nothing') OR minutes > 3)", ["nowhere", "nothing"]),
        ("zone <> 'nowhere'", ["nowhere"]),
        ("zone IS NOT NULL", []),
        ("upper(zone) = 'nowhere'", []),
    ],
)
def test_a_value_absent_from_the_public_table_has_a_note(engine: Engine, condition: str, odd: list[str]) -> None:
    found = notes(engine, condition)
    assert [note.split("'")[1] for note in found] == odd
    assert all(note.startswith("zone: ") and "is no zone of zone" in note for note in found)


def test_a_value_of_the_public_table_has_no_note(engine: Engine) -> None:
    assert notes(engine, "zone = 'z0'") == []


def test_only_a_few_of_many_unknown_values_are_listed(engine: Engine) -> None:
    listed = ", ".join(f"'nowhere {place}'" for place in range(50))
    told = explain(engine, f"SELECT COUNT(*) AS n FROM visit WHERE zone IN ('z0', {listed})", Request("ann")).notes
    texts = [note.text for note in told if note.code is NoteCode.UNKNOWN_VALUE]
    assert len(texts) == 9 and texts[-1] == "zone: 42 more are no zone of zone either."


@pytest.mark.parametrize(
    ("sql", "why", "hint"),
    [
        (
            "SELECT COUNT(*) FROM visit WHERE zone = 'Z3'",
            "zone: 'Z3' is no zone of zone",
            "zone = 'z3' -- of 'z3'",
        ),
        ("SELECT COUNT(*) FROM visit WHERE 'x' = zone AND minutes > 3", "zone: 'x' is no zone of", "one of 'z0', 'z1'"),
        ("SELECT COUNT(*) FROM visit WHERE zone IN ('x', 'y')", "'x' is no zone", "one of"),
        ("SELECT COUNT(*) FROM visit WHERE dayname(day) = 'sunday'", "is never 'sunday'", "'Sunday' -- of 'Sunday'"),
        ("SELECT COUNT(*) FROM visit WHERE isodow(day) IN (0, 8)", "isodow(day) is never 0", "one of 1, 2, 3, 4"),
        ("SELECT COUNT(*) FROM person WHERE gender = 'female'", "its declared values", "one of 'f', 'm'"),
        ("SELECT COUNT(*) FROM visit JOIN zone USING (zone) WHERE name = 'zone 4'", "is no name of zone", "'Zone 4'"),
        ("SELECT zone, COUNT(*) FROM visit WHERE zone = 'x' GROUP BY zone", "zone: 'x'", "one of"),
        ("SELECT COUNT(*) FROM (SELECT person_id FROM visit WHERE zone = 'x' GROUP BY 1)", "zone: 'x'", "one of"),
    ],
)
def test_a_condition_that_no_listed_value_meets_is_refused_before_the_charge(
    engine: Engine, sql: str, why: str, hint: str
) -> None:
    for ask in (engine.answer, lambda *asked: explain(engine, *asked)):
        with pytest.raises(Refusal) as refused:
            ask(sql, Request("ann"))
        assert refused.value.code is Code.KEY
        assert refused.value.kind in (EngineKind.UNLISTED_VALUE, EngineKind.UNKNOWN_VALUE, EngineKind.NO_RESULT)
        assert why in refused.value.why and hint in refused.value.hint
    assert not any(entry.kind == "charge" for entry in engine.ledger.entries())


@pytest.mark.parametrize(
    ("condition", "instead"),
    [
        ("day > '2026-12-01'", "day > '2026-10-01' -- of declared dates"),
        ("day BETWEEN '2025-10-02' AND '2025-10-03'", "day BETWEEN '2026-10-02' AND '2026-10-03' -- in 2026"),
        ("day BETWEEN '2026-09-02' AND '2026-09-09'", "day BETWEEN '2026-10-01' AND '2026-10-04' -- of declared dates"),
        ("day < '2026-09-01' AND minutes > 3", "day < '2026-10-04' AND minutes > 3 -- of declared dates"),
        ("year(day) = 2025", "year(day) = 2026 -- in 2026"),
        ("date_trunc('month', day) = '2026-11-01'", "date_trunc('month', day) = '2026-10-01' -- of declared dates"),
        ("month(day) = 9", "dates from 2026-10-01 to 2026-10-04"),
    ],
)
def test_conditions_that_no_declared_date_meets_are_refused_before_the_charge(
    engine: Engine, condition: str, instead: str
) -> None:
    for ask in (engine.answer, lambda *asked: explain(engine, *asked)):
        with pytest.raises(Refusal, match="2026-10-01 to 2026-10-04, has no date that meets the") as refused:
            ask(f"SELECT COUNT(*) FROM visit WHERE {condition}", Request("ann"))
        assert refused.value.kind is EngineKind.NO_DECLARED_DATE
        assert refused.value.hint.endswith(instead)
        if refused.value.suggestion is not None:
            assert explain(engine, refused.value.suggestion.sql, Request("ann")).loss.pico_rho > 0
    assert not any(entry.kind == "charge" for entry in engine.ledger.entries())


@pytest.mark.parametrize(
    "condition",
    [
        "zone = 'z1'",
        "trim(zone) = 'x'",
        "zone <> 'x'",
        "(zone = 'x' OR minutes > 3)",
        "minutes = 1000000",
        "day > '2026-10-03'",
        "day IS NOT NULL OR day > '2027-01-01'",
        "CAST(day AS VARCHAR) = '2027'",
    ],
)
def test_conditions_that_rows_may_meet_are_answered(engine: Engine, condition: str) -> None:
    assert engine.answer(f"SELECT COUNT(*) FROM visit WHERE {condition}", Request("ann")).charged_loss.pico_rho > 0
    filtered = f"SELECT COUNT(*) FILTER (WHERE zone = 'x'), COUNT(*) FROM visit WHERE {condition}"
    assert explain(engine, filtered, Request("ann")).loss.pico_rho > 0


@pytest.mark.parametrize("charged", [True, False])
def test_an_answer_and_its_replay_have_the_notes_of_explain(engine: Engine, charged: bool) -> None:
    sql, asked = "SELECT COUNT(*) AS n FROM visit WHERE zone IN ('z0', 'nowhere')", Request("ann")
    before = notes(engine, "zone IN ('z0', 'nowhere')")
    answered = engine.answer(sql, asked) if charged else (engine.answer(sql, asked), engine.answer(sql, asked))[1]
    assert (answered.charged_loss.pico_rho > 0) is charged
    assert before and set(before) <= {note.text for note in answered.notes}


def test_a_repeated_query_does_no_value_lookup(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    sql, asked = "SELECT COUNT(*) AS n FROM visit WHERE zone IN ('z0', 'nowhere')", Request("ann")
    told = explain(engine, sql, asked).notes
    monkeypatch.setattr("engine.pipeline.notes.column_values", None)
    assert explain(engine, sql, asked).notes == told


@pytest.mark.parametrize(
    ("value", "values", "told"),
    [
        ("p1", ["P1", "P2"], ", which has 'P1'"),
        ("18-25", ["18-24", "25-34"], ", which has '18-24', '25-34'"),
        ("Hamburgg", [f"Town {i}" for i in range(20)] + ["Hamburg"], ", which has 'Hamburg'"),
        ("p77 ", [f"P{i}" for i in range(5_000)], ", which has 'P77'"),
        ("x", [f"P{i}" for i in range(5_000)], ""),
        (9, [1, 2, 3], ""),
    ],
)
def test_a_misspelt_value_suggests_similar_ones(value: object, values: list[object], told: str) -> None:
    assert _suggestion(value, values) == told


def test_the_values_of_a_public_column_are_read_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks next waits for no reading; what is too much to keep is read each time."""
    read, table = list[str](), engine.backend._table  # type: ignore[attr-defined]
    monkeypatch.setattr(engine.backend, "_table", lambda sql: (read.append(sql), table(sql))[1])
    for kept, times in ((10_000, 1), (0, 6)):  # by the check, the note and narrower questions
        monkeypatch.setattr(duckdb, "MAX_CACHED_VALUES", kept)
        engine.backend._columns.clear()  # type: ignore[attr-defined]
        read.clear()
        assert [len(notes(replace(engine), "zone IN ('z0', 'nowhere')")) for _ in range(2)] == [1, 1]
        assert sum("count(*)" not in sql for sql in read) == times  # their number is asked for by whoever is first


@pytest.mark.parametrize("asked", ["AVG(coins)", "SUM(coins)", "CORR(minutes, coins)"])
def test_a_number_with_a_declared_range_is_clamped_to_it(tmp_path: Path, asked: str) -> None:
    """A key set bounds no number: rows may have others, which count as its ends."""
    old = "bounds = [0, 9], sum_norm = 60, centred_norm = 30 }"
    assert old in CATALOG
    (tmp_path / "catalog.toml").write_text(CATALOG.replace(old, "range = [0, 9] }"), encoding="utf-8")
    question = compile_query(f"SELECT {asked} FROM visit", load_catalog(tmp_path / "catalog.toml"))
    assert (0.0, 9.0) in [(vector.lower, vector.upper) for vector in question.plans[0].vectors if vector.is_sum]
