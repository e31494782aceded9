"""Public tables as a bound on columns that equal theirs: nobody exceeds it, and names cost as much as keys."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from dialect import Catalog, PrivatePlan, compile_query
from dialect.algebra.properties import Properties
from dialect.catalog.model import ClipBoundsByKeys
from dialect.sensitivity.clip_bounds import DeclaredClipBounds, values_by_group
from engine.backends.duckdb import DuckDBBackend
from engine.pricing import work_limits
from engine.pricing.work_limits import per_group_distinct_bounds
from tests.engine.town import ROWS, make_town

# question -> the group of a row by its zone and the zone's name; None: of none
ASKED: dict[str, Callable[[str, str], object]] = {
    "SELECT z.name, COUNT(*) FROM visit v JOIN zone z ON z.zone = v.zone GROUP BY 1": lambda _, name: name,
    "SELECT z.name, COUNT(v.visit_id) FROM zone z LEFT JOIN visit v USING (zone) GROUP BY 1": lambda _, name: name,
    "SELECT upper(z.name) || '!', COUNT(*) FROM visit v JOIN zone z USING (zone) GROUP BY 1": lambda _, name: name,
    "SELECT z.name > 'b', COUNT(*) FROM visit v JOIN zone z USING (zone) GROUP BY 1": lambda _, name: name > "b",
    "SELECT COUNT(*) FROM visit v JOIN zone z USING (zone) WHERE z.name = 'b'": lambda _, name: name == "b" or None,
    "SELECT COUNT(*) FROM visit v JOIN zone z USING (zone) WHERE z.name <> 'b' AND v.zone <> 'z1'": (
        lambda zone, name: (name != "b" and zone != "z1") or None
    ),
    "SELECT z.name, z.inhabitants > 3000, COUNT(*) FROM visit v JOIN zone z USING (zone) GROUP BY ALL": (
        lambda zone, name: (name, zone > "z3")
    ),
}


def _within(folder: Path, town: Catalog) -> Iterator[bool]:
    """Query over drawn zone names; for each query, is a drawn person within the clip bound?"""
    for seed in range(5):
        random = Random(seed)
        named = {f"z{i}": random.choice("abcdefg"[: 3 + seed]) for i in range(7)}
        values = ", ".join(f"('{zone}', '{name}', {zone[1]}000)" for zone, name in named.items())
        place = folder / f"{seed}-{random.random()}"
        place.mkdir()
        public = f"CREATE TABLE zone AS SELECT * FROM (VALUES {values}) AS t(zone, name, inhabitants);"
        make_town(place, rows=public)
        backend = DuckDBBackend.open({"stored0": str(place / "town.duckdb")}, {"zone": 'stored0.main."zone"'}, place)
        rows = Counter(random.choices(sorted(named), k=30))
        for sql, group in ASKED.items():
            yield _is_within(sql, rows, lambda zone, g=group, n=named: g(zone, n[zone]), town, backend)
        backend.close()


def _is_within(
    sql: str, rows: Counter[str], group: Callable[[str], object], town: Catalog, backend: DuckDBBackend
) -> bool:
    (plan,) = compile_query(sql, town).plans
    usual = ClipBoundsByKeys(("zone",), math.hypot(*rows.values()))
    tables = tuple(
        replace(t, clip_bounds=replace(t.clip_bounds, rows=1000.0, by_keys=(usual,)))
        if t.name == "visit" and t.clip_bounds
        else t
        for t in town.tables
    )
    catalog, there = replace(town, tables=tables), Counter[object]()
    for zone, count in rows.items():
        there[group(zone)] += count
    del there[None]
    norm = DeclaredClipBounds(_counted(plan, catalog, backend), catalog, Properties()).of_vector(plan.vectors[0])
    assert norm < 1000  # something is known of every one of them
    return norm >= math.hypot(*there.values()) * (1 - 1e-12)


def _counted(plan: PrivatePlan, catalog: Catalog, backend: DuckDBBackend) -> PrivatePlan:
    return replace(plan, distinct_bounds=tuple(per_group_distinct_bounds(plan, catalog, backend, Properties())))


def test_people_are_within_the_clip_bound_of_named_groups(tmp_path: Path, town: Catalog) -> None:
    """Proof: dialect/sensitivity/proofs.md#usual-keys."""
    assert all(_within(tmp_path, town))


def test_treating_several_values_as_one_is_found(
    tmp_path: Path, town: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_limits, "_largest_group", lambda *_: 1)
    assert not all(_within(tmp_path, town))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT z.name, COUNT(*) FROM visit v JOIN zone z ON z.zone > v.zone GROUP BY 1",
        "SELECT z.name, COUNT(*) FROM visit v LEFT JOIN zone z ON z.zone = v.zone GROUP BY 1",  # unknown zones are one
        "SELECT shop, COUNT(*) FROM visit v JOIN zone z ON z.zone = v.zone GROUP BY 1",
        "SELECT z.name, COUNT(*) FROM visit v JOIN zone z ON z.zone = v.shop GROUP BY 1",
        "SELECT zone, COUNT(*) FROM visit v GROUP BY 1",
    ],
)
def test_other_columns_have_no_public_bound(town: Catalog, sql: str) -> None:
    usual = ClipBoundsByKeys(("zone",), 5.0)
    tables = tuple(
        replace(t, clip_bounds=replace(t.clip_bounds, by_keys=(usual,))) if t.clip_bounds else t for t in town.tables
    )
    (plan,) = compile_query(sql, town).plans
    assert not list(values_by_group(plan, replace(town, tables=tables), Properties()))


def test_a_name_that_is_a_zones_own_costs_what_the_zone_costs(town: Catalog, tmp_path: Path) -> None:
    make_town(tmp_path, rows=ROWS[ROWS.index("CREATE TABLE zone") :])
    backend = DuckDBBackend.open({"stored0": str(tmp_path / "town.duckdb")}, {"zone": 'stored0.main."zone"'}, tmp_path)
    usual = ClipBoundsByKeys(("zone", "day"), 5.0)
    tables = tuple(
        replace(t, clip_bounds=replace(t.clip_bounds, by_keys=(usual,))) if t.clip_bounds else t for t in town.tables
    )
    (plan,) = compile_query("SELECT z.name, day, COUNT(*) FROM visit JOIN zone z USING (zone) GROUP BY ALL", town).plans
    known = replace(town, tables=tables)
    counted = _counted(plan, known, backend)
    assert counted.distinct_bounds == (("zone", 1),)
    assert DeclaredClipBounds(counted, known, Properties()).of_vector(counted.vectors[0]) == 5.0
    backend.close()
