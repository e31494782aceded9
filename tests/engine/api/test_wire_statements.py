"""Statements take the same path as queries, and cost nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import date

import pytest

from dialect.catalog.privacy_windows import PrivacyWindow, WindowRange
from engine.api.session import Session
from engine.api.wire import tables as wire_tables
from engine.api.wire.statements import describe_table
from engine.api.wire.tables import CHARGED_TEXT, TIMELESS_TEXT
from engine.errors import Refused
from engine.pipeline.engine import Engine

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
    table = Session(engine).query(sql, client="ann")
    assert value in table.column(column).to_pylist()
    card = json.loads(table.schema.metadata[b"passersby"])
    assert card["price"]["rho"] == 0 and card["release_id"] is None and card["intervals"] == {}
    assert not engine.ledger.entries()


def test_an_explanation_is_whole(engine: Engine) -> None:
    sql = "SELECT shop, COUNT(DISTINCT person_id) AS n, AVG(minutes) AS m, 7 AS seven FROM visit GROUP BY shop"
    session = Session(engine)
    told = session.explain(sql, client="ann")
    rows = session.query(f"EXPLAIN PRIVACY {sql}", client="ann").to_pylist()
    found = {(row["part"], row["name"]): (row["value"], row["told"]) for row in rows}
    assert found["price", "rho"] == (told["price"]["rho"], None)
    assert found["price", "epsilon"][0] == told["price"]["epsilon_at_delta"]["epsilon"]
    assert found["left", "client"] == (told["remaining"]["client"]["rho"], "rho, before this")
    assert found["column", "n"] == (
        told["expected_error"]["n"],
        "BIGINT, half-width of its intervals at confidence 0.95",
    )
    assert found["column", "m"][0] is None and "depends on the answer" in str(found["column", "m"][1])
    assert found["column", "seven"] == (None, "BIGINT, without noise of its own")
    assert found["key", "shop"][0] is None and str(found["key", "shop"][1]).startswith("private: ")
    assert "predicted bias" in str(found["bound", "persons"][1])
    assert found["threshold", "persons"][0] == told["thresholds"][0]["threshold"]
    assert found["window", "forever"] == (None, "charged in full")
    session.query(sql, client="ann")
    again = session.query(f"EXPLAIN PRIVACY {sql}", client="ann").to_pylist()
    assert again[0] == {"part": "price", "name": "rho", "value": 0.0, "told": "free: asked before"}


def test_names_are_chosen_by_a_pattern(engine: Engine) -> None:
    session = Session(engine)
    names = {
        pattern: set(session.query(f"SHOW FUNCTIONS LIKE '{pattern}'", client="ann").column("name").to_pylist())
        for pattern in ("%Date%", "l_g", "(.*)", "nothing")
    }
    assert "date_trunc" in names["%Date%"] and all("date" in name for name in names["%Date%"])
    assert (names["l_g"], names["(.*)"], names["nothing"]) == ({"lag", "log"} & names["l_g"], set(), set())
    assert names["l_g"] and session.query("SHOW TABLES LIKE 'vis%'", client="ann").column("name").to_pylist() == [
        "visit"
    ]


def test_describe_states_column_declarations_in_words(engine: Engine) -> None:
    rows = Session(engine).query("DESCRIBE visit", client="ann").to_pylist()
    declared = {row["name"]: row["declared"] for row in rows}
    assert not any("{" in told for told in declared.values())
    assert any(told.startswith("clamped to") and "a person counts up to" in told for told in declared.values())


WEEKS = WindowRange(PrivacyWindow.WEEK, date(2026, 9, 28), date(2026, 10, 19))


@pytest.mark.parametrize(
    ("stretch", "windows", "days", "note"),
    [
        (None, ("forever", None, None), (None, None), "A person's whole history is one window."),
        (
            *(WEEKS, ("week", "2026-W40", "2026-W43"), ("2026-09-28", "2026-10-25")),
            "Declared are the days 2026-09-28 to 2026-10-25, in windows of one week: 2026-W40 to 2026-W43.",
        ),
    ],
)
def test_tables_report_their_queryable_time_range(
    engine: Engine,
    stretch: WindowRange | None,
    windows: tuple[str | None, ...],
    days: tuple[str | None, ...],
    note: str,
) -> None:
    dataset = replace(
        engine.catalog.datasets[0], window_range=stretch, window=stretch.window if stretch else PrivacyWindow.FOREVER
    )
    catalog = replace(engine.catalog, datasets=(dataset,))
    visit, zone = (
        wire_tables.table_shape(each, catalog) for each in map(catalog.tables_by_name.get, ("visit", "zone")) if each
    )
    assert tuple(visit[name] for name in ("window", "first_window", "last_window")) == windows
    assert (visit["first_day"], visit["last_day"]) == days
    assert {zone[name] for name in ("window", "first_window", "last_window", "first_day", "last_day")} == {None}
    card = describe_table(visit, catalog, {}).schema.metadata[b"passersby"]
    notes = json.loads(card)["notes"]
    assert notes[0] == note and (TIMELESS_TEXT in notes) is (stretch is not None) and CHARGED_TEXT not in notes
    timed = next(
        wire_tables.table_shape(replace(each, time_column="day"), catalog) for each in catalog.tables if each.private
    )
    assert timed["windows_told"] == [note, *([CHARGED_TEXT] if stretch else [])] and zone["windows_told"] == []
    assert "window" not in str(json.loads(describe_table(zone, catalog, {}).schema.metadata[b"passersby"])["notes"])
    shown = Session(replace(engine, catalog=catalog)).query("SHOW TABLES LIKE 'visit'", client="ann").to_pylist()
    assert tuple(shown[0][name] for name in ("window", "first_window", "last_window")) == windows


def test_bounds_of_several_grouping_sets_name_their_set(engine: Engine) -> None:
    session = Session(engine)
    sql = "SELECT zone, COUNT(DISTINCT person_id) AS n FROM visit GROUP BY ROLLUP (zone)"
    assert {bound["release"] for bound in session.explain(sql, client="ann")["bounds"]} == {"by zone", "of all rows"}
    told = session.query(f"EXPLAIN PRIVACY {sql}", client="ann").to_pylist()
    assert {row["told"].partition(":")[0] for row in told if row["part"] == "bound"} == {"by zone", "of all rows"}


def test_functions_are_listed_with_arguments_and_meaning(engine: Engine) -> None:
    rows = Session(engine).query("SHOW FUNCTIONS", client="ann").to_pylist()
    assert all(row["name"] and row["gives"] and row["meaning"] for row in rows)
    forms = {(row["name"], row["arguments"]): (row["gives"], row["meaning"]) for row in rows}
    assert len(forms) == len(rows), "each form once"
    assert forms["abs", "integer"] == ("BIGINT", "as in DuckDB")
    assert forms["haversine_m", "longitude, latitude, longitude, latitude"][1] != "as in DuckDB"
    assert forms["home_zone", "rows, min_nights => 1, from_hour => 22, to_hour => 7"][0] == "rows of zone_id, nights"
    assert forms["count", "*"] == ("BIGINT", "aggregate over people, one person's rows, releases")


@pytest.mark.parametrize(("pattern", "found"), [("%DATE_T%", "date_trunc"), ("ab_", "abs"), ("_at_", None), ("", None)])
def test_names_are_like_a_pattern_in_any_case(engine: Engine, pattern: str, found: str | None) -> None:
    rows = Session(engine).query(f"SHOW FUNCTIONS LIKE '{pattern}'", client="ann").to_pylist()
    assert {row["name"] for row in rows} == ({found} if found else set())


def test_no_pattern_holds_the_engine_up() -> None:
    """In a process of its own: a matcher that tries every way of dividing a name among 30 % would not come back."""
    told = "from engine.api.wire.statements import function_rows, filter_like"
    asked = f"{told}; print(filter_like(function_rows(), '%' * 30 + '!'))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_releases_are_those_that_were_paid_for(engine: Engine) -> None:
    session = Session(engine)
    assert session.query("SHOW RELEASES", client="ann").num_rows == 0
    session.query(f"{COUNT} -- of all", client="ann")
    (paid,) = session.query("SHOW RELEASES", client="ann").to_pylist()
    assert paid["sql"] == COUNT and paid["question"] != COUNT


def test_a_refusal_points_into_the_whole_statement(engine: Engine) -> None:
    sql = "EXPLAIN PRIVACY SELECT COUNT(nothing) FROM visit"
    with pytest.raises(Refused) as caught:
        Session(engine).query(sql, client="ann")
    start, end = caught.value.problem["span"]
    assert sql[start:end] == "nothing" and caught.value.problem["code"] == "E_COLUMN"
