-- A trip: from one stay to the next, in another zone. It departs at the last sighting there, or, where that is more than
-- 90 minutes before the arrival, at the first sighting under way; where nobody saw it move, it is not counted.

INSERT INTO trip
WITH under_way AS (
  SELECT subscriber_id, period, stay + 1 AS stay, list('Z' || zone ORDER BY n) AS via, list({'a': a, 'x': x_in, 'y': y_in} ORDER BY n) AS seen
  FROM linked WHERE NOT stays GROUP BY subscriber_id, period, stay),
arrivals AS (
  SELECT subscriber_id, period, stay, n, place, zone, a, x_in, y_in, lag(zone) OVER w AS o_zone, lag(place) OVER w AS o_place, lag(b) OVER w AS left_at,
         lag(x_out) OVER w AS o_x, lag(y_out) OVER w AS o_y
  FROM linked WHERE stays WINDOW w AS (PARTITION BY subscriber_id, period ORDER BY n)),
joined AS (
  SELECT t.*, u.via, list_filter(u.seen, lambda s: t.a - s.a <= INTERVAL 90 MINUTE)[1] AS first_seen
  FROM arrivals t LEFT JOIN under_way u USING (subscriber_id, period, stay) WHERE o_zone <> zone),
departed AS (
  SELECT *, CASE WHEN a - left_at <= INTERVAL 90 MINUTE THEN left_at ELSE first_seen.a END AS dep,
         kilometres(x_in, y_in, o_x, o_y) AS line_km,
         -- speed is judged where the way was seen best
         CASE WHEN first_seen IS NOT NULL THEN kilometres(x_in, y_in, first_seen.x, first_seen.y) / (epoch(a - first_seen.a) + 30) * 3600
              ELSE kilometres(x_in, y_in, o_x, o_y) / (epoch(a - left_at) + 30) * 3600 END AS speed
  FROM joined)
SELECT subscriber_id, subscriber_id * 1000000 + period * 50000 + n, 'Z' || o_zone, 'Z' || d.zone,
       coalesce(list_filter(via, lambda z, i: list_position(via, z) = i AND z <> 'Z' || o_zone AND z <> 'Z' || d.zone), []), dep, d.a, round(line_km * 1.25, 3),
       CASE WHEN d.speed < 7 AND line_km < 4 THEN 'walk' WHEN d.speed < 15.5 THEN 'bike' WHEN d.speed < 25 THEN 'transit' ELSE 'car' END,
       CASE WHEN o_place IS NULL AND o_zone = home THEN 'home' WHEN o_zone = work AND employed THEN 'work' ELSE 'other' END,
       CASE WHEN d.place IS NULL AND d.zone = home THEN 'home' WHEN d.zone = work AND employed THEN 'work' ELSE 'other' END, dep::DATE
FROM departed d JOIN person p USING (subscriber_id)
WHERE dep IS NOT NULL ORDER BY subscriber_id, period, n;
