"""One person's number in one group: clamped outside the expression, in whole grains, for any stored value."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialect.algebra.expressions import Field
from dialect.algebra.release_plan import ClipRule, Factor, QueryVector, VectorBound, VectorKind
from dialect.catalog.model import EngineName, SqlType
from dialect.codegen.contribution.clipping import capped_partial, partial_aggregate, sum_template
from dialect.codegen.engines.dialects import ENGINE_DIALECTS, MAX_SMALL_SUMMAND, SMALL_SUM
from dialect.sensitivity.bounding import choose_value_bits

REAL = Field("v", None, SqlType.DOUBLE)
WHOLE = Field("v", None, SqlType.BIGINT)
VALUES = st.floats(allow_nan=True, allow_infinity=True) | st.floats(-200, 200) | st.sampled_from([-0.0, 0.0, 5e-324])
INTS = st.integers(-(2**63), 2**63 - 1) | st.integers(-300, 300)


def _vector(kind: VectorKind, field: Field | None, lower: float, upper: float, centre: float) -> QueryVector:
    whole = field is None or field.type is SqlType.BIGINT
    return QueryVector(kind, field, None, lower, upper, centre, whole, 0, "")


def _bound(vector: QueryVector, norm: float, rule: ClipRule = ClipRule.SCALE) -> VectorBound:
    bits = choose_value_bits(vector, norm)
    grains = max(1, math.floor(norm * 2.0**bits))
    return VectorBound(rule, norm, bits, grains, 0, grains, "")


def _numbers(
    vector: QueryVector, bound: VectorBound, values: list[float | int | None], database: duckdb.DuckDBPyConnection
) -> list[int | None]:
    """Each value's number, as if it belonged to a person of its own."""
    kind = "DOUBLE" if vector.value is None or vector.value.type is SqlType.DOUBLE else "BIGINT"
    sql = f"SELECT n, {partial_aggregate(vector, bound)} AS v0 FROM (SELECT unnest(range(len($1))) AS n, unnest($1::{kind}[]) AS v) GROUP BY n"
    sql = f"SELECT {capped_partial('v0', vector, bound)} FROM ({sql}) ORDER BY n"
    return [row[0] for row in database.execute(sql, [values]).fetchall()]


@given(
    values=st.lists(VALUES | st.none(), min_size=1, max_size=40),
    ends=st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)).map(sorted).filter(lambda e: e[0] < e[1]),
    share=st.floats(0, 1),
    norm=st.floats(0.1, 1e9),
)
def test_a_real_number(
    values: list[float | None], ends: list[float], share: float, norm: float, database: duckdb.DuckDBPyConnection
) -> None:
    lower, upper = ends
    vector = _vector(VectorKind.CENTRED, REAL, lower, upper, min(max(lower + (upper - lower) * share, lower), upper))
    bound = _bound(vector, norm)
    step, most = 2.0**bound.value_bits, math.ceil(vector.magnitude * 2.0**bound.value_bits)
    for value, number in zip(values, _numbers(vector, bound, list(values), database), strict=True):
        if value is None or not math.isfinite(value):
            assert number is None
        else:
            assert number == round((min(max(value, lower), upper) - vector.centre) * step)
            assert abs(number) <= most <= 2**27


@given(
    values=st.lists(INTS | st.none(), min_size=1, max_size=40),
    ends=st.tuples(INTS, INTS).map(sorted).filter(lambda e: e[0] < e[1]),
    centred=st.booleans(),
    norm=st.floats(1, 1e30),
)
def test_a_whole_number(
    values: list[int | None], ends: list[int], centred: bool, norm: float, database: duckdb.DuckDBPyConnection
) -> None:
    lower, upper = (float(end) for end in ends)
    centre = float(round((lower + upper) / 2)) if centred else 0.0
    vector = _vector(VectorKind.CENTRED, WHOLE, lower, upper, centre)
    bound = _bound(vector, norm)
    most = math.ceil(vector.magnitude * 2.0**bound.value_bits)
    for value, number in zip(values, _numbers(vector, bound, list(values), database), strict=True):
        if value is None:
            assert number is None
            continue
        exact = min(max(value, int(lower)), int(upper)) - int(centre)
        assert number == int(math.copysign(abs(exact) // 2**-bound.value_bits, exact))
        assert abs(number) <= most


@given(
    values=st.lists(st.floats() | st.none(), min_size=1, max_size=20),
    ends=st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)).map(sorted).filter(lambda e: e[0] < e[1]),
    norm=st.floats(0.1, 1e13),
)
def test_a_square_of_a_real_number(
    values: list[float | None], ends: list[float], norm: float, database: duckdb.DuckDBPyConnection
) -> None:
    lower, upper = ends
    vector = _product(REAL, lower, upper, (lower + upper) / 2)
    bound = _bound(vector, norm)
    step, most = 2.0**bound.value_bits, math.ceil(vector.magnitude * 2.0**bound.value_bits)
    for value, number in zip(values, _numbers(vector, bound, list(values), database), strict=True):
        if value is None or not math.isfinite(value):
            assert number is None
        else:
            away = min(max(value, lower), upper) - vector.centre
            assert number == round(away * away * step)
            assert abs(number) <= most <= 2**27


