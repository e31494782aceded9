# Set operations of people's rows over the bundled operator, at small size: each is answered as plain DuckDB answers it.

# title: all rows of two queries, the person not selected
SELECT COUNT(*) AS n FROM (SELECT place_id FROM visit UNION ALL SELECT place_id FROM passby);

# title: a table with itself
SELECT zone_id, COUNT(*) AS n, SUM(dwell_min) AS s FROM (SELECT zone_id, dwell_min FROM visit UNION ALL SELECT zone_id, dwell_min FROM visit) GROUP BY 1;

# title: where rows come from, as a key
SELECT kind, place_id, COUNT(*) AS n, COUNT(DISTINCT subscriber_id) AS people
FROM (SELECT subscriber_id, place_id, 'stop' AS kind FROM visit UNION ALL SELECT subscriber_id, place_id, 'pass' FROM passby) GROUP BY ALL;

# title: keys of two public tables
SELECT k, COUNT(*) AS n FROM (SELECT p.category AS k FROM visit v JOIN place p USING (place_id) UNION ALL SELECT z.zone_id FROM trip t JOIN zone z ON z.zone_id = t.o_zone) GROUP BY k;

# title: days of two tables
SELECT d, COUNT(DISTINCT subscriber_id) AS people FROM (SELECT subscriber_id, visit_date AS d FROM visit WHERE visit_date < DATE '2026-10-12' UNION SELECT subscriber_id, trip_date FROM trip WHERE trip_date BETWEEN DATE '2026-10-10' AND DATE '2026-10-16') GROUP BY d;

# title: weeks of a table, and rows without a time
SELECT date_trunc('week', t) AS w, COUNT(*) AS n FROM (SELECT subscriber_id, start_ts AS t FROM visit UNION ALL SELECT subscriber_id, NULL FROM subscriber) GROUP BY w;

# title: people who were here or there
SELECT COUNT(*) AS people FROM (SELECT subscriber_id FROM visit WHERE place_id = 'P1' UNION SELECT subscriber_id FROM visit WHERE place_id = 'P2');

# title: people who were here and there
SELECT COUNT(*) AS people FROM (SELECT subscriber_id FROM visit WHERE place_id = 'P1' INTERSECT SELECT subscriber_id FROM visit WHERE place_id = 'P2');

# title: people who were here and not there, by age
SELECT s.age_band, COUNT(*) AS people FROM subscriber s JOIN (SELECT subscriber_id FROM visit WHERE place_id = 'P1' EXCEPT SELECT subscriber_id FROM visit WHERE place_id = 'P2') USING (subscriber_id) GROUP BY 1;

# title: as many visits as there are trips that end there
SELECT zone_id, COUNT(*) AS n FROM (SELECT subscriber_id, zone_id FROM visit INTERSECT ALL SELECT subscriber_id, d_zone FROM trip) GROUP BY 1;

# title: visits beyond the trips that end there
SELECT zone_id, COUNT(*) AS n FROM (SELECT subscriber_id, zone_id FROM visit EXCEPT ALL SELECT subscriber_id, d_zone FROM trip) GROUP BY 1;

# title: nulls are one value to set operations
SELECT approach_dir, COUNT(*) AS n FROM (SELECT subscriber_id, approach_dir FROM visit UNION SELECT subscriber_id, NULL FROM visit) GROUP BY 1;

# title: three queries, the last two together
SELECT COUNT(*) AS n FROM (SELECT subscriber_id, zone_id FROM visit EXCEPT (SELECT subscriber_id, o_zone FROM trip INTERSECT SELECT subscriber_id, d_zone FROM trip));

# title: columns matched by name
SELECT kind, COUNT(*) AS n, COUNT(dwell_min) AS stayed FROM (SELECT subscriber_id, dwell_min, 'v' AS kind FROM visit UNION ALL BY NAME SELECT 't' AS kind, subscriber_id, mode FROM trip) GROUP BY kind;

# title: columns matched by name, each once
SELECT COUNT(*) AS n, COUNT(zone_id) AS zones FROM (SELECT subscriber_id, zone_id FROM visit UNION BY NAME SELECT subscriber_id FROM passby);

# title: an integer beside a double, a date beside a time
SELECT COUNT(*) AS n, SUM(x) AS s FROM (SELECT dwell_min AS x, visit_date AS t FROM visit UNION ALL SELECT hour(dep_ts), dep_ts FROM trip) WHERE t < TIMESTAMP '2026-10-12 00:00:00';

# title: groups of one person over a union
SELECT n, COUNT(*) AS people FROM (SELECT subscriber_id, LEAST(COUNT(*), 9) AS n FROM (SELECT subscriber_id, place_id FROM visit UNION ALL SELECT subscriber_id, place_id FROM passby) GROUP BY 1) GROUP BY n;

# title: the first of either, of one person
SELECT place_id, COUNT(*) AS people FROM (SELECT subscriber_id, arg_min(place_id, t) AS place_id FROM (SELECT subscriber_id, place_id, start_ts AS t FROM visit UNION ALL SELECT subscriber_id, place_id, ts FROM passby) GROUP BY 1) GROUP BY 1;

