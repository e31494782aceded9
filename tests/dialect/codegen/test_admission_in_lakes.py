"""Objections are compared with a lake's persons as these are read, even if their declared type is narrower."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from dialect.catalog.admission import OBJECTED, Admission
from dialect.codegen import admission as write_admission

OBJECTING = ["7", "5000000007", "18446744073709551615", "nobody"]
BOTH = ["7", "5000000007"]


def handed(kind: str) -> list[str]:
    with duckdb.connect() as connection:
        connection.register(OBJECTED, pa.table({"person": OBJECTING}))
        rows = connection.execute(write_admission.objections(Admission(kind, None, ()))[OBJECTED]).fetchall()
        return [str(person) for (person,) in rows]


@pytest.mark.parametrize(
    ("kind", "persons"),
    [("INTEGER", BOTH), ("UTINYINT", BOTH), ("BIGINT", BOTH), ("UBIGINT", OBJECTING[:3]), ("HUGEINT", OBJECTING[:3])],
)
def test_whole_numbers_are_compared_as_they_are_read(kind: str, persons: list[str]) -> None:
    assert handed(kind) == persons


@pytest.mark.parametrize("kind", ["INTEGER", "UTINYINT", "BIGINT", "UBIGINT", "HUGEINT"])
def test_a_number_that_no_lake_holds_is_nobody(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(__name__ + ".OBJECTING", ["7", "1" + "0" * 20, "-" + "9" * 23, "9" * 38, "9" * 50])
    assert handed(kind) == ["7"]


def test_a_planted_cast_lets_one_objection_end_every_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(__name__ + ".OBJECTING", ["7", "9" * 38])
    monkeypatch.setattr(write_admission, "_in_lake", lambda kind: "DECIMAL(20, 0)) + CAST(person AS DECIMAL(20, 0)")
    with pytest.raises(duckdb.ConversionException):
        handed("HUGEINT")


def test_a_planted_comparison_in_the_declared_type_loses_who_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    in_type = write_admission._in_type
    monkeypatch.setattr(write_admission, "_in_type", lambda kind: in_type("INTEGER" if kind == "BIGINT" else kind))
    assert handed("INTEGER") == ["7"]
