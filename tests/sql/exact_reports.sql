# As Superset, Metabase, Tableau, Power BI and dbt write SQL: subqueries around tables, quoted aliases, a schema in front,
# dates as text, DATE_TRUNC and intervals, NULLIF around divisors, conditions that always hold, and columns read by LIMIT 0.

# title: Superset: a virtual dataset
SELECT age_band AS age_band, SUM(minutes) AS "Minutes", COUNT(*) AS "Rows"
  FROM (SELECT s.age_band, v.dwell_min AS minutes, v.place_id FROM visit v
  JOIN subscriber s ON v.subscriber_id = s.subscriber_id) AS virtual_table
  WHERE place_id IN ('P1', 'P2', 'P3') GROUP BY age_band ORDER BY "Minutes" DESC LIMIT 1000;

# title: Superset: the values of a filter
SELECT DISTINCT mode AS mode FROM trip ORDER BY mode ASC LIMIT 1000;

# title: Superset: a big number
SELECT COUNT(*) AS count FROM trip WHERE ((mode IN ('car', 'bike'))) AND (1 = 1) LIMIT 50000;

# title: Superset: a contribution as FLOAT
SELECT mode, COUNT(*) AS cnt, CAST(COUNT(*) AS FLOAT) / NULLIF(SUM(COUNT(*)) OVER (), 0) AS pct FROM trip
  GROUP BY mode ORDER BY cnt DESC LIMIT 100;

# title: Metabase: weeks that begin on Sunday
SELECT CAST((DATE_TRUNC('week', CAST(("visit"."start_ts" + INTERVAL '1 day') AS timestamp)) + INTERVAL '-1 day') AS
  date) AS "start_ts", COUNT(*) AS "count" FROM "visit" WHERE "visit"."start_ts" >= TIMESTAMP '2026-10-04' AND
  "visit"."start_ts" < TIMESTAMP '2026-10-25'
  GROUP BY CAST((DATE_TRUNC('week', CAST(("visit"."start_ts" + INTERVAL '1 day') AS timestamp)) + INTERVAL '-1 day')
  AS date) ORDER BY 1 ASC;

# title: Metabase: a share with 0.0
SELECT "place"."category" AS "category", SUM(CASE WHEN "visit"."dwell_min" > 60 THEN 1 ELSE 0.0 END) / COUNT(*) AS
  "long_share" FROM "visit" INNER JOIN "place" ON "visit"."place_id" = "place"."place_id" GROUP BY
  "place"."category" ORDER BY "place"."category" ASC;

# title: Metabase: CountIf
SELECT COUNT(CASE WHEN dwell_min > 60 THEN 1 END) AS "long", COUNT(CASE WHEN dwell_min <= 60 THEN 1 END) AS
  "short" FROM visit;

# title: Metabase: bins of a number
SELECT (FLOOR(((dwell_min - 0.0) / 20.0)) * 20.0) + 0.0 AS "dwell_min", COUNT(*) AS "count" FROM visit
  WHERE dwell_min >= 0 AND dwell_min < 240 GROUP BY (FLOOR(((dwell_min - 0.0) / 20.0)) * 20.0) + 0.0
  ORDER BY (FLOOR(((dwell_min - 0.0) / 20.0)) * 20.0) + 0.0 ASC;

# title: Metabase: the hour of day
SELECT CAST(EXTRACT(hour FROM "visit"."start_ts") AS integer) AS "start_ts", COUNT(distinct
  "visit"."subscriber_id") AS "count" FROM "visit" GROUP BY CAST(EXTRACT(hour FROM
  "visit"."start_ts") AS integer) ORDER BY 1 ASC;

# title: Metabase: the day of the week
SELECT MOD(CAST(EXTRACT(dow FROM start_ts) AS integer) + 6, 7) + 1 AS dow, count(*) AS n FROM visit
  GROUP BY 1 ORDER BY 1;

# title: Metabase: a cumulative count
SELECT "source"."d" AS "d", SUM("source"."count") OVER (ORDER BY "source"."d" ASC ROWS UNBOUNDED PRECEDING) AS
  "sum" FROM (SELECT CAST("visit"."start_ts" AS date) AS "d", COUNT(*) AS "count" FROM "visit"
  WHERE visit_date BETWEEN '2026-10-01' AND '2026-10-14' GROUP BY CAST("visit"."start_ts" AS date)) AS
  "source" ORDER BY "source"."d";

