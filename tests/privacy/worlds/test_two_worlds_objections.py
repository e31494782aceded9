"""Two worlds that differ in an objection: only noise depends on it, before, after and across it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pytest

from dialect import compile_query
from engine import Session
from engine.backends.exact import NO_OBJECTIONS
from engine.pipeline.engine import Engine
from engine.pricing.compile_release import compile_release
from tests.support.greybox.greybox import groups
from tests.support.neighbours.attack_catalog import VICTIM
from tests.support.neighbours.two_worlds import (
    ANSWERED,
    BY_HOUR,
    BY_ZONE,
    CLIENT,
    COUNT,
    Attack,
    attacks,
    check_attack,
    open_worlds,
    split_answer,
    with_empty_ledger,
)
from tests.support.sql.passes import passes

ATTACKS = attacks()
ASKED = ATTACKS if os.environ.get("PASSERSBY_NIGHTLY") else ATTACKS[::5]
OF_EVENTS = replace(
    COUNT, number="122", sql="SELECT cell_id, COUNT(*), COUNT(DISTINCT subscriber_id) FROM events GROUP BY 1"
)
REASON = "letter of 3 October"
MORE = ("5077", "9223372036854775807", "-1")  # who objects and is in no table


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Session]]:
    """Open the data without the victim, the data with her, and the same with her objection."""
    folder = tmp_path_factory.mktemp("worlds")
    with open_worlds(folder, ("D'", "D")) as opened, open_worlds(folder, ("D",)) as again:
        objected = again["D"]
        assert objected.register is not None
        for person in (str(VICTIM), *MORE):
            objected.register.object(person, reason=REASON, by="admin")
        yield {**opened, "objected": objected}


@pytest.mark.parametrize("attack", ASKED, ids=[f"{a.number}: {a.why}" for a in ASKED])
def test_only_noise_depends_on_an_objection(attack: Attack, worlds: dict[str, Session]) -> None:
    """The world without her is the first one: what is the same as there is the same with and without the objection."""
    check_attack(attack, worlds, ("objected", "D"))


def test_122_single_table_counts_exclude_objectors(worlds: dict[str, Session]) -> None:
    check_attack(OF_EVENTS, worlds, ("objected", "D"))
    engine = worlds["objected"].engine
    objected, deleted = _numbers(engine, OF_EVENTS.sql), _numbers(worlds["D'"].engine, OF_EVENTS.sql)
    assert objected == deleted != _numbers(worlds["D"].engine, OF_EVENTS.sql)


def test_exact_numbers_of_all_cases_exclude_objectors(worlds: dict[str, Session]) -> None:
    answered = [a for a in ASKED if a.outcome == ANSWERED]
    told = 0
    for attack in answered:
        objected = _numbers(worlds["objected"].engine, attack.sql)
        assert objected == _numbers(worlds["D'"].engine, attack.sql), attack.sql
        told += objected != _numbers(worlds["D"].engine, attack.sql)
    assert told > len(answered) // 4


def _numbers(engine: Engine, sql: str) -> list[dict[tuple[str, ...], tuple[int, ...]]]:
    plans = compile_query(sql, engine.catalog).plans
    made = [compile_release(plan, engine.catalog, engine.backend, Fraction(1, 200)) for plan in plans]
    ran = (passes(p, engine.backend, engine.objections(p.plan.dataset)) for p in made)
    return [groups(exact) for each in ran for _, exact in each]


def _across(session: Session, objects: bool) -> list[Any]:
    """Query, let the victim object or not, repeat, query anew, and list everything."""
    mine = pa.table({"person": pa.array([str(VICTIM)], pa.string())})
    now = [NO_OBJECTIONS]
    with with_empty_ledger(replace(session, engine=replace(session.engine, objections=lambda _: now[0]))) as own:
        told: list[Any] = [_static(own, COUNT.sql), _static(own, BY_ZONE.sql)]
        now[0] = mine if objects else NO_OBJECTIONS
        told += [_static(own, sql) for sql in (COUNT.sql, BY_ZONE.sql, BY_HOUR.sql, BY_HOUR.sql, OF_EVENTS.sql)]
        told += [own.query(f"SHOW {what}", client=CLIENT).drop_columns("settled_at" if what == "RELEASES" else []).to_pylist()
                 for what in ("BUDGET", "RELEASES", "TABLES")]  # fmt: skip
        return told


def _static(session: Session, sql: str) -> dict[str, Any]:
    return split_answer(session.query(sql, client=CLIENT), rows=None)[0]


def test_an_objection_between_two_questions_changes_no_repeat_and_no_price(worlds: dict[str, Session]) -> None:
    assert _across(worlds["D"], objects=True) == _across(worlds["D"], objects=False)


def test_a_repeat_shows_the_same_numbers_after_an_objection(worlds: dict[str, Session]) -> None:
    with with_empty_ledger(worlds["D"]) as own:
        before = own.query(BY_ZONE.sql, client=CLIENT)
        changed = replace(own, engine=replace(own.engine, objections=worlds["objected"].engine.objections))
        assert changed.query(BY_ZONE.sql, client=CLIENT).to_pylist() == before.to_pylist()


def test_a_repeat_that_stops_being_free_is_found(worlds: dict[str, Session], monkeypatch: pytest.MonkeyPatch) -> None:
    """An objection in a release's name would make every stored answer another one."""
    as_it_is = Engine.compile

    def renamed(self: Engine, *asked: Any) -> Any:
        objecting = self.objections("attack").num_rows
        made = as_it_is(self, *asked)
        releases = tuple(replace(p, release_key=f"{p.release_key[:-1]}{objecting}") for p in made.releases)
        return replace(made, releases=releases)

    monkeypatch.setattr(Engine, "compile", renamed)
    with pytest.raises(AssertionError):
        assert _across(worlds["D"], objects=True) == _across(worlds["D"], objects=False)


def test_a_price_that_follows_who_objected_is_found(
    worlds: dict[str, Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Engine.charge_request

    def counted(self: Engine, sql: str, prepared: Any, asked: Any) -> Any:
        made = request(self, sql, prepared, asked)
        times = 2 if self.objections("attack").num_rows else 1
        return replace(
            made,
            releases=tuple(replace(i, loss=replace(i.loss, pico_rho=i.loss.pico_rho * times)) for i in made.releases),
        )

    monkeypatch.setattr(Engine, "charge_request", counted)
    with pytest.raises(AssertionError):
        check_attack(COUNT, worlds, ("objected",))
