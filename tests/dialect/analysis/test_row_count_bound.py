"""The row-count bound of one person: valid for real joins, and plans beyond the limit are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import engine
from dialect import Question, Target, compile_query
from dialect.algebra.expressions import Field
from dialect.algebra.properties import Properties
from dialect.algebra.relations import BoundQuery, PerPerson, Public
from dialect.analysis import person_rows, uniqueness
from dialect.analysis.person_rows import row_bounds
from dialect.catalog.model import Catalog
from dialect.catalog.privacy_windows import PrivacyWindow
from dialect.codegen.relations.relation import write_rows
from dialect.planner import window_charging
from tests.support.greybox.greybox import connect
from tests.support.neighbours.attack_catalog import attack_catalog
from tests.support.neighbours.window_worlds import VICTIM, WINDOW_COUNT, Data, Row, Worlds

CELLS, SAME_ZONE, R = 40, 10, 200

BOUNDS = {
    "SELECT COUNT(*) FROM events": R,
    "SELECT COUNT(*) FROM subscribers": 1,
    "SELECT COUNT(*) FROM events e JOIN cells c USING (cell_id)": R
    * SAME_ZONE,  # duplicates in a column that is no key
    "SELECT COUNT(*) FROM events e JOIN cells c ON c.lat > e.lat": R * CELLS,
    "SELECT COUNT(*) FROM subscribers s JOIN cells c ON c.lat > s.age JOIN cells d ON d.lat > s.age": CELLS**2,
    "SELECT COUNT(*) FROM events JOIN subscribers USING (subscriber_id)": R,
    "SELECT COUNT(*) FROM events a JOIN events b USING (subscriber_id)": R**2,
    "SELECT COUNT(*) FROM events WHERE subscriber_id IN (SELECT subscriber_id FROM events WHERE lat > 1)": R,
    "SELECT COUNT(*) FROM events e WHERE EXISTS (FROM events f WHERE f.subscriber_id = e.subscriber_id AND f.ts > e.ts)": R
    ** 2,
    "SELECT COUNT(*) FROM events e WHERE EXISTS (FROM cells c WHERE c.lat > e.lat)": R * CELLS,
    "SELECT COUNT(*) FROM (SELECT lat FROM events UNION ALL SELECT age FROM subscribers) WHERE lat > 1": R + 1,
    "SELECT COUNT(*) FROM (SELECT subscriber_id, lat FROM events EXCEPT SELECT subscriber_id, lat FROM events)": 2 * R,
    "SELECT COUNT(*) FROM (SELECT subscriber_id, COUNT(*) n FROM events GROUP BY 1) a"
    " JOIN (SELECT subscriber_id, MAX(lat) m FROM events GROUP BY 1) b USING (subscriber_id)": R,
}


def fan(public: Public, equal: tuple[Field, ...]) -> int:
    return SAME_ZONE if equal else CELLS


@pytest.mark.parametrize("sql", BOUNDS)
def test_rows_grow_by_declared_numbers_and_public_counts(sql: str, tmp_path: Path) -> None:
    (plan,) = compile_query(sql, attack_catalog(tmp_path)).plans
    assert Properties(fan).of(row_bounds, plan.source).peak == BOUNDS[sql]


def test_a_plan_that_could_run_for_ever_is_refused_before_the_ledger(tmp_path: Path) -> None:
    attack_catalog(tmp_path)
    many = " ".join(f"JOIN cells c{i} ON c{i}.lat + s.age > 0" for i in range(10))
    sql = f"SELECT COUNT(*) FROM subscribers s JOIN events e USING (subscriber_id) {many} WHERE s.age > 100"
    with engine.open_session(str(tmp_path / "D" / "attack.toml"), ledger=str(tmp_path / "ledger")) as session:
        with pytest.raises(engine.Refused) as caught:
            session.query(sql, client="ann")
        assert caught.value.problem["code"] == "E_COMPLEX"
        assert not session.ledger()


RECKONED = {
    "FROM subscribers": 1,
    "FROM subscribers JOIN (VALUES (1), (2), (3)) v(x) ON x > age": 3,
    "FROM subscribers JOIN hours ON h > age": 100,
    "FROM subscribers LEFT JOIN hours ON h > age": 100,
    "FROM hours LEFT JOIN subscribers ON h > age": 100,
    "FROM events JOIN hours ON h = cell_id": R,
    "FROM events JOIN cells USING (cell_id)": 10_000,
    "FROM events JOIN cells ON cells.lat > events.lat": 10_000,
}


@pytest.mark.parametrize("source", RECKONED)
def test_the_row_bound_covers_a_person_s_rows_after_a_public_join(
    source: str, rows_of: Callable[[str], BoundQuery]
) -> None:
    relation = rows_of(f"SELECT {'age' if 'subscribers' in source else 'dwell_s'} {source}").relation
    assert isinstance(relation, PerPerson)
    assert relation.max_rows == RECKONED[source]


def test_a_count_after_a_public_join_is_not_capped_at_the_rows_of_the_table(
    ask: Callable[[str], Question],
) -> None:
    counted = "SELECT subscriber_id, COUNT(*) AS n FROM subscribers CROSS JOIN hours GROUP BY 1"
    (vector,) = ask(f"SELECT SUM(n) FROM ({counted})").plans[0].vectors
    assert vector.upper == 100


FULL = Data(
    tuple(Row(VICTIM, window, 600 + n, place=1 + n % 3) for window in range(WINDOW_COUNT) for n in range(4))
)  # R = 4
MET = "v.person_id = s.person_id"
# rows of a person who has R in each of four windows: as many are reckoned with, and are really there
SPREAD = {
    "visit v": 4 * WINDOW_COUNT,
    "visit v WHERE v.day < '2026-02-01'": 4,
    f"visit v JOIN seen s ON {MET} AND CAST(s.ts AS DATE) = v.day": 4 * 4 * WINDOW_COUNT,
    f"visit v JOIN seen s ON {MET}": (4 * WINDOW_COUNT) ** 2,
    f"visit v JOIN (SELECT * FROM seen WHERE ts < '2026-02-01') s ON {MET}": 4 * WINDOW_COUNT * 4,
    f"(SELECT v.person_id, v.day FROM visit v JOIN seen s ON {MET}) v WHERE v.day < '2026-02-01'": 4 * 4 * WINDOW_COUNT,
    "(SELECT *, lag(place) OVER (PARTITION BY person_id ORDER BY began) AS n FROM visit) v": 4 * WINDOW_COUNT,
    "(SELECT *, lag(place) OVER (PARTITION BY person_id, day ORDER BY began) AS n FROM visit) v": 4 * WINDOW_COUNT,
    "(SELECT person_id, day FROM visit UNION ALL SELECT person_id, CAST(ts AS DATE) FROM seen) v": 2 * 4 * WINDOW_COUNT,
    "person v": 1,
}


@pytest.fixture(scope="module")
def full() -> Iterator[Worlds]:
    with connect() as opened:
        yield Worlds(opened, PrivacyWindow.MONTH, FULL)


def _rows_there(full: Worlds, sql: str) -> tuple[int, int]:
    """A person's rows below the release point, counted and as bounded."""
    (plan,) = compile_query(sql, full.catalog).plans
    target = Target({table.name: f"everybody.{table.name}" for table in full.catalog.tables})
    rows = write_rows(plan.source, (plan.source.person,), target)
    counted = full._connection.execute(f"SELECT count(*) FROM ({rows}) WHERE {plan.source.person.id} = {VICTIM}")
    ((there,),) = counted.fetchall()
    return there, Properties(fan).of(row_bounds, plan.source).peak