# title: Metabase: growth by offset
SELECT "source"."d", "source"."c", LAG("source"."c", 1) OVER (ORDER BY
  "source"."d") AS prev, ("source"."c" - LAG("source"."c", 1) OVER (ORDER BY
  "source"."d")) / NULLIF(LAG("source"."c", 1) OVER (ORDER BY "source"."d"), 0) AS growth
  FROM (SELECT visit_date AS d, count(*) AS c FROM visit WHERE visit_date BETWEEN '2026-10-01'
  AND '2026-10-07' GROUP BY visit_date) AS "source" ORDER BY 1;

# title: Tableau: rows as SUM(1), with HAVING
SELECT "visit"."place_id" AS "place_id", SUM(1) AS "cnt:visit:ok",
  SUM(CAST("visit"."dwell_min" AS DOUBLE PRECISION)) AS "sum:dwell_min:ok" FROM "visit" "visit" GROUP BY 1
  HAVING (COUNT(1) > 0);

# title: Tableau: people by week, the key second
SELECT COUNT(DISTINCT "visit"."subscriber_id") AS
  "ctd:subscriber_id:ok", CAST(DATE_TRUNC('WEEK', CAST("visit"."visit_date" AS DATE)) AS DATE) AS
  "twk:visit_date:ok" FROM "visit" GROUP BY 2;

# title: Tableau: a calculation with NOT NULL
SELECT (CASE WHEN ("trip"."mode" = 'walk') THEN 'active' WHEN ("trip"."mode" = 'bike') THEN 'active'
  WHEN NOT ("trip"."mode" IS NULL) THEN 'motor' ELSE NULL END) AS "Calculation_1", AVG("trip"."dist_km") AS
  "avg:dist_km:ok" FROM "trip" GROUP BY 1;

# title: Tableau: a fixed level of detail
SELECT SUM(t.n) / COUNT(DISTINCT t.subscriber_id) AS trips_per_person FROM (SELECT subscriber_id, COUNT(*) AS n
  FROM trip GROUP BY subscriber_id) t;

# title: Tableau: mean and median of a fixed level of detail
SELECT AVG(t.n) AS trips_per_person, MEDIAN(t.n) AS med FROM (SELECT subscriber_id, COUNT(*) AS n FROM trip
  GROUP BY subscriber_id) t;

# title: Power BI: rows and a filter
select "rows"."contract_type" as "contract_type", count(1) as "C1" from (select "_"."subscriber_id",
  "_"."contract_type", "_"."age_band" from "subscriber" "_" where "_"."age_band" = '18-24') "rows" group by
  "contract_type" limit 1000001;

# title: dbt: a test of NULL
select count(*) as failures, count(*) != 0 as should_warn, count(*) != 0 as should_error
  from (select approach_dir from visit where approach_dir is null) dbt_internal_test;

# title: dbt: a test of unique values
select count(*) as failures from (select visit_id as unique_field, count(*) as n_records from visit
  where visit_id is not null group by visit_id having count(*) > 1) dbt_internal_test;

# title: dbt: a test of accepted values
with all_values as (select gender as value_field, count(*) as n_records from subscriber group by gender)
  select * from all_values where value_field not in ('f','m');

# title: dbt: a test of relationships
with child as (select place_id as from_field from visit
  where place_id is not null), parent as (select place_id as to_field from place) select count(*) as failures
  from child left join parent on child.from_field = parent.to_field where parent.to_field is null;

# title: dbt: a date spine
with spine as (select cast(range as date) as day
  from range(timestamp '2026-10-01', timestamp '2026-10-08', interval 1 day))
  select spine.day, count(v.visit_id) as visits from spine left join visit v on v.visit_date = spine.day
  group by spine.day order by spine.day;

# title: missing values as a difference of counts
SELECT count(*) - count(approach_dir) AS missing FROM visit;

# title: values of each column
SELECT COUNT(*) AS n, COUNT(approach_dir) AS approach_dir, COUNT(prev_zone) AS prev_zone,
  COUNT(next_zone) AS next_zone FROM visit;

# title: missing values as a sum of a CASE
SELECT place_id, SUM(CASE WHEN approach_dir IS NULL THEN 1 ELSE 0 END) AS missing FROM visit
  WHERE place_id IN ('P1','P2') GROUP BY place_id;

# title: percent of a total in a subselect
SELECT p.category, COUNT(*) * 100.0 / (SELECT COUNT(*) FROM visit) AS pct FROM visit v
  JOIN place p ON p.place_id = v.place_id GROUP BY p.category ORDER BY pct DESC, p.category;

