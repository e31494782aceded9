"""Lists of a row's own for the grey box: written out, counted, split, gathered from a person's rows, and their places."""

from __future__ import annotations

from tests.support.greybox_questions import EVENT_CONDITIONS, EVENT_KEYS, EVENT_VALUES, Source

_CELL = "LEAST(GREATEST(u.x, 0), 9)"
_OF_ME = "(SELECT subscriber_id, LIST({} ORDER BY ts) AS xs, COUNT(*) AS n FROM events GROUP BY 1) p"

LISTS = (
    Source("events e, UNNEST([e.cell_id, e.steps, 2]) AS u(x)", "e.subscriber_id", ("u.x", "u.x > 1", *EVENT_KEYS), (_CELL, *EVENT_VALUES[:5]), ("u.x < 3", *EVENT_CONDITIONS)),
    Source("events e, generate_series(hour(e.ts), hour(e.ts) + e.cell_id) AS u(x)", "e.subscriber_id", ("u.x", "e.cell_id"), (_CELL, "e.dwell_s"), ("u.x < 12", "e.steps > 0")),
    Source("events e LEFT JOIN UNNEST(range(e.cell_id, e.steps)) AS u(x) ON TRUE", "e.subscriber_id", ("u.x IS NULL", "u.x", "e.cell_id"), (_CELL, "e.dwell_s"), ("u.x IS NULL", "u.x > 2")),
    Source("(SELECT *, UNNEST([cell_id, steps]) AS x FROM events) u JOIN cells c ON c.cell_id = u.x", "u.subscriber_id", ("c.zone", "u.x", "u.cell_id"), (_CELL, "u.dwell_s"), ("c.zone <> 'Z3'", "u.x > 1")),
    Source("subscribers s JOIN UNNEST(string_split(s.home_zone, 'e')) AS u(x) ON u.x <> 'Z1'", "s.subscriber_id", ("u.x", "s.gender"), ("s.age",), ("length(u.x) > 1",)),
    Source("subscribers s, LATERAL (SELECT UNNEST([s.home_zone, s.gender]) AS x) u", "s.subscriber_id", ("u.x", "s.gender"), ("s.age",), ("u.x IS NOT NULL", "s.age > 30")),
    Source(_OF_ME.format("cell_id") + ", UNNEST(p.xs) AS u(x)", "p.subscriber_id", ("u.x", "p.n > 2", "p.n"), (_CELL, "p.n"), ("u.x < 4", "p.n > 1")),
    Source(_OF_ME.format("DISTINCT cell_id").replace(" ORDER BY ts", "") + ", generate_series(1, len(p.xs)) AS u(x)", "p.subscriber_id", ("list_extract(p.xs, u.x)", "u.x", "p.n"), (_CELL, "p.n"), ("u.x < 3",)),
    Source("(SELECT DISTINCT subscriber_id, UNNEST([cell_id, steps]) AS x FROM events) u LEFT JOIN subscribers s ON s.subscriber_id = u.subscriber_id AND s.home_cell = u.x", "u.subscriber_id", ("u.x", "s.gender"), (_CELL, "s.age"), ("s.age > 1", "u.x > 1")),
    Source("(SELECT e.subscriber_id, u.x, lag(u.x) OVER (PARTITION BY e.subscriber_id ORDER BY e.ts, u.x) AS y FROM events e, UNNEST([e.cell_id, e.steps]) AS u(x)) u", "u.subscriber_id", ("u.x", "u.y", "u.x = u.y"), (_CELL,), ("u.y > 1",)),
    Source("cells c CROSS JOIN UNNEST([c.zone, 'Z2']) AS u(x) JOIN events e ON e.cell_id = c.cell_id", "e.subscriber_id", ("u.x", "e.cell_id"), ("e.dwell_s", "e.steps"), ("u.x <> 'Z3'",)),
)  # fmt: skip