@pytest.mark.parametrize("rows", SPREAD)
def test_the_row_bound_covers_a_person_s_rows_of_every_window(full: Worlds, rows: str) -> None:
    there, reckoned = _rows_there(full, f"SELECT COUNT(*) FROM {rows}")
    assert reckoned == SPREAD[rows]
    assert there == reckoned


def test_the_row_bound_covers_rows_with_an_indirect_person_key(full: Worlds) -> None:
    assert _rows_there(full, "SELECT COUNT(*) FROM leg")[1] == 4 * WINDOW_COUNT


SIGHTED = f"(SELECT v.person_id, v.visit_id FROM visit v JOIN seen s ON {MET} AND CAST(s.ts AS DATE) = v.day) v"
# rows behind a foreign key on the way to the person: each meets one row, unless a join has repeated that row
ALONG_PATHS = {
    "leg l JOIN visit v USING (visit_id)": 4 * WINDOW_COUNT,
    "visit v JOIN leg l ON v.visit_id = l.visit_id": 4 * WINDOW_COUNT,
    "leg l LEFT JOIN visit v USING (visit_id)": 4 * WINDOW_COUNT,
    "visit v LEFT JOIN leg l USING (visit_id)": 2 * 4 * WINDOW_COUNT,
    "point p JOIN visit v USING (person_id, visit_id)": 4 * WINDOW_COUNT,
    "leg l JOIN (SELECT * FROM visit JOIN place USING (place) WHERE day > '2026-01-01') v USING (visit_id)": 4
    * WINDOW_COUNT,
    "visit v WHERE EXISTS (FROM leg l WHERE l.visit_id = v.visit_id)": 4 * WINDOW_COUNT,
    f"leg l JOIN {SIGHTED} USING (visit_id)": 4 * WINDOW_COUNT * 16,
}


