-- Stays, visits and pass-bys, from the events alone. Everything is cut at the edge of the month: nothing of October is
-- derived from November, nor the other way round.

-- one row per island: consecutive sightings in one place, or outside places in one zone, no more than two hours apart
CREATE OR REPLACE TEMP TABLE island AS
WITH stepped AS (
  SELECT *, month(ts) AS period, coalesce(1000 + place, zone) AS spot_key,
         lag(coalesce(1000 + place, zone)) OVER w AS before_key, lag(ts) OVER w AS before_ts
  FROM seen WINDOW w AS (PARTITION BY subscriber_id, month(ts) ORDER BY ts, cell, e)),
numbered AS (
  SELECT *, sum(CASE WHEN before_key = spot_key AND ts - before_ts <= INTERVAL 2 HOUR THEN 0 ELSE 1 END) OVER w AS n
  FROM stepped WINDOW w AS (PARTITION BY subscriber_id, period ORDER BY ts, cell, e)),
islands AS (
  SELECT subscriber_id, period, n, min(place) AS place, min(zone) AS zone, min(ts) AS a, max(ts) AS b, count(*) AS sightings,
         arg_min(x, (ts, cell, e)) AS x_in, arg_min(y, (ts, cell, e)) AS y_in, arg_max(x, (ts, cell, e)) AS x_out, arg_max(y, (ts, cell, e)) AS y_out
  FROM numbered GROUP BY subscriber_id, period, n)
SELECT *, sightings > 1 AS stays, sum((sightings > 1)::INT) OVER (PARTITION BY subscriber_id, period ORDER BY n) AS stay
FROM islands;

-- one row per island, with what lies around it: the sighting before and after, the nearest stays before and after
CREATE OR REPLACE TEMP TABLE linked AS
SELECT i.*, CASE WHEN i.a - lag(i.b) OVER w <= INTERVAL 1 HOUR THEN lag(x_out) OVER w END AS x_before,
       CASE WHEN i.a - lag(i.b) OVER w <= INTERVAL 1 HOUR THEN lag(y_out) OVER w END AS y_before,
       last_value(CASE WHEN stays THEN zone END IGNORE NULLS) OVER (PARTITION BY subscriber_id, period ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS prev_zone,
       first_value(CASE WHEN stays THEN zone END IGNORE NULLS) OVER (PARTITION BY subscriber_id, period ORDER BY n ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS next_zone
FROM island i WINDOW w AS (PARTITION BY subscriber_id, period ORDER BY n);

-- a visit: seen at least twice in the cells of a place; its direction is that of the last movement within the hour before
INSERT INTO visit
SELECT subscriber_id, subscriber_id * 1000000 + period * 50000 + n, 'P' || l.place, 'Z' || p.zone, t.h3_9, a, b,
       round(epoch(b - a) / 60, 2),
       CASE WHEN x_before IS NOT NULL THEN compass8(bearing(x_before - p.x, y_before - p.y)) END, 'Z' || prev_zone, 'Z' || next_zone, a::DATE
FROM linked l JOIN spot p USING (place) JOIN place t ON t.place_id = 'P' || l.place
WHERE stays ORDER BY subscriber_id, n, period;

-- a pass-by: seen there once, on the way from somewhere; heading is the direction of movement
INSERT INTO passby
SELECT subscriber_id, 'P' || l.place, a, CASE WHEN x_before IS NOT NULL THEN compass8(bearing(p.x - x_before, p.y - y_before)) END, a::DATE
FROM linked l JOIN spot p USING (place)
WHERE NOT stays ORDER BY subscriber_id, a, n;
