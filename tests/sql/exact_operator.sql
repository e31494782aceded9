# Questions over the bundled operator, at small size: each is answered as plain DuckDB answers it.

# title: count of rows
SELECT COUNT(*) AS n FROM visit;

# title: names of the answer when none are given
SELECT COUNT(*), SUM(dwell_min) FROM visit;

# title: persons
SELECT COUNT(DISTINCT subscriber_id) AS persons FROM event;

# title: three counts of one table
SELECT COUNT(*) AS n, COUNT(approach_dir) AS seen_coming, COUNT(subscriber_id) AS rows_of_persons FROM visit;

# title: sum and mean of a double
SELECT SUM(dwell_min) AS total, AVG(dwell_min) AS mean FROM visit;

# title: sum and mean of an integer
SELECT SUM(tac) AS total, AVG(tac) AS mean FROM event;

# title: sum of nothing is null, and a count of nothing is 0
SELECT COUNT(*) AS n, COUNT(DISTINCT subscriber_id) AS persons, SUM(dwell_min) AS s, AVG(dwell_min) AS a FROM visit WHERE dwell_min < 0;

# title: no groups at all
SELECT place_id, COUNT(*) AS n FROM visit WHERE dwell_min < 0 GROUP BY place_id;

# title: comparison with a constant
SELECT COUNT(*) AS n FROM visit WHERE dwell_min >= 30;

# title: both ends of a range
SELECT COUNT(*) AS n FROM visit WHERE dwell_min BETWEEN 5 AND 20;

# title: neither end of a range
SELECT COUNT(*) AS n FROM visit WHERE NOT (dwell_min BETWEEN 5 AND 20);

# title: a list of values
SELECT COUNT(*) AS n FROM visit WHERE place_id IN ('P1', 'P2', 'P5');

# title: not in a list of values
SELECT COUNT(*) AS n FROM visit WHERE place_id NOT IN ('P1', 'P2');

# title: not in a list, where the column has nulls
SELECT COUNT(*) AS n FROM visit WHERE approach_dir NOT IN ('N', 'S');

# title: a null in the list
SELECT COUNT(*) AS n FROM visit WHERE approach_dir IN ('N', NULL);

# title: null and not null
SELECT COUNT(*) FILTER (WHERE approach_dir IS NULL) AS without, COUNT(*) FILTER (WHERE approach_dir IS NOT NULL) AS with_it FROM visit;

# title: or and and keep their order of binding
SELECT COUNT(*) AS n FROM visit WHERE dwell_min > 60 OR dwell_min < 5 AND approach_dir = 'N';

# title: not over a null
SELECT COUNT(*) AS n FROM visit WHERE NOT (approach_dir = 'N');

# title: is distinct from
SELECT COUNT(*) AS n FROM visit WHERE approach_dir IS DISTINCT FROM 'N';

# title: two columns compared
SELECT COUNT(*) AS n FROM visit WHERE prev_zone <> next_zone;

# title: like and starts_with
SELECT COUNT(*) FILTER (WHERE place_id LIKE 'P1%') AS a, COUNT(*) FILTER (WHERE starts_with(place_id, 'P2')) AS b,
       COUNT(*) FILTER (WHERE place_id NOT LIKE '%1') AS c, COUNT(*) FILTER (WHERE place_id ILIKE 'p_') AS d FROM visit;

# title: a day by its date
SELECT COUNT(*) AS n FROM visit WHERE visit_date = DATE '2026-10-14';

# title: a day by its text
SELECT COUNT(*) AS n FROM visit WHERE visit_date = '2026-10-14';

# title: a half-open range of time
SELECT COUNT(*) AS n FROM event WHERE ts >= TIMESTAMP '2026-10-03 06:00:00' AND ts < TIMESTAMP '2026-10-05 18:00:00';

# title: a date against a time
SELECT COUNT(*) AS n FROM event WHERE ts >= DATE '2026-10-03' AND ts < '2026-10-05';

# title: hours of the night
SELECT COUNT(*) AS n FROM event WHERE hour(ts) >= 22 OR hour(ts) < 6;

# title: weekdays
SELECT COUNT(*) AS n FROM event WHERE isodow(ts) < 6 AND dayofweek(ts) <> 0;

# title: length of a stay in minutes
SELECT COUNT(*) AS n FROM visit WHERE date_diff('minute', start_ts, end_ts) > 30;

# title: length of a stay by seconds
SELECT COUNT(*) AS n FROM visit WHERE epoch(end_ts) - epoch(start_ts) > 1800;

# title: length of a stay by an interval
SELECT COUNT(*) AS n FROM visit WHERE end_ts > start_ts + INTERVAL 45 MINUTE;

# title: places
SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id;

# title: places by position
SELECT place_id, COUNT(*) AS n FROM visit GROUP BY 1;

# title: places by alias
SELECT place_id AS where_it_was, COUNT(*) AS n FROM visit GROUP BY where_it_was;

# title: group by all
SELECT place_id, approach_dir, COUNT(*) AS n, AVG(dwell_min) AS a FROM visit GROUP BY ALL;

# title: a null key is a group
SELECT approach_dir, COUNT(*) AS n, COUNT(DISTINCT subscriber_id) AS persons FROM visit GROUP BY approach_dir;

# title: keys without an aggregate
SELECT approach_dir FROM visit GROUP BY approach_dir;

