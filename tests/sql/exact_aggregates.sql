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

# title: quartiles of a double
# within: 11.25
SELECT place_id, QUANTILE_CONT(dwell_min, 0.25) AS q1, MEDIAN(dwell_min) AS q2, QUANTILE_CONT(dwell_min, 0.75) AS q3 FROM visit GROUP BY place_id;

# title: a quantile without groups, beside a count
# within: 11.25
SELECT COUNT(*) AS n, PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY dwell_min) AS q FROM visit;

# title: a quantile from above
# within: 11.25
SELECT PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY dwell_min DESC) AS q FROM visit;

# title: quantiles of few whole numbers are exact
SELECT place_id, MEDIAN(hour(start_ts)) AS m, QUANTILE_CONT(hour(start_ts), 0.1) AS q, COUNT(*) AS n, AVG(dwell_min) AS mean FROM visit GROUP BY place_id;

# title: the least and the largest are quantiles near the ends
# instead: SELECT place_id, CAST(floor(QUANTILE_CONT(hour(start_ts), 0.01)) AS BIGINT) AS lo, CAST(ceil(QUANTILE_CONT(hour(start_ts), 0.99)) AS BIGINT) AS hi FROM visit GROUP BY place_id
# because: a true extreme is the value of one person
SELECT place_id, MIN(hour(start_ts)) AS lo, MAX(hour(start_ts)) AS hi FROM visit GROUP BY place_id;

# title: a quantile with a filter and a cut range
# within: 0.9375
SELECT approach_dir, MEDIAN(LEAST(GREATEST(dwell_min, 0), 120)) FILTER (WHERE dwell_min > 5) AS m FROM visit GROUP BY approach_dir;

# title: quantiles of two values beside sums
# within: 11.25
SELECT v.place_id, COUNT(*) AS n, MEDIAN(v.dwell_min) AS dwell, MEDIAN(hour(v.start_ts)) AS h, SUM(v.dwell_min) AS s FROM visit v GROUP BY v.place_id;

# title: a median of what each person has
SELECT MEDIAN(n) AS m FROM (SELECT subscriber_id, LEAST(COUNT(*), 100) AS n FROM visit GROUP BY subscriber_id);

# title: medians in an order, filtered
# within: 11.25
SELECT place_id, MEDIAN(dwell_min) AS m FROM visit GROUP BY place_id HAVING COUNT(*) > 10 ORDER BY place_id;

# title: a median used above
# within: 22.5
SELECT a.place_id, a.m - b.m AS d FROM (SELECT place_id, MEDIAN(dwell_min) AS m FROM visit GROUP BY place_id) a CROSS JOIN (SELECT MEDIAN(dwell_min) AS m FROM visit) b;

# title: a median beside public rows that stay
# within: 11.25
# instead: SELECT d.h, MEDIAN(v.dwell_min) AS m FROM dim_hour d JOIN visit v ON hour(v.start_ts) = d.h GROUP BY d.h
# because: the oracle shows only groups that somebody is in
SELECT d.h, MEDIAN(v.dwell_min) AS m FROM dim_hour d LEFT JOIN visit v ON hour(v.start_ts) = d.h GROUP BY d.h;

# title: quantiles of a person's counts, however many rows a person may have
# within: 1
SELECT MEDIAN(n) AS m, QUANTILE_CONT(n, 0.25) AS q FROM (SELECT subscriber_id, COUNT(DISTINCT cell_id) AS n FROM event GROUP BY 1);

# title: low quantiles are fine where values are small
# within: 2.9
SELECT place_id, QUANTILE_CONT(dwell_min, 0.1) AS q FROM visit GROUP BY 1;
