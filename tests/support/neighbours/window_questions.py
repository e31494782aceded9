"""Hypothesis strategies of queries over privacy windows, and of databases whose persons are in several windows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hypothesis import strategies as st

from dialect.catalog.privacy_windows import PrivacyWindow
from tests.support.neighbours.window_worlds import VICTIM, WINDOW_COUNT, Data, Row, begins


@dataclass(frozen=True)
class Source:
    """FROM clause with alias v, and the keys, values and conditions available over it."""

    rows: str
    keys: tuple[str, ...] = ("v.place",)
    values: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ("v.place > 1",)
    parts: tuple[str, ...] = field(default=("v.person_id",))  # arguments of COUNT(DISTINCT ...)


VISIT = (
    ("v.place", "v.day", "v.tag", "date_trunc('{unit}', v.began)", "hour(v.began)", "v.place, v.day", "v.tag, v.place"),
    ("v.steps", "v.dwell", "v.steps * 2 - 7", "least(v.dwell, 50)"),
    (
        "v.day >= DATE '{second}'",
        "v.day BETWEEN DATE '{first}' AND DATE '{second}'",
        "v.began < TIMESTAMP '{second} 00:30:00'",
        "v.day IN (DATE '{first}', DATE '{last}')",
        "date_trunc('{unit}', v.began) = TIMESTAMP '{second} 00:00:00'",
        "NOT (v.began >= TIMESTAMP '{second}' OR v.place = 2)",
        "month(v.day) = month(DATE '{last}') AND v.place < 3",
        "v.person_id IN (SELECT person_id FROM seen WHERE ts >= '{second}')",
        "v.person_id NOT IN (SELECT person_id FROM seen WHERE ts < '{second}' AND person_id IS NOT NULL)",
        "EXISTS (SELECT 1 FROM seen s WHERE s.person_id = v.person_id AND CAST(s.ts AS DATE) = v.day AND s.place > 1)",
        "NOT EXISTS (SELECT 1 FROM seen s WHERE s.person_id = v.person_id AND CAST(s.ts AS DATE) = v.day + 1)",
        "(SELECT count(*) FROM seen s WHERE s.person_id = v.person_id AND CAST(s.ts AS DATE) = v.day) > 1",
        "(SELECT count(*) FROM seen s WHERE s.person_id = v.person_id) BETWEEN 2 AND 4",
    ),
    ("v.person_id", "v.tag", "v.tag, v.place", "v.day"),
)
JOINED = (VISIT[0][:3] + ("p.zone", "p.home"), VISIT[1], VISIT[2][:6] + ("p.home = 'a'",))
PAIRS = (("v.place", "s.place", "v.tag"), ("v.steps",), ("v.day < DATE '{second}'", "s.place = 2", "v.place > 1"))
PLAIN = (
    "(SELECT person_id, place, day FROM visit {0} {how} SELECT person_id, place, CAST(ts AS DATE) FROM seen {1}) v",
)
SOURCES = (
    Source("visit v", *VISIT),
    Source("visit v", *VISIT),
    Source("visit v JOIN person p USING (person_id)", *JOINED),
    Source("visit v LEFT JOIN person p ON v.person_id = p.person_id", *JOINED),
    Source("person p LEFT JOIN visit v ON v.person_id = p.person_id AND v.day >= DATE '{second}'", ("p.zone", "v.place", "v.day IS NULL")),
    Source("person v", ("v.zone", "v.home"), (), ("v.person_id IN (SELECT person_id FROM visit WHERE day < DATE '{second}')", "v.person_id NOT IN (SELECT person_id FROM visit WHERE day < DATE '{second}' AND person_id IS NOT NULL)", "v.zone = 'a'", "v.home = 'b'")),
    Source("place k LEFT JOIN visit v ON v.place = k.place", ("k.place", "k.sort"), ("v.steps",), ("k.place < 3",)),
    Source("visit v JOIN place k ON v.place = k.place", ("k.sort", "v.day"), ("v.steps",), VISIT[2][:5]),
    Source("visit v JOIN seen s ON v.person_id = s.person_id AND CAST(s.ts AS DATE) = v.day", *PAIRS),
    Source("visit v JOIN seen s ON v.person_id = s.person_id AND date_trunc('{unit}', s.ts) = date_trunc('{unit}', v.began)", *PAIRS),
    Source("visit v LEFT JOIN seen s ON v.person_id = s.person_id AND CAST(s.ts AS DATE) = v.day AND s.place = v.place", *PAIRS),
    Source("visit v JOIN seen s ON v.person_id = s.person_id", *PAIRS),
    Source("visit v LEFT JOIN seen s ON v.person_id = s.person_id AND s.place = v.place", *PAIRS),
    Source("(SELECT person_id, day, max(place) AS place, least(count(*), 9) AS steps FROM visit GROUP BY person_id, day) v", ("v.place", "v.day", "v.steps"), ("v.steps",), VISIT[2][:2]),
    Source("(SELECT person_id, date_trunc('{unit}', began) AS m, max(place) AS place, max(steps) AS steps FROM visit GROUP BY 1, 2 HAVING count(*) > 1) v", ("v.place", "v.m"), ("v.steps",)),
    Source("(SELECT person_id, max(place) AS place, min(day) AS day, least(count(*), 9) AS steps FROM visit GROUP BY person_id) v", ("v.place", "v.steps", "v.day"), ("v.steps",), ("v.day > DATE '{second}'",)),
    Source("(SELECT DISTINCT person_id, place FROM visit WHERE day < DATE '{last}') v"),
    Source("(SELECT DISTINCT person_id, place, day FROM visit) v", ("v.place", "v.day"), (), VISIT[2][:2]),
    *(Source(PLAIN[0].replace("{how}", how).format("", "", first="{first}"), ("v.place", "v.day"), (), VISIT[2][:2]) for how in ("UNION ALL", "UNION", "INTERSECT", "EXCEPT", "EXCEPT ALL")),
    Source("(SELECT person_id, place FROM visit WHERE day < DATE '{second}' EXCEPT SELECT person_id, place FROM visit WHERE day >= DATE '{second}') v"),
    Source("(SELECT person_id, place FROM visit WHERE day >= DATE '{second}' INTERSECT SELECT person_id, place FROM seen) v"),
    Source("(SELECT person_id, max(place) AS place FROM visit WHERE day < DATE '{second}' GROUP BY 1 UNION ALL SELECT person_id, min(place) FROM visit WHERE day >= DATE '{last}' GROUP BY 1) v"),
    Source("(SELECT *, row_number() OVER (PARTITION BY person_id, day ORDER BY began, visit_id) AS n FROM visit) v", ("v.n", "v.place"), ("v.steps",), ("v.n < 3", *VISIT[2][:3])),
    Source("(SELECT *, row_number() OVER (PARTITION BY person_id ORDER BY began DESC, visit_id) AS n FROM visit) v", ("v.place", "v.day"), ("v.steps",), ("v.n = 1", "v.n < 2 AND v.day > DATE '{second}'")),
    Source("(SELECT *, lag(place) OVER (PARTITION BY person_id ORDER BY began, visit_id) AS n FROM visit) v", ("v.n", "v.place"), ("v.steps",), ("v.n = 2", *VISIT[2][:3])),
    Source("(SELECT *, sum(steps) OVER (PARTITION BY person_id, date_trunc('{unit}', began)) AS n FROM visit) v", ("v.place", "v.n > 3"), ("least(greatest(v.n, -9), 9)",), VISIT[2][:4]),
    Source("leg v", ("v.place",), ("v.steps",), ("v.place > 1",)),
    Source("point v", ("v.place", "hour(v.began)"), (), ("v.began < TIMESTAMP '{second}'",)),
    Source("stays(visit, 1) v", ("v.zone_id", "v.visit_date", "hour(v.start_ts)"), ("v.dwell_min",), ("v.zone_id > 1", "v.visit_date >= DATE '{second}'", "v.start_ts < DATE '{last}'")),
    Source("trips(visit, 1) v", ("v.o_zone", "v.d_zone"), ("v.minutes",), ("v.o_zone = 1", "v.trip_date = DATE '{second}'")),
    Source("home_zone(visit, 1) v", ("v.zone_id",), (), ("v.zone_id > 1",)),
)  # fmt: skip
AGGREGATES = (
    "COUNT(*)", "COUNT(DISTINCT v.person_id)", "COUNT(DISTINCT {part})", "SUM({value})", "AVG({value})", "VAR_SAMP({value})",
    "MEDIAN({value})", "COUNT(*) FILTER (WHERE {key} IS NOT NULL)", "COUNT(DISTINCT v.person_id) FILTER (WHERE {condition})",
)  # fmt: skip
OPTIONS = ("", "", "", "max_rows_contributed = 2", "max_groups_contributed = 1", "keys = 'private'")


@st.composite
def questions(draw: st.DrawFn, exact: bool = False) -> str:
    """Draw a query, or one that is exact without noise; `fill_dates` fills its placeholders."""
    source = draw(st.sampled_from([s for s in SOURCES if not exact or "(visit, 1)" not in s.rows]))
    keys = draw(st.lists(st.sampled_from(source.keys), max_size=1))
    parts = {
        "value": draw(st.sampled_from(source.values or ("v.person_id",))),
        "key": draw(st.sampled_from(source.keys)).partition(", v")[0],
        "part": draw(st.sampled_from(source.parts)),
        "condition": draw(st.sampled_from(source.conditions[:3])),
    }
    fitting = [a for a in AGGREGATES if "{value}" not in a or source.values]
    fitting = [a for a in fitting if not exact or a.partition("(")[0] not in ("VAR_SAMP", "MEDIAN")]
    chosen = draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=3, unique=True))
    query = [part for name in chosen for part in [_filled(name, parts)]]
    where = draw(st.lists(st.sampled_from(source.conditions), max_size=2, unique=True))
    option = draw(st.sampled_from(OPTIONS if keys else OPTIONS[:-1]))
    option = "" if exact else option
    clause = f"WITH DIFFERENTIAL_PRIVACY OPTIONS({option}) " if option else ""
    items = [part for key in keys for part in re.split(r"(?<!'), (?=v\.)", key)] + query
    text = f"SELECT {clause}{', '.join(f'{item} AS a{i}' for i, item in enumerate(items))} FROM {source.rows}"
    text += f" WHERE {' AND '.join(where)}" if where else ""
    return text + (f" GROUP BY {', '.join(keys)}" if keys else "")


def _filled(aggregate: str, parts: dict[str, str]) -> str:
    for name, part in parts.items():
        aggregate = aggregate.replace(f"{{{name}}}", part)
    return aggregate


def fill_dates(sql: str, window: PrivacyWindow) -> str:
    """Fill the window length and window start dates into a query."""
    first, second, *_, last = (begin.isoformat() for begin in begins(window))
    for name, value in {"unit": str(window), "first": first, "second": second, "last": last}.items():
        sql = sql.replace(f"{{{name}}}", value)
    return sql


@st.composite
def data(draw: st.DrawFn) -> Data:
    """Draw a database: the victim in several windows, and two others."""
    rows = draw(st.lists(_rows(VICTIM), min_size=2, max_size=9))
    for person in (1, 2):
        rows += draw(st.lists(_rows(person), max_size=4))
    return Data(tuple(rows))


def _rows(person: int) -> st.SearchStrategy[Row]:
    return st.builds(
        Row,
        st.just(person),
        st.sampled_from((*range(WINDOW_COUNT), *range(WINDOW_COUNT), -1, -2, -3)),
        st.sampled_from((0, 0, 5, 600, 1_400, -1, -5)),
        st.integers(1, 3),
        st.sampled_from((-5, 0, 3, 20, 99)),
        st.sampled_from((0.0, 10.0, 90.0, 1e9)),
        st.sampled_from(("x", "y", "z", f"own{person}")),
    )