@given(
    values=st.lists(INTS | st.none(), min_size=1, max_size=20),
    ends=st.tuples(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12)).map(sorted),
    norm=st.floats(1, 1e30),
)
def test_a_square_of_a_whole_number(
    values: list[int | None], ends: list[int], norm: float, database: duckdb.DuckDBPyConnection
) -> None:
    lower, upper = ends
    vector = _product(WHOLE, float(lower), float(upper), float(round((lower + upper) / 2)))
    bound = _bound(vector, norm)
    most = math.ceil(vector.magnitude * 2.0**bound.value_bits)
    for value, number in zip(values, _numbers(vector, bound, list(values), database), strict=True):
        if value is None:
            assert number is None
            continue
        away = min(max(value, lower), upper) - int(vector.centre)
        assert number == away * away // 2**-bound.value_bits
        assert abs(number) <= most


def _product(field: Field, lower: float, upper: float, centre: float) -> QueryVector:
    factor = Factor(field, lower, upper, centre)
    return replace(_vector(VectorKind.PRODUCT, field, lower, upper, centre), factor=factor)


@pytest.mark.parametrize(
    ("kind", "field", "values", "expected"),
    [
        (VectorKind.ROWS, None, [1.0, None], [1, 1]),
        (VectorKind.VALID, REAL, [1.0, None, math.nan, math.inf], [1, 0, 0, 0]),
        (VectorKind.VALID, WHOLE, [1, None], [1, 0]),
        (VectorKind.PERSONS, REAL, [1.0, None], [1, None]),
    ],
)
def test_counts(
    kind: VectorKind,
    field: Field | None,
    values: list[float | int | None],
    expected: list[int | None],
    database: duckdb.DuckDBPyConnection,
) -> None:
    vector = _vector(kind, field, 0.0, 1.0, 0.0)
    bound = replace(_bound(vector, 5.0), value_bits=0)
    assert _numbers(vector, bound, values, database) == expected


def test_a_large_number_is_capped_where_it_is_squared(database: duckdb.DuckDBPyConnection) -> None:
    vector = _vector(VectorKind.SUM, REAL, 0.0, 100.0, 0.0)
    bound = _bound(vector, 100.0)
    rows = f"SELECT {partial_aggregate(vector, bound)} AS v0 FROM (SELECT 100.0::DOUBLE AS v FROM range(1000))"
    (found,) = database.execute(f"SELECT {capped_partial('v0', vector, bound)} FROM ({rows})").fetchall()
    assert found == (2**31 - 1,)
    within = replace(bound, rule=ClipRule.UNCLIPPED)
    (free,) = database.execute(f"SELECT {capped_partial('v0', vector, within)} FROM ({rows})").fetchall()
    assert free == (round(100 * 2.0**bound.value_bits) * 1000,)


def test_spark_adds_in_64_bits_what_is_small_alone() -> None:
    spark = ENGINE_DIALECTS[EngineName.SPARK]
    vector = _vector(VectorKind.SUM, REAL, 0, 1000, 0)
    bound = _bound(vector, 50)
    most = vector.magnitude * 2.0**bound.value_bits
    finer = replace(bound, value_bits=bound.value_bits + math.ceil(math.log2(MAX_SMALL_SUMMAND / most)) + 1)
    assert "DECIMAL" not in partial_aggregate(vector, bound, dialect=spark)
    assert "DECIMAL" in partial_aggregate(vector, finer, dialect=spark)
    plan, windows = (SimpleNamespace(charged_windows=SimpleNamespace(window_field=window)) for window in (None, REAL))
    sums = [
        sum_template(plan, replace(bound, sensitivity=most), spark)
        for most in (MAX_SMALL_SUMMAND, MAX_SMALL_SUMMAND + 1)
    ]
    assert sums == [SMALL_SUM, spark.wide_sum]
    assert sum_template(windows, bound, spark) == spark.wide_sum, "several windows of one person are added up first"