# title: hours
SELECT hour(start_ts) AS h, COUNT(*) AS n, SUM(dwell_min) AS s FROM visit GROUP BY h;

# title: extract and date_part
SELECT EXTRACT(hour FROM start_ts) AS h, date_part('isodow', start_ts) AS d, COUNT(*) AS n FROM visit GROUP BY h, d;

# title: dates of a time over a stated range
SELECT CAST(ts AS DATE) AS d, COUNT(*) AS n FROM event WHERE ts >= '2026-10-02' AND ts < '2026-10-09' GROUP BY d;

# title: hours of a day by date_trunc
SELECT date_trunc('hour', ts) AS h, COUNT(*) AS n FROM event WHERE ts >= TIMESTAMP '2026-10-02' AND ts < TIMESTAMP '2026-10-03' GROUP BY h;

# title: weeks by date_trunc of a date
SELECT date_trunc('week', visit_date) AS w, COUNT(*) AS n FROM visit GROUP BY w;

# title: quarters of an hour by time_bucket
SELECT time_bucket(INTERVAL 15 MINUTE, ts) AS q, COUNT(*) AS n FROM event WHERE ts BETWEEN TIMESTAMP '2026-10-02 06:00:00' AND TIMESTAMP '2026-10-02 12:00:00' GROUP BY q;

# title: half past a bucket
SELECT time_bucket(INTERVAL 6 HOUR, ts) AS q, COUNT(*) AS n FROM event WHERE ts >= TIMESTAMP '2026-10-02 05:30:00' AND ts < TIMESTAMP '2026-10-04 05:30:00' GROUP BY q;

# title: days of a declared range
SELECT visit_date, COUNT(*) AS n FROM visit GROUP BY visit_date;

# title: a boolean key
SELECT dwell_min > 30 AS long, COUNT(*) AS n FROM visit GROUP BY long;

# title: a boolean key that can be null
SELECT approach_dir = 'N' AS northerly, COUNT(*) AS n FROM visit GROUP BY northerly;

# title: bands by case
SELECT CASE WHEN dwell_min < 5 THEN 'a' WHEN dwell_min < 30 THEN 'b' ELSE 'c' END AS band, COUNT(*) AS n, AVG(dwell_min) AS m FROM visit GROUP BY band;

# title: case without else
SELECT CASE WHEN dwell_min < 5 THEN 'short' WHEN dwell_min > 100 THEN 'long' END AS band, COUNT(*) AS n FROM visit GROUP BY 1;

# title: case of a value
SELECT CASE approach_dir WHEN 'N' THEN 'north' WHEN 'S' THEN 'south' ELSE 'else' END AS side, COUNT(*) AS n FROM visit GROUP BY 1;

# title: part of a listed key
SELECT substr(place_id, 1, 2) AS p, COUNT(*) AS n FROM visit GROUP BY p;

# title: a listed key in lower case with its null filled
SELECT coalesce(lower(approach_dir), 'unknown') AS side, COUNT(*) AS n FROM visit GROUP BY side;

# title: two keys put together
SELECT gender || '/' || age_band AS who, COUNT(*) AS n FROM subscriber GROUP BY who;

# title: a list as keys
SELECT place_id, hour(start_ts) AS h, COUNT(*) AS n FROM visit WHERE place_id IN ('P1', 'P2') AND hour(start_ts) BETWEEN 8 AND 11 GROUP BY ALL;

# title: people by age and gender
SELECT age_band, gender, COUNT(*) AS n, SUM(weight) AS weighted FROM subscriber GROUP BY ALL;

# title: people by a mapped key
SELECT home_mcc = 262 AS at_home, contract_type, COUNT(*) AS n FROM subscriber GROUP BY ALL;

# title: arithmetic on an integer key
SELECT home_mcc // 100 AS continent, COUNT(*) AS n FROM subscriber GROUP BY continent;

# title: joined with the place, by its category
SELECT p.category, COUNT(*) AS n, AVG(v.dwell_min) AS a FROM visit AS v JOIN place AS p ON v.place_id = p.place_id GROUP BY p.category;

# title: joined with the place by using
SELECT category, COUNT(DISTINCT subscriber_id) AS persons FROM visit JOIN place USING (place_id) GROUP BY category;

# title: public table first
SELECT p.name, COUNT(*) AS n FROM place AS p JOIN visit AS v USING (place_id) GROUP BY p.name;

# title: an unqualified column that two tables have
SELECT place_id, COUNT(*) AS n FROM place JOIN visit USING (place_id) WHERE category <> 'mall' GROUP BY place_id;

# title: left join with a public table
SELECT z.name, COUNT(*) AS n FROM visit AS v LEFT JOIN zone AS z ON v.prev_zone = z.zone_id GROUP BY z.name;

# title: left join with a condition on the public side
SELECT p.category, COUNT(*) AS n FROM visit AS v LEFT JOIN place AS p ON v.place_id = p.place_id AND p.radius_m > 50 GROUP BY p.category;

# title: left join with a condition on the private side
SELECT p.category, COUNT(*) AS n, COUNT(p.place_id) AS m FROM visit AS v LEFT JOIN place AS p ON v.place_id = p.place_id AND v.dwell_min > 30 GROUP BY p.category;

# title: two public tables in a row
SELECT z.name, p.category, COUNT(*) AS n FROM visit AS v JOIN place AS p USING (place_id) JOIN zone AS z ON p.zone_id = z.zone_id GROUP BY ALL;

