"""The session: every error is Refused, in one shape, and everything opened is closed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from budgets import Ledger
from engine import Refused, Session, open_session
from engine.accounts.window_accounts import least_remaining
from tests.engine.town import CATALOG, make_town

BY_ZONE = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"
SHAPE = {"code", "message", "hint", "span", "sql"}


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A town, with every other file next to it."""
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("engine.workflows.rehearsal.PERSONS", 300)
    return make_town(tmp_path).path


@pytest.fixture
def session(where: str) -> Iterator[Session]:
    """Session with a ledger in memory."""
    with open_session(where, ledger=":memory:") as opened:
        yield opened


def card(table: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(table.schema.metadata[b"passersby"])
    return found


def refused(ask: Any) -> dict[str, Any]:
    with pytest.raises(Refused) as caught:
        ask()
    assert set(caught.value.problem) >= SHAPE
    return caught.value.problem


@pytest.mark.parametrize("client", ["*owner", "*", "", "a//b"])
def test_no_client_may_use_the_name_of_the_owner(session: Session, client: str) -> None:
    for ask in (session.query, session.explain, session.rehearse):
        with pytest.raises(Refused, match="E_PARAM"):
            ask("SELECT COUNT(*) FROM visit", client=client)
    with pytest.raises(Refused, match="E_PARAM"):
        session.history(client)


@pytest.mark.parametrize("sql", ["describe visit", "show tables", f"EXPLAIN PRIVACY {BY_ZONE}"])
def test_explaining_a_free_statement_is_refused_as_free(session: Session, sql: str) -> None:
    problem = refused(partial(session.explain, sql, client="ann"))
    assert problem["code"] == "E_STMT" and "costs nothing" in str(problem["message"])
    assert session.query(sql, client="ann").num_rows


def test_a_default_ledger_is_created_if_none_is_named(where: str, tmp_path: Path) -> None:
    for replayed in (False, True):
        with open_session(where) as session:
            assert card(session.query(BY_ZONE, client="ann"))["replayed"] is replayed
    assert {path.suffix for path in (tmp_path / "data").iterdir()} >= {".ledger", ".objections"}


def test_a_ledger_may_be_named(where: str, tmp_path: Path) -> None:
    with open_session(where, ledger=str(tmp_path / "own.ledger")) as session:
        session.query(BY_ZONE, client="ann")
    assert (tmp_path / "own.ledger").exists()
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"marks", "marks.lock"}


def test_nothing_is_left_behind_but_the_ledger(where: str, tmp_path: Path) -> None:
    with open_session(where, ledger=":memory:") as session:
        assert any((tmp_path / "cache").iterdir())
        session.query(BY_ZONE, client="ann")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(
    ("where", "code"), [("no_such_catalog", "E_CATALOG"), ("broken.toml", "E_CATALOG"), ("empty", "E_CATALOG")]
)
def test_an_invalid_catalog_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, code: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.toml").write_text("format = ")
    (tmp_path / "empty").mkdir()
    problem = refused(lambda: open_session(where, ledger=":memory:"))
    assert (problem["code"], problem["sql"]) == (code, None)
    assert problem["file"]
    assert problem["hint"]


def test_data_that_are_not_there_are_refused_by_name(where: str, tmp_path: Path) -> None:
    (tmp_path / "town.duckdb").unlink()
    problem = refused(lambda: open_session(where, ledger=":memory:"))
    assert problem["code"] == "E_DATA"
    assert problem["message"].startswith("person: its file")


def test_a_ledger_that_others_can_read_is_refused_and_the_data_are_closed(where: str, tmp_path: Path) -> None:
    shared = tmp_path / "shared.ledger"
    with open_session(where, ledger=str(shared)) as session:
        session.query(BY_ZONE, client="ann")
    shared.chmod(0o666)
    assert refused(lambda: open_session(where, ledger=str(shared)))["code"] == "E_LEDGER"
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_ceiling_that_was_raised_is_refused(where: str, tmp_path: Path) -> None:
    with open_session(where) as session:
        session.query(BY_ZONE, client="ann")
    Path(where).write_text(CATALOG.replace("rho = 0.2", "rho = 0.3"))
    assert refused(lambda: open_session(where))["code"] == "E_BUDGET_DATASET"
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_invalid_amount_is_refused(session: Session) -> None:
    """Case 125: no amount of text slips through as a number, and no question is answered for next to nothing."""
    for rho in ("0", "-1", "NaN", "nan", "Infinity", "-0.0", "1e-300", "5e-324", "1e400", "true", "", "0_005", "１"):
        for ask in (session.query, session.explain, session.rehearse):
            assert refused(partial(ask, BY_ZONE, client="ann", rho=rho))["code"] == "E_PARAM", rho
    for ask in (session.query, session.explain):
        assert refused(partial(ask, BY_ZONE, client="ann", rho="1e-13"))["code"] == "E_PARAM"
    assert session.ledger() == []


def test_an_invalid_client_name_is_refused(session: Session) -> None:
    for client in ("", "x" * 201, "a\nb", "a\0b"):
        assert refused(partial(session.query, BY_ZONE, client=client))["code"] == "E_PARAM", client


def test_query_explain_and_rehearse_refuse_with_the_same_problem(session: Session) -> None:
    codes = {"SELECT oops FROM visit": "E_COLUMN", "DROP TABLE visit": "E_STMT", "SELECT shop FROM visit": "E_ROWS"}
    for sql, code in codes.items():
        problems = [
            refused(partial(ask, sql, client="ann")) for ask in (session.query, session.explain, session.rehearse)
        ]
        assert problems[0] == problems[1] == problems[2]
        assert (problems[0]["code"], problems[0]["sql"]) == (code, sql)
    assert session.ledger() == []


