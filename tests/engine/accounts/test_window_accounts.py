"""Each privacy window has accounts of its own: charged in full, and shown as one range if neighbours are equal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import Refused, Session, open_session
from engine.accounts.alerts import passed_alerts
from engine.api.admin import Admin
from tests.engine.town import CATALOG, make_town
from tests.engine.windowed_town import DAYS, WINDOWED

ONE = "SELECT zone, COUNT(*) AS n FROM visit WHERE day = DATE '2026-10-02' GROUP BY zone"
ALL = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"
STATIC = "SELECT gender, COUNT(*) FROM person GROUP BY gender"


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    with open_session(make_town(tmp_path, declared=WINDOWED).path, ledger=":memory:") as opened:
        yield opened


def spent(session: Session, client: str | None = "ann") -> dict[str, float]:
    accounts = session.budget(client)["accounts"]
    return {account["window"]: account["spent_rho"] for account in accounts if account["client"] == client}


def card(table: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(table.schema.metadata[b"passersby"])
    return found


def test_before_the_first_query_all_windows_are_shown_as_one_range(session: Session) -> None:
    assert spent(session) == {f"{DAYS[0]} to {DAYS[-1]}": 0.0, "static": 0.0}


def test_a_query_is_charged_to_its_privacy_windows(session: Session) -> None:
    assert card(session.query(ONE, client="ann"))["windows"] == [DAYS[1]]
    assert spent(session) == {DAYS[0]: 0.0, DAYS[1]: 0.005, f"{DAYS[2]} to {DAYS[3]}": 0.0, "static": 0.0}
    session.query(ALL, client="ann")
    assert spent(session) == {DAYS[0]: 0.005, DAYS[1]: 0.01, f"{DAYS[2]} to {DAYS[3]}": 0.005, "static": 0.0}
    assert spent(session, None) == spent(session)
    session.query(STATIC, client="ann")
    assert spent(session)["static"] == 0.005


def test_the_window_with_the_least_budget_decides_the_remaining_one(session: Session) -> None:
    session.query(ONE, client="ann", rho="0.099")
    assert card(session.query(STATIC, client="ann"))["remaining"]["client"]["rho"] == pytest.approx(0.095, abs=1e-3)
    with pytest.raises(Refused) as refused:
        session.query(ALL, client="ann")
    assert refused.value.problem["code"] == "E_BUDGET" and DAYS[1] in str(refused.value.problem)
    session.query(ALL.replace("GROUP", f"WHERE day > '{DAYS[1]}' GROUP"), client="ann")  # other windows are not short


def test_an_explanation_names_the_charged_windows_and_the_reason(session: Session) -> None:
    several = session.explain(ALL, client="ann")
    assert several["windows"] == list(DAYS) and not several["crossing"]
    notes = " ".join(several["notes"])
    assert (
        "Without a condition on time" in notes
        and "4 privacy windows together this release is at most rho 0.08" in notes
    )
    keyed = session.explain(ALL.replace("zone", "day"), client="ann")
    assert "at most rho 0.02" in " ".join(keyed["notes"])
    crossing = session.explain("SELECT COUNT(*) FROM (SELECT person_id FROM visit GROUP BY 1)", client="ann")
    assert crossing["crossing"] and "together" in " ".join(crossing["notes"])
    assert "at most rho 0.005" in " ".join(crossing["notes"])
    listed = session.query(f"EXPLAIN PRIVACY {ONE}", client="ann").to_pylist()
    assert [row["name"] for row in listed if row["part"] == "window"] == [DAYS[1]]


def test_a_question_asked_again_costs_nothing_in_any_window(session: Session) -> None:
    session.query(ALL, client="ann")
    before = spent(session)
    assert card(session.query(ALL.lower().replace("count(*) as n", "COUNT(*) AS n"), client="ann"))["replayed"]
    assert spent(session) == before


def test_a_dataset_keeps_its_windows_from_its_first_charge_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    ledger = str(tmp_path / "kept.ledger")
    path = make_town(tmp_path, declared=WINDOWED).path
    with open_session(path, ledger=ledger) as session:
        session.query(STATIC, client="ann")
    with open_session(path, ledger=ledger) as session:  # what has no time tells of no length
        session.query(ONE, client="ann")
    Path(path).write_text(CATALOG)
    with pytest.raises(Refused) as refused:
        open_session(path, ledger=ledger)
    assert "of another length: day" in refused.value.problem["message"]


def test_tables_without_time_may_have_a_cap_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    text = WINDOWED.replace("client_rho = 0.1", "client_rho = 0.1\nstatic_rho = 0.007")
    with open_session(make_town(tmp_path, declared=text).path, ledger=":memory:") as session:
        session.query(STATIC, client="ann")
        with pytest.raises(Refused) as refused:
            session.query(STATIC.replace("COUNT(*)", "COUNT(DISTINCT person_id)"), client="ann")
        assert "static" in str(refused.value.problem)
        session.query(ALL, client="ann", rho="0.09")  # windows have theirs


# ------------------------------------------------------------------ caps in force


def shown(session: Session) -> dict[tuple[str | None, str], float]:
    """Caps that an admin sees, by client and windows."""
    return {(row["client"], row["window"]): row["cap_rho"] for row in session.budget(None)["accounts"]}


WHOLE = f"{DAYS[0]} to {DAYS[-1]}"


def test_an_approval_shows_at_once_and_who_never_charged_is_there(session: Session) -> None:
    admin = Admin(session.engine.catalog, session.engine.ledger)
    for name in ("ann", "ben", "lab/eve", "gone"):
        admin.add_client(name, by="ana", reason="new")
    admin.remove_client("gone", by="ana", reason="left")
    session.query(ONE, client="ann")
    assert shown(session)["ann", DAYS[1]] == shown(session)["ben", WHOLE] == shown(session)["lab/eve", WHOLE] == 0.1
    assert shown(session)["lab", WHOLE] == 0.2  # a group has the dataset's
    assert not [key for key in shown(session) if key[0] == "gone"]
    for name, rho, window in (("ann", "0.15", None), ("ben", "0.02", None), ("lab/eve", "0.03", DAYS[2])):
        asked = admin.request_top_up(name, rho, reason="more", scope=window or "each")
        admin.approve_top_up(asked["request"], by="ana", reason="granted")
    now = shown(session)
    assert now["ann", DAYS[1]] == now["ann", DAYS[0]] == 0.15
    assert now["ben", WHOLE] == 0.02 and now["lab/eve", DAYS[2]] == 0.03 and now["lab/eve", DAYS[3]] == 0.1
    assert {cap for (client, _), cap in now.items() if client is None} == {0.2}


def test_who_was_removed_is_shown_with_what_was_spent(session: Session) -> None:
    admin = Admin(session.engine.catalog, session.engine.ledger)
    session.query(ONE, client="ann")
    admin.remove_client("ann", by="ana", reason="left")
    assert ("ann", DAYS[1]) in shown(session)


def test_alerts_are_of_the_caps_in_force(session: Session) -> None:
    admin = Admin(session.engine.catalog, session.engine.ledger)

    def marks() -> list[tuple[str, int]]:
        passed = passed_alerts(session.engine.ledger, session.engine.catalog)
        return [(each["client"], each["mark"]) for each in passed if each["client"]]

    session.query(ONE, client="ann", rho="0.06")
    assert marks() == [("ann", 50)]
    admin.cap_client("ann", "0.2", by="ana", reason="more")
    assert marks() == []
    admin.cap_client("ann", "0.07", by="ana", reason="less")
    assert marks() == [("ann", 80)]
