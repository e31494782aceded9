"""Quotients that are averages, read as AVG: which are, what their columns are called, and what stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from sqlglot import exp

from dialect.parser.compile_context import CompileContext
from dialect.parser.parser import parse
from dialect.parser.written_averages import read_written_averages
from dialect.planner.compilation import Compilation, parse_text
from tests.engine.complete_town import anew, ask, held_town
from tests.engine.town import ROWS

SHARE = "AVG(CASE WHEN a > 1 THEN 1 ELSE 0 END)"
AVERAGES = {
    "count(*) FILTER (WHERE a > 1) / count(*)": SHARE,
    "count_if(a > 1) / nullif(count(*), 0)": SHARE,
    "100.0 * count_if(a > 1) / count(*)": f"100.0 * {SHARE}",
    "(count_if(a > 1) * 100) / count(*)": f"({SHARE} * 100)",
    "count_if(a > 1) / count(*) * 100": f"{SHARE} * 100",
    "CAST(count_if(a > 1) AS DOUBLE) / count(*)": f"CAST({SHARE} AS DOUBLE)",
    "round(100 * sum(CASE WHEN a > 1 THEN 1 ELSE 0 END) / count(*), 1)": f"ROUND(100 * {SHARE}, 1)",
    "sum(if(a > 1, 1, 0)) / count(*)": SHARE,
    "sum(a) / count(a)": "AVG(a)",
    "sum(a) / count(*)": "AVG(a)",  # with 0 for rows without a value, in the binder
    "sum(CASE WHEN a > 1 THEN 1 END) / count(*)": "AVG(CASE WHEN a > 1 THEN 1 END)",
    "count(a) / count(*)": "AVG(CASE WHEN NOT a IS NULL THEN 1 ELSE 0 END)",
    "count_if(a > 1) / count(*) AS s, count(*) AS n": f"{SHARE} AS s, COUNT(*) AS n",
}
MISSING = "COUNT(*) FILTER(WHERE a IS NULL)"
DIFFERENCES = {
    "count(*) - count(a)": MISSING,
    "count(*) - count_if(a > 1)": "COUNT(*) FILTER(WHERE NOT (a > 1) IS TRUE)",
    "count(*) - count(*) FILTER (WHERE a > 1)": "COUNT(*) FILTER(WHERE NOT (a > 1) IS TRUE)",
    "count(*) AS n, count(*) - count(a)": f"COUNT(*) AS n, {MISSING}",
    "(count(*) - count(a)) / count(*)": "(AVG(CASE WHEN a IS NULL THEN 1 ELSE 0 END))",
    "sum(a) / count(a) AS m, count(*) - count(a)": f"AVG(a) AS m, {MISSING}",
    "greatest(count(*) - count(a), 5)": f"GREATEST({MISSING}, 5)",
}
OTHER_DIFFERENCES = (
    "count(*) - count(a), count(a)",
    "count(a) - count(*)",
    "count(a) - count(b)",
    "count(*) - count(DISTINCT a)",
    "count(*) - sum(a)",
    "count(*) FILTER (WHERE a > 1) - count(b)",
    "count(*) - count(a) FILTER (WHERE b > 1)",
    "count(*) OVER () - count(a)",
)
OTHERS = (
    "count_if(a > 1) / count(*), count_if(a > 1)",
    "count_if(a > 1) // count(*)",
    "count_if(a > 1) / count(DISTINCT b)",
    "count(DISTINCT a) / count(*)",
    "sum(DISTINCT a) / count(a)",
    "count(*) FILTER (WHERE a > 1) / count(*) FILTER (WHERE a > 0)",
    "sum(a) FILTER (WHERE b > 1) / count(a)",
    "count_if(a > 1) / count(*) OVER ()",
)


def read(items: str, rest: str = "") -> str:
    tree = parse(f"SELECT {items} FROM t{rest}")
    read_written_averages(tree)
    return tree.sql("duckdb").removeprefix("SELECT ")


@pytest.mark.parametrize("written", AVERAGES)
def test_a_quotient_that_is_an_average_is_read_as_one(written: str) -> None:
    items = written if " AS s" in written else f"{written} AS s"
    meant = AVERAGES[written] if " AS s" in written else f"{AVERAGES[written]} AS s"
    assert read(items) == f"{meant} FROM t"


@pytest.mark.parametrize("written", DIFFERENCES)
def test_a_difference_that_is_a_count_is_read_as_one(written: str) -> None:
    assert read(f"{written} AS s") == f"{DIFFERENCES[written]} AS s FROM t"


@pytest.mark.parametrize("written", OTHER_DIFFERENCES)
def test_other_differences_stay(written: str) -> None:
    assert read(written) == parse(f"SELECT {written} FROM t").sql("duckdb").removeprefix("SELECT ")


@pytest.mark.parametrize("written", OTHERS)
def test_other_quotients_stay(written: str) -> None:
    tree = parse(f"SELECT {written} FROM t")
    as_written = tree.sql("duckdb")
    read_written_averages(tree)
    assert tree.sql("duckdb") == as_written


def test_conditions_and_subqueries_are_read_and_grouping_sets_are_not() -> None:
    quotient = "count_if(a > 1) / count(*)"
    assert read("b", f" GROUP BY b HAVING {quotient} > 0.5").endswith(f"HAVING {SHARE} > 0.5")
    assert SHARE in read("x", f", (SELECT {quotient} AS x FROM u)")
    assert SHARE not in read(f"b, {quotient}", " GROUP BY ROLLUP (b)")
    assert "AVG" not in read("x", ", (SELECT p, sum(a) / count(*) AS x FROM u GROUP BY p)")  # NULL without a value


def test_a_column_keeps_its_name() -> None:
    assert read("100 * COUNT_IF(a > 1) / COUNT(*)") == f'100 * {SHARE} AS "100 * count_if(a > 1) / count(*)" FROM t'


@pytest.mark.parametrize(("bounds", "is_read"), [("", True), (", contribution_bounds_per_group => (0, 100)", False)])
def test_bounds_of_a_call_keep_a_quotient(bounds: str, is_read: bool) -> None:
    """They belong to calls by their places in the text."""
    context = CompileContext(cast("Any", None), f"SELECT SUM(a{bounds}) / COUNT(a) AS m FROM t")
    tree = parse_text(Compilation(context)).tree
    assert tree is not None
    assert (tree.find(exp.Avg) is not None) == is_read


NO_NUMBERS = "UPDATE visit SET minutes = CASE visit_id % 4 WHEN 0 THEN 'nan' WHEN 1 THEN '-inf' ELSE minutes::VARCHAR END::DOUBLE;"


@pytest.mark.parametrize("part", ["SUM(minutes)", "COUNT(minutes)"])
def test_a_quotient_is_that_of_its_parts_where_values_are_not_finite(part: str, tmp_path: Path) -> None:
    found = dict[str, float]()
    with held_town(tmp_path, rows=ROWS + NO_NUMBERS) as town:
        for items in (f"{part} / COUNT(*)", part, "COUNT(*)"):
            engine = anew(town, exact=True)
            answered = ask(engine, f"SELECT {items} AS a FROM visit", "9")
            found[items] = answered.answer.table.column("a")[0].as_py()
            engine.ledger.close()
    whole, of, to = found.values()
    assert of > 0 and whole == pytest.approx(of / to, rel=1e-6)
