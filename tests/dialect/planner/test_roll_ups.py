"""Which grouping sets are released and which rolled up: decided by text and catalog, noted, never by the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dialect import read
from dialect.algebra.relations import GroupSets
from dialect.algebra.release_plan import Question
from dialect.catalog.model import Catalog, NormsByKeys
from dialect.notes import Note, NoteCode
from dialect.planner.grouping_set_reuse import MOST_SETS
from dialect.postprocess.noise_propagation import uncertainty

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
def test_each_set_is_released_or_added_up(sql: str, ask: Ask) -> None:
    question = ask(sql)
    assert tuple(len(plan.keys) for plan in question.plans) == (ADDED_UP | RELEASED)[sql]
    assert any(note.code is NoteCode.ROLLED_UP for note in question.notes) == (sql in ADDED_UP)


@pytest.mark.parametrize("sql", ADDED_UP)
def test_what_is_added_up_has_intervals(sql: str, ask: Ask) -> None:
    question = ask(sql)
    numbers = [
        form for form, shown in zip(uncertainty(question), question.columns, strict=True) if shown.name != "cell_id"
    ]
    assert all(form is not None for form in numbers)


def test_a_smaller_norm_of_the_finer_groups_lets_more_of_them_be_added_up(catalog: Catalog) -> None:
    sql = f"SELECT COUNT(*) FROM events GROUP BY ROLLUP (({LONGER}))"
    (key, *_), _ = (plan.keys for plan in read(sql, catalog).plans)
    finer = _with_norm(catalog, NormsByKeys((key.text,), rows=15.0))
    assert len(read(sql, catalog).plans) == 2 and len(read(sql, finer).plans) == 1


def test_a_larger_norm_of_the_finer_groups_lets_totals_be_released(catalog: Catalog) -> None:
    sql = "SELECT SUM(lat) FROM events GROUP BY ROLLUP ((dwell_s > 60))"  # north and south of the equator cancel
    in_all = NormsByKeys((), sums={"lat": 1000.0})
    wider = _with_norm(catalog, in_all, NormsByKeys(("(dwell_s > 60)",), sums={"lat": 1250.0}))
    assert len(read(sql, catalog).plans) == 1 and len(read(sql, wider).plans) == 2


def _with_norm(catalog: Catalog, *usual: NormsByKeys) -> Catalog:
    tables = tuple(
        replace(table, norms=replace(table.norms, by_keys=usual)) if table.name == "events" and table.norms else table
        for table in catalog.tables
    )
    return replace(catalog, tables=tables)


def test_a_note_names_what_is_added_up(ask: Ask) -> None:
    sql = "SELECT cell_id, COUNT(*) FROM events GROUP BY cell_id, ROLLUP ((dwell_s > 60))"
    (note,) = ask(sql).notes
    text = "Groups by cell_id are sums of the released groups by cell_id, (dwell_s > 60): no further release."
    assert note == Note(NoteCode.ROLLED_UP, text)


def test_the_same_question_without_sets_is_the_same_release(ask: Ask) -> None:
    (rolled,) = ask("SELECT COUNT(*) FROM events GROUP BY ROLLUP ((dwell_s > 60))").plans
    (plain,) = ask("SELECT COUNT(*) FROM events GROUP BY dwell_s > 60").plans
    assert rolled.canonical == plain.canonical


def test_more_sets_than_are_looked_at_are_releases(ask: Ask) -> None:
    sets = ", ".join(f"(lat > {i})" for i in range(MOST_SETS))
    assert len(ask(f"SELECT COUNT(*) FROM events GROUP BY GROUPING SETS ({sets}, ())").plans) == MOST_SETS + 1


def test_sets_of_one_clause_are_not_those_of_another() -> None:
    assert GroupSets(()) != GroupSets(())
