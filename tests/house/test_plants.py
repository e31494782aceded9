"""A test that plants a bug fails where what it planted was never used, or where no text became another."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.planted import (
    PLANTS,
    Planting,
    changing,
    instead,
    listed,
    observed,
    pytest_pyfunc_call,
    rewritten,
    together,
)


class Clock:
    off = 3

    @property
    def now(self) -> int:
        return self.off


def ended(patching: pytest.MonkeyPatch) -> None:
    """End a test that had these patches, and passed."""
    item: Any = SimpleNamespace(funcargs={"monkeypatch": patching})
    ending = pytest_pyfunc_call(item)
    next(ending)
    with pytest.raises(StopIteration):
        ending.send(None)


def fails(patching: pytest.MonkeyPatch) -> str:
    with pytest.raises(pytest.fail.Exception) as failed:
        ended(patching)
    return str(failed.value)


USED: dict[str, tuple[Any, Callable[[Any], object]]] = {
    "a function": (lambda: 1, lambda planted: planted()),
    "a partial": (partial(int, 3), lambda planted: planted()),
    "a property": (property(lambda self: 1), lambda planted: planted.fget(None)),
    "a static method": (staticmethod(lambda: 1), lambda planted: planted.__func__()),
    "a class that is made": (Clock, lambda planted: planted().now),
    "a class that is asked": (Clock, lambda planted: planted.off),
    "an object": (Clock(), lambda planted: planted.now),
    "a fraction": (Fraction(1, 2), lambda planted: planted < 1),
    "an integer": (2**62, lambda planted: planted + 1),
    "a number": (0.5, lambda planted: planted > 0.1),
    "a text": ("1", lambda planted: f"{planted}"),
    "a tuple": ((1, 2), lambda planted: [*planted]),
    "a table": ({1: 2}, lambda planted: planted.get(1)),
    "a set": (frozenset({1}), lambda planted: 1 in planted),
}


@pytest.mark.parametrize("what", USED)
def test_use_is_seen_and_only_use(what: str) -> None:
    value, use = USED[what]
    seen: list[int] = []
    planted = observed(value, lambda: seen.append(1))
    assert not seen
    use(planted)
    assert seen


@pytest.mark.parametrize("value", [True, None])
def test_an_unobservable_value_cannot_be_planted(value: object) -> None:
    with pytest.raises(TypeError, match="plant a function"):
        observed(value, lambda: None)


@pytest.mark.parametrize("used", [False, True])
def test_a_plant_that_nothing_calls_fails_its_test(used: bool) -> None:
    module, table = SimpleNamespace(__name__="module", function=lambda: "right"), {"key": "right"}
    with Planting.of_one_test().context() as patching:
        instead(module, "function", lambda: "wrong")(patching)
        listed(table, "key", "wrong")(patching)
        if used:
            assert (module.function(), table["key"] + "") == ("wrong", "wrong")
            ended(patching)
        else:
            assert fails(patching) == "module.function was planted and never used; 'key' was planted and never used"


@pytest.mark.parametrize(("right", "wrong"), [("trunc", "ceil"), ("round", "ceil")])
def test_a_text_that_does_not_become_another_fails_its_test(right: str, wrong: str) -> None:
    module = SimpleNamespace(__name__="module", text=lambda column: f"trunc({column})")
    with Planting.of_one_test().context() as patching:
        rewritten(module, "text", lambda sql: sql.replace(right, wrong))(patching)
        assert module.text("a").endswith("(a)")
        ended(patching) if right == "trunc" else fails(patching)


@pytest.mark.parametrize(("right", "wrong"), [("trunc", "ceil"), ("round", "ceil")])
def test_a_function_that_writes_what_was_written_fails_its_test(right: str, wrong: str) -> None:
    write = lambda column: f"trunc({column})"  # noqa: E731
    module = SimpleNamespace(__name__="module", write=write)
    with Planting.of_one_test().context() as patching:
        patching.setattr(module, "write", lambda column: write(column).replace(right, wrong))
        assert module.write("a").endswith("(a)")
        ended(patching) if right == "trunc" else fails(patching)


def test_one_bug_in_several_places_is_used_in_any() -> None:
    one, other = SimpleNamespace(place=1), SimpleNamespace(place=1)
    with Planting.of_one_test().context() as patching:
        together(instead(one, "place", 2), instead(other, "place", 2))(patching)
        assert "used in none" in fails(patching)
        assert other.place == 2
        ended(patching)


def test_a_context_within_a_test_is_part_of_it() -> None:
    module, patching = SimpleNamespace(function=lambda: "right"), Planting.of_one_test()
    with patching.context() as inner:
        instead(module, "function", lambda: "wrong")(inner)
    assert "never used" in fails(patching)


def test_a_planted_bug_finds_its_fixture(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(monkeypatch, Planting)


def test_other_tests_get_the_plain_monkeypatch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not isinstance(monkeypatch, Planting)
    with pytest.raises(AssertionError, match="is named so"):
        changing(monkeypatch, str, str)
    assert PLANTS.search("test_a_leak_is_found") and not PLANTS.search("test_a_cap_holds")
