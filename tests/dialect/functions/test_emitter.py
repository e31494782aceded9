"""Constants and names are quoted so that they can be nothing else."""

from __future__ import annotations

import math

import duckdb
from hypothesis import example, given
from hypothesis import strategies as st

from dialect.algebra.expressions import Literal
from dialect.catalog.model import SqlType
from dialect.functions.emitter import quote_identifier, quote_literal
from dialect.functions.scalar.geography import POLYGON_TYPE

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(text=TEXT)
@example(text="'; DROP TABLE events; --")
@example(text="a\\' OR 1=1 --")
@example(text="\x00'\x00")
@example(text="$$x$$ /* \n */ {0} {*, }")
def test_text_comes_back_as_it_is(text: str, database: duckdb.DuckDBPyConnection) -> None:
    assert database.execute(f"SELECT {quote_literal(Literal(text, SqlType.VARCHAR))}").fetchall() == [(text,)]


@given(value=st.integers(-(2**63), 2**63 - 1))
@example(value=-(2**63))
@example(value=2**63 - 1)
def test_integers(value: int, database: duckdb.DuckDBPyConnection) -> None:
    written = quote_literal(Literal(value, SqlType.BIGINT))
    ((found, kind),) = database.execute(f"SELECT {written}, typeof({written})").fetchall()
    assert found == value
    assert kind in {"INTEGER", "BIGINT"}
    assert database.execute(f"SELECT 1::HUGEINT - {written} + {written}").fetchall() == [(1,)]


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_to_the_last_bit(value: float, database: duckdb.DuckDBPyConnection) -> None:
    ((found,),) = database.execute(f"SELECT {quote_literal(Literal(value, SqlType.DOUBLE))}").fetchall()
    assert math.copysign(1, found) == math.copysign(1, value)
    assert found == value


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=30))
@example(text='"; DROP TABLE x; --')
def test_names(text: str, database: duckdb.DuckDBPyConnection) -> None:
    cursor = database.execute(f"SELECT 1 AS {quote_identifier(text)}")
    assert (cursor.description or [])[0][0] == text
    cursor.fetchall()


def test_null_has_a_type(database: duckdb.DuckDBPyConnection) -> None:
    for kind in SqlType:
        found = database.execute(f"SELECT typeof({quote_literal(Literal(None, kind))})").fetchall()[0][0]
        assert found.strip('"') in {kind.value, "TIMESTAMP WITH TIME ZONE", POLYGON_TYPE}
