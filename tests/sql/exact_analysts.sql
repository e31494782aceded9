# As analysts of retail, transport and tourism write them, with DuckDB's habits; where DuckDB itself does not take QUALIFY beside
# GROUP BY ALL, or an aggregate beside a key in one item of it, it is asked with the keys written out.

# title: visits by part of day and weekend
SELECT CASE WHEN hour(start_ts) BETWEEN 6 AND 10 THEN 'morning' WHEN hour(start_ts) BETWEEN 11 AND 14 THEN 'lunch'
            WHEN hour(start_ts) BETWEEN 15 AND 18 THEN 'afternoon' WHEN hour(start_ts) BETWEEN 19 AND 23 THEN 'evening' ELSE 'night' END AS daypart,
       dayofweek(start_ts) IN (0, 6) AS weekend,
       count(*) AS visits, count(DISTINCT subscriber_id) AS visitors,
FROM visit GROUP BY ALL ORDER BY ALL;

# title: weekdays by name, in the week's order
SELECT dayname(visit_date) AS weekday, isodow(visit_date) AS no, count(*) AS visits FROM visit GROUP BY ALL ORDER BY no;

# title: visits a weekday, per day of that weekday, in two steps
WITH days AS (SELECT iso_dow, count(*) AS n FROM calendar GROUP BY 1),
     v AS (SELECT isodow(visit_date) AS dow, count(*) AS visits FROM visit GROUP BY 1)
SELECT dow, visits, visits / n AS per_day, FROM v JOIN days ON dow = iso_dow ORDER BY dow;

# title: new and returning visitors by day
WITH f AS (SELECT subscriber_id, visit_date, min(visit_date) OVER (PARTITION BY subscriber_id) AS first_day FROM visit)
SELECT visit_date, count(DISTINCT subscriber_id) FILTER (visit_date = first_day) AS new, count(DISTINCT subscriber_id) FILTER (visit_date > first_day) AS returning FROM f GROUP BY 1 ORDER BY 1;

# title: new and returning by a join on the first visit
WITH firsts AS (SELECT subscriber_id, min(visit_date) AS first_date FROM visit GROUP BY subscriber_id)
SELECT v.visit_date, CASE WHEN v.visit_date = f.first_date THEN 'new' ELSE 'returning' END AS kind, COUNT(DISTINCT v.subscriber_id) AS visitors
FROM visit v INNER JOIN firsts f USING (subscriber_id) GROUP BY ALL ORDER BY 1, 2;

# title: share of returning visitors per place
WITH per AS (SELECT subscriber_id, place_id, count(DISTINCT visit_date) AS days FROM visit GROUP BY ALL)
SELECT place_id, count(*) AS visitors, count_if(days > 1) AS returning, round(100 * count_if(days > 1) / count(*), 1) AS pct FROM per GROUP BY place_id ORDER BY place_id;

# title: first and last visit per person, span in days
SELECT least(span, 31) AS span, count(*) AS people FROM (
  SELECT subscriber_id, max(visit_date) - min(visit_date) AS span FROM visit GROUP BY subscriber_id
) GROUP BY 1 ORDER BY 1;

# title: the day of the first visit
SELECT first_day, count(*) AS people, sum(count(*)) OVER (ORDER BY first_day) AS so_far FROM (
  SELECT subscriber_id, min(start_ts)::date AS first_day FROM visit GROUP BY 1
) GROUP BY 1 ORDER BY 1;

# title: dwell quantiles by age band
# within: 45
SELECT s.age_band, quantile_cont(v.dwell_min, 0.25) AS p25, median(v.dwell_min) AS p50, quantile_cont(v.dwell_min, 0.75) AS p75
FROM visit v JOIN subscriber s USING (subscriber_id) GROUP BY s.age_band;

# title: percentile within group
# within: 45
SELECT p.category, percentile_cont(0.5) WITHIN GROUP (ORDER BY v.dwell_min) AS median_dwell FROM visit v JOIN place p USING (place_id) GROUP BY 1;

# title: OD with shares of the origin
WITH od AS (SELECT o_zone, d_zone, count(*) AS trips FROM trip GROUP BY ALL)
SELECT o_zone, d_zone, trips, trips / sum(trips) OVER (PARTITION BY o_zone) AS share FROM od QUALIFY row_number() OVER (PARTITION BY o_zone ORDER BY trips DESC, d_zone) <= 3 ORDER BY ALL;

# title: OD with shares, at the boundary
SELECT o_zone, d_zone, count(*) AS trips, 100.0 * count(*) / sum(count(*)) OVER (PARTITION BY o_zone) AS pct FROM trip WHERE o_zone != d_zone GROUP BY o_zone, d_zone;

# title: OD of districts through the zone's parents
SELECT o.parent_id AS from_district, d.parent_id AS to_district, count(*) AS trips, round(avg(dist_km), 1) AS km
FROM trip t JOIN zone o ON o.zone_id = t.o_zone JOIN zone d ON d.zone_id = t.d_zone GROUP BY 1, 2 ORDER BY 1, 2;

# title: catchment by home zone
SELECT s.home_zone, count(DISTINCT v.subscriber_id) AS visitors, count(*) AS visits FROM visit v JOIN subscriber s USING (subscriber_id) WHERE v.place_id = 'P1' GROUP BY ALL ORDER BY visitors DESC, home_zone LIMIT 10;

# title: catchment share with running total
WITH c AS (SELECT s.home_zone, count(DISTINCT v.subscriber_id) AS n FROM visit v JOIN subscriber s USING (subscriber_id) WHERE v.place_id IN ('P1','P2') GROUP BY 1)
SELECT home_zone, n, n / sum(n) OVER () AS share, sum(n) OVER (ORDER BY n DESC, home_zone ROWS UNBOUNDED PRECEDING) / sum(n) OVER () AS cumulative FROM c ORDER BY n DESC, home_zone;

# title: distance from home to the place in bands
SELECT CASE WHEN km < 1 THEN '0-1' WHEN km < 3 THEN '1-3' WHEN km < 10 THEN '3-10' ELSE '10+' END AS band, count(*) AS visits, count(DISTINCT subscriber_id) AS visitors FROM (
  SELECT v.subscriber_id, haversine_m(h.lon, h.lat, p.lon, p.lat) / 1000 AS km
  FROM visit v JOIN subscriber s USING (subscriber_id) JOIN zone h ON h.zone_id = s.home_zone JOIN place p ON p.place_id = v.place_id
) GROUP BY 1 ORDER BY 1;

# title: the peak hour of every place
WITH h AS (SELECT place_id, hour(start_ts) AS hr, count(*) AS n FROM visit GROUP BY ALL),
     r AS (SELECT *, rank() OVER (PARTITION BY place_id ORDER BY n DESC) AS rk FROM h)
SELECT place_id, hr, n FROM r WHERE rk = 1 ORDER BY place_id, hr;

# title: the peak hour by arg_max
SELECT place_id, max(n) AS top FROM (SELECT place_id, hour(start_ts) AS hr, count(*) AS n FROM visit GROUP BY ALL) GROUP BY place_id ORDER BY place_id;

# title: week over week
WITH w AS (SELECT date_trunc('week', visit_date) AS week, count(*) AS visits, count(DISTINCT subscriber_id) AS people FROM visit GROUP BY 1)
SELECT week::date AS week, visits, visits - lag(visits) OVER (ORDER BY week) AS change, round(100.0 * (visits / lag(visits) OVER (ORDER BY week) - 1), 1) AS pct FROM w ORDER BY 1;

