"""Bugs that shared vectors may have are found by the questions in tests/sql/exact_shared.sql."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

from dialect.algebra.release_plan import PrivatePlan
from tests.support.planted import instead, together
from tests.support.sql.oracle import Oracle
from tests.support.sql.sql_cases import sql_cases
from tests.support.worlds import make_world

PLANNERS = [
    import_module("dialect.planner.releases"),
    import_module("dialect.planner.grouping_set_reuse"),
    import_module("dialect.planner.releases"),
]
shared_vectors = PLANNERS[-1]
one_release, moved = shared_vectors.plan_release, shared_vectors.renumber_formula
CASES = sql_cases("exact_shared")


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    with Oracle(make_world("operator", tmp_path_factory.mktemp("operator"))) as opened:
        yield opened


def texts_without(pattern: str) -> Callable[[pytest.MonkeyPatch], None]:
    """Planted: vectors and frames count as equal although a part of their texts differs."""

    def short(text: str) -> str:
        return re.sub(pattern, "", text)

    def planned(*given: Any) -> tuple[PrivatePlan, Any]:
        made, outputs = one_release(*given)
        return replace(
            made, canonical_groups=short(made.canonical_groups), vector_texts=tuple(map(short, made.vector_texts))
        ), outputs

    return together(*(instead(module, "plan_release", planned) for module in PLANNERS))


def numbers_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read a shared release where the numbers stood in the release of one's own."""
    monkeypatch.setattr(shared_vectors, "renumber_formula", lambda formula, _: formula)


def values_by_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take any vector of the other reading for a wanted one."""
    monkeypatch.setattr(
        shared_vectors, "renumber_formula", lambda formula, place: moved(formula, dict.fromkeys(place, 0))
    )


PLANTED = {
    "FILTER is not looked at": texts_without(r" filter .*?(?= in \[|$)"),
    "WHERE is not looked at": texts_without(r" where .*?(?= group by )"),
    "the value is not looked at": texts_without(r"\(.*\)"),
    "numbers stay where they were": numbers_stay,
    "numbers are mixed up": values_by_place,
}


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(bug: str, oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(oracle.ask(case.sql).difference is None for case in CASES)
    PLANTED[bug](monkeypatch)
    assert any(oracle.ask(case.sql).difference is not None for case in CASES)
