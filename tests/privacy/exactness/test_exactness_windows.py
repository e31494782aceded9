"""Windows drawn at random over the small operator are plain DuckDB's, and bugs that windows may have are found so."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings

from dialect import Code, Refusal
from dialect.algebra.expressions import Literal
from dialect.algebra.relations import Frame, FrameBound, FrameUnit
from dialect.catalog.model import SqlType
from dialect.functions.window_functions import WINDOW_FUNCTIONS, DeterminedBy
from tests.support.planted import instead, listed, together
from tests.support.sql.oracle import Oracle
from tests.support.sql.sql_cases import sql_cases
from tests.support.sql.sql_windows import windowed_questions
from tests.support.worlds import make_world

algebra: Any = import_module("dialect.algebra.relations")
dialects: Any = import_module("dialect.codegen.engines.duckdb")
write_window: Any = import_module("dialect.codegen.relations.window_functions")
EXAMPLES = 20_000 if os.environ.get("PASSERSBY_NIGHTLY") else 40
LEAST_ANSWERED = 0.5  # share of drawn questions; twelve other draws of 40: 79% on average, 57% at least
GRAINS = 2.0**-13  # thousands of rows, each beside its number by half a grain at most
FEWEST = 40  # planted bugs are looked for in so many questions by hand


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    with Oracle(make_world("operator", tmp_path_factory.mktemp("operator"))) as opened:
        yield opened


def test_windows_are_plain_duckdbs(oracle: Oracle) -> None:
    outcomes: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(windowed_questions())
    def holds(sql: str) -> None:
        note(sql)
        try:
            verdict = oracle.ask(sql, within=GRAINS)
        except Refusal as refused:
            assert refused.code is Code.KEY  # a window's result with a value in almost every row is no key
            outcomes["refused"] += 1
            return
        assert verdict.difference is None and not verdict.apart and not verdict.plain_raised
        outcomes["answered"] += 1

    holds()
    assert outcomes["answered"] >= LEAST_ANSWERED * EXAMPLES, outcomes


def break_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the tie breaker ends every order, so that equal rows are no longer peers."""
    parted = {name: replace(function, determined_by=DeterminedBy.PLACE) for name, function in WINDOW_FUNCTIONS.items()}
    together(*(listed(WINDOW_FUNCTIONS, name, function) for name, function in parted.items()))(monkeypatch)


def frames_by_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    together(*(instead(module, "has_rows_frame", lambda _: True) for module in (algebra, dialects, write_window)))(
        monkeypatch
    )


def filter_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    _changed(monkeypatch, lambda call: replace(call, condition=None))


def order_turned(monkeypatch: pytest.MonkeyPatch) -> None:
    _changed(
        monkeypatch,
        lambda call: replace(call, order=tuple(replace(key, descending=not key.descending) for key in call.order)),
    )


def partition_of_the_person_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    _changed(monkeypatch, lambda call: replace(call, partition=call.partition[:1]))


def frame_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    _changed(monkeypatch, lambda call: replace(call, frame=None))


def own_row_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    before = FrameBound("preceding", Literal(1, SqlType.BIGINT))

    def change(call: Any) -> Any:
        ends_here = (
            call.frame is not None and call.frame.unit is FrameUnit.ROWS and call.frame.end.side == "current row"
        )
        return replace(call, frame=Frame(call.frame.unit, call.frame.start, before)) if ends_here else call

    _changed(monkeypatch, change)


def nulls_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    _changed(monkeypatch, lambda call: replace(call, ignore_nulls=False))


def _changed(monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], Any]) -> None:
    original = dialects.DuckDBDialect.window_call
    monkeypatch.setattr(
        dialects.DuckDBDialect, "window_call", lambda self, call, *given: original(self, change(call), *given)
    )


PLANTED = (
    break_peers, frames_by_rows, filter_dropped, order_turned, partition_of_the_person_alone, frame_dropped, own_row_left_out,
    nulls_counted,
)  # fmt: skip


@pytest.mark.parametrize("plant", PLANTED, ids=[plant.__name__ for plant in PLANTED])
def test_a_planted_bug_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], oracle: Oracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [case for case in sql_cases("exact_windows") if case.world is None]
    assert len(cases) >= FEWEST
    plant(monkeypatch)
    assert any(_differs(oracle, case.sql) for case in reversed(cases))


def _differs(oracle: Oracle, sql: str) -> bool:
    try:
        return oracle.ask(sql).difference is not None
    except Refusal:
        return False