# title: week over week with a window clause
SELECT week(visit_date) AS wk, count(*) AS visits, visits - lag(visits) OVER w AS diff FROM visit GROUP BY wk WINDOW w AS (ORDER BY wk) ORDER BY wk;

# title: conversion by a self-join on the key
WITH conv AS (
  SELECT p.subscriber_id, p.place_id, p.ts, count(v.visit_id) AS visits
  FROM passby p LEFT JOIN visit v ON v.subscriber_id = p.subscriber_id AND v.place_id = p.place_id AND v.start_ts >= p.ts AND v.start_ts < p.ts + INTERVAL '1 hour'
  GROUP BY ALL
)
SELECT place_id, count(*) AS passbys, count(*) FILTER (visits > 0) AS converted, converted / passbys AS rate FROM conv GROUP BY place_id ORDER BY place_id;

# title: from one place to another within two hours
SELECT a.place_id AS first_place, b.place_id AS second_place, count(*) AS n, count(DISTINCT a.subscriber_id) AS people
FROM visit a JOIN visit b ON a.subscriber_id = b.subscriber_id AND b.start_ts > a.end_ts AND b.start_ts <= a.end_ts + INTERVAL 2 HOURS AND a.place_id <> b.place_id
WHERE a.place_id IN ('P1', 'P2', 'P3') AND b.place_id IN ('P1', 'P2', 'P3') GROUP BY 1, 2;

# title: a funnel with EXISTS
SELECT count(*) AS everybody,
  count(*) FILTER (WHERE EXISTS (FROM passby p WHERE p.subscriber_id = s.subscriber_id)) AS passed,
  count(*) FILTER (WHERE EXISTS (FROM visit v WHERE v.subscriber_id = s.subscriber_id)) AS visited,
  count(*) FILTER (WHERE EXISTS (FROM visit v WHERE v.subscriber_id = s.subscriber_id AND dwell_min >= 30)) AS stayed
FROM subscriber s;

# title: a funnel as a union of releases
SELECT 1 AS step, 'passed' AS what, count(DISTINCT subscriber_id) AS people FROM passby WHERE place_id = 'P1'
UNION ALL SELECT 2, 'visited', count(DISTINCT subscriber_id) FROM visit WHERE place_id = 'P1'
UNION ALL SELECT 3, 'stayed', count(DISTINCT subscriber_id) FROM visit WHERE place_id = 'P1' AND dwell_min > 20
ORDER BY step;

# title: hours between consecutive visits
SELECT CASE WHEN gap < INTERVAL 1 DAY THEN '<1d' WHEN gap < INTERVAL 7 DAYS THEN '1-7d' ELSE '7d+' END AS gap_band, count(*) AS n FROM (
  SELECT subscriber_id, start_ts - lag(end_ts) OVER (PARTITION BY subscriber_id ORDER BY start_ts) AS gap FROM visit
) WHERE gap IS NOT NULL GROUP BY 1 ORDER BY 1;

# title: a pivot of categories by weekend
SELECT p.category,
  sum(CASE WHEN c.is_weekend THEN 1 ELSE 0 END) AS weekend,
  sum(CASE WHEN NOT c.is_weekend THEN 1 ELSE 0 END) AS weekday,
  count(*) AS total
FROM visit v JOIN place p USING (place_id) JOIN calendar c ON c.d = v.visit_date GROUP BY p.category HAVING count(*) > 10 ORDER BY total DESC, 1;

# title: a pivot by FILTER of means
SELECT hour(v.start_ts) AS h, avg(dwell_min) FILTER (WHERE s.gender = 'f') AS women, avg(dwell_min) FILTER (WHERE s.gender = 'm') AS men, women - men AS gap
FROM visit v JOIN subscriber s USING (subscriber_id) GROUP BY h ORDER BY h;

# title: a date spine of all days
SELECT c.d, count(v.visit_id) AS visits, count(DISTINCT v.subscriber_id) AS people FROM calendar c LEFT JOIN visit v ON v.visit_date = c.d AND v.place_id = 'P3' GROUP BY c.d ORDER BY c.d;

# title: a date spine over a release
WITH daily AS (SELECT visit_date, count(*) AS n FROM visit WHERE place_id = 'P3' GROUP BY 1)
SELECT c.d, coalesce(n, 0) AS visits FROM calendar c LEFT JOIN daily ON visit_date = d ORDER BY d;

# title: a date spine by generate_series
WITH spine AS (SELECT unnest(generate_series(DATE '2026-10-01', DATE '2026-10-07', INTERVAL 1 DAY))::date AS d)
SELECT s.d, count(v.visit_id) AS visits FROM spine s LEFT JOIN visit v ON v.visit_date = s.d GROUP BY s.d ORDER BY s.d;

# title: a rolling mean of seven days
WITH daily AS (SELECT visit_date, count(*) AS n FROM visit GROUP BY 1)
SELECT visit_date, n, avg(n) OVER (ORDER BY visit_date ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) AS week_mean FROM daily ORDER BY 1;

# title: totals by ROLLUP with a label
SELECT coalesce(category, 'all') AS category, count(*) AS visits FROM visit JOIN place USING (place_id) GROUP BY ROLLUP (category) ORDER BY ALL;

# title: rollup of two keys with GROUPING
SELECT s.age_band, s.gender, grouping(s.age_band, s.gender) AS g, count(*) AS n FROM visit v JOIN subscriber s USING (subscriber_id) WHERE age_band IS NOT NULL AND gender IS NOT NULL GROUP BY ROLLUP (s.age_band, s.gender) ORDER BY ALL;

# title: percent of total by age
SELECT age_band, count(*) AS n, round(100.0 * count(*) / sum(count(*)) OVER (), 2) AS pct FROM subscriber GROUP BY 1 ORDER BY 1;

# title: percent of total by a scalar subquery
SELECT age_band, count(*) / (SELECT count(*) FROM subscriber) AS share FROM subscriber GROUP BY age_band ORDER BY age_band NULLS FIRST;

# title: ratio of two releases, visits per pass-by
SELECT v.place_id, v.n AS visits, p.n AS passbys, v.n / nullif(p.n, 0) AS ratio
FROM (SELECT place_id, count(*) AS n FROM visit GROUP BY 1) v JOIN (SELECT place_id, count(*) AS n FROM passby GROUP BY 1) p USING (place_id) ORDER BY ratio DESC NULLS LAST, place_id;

# title: a full join of two releases
SELECT coalesce(v.visit_date, p.visit_date) AS d, v.n AS visits, p.n AS passbys
FROM (SELECT visit_date, count(*) AS n FROM visit WHERE place_id = 'P50' GROUP BY 1) v FULL JOIN (SELECT visit_date, count(*) AS n FROM passby WHERE place_id = 'P50' GROUP BY 1) p ON v.visit_date = p.visit_date ORDER BY 1;

# title: a full outer join with using
WITH v AS (SELECT place_id, count(*) AS n FROM visit WHERE place_id LIKE 'P1%' GROUP BY 1), p AS (SELECT place_id, count(*) AS m FROM passby WHERE place_id LIKE 'P2%' GROUP BY 1)
SELECT place_id, n, m FROM v FULL OUTER JOIN p USING (place_id) ORDER BY place_id;

# title: right join with using
WITH v AS (SELECT zone_id, count(*) AS n FROM visit GROUP BY 1)
SELECT zone_id, name, n FROM v RIGHT JOIN zone USING (zone_id) WHERE level = 3 ORDER BY zone_id;

