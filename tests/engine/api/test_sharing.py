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
from engine.api import sharing
from engine.api.wire.answer import CARD
from tests.engine.aged_town import AGED, Clock
from tests.engine.town import make_town

COUNT = "SELECT count(*) AS visits FROM visit"
BY_ZONE = "SELECT zone, count(*) AS visits FROM visit GROUP BY zone"
ONE = f"{COUNT} WHERE zone = 'z1'"
RHO = 0.005


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setattr(journal, "datetime", Clock)
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    with open_session(make_town(tmp_path, declared=AGED).path, ledger=":memory:") as opened:
        yield opened
    Clock.off = timedelta(0)


def spent(session: Session, holder: str) -> float:
    found = [a for a in session.engine.ledger.accounts("town") if (a.name.holder, a.name.window) == (holder, "forever")]
    return float(sum(account.spent.rho for account in found))


def shared(session: Session, sql: str = COUNT, **terms: Any) -> list[str]:
    keys: list[str] = sharing.share(session, sql, client="ann", **terms)["keys"]
    return keys


def take(session: Session, keys: list[str], client: str, sql: str = COUNT) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = sharing.take(session, sql, keys=keys, client=client, request_id="share-1").to_pylist()
    return rows


def code(refused: pytest.ExceptionInfo[Refused]) -> str:
    return str(refused.value.problem["code"])


@pytest.mark.parametrize("sql", [COUNT, BY_ZONE])
def test_another_client_pays_once_and_everybody_nothing(session: Session, sql: str) -> None:
    own = session.query(sql, client="ann").to_pylist()
    keys = shared(session, sql)
    assert sharing.offer(session, sql, keys=keys, client="bob")["price"]["rho"] == RHO
    for _ in range(2):
        assert take(session, keys, "bob", sql) == own
        assert (spent(session, "bob"), spent(session, "ann"), spent(session, EVERYBODY)) == (RHO, RHO, RHO)
    assert sharing.offer(session, sql, keys=keys, client="bob")["paid"]
    assert sharing.offer(session, sql, keys=keys, client="ann")["paid"]


def test_a_client_with_an_equivalent_release_still_gets_the_shared_numbers(session: Session) -> None:
    own = session.query(ONE, client="ann").to_pylist()
    session.query(BY_ZONE, client="bob", rho="0.05")  # which says ann's number more exactly, and for free
    bobs = session.query(ONE, client="bob")
    assert json.loads(bobs.schema.metadata[CARD])["made_from"]
    assert take(session, shared(session, ONE), "bob", ONE) == own


def test_derived_and_target_error_answers_and_missing_ones_are_not_shared(session: Session) -> None:
    with pytest.raises(Refused) as refused:
        shared(session)
    assert code(refused) == "E_PARAM"
    session.query(BY_ZONE, client="ann", rho="0.09")
    session.query(ONE, client="ann")  # made of these
    assert spent(session, "ann") == 0.09
    for wanted in ({"sql": ONE}, {"sql": BY_ZONE, "target_error": "500"}, {"sql": "SELECT count(*) FROM zone"}):
        with pytest.raises(Refused) as refused:
            shared(session, **wanted)
        assert code(refused) == "E_PARAM"


def test_a_budget_that_is_short_shows_nothing(session: Session) -> None:
    session.query(BY_ZONE, client="bob", rho="0.097")
    session.query(COUNT, client="ann")
    keys, before = shared(session), spent(session, "bob")
    with pytest.raises(Refused) as refused:
        take(session, keys, "bob")
    assert code(refused) == "E_BUDGET" and spent(session, "bob") == before
    session.engine.ledger.freeze(actor="test", reason="a test", client="cas")
    with pytest.raises(Refused) as refused:
        take(session, keys, "cas")
    assert code(refused) == "E_FORBIDDEN"


def makes_new_release(session: Session) -> bool:
    """Does a link to numbers that are no longer replayed make new ones, at everybody's cost?"""
    session.query(COUNT, client="ann")
    keys = shared(session)
    Clock.off = timedelta(days=31)
    try:
        take(session, keys, "bob")
    except Refused as refused:
        assert refused.problem["code"] == "E_PARAM"
    return spent(session, EVERYBODY) > RHO


def test_a_share_link_makes_no_new_release(session: Session) -> None:
    assert not makes_new_release(session)
    assert spent(session, "bob") == 0


def test_a_share_link_that_made_a_new_release_would_be_found(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def unlooked(engine: Any, sql: str, asked: Any, keys: Any) -> Any:
        del keys
        return sharing._compile_shareable(
            engine, sql, asked
        )  # planted: what the question says today, be it stored or not

    monkeypatch.setattr(sharing, "_shared_releases", unlooked)
    assert makes_new_release(session)


def makes_new_release_when_expired(session: Session, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Are numbers that grow too old between their charge and their answer made anew?"""
    own, charged = session.query(COUNT, client="ann").to_pylist(), type(session.engine).charge

    def slow(*given: Any) -> Any:
        charge = charged(*given)
        Clock.off = timedelta(days=31)
        return charge

    keys = shared(session)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(type(session.engine), "charge", slow)
        given = take(session, keys, "bob")
    assert spent(session, "bob") >= RHO
    return given != own or spent(session, EVERYBODY) > RHO


def test_numbers_that_grow_too_old_once_they_are_paid_are_given(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not makes_new_release_when_expired(session, monkeypatch)
    assert spent(session, "bob") == RHO


def test_a_planted_answer_that_names_releases_again_is_found(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    query = type(session).query
    monkeypatch.setattr(type(session), "query", lambda self, sql, paid=(), **asked: query(self, sql, **asked))
    assert makes_new_release_when_expired(session, monkeypatch)


def test_auditors_read_that_numbers_were_shared(session: Session) -> None:
    session.query(COUNT, client="ann")
    keys = shared(session)
    (row,) = session.engine.ledger.entries(kind="note_shared")
    assert (row.actor, row.content) == ("ann", {"format": 1, "keys": keys})
