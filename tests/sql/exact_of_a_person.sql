# Every deterministic aggregate of one person's rows, of public rows and of releases, over the bundled operator.

# title: medians and quantiles of a person
SELECT AVG(LEAST(m, 500)) AS m, AVG(q) AS q, AVG(d) AS d, AVG(h) AS h FROM (SELECT subscriber_id, MEDIAN(dwell_min) AS m, QUANTILE_CONT(dwell_min, 0.9) AS q, QUANTILE_DISC(dwell_min, 0.25) AS d, PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY hour(start_ts)) AS h FROM visit GROUP BY subscriber_id);

# title: the usual place of a person, where one is the most usual
# instead: SELECT place, COUNT(*) AS n FROM (SELECT subscriber_id, MODE(place_id ORDER BY tie(subscriber_id, place_id), place_id) AS place FROM visit GROUP BY subscriber_id) GROUP BY place
SELECT place, COUNT(*) AS n FROM (SELECT subscriber_id, MODE(place_id) AS place FROM visit GROUP BY subscriber_id) GROUP BY place;

# title: any value of what is one
SELECT band, COUNT(*) AS n FROM (SELECT v.subscriber_id, ANY_VALUE(s.age_band) AS band FROM visit v JOIN subscriber s USING (subscriber_id) GROUP BY v.subscriber_id) GROUP BY band;

# title: the first and the last place
# instead: SELECT a = z AS same, COUNT(*) AS n FROM (SELECT subscriber_id, FIRST(place_id ORDER BY start_ts, tie(subscriber_id, place_id), place_id) AS a, LAST(place_id ORDER BY start_ts, tie(subscriber_id, place_id), place_id) AS z FROM visit GROUP BY subscriber_id) GROUP BY same
SELECT a = z AS same, COUNT(*) AS n FROM (SELECT subscriber_id, FIRST(place_id ORDER BY start_ts) AS a, LAST(place_id ORDER BY start_ts) AS z FROM visit GROUP BY subscriber_id) GROUP BY same;

# title: the last of those that a filter leaves, from above
# instead: SELECT a, COUNT(*) AS n FROM (SELECT subscriber_id, FIRST(approach_dir ORDER BY dwell_min DESC, tie(subscriber_id, approach_dir), approach_dir) FILTER (WHERE dwell_min < 60) AS a FROM visit GROUP BY subscriber_id) GROUP BY a
SELECT a, COUNT(*) AS n FROM (SELECT subscriber_id, FIRST(approach_dir ORDER BY dwell_min DESC) FILTER (WHERE dwell_min < 60) AS a FROM visit GROUP BY subscriber_id) GROUP BY a;

# title: lists of a person
SELECT COUNT(*) FILTER (WHERE list_contains(l, 'P1')) AS p1, COUNT(*) FILTER (WHERE LENGTH(l) > 4) AS many, COUNT(*) FILTER (WHERE LENGTH(d) > 2) AS different FROM (SELECT subscriber_id, LIST(place_id) AS l, ARRAY_AGG(DISTINCT place_id) AS d FROM visit GROUP BY subscriber_id);

# title: paths of a person
# instead: SELECT path = 'P1,P2' AS p, COUNT(*) AS n FROM (SELECT subscriber_id, STRING_AGG(place_id, ',' ORDER BY start_ts, tie(subscriber_id, place_id), place_id) FILTER (WHERE dwell_min > 60) AS path FROM visit GROUP BY subscriber_id) GROUP BY p
SELECT path = 'P1,P2' AS p, COUNT(*) AS n FROM (SELECT subscriber_id, STRING_AGG(place_id, ',' ORDER BY start_ts) FILTER (WHERE dwell_min > 60) AS path FROM visit GROUP BY subscriber_id) GROUP BY p;

# title: bits and conditions of a person
SELECT COUNT(*) FILTER (WHERE o % 2 = 1) AS o, COUNT(*) FILTER (WHERE a > 0) AS a, COUNT(*) FILTER (WHERE x > 7) AS x, COUNT(*) FILTER (WHERE anywhere) AS anywhere, COUNT(*) FILTER (WHERE always) AS always FROM (SELECT subscriber_id, BIT_OR(hour(start_ts)) AS o, BIT_AND(hour(start_ts)) AS a, BIT_XOR(hour(start_ts)) AS x, BOOL_OR(dwell_min > 60) AS anywhere, BOOL_AND(dwell_min > 2) AS always FROM visit GROUP BY subscriber_id);

# title: products, and sums of different values
SELECT COUNT(*) FILTER (WHERE p > 100) AS p, SUM(LEAST(s, 300)) AS s, AVG(LEAST(a, 300)) AS a, SUM(LEAST(h, 100)) AS h FROM (SELECT subscriber_id, PRODUCT(dwell_min) AS p, SUM(DISTINCT dwell_min) AS s, AVG(DISTINCT dwell_min) AS a, SUM(DISTINCT hour(start_ts)) AS h FROM visit GROUP BY subscriber_id);

# title: counts of a person
SELECT SUM(LEAST(n, 50)) AS n, SUM(LEAST(k, 50)) AS k FROM (SELECT subscriber_id, COUNT_IF(dwell_min > 30) AS n, COUNT(*) FILTER (WHERE approach_dir = 'N') AS k FROM visit GROUP BY subscriber_id);

