"""Patterns of conditions that a row can meet: no real row's pattern is missing, with NULL and NaN."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product
from time import process_time

import duckdb
import pytest

from dialect import Catalog, compile_query
from dialect.functions.emitter import write_expr
from dialect.planner.reuse import predicate_regions
from dialect.planner.reuse.predicate_regions import Pattern, RowSets
from dialect.planner.reuse.view_matching import canonical_plan
from engine.catalog.file import load_catalog
from tests.engine.complete_town import completed

COINS = (
    "coins > 3",
    "coins = 2",
    "coins IN (1, 2, 5)",
    "coins BETWEEN 2 AND 4",
    "coins IS NULL",
    "coins <> 3",
    "coins + 1 > 4",
)
MINUTES = "minutes > 3", "minutes <= 3.5", "minutes = 5", "minutes IS NOT DISTINCT FROM 3", "minutes > coins"
TEXTS = (
    "shop = 'shop 1'",
    "shop IN ('shop 0', 'x')",
    "shop > 'shop 0'",
    "shop IS DISTINCT FROM 'x'",
    "zone = 'z1'",
    "zone NOT IN ('z1', 'z2')",
)
DAYS = "day = '2026-10-02'", "day >= '2026-10-03'", "day < DATE '2026-10-02'", "dayofweek(day) = 4", "is_weekend(day)"
TRUTHS = (
    "(coins > 3) IS NULL",
    "(shop = 'x') IS NOT TRUE",
    "coalesce(coins > 3, false)",
    "TRUE",
    "(coins > 3) = (minutes > 3)",
)
SIMPLE = (*COINS, *MINUTES, *TEXTS, *DAYS, *TRUTHS)
VALUES = {
    "coins": (None, 0, 1, 2, 3, 4, 5, 6),
    "minutes": (None, -1.0, 3.0, 3.25, 3.5, 5.0, float("nan"), float("inf")),
    "shop": (None, "shop 0", "shop 1", "shop 2", "x"),
    "zone": ("z0", "z1", "z2"),
    "day": ("2026-10-01", "2026-10-02", "2026-10-03", "2026-10-04"),
}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    folder = tmp_path_factory.mktemp("sets")
    (folder / "town.toml").write_text(completed(), encoding="utf-8")
    return load_catalog(folder / "town.toml")


@pytest.fixture(scope="module")
def rows() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as db:
        db.execute("CREATE TABLE visit (coins BIGINT, minutes DOUBLE, shop VARCHAR, zone VARCHAR, day DATE)")
        db.executemany("INSERT INTO visit VALUES (?, ?, ?, ?, ?)", [list(row) for row in product(*VALUES.values())])
        yield db


def drawn(dice: random.Random, depth: int = 2) -> str:
    """Draw a condition."""
    kind = dice.random()
    if not depth or kind < 0.4:
        return dice.choice(SIMPLE)
    if kind < 0.6:
        return f"NOT ({drawn(dice, depth - 1)})"
    return f"({drawn(dice, depth - 1)}) {dice.choice(('AND', 'OR'))} ({drawn(dice, depth - 1)})"


def found(sets: list[str], catalog: Catalog) -> tuple[tuple[int, ...], tuple[Pattern, ...]]:
    questions = (compile_query(f"SELECT COUNT(*) AS n FROM visit WHERE {each}", catalog) for each in sets)
    made = RowSets()
    fitting = [i for i, question in enumerate(questions) if made.add(canonical_plan(question.plans[0]).conditions)]
    return tuple(fitting), made.patterns()


def true_patterns(sets: list[str], catalog: Catalog, rows: duckdb.DuckDBPyConnection) -> set[tuple[bool, ...]]:
    conditions = (
        canonical_plan(compile_query(f"SELECT COUNT(*) AS n FROM visit WHERE {each}", catalog).plans[0]).conditions
        for each in sets
    )
    written = (" AND ".join([*map(write_expr, some.values()), "TRUE"]).replace("visit#1.", "") for some in conditions)
    shown = ", ".join(f"coalesce({each}, false)" for each in written)
    return {pattern for pattern in rows.execute(f"SELECT DISTINCT {shown} FROM visit").fetchall() if any(pattern)}


def missed(seed: int, catalog: Catalog, rows: duckdb.DuckDBPyConnection) -> set[tuple[bool, ...]]:
    """Patterns of rows that were not predicted."""
    dice = random.Random(seed)
    sets = [drawn(dice) for _ in range(3)]
    fitting, patterns = found(sets, catalog)
    return true_patterns([sets[i] for i in fitting], catalog, rows) - set(patterns)


@pytest.mark.parametrize("seed", range(60))
def test_every_row_has_a_predicted_null_pattern(seed: int, catalog: Catalog, rows: duckdb.DuckDBPyConnection) -> None:
    assert not missed(seed, catalog, rows)


def test_nulls_that_are_forgotten_are_found(
    catalog: Catalog, rows: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predicate_regions, "may_be_null", lambda expr, include_far=True: False)
    assert any(missed(seed, catalog, rows) for seed in range(60))


@pytest.mark.parametrize(
    ("sets", "patterns"),
    [
        (["zone = 'z1'", "zone <> 'z1'"], {(True, False), (False, True)}),
        (["coins = 1", "coins <> 1", "TRUE"], {(True, False, True), (False, True, True), (False, False, True)}),
        (["coins IS NOT NULL AND coins = 1", "coins IS NOT NULL"], {(True, True), (False, True)}),
        (["day <= '2026-10-02'", "day > '2026-10-02'", "TRUE"], {(True, False, True), (False, True, True)}),
        (["minutes > 3", "NOT minutes > 3", "minutes IS NULL"], {(True, False, False), (False, True, False), (False, False, True)}),
        (["coins > 2", "coins >= 3"], {(True, True)}),
        (["minutes > 2", "minutes >= 3"], {(True, True), (True, False)}),
        (["dayofweek(day) IN (0, 1, 2, 3, 4, 5)", "dayofweek(day) = 6", "TRUE"], {(True, False, True), (False, True, True)}),
        (["is_weekend(day)", "NOT is_weekend(day)", "TRUE"], {(True, False, True), (False, True, True)}),
    ],
)  # fmt: skip
def test_predicted_patterns_of_rows(sets: list[str], patterns: set[Pattern], catalog: Catalog) -> None:
    assert set(found(sets, catalog)[1]) == patterns


def test_too_many_kinds_leave_out_what_comes_last(catalog: Catalog) -> None:
    many = [
        f"coins IN ({', '.join(str(2 * i) for i in range(150))})",
        f"minutes IN ({', '.join(str(2 * i) for i in range(150))})",
    ]
    fitting, patterns = found(["coins = 2", *many, "coins <> 2"], catalog)
    assert fitting == (0, 1, 3) and patterns


def test_long_lists_are_read_once_and_compared_by_what_they_name(catalog: Catalog) -> None:
    conditions = []
    for left_out in range(32):
        constants = ", ".join(str(i) for i in range(250) if i != left_out)
        sql = f"SELECT COUNT(*) AS n FROM visit WHERE visit_id IN ({constants})"
        conditions.append(canonical_plan(compile_query(sql, catalog).plans[0]).conditions)
    begun, known, made = process_time(), predicate_regions.Decompositions(), RowSets()
    for each in conditions:
        assert made.add(each) and made.patterns()
    for each in conditions[1:]:
        two = RowSets(known)
        assert two.add(conditions[0]) and two.add(each)
        assert set(two.patterns()) == {(True, True), (True, False), (False, True)}
    assert len(made.patterns()) == 33  # all but one, for each that is left out, and all
    assert process_time() - begun < 3  # every constant held against all others took 12 seconds
