"""Shared numbers: the other client pays on its own account, the dataset pays nothing, and nothing is released anew."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from budgets import EVERYBODY
from budgets.stores import journal
from engine import Refused, Session, open_session
from engine.api import workflows
from engine.api.wire.answer import CARD
from tests.engine.aged_town import AGED, Clock
from tests.engine.town import make_town

COUNT = "SELECT count(*) AS visits FROM visit"
BY_ZONE = "SELECT zone, count(*) AS visits FROM visit GROUP BY zone"
ONE = f"{COUNT} WHERE zone = 'z1'"
RHO = 0.005


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setattr(journal, "datetime", Clock)
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    with open_session(make_town(tmp_path, declared=AGED).path, ledger=":memory:") as opened:
        yield opened
    Clock.off = timedelta(0)


def spent(desk: Session, holder: str) -> float:
    found = [a for a in desk.engine.ledger.accounts("town") if (a.name.holder, a.name.window) == (holder, "forever")]
    return float(sum(account.spent.rho for account in found))


def shared(desk: Session, sql: str = COUNT, **terms: Any) -> list[str]:
    keys: list[str] = workflows.share(desk, sql, client="ann", **terms)["keys"]
    return keys


def take(desk: Session, keys: list[str], client: str, sql: str = COUNT) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = workflows.take(desk, sql, keys=keys, client=client, request_id="share-1").to_pylist()
    return rows


def code(refused: pytest.ExceptionInfo[Refused]) -> str:
    return str(refused.value.problem["code"])


@pytest.mark.parametrize("sql", [COUNT, BY_ZONE])
def test_another_client_pays_once_and_everybody_nothing(desk: Session, sql: str) -> None:
    own = desk.query(sql, client="ann").to_pylist()
    keys = shared(desk, sql)
    assert workflows.offer(desk, sql, keys=keys, client="bob")["price"]["rho"] == RHO
    for _ in range(2):
        assert take(desk, keys, "bob", sql) == own
        assert (spent(desk, "bob"), spent(desk, "ann"), spent(desk, EVERYBODY)) == (RHO, RHO, RHO)
    assert workflows.offer(desk, sql, keys=keys, client="bob")["paid"]
    assert workflows.offer(desk, sql, keys=keys, client="ann")["paid"]


def test_a_client_with_an_equivalent_release_still_gets_the_shared_numbers(desk: Session) -> None:
    own = desk.query(ONE, client="ann").to_pylist()
    desk.query(BY_ZONE, client="bob", rho="0.05")  # which says ann's number more exactly, and for free
    bobs = desk.query(ONE, client="bob")
    assert json.loads(bobs.schema.metadata[CARD])["made_from"]
    assert take(desk, shared(desk, ONE), "bob", ONE) == own


def test_derived_and_target_error_answers_and_missing_ones_are_not_shared(desk: Session) -> None:
    with pytest.raises(Refused) as refused:
        shared(desk)
    assert code(refused) == "E_PARAM"
    desk.query(BY_ZONE, client="ann", rho="0.09")
    desk.query(ONE, client="ann")  # made of these
    assert spent(desk, "ann") == 0.09
    for wanted in ({"sql": ONE}, {"sql": BY_ZONE, "target_error": "500"}, {"sql": "SELECT count(*) FROM zone"}):
        with pytest.raises(Refused) as refused:
            shared(desk, **wanted)
        assert code(refused) == "E_PARAM"


def test_a_budget_that_is_short_shows_nothing(desk: Session) -> None:
    desk.query(BY_ZONE, client="bob", rho="0.097")
    desk.query(COUNT, client="ann")
    keys, before = shared(desk), spent(desk, "bob")
    with pytest.raises(Refused) as refused:
        take(desk, keys, "bob")
    assert code(refused) == "E_BUDGET" and spent(desk, "bob") == before
    desk.engine.ledger.freeze(actor="test", reason="a test", client="cas")
    with pytest.raises(Refused) as refused:
        take(desk, keys, "cas")
    assert code(refused) == "E_FORBIDDEN"


def makes_new_release(desk: Session) -> bool:
    """Does a link to numbers that are no longer replayed make new ones, at everybody's cost?"""
    desk.query(COUNT, client="ann")
    keys = shared(desk)
    Clock.off = timedelta(days=31)
    try:
        take(desk, keys, "bob")
    except Refused as refused:
        assert refused.problem["code"] == "E_PARAM"
    return spent(desk, EVERYBODY) > RHO


def test_a_share_link_makes_no_new_release(desk: Session) -> None:
    assert not makes_new_release(desk)
    assert spent(desk, "bob") == 0


def test_a_share_link_that_made_a_new_release_would_be_found(desk: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def unlooked(engine: Any, sql: str, asked: Any, keys: Any) -> Any:
        del keys
        return workflows._compile_shareable(
            engine, sql, asked
        )  # planted: what the question says today, be it stored or not

    monkeypatch.setattr(workflows, "_shared_releases", unlooked)
    assert makes_new_release(desk)


def makes_new_release_when_expired(desk: Session, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Are numbers that grow too old between their charge and their answer made anew?"""
    own, charged = desk.query(COUNT, client="ann").to_pylist(), type(desk.engine).charge

    def slow(*given: Any) -> Any:
        charge = charged(*given)
        Clock.off = timedelta(days=31)
        return charge

    keys = shared(desk)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(type(desk.engine), "charge", slow)
        given = take(desk, keys, "bob")
    assert spent(desk, "bob") >= RHO
    return given != own or spent(desk, EVERYBODY) > RHO


def test_numbers_that_grow_too_old_once_they_are_paid_are_given(desk: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not makes_new_release_when_expired(desk, monkeypatch)
    assert spent(desk, "bob") == RHO


def test_a_planted_answer_that_names_releases_again_is_found(desk: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    query = type(desk).query
    monkeypatch.setattr(type(desk), "query", lambda self, sql, paid=(), **asked: query(self, sql, **asked))
    assert makes_new_release_when_expired(desk, monkeypatch)


def test_auditors_read_that_numbers_were_shared(desk: Session) -> None:
    desk.query(COUNT, client="ann")
    keys = shared(desk)
    (row,) = desk.engine.ledger.entries(kind="note_shared")
    assert (row.actor, row.content) == ("ann", {"format": 1, "keys": keys})
