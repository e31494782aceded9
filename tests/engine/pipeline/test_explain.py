"""What a question would cost and show: no data, no charge, and the same refusals."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pytest

from budgets import Loss
from dialect import Catalog, Refusal
from dialect.algebra import NoteCode
from engine.api.wire.answer import column_shapes
from engine.pipeline.engine import Engine
from engine.pipeline.explain import Explained, explain
from engine.pipeline.notes import question_notes
from engine.pricing.query_terms import Request

ANN = Request("ann")
QUESTIONS = {
    "count": "SELECT COUNT(*) AS n FROM visit",
    "by zone": "SELECT zone, COUNT(*) AS n, SUM(minutes) AS total FROM visit GROUP BY zone",
    "mean": "SELECT AVG(minutes) AS m FROM visit",
    "people by zone": "SELECT zone, COUNT(DISTINCT person_id) AS n FROM visit GROUP BY 1",
    "index": "SELECT zone, n - 100 AS above FROM (SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone) AS q",
    "minutes": "SELECT zone, round(CAST(2 * n - people AS BIGINT), -2) AS n, CAST(m AS BIGINT) + 1 AS m FROM (SELECT zone,"
    " COUNT(*) AS n, COUNT(DISTINCT person_id) AS people, SUM(minutes) AS m FROM visit GROUP BY zone) AS q",
    "private": "SELECT shop, COUNT(DISTINCT person_id) AS n FROM visit GROUP BY shop",
}


class Untouched:
    """Data that fail on every read."""

    def __init__(self, inner: Any) -> None:
        self.target, self.count, self.empty = inner.target, inner.count, inner.empty


def explained(engine: Engine, name: str, asked: Request = ANN) -> Explained:
    return explain(engine, QUESTIONS[name], asked)


@pytest.mark.parametrize("name", QUESTIONS)
def test_nothing_is_read_and_nothing_is_charged(engine: Engine, name: str) -> None:
    apart = replace(engine, backend=Untouched(engine.backend))  # type: ignore[arg-type]
    explained(apart, name)
    assert (engine.ledger.entries(), engine.ledger.accounts()) == ((), ())


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("asked", [ANN, Request("ann", rho=Fraction(1, 50))])
def test_the_price_is_what_is_charged(engine: Engine, name: str, asked: Request) -> None:
    before = explained(engine, name, asked)
    assert not before.is_free
    assert engine.answer(QUESTIONS[name], asked).charged_loss == before.loss
    after = explained(engine, name, asked)
    assert (after.is_free, after.loss) == (True, Loss(0, 0))
    assert not explained(engine, name, replace(asked, client="ben")).is_free


@pytest.mark.parametrize("name", ["count", "by zone", "people by zone", "index", "minutes"])
def test_the_expected_error_is_the_half_width_of_the_interval(engine: Engine, name: str) -> None:
    asked = replace(ANN, confidence=0.9)
    before = explained(engine, name, asked)
    given = engine.answer(QUESTIONS[name], asked)
    assert set(before.expected_error) == set(given.answer.intervals)
    for column, (lower, upper) in given.answer.intervals.items():
        assert (upper - lower) / 2 == pytest.approx(before.expected_error[column])
        if pa.types.is_integer(given.answer.table.column(column).type):
            assert set(((upper - lower) / 2).tolist()) == {before.expected_error[column]}  # whole, and one for all rows


def test_a_data_dependent_error_is_not_predicted(engine: Engine) -> None:
    assert explained(engine, "mean").expected_error == {"m": None}


def test_the_generated_sql_is_what_is_run(engine: Engine) -> None:
    found = explained(engine, "by zone")
    assert found.sql == found.prepared[0].sql.text


def test_public_questions_are_free(engine: Engine) -> None:
    found = explain(engine, "SELECT * FROM zone", ANN)
    assert (found.loss, found.is_free, found.sql, found.prepared) == (Loss(0, 0), False, "", ())


@pytest.mark.parametrize("sql", ["SELECT shop FROM visit", "SELECT", "SELECT MAX(shop) FROM visit"])
def test_explain_and_answer_raise_the_same_refusal(engine: Engine, sql: str) -> None:
    said = []
    for ask in (lambda: explain(engine, sql, ANN), lambda: engine.answer(sql, ANN)):
        with pytest.raises(Refusal) as refused:
            ask()
        said.append((refused.value.code, refused.value.why, refused.value.hint, refused.value.span))
    assert said[0] == said[1]


def test_a_price_beyond_the_budget_is_explained_all_the_same(engine: Engine) -> None:
    assert explained(engine, "count", Request("ann", rho=Fraction(5))).loss == Loss.rounded_up("5", "0")


def test_types_are_those_of_the_answer(engine: Engine) -> None:
    """Types are the dialect's, independent of the width in which a number is stored or computed."""
    known = {"BIGINT": pa.int64(), "DOUBLE": pa.float64(), "VARCHAR": pa.string()}
    for sql in (
        "SELECT coins, COUNT(*) AS n, SUM(coins) AS s, AVG(minutes) AS m FROM visit WHERE coins < 5 GROUP BY coins",
        "SELECT zone, 1 AS one, CAST(1.5 AS DOUBLE) AS x, length(zone) AS letters FROM zone",
    ):
        told = {column["name"]: known[column["type"]] for column in column_shapes(explain(engine, sql, ANN).question)}
        table = engine.answer(sql, ANN).answer.table
        assert told == dict(zip(table.column_names, table.schema.types, strict=True))