# title: days with a round trip from home
SELECT mode, count(*) AS n FROM (
  SELECT subscriber_id, trip_date, min(mode) AS mode, first(o_zone ORDER BY dep_ts) AS start_zone, last(d_zone ORDER BY dep_ts) AS end_zone FROM trip GROUP BY subscriber_id, trip_date
) WHERE start_zone = end_zone GROUP BY 1;

# title: trips per person in a list
SELECT len(modes) AS kinds, count(*) AS people FROM (SELECT subscriber_id, list(DISTINCT mode) AS modes FROM trip GROUP BY 1) GROUP BY 1 ORDER BY 1;

# title: people who used both
SELECT count(*) AS n FROM (SELECT subscriber_id, list(mode) AS modes FROM trip GROUP BY subscriber_id) WHERE list_contains(modes, 'bike') AND 'car' IN modes;

# title: strftime of the day and hour
SELECT strftime(start_ts, '%Y-%m-%d') AS day, count(*) AS n FROM visit WHERE visit_date BETWEEN '2026-10-05' AND '2026-10-11' GROUP BY day ORDER BY day;

# title: date_part of the hour
SELECT date_part('hour', ts) AS hr, date_part('isodow', ts) AS dow, count(*) AS n FROM event GROUP BY 1, 2 ORDER BY 1, 2;

# title: residents, workers and tourists
SELECT CASE WHEN s.home_mcc <> 262 THEN 'foreign' WHEN s.home_zone = v.zone_id THEN 'resident' WHEN s.work_zone = v.zone_id THEN 'worker' ELSE 'guest' END AS role,
       count(DISTINCT v.subscriber_id) AS people, avg(v.dwell_min)::decimal(10, 1) AS dwell
FROM visit v JOIN subscriber s ON s.subscriber_id = v.subscriber_id GROUP BY role ORDER BY role;

# title: countries of foreign guests by day
SELECT v.visit_date AS day, s.home_mcc AS country, count(DISTINCT s.subscriber_id) AS guests FROM visit v, subscriber s
WHERE v.subscriber_id = s.subscriber_id AND s.home_mcc NOT IN (262) AND v.visit_date >= '2026-10-20'::date GROUP BY day, country ORDER BY day, country;

# title: nights of guests
SELECT least(nights, 14) AS nights, count(*) AS guests FROM (
  SELECT e.subscriber_id, count(DISTINCT ts::date) AS nights FROM event e JOIN subscriber s USING (subscriber_id) WHERE s.home_mcc != 262 AND (hour(ts) >= 22 OR hour(ts) < 6) GROUP BY 1
) GROUP BY 1 ORDER BY 1;

# title: museum visitors who also went to a restaurant on the same day
SELECT count(DISTINCT a.subscriber_id) AS people FROM visit a JOIN place pa ON pa.place_id = a.place_id AND pa.category = 'museum'
WHERE EXISTS (SELECT * FROM visit b JOIN place pb USING (place_id) WHERE pb.category = 'restaurant' AND b.subscriber_id = a.subscriber_id AND b.visit_date = a.visit_date);

# title: loyalty deciles
SELECT bucket, count(*) AS people, sum(n) AS visits FROM (SELECT subscriber_id, least(count(*), 60) AS n, CASE WHEN n = 1 THEN 1 WHEN n <= 5 THEN 2 WHEN n <= 20 THEN 3 ELSE 4 END AS bucket FROM visit GROUP BY subscriber_id) GROUP BY bucket ORDER BY bucket;

# title: three best places of each category
SELECT category, name, n FROM (SELECT p.category, p.name, count(*) AS n FROM visit JOIN place p USING (place_id) GROUP BY p.category, p.name)
QUALIFY row_number() OVER (PARTITION BY category ORDER BY n DESC, name) <= 3 ORDER BY category, n DESC, name;

# title: quartile of places by visits
SELECT place_id, n, ntile(4) OVER (ORDER BY n DESC, place_id) AS quartile, percent_rank() OVER (ORDER BY n) AS pr FROM (SELECT place_id, count(*) AS n FROM visit GROUP BY 1) ORDER BY place_id;

# title: standard deviation of daily visits
SELECT place_id, avg(n) AS mean, stddev(n) AS sd, min(n) AS least, max(n) AS most, arg_max(visit_date, n) AS best FROM (SELECT place_id, visit_date, count(*) AS n FROM visit WHERE place_id IN ('P1', 'P4') GROUP BY ALL) GROUP BY 1 ORDER BY 1;

# title: hours of day present
SELECT t.h, count(DISTINCT subscriber_id) AS present FROM visit v JOIN (SELECT unnest(range(24)) AS h) t ON hour(v.start_ts) <= t.h AND hour(v.end_ts) >= t.h WHERE visit_date = '2026-10-10' GROUP BY 1 ORDER BY 1;

# title: a label by a VALUES list
SELECT b.label, count(*) AS visits FROM visit JOIN (VALUES (0, 10, 'short'), (10, 60, 'usual'), (60, 10000, 'long')) AS b(lo, hi, label) ON dwell_min >= b.lo AND dwell_min < b.hi GROUP BY b.label ORDER BY 1;

# title: share of visits by foreigners by zone, ordered by share
SELECT zone_id, avg((home_mcc <> 262)::int) AS share FROM visit JOIN subscriber USING (subscriber_id) GROUP BY zone_id ORDER BY share DESC NULLS LAST, zone_id;

# title: before and after a day
SELECT zone_id, count(*) FILTER (visit_date < '2026-10-15') AS before, count(*) FILTER (visit_date >= '2026-10-15') AS after, (after - before) / before AS growth FROM visit GROUP BY zone_id ORDER BY zone_id;

# title: weekday profile normalised by its mean
WITH p AS (SELECT isodow(start_ts) AS dow, count(*) AS n FROM visit GROUP BY 1)
SELECT dow, n / avg(n) OVER () AS idx FROM p ORDER BY dow;

# title: retention by week of the first visit
WITH first AS (SELECT subscriber_id, min(date_trunc('week', visit_date)) AS cohort FROM visit GROUP BY 1),
     act AS (SELECT DISTINCT subscriber_id, date_trunc('week', visit_date) AS wk FROM visit)
SELECT cohort::date AS cohort, date_diff('week', cohort, wk) AS age, count(*) AS people FROM act JOIN first USING (subscriber_id) GROUP BY ALL ORDER BY ALL;

# title: people seen in three different weeks
SELECT count(*) AS loyal FROM (SELECT subscriber_id FROM visit GROUP BY subscriber_id HAVING count(DISTINCT week(visit_date)) >= 3);

# title: union by name of two releases
SELECT 'visit' AS kind, hour(start_ts) AS h, count(*) AS n FROM visit GROUP BY ALL UNION ALL BY NAME SELECT count(*) AS n, hour(ts) AS h, 'passby' AS kind FROM passby GROUP BY ALL ORDER BY kind, h;

# title: a sample person's trips a day
SELECT round(avg(n), 2) AS trips_a_day FROM (SELECT subscriber_id, trip_date, count(*) AS n FROM trip GROUP BY ALL);

# title: median of trips a person
# within: 5
SELECT median(n) AS med FROM (SELECT subscriber_id, least(count(*), 100) AS n FROM trip GROUP BY 1);

# title: speed bands
SELECT mode, CASE WHEN kmh < 5 THEN 'slow' WHEN kmh < 30 THEN 'middle' ELSE 'fast' END AS speed, count(*) AS n FROM (
  SELECT subscriber_id, mode, dist_km / nullif(epoch(arr_ts - dep_ts) / 3600, 0) AS kmh FROM trip
) GROUP BY ALL ORDER BY ALL;

