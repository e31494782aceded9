# What holds of every operator, and how its people differ: each query gives one row, true.

# title: sightings lie inside the window
SELECT bool_and(ts BETWEEN '2026-10-01' AND '2026-11-01 23:59:59') FROM event;

# title: visits are what they say
SELECT bool_and(dwell_min >= 0 AND abs(epoch(end_ts - start_ts) / 60 - dwell_min) < 0.01
                AND visit_date = start_ts::DATE AND month(start_ts) = month(end_ts)) FROM visit;

# title: a visit lies in its place's zone and cell
SELECT bool_and(v.zone_id = p.zone_id AND v.h3_9 = p.h3_9) FROM visit v JOIN place p USING (place_id);

# title: pass-bys have their own date
SELECT bool_and(visit_date = ts::DATE) FROM passby;

# title: trips lead from one zone to another
SELECT bool_and(o_zone <> d_zone AND dep_ts < arr_ts AND dist_km > 0 AND trip_date = dep_ts::DATE
                AND NOT list_contains(via_zones, o_zone) AND month(dep_ts) = month(arr_ts)) FROM trip;

# title: everybody seen is a subscriber
SELECT count(*) = 0 FROM (FROM event UNION ALL BY NAME FROM visit UNION ALL BY NAME FROM trip
                          UNION ALL BY NAME FROM passby) ANTI JOIN subscriber USING (subscriber_id);

# title: derived zones are grid zones
SELECT count(*) = 0 FROM (SELECT o_zone AS z FROM trip UNION SELECT d_zone FROM trip UNION SELECT prev_zone
  FROM visit UNION SELECT next_zone FROM visit UNION SELECT home_zone FROM subscriber UNION SELECT work_zone
  FROM subscriber) WHERE z NOT IN (SELECT zone_id FROM zone WHERE level = 3);

# title: zones form a tree whose people add up
SELECT bool_and(z.population = (SELECT sum(population) FROM zone c WHERE c.parent_id = z.zone_id))
FROM zone z WHERE level < 3;

# title: zones are squares
SELECT bool_and(z.shape LIKE 'POLYGON ((%))' AND len(string_split(z.shape, ',')) = 5) FROM zone z;

# title: P1 is in Z1 and is the place most visited
SELECT (SELECT zone_id FROM place WHERE place_id = 'P1') = 'Z1' AND mode(place_id) = 'P1' FROM visit;

# title: the weight is a function of the contract
SELECT count(DISTINCT (contract_type, weight)) = count(DISTINCT contract_type) FROM subscriber;

# title: every consent state occurs
SELECT list_sort(list(DISTINCT consent_state)) = ['none', 'objected', 'opt_in', 'withdrawn'] FROM subscriber;

# title: the old stay longer
SELECT avg(least(dwell_min, 240)) FILTER (age_band = '65+') > 1.15 * avg(least(dwell_min, 240)) FILTER (age_band = '18-24')
FROM visit JOIN subscriber USING (subscriber_id);

# title: the young are out at night
SELECT avg((hour(ts) >= 22 OR hour(ts) < 3)::INT) FILTER (age_band = '18-24')
  > 2 * avg((hour(ts) >= 22 OR hour(ts) < 3)::INT) FILTER (age_band = '65+')
FROM event JOIN subscriber USING (subscriber_id);

# title: women and men visit different places
SELECT avg((category = 'mall')::INT) FILTER (gender = 'f') > 1.15 * avg((category = 'mall')::INT) FILTER (gender = 'm')
  AND avg((category = 'stadium')::INT) FILTER (gender = 'm') > 1.5 * avg((category = 'stadium')::INT) FILTER (gender = 'f')
FROM visit JOIN subscriber USING (subscriber_id) JOIN place USING (place_id);

# title: the old stay nearer to home
SELECT avg(dist_km) FILTER (age_band = '65+') < 0.9 * avg(dist_km) FILTER (age_band = '18-24')
FROM trip JOIN subscriber USING (subscriber_id) WHERE o_activity = 'home';

# title: not all nights are at home
SELECT avg((zone_id <> home_zone)::INT) BETWEEN 0.1 AND 0.6
FROM event JOIN cell USING (cell_id) JOIN subscriber USING (subscriber_id)
WHERE hour(ts) < 5 AND contract_type <> 'm2m';

# title: events have a heavy tail
SELECT stddev(ln(n)) BETWEEN 1.1 AND 1.5 AND quantile_cont(n, 0.99) > 15 * median(n)
FROM (SELECT count(*) AS n FROM event GROUP BY subscriber_id);

# title: events come in bursts
SELECT median(gap) > 300 AND avg((gap < 3600)::INT) > 0.4
FROM (SELECT epoch(ts - lag(ts) OVER (PARTITION BY subscriber_id ORDER BY ts)) AS gap FROM event);

# title: active people are seen at a place every few days
SELECT median(n) BETWEEN 5 AND 20 FROM (SELECT count(*) AS n FROM visit GROUP BY subscriber_id);

# title: stays of all lengths occur
SELECT count(DISTINCT CASE WHEN dwell_min < 5 THEN 1 WHEN dwell_min < 20 THEN 2 WHEN dwell_min < 60 THEN 3
                    WHEN dwell_min < 240 THEN 4 WHEN dwell_min < 1440 THEN 5 ELSE 6 END) = 6 FROM visit;

# title: most approaches are seen
SELECT avg((approach_dir IS NOT NULL)::INT) BETWEEN 0.5 AND 0.9 FROM visit;

# title: every mode moves somebody
SELECT min(n) > 100 FROM (SELECT count(*) AS n FROM trip GROUP BY mode);
