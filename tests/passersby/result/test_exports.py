"""Answers as files: each number with the ends of its interval, and no value that a sheet would run."""

from __future__ import annotations

import csv
import datetime
import inspect
import io
import json
from pathlib import Path

import openpyxl
import pyarrow as pa
import pytest

import passersby
import passersby.text.csv_cells
from engine.api import csv_cells
from engine.api.auditor import export_bytes
from engine.server.console import admin
from passersby.cli import output
from passersby.client.connection import Connection
from passersby.result import exports
from passersby.result.result import Result

COUNT = "SELECT zone, count(*) AS visits FROM visit GROUP BY zone ORDER BY zone"


def result_of(card: dict[str, object] | None = None, **columns: list[object]) -> Result:
    shown = {"confidence": 0.95, "price": {"rho": 0.005}, "remaining": {}, "notes": ["read this"], **(card or {})}
    return Result(pa.table(columns).replace_schema_metadata({b"passersby": json.dumps(shown).encode()}))


def test_csv_has_the_ends_of_intervals(ana: Connection, tmp_path: Path) -> None:
    answer = ana.query(COUNT)
    answer.to_csv(tmp_path / "a.csv")
    rows = list(csv.DictReader((tmp_path / "a.csv").open(encoding="utf-8", newline="")))
    assert list(rows[0]) == ["zone", "visits", "visits_low", "visits_high"]
    assert [int(row["visits"]) for row in rows] == [row[1] for row in answer.rows]


def test_numbers_beyond_their_intervals_are_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    low = result_of({"intervals": {"n": [[0, 5], [0, 9], [1, 8]]}}, zone=["a", "b", "c"], n=[-3, 4, -7])
    told = "2 numbers are beyond the interval, as counts below 0"
    output.write_result(low, output.Format.CSV)
    assert told in capsys.readouterr().err
    low.to_excel(tmp_path / "a.xlsx")
    rows = openpyxl.load_workbook(tmp_path / "a.xlsx")["how to read it"].iter_rows(values_only=True)
    assert any(name == "note" and str(text).startswith(told) for name, text in rows)
    output.write_result(result_of({"intervals": {"n": [[0, 5]]}}, n=[4]), output.Format.CSV)
    assert "beyond" not in capsys.readouterr().err


def test_no_spreadsheet_runs_a_value_of_csv(tmp_path: Path) -> None:
    texts = ["=1+1", "@x", "-a", "a-", "\tx", None]
    result_of(zone=texts, n=[-1, 2, 3, 4, 5, 6]).to_csv(tmp_path / "a.csv")
    shown = list(csv.reader((tmp_path / "a.csv").open(encoding="utf-8", newline="")))[1:]
    assert [row[0] for row in shown] == ["'=1+1", "'@x", "'-a", "a-", "'\tx", ""]
    assert [row[1] for row in shown] == ["-1", "2", "3", "4", "5", "6"], "a number is a number"


FORMULAS = ["=1+1", "+1", "-a", "@x", "\tx", "\rx", "\nx", " =1", "\u00a0=1", "\uff1d1", "=HYPERLINK('http://x';'y')"]


def heads(text: str) -> list[str]:
    return next(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("name", FORMULAS)
def test_no_export_writes_a_column_name_that_a_spreadsheet_runs(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer, safe = result_of(**{name: [1, 2]}), f"'{name}"
    answer.to_csv(tmp_path / "a.csv")
    assert heads((tmp_path / "a.csv").read_bytes().decode()) == [safe]
    output.write_result(answer, output.Format.CSV)
    assert heads(capsys.readouterr().out) == [safe]
    output.write_rows([{name: 1}], lambda _: "", None, output.Format.CSV)
    assert heads(capsys.readouterr().out) == [safe]
    assert heads(export_bytes(admin.export_table([{name: "1"}]), "csv").decode()) == [safe]
    answer.to_excel(tmp_path / "a.xlsx")
    written = openpyxl.load_workbook(tmp_path / "a.xlsx")["answer"]["A1"]
    assert written.data_type in {"s", "inlineStr"}


def test_client_and_engine_have_the_same_cells() -> None:
    """Neither imports the other's parts, so the module is there twice; nothing may differ."""
    assert inspect.getsource(passersby.text.csv_cells) == inspect.getsource(csv_cells)


def test_a_carriage_return_begins_no_row(tmp_path: Path) -> None:
    result_of(a=["x\r=1+1,2", "y\n=1"]).to_csv(tmp_path / "a.csv")
    written = (tmp_path / "a.csv").read_bytes()
    assert written == b'a\n"x\r=1+1,2"\n"y\n=1"\n'


def test_an_alias_of_a_question_is_defused(ana: Connection, tmp_path: Path) -> None:
    ana.query('SELECT count(*) AS "=1+1" FROM visit').to_csv(tmp_path / "a.csv")
    assert heads((tmp_path / "a.csv").read_text(encoding="utf-8")) == ["'=1+1", "'=1+1_low", "'=1+1_high"]


def test_a_spreadsheet_has_rows_ends_and_how_to_read_them(ana: Connection, tmp_path: Path) -> None:
    answer = ana.query(COUNT)
    answer.to_excel(tmp_path / "a.xlsx")
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    head, *rows = book["answer"].iter_rows(values_only=True)
    assert head == ("zone", "visits", "visits_low", "visits_high")
    assert [row[:2] for row in rows] == answer.rows
    assert [row[2:] for row in rows] == answer.intervals["visits"]
    card = dict(book["how to read it"].iter_rows(values_only=True))
    assert card["intervals"].startswith("95%")
    assert card["price"].startswith("rho 0.005")
    assert card["release"] == answer.release_id


def test_a_sheet_runs_nothing_and_keeps_dates(tmp_path: Path) -> None:
    day, moment = datetime.date(2026, 10, 1), datetime.datetime(2026, 10, 1, 8, 30)
    answer = result_of(a=["=1+1", "https://example.org", "12", None], d=[day] * 4, t=[moment] * 4, l=[[1, 2]] * 4)
    answer.to_excel(tmp_path / "a.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx")["answer"]
    assert [cell.value for cell in sheet["A"]] == ["a", "=1+1", "https://example.org", "12", None]
    assert {cell.data_type for cell in sheet["A"][1:4]} <= {"s", "inlineStr"}
    assert sheet["A3"].hyperlink is None
    assert (sheet["B2"].value, sheet["C2"].value) == (datetime.datetime(2026, 10, 1), moment)
    assert sheet["D2"].value == "[1, 2]"


def test_a_sheet_that_is_too_short_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MOST_ROWS", 1)
    with pytest.raises(passersby.RefusedError, match="to_csv"):
        result_of(a=[1, 2]).to_excel(tmp_path / "a.xlsx")


def test_a_rehearsal_is_marked_in_its_sheet(ana: Connection, tmp_path: Path) -> None:
    ana.rehearse(COUNT).to_excel(tmp_path / "a.xlsx")
    card = dict(openpyxl.load_workbook(tmp_path / "a.xlsx")["how to read it"].iter_rows(values_only=True))
    assert "nothing" in card["synthetic rows"]
