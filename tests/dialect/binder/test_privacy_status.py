"""Privacy status of an operator's result: every rule of the algebra, and every pair without one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.algebra.relations import BoundQuery, PerPerson, Public, Released
from dialect.algebra.release_plan import PrivatePlan
from dialect.binder.query import MAX_QUERY_DEPTH
from dialect.errors import Code, Refusal
from dialect.postprocess.question import Question

RELEASE = "(SELECT cell_id, COUNT(*) AS n FROM events GROUP BY cell_id)"
PERSONS = "(SELECT subscriber_id, COUNT(*) AS n FROM events GROUP BY subscriber_id)"

KINDS: list[tuple[type, str]] = [
    (Public, "SELECT 1"),
    (Public, "SELECT * FROM cells"),
    (Public, "SELECT zone FROM cells c JOIN hours h ON h.h = c.cell_id WHERE c.lon > 1"),
    (Public, "SELECT zone, COUNT(*) FROM cells GROUP BY zone ORDER BY 2 LIMIT 1"),
    (Public, "SELECT * FROM (VALUES (1)) t(x)"),
    (PerPerson, "SELECT * FROM events"),
    (PerPerson, "SELECT lat FROM events WHERE lon > 1 ORDER BY lat"),
    (PerPerson, "SELECT dwell_s FROM events JOIN cells USING (cell_id)"),
    (PerPerson, "SELECT e.lat FROM cells c JOIN events e ON c.cell_id = e.cell_id"),
    (PerPerson, "SELECT e.lat FROM events e LEFT JOIN cells c ON c.cell_id > e.cell_id"),
    (PerPerson, "SELECT e.lat FROM cells c LEFT JOIN events e ON c.cell_id = e.cell_id"),
    (Released, "SELECT zone, COUNT(e.lat) FROM cells c LEFT JOIN events e USING (cell_id) WHERE c.lon > 1 GROUP BY 1"),
    (PerPerson, "SELECT e.lat FROM events e CROSS JOIN hours"),
    (PerPerson, "SELECT e.lat FROM events e, hours h WHERE h.h = hour(e.ts)"),
    (PerPerson, "SELECT age FROM events JOIN subscribers USING (subscriber_id)"),
    (PerPerson, "SELECT age FROM events e LEFT JOIN subscribers s ON e.subscriber_id = s.subscriber_id AND s.age > 5"),
    (PerPerson, "SELECT subscriber_id, COUNT(*) FROM events GROUP BY 1 HAVING COUNT(*) > 2"),
    (PerPerson, "SELECT subscriber_id, cell_id, MIN(ts) FROM events GROUP BY ALL"),
    (PerPerson, "SELECT DISTINCT subscriber_id, cell_id FROM events"),
    (PerPerson, f"SELECT n FROM {PERSONS}"),
    (PerPerson, f"SELECT p.n FROM {PERSONS} p JOIN events e ON e.subscriber_id = p.subscriber_id"),
    (Released, "SELECT COUNT(*) FROM events"),
    (Released, "SELECT cell_id FROM events GROUP BY cell_id"),
    (Released, "SELECT DISTINCT home_zone FROM subscribers"),
    (Released, "SELECT COUNT(*) FROM events HAVING COUNT(*) > 5"),
    (Released, f"SELECT * FROM {RELEASE} WHERE n > 5 ORDER BY n LIMIT 3"),
    (Released, f"SELECT cell_id, SUM(n), MAX(n), MEDIAN(n) FROM {RELEASE} GROUP BY 1"),
    (Released, f"SELECT zone, n FROM {RELEASE} r JOIN cells c ON c.cell_id = r.cell_id"),
    (Released, f"SELECT zone, n FROM cells c LEFT JOIN {RELEASE} r ON c.cell_id = r.cell_id"),
    (Released, f"SELECT a.n + b.n FROM {RELEASE} a JOIN {RELEASE} b USING (cell_id)"),
    (Released, f"SELECT AVG(n) FROM {PERSONS}"),
    (PerPerson, "SELECT lat FROM events WHERE dwell_s > (SELECT AVG(lon) FROM cells)"),
    (Released, "SELECT (SELECT COUNT(*) FROM events) / (SELECT COUNT(*) FROM subscribers)"),
    (Released, f"SELECT n FROM {RELEASE} WHERE n > (SELECT AVG(n) FROM {RELEASE})"),
    (PerPerson, "SELECT * FROM events e RIGHT JOIN subscribers s ON s.subscriber_id = e.subscriber_id"),
    (PerPerson, "SELECT * FROM cells c RIGHT JOIN events e ON c.cell_id = e.cell_id"),
    (PerPerson, "SELECT * EXCLUDE (subscriber_id) FROM events"),
    (Public, "SELECT * FROM (cells c JOIN hours h ON h.h = c.cell_id) RIGHT JOIN hours i ON i.h = h.h"),
    (PerPerson, "SELECT lat FROM events UNION ALL SELECT age FROM subscribers"),
    (PerPerson, "SELECT subscriber_id, lat FROM events EXCEPT SELECT subscriber_id, age FROM subscribers ORDER BY 1"),
    (Released, "SELECT COUNT(*) FROM (SELECT lat FROM events UNION ALL SELECT age FROM subscribers)"),
    (Public, "SELECT cell_id FROM cells UNION SELECT h FROM hours"),
    (Public, "SELECT cell_id, lon FROM cells EXCEPT ALL SELECT h, 1 FROM hours ORDER BY 1 LIMIT 3"),
    (Released, f"SELECT cell_id, n FROM {RELEASE} UNION ALL SELECT 0, COUNT(*) FROM events"),
    (Released, f"SELECT cell_id FROM {RELEASE} WHERE n > 5 INTERSECT SELECT cell_id FROM cells"),
    (
        PerPerson,
        "SELECT e.lat FROM events e JOIN (SELECT cell_id FROM cells UNION SELECT h FROM hours) c USING (cell_id)",
    ),
    (Released, f"SELECT COUNT(*) FROM (SELECT COUNT(*) AS n FROM {PERSONS} GROUP BY n)"),
    (PerPerson, "SELECT e.lat FROM events e SEMI JOIN subscribers USING (subscriber_id)"),
    (PerPerson, "SELECT e.lat FROM events e ANTI JOIN cells c ON c.cell_id = e.cell_id"),
    (PerPerson, "SELECT age FROM events e, subscribers s WHERE age > 5 AND (e.subscriber_id = s.subscriber_id)"),
]

REFUSED: list[tuple[Code, str]] = [
    (Code.SAMPLE, "SELECT COUNT(*) FROM (SELECT lat FROM events LIMIT 5)"),
    (Code.SAMPLE, "SELECT COUNT(*) FROM (SELECT lat FROM events ORDER BY lat OFFSET 5)"),
    (Code.SAMPLE, f"SELECT COUNT(*) FROM (SELECT n FROM {PERSONS} ORDER BY n DESC LIMIT 5)"),
    (Code.SAMPLE, "SELECT lat FROM events LIMIT 0"),
    (Code.ROWS, "SELECT COUNT(*) FROM (SELECT DISTINCT cell_id FROM events)"),
    (Code.ROWS, f"SELECT n FROM {PERSONS}"),
    (Code.JOIN, f"SELECT COUNT(*) FROM events e JOIN {RELEASE} r ON r.cell_id = e.cell_id"),
    (Code.JOIN, f"SELECT COUNT(*) FROM {RELEASE} r JOIN events e ON r.cell_id = e.cell_id"),
    (Code.JOIN, f"SELECT COUNT(*) FROM events e CROSS JOIN {RELEASE} r"),
    (Code.JOIN, f"SELECT COUNT(*) FROM {RELEASE} r LEFT JOIN events e ON r.cell_id = e.cell_id"),
    (Code.AGG, "SELECT COUNT(*) FROM cells c LEFT JOIN events e ON e.cell_id = c.cell_id"),
    (Code.AGG, "SELECT AVG(COALESCE(e.dwell_s, 0)) FROM cells c LEFT JOIN events e ON e.cell_id = c.cell_id"),
    (Code.AGG, "SELECT SUM(n) FROM (SELECT COALESCE(dwell_s, 7) AS n FROM cells c LEFT JOIN events e USING (cell_id))"),
    (Code.KEY, "SELECT e.ts, COUNT(e.lat) FROM cells c LEFT JOIN events e ON e.cell_id = c.cell_id GROUP BY 1"),
    (Code.KEY, "SELECT subscriber_id, COUNT(e.lat) FROM cells c LEFT JOIN events e USING (cell_id) GROUP BY 1"),
    (Code.JOIN, "SELECT COUNT(e.lat) FROM cells c LEFT JOIN events e USING (cell_id) WHERE e.lat IS NULL"),
    (
        Code.JOIN,
        "SELECT COUNT(e.lat) FROM cells c LEFT JOIN events e USING (cell_id) JOIN hours h ON h.h = COALESCE(e.cell_id, 1)",
    ),
    (
        Code.JOIN,
        "SELECT COUNT(e.lat) FROM hours LEFT JOIN (SELECT e.* FROM cells LEFT JOIN events e USING (cell_id)) e ON h = hour(e.ts)",
    ),
    (Code.SUBQUERY, "SELECT COUNT(*) FROM events WHERE dwell_s > (SELECT AVG(dwell_s) FROM events)"),
    (Code.SUBQUERY, "SELECT (SELECT age FROM subscribers)"),
    (Code.JOIN, "SELECT COUNT(*) FROM events a SEMI JOIN events b USING (cell_id)"),
    (Code.JOIN, "SELECT COUNT(*) FROM cells ANTI JOIN events USING (cell_id)"),
    (Code.JOIN, "SELECT COUNT(*) FROM events SEMI JOIN cells ON TRUE"),
    (Code.JOIN, "SELECT COUNT(*) FROM events a, events b WHERE a.subscriber_id = b.subscriber_id OR a.lat > 1"),
    (Code.JOIN, "SELECT COUNT(*) FROM events a, events b WHERE NOT (a.subscriber_id = b.subscriber_id)"),
    (Code.JOIN, "SELECT COUNT(*) FROM events a, events b WHERE a.cell_id = b.cell_id"),
    (Code.JOIN, "SELECT COUNT(*) FROM events a, events b WHERE a.subscriber_id = a.subscriber_id"),
    (Code.COLUMN, "SELECT b + 1 AS a, lat AS b FROM cells"),
    (Code.COLUMN, "SELECT lat AS a, lon AS a, a + 1 FROM cells"),
    (Code.COLUMN, "SELECT COUNT(*) AS n FROM cells WHERE n > 5"),
    (Code.SUBQUERY, "SELECT (SELECT cell_id FROM cells)"),
    (Code.SUBQUERY, "SELECT (SELECT 1, 2)"),
    (Code.SUBQUERY, "SELECT SUM((SELECT h FROM hours)) FROM cells"),
    (Code.ROWS, f"SELECT cell_id FROM events UNION ALL SELECT cell_id FROM {RELEASE}"),
    (Code.ROWS, "SELECT cell_id FROM cells EXCEPT SELECT cell_id FROM events"),
    (Code.SUBQUERY, f"SELECT cell_id, n FROM {RELEASE} UNION SELECT cell_id FROM {RELEASE}"),
    (Code.SUBQUERY, f"SELECT n FROM {RELEASE} UNION SELECT zone FROM cells"),
    (Code.JOIN, "SELECT COUNT(*) FROM events e JOIN subscribers s ON s.age = e.cell_id"),
    (Code.AGG, "SELECT subscriber_id, SKEWNESS(lat) FROM events GROUP BY 1"),
    (Code.AGG, "SELECT subscriber_id, ENTROPY(lat) FROM events GROUP BY 1"),
    (Code.AGG, "SELECT MAX(lon) FROM events"),
    (Code.BOUNDS, f"SELECT SUM(n * lon) FROM {PERSONS} JOIN events USING (subscriber_id)"),
]


@pytest.mark.parametrize(("kind", "sql"), KINDS, ids=lambda value: getattr(value, "__name__", value))
def test_each_operator_rule_determines_the_privacy_status(
    kind: type, sql: str, rows_of: Callable[[str], BoundQuery]
) -> None:
    assert type(rows_of(sql).relation) is kind


@pytest.mark.parametrize(("code", "sql"), REFUSED)
def test_an_operator_without_a_rule_is_refused(code: Code, sql: str, refused: Callable[[str], Refusal]) -> None:
    assert refused(sql).code is code


NUMBERED = (
    "SELECT e.subscriber_id, e.cell_id, e.ts, row_number() OVER (PARTITION BY e.subscriber_id{} ORDER BY e.ts) AS n"
    " FROM events e JOIN subscribers s ON s.subscriber_id = e.subscriber_id"
)
ONE_PLACE = {
    **dict.fromkeys(("n = 1", "1 = n", "n <= 1", "n < 2", "2 > n", "1 >= n", "n BETWEEN 1 AND 1", "n = 3", "n < 1.5"), True),
    **dict.fromkeys(("n <= 2", "n > 1", "n <> 1", "n = 1 OR cell_id = 3", "n >= 1", "n < 3", "n IN (1, 2)", "n = cell_id"), False),
}  # fmt: skip
ONE_ROW = {
    "SELECT COUNT(*) FROM subscribers": True,
    "SELECT COUNT(*) FROM events": False,
    f"SELECT COUNT(*) FROM {PERSONS}": True,
    "SELECT COUNT(*) FROM (SELECT subscriber_id, cell_id, COUNT(*) FROM events GROUP BY ALL)": False,
    "SELECT COUNT(*) FROM (SELECT s.subscriber_id, s.age, COUNT(*) FROM events JOIN subscribers s USING (subscriber_id) GROUP BY ALL)": True,
    "SELECT COUNT(*) FROM (SELECT DISTINCT subscriber_id FROM events)": True,
    "SELECT COUNT(*) FROM (SELECT DISTINCT subscriber_id, cell_id FROM events)": False,
    "SELECT COUNT(*) FROM subscribers s JOIN hours h ON h.h = s.age": True,
    "SELECT COUNT(*) FROM subscribers s LEFT JOIN hours h ON h.h = s.age": True,
    "SELECT COUNT(*) FROM subscribers s JOIN hours h ON h.h > s.age": False,
    "SELECT COUNT(*) FROM subscribers s JOIN hours h ON h.h = s.age OR h.h = 3": False,
    "SELECT COUNT(*) FROM subscribers s JOIN hours h ON h.h = s.age / 2": False,
    "SELECT COUNT(*) FROM subscribers s JOIN cells c ON c.cell_id = s.age": False,
    "SELECT COUNT(*) FROM subscribers s JOIN (SELECT h FROM hours) h ON h.h = s.age": True,
    "SELECT COUNT(*) FROM subscribers s JOIN (SELECT h FROM hours WHERE h > 3) h ON h.h = s.age": False,
    "SELECT COUNT(*) FROM subscribers a JOIN subscribers b USING (subscriber_id)": True,
    f"SELECT COUNT(*) FROM subscribers a LEFT JOIN {PERSONS} b USING (subscriber_id)": True,
    "SELECT COUNT(*) FROM subscribers a LEFT JOIN events b USING (subscriber_id)": False,
    **{f"SELECT COUNT(*) FROM ({NUMBERED.format('')}) WHERE {condition}": one for condition, one in ONE_PLACE.items()},
    f"SELECT COUNT(*) FROM ({NUMBERED.format(', cell_id')}) WHERE n = 1": False,
    f"SELECT COUNT(*) FROM ({NUMBERED.format(', gender')}) WHERE n = 1": True,
    f"SELECT COUNT(*) FROM ({NUMBERED.format('').replace('row_number', 'rank')}) WHERE n = 1": False,
    f"SELECT COUNT(*) FROM ({NUMBERED.format('')}) x JOIN events e USING (subscriber_id) WHERE n = 1": False,
    f"SELECT COUNT(*) FROM ({NUMBERED.format('')}) x JOIN hours h ON h.h > x.cell_id WHERE n = 1": False,
    f"SELECT COUNT(*) FROM ({NUMBERED.format('')}) x JOIN subscribers s USING (subscriber_id) WHERE n = 1": True,
    f"SELECT COUNT(*) FROM subscribers s JOIN ({NUMBERED.format('')}) x ON s.subscriber_id = x.subscriber_id AND s.age > 3 WHERE n = 1": True,
    f"SELECT COUNT(*) FROM ({NUMBERED.format('')}) x LEFT JOIN subscribers s USING (subscriber_id) WHERE n = 1": True,
    f"SELECT COUNT(*) FROM subscribers s LEFT JOIN ({NUMBERED.format('')}) x USING (subscriber_id) WHERE n = 1": False,
    f"SELECT COUNT(*) FROM subscribers s FULL JOIN ({NUMBERED.format('')}) x USING (subscriber_id) WHERE n = 1": False,
    f"SELECT COUNT(*) FROM ({NUMBERED.format('')}) x JOIN hours h ON h.h = x.cell_id WHERE n = 1": True,
    f"SELECT COUNT(*) FROM ({NUMBERED.format('')}) x LEFT JOIN hours h ON h.h = x.cell_id AND h.h > 3 WHERE n = 1": True,
    f"SELECT COUNT(*) FROM ({NUMBERED.format('')}) x JOIN cells c ON c.cell_id = x.cell_id WHERE n = 1": False,
    f"SELECT COUNT(*) FROM (SELECT * FROM ({NUMBERED.format('')}) WHERE n = 1) x JOIN subscribers s USING (subscriber_id)": True,
    f"SELECT COUNT(*) FROM ({NUMBERED.format('')} UNION ALL {NUMBERED.format('')}) WHERE n = 1": False,
    f"SELECT COUNT(*) FROM (SELECT *, lag(cell_id) OVER (PARTITION BY subscriber_id ORDER BY n) AS b FROM ({NUMBERED.format('')}) WHERE n > 0) WHERE b > 1 AND n = 1": True,
    "SELECT COUNT(*) FROM (SELECT * FROM events QUALIFY row_number() OVER (PARTITION BY subscriber_id ORDER BY ts) = 1)": True,
    "SELECT COUNT(*) FROM (SELECT subscriber_id, cell_id FROM events GROUP BY ALL"
    " QUALIFY row_number() OVER (PARTITION BY subscriber_id ORDER BY COUNT(*) DESC) = 1)": True,
}
ONE_GROUP = {
    "SELECT COUNT(*) FROM events": True,
    "SELECT gender, COUNT(*) FROM events JOIN subscribers USING (subscriber_id) GROUP BY 1": True,
    "SELECT gender, COUNT(*) FROM events LEFT JOIN subscribers USING (subscriber_id) GROUP BY 1": True,
    "SELECT gender, COUNT(*) FROM events e LEFT JOIN subscribers s ON s.subscriber_id = e.subscriber_id AND s.age > 5 GROUP BY 1": False,
    "SELECT gender, cell_id, COUNT(*) FROM events JOIN subscribers USING (subscriber_id) GROUP BY ALL": False,
    "SELECT gender || 'x', age // 10, COUNT(*) FROM events JOIN subscribers USING (subscriber_id) GROUP BY ALL": True,
    "SELECT h.h, COUNT(*) FROM events JOIN subscribers s USING (subscriber_id) JOIN hours h ON h.h = s.age GROUP BY 1": True,
    "SELECT h.h, COUNT(*) FROM events e JOIN hours h ON h.h = e.cell_id GROUP BY 1": False,
    "SELECT c.zone, COUNT(*) FROM subscribers s JOIN cells c ON c.cell_id = s.age GROUP BY 1": False,
    "SELECT c.cell_id, COUNT(*) FROM subscribers s JOIN cells c ON c.cell_id = s.age GROUP BY 1": True,
    "SELECT h.h, COUNT(*) FROM subscribers s LEFT JOIN hours h ON h.h = s.age GROUP BY 1": True,
    "SELECT h.h, COUNT(*) FROM events e JOIN subscribers s USING (subscriber_id) LEFT JOIN hours h ON h.h = s.age AND e.cell_id > 3 GROUP BY 1": False,
    f"SELECT n, COUNT(*) FROM events JOIN {PERSONS} USING (subscriber_id) GROUP BY 1": True,
    "SELECT s.gender, COUNT(*) FROM events e LEFT JOIN events f ON f.subscriber_id = e.subscriber_id AND f.cell_id = e.cell_id + 1"
    " LEFT JOIN subscribers s ON s.subscriber_id = f.subscriber_id GROUP BY 1": False,
    "SELECT 'all', COUNT(*) FROM events GROUP BY 1": True,
}  # fmt: skip


@pytest.mark.parametrize("sql", ONE_ROW)
def test_one_row_per_person(sql: str, plan_of: Callable[[str], PrivatePlan]) -> None:
    assert plan_of(sql).has_one_row_per_person is ONE_ROW[sql]


@pytest.mark.parametrize("sql", ONE_GROUP)
def test_one_group_per_person(sql: str, plan_of: Callable[[str], PrivatePlan]) -> None:
    assert plan_of(sql).has_one_group_per_person is ONE_GROUP[sql]


def test_a_renamed_person_key_remains_the_person(ask: Callable[[str], Question]) -> None:
    assert ask(
        "WITH a AS (SELECT subscriber_id AS p, lat FROM events), b AS (SELECT q.p AS r, q.lat FROM a AS q)"
        " SELECT COUNT(DISTINCT b.r), COUNT(CASE WHEN b.lat > 1 THEN b.r END) FROM b JOIN subscribers s ON s.subscriber_id = r"
    )


def test_query_nesting_is_limited(ask: Callable[[str], Question], refused: Callable[[str], Refusal]) -> None:
    def chain(length: int) -> str:
        tables = [f"a{i} AS (SELECT * FROM {f'a{i - 1}' if i else 'hours'})" for i in range(length)]
        return f"WITH {', '.join(tables)} SELECT COUNT(*) FROM a{length - 1}"

    assert ask(chain(MAX_QUERY_DEPTH))
    assert refused(chain(MAX_QUERY_DEPTH + 1)).code is Code.COMPLEX
    assert refused(chain(200)).code is Code.COMPLEX