# title: trips that pass a zone
SELECT mode, count(*) AS n FROM trip WHERE list_contains(via_zones, 'Z1') GROUP BY mode ORDER BY mode;

# title: trips that pass through each zone of one level
SELECT z.zone_id, count(*) AS n, count(DISTINCT t.subscriber_id) AS people FROM zone z JOIN trip t ON list_contains(t.via_zones, z.zone_id) WHERE z.level = 3 GROUP BY 1 ORDER BY 1;

# title: trips that pass through each zone, where nobody does too
SELECT z.zone_id, count(t.trip_id) AS n FROM zone z LEFT JOIN trip t ON list_contains(t.via_zones, z.zone_id) WHERE z.level = 2 GROUP BY 1 ORDER BY 1;

# title: commuters by both ends
SELECT s.home_zone, s.work_zone, count(*) AS people FROM subscriber s WHERE s.home_zone IS NOT NULL AND s.work_zone IS NOT NULL AND s.home_zone <> s.work_zone GROUP BY 1, 2 ORDER BY people DESC, 1, 2 LIMIT 15;

# title: mode share by distance band as a pivot
SELECT CASE WHEN dist_km < 2 THEN 'a' WHEN dist_km < 10 THEN 'b' ELSE 'c' END AS band, count(*) AS total,
  count_if(mode = 'walk') / total AS walk, count_if(mode = 'bike') / total AS bike, count_if(mode = 'car') / total AS car, count_if(mode = 'transit') / total AS transit
FROM trip GROUP BY band ORDER BY band;

# title: width of fifteen minutes by time_bucket
SELECT time_bucket(INTERVAL '15 minutes', ts) AS slot, count(*) AS n FROM event WHERE ts::date = '2026-10-14' GROUP BY slot ORDER BY slot;

# title: round trips
WITH t AS (SELECT subscriber_id, trip_date, o_zone, d_zone, lead(d_zone) OVER (PARTITION BY subscriber_id ORDER BY dep_ts) AS then_to FROM trip)
SELECT o_zone, count(*) AS trips, count(*) FILTER (then_to = o_zone) AS round_trips FROM t GROUP BY o_zone ORDER BY o_zone;

# title: a funnel in steps, as flags of a person
WITH flags AS (
  SELECT s.subscriber_id, s.gender,
    EXISTS (SELECT 1 FROM passby p WHERE p.subscriber_id = s.subscriber_id AND p.place_id = 'P1') AS has_passed,
    EXISTS (SELECT 1 FROM visit v WHERE v.subscriber_id = s.subscriber_id AND v.place_id = 'P1') AS has_visited
  FROM subscriber s)
SELECT gender, count(*) AS n, count_if(has_passed) AS passed, count_if(has_passed AND has_visited) AS reached, reached / passed AS rate FROM flags GROUP BY gender ORDER BY gender NULLS LAST;

# title: people by their most used mode, with a tie broken
# instead: SELECT mode, count(*) AS people FROM (SELECT subscriber_id, mode, count(*) AS n FROM trip GROUP BY subscriber_id, mode QUALIFY row_number() OVER (PARTITION BY subscriber_id ORDER BY n DESC, mode) = 1) GROUP BY mode ORDER BY people DESC, mode
SELECT mode, count(*) AS people FROM (
  SELECT subscriber_id, mode, count(*) AS n FROM trip GROUP BY ALL QUALIFY row_number() OVER (PARTITION BY subscriber_id ORDER BY n DESC, mode) = 1
) GROUP BY mode ORDER BY people DESC, mode;

# title: museums on their days
WITH m AS (SELECT place_id FROM place WHERE category = 'museum'), v AS (SELECT * FROM visit WHERE place_id IN (FROM m))
SELECT place_id, isodow(visit_date) dow, count(*) n FROM v GROUP BY ALL HAVING n >= 1 ORDER BY n DESC, 1, 2 LIMIT 5;

# title: rank of hours by GROUP BY ALL
SELECT place_id, hour(start_ts) AS h, count(*) AS n, sum(n) OVER () AS everything, rank() OVER (ORDER BY count(*) DESC) AS rk FROM visit WHERE place_id IN ('P1', 'P2') GROUP BY ALL ORDER BY ALL;

# title: all hours by range
SELECT h, count(v.visit_id) AS visits FROM range(24) AS h LEFT JOIN visit v ON hour(v.start_ts) = h GROUP BY h ORDER BY h;

# title: all hours by range, columns named, crossed with zones
SELECT z.zone_id, t.h, count(v.visit_id) AS n FROM zone z CROSS JOIN range(6, 22, 4) t(h) LEFT JOIN visit v ON v.zone_id = z.zone_id AND hour(v.start_ts) = t.h WHERE z.level = 3 GROUP BY ALL ORDER BY ALL;

# title: a date spine of a release
WITH spine AS (SELECT d::date AS d FROM generate_series(DATE '2026-10-01', DATE '2026-10-31', INTERVAL 1 DAY) t(d)),
     daily AS (SELECT visit_date, count(*) AS n FROM visit WHERE place_id = 'P40' GROUP BY ALL)
SELECT d, coalesce(n, 0) AS n, sum(coalesce(n, 0)) OVER (ORDER BY d) AS so_far FROM spine LEFT JOIN daily ON visit_date = d ORDER BY d;

# title: a list unnested in FROM
SELECT u.p, count(*) AS n FROM unnest(['P1', 'P2', 'P3']) AS u(p) JOIN visit ON place_id = u.p GROUP BY u.p ORDER BY 1;

# title: weeks by a series of months and weeks
SELECT m, (SELECT count(*) FROM visit) AS n FROM generate_series(DATE '2026-01-31', DATE '2026-06-30', INTERVAL 1 MONTH) AS m ORDER BY m;

# title: downwards
SELECT * FROM range(10, 0, -3);

# title: a series alone
SELECT *, 2 * x AS twice FROM (SELECT unnest(generate_series(3, 5)) AS x) ORDER BY x;

# title: right join using, all columns
SELECT * FROM (SELECT place_id, count(*) AS n FROM visit GROUP BY 1) v RIGHT JOIN (SELECT place_id, category FROM place) p USING (place_id) ORDER BY ALL;

# title: right join using of private rows, public keys kept
SELECT zone_id, count(v.visit_id) AS n FROM visit v RIGHT JOIN zone USING (zone_id) WHERE level = 3 GROUP BY zone_id ORDER BY zone_id;

# title: a full join of three, each by the same key
WITH a AS (SELECT hour(start_ts) AS h, count(*) AS visits FROM visit WHERE hour(start_ts) < 8 GROUP BY 1),
     b AS (SELECT hour(ts) AS h, count(*) AS passbys FROM passby WHERE hour(ts) BETWEEN 6 AND 12 GROUP BY 1),
     c AS (SELECT hour(dep_ts) AS h, count(*) AS trips FROM trip WHERE hour(dep_ts) > 10 GROUP BY 1)
SELECT h, visits, passbys, trips FROM a FULL JOIN b USING (h) FULL JOIN c USING (h) ORDER BY h;

# title: a full join with a condition beside the key
SELECT a.place_id, b.place_id AS other, a.n, b.n AS m FROM (SELECT place_id, count(*) AS n FROM visit GROUP BY 1) a FULL JOIN (SELECT place_id, count(*) AS n FROM passby GROUP BY 1) b ON a.place_id = b.place_id AND a.n > b.n ORDER BY ALL;

