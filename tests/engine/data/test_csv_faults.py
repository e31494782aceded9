"""A fault of a CSV file is reported by line and reason, never by a value; a readable file has none."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from engine.data.files.csv_files import UnreadableError, csv_fault, csv_relation

MIXED = "line ends are mixed: it ends in another way than the first line"
FAULTS = [
    (b"a,b,c\n1,2,3\n1,2\n", (3, "2 fields instead of 3")),
    (b"a,b\n1,2\n1\n", (3, "1 field instead of 2")),
    (b"a,b\n1,2\n\n1,2,8675309\n", (4, "3 fields instead of 2")),
    (b'a,b\n1,"x\ny"\n1\n', (4, "1 field instead of 2")),
    (b"a,b\n1,2\r\n", (2, MIXED)),
    (b"a,b\r\n1,2\r\n3,4\n5,6\r\n", (3, MIXED)),
    (b"a,b\n1,2\n3,4\r5,6\n", (3, MIXED)),
    (b'a,b\n1,2\n3,"8675309\n5,6\n', (3, "a quote is not closed")),
    (b'a,b\n1,"8675309"x\n', (2, "something stands behind a closing quote")),
    (b"a,b\n1,2\n3,\xff\n", (3, "bytes that are not UTF-8")),
    (b"a,b\n1," + b"x" * 3_000_000 + b"\n", (2, "a value is too long")),
    (b"", (1, "a line of names in UTF-8 is wanted")),
]
READ = [
    *(b"a,b\n1,2\n", b"a,b\n1,2", b"a,b\r\n1,2\r\n", b"a,b\r1,2\r", b"a\n1\n\n2\n", b"\xef\xbb\xbfa;b\n1,5;2\n"),
    *(b'a,b\n1,"x\r\ny"\n3,4\n', b'a,b\n1,"say ""no"""\n', b"a,b\n\n1,2\n", b"a,b\n1," + b"x" * 200_000 + b"\n"),
]


def is_read(path: Path) -> bool:
    try:
        with duckdb.connect() as connection:
            connection.execute(f"SELECT * FROM {csv_relation(str(path))}").fetchall()
    except (duckdb.Error, UnreadableError):
        return False
    return True


@pytest.mark.parametrize(("text", "fault"), FAULTS, ids=range(len(FAULTS)))
def test_a_fault_has_its_line_and_reason(tmp_path: Path, text: bytes, fault: tuple[int, str]) -> None:
    (tmp_path / "rows.csv").write_bytes(text)
    assert csv_fault(tmp_path / "rows.csv") == fault
    assert not is_read(tmp_path / "rows.csv")


@pytest.mark.parametrize("text", READ, ids=range(len(READ)))
def test_what_is_read_has_no_fault(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "rows.csv").write_bytes(text)
    assert is_read(tmp_path / "rows.csv")
    assert csv_fault(tmp_path / "rows.csv") is None
