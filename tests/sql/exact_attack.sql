# Questions over the world of the adversarial cases: NaN, infinities, NULLs, rows of nobody, a public key that comes twice.

# title: rows of admitted persons
SELECT COUNT(*) AS n FROM events;

# title: refusers count nowhere
SELECT COUNT(*) AS n, COUNT(DISTINCT subscriber_id) AS persons FROM events WHERE dwell_s >= 0;

# title: the person's own table
SELECT gender, COUNT(*) AS n, AVG(age) AS age FROM subscribers GROUP BY gender;

# title: a private text key
SELECT home_zone, COUNT(*) AS n FROM subscribers GROUP BY home_zone;

# title: a private key in another table's rows
SELECT s.home_zone, COUNT(*) AS n, COUNT(DISTINCT e.subscriber_id) AS persons FROM events e JOIN subscribers s USING (subscriber_id) GROUP BY s.home_zone;

# title: a private key beside a public one
SELECT s.home_zone, s.gender, COUNT(*) AS n FROM subscribers s GROUP BY ALL;

# title: an integer key without a list
SELECT age, COUNT(*) AS n FROM subscribers GROUP BY age;

# title: an integer key between two ends
SELECT age, COUNT(*) AS n FROM subscribers WHERE age BETWEEN 20 AND 40 GROUP BY age;

# title: an integer key above one end and below another
SELECT age, COUNT(*) AS n FROM subscribers WHERE age > 20 AND age < 40 GROUP BY age;

# title: an integer key from one end to below another
SELECT age, COUNT(*) AS n FROM subscribers WHERE 20 <= age AND 40 > age GROUP BY age;

# title: decades
SELECT age // 10 * 10 AS decade, COUNT(*) AS n FROM subscribers WHERE age BETWEEN 0 AND 119 GROUP BY decade;

# title: decades by floor
SELECT floor(age / 10) AS decade, COUNT(*) AS n FROM subscribers WHERE age BETWEEN 0 AND 119 GROUP BY decade;

# title: remainder of a private number
SELECT age % 7 AS r, COUNT(*) AS n FROM subscribers WHERE age BETWEEN 0 AND 119 GROUP BY r;

