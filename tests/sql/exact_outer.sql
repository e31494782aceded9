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
