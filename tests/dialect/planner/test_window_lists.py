"""Key lists that a condition shortens which the charged windows imply: two plans of one canonical text have one list.

Such a condition is no part of the text of the rows, as it leaves no row out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import duckdb
import pytest

from dialect import Catalog, PrivatePlan, compile_query
from dialect.algebra.codegen_types import Target
from dialect.catalog.privacy_windows import PrivacyWindow
from dialect.codegen.relations.relation import write_rows
from dialect.planner import releases
from tests.dialect.windowed import CATALOGS

A, B, D = "2026-03-28", "2026-03-29", "2026-03-31"  # days, of four
KEYS = (
    "day",
    "dayname(day)",
    "date_trunc('day', began)",
    "date_trunc('week', began)",
    f"day >= DATE '{B}'",
    "month(day)",
    "place",
    "hour(began)",
    "dayname(began)",
)
CONDITIONS = (
    "",
    f"day >= DATE '{A}'",
    f"day >= DATE '{B}'",
    f"began >= TIMESTAMP '{B}'",
    f"NOT (day < DATE '{B}')",
    f"day < DATE '{D}' AND day >= DATE '{B}'",
    f"began >= TIMESTAMP '{B}' AND day < DATE '{D}'",
    f"date_trunc('day', day) = DATE '{B}'",
    f"date_trunc('day', began) = TIMESTAMP '{B}'",
    "month(day) IN (3, 4)",
    "began IS NOT NULL",
    "day IS NOT NULL",
    "hour(began) >= 0",
)
SOURCES = (
    "visit{0}",
    "(SELECT person_id, day, began, place FROM visit{0} UNION ALL SELECT person_id, day, began, place FROM visit{0}) v",
    "(SELECT v.* FROM person p JOIN visit v ON v.person_id = p.person_id{1}) v",
    "(SELECT person_id, place, min(day) AS day, max(began) AS began FROM visit{0} GROUP BY 1, 2) v",
)


def retained_from(catalog: Catalog, day: str) -> Catalog:
    """The catalog with rows from a day on."""
    tables = (replace(t, retained_from=day) if t.time_column is not None else t for t in catalog.tables)
    return replace(catalog, tables=tuple(tables))


CATALOGS_TO_ASK = {"all days": CATALOGS[PrivacyWindow.DAY], "retained": retained_from(CATALOGS[PrivacyWindow.DAY], B)}


def listed(plan: PrivatePlan) -> frozenset[tuple[object, ...]]:
    """Keys of the list of a plan, or of its groups of other keys."""
    if plan.key_set is not None:
        sql = write_rows(plan.key_set.relation, plan.key_set.keys, Target({}))
    else:
        assert plan.others is not None
        sql = write_rows(plan.others.relation, plan.others.fields, Target({}))
    return frozenset(duckdb.sql(sql).fetchall())


def filtered(source: str, condition: str) -> str:
    """Rows of a source that meet a condition, or all of them."""
    return source.format(*(f" {word} {condition}" if condition else "" for word in ("WHERE", "AND")))


def plans(source: str, catalog: Catalog) -> Iterator[PrivatePlan]:
    """Plans of every key and condition, with listed and with private keys."""
    for key, condition in product(KEYS, CONDITIONS):
        yield from compile_query(f"SELECT {key}, COUNT(*) FROM {filtered(source, condition)} GROUP BY 1", catalog).plans
    options = "WITH DIFFERENTIAL_PRIVACY OPTIONS(keys = 'private', others = true)"
    for condition in CONDITIONS:
        sql = f"SELECT {options} day, place, COUNT(*) FROM {filtered(source, condition)} GROUP BY 1, 2"
        yield from compile_query(sql, catalog).plans


def lists_by_text(source: str, catalog: Catalog) -> dict[str, set[frozenset[tuple[object, ...]]]]:
    """Different lists of the plans of each canonical text."""
    found: dict[str, set[frozenset[tuple[object, ...]]]] = {}
    for plan in plans(source, catalog):
        found.setdefault(plan.canonical_text, set()).add(listed(plan))
    return found


@pytest.mark.parametrize("source", SOURCES, ids=["rows", "a union", "a join", "extremes"])
@pytest.mark.parametrize("catalog", CATALOGS_TO_ASK.values(), ids=CATALOGS_TO_ASK)
def test_plans_of_one_canonical_text_list_the_same_keys(source: str, catalog: Catalog) -> None:
    assert all(len(lists) == 1 for lists in lists_by_text(source, catalog).values())


@pytest.mark.parametrize("source", SOURCES, ids=["rows", "a union", "a join", "extremes"])
def test_lists_that_are_no_part_of_the_text_are_found(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "_implied_list_text", lambda *_: "")
    assert any(len(lists) > 1 for lists in lists_by_text(source, CATALOGS_TO_ASK["retained"]).values())


def test_a_condition_that_shortens_no_list_is_no_part_of_the_text() -> None:
    asked = [f"SELECT place, COUNT(*) FROM {filtered(SOURCES[0], each)} GROUP BY 1" for each in CONDITIONS[:2]]
    one, other = (compile_query(sql, CATALOGS[PrivacyWindow.DAY]).plans[0].canonical_text for sql in asked)
    assert one == other
