"""How many people object: exact before the noise, charged in every window before the register is read, private after."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from budgets import EVERYBODY, OWNER, BudgetRefused, ParamError
from engine import Refused, Session, open_session
from engine.api import objection_counts
from engine.api.objection_counts import exact_count, release_objection_count, released_counts
from engine.backends.exact import Int64Vector
from engine.errors import ExecutionFailed
from engine.mechanism.gaussian import NoiseRefused, NoisyVector, gaussian_scale
from engine.pipeline.engine import Engine
from engine.server.worker.verbs import VerbHandler
from tests.engine.town import make_town
from tests.engine.windowed_town import WINDOWED

ASKED = {"rho": "0.001", "by": "eve"}
COUNT = "SELECT count(*) AS n FROM visit"


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    with open_session(make_town(tmp_path, declared=WINDOWED).path, ledger=":memory:") as opened:
        yield opened


def record(session: Session, *persons: str, withdraw: bool = False) -> None:
    assert session.register is not None
    for person in persons:
        session.register.object(person, reason="a letter", by="eve", withdraw=withdraw)


def moves(session: Session) -> list[int]:
    """Change of the exact figure by one person: in the data, not in it, objecting and withdrawing."""
    count: Callable[[], int] = lambda: int(objection_counts.exact_count(session.engine, "town")[0])  # noqa: E731
    record(session, "1", "2", "999999")
    before, found = count(), []
    for act in (["7"], ["888888"]):
        record(session, *act)
        record(session, *act, withdraw=True)
        record(session, *act)
        found.append(count() - before)
        record(session, *act, withdraw=True)
        found.append(count() - before)
    return found


def test_one_person_moves_the_exact_figure_by_one_whatever_they_do(session: Session) -> None:
    assert moves(session) == [1, 0, 1, 0]


def test_a_figure_that_counts_events_instead_of_people_is_found(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_acts(engine: Engine, dataset: str) -> Int64Vector:
        assert session.register is not None
        return np.array([len(session.register.events(dataset))])  # planted: a person counts as often as they write

    monkeypatch.setattr(objection_counts, "exact_count", of_acts)
    assert max(map(abs, moves(session))) > objection_counts.SENSITIVITY


def test_the_figure_is_a_function_of_the_register_and_of_no_row(session: Session, tmp_path: Path) -> None:
    record(session, "1", "2", "999999")
    (tmp_path / "fewer").mkdir()
    rows = "CREATE TABLE person AS SELECT 1 AS person_id, 'f' AS gender, 'yes' AS consent;"
    rows += "CREATE TABLE visit AS SELECT 1 AS person_id, 1 AS visit_id, 'z1' AS zone, 1.0 AS minutes, 's' AS shop,"
    rows += " 1 AS coins, DATE '2026-10-01' AS day; CREATE TABLE purchase AS SELECT 1 AS purchase_id, 1 AS visit_id,"
    rows += " 1 AS price; CREATE TABLE zone AS SELECT 'z1' AS zone, 'Zone' AS name, 1 AS inhabitants;"
    with open_session(make_town(tmp_path / "fewer", rows=rows, declared=WINDOWED).path, ledger=":memory:") as other:
        record(other, "1", "2", "999999")
        assert exact_count(session.engine, "town") == exact_count(other.engine, "town") == 3


def test_every_window_pays_once_a_day_before_anybody_is_counted(session: Session) -> None:
    read: list[float] = []

    def watched(dataset: str) -> Any:
        read.append(spent(session))
        return session.engine.objections(dataset)

    engine = replace(session.engine, objections=watched)
    first, again = release_objection_count(engine, **ASKED), release_objection_count(engine, **ASKED)
    assert first == again and [float(each) for each in read] == [0.001 * 5]  # four days, and what has no time
    assert spent(session) == pytest.approx(0.001 * 5)
    other = release_objection_count(engine, rho="0.002", by="eve")
    assert other["release_id"] != first["release_id"] and len(released_counts(engine)) == 2
    assert {row.holder for row in session.engine.ledger.entries(kind="charged")} == {OWNER}


def spent(session: Session) -> float:
    return float(sum(a.spent.rho for a in session.engine.ledger.accounts("town") if a.name.holder == EVERYBODY))


def test_without_budget_nobody_is_counted(session: Session) -> None:
    def forbidden(dataset: str) -> Any:
        raise AssertionError(dataset)

    engine = replace(session.engine, objections=forbidden)
    with pytest.raises(BudgetRefused):
        release_objection_count(engine, rho="0.25", by="eve")
    for wrong in ({"rho": "0"}, {"rho": "nan"}, {"dataset": "other"}):
        with pytest.raises(ParamError):
            release_objection_count(engine, **{**ASKED, **wrong})
    assert released_counts(engine) == []


def test_a_failure_during_the_release_is_reported_like_that_of_a_query(session: Session) -> None:
    record(session, "1", "2")

    def refusing(exact: Int64Vector, sensitivity: int, scale: float, pico_rho_charged: int) -> NoisyVector:
        raise NoiseRefused(float(exact[0]), pico_rho_charged)

    broken = replace(session, engine=replace(session.engine, add_noise=refusing))
    with pytest.raises(ExecutionFailed) as failed:
        release_objection_count(broken.engine, **ASKED)
    assert (failed.value.kind, failed.value.__context__) == ("NoiseRefused", None)
    with pytest.raises(Refused) as refused:
        VerbHandler(broken).run("release_figure", ASKED)
    assert refused.value.problem["code"] == "E_EXEC" and "NoiseRefused" not in str(refused.value.problem)
    assert len(session.engine.ledger.entries(kind="failed")) == 2
    assert release_objection_count(session.engine, **ASKED)["rho"] == 0.001 and spent(session) == pytest.approx(
        0.005
    ), "paid once"


def test_noise_for_half_the_sensitivity_is_refused_before_the_charge(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted bug: the mechanism that is built costs four times as much as is charged."""
    before = session.engine.ledger.entries()
    monkeypatch.setattr(
        "engine.api.objection_counts.gaussian_scale", lambda sensitivity, rho: gaussian_scale(sensitivity, rho) / 2
    )
    with pytest.raises(NoiseRefused):
        release_objection_count(session.engine, **ASKED)
    assert session.engine.ledger.entries() == before and not released_counts(session.engine)


def test_noise_is_that_of_its_price_and_the_interval_that_of_the_noise(session: Session) -> None:
    record(session, "1", "2")
    asked: list[tuple[int, int, float, int]] = []

    def silent(exact: Int64Vector, sensitivity: int, scale: float, pico_rho_charged: int) -> Int64Vector:
        asked.append((int(exact[0]), sensitivity, scale, pico_rho_charged))
        return exact

    told = release_objection_count(replace(session.engine, add_noise=silent), **ASKED)  # type: ignore[arg-type]
    assert asked == [(2, 1, gaussian_scale(1, 10**9), 10**9)]
    assert (told["persons"], told["low"], told["high"], told["rho"]) == (2, 2 - 44, 2 + 44, 0.001)


def test_a_released_figure_is_charged_to_everybody_and_counts_in_their_epsilon(session: Session) -> None:
    session.query(COUNT, client="ann")
    before = {row["window"]: row["epsilon"] for row in session.budget("ann")["accounts"] if row["client"] == "ann"}
    release_objection_count(session.engine, **ASKED)
    after = {row["window"]: row["epsilon"] for row in session.budget("ann")["accounts"] if row["client"] == "ann"}
    assert before.keys() == after.keys() and all(after[window] > before[window] for window in before)
