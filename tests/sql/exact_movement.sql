# Stays, trips, homes and places of work, as tests/support/sql/movement.sql finds them in plain DuckDB without windows.

# title: stays and people by zone
# instead: SELECT zone_id, COUNT(*) AS stays, COUNT(DISTINCT person) AS people FROM plain_stays('event seen', 15, NULL, 120, 1440) GROUP BY 1
SELECT zone_id, COUNT(*) AS stays, COUNT(DISTINCT subscriber_id) AS people FROM stays(event) GROUP BY 1;

# title: stays are islands between gaps
# instead: WITH e AS (SELECT subscriber_id, ts, c.zone_id, CASE WHEN c.zone_id = lag(c.zone_id) OVER w AND ts - lag(ts) OVER w <= INTERVAL 2 HOUR THEN 0 ELSE 1 END AS brk
#   FROM event JOIN cell c USING (cell_id) WINDOW w AS (PARTITION BY subscriber_id ORDER BY ts, c.zone_id, c.lon, c.lat)),
#   i AS (SELECT *, sum(brk) OVER (PARTITION BY subscriber_id ORDER BY ts, zone_id) AS isl FROM e),
#   s AS (SELECT subscriber_id, zone_id FROM i GROUP BY subscriber_id, zone_id, isl HAVING max(ts) - min(ts) >= INTERVAL 15 MINUTE)
#   SELECT zone_id, COUNT(*) AS stays, COUNT(DISTINCT subscriber_id) AS people FROM s GROUP BY 1
SELECT zone_id, COUNT(*) AS stays, COUNT(DISTINCT subscriber_id) AS people FROM stays(event, 15, max_gap => INTERVAL 2 HOUR) GROUP BY 1;

# title: stays of an hour with long silence
# instead: SELECT zone_id, COUNT(*) AS n, SUM(events) AS seen FROM plain_stays('event seen', 60, NULL, 600, 1440) GROUP BY 1
SELECT zone_id, COUNT(*) AS n, SUM(events) AS seen FROM stays(event, min_minutes => 60, max_gap_minutes => 600) GROUP BY 1;

# title: stays within a radius
# instead: SELECT zone_id, COUNT(*) AS n, AVG(dwell_min) AS m FROM plain_stays('event seen', 15, 700, 120, 1440) GROUP BY 1
SELECT zone_id, COUNT(*) AS n, AVG(dwell_min) AS m FROM stays(event, radius_m => 700) GROUP BY 1;

# title: how long they stay
# instead: SELECT dwell_band(dwell_min) AS band, COUNT(*) AS n, SUM(dwell_min) AS total, AVG(dwell_min) AS mean FROM plain_stays('event seen', 15, NULL, 120, 1440) GROUP BY 1
SELECT dwell_band(dwell_min) AS band, COUNT(*) AS n, SUM(dwell_min) AS total, AVG(dwell_min) AS mean FROM stays(event) GROUP BY 1;

# title: long stays count as an hour
# instead: SELECT SUM(dwell_min) AS total FROM plain_stays('event seen', 15, NULL, 120, 60)
SELECT SUM(dwell_min) AS total FROM stays(event, max_minutes => 60);

# title: zones before and after
# instead: SELECT prev_zone, next_zone, COUNT(*) AS n FROM plain_stays('event seen', 15, NULL, 120, 1440) WHERE zone_id = 'Z1' GROUP BY 1, 2
SELECT prev_zone, next_zone, COUNT(*) AS n FROM stays(event) WHERE zone_id = 'Z1' GROUP BY 1, 2;

# title: in which direction they came
# instead: SELECT approach_dir, COUNT(*) AS n FROM plain_stays('event seen', 15, NULL, 120, 1440) GROUP BY 1
SELECT approach_dir, COUNT(*) AS n FROM stays(event) GROUP BY 1;

# title: in which direction they came, within a radius
# instead: SELECT approach_dir, part_of_day(start_ts) AS part, COUNT(*) AS n FROM plain_stays('event seen', 5, 400, 30, 1440) GROUP BY 1, 2
SELECT approach_dir, part_of_day(start_ts) AS part, COUNT(*) AS n FROM stays(event, 5, 400, 30) GROUP BY 1, 2;

