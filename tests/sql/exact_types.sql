# Stored types: each is read as one of few, and answered as plain DuckDB answers over what is stored.

# title: unsigned integers beyond 64 bits with a sign are compared
SELECT COUNT(*) FILTER (WHERE u > 9000000000000000000) AS a, COUNT(*) FILTER (WHERE u > -1) AS b, COUNT(*) FILTER (WHERE u IN (5, -1)) AS c,
       COUNT(*) FILTER (WHERE u BETWEEN -5 AND 5) AS d FROM act;

# title: unsigned integers that fit
SELECT SUM(u) AS s, AVG(u) AS a, COUNT(u) AS n FROM act WHERE u < 100;

# title: remainders of unsigned integers
SELECT u % 10 AS r, COUNT(*) AS n FROM act GROUP BY r;

# title: the largest of a person
SELECT COUNT(*) AS n FROM (SELECT pid, MAX(u) AS m FROM act GROUP BY pid) WHERE m > 10;

# title: a person's mean of unsigned integers
SELECT SUM(LEAST(m, 50)) AS n FROM (SELECT pid, AVG(u) AS m FROM act WHERE u < 100 GROUP BY pid);

# title: single floats
SELECT SUM(f) AS s, COUNT(*) AS n FROM act WHERE f < 1;

# title: single floats above all whole numbers they know
SELECT COUNT(*) AS n FROM act WHERE f >= 16777216;

# title: decimals
SELECT SUM(dec) AS s, AVG(dec) AS a FROM act WHERE dec < 100;

# title: a decimal compared with itself written out
SELECT COUNT(*) AS n FROM act WHERE dec = 1.2345;

# title: a third of a decimal
SELECT SUM(LEAST(GREATEST(dec / 3, -5), 5)) AS s FROM act;

# title: whole seconds in a range
SELECT COUNT(*) AS n FROM act WHERE ts >= '2026-03-01' AND ts < '2026-03-02';

# title: hours of whole seconds
SELECT hour(ts) AS h, COUNT(*) AS n FROM act WHERE ts < '2026-03-05' GROUP BY h;

# title: dates of whole seconds
SELECT CAST(ts AS DATE) AS d, COUNT(*) AS n FROM act WHERE ts BETWEEN '2026-03-01' AND '2026-03-05' GROUP BY d;

# title: dates of thousandths
SELECT CAST(tm AS DATE) AS d, COUNT(*) AS n FROM act WHERE tm BETWEEN '2026-03-01' AND '2026-03-05' GROUP BY d;

# title: thousandths compared
SELECT COUNT(*) AS n FROM act WHERE tm = '2026-03-01 10:00:00.123';

# title: seconds of nanoseconds
SELECT second(tn) AS s, COUNT(*) AS n FROM act GROUP BY s;

# title: days with the end inside
SELECT date_trunc('day', ts) AS d, COUNT(*) AS n FROM act WHERE ts >= '2026-03-01' AND ts <= '2026-03-02 10:00:00' GROUP BY d;

# title: times of day are counted
SELECT COUNT(tt) AS n FROM act;

# title: lists
SELECT COUNT(l) AS n, COUNT(li) AS m, COUNT(*) FILTER (WHERE list_contains(l, 'x')) AS x FROM act;

# title: lengths of lists
SELECT len(l) AS k, COUNT(*) AS n FROM act WHERE len(l) BETWEEN 0 AND 5 GROUP BY k;

# title: small integers in large sums
SELECT SUM(tiny) AS s, AVG(tiny) AS a, SUM(tiny // 2) AS t FROM act;

# title: infinite dates are later than all others, or earlier
SELECT COUNT(*) FILTER (WHERE dd > '2026-01-01') AS later, COUNT(*) FILTER (WHERE dd < '2026-01-01') AS earlier FROM act;

# title: months of dates
SELECT COUNT(*) AS n FROM act WHERE date_trunc('month', dd) = '2026-03-01';

# title: truth, untruth and neither
SELECT b, COUNT(*) AS n, COUNT(*) FILTER (WHERE b) AS t, COUNT(*) FILTER (WHERE NOT b) AS f, COUNT(*) FILTER (WHERE b IS NOT TRUE) AS u FROM act GROUP BY b;

# title: truth as a number
SELECT SUM(CAST(b AS BIGINT)) AS s, SUM(CASE WHEN b THEN 1.5 ELSE -1 END) AS t FROM act;

# title: persons that are text
SELECT COUNT(*) AS n, COUNT(DISTINCT a.pid) AS p FROM act a JOIN act b USING (pid) WHERE a.u <> b.u;

# title: a person's mean where their sum does not fit
SELECT COUNT(*) AS persons, COUNT(m) AS means, COUNT(*) FILTER (WHERE m > 1000) AS large FROM (SELECT pid, AVG(u) AS m FROM act GROUP BY pid);