@pytest.mark.parametrize("rows", ALONG_PATHS)
def test_a_row_with_a_foreign_key_meets_the_row_it_refers_to(full: Worlds, rows: str) -> None:
    there, reckoned = _rows_there(full, f"SELECT COUNT(*) FROM {rows}")
    assert reckoned == ALONG_PATHS[rows]
    assert 0 < there <= reckoned


def test_a_repeated_row_that_is_taken_for_one_is_found(full: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: a join has repeated the rows that foreign keys refer to."""
    sql = f"SELECT COUNT(*) FROM leg l JOIN {SIGHTED} USING (visit_id)"
    (plan,) = compile_query(sql, full.catalog).plans
    there, _ = _rows_there(full, sql)
    assert there <= Properties(fan).of(row_bounds, plan.source).total
    monkeypatch.setattr(uniqueness, "_repeats_no_row", lambda *_: True)
    assert there > Properties(fan).of(row_bounds, plan.source).total


UNMATCHED = f"visit v LEFT JOIN seen s ON {MET} AND CAST(s.ts AS DATE) = v.day AND s.ts < '2026-02-01'"


def test_the_row_bound_covers_left_rows_of_windows_that_the_right_side_does_not_read(full: Worlds) -> None:
    there, reckoned = _rows_there(full, f"SELECT COUNT(*) FROM {UNMATCHED}")
    assert (there, reckoned) == (4 * 4 + 4 * (WINDOW_COUNT - 1), 4 * 4 + 4 * WINDOW_COUNT)


def test_left_rows_that_are_not_bounded_are_found(full: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(person_rows, "_unmatched_rows", lambda *_: 0)
    there, reckoned = _rows_there(full, f"SELECT COUNT(*) FROM {UNMATCHED}")
    assert there > reckoned


def test_the_row_bound_of_one_window_is_not_used_for_all(full: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: scans do not say how many windows they read."""
    monkeypatch.setattr(
        window_charging,
        "replace",
        lambda made, **put: replace(made, **{**put, "window_count": 1} if "window_count" in put else put),
    )
    there, reckoned = _rows_there(full, "SELECT COUNT(*) FROM visit")
    assert there > reckoned


def _with_visits_of_class(full: Worlds, size_class: str) -> Catalog:
    tables = (replace(t, size_class=size_class) if t.name == "visit" else t for t in full.catalog.tables)
    return replace(full.catalog, tables=tuple(tables))


def test_a_person_has_no_more_rows_than_ten_times_the_size_class(full: Worlds) -> None:
    for size_class, bound in (("1e0", 10), ("1e1", 4 * WINDOW_COUNT)):
        (plan,) = compile_query("SELECT COUNT(*) FROM visit", _with_visits_of_class(full, size_class)).plans
        assert Properties(fan).of(row_bounds, plan.source).peak == bound


def test_a_size_class_that_is_taken_for_the_largest_size_is_found(
    full: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, _ = _rows_there(full, "SELECT COUNT(*) FROM visit")
    monkeypatch.setattr(person_rows, "_ROWS_OF_CLASS", 1)
    (plan,) = compile_query("SELECT COUNT(*) FROM visit", _with_visits_of_class(full, "1e1")).plans
    assert there > Properties(fan).of(row_bounds, plan.source).peak


def test_counts_over_windows_that_count_together_are_not_clamped_to_those_of_one(full: Worlds) -> None:
    counted = "SELECT SUM(n) FROM (SELECT person_id, count(*) AS n FROM visit{} GROUP BY 1)"
    ((together,), (one,)) = (
        compile_query(counted.format(where), full.catalog).plans[0].vectors
        for where in ("", " WHERE day < '2026-02-01'")
    )
    assert (together.upper, one.upper) == (4 * WINDOW_COUNT, 4)
    numbered = "SELECT SUM(n) FROM (SELECT row_number() OVER (PARTITION BY person_id{} ORDER BY began) AS n FROM visit)"
    ((together,), (one,)) = (compile_query(numbered.format(by), full.catalog).plans[0].vectors for by in ("", ", day"))
    assert (together.upper, one.upper) == (4 * WINDOW_COUNT, 4)
