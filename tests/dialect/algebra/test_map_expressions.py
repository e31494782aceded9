"""map_expressions reaches every expression of the outer query, with the input rows of its operator."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.algebra.expressions import Expr, fields_of
from dialect.algebra.relations import Relation, map_expressions
from dialect.postprocess.question import Question

R = "(SELECT cell_id, COUNT(*) AS n FROM events GROUP BY 1) r"
OUTER = [
    f"SELECT n + 1 AS m FROM {R} WHERE n > 2 ORDER BY n * 3",
    f"SELECT c.zone, SUM(n) FILTER (WHERE n > 2) AS m FROM {R} JOIN cells c ON c.cell_id = r.cell_id GROUP BY 1",
    f"SELECT DISTINCT n - 1 AS m FROM {R} WHERE cell_id IN (SELECT cell_id FROM cells)",
    f"SELECT n + 1 AS m FROM {R} UNION ALL SELECT n + 2 FROM {R}",
    f"SELECT SUM(n) OVER (PARTITION BY cell_id % 2 ORDER BY n + 4) AS m FROM {R}",
]


@pytest.mark.parametrize("sql", OUTER)
def test_map_expressions_passes_each_operator_its_input_rows(sql: str, ask: Callable[[str], Question]) -> None:
    outer, seen = ask(sql).outer, []

    def noted(expr: Expr, rows: tuple[Relation, ...]) -> Expr:
        seen.append(expr)
        assert set(fields_of(expr)) <= {field for each in rows for field in each.fields}
        return expr

    assert map_expressions(outer, noted) == outer
    assert seen


def test_map_expressions_reaches_every_part_of_a_window_function(ask: Callable[[str], Question]) -> None:
    seen: list[Expr] = []
    map_expressions(ask(OUTER[-1]).outer, lambda expr, _: seen.append(expr) or expr)
    read = [{field.name for field in fields_of(expr)} for expr in seen]
    assert read == [{"count_star()"}, {"cell_id"}, {"count_star()"}]  # what is summed, the partition, the order
