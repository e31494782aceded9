"""The forecast of a budget is what the ledger accepts: number of queries, other prices, other windows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from budgets import LIFETIME, PER_QUERY, Loss
from budgets.stores import journal
from engine import Refused, Session, open_session
from engine.pipeline.outlook import format_windows
from tests.engine.town import make_town
from tests.engine.windowed_town import DAYS, WINDOWED

ONE = f"SELECT zone, COUNT(*) AS n FROM visit WHERE day = DATE '{DAYS[1]}' GROUP BY zone"
ALL = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"
STATIC = "SELECT gender, COUNT(*) AS n FROM person GROUP BY gender"
WHY = {"actor": "admin", "reason": "a test"}


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    with open_session(make_town(tmp_path, declared=WINDOWED).path, ledger=":memory:") as opened:
        yield opened


def card(table: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(table.schema.metadata[b"passersby"])
    return found


def outlook(session: Session, sql: str, rho: str = "0.01", client: str = "ann") -> dict[str, Any]:
    found: dict[str, Any] = session.explain(sql, client=client, rho=rho)["outlook"]
    return found


def refused(session: Session, sql: str, rho: str, client: str = "ann") -> dict[str, Any]:
    with pytest.raises(Refused) as caught:
        session.query(sql, client=client, rho=rho)
    return caught.value.problem


def varied(sql: str, count: int) -> list[str]:
    """Queries over fewer and fewer visits: similar to each other, and each new."""
    word = "AND" if "WHERE" in sql else "WHERE"
    return [sql.replace(" GROUP", f" {word} coins <= {9 - i} GROUP") for i in range(count)]


def test_the_forecast_is_at_the_price_that_is_shown_where_one_release_is_held(session: Session) -> None:
    """Of a share of a held total only the parts are bought."""
    parts = "SELECT gender, COUNT(*) AS n FROM person GROUP BY gender"
    total = "SELECT COUNT(DISTINCT person_id) AS n FROM person WHERE gender IS NOT NULL"
    share = f"SELECT gender, n * 1.0 / (SELECT n FROM ({total})) AS share FROM ({parts}) AS q"
    whole = session.explain(share, client="ann", rho="0.01")
    session.query(total, client="ann", rho="0.01")
    before = session.explain(share, client="ann", rho="0.01")
    price = before["price"]["rho"]
    assert price == pytest.approx(whole["price"]["rho"] / 2)
    left = before["remaining"]["client"]["rho"]
    assert before["outlook"]["further"] == int(left / price + 1e-9)
    answered = card(session.query(share, client="ann", rho="0.01"))
    assert answered["price"]["rho"] == price
    assert answered["outlook"]["further"] == before["outlook"]["further"] - 1


def test_the_forecast_number_of_queries_is_answered_and_the_next_refused(session: Session) -> None:
    session.query(ONE, client="ann", rho="0.068")
    told = outlook(session, ALL)
    assert (told["further"], told["window"], told["client"]) == (3, DAYS[1], "ann")
    *fitting, last = varied(ALL, 4)
    for left, sql in zip((2, 1, 0), fitting, strict=True):
        assert card(session.query(sql, client="ann", rho="0.01"))["outlook"]["further"] == left
    problem = refused(session, last, "0.01")
    assert (problem["code"], problem["window"], problem["would_fit_rho"]) == ("E_BUDGET", DAYS[1], 0.002)
    session.query(last, client="ann", rho="0.002")


def test_a_refusal_lists_what_fits_and_all_of_it_is_accepted(session: Session) -> None:
    session.query(ONE, client="ann", rho="0.095")
    problem = refused(session, ALL, "0.01")
    assert problem["would_fit_windows"] == [DAYS[0], DAYS[2], DAYS[3]]
    assert problem["other_windows"] == [] == outlook(session, ALL)["other_windows"]  # every declared one is asked about
    assert f"The same about {DAYS[0]}, {DAYS[2]} to {DAYS[3]} alone fits." in problem["hint"]
    error = problem["would_fit_error"]["n"]
    assert f"at most rho 0.005 fits. That buys n ± {error:,.6g} at confidence 0.95." in problem["hint"]
    assert session.explain(ALL, client="ann", rho="0.005")["expected_error"]["n"] == pytest.approx(error)
    session.query(ALL.replace(" GROUP", f" WHERE day <> DATE '{DAYS[1]}' GROUP"), client="ann", rho="0.01")
    again = refused(session, varied(ONE, 1)[0], "0.06")
    assert again["other_windows"] == [DAYS[0], DAYS[2], DAYS[3]]
    assert f"The same about any one of {DAYS[0]}, {DAYS[2]} to {DAYS[3]} fits." in again["hint"]
    session.query(ONE.replace(DAYS[1], DAYS[2]), client="ann", rho="0.06")


def test_a_stored_answer_is_named_by_its_price(session: Session) -> None:
    session.query(ALL, client="ann", rho="0.03")
    problem = refused(session, ALL, "0.2")  # of which 0.17 is still to be bought
    assert problem["free_at_rho"] == 0.03
    assert "You hold this answer at rho 0.03: with that price it is free." in problem["hint"]
    assert card(session.query(ALL, client="ann", rho="0.03"))["replayed"]
    assert refused(session, ALL, "0.2", client="ben")["free_at_rho"] is None  # what others hold is not his


def test_every_account_of_the_client_tree_limits_the_forecast(session: Session) -> None:
    ledger = session.engine.ledger
    ledger.cap_client("acme", "town", Loss.rounded_up("0.03", "1e-9"), scope=DAYS[2], **WHY)
    told = outlook(session, ALL, client="acme/ann")
    assert (told["further"], told["client"], told["window"]) == (3, "acme", DAYS[2])
    ledger.cap_client("acme/ann", "town", Loss.rounded_up("0.05", "1e-9"), scope=LIFETIME, **WHY)
    told = outlook(session, ALL, client="acme/ann")
    assert (told["further"], told["window"]) == (1, LIFETIME)  # four windows a question
    ledger.cap_client("acme/ann", "town", Loss.rounded_up("0.004", "1e-9"), scope=PER_QUERY, **WHY)
    told = outlook(session, ALL, client="acme/ann")
    assert (told["further"], told["account"], told["would_fit_rho"]) == (0, None, 0.004)
    assert "no more at this price, by the most that one question may cost" in told["told"]
    session.query(ALL, client="acme/ann", rho="0.004")
    shown = {(a["client"], a["window"]): a for a in session.budget("acme/ann")["accounts"]}
    assert shown["acme", DAYS[2]]["questions"] == 5 and shown["acme/ann", LIFETIME]["spent_rho"] == 0.016


def test_new_budget_comes_with_windows_to_come(session: Session) -> None:
    assert outlook(session, ONE)["next_window"] == DAYS[2]
    told = outlook(session, ALL)
    assert told["next_window"] == "2026-10-05"
    words = "new budget: questions about 2026-10-05, once the catalog declares it"
    assert words in told["told"] and words in session.budget("ann")["ahead"]["town"]
    assert outlook(session, STATIC)["other_windows"] == []


def test_a_budget_that_is_never_renewed_has_no_next_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    with open_session(make_town(tmp_path).path, ledger=":memory:") as session:
        told = outlook(session, ALL)
        assert told["next_window"] is None
        assert "no new budget comes: the dataset is one privacy window, forever" in told["told"]
        assert card(session.query("SELECT * FROM zone", client="ann"))["outlook"] is None


def test_a_timeless_query_has_no_other_window_to_suggest(session: Session) -> None:
    session.query(STATIC, client="ann", rho="0.095")
    problem = refused(session, STATIC, "0.2")
    assert (problem["window"], problem["would_fit_windows"], problem["other_windows"]) == ("static", [], [])


def test_the_duration_of_the_budget_is_forecast_from_enough_history(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    for days, sql in zip((20, 10, 2), varied(ONE, 3), strict=True):
        assert outlook(session, ONE)["lasts_days"] is None
        at = (now - timedelta(days=days)).isoformat(timespec="milliseconds")
        monkeypatch.setattr(journal, "now_text", lambda at=at: at)
        session.query(sql, client="ann", rho="0.02")
        monkeypatch.undo()
    told = outlook(session, ONE)
    assert (told["lasts_days"], told["rate_days"]) == (13, 20)
    assert "at the rate of the last 20 days that budget lasts about 13 days" in told["told"]
    (lasting, _) = session.budget("ann")["ahead"]["town"]
    assert lasting == (
        f"at the rate of the last 20 days the budget of client 'ann' for window '{DAYS[1]}' of dataset 'town'"
        " lasts about 13 days"
    )
    last = {"dataset": "town", "window": DAYS[1], "client": "ann", "days": 13, "of_days": 20}
    assert last in session.budget("ann")["forecasts"]
    assert "rate" not in refused(session, ALL, "0.3")["hint"]  # no refusal depends on a clock


def test_an_unknown_client_name_has_a_note_in_its_budget(session: Session) -> None:
    words = "client 'anne' is new: nobody has asked, or was added, under this name"
    session.query(ONE, client="acme/ann")
    assert words in session.budget("anne")["ahead"]["town"]
    for known in ("acme/ann", "acme", None):
        assert not any("nobody has asked" in each for each in session.budget(known)["ahead"]["town"])
    session.engine.ledger.add_client("anne", **WHY)
    assert words not in session.budget("anne")["ahead"]["town"]


def test_explain_statements_show_the_budget_forecast(session: Session) -> None:
    rows = session.query(f"EXPLAIN PRIVACY {ONE}", client="ann").to_pylist()
    (first, *others) = [row for row in rows if row["part"] == "ahead"]
    assert (first["name"], first["value"]) == ("further", 20.0) and others
    assert [row["questions"] for row in session.query("SHOW BUDGET", client="ann").to_pylist()] == [40, 20, 40, 20]


def test_consecutive_windows_are_written_as_one_range() -> None:
    assert format_windows(("b", "c", "f"), ("a", "b", "c", "d", "e", "f")) == "b to c, f"
    assert format_windows(("static",), ("a",)) == "static"
