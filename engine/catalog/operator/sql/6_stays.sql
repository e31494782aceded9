-- Stays, visits and pass-bys, from the events alone. Everything is cut at the edge of the month: nothing of October is
-- derived from November, nor the other way round.

-- one row per island: consecutive sightings in one place, or outside places in one zone, no more than two hours apart
CREATE OR REPLACE TEMP TABLE island AS
WITH keyed AS (SELECT *, month(ts) AS period, coalesce(1000 + place, zone) AS spot FROM seen),
stepped AS (
  SELECT *, row_number() OVER w AS r,
         coalesce(lag(spot) OVER w = spot AND ts - lag(ts) OVER w <= INTERVAL 2 HOUR, false) AS goes_on
  FROM keyed WINDOW w AS (PARTITION BY subscriber_id, period ORDER BY ts, cell, e)),
numbered AS (
  SELECT *, count(*) FILTER (NOT goes_on) OVER (PARTITION BY subscriber_id, period ORDER BY r) AS n FROM stepped),
islands AS (
  SELECT subscriber_id, period, n, min(place) AS place, min(zone) AS zone, min(ts) AS a, max(ts) AS b,
         count(*) > 1 AS stays, arg_min(x, r) AS x_in, arg_min(y, r) AS y_in, arg_max(x, r) AS x_out,
         arg_max(y, r) AS y_out
  FROM numbered GROUP BY subscriber_id, period, n)
SELECT *, count(*) FILTER (stays) OVER (PARTITION BY subscriber_id, period ORDER BY n) AS stay FROM islands;

-- one row per island, with where the person was seen last within the hour before
CREATE OR REPLACE TEMP TABLE linked AS
SELECT *, CASE WHEN a - lag(b) OVER w <= INTERVAL 1 HOUR THEN lag(x_out) OVER w END AS x_before,
       CASE WHEN a - lag(b) OVER w <= INTERVAL 1 HOUR THEN lag(y_out) OVER w END AS y_before
FROM island WINDOW w AS (PARTITION BY subscriber_id, period ORDER BY n);

-- a visit: seen at least twice in the cells of a place. Its direction is that of the last movement, its zones before and
-- after are those of the stays within a day
INSERT INTO visit
WITH stays AS (
  SELECT *, CASE WHEN a - lag(b) OVER w <= INTERVAL 1 DAY THEN lag(zone) OVER w END AS prev_zone,
         CASE WHEN lead(a) OVER w - b <= INTERVAL 1 DAY THEN lead(zone) OVER w END AS next_zone
  FROM linked WHERE stays WINDOW w AS (PARTITION BY subscriber_id, period ORDER BY n))
SELECT subscriber_id, subscriber_id * 1000000 + period * 50000 + n, 'P' || s.place, 'Z' || p.zone, t.h3_9, a, b,
       round(epoch(b - a) / 60, 2), compass8(bearing(x_before - p.x, y_before - p.y)), 'Z' || prev_zone, 'Z' || next_zone,
       a::DATE
FROM stays s JOIN spot p USING (place) JOIN place t ON t.place_id = 'P' || s.place
ORDER BY subscriber_id, period, n;

-- a pass-by: seen there once; heading is the direction of the movement
INSERT INTO passby
SELECT subscriber_id, 'P' || l.place, a, compass8(bearing(p.x - x_before, p.y - y_before)), a::DATE
FROM linked l JOIN spot p USING (place)
WHERE NOT stays ORDER BY subscriber_id, period, n;
