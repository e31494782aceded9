"""Rows filtered by comparing intervals with public ones: only noisy numbers reveal whether such a row exists."""

from __future__ import annotations

import operator
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from dialect import compile_query
from dialect.codegen.relations import relation as relation_codegen
from dialect.functions.emitter import write_expr
from engine.backends.exact import NO_OBJECTIONS
from engine.errors import ExecutionFailed
from engine.pricing.compile_release import compile_release
from tests.engine.town import CATALOG, ROWS, backend_over, make_town

TIMED = CATALOG.replace('type = "DATE", range = ["2026-10-01", "2026-10-04"], nullable = false', 'type = "TIMESTAMP"')
VICTIM = "ALTER TABLE visit ALTER day TYPE TIMESTAMP; UPDATE visit SET minutes = 5000 WHERE person_id = 7"
WITHOUT = "DELETE FROM visit WHERE person_id = 7"
SPANS = (timedelta(days=1), timedelta(days=2))
MET = "SELECT 1 FROM (VALUES (INTERVAL '1 day'), (INTERVAL '2 day')) AS t(i) WHERE {}"
ASKED = "SELECT COUNT(*) AS n FROM visit AS v WHERE v.minutes > 1000 AND {} ({})"
APART = "v.day - TIMESTAMP '2026-10-01 00:00:00' {} t.i"
SIGNS: dict[str, Callable[[timedelta, timedelta], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "<>": operator.ne, "=": operator.eq,
    "IS DISTINCT FROM": operator.ne,
}  # fmt: skip
CASES = [(f"{APART.format(sign)}", test) for sign, test in SIGNS.items()]
CASES.append((f"NOT ({APART.format('<')})", operator.ge))
CASES.append((f"{APART.format('<')} AND t.i > INTERVAL '1 hour' AND v.coins >= 0", operator.lt))
CASES.append((f"({APART.format('<')} OR {APART.format('<')})", operator.lt))


def exact(folder: Path, change: str, sql: str) -> tuple[int, int]:
    """Exact number of a query in grains of 1, and how far one person may move it."""
    folder.mkdir()
    catalog = make_town(folder, f"{ROWS}; {change}", TIMED)
    with closing(backend_over(catalog, folder / "cache")) as backend:
        (plan,) = compile_query(sql, catalog).plans
        ready = compile_release(plan, catalog, backend, Fraction(1, 10))
        (bound,) = ready.bounds.vectors
        return int(backend.run(ready.sql, NO_OBJECTIONS).vectors[0][0]), bound.sensitivity


@pytest.mark.parametrize(("condition", "test"), CASES, ids=[each[0] for each in CASES])
@pytest.mark.parametrize("word", ["EXISTS", "NOT EXISTS"])
def test_a_semi_join_on_intervals_finds_one_person_s_match(
    tmp_path: Path, condition: str, test: Callable[[timedelta, timedelta], bool], word: str
) -> None:
    days = [timedelta(days=i % 4) for i in range(1, 3001) if 1 + i % 220 == 7]
    met = [any(test(day, span) for span in SPANS) for day in days]
    sql = ASKED.format(word, MET.format(condition))
    more, sensitivity = exact(tmp_path / "more", VICTIM, sql)
    assert exact(tmp_path / "less", f"{VICTIM}; {WITHOUT}", sql) == (0, sensitivity)
    assert more == sum(met if word == "EXISTS" else [not each for each in met]) <= sensitivity


@pytest.mark.parametrize("sign", ["<", "<>"])
def test_a_planted_comparison_as_it_stands_raises_for_one_person(
    tmp_path: Path, sign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relation_codegen, "_semi_join_condition", lambda condition, _: write_expr(condition))
    sql = ASKED.format("EXISTS", MET.format(APART.format(sign)))
    with pytest.raises(ExecutionFailed):
        exact(tmp_path / "more", VICTIM, sql)
    assert exact(tmp_path / "less", f"{VICTIM}; {WITHOUT}", sql)[0] == 0
