"""Other keys: one group for each public parent, in which the rows of keys that are not released are gathered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dialect import Code, Refusal
from dialect.catalog.model import Catalog
from dialect.postprocess import column_limits
from engine.backends.exact import NO_OBJECTIONS
from engine.pipeline.engine import Engine
from engine.pipeline.explain import explain
from engine.pricing.compile_release import CompiledRelease
from engine.pricing.query_terms import Request
from tests.engine.town import CATALOG, ROWS, make_town, opened
from tests.support.binding import over_lake
from tests.support.without_norms import without_norms

# a person is in one zone, with one row in each of its two shops; zone z6 has no row
VISITS = (
    ROWS
    + """
CREATE OR REPLACE TABLE person AS SELECT i AS person_id, 'f' AS gender, 'yes' AS consent FROM range(1, 601) AS t(i);
CREATE OR REPLACE TABLE visit AS SELECT 1 + i // 2 AS person_id, i AS visit_id, 'z' || (i // 2 % 6) AS zone,
       CAST(i % 50 AS DOUBLE) AS minutes, 'shop ' || (i % 2) AS shop, CAST(i % 5 AS INTEGER) AS coins,
       DATE '2026-10-01' + CAST(i % 4 AS INTEGER) AS day
       FROM range(0, 1200) AS t(i);
"""
)
OTHERS = "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(others = true) "
NUMBERS = "COUNT(*) AS n, COUNT(DISTINCT person_id) AS people, COUNT(DISTINCT coins) AS different"
BY_SHOP = f"{OTHERS}zone, shop, {NUMBERS} FROM visit GROUP BY zone, shop"


@pytest.fixture(scope="module", params=["declared", "profiled"])
def town(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Clip bounds are declared, or chosen from a profile."""
    folder = tmp_path_factory.mktemp("town")
    with opened(catalog(folder, request.param), folder) as engine:
        yield engine


def catalog(folder: Path, kind: str) -> Catalog:
    return make_town(folder, VISITS, CATALOG if kind == "declared" else without_norms(CATALOG))


def compiled(engine: Engine, sql: str) -> CompiledRelease:
    (release,) = engine.compile(engine.read(sql, "ann"), Request("ann")).releases
    return release


