"""Statements go the way of questions, and cost nothing."""

from __future__ import annotations

import json

import pytest

from engine.desk import Desk, Refused
from engine.pipeline import Engine

COUNT = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"


@pytest.mark.parametrize(
    ("sql", "column", "value"),
    [
        ("SHOW TABLES", "name", "visit"),
        ("SHOW BUDGET", "client", "ann"),
        ("SHOW FUNCTIONS", "name", "abs"),
        ("DESCRIBE visit", "name", "zone"),
        (f"EXPLAIN PRIVACY {COUNT}", "name", "n"),
        (f"EXPLAIN PRIVACY {COUNT}", "part", "window"),
    ],
)
def test_a_statement_is_answered_for_free(engine: Engine, sql: str, column: str, value: str) -> None:
    table = Desk(engine).query(sql, client="ann")
    assert value in table.column(column).to_pylist()
    card = json.loads(table.schema.metadata[b"passersby"])
    assert card["price"]["rho"] == 0 and card["release_id"] is None and card["intervals"] == {}
    assert not engine.ledger.entries()


def test_releases_are_those_that_were_paid_for(engine: Engine) -> None:
    desk = Desk(engine)
    assert desk.query("SHOW RELEASES", client="ann").num_rows == 0
    desk.query(COUNT, client="ann")
    assert desk.query("SHOW RELEASES", client="ann").num_rows == 1


def test_a_refusal_points_into_the_whole_statement(engine: Engine) -> None:
    sql = "EXPLAIN PRIVACY SELECT COUNT(nothing) FROM visit"
    with pytest.raises(Refused) as caught:
        Desk(engine).query(sql, client="ann")
    start, end = caught.value.problem["span"]
    assert sql[start:end] == "nothing" and caught.value.problem["code"] == "E_COLUMN"