# title: a public table twice
SELECT a.name AS origin, b.name AS destination, COUNT(*) AS n FROM trip AS t JOIN zone AS a ON t.o_zone = a.zone_id JOIN zone AS b ON t.d_zone = b.zone_id GROUP BY ALL;

# title: joined on a range of public values
SELECT h.h, COUNT(*) AS n FROM visit AS v JOIN dim_hour AS h ON h.h BETWEEN hour(v.start_ts) AND hour(v.end_ts) GROUP BY h.h;

# title: joined on an expression
SELECT c.is_weekend, COUNT(*) AS n FROM event AS e JOIN calendar AS c ON CAST(e.ts AS DATE) = c.d GROUP BY c.is_weekend;

# title: cross join with public rows
SELECT g.gender, COUNT(*) AS n FROM subscriber AS s CROSS JOIN dim_gender AS g GROUP BY g.gender;

# title: cross join cut down by where
SELECT g.gender, COUNT(*) AS n FROM subscriber AS s, dim_gender AS g WHERE s.gender = g.gender GROUP BY g.gender;

# title: a subquery over public tables
SELECT q.category, COUNT(*) AS n FROM visit JOIN (SELECT place_id, category FROM place WHERE radius_m > 40) AS q USING (place_id) GROUP BY q.category;

# title: public groups joined in
SELECT q.places, COUNT(*) AS n FROM visit JOIN (SELECT zone_id, COUNT(*) AS places FROM place GROUP BY zone_id) AS q USING (zone_id) GROUP BY q.places;

# title: rows of constants joined in
SELECT t.label, COUNT(*) AS n FROM visit AS v JOIN (VALUES (0, 5, 'short'), (5, 60, 'usual'), (60, 1440, 'long')) AS t(least, most, label)
ON v.dwell_min >= t.least AND v.dwell_min < t.most GROUP BY t.label;

# title: visits of people by age
SELECT s.age_band, COUNT(*) AS n, COUNT(DISTINCT v.subscriber_id) AS persons FROM visit AS v JOIN subscriber AS s ON v.subscriber_id = s.subscriber_id GROUP BY s.age_band;

# title: people first, with using
SELECT gender, AVG(dist_km) AS a FROM subscriber JOIN trip USING (subscriber_id) GROUP BY gender;

# title: three private tables
SELECT s.gender, COUNT(*) AS n FROM visit AS v JOIN trip AS t USING (subscriber_id) JOIN subscriber AS s USING (subscriber_id) WHERE t.trip_date = v.visit_date GROUP BY s.gender;

# title: left join of private tables
SELECT COUNT(*) AS n, COUNT(t.trip_id) AS m, COUNT(DISTINCT t.subscriber_id) AS movers FROM subscriber AS s LEFT JOIN trip AS t ON s.subscriber_id = t.subscriber_id;

# title: left join of private tables with a further condition
SELECT s.gender, COUNT(*) AS n, COUNT(v.visit_id) AS m FROM subscriber AS s LEFT JOIN visit AS v ON s.subscriber_id = v.subscriber_id AND v.dwell_min > 60 GROUP BY s.gender;

# title: who has no visit
SELECT COUNT(*) AS n FROM subscriber AS s LEFT JOIN visit AS v USING (subscriber_id) WHERE v.visit_id IS NULL;

# title: sightings inside a visit
SELECT v.place_id, COUNT(*) AS n FROM event AS e JOIN visit AS v ON e.subscriber_id = v.subscriber_id AND e.ts BETWEEN v.start_ts AND v.end_ts GROUP BY v.place_id;

# title: pairs of visits on one day
SELECT a.place_id, COUNT(*) AS n FROM visit AS a JOIN visit AS b ON a.subscriber_id = b.subscriber_id AND a.visit_date = b.visit_date AND a.visit_id < b.visit_id GROUP BY a.place_id;

# title: every visit, and the trips that ended before it
SELECT v.place_id, COUNT(*) AS n, COUNT(t.trip_id) AS arrivals, SUM(t.dist_km) AS km FROM visit AS v
LEFT JOIN trip AS t ON v.subscriber_id = t.subscriber_id AND t.arr_ts <= v.start_ts AND t.arr_ts > v.start_ts - INTERVAL 1 HOUR GROUP BY v.place_id;

# title: private on the person, then public
SELECT p.category, s.age_band, COUNT(*) AS n FROM visit AS v JOIN subscriber AS s USING (subscriber_id) JOIN place AS p USING (place_id) GROUP BY ALL;

# title: filters beside each other
SELECT COUNT(*) FILTER (WHERE dwell_min > 30) AS long, SUM(dwell_min) FILTER (WHERE approach_dir = 'N') AS northern,
       AVG(dwell_min) FILTER (WHERE hour(start_ts) < 12) AS mornings, COUNT(DISTINCT subscriber_id) FILTER (WHERE dwell_min > 30) AS stayers FROM visit;

# title: a filter that holds for nobody in a group
SELECT place_id, COUNT(*) FILTER (WHERE dwell_min > 1000) AS n, SUM(dwell_min) FILTER (WHERE dwell_min > 1000) AS s,
       AVG(dwell_min) FILTER (WHERE dwell_min > 1000) AS a, COUNT(DISTINCT subscriber_id) FILTER (WHERE dwell_min > 1000) AS p FROM visit GROUP BY place_id;

# title: count_if
SELECT place_id, COUNT_IF(dwell_min > 30) AS n, COUNT(*) AS m FROM visit GROUP BY place_id;

