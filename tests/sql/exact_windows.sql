# Window functions: over one person's rows, over that person's groups, and over released and public rows.

# title: stays by gaps and islands
WITH e AS (SELECT subscriber_id, ts, c.zone_id,
                  CASE WHEN c.zone_id = lag(c.zone_id) OVER w AND ts - lag(ts) OVER w <= INTERVAL 2 HOUR THEN 0 ELSE 1 END AS brk
           FROM event JOIN cell c USING (cell_id) WINDOW w AS (PARTITION BY subscriber_id ORDER BY ts)),
     i AS (SELECT *, sum(brk) OVER (PARTITION BY subscriber_id ORDER BY ts) AS isl FROM e),
     s AS (SELECT subscriber_id, zone_id, min(ts) AS a, max(ts) AS b FROM i GROUP BY subscriber_id, zone_id, isl HAVING max(ts) - min(ts) >= INTERVAL 15 MINUTE)
SELECT zone_id, count(*) AS stays, count(DISTINCT subscriber_id) AS people FROM s GROUP BY 1;

# title: sessions by gaps of an hour, and how many a person has
WITH g AS (SELECT subscriber_id, ts, CASE WHEN ts - lag(ts) OVER (PARTITION BY subscriber_id ORDER BY ts) > INTERVAL 60 MINUTE THEN 1 ELSE 0 END AS new FROM event),
     s AS (SELECT subscriber_id, 1 + sum(new) OVER (PARTITION BY subscriber_id ORDER BY ts) AS session FROM g)
SELECT least(most, 20) AS sessions, count(*) AS people FROM (SELECT subscriber_id, max(session) AS most FROM s GROUP BY 1) GROUP BY 1;

# title: the first visit of each day by QUALIFY
SELECT zone_id, count(*) AS n FROM (
  SELECT * FROM visit QUALIFY row_number() OVER (PARTITION BY subscriber_id, visit_date ORDER BY start_ts, visit_id) = 1
) GROUP BY 1;

# title: the last visit of each person by QUALIFY on an alias
SELECT place_id, count(*) AS n FROM (
  SELECT subscriber_id, place_id, row_number() OVER (PARTITION BY subscriber_id ORDER BY start_ts DESC, visit_id) AS back FROM visit QUALIFY back = 1
) GROUP BY 1;

# title: the zone before, by lag
SELECT zone_id, before, count(*) AS n FROM (
  SELECT subscriber_id, zone_id, lag(zone_id) OVER (PARTITION BY subscriber_id ORDER BY start_ts, visit_id) AS before FROM visit
) WHERE before <> zone_id GROUP BY 1, 2;

# title: the zone before, and a word where there is none
SELECT before, count(*) AS n, count(DISTINCT subscriber_id) AS people FROM (
  SELECT subscriber_id, lag(zone_id, 1, 'none') OVER (PARTITION BY subscriber_id ORDER BY start_ts, visit_id) AS before FROM visit
) GROUP BY 1;

# title: dwell until the next event, by lead
SELECT hour(ts) AS h, avg(least(greatest(minutes, 0), 600)) AS mean, count(minutes) AS n FROM (
  SELECT subscriber_id, ts, epoch(lead(ts) OVER (PARTITION BY subscriber_id ORDER BY ts) - ts) / 60 AS minutes FROM event
) GROUP BY 1;

# title: days between visits of one place
SELECT least(days, 14) AS days, count(*) AS n FROM (
  SELECT subscriber_id, date_diff('day', lag(visit_date) OVER (PARTITION BY subscriber_id, place_id ORDER BY start_ts, visit_id), visit_date) AS days FROM visit
) WHERE days IS NOT NULL GROUP BY 1;

# title: a running distance within each day
SELECT legs, sum(least(greatest(km, 0), 500)) AS km, count(*) AS n FROM (
  SELECT subscriber_id, least(row_number() OVER d, 5) AS legs, sum(dist_km) OVER d AS km FROM trip
  WINDOW d AS (PARTITION BY subscriber_id, trip_date ORDER BY dep_ts, trip_id)
) GROUP BY 1;

# title: the n-th visit
SELECT nth, place_id, count(*) AS n FROM (
  SELECT subscriber_id, place_id, row_number() OVER (PARTITION BY subscriber_id ORDER BY start_ts, visit_id) AS nth FROM visit
) WHERE nth <= 3 GROUP BY 1, 2;