# title: a full join of two totals that do not meet
SELECT a.n, b.m FROM (SELECT count(*) AS n FROM visit) a FULL JOIN (SELECT count(*) AS m FROM passby) b ON a.n < 0 ORDER BY ALL;

# title: public full join below a boundary
SELECT x.zone_id, count(*) AS n FROM (SELECT p.zone_id, p.place_id FROM place p FULL JOIN zone z ON z.zone_id = p.zone_id) x JOIN visit v ON v.place_id = x.place_id GROUP BY 1 ORDER BY 1;

# title: full join, where one side is missing
SELECT count(*) AS rows, count(n) AS visited, sum(m) AS passed FROM (SELECT place_id, count(*) AS n FROM visit WHERE place_id < 'P3' GROUP BY 1) FULL JOIN (SELECT place_id, count(*) AS m FROM passby WHERE place_id > 'P2' GROUP BY 1) USING (place_id);

# title: mean dwell of people who also passed by
SELECT place_id, avg(dwell_min) FILTER (WHERE v.subscriber_id IN (SELECT subscriber_id FROM passby)) AS passers, avg(dwell_min) AS all_of_them FROM visit v GROUP BY place_id ORDER BY place_id;

# title: sum of a case over EXISTS
SELECT s.age_band, sum(CASE WHEN EXISTS (SELECT 1 FROM trip t WHERE t.subscriber_id = s.subscriber_id AND t.mode = 'bike') THEN 1 ELSE 0 END) AS cyclists, count(*) AS n FROM subscriber s GROUP BY 1 ORDER BY 1;

# title: having and order by an aggregate over EXISTS
SELECT gender, count(*) AS n FROM subscriber s GROUP BY gender HAVING count_if(EXISTS (FROM visit v WHERE v.subscriber_id = s.subscriber_id)) > 3 ORDER BY count_if(EXISTS (FROM visit v WHERE v.subscriber_id = s.subscriber_id)) DESC;

# title: a share by an aggregate over a count of one's own rows
SELECT gender, avg(least((SELECT count(*) FROM visit v WHERE v.subscriber_id = s.subscriber_id), 50)) AS visits FROM subscriber s GROUP BY gender ORDER BY gender;

# title: floors of ten minutes
SELECT floor(dwell_min / 10) * 10 AS lo, count(*) AS n FROM visit WHERE dwell_min < 120 GROUP BY 1 ORDER BY 1;

# title: casts of ten minutes
SELECT (dwell_min / 10)::int * 10 AS lo, count(*) AS n FROM visit WHERE dwell_min < 120 GROUP BY 1 ORDER BY 1;