# title: persons for whom something holds
SELECT COUNT(DISTINCT CASE WHEN dwell_min > 60 THEN subscriber_id END) AS n FROM visit;

# title: sum of a case
SELECT SUM(CASE WHEN dwell_min > 30 THEN 1 ELSE 0 END) AS n, AVG(CASE WHEN approach_dir = 'N' THEN 1 ELSE 0 END) AS share FROM visit;

# title: sum of a case without else
SELECT approach_dir, SUM(CASE WHEN dwell_min > 200 THEN dwell_min END) AS s FROM visit GROUP BY approach_dir;

# title: sums of expressions
SELECT SUM(dwell_min * 2) AS a, SUM(dwell_min * dwell_min) AS b, SUM(100 - dwell_min) AS c, AVG(dwell_min / 60) AS d FROM visit;

# title: clamped by the analyst
SELECT SUM(LEAST(GREATEST(dwell_min, 5), 120)) AS s, AVG(least(dwell_min, 60)) AS a FROM visit;

# title: rounding
SELECT SUM(round(dwell_min)) AS a, SUM(floor(dwell_min)) AS b, SUM(ceil(dwell_min)) AS c, SUM(CAST(dwell_min AS BIGINT)) AS d FROM visit;

# title: roots and logarithms that can fail
SELECT SUM(sqrt(dist_km)) AS a, SUM(ln(dist_km + 1)) AS b FROM trip;

# title: one row per person
SELECT AVG(n) AS mean, SUM(n) AS total, COUNT(*) AS persons FROM (SELECT subscriber_id, COUNT(*) AS n FROM visit GROUP BY subscriber_id) AS q;

# title: people by how often they came
SELECT CASE WHEN n = 1 THEN 'once' WHEN n < 10 THEN 'some' ELSE 'often' END AS how_often, COUNT(*) AS persons
FROM (SELECT subscriber_id, COUNT(*) AS n FROM visit GROUP BY subscriber_id) AS q GROUP BY how_often;

# title: all aggregates inside
SELECT COUNT(*) AS persons, SUM(n) AS a, SUM(k) AS b, SUM(days) AS c, SUM(total) AS d, AVG(mean) AS e, SUM(shortest) AS f, SUM(longest) AS g,
       COUNT_IF(ever_long) AS h, COUNT_IF(always_long) AS i
FROM (SELECT subscriber_id, COUNT(*) AS n, COUNT(approach_dir) AS k, COUNT(DISTINCT visit_date) AS days, SUM(dwell_min) AS total, AVG(dwell_min) AS mean,
             MIN(dwell_min) AS shortest, MAX(dwell_min) AS longest, bool_or(dwell_min > 60) AS ever_long, bool_and(dwell_min > 60) AS always_long
      FROM visit GROUP BY subscriber_id) AS q;

# title: the first place of each person
SELECT first_place, COUNT(*) AS persons FROM (SELECT subscriber_id, arg_min(place_id, start_ts) AS first_place FROM visit GROUP BY subscriber_id) AS q GROUP BY first_place;

# title: the longest stay's direction
SELECT side, COUNT(*) AS persons FROM (SELECT subscriber_id, arg_max(approach_dir, dwell_min) AS side FROM visit GROUP BY subscriber_id) AS q GROUP BY side;

# title: inside aggregates with filters
SELECT SUM(a) AS a, SUM(b) AS b, AVG(c) AS c, COUNT(c) AS d FROM (
  SELECT subscriber_id, COUNT(*) FILTER (WHERE dwell_min > 30) AS a, SUM(dwell_min) FILTER (WHERE dwell_min > 30) AS b, MAX(dwell_min) FILTER (WHERE approach_dir = 'N') AS c
  FROM visit GROUP BY subscriber_id) AS q;

# title: having inside
SELECT COUNT(*) AS regulars, AVG(n) AS mean FROM (SELECT subscriber_id, COUNT(*) AS n FROM visit GROUP BY subscriber_id HAVING COUNT(*) >= 5) AS q;

# title: one row per person and place
SELECT place_id, COUNT(*) AS persons, SUM(n) AS visits FROM (SELECT subscriber_id, place_id, COUNT(*) AS n FROM visit GROUP BY subscriber_id, place_id) AS q GROUP BY place_id;

# title: days on which people move
SELECT visit_date, COUNT(*) AS persons, AVG(n) AS mean FROM (SELECT subscriber_id, visit_date, COUNT(*) AS n FROM visit GROUP BY ALL) AS q GROUP BY visit_date;

# title: different people and days
SELECT visit_date, COUNT(*) AS persons FROM (SELECT DISTINCT subscriber_id, visit_date FROM visit) AS q GROUP BY visit_date;

# title: groups of one person grouped again
SELECT AVG(best) AS a, COUNT(*) AS n FROM (SELECT subscriber_id, MAX(n) AS best FROM
  (SELECT subscriber_id, visit_date, COUNT(*) AS n FROM visit GROUP BY ALL) AS days GROUP BY subscriber_id) AS q;

# title: people's totals joined with people
SELECT s.age_band, AVG(q.total) AS a, COUNT(*) AS n FROM subscriber AS s JOIN (SELECT subscriber_id, SUM(dwell_min) AS total FROM visit GROUP BY subscriber_id) AS q
USING (subscriber_id) GROUP BY s.age_band;