# title: the share of one's own total
SELECT zone_id, avg(least(greatest(share, 0), 1)) AS mean, count(*) AS n FROM (
  SELECT subscriber_id, zone_id, dwell_min / nullif(sum(dwell_min) OVER (PARTITION BY subscriber_id), 0) AS share FROM visit
) GROUP BY 1;

# title: a window over the groups of one person
SELECT zone_id, count(*) AS people FROM (
  SELECT subscriber_id, zone_id, count(*) AS n, row_number() OVER (PARTITION BY subscriber_id ORDER BY count(*) DESC, zone_id) AS r
  FROM visit GROUP BY subscriber_id, zone_id
) WHERE r = 1 GROUP BY 1;

# title: QUALIFY over the groups of one person, by an alias in the window
SELECT zone_id, count(*) AS people FROM (
  SELECT subscriber_id, zone_id, count(*) AS n FROM visit GROUP BY 1, 2
  HAVING count(*) > 1 QUALIFY dense_rank() OVER (PARTITION BY subscriber_id ORDER BY n DESC) = 1
) GROUP BY 1;

# title: ranks keep peers
SELECT r, d, count(*) AS n FROM (
  SELECT subscriber_id, rank() OVER w AS r, dense_rank() OVER w AS d FROM visit
  WINDOW w AS (PARTITION BY subscriber_id ORDER BY visit_date)
) WHERE r <= 12 GROUP BY 1, 2;

# title: shares of rank
SELECT count(*) FILTER (WHERE p <= 0.5) AS lower, count(*) FILTER (WHERE c > 0.5) AS upper, count(*) FILTER (WHERE p = 0) AS first FROM (
  SELECT subscriber_id, percent_rank() OVER w AS p, cume_dist() OVER w AS c FROM visit
  WINDOW w AS (PARTITION BY subscriber_id ORDER BY visit_date DESC)
);

# title: quarters of a person's visits
SELECT q, sum(least(greatest(dwell_min, 0), 300)) AS minutes, count(*) AS n FROM (
  SELECT subscriber_id, dwell_min, ntile(4) OVER (PARTITION BY subscriber_id ORDER BY start_ts, visit_id) AS q FROM visit
) GROUP BY 1;

