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
