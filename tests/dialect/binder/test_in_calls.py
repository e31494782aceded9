"""IN with a list and IN of rows: never NULL where DuckDB's is not, and no person is chosen by the key."""

from __future__ import annotations

import pytest

from dialect import Catalog, Code, Refusal, compile_query


def _condition(test: str, catalog: Catalog) -> str:
    (plan,) = compile_query(f"SELECT COUNT(*) AS n FROM events WHERE {test}", catalog).plans
    return plan.canonical_text


def test_rows_are_compared_value_by_value(catalog: Catalog) -> None:
    rows = "(cell_id, hour(ts)) IN ((1, 8), (NULL, 9))"
    values = (
        "(cell_id IS NOT DISTINCT FROM 1 AND hour(ts) IS NOT DISTINCT FROM 8)"
        " OR (cell_id IS NOT DISTINCT FROM NULL AND hour(ts) IS NOT DISTINCT FROM 9)"
    )
    assert _condition(rows, catalog) == _condition(values, catalog)
    assert _condition(rows, catalog) != _condition(rows.replace("NULL", "2"), catalog)


@pytest.mark.parametrize(
    ("test", "code"),
    [
        ("(subscriber_id, cell_id) IN ((4217, 1))", Code.PERSON_KEY),
        ("(cell_id, lat) IN ((1, 2), (3, 4, 5))", Code.FUNC),
        ("(cell_id, lat) IN ((1, 2), 3)", Code.FUNC),
        ("1 IN cell_id", Code.FUNC),
        ("cell_id IN subscriber_id", Code.PERSON_KEY),
    ],
)
def test_in_over_incomparable_values_is_refused(test: str, code: Code, catalog: Catalog) -> None:
    with pytest.raises(Refusal) as refused:
        _condition(test, catalog)
    assert refused.value.code is code
