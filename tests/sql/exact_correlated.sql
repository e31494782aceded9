# Subqueries of one value that name the row around them. The world is the bundled operator at small size.

# title: each person's longest visits
SELECT COUNT(*) AS n FROM visit v WHERE v.dwell_min >= (SELECT MAX(x.dwell_min) FROM visit x WHERE x.subscriber_id = v.subscriber_id);

# title: the first visit to each place
SELECT COUNT(*) AS n FROM visit v WHERE v.start_ts = (SELECT MIN(x.start_ts) FROM visit x WHERE x.subscriber_id = v.subscriber_id AND x.place_id = v.place_id);

# title: a release beside public rows
SELECT z.zone_id, (SELECT COUNT(*) FROM visit v WHERE v.zone_id = z.zone_id) AS n FROM zone z;

# title: a release in an expression beside public rows, with a condition of its own
SELECT z.zone_id, 1000.0 * (SELECT COUNT(DISTINCT v.subscriber_id) FROM visit v WHERE v.zone_id = z.zone_id AND v.dwell_min > 30) / nullif(z.population, 0) AS per_1000 FROM zone z WHERE z.level = 3;

# title: public rows chosen by a release
SELECT z.zone_id FROM zone z WHERE (SELECT COUNT(*) FROM visit v WHERE v.zone_id = z.zone_id) > 5;

# title: public rows beside public groups
SELECT p.name, (SELECT MAX(z.population) FROM zone z WHERE z.zone_id = p.zone_id) AS population FROM place p;

# title: persons without any row count 0
SELECT CASE WHEN n = 0 THEN 'never' ELSE 'passed' END AS kind, COUNT(*) AS people FROM (SELECT s.subscriber_id, (SELECT COUNT(*) FROM passby p WHERE p.subscriber_id = s.subscriber_id) AS n FROM subscriber s) GROUP BY 1;

# title: arithmetic over an aggregate of nothing
SELECT SUM(LEAST(n, 20)) AS s, COUNT(km) AS c FROM (SELECT s.subscriber_id, (SELECT COUNT(*) + 1 FROM trip x WHERE s.subscriber_id = x.subscriber_id AND x.mode = 'car') AS n, (SELECT SUM(x.dist_km) FROM trip x WHERE s.subscriber_id = x.subscriber_id) AS km FROM subscriber s);

# title: coalesce inside of the subquery
SELECT COUNT(*) AS n FROM subscriber s WHERE (SELECT COALESCE(MAX(x.dist_km), -1) FROM trip x WHERE x.subscriber_id = s.subscriber_id) < 0;

# title: looked up by the primary key, in the person's own row and in public rows
SELECT g, c, COUNT(*) AS n FROM (SELECT (SELECT s.gender FROM subscriber s WHERE s.subscriber_id = v.subscriber_id) AS g, (SELECT upper(p.category) FROM place p WHERE p.place_id = v.place_id AND p.radius_m > 50) AS c FROM visit v) GROUP BY ALL;

# title: looked up by a primary key that is written out
SELECT COUNT(*) AS n FROM visit WHERE place_id = (SELECT place_id FROM place WHERE place_id = 'P1') AND dwell_min > (SELECT z.level FROM zone z WHERE z.zone_id = 'Z1');

# title: a group key that tests the person's other rows
SELECT CASE WHEN subscriber_id IN (SELECT subscriber_id FROM visit WHERE place_id = 'P2') THEN 'both' ELSE 'only' END AS k, COUNT(DISTINCT subscriber_id) AS n FROM visit WHERE place_id = 'P1' GROUP BY 1;

# title: a test as a key by its alias, and by ALL
SELECT subscriber_id IN (SELECT subscriber_id FROM passby WHERE place_id = 'P2') AS passed, zone_id, COUNT(*) AS n FROM visit GROUP BY ALL;

# title: EXISTS under OR
SELECT COUNT(*) AS n FROM visit v WHERE place_id = 'P1' OR EXISTS (SELECT 1 FROM passby p WHERE p.subscriber_id = v.subscriber_id AND p.place_id = v.place_id);

# title: IN under NOT, over one person's groups
SELECT COUNT(*) AS n FROM visit v WHERE NOT (place_id = 'P1' AND subscriber_id IN (SELECT subscriber_id FROM trip GROUP BY subscriber_id HAVING COUNT(*) > 20));

# title: IN over public rows under OR
SELECT COUNT(*) AS n FROM visit WHERE place_id = 'P1' OR zone_id IN (SELECT zone_id FROM zone WHERE population > 5000);

# title: EXISTS beside public rows
SELECT z.zone_id, EXISTS (SELECT 1 FROM place p WHERE p.zone_id = z.zone_id) AS has_place FROM zone z;

# title: a test in a subquery's columns
SELECT SUM(CASE WHEN m THEN 1 ELSE 0 END) AS n FROM (SELECT *, subscriber_id IN (SELECT subscriber_id FROM trip WHERE mode = 'bike') AS m FROM visit);

# title: a group key that is looked up
SELECT (SELECT s.gender FROM subscriber s WHERE s.subscriber_id = v.subscriber_id) AS g, COUNT(*) AS n FROM visit v GROUP BY 1;

# title: IN as a case whose list names the row around it
SELECT CASE WHEN v.zone_id IN (SELECT p.zone_id FROM place p WHERE p.place_id = v.place_id) THEN 'at home' ELSE 'away' END AS k, COUNT(*) AS n FROM visit v GROUP BY 1;

# title: the person's other rows in the list, distinct, under OR
SELECT COUNT(*) FILTER (WHERE v.place_id IN (SELECT DISTINCT b.place_id FROM passby b WHERE b.subscriber_id = v.subscriber_id) OR v.dwell_min > 40) AS n FROM visit v;

# title: a list with NULLs that decides a case
SELECT SUM(CASE WHEN v.zone_id IN (SELECT nullif(z.zone_id, 'Z1') FROM zone z) AND v.dwell_min > 5 THEN 1 ELSE 0 END) AS n FROM visit v;

# title: what may be NULL before IN, under NOT of its own case
SELECT CASE WHEN nullif(v.zone_id, 'Z1') IN (SELECT z.zone_id FROM zone z WHERE z.zone_id = v.zone_id AND z.population > 0) THEN 0 ELSE 1 END AS k, COUNT(*) AS n FROM visit v GROUP BY k;

# title: IN over public rows whose list names the row around it
SELECT z.zone_id, CASE WHEN z.zone_id IN (SELECT p.zone_id FROM place p WHERE p.zone_id = z.zone_id AND p.category = 'cafe') THEN 'cafe' ELSE 'none' END AS has FROM zone z;
