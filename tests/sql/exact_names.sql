# Names and spellings: what an alias hides, and where. The world is the bundled operator at small size.

# title: a column hides an alias in GROUP BY, and not in ORDER BY
SELECT lower(approach_dir) AS approach_dir, COUNT(*) AS n FROM visit GROUP BY approach_dir ORDER BY approach_dir DESC;

# title: an alias under a column's name, after GROUP BY ALL
SELECT lower(approach_dir) AS approach_dir, COUNT(*) AS n FROM visit GROUP BY ALL ORDER BY approach_dir;

# title: an alias under a column's name, grouped by position
SELECT lower(approach_dir) AS approach_dir, COUNT(*) AS n FROM visit GROUP BY 1 ORDER BY approach_dir;

# title: an hour under the name of its time
SELECT hour(start_ts) AS start_ts, COUNT(*) AS n FROM visit GROUP BY ALL HAVING COUNT(*) > 3 ORDER BY start_ts;

# title: a column hides an alias in HAVING
SELECT lower(approach_dir) AS approach_dir, COUNT(*) AS n FROM visit GROUP BY approach_dir HAVING approach_dir = 'N';

# title: a key named with and without its table
SELECT v.place_id, COUNT(*) AS place_id2 FROM visit v GROUP BY place_id ORDER BY v.place_id;

# title: a key named with its table
SELECT place_id, COUNT(*) AS n FROM visit GROUP BY visit.place_id ORDER BY visit.place_id;

# title: capitals anywhere
SELECT V.Place_Id, COUNT(*) AS N FROM Visit AS V GROUP BY v.PLACE_ID ORDER BY n, V.place_id;

# title: ordered by an alias that is an aggregate
SELECT -COUNT(*) AS n, place_id FROM visit GROUP BY place_id ORDER BY n, place_id;

# title: ordered by an alias in an expression
SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id ORDER BY -n, place_id LIMIT 4;

# title: names exchanged
SELECT place_id AS n, COUNT(*) AS place_id FROM visit GROUP BY 1 ORDER BY place_id, n;

# title: ordered by an alias that hides the release's column
SELECT place_id, -n AS n FROM (SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id) AS q ORDER BY n, place_id LIMIT 4;

# title: ordered by the release's column that an alias hides
SELECT place_id, -n AS n FROM (SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id) AS q ORDER BY q.n, place_id LIMIT 4;

# title: a column that an alias hides, in WHERE
SELECT place_id, -n AS n FROM (SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id) AS q WHERE n > 20;

# title: an alias, a column and an aggregate of one name
SELECT place_id, SUM(n) AS n FROM (SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id) AS q GROUP BY place_id HAVING SUM(n) > 20 ORDER BY n, place_id;

# title: different values under their old name
SELECT DISTINCT lower(category) AS category FROM place ORDER BY category;

# title: ctes named like tables
WITH event AS (SELECT * FROM visit), visit AS (SELECT * FROM passby) SELECT COUNT(*) AS n FROM event;

# title: a cte inside a cte of the same name
WITH a AS (SELECT subscriber_id, place_id FROM visit), b AS (WITH a AS (SELECT subscriber_id, place_id FROM passby) SELECT * FROM a) SELECT COUNT(*) AS n FROM b;

# title: a cte joined with itself by two columns
WITH a AS (SELECT subscriber_id, place_id FROM visit) SELECT x.place_id, COUNT(*) AS n FROM a x JOIN a y USING (subscriber_id, place_id) GROUP BY 1;

# title: tables joined by two columns
SELECT place_id, category, COUNT(*) AS n FROM visit JOIN place USING (place_id, zone_id) GROUP BY ALL;

# title: a merged column as a key
SELECT zone_id, COUNT(*) AS n FROM visit JOIN place USING (place_id, zone_id) GROUP BY zone_id;

# title: is the person null
SELECT subscriber_id IS NULL AS x, COUNT(*) AS n FROM visit GROUP BY x;

# title: persons on both sides of USING
SELECT COUNT(subscriber_id) AS n, COUNT(DISTINCT s.subscriber_id) AS m FROM subscriber s LEFT JOIN visit v USING (subscriber_id);

# title: persons on both sides of ON
SELECT COUNT(v.subscriber_id) AS n, COUNT(DISTINCT v.subscriber_id) AS m FROM subscriber s LEFT JOIN visit v ON s.subscriber_id = v.subscriber_id AND v.dwell_min > 100;

# title: a release named like a table
SELECT visit.* FROM (SELECT place_id, COUNT(*) AS n FROM visit GROUP BY 1) AS visit WHERE n > 50;

# title: a derived table renames its column
SELECT q.n FROM (SELECT COUNT(*) AS n FROM visit) AS q(n);

# title: a derived table exchanges its columns
SELECT q.b, q.a FROM (SELECT place_id, COUNT(*) AS n FROM visit GROUP BY 1) AS q(a, b);

