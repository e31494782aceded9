# Questions over public tables alone: no release, no noise. The answer is DuckDB's own, to the row and its place.

# title: a table
SELECT * FROM hours ORDER BY h;
# title: from first
FROM hours;
# title: names in any case
SELECT H, "h" AS "Hour" FROM HOURS AS Hs WHERE hs.H < 3;
# title: an alias hides a column in ORDER BY
SELECT -h AS h FROM hours ORDER BY h LIMIT 3;
# title: an alias does not hide a column inside an expression of ORDER BY
SELECT -h AS h FROM hours ORDER BY h + 0 LIMIT 3;
# title: order by an alias inside an expression
SELECT h % 5 AS m, h FROM hours ORDER BY m + 1 DESC, h LIMIT 7;
# title: order by position and direction
SELECT h % 5, h FROM hours ORDER BY 1 DESC, 2 ASC;
# title: order by all
SELECT h % 3 AS m, h FROM hours ORDER BY ALL;
# title: order by a constant says nothing
SELECT h FROM hours ORDER BY 1 + 1, h LIMIT 2;
# title: nulls come last, also where the order is turned
SELECT nullif(h, 5) AS n FROM hours ORDER BY n DESC;
# title: nulls first where asked
SELECT nullif(h, 5) AS n FROM hours ORDER BY n NULLS FIRST LIMIT 2;
# title: limit nothing
SELECT h FROM hours LIMIT 0;
# title: an offset alone
SELECT h FROM hours ORDER BY h OFFSET 20;
# title: a slice
SELECT h FROM hours ORDER BY h LIMIT 3 OFFSET 4;
# title: different rows
SELECT DISTINCT zone FROM cells ORDER BY zone;
# title: different rows of groups
SELECT DISTINCT COUNT(*) AS n FROM cells GROUP BY zone ORDER BY n;
# title: different rows, ordered by what is shown
SELECT DISTINCT h % 3 FROM hours ORDER BY h % 3 DESC;
# title: groups by position
SELECT zone, COUNT(*) AS n FROM cells GROUP BY 1 ORDER BY 1;
# title: groups by an alias
SELECT h // 6 AS quarter_, COUNT(*) AS n FROM hours GROUP BY quarter_ ORDER BY quarter_;
# title: a column stands before an alias in GROUP BY
SELECT h % 2 AS h, COUNT(*) AS n FROM hours GROUP BY h ORDER BY n, h;
# title: groups by everything that is no aggregate
SELECT zone, COUNT(*) AS n, cell_id > 7 AS high FROM cells GROUP BY ALL ORDER BY ALL;
# title: groups by a constant
SELECT 'all' AS what, COUNT(*) AS n FROM hours GROUP BY 'all';
# title: no groups
SELECT COUNT(*), SUM(h), AVG(h), MIN(h), MAX(h), MEDIAN(h), COUNT(DISTINCT h % 4) FROM hours;
# title: no groups of no rows
SELECT COUNT(*), SUM(h), MIN(h), BOOL_AND(h > 1) FROM hours WHERE h > 99;
# title: groups of no rows
SELECT h, COUNT(*) FROM hours WHERE h > 99 GROUP BY h;
# title: having without groups
SELECT COUNT(*) AS n FROM hours HAVING COUNT(*) > 99;
# title: having an alias
SELECT zone, COUNT(*) AS n FROM cells GROUP BY zone HAVING n > 3 ORDER BY zone;
# title: having an aggregate that is not shown
SELECT zone FROM cells GROUP BY zone HAVING MAX(cell_id) > 12 ORDER BY zone;
# title: an expression over keys and aggregates
SELECT zone || '!' AS z, COUNT(*) * 2 + MIN(cell_id) AS n FROM cells GROUP BY zone ORDER BY z;
# title: an expression that is itself a key
SELECT h % 4 + 1 AS k, COUNT(*) AS n FROM hours GROUP BY h % 4 ORDER BY k;
# title: filters
SELECT COUNT(*) FILTER (WHERE h > 3) AS a, SUM(h) FILTER (WHERE h % 2 = 0) AS b, COUNT_IF(h > 20) AS c FROM hours;
# title: the first and last by another column
SELECT arg_min(zone, cell_id) AS first, arg_max(zone, cell_id) AS last, bool_or(cell_id = 3) AS has FROM cells;
# title: spread
SELECT round(stddev(h), 6) AS s, round(variance(h), 6) AS v FROM hours;
# title: an alias that is a column elsewhere in the list
SELECT 5 AS h, SUM(h) AS s FROM hours;
# title: join by USING shows the column once
SELECT * FROM (SELECT h, h * 2 AS d FROM hours) a JOIN (SELECT h, h * 3 AS t FROM hours) b USING (h) ORDER BY h LIMIT 3;
# title: join by USING twice
SELECT h, a.x, b.x, c.x FROM (SELECT h, 1 AS x FROM hours) a JOIN (SELECT h, 2 AS x FROM hours) b USING (h) JOIN (SELECT h, 3 AS x FROM hours) c USING (h) ORDER BY h LIMIT 2;
# title: left join by USING keeps the left value
SELECT h, b.t FROM (SELECT h FROM hours WHERE h < 4) a LEFT JOIN (SELECT h, h * 3 AS t FROM hours WHERE h > 2) b USING (h) ORDER BY h;
# title: left join with a further condition
SELECT a.h, b.h AS other FROM hours a LEFT JOIN hours b ON b.h = a.h + 1 AND b.h % 2 = 0 ORDER BY a.h;
# title: left join, then a condition on the right
SELECT a.h FROM hours a LEFT JOIN hours b ON b.h = a.h + 20 WHERE b.h IS NULL ORDER BY a.h LIMIT 2;
# title: a value computed below a left join is NULL where nothing matched
SELECT a.h, b.size FROM hours a LEFT JOIN (SELECT h, CASE WHEN h > 99 THEN 'big' ELSE 'small' END AS size FROM hours WHERE h < 2) b USING (h) ORDER BY a.h LIMIT 4;
# title: and grouped, it is a group of its own
SELECT b.size, COUNT(*) AS n FROM hours a LEFT JOIN (SELECT h, CASE WHEN h > 99 THEN 'big' ELSE 'small' END AS size FROM hours WHERE h < 2) b USING (h) GROUP BY b.size ORDER BY n;
# title: the same expression above a left join is another one
SELECT b.size, CASE WHEN b.h > 99 THEN 'big' ELSE 'small' END AS other, COUNT(*) AS n FROM hours a LEFT JOIN (SELECT h, CASE WHEN h > 99 THEN 'big' ELSE 'small' END AS size FROM hours WHERE h < 2) b USING (h) GROUP BY ALL ORDER BY n;
# title: tables with a comma
SELECT COUNT(*) AS n FROM hours a, hours b WHERE a.h < b.h;
# title: a cross join
SELECT COUNT(*) AS n FROM hours CROSS JOIN cells;
# title: values
SELECT * FROM (VALUES (1, 'a'), (2, NULL), (NULL, 'c')) AS t(n, s) ORDER BY n;
# title: values with numbers of two types
SELECT n + 1 AS m FROM (VALUES (1), (2.5)) AS t(n) ORDER BY m;
# title: values without names
SELECT col0, col1 FROM (VALUES (1, DATE '2026-10-14')) t;
# title: new names for columns
SELECT x, zone FROM cells AS c(x) ORDER BY x, zone LIMIT 2;
# title: a CTE hides a table
WITH cells AS (SELECT h AS cell_id FROM hours) SELECT COUNT(*), MAX(cell_id) FROM cells;
# title: CTEs over CTEs
WITH a AS (SELECT h FROM hours WHERE h > 3), b AS (SELECT h * 2 AS h FROM a WHERE h < 6) SELECT * FROM b ORDER BY h;
# title: a CTE used twice
WITH a AS (SELECT h FROM hours WHERE h < 3) SELECT x.h, y.h AS other FROM a x JOIN a y ON x.h < y.h ORDER BY ALL;
# title: a CTE inside a subquery
SELECT * FROM (WITH a AS (SELECT MAX(h) AS m FROM hours) SELECT m + 1 AS n FROM a);
# title: materialized CTEs
WITH a AS MATERIALIZED (SELECT h FROM hours), b AS NOT MATERIALIZED (SELECT h FROM a) SELECT COUNT(*) AS n FROM b;
# title: brackets around a question
(SELECT COUNT(*) AS n FROM hours);
# title: groups of groups
SELECT n, COUNT(*) AS zones FROM (SELECT zone, COUNT(*) AS n FROM cells GROUP BY zone) GROUP BY n ORDER BY n;
# title: a slice in a subquery
SELECT SUM(h) AS s FROM (SELECT h FROM hours ORDER BY h DESC LIMIT 3);
# title: CASE with a subject, and NULL
SELECT h, CASE nullif(h, 0) WHEN 1 THEN 'one' WHEN NULL THEN 'never' ELSE 'other' END AS c FROM hours ORDER BY h LIMIT 3;
# title: CASE without ELSE
SELECT DISTINCT CASE WHEN h < 3 THEN 'low' WHEN h > 20 THEN 'high' END AS c FROM hours ORDER BY c;
# title: IN with NULL
SELECT COUNT(*) AS n FROM hours WHERE h IN (1, 2, NULL);
# title: NOT IN with NULL
SELECT COUNT(*) AS n FROM hours WHERE h NOT IN (1, 2, NULL);
# title: IN of nothing but NULL
SELECT COUNT(*) AS n FROM hours WHERE h IN (NULL);
# title: equal to NULL
SELECT COUNT(*) AS n FROM hours WHERE h = NULL;
# title: three truths
SELECT COUNT(*) FILTER (WHERE (nullif(h, 1) > 0) IS NULL) AS a, COUNT(*) FILTER (WHERE (nullif(h, 1) > 0) IS NOT TRUE) AS b, COUNT(*) FILTER (WHERE NOT (nullif(h, 1) > 0)) AS c FROM hours;
# title: distinct from
SELECT COUNT(*) AS n FROM hours WHERE nullif(h, 3) IS DISTINCT FROM 4;
# title: integers and halves
SELECT h / 2 AS a, h // 2 AS b, h % 3 AS c, -h // 2 AS d, -h % 3 AS e FROM hours ORDER BY h;
# title: division by zero
SELECT 1 // nullif(h, 0) AS a, h % nullif(h, 0) AS b FROM hours ORDER BY h LIMIT 2;
# title: coalesce and friends
SELECT coalesce(nullif(h, 0), -1) AS a, greatest(h, 3, NULL) AS b, least(h, 3) AS c, if(h > 1, 'x', 'y') AS d, ifnull(nullif(h, 2), 9) AS e FROM hours ORDER BY h LIMIT 4;
# title: concatenation and NULL
SELECT concat(zone, NULL, 'x') AS a, zone || NULL AS b, zone || '-' || cell_id::VARCHAR AS c FROM cells ORDER BY c LIMIT 3;
# title: text functions
SELECT upper(zone), length(zone), substr(zone, 2), substr(zone, 1, 1), left(zone, 1), right(zone, 1), starts_with(zone, 'C'), contains(zone, '3'), zone LIKE 'C_', zone ILIKE 'c%', zone NOT LIKE '%1', trim('  ' || zone), trim(zone, 'C') FROM cells ORDER BY ALL LIMIT 3;
# title: casts
SELECT h::VARCHAR AS a, (h > 3)::INT AS b, (h / 4)::BIGINT AS c, h::DOUBLE AS d, CAST(h AS SMALLINT) AS e FROM hours ORDER BY h LIMIT 6;
# title: between
SELECT COUNT(*) AS n FROM hours WHERE h BETWEEN 3 AND 5 OR h NOT BETWEEN 2 AND 22;
