"""Hypothesis strategies of databases and queries for the grey box."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from hypothesis import strategies as st

from tests.support.greybox.greybox_data import VICTIM, Database, Declared, Run, Subscriber
from tests.support.statistics.drawn import maybe, one_of_these, some_of

NUMBERS = ("NULL", "'nan'", "'inf'", "'-inf'", "'0.0'", "'1.5'", "'-1e308'", "'1e308'", "5e-324", "'600'", "'7201'")
WHOLE = ("NULL", "0", "1", "10", "-6", "1001", "9223372036854775807", "(-9223372036854775808)")
TIMES = (
    "TIMESTAMP '2026-10-01 08:00:00'",
    "TIMESTAMP '2026-10-03 23:30:00'",
    "NULL",
    "TIMESTAMP 'infinity'",
    "TIMESTAMP '290309-12-22 (BC) 00:00:00'",
    "TIMESTAMP '294247-01-10 04:00:54'",
)
DATES = ("DATE '1990-01-02'", "DATE '2026-01-01'", "NULL", "DATE '5881580-07-10'", "DATE '-infinity'")


@dataclass(frozen=True)
class Source:
    """A FROM clause, and the keys, values and conditions available over it; values are bounded numbers."""

    rows: str
    person: str
    keys: tuple[str, ...]
    values: tuple[str, ...]
    conditions: tuple[str, ...]
    counted: str = "*"


# fmt: off
EVENT_KEYS = ("e.cell_id", "hour(e.ts)", "e.lon IS NULL", "CAST(e.ts AS DATE)", "sign(e.steps)", "e.steps", "e.cell_id * 2", "CASE WHEN e.dwell_s > 60 THEN 1 END")
EVENT_VALUES = ("e.dwell_s", "e.steps", "e.dwell_s * e.dwell_s", "100 * e.steps", "LEAST(GREATEST(e.lon, -180), 180)", "e.dwell_s - 7200 * e.steps", "LEAST(GREATEST(1 / e.lon, -9), 9)", "exp(e.dwell_s / 200)", "e.steps * 1000000000000000", "1e20 * e.dwell_s", "pow(e.dwell_s, 3)", "e.dwell_s / 1e300")
EVENT_CONDITIONS = ("e.cell_id > 1", "e.dwell_s < 700", "e.lon IS NOT NULL", "1 // e.steps >= 0", "e.ts >= TIMESTAMP '2026-10-01'", "hour(e.ts) IN (8, 9, 23)", "date_trunc('week', e.ts) < TIMESTAMP '2026-11-01'", "e.cell_id IN (1, 2, 77)")
# fmt: on
ME = "(SELECT subscriber_id, {} FROM events GROUP BY {}) p"

SOURCES = (
    Source("events e", "e.subscriber_id", EVENT_KEYS, EVENT_VALUES, EVENT_CONDITIONS),
    Source("events e JOIN cells c USING (cell_id)", "e.subscriber_id", ("c.zone", "c.x", *EVENT_KEYS), EVENT_VALUES, ("c.zone <> 'Z3'", *EVENT_CONDITIONS)),
    Source("events e LEFT JOIN cells c ON c.cell_id = e.cell_id AND e.dwell_s > 1", "e.subscriber_id", ("c.zone", "c.x > 1", *EVENT_KEYS), EVENT_VALUES, ("c.x IS NULL",)),
    Source("events e CROSS JOIN zones z", "e.subscriber_id", ("z.zone", "z.level", *EVENT_KEYS), EVENT_VALUES, ("z.level > 1",)),
    Source("events e JOIN hours h ON h.h >= hour(e.ts)", "e.subscriber_id", ("h.h", "h.h % 3"), EVENT_VALUES, ("h.h < 20",)),
    Source("events e JOIN subscribers s USING (subscriber_id)", "e.subscriber_id", ("s.gender", "s.home_zone", "s.born", *EVENT_KEYS), ("s.age", *EVENT_VALUES), ("s.age > 30", "s.home_zone LIKE 'Z%'", "s.born < DATE '1990-01-04'")),
    Source("events e LEFT JOIN subscribers s ON e.subscriber_id = s.subscriber_id AND e.cell_id < 3", "e.subscriber_id", ("s.gender", "s.subscriber_id IS NULL", "s.age > 40"), ("s.age",), ("s.age IS NULL",)),
    Source("subscribers s LEFT JOIN events e ON s.subscriber_id = e.subscriber_id AND e.steps > 0", "s.subscriber_id", ("s.gender", "e.cell_id", "e.subscriber_id IS NULL"), ("e.dwell_s", "s.age"), ("s.age > 1", "e.subscriber_id IS NULL")),
    Source("subscribers s", "s.subscriber_id", ("s.gender", "s.home_zone", "s.born", "s.age > 40", "s.age"), ("s.age", "s.age * s.age", "s.age - 50"), ("s.gender = 'f'", "s.age // 7 = 4")),
    Source("subscribers s JOIN cells c ON c.cell_id = s.home_cell", "s.subscriber_id", ("c.zone", "s.gender", "c.x"), ("s.age",), ("c.x > 0",)),
    Source("subscribers s LEFT JOIN zones z ON z.zone = s.home_zone", "s.subscriber_id", ("z.level", "z.zone", "s.gender"), ("s.age",), ("z.level = 1",)),
    Source("events e JOIN events f ON e.subscriber_id = f.subscriber_id AND f.cell_id = e.cell_id + 1", "e.subscriber_id", ("e.cell_id", "f.cell_id", "hour(f.ts)"), ("e.dwell_s", "f.steps"), ("f.dwell_s > 0",)),
    Source("events e LEFT JOIN events f ON e.subscriber_id = f.subscriber_id AND f.cell_id = e.cell_id + 1 LEFT JOIN subscribers s ON f.subscriber_id = s.subscriber_id", "e.subscriber_id", ("s.gender", "f.subscriber_id IS NULL", "e.cell_id"), ("e.dwell_s", "s.age"), ("s.age > 1",)),
    Source(ME.format("cell_id, COUNT(*) AS n, SUM(dwell_s) AS total, MIN(lon) AS west, ARG_MIN(steps, ts) AS first", "1, 2"), "p.subscriber_id", ("p.cell_id", "p.n > 1", "p.n", "p.first", "1 / p.west > 0"), ("p.n", "p.total", "p.first"), ("1 / p.west > 0", "p.n > 1", "p.first > 0")),
    Source(ME.format("COUNT(*) AS n, AVG(dwell_s) AS mean, MAX(ts) AS last, COUNT(DISTINCT cell_id) AS cells, COUNT(DISTINCT CAST(ts AS DATE)) AS days", "1"), "p.subscriber_id", ("p.n > 2", "hour(p.last)", "p.cells > 1", "p.days"), ("p.n", "p.mean", "p.cells", "p.days"), ("p.mean > 100", "p.last > TIMESTAMP '2026-10-01 07:00:00'")),
    Source("(SELECT DISTINCT subscriber_id, cell_id, lon FROM events) d", "d.subscriber_id", ("d.cell_id", "1 / d.lon > 0"), ("LEAST(GREATEST(d.cell_id, 0), 9)",), ("1 / d.lon > 0",)),
    Source("events e JOIN (SELECT zone, AVG(x) AS mean, SUM(x) AS total FROM cells GROUP BY zone) c ON c.mean > e.lon", "e.subscriber_id", ("c.zone", "c.mean > 1", "e.cell_id"), ("e.dwell_s", "LEAST(GREATEST(c.total, -9), 9) - e.steps"), ("c.total < 100",)),
    Source("events e JOIN (SELECT cell_id, zone FROM cells ORDER BY x LIMIT 4) c USING (cell_id)", "e.subscriber_id", ("c.zone", "c.cell_id"), EVENT_VALUES, EVENT_CONDITIONS),
    Source("(SELECT subscriber_id, MAX(cell_id) AS top, COUNT(*) AS n FROM events GROUP BY 1 HAVING COUNT(*) > 1) p JOIN events e USING (subscriber_id)", "p.subscriber_id", ("p.top", "p.n > 3", "e.cell_id", "p.top = e.cell_id"), ("p.n", "e.dwell_s"), ("p.top > 1", "e.cell_id < p.top")),
    Source("(SELECT subscriber_id, AVG(n) AS mean, MAX(n) AS most FROM (SELECT subscriber_id, cell_id, COUNT(*) AS n FROM events GROUP BY 1, 2) q GROUP BY 1) p LEFT JOIN subscribers s ON s.subscriber_id = p.subscriber_id", "p.subscriber_id", ("p.most", "s.gender", "s.subscriber_id IS NULL", "p.mean > 2"), ("p.mean", "p.most", "s.age"), ("p.mean < 9", "s.age > 20")),
    Source("subscribers s JOIN events e ON s.subscriber_id = e.subscriber_id AND s.home_cell = e.cell_id", "s.subscriber_id", ("s.home_cell", "e.cell_id", "s.gender", "hour(e.ts)"), ("e.dwell_s", "s.age"), ("s.age > 20", "e.steps > 0")),
    Source("events e JOIN zones z ON z.level = e.cell_id LEFT JOIN zones y ON y.zone = z.zone", "e.subscriber_id", ("z.zone", "y.level", "e.cell_id"), ("e.dwell_s", "LEAST(GREATEST(z.level, 0), 3)"), ("y.level > 1",)),
    Source("cells c LEFT JOIN events e USING (cell_id)", "e.subscriber_id", ("c.zone", "c.x > 1", "c.cell_id"), ("e.dwell_s", "e.steps", "e.steps - e.dwell_s"), ("c.x > 0", "e.steps > 0", "c.zone <> 'Z3'"), "e.ts"),
    Source("hours h CROSS JOIN zones z LEFT JOIN subscribers s ON s.home_zone = z.zone LEFT JOIN events e ON e.subscriber_id = s.subscriber_id AND e.cell_id = h.h", "s.subscriber_id", ("z.zone", "h.h < 3", "z.level"), ("s.age", "e.dwell_s", "e.steps"), ("h.h < 5", "e.cell_id > 1", "z.level > 1"), "e.subscriber_id"),
    Source("(SELECT cell_id FROM cells WHERE x > 0 UNION ALL SELECT h FROM hours EXCEPT SELECT 2) c JOIN events e USING (cell_id)", "e.subscriber_id", ("c.cell_id", "e.steps"), ("e.dwell_s", "e.steps"), ("c.cell_id < 5", "e.dwell_s > (SELECT MIN(x) FROM cells)")),
    Source("marks m", "m.subscriber_id", ("m.kind", "m.weight > 0"), ("m.weight", "m.weight * m.weight"), ("m.weight <> 0",)),
    Source("marks m LEFT JOIN subscribers s USING (subscriber_id)", "m.subscriber_id", ("s.gender", "m.kind", "s.age > 40"), ("m.weight", "s.age"), ("m.weight <> 0", "s.age IS NULL")),
    Source("(SELECT subscriber_id, COUNT(*) AS n, SUM(weight) AS total FROM marks GROUP BY 1) p", "p.subscriber_id", ("p.n > 2", "p.n"), ("p.n", "p.total"), ("p.total > 0",)),
)  # fmt: skip


BOUNDS = ("(0, 5)", "(-3, 50)", "(2, 2.5)", "(-0.1, 9000)", "(1, 1000000)")
CLAUSES = (
    *("",) * 4,
    "WITH DIFFERENTIAL_PRIVACY OPTIONS(max_groups_contributed = 1) ",
    "WITH DIFFERENTIAL_PRIVACY OPTIONS(max_groups_contributed = 2, keys = 'private') ",
    "WITH DIFFERENTIAL_PRIVACY OPTIONS(keys = 'private', others = true) ",
    "WITH DIFFERENTIAL_PRIVACY OPTIONS(max_rows_contributed = 1) ",
    "WITH DIFFERENTIAL_PRIVACY OPTIONS(max_rows_contributed = 3) ",
    "WITH DIFFERENTIAL_PRIVACY OPTIONS(max_groups_contributed = 2, max_rows_contributed = 50) ",
)
CHOSEN = (
    Source("(SELECT * FROM events WHERE subscriber_id IN (SELECT subscriber_id FROM subscribers WHERE age > 30)) e", "e.subscriber_id", EVENT_KEYS, EVENT_VALUES, EVENT_CONDITIONS),
    Source("(SELECT * FROM events o WHERE NOT EXISTS (SELECT 1 FROM events f WHERE f.subscriber_id = o.subscriber_id AND f.cell_id = o.cell_id + 1)) e", "e.subscriber_id", EVENT_KEYS, EVENT_VALUES, EVENT_CONDITIONS),
    Source("(SELECT * FROM events o WHERE (subscriber_id, cell_id) IN (SELECT subscriber_id, cell_id + 1 FROM events f WHERE f.steps <= o.steps)) e", "e.subscriber_id", EVENT_KEYS, EVENT_VALUES, EVENT_CONDITIONS),
    Source("(SELECT * FROM subscribers WHERE subscriber_id NOT IN (SELECT subscriber_id FROM events GROUP BY 1 HAVING COUNT(*) > 2) AND home_zone IN (SELECT zone FROM zones WHERE level > 1)) s", "s.subscriber_id", ("s.gender", "s.home_zone"), ("s.age",), ("s.age > 30",)),
)  # fmt: skip

EVENTS = tuple(source for source in SOURCES if source.rows.startswith("events"))
MARKS = tuple(source for source in SOURCES if "marks" in source.rows)  # whose person is in another table
OTHERS = tuple(source for source in SOURCES if source not in (*EVENTS, *MARKS))


@st.composite
def questions(draw: st.DrawFn, sources: tuple[Source, ...] = SOURCES) -> str:
    """Draw a query: a source, keys, aggregates with and without FILTER, conditions."""
    source = draw(one_of_these(sources))
    keys = draw(some_of(source.keys))
    measures = draw(_measures(source))
    conditions = draw(some_of(source.conditions))
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    by = f" GROUP BY {', '.join(keys)}" if keys else ""
    clause = draw(one_of_these(CLAUSES))
    clause = clause if keys or "others" not in clause else ""
    return f"SELECT {clause}{', '.join([*keys, *measures])} FROM {source.rows}{where}{by}"


@cache
def _measures(source: Source) -> st.SearchStrategy[list[str]]:
    values = st.sampled_from(source.values)
    plain = st.one_of(
        st.just(f"COUNT({source.counted})"),
        st.just(f"COUNT(DISTINCT {source.person})"),
        values.map("COUNT({})".format),
        values.map("SUM({})".format),
        values.map("AVG({})".format),
        st.builds(
            "{}({}, contribution_bounds_per_group => {})".format,
            st.sampled_from(("SUM", "AVG", "COUNT")),
            values,
            st.sampled_from(BOUNDS),
        ),
    )
    written = st.builds(str.__add__, plain, maybe(source.conditions, " FILTER (WHERE {})"))
    return st.lists(written, min_size=1, max_size=3)


@cache
def _runs(person: str, least: int, most: int) -> st.SearchStrategy[list[Run]]:
    run = st.builds(
        Run,
        person=st.just(person),
        count=st.sampled_from((1, 2, 3, 7, 60)),
        spread=st.sampled_from((1, 2, 5)),
        cell=st.sampled_from((1, 2, 3, 4, 9, 99)),
        ts=st.sampled_from(TIMES),
        lon=st.sampled_from(NUMBERS),
        dwell=st.sampled_from(NUMBERS),
        steps=st.sampled_from(WHOLE),
    )
    return st.lists(run, min_size=least, max_size=most)


@cache
def _heavy(person: str) -> st.SearchStrategy[list[Run]]:
    """Draw nothing, or thousands of rows, or one row in each of very many groups."""
    run = st.builds(
        Run, st.just(person), st.just(3_000), st.sampled_from((1, 12, 3_000)), dwell=st.sampled_from(NUMBERS)
    )
    return st.one_of(st.just([]), run.map(lambda run: [run]))


@cache
def _subscribers(person: int) -> st.SearchStrategy[Subscriber]:
    return st.builds(
        Subscriber,
        person=st.just(person),
        age=st.sampled_from(("34", "113", "-5", "NULL", "4611686018427387904")),
        gender=st.sampled_from(("'f'", "'m'", "'?'", "NULL")),
        zone=st.sampled_from(("'Z1'", "'Z2'", "'elsewhere'", "NULL")),
        cell=st.sampled_from(("2", "2", "1", "3", "NULL")),
        born=st.sampled_from(DATES),
        consent=st.sampled_from(("true", "true", "true", "false", "NULL")),
    )


VISITS = st.lists(st.sampled_from((str(VICTIM), str(VICTIM), "1", "NULL")), max_size=4)


@st.composite
def databases(draw: st.DrawFn, least: int = 0) -> Database:
    """Draw a database with the victim, some others, rows without a person, and declared contribution bounds.

    At least `least` of the others have rows.
    """
    others = range(1, draw(st.integers(max(1, least), 3)) + 1)
    victim = replace_consent(draw(_subscribers(VICTIM)))
    runs = [*draw(_runs(str(VICTIM), 1, 6)), *draw(_heavy(str(VICTIM)))]
    for person in others:
        runs += draw(_runs(str(person), int(person <= least), 2))
    runs += draw(_runs("NULL", 0, 2))
    visits = draw(VISITS)
    marks = [(number, person, 1 + number * 5) for number, person in enumerate(visits)]
    people = (victim, *(draw(_subscribers(person)) for person in others if draw(st.booleans())))
    return Database(tuple(runs), people, tuple(marks), draw(declarations()))


def replace_consent(victim: Subscriber) -> Subscriber:
    """Set the victim's consent, so that the victim's rows are read."""
    return Subscriber(victim.person, victim.age, victim.gender, victim.zone, victim.cell, victim.born, "true")


@cache
def declarations() -> st.SearchStrategy[Declared]:
    """Draw clip bounds that nearly always bind."""
    return st.builds(
        Declared,
        rows=st.sampled_from((1.0, 1.5, 2.0, 7.25)),
        persons=st.sampled_from((1.0, 1.2, 3.0)),
        max_groups=st.sampled_from((1, 2, 4, 5)),
        max_rows=st.sampled_from((1, 3, 8)),
        sum_norm=st.sampled_from((1.0, 333.3, 9_000.0, 50_000.0)),
        consent=st.sampled_from((True, True, False)),
    )
