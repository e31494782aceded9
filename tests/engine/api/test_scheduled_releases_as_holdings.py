"""Scheduled releases count as holdings of clients entitled at query time: free, and debited to nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from budgets import EVERYBODY, Forbidden, Loss
from dialect.algebra import NoteCode
from engine import run_scheduled
from engine.accounts.window_accounts import owner_loss
from engine.api.scheduled import show_scheduled, with_scheduled_holdings
from engine.api.session import Session
from engine.api.wire.answer import derived_from
from engine.errors import Refused
from engine.pipeline.engine import Engine
from engine.pipeline.explain import explain
from engine.pricing.query_terms import Request
from engine.workflows import scheduled_queries
from engine.workflows.scheduled_queries import ScheduledQuery
from tests.engine.complete_town import DAILY, anew, ask, held_town, price
from tests.engine.reuse.test_source_selection import nearly, rows
from tests.engine.windowed_town import DAYS
from tests.engine.workflows.test_scheduled_queries import spent

BY_ZONE = "SELECT zone, COUNT(*) AS n, SUM(coins) AS s FROM visit WHERE day >= {first} AND day < {behind} GROUP BY zone"
FILE = f"""
[standing.footfall]
sql = "{BY_ZONE}"
share = 0.01
clients = ["ann", "shops"]
"""
# of one window: by zone, of all zones, of some, of all but one
ASKED = [
    "SELECT zone, COUNT(*) AS n FROM visit WHERE day = '2026-10-02' GROUP BY zone",
    "SELECT COUNT(*) AS n, SUM(coins) AS s FROM visit WHERE day = '2026-10-02' AND zone <> 'z1'",
    "SELECT COUNT(*) AS n FROM visit WHERE day = '2026-10-03'",
    "SELECT SUM(coins) AS s FROM visit WHERE zone IN ('z2', 'z4') AND day = '2026-10-04'",
]


@pytest.fixture(scope="module")
def daily(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with held_town(tmp_path_factory.mktemp("daily"), DAILY) as engine:
        yield engine


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "standing.toml").write_text(FILE, encoding="utf-8")
    return str(tmp_path / "standing.toml")


def showing(engine: Engine, file: str, exact: bool = False) -> Engine:
    """Release what is due; returns an engine that counts it as holdings."""
    own = anew(engine, exact=exact)
    run_scheduled(Session(own), file, early=True)
    return with_scheduled_holdings(Session(own), file).engine


@pytest.mark.parametrize("asked", ASKED)
def test_a_derivation_from_scheduled_releases_equals_a_new_answer_and_is_free(
    daily: Engine, file: str, asked: str
) -> None:
    own = showing(daily, file, exact=True)
    before = dict(spent(Session(own), EVERYBODY))
    free, plain = ask(own, asked, "0.0005"), ask(anew(daily, exact=True), asked, "0.0005")
    assert free.charged_loss == Loss(0, 0) and all(each["standing"] for each in derived_from(free.sources))
    assert [nearly(row) for row in rows(free)] == [nearly(row) for row in rows(plain)]
    assert spent(Session(own), EVERYBODY) == before and set(spent(Session(own), "ann").values()) == {0.0}
    assert any(note.code is NoteCode.REUSED and "standing " in note.text for note in free.notes)


@pytest.mark.parametrize(("client", "free"), [("ann", True), ("shops/ben", True), ("ben", False), ("shopsmith", False)])
def test_entitled_clients_get_scheduled_releases_for_free(daily: Engine, file: str, client: str, free: bool) -> None:
    own = showing(daily, file)
    before = explain(own, ASKED[0], Request(client, rho=Fraction("0.0005")))
    given = ask(own, ASKED[0], "0.0005", client=client)
    assert (before.loss == Loss(0, 0)) == (given.charged_loss == Loss(0, 0)) == free


def test_entitlement_is_read_from_the_file_at_query_time(daily: Engine, file: str) -> None:
    own = showing(daily, file)
    assert price(ask(own, ASKED[0], "0.0005")) == 0.0
    Path(file).write_text(FILE.replace('"ann", ', ""), encoding="utf-8")
    assert price(ask(own, ASKED[0], "0.0005")) == pytest.approx(0.0005)
    Path(file).write_text(FILE.replace("SUM(coins)", "SUM(minutes)"), encoding="utf-8")  # another question of that name
    assert price(ask(own, ASKED[3], "0.0005")) == pytest.approx(0.0005)
    Path(file).write_text("no file of questions", encoding="utf-8")
    assert price(ask(own, ASKED[2], "0.0005")) == pytest.approx(0.0005)


def test_a_removed_client_is_shown_no_scheduled_release(daily: Engine, file: str) -> None:
    own = showing(daily, file)
    own.ledger.add_client("ann", actor="root", reason="-")
    own.ledger.remove_client("ann", actor="root", reason="-")
    with pytest.raises(Forbidden):
        own.answer(ASKED[0], Request("ann", rho=Fraction("0.0005"), request_id="r-1"))


def test_scheduled_releases_count_in_the_loss_reported_to_everybody(daily: Engine, file: str) -> None:
    own = showing(daily, file)
    ask(own, ASKED[3], "0.0005")
    assert all(owner_loss(own.ledger, "town")[day].rho > 0.19 for day in DAYS)


def test_showing_scheduled_releases_to_others_is_found(
    daily: Engine, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = showing(daily, file)
    assert price(ask(own, ASKED[0], "0.0005", client="ben")) == pytest.approx(0.0005)
    monkeypatch.setattr(ScheduledQuery, "is_visible_to", lambda self, client: True)
    assert price(ask(own, ASKED[0], "0.0005", client="cat")) == 0.0


TWO = f"""
[standing.late]
sql = "{BY_ZONE}"
share = 0.001
clients = ["ann"]
from = "2026-10-04"
[standing.all]
sql = "{BY_ZONE}"
share = 0.05
clients = ["ben"]
"""


def test_entitled_clients_get_windows_before_the_first_scheduled_one(
    daily: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "two.toml").write_text(TWO, encoding="utf-8")
    path = str(tmp_path / "two.toml")
    own = showing(daily, path)
    late, early = ASKED[0].replace("10-02", "10-04"), ASKED[0]
    assert [price(ask(own, late, "0.0005", client=each)) for each in ("ann", "ben")] == [0.0, 0.0]
    assert price(ask(own, early, "0.0005", client="ben")) == 0.0
    assert price(ask(own, early, "0.0005")) == pytest.approx(0.0005)
    assert show_scheduled(Session(own), path, "late", client="ann", window="2026-10-04").num_rows
    with pytest.raises(Refused, match="late is not asked of 2026-10-02"):
        show_scheduled(Session(own), path, "late", client="ann", window="2026-10-02")
    monkeypatch.setattr(scheduled_queries, "scheduled_windows", lambda each, engine: iter(DAYS))
    assert price(ask(own, early.replace("10-02", "10-03"), "0.0005")) == 0.0


def test_scheduled_releases_do_not_answer_for_another_data_version(daily: Engine, file: str) -> None:
    own = showing(daily, file)
    (dataset,) = daily.catalog.datasets
    newer = replace(own, catalog=replace(daily.catalog, datasets=(replace(dataset, data_version=2),)))
    assert price(ask(newer, ASKED[0], "0.0005")) == pytest.approx(0.0005)
