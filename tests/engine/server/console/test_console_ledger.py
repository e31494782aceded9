"""The console's ledger: filters, words, files, and whether it is as it was written."""

from __future__ import annotations

import io
import json

import pytest
from pyarrow import parquet

from engine.api.auditor import export_bytes
from engine.server.console.admin import export_table
from engine.server.http.roles import Role
from tests.support.server.serving import TestServer
from tests.support.server.visiting import Browser, visitors

COUNT = "SELECT count(*) AS visits FROM visit"
FORMULA = "=1+1"


@pytest.fixture
def browsers(served: TestServer) -> dict[Role, Browser]:
    """Log in an admin and an auditor, after something has happened."""
    found = visitors(served, Role.ADMIN, Role.AUDITOR)
    found[Role.ADMIN].post("/console/clients/add", client="x", reason=FORMULA)
    served.ask(COUNT)
    return found


def rows(browser: Browser, **wanted: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = browser.get("/console/ledger/export", **wanted).json()
    return found


def test_rows_are_filtered_by_client_kind_time_and_dataset(browsers: dict[Role, Browser]) -> None:
    auditor = browsers[Role.AUDITOR]
    assert FORMULA in auditor.get("/console/ledger", client="x").text
    assert FORMULA not in auditor.get("/console/ledger", client="analyst").text
    every = rows(auditor)
    assert {row["kind"] for row in rows(auditor, kind="charged")} == {"charged"}
    assert {row["dataset"] for row in rows(auditor, dataset="town")} == {"town"}
    middle = str(every[2]["at"])
    before, since = rows(auditor, until=middle), rows(auditor, since=middle)
    assert before + since == every and before and since
    for wrong in ({"kind": "nothing"}, {"page": "x"}, {"since": "soon"}, {"until": "later"}):
        assert auditor.get("/console/ledger", **wrong).status_code == 400


def test_rows_are_found_by_words(browsers: dict[Role, Browser]) -> None:
    auditor = browsers[Role.AUDITOR]
    assert [row["client"] for row in rows(auditor, search=FORMULA)] == ["x"]
    assert {row["kind"] for row in rows(auditor, search="VISIT charged")} == {"charged"}
    assert rows(auditor, search="visit nowhere") == []
    assert "No row is left" in auditor.get("/console/ledger", search="nowhere").text


def test_rows_are_saved_in_three_formats(browsers: dict[Role, Browser]) -> None:
    auditor = browsers[Role.AUDITOR]
    csv = auditor.get("/console/ledger/export", **{"as": "csv"})
    assert f"'{FORMULA}" in csv.text and "attachment" in csv.headers["content-disposition"]
    saved = auditor.get("/console/ledger/export", **{"as": "parquet"})
    assert parquet.read_table(io.BytesIO(saved.content)).to_pylist() == rows(auditor)
    assert auditor.get("/console/ledger/export", **{"as": "exe"}).status_code == 400
    assert parquet.read_table(io.BytesIO(export_bytes(export_table([]), "parquet"))).num_rows == 0


def test_the_ledger_is_verified_with_and_without_an_anchor(browsers: dict[Role, Browser], served: TestServer) -> None:
    auditor = browsers[Role.AUDITOR]
    assert "<strong>Yes.</strong>" in auditor.get("/console/ledger/verify").text
    anchor = served.send("GET", "/v1/admin/ledger/anchor", Role.AUDITOR).json()["anchor"]
    assert "<strong>Yes.</strong>" in auditor.post("/console/ledger/verify", anchor=anchor).text
    told = json.loads(anchor)
    other = json.dumps(told | {"row_hash": told["row_hash"][::-1]})
    assert "<strong>No.</strong>" in auditor.post("/console/ledger/verify", anchor=other).text
    assert auditor.post("/console/ledger/verify", anchor="{}").status_code == 400
