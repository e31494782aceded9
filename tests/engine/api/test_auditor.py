"""What an auditor gets of a ledger: a verdict, an anchor, all rows, whose hashes anybody can compute."""

from __future__ import annotations

import csv
import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as parquet
import pytest

from budgets import Ledger
from engine import Refused, anchor_ledger, export_ledger, verify_ledger, write_export
from tests.budgets.ledger_checks import answer, ask, item


@pytest.fixture
def place(tmp_path: Path) -> str:
    path = str(tmp_path / "some.ledger")
    with Ledger.open(path) as ledger:
        answer(ledger, ledger.charge(ask()))
    return path


def test_a_ledger_as_it_was_written(place: str) -> None:
    anchor = anchor_ledger("operator", ledger=place)
    told = verify_ledger("operator", ledger=place, anchor=anchor)
    assert (told["found"], told["sequence"]) == ([], 5)
    assert json.loads(anchor) == {
        "anchor_format": 1,
        "ledger": told["ledger"],
        "sequence": 5,
        "row_hash": told["row_hash"],
        "datasets": ["operator"],
    }


def test_a_rolled_back_ledger_is_found_by_its_anchor(place: str, tmp_path: Path) -> None:
    older = tmp_path / "older.ledger"
    with closing(sqlite3.connect(place)) as now, closing(sqlite3.connect(older)) as copy:
        now.backup(copy)
    older.chmod(0o600)
    with Ledger.open(place) as ledger:
        ledger.charge(ask(item("bb"), request="r2"))
    anchor = anchor_ledger("operator", ledger=place)
    assert verify_ledger("operator", ledger=str(older))["found"] == []
    (found,) = verify_ledger("operator", ledger=str(older), anchor=anchor)["found"]
    assert found == "The ledger ends at row 5, and its anchor is of row 6: it was rolled back."


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_every_row_is_exported_and_its_hash_can_be_computed(place: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows.{ending}"
    write_export(export_ledger("operator", ledger=place), str(path))
    if ending == "csv":
        rows = list(csv.DictReader(path.open(encoding="utf-8", newline="")))
    else:
        rows = json.loads(path.read_text()) if ending == "json" else parquet.read_table(path).to_pylist()
    assert len(rows) == 5
    head = bytes(32)
    for row in rows:
        about = [row[name] for name in ("at", "kind", "dataset", "holder", "actor", "request_id", "body")]
        told = json.dumps([1, int(row["sequence"]), *about], separators=(",", ":"), ensure_ascii=False)
        assert row["previous_hash"] == head.hex()
        head = hashlib.sha256(head + told.encode()).digest()
        assert row["row_hash"] == head.hex()


def test_no_spreadsheet_runs_a_name_that_a_client_chose(tmp_path: Path) -> None:
    place, path = str(tmp_path / "some.ledger"), tmp_path / "rows.csv"
    with Ledger.open(place) as ledger:
        ledger.charge(ask(request="=1+1"))
    write_export(export_ledger("operator", ledger=place), str(path))
    ids = {row["request_id"] for row in csv.DictReader(path.open(encoding="utf-8", newline=""))}
    assert ids >= {"'=1+1"} and "=1+1" not in ids


def test_what_is_refused(place: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="E_LEDGER: There is no ledger"):
        verify_ledger("operator", ledger=str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()
    with pytest.raises(Refused, match=r"E_PARAM: .* no kind of export"):
        write_export(export_ledger("operator", ledger=place), "rows.txt")
    with pytest.raises(Refused, match="E_PARAM: This is no anchor"):
        verify_ledger("operator", ledger=place, anchor="{}")
