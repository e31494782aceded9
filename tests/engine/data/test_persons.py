"""Persons are read by their form alone; one bad line, and nothing is taken."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from budgets import ParamError
from dialect import Catalog
from dialect.catalog.model import SqlType
from engine.data import objections
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


@pytest.mark.parametrize(
    ("text", "persons"),
    [
        ("person_id;name\nP2;Anna\nP3;Ben\n", ["P2", "P3"]),
        ("name\tPerson_ID\r\nAnna\tP2\r\n", ["P2"]),
        ('person_id|name\n"P|2"|Anna\nP;3|" Ben"\n', ["P|2", "P;3"]),
        ('"person_id";"a;b,c"\n"P ""2""";x\n', ['P "2"']),
        ('"P;2"\n" P3 "\nP4\n', ["P;2", " P3 ", "P4"]),
        ('person_id,name\n" P2",x\n"P\n3", y \nP4," P4"\n', [" P2", "P\n3", "P4"]),
        ('P"2\nP 3\n', ['P"2', "P 3"]),
    ],
)
def test_the_first_line_tells_the_delimiter(tmp_path: Path, text: str, persons: list[str]) -> None:
    file = tmp_path / "people.csv"
    file.write_text(text, encoding="utf-8", newline="")
    assert read_persons(file, "person_id", TEXT, quiet) == persons


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("P5\tCy\nP6\tDi\n", "No column of the file is called person_id"),
        ("P5;Cy\n", "No column of the file is called person_id"),
        ("person_id:name\nP2:Anna\n", "No column of the file is called person_id"),
        ('"person_id;name"\n"P2;Anna"\n', "No column of the file is called person_id"),
        ("sep=;\nperson_id;name\nP2;Anna\n", "No column of the file is called person_id"),
        ("person_id\nP2;Anna\nP3\nP4|x\n", r"2 of 3 lines name no person.*line 2, 4"),
        ("P1\nP2\tAnna\n", r"1 of 2 lines name no person.*line 2"),
        ("p7\n P8\nP9 \n\u00a0P1\n", r"3 of 4 lines name no person.*line 2, 3, 4"),
        ('person_id;name\n P2;" P2"\n"P3" ;x\n', "can't be read"),
        ('person_id;name\n P2;" P2"\n P3;"x"\nP4;y\n', r"2 of 3 lines name no person.*line 2, 3"),
        ('person_id, name\n"P2", Anna\n "P3",Ben\n', r"1 of 2 lines name no person.*line 3"),
    ],
)
def test_no_text_that_may_not_be_the_key_is_taken(tmp_path: Path, text: str, why: str) -> None:
    """It would be recorded, and match nobody."""
    file = tmp_path / "people.csv"
    file.write_text(text, encoding="utf-8", newline="")
    with pytest.raises(ParamError, match=why) as refused:
        read_persons(file, "person_id", TEXT, quiet)
    if "lines name" in why:
        assert "quote a key that has white space at its ends" in refused.value.hint


def test_a_planted_reader_of_commas_alone_records_what_matches_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objections, "most_frequent_delimiter", lambda line: ",")
    monkeypatch.setattr(objections, "_is_exact", lambda written, *, alone: True)
    for text, why in (("P5;Cy\n", "No column"), ("P1\nP2\tAnna\n", "1 of 2"), ("p7\n P8\n", "1 of 2")):
        with pytest.raises(pytest.fail.Exception):
            test_no_text_that_may_not_be_the_key_is_taken(tmp_path, text, why)


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
