"""Expressions as analysts write them give DuckDB's own values wherever DuckDB has any."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.sql.conformance import Case, Conformance, cases

CASES = cases()
LEAST_CASES = 400


@pytest.fixture(scope="module")
def conformance() -> Iterator[Conformance]:
    opened = Conformance()
    yield opened
    opened.connection.close()


def _because(wanted: bool) -> list[Case]:
    return [case for case in CASES if bool(case.because) is wanted]


@pytest.mark.parametrize("case", _because(False), ids=lambda case: case.sql)
def test_an_expression_is_duckdbs(case: Case, conformance: Conformance) -> None:
    found = conformance.compare(case.sql)
    assert not found.different
    assert found.compared


@pytest.mark.parametrize("case", _because(True), ids=lambda case: case.sql)
def test_a_difference_on_purpose_is_there(case: Case, conformance: Conformance) -> None:
    assert conformance.compare(case.sql).different


def test_there_are_enough_expressions() -> None:
    assert len({case.sql for case in CASES}) == len(CASES)
    assert len(_because(False)) >= LEAST_CASES