# title: rows compared with their person's mean
SELECT COUNT(*) AS above FROM visit AS v JOIN (SELECT subscriber_id, AVG(dwell_min) AS mean FROM visit GROUP BY subscriber_id) AS q
ON v.subscriber_id = q.subscriber_id AND v.dwell_min > q.mean + 0.001;

# title: cte of rows
WITH long AS (SELECT subscriber_id, place_id, dwell_min FROM visit WHERE dwell_min > 30) SELECT place_id, COUNT(*) AS n FROM long GROUP BY place_id;

# title: cte over a cte
WITH a AS (SELECT * FROM visit WHERE dwell_min > 10), b AS (SELECT subscriber_id, dwell_min / 60 AS h FROM a) SELECT SUM(h) AS hours, COUNT(*) AS n FROM b;

# title: cte used twice
WITH n AS (SELECT subscriber_id, place_id FROM visit WHERE dwell_min > 10) SELECT a.place_id, COUNT(*) AS n FROM n AS a JOIN n AS b USING (subscriber_id) GROUP BY a.place_id;

# title: a cte hides a table
WITH visit AS (SELECT subscriber_id, dwell_min FROM visit WHERE dwell_min > 60) SELECT COUNT(*) AS n, AVG(dwell_min) AS a FROM visit;

# title: star and qualified star
SELECT COUNT(*) AS n FROM (SELECT v.*, s.gender FROM visit AS v JOIN subscriber AS s USING (subscriber_id)) AS q WHERE gender = 'f';

# title: columns renamed by a derived table
SELECT q.b, COUNT(*) AS n FROM (SELECT subscriber_id, approach_dir FROM visit) AS q(a, b) GROUP BY q.b;

# title: alias captures nothing
SELECT 1 AS dwell_min, SUM(dwell_min) AS s FROM visit;

# title: an alias hides a column in order by, and only there
SELECT zone_id, -level AS level FROM zone WHERE level > 1 ORDER BY level, zone_id;

# title: a column in an expression of order by is no alias
SELECT zone_id, -level AS level FROM zone ORDER BY level + 0, zone_id;

# title: having
SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id HAVING COUNT(*) > 50;

# title: having on what is not shown
SELECT place_id FROM visit GROUP BY place_id HAVING AVG(dwell_min) > 20 AND COUNT(DISTINCT subscriber_id) > 5;

# title: having with an alias
SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id HAVING n BETWEEN 10 AND 100;

# title: ordered
SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id ORDER BY n DESC, place_id;

# title: ordered by position and cut
SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id ORDER BY 2 DESC, 1 LIMIT 5;

# title: ordered and cut in the middle
SELECT place_id, SUM(dwell_min) AS s FROM visit GROUP BY place_id ORDER BY s DESC LIMIT 4 OFFSET 3;

# title: nulls come last
SELECT approach_dir, COUNT(*) AS n FROM visit GROUP BY approach_dir ORDER BY approach_dir;

# title: nulls come last in descending order too
SELECT approach_dir, COUNT(*) AS n FROM visit GROUP BY approach_dir ORDER BY approach_dir DESC;

# title: nulls first
SELECT approach_dir, COUNT(*) AS n FROM visit GROUP BY approach_dir ORDER BY approach_dir NULLS FIRST;

# title: ordered by an aggregate that is not shown
SELECT place_id FROM visit GROUP BY place_id ORDER BY COUNT(*) DESC, place_id LIMIT 3;

# title: ordered by an expression
SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id ORDER BY n % 7, place_id;

# title: a share
SELECT place_id, COUNT(*) FILTER (WHERE dwell_min > 30) / COUNT(*) AS share FROM visit GROUP BY place_id;

# title: a mean by hand
SELECT SUM(dwell_min) / COUNT(*) AS a, 100 * SUM(dwell_min) / SUM(dwell_min) AS one FROM visit;

# title: outer case and arithmetic
SELECT place_id, CASE WHEN COUNT(*) > 100 THEN 'many' WHEN COUNT(*) > 20 THEN 'some' ELSE 'few' END AS size, COUNT(*) * 2 + 1 AS odd, round(AVG(dwell_min), 1) AS a FROM visit GROUP BY place_id;

# title: capitals in names
WITH Q AS (SELECT Place_ID, COUNT(*) AS Visits, AVG(DWELL_MIN) AS "Mean Stay" FROM Visit GROUP BY PLACE_ID) SELECT Place_Id, VISITS, "Mean Stay", visits * 2 AS Twice FROM q;

# title: a number and its difference
SELECT COUNT(*) - COUNT(approach_dir) AS without, COUNT(*) // 2 AS half, COUNT(*) % 7 AS rest, -COUNT(*) AS minus FROM visit;

# title: a release filtered
SELECT * FROM (SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id) AS q WHERE n > 20 AND place_id <> 'P1';

# title: a release aggregated again
SELECT COUNT(*) AS places, SUM(n) AS visits, MAX(n) AS most, MIN(n) AS least, AVG(n) AS mean FROM (SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id) AS q;

# title: a release grouped again
SELECT hour // 6 AS quarter, SUM(n) AS n, MAX(n) AS top FROM (SELECT hour(start_ts) AS hour, COUNT(*) AS n FROM visit GROUP BY 1) AS q GROUP BY quarter;

# title: a release joined with its places
SELECT p.name, p.category, q.n FROM (SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id) AS q JOIN place AS p USING (place_id);

