"""The plan cache: public facts, separate per client, bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from dialect import Refusal, compile_query
from engine.pipeline import advice
from engine.pipeline import compiled_query as plan_cache
from engine.pipeline import engine as pipeline
from engine.pipeline.compiled_query import MAX_CLIENTS, MAX_ENTRIES_PER_CLIENT, ByIdentity, PlanCache
from engine.pipeline.engine import Engine
from engine.pipeline.explain import explain
from engine.pricing.clip_bounds.histograms import Calibration, Calibrations
from engine.pricing.compile_release import price_release, unpriced_releases
from engine.pricing.query_terms import Request
from tests.engine.town import ROWS, make_town, opened

COUNT = "SELECT zone, COUNT(*) AS n, AVG(minutes) AS m FROM visit GROUP BY zone"
OTHER = "SELECT COUNT(*) AS n FROM visit"


@contextmanager
def counted() -> Iterator[list[str]]:
    """Count what is made, and not found."""
    made: list[str] = []

    def noting(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *given, **named: (made.append(name), real(*given, **named))[1]

    with (
        mock.patch.object(plan_cache, "compile_query", noting("read", compile_query)),
        mock.patch.object(pipeline, "unpriced_releases", noting("all_sized", unpriced_releases)),
        mock.patch.object(pipeline, "price_release", noting("priced", price_release)),
        mock.patch.object(advice, "_compute_advice", noting("_advice", advice._compute_advice)),
    ):
        yield made


def test_a_client_s_own_question_is_read_and_priced_once(engine: Engine) -> None:
    engine.answer(COUNT, Request("ann"))
    explain(engine, COUNT, Request("ann"))
    with counted() as made:
        again = engine.answer(COUNT, Request("ann"))
        told = explain(engine, COUNT, Request("ann"))
    assert made == []
    assert again.charged_loss.pico_rho == told.loss.pico_rho == 0


def test_a_cached_plan_equals_a_new_one(engine: Engine) -> None:
    first = engine.compile(engine.read(COUNT, "ann"), Request("ann")).releases
    again = engine.compile(engine.read(COUNT, "ann"), Request("ann")).releases
    anew = replace(engine)
    assert first == again == anew.compile(anew.read(COUNT, "ann"), Request("ann")).releases


@pytest.mark.parametrize(
    "asked", [Request("ann", rho=Fraction(1, 100)), Request("ann", confidence=0.9), Request("ann", rho=Fraction(1, 50))]
)
def test_other_query_terms_have_another_cache_entry(engine: Engine, asked: Request) -> None:
    explain(engine, COUNT, Request("ann"))
    told, anew = explain(engine, COUNT, asked), explain(replace(engine), COUNT, asked)
    assert (told.loss, told.expected_error, told.advice) == (anew.loss, anew.expected_error, anew.advice)
    assert told.expected_error != explain(engine, COUNT, Request("ann")).expected_error


def test_a_new_or_expired_calibration_invalidates_the_plan_cache(engine: Engine) -> None:
    known = mock.Mock(spec=Calibrations)
    known.today.return_value = Calibration()
    today = replace(engine, calibrations=known)
    question = today.read(COUNT, "ann")
    today.compile(question, Request("ann"))
    known.today.return_value = Calibration((mock.Mock(spec_set=()),))  # another value, which says nothing
    with counted() as made, pytest.raises(AttributeError):
        today.compile(question, Request("ann"))
    assert made == ["all_sized"]


def test_the_plan_cache_never_replaces_the_ledger(engine: Engine) -> None:
    price = explain(engine, COUNT, Request("ann")).loss
    engine.answer(COUNT, Request("ann"))
    before = explain(engine, OTHER, Request("ann")).outlook
    engine.answer(COUNT, Request("ann", rho=Fraction(1, 20)))
    after = explain(engine, OTHER, Request("ann")).outlook
    assert price.pico_rho
    assert before is not None and after is not None
    assert after.outlook.queries_left < before.outlook.queries_left


def is_shared_between_clients(memory: PlanCache) -> bool:
    """Does a client find entries that only another one requested?"""
    made: list[str] = []
    for client in ("ann", "bob"):
        memory.get_or_compute(client, "text", lambda: made.append("made"))
    return len(made) < 2


class Plain(PlanCache):
    """Planted: one cache for all clients."""

    def get_or_compute(self, client: str, key: Any, make: Any) -> Any:
        return super().get_or_compute("everybody", key, make)


def test_no_client_sees_another_s_cache_entries(engine: Engine) -> None:
    assert not is_shared_between_clients(PlanCache())
    assert is_shared_between_clients(Plain())
    explain(engine, COUNT, Request("ann"))
    with counted() as made:
        explain(engine, COUNT, Request("bob"))
    assert set(made) >= {"read", "all_sized", "priced", "_advice"}


def test_one_client_does_not_evict_another_s_cache_entries() -> None:
    memory = PlanCache()
    memory.get_or_compute("ann", "text", lambda: 1)
    for number in range(3 * MAX_ENTRIES_PER_CLIENT):
        memory.get_or_compute("bob", number, lambda: 2)
    assert memory.get_or_compute("ann", "text", lambda: 3) == 1


def test_the_plan_cache_is_bounded() -> None:
    memory = PlanCache()
    for client in range(MAX_CLIENTS + 20):
        for number in range(MAX_ENTRIES_PER_CLIENT + 20 if client % 40 == 0 else 2):
            memory.get_or_compute(f"client{client}", number, lambda: 1)
    shelves: OrderedDict[str, Any] = memory._entries
    assert len(shelves) == MAX_CLIENTS
    assert max(map(len, shelves.values())) == MAX_ENTRIES_PER_CLIENT


def test_the_plan_cache_evicts_the_least_recently_used() -> None:
    memory = PlanCache()
    memory.get_or_compute("ann", "kept", lambda: 1)
    for number in range(2 * MAX_ENTRIES_PER_CLIENT):
        memory.get_or_compute("ann", number, lambda: 2)
        memory.get_or_compute("ann", "kept", lambda: 3)
    assert memory.get_or_compute("ann", "kept", lambda: 4) == 1


def test_refusals_and_very_long_texts_are_not_cached(engine: Engine) -> None:
    for sql in ("SELECT person FROM visit", f"{OTHER} --{'x' * 10_000}"):
        with suppress(Refusal):
            engine.read(sql, "ann")
    assert not any(engine.plan_cache._entries.values())


def test_proposals_are_not_cached(engine: Engine) -> None:
    assert explain(engine, COUNT, Request("ann")).advice.proposals
    # question, bounds, price, what was bound (twice), advice, values looked up
    assert len(engine.plan_cache._entries["ann"]) == 7


def test_cache_keys_compare_questions_by_identity(engine: Engine) -> None:
    first, second = (replace(engine).read(COUNT, "ann") for _ in range(2))
    assert first == second
    assert ByIdentity(first) == ByIdentity(first) != ByIdentity(second)


def kept(engine: Engine) -> list[Any]:
    """Query, explain, and list the cached entries."""
    engine.answer(COUNT, Request("ann"))
    explain(engine, OTHER, Request("ann"))
    return list(engine.plan_cache._entries["ann"].values())


def test_the_plan_cache_is_the_same_in_two_worlds(engine: Engine, tmp_path: Path) -> None:
    others = ROWS.replace("range(1, 3001)", "range(1, 301)").replace("i * i % 7", "i % 2")
    (tmp_path / "town").mkdir()
    with opened(make_town(tmp_path / "town", others), tmp_path / "cache") as other:
        here, there = (
            [str(each).replace(str(Path(of.catalog.path).parent), "") for each in kept(of)] for of in (engine, other)
        )
    assert len(here) > 5
    assert here == there