# title: the first, the last and the second value of a partition
SELECT a = b AS back, count(*) AS n, count(c) AS with_second FROM (
  SELECT subscriber_id, first_value(zone_id) OVER w AS a, last_value(zone_id) OVER w AS b, nth_value(zone_id, 2) OVER w AS c FROM visit
  WINDOW w AS (PARTITION BY subscriber_id, visit_date ORDER BY start_ts, visit_id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
) GROUP BY 1;

# title: the last value of the default frame is the last peer's
SELECT count(*) FILTER (WHERE d = last) AS n FROM (
  SELECT subscriber_id, visit_date AS d, last_value(visit_date) OVER (PARTITION BY subscriber_id ORDER BY visit_date) AS last FROM visit
);

# title: the last direction that was seen
SELECT last, count(*) AS n FROM (
  SELECT subscriber_id, last_value(approach_dir IGNORE NULLS) OVER (PARTITION BY subscriber_id ORDER BY start_ts, visit_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS last FROM visit
) GROUP BY 1;

# title: lag and lead leave NULLs out
SELECT a, b, count(*) AS n FROM (
  SELECT subscriber_id, lag(approach_dir IGNORE NULLS) OVER w AS a, lead(approach_dir, 2 IGNORE NULLS) OVER w AS b FROM visit
  WINDOW w AS (PARTITION BY subscriber_id ORDER BY start_ts, visit_id)
) WHERE a = 'N' OR b = 'N' GROUP BY 1, 2;

# title: events of the two hours before
SELECT least(n, 30) AS n, count(*) AS events FROM (
  SELECT subscriber_id, count(*) OVER (PARTITION BY subscriber_id ORDER BY ts RANGE BETWEEN INTERVAL '2 hours' PRECEDING AND CURRENT ROW) AS n FROM event
) GROUP BY 1;

# title: visits of the days around
SELECT least(n, 30) AS n, count(*) AS visits FROM (
  SELECT subscriber_id, count(*) OVER (PARTITION BY subscriber_id ORDER BY visit_date DESC RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND INTERVAL 1 DAY FOLLOWING) AS n FROM visit
) GROUP BY 1;

# title: numbers within a distance
SELECT least(n, 30) AS n, count(*) AS trips FROM (
  SELECT subscriber_id, count(*) OVER (PARTITION BY subscriber_id ORDER BY dist_km RANGE BETWEEN 1 PRECEDING AND 2.5 FOLLOWING) AS n FROM trip
) GROUP BY 1;

# title: whole numbers within a distance
SELECT least(n, 50) AS n, count(*) AS events FROM (
  SELECT subscriber_id, count(tac) OVER (PARTITION BY subscriber_id ORDER BY hour(ts) RANGE BETWEEN 2 PRECEDING AND 1 PRECEDING) AS n FROM event
) GROUP BY 1;

# title: groups of days
SELECT least(n, 30) AS n, count(*) AS visits FROM (
  SELECT subscriber_id, count(*) OVER (PARTITION BY subscriber_id ORDER BY visit_date GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW) AS n FROM visit
) GROUP BY 1;

# title: moving means of a person's rows
SELECT sum(least(greatest(mean, 0), 1440)) AS s, sum(least(greatest(most, 0), 1440)) AS m, count(*) AS n FROM (
  SELECT subscriber_id, avg(dwell_min) OVER w AS mean, max(dwell_min) OVER w AS most FROM visit
  WINDOW w AS (PARTITION BY subscriber_id ORDER BY start_ts, visit_id ROWS 2 PRECEDING)
);

# title: truths over a frame
SELECT every, one, count(*) AS n FROM (
  SELECT subscriber_id, bool_and(dwell_min > 10) OVER w AS every, bool_or(dwell_min > 60) OVER w AS one FROM visit
  WINDOW w AS (PARTITION BY subscriber_id ORDER BY visit_date)
) GROUP BY 1, 2;

# title: a filter in a window, conditions that count, and a sum of a condition
SELECT least(a, 9) AS a, least(b, 9) AS b, least(c, 9) AS c, count(*) AS n FROM (
  SELECT subscriber_id, count(*) FILTER (WHERE zone_id = 'Z1') OVER w AS a, count_if(dwell_min > 60) OVER w AS b, sum(dwell_min > 30) OVER w AS c FROM visit
  WINDOW w AS (PARTITION BY subscriber_id ORDER BY visit_date)
) GROUP BY 1, 2, 3;

# title: a named window that builds on another
SELECT r, count(*) AS n FROM (
  SELECT subscriber_id, row_number() OVER (w ORDER BY start_ts, visit_id) AS r, count(*) OVER v AS c FROM visit
  WINDOW w AS (PARTITION BY subscriber_id), v AS (w ORDER BY visit_date)
) WHERE r <= 4 AND c > 1 GROUP BY 1;

# title: windows of two orders and two partitions in one SELECT
SELECT count(*) AS n FROM (
  SELECT subscriber_id, row_number() OVER (PARTITION BY subscriber_id ORDER BY start_ts, visit_id) AS a,
         row_number() OVER (PARTITION BY subscriber_id, zone_id ORDER BY start_ts DESC, visit_id) AS b, sum(dwell_min) OVER (PARTITION BY subscriber_id, place_id) AS c
  FROM visit
) WHERE a < b AND c > 60;

# title: a window over joined rows
SELECT s.age_band, count(*) AS n FROM (
  SELECT v.subscriber_id, p.category, lag(p.category) OVER (PARTITION BY v.subscriber_id ORDER BY v.start_ts, v.visit_id) AS before
  FROM visit v JOIN place p USING (place_id)
) x JOIN subscriber s USING (subscriber_id) WHERE x.before = x.category GROUP BY 1;

# title: rows joined to windows of the same person
SELECT count(*) AS n FROM visit v JOIN (
  SELECT subscriber_id, start_ts AS first FROM visit QUALIFY row_number() OVER (PARTITION BY subscriber_id ORDER BY start_ts, visit_id) = 1
) f ON f.subscriber_id = v.subscriber_id AND v.start_ts > f.first + INTERVAL 7 DAY;

# title: people chosen by a window
SELECT count(DISTINCT subscriber_id) AS people FROM visit WHERE subscriber_id IN (
  SELECT subscriber_id FROM visit QUALIFY count(*) OVER (PARTITION BY subscriber_id) > 5
);

# title: different rows behind a window
SELECT most, count(*) AS people FROM (
  SELECT DISTINCT subscriber_id, least(count(*) OVER (PARTITION BY subscriber_id), 40) AS most FROM visit
) GROUP BY 1;

# title: the list of what stands before is that of the column
SELECT before, count(*) AS n FROM (
  SELECT subscriber_id, lag(c.technology) OVER (PARTITION BY subscriber_id ORDER BY e.ts) = c.technology AS before FROM event e JOIN cell c USING (cell_id)
) WHERE before IS NULL GROUP BY 1;

# title: a window of windows by a subquery
SELECT least(runs, 10) AS runs, count(*) AS people FROM (
  SELECT subscriber_id, max(run) AS runs FROM (
    SELECT subscriber_id, sum(moved) OVER (PARTITION BY subscriber_id ORDER BY start_ts, visit_id) AS run FROM (
      SELECT subscriber_id, start_ts, visit_id, CASE WHEN lag(zone_id) OVER (PARTITION BY subscriber_id ORDER BY start_ts, visit_id) = zone_id THEN 0 ELSE 1 END AS moved FROM visit
    )
  ) GROUP BY 1
) GROUP BY 1;

# title: a window inside CASE and in an argument one level up
SELECT sum(least(greatest(CASE WHEN gap > INTERVAL 1 HOUR THEN 60 ELSE epoch(gap) / 60 END, 0), 60)) AS minutes FROM (
  SELECT subscriber_id, lead(ts) OVER (PARTITION BY subscriber_id ORDER BY ts) - ts AS gap FROM event
);

# title: rank, share, running total and the day before over released numbers
SELECT visit_date, count(*) AS n, rank() OVER (ORDER BY count(*) DESC) AS r, 100.0 * count(*) / sum(count(*)) OVER () AS share,
       sum(count(*)) OVER (ORDER BY visit_date) AS so_far, count(*) - lag(count(*)) OVER (ORDER BY visit_date) AS more
FROM visit GROUP BY visit_date ORDER BY visit_date;

# title: the three largest zones of each day by QUALIFY
SELECT visit_date, zone_id, count(*) AS n FROM visit GROUP BY 1, 2
QUALIFY row_number() OVER (PARTITION BY visit_date ORDER BY count(*) DESC, zone_id) <= 3 ORDER BY 1, 3 DESC, 2;

# title: a moving average of released numbers
SELECT d, n, avg(n) OVER (ORDER BY d ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) AS week, first_value(n) OVER (ORDER BY d) AS first
FROM (SELECT visit_date AS d, count(*) AS n FROM visit GROUP BY 1) ORDER BY d;

# title: windows of an alias over released numbers
SELECT zone_id AS z, count(*) AS n, dense_rank() OVER (ORDER BY n DESC) AS r, ntile(3) OVER (ORDER BY n DESC, z) AS third FROM visit GROUP BY 1 ORDER BY row_number() OVER (ORDER BY count(*) DESC, zone_id);

# title: ranks among different groups of zones
SELECT z.level, v.zone_id, count(*) AS n, rank() OVER (PARTITION BY z.level ORDER BY count(*) DESC) AS r, count(*) OVER (PARTITION BY z.level) AS zones
FROM visit v JOIN zone z USING (zone_id) GROUP BY 1, 2;

# title: windows over public rows
SELECT zone_id, population, rank() OVER (ORDER BY population DESC) AS r, lag(zone_id) OVER (ORDER BY zone_id) AS before, sum(population) OVER (PARTITION BY level) AS of_level FROM zone;

# title: people's rows joined to ranked public rows
SELECT z.r, count(*) AS n FROM visit v JOIN (SELECT zone_id, rank() OVER (ORDER BY population DESC) AS r FROM zone) z USING (zone_id) WHERE z.r <= 5 GROUP BY 1;

# title: public rows chosen by QUALIFY in a LEFT JOIN
SELECT z.zone_id, count(v.subscriber_id) AS n FROM (SELECT zone_id FROM zone QUALIFY row_number() OVER (PARTITION BY level ORDER BY population DESC, zone_id) <= 2) z LEFT JOIN visit v ON v.zone_id = z.zone_id GROUP BY 1;

# title: numbers that are not numbers, and both zeros, within one person's windows
# world: attack
SELECT r, least(n, 20) AS n, count(*) AS rows FROM (
  SELECT subscriber_id, dense_rank() OVER (PARTITION BY subscriber_id ORDER BY lon) AS r, count(*) OVER (PARTITION BY subscriber_id ORDER BY lon) AS n FROM events
) WHERE r <= 20 GROUP BY 1, 2;

# title: sums of whole numbers over frames
# world: attack
SELECT count(*) FILTER (WHERE s > 60) AS n FROM (
  SELECT subscriber_id, sum(cell_id) OVER (PARTITION BY subscriber_id ORDER BY ts NULLS FIRST) AS s FROM events
);

# title: public rows kept beside people's windows
SELECT p.place_id, count(f.subscriber_id) AS first_here FROM place p LEFT JOIN (
  SELECT subscriber_id, place_id FROM visit QUALIFY row_number() OVER (PARTITION BY subscriber_id ORDER BY start_ts, visit_id) = 1
) f ON f.place_id = p.place_id GROUP BY 1;

# title: windows over two tables of a person
SELECT seen, before, count(*) AS n FROM (
  SELECT seen, lag(seen) OVER (PARTITION BY subscriber_id ORDER BY ts, seen, id) AS before FROM (
    SELECT subscriber_id, start_ts AS ts, 'visit' AS seen, visit_id AS id FROM visit UNION ALL SELECT subscriber_id, dep_ts, 'trip', trip_id FROM trip)
) GROUP BY 1, 2;

# title: a window beside a subquery of one value
SELECT count(*) AS n FROM (
  SELECT subscriber_id, dwell_min, avg(dwell_min) OVER (PARTITION BY subscriber_id, place_id) AS here FROM visit v
  WHERE dwell_min > (SELECT avg(w.dwell_min) FROM visit w WHERE w.subscriber_id = v.subscriber_id)
) WHERE here < dwell_min - 1;

# title: a window's value told by columns that name it
SELECT long, count(*) AS n FROM (
  SELECT subscriber_id, lead(start_ts) OVER (PARTITION BY subscriber_id ORDER BY start_ts, visit_id) AS next, next - end_ts > INTERVAL 1 DAY AS long FROM visit
) GROUP BY 1;

# title: windows over a join of releases
SELECT a.visit_date AS d, a.n AS n, b.n AS m, sum(b.n) OVER (ORDER BY a.visit_date) AS so_far, rank() OVER (ORDER BY a.n - b.n) AS r
FROM (SELECT visit_date, count(*) AS n FROM visit GROUP BY 1) a JOIN (SELECT trip_date, count(*) AS n FROM trip GROUP BY 1) b ON a.visit_date = b.trip_date;

# title: different combinations over windows of released numbers
SELECT DISTINCT count(*) OVER (PARTITION BY count(*) > 100) AS zones, count(*) > 100 AS many FROM visit GROUP BY zone_id;

# title: windows over nothing
SELECT count(*) AS n, count(w) AS m FROM (SELECT subscriber_id, lag(ts) OVER (PARTITION BY subscriber_id ORDER BY ts) AS w FROM event WHERE ts < TIMESTAMP '1999-01-01');

# title: how far a day is from the days around it
WITH d AS (SELECT visit_date, count(*) AS n FROM visit WHERE place_id = 'P1' GROUP BY 1)
SELECT visit_date, n, (n - avg(n) OVER ()) / stddev(n) OVER () AS z, median(n) OVER (ORDER BY visit_date ROWS 6 PRECEDING) AS usual FROM d;

# title: quantiles, correlations and regressions over released rows
WITH d AS (SELECT visit_date, count(*) AS n FROM visit WHERE place_id = 'P1' GROUP BY 1)
SELECT visit_date, quantile_cont(n, 0.9) OVER (PARTITION BY isodow(visit_date)) AS q, corr(n, day(visit_date)) OVER () AS r,
       var_pop(n) FILTER (WHERE n > 3) OVER () AS v, regr_slope(n, day(visit_date)) OVER () AS s FROM d;

# title: a median of groups beside the groups
SELECT zone_id, count(*) AS n, count(*) - median(count(*)) OVER () AS apart FROM visit GROUP BY 1;
