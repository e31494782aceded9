"""Rows of CSV files: no row of one person changes what is read of anybody else's."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from dialect.functions.emitter import quote_text
from engine.data.files.csv_files import UnreadableError, csv_relation

Rows = list[tuple[str | None, ...]]
OTHERS = [(str(i), f"z{i % 3}") for i in range(40)]
ODD = (
    "#9,z", "9,a,b", "9", "", '9,"a', '9,a"', '9,"a\\"b"', '9,"a""b"', "9,'a,b'", "9;1,z;1", "9;z", "9\tz", "9|z", ",",
    '"",""', '"9,z"', '9,"a\nb"', '9,"a\n8,b"', "9,a\r\n8,b", "9,a\r8,b", "9,\0", "person,zone", " 9 , z ", "NULL,\\N",
    '9,"a"b', "9,\ufeffz", "9," + "x" * 3_000_000, "//9,z", "-- 9,z", "9,z\\,y", '9,"\n' + "7,z\n" * 99 + '"',
)  # fmt: skip


def fetched(rows: str) -> Rows:
    with duckdb.connect() as connection:
        return connection.execute(f"SELECT * FROM {rows}").fetchall()


def sniffed(path: str) -> str:
    return f"read_csv({quote_text(path)}, header = true, all_varchar = true)"


def lost(folder: Path, odd: str, place: int, read: Callable[[str], str]) -> bool | None:
    """Is another person's row read differently next to an odd one? None if both are refused as a whole."""
    lines = [f"{person},{zone}" for person, zone in OTHERS]
    path = folder / "rows.csv"
    path.write_bytes("\n".join(["person,zone", *lines[:place], odd, *lines[place:], ""]).encode())
    try:
        found = fetched(read(str(path)))
    except duckdb.Error:
        return None
    return [row for row in found if row in OTHERS] != OTHERS


@pytest.mark.parametrize("place", [0, 20, 40])
def test_no_row_changes_how_others_are_read(tmp_path: Path, place: int) -> None:
    found = [lost(tmp_path, odd, place, csv_relation) for odd in ODD]
    assert not any(found)
    assert found.count(None) in range(10, 15), "what is no row of two values is refused, and the others are read"


def test_a_planted_sniffer_is_found(tmp_path: Path) -> None:
    assert sum(bool(lost(tmp_path, odd, place, sniffed)) for odd in ODD for place in (0, 20, 40)) > 9


def test_every_row_is_read_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b'\xef\xbb\xbfa,b\n#1,"x\ny"\n  2, \n\n3,""\n4,"say ""no"""\n')
    assert fetched(csv_relation(f"{tmp_path}/*.csv")) == [("#1", "x\ny"), ("  2", " "), ("3", None), ("4", 'say "no"')]


@pytest.mark.parametrize(
    ("names", "row"),
    [("a;b", "1,5;2"), ("a\tb", "1,5\t2"), ("a|b", "1,5|2"), ('"a;b;c",b', '"1,5",2'), ("a,b", '"1,5",2')],
)
def test_the_header_determines_the_delimiter(tmp_path: Path, names: str, row: str) -> None:
    (tmp_path / "rows.csv").write_text(f"{names}\n{row}\n")
    assert fetched(csv_relation(f"{tmp_path}/rows.csv")) == [("1,5", "2")]


def test_names_that_are_missing_or_there_twice_get_others(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(",a, A,b\n0,1,2,3\n")
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT * FROM {csv_relation(f'{tmp_path}/rows.csv')}").description
    assert [column for column, *_ in found] == ["column0", "a", "A_1", "b"]


def test_a_file_may_be_packed(tmp_path: Path) -> None:
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    assert fetched(csv_relation(f"{tmp_path}/rows.csv.gz")) == [("1", "2")]


@pytest.mark.parametrize("texts", [["a,b\n", "b,a\n"], [""], ["\na,b\n"], ['"a\n'], ["\xff\n"], []])
def test_files_without_one_line_of_names_are_refused(tmp_path: Path, texts: list[str]) -> None:
    for place, text in enumerate(texts):
        (tmp_path / f"{place}.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(UnreadableError):
        csv_relation(f"{tmp_path}/*.csv")