# title: mean places of stays
# instead: SELECT zone_id, AVG(lon) AS x, AVG(lat) AS y FROM plain_stays('event seen', 15, NULL, 120, 1440) GROUP BY 1
SELECT zone_id, AVG(lon) AS x, AVG(lat) AS y FROM stays(event) GROUP BY 1;

# title: stays by day and hour of the week
# instead: SELECT visit_date, hour_of_week(start_ts) AS h, COUNT(*) AS n FROM plain_stays('event seen', 15, NULL, 120, 1440) WHERE visit_date BETWEEN DATE '2026-10-05' AND DATE '2026-10-11' GROUP BY 1, 2
SELECT visit_date, hour_of_week(start_ts) AS h, COUNT(*) AS n FROM stays(event) WHERE visit_date BETWEEN DATE '2026-10-05' AND DATE '2026-10-11' GROUP BY 1, 2;

# title: stays of some events
# instead: WITH e AS (SELECT e.subscriber_id, ts, zone_id, lon, lat FROM event e JOIN cell c USING (cell_id) WHERE event_type = 'data'),
#   s AS (SELECT *, CASE WHEN lag(zone_id) OVER w = zone_id AND lag(ts) OVER w >= ts - INTERVAL 2 HOUR THEN 0 ELSE 1 END AS brk FROM e WINDOW w AS (PARTITION BY subscriber_id ORDER BY ts, zone_id, lon, lat)),
#   i AS (SELECT *, sum(brk) OVER (PARTITION BY subscriber_id ORDER BY ts, zone_id, lon, lat) AS isl FROM s),
#   d AS (SELECT subscriber_id FROM i GROUP BY subscriber_id, isl HAVING max(ts) - min(ts) >= INTERVAL 15 MINUTE) SELECT COUNT(*) AS n FROM d
SELECT COUNT(*) AS n FROM stays((SELECT * FROM event WHERE event_type = 'data')) s;

# title: stays between what a subquery calls otherwise
# instead: SELECT zone_id, COUNT(*) AS n FROM plain_stays('event seen', 15, NULL, 120, 1440) GROUP BY 1
WITH e AS (SELECT ts AS seen_at, subscriber_id AS who, cell_id AS served_by FROM event) SELECT zone_id, COUNT(*) AS n FROM stays(e) GROUP BY 1;

# title: stays in zones that a subquery makes itself
# instead: SELECT COUNT(*) AS n, COUNT(DISTINCT person) AS people, SUM(events) AS e FROM plain_stays('event seen', 15, NULL, 120, 1440)
SELECT COUNT(*) AS n, COUNT(DISTINCT subscriber_id) AS people, SUM(events) AS e FROM stays((SELECT e.subscriber_id, e.ts, c.zone_id, c.lon, c.lat FROM event e JOIN cell c USING (cell_id))) s;

# title: stays at places of the public table
# instead: SELECT z.level, z.name, COUNT(*) AS n FROM plain_stays('event seen', 15, NULL, 120, 1440) s JOIN zone z USING (zone_id) GROUP BY 1, 2
SELECT z.level, z.name, COUNT(*) AS n FROM stays(event) s JOIN zone z USING (zone_id) GROUP BY 1, 2;

# title: stays and who stays
# instead: SELECT s.age_band, COUNT(*) AS n, AVG(dwell_min) AS m FROM plain_stays('event seen', 15, NULL, 120, 1440) x JOIN subscriber s ON s.subscriber_id = x.person GROUP BY 1
SELECT s.age_band, COUNT(*) AS n, AVG(dwell_min) AS m FROM stays(event) x JOIN subscriber s USING (subscriber_id) GROUP BY 1;

# title: from zone to zone
# instead: SELECT o_zone, d_zone, COUNT(*) AS n, COUNT(DISTINCT person) AS people FROM plain_trips('event seen', 15, NULL, 120, 1440) GROUP BY 1, 2
SELECT o_zone, d_zone, COUNT(*) AS n, COUNT(DISTINCT subscriber_id) AS people FROM trips(event) GROUP BY 1, 2;

