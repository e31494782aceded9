# Several sets of keys in one GROUP BY over the bundled operator, at small size: each is answered as plain DuckDB answers it.

# title: a rollup of two keys
SELECT zone_id, approach_dir, COUNT(*) AS n, SUM(dwell_min) AS s, AVG(dwell_min) AS a FROM visit GROUP BY ROLLUP (zone_id, approach_dir);

# title: a null of a set is told from a null key
SELECT approach_dir, GROUPING(approach_dir) AS g, COUNT(*) AS n FROM visit GROUP BY ROLLUP (approach_dir);

# title: a cube, and bits for its keys
SELECT zone_id, hour(start_ts) AS h, GROUPING(zone_id, hour(start_ts)) AS g, GROUPING_ID(hour(start_ts), zone_id) AS i, COUNT(*) AS n FROM visit GROUP BY CUBE (zone_id, h);

# title: bits for all keys
SELECT GROUPING_ID() AS g, COUNT(*) AS n, COUNT(DISTINCT subscriber_id) AS people FROM visit GROUP BY GROUPING SETS ((place_id), (zone_id, place_id), ());

# title: sets as they are listed, one of them twice
SELECT place_id, zone_id, COUNT(*) AS n FROM visit GROUP BY GROUPING SETS (place_id, (zone_id), (place_id), ());

# title: a key beside a rollup
SELECT s.gender, s.age_band, COUNT(*) AS n, COUNT(DISTINCT v.subscriber_id) AS people FROM visit v JOIN subscriber s USING (subscriber_id) GROUP BY s.gender, ROLLUP (s.age_band);

# title: two rollups crossed
SELECT s.gender, s.age_band, COUNT(*) AS n FROM subscriber s GROUP BY ROLLUP (s.gender), ROLLUP (s.age_band);

# title: keys that go together
SELECT zone_id, place_id, approach_dir, COUNT(*) AS n FROM visit GROUP BY ROLLUP ((zone_id, place_id), approach_dir);

# title: conditions as keys
SELECT dwell_min > 30 AS long, approach_dir, COUNT(*) AS n FROM visit GROUP BY ROLLUP (dwell_min > 30, approach_dir);

# title: rollups among grouping sets
SELECT zone_id, approach_dir, COUNT(*) AS n FROM visit GROUP BY GROUPING SETS (ROLLUP (zone_id, approach_dir), CUBE (approach_dir));

# title: columns by their positions
SELECT zone_id AS z, approach_dir, COUNT(*) AS n FROM visit GROUP BY ROLLUP (1, 2);

# title: a list of keys
SELECT zone_id, approach_dir, COUNT(*) AS n FROM visit GROUP BY (zone_id, approach_dir);

# title: no keys at all
SELECT COUNT(*) AS n FROM visit GROUP BY ();

# title: one set of grouping sets
SELECT zone_id, GROUPING(zone_id) AS g, COUNT(*) AS n FROM visit GROUP BY GROUPING SETS ((zone_id));

# title: totals alone, and in order
SELECT zone_id, GROUPING(zone_id) AS g, COUNT(*) AS n FROM visit GROUP BY ROLLUP (zone_id) HAVING COUNT(*) > 2 ORDER BY GROUPING(zone_id), n DESC, zone_id LIMIT 7;

# title: an expression over keys, and one over aggregates
SELECT COALESCE(zone_id, 'all') AS z, COUNT(*) * 1.0 / COUNT(DISTINCT subscriber_id) AS per_head, CASE WHEN GROUPING(zone_id) = 1 THEN 'total' ELSE 'zone' END AS what FROM visit GROUP BY ROLLUP (zone_id);

# title: an aggregate of a key
SELECT hour(start_ts) AS h, SUM(hour(start_ts)) AS s FROM visit GROUP BY ROLLUP (h);

# title: share of all, within the statement
WITH r AS (SELECT zone_id, GROUPING(zone_id) AS g, COUNT(*) AS n FROM visit GROUP BY ROLLUP (zone_id))
SELECT a.zone_id, 100.0 * a.n / b.n AS share FROM r a JOIN r b ON b.g = 1 WHERE a.g = 0 ORDER BY a.zone_id;

