"""Scheduled queries: each window once, at its share, on everybody's account, for entitled clients."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from budgets import EVERYBODY, AccountName
from engine import Refused, run_scheduled, show_scheduled
from engine.accounts.window_accounts import owner_loss
from engine.api import scheduled
from engine.api.session import Session
from engine.api.wire.answer import CARD
from engine.errors import ExecutionFailed
from engine.pipeline.engine import Engine
from engine.workflows.scheduled_queries import CHARGED_NOT_RELEASED, read_scheduled_queries, run_scheduled_queries
from tests.engine.complete_town import DAILY, anew, ask, held_town, price
from tests.engine.windowed_town import DAYS

SQL = "SELECT zone, COUNT(*) AS n FROM visit WHERE day >= {first} AND day < {behind} GROUP BY zone"
FILE = f"""
[standing.footfall]
sql = "{SQL}"
share = 0.01
clients = ["ann", "shops"]
from = "{DAYS[1]}"
"""


@pytest.fixture(scope="module")
def daily(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with held_town(tmp_path_factory.mktemp("daily"), DAILY) as engine:
        yield engine


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "standing.toml").write_text(FILE, encoding="utf-8")
    return str(tmp_path / "standing.toml")


def spent(session: Session, holder: str) -> dict[str, float]:
    views = {view.name: float(view.spent.rho) for view in session.engine.ledger.accounts()}
    return {day: views.get(AccountName("town", day, holder), 0.0) for day in DAYS}


def test_each_window_is_released_once(daily: Engine, file: str) -> None:
    session = Session(anew(daily))
    first, again = run_scheduled(session, file, early=True), run_scheduled(session, file, early=True)
    assert [(each["window"], each["state"]) for each in first] == [(day, "released") for day in DAYS[1:]]
    assert {each["state"] for each in again} == {"held"} and not any(each["rho"] for each in again)
    assert spent(session, EVERYBODY) == {DAYS[0]: 0.0} | dict.fromkeys(DAYS[1:], pytest.approx(0.2))
    assert set(spent(session, "ann").values()) == {0.0}


def test_an_unfinished_window_is_left_for_a_later_run(daily: Engine, file: str) -> None:
    session = Session(anew(daily))
    found = read_scheduled_queries(file, session.engine)

    def states(today: date) -> list[str]:
        return [each.state for each in run_scheduled_queries(found, session.engine, today)]

    third, fourth = "not over: due on 2026-10-05", "not over: due on 2026-10-06"
    assert states(date(2026, 10, 3)) == ["not over: due on 2026-10-04", third, fourth]
    assert not any(spent(session, EVERYBODY).values())
    assert states(date(2026, 10, 4)) == ["released", third, fourth]
    assert states(date(2026, 10, 6)) == ["held", "released", "released"]


def test_the_clock_decides_which_windows_are_over(daily: Engine, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(anew(daily))
    for said, state in (
        (datetime(2026, 10, 1, tzinfo=UTC), "not over"),
        (datetime(2027, 1, 1, tzinfo=UTC), "released"),
    ):
        monkeypatch.setattr(scheduled, "datetime", SimpleNamespace(now=lambda _, said=said: said))
        assert all(each["state"].startswith(state) for each in run_scheduled(session, file))


def test_a_new_version_of_the_data_releases_nothing_anew(daily: Engine, file: str) -> None:
    session = Session(anew(daily))
    run_scheduled(session, file, early=True)
    before = show_scheduled(session, file, "footfall", client="ann")
    (dataset,) = daily.catalog.datasets
    newer = replace(session.engine, catalog=replace(daily.catalog, datasets=(replace(dataset, data_version=2),)))
    assert {each["state"] for each in run_scheduled(Session(newer), file, early=True)} == {"held"}
    assert show_scheduled(Session(newer), file, "footfall", client="ann").to_pylist() == before.to_pylist()


@pytest.mark.parametrize(("client", "sees"), [("ann", True), ("shops/ben", True), ("ben", False), ("shopsmith", False)])
def test_entitled_clients_see_scheduled_releases_for_free(daily: Engine, file: str, client: str, sees: bool) -> None:
    session = Session(anew(daily))
    run_scheduled(session, file, early=True)
    if not sees:
        with pytest.raises(Refused, match="E_FORBIDDEN"):
            show_scheduled(session, file, "footfall", client=client)
        return
    shown = show_scheduled(session, file, "footfall", client=client)
    card = json.loads(shown.schema.metadata[CARD])
    assert (shown.num_rows, card["price"]["rho"], card["windows"]) == (7, 0.0, [DAYS[-1]])
    assert card["remaining"]["client"]["epsilon"] > 0  # what the owner released counts in what is reported
    other = show_scheduled(session, file, "footfall", client=client, window=DAYS[1])
    assert other.to_pylist() != shown.to_pylist()


def test_a_crash_before_the_release_is_charged_once(daily: Engine, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(anew(daily))
    with monkeypatch.context() as broken:
        broken.setattr(Engine, "settle", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run_scheduled(session, file, early=True)
    assert [each["state"] for each in run_scheduled(session, file, early=True)] == ["released"] * 3
    assert spent(session, EVERYBODY)[DAYS[1]] == pytest.approx(0.2)


@pytest.mark.parametrize("failure", [ExecutionFailed, OverflowError])
def test_an_interrupted_run_reports_what_was_charged_and_released(
    failure: type[Exception], daily: Engine, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, real, run = Session(anew(daily)), Engine.settle, list[object]()

    def failing(engine: Engine, *given: object) -> object:
        run.append(given)
        if len(run) == 2:
            raise failure
        return real(engine, *given)

    monkeypatch.setattr(Engine, "settle", failing)
    with pytest.raises(Refused, match="E_EXEC") as cut:
        run_scheduled(session, file, early=True)
    monkeypatch.undo()
    outcomes = cut.value.problem["outcomes"]
    assert [(each["window"], each["state"]) for each in outcomes] == [
        (DAYS[1], "released"),
        (DAYS[2], CHARGED_NOT_RELEASED),
    ]
    assert {each["window"]: each["rho"] for each in outcomes} == {
        d: r for d, r in spent(session, EVERYBODY).items() if r
    }
    rest = run_scheduled(session, file, early=True)
    assert [(each["state"], each["rho"]) for each in rest] == [("held", 0), ("released", 0), ("released", 0.2)]


def test_a_client_s_concurrent_purchase_is_not_a_scheduled_release(
    daily: Engine, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(anew(daily))
    with monkeypatch.context() as broken:
        broken.setattr(Engine, "charge", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run_scheduled(session, file, early=True)
    own = SQL.replace("{first}", f"DATE '{DAYS[1]}'").replace("{behind}", f"DATE '{DAYS[2]}'")
    assert price(ask(session.engine, own, "0.2", client="cat")) == pytest.approx(0.2)

    def states_after() -> list[str]:
        with pytest.raises(Refused, match="not released"):
            show_scheduled(session, file, "footfall", client="ann", window=DAYS[1])
        return [each["state"] for each in run_scheduled(session, file, early=True)]

    assert states_after() == ["released"] * 3
    losses = owner_loss(session.engine.ledger, "town")
    assert all(losses[day].rho > 0.19 for day in DAYS[1:]), "whoever is shown it has its loss in what is reported"


def test_a_client_s_own_release_is_not_a_scheduled_release(daily: Engine, file: str) -> None:
    session = Session(anew(daily))
    own = SQL.replace("{first}", f"DATE '{DAYS[1]}'").replace("{behind}", f"DATE '{DAYS[2]}'")
    assert price(ask(session.engine, own, "0.2")) == pytest.approx(0.2)
    run_scheduled(session, file, early=True)
    assert spent(session, EVERYBODY)[DAYS[1]] == pytest.approx(0.4)
    assert price(ask(session.engine, own, "0.2", client="ben")) == pytest.approx(0.2)


def test_scheduled_queries_over_the_ceiling_are_reported_and_skipped(daily: Engine, file: str) -> None:
    more = FILE.replace("footfall", "more").replace("COUNT(*)", "SUM(coins)")
    Path(file).write_text((FILE + more).replace("0.01", "0.8"), encoding="utf-8")
    session = Session(anew(daily))
    states = [each["state"] for each in run_scheduled(session, file, early=True)]
    assert states[:3] == ["released"] * 3 and all("E_BUDGET" in state for state in states[3:])


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("AND day < {behind}", "", "of which window"),
        ("AND day < {behind}", "AND day <> {behind}", "looks at"),
        ("share = 0.01", "share = 2", "share"),
        (f'from = "{DAYS[1]}"', 'from = "2026-11"', "window"),
        ("SELECT zone", "SELECT person_id, zone", "E_"),
        ('clients = ["ann", "shops"]', "", "clients"),
    ],
)
def test_a_file_with_a_mistake_charges_nothing(daily: Engine, file: str, old: str, new: str, why: str) -> None:
    mistaken = FILE.replace(old, new).replace("footfall", "later")
    Path(file).write_text(FILE + mistaken, encoding="utf-8")  # all are read before any is charged
    session = Session(anew(daily))
    with pytest.raises(Refused, match=why):
        run_scheduled(session, file, early=True)
    assert not any(spent(session, EVERYBODY).values())