# title: rounded percent within a group
SELECT s.age_band, t.mode, ROUND(100.0 * COUNT(*) / SUM(COUNT(*)) OVER (PARTITION BY s.age_band), 1) AS pct
  FROM trip t JOIN subscriber s ON s.subscriber_id = t.subscriber_id GROUP BY s.age_band, t.mode
  ORDER BY s.age_band, pct DESC;

# title: ROW_NUMBER over a count in a CTE
WITH ranked AS (SELECT p.category, v.place_id, COUNT(*) AS n, ROW_NUMBER() OVER (PARTITION BY p.category
  ORDER BY COUNT(*) DESC) AS rn FROM visit v JOIN place p ON p.place_id = v.place_id
  GROUP BY p.category, v.place_id) SELECT category, place_id, n FROM ranked WHERE rn <= 2 ORDER BY category, n DESC;

# title: a moving average by RANGE and an interval
SELECT visit_date, COUNT(*) AS n, AVG(COUNT(*)) OVER (ORDER BY visit_date RANGE BETWEEN INTERVAL 6 DAYS PRECEDING
  AND CURRENT ROW) AS ma7 FROM visit GROUP BY visit_date ORDER BY visit_date;

# title: year over year by a LEFT JOIN
WITH m AS (SELECT EXTRACT(YEAR FROM visit_date) AS y, EXTRACT(MONTH FROM visit_date) AS mth, COUNT(*) AS n
  FROM visit GROUP BY 1, 2) SELECT a.y, a.mth, a.n, b.n AS last_year, a.n - b.n AS diff FROM m a LEFT
  JOIN m b ON a.mth = b.mth AND a.y = b.y + 1;

# title: week over week by a LEFT JOIN
WITH w AS (SELECT DATE_TRUNC('week', visit_date) AS wk, COUNT(*) AS n FROM visit GROUP BY 1)
  SELECT cur.wk, cur.n, prev.n AS prev_n, cur.n - prev.n AS delta, 100.0 * (cur.n - prev.n) / prev.n AS pct
  FROM w cur LEFT JOIN w prev ON prev.wk = cur.wk - INTERVAL 7 DAY ORDER BY cur.wk;

# title: a cohort table by weeks
WITH firsts AS (SELECT subscriber_id, DATE_TRUNC('week', MIN(visit_date)) AS cohort FROM visit
  GROUP BY subscriber_id), acts AS (SELECT DISTINCT subscriber_id, DATE_TRUNC('week', visit_date) AS wk
  FROM visit) SELECT f.cohort, DATE_DIFF('week', f.cohort, a.wk) AS week_no,
  COUNT(DISTINCT a.subscriber_id) AS users FROM firsts f JOIN acts a ON a.subscriber_id = f.subscriber_id
  GROUP BY 1, 2 ORDER BY 1, 2;

# title: retention of cohorts in the first week
WITH firsts AS (SELECT subscriber_id, MIN(visit_date) AS first_day FROM visit GROUP BY subscriber_id)
  SELECT f.first_day, COUNT(DISTINCT f.subscriber_id) AS cohort_size, COUNT(DISTINCT CASE
  WHEN v.visit_date BETWEEN f.first_day + 1 AND f.first_day + 7 THEN v.subscriber_id END) AS week1, 1.0 *
  COUNT(DISTINCT CASE WHEN v.visit_date BETWEEN f.first_day + 1 AND f.first_day + 7 THEN v.subscriber_id END) /
  COUNT(DISTINCT f.subscriber_id) AS rate FROM firsts f JOIN visit v USING (subscriber_id)
  WHERE f.first_day BETWEEN '2026-10-01' AND '2026-10-05' GROUP BY f.first_day ORDER BY 1;

# title: HAVING with BETWEEN
SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id HAVING COUNT(*) BETWEEN 1000 AND 5000 ORDER BY n;

# title: buckets in the order of their least value
# within: 45
SELECT CASE WHEN dwell_min < 15 THEN '0-15' WHEN dwell_min < 30 THEN '15-30' WHEN dwell_min < 60 THEN '30-60'
  ELSE '60+' END AS bucket, COUNT(*) AS visits, ROUND(AVG(dwell_min), 1) AS avg_min FROM visit GROUP BY 1
  ORDER BY MIN(dwell_min);

# title: buckets in the order of a CASE
SELECT CASE WHEN dwell_min < 15 THEN 'short' WHEN dwell_min < 60 THEN 'medium' ELSE 'long' END AS bucket,
  COUNT(*) AS visits FROM visit GROUP BY bucket ORDER BY CASE bucket WHEN 'short' THEN 1 WHEN 'medium' THEN 2
  ELSE 3 END;

