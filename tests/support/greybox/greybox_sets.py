"""Set operations of private rows for the grey box, with the person selected or carried, below joins and groups."""

from __future__ import annotations

from tests.support.greybox.greybox_questions import Source

_ALL = "(SELECT {} FROM events UNION ALL SELECT {} FROM {})"
_SETS = "(SELECT subscriber_id, {} FROM events WHERE {} {} SELECT subscriber_id, {} FROM {})"

SETS = (
    Source(_ALL.format("subscriber_id, cell_id, dwell_s, lon", "subscriber_id, steps, dwell_s + 1, NULL", "events") + " u", "u.subscriber_id", ("u.cell_id", "u.lon IS NULL", "1 / u.lon > 0"), ("u.dwell_s", "LEAST(GREATEST(u.cell_id, 0), 9)"), ("u.cell_id > 1", "u.lon > 0")),
    Source(_ALL.format("subscriber_id, 'event' AS kind, dwell_s AS x, cell_id AS c", "subscriber_id, gender, age, home_cell", "subscribers") + " u", "u.subscriber_id", ("u.kind", "u.c", "u.x > 40"), ("u.x", "u.x - 50"), ("u.kind <> 'm'", "u.c < 3")),
    Source("(SELECT e.subscriber_id, e.cell_id, c.zone FROM events e JOIN cells c USING (cell_id) UNION ALL SELECT subscriber_id, home_cell, home_zone FROM subscribers) u JOIN subscribers s USING (subscriber_id)", "s.subscriber_id", ("u.zone", "s.gender", "u.cell_id"), ("s.age", "LEAST(GREATEST(u.cell_id, 0), 9)"), ("u.cell_id > 1", "s.age > 30")),
    Source(_SETS.format("cell_id, lon", "steps > 0", "UNION", "cell_id, lon", "events WHERE dwell_s > 1") + " u", "u.subscriber_id", ("u.cell_id", "u.lon IS NULL", "1 / u.lon > 0"), ("LEAST(GREATEST(u.lon, -180), 180)", "LEAST(GREATEST(u.cell_id, 0), 9)"), ("u.cell_id > 1", "1 / u.lon > 0")),
    Source(_SETS.format("cell_id", "steps > 0", "INTERSECT ALL", "cell_id + 1", "events") + " u", "u.subscriber_id", ("u.cell_id", "u.cell_id * 2"), ("LEAST(GREATEST(u.cell_id, 0), 9)",), ("u.cell_id > 1",)),
    Source(_SETS.format("cell_id, dwell_s", "TRUE", "EXCEPT ALL", "cell_id, dwell_s", "events WHERE steps > 0") + " u", "u.subscriber_id", ("u.cell_id",), ("u.dwell_s", "u.dwell_s * u.dwell_s"), ("u.dwell_s > 1", "u.cell_id > 1")),
    Source("(SELECT subscriber_id FROM events WHERE cell_id = 2 UNION SELECT subscriber_id FROM marks EXCEPT SELECT subscriber_id FROM subscribers WHERE age > 40) u LEFT JOIN subscribers s USING (subscriber_id)", "u.subscriber_id", ("s.gender", "s.age IS NULL"), ("s.age",), ("s.age > 1",)),
    Source("subscribers s LEFT JOIN (SELECT subscriber_id, cell_id, 'e' AS k FROM events INTERSECT SELECT subscriber_id, home_cell, 'e' FROM subscribers) u USING (subscriber_id)", "s.subscriber_id", ("u.k", "u.cell_id", "s.gender"), ("s.age",), ("u.cell_id IS NULL", "s.age > 30")),
    Source("(SELECT subscriber_id, kind, COUNT(*) AS n, SUM(x) AS total FROM (SELECT subscriber_id, kind, weight AS x FROM marks UNION ALL BY NAME SELECT dwell_s AS x, subscriber_id, steps FROM events) q GROUP BY 1, 2) p", "p.subscriber_id", ("p.n > 2", "p.n", "p.kind"), ("p.n", "p.total"), ("p.total > 100",)),
    Source("(SELECT subscriber_id, cell_id, steps FROM events WHERE steps > 0) a FULL JOIN marks m ON a.subscriber_id = m.subscriber_id AND a.steps > m.weight", "a.subscriber_id", ("a.cell_id", "m.kind", "a.steps IS NULL"), ("m.weight", "a.steps"), ("a.subscriber_id IS NULL", "a.cell_id > 1")),
    Source("(SELECT subscriber_id, cell_id, SUM(dwell_s) AS total FROM events GROUP BY 1, 2) a FULL JOIN (SELECT subscriber_id, home_cell AS cell_id, age FROM subscribers) b USING (subscriber_id, cell_id) JOIN subscribers s USING (subscriber_id)", "s.subscriber_id", ("cell_id", "s.gender", "a.total IS NULL"), ("a.total", "b.age", "s.age"), ("b.age IS NULL", "s.age > 30")),
    Source("(SELECT * FROM events WHERE subscriber_id IN (SELECT subscriber_id FROM events WHERE cell_id = 1 UNION ALL SELECT subscriber_id FROM marks)) e JOIN (SELECT subscriber_id, cell_id FROM events UNION ALL SELECT subscriber_id, home_cell FROM subscribers) f ON f.subscriber_id = e.subscriber_id AND f.cell_id > e.cell_id", "e.subscriber_id", ("e.cell_id", "f.cell_id"), ("e.dwell_s", "e.steps"), ("e.dwell_s > 0",)),
)  # fmt: skip

_GROUPS = "(SELECT subscriber_id, {} FROM {} GROUP BY {}) p"

GROUPED = (
    Source(_GROUPS.format("cell_id, COUNT(*) AS n, SUM(dwell_s) AS total, GROUPING(cell_id) AS g", "events", "subscriber_id, ROLLUP (cell_id)"), "p.subscriber_id", ("p.cell_id", "p.g", "p.n > 2"), ("p.n", "p.total"), ("p.g = 0", "p.cell_id IS NULL", "p.total > 100")),
    Source(_GROUPS.format("cell_id, hour(ts) AS h, MIN(lon) AS west, GROUPING_ID() AS g", "events", "GROUPING SETS ((subscriber_id, cell_id), (subscriber_id, h), (subscriber_id))") + " JOIN subscribers s USING (subscriber_id)", "p.subscriber_id", ("p.h", "p.g", "s.gender", "1 / p.west > 0"), ("LEAST(GREATEST(p.west, -180), 180)", "s.age"), ("p.g < 3", "s.age > 30")),
    Source("events e JOIN cells c USING (cell_id)", "e.subscriber_id", ("c.zone", "c.x > 1", "e.cell_id", "hour(e.ts)"), ("e.dwell_s", "e.steps"), ("c.zone <> 'Z3'", "e.steps > 0")),
    Source("cells c LEFT JOIN events e USING (cell_id)", "e.subscriber_id", ("c.zone", "c.x > 1", "c.cell_id"), ("e.dwell_s", "e.steps"), ("c.x > 0", "e.steps > 0"), "e.ts"),
)  # fmt: skip