def test_a_failure_is_constant_text(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.errors import ExecutionFailed

    monkeypatch.setattr(type(session.engine.backend), "run", lambda *_: (_ for _ in ()).throw(ExecutionFailed()))
    problem = refused(lambda: session.query(BY_ZONE, client="ann"))
    assert (problem["code"], problem["message"], problem["hint"]) == (
        "E_EXEC",
        ExecutionFailed.why,
        ExecutionFailed.hint,
    )
    (shared, own) = session.budget("ann")["accounts"]
    assert (shared["spent_rho"], own["spent_rho"]) == (0.005, 0.005)


def test_a_failed_rehearsal_states_that_nothing_was_charged(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.errors import ExecutionFailed

    monkeypatch.setattr(type(session.engine.backend), "run", lambda *_: (_ for _ in ()).throw(ExecutionFailed()))
    assert "nothing was charged" in refused(lambda: session.rehearse(BY_ZONE, client="ann"))["message"]


def test_every_answer_reports_the_remaining_budget(session: Session) -> None:
    remaining = card(session.query(BY_ZONE, client="ann"))["remaining"]
    assert (remaining["client"]["rho"], remaining["dataset"]["rho"]) == (0.095, 0.195)
    other = card(session.query(BY_ZONE, client="ben"))["remaining"]
    assert (other["client"]["rho"], other["dataset"]["rho"]) == (0.095, 0.195)


def test_accounts_are_read_once_for_an_answer(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """The remaining budget is that of the accounts which the outlook reads, as if they were read again."""
    for sql in (BY_ZONE, "SELECT COUNT(*) AS n FROM visit"):
        shown = card(session.query(sql, client="ann"))["remaining"]
        assert shown == least_remaining(session.engine.ledger, session.engine.catalog, "town", "ann")
    monkeypatch.setattr(Ledger, "accounts_with_caps", lambda *_: pytest.fail("accounts are read again"))
    assert card(session.query(BY_ZONE, client="ann"))["remaining"] == shown
    assert session.explain(BY_ZONE, client="ann")["remaining"] == shown


def test_budget_shows_a_client_its_own_and_an_admin_all(session: Session) -> None:
    assert [account["spent_rho"] for account in session.budget("ann")["accounts"]] == [0.0, 0.0]
    session.query(BY_ZONE, client="ann")
    session.query(BY_ZONE, client="ben")
    assert [account["client"] for account in session.budget("ann")["accounts"]] == [None, "ann"]
    assert [account["client"] for account in session.budget()["accounts"]] == [None, "ann", "ben"]
    assert session.budget()["query_rho"] == {"town": 0.005}


def test_history_and_ledger_are_the_clients_own(session: Session) -> None:
    session.query(BY_ZONE, client="ann")
    session.query("SELECT COUNT(*) AS n FROM visit", client="ben", request_id="r-7")
    assert (len(session.history("ann")), len(session.history("ben")), session.history("cid")) == (1, 1, [])
    assert {row["client"] for row in session.ledger("ben")} == {"ben"}
    assert "r-7" in {row["request_id"] for row in session.ledger()}
    assert len(session.ledger(limit=2)) == 2


def test_a_request_sent_twice_is_charged_once(session: Session) -> None:
    first, again = (session.query(BY_ZONE, client="ann", request_id="r-1") for _ in range(2))
    assert first.equals(again)
    assert card(again)["replayed"] is True


@pytest.mark.parametrize("request_id", [10**30, b"r-1", "r\n1", "r" * 201, "\ud800"])
def test_a_request_id_that_is_no_plain_text_is_refused(session: Session, request_id: Any) -> None:
    with pytest.raises(Refused) as refused:
        session.query(BY_ZONE, client="ann", request_id=request_id)
    assert refused.value.problem["code"] == "E_PARAM"
    assert session.history("ann") == []


def test_a_rehearsal_is_free_and_marked_as_one(session: Session) -> None:
    before = session.budget("ann")
    table = session.rehearse(BY_ZONE, client="ann", rho="0.05")
    shown = card(table)
    assert (shown["rehearsal"], shown["release_id"], shown["replayed"]) == (True, None, False)
    assert shown["note_codes"][0] == "rehearsal"
    assert shown["reliability"] == {} and list(shown["intervals"]) == ["n"], "made-up rows say nothing of reliability"
    assert shown["remaining"]["client"]["rho"] == 0.1
    assert (session.budget("ann"), session.ledger(), session.history("ann")) == (before, [], [])
    assert table.num_rows == 7


def test_tables_are_listed(session: Session) -> None:
    assert [table["name"] for table in session.tables()] == ["person", "visit", "purchase", "zone"]


def test_concurrent_sessions_spend_from_one_ledger(where: str) -> None:
    with open_session(where) as one, open_session(where) as other:
        first = one.query(BY_ZONE, client="ann")
        assert other.query(BY_ZONE, client="ann").equals(first)
        assert len(other.history("ann")) == 1


def test_copies_are_the_owners_alone(where: str, tmp_path: Path) -> None:
    with open_session(where) as session:
        session.rehearse(BY_ZONE, client="ann")
        for folder, _, files in os.walk(tmp_path / "cache"):
            assert Path(folder).stat().st_mode & 0o077 == 0
            assert all((Path(folder) / file).stat().st_mode & 0o077 == 0 for file in files)
