-- A trip: from one stay to the next, in another zone. It departs at the last sighting there, or, where that is more than
-- 90 minutes before the arrival, at the first sighting under way; where nobody saw it move, it does not count.

INSERT INTO trip
WITH under_way AS (
  SELECT subscriber_id, period, stay + 1 AS stay, list('Z' || zone ORDER BY n) AS via,
         list({'a': a, 'x': x_in, 'y': y_in} ORDER BY n) AS seen
  FROM island WHERE NOT stays GROUP BY subscriber_id, period, stay),
arrivals AS (
  SELECT *, lag(zone) OVER w AS o_zone, lag(place) OVER w AS o_place, lag(b) OVER w AS left_at, lag(x_out) OVER w AS o_x,
         lag(y_out) OVER w AS o_y
  FROM island WHERE stays WINDOW w AS (PARTITION BY subscriber_id, period ORDER BY n)),
joined AS (
  SELECT t.*, via, list_filter(seen, lambda s: t.a - s.a <= INTERVAL 90 MINUTE)[1] AS first_seen,
         kilometres(x_in, y_in, o_x, o_y) AS line_km
  FROM arrivals t LEFT JOIN under_way u USING (subscriber_id, period, stay) WHERE o_zone <> zone),
departed AS (
  SELECT *, CASE WHEN a - left_at <= INTERVAL 90 MINUTE THEN left_at ELSE first_seen.a END AS dep,
         -- kilometres an hour, judged where the way was seen best
         CASE WHEN first_seen IS NULL THEN line_km / (epoch(a - left_at) + 30)
              ELSE kilometres(x_in, y_in, first_seen.x, first_seen.y) / (epoch(a - first_seen.a) + 30) END * 3600 AS pace
  FROM joined)
SELECT subscriber_id, subscriber_id * 1000000 + period * 50000 + n, 'Z' || o_zone, 'Z' || zone,
       coalesce(list_filter(via, lambda z, i: list_position(via, z) = i AND z NOT IN ('Z' || o_zone, 'Z' || zone)), []),
       dep, d.a, round(line_km * 1.25, 3),
       CASE WHEN pace < 7 AND line_km < 4 THEN 'walk' WHEN pace < 15.5 THEN 'bike' WHEN pace < 25 THEN 'transit'
            ELSE 'car' END,
       CASE WHEN o_place IS NULL AND o_zone = home THEN 'home' WHEN employed AND o_zone = work THEN 'work'
            ELSE 'other' END,
       CASE WHEN place IS NULL AND zone = home THEN 'home' WHEN employed AND zone = work THEN 'work' ELSE 'other' END,
       dep::DATE
FROM departed d JOIN person p USING (subscriber_id)
WHERE dep < d.a AND line_km > 0 ORDER BY subscriber_id, period, n;