# title: public rows with or without a release
SELECT p.name, q.n FROM place AS p LEFT JOIN (SELECT place_id, COUNT(*) AS n FROM visit WHERE dwell_min > 100 GROUP BY place_id) AS q USING (place_id);

# title: a release joined, grouped and ordered
SELECT p.category, SUM(q.n) AS n FROM (SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id) AS q JOIN place AS p ON q.place_id = p.place_id
GROUP BY p.category HAVING SUM(q.n) > 10 ORDER BY n DESC, p.category;

# title: two releases side by side
SELECT a.place_id, a.n AS visits, b.n AS passbys FROM (SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id) AS a
JOIN (SELECT place_id, COUNT(*) AS n FROM passby GROUP BY place_id) AS b ON a.place_id = b.place_id;

# title: capture rate
WITH v AS (SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id), p AS (SELECT place_id, COUNT(*) AS n FROM passby GROUP BY place_id)
SELECT v.place_id, v.n / (v.n + p.n) AS capture FROM v JOIN p USING (place_id);

# title: an index against the whole
WITH part AS (SELECT approach_dir, COUNT(*) AS n FROM visit GROUP BY approach_dir), whole AS (SELECT COUNT(*) AS n FROM visit)
SELECT part.approach_dir, 100 * part.n / whole.n AS percent FROM part CROSS JOIN whole;

# title: the same release in two places
WITH q AS (SELECT visit_date, COUNT(*) AS n FROM visit GROUP BY visit_date) SELECT a.visit_date, a.n - b.n AS change FROM q AS a JOIN q AS b ON a.visit_date = b.visit_date + 1;

# title: a public question
SELECT category, COUNT(*) AS n, AVG(radius_m) AS r FROM place GROUP BY category ORDER BY n DESC, category;

# title: public rows
SELECT zone_id, level, population FROM zone WHERE level = 3 AND population > 1000 ORDER BY zone_id LIMIT 10;

# title: public tables joined
SELECT z.name, COUNT(p.place_id) AS places FROM zone AS z LEFT JOIN place AS p ON z.zone_id = p.zone_id GROUP BY z.name;

# title: different public values
SELECT DISTINCT category FROM place;

# title: rows of constants
SELECT * FROM (VALUES (1, 'a'), (2, NULL)) AS t(x, y) ORDER BY x;

# title: modes of a trip by activity
SELECT mode, o_activity, d_activity, COUNT(*) AS n, AVG(dist_km) AS a FROM trip GROUP BY ALL;

# title: trips through a zone
SELECT COUNT(*) AS n FROM trip WHERE list_contains(via_zones, 'Z1') OR len(via_zones) > 2;

# title: speed between stated ends
SELECT mode, AVG(LEAST(GREATEST(dist_km / (date_diff('second', dep_ts, arr_ts) / 3600), 0), 200)) AS kmh FROM trip WHERE date_diff('second', dep_ts, arr_ts) > 0 GROUP BY mode;

# title: whole numbers of a double within declared bounds
SELECT floor(dwell_min / 10) AS tens, COUNT(*) AS n FROM visit GROUP BY tens;

# title: whole numbers of a double, narrowed by the question
SELECT ceil(dwell_min / 15) AS quarters, COUNT(DISTINCT subscriber_id) AS persons FROM visit WHERE dwell_min > 0 AND dwell_min <= 120 GROUP BY quarters;

# title: a double cast to integers
SELECT CAST(dwell_min AS BIGINT) AS minutes, COUNT(*) AS n FROM visit GROUP BY minutes;

# title: a rounded double
SELECT round(dwell_min / 60 - 0.5) AS hours, AVG(dwell_min) AS mean FROM visit GROUP BY hours;

# title: integers divided
SELECT tac // 10000000 AS maker, tac % 7 AS rest, COUNT(*) AS n FROM event GROUP BY ALL;

# title: integers that may be too many for a list
SELECT tac // 1000 AS model, COUNT(*) AS n FROM event GROUP BY model;

# title: public LEFT JOIN persons: every hour, also where nobody was
SELECT d.h, COUNT(DISTINCT v.subscriber_id) AS visitors
FROM dim_hour d LEFT JOIN visit v ON hour(v.start_ts) = d.h AND v.place_id = 'P1' AND v.visit_date = DATE '2026-10-10'
GROUP BY d.h ORDER BY d.h;

# title: public LEFT JOIN persons LEFT JOIN their rows, per thousand
SELECT z.zone_id, COUNT(DISTINCT v.subscriber_id) AS visitors, 1000.0 * COUNT(DISTINCT v.subscriber_id) / nullif(z.population, 0) AS per_1000
FROM zone z LEFT JOIN subscriber s ON s.home_zone = z.zone_id
            LEFT JOIN visit v ON v.subscriber_id = s.subscriber_id AND v.place_id = 'P1'
WHERE z.level = 3 GROUP BY z.zone_id, z.population;

# title: two public lists LEFT JOIN a subquery over persons
SELECT a.age_band, g.gender, COUNT(DISTINCT x.subscriber_id) AS visitors
FROM dim_age a CROSS JOIN dim_gender g
LEFT JOIN (SELECT DISTINCT v.subscriber_id, s.age_band, s.gender FROM visit v JOIN subscriber s USING (subscriber_id)
           WHERE v.place_id = 'P1') x ON x.age_band = a.age_band AND x.gender = g.gender GROUP BY 1, 2;

