# The outer part: what is done with releases and public tables alone. The world is the bundled operator at small size.

# title: different public values in an order
SELECT DISTINCT category, zone_id FROM place ORDER BY category DESC, zone_id LIMIT 5;

# title: a statistic of releases
SELECT stddev(n) AS s, variance(n) AS v, median(n) AS m, arg_max(place_id, n) AS top FROM (SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id) AS q;

# title: a slice of nothing
SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id ORDER BY n, place_id LIMIT 0;

# title: a slice beyond the end
SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id ORDER BY n, place_id LIMIT 3 OFFSET 1000;

# title: a chain of ctes over a release
WITH a AS (SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id), b AS (SELECT * FROM a WHERE n > 10),
     c AS (SELECT b.place_id, b.n, p.category FROM b JOIN place p USING (place_id))
SELECT category, SUM(n) AS s, COUNT(*) AS k FROM c GROUP BY category HAVING COUNT(*) > 1 ORDER BY s DESC, category;

# title: two releases of one row each
SELECT a.n / b.n AS r FROM (SELECT COUNT(*) AS n FROM visit) a, (SELECT COUNT(*) AS n FROM trip) b;

# title: a release filtered by its text
SELECT category, n FROM (SELECT p.category, COUNT(*) AS n FROM visit v JOIN place p USING (place_id) GROUP BY p.category) WHERE category LIKE '%a%' OR n > 3;

# title: having on a key
SELECT hour(start_ts) AS h, COUNT(*) AS n FROM visit GROUP BY h HAVING h BETWEEN 8 AND 12 ORDER BY h;

# title: truths about counts
SELECT place_id, COUNT(*) AS n, COUNT(*) > 10 AS big, NOT (COUNT(*) > 10) AS small, COUNT(*) IS NULL AS nil FROM visit GROUP BY place_id;

# title: casts of released numbers
SELECT CAST(COUNT(*) AS DOUBLE) AS d, CAST(AVG(dwell_min) AS BIGINT) AS i, CAST(COUNT(*) AS VARCHAR) AS t FROM visit;

# title: functions of released numbers
SELECT round(AVG(dwell_min), 2) AS a, floor(SUM(dwell_min) / 7.3) AS f, abs(-COUNT(*)) AS p, greatest(COUNT(*), 5) AS g, ln(COUNT(*)) AS l, sqrt(COUNT(*)) AS s, pow(COUNT(*), 2) AS q FROM visit;

# title: names of released dates
SELECT visit_date, dayname(visit_date) AS dn, isodow(visit_date) AS d, COUNT(*) AS n FROM visit GROUP BY visit_date;

# title: months of released dates
SELECT date_trunc('month', visit_date) AS m, MIN(n) AS least FROM (SELECT visit_date, COUNT(*) AS n FROM visit GROUP BY 1) GROUP BY m;

# title: a day later
SELECT visit_date + 1 AS next_day, COUNT(*) AS n FROM visit GROUP BY 1;

# title: released days in a public calendar
SELECT q.visit_date, c.is_weekend, q.n FROM (SELECT visit_date, COUNT(*) AS n FROM visit GROUP BY 1) q JOIN calendar c ON q.visit_date = c.d WHERE NOT c.is_holiday;

# title: every day of a public calendar
SELECT c.d, coalesce(q.n, 0) AS n FROM calendar c LEFT JOIN (SELECT visit_date, COUNT(*) AS n FROM visit WHERE place_id = 'P1' GROUP BY 1) q ON q.visit_date = c.d ORDER BY c.d;

# title: every public hour
SELECT x.h, y.n FROM dim_hour x LEFT JOIN (SELECT hour(ts) AS h, COUNT(DISTINCT subscriber_id) AS n FROM event GROUP BY 1) y ON x.h = y.h;

# title: shares and differences of means
SELECT SUM(dwell_min) FILTER (WHERE place_id = 'P1') / SUM(dwell_min) AS share, AVG(dwell_min) - 10 AS d, 2 * AVG(dwell_min) AS t FROM visit;

# title: releases joined on a key that may be null
SELECT a.gender, a.n, b.n AS m FROM (SELECT gender, COUNT(*) AS n FROM subscriber GROUP BY gender) a
JOIN (SELECT gender, COUNT(*) AS n FROM subscriber WHERE age_band = '65+' GROUP BY gender) b ON a.gender IS NOT DISTINCT FROM b.gender;

