"""With noise off and bounds not binding, every accepted question is answered as plain DuckDB answers it (DESIGN 9).

The questions are SQL in tests/sql/exact_*.sql; what equal means stands in tests/support/sql/comparison.py, what is asked
of plain DuckDB in tests/support/sql/plain.py. Differences on purpose and what can't be compared have files of their own.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

import pytest

from engine.catalog.bundled import find_catalog
from tests.support.sql.oracle import Oracle
from tests.support.sql.sql_cases import SqlCase, sql_cases
from tests.support.statistics.mibici import needs_mibici
from tests.support.tree import modules
from tests.support.worlds import make_world

WORLD_OF = {
    "exact_operator": "operator",
    "exact_outer": "operator",
    "exact_sets": "operator",
    "exact_grammar": "operator",
    "exact_groupings": "operator",
    "exact_aggregates": "operator",
    "exact_moments": "operator",
    "exact_of_a_person": "operator",
    "exact_different_values": "operator",
    "exact_shared": "operator",
    "exact_names": "operator",
    "exact_correlated": "operator",
    "exact_cells": "operator",
    "exact_intervals": "operator",
    "exact_windows": "operator",
    "exact_expressions": "operator",
    "exact_analysts": "operator",
    "exact_reports": "operator",
    "exact_places": "places",
    "exact_attack": "attack",
    "exact_clocks": "clocks",
    "exact_mibici": "mibici",
    "exact_movement": "operator",
    "exact_types": "types",
    "exact_on_purpose": "attack",
    "exact_apart": "attack",
}
EQUAL = (
    "exact_operator",
    "exact_outer",
    "exact_sets",
    "exact_grammar",
    "exact_groupings",
    "exact_aggregates",
    "exact_moments",
    "exact_of_a_person",
    "exact_different_values",
    "exact_shared",
    "exact_names",
    "exact_correlated",
    "exact_cells",
    "exact_intervals",
    "exact_windows",
    "exact_expressions",
    "exact_analysts",
    "exact_reports",
    "exact_places",
    "exact_attack",
    "exact_clocks",
    "exact_types",
    "exact_mibici",
    "exact_movement",
)
LEAST_QUESTIONS = 150
Oracles = Callable[[str], Oracle]


@pytest.fixture(scope="module")
def oracles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracles]:
    """Make each world when it is first asked for."""
    made: dict[str, Oracle] = {}

    def oracle(world: str) -> Oracle:
        if world not in made:
            real = world == "mibici"
            made[world] = Oracle(find_catalog(world) if real else make_world(world, tmp_path_factory.mktemp(world)))
        return made[world]

    yield oracle
    for each in made.values():
        each.close()


def _cases(*files: str) -> list[object]:
    return [
        pytest.param(
            case, id=f"{file}: {case.title}", marks=needs_mibici if "mibici" in (case.world, WORLD_OF[file]) else ()
        )
        for file in files
        for case in sql_cases(file)
    ]


@pytest.mark.parametrize("case", _cases(*EQUAL))
def test_an_answer_is_plain_duckdbs(case: SqlCase, oracles: Oracles) -> None:
    within = float(case.within or 0)
    verdict = oracles(case.world or WORLD_OF[case.file]).ask(case.sql, case.instead, case.zone, within)
    assert verdict.difference is None
    assert not verdict.apart and not verdict.plain_raised, "belongs into exact_apart.sql"


@pytest.mark.parametrize("case", _cases("exact_on_purpose"))
def test_a_difference_on_purpose_is_the_one_that_is_written_down(case: SqlCase, oracles: Oracles) -> None:
    assert case.instead and case.because
    verdict = oracles(case.world or WORLD_OF[case.file]).ask(case.sql, case.instead)
    assert verdict.difference is None
    assert not verdict.apart and not verdict.plain_raised


@pytest.mark.parametrize("case", _cases("exact_apart"))
def test_queries_listed_as_incomparable_are_answered_and_incomparable(case: SqlCase, oracles: Oracles) -> None:
    verdict = oracles(case.world or WORLD_OF[case.file]).ask(case.sql)
    assert verdict.difference is None
    assert verdict.apart or verdict.plain_raised


def test_names_are_shown_as_the_analyst_writes_them(oracles: Oracles) -> None:
    sql = """WITH Q AS (SELECT place_id AS Place, COUNT(*) AS "Visits of All" FROM visit GROUP BY Place_ID)
             SELECT PLACE, "Visits of All", "visits OF all" + 1 AS oneMore FROM q"""
    oracle = oracles("operator")
    assert oracle.exact[0].query(sql).column_names == ["Place", "Visits of All", "oneMore"]
    assert oracle.plain().query(sql).names == ("Place", "Visits of All", "oneMore")


def test_there_are_enough_questions_by_hand() -> None:
    assert sum(len(sql_cases(file)) for file in EQUAL) >= LEAST_QUESTIONS


def test_no_interface_reaches_the_oracle() -> None:
    """What lifts the bounds is built in the tests: nothing that is shipped imports them or names the lifted parts."""
    for module in modules():
        imported = {name for node in ast.walk(module.tree) for name in _imported(node)}
        assert not any(name.split(".")[0] == "tests" for name in imported), module.where


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []
