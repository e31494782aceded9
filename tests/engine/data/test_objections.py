"""Who has objected is in no new answer, from the next question on, in every open process; nothing else changes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from budgets import ObjectionEventKind, ObjectionRegister
from dialect import Catalog, compile_query
from engine import Refused, Session, open_session
from engine.data import objections
from engine.data.objections import CurrentObjectors
from engine.mechanism.gaussian import NoisyVector
from engine.pipeline.compiled_query import PlanCache
from engine.pipeline.engine import Engine
from tests.engine.town import make_town
from tests.support.timeouts import MAX_SECONDS

COUNT = "SELECT COUNT(DISTINCT person_id) AS n FROM visit"
TWICE = f"SELECT n, m FROM ({COUNT}) AS a CROSS JOIN (SELECT COUNT(DISTINCT person_id) AS m FROM person) AS b"


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    return make_town(tmp_path).path


@pytest.fixture
def session(where: str, tmp_path: Path) -> Iterator[Session]:
    with open_session(where, ledger=str(tmp_path / "own.ledger")) as opened:
        yield quiet(opened)


def quiet(session: Session) -> Session:
    """Return exact numbers, so that the test sees who is counted."""

    def no_noise(exact: np.ndarray, *_: Any) -> NoisyVector:
        return NoisyVector(exact)

    return replace(session, engine=replace(session.engine, add_noise=no_noise))


def counted(session: Session, rho: str = "0.005", sql: str = COUNT) -> list[float]:
    """Count for somebody who holds nothing: what is held would answer for it."""
    return [column[0].as_py() for column in session.query(sql, client=f"ann-{rho}", rho=rho).columns]


def objects(session: Session, person: str, *, withdraw: bool = False) -> dict[str, Any]:
    assert session.register is not None
    return session.register.object(person, reason="a letter", by="ben", withdraw=withdraw)


def test_objections_and_withdrawals_take_effect_at_the_next_query(session: Session) -> None:
    (everybody,) = counted(session)
    objects(session, "2")
    assert counted(session, "0.0051") == [everybody - 1]
    objects(session, "2")
    objects(session, "999999")  # nobody, and nothing tells
    assert counted(session, "0.0052") == [everybody - 1]
    objects(session, "2", withdraw=True)
    assert counted(session, "0.0053") == [everybody]


def test_an_objection_recorded_by_another_process_takes_effect(session: Session, where: str, tmp_path: Path) -> None:
    (everybody,) = counted(session)
    code = (
        "import sys; from engine import open_register\n"
        "with open_register(sys.argv[1], ledger=sys.argv[2]) as r: r.object('3', reason='a letter', by='ben')"
    )
    subprocess.run([sys.executable, "-c", code, where, str(tmp_path / "own.ledger")], check=True, timeout=MAX_SECONDS)
    assert counted(session, "0.0051") == [everybody - 1]


def test_a_repeat_stays_free_and_the_same(session: Session) -> None:
    before = session.query(COUNT, client="ann")
    spent = session.budget("ann")
    objects(session, "2")
    again = session.query(COUNT, client="ann")
    assert again.column(0) == before.column(0)
    assert session.budget("ann") == spent, "an objection gives nothing back, and takes nothing"


def test_all_releases_of_a_question_see_the_same_objections(session: Session) -> None:
    asked = []

    def counting(dataset: str) -> pa.Table:
        asked.append(dataset)
        return session.engine.objections(dataset)

    own = replace(session, engine=replace(session.engine, objections=counting))
    assert len(compile_query(TWICE, session.engine.catalog).plans) == 2
    counted(own, sql=TWICE)
    assert asked == ["town"]


def test_an_objection_changes_nothing_that_is_shown_without_noise(session: Session) -> None:
    before = session.explain(COUNT, client="ann"), session.tables(), session.budget(), session.history("ann")
    objects(session, "2")
    assert (session.explain(COUNT, client="ann"), session.tables(), session.budget(), session.history("ann")) == before


class FailingOnce:
    """Fails like exhausted memory the first time that a table of this many objectors is built."""

    def __init__(self, rows: int) -> None:
        self.rows, self.failed, self.build = rows, False, objections._objector_table

    def __call__(self, persons: Iterable[str]) -> pa.Table:
        table = self.build(persons)
        if table.num_rows == self.rows and not self.failed:
            self.failed = True
            raise MemoryError
        return table


def test_objectors_whose_table_could_not_be_built_are_left_out_next(session: Session) -> None:
    (everybody,) = counted(session)
    objects(session, "2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objections, "_objector_table", FailingOnce(1))
        with pytest.raises(Refused, match="E_EXEC"):
            counted(session, "0.0051")
        assert counted(session, "0.0052") == [everybody - 1]
    assert counted(session, "0.0053") == [everybody - 1]


@pytest.mark.parametrize("rows", [1, 2])
def test_a_failure_in_one_dataset_loses_none_of_another(
    rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = ObjectionRegister.open_for_ledger(str(tmp_path / "x.ledger"))
    current = CurrentObjectors(register)
    register.record(ObjectionEventKind.OBJECT, "town", ["1", "2", "3"], by="b", reason="r")
    held = current.current_objectors("town")
    register.record(ObjectionEventKind.WITHDRAW, "town", ["2"], by="b", reason="r")
    register.record(ObjectionEventKind.OBJECT, "other", ["9"], by="b", reason="r")
    monkeypatch.setattr(objections, "_objector_table", FailingOnce(rows))
    with pytest.raises(MemoryError):
        current.current_objectors("town")
    assert current.current_objectors("town")["person"].to_pylist() == ["1", "3"]
    assert current.current_objectors("other")["person"].to_pylist() == ["9"]
    assert held["person"].to_pylist() == ["1", "2", "3"]
    current.close()


def position_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: entries count as read before the table of objectors is built."""
    read_on = CurrentObjectors._read_new_entries

    def moving(current: CurrentObjectors) -> None:
        try:
            read_on(current)
        except MemoryError:
            newest = current.register.objections_after(current._read.position)[-1]
            current._read = replace(current._read, position=newest.position)
            raise

    monkeypatch.setattr(CurrentObjectors, "_read_new_entries", moving)


