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

from dialect import Refusal, read
from engine.pipeline import advice
from engine.pipeline import cache as remembered
from engine.pipeline import engine as pipeline
from engine.pipeline.cache import MOST_CLIENTS, MOST_OF_A_CLIENT, Remembered, Same
from engine.pipeline.engine import Engine
from engine.pipeline.explain import explain
from engine.pricing.norms.histograms import Calibration, Calibrations
from engine.pricing.prepare import all_sized, priced
from engine.pricing.terms import Asked
from tests.engine.town import ROWS, make_town, opened

COUNT = "SELECT zone, COUNT(*) AS n, AVG(minutes) AS m FROM visit GROUP BY zone"
OTHER = "SELECT COUNT(*) AS n FROM visit"


@contextmanager
def counted() -> Iterator[list[str]]:
    """Count what is made, and not found."""
    made: list[str] = []

    def noting(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *given: (made.append(name), real(*given))[1]

    with (
        mock.patch.object(remembered, "read", noting("read", read)),
        mock.patch.object(pipeline, "all_sized", noting("all_sized", all_sized)),
        mock.patch.object(pipeline, "priced", noting("priced", priced)),
        mock.patch.object(advice, "_advice", noting("_advice", advice._advice)),
    ):
        yield made


def test_a_client_s_own_question_is_read_and_priced_once(engine: Engine) -> None:
    engine.answer(COUNT, Asked("ann"))
    explain(engine, COUNT, Asked("ann"))
    with counted() as made:
        again = engine.answer(COUNT, Asked("ann"))
        told = explain(engine, COUNT, Asked("ann"))
    assert made == []
    assert again.charged.pico_rho == told.loss.pico_rho == 0


def test_what_is_remembered_is_what_would_be_made(engine: Engine) -> None:
    first = engine.prepare(engine.read(COUNT, "ann"), Asked("ann"))
    again = engine.prepare(engine.read(COUNT, "ann"), Asked("ann"))
    anew = replace(engine)
    assert first == again == anew.prepare(anew.read(COUNT, "ann"), Asked("ann"))


@pytest.mark.parametrize(
    "asked", [Asked("ann", rho=Fraction(1, 100)), Asked("ann", confidence=0.9), Asked("ann", rho=Fraction(1, 50))]
)
def test_other_terms_are_other_things(engine: Engine, asked: Asked) -> None:
    explain(engine, COUNT, Asked("ann"))
    told, anew = explain(engine, COUNT, asked), explain(replace(engine), COUNT, asked)
    assert (told.loss, told.expected_error, told.advice) == (anew.loss, anew.expected_error, anew.advice)
    assert told.expected_error != explain(engine, COUNT, Asked("ann")).expected_error


def test_a_calibration_that_begins_or_ends_is_another_thing(engine: Engine) -> None:
    known = mock.Mock(spec=Calibrations)
    known.today.return_value = Calibration()
    today = replace(engine, calibrations=known)
    question = today.read(COUNT, "ann")
    today.prepare(question, Asked("ann"))
    known.today.return_value = Calibration((mock.Mock(spec_set=()),))  # another value, which says nothing
    with counted() as made, pytest.raises(AttributeError):
        today.prepare(question, Asked("ann"))
    assert made == ["all_sized"]


def test_the_ledger_is_asked_each_time(engine: Engine) -> None:
    price = explain(engine, COUNT, Asked("ann")).loss
    engine.answer(COUNT, Asked("ann"))
    before = explain(engine, OTHER, Asked("ann")).ahead
    engine.answer(COUNT, Asked("ann", rho=Fraction(1, 20)))
    after = explain(engine, OTHER, Asked("ann")).ahead
    assert price.pico_rho
    assert before is not None and after is not None
    assert after.outlook.further < before.outlook.further


def is_told_of_others(memory: Remembered) -> bool:
    """Does a client find entries that only another one requested?"""
    made: list[str] = []
    for client in ("ann", "bob"):
        memory.give(client, "text", lambda: made.append("made"))
    return len(made) < 2


class Plain(Remembered):
    """Planted: one cache for all clients."""

    def give(self, client: str, key: Any, make: Any) -> Any:
        return super().give("everybody", key, make)


def test_nobody_finds_what_another_asked(engine: Engine) -> None:
    assert not is_told_of_others(Remembered())
    assert is_told_of_others(Plain())
    explain(engine, COUNT, Asked("ann"))
    with counted() as made:
        explain(engine, COUNT, Asked("bob"))
    assert set(made) >= {"read", "all_sized", "priced", "_advice"}


def test_what_another_asks_puts_nothing_out() -> None:
    memory = Remembered()
    memory.give("ann", "text", lambda: 1)
    for number in range(3 * MOST_OF_A_CLIENT):
        memory.give("bob", number, lambda: 2)
    assert memory.give("ann", "text", lambda: 3) == 1


def test_it_is_bounded() -> None:
    memory = Remembered()
    for client in range(MOST_CLIENTS + 20):
        for number in range(MOST_OF_A_CLIENT + 20 if client % 40 == 0 else 2):
            memory.give(f"client{client}", number, lambda: 1)
    shelves: OrderedDict[str, Any] = memory._shelves
    assert len(shelves) == MOST_CLIENTS
    assert max(map(len, shelves.values())) == MOST_OF_A_CLIENT


def test_the_last_used_stay() -> None:
    memory = Remembered()
    memory.give("ann", "kept", lambda: 1)
    for number in range(2 * MOST_OF_A_CLIENT):
        memory.give("ann", number, lambda: 2)
        memory.give("ann", "kept", lambda: 3)
    assert memory.give("ann", "kept", lambda: 4) == 1


def test_refusals_and_endless_texts_are_not_kept(engine: Engine) -> None:
    for sql in ("SELECT person FROM visit", f"{OTHER} --{'x' * 10_000}"):
        with suppress(Refusal):
            engine.read(sql, "ann")
    assert not any(engine.remembered._shelves.values())


def test_proposals_are_forgotten(engine: Engine) -> None:
    assert explain(engine, COUNT, Asked("ann")).advice.instead
    assert (
        len(engine.remembered._shelves["ann"]) == 7
    )  # question, bounds, price, what was bound (twice), advice, values looked up


def test_a_question_is_known_by_being_the_same(engine: Engine) -> None:
    first, second = (replace(engine).read(COUNT, "ann") for _ in range(2))
    assert first == second
    assert Same(first) == Same(first) != Same(second)


def kept(engine: Engine) -> list[Any]:
    """Query, explain, and list the cached entries."""
    engine.answer(COUNT, Asked("ann"))
    explain(engine, OTHER, Asked("ann"))
    return list(engine.remembered._shelves["ann"].values())


def test_two_worlds_remember_the_same(engine: Engine, tmp_path: Path) -> None:
    others = ROWS.replace("range(1, 3001)", "range(1, 301)").replace("i * i % 7", "i % 2")
    (tmp_path / "town").mkdir()
    with opened(make_town(tmp_path / "town", others), tmp_path / "cache") as other:
        here, there = (
            [str(each).replace(str(Path(of.catalog.path).parent), "") for each in kept(of)] for of in (engine, other)
        )
    assert len(here) > 5
    assert here == there