# title: division by what is not zero
SELECT COUNT(1 // (age - 34)) AS n FROM subscribers WHERE age IS NOT NULL AND age - 34 <> 0;

# title: sum of divisions by what may be zero, where nobody is 34
SELECT SUM(1000 // (age - 34)) AS s FROM subscribers WHERE age <> 34;

# title: no short circuit
SELECT COUNT(*) AS n FROM subscribers WHERE age <> 113 AND 1000 // (age - 113) < -11;

# title: nothing at all
SELECT COUNT(*) AS n FROM events WHERE 1 = 0;

# title: the difference of counts
SELECT COUNT(age) - COUNT(*) AS n, COUNT(gender) - COUNT(*) AS m FROM subscribers;

# title: a clean column's sum and mean
SELECT SUM(dwell_s) AS s, AVG(dwell_s) AS a, COUNT(dwell_s) AS n FROM events WHERE dwell_s BETWEEN 0 AND 100000;

# title: a column with infinities, where it is finite
SELECT cell_id, AVG(lat) AS a FROM events WHERE lat BETWEEN -90 AND 90 AND cell_id < 10 GROUP BY cell_id;

# title: NaN is above every number
SELECT COUNT(*) FILTER (WHERE dwell_s > 1e300) AS above, COUNT(*) FILTER (WHERE dwell_s < 0) AS below, COUNT(*) FILTER (WHERE lon > 0) AS east FROM events;

# title: minus zero is zero
SELECT COUNT(*) AS n FROM events WHERE lon = 0;

# title: LEAST and GREATEST over NaN, infinity and NULL
SELECT SUM(LEAST(GREATEST(dwell_s, 0), 7200)) AS s, COUNT(*) AS n FROM events;

# title: expressions inside their range
SELECT SUM(100 * dwell_s) AS a, SUM(dwell_s * dwell_s) AS b FROM events WHERE dwell_s BETWEEN 0 AND 7200;

# title: a filter beside no filter
SELECT COUNT(*) FILTER (WHERE age = 113) AS one, COUNT(*) AS n FROM subscribers;

# title: cells that come twice count twice
SELECT zone, COUNT(*) AS n FROM events JOIN cells USING (cell_id) GROUP BY zone;

# title: all rows, with or without a cell
SELECT zone, COUNT(*) AS n, COUNT(c.cell_id) AS m FROM events e LEFT JOIN cells c ON e.cell_id = c.cell_id GROUP BY zone;

# title: rows that no cell knows
SELECT COUNT(*) AS n FROM events e LEFT JOIN cells c ON e.cell_id = c.cell_id WHERE c.cell_id IS NULL;

# title: public cells under conditions on both sides
SELECT c.zone, COUNT(*) AS n FROM events e JOIN cells c ON e.cell_id = c.cell_id AND c.lon > -103.35 AND e.dwell_s > 60 GROUP BY c.zone;

# title: joined by nearness
SELECT c.zone, COUNT(*) AS n FROM events e JOIN cells c ON abs(e.lon - c.lon) < 0.01 AND abs(e.lat - c.lat) < 0.05 GROUP BY c.zone;

# title: hours
SELECT hour(ts) AS h, COUNT(*) AS n FROM events GROUP BY h;

# title: hours joined
SELECT d.h, COUNT(*) AS n FROM hours d JOIN events e ON hour(e.ts) = d.h WHERE d.h BETWEEN 6 AND 9 GROUP BY d.h;

# title: hours over a range of time
SELECT date_trunc('hour', ts) AS h, COUNT(*) AS n FROM events WHERE ts >= '2026-10-02' AND ts < '2026-10-03 12:00:00' GROUP BY h;

# title: dates of a declared range
SELECT CAST(ts AS DATE) AS d, COUNT(*) AS n FROM events GROUP BY d;

# title: self-join of events
SELECT COUNT(*) AS n FROM events e1 JOIN events e2 USING (subscriber_id) WHERE e1.cell_id = 3;

# title: self-join with an order in time
SELECT a.cell_id AS origin, b.cell_id AS destination, COUNT(*) AS n FROM events a JOIN events b ON a.subscriber_id = b.subscriber_id AND a.ts < b.ts
WHERE a.cell_id IN (1, 2, 3) AND b.cell_id IN (1, 2, 3) GROUP BY ALL;

# title: left self-join: events that nothing follows
SELECT a.cell_id, COUNT(*) AS n FROM events a LEFT JOIN events b ON a.subscriber_id = b.subscriber_id AND a.ts < b.ts
WHERE b.subscriber_id IS NULL AND a.cell_id < 10 GROUP BY a.cell_id;

# title: joined the other way round
SELECT s.gender, COUNT(*) AS n FROM subscribers s JOIN events e ON e.subscriber_id = s.subscriber_id AND e.dwell_s < 600 AND s.age > 30 GROUP BY s.gender;

# title: left join keeps persons without events
SELECT s.gender, COUNT(*) AS n, COUNT(e.subscriber_id) AS m, SUM(LEAST(GREATEST(e.dwell_s, 0), 7200)) AS t
FROM subscribers s LEFT JOIN events e ON s.subscriber_id = e.subscriber_id AND e.cell_id = 3 GROUP BY s.gender;

# title: a left join's nulls as a key
SELECT e.cell_id = 3 AS there, COUNT(*) AS n FROM subscribers s LEFT JOIN events e ON s.subscriber_id = e.subscriber_id AND e.cell_id = 3 AND e.dwell_s > 0 GROUP BY there;

# title: events left join persons
SELECT s.gender, COUNT(*) AS n FROM events e LEFT JOIN subscribers s ON e.subscriber_id = s.subscriber_id AND s.age < 50 GROUP BY s.gender;

# title: events per person
SELECT AVG(n) AS a, COUNT(*) AS persons FROM (SELECT subscriber_id, COUNT(*) AS n FROM events GROUP BY 1);

# title: time per person
SELECT SUM(LEAST(x, 100000)) AS s FROM (SELECT subscriber_id, SUM(dwell_s) AS x FROM events WHERE dwell_s BETWEEN 0 AND 7200 GROUP BY 1);

# title: persons by their number of cells
SELECT cells, COUNT(*) AS persons FROM (SELECT subscriber_id, COUNT(DISTINCT cell_id) AS cells FROM events GROUP BY 1) WHERE cells BETWEEN 0 AND 20 GROUP BY cells;

# title: persons by where they were first
SELECT cell, COUNT(*) AS persons FROM (SELECT subscriber_id, arg_min(cell_id, ts) AS cell FROM events WHERE cell_id < 100 GROUP BY 1) GROUP BY cell;

# title: persons who were in one cell only
SELECT COUNT(*) AS persons FROM (SELECT subscriber_id FROM events GROUP BY subscriber_id HAVING COUNT(DISTINCT cell_id) < 4);

# title: persons and their cells, joined with the cells
SELECT c.zone, COUNT(*) AS pairs, COUNT(DISTINCT q.subscriber_id) AS persons FROM (SELECT DISTINCT subscriber_id, cell_id FROM events) q JOIN cells c USING (cell_id) GROUP BY c.zone;

# title: groups of persons with a filter inside and outside
SELECT COUNT(*) FILTER (WHERE early > late) AS n, SUM(early) AS a, SUM(late) AS b FROM (
  SELECT subscriber_id, COUNT(*) FILTER (WHERE hour(ts) < 12) AS early, COUNT(*) FILTER (WHERE hour(ts) >= 12) AS late FROM events GROUP BY 1);

# title: latest and earliest
SELECT AVG(LEAST(GREATEST(date_diff('hour', first, last), 0), 200)) AS hours FROM (SELECT subscriber_id, MIN(ts) AS first, MAX(ts) AS last FROM events GROUP BY 1);

# title: inner grouping by something else is a release
SELECT COUNT(*) AS cells FROM (SELECT cell_id FROM events WHERE cell_id < 100 GROUP BY cell_id HAVING COUNT(DISTINCT subscriber_id) > 100);

# title: the busiest cells
SELECT cell_id, COUNT(*) AS n FROM events WHERE cell_id < 100 GROUP BY cell_id ORDER BY n DESC, cell_id LIMIT 3;

# title: an alias that is a column's name
SELECT 1 AS dwell_s, SUM(LEAST(GREATEST(dwell_s, 0), 10)) AS s FROM events;

# title: roots and logarithms of what may not have any
SELECT SUM(sqrt(abs(age - 60))) AS a, SUM(LEAST(GREATEST(ln(age), 0), 9)) AS b FROM subscribers;

# title: NaN is greater than the greatest, as in DuckDB
SELECT SUM(LEAST(GREATEST(ln(age - 60), -99), 99)) AS a FROM subscribers;

# title: age and zone in words
SELECT CASE WHEN age IS NULL THEN 'unknown' WHEN age < 40 THEN 'young' ELSE 'old' END AS band, gender IS NULL AS unsaid, COUNT(*) AS n FROM subscribers GROUP BY ALL;

# title: text of a private column
SELECT COUNT(*) FILTER (WHERE home_zone LIKE 'Z%') AS a, COUNT(*) FILTER (WHERE length(home_zone) > 2) AS b, COUNT(*) FILTER (WHERE upper(home_zone) = 'Z3') AS c,
       COUNT(*) FILTER (WHERE contains(home_zone, 'CANARY')) AS d, COUNT(*) FILTER (WHERE home_zone || '!' = 'Z1!') AS e FROM subscribers;

# title: a null made and unmade
SELECT nullif(gender, 'x') AS g, coalesce(nullif(gender, 'f'), 'f or unknown') AS h, COUNT(*) AS n FROM subscribers GROUP BY ALL;

# title: persons counted four ways
SELECT COUNT(DISTINCT subscriber_id) AS a, COUNT(DISTINCT CASE WHEN age > 30 THEN subscriber_id END) AS b, COUNT(CASE WHEN age > 30 THEN subscriber_id END) AS c,
       COUNT(DISTINCT subscriber_id) FILTER (WHERE age > 30) AS d FROM subscribers;

# title: means of integers with a filter
SELECT gender, AVG(age) FILTER (WHERE age > 30) AS a, SUM(age) FILTER (WHERE home_zone = 'Z1') AS s FROM subscribers GROUP BY gender;

# title: a ratio of sums below zero
SELECT SUM(age - 100) / COUNT(*) AS a, COUNT(*) / SUM(age - 200) AS b FROM subscribers WHERE age < 100;

# title: a sum of integers that no double holds
SELECT SUM(age * 100000000000001) AS s FROM subscribers;

# title: a person's mean leaves their NULLs out
SELECT AVG(LEAST(GREATEST(m, 0), 10000)) AS a, SUM(n) AS n FROM (
  SELECT subscriber_id, AVG(CASE WHEN dwell_s BETWEEN 0 AND 7200 THEN dwell_s END) AS m, COUNT(*) AS n FROM events GROUP BY 1);

# title: an integer mean of a person leaves their NULLs out
SELECT SUM(LEAST(GREATEST(m, 0), 100)) AS s FROM (SELECT subscriber_id, AVG(CASE WHEN cell_id < 7 THEN cell_id END) AS m FROM events GROUP BY 1);

# title: rows of persons of whom another table knows something
SELECT hour(ts) AS h, COUNT(*) AS n, COUNT(DISTINCT subscriber_id) AS p FROM events WHERE subscriber_id IN (SELECT subscriber_id FROM subscribers WHERE age > 40) GROUP BY 1;

# title: rows of persons of whom another table knows nothing
SELECT COUNT(*) AS n, COUNT(DISTINCT subscriber_id) AS p FROM events WHERE NOT subscriber_id IN (SELECT s.subscriber_id FROM subscribers AS s WHERE s.age > 40) AND dwell_s > 60;

# title: persons with many rows, chosen by a group
SELECT gender, COUNT(*) AS n FROM subscribers WHERE subscriber_id IN (SELECT subscriber_id FROM events GROUP BY 1 HAVING COUNT(*) > 30) GROUP BY 1;

# title: rows followed by another one of the person elsewhere
SELECT COUNT(*) AS n FROM events AS e WHERE EXISTS (SELECT 1 FROM events AS f WHERE f.subscriber_id = e.subscriber_id AND f.ts > e.ts AND f.ts < e.ts + INTERVAL 1 HOUR AND f.cell_id <> e.cell_id);

# title: the last rows of persons
SELECT hour(ts) AS h, COUNT(*) AS n FROM events AS e WHERE NOT EXISTS (FROM events AS f WHERE f.subscriber_id = e.subscriber_id AND f.ts > e.ts) GROUP BY 1;

# title: pairs of a person and a cell
SELECT COUNT(*) AS n FROM events AS e WHERE (subscriber_id, cell_id) IN (SELECT subscriber_id, cell_id + 1 FROM events AS f WHERE f.dwell_s > 900);

# title: a list from a public table
SELECT cell_id, COUNT(*) AS n FROM events WHERE cell_id IN (SELECT cell_id FROM cells WHERE zone = 'C1') GROUP BY 1;

# title: outside of a list from a public table, where the value may be NULL
SELECT COUNT(*) AS n, COUNT(home_zone) AS m FROM subscribers WHERE home_zone NOT IN (SELECT zone FROM cells WHERE zone IS NOT NULL AND zone <> 'C1');

# title: outside of an empty list everything stays, NULL too
SELECT COUNT(*) AS n, COUNT(home_zone) AS m FROM subscribers WHERE home_zone NOT IN (SELECT zone FROM cells WHERE zone IS NOT NULL AND zone = 'nowhere');

# title: a public row near the person's
SELECT COUNT(*) AS n FROM events AS e WHERE EXISTS (SELECT 1 FROM cells AS c WHERE c.lon > e.lon AND c.zone = 'C2');

# title: a test inside a test
SELECT COUNT(*) AS n FROM events WHERE subscriber_id IN (SELECT subscriber_id FROM subscribers AS s WHERE age > 20
  AND NOT EXISTS (SELECT 1 FROM events AS f WHERE f.subscriber_id = s.subscriber_id AND f.dwell_s > 5000));

# title: persons of a LEFT JOIN without a partner, outside of a list
SELECT COUNT(*) AS n FROM events AS e LEFT JOIN subscribers AS s ON s.subscriber_id = e.subscriber_id AND s.age > 40
 WHERE NOT EXISTS (SELECT 1 FROM subscribers AS t WHERE t.subscriber_id = s.subscriber_id AND t.age < 60);

# title: released keys chosen by a public list and by released ones
WITH a AS (SELECT zone, COUNT(*) AS n FROM events JOIN cells USING (cell_id) GROUP BY 1),
     b AS (SELECT zone FROM events JOIN cells USING (cell_id) WHERE dwell_s > 600 GROUP BY 1 HAVING COUNT(*) > 2)
SELECT zone, n FROM a WHERE zone IN (SELECT zone FROM b) AND zone NOT IN (SELECT zone FROM cells WHERE zone = 'C2' AND zone IS NOT NULL) AND n > 1;