def read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the register when it is opened, and never again."""
    read_on = CurrentObjectors._read_new_entries

    def first_time(current: CurrentObjectors) -> None:
        if not current.__dict__.setdefault("_opened", False):
            current.__dict__["_opened"] = True
            read_on(current)

    monkeypatch.setattr(CurrentObjectors, "_read_new_entries", first_time)


def keyed_by_objections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the release key depends on who has objected."""
    release_key = import_module("engine.pricing.compile_release")
    eligibility = release_key._eligibility_text
    count = iter(range(100))
    monkeypatch.setattr(release_key, "_eligibility_text", lambda *given: f"{eligibility(*given)} {next(count)}")
    monkeypatch.setattr(release_key, "_eligibility_texts", release_key._eligibility_texts.__wrapped__)
    monkeypatch.setattr(PlanCache, "get_or_compute", lambda remembered, client, key, make: make())  # each time anew
    # else the stored release answers the repeat under its old key, as a derived one
    monkeypatch.setattr(import_module("engine.pipeline.engine"), "matchable_plan", lambda *_: None)


def asked_for_each_release(monkeypatch: pytest.MonkeyPatch) -> None:
    release = Engine.measure_release
    monkeypatch.setattr(
        Engine, "measure_release", lambda engine, p, *_: release(engine, p, engine.objections(p.plan.dataset))
    )


@pytest.mark.parametrize(
    ("plant", "holds"),
    [
        (read_once, test_objections_and_withdrawals_take_effect_at_the_next_query),
        (position_first, test_objectors_whose_table_could_not_be_built_are_left_out_next),
        (keyed_by_objections, test_a_repeat_stays_free_and_the_same),
        (asked_for_each_release, test_all_releases_of_a_question_see_the_same_objections),
    ],
    ids=[
        "read at open only",
        "the position moves first",
        "an objection moves the release key",
        "each release asks anew",
    ],
)
def test_a_planted_bug_is_found(plant: Any, holds: Any, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        holds(session)


def test_any_sequence_of_objections_and_withdrawals_is_followed(tmp_path: Path) -> None:
    register = ObjectionRegister.open_for_ledger(str(tmp_path / "x.ledger"))
    current = CurrentObjectors(register)
    assert current.current_objectors("town").num_rows == 0
    register.record(ObjectionEventKind.OBJECT, "town", ["1", "2"], by="b", reason="r")
    held = current.current_objectors("town")
    register.record(ObjectionEventKind.WITHDRAW, "town", ["2", "5"], by="b", reason="r")
    register.record(ObjectionEventKind.OBJECT, "other", ["9"], by="b", reason="r")
    assert current.current_objectors("town")["person"].to_pylist() == ["1"]
    assert current.current_objectors("other")["person"].to_pylist() == ["9"]
    assert held["person"].to_pylist() == ["1", "2"], "what an execution holds never changes"
    current.close()


def test_objectors_are_excluded_without_declared_consent_too(town: Catalog, where: str, tmp_path: Path) -> None:
    file = Path(where)
    bare = file.read_text(encoding="utf-8").replace('consent = { column = "consent", admitted = ["yes"] }\n', "")
    file.write_text(bare, encoding="utf-8")
    with open_session(where, ledger=":memory:") as opened:
        session = quiet(opened)
        (everybody,) = counted(session)
        objects(session, "2")
        assert counted(session, "0.0051") == [everybody - 1]