# title: constants with names
SELECT t.x, COUNT(*) AS n FROM visit v JOIN (VALUES ('P1', 1), ('P2', 2)) t(p, x) ON v.place_id = t.p GROUP BY t.x;

# title: constants with types and a null
SELECT t.x, t.y FROM (VALUES (1, DATE '2026-10-01'), (2, NULL)) t(x, y) ORDER BY x;

# title: FROM comes first
FROM visit SELECT COUNT(*) AS n;

# title: names in quotes
SELECT COUNT(*) AS "n n", COUNT(*) AS "select" FROM visit;

# title: constants beside a count
SELECT 'it''s' AS t, 1.5e3 AS d, -7 AS i, NULL AS z, TRUE AS b, COUNT(*) AS n FROM visit;

# title: numbers as they can be written
SELECT COUNT(*) AS n FROM visit WHERE dwell_min > 1e1 AND dwell_min < .5e3 AND dwell_min <> 10.;

# title: casts in short form
SELECT COUNT(*) AS n FROM visit WHERE dwell_min::INT = 10 OR dwell_min::VARCHAR = '10.0';

# title: an integer made from a double as a key
SELECT dwell_min::INT AS m, COUNT(*) AS n FROM visit WHERE dwell_min::INT BETWEEN 0 AND 10 GROUP BY m;

# title: NOT before IN
SELECT COUNT(*) AS n FROM visit WHERE hour(start_ts) IN (8, 9) AND NOT hour(end_ts) IN (8);

# title: dates of times compared
SELECT COUNT(*) AS n FROM visit WHERE start_ts::DATE = visit_date AND end_ts::DATE <> visit_date;

# title: comparisons the other way round
SELECT COUNT(*) AS n FROM visit WHERE 5 < dwell_min AND dwell_min <= 10 OR 20 < dwell_min;

# title: text put together and cut
SELECT COUNT(*) AS n FROM visit WHERE approach_dir || 'x' = 'Nx' AND length(approach_dir) = 1 AND approach_dir < 'S';

# title: ends of a text as keys
SELECT approach_dir, left(approach_dir, 1) AS l, right(approach_dir, 1) AS r, COUNT(*) AS n FROM visit GROUP BY ALL;

# title: a list inside a CASE, and a NULL
SELECT CASE WHEN approach_dir IN ('N','NE','NW') THEN 'north' WHEN approach_dir IS NULL THEN NULL ELSE 'other' END AS d, COUNT(*) AS n FROM visit GROUP BY d;

# title: IF
SELECT IF(dwell_min > 30, 'long', 'short') AS d, COUNT(*) AS n FROM visit GROUP BY d;

# title: a condition of two columns as a key
SELECT dwell_min > 30 AND approach_dir = 'N' AS d, COUNT(*) AS n FROM visit GROUP BY d;

# title: all parts of a date
SELECT month(visit_date) AS m, year(visit_date) AS y, quarter(visit_date) AS q, week(visit_date) AS w, day(visit_date) AS d, COUNT(*) AS n FROM visit GROUP BY ALL;

# title: intervals between
SELECT COUNT(*) AS n FROM visit WHERE end_ts - start_ts > INTERVAL 1 HOUR AND end_ts - start_ts < INTERVAL '2 hours';

# title: times moved by intervals
SELECT COUNT(*) AS n FROM visit WHERE start_ts > TIMESTAMP '2026-10-10' - INTERVAL 3 DAY AND start_ts < CAST('2026-10-10' AS TIMESTAMP) + INTERVAL '1' MONTH;

# title: an item that names those before it
SELECT place_id, COUNT(*) AS n, COUNT(*) FILTER (WHERE dwell_min > 30) AS long, long / n AS share, share * 100 AS percent FROM visit GROUP BY place_id;

# title: items that name keys and aggregates before them, grouped by all
SELECT place_id AS p, hour(start_ts) AS h, h + 1 AS later, COUNT(*) AS n, n * 2 AS m, m + 1 AS z FROM visit GROUP BY ALL;

# title: a column hides the item before it
SELECT dwell_min + 1 AS dwell_min, dwell_min * 2 AS b, COUNT(*) AS n FROM visit WHERE dwell_min IN (5, 10) GROUP BY ALL;

# title: an item that names one before it, row by row
SELECT SUM(b) AS s FROM (SELECT LEAST(dwell_min, 60) AS a, a * 2 AS b FROM visit);

# title: WHERE calls an item by its name
SELECT place_id, hour(start_ts) AS h, COUNT(*) AS n FROM visit WHERE h BETWEEN 8 AND 12 AND place_id IN ('P1', 'P2') GROUP BY ALL;

# title: WHERE prefers a column to an item
SELECT dwell_min + 100 AS dwell_min, COUNT(*) AS n FROM visit WHERE dwell_min < 30 AND dwell_min IN (5, 10, 20) GROUP BY ALL;
