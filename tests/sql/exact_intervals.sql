# Ends of intervals as columns: without noise each is the number itself. The world is the bundled operator at small size.

# title: ends of counts and sums, by what they are called
SELECT place_id, COUNT(*) AS n, SUM(dwell_min) AS s, DP_INTERVAL_LOW(n) AS lo, dp_interval_high(n) AS hi, DP_INTERVAL_HIGH(s) AS top FROM visit GROUP BY place_id;

# title: ends of an aggregate as it is written
SELECT DP_INTERVAL_LOW(COUNT(DISTINCT subscriber_id)) AS lo FROM visit;

# title: ends of a mean and of a ratio
SELECT place_id, AVG(dwell_min) AS m, DP_INTERVAL_HIGH(m) AS hi, DP_INTERVAL_LOW(100.0 * COUNT(*) / COUNT(DISTINCT subscriber_id)) AS lo FROM visit GROUP BY place_id;

# title: conditions and orders over ends
SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id HAVING DP_INTERVAL_LOW(n) > 100 ORDER BY DP_INTERVAL_HIGH(n) DESC, place_id LIMIT 3;

# title: a condition around a release, and ends in arithmetic
SELECT place_id, DP_INTERVAL_HIGH(d) - DP_INTERVAL_LOW(d) AS width FROM (SELECT place_id, 2 * COUNT(*) - COUNT(DISTINCT subscriber_id) AS d FROM visit GROUP BY place_id) AS q WHERE DP_INTERVAL_LOW(d) > 50;

# title: an end in an aggregate over releases
SELECT MAX(DP_INTERVAL_LOW(n)) AS surely FROM (SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id) AS q;
