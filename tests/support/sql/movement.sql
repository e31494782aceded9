-- Stays, trips, homes and places of work as plain DuckDB finds them: rows are numbered and each is joined with the one
-- before, where the dialect's own text looks back by windows. `seen` names a view of person, ts, zone_id, lon, lat.
CREATE MACRO plain_stays(seen, minutes, radius, gap, most) AS TABLE
WITH numbered AS (SELECT *, row_number() OVER (PARTITION BY person ORDER BY ts, zone_id, lon, lat) AS r FROM (SELECT DISTINCT * FROM query_table(seen))),
linked AS (
  SELECT b.*, a.ts AS before, a.lon AS a_lon, a.lat AS a_lat,
         coalesce(CASE WHEN radius IS NULL THEN a.zone_id = b.zone_id ELSE haversine_m(a.lon, a.lat, b.lon, b.lat) <= radius END
                  AND epoch_us(b.ts) - epoch_us(a.ts) <= gap * 60000000::BIGINT, false) AS goes_on
  FROM numbered b LEFT JOIN numbered a ON a.person = b.person AND a.r = b.r - 1),
cut AS (SELECT person, r, row_number() OVER (PARTITION BY person ORDER BY r) AS n FROM linked WHERE NOT goes_on),
spans AS (SELECT person, n, r AS r1, coalesce(lead(r) OVER (PARTITION BY person ORDER BY n), 1000000000) AS r2 FROM cut),
found AS (
  SELECT s.person, s.n, min(l.ts) AS start_ts, max(l.ts) AS end_ts, count(*) AS events, avg(l.lon) AS lon, avg(l.lat) AS lat,
         list(l.zone_id ORDER BY l.r)[1] AS zone_id, list(l.before ORDER BY l.r)[1] AS before,
         list(l.a_lon ORDER BY l.r)[1] AS a_lon, list(l.a_lat ORDER BY l.r)[1] AS a_lat
  FROM spans s JOIN linked l ON l.person = s.person AND l.r >= s.r1 AND l.r < s.r2 GROUP BY s.person, s.n),
stay AS (
  SELECT *, row_number() OVER (PARTITION BY person ORDER BY n) AS place FROM found
  WHERE epoch_us(end_ts) - epoch_us(start_ts) >= minutes * 60000000::BIGINT)
SELECT s.person, s.zone_id, s.start_ts, s.end_ts, least((epoch_us(s.end_ts) - epoch_us(s.start_ts)) / 60000000, most) AS dwell_min,
       s.events, s.lon, s.lat, p.zone_id AS prev_zone, q.zone_id AS next_zone,
       CASE WHEN epoch_us(s.start_ts) - epoch_us(s.before) <= gap * 60000000::BIGINT AND haversine_m(s.a_lon, s.a_lat, s.lon, s.lat) > 0
            THEN compass8(bearing_deg(s.a_lon, s.a_lat, s.lon, s.lat)) END AS approach_dir,
       s.start_ts::DATE AS visit_date, q.start_ts AS next_ts, q.lon AS next_lon, q.lat AS next_lat
FROM stay s LEFT JOIN stay p ON p.person = s.person AND p.place = s.place - 1
            LEFT JOIN stay q ON q.person = s.person AND q.place = s.place + 1;
CREATE MACRO plain_trips(seen, minutes, radius, gap, most) AS TABLE
SELECT person, zone_id AS o_zone, next_zone AS d_zone, end_ts AS dep_ts, next_ts AS arr_ts,
       least((epoch_us(next_ts) - epoch_us(end_ts)) / 60000000, most) AS minutes,
       least(haversine_m(lon, lat, next_lon, next_lat) / 1000, 200) AS dist_km, end_ts::DATE AS trip_date
FROM plain_stays(seen, minutes, radius, gap, most)
WHERE CASE WHEN radius IS NULL THEN zone_id <> next_zone ELSE haversine_m(lon, lat, next_lon, next_lat) > radius END;
CREATE MACRO plain_home(seen, at_least) AS TABLE
WITH night AS (SELECT person, zone_id, CASE WHEN ts::TIME < TIME '07:00' THEN ts::DATE - 1 ELSE ts::DATE END AS d
               FROM (SELECT DISTINCT * FROM query_table(seen)) WHERE ts::TIME >= TIME '22:00' OR ts::TIME < TIME '07:00'),
counted AS (SELECT person, zone_id, count(*) AS n, count(DISTINCT d) AS nights FROM night GROUP BY ALL)
SELECT DISTINCT ON (person) person, zone_id, nights FROM counted WHERE nights >= at_least
ORDER BY person, n DESC, nights DESC, zone_id;
CREATE MACRO plain_work(seen, at_least) AS TABLE
WITH worked AS (SELECT s.person, s.zone_id, s.ts::DATE AS d FROM (SELECT DISTINCT * FROM query_table(seen)) s
                LEFT JOIN plain_home(seen, 1) h ON h.person = s.person AND h.zone_id = s.zone_id
                WHERE h.person IS NULL AND ts::TIME >= TIME '09:00' AND ts::TIME < TIME '17:00' AND dayofweek(ts) BETWEEN 1 AND 5),
counted AS (SELECT person, zone_id, count(*) AS n, count(DISTINCT d) AS days FROM worked GROUP BY ALL)
SELECT DISTINCT ON (person) person, zone_id, days FROM counted WHERE days >= at_least ORDER BY person, n DESC, days DESC, zone_id;