# title: inflow and outflow: a sum that is 0 where nobody's row matched
SELECT z.zone_id, d.h, SUM(CASE WHEN t.d_zone = z.zone_id THEN 1 ELSE 0 END) AS inflow, SUM(CASE WHEN t.o_zone = z.zone_id THEN 1 ELSE 0 END) AS outflow
FROM zone z CROSS JOIN dim_hour d
LEFT JOIN trip t ON (t.d_zone = z.zone_id OR t.o_zone = z.zone_id) AND t.o_zone <> t.d_zone AND hour(t.dep_ts) = d.h
WHERE z.level = 3 GROUP BY 1, 2;

# title: a condition on the private side undoes the LEFT JOIN
SELECT d.h, COUNT(*) AS n, SUM(v.dwell_min) AS s FROM dim_hour d LEFT JOIN visit v ON hour(v.start_ts) = d.h WHERE v.dwell_min > 30 GROUP BY 1;

# title: a condition in ON filters nobody's hour, one in WHERE does
SELECT d.h, COUNT(v.visit_id) AS n, SUM(v.dwell_min) AS s, AVG(v.dwell_min) AS a
FROM dim_hour d LEFT JOIN visit v ON hour(v.start_ts) = d.h AND d.h > 20 WHERE d.h > 12 GROUP BY 1;

# title: filters and a coalesce that ignore who is not there
SELECT d.h % 6 AS part, COUNT(*) FILTER (WHERE v.dwell_min > 30) AS long, SUM(COALESCE(v.dwell_min, 0)) AS s, COUNT_IF(v.dwell_min < 5) AS short
FROM dim_hour d LEFT JOIN visit v ON hour(v.start_ts) = d.h AND v.place_id = 'P1' GROUP BY ALL;

# title: public rows LEFT JOIN persons, then further public rows
SELECT z.zone_id, p.place_id, COUNT(s.subscriber_id) AS n
FROM zone z LEFT JOIN subscriber s ON s.home_zone = z.zone_id LEFT JOIN place p ON p.zone_id = z.zone_id GROUP BY 1, 2;

# title: keys computed in a subquery over the LEFT JOIN
SELECT late, SUM(n) AS n FROM (SELECT d.h > 18 AS late, CASE WHEN v.dwell_min > 30 THEN 1 ELSE 0 END AS n
FROM dim_hour d LEFT JOIN visit v ON hour(v.start_ts) = d.h) GROUP BY late;

# title: only the different public keys
SELECT DISTINCT d.h FROM dim_hour d LEFT JOIN visit v ON hour(v.start_ts) = d.h AND v.place_id = 'P1';

# title: no keys behind a LEFT JOIN
SELECT COUNT(v.visit_id) AS n, COUNT(DISTINCT v.subscriber_id) AS persons FROM dim_hour d LEFT JOIN visit v ON hour(v.start_ts) = d.h AND v.place_id = 'P1';

# title: bands of dwell by place
SELECT place_id, dwell_band(dwell_min) AS band, COUNT(*) AS visits FROM visit WHERE visit_date BETWEEN DATE '2026-10-01' AND DATE '2026-10-28' GROUP BY 1, 2;

# title: how far from home, and in which direction
SELECT compass8(bearing_deg(z.lon, z.lat, p.lon, p.lat)) AS direction, haversine_m(z.lon, z.lat, p.lon, p.lat) < 2000 AS near, COUNT(*) AS n
FROM visit v JOIN subscriber s USING (subscriber_id) JOIN zone z ON z.zone_id = s.home_zone JOIN place p ON p.place_id = v.place_id GROUP BY 1, 2;

# title: a sum of metres, which have a range of their own
SELECT AVG(haversine_m(z.lon, z.lat, p.lon, p.lat)) AS metres FROM visit v JOIN zone z ON z.zone_id = v.prev_zone JOIN place p ON p.place_id = v.place_id;

# title: cells of a square grid over public places
SELECT grid_cell(c.lon, c.lat, 1000) AS cell, COUNT(DISTINCT e.subscriber_id) AS n FROM event e JOIN cell c USING (cell_id) GROUP BY 1;

# title: events within a walk of a place
SELECT p.place_id, COUNT(*) AS n FROM event e JOIN cell c USING (cell_id) JOIN place p ON within_m(c.lon, c.lat, p.lon, p.lat, 600) GROUP BY 1;

# title: parts of the day and weekends
SELECT part_of_day(start_ts) AS part, is_weekend(start_ts) AS weekend, COUNT(*) AS n FROM visit GROUP BY 1, 2;

# title: equally wide buckets of a declared number
SELECT width_bucket(dwell_min, 0, 240, 8) AS bucket, COUNT(*) AS n FROM visit GROUP BY 1;

# title: tables listed in FROM and joined in WHERE
SELECT COUNT(*) AS n FROM visit a, visit b WHERE a.subscriber_id = b.subscriber_id AND a.visit_date < b.visit_date;

# title: three tables listed in FROM
SELECT s.gender, p.category, COUNT(*) AS n FROM visit v, subscriber s, place p WHERE (v.subscriber_id = s.subscriber_id AND p.place_id = v.place_id) AND v.dwell_min > 10 GROUP BY ALL;

# title: a table listed behind a join
SELECT COUNT(*) AS n FROM visit v JOIN place p USING (place_id), subscriber s WHERE s.subscriber_id = v.subscriber_id AND s.home_zone = p.zone_id;

