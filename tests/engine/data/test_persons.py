"""Persons are read by their form alone; one bad line, and nothing is taken."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from budgets import ParamError
from dialect import Catalog
from dialect.catalog.model import SqlType
from engine.data.objections import normalize_person, parse_person, person_column, read_persons

NUMBER, TEXT = SqlType.BIGINT, SqlType.VARCHAR


def quiet(stage: str, fraction: float) -> None:
    assert stage and 0 <= fraction <= 1


@pytest.mark.parametrize(
    ("text", "kind", "taken"),
    [
        ("17", NUMBER, "17"), (" +017 ", NUMBER, "17"), ("-0", NUMBER, "0"), (str(2**64 - 1), NUMBER, str(2**64 - 1)),
        (str(2**64), NUMBER, None), ("1.0", NUMBER, None), ("١٧", NUMBER, None), ("", NUMBER, None), (None, NUMBER, None),
        ("1e3", NUMBER, None), ("a b ", TEXT, "a b "), ("", TEXT, None), ("x" * 1_001, TEXT, None), ("a\x00b", TEXT, None),
    ],
)  # fmt: skip
def test_a_person_is_written_as_persons_are_compared(text: str | None, kind: SqlType, taken: str | None) -> None:
    assert normalize_person(text, kind) == taken


def test_the_persons_of_a_dataset_have_a_name_and_a_type(town: Catalog) -> None:
    assert person_column(town, "town") == ("person_id", NUMBER)
    with pytest.raises(ParamError, match="no persons"):
        person_column(town, "elsewhere")


def test_an_invalid_person_is_refused_without_being_quoted() -> None:
    with pytest.raises(ParamError) as refused:
        parse_person("SECRET", "person_id", NUMBER)
    assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    ["1\n2\n2\n", "Person_ID\n1\n2\n", 'x,person_id\n"a,\nb",1\nc,2\n', "\ufeffperson_id\r\n1\r\n\r\n2\r\n"],
)
def test_csv_files_of_persons(tmp_path: Path, text: str) -> None:
    file = tmp_path / "people.csv"
    file.write_text(text, encoding="utf-8")
    assert list(dict.fromkeys(read_persons(file, "person_id", NUMBER, quiet))) == ["1", "2"]


def test_parquet_files_of_persons(tmp_path: Path) -> None:
    file = tmp_path / "people.parquet"
    pq.write_table(pa.table({"person_id": [1, 2, 2], "x": [1.0, 2.0, 3.0]}), file)
    assert read_persons(file, "person_id", NUMBER, quiet) == ["1", "2", "2"]
    pq.write_table(pa.table({"anything": ["a", None, ""]}), file)
    with pytest.raises(ParamError, match=r"2 of 3 lines name no person.*line 2, 3"):
        read_persons(file, "person_id", TEXT, quiet)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1\nz\n\n3\n4,x\n-\n", r"3 of 5 lines name no person.*line 2, 5, 6"),
        ("1\n2, 3\n", r"1 of 2 lines name no person.*line 2"),
        ("x,person_id\na,1\nb,c,2\n", r"1 of 2 lines name no person.*line 3"),
        ("a,b\n1,2\n", "No column"),
        ("", "names nobody"),
        ('"1\n', "can't be read"),
        ("person_id,x\n1,2\n", None),
    ],
)
def test_invalid_lines_are_counted_and_named(tmp_path: Path, text: str, why: str | None) -> None:
    file = tmp_path / "people.csv"
    file.write_text(text, encoding="utf-8")
    if why is None:
        assert read_persons(file, "person_id", NUMBER, quiet) == ["1"]
        return
    with pytest.raises(ParamError, match=why):
        read_persons(file, "person_id", NUMBER, quiet)


def test_a_wrong_column_header_is_refused_with_the_expected_name(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("customer\n1\n2\n", encoding="utf-8")
    with pytest.raises(ParamError) as refused:
        read_persons(file, "person_id", NUMBER, quiet)
    assert refused.value.hint.endswith("if line 1 holds names, let that of the persons be person_id")


def test_an_invalid_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "people.parquet").write_bytes(b"no parquet")
    (tmp_path / "latin.csv").write_bytes(b"\xff\xfe1\n")
    for name in ("people.parquet", "latin.csv", "missing.csv"):
        with pytest.raises(ParamError, match="can't be read"):
            read_persons(tmp_path / name, "person_id", NUMBER, quiet)
