"""A workload, planned and bought: its cost, each query then free, and as exact as stated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from dialect.parser.tokens import split_statements
from engine import Refused, plan_workload
from engine.api.session import Session
from engine.errors import ExecutionFailed
from engine.pipeline import engine as pipeline
from engine.pipeline.engine import Engine
from tests.engine.complete_town import anew, ask, held_town, price

ZONES = ";\n".join(f"SELECT COUNT(*) AS n FROM visit WHERE zone = 'z{i}'" for i in range(7))
WORKLOAD = f"""SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone; -- a comment; with a semicolon
{ZONES};
SELECT COUNT(DISTINCT person_id) AS p FROM visit WHERE shop <> ';';
-- candidate
SELECT zone, day, COUNT(*) AS n FROM visit GROUP BY zone, day;
"""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with held_town(tmp_path_factory.mktemp("held")) as engine:
        yield engine


def test_planned_releases_are_bought_and_make_the_workload_free(town: Engine) -> None:
    desk = Session(anew(town))
    told = plan_workload(desk, WORKLOAD, client="ann", rho="0.9")
    assert desk.engine.ledger.paid_releases("ann") == ()
    bought = [each["rho"] for each in told["questions"] if each["rho"]]
    assert len(bought) == 2 and sum(bought) == pytest.approx(0.9, rel=1e-5)  # zones once, and persons
    applied = plan_workload(desk, WORKLOAD, client="ann", rho="0.9", apply=True)
    assert applied["charged_rho"] == pytest.approx(0.9, rel=1e-5)
    for each in applied["questions"]:
        if each["asked"]:
            given = ask(desk.engine, each["sql"], repr(told["ask_at_rho"]))
            ((name, width),) = each["error"].items()
            lower, upper = given.answer.intervals[name]
            assert price(given) == 0
            assert (upper - lower).max() / 2 <= width + 2  # whole ends
            assert width < each["alone_error"][name] / 1.9  # two releases of nine


def test_an_interrupted_plan_reports_what_was_charged(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, real, asked = Session(anew(town)), Engine.answer, list[str]()

    def failing(engine: Engine, sql: str, *given: object) -> object:
        asked.append(sql)
        if len(asked) == 2:
            raise ExecutionFailed
        return real(engine, sql, *given)

    with monkeypatch.context() as broken:
        broken.setattr(Engine, "answer", failing)
        with pytest.raises(Refused, match="E_EXEC") as cut:
            plan_workload(desk, WORKLOAD, client="ann", rho="0.9", apply=True)
    first = cut.value.problem["charged_rho"]
    assert 0 < first < 0.9 and len(desk.engine.ledger.paid_releases("ann")) == 1
    rest = plan_workload(desk, WORKLOAD, client="ann", rho="0.9", apply=True)["charged_rho"]
    assert first + rest == pytest.approx(0.9, rel=1e-5), "it goes on behind what is bought"


def charged(desk: Session) -> float:
    """What the ledger has debited a client for, released or not."""
    return float(sum(each.loss.rho for each in desk.engine.ledger.paid_releases("ann")))


@pytest.mark.parametrize("failure", [ExecutionFailed, OverflowError])
@pytest.mark.parametrize("stage", ["release_to_bytes", "post_process"])  # in the making, and behind it
@pytest.mark.parametrize("nth", [1, 2])
def test_a_plan_interrupted_after_a_charge_reports_it(
    nth: int, stage: str, failure: type[Exception], town: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, real, made = Session(anew(town)), getattr(pipeline, stage), list[object]()

    def failing(*given: object) -> object:
        made.append(given)
        if len(made) == nth:
            raise failure
        return real(*given)

    with monkeypatch.context() as broken:
        broken.setattr(pipeline, stage, failing)
        with pytest.raises(Refused, match="E_EXEC") as cut:
            plan_workload(desk, WORKLOAD, client="ann", rho="0.9", apply=True)
    first = cut.value.problem["charged_rho"]
    assert 0 < first == pytest.approx(charged(desk))
    rest = plan_workload(desk, WORKLOAD, client="ann", rho="0.9", apply=True)["charged_rho"]
    assert first + rest == pytest.approx(0.9, rel=1e-5) == charged(desk)


def test_a_defect_before_any_charge_is_raised_as_it_is(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Session(anew(town))
    monkeypatch.setattr(Engine, "release_sources", lambda *_: (_ for _ in ()).throw(OverflowError))
    with pytest.raises(OverflowError):
        plan_workload(desk, WORKLOAD, client="ann", rho="0.9", apply=True)


def test_no_data_are_read_for_a_plan(town: Engine) -> None:
    class Unread(type(town.backend)):  # type: ignore[misc]
        def run(self, *given: object) -> object:
            raise AssertionError

    blind = Unread(**vars(town.backend))
    told = plan_workload(Session(replace(anew(town), backend=blind)), WORKLOAD, client="ann", rho="0.9")
    assert told["charged_rho"] == 0


def test_a_workload_is_split_at_semicolons_alone() -> None:
    assert len(split_statements(WORKLOAD)) == 10
    assert split_statements("SELECT ';' ; -- ;\n") == ("SELECT ';'",)


@pytest.mark.parametrize(
    "text", ["", "-- candidate\nSELECT COUNT(*) FROM visit", "SELECT person_id FROM visit", "SELECT '"]
)
def test_no_workload_is_refused(town: Engine, text: str) -> None:
    with pytest.raises(Refused):
        plan_workload(Session(anew(town)), text, client="ann", rho="0.1")


def test_a_workload_that_is_too_much_to_compare_is_refused(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise ExecutionFailed

    monkeypatch.setattr("engine.reuse.derived_release.run_outer", failing)
    with pytest.raises(Refused, match="nothing was charged"):
        plan_workload(Session(anew(town)), WORKLOAD, client="ann", rho="0.9")