# title: from and to in one word
# instead: SELECT o_zone || '>' || d_zone AS od, COUNT(*) AS n FROM plain_trips('event seen', 15, NULL, 120, 1440) GROUP BY 1
SELECT od, COUNT(*) AS n FROM trips(event) GROUP BY 1;

# title: how long and how far
# instead: SELECT o_zone, SUM(minutes) AS m, AVG(minutes) AS a, SUM(dist_km) AS k, AVG(dist_km) AS d FROM plain_trips('event seen', 15, NULL, 120, 1440) GROUP BY 1
SELECT o_zone, SUM(minutes) AS m, AVG(minutes) AS a, SUM(dist_km) AS k, AVG(dist_km) AS d FROM trips(event) GROUP BY 1;

# title: trips by hour of departure and arrival
# instead: SELECT hour(dep_ts) AS a, hour(arr_ts) AS b, COUNT(*) AS n FROM plain_trips('event seen', 15, NULL, 120, 1440) GROUP BY 1, 2
SELECT hour(dep_ts) AS a, hour(arr_ts) AS b, COUNT(*) AS n FROM trips(event) GROUP BY 1, 2;

# title: trips farther than a radius
# within: 0.001
# instead: SELECT o_zone = d_zone AS inside, COUNT(*) AS n, SUM(dist_km) AS k FROM plain_trips('event seen', 10, 300, 90, 1440) GROUP BY 1
SELECT o_zone = d_zone AS inside, COUNT(*) AS n, SUM(dist_km) AS k FROM trips(event, 10, radius_m => 300, max_gap_minutes => 90) GROUP BY 1;

# title: trips of a day
# instead: SELECT trip_date, COUNT(*) AS n FROM plain_trips('event seen', 15, NULL, 120, 1440) WHERE trip_date >= DATE '2026-10-10' AND trip_date < DATE '2026-10-15' GROUP BY 1
SELECT trip_date, COUNT(*) AS n FROM trips(event) WHERE trip_date >= DATE '2026-10-10' AND trip_date < DATE '2026-10-15' GROUP BY 1;

# title: homes
# instead: SELECT zone_id, COUNT(*) AS people, SUM(nights) AS nights FROM plain_home('event seen', 1) GROUP BY 1
SELECT zone_id, COUNT(*) AS people, SUM(nights) AS nights FROM home_zone(event) GROUP BY 1;

# title: homes of five nights
# instead: SELECT zone_id, COUNT(*) AS people, AVG(nights) AS nights FROM plain_home('event seen', 5) GROUP BY 1
SELECT zone_id, COUNT(*) AS people, AVG(nights) AS nights FROM home_zone(event, min_nights => 5) GROUP BY 1;

# title: places of work
# instead: SELECT zone_id, COUNT(*) AS people, SUM(days) AS days FROM plain_work('event seen', 1) GROUP BY 1
SELECT zone_id, COUNT(*) AS people, SUM(days) AS days FROM work_zone(event) GROUP BY 1;

# title: places of work of three days
# instead: SELECT zone_id, COUNT(*) AS people FROM plain_work('event seen', 3) GROUP BY 1
SELECT zone_id, COUNT(*) AS people FROM work_zone(event, 3) GROUP BY 1;

# title: commuters
# instead: SELECT h.zone_id AS home, w.zone_id AS work, COUNT(*) AS people FROM plain_home('event seen', 1) h JOIN plain_work('event seen', 1) w USING (person) GROUP BY 1, 2
SELECT h.zone_id AS home, w.zone_id AS work, COUNT(*) AS people FROM home_zone(event) h JOIN work_zone(event) w USING (subscriber_id) GROUP BY 1, 2;

# title: residents, workers and visitors of zones
# instead: SELECT t.zone_id, CASE WHEN h.zone_id = t.zone_id THEN 'resident' WHEN w.zone_id = t.zone_id THEN 'worker' ELSE 'visitor' END AS role, COUNT(DISTINCT t.person) AS people
#   FROM plain_stays('event seen', 15, NULL, 120, 1440) t LEFT JOIN plain_home('event seen', 1) h USING (person) LEFT JOIN plain_work('event seen', 1) w USING (person) GROUP BY 1, 2
SELECT t.zone_id, CASE WHEN h.zone_id = t.zone_id THEN 'resident' WHEN w.zone_id = t.zone_id THEN 'worker' ELSE 'visitor' END AS role, COUNT(DISTINCT t.subscriber_id) AS people
FROM stays(event) t LEFT JOIN home_zone(event) h USING (subscriber_id) LEFT JOIN work_zone(event) w USING (subscriber_id) GROUP BY 1, 2;

