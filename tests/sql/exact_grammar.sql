# Ways of writing FROM, WITH and * over the bundled operator, at small size: each is answered as plain DuckDB answers it.

# title: columns named behind a CTE
WITH v(who, place, minutes) AS (SELECT subscriber_id, place_id, dwell_min FROM visit) SELECT place, COUNT(DISTINCT who) AS people, SUM(minutes) AS s FROM v GROUP BY place;

# title: some columns named behind a CTE
WITH v(who) AS (SELECT subscriber_id, place_id FROM visit) SELECT place_id, COUNT(DISTINCT who) AS people FROM v GROUP BY 1;

# title: a release whose columns are named
WITH r(z, n) AS (SELECT zone_id, COUNT(*) FROM visit GROUP BY 1) SELECT z, n FROM r ORDER BY n DESC, z LIMIT 3;

# title: joins in brackets first
SELECT p.category, COUNT(*) AS n FROM (visit v JOIN place p USING (place_id)) JOIN subscriber s ON s.subscriber_id = v.subscriber_id WHERE s.gender IS NOT NULL GROUP BY 1;

# title: joins in brackets on the right
SELECT s.gender, p.category, COUNT(v.subscriber_id) AS n FROM subscriber s LEFT JOIN (visit v JOIN place p USING (place_id)) ON s.subscriber_id = v.subscriber_id GROUP BY ALL;

# title: brackets inside brackets
SELECT COUNT(*) AS n FROM ((visit v JOIN place p USING (place_id)) JOIN zone z ON z.zone_id = p.zone_id);

# title: USING over joins in brackets
SELECT COUNT(*) AS n, COUNT(DISTINCT subscriber_id) AS people FROM subscriber s JOIN (visit v JOIN place p ON p.place_id = v.place_id) USING (subscriber_id);

# title: FROM before SELECT
FROM visit SELECT zone_id, COUNT(*) AS n WHERE dwell_min > 10 GROUP BY 1;

# title: a right join of people's rows
SELECT s.gender, COUNT(*) AS n, COUNT(v.place_id) AS visits FROM visit v RIGHT JOIN subscriber s ON s.subscriber_id = v.subscriber_id AND v.place_id = 'P1' GROUP BY 1;

# title: a right join that keeps public rows
SELECT p.place_id, COUNT(v.subscriber_id) AS n FROM visit v RIGHT JOIN place p ON p.place_id = v.place_id GROUP BY 1;

# title: a right join of released rows, all columns in their order
SELECT * FROM (SELECT zone_id AS z, COUNT(*) AS n FROM visit GROUP BY 1) r RIGHT OUTER JOIN (SELECT zone_id, population FROM zone) z ON z.zone_id = r.z;

# title: on true
SELECT h.h, COUNT(*) AS n FROM visit v JOIN dim_hour h ON TRUE WHERE hour(v.start_ts) <= h.h GROUP BY 1;

# title: all columns but some
SELECT * EXCLUDE (n, z) FROM (SELECT zone_id AS z, place_id, COUNT(*) AS n FROM visit GROUP BY ALL);

# title: all columns, one replaced and one renamed
SELECT * REPLACE (n * 10 AS n) RENAME (z AS zone) FROM (SELECT zone_id AS z, COUNT(*) AS n FROM visit GROUP BY ALL);

# title: all columns of one table but some
SELECT r.*, z.* EXCLUDE (zone_id) FROM (SELECT zone_id, COUNT(*) AS n FROM visit GROUP BY 1) r JOIN (SELECT zone_id, level FROM zone) z USING (zone_id);

# title: the person left out, and counted all the same
SELECT zone_id, COUNT(*) AS n FROM (SELECT * EXCLUDE (subscriber_id) REPLACE (dwell_min * 2 AS dwell_min) FROM visit) WHERE dwell_min > 40 GROUP BY 1;
