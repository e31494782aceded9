"""Equal rows and groups in one query are one release, whose query vectors are made once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dialect.algebra.relations import ReleasePoint
from dialect.algebra.release_plan import PrivatePlan
from dialect.parser.compile_context import CompileContext
from dialect.planner import compilation, releases
from dialect.postprocess.question import Question

Ask = Callable[[str], Question]

COUNTED = "(SELECT cell_id, COUNT(*) AS n FROM events GROUP BY 1)"
SUMMED = "(SELECT cell_id, COUNT(*) AS n, SUM(dwell_s) AS m FROM events GROUP BY 1)"
BESIDE = "SELECT a.cell_id, a.n, b.n AS again, b.m FROM {} AS a JOIN {} AS b USING (cell_id)"

# each with how many vectors one release of it has
ONE: tuple[tuple[str, int], ...] = (
    (BESIDE.format(COUNTED, SUMMED), 2),
    ("SELECT (SELECT COUNT(*) FROM events) AS n, (SELECT AVG(dwell_s) FROM events) AS m, (SELECT COUNT(*) FROM events) AS o", 3),
    ("WITH v AS (SELECT dwell_s + 1 AS x, * FROM events WHERE lat > 1) SELECT * FROM (SELECT SUM(x) FROM v) CROSS JOIN (SELECT COUNT(*), SUM(x) FROM v)", 2),
    ("SELECT * FROM (SELECT SUM(dwell_s + 1) FROM events) CROSS JOIN (SELECT SUM(x), COUNT(*) FROM (SELECT dwell_s + 1 AS x FROM events))", 2),
    ("SELECT * FROM (SELECT COUNT(*) FROM events WHERE lat > 1 AND lon > 2) CROSS JOIN (SELECT SUM(dwell_s) FROM events e WHERE 2 < e.lon AND e.lat > 1)", 2),
    ("SELECT * FROM (SELECT age, COUNT(*) FROM subscribers GROUP BY 1) AS a JOIN (SELECT age, AVG(age) FROM subscribers GROUP BY 1) AS b USING (age)", 4),
    ("SELECT * FROM (SELECT age, COUNT(*) FROM subscribers GROUP BY 1) AS a JOIN (SELECT age FROM subscribers GROUP BY 1) AS b USING (age)", 2),
    ("SELECT * FROM (SELECT COUNT(*) FROM events) CROSS JOIN (SELECT COUNT(*) FILTER (WHERE lat > 1) FROM events)", 2),
)  # fmt: skip

TWO = (
    "SELECT * FROM (SELECT COUNT(*) FROM events) CROSS JOIN (SELECT COUNT(*) FROM events WHERE lat > 1)",
    "SELECT * FROM (SELECT COUNT(*) FROM events) CROSS JOIN (SELECT COUNT(*) FROM events e JOIN cells USING (cell_id))",
    "SELECT * FROM (SELECT COUNT(*) FROM events) CROSS JOIN (SELECT cell_id, COUNT(*) FROM events GROUP BY 1)",
    "SELECT * FROM (SELECT COUNT(*) FROM events) CROSS JOIN (SELECT COUNT(*) FROM subscribers)",
    "SELECT * FROM (SELECT COUNT(*) FROM events) CROSS JOIN (SELECT MEDIAN(dwell_s) FROM events)",
    "SELECT * FROM (SELECT cell_id, COUNT(*) FROM events GROUP BY 1) AS a JOIN (SELECT cell_id FROM events GROUP BY 1) AS b USING (cell_id)",
)  # fmt: skip


@pytest.mark.parametrize(("sql", "vectors"), ONE)
def test_the_same_rows_and_groups_are_one_release(sql: str, vectors: int, ask: Ask) -> None:
    (plan,) = ask(sql).plans
    assert len(plan.vectors) == len(set(plan.vector_texts)) == vectors


@pytest.mark.parametrize("sql", TWO)
def test_other_rows_or_groups_are_another_release(sql: str, ask: Ask) -> None:
    assert len(ask(sql).plans) == 2


@pytest.mark.parametrize("changed", ["canonical_groups", "vector_texts"])
def test_a_merge_that_changes_rows_groups_or_vectors_is_dropped(
    changed: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: merged aggregates, and they alone, are planned over other rows, or as other vectors."""
    plan_point = releases._plan_point

    def other_when_merged(boundary: ReleasePoint, context: CompileContext) -> Any:
        made = plan_point(boundary, context)
        if len(boundary.aggregates) < 2:
            return made
        other = made.plan.canonical_groups + " " if changed == "canonical_groups" else ("other",) * 2
        return replace(made, plan=replace(made.plan, **{changed: other}))

    shared: list[PrivatePlan] = []

    def recorded(*given: Any) -> Any:
        made = releases.shared_plans(*given)
        shared.extend(made.values())
        return made

    monkeypatch.setattr(releases, "_plan_point", other_when_merged)
    monkeypatch.setattr(compilation, "shared_plans", recorded)
    ask("SELECT * FROM (SELECT COUNT(*) FROM events) CROSS JOIN (SELECT SUM(dwell_s) FROM events)")
    assert [len(plan.vectors) for plan in shared] == [1]


def test_a_count_in_two_places_is_one_number(ask: Ask) -> None:
    question = ask(BESIDE.format(COUNTED, SUMMED))
    _, one, again, total = (shown.form for shown in question.columns)
    assert one is not None and again is not None and total is not None
    origins = [form.numerator.terms[0][0].origin for form in (one, again, total)]
    assert origins[0] == origins[1] != origins[2]
    for release in question.releases:
        assert len(release.raw_fields) == len(question.plans[release.plan_index].vectors)


def test_a_shared_release_has_the_canonical_text_of_the_combined_query(
    ask: Ask, plan_of: Callable[[str], PrivatePlan]
) -> None:
    first = ask(BESIDE.format(COUNTED, SUMMED)).plans[0].canonical_text
    swapped = ask(f"SELECT * FROM {SUMMED} AS a JOIN {COUNTED} AS b USING (cell_id)").plans[0].canonical_text
    at_once = plan_of("SELECT cell_id, SUM(dwell_s), COUNT(*) FROM events GROUP BY 1").canonical_text
    assert first == swapped == at_once