# title: releases joined on a key whose null has no partner
SELECT a.gender, a.n, b.n AS m FROM (SELECT gender, COUNT(*) AS n FROM subscriber GROUP BY gender) a
LEFT JOIN (SELECT gender, COUNT(*) AS n FROM subscriber GROUP BY gender) b ON a.gender = b.gender;

# title: a spread
SELECT MAX(n) - MIN(n) AS spread FROM (SELECT place_id, COUNT(*) AS n FROM visit GROUP BY 1);

# title: a parent of public zones twice joined
SELECT z2.name, COUNT(*) AS n FROM visit v JOIN zone z USING (zone_id) JOIN zone z2 ON z.parent_id = z2.zone_id GROUP BY z2.name;

# title: a history of a public thing
SELECT c.technology, COUNT(*) AS n FROM event e LEFT JOIN cell c ON e.cell_id = c.cell_id AND e.ts >= c.valid_from AND (c.valid_to IS NULL OR e.ts < c.valid_to) GROUP BY 1;

# title: days of two private tables matched
SELECT COUNT(*) AS n FROM visit v JOIN (SELECT DISTINCT subscriber_id, trip_date FROM trip WHERE mode = 'car') t ON v.subscriber_id = t.subscriber_id AND v.visit_date = t.trip_date;

# title: people with or without a row of their own
SELECT s.gender, COUNT(q.n) AS with_visits, COUNT(*) AS everybody FROM subscriber s LEFT JOIN (SELECT subscriber_id, COUNT(*) AS n FROM visit GROUP BY 1) q USING (subscriber_id) GROUP BY s.gender;

# title: a list of keys, one of which does not exist
SELECT visit_date, place_id, COUNT(*) AS n FROM visit WHERE visit_date IN ('2026-10-03', '2026-10-04') AND place_id IN ('P1', 'P2', 'nope') GROUP BY ALL;

# title: two releases, one under the other
SELECT 'before' AS leg, prev_zone AS zone_id, COUNT(DISTINCT subscriber_id) AS n FROM visit WHERE place_id = 'P1' GROUP BY 2
UNION ALL SELECT 'after', next_zone, COUNT(DISTINCT subscriber_id) FROM visit WHERE place_id = 'P1' GROUP BY 2;

# title: a union in order, cut
SELECT place_id AS x, COUNT(*) AS n FROM visit GROUP BY 1 UNION SELECT zone_id, COUNT(*) FROM visit GROUP BY 1 ORDER BY n DESC, x LIMIT 5 OFFSET 1;

# title: a total below its parts
WITH n AS (SELECT place_id, COUNT(*) AS n FROM visit GROUP BY 1) SELECT place_id, n FROM n UNION ALL SELECT NULL, SUM(n) FROM n ORDER BY n, place_id;

# title: keys that two releases share
SELECT zone_id FROM visit GROUP BY 1 HAVING COUNT(*) > 3 INTERSECT SELECT zone_id FROM place;

# title: keys that only one release has
SELECT zone_id FROM zone EXCEPT (SELECT zone_id FROM visit GROUP BY 1 HAVING COUNT(*) > 3) ORDER BY 1;

# title: repeats that two lists share
SELECT zone_id FROM place INTERSECT ALL SELECT zone_id FROM place WHERE place_id > 'P2';

# title: repeats that are left
SELECT zone_id FROM place EXCEPT ALL SELECT zone_id FROM zone;

# title: whole numbers over doubles, dates over times
SELECT COUNT(*) AS x, DATE '2026-10-01' AS t FROM visit UNION ALL SELECT AVG(dwell_min), TIMESTAMP '2026-10-01 10:00:00' FROM visit;

# title: a union as a table of its own
SELECT leg, SUM(n) AS n FROM (SELECT 'v' AS leg, COUNT(*) AS n FROM visit UNION ALL SELECT 't', COUNT(*) FROM trip UNION ALL SELECT 'v', 3) AS u GROUP BY leg ORDER BY leg;

# title: people's rows by keys of a union of public lists
SELECT v.zone_id, COUNT(*) AS n FROM visit v JOIN (SELECT zone_id FROM place UNION SELECT 'Z1') z USING (zone_id) GROUP BY 1;

