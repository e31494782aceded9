# Aggregates at the release boundary, over the bundled operator at small size.

# title: a sum of a condition
SELECT place_id, SUM(dwell_min > 30) AS n, SUM(approach_dir = 'N') AS from_north FROM visit GROUP BY place_id;

# title: a sum of a condition that is NULL
SELECT SUM(approach_dir = 'N') AS n FROM visit WHERE approach_dir IS NULL;

# title: a sum of a condition with a filter
SELECT SUM(dwell_min > 30) FILTER (WHERE approach_dir = 'N') AS n FROM visit;

# title: a sum of cases beside a weighted sum
SELECT SUM(CASE WHEN v.dwell_min > 30 THEN s.weight ELSE 0 END) AS w, SUM(v.dwell_min * s.weight) AS x FROM visit v JOIN subscriber s USING (subscriber_id);

# title: a weighted mean
SELECT SUM(v.dwell_min * s.weight) / SUM(s.weight) AS mean FROM visit v JOIN subscriber s USING (subscriber_id);

# title: a mean of what each person has
SELECT AVG(n) AS visits, AVG(longest) AS longest FROM (SELECT subscriber_id, COUNT(*) AS n, MAX(dwell_min) AS longest FROM visit GROUP BY subscriber_id);

# title: persons for whom something holds
SELECT COUNT(DISTINCT subscriber_id) FILTER (WHERE dwell_min > 30) AS a, COUNT(DISTINCT CASE WHEN dwell_min > 30 THEN subscriber_id END) AS b FROM visit;

# title: a sum of a condition over a release
SELECT SUM(n > 100) AS many, COUNT_IF(n > 100) AS as_many FROM (SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id);