# title: fifteen-minute bins of a cast
SELECT 15 * (dwell_min::int // 15) AS lo, count(*) AS n FROM visit WHERE dwell_min BETWEEN 0 AND 119 GROUP BY lo ORDER BY lo;

# title: list in
SELECT mode, count_if('Z1' IN via_zones) AS n, count(*) AS a FROM trip GROUP BY mode ORDER BY mode;

# title: people who used one and not the other
SELECT count(*) AS n FROM (SELECT subscriber_id, list(mode) AS modes FROM trip GROUP BY subscriber_id) WHERE 'walk' NOT IN modes;

# title: five thousand
SELECT count(*) AS n FROM generate_series(TIMESTAMP '2026-01-01', TIMESTAMP '2026-03-26 07:00', INTERVAL 30 MINUTE) t(x) JOIN visit ON visit_date = x;

# title: median trips per rider
# world: mibici
# within: 12
SELECT median(n) AS med, avg(n) AS mean FROM (SELECT person_id, least(count(*), 200) AS n FROM trips GROUP BY person_id);

# title: trip minutes in bands
# world: mibici
SELECT CASE WHEN m < 5 THEN '<5' WHEN m < 15 THEN '5-15' WHEN m < 30 THEN '15-30' ELSE '30+' END AS band, count(*) AS n FROM (SELECT person_id, datediff('minute', started_at, ended_at) AS m FROM trips) GROUP BY 1;

# title: round trips of a station
# world: mibici
SELECT s.name, count(*) AS n FROM trips t JOIN stations s ON s.station_id = t.origin_id WHERE t.origin_id = t.dest_id GROUP BY ALL ORDER BY n DESC, s.name LIMIT 10;

# title: flows balance by station
# world: mibici
WITH o AS (SELECT origin_id AS id, count(*) AS out FROM trips GROUP BY 1), i AS (SELECT dest_id AS id, count(*) AS "in" FROM trips GROUP BY 1)
SELECT s.station_id, s.name, o.out, i."in", i."in" - o.out AS net FROM stations s JOIN o ON o.id = s.station_id JOIN i ON i.id = s.station_id ORDER BY abs(net) DESC, s.station_id LIMIT 10;

# title: rush hour share by municipality
# world: mibici
SELECT s.muni, count_if(hour(started_at) IN (7, 8, 9)) AS am, count_if(hour(started_at) IN (17, 18, 19)) AS pm, count(*) AS n, am / n AS am_share, pm / n AS pm_share FROM trips JOIN stations s ON station_id = origin_id GROUP BY s.muni ORDER BY ALL;

# title: distance bands of bees
# world: mibici
SELECT least((haversine_m(a.lon, a.lat, b.lon, b.lat) // 500)::int, 10) AS half_km, count(*) AS n FROM trips t JOIN stations a ON a.station_id = t.origin_id JOIN stations b ON b.station_id = t.dest_id GROUP BY 1 ORDER BY 1;

# title: age pyramid of riders
# world: mibici
SELECT p.age_band, count(*) FILTER (WHERE p.gender = 'F') AS women, count(*) FILTER (WHERE p.gender = 'M') AS men FROM persons p WHERE p.person_id IN (SELECT person_id FROM trips) GROUP BY 1 ORDER BY 1;

# title: riders who came back on another day
# world: mibici
SELECT count(*) AS riders, sum(CASE WHEN d > 1 THEN 1 END) AS back FROM (SELECT person_id, count(DISTINCT started_at::date) AS d FROM trips GROUP BY ALL);

# title: weekday commuters home again
# world: mibici
SELECT count(DISTINCT a.person_id) AS riders FROM trips a JOIN trips b ON a.person_id = b.person_id AND a.origin_id = b.dest_id AND a.dest_id = b.origin_id AND b.started_at > a.ended_at AND b.started_at::date = a.started_at::date WHERE a.origin_id <> a.dest_id;

# title: days since the last ride
# world: mibici
SELECT least(d, 10) AS days, count(*) AS n FROM (SELECT person_id, date_diff('day', lag(started_at) OVER (PARTITION BY person_id ORDER BY started_at, ended_at), started_at) AS d FROM trips) WHERE d IS NOT NULL GROUP BY days ORDER BY days;

# title: cumulative riders by day of first ride
# world: mibici
WITH f AS (SELECT person_id, min(started_at::date) AS d FROM trips GROUP BY person_id)
SELECT d, count(*) AS new_riders, sum(count(*)) OVER (ORDER BY d) AS so_far FROM f GROUP BY d ORDER BY d;

# title: week on week by zone
# world: mibici
WITH w AS (SELECT origin_zone, date_trunc('week', started_at)::date AS wk, count(*) AS n FROM trips GROUP BY ALL)
SELECT origin_zone, wk, n, n - lag(n, 1) OVER (PARTITION BY origin_zone ORDER BY wk) AS delta FROM w ORDER BY origin_zone, wk;

# title: empty station hours, as a cross join of public lists
# world: mibici
SELECT z.zone_id, h.h, count(t.person_id) AS n FROM zones z CROSS JOIN range(24) h(h) LEFT JOIN trips t ON t.origin_zone = z.zone_id AND hour(t.started_at) = h.h GROUP BY ALL ORDER BY ALL;

# title: a share of women by hour with a minimum
# world: mibici
SELECT hour(started_at) AS h, count(*) AS n, count_if(gender = 'F') AS f, f * 100.0 / n AS pct FROM trips t JOIN persons p ON p.person_id = t.person_id GROUP BY h HAVING n > 100 ORDER BY pct DESC, h;

# title: three best stations per zone
# world: mibici
# instead: SELECT origin_zone, origin_id, count(*) AS n FROM trips GROUP BY 1, 2 QUALIFY rank() OVER (PARTITION BY origin_zone ORDER BY n DESC, origin_id) <= 3 ORDER BY origin_zone, n DESC, origin_id
SELECT origin_zone, origin_id, count(*) AS n FROM trips GROUP BY ALL QUALIFY rank() OVER (PARTITION BY origin_zone ORDER BY n DESC, origin_id) <= 3 ORDER BY origin_zone, n DESC, origin_id;

# title: a clause order of FROM first, with joins
FROM visit v JOIN place USING (place_id) LEFT JOIN subscriber s ON s.subscriber_id = v.subscriber_id SELECT category, s.gender, count(*) AS n WHERE dwell_min > 5 GROUP BY ALL ORDER BY n DESC, 1, 2 LIMIT 9;

# title: pairs of zones in a list of rows
SELECT o_zone, d_zone, count(*) AS n FROM trip WHERE (o_zone, d_zone) IN (('Z1', 'Z2'), ('Z2', 'Z1'), ('Z1', 'Z1')) GROUP BY ALL ORDER BY ALL;

# title: rows of values with nulls, and none of them
SELECT count(*) FILTER (WHERE (approach_dir, prev_zone) IN (('N', 'Z1'), (NULL, 'Z1'), ('S', NULL))) AS met, count(*) FILTER (WHERE (approach_dir, prev_zone) NOT IN (('N', 'Z1'), (NULL, 'Z1'))) AS not_met, count(*) AS n FROM visit;

# title: rows of computed values
SELECT count(*) AS n FROM visit WHERE (isodow(visit_date), hour(start_ts)) IN ((6, 11), (7, 12), (6, 12));

# title: share of all by a full join of totals by age
SELECT age_band, n, m FROM (SELECT age_band, count(*) AS n FROM subscriber GROUP BY ALL) FULL JOIN (SELECT age_band, count(*) AS m FROM subscriber WHERE home_mcc <> 262 GROUP BY ALL) USING (age_band) ORDER BY ALL;

# title: unnest in a cte crossed
WITH h AS (SELECT unnest(range(24)) AS h), g AS (SELECT unnest(['f', 'm']) AS gender)
SELECT h.h, g.gender, count(v.visit_id) AS n FROM h CROSS JOIN g LEFT JOIN subscriber s ON s.gender = g.gender LEFT JOIN visit v ON v.subscriber_id = s.subscriber_id AND hour(v.start_ts) = h.h GROUP BY ALL ORDER BY ALL;

# title: list comprehension free, per day pivot
SELECT place_id, count(*) FILTER (WHERE isodow(visit_date) = 1) AS mon, count(*) FILTER (isodow(visit_date) = 2) AS tue, mon + tue AS both_days FROM visit GROUP BY 1 ORDER BY both_days DESC, 1 LIMIT 5;

# title: date_diff from the first
SELECT date_diff('week', DATE '2026-10-01', visit_date) AS w, count(*) AS n, count(DISTINCT subscriber_id) AS p FROM visit GROUP BY w ORDER BY w;

# title: extract
SELECT extract('dow' FROM start_ts) AS dow, extract(hour FROM start_ts) // 6 AS q, count(*) AS n FROM visit GROUP BY ALL ORDER BY ALL;

# title: monthname
SELECT monthname(visit_date) AS m, dayofmonth(visit_date) <= 15 AS half, count(*) AS n FROM visit GROUP BY ALL ORDER BY ALL;

# title: concat keys
SELECT o_zone || '-' || d_zone AS od, count(*) AS n FROM trip WHERE o_zone IN ('Z1', 'Z2') AND d_zone IN ('Z1', 'Z2') GROUP BY od ORDER BY n DESC, od;

# title: kind of persons
SELECT kind, count(*) AS n, avg(least(v, 100)) AS visits FROM (SELECT subscriber_id, CASE WHEN count(DISTINCT visit_date) >= 10 THEN 'heavy' ELSE 'light' END AS kind, count(*) AS v FROM visit GROUP BY subscriber_id) GROUP BY kind ORDER BY kind;

# title: nested aggregates with alias
SELECT zone_id, avg(dwell_min) AS a, a - (SELECT avg(dwell_min) FROM visit) AS diff FROM visit GROUP BY zone_id ORDER BY zone_id;

# title: between symmetric hours
SELECT count(*) AS n FROM visit WHERE start_ts::time BETWEEN TIME '08:00' AND TIME '10:30';

# title: age of a visit
SELECT count(*) AS n FROM visit WHERE end_ts - start_ts > INTERVAL '45 minutes';

# title: quantiles of trips by mode
# within: 3
SELECT mode, quantile_cont(dist_km, 0.9) AS p90 FROM trip GROUP BY ALL ORDER BY ALL;

# title: max by
SELECT place_id, max_by(hr, n) AS peak FROM (SELECT place_id, hour(start_ts) AS hr, count(*) AS n FROM visit WHERE place_id IN ('P1', 'P2') GROUP BY ALL) GROUP BY ALL ORDER BY ALL;

# title: string agg over releases
SELECT category, string_agg(name, ', ' ORDER BY n DESC, name) AS names FROM (SELECT category, name, count(*) AS n FROM visit JOIN place USING (place_id) GROUP BY ALL) GROUP BY category ORDER BY category;

# title: unpivot by union
SELECT m, v FROM (SELECT 'visits' AS m, count(*) AS v FROM visit UNION ALL SELECT 'people', count(DISTINCT subscriber_id) FROM visit UNION ALL SELECT 'mean', avg(dwell_min) FROM visit) ORDER BY m;

# title: corr
SELECT corr(least(greatest(dist_km, 0), 100), hour(dep_ts)) AS c FROM trip;

# title: rows between
SELECT visit_date, n, n - avg(n) OVER (ORDER BY visit_date ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING) AS over_usual FROM (SELECT visit_date, count(*) AS n FROM visit GROUP BY ALL) ORDER BY 1;

# title: tourists nights by country with having on persons
SELECT home_mcc, count(DISTINCT subscriber_id) AS guests, count(*) / count(DISTINCT subscriber_id) AS per_guest FROM visit JOIN subscriber USING (subscriber_id) WHERE home_mcc <> 262 GROUP BY home_mcc HAVING guests > 0 ORDER BY guests DESC, home_mcc;

# title: count if over star
SELECT COUNT(CASE WHEN dwell_min > 30 THEN 1 END) AS long, COUNT(CASE WHEN dwell_min > 30 THEN subscriber_id END) AS l2, COUNT(DISTINCT CASE WHEN dwell_min > 30 THEN subscriber_id END) AS people FROM visit;

# title: avg of distinct people a day
SELECT avg(n) AS mean_daily FROM (SELECT visit_date, count(DISTINCT subscriber_id) AS n FROM visit GROUP BY ALL);

# title: sum distinct days
SELECT sum(days) AS person_days FROM (SELECT subscriber_id, count(DISTINCT visit_date) AS days FROM visit GROUP BY ALL);

# As they write them for retention, funnels, flows and baskets.

# title: who comes back, by the week of the first visit
WITH f AS (SELECT subscriber_id, min(date_trunc('week', visit_date)) AS cohort FROM visit GROUP BY 1), a AS (SELECT DISTINCT subscriber_id, date_trunc('week', visit_date) AS wk FROM visit) SELECT cohort::date AS cohort, date_diff('week', cohort, wk) AS n, count(DISTINCT a.subscriber_id) AS people FROM a JOIN f USING (subscriber_id) GROUP BY ALL ORDER BY ALL;

# title: who is back on the seventh day, and the rate
WITH f AS (SELECT subscriber_id, min(visit_date) AS d0 FROM visit GROUP BY subscriber_id) SELECT d0, COUNT(*) AS new, COUNT_IF(EXISTS (SELECT 1 FROM visit v WHERE v.subscriber_id = f.subscriber_id AND v.visit_date = f.d0 + 7)) AS back, COUNT_IF(EXISTS (SELECT 1 FROM visit v WHERE v.subscriber_id = f.subscriber_id AND v.visit_date = f.d0 + 7)) / COUNT(*) AS rate FROM f WHERE d0 < DATE '2026-10-25' GROUP BY d0 ORDER BY d0;

# title: a place's conversion against all of theirs
WITH p AS (SELECT place_id, count(DISTINCT subscriber_id) AS n FROM passby GROUP BY 1), v AS (SELECT place_id, count(DISTINCT subscriber_id) AS n FROM visit GROUP BY 1), t AS (SELECT sum(p.n) AS p, sum(v.n) AS v FROM p JOIN v USING (place_id)) SELECT p.place_id, (v.n / p.n) / (t.v / t.p) AS idx FROM p JOIN v USING (place_id) CROSS JOIN t ORDER BY 1;

# title: what flows one way more than the other
WITH od AS (SELECT o_zone, d_zone, count(*) AS n FROM trip GROUP BY 1, 2) SELECT a.o_zone, a.d_zone, a.n, b.n AS back, a.n - b.n AS net FROM od a JOIN od b ON a.o_zone = b.d_zone AND a.d_zone = b.o_zone WHERE a.o_zone < a.d_zone ORDER BY 1, 2;

# title: the zones that most visitors come from
WITH c AS (SELECT s.home_zone, COUNT(DISTINCT v.subscriber_id) AS n FROM visit v JOIN subscriber s USING (subscriber_id) WHERE v.place_id = 'P1' GROUP BY 1), r AS (SELECT home_zone, n, SUM(n) OVER (ORDER BY n DESC, home_zone) AS cum, SUM(n) OVER () AS total FROM c) SELECT home_zone, n FROM r WHERE cum - n < 0.8 * total ORDER BY n DESC, home_zone;

# title: zones that people are in on one day
SELECT a.zone_id AS z1, b.zone_id AS z2, count(DISTINCT a.subscriber_id) AS n FROM visit a JOIN visit b ON a.subscriber_id = b.subscriber_id AND a.visit_date = b.visit_date AND a.zone_id < b.zone_id GROUP BY ALL;

# title: sets of keys with labels in one column
SELECT coalesce(s.gender, 'all') AS g, coalesce(v.zone_id, 'all') AS z, count(*) AS n FROM visit v JOIN subscriber s USING (subscriber_id) WHERE s.gender IS NOT NULL GROUP BY GROUPING SETS ((s.gender, v.zone_id), (s.gender), ()) ORDER BY ALL;

# title: who came and did not come back
SELECT count(*) AS lapsed FROM subscriber s WHERE s.subscriber_id IN (SELECT subscriber_id FROM visit WHERE visit_date < '2026-10-10') AND s.subscriber_id NOT IN (SELECT subscriber_id FROM visit WHERE visit_date >= '2026-10-20');

# title: how much oftener two categories meet than by chance
WITH c AS (SELECT DISTINCT v.subscriber_id, p.category FROM visit v JOIN place p USING (place_id)), one AS (SELECT category, count(*) AS n FROM c GROUP BY 1), two AS (SELECT a.category AS x, b.category AS y, count(*) AS n FROM c a JOIN c b ON a.subscriber_id = b.subscriber_id AND a.category < b.category GROUP BY 1, 2), t AS (SELECT count(DISTINCT subscriber_id) AS n FROM visit) SELECT two.x, two.y, two.n * t.n / (a.n * b.n) AS lift FROM two JOIN one a ON a.category = two.x JOIN one b ON b.category = two.y CROSS JOIN t;

# title: who is there at each quarter of an hour
SELECT q, count(*) AS n FROM visit v JOIN (SELECT unnest(generate_series(TIMESTAMP '2026-10-14 08:00', TIMESTAMP '2026-10-14 12:00', INTERVAL 15 MINUTE)) AS q) t ON t.q >= v.start_ts AND t.q < v.end_ts GROUP BY q ORDER BY q;

# title: chains of trips of a day
SELECT chain, count(*) AS n FROM (SELECT subscriber_id, trip_date, string_agg(d_activity, '>' ORDER BY dep_ts, trip_id) AS chain FROM trip GROUP BY ALL) WHERE chain IN ('work>home', 'other>home', 'work>other>home') GROUP BY chain ORDER BY 1;

# title: visits behind the day's first trip
SELECT count(*) AS n FROM visit v WHERE v.start_ts > (SELECT min(t.dep_ts) FROM trip t WHERE t.subscriber_id = v.subscriber_id AND t.trip_date = v.visit_date);

# title: people by days, as a share
SELECT n, people, 100 * people / sum(people) OVER () AS pct FROM (SELECT n, count(*) AS people FROM (SELECT subscriber_id, least(count(DISTINCT visit_date), 15) AS n FROM visit GROUP BY 1) GROUP BY n) ORDER BY n;

# title: people by the entropy of their zones
SELECT CASE WHEN h < 0.5 THEN 'low' WHEN h < 1.5 THEN 'mid' ELSE 'high' END AS band, count(*) AS n FROM (SELECT subscriber_id, -sum(p * ln(p)) AS h FROM (SELECT subscriber_id, n / sum(n) OVER (PARTITION BY subscriber_id) AS p FROM (SELECT subscriber_id, zone_id, count(*) AS n FROM visit GROUP BY ALL)) GROUP BY subscriber_id) GROUP BY 1 ORDER BY 1;

# title: homes as PostgreSQL names the most frequent
# instead: SELECT home, count(*) AS people FROM (SELECT subscriber_id, mode(zone_id ORDER BY tie(subscriber_id, zone_id), zone_id) AS home FROM visit GROUP BY subscriber_id) GROUP BY home
SELECT home, count(*) AS people FROM (SELECT subscriber_id, mode() WITHIN GROUP (ORDER BY zone_id) AS home FROM visit GROUP BY subscriber_id) GROUP BY home;

# title: the last zone before three in the morning, by a number
SELECT zone_id, count(*) AS n FROM (
  SELECT e.subscriber_id, c.zone_id, row_number() OVER (PARTITION BY e.subscriber_id ORDER BY e.ts DESC, e.cell_id) AS rn FROM event e JOIN cell c USING (cell_id)
  WHERE e.ts BETWEEN TIMESTAMP '2026-10-14 00:00' AND '2026-10-14'::date + '3 hours'::interval
) WHERE rn = 1 GROUP BY zone_id ORDER BY zone_id;

# title: lengths in steps of five minutes, of computed seconds
SELECT least(floor(date_diff('second', start_ts, end_ts) / 300.0) * 5, 60) AS minutes_from, count(*) AS n
FROM visit WHERE floor(date_diff('second', start_ts, end_ts) / 300.0) BETWEEN 0 AND 288 GROUP BY 1 ORDER BY 1;

# title: quarters of an hour by seconds since 1970
SELECT floor(epoch(ts) / 900) * 900 AS quarter, count(*) AS n FROM event
WHERE floor(epoch(ts) / 900) BETWEEN 1991076 AND 1991084 GROUP BY 1 ORDER BY 1;

# title: quarters of an hour by seconds since 1970, within the ends of the time, as dashboards write them
SELECT to_timestamp(floor(extract(epoch FROM ts) / 900) * 900) AS quarter, count(*) AS n FROM event
WHERE ts >= TIMESTAMP '2026-10-05 06:00' AND ts < TIMESTAMP '2026-10-05 09:00' GROUP BY 1 ORDER BY 1;

# title: counts without an asterisk, FROM first
FROM visit SELECT place_id, count() AS n, count() FILTER (WHERE dwell_min > 30) AS long GROUP BY place_id ORDER BY place_id;

# title: each day of a list whose step stands in quotes
SELECT t.day, COUNT(v.subscriber_id) AS n FROM generate_series('2026-10-01'::date, '2026-10-07'::date, '1 day') AS t(day)
LEFT JOIN visit v ON v.visit_date = t.day GROUP BY 1 ORDER BY 1;

# title: the mean working day, of a calendar
SELECT AVG(n) AS mean FROM (SELECT CAST(start_ts AS DATE) AS day, COUNT(DISTINCT subscriber_id) AS n FROM visit
  JOIN calendar ON d = CAST(start_ts AS DATE) WHERE NOT is_weekend GROUP BY 1);

# title: weeks and weekdays of a calendar's weekends
SELECT date_trunc('week', start_ts) AS week, dayname(start_ts) AS name, COUNT(*) AS n FROM visit
  JOIN calendar ON d = CAST(start_ts AS DATE) WHERE is_weekend GROUP BY 1, 2 ORDER BY 1, 2;

# title: hours of the days that a public subquery selects
SELECT date_trunc('hour', start_ts) AS h, COUNT(*) AS n FROM visit
  WHERE CAST(start_ts AS DATE) IN (SELECT d FROM calendar WHERE is_weekend) AND start_ts < '2026-11-01' GROUP BY 1 ORDER BY 1;

# title: places of one category, by their private column
SELECT place_id, COUNT(*) AS n FROM visit JOIN place USING (place_id) WHERE category = (SELECT MIN(category) FROM place)
  GROUP BY place_id ORDER BY place_id;

# title: different visits by the identity that Looker counts
SELECT s.age_band AS "s.age_band", COUNT(DISTINCT s.subscriber_id) AS "s.count", COUNT(DISTINCT v.visit_id) AS "v.count"
  FROM subscriber s LEFT JOIN visit v ON v.subscriber_id = s.subscriber_id GROUP BY 1 ORDER BY 1 LIMIT 500;

# title: different visits among the pairs of a person's visits and trips
SELECT COUNT(DISTINCT v.visit_id) AS visits, COUNT(DISTINCT t.trip_id) AS trips FROM visit v JOIN trip t USING (subscriber_id);

# title: a mean gap, its ends said by intervals
SELECT avg(epoch(gap) / 60) AS minutes, count(*) AS n FROM (SELECT start_ts - lag(end_ts) OVER (PARTITION BY subscriber_id ORDER BY start_ts, visit_id) AS gap FROM visit)
WHERE gap BETWEEN INTERVAL 0 MINUTE AND INTERVAL '3 hours';

# title: bins of a time between two columns
SELECT floor(extract(epoch FROM end_ts - start_ts) / 1800) AS half_hours, count(*) AS n FROM visit WHERE end_ts - start_ts < INTERVAL 4 HOUR AND end_ts - start_ts >= INTERVAL 0 HOUR GROUP BY 1;

# title: people who satisfy a condition, as tools write it
SELECT zone_id, COUNT(DISTINCT CASE WHEN visit.dwell_min > 60 THEN visit.subscriber_id ELSE NULL END) AS long,
  COUNT(DISTINCT (IF(dwell_min > 60, subscriber_id, NULL))) AS again, COUNT(CASE WHEN dwell_min > 60 THEN subscriber_id ELSE NULL END) AS visits
FROM visit GROUP BY zone_id;

# title: people by several branches, some of NULL
SELECT COUNT(DISTINCT CASE WHEN dwell_min > 60 THEN NULL WHEN hour(start_ts) < 12 THEN subscriber_id WHEN hour(start_ts) > 17 THEN subscriber_id END) AS some,
  COUNT(DISTINCT CASE WHEN place_id = 'P1' THEN NULL ELSE subscriber_id END) AS elsewhere FROM visit;

# title: steps between a person's rows, without the first
SELECT hour(before) AS h, count(*) AS n, n / avg(n) OVER () AS index
FROM (SELECT subscriber_id, lag(start_ts) OVER (PARTITION BY subscriber_id ORDER BY start_ts, visit_id) AS before FROM visit) WHERE before IS NOT NULL GROUP BY 1;

# title: hours from a person's row to the next, without ends
SELECT avg(date_diff('hour', prev, start_ts)) AS hours, sum(date_sub('day', prev, start_ts)) AS days, count(prev) AS n
FROM (SELECT start_ts, lag(start_ts) OVER (PARTITION BY subscriber_id ORDER BY start_ts, visit_id) AS prev FROM visit);

# title: seconds from a person's row to the next, as an interval and of epochs
SELECT avg(epoch(start_ts - prev)) AS seconds, avg(epoch(start_ts) - before) AS again
FROM (SELECT start_ts, lag(start_ts) OVER w AS prev, lag(epoch(start_ts)) OVER w AS before FROM visit WINDOW w AS (PARTITION BY subscriber_id ORDER BY start_ts, visit_id));

# title: days from a person's first row to the last
SELECT avg(date_diff('day', a, b)) AS days, avg(b::DATE - a::DATE) AS again, avg(date_diff('week', a, b)) AS weeks
FROM (SELECT subscriber_id, min(start_ts) AS a, max(start_ts) AS b FROM visit GROUP BY subscriber_id);

# title: days between a person's rows as groups
SELECT date_trunc('week', prev) AS week, date_diff('week', prev, start_ts) AS weeks, count(*) AS n
FROM (SELECT start_ts, lag(start_ts::DATE) OVER (PARTITION BY subscriber_id ORDER BY start_ts, visit_id) AS prev FROM visit) GROUP BY ALL;

# title: hours of the row before as groups
SELECT before, count(*) AS n FROM (SELECT lag(hour(start_ts)) OVER (PARTITION BY subscriber_id ORDER BY start_ts, visit_id) AS before FROM visit) GROUP BY before;

# title: days in a row, by a day less its number
SELECT days, count(*) AS n FROM (SELECT subscriber_id, run, least(count(*), 9) AS days
  FROM (SELECT subscriber_id, d - row_number() OVER (PARTITION BY subscriber_id ORDER BY d)::INT AS run
    FROM (SELECT DISTINCT subscriber_id, start_ts::DATE AS d FROM visit)) GROUP BY ALL) GROUP BY days;

# title: dates moved by a number of each row
SELECT start_ts::DATE + (dwell_min // 60 + 1)::INT AS day, count(*) AS n FROM visit WHERE start_ts::DATE - (dwell_min // 100)::INT < DATE '2026-10-09' GROUP BY day;
