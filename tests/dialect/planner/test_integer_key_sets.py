"""Every whole number that the engine computes of numbers within their ends is in the public list of its key."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import duckdb
import pytest

from dialect.algebra.codegen_types import Target
from dialect.algebra.expressions import Expr, Field, Literal, fields_of
from dialect.algebra.release_plan import KeySet, PrivatePlan
from dialect.analysis import predicates
from dialect.analysis.clocks import epoch_bounds
from dialect.catalog.model import Bounds
from dialect.codegen.relations.relation import write_rows
from dialect.errors import Code, Refusal
from dialect.functions.emitter import plain_text, quote_literal, write_expr

BOTH = "FROM events JOIN subscribers USING (subscriber_id)"

# key and WHERE -> number of keys, or None for private keys
KEYS: dict[tuple[str, str], int | None] = {
    ("age // 10", ""): 12,
    ("age // 10 * 10", ""): 12,
    ("age - age % 7", ""): 16,
    ("age // 10", "WHERE age BETWEEN 18 AND 64"): 6,
    ("age // 10", "WHERE age > 20"): 9,
    ("age // 10", "WHERE age < 20 AND 9 < age"): 1,
    ("age // -10", ""): 12,
    ("age // 0", ""): 1,
    ("round(age, -1)", ""): 12,
    ("floor(age / 10)", ""): 12,
    ("age // 10", "WHERE age > 40 AND age < 30"): 0,
    ("floor(dwell_s / 60)", ""): 122,
    ("floor(dwell_s / 60)", "WHERE dwell_s >= 60 AND dwell_s < 180"): 2,
    ("floor(dwell_s / 60)", "WHERE floor(dwell_s / 60) < 5 AND dwell_s IS NOT NULL"): 5,
    ("ceil(dwell_s / 60)", "WHERE dwell_s > 0 AND dwell_s <= 600"): 11,  # the least number above 0 is nothing when divided
    ("CAST(dwell_s / 1000 AS BIGINT)", ""): 9,
    ("CAST(dwell_s / 1000 AS TINYINT)", ""): 9,
    ("CAST(dwell_s AS TINYINT)", ""): 7202,
    ("round(lat / 10)", ""): 20,
    ("round(lat)", "WHERE lat BETWEEN -0.5 AND 0.5"): 3,
    ("trunc(lat)", "WHERE lat > -1 AND lat < 1"): 1,
    ("CAST(abs(lat) / 7.3 AS INTEGER) % 4", "WHERE lat < 0"): 4,
    ("floor(lat * lat / 100)", ""): 83,
    ("floor(sqrt(dwell_s))", ""): 86,
    ("floor(ln(dwell_s))", "WHERE dwell_s >= 1"): 9,
    ("floor(lat / 30), age // 50", "WHERE lat IS NOT NULL AND age >= 0"): 7 * 3,
    ("CASE WHEN lat > 0 THEN floor(lat / 30) ELSE -1 END", "WHERE lat > -30"): 5,
    ("floor(lon)", "WHERE lon BETWEEN -104 AND -103"): 2,
    ("floor(lon * 2)", "WHERE lon * 2 BETWEEN -1 AND 2"): 4,
    ("floor(floor(lon) / 2)", "WHERE floor(lon) BETWEEN 0 AND 7"): 4,
    ("floor(dwell_s * 2)", ""): 14_402,
    ("CAST(dwell_s * 2 AS BIGINT)", ""): None,  # 14,402 of them
    ("CAST(dwell_s AS BIGINT), CAST(lat AS BIGINT), age // 10", ""): None,  # 15,900,000 of them
    ("CAST(lon AS BIGINT)", ""): None,
    ("CAST(lon AS BIGINT)", "WHERE lon < 0"): None,
    ("CAST(dwell_s / nullif(lat, 0) AS BIGINT)", ""): None,
    ("cell_id + age", ""): None,
    ("age", ""): None,
}  # fmt: skip

OF_TIMES: dict[tuple[str, str], int | None] = {  # the ends are those of numbers that are computed of them
    ("floor(epoch(ts) / 900) * 900", "WHERE floor(epoch(ts) / 900) BETWEEN 1988000 AND 1988003"): 4,
    ("floor(epoch(ts) / 900)", "WHERE epoch(ts) BETWEEN 1789200000 AND 1789202700"): 4,
}

SINCE_EPOCH: dict[tuple[str, str], int | None] = {  # the ends are those of the time
    ("floor(epoch(ts) / 900) * 900", "WHERE ts >= TIMESTAMP '2026-10-02' AND ts < TIMESTAMP '2026-10-03'"): 96,
    ("to_timestamp(floor(epoch(ts) / 900) * 900)", "WHERE CAST(ts AS DATE) = DATE '2026-10-02'"): 96,
    ("make_timestamp(epoch_us(ts) // 3600000000 * 3600000000)", "WHERE date_trunc('day', ts) = DATE '2026-10-02'"): 24,
    ("epoch_ms(epoch_ms(ts) // 3600000 * 3600000)", "WHERE CAST(ts AS DATE) = DATE '2026-10-02'"): 25,  # rounded up
    ("floor(epoch(CAST(ts AS DATE)) / 86400)", "WHERE CAST(ts AS DATE) >= '1969-12-30' AND ts < '1970-01-03'"): 4,
    ("floor(epoch(ts) / 900) * 900", "WHERE ts >= '2026-10-02' AND ts < '2026-10-03' AND epoch(ts) < 1790902800"): 4,
}
DECLARED: dict[tuple[str, str], int | None] = {  # the ends are those of a declared week
    ("to_timestamp(floor(epoch(ts) / 3600) * 3600)", ""): 7 * 24 + 1,  # ts may be NULL
    ("floor(epoch(ts) / 900)", "WHERE ts IS NOT NULL"): 7 * 96,
    ("floor(epoch(ts) / 900)", "WHERE ts < '2026-10-03'"): 2 * 96,
    ("make_timestamp(epoch_us(ts) // 3600000000 * 3600000000)", "WHERE ts >= to_timestamp(1791158400)"): 3 * 24,
}
QUESTIONS = KEYS | OF_TIMES | SINCE_EPOCH | DECLARED
WEEK = "(ts IS NULL OR CAST(ts AS DATE) BETWEEN '2026-10-01' AND '2026-10-07')"


def _listed(plan: PrivatePlan, target: Target, database: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    key_set = plan.key_set
    assert isinstance(key_set, KeySet)
    shown = ", ".join(f.id for f in key_set.keys)
    return database.execute(f"SELECT {shown} FROM ({write_rows(key_set.relation, key_set.keys, target)})").fetchall()


@pytest.mark.parametrize(("keys", "where"), QUESTIONS)
def test_the_size_of_an_integer_key_set(
    keys: str, where: str, plan_of: Callable[[str], PrivatePlan], target: Target, database: duckdb.DuckDBPyConnection
) -> None:
    plan = plan_of(f"SELECT {keys}, COUNT(*) {BOTH} {where} GROUP BY ALL")
    found = None if plan.key_set is None else _listed(plan, target, database)
    assert (found if found is None else len(found)) == QUESTIONS[keys, where], found and sorted(found, key=repr)[:20]


def _values(column: Field) -> list[int | float | None]:
    """Values within the declared range of a column: the ends, next to them, halves, zeros and around them."""
    assert column.bounds is not None
    low, high = column.bounds.lower, column.bounds.upper
    whole = [float(x) for x in range(math.ceil(low), math.floor(high) + 1, max(1, int(high - low) // 300))]
    if column.type.value == "BIGINT":
        return [None, int(low), int(high), *map(int, whole)]
    near = [math.nextafter(x, to) for x in whole for to in (-math.inf, math.inf)]
    parts = [x + part for x in whole for part in (0.5, 0.3, 1e-9)]
    return [None, low, high, 0.0, -0.0, *(x for x in (*whole, *near, *parts) if low <= x <= high)]


LISTED = [(keys, where) for (keys, where), count in KEYS.items() if count and "lon" not in keys]


@pytest.mark.parametrize(("keys", "where"), LISTED)
def test_every_key_of_declared_numbers_is_listed(
    keys: str, where: str, plan_of: Callable[[str], PrivatePlan], target: Target, database: duckdb.DuckDBPyConnection
) -> None:
    plan = plan_of(f"SELECT {keys}, COUNT(*) {BOTH} {where} GROUP BY ALL")
    listed = set(_listed(plan, target, database))
    exprs = plan.key_exprs
    facts = [fact for fact in plan.source.predicates if all(f.bounds is not None for f in fields_of(fact))]
    columns = sorted({f for part in (*exprs, *facts) for f in fields_of(part)}, key=lambda f: f.id)
    assert columns, plain_text(exprs[0])
    rows = product(*(_values(column)[:: 1 if len(columns) == 1 else 7] for column in columns))
    cells = ", ".join(
        f"({', '.join(quote_literal(Literal(x, f.type)) for x, f in zip(row, columns, strict=True))})" for row in rows
    )
    source = ", ".join(f"CAST({f.id} AS {f.type}) AS {f.id}" for f in columns)
    values = f"(VALUES {cells}) AS t({', '.join(f.id for f in columns)})"
    kept = " AND ".join(map(write_expr, facts)) or "TRUE"
    made = database.execute(
        f"SELECT DISTINCT {', '.join(map(write_expr, exprs))} FROM (SELECT {source} FROM {values}) WHERE {kept}"
    ).fetchall()
    assert made
    assert not set(made) - listed


def _unlisted(
    keys: str, where: str, plan_of: Callable[[str], PrivatePlan], target: Target, database: duckdb.DuckDBPyConnection
) -> set[tuple[object, ...]]:
    """Keys of moments at the ends, next to them and between that are in no public list."""
    listed = _listed(plan_of(f"SELECT {keys}, COUNT(*) {BOTH} {where} GROUP BY ALL"), target, database)
    near = " UNION ALL ".join(
        f"SELECT DATE '{day}' + to_minutes(i) + to_microseconds({step}) AS ts FROM range(-60, 1500) t(i)"
        for day in ("2026-10-01", "2026-10-02", "2026-10-07", "1969-12-30", "1970-01-02")
        for step in (-1, 0, 1, 499, 500, 501, 999_499, 999_500)
    )
    near += " UNION ALL SELECT NULL"
    rows = f"FROM ({near})" if (keys, where) in SINCE_EPOCH else f"FROM (FROM ({near}) WHERE {WEEK})"
    made = database.execute(f"SELECT DISTINCT {keys} {rows} {where}").fetchall()
    assert made
    return set(made) - set(listed)


@pytest.mark.parametrize(("keys", "where"), [*SINCE_EPOCH, *DECLARED])
def test_every_key_of_a_time_since_epoch_is_listed(
    keys: str, where: str, plan_of: Callable[[str], PrivatePlan], target: Target, database: duckdb.DuckDBPyConnection
) -> None:
    assert not _unlisted(keys, where, plan_of, target, database)


def test_milliseconds_that_are_rounded_down_are_missed(
    plan_of: Callable[[str], PrivatePlan],
    target: Target,
    database: duckdb.DuckDBPyConnection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if the upper end of milliseconds were rounded down."""

    def lower(epoch: Expr, times: tuple[Literal, Literal]) -> Bounds | None:
        found = epoch_bounds(epoch, times)
        return found if found is None else Bounds(found.lower, found.upper - 1)

    monkeypatch.setattr(predicates, "epoch_bounds", lower)
    keys, where = next(case for case in SINCE_EPOCH if case[0].startswith("epoch_ms"))
    assert _unlisted(keys, where, plan_of, target, database)