# title: rows chosen by a union
SELECT COUNT(*) AS n FROM trip WHERE subscriber_id IN (SELECT subscriber_id FROM visit WHERE place_id = 'P1' UNION ALL SELECT subscriber_id FROM passby WHERE place_id = 'P1');

# title: rows chosen by what a difference leaves out
SELECT COUNT(*) AS n FROM trip WHERE subscriber_id NOT IN (SELECT subscriber_id FROM visit EXCEPT SELECT subscriber_id FROM passby);

# title: a left join of a union
SELECT s.gender, COUNT(*) AS n, COUNT(u.place_id) AS places FROM subscriber s LEFT JOIN (SELECT subscriber_id, place_id FROM visit UNION SELECT subscriber_id, place_id FROM passby) u USING (subscriber_id) GROUP BY 1;

# title: a union read twice
WITH u AS (SELECT subscriber_id, place_id, visit_date AS d FROM visit UNION SELECT subscriber_id, place_id, visit_date FROM passby)
SELECT b.place_id, COUNT(DISTINCT a.subscriber_id) AS people FROM u a JOIN u b ON b.subscriber_id = a.subscriber_id AND b.d = a.d AND b.place_id <> a.place_id WHERE a.place_id = 'P1' GROUP BY 1;

# title: public rows beside a union
SELECT h.h, COUNT(u.subscriber_id) AS n FROM dim_hour h LEFT JOIN (SELECT subscriber_id, start_ts AS t FROM visit UNION ALL SELECT subscriber_id, dep_ts FROM trip) u ON hour(u.t) = h.h GROUP BY 1;

# title: a list of two conditions
SELECT place_id, COUNT(*) AS n FROM (SELECT place_id FROM visit WHERE place_id IN ('P1', 'P2') UNION ALL SELECT place_id FROM passby WHERE place_id = 'P3') GROUP BY 1;

# title: an order inside says nothing
SELECT COUNT(*) AS n FROM (SELECT place_id FROM visit UNION ALL SELECT place_id FROM passby ORDER BY place_id);

# title: capture rate by day
WITH stopped AS (SELECT DISTINCT subscriber_id, visit_date FROM visit WHERE place_id = 'P2' AND dwell_min >= 5),
     seen AS (SELECT subscriber_id, visit_date FROM visit WHERE place_id = 'P2' UNION SELECT subscriber_id, visit_date FROM passby WHERE place_id = 'P2')
SELECT seen.visit_date, COUNT(*) AS seen, COUNT(stopped.subscriber_id) AS stopped, COUNT(stopped.subscriber_id) * 1.0 / COUNT(*) AS rate
FROM seen LEFT JOIN stopped USING (subscriber_id, visit_date) GROUP BY 1 ORDER BY 1;

# title: people without rows, behind LEFT JOIN
SELECT COUNT(*) AS n, COUNT(v.place_id) AS none FROM subscriber s LEFT JOIN visit v USING (subscriber_id) WHERE v.visit_id IS NULL;

# title: people without rows of one place, by the person that is not there
SELECT s.gender, COUNT(*) AS n FROM subscriber s LEFT JOIN visit v ON v.subscriber_id = s.subscriber_id AND v.place_id = 'P1' WHERE v.subscriber_id IS NULL GROUP BY 1;

# title: trips on days without a visit, behind LEFT JOIN
SELECT t.o_zone, COUNT(*) AS n, SUM(t.dist_km) AS km, SUM(coalesce(v.dwell_min, 2)) AS twice FROM trip t LEFT JOIN visit v ON v.subscriber_id = t.subscriber_id AND v.visit_date = t.trip_date
WHERE t.mode = 'car' AND v.visit_date IS NULL GROUP BY t.o_zone;

# title: trips on days without a visit, of the right side
SELECT COUNT(*) AS n FROM visit v RIGHT JOIN trip t ON v.subscriber_id = t.subscriber_id AND v.visit_date = t.trip_date WHERE v.visit_id IS NULL;

# title: people behind LEFT JOIN where a column is NULL that may be
SELECT COUNT(*) AS n FROM subscriber s LEFT JOIN visit v USING (subscriber_id) WHERE v.approach_dir IS NULL;

# title: people without a group of their own rows
SELECT s.age_band, coalesce(q.n, 0) > 0 AS came, COUNT(*) AS n FROM subscriber s LEFT JOIN (SELECT subscriber_id, COUNT(*) AS n FROM visit WHERE zone_id = 'Z1' GROUP BY subscriber_id) q USING (subscriber_id)
WHERE q.n IS NULL GROUP BY ALL;

# title: people without rows, or with long ones
SELECT COUNT(*) AS n FROM subscriber s LEFT JOIN visit v USING (subscriber_id) WHERE v.visit_id IS NULL OR v.dwell_min > 60;

# title: people without rows, a level higher
SELECT gender, place_id IS NULL AS nowhere, COUNT(*) AS n FROM (SELECT s.gender, v.place_id FROM subscriber s LEFT JOIN visit v ON v.subscriber_id = s.subscriber_id AND v.dwell_min > 30 WHERE v.place_id IS NULL) GROUP BY ALL;
