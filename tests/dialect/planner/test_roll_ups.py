"""Which grouping sets are released and which rolled up: decided by text and catalog, noted, never by the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dialect import compile_query
from dialect.algebra.relations import GroupingSets
from dialect.catalog.model import Catalog, ClipBoundsByKeys
from dialect.notes import Note, NoteCode
from dialect.planner.grouping_set_reuse import MAX_GROUPING_SETS
from dialect.postprocess.question import Question

Ask = Callable[[str], Question]
OF_PEOPLE = "events JOIN subscribers USING (subscriber_id)"
STAY = "CASE WHEN dwell_s < 9 THEN 0 WHEN dwell_s < 60 THEN 1 WHEN dwell_s < 99 THEN 2 ELSE 3 END"
LONGER = STAY.replace(" ELSE 3", " WHEN dwell_s < 999 THEN 3 ELSE 4")

# question -> how many keys each release has
ADDED_UP: dict[str, tuple[int, ...]] = {
    "SELECT COUNT(*) FROM events GROUP BY ROLLUP ((dwell_s > 60))": (1,),
    "SELECT COUNT(dwell_s), SUM(dwell_s), COUNT(*) FILTER (WHERE lat > 1), COUNT_IF(lat > 1) FROM events GROUP BY ROLLUP ((dwell_s > 60))": (
        1,
    ),
    "SELECT cell_id, COUNT(*) FROM events GROUP BY cell_id, ROLLUP ((dwell_s > 60))": (2,),
    "SELECT COUNT(*) FROM events GROUP BY CUBE ((dwell_s > 60), (lat > 0))": (2,),
    f"SELECT COUNT(*) FROM {OF_PEOPLE} WHERE gender IN ('f', 'm') GROUP BY ROLLUP (gender)": (1,),
    f"SELECT COUNT(*) FROM {OF_PEOPLE} WHERE gender = 'f' GROUP BY ROLLUP (gender)": (1,),
    "SELECT COUNT(*) FROM events WHERE hour(ts) BETWEEN 7 AND 9 GROUP BY ROLLUP (hour(ts))": (1,),
    "SELECT COUNT(*) FROM events GROUP BY GROUPING SETS (((dwell_s > 60)), (), ())": (1,),
}
RELEASED: dict[str, tuple[int, ...]] = {
    "SELECT COUNT(*) FROM events GROUP BY GROUPING SETS (((dwell_s > 60), (lat > 0)), ())": (2, 0),
    f"SELECT COUNT(*) FROM events GROUP BY ROLLUP (({STAY}))": (1, 0),  # four cells, two releases: none is better
    f"SELECT COUNT(*) FROM events GROUP BY ROLLUP (({LONGER}))": (1, 0),
    "SELECT COUNT(*) FROM events GROUP BY ROLLUP (hour(ts))": (1, 0),
    f"SELECT COUNT(*) FROM {OF_PEOPLE} GROUP BY ROLLUP (gender)": (1, 0),  # a declared list: others may be stored
    "SELECT COUNT(*) FROM events GROUP BY ROLLUP (cell_id)": (1, 0),
    f"SELECT COUNT(*) FROM {OF_PEOPLE} WHERE gender IN ('f', 'm') AND gender > 'z' GROUP BY ROLLUP (gender)": (1, 0),
    "SELECT COUNT(*) FROM events WHERE hour(ts) IN (NULL) GROUP BY ROLLUP (hour(ts))": (1, 0),
    "SELECT COUNT(DISTINCT subscriber_id) FROM events GROUP BY ROLLUP ((dwell_s > 60))": (1, 0),
    "SELECT COUNT(*), COUNT(DISTINCT subscriber_id) FROM events GROUP BY ROLLUP ((dwell_s > 60))": (1, 0),
    "SELECT COUNT(DISTINCT cell_id) FROM events GROUP BY ROLLUP ((dwell_s > 60))": (1, 0),
    "SELECT AVG(dwell_s) FROM events GROUP BY ROLLUP ((dwell_s > 60))": (1, 0),
    "SELECT VARIANCE(dwell_s) FROM events GROUP BY ROLLUP ((dwell_s > 60))": (1, 0),
    "SELECT COUNT(*), MEDIAN(dwell_s) FROM events GROUP BY ROLLUP ((lat > 0))": (1, 2, 0, 1),
    "SELECT SUM(dwell_s, contribution_bounds_per_group => (0, 60)) FROM events GROUP BY ROLLUP ((dwell_s > 60))": (1, 0),
    "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS (max_groups_contributed = 1) COUNT(*) FROM events GROUP BY ROLLUP ((dwell_s > 60))": (1, 0),
    "SELECT COUNT(e.ts) FROM cells c LEFT JOIN events e USING (cell_id) GROUP BY ROLLUP ((c.zone = 'C1'))": (1, 0),
}  # fmt: skip


@pytest.mark.parametrize("sql", [*ADDED_UP, *RELEASED])
def test_each_grouping_set_is_released_or_rolled_up(sql: str, ask: Ask) -> None:
    question = ask(sql)
    assert tuple(len(plan.keys) for plan in question.plans) == (ADDED_UP | RELEASED)[sql]
    assert any(note.code is NoteCode.ROLLED_UP for note in question.notes) == (sql in ADDED_UP)


@pytest.mark.parametrize("sql", ADDED_UP)
def test_rolled_up_totals_have_intervals(sql: str, ask: Ask) -> None:
    question = ask(sql)
    assert all(shown.form is not None for shown in question.columns if shown.name != "cell_id")


def test_a_smaller_clip_bound_of_the_finest_set_allows_more_roll_ups(catalog: Catalog) -> None:
    sql = f"SELECT COUNT(*) FROM events GROUP BY ROLLUP (({LONGER}))"
    (key, *_), _ = (plan.keys for plan in compile_query(sql, catalog).plans)
    finer = _with_clip_bound(catalog, ClipBoundsByKeys((key.canonical_text,), rows=15.0))
    assert len(compile_query(sql, catalog).plans) == 2 and len(compile_query(sql, finer).plans) == 1


def test_a_larger_clip_bound_of_the_finest_set_makes_totals_releases(catalog: Catalog) -> None:
    sql = "SELECT SUM(lat) FROM events GROUP BY ROLLUP ((dwell_s > 60))"  # north and south of the equator cancel
    in_all = ClipBoundsByKeys((), sums={"lat": 1000.0})
    wider = _with_clip_bound(catalog, in_all, ClipBoundsByKeys(("(dwell_s > 60)",), sums={"lat": 1250.0}))
    assert len(compile_query(sql, catalog).plans) == 1 and len(compile_query(sql, wider).plans) == 2


def _with_clip_bound(catalog: Catalog, *usual: ClipBoundsByKeys) -> Catalog:
    tables = tuple(
        replace(table, clip_bounds=replace(table.clip_bounds, by_keys=usual))
        if table.name == "events" and table.clip_bounds
        else table
        for table in catalog.tables
    )
    return replace(catalog, tables=tables)


def test_a_note_names_rolled_up_sets(ask: Ask) -> None:
    sql = "SELECT cell_id, COUNT(*) FROM events GROUP BY cell_id, ROLLUP ((dwell_s > 60))"
    (note,) = ask(sql).notes
    text = "Groups by cell_id are sums of the released groups by cell_id, (dwell_s > 60): no further release."
    assert note == Note(NoteCode.ROLLED_UP, text)


def test_the_same_question_without_sets_is_the_same_release(ask: Ask) -> None:
    (rolled,) = ask("SELECT COUNT(*) FROM events GROUP BY ROLLUP ((dwell_s > 60))").plans
    (plain,) = ask("SELECT COUNT(*) FROM events GROUP BY dwell_s > 60").plans
    assert rolled.canonical_text == plain.canonical_text


def test_sets_beyond_the_search_limit_are_released(ask: Ask) -> None:
    sets = ", ".join(f"(lat > {i})" for i in range(MAX_GROUPING_SETS))
    assert len(ask(f"SELECT COUNT(*) FROM events GROUP BY GROUPING SETS ({sets}, ())").plans) == MAX_GROUPING_SETS + 1


def test_sets_of_one_clause_are_not_those_of_another() -> None:
    assert GroupingSets(()) != GroupingSets(())