@pytest.mark.parametrize(
    ("key", "where", "hint"),
    [
        ("floor(lon)", "", "WHERE floor(lon) BETWEEN YOUR_MIN AND YOUR_MAX"),
        ("floor(lon)", "WHERE lon >= -104", "WHERE floor(lon) BETWEEN YOUR_MIN AND YOUR_MAX"),
        (
            "floor(dwell_s / nullif(lat, 0))",
            "",
            "WHERE floor((dwell_s / nullif(lat, 0))) BETWEEN YOUR_MIN AND YOUR_MAX",
        ),
        ("floor(dwell_s * 1000)", "", "coarser"),
        ("floor(epoch(ts + INTERVAL 1 MONTH) / 900)", "", ">= YOUR_START AND"),
        ("make_timestamp(epoch_us(ts + INTERVAL 1 MONTH) // 900000000 * 900000000)", "", ">= YOUR_START AND"),
        ("to_timestamp(floor(epoch(ts)))", "WHERE ts >= '2026-01-01' AND ts < '2027-01-01'", "coarser"),
        ("floor(dwell_s), floor(lat), age // 10", "", "coarser"),
    ],
)
def test_a_number_without_ends_or_with_too_many_values_is_refused(
    key: str, where: str, hint: str, refused: Callable[[str], Refusal]
) -> None:
    refusal = refused(f"SELECT {key}, COUNT(*) {BOTH} {where} GROUP BY ALL")
    assert refusal.code is Code.KEY
    assert hint in refusal.hint


def test_integers_of_many_combinations_are_listed_by_their_range(
    plan_of: Callable[[str], PrivatePlan], target: Target, database: duckdb.DuckDBPyConnection
) -> None:
    """Three ages have more than a million combinations, which were once taken for one; the key has four and NULL."""
    ages = "subscribers a JOIN subscribers b USING (subscriber_id) JOIN subscribers c USING (subscriber_id)"
    plan = plan_of(f"SELECT (a.age + b.age + c.age) // 100 AS hundreds, COUNT(*) FROM {ages} GROUP BY 1")
    assert set(_listed(plan, target, database)) == {(0,), (1,), (2,), (3,), (None,)}
    assert plan.key_set is not None and len(plan.key_set.sources) == 1, "not one list for each age"
