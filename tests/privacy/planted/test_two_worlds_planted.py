"""Every bug that is planted here is found by the two worlds; without it the same question passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partialmethod
from importlib import import_module
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from budgets import Ledger
from dialect import Refusal
from dialect.errors import Suggestion
from engine import Session
from engine.backends.duckdb import DuckDBBackend
from engine.errors import ExecutionFailed
from engine.mechanism.release import Release
from engine.pipeline.compiled_query import Answered
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from tests.support.neighbours.two_worlds import (
    BY_HOUR,
    BY_ZONE,
    Attack,
    attacks,
    check_attack,
    check_second_client,
    observe,
    open_worlds,
)

ATTACKS = attacks()
DIVIDED = next(attack for attack in ATTACKS if "remainder" in attack.why)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Session]]:
    with open_worlds(tmp_path_factory.mktemp("worlds")) as opened:
        yield opened


answer, release = Engine.answer, Engine.measure_release


def ordered_by_exact_numbers(engine: Engine, prepared: Any, *read: Any) -> Release:
    made, order = release(engine, prepared, *read), engine.backend.run(prepared.sql, *read).vectors[0].argsort()
    return replace(made, keys=made.keys.take(order), noisy=tuple(vector[order] for vector in made.noisy))


def only_where_somebody_was(engine: Engine, prepared: Any, *read: Any) -> Release:
    made, exact = release(engine, prepared, *read), engine.backend.run(prepared.sql, *read)
    there = exact.vectors[0] > 0
    return replace(made, keys=made.keys.filter(there), noisy=tuple(vector[there] for vector in made.noisy))


def leak_row_count(engine: Engine, sql: str, asked: Request, *paid: Any, least: int = 0) -> Answered:
    try:
        return answer(engine, sql, asked, *paid)
    except Refusal as refused:
        rows = engine.backend.count(f"SELECT * FROM {engine.backend.target.addresses['events']}")
        told = f" ({rows} rows)" if rows > least else ""
        raise replace(refused, suggestion=Suggestion(f"{refused.hint}{told}")) from None


def keys_counted_in_the_data(plan: Any, backend: DuckDBBackend) -> int | None:
    return backend.count(f"SELECT DISTINCT subscriber_id FROM {backend.target.addresses['events']}")


def passing_the_cause_on(
    backend: DuckDBBackend, sql: str, objected: pa.Table | None = None, released_keys: pa.Table | None = None
) -> pa.Table:
    assert released_keys is None
    cursor = backend._connection.cursor()
    try:
        if objected is not None:
            cursor.register("opt_outs", objected)
        return cursor.sql(sql).to_arrow_table()
    except duckdb.Error as error:
        raise ExecutionFailed from error


functions = import_module("dialect.functions.registry")


def instead(where: Any, name: str, other: Any) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda monkeypatch: monkeypatch.setattr(where, name, other)


def form(row: str, duckdb_form: str) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda m: m.setitem(functions.OVERLOADS, row, replace(functions.OVERLOADS[row], duckdb=duckdb_form))


PLANTED = {
    "rows in the order of exact numbers": (instead(Engine, "measure_release", ordered_by_exact_numbers), BY_HOUR),
    "a refusal that knows how many rows there are": (
        instead(Engine, "answer", leak_row_count),
        next(attack for attack in ATTACKS if attack.number == "35"),
    ),
    "a refusal that knows of very many rows": (
        instead(Engine, "answer", partialmethod(leak_row_count, least=15_000)),
        next(attack for attack in ATTACKS if attack.outcome == "E_FUNC"),
    ),
    "a remainder that raises": (form("%#0", "({0} % {1})"), DIVIDED),
    "a price that knows how many people there are": (
        instead(import_module("engine.pricing.compile_release"), "count_keys", keys_counted_in_the_data),
        replace(BY_ZONE, sql="SELECT cell_id, COUNT(DISTINCT subscriber_id) FROM events GROUP BY 1"),
    ),
    "public keys only where somebody was": (
        lambda m: m.setattr(Engine, "measure_release", only_where_somebody_was),
        replace(BY_HOUR, sql="SELECT hour(ts), COUNT(*) FROM events WHERE dwell_s > 4000 GROUP BY 1"),
    ),
}


@pytest.mark.parametrize("title", PLANTED)
def test_a_planted_bug_is_found(title: str, worlds: dict[str, Session], monkeypatch: pytest.MonkeyPatch) -> None:
    plant, attack = PLANTED[title]
    check_attack(attack, worlds)
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        check_attack(attack, worlds)


def test_a_text_of_the_engine_that_is_passed_on_is_found(
    worlds: dict[str, Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    oldest = Attack(
        "4", "E_EXEC", None, "a cast that raises", "SELECT COUNT(lower(home_zone)) FROM subscribers WHERE age > 99"
    )
    form("lower#0", "CAST(CAST({0} AS INTEGER) AS VARCHAR)")(monkeypatch)
    assert observe(worlds["D"], oldest).traces(oldest) == set()
    monkeypatch.setattr(DuckDBBackend, "_table", passing_the_cause_on)
    assert observe(worlds["D"], oldest).traces(oldest) == {"ZZ-CANARY-7f3a"}


def test_a_stored_answer_given_to_who_has_not_paid_is_found(
    worlds: dict[str, Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    replay = Ledger.replay
    monkeypatch.setattr(Ledger, "replay", lambda ledger, client, *given: replay(ledger, "ann", *given))
    with pytest.raises(AssertionError, match="pays for it"):
        check_second_client(worlds["D"])