# title: recency and frequency of people
SELECT CASE WHEN recency <= 7 THEN 'active' WHEN recency <= 14 THEN 'cooling' ELSE 'lost' END AS segment, CASE
  WHEN freq >= 10 THEN 'heavy' WHEN freq >= 3 THEN 'mid' ELSE 'light' END AS f, COUNT(*) AS people
  FROM (SELECT subscriber_id, DATE '2026-11-01' - MAX(visit_date) AS recency, COUNT(*) AS freq FROM visit
  GROUP BY subscriber_id) r GROUP BY 1, 2 ORDER BY 1, 2;

# title: QUALIFY by the alias of a count
SELECT place_id, zone_id, COUNT(*) AS n FROM visit GROUP BY place_id, zone_id QUALIFY ROW_NUMBER()
  OVER (PARTITION BY zone_id ORDER BY n DESC) = 1 ORDER BY n DESC LIMIT 10;

# title: ROLLUP with the total at the end
SELECT COALESCE(mode, 'Total') AS mode, COUNT(*) AS n FROM trip GROUP BY ROLLUP(mode) ORDER BY GROUPING(mode), n DESC;

# title: a total row by UNION ALL
SELECT mode, COUNT(*) AS n FROM trip GROUP BY mode UNION ALL SELECT 'Total', COUNT(*) FROM trip;

# title: several FILTER clauses
SELECT COUNT(*) FILTER (WHERE mode = 'car') AS car, COUNT(*) FILTER (WHERE mode = 'bike') AS bike,
  SUM(dist_km) FILTER (WHERE mode = 'car') AS car_km, AVG(dist_km) FILTER (WHERE mode = 'bike') AS bike_avg FROM trip;

# title: an average by weights of people
SELECT SUM(t.dist_km * s.weight) / SUM(s.weight) AS km FROM trip t JOIN subscriber s USING (subscriber_id);

# title: an extrapolated population
SELECT s.age_band, SUM(s.weight) AS population FROM subscriber s GROUP BY s.age_band ORDER BY s.age_band;

# title: visitors, visits and frequency
SELECT COUNT(DISTINCT v.subscriber_id) AS visitors, COUNT(*) AS visits, COUNT(*) * 1.0 /
  COUNT(DISTINCT v.subscriber_id) AS freq FROM visit v WHERE v.place_id = 'P1';

# title: IN a subselect of a public table
SELECT COUNT(*) FROM visit WHERE place_id IN (SELECT place_id FROM place WHERE category = 'mall');

# title: EXISTS in a public table
SELECT COUNT(*) FROM visit v WHERE EXISTS (SELECT 1 FROM place p WHERE p.place_id = v.place_id
  AND p.category = 'mall');

# title: the busiest and the quietest day
SELECT MAX(n) AS busiest, MIN(n) AS quietest, AVG(n) AS mean FROM (SELECT visit_date, COUNT(*) AS n
  FROM visit GROUP BY visit_date) x;

# title: hours of a day by TIME_BUCKET
SELECT TIME_BUCKET(INTERVAL '1 hour', start_ts) AS t, COUNT(*) AS n FROM visit
  WHERE visit_date = '2026-10-10' GROUP BY 1 ORDER BY 1;

# title: first and later visits by LAG
SELECT CASE WHEN prev IS NULL THEN 'first' WHEN visit_date - prev <= 7 THEN 'within a week'
  ELSE 'later' END AS kind, COUNT(*) AS n FROM (SELECT subscriber_id, visit_date, LAG(visit_date)
  OVER (PARTITION BY subscriber_id ORDER BY start_ts) AS prev FROM visit) t GROUP BY 1;

# title: DENSE_RANK over people in a subselect
SELECT * FROM (SELECT zone_id, COUNT(DISTINCT subscriber_id) AS u, DENSE_RANK() OVER (ORDER BY
  COUNT(DISTINCT subscriber_id) DESC) AS rk FROM visit GROUP BY zone_id) t WHERE rk <= 5 ORDER BY rk;

# title: a cumulative share by size
SELECT place_id, n, SUM(n) OVER (ORDER BY n DESC) / SUM(n) OVER () AS cum_share FROM (SELECT place_id,
  COUNT(*) AS n FROM visit GROUP BY place_id) t ORDER BY n DESC LIMIT 10;