# title: the first rows by FETCH
SELECT place_id, COUNT(*) AS n FROM visit GROUP BY 1 ORDER BY n DESC, place_id FETCH FIRST 2 ROWS ONLY;

# title: an index against all
WITH shop AS (SELECT s.age_band, COUNT(DISTINCT v.subscriber_id) * 1.0 n FROM visit v JOIN subscriber s USING (subscriber_id) WHERE v.place_id = 'P1' GROUP BY 1),
     base AS (SELECT age_band, COUNT(*) * 1.0 n FROM subscriber GROUP BY 1)
SELECT b.age_band, 100 * (shop.n / (SELECT SUM(n) FROM shop)) / (b.n / (SELECT SUM(n) FROM base)) AS idx
FROM base b LEFT JOIN shop USING (age_band);

# title: a share of all, at the boundary itself
SELECT place_id, COUNT(*) * 1.0 / (SELECT COUNT(*) FROM visit) AS share FROM visit GROUP BY 1
HAVING COUNT(*) > (SELECT COUNT(*) / 100 FROM visit) ORDER BY share DESC, place_id;

# title: values alone
SELECT (SELECT COUNT(*) FROM visit) AS visits, (SELECT COUNT(DISTINCT subscriber_id) FROM trip) AS persons, (SELECT MAX(population) FROM zone) AS largest;

# title: released rows above their mean
SELECT place_id, n FROM (SELECT place_id, COUNT(*) AS n FROM visit GROUP BY 1) WHERE n > (SELECT AVG(n) FROM (SELECT COUNT(*) AS n FROM visit GROUP BY place_id));

# title: people's rows against a public value
SELECT COUNT(*) AS n FROM visit v JOIN place p USING (place_id) WHERE v.dwell_min > (SELECT MIN(level) FROM zone) * 10;

# title: a subquery without a row is null
SELECT COUNT(*) + (SELECT population FROM zone WHERE population < 0 LIMIT 1) AS n FROM visit;

# title: a case over a subquery
SELECT place_id, CASE WHEN COUNT(*) > (SELECT 5) THEN 'many' ELSE 'few' END AS how FROM visit GROUP BY place_id;

# title: people of either place, of each and of both
WITH a AS (SELECT DISTINCT subscriber_id FROM visit WHERE place_id='P1'), b AS (SELECT DISTINCT subscriber_id FROM visit WHERE place_id='P2')
SELECT count(*) AS either, count(a.subscriber_id) AS in_a, count(b.subscriber_id) AS in_b, count(CASE WHEN a.subscriber_id IS NOT NULL AND b.subscriber_id IS NOT NULL THEN 1 END) AS both
FROM a FULL JOIN b USING (subscriber_id);

# title: days of people on either side of a full join
SELECT visit_date, count(*) AS n, count(v.m) AS visited, count(p.m) AS passed, count(DISTINCT subscriber_id) AS people FROM (SELECT subscriber_id, visit_date, sum(dwell_min) AS m FROM visit GROUP BY 1,2) v FULL JOIN (SELECT subscriber_id, visit_date, count(*) AS m FROM passby GROUP BY 1,2) p USING (subscriber_id, visit_date) GROUP BY 1;

# title: a full join that is joined on
SELECT s.age_band, count(*) AS n, count(b.k) AS b FROM (SELECT subscriber_id, count(*) AS k FROM visit WHERE place_id='P1' GROUP BY 1) a FULL JOIN (SELECT subscriber_id, count(*) AS k FROM passby WHERE place_id='P1' GROUP BY 1) b USING (subscriber_id) JOIN subscriber s USING (subscriber_id) GROUP BY 1;

# title: rows of two tables of people, met on more than the person
SELECT hour(coalesce(v.start_ts, p.ts)) AS h, count(*) AS n FROM visit v FULL JOIN passby p ON p.subscriber_id = v.subscriber_id AND p.place_id = v.place_id AND p.visit_date = v.visit_date GROUP BY 1;

# title: who was there before and after
SELECT a.subscriber_id IS NOT NULL AS was, b.subscriber_id IS NOT NULL AS came, count(*) AS people FROM (SELECT DISTINCT subscriber_id FROM visit WHERE visit_date < DATE '2026-10-15') a FULL JOIN (SELECT DISTINCT subscriber_id FROM visit WHERE visit_date >= DATE '2026-10-15') b USING (subscriber_id) GROUP BY 1, 2;
