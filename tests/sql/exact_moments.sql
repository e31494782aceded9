# Variances and what else is made of products, over the bundled operator at small size.

# title: a variance of everybody
SELECT VARIANCE(dwell_min) AS v, VAR_SAMP(dwell_min) AS s, VAR_POP(dwell_min) AS p FROM visit;

# title: deviations by place, beside a mean and a count
# within: 0.001
SELECT place_id, STDDEV(dwell_min) AS s, STDDEV_SAMP(dwell_min) AS t, STDDEV_POP(dwell_min) AS p, AVG(dwell_min) AS m, COUNT(*) AS n FROM visit GROUP BY place_id;

# title: a variance of whole numbers, filtered
SELECT approach_dir, VAR_SAMP(hour(start_ts)) FILTER (WHERE dwell_min > 5) AS v FROM visit GROUP BY approach_dir;

# title: a variance of what each person has
SELECT VARIANCE(n) AS v, STDDEV_POP(n) AS s FROM (SELECT subscriber_id, COUNT(*) AS n FROM visit GROUP BY subscriber_id);

# title: a variance of a multiple, in an order
# within: 0.01
SELECT place_id, VAR_POP(dwell_min * 60) AS v FROM visit GROUP BY place_id HAVING COUNT(*) > 3 ORDER BY place_id;

# title: covariances and correlations
SELECT CORR(dwell_min, hour(start_ts)) AS c, COVAR_POP(dwell_min, hour(start_ts)) AS p, COVAR_SAMP(hour(start_ts), dwell_min) AS s FROM visit;

# title: a regression
SELECT REGR_SLOPE(dwell_min, hour(start_ts)) AS slope, REGR_INTERCEPT(dwell_min, hour(start_ts)) AS start FROM visit;

# title: a correlation of pairs of which one may be missing
SELECT CORR(dwell_min, CASE WHEN approach_dir = 'N' THEN hour(start_ts) END) AS c, COVAR_POP(CASE WHEN dwell_min > 9 THEN dwell_min END, hour(start_ts)) FILTER (WHERE approach_dir <> 'S') AS p FROM visit;

# title: deviations of one person's rows
SELECT AVG(s) AS s, AVG(p) AS p, AVG(v) AS v, COUNT(s) AS n FROM (SELECT subscriber_id, STDDEV(dwell_min) AS s, STDDEV_POP(dwell_min) AS p, VAR_POP(hour(start_ts)) FILTER (WHERE dwell_min > 3) AS v FROM visit GROUP BY subscriber_id);

# title: covariances of one person's rows
SELECT AVG(p) AS p, AVG(s) AS s FROM (SELECT subscriber_id, COVAR_POP(dwell_min, hour(start_ts)) AS p, COVAR_SAMP(hour(start_ts), dwell_min) AS s FROM visit GROUP BY subscriber_id);

# title: a correlation of one person's rows
SELECT COUNT(*) AS n FROM (SELECT subscriber_id, CORR(dwell_min, hour(start_ts)) AS c, REGR_SLOPE(dwell_min, hour(start_ts)) AS b FROM visit GROUP BY subscriber_id HAVING COUNT(*) > 9) WHERE c > 0.2 AND b > 0;

# title: statistics of releases
SELECT STDDEV(n) AS s, VAR_POP(m) AS v, CORR(n, m) AS c, REGR_SLOPE(n, m) AS b, REGR_INTERCEPT(n, m) AS a, COVAR_SAMP(n, m) AS d FROM (SELECT place_id, COUNT(*) AS n, SUM(dwell_min) AS m FROM visit GROUP BY place_id);

# title: deviation and correlation of shares
SELECT STDDEV_POP(CASE WHEN dwell_min > 30 THEN 1 ELSE 0 END) AS d, CORR(CASE WHEN dwell_min > 30 THEN 1 ELSE 0 END, dwell_min) AS r,
  AVG(CASE WHEN hour(start_ts) < 12 THEN 1 ELSE 0 END) AS m FROM visit;