# title: trips from home
# instead: SELECT t.d_zone, COUNT(*) AS n FROM plain_trips('event seen', 15, NULL, 120, 1440) t JOIN plain_home('event seen', 1) h ON h.person = t.person AND h.zone_id = t.o_zone GROUP BY 1
SELECT t.d_zone, COUNT(*) AS n FROM trips(event) t JOIN home_zone(event) h ON h.subscriber_id = t.subscriber_id AND h.zone_id = t.o_zone GROUP BY 1;

# title: rides begun at night
# world: mibici
# instead: SELECT zone_id, COUNT(*) AS riders, SUM(nights) AS nights FROM plain_home('trips seen', 2) GROUP BY 1
SELECT zone_id, COUNT(*) AS riders, SUM(nights) AS nights FROM home_zone(trips, min_nights => 2) GROUP BY 1;

# title: rides begun in one zone, one after the other
# world: mibici
# instead: SELECT zone_id, COUNT(*) AS n, SUM(events) AS rides, AVG(dwell_min) AS m FROM plain_stays('trips seen', 15, NULL, 600, 1440) GROUP BY 1
SELECT zone_id, COUNT(*) AS n, SUM(events) AS rides, AVG(dwell_min) AS m FROM stays(trips, max_gap => INTERVAL 10 HOUR) GROUP BY 1;

# title: rides begun near each other
# world: mibici
# instead: SELECT zone_id, approach_dir, COUNT(*) AS n FROM plain_stays('trips seen', 30, 500, 1440, 1440) GROUP BY 1, 2
SELECT zone_id, approach_dir, COUNT(*) AS n FROM stays(trips, 30, 500, INTERVAL 1 DAY) GROUP BY 1, 2;

# title: from one stay of riders to the next
# world: mibici
# within: 0.001
# instead: SELECT o_zone, d_zone, COUNT(*) AS n, SUM(dist_km) AS km FROM plain_trips('trips seen', 15, NULL, 600, 1440) GROUP BY 1, 2
SELECT o_zone, d_zone, COUNT(*) AS n, SUM(dist_km) AS km FROM trips(trips, max_gap_minutes => 600) GROUP BY 1, 2;

# title: where riders work
# world: mibici
# instead: SELECT zone_id, COUNT(*) AS riders FROM plain_work('trips seen', 2) GROUP BY 1
SELECT zone_id, COUNT(*) AS riders FROM work_zone(trips, 2) GROUP BY 1;

# title: riders between two rides
# world: mibici
# instead: WITH e AS (SELECT DISTINCT person_id, started_at AS ts, origin_zone AS z FROM trips UNION SELECT person_id, ended_at, dest_zone FROM trips),
#   s AS (SELECT *, CASE WHEN lag(z) OVER w = z AND ts - lag(ts) OVER w <= INTERVAL 1 DAY THEN 0 ELSE 1 END AS brk FROM e WINDOW w AS (PARTITION BY person_id ORDER BY ts, z)),
#   i AS (SELECT *, sum(brk) OVER (PARTITION BY person_id ORDER BY ts, z) AS isl FROM s),
#   d AS (SELECT z, least(dwell_minutes(min(ts), max(ts)), 1440) AS m FROM i GROUP BY person_id, isl, z HAVING max(ts) - min(ts) >= INTERVAL 15 MINUTE)
#   SELECT z AS zone_id, COUNT(*) AS n, SUM(m) AS minutes FROM d GROUP BY 1
SELECT zone_id, COUNT(*) AS n, SUM(GREATEST(LEAST(dwell_minutes(start_ts, end_ts), 1440), 0)) AS minutes
FROM stays((SELECT person_id, started_at AS ts, origin_zone AS zone_id FROM trips UNION ALL SELECT person_id, ended_at, dest_zone FROM trips), 15, max_gap => INTERVAL 1 DAY) s GROUP BY 1;