# title: an index on the first day
SELECT visit_date, n, 100.0 * n / FIRST_VALUE(n) OVER (ORDER BY visit_date) AS idx FROM (SELECT visit_date,
  COUNT(*) AS n FROM visit WHERE visit_date <= '2026-10-07' GROUP BY visit_date) t ORDER BY visit_date;

# title: two weeks and their difference
SELECT SUM(CASE WHEN visit_date BETWEEN '2026-10-01' AND '2026-10-07' THEN 1 ELSE 0 END) AS wk1, SUM(CASE
  WHEN visit_date BETWEEN '2026-10-08' AND '2026-10-14' THEN 1 ELSE 0 END) AS wk2, SUM(CASE
  WHEN visit_date BETWEEN '2026-10-08' AND '2026-10-14' THEN 1 ELSE 0 END) - SUM(CASE
  WHEN visit_date BETWEEN '2026-10-01' AND '2026-10-07' THEN 1 ELSE 0 END) AS diff FROM visit;

# title: shares by a CROSS JOIN of totals
SELECT t.mode, t.n, t.n * 1.0 / tot.total AS share FROM (SELECT mode, COUNT(*) AS n FROM trip
  GROUP BY mode) t CROSS JOIN (SELECT COUNT(*) AS total FROM trip) tot ORDER BY share DESC;

# title: people with at least three visits
SELECT COUNT(*) AS loyal FROM (SELECT subscriber_id FROM visit WHERE place_id = 'P1' GROUP BY subscriber_id
  HAVING COUNT(*) >= 3) t;

# title: people by frequency, with percent
SELECT CASE WHEN n = 1 THEN '1' WHEN n BETWEEN 2 AND 4 THEN '2-4' WHEN n BETWEEN 5 AND 9 THEN '5-9'
  ELSE '10+' END AS bucket, COUNT(*) AS customers, ROUND(100.0 * COUNT(*) / SUM(COUNT(*)) OVER (), 1) AS pct
  FROM (SELECT subscriber_id, COUNT(*) AS n FROM visit GROUP BY subscriber_id) t GROUP BY 1 ORDER BY 1;

# title: visits a day by the type of day
SELECT CASE WHEN c.is_holiday OR c.is_weekend THEN 'off' ELSE 'work' END AS day_type, COUNT(*) /
  COUNT(DISTINCT c.d) AS visits_per_day FROM visit v JOIN calendar c ON c.d = v.visit_date GROUP BY 1;

# title: a tool reads the columns by LIMIT 0
SELECT * FROM (SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id) AS t LIMIT 0;

# title: a tool reads the columns by WHERE 1 = 0
SELECT * FROM (SELECT place_id, COUNT(*) AS n FROM visit GROUP BY place_id) AS t WHERE 1 = 0;

# title: Metabase: a schema in front of everything
SELECT "main"."visit"."place_id" AS "place_id", COUNT(*) AS "count" FROM "main"."visit" LEFT JOIN "main"."place" AS
  "Place" ON "main"."visit"."place_id" = "Place"."place_id" WHERE "Place"."category" = 'mall' GROUP BY
  "main"."visit"."place_id" ORDER BY "main"."visit"."place_id" ASC;

# title: dbt: a CTE of the name of its table
WITH visit AS (SELECT * FROM main.visit), place AS (SELECT * FROM main.place) SELECT category,
  COUNT(*) AS visits FROM visit JOIN place USING (place_id) GROUP BY category ORDER BY category;

# title: Superset: the largest groups of a virtual dataset, ties by name
SELECT place_id AS place_id, COUNT(*) AS count FROM (SELECT * FROM main.visit
  WHERE dwell_min >= 5) AS virtual_table GROUP BY place_id ORDER BY count DESC, place_id LIMIT 10;

# title: Tableau: a week as a date, and a table in a schema with an alias
SELECT CAST(DATE_TRUNC('WEEK', CAST("t"."trip_date" AS DATE)) AS DATE) AS "twk:trip_date:ok", SUM("t"."dist_km") AS
  "sum:dist_km:ok" FROM "main"."trip" "t" WHERE ("t"."mode" IN ('bike', 'walk')) GROUP BY 1;

# title: growth of hours by a join of a CTE with itself
WITH h AS (SELECT hour(start_ts) AS hr, COUNT(*) AS n FROM visit GROUP BY 1)
  SELECT cur.hr, 100.0 * (cur.n - prev.n) / prev.n AS pct FROM h cur JOIN h prev ON prev.hr = cur.hr - 1
  ORDER BY cur.hr;