# title: a semi-join written as one
SELECT event_type, COUNT(*) AS n FROM event SEMI JOIN visit USING (subscriber_id) GROUP BY event_type;

# title: an anti-join with a further condition
SELECT p.place_id, COUNT(*) AS n FROM passby p ANTI JOIN visit v ON v.subscriber_id = p.subscriber_id AND v.place_id = p.place_id GROUP BY p.place_id;

# title: a semi-join with public rows, behind a join
SELECT COUNT(*) AS n FROM visit v JOIN subscriber s USING (subscriber_id) SEMI JOIN zone z ON z.zone_id = s.home_zone AND z.population > 1000 WHERE s.gender = 'f';

# title: hours of a day that a date says
SELECT date_trunc('hour', start_ts) AS slot, COUNT(*) AS n FROM visit WHERE visit_date = DATE '2026-10-03' GROUP BY slot;

# title: quarters of an hour of days that a date says
SELECT time_bucket(INTERVAL 15 MINUTE, start_ts) AS slot, COUNT(DISTINCT subscriber_id) AS n FROM visit WHERE place_id = 'P1' AND visit_date BETWEEN DATE '2026-10-01' AND DATE '2026-10-02' GROUP BY slot;

# title: hours of days that a cast says
SELECT date_trunc('hour', ts) AS slot, COUNT(*) AS n FROM event WHERE CAST(ts AS DATE) > '2026-10-01' AND ts::DATE <= '2026-10-03' GROUP BY slot;

# title: hours of a list of days
SELECT date_trunc('hour', dep_ts) AS slot, mode, COUNT(*) AS n FROM trip WHERE trip_date IN ('2026-10-01', '2026-10-03') GROUP BY slot, mode;

# title: hours of a week that is cut out
SELECT date_trunc('hour', dep_ts) AS slot, COUNT(*) AS n FROM trip WHERE date_trunc('week', dep_ts) = DATE '2026-10-05' GROUP BY slot;

# title: hours before a unit that is begun
SELECT date_trunc('hour', dep_ts) AS slot, COUNT(*) AS n FROM trip WHERE date_trunc('day', dep_ts) >= DATE '2026-10-05' AND date_trunc('day', dep_ts) < TIMESTAMP '2026-10-06 12:00:00' GROUP BY slot;

# title: hours of days beside the days
SELECT visit_date, date_trunc('hour', start_ts) AS slot, COUNT(*) AS n FROM visit WHERE visit_date BETWEEN DATE '2026-10-01' AND DATE '2026-10-02' GROUP BY 1, 2;

# title: names of days beside the days
SELECT visit_date, dayname(start_ts) AS name, COUNT(*) AS n FROM visit WHERE visit_date BETWEEN DATE '2026-10-01' AND DATE '2026-10-07' GROUP BY 1, 2;

# title: months, weeks, days and hours of one time
SELECT date_trunc('month', dep_ts) AS mo, date_trunc('week', dep_ts) AS w, dep_ts::DATE AS d, date_trunc('hour', dep_ts) AS h, COUNT(*) AS n
FROM trip WHERE dep_ts >= TIMESTAMP '2026-10-30 12:00:00' AND dep_ts < TIMESTAMP '2026-11-01 06:00:00' GROUP BY ALL;

# title: totals of days and hours of one time
SELECT visit_date, date_trunc('hour', start_ts) AS h, COUNT(*) AS n FROM visit
WHERE visit_date BETWEEN DATE '2026-10-01' AND DATE '2026-10-02' GROUP BY ROLLUP(visit_date, h);

# title: totals of days and parts of the day
SELECT start_ts::DATE AS d, hour(start_ts) AS h, COUNT(*) AS n FROM visit
WHERE visit_date BETWEEN DATE '2026-10-01' AND DATE '2026-10-02' GROUP BY CUBE(d, h);

# title: hours and quarters of an hour of one time
SELECT date_trunc('hour', start_ts) AS h, time_bucket(INTERVAL 15 MINUTE, start_ts) AS q, COUNT(*) AS n FROM visit
WHERE visit_date = DATE '2026-10-02' GROUP BY 1, 2;

# title: a percentage beside the count below it
SELECT place_id, 100.0 * COUNT_IF(dwell_min > 30) / COUNT(*) AS share, COUNT(*) AS n FROM visit GROUP BY place_id;

# title: averages written as quotients
SELECT SUM(dwell_min) / COUNT(dwell_min) AS mean, COUNT(prev_zone) / COUNT(*) AS known,
  SUM(CASE WHEN dwell_min > 30 THEN 1 ELSE 0 END) / NULLIF(COUNT(*), 0) AS share FROM visit;

# title: averages over all rows written as quotients, of numbers and conditions with and without NULL
SELECT approach_dir, SUM(CASE WHEN dwell_min > 30 THEN dwell_min END) / COUNT(*) AS long_part,
  SUM(dwell_min > 30) / COUNT(*) AS share, SUM(prev_zone = 'Z01') / COUNT(*) AS known,
  SUM(prev_zone = next_zone) / COUNT(prev_zone = next_zone) AS back FROM visit GROUP BY approach_dir;

# title: a person's quotient over all rows is NULL where no row has a value
SELECT x IS NULL AS without_value, COUNT(*) AS n FROM (SELECT subscriber_id,
  SUM(CASE WHEN dwell_min > 120 THEN dwell_min END) / COUNT(*) AS x FROM visit GROUP BY subscriber_id) GROUP BY 1;