# title: the longest stay's place, filtered
# instead: SELECT place, COUNT(*) AS n FROM (SELECT subscriber_id, LAST(place_id ORDER BY dwell_min, tie(subscriber_id, place_id), place_id) FILTER (WHERE approach_dir = 'N') AS place FROM visit GROUP BY subscriber_id) GROUP BY place
SELECT place, COUNT(*) AS n FROM (SELECT subscriber_id, ARG_MAX(place_id, dwell_min) FILTER (WHERE approach_dir = 'N') AS place FROM visit GROUP BY subscriber_id) GROUP BY place;

# title: a quantile over people that is somebody's, of few whole numbers
SELECT place_id, QUANTILE_DISC(hour(start_ts), 0.5) AS m, PERCENTILE_DISC(0.9) WITHIN GROUP (ORDER BY hour(start_ts)) AS q, QUANTILE(hour(start_ts), 0.1) AS r FROM visit GROUP BY place_id;

# title: a discrete quantile of a double
# within: 11.25
SELECT QUANTILE_DISC(dwell_min, 0.75) AS q FROM visit;

# title: a share, a mean of a condition
SELECT place_id, AVG(CASE WHEN dwell_min > 30 THEN 1.0 ELSE 0.0 END) AS share, COUNT_IF(dwell_min > 30) * 1.0 / COUNT(*) AS same FROM visit GROUP BY place_id;

# title: of releases
SELECT MEDIAN(n) AS m, QUANTILE_CONT(n, 0.9) AS q, QUANTILE_DISC(n, 0.25) AS d, PRODUCT(n / 100.0) AS p, SUM(DISTINCT n) AS s, AVG(DISTINCT n) AS a, BIT_OR(n) AS o, LENGTH(LIST(place_id)) AS l FROM (SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id);

# title: of releases, in an order
SELECT kind, FIRST(place_id ORDER BY n DESC, place_id) AS top, LAST(place_id ORDER BY n DESC, place_id) AS low, STRING_AGG(place_id, ' > ' ORDER BY n DESC, place_id) AS ranking, ARG_MAX(place_id, n) AS same, LIST(place_id ORDER BY place_id DESC) AS l FROM (SELECT place_id, LEFT(place_id, 2) AS kind, COUNT(*) AS n FROM visit GROUP BY place_id) GROUP BY kind;

# title: of public rows
SELECT MEDIAN(lon) AS m, FIRST(place_id ORDER BY lon) AS west, STDDEV(lat) AS s, STRING_AGG(place_id, ',' ORDER BY lon, place_id) AS path FROM place;

# title: days of people, a row for each person and day
SELECT visit_date, COUNT(*) AS n, COUNT(*) FILTER (WHERE visits > 1) AS several, COUNT(far) AS far FROM (SELECT subscriber_id, visit_date, COUNT(*) AS visits, MAX(CASE WHEN dwell_min > 30 THEN 1 END) AS far FROM visit GROUP BY subscriber_id, visit_date) GROUP BY visit_date;

# title: different days of people
SELECT visit_date, COUNT(*) AS n FROM (SELECT DISTINCT subscriber_id, visit_date FROM visit) GROUP BY visit_date;

# title: different days of people by their contract
WITH days AS (SELECT DISTINCT subscriber_id, visit_date FROM visit) SELECT visit_date, contract_type, COUNT(*) AS n FROM days JOIN subscriber USING (subscriber_id) GROUP BY visit_date, contract_type;

# title: different places of people, with a public table
SELECT p.category, v.place_id, COUNT(*) AS n FROM (SELECT DISTINCT subscriber_id, place_id FROM visit) AS v LEFT JOIN place AS p ON p.place_id = v.place_id GROUP BY p.category, v.place_id;

# title: different places of people by category, of which a person has several
SELECT p.category, COUNT(*) AS n FROM (SELECT DISTINCT subscriber_id, place_id FROM visit) AS v JOIN place AS p USING (place_id) GROUP BY p.category;

# title: hours of first visits
SELECT h, COUNT(*) AS n FROM (SELECT subscriber_id, visit_date, MIN(hour(start_ts)) AS h FROM visit GROUP BY subscriber_id, visit_date) GROUP BY h;

# title: people by the week in which they came first
SELECT cohort, COUNT(*) AS n FROM (SELECT subscriber_id, MIN(date_trunc('week', start_ts)) AS cohort FROM visit GROUP BY subscriber_id) GROUP BY cohort;

# title: people by the day of their last visit, and its hour
SELECT CAST(latest AS DATE) AS day, hour(latest) AS h, COUNT(*) AS n FROM (SELECT subscriber_id, MAX(start_ts) AS latest FROM visit GROUP BY subscriber_id) GROUP BY day, h;

# title: people by whether a longest stay was long
SELECT kind, COUNT(*) AS n FROM (SELECT subscriber_id, MAX(CASE WHEN dwell_min > 60 THEN 'long' ELSE 'brief' END) FILTER (WHERE approach_dir = 'N') AS kind FROM visit GROUP BY subscriber_id) GROUP BY kind;