def _wide_value_notes(engine: Engine, sql: str) -> list[str]:
    notes = question_notes(explain(engine, sql, Request("ann")))
    return [note.text for note in notes if note.code is NoteCode.WIDE_VALUES]


def test_a_wide_range_of_one_persons_value_is_noted(engine: Engine) -> None:
    minutes = "FROM (SELECT person_id, SUM(minutes) AS m, COUNT(*) AS n FROM visit GROUP BY 1)"
    (note,) = _wide_value_notes(engine, f"SELECT AVG(m) {minutes}")
    assert (
        note.startswith("sum(minutes): one person's value may be anything up to 600,000") and "least(x, 10000)" in note
    )
    for narrow in ("least(m, 10000)", "LEAST(n, 5)"):
        assert not _wide_value_notes(engine, f"SELECT AVG({narrow}) {minutes}")


def test_a_length_of_time_that_may_be_negative_is_noted(engine: Engine) -> None:
    rows = "FROM (SELECT day, LAG(day) OVER (PARTITION BY person_id ORDER BY day) AS prev FROM visit)"
    (note,) = _wide_value_notes(engine, f"SELECT AVG(date_diff('hour', prev, day)) {rows}")
    assert "a length of time may be anything from -" in note and "least(greatest(x, 0), " in note
    for narrow in ("least(greatest(date_diff('hour', prev, day), 0), 48)", "epoch(day)"):
        assert not _wide_value_notes(engine, f"SELECT AVG({narrow}) {rows}")


def test_rows_of_a_usual_group_follow_from_public_sizes(town: Catalog, engine: Engine) -> None:
    tables = tuple(replace(table, clip_bounds=None) if table.name == "visit" else table for table in town.tables)
    undeclared = replace(engine, catalog=replace(town, tables=tables))

    def rows(sql: str) -> float | None:
        return explain(undeclared, sql, ANN).expected.usual_rows

    by_zone = "SELECT zone, COUNT(*) AS n FROM visit {}GROUP BY zone"
    assert rows(by_zone.format("")) == pytest.approx(1_000 / 7)
    assert rows(by_zone.format("WHERE minutes > 3 ")) is None  # which may leave few of them
    assert rows(f"{by_zone.format('')} ORDER BY n DESC LIMIT 3") is None


def test_a_count_of_values_that_noise_exceeds_is_noted(engine: Engine) -> None:
    def few(sql: str) -> list[str]:
        notes = question_notes(explain(engine, sql, Request("ann")))
        return [note.text for note in notes if note.code is NoteCode.FEW_VALUES]

    assert few("SELECT COUNT(DISTINCT day) FROM visit")[0].startswith(
        "count(distinct day): at most 4 values are declared"
    )
    assert not few("SELECT COUNT(DISTINCT gender) FROM person")  # constant per person
    assert not few("SELECT COUNT(DISTINCT shop), COUNT(DISTINCT person_id) FROM visit")


def test_the_calendar_bounds_the_expected_error_of_different_days(engine: Engine) -> None:
    """Four days are declared: at any noise no interval is wider than from 0 to 4."""
    found = explain(engine, "SELECT COUNT(DISTINCT day) AS days FROM visit", Request("ann", rho=Fraction(1, 1000)))
    assert found.expected_error == {"days": 2.0}
