# Questions over real data: the public bicycles of Guadalajara.

# title: trips and riders
SELECT COUNT(*) AS trips, COUNT(DISTINCT person_id) AS riders FROM trips;

# title: trips by zone
SELECT origin_zone, COUNT(*) AS n, COUNT(DISTINCT person_id) AS riders FROM trips GROUP BY origin_zone;

# title: from zone to zone
SELECT origin_zone, dest_zone, COUNT(*) AS n FROM trips GROUP BY ALL;

# title: trips between two zones
SELECT origin_zone, dest_zone, COUNT(*) AS n FROM trips WHERE origin_zone <> dest_zone GROUP BY ALL ORDER BY n DESC, origin_zone, dest_zone LIMIT 20;

# title: trips by hour
SELECT hour(started_at) AS h, COUNT(*) AS n FROM trips GROUP BY h ORDER BY h;

# title: trips by day
SELECT CAST(started_at AS DATE) AS d, COUNT(*) AS n, COUNT(DISTINCT person_id) AS riders FROM trips GROUP BY d;

# title: trips by zone and hour
SELECT origin_zone, hour(started_at) AS h, COUNT(*) AS n FROM trips GROUP BY ALL;

# title: trips by hour of the week
SELECT isodow(started_at) AS d, hour(started_at) AS h, COUNT(*) AS n FROM trips GROUP BY d, h;

# title: weekends
SELECT isodow(started_at) >= 6 AS weekend, COUNT(*) AS n, COUNT(DISTINCT person_id) AS riders FROM trips GROUP BY weekend;

# title: trips of a week by the hour
SELECT date_trunc('hour', started_at) AS h, COUNT(*) AS n FROM trips WHERE started_at >= '2026-06-08' AND started_at < '2026-06-15' GROUP BY h;

# title: trips by station
SELECT origin_id, COUNT(*) AS n FROM trips GROUP BY origin_id;

# title: trips by the station's municipality
SELECT s.muni, COUNT(*) AS n FROM trips AS t JOIN stations AS s ON t.origin_id = s.station_id GROUP BY s.muni;

# title: both ends' municipalities
SELECT a.muni AS origin, b.muni AS destination, COUNT(*) AS n FROM trips AS t JOIN stations AS a ON t.origin_id = a.station_id JOIN stations AS b ON t.dest_id = b.station_id GROUP BY ALL;

# title: the looked-up zone is the station's
SELECT COUNT(*) FILTER (WHERE t.origin_zone = s.zone_id) AS same, COUNT(*) AS n FROM trips AS t JOIN stations AS s ON t.origin_id = s.station_id;

# title: zones with many stations
SELECT z.stations > 10 AS large, COUNT(*) AS n FROM trips AS t JOIN zones AS z ON t.dest_zone = z.zone_id GROUP BY large;

# title: riders by age and gender
SELECT age_band, gender, COUNT(*) AS riders FROM persons GROUP BY ALL;

# title: trips by age and gender
SELECT p.age_band, p.gender, COUNT(*) AS n FROM trips AS t JOIN persons AS p USING (person_id) GROUP BY ALL;

# title: trips by gender and hour
SELECT p.gender, hour(t.started_at) AS h, COUNT(*) AS n FROM trips AS t JOIN persons AS p ON t.person_id = p.person_id GROUP BY ALL;

# title: years of birth
SELECT gender, AVG(birth_year) AS born, COUNT(birth_year) AS known FROM persons WHERE birth_year BETWEEN 1926 AND 2010 GROUP BY gender;

# title: every decade of birth
SELECT birth_year // 10 * 10 AS decade, COUNT(*) AS n FROM persons WHERE birth_year BETWEEN 1926 AND 2010 GROUP BY decade ORDER BY decade;

# title: minutes of a trip
SELECT AVG(LEAST(GREATEST(date_diff('second', started_at, ended_at) / 60, 0), 120)) AS minutes FROM trips WHERE ended_at > started_at;

# title: minutes by zone
SELECT origin_zone, AVG(LEAST(GREATEST(epoch(ended_at) - epoch(started_at), 0), 7200) / 60) AS minutes FROM trips GROUP BY origin_zone;

# title: trips of more than half an hour
SELECT COUNT(*) FILTER (WHERE ended_at - started_at > INTERVAL 30 MINUTE) AS long, COUNT(*) AS n FROM trips;

# title: share of trips that end where they began
SELECT COUNT(*) FILTER (WHERE origin_id = dest_id) / COUNT(*) AS share FROM trips;

# title: riders by their number of trips
SELECT CASE WHEN n = 1 THEN '1' WHEN n <= 5 THEN '2-5' WHEN n <= 20 THEN '6-20' ELSE 'more' END AS trips, COUNT(*) AS riders
FROM (SELECT person_id, COUNT(*) AS n FROM trips GROUP BY person_id) AS q GROUP BY 1;

# title: mean number of trips and days
SELECT AVG(n) AS trips, AVG(days) AS days FROM (SELECT person_id, COUNT(*) AS n, COUNT(DISTINCT CAST(started_at AS DATE)) AS days FROM trips GROUP BY person_id) AS q;

# title: riders by their first zone
SELECT zone, COUNT(*) AS riders FROM (SELECT person_id, arg_min(origin_zone, started_at) AS zone FROM trips GROUP BY person_id HAVING COUNT(*) > 3) AS q GROUP BY zone;

# title: trips and the trips back on the same day
SELECT COUNT(*) AS pairs, COUNT(DISTINCT a.person_id) AS riders FROM trips AS a JOIN trips AS b ON a.person_id = b.person_id AND a.dest_id = b.origin_id AND a.origin_id = b.dest_id
  AND CAST(a.started_at AS DATE) = CAST(b.started_at AS DATE) AND b.started_at > a.ended_at;

# title: riders without a trip
SELECT p.gender, COUNT(*) AS n FROM persons AS p LEFT JOIN trips AS t USING (person_id) WHERE t.started_at IS NULL GROUP BY p.gender;

# title: mornings against evenings
WITH m AS (SELECT origin_zone AS z, COUNT(*) AS n FROM trips WHERE hour(started_at) BETWEEN 6 AND 9 GROUP BY z),
     e AS (SELECT dest_zone AS z, COUNT(*) AS n FROM trips WHERE hour(started_at) BETWEEN 17 AND 20 GROUP BY z)
SELECT m.z, m.n AS leaving, e.n AS coming, m.n / e.n AS ratio FROM m JOIN e ON m.z = e.z ORDER BY m.z;

# title: trips in proportion to stations
SELECT z.zone_id, z.stations, q.n, q.n / z.stations AS trips_per_station FROM (SELECT origin_zone, COUNT(*) AS n FROM trips GROUP BY 1) AS q JOIN zones AS z ON q.origin_zone = z.zone_id;

# title: stations by municipality, which is public
SELECT muni, COUNT(*) AS n, AVG(lat) AS lat FROM stations GROUP BY muni;