def exact(engine: Engine, sql: str, released: list[tuple[Any, ...]]) -> dict[tuple[Any, ...], tuple[int, ...]]:
    """Exact integers of every group, where some keys are released; in the order of the plan's keys."""
    release = compiled(engine, sql)
    keys = pa.table({f"k{i}": pa.array(values) for i, values in enumerate(zip(*released, strict=True))})
    found = engine.backend.run(release.sql, NO_OBJECTIONS, keys)
    one = [1 << bound.fraction_bits for bound in release.bounds.vectors]
    rows = zip(*(vector // grain for vector, grain in zip(found.vectors, one, strict=True)), strict=True)
    groups = [tuple(row.values()) for row in found.keys.to_pylist()]
    assert len(set(groups)) == len(groups)
    return dict(zip(groups, (tuple(map(int, row)) for row in rows), strict=True))


def of_kind(engine: Engine, sql: str, kind: str) -> int:
    return next(i for i, each in enumerate(compiled(engine, sql).plan.vectors) if each.kind.value == kind)


def test_each_public_parent_has_one_row_whoever_is_in_it(town: Engine) -> None:
    """Also zone z6, which nobody visits, and zones whose keys are all released."""
    found = exact(town, BY_SHOP, [("shop 0", "z0"), ("shop 1", "z0"), ("shop 0", "z1")])
    order = [key.canonical_text for key in compiled(town, BY_SHOP).plan.keys]
    assert [text.rpartition(".")[2] for text in order] == ["shop", "zone"]
    assert {key for key in found if key[0] == "(others)"} == {("(others)", f"z{i}") for i in range(7)}
    assert len(found) == 3 + 7
    rows = of_kind(town, BY_SHOP, "rows")
    assert found["(others)", "z0"][rows] == found["(others)", "z6"][rows] == 0


def test_a_person_of_several_unreleased_keys_counts_once(town: Engine) -> None:
    """Keys are mapped before anything is counted: people and different values are those of the mapped rows."""
    everything = exact(town, BY_SHOP, [("shop 9", "z9")])
    people, different = (of_kind(town, BY_SHOP, kind) for kind in ("persons", "distinct"))
    assert [everything["(others)", f"z{i}"][people] for i in range(6)] == [100] * 6
    assert everything["(others)", "z2"][different] <= 500
    some = exact(town, BY_SHOP, [("shop 0", "z0")])
    assert (some["shop 0", "z0"][people], some["(others)", "z0"][people]) == (100, 100)


def test_no_row_is_lost_or_counted_twice(town: Engine) -> None:
    sql = BY_SHOP.replace(NUMBERS, "COUNT(*) AS n, SUM(minutes) AS s")
    rows = of_kind(town, sql, "rows")
    for released in ([("shop 0", "z0")], [("shop 1", "z3"), ("shop 0", "z5"), ("shop 0", "z6")]):
        assert sum(numbers[rows] for numbers in exact(town, sql, released).values()) == 1200


def test_a_released_key_that_looks_like_others_is_the_same_group(town: Engine) -> None:
    found = exact(town, BY_SHOP, [("(others)", "z0"), ("shop 0", "z0")])
    assert len(found) == 1 + 7


def test_keys_without_text_are_null(town: Engine) -> None:
    """Where all keys are public the last one is gathered; coins are 0 to 4, and their list is not used."""
    sql = f"{OTHERS[:-2].replace('others', 'keys = ' + repr('private') + ', others')}) zone, coins, COUNT(*) AS n FROM visit GROUP BY zone, coins"
    order = [key.canonical_text.rpartition(".")[2] for key in compiled(town, sql).plan.keys]
    assert order == ["coins", "zone"]
    found = exact(town, sql, [(1, "z0")])
    assert {key for key in found if key[0] is None} == {(None, f"z{i}") for i in range(7)}
    with_null = f"SELECT zone, n FROM ({sql.replace(OTHERS, 'SELECT ')}) AS a WHERE coins IS NULL"
    with_null = with_null.replace("SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(keys = 'private', others = true)", "SELECT")
    with_null = with_null.replace(
        "SELECT", "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(keys = 'private', others = true)", 1
    )
    answered = town.answer(with_null, Request("ann", rho=Fraction("0.01"))).answer.table
    assert sorted(answered.column("zone").to_pylist()) == [f"z{i}" for i in range(7)]


def test_without_a_public_key_there_is_one_group(town: Engine) -> None:
    found = exact(town, f"{OTHERS}shop, COUNT(*) AS n FROM visit GROUP BY shop", [("shop 0",)])
    assert set(found) == {("shop 0",), ("(others)",)}


def test_an_answer_has_its_groups_where_no_key_is_released(town: Engine) -> None:
    """A repeat is free and the same."""
    answered = town.answer(BY_SHOP, Request("ann", rho=Fraction("0.0005")))
    table = answered.answer.table
    assert sorted(zip(table.column("zone").to_pylist(), table.column("shop").to_pylist(), strict=True)) == [
        (f"z{i}", "(others)") for i in range(7)
    ]
    again = town.answer(BY_SHOP, Request("ann", rho=Fraction("0.0005")))
    assert again.charged_loss.pico_rho == 0 and again.answer.table.equals(table)


def test_a_group_of_other_keys_may_be_nothing(town: Engine) -> None:
    """Other groups by private keys have at least one row."""
    for sql, least in ((BY_SHOP, 0), (BY_SHOP.replace(OTHERS, "SELECT "), 1)):
        limits = column_limits(town.read(sql, "ann"))
        assert [lower for lower, _ in limits[2:4]] == [least, least]


def test_explain_names_where_the_rows_of_hidden_groups_are(town: Engine) -> None:
    told = explain(town, BY_SHOP, Request("ann"))
    (release,) = told.query.releases
    assert all("(others)" in key.reason for key in release.plan.keys)
    assert release.plan.canonical_text != compiled(town, BY_SHOP.replace(OTHERS, "SELECT ")).plan.canonical_text


@pytest.mark.parametrize("others", [OTHERS, "SELECT "])
def test_over_a_lake_private_keys_are_bound_in_their_duckdb_form(town: Engine, others: str) -> None:
    lake = replace(town, backend=over_lake(town))
    query = lake.compile(lake.read(BY_SHOP.replace(OTHERS, others), "ann"), Request("ann"))
    (release,) = query.releases
    assert release.sql.ordering_sql and ("ANTI JOIN released" in release.sql.text) == (others == OTHERS)
    assert ("released" in release.sql.broadcast) == (others == OTHERS)
    lake.bind(query)


def test_other_keys_of_public_ones_are_refused(town: Engine) -> None:
    with pytest.raises(Refusal) as refused:
        town.answer(f"{OTHERS}zone, COUNT(*) AS n FROM visit GROUP BY zone", Request("ann"))
    assert refused.value.code is Code.PARAM and "others" in refused.value.hint


def test_a_total_with_private_keys_is_not_refused(town: Engine) -> None:
    sql = f"{OTHERS}shop, COUNT(*) * 1.0 / (SELECT COUNT(*) FROM visit) AS share FROM visit GROUP BY shop"
    assert town.answer(sql, Request("ann")).answer.table.num_rows >= 1
