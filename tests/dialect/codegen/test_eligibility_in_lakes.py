"""Objections are compared with a lake's persons as these are read, even if their declared type is narrower."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from dialect.catalog.model import OPT_OUT_TABLE, Eligibility
from dialect.codegen import stored_rows

OBJECTING = ["7", "5000000007", "18446744073709551615", "nobody"]
BOTH = ["7", "5000000007"]


def broadcast_persons(kind: str) -> list[str]:
    with duckdb.connect() as connection:
        connection.register(OPT_OUT_TABLE, pa.table({"person": OBJECTING}))
        rows = connection.execute(
            stored_rows.objectors_to_broadcast(Eligibility(kind, None, ()))[OPT_OUT_TABLE]
        ).fetchall()
        return [str(person) for (person,) in rows]


@pytest.mark.parametrize(
    ("kind", "persons"),
    [("INTEGER", BOTH), ("UTINYINT", BOTH), ("BIGINT", BOTH), ("UBIGINT", OBJECTING[:3]), ("HUGEINT", OBJECTING[:3])],
)
def test_whole_numbers_are_compared_as_they_are_read(kind: str, persons: list[str]) -> None:
    assert broadcast_persons(kind) == persons


@pytest.mark.parametrize("kind", ["INTEGER", "UTINYINT", "BIGINT", "UBIGINT", "HUGEINT"])
def test_an_objection_outside_the_column_type_matches_nobody(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(__name__ + ".OBJECTING", ["7", "1" + "0" * 20, "-" + "9" * 23, "9" * 38, "9" * 50])
    assert broadcast_persons(kind) == ["7"]


def test_a_planted_cast_makes_one_objection_fail_every_query(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(__name__ + ".OBJECTING", ["7", "9" * 38])
    monkeypatch.setattr(
        stored_rows, "_lake_person_type", lambda kind: "DECIMAL(20, 0)) + CAST(person AS DECIMAL(20, 0)"
    )
    with pytest.raises(duckdb.ConversionException):
        broadcast_persons("HUGEINT")


def test_a_planted_comparison_in_the_declared_type_misses_objectors(monkeypatch: pytest.MonkeyPatch) -> None:
    in_type = stored_rows._objectors_as
    monkeypatch.setattr(stored_rows, "_objectors_as", lambda kind: in_type("INTEGER" if kind == "BIGINT" else kind))
    assert broadcast_persons("INTEGER") == ["7"]