# title: over released rows
SELECT zone_id, d, SUM(n) AS n, GROUPING(d) AS g FROM (SELECT zone_id, visit_date AS d, COUNT(*) AS n FROM visit GROUP BY ALL) GROUP BY ROLLUP (zone_id, d);

# title: over public rows
SELECT zone_id, category, COUNT(*) AS n, GROUPING(zone_id) AS g FROM place GROUP BY CUBE (zone_id, category);

# title: sets of one person's groups
SELECT place_id, n, COUNT(*) AS people FROM (SELECT subscriber_id, place_id, LEAST(COUNT(*), 5) AS n FROM visit GROUP BY subscriber_id, ROLLUP (place_id)) GROUP BY ALL;

# title: sets of one person's groups, told apart
SELECT g, AVG(n) AS mean, COUNT(*) AS groups FROM (SELECT subscriber_id, GROUPING(approach_dir) AS g, COUNT(*) AS n FROM visit GROUP BY GROUPING SETS ((subscriber_id, approach_dir), (subscriber_id))) GROUP BY g;

# title: people by whether it is a total
SELECT GROUPING(home_zone) AS g, home_zone, COUNT(*) AS n FROM subscriber GROUP BY ROLLUP (home_zone) ORDER BY ALL;

# title: a filter and a distinct
SELECT DISTINCT zone_id, COUNT(*) FILTER (WHERE dwell_min > 30) AS long FROM visit GROUP BY ROLLUP (zone_id, approach_dir);

# title: public rows kept by a left join
SELECT p.zone_id, p.place_id, COUNT(v.subscriber_id) AS n FROM place p LEFT JOIN visit v USING (place_id) GROUP BY ROLLUP (p.zone_id, p.place_id);

# title: a total that is added up
SELECT dwell_min > 30 AS long, COUNT(*) AS n, SUM(dwell_min) AS s, COUNT(approach_dir) AS d FROM visit GROUP BY ROLLUP (long);

# title: a cube that is added up, NULL keys and NULLs of sets apart
SELECT CASE WHEN dwell_min > 60 THEN 'long' WHEN dwell_min > 20 THEN 'some' END AS stay, approach_dir = 'N' AS north, GROUPING_ID() AS g, COUNT(*) AS n, COUNT(*) FILTER (WHERE zone_id = 'Z1') AS z, COUNT_IF(dwell_min > 45) AS l FROM visit GROUP BY CUBE (stay, north);

# title: totals of listed keys, added up within each place
SELECT zone_id, dwell_min > 30 AS long, COUNT(*) AS n FROM visit GROUP BY zone_id, ROLLUP (long);

# title: totals of what WHERE lists
SELECT s.gender, COUNT(*) AS n, SUM(v.dwell_min) AS s FROM visit v JOIN subscriber s USING (subscriber_id) WHERE s.gender IN ('f', 'm') GROUP BY ROLLUP (s.gender);

# title: totals of days that WHERE lists
SELECT visit_date, COUNT(*) AS n FROM visit WHERE visit_date BETWEEN DATE '2026-10-05' AND DATE '2026-10-07' GROUP BY ROLLUP (visit_date);

# title: people are not added up
SELECT dwell_min > 30 AS long, COUNT(DISTINCT subscriber_id) AS people, COUNT(*) AS n FROM visit GROUP BY ROLLUP (long);

# title: a total that is added up, and a key that is NULL
SELECT CASE WHEN dwell_min > 60 THEN 'long' WHEN dwell_min > 20 THEN 'some' END AS stay, COUNT(*) AS n FROM visit GROUP BY ROLLUP (stay) ORDER BY ALL;

# title: people of one row each
SELECT CASE WHEN age_band = '18-24' THEN 'young' ELSE 'other' END AS age, COUNT(DISTINCT subscriber_id) AS people, COUNT(*) AS n FROM subscriber GROUP BY ROLLUP (age);

# title: shares of what is added up
WITH r AS (SELECT dwell_min > 30 AS long, GROUPING(dwell_min > 30) AS g, COUNT(*) AS n FROM visit GROUP BY ROLLUP (long))
SELECT a.long, 100.0 * a.n / b.n AS share FROM r a JOIN r b ON b.g = 1 WHERE a.g = 0 ORDER BY a.long;
