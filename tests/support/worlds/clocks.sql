-- Rides every 20 minutes through the nights in which Berlin and New York put their clocks back and forward.
CREATE MACRO draw(seed, n) AS (hash(seed * 7919 + 104729) % n)::BIGINT;

CREATE TABLE rider AS
SELECT i::INTEGER AS rider_id, DATE '1950-01-01' + (draw(i, 20000))::INTEGER AS born FROM range(1, 31) AS r(i);

CREATE TABLE ride AS
WITH moments AS (
  SELECT unnest(range(TIMESTAMP '2026-03-28 20:00', TIMESTAMP '2026-03-29 12:00', INTERVAL 20 MINUTE)
             || range(TIMESTAMP '2026-10-24 20:00', TIMESTAMP '2026-10-25 12:00', INTERVAL 20 MINUTE)
             || range(TIMESTAMP '2026-03-07 20:00', TIMESTAMP '2026-03-08 12:00', INTERVAL 20 MINUTE)
             || range(TIMESTAMP '2026-11-01 00:00', TIMESTAMP '2026-11-01 12:00', INTERVAL 20 MINUTE)) AS utc
), numbered AS (SELECT row_number() OVER (ORDER BY utc) AS i, utc FROM moments)
SELECT i AS ride_id,
       CASE WHEN draw(i, 20) = 0 THEN NULL ELSE 1 + draw(i + 500, 30) END::INTEGER AS rider_id,
       timezone('UTC', utc) AS at_berlin, timezone('UTC', utc) AS at_new_york,
       utc AS utc_berlin, utc AS utc_new_york, timezone('Europe/Berlin', timezone('UTC', utc)) AS at_local,
       timezone('UTC', utc) + to_minutes(draw(i + 900, 200)) AS until_berlin
FROM numbered;

CREATE TABLE leg AS
SELECT r.ride_id * 10 + k AS leg_id, CASE WHEN draw(r.ride_id + k, 9) = 0 THEN 77777 ELSE r.ride_id END AS ride_id,
       draw(r.ride_id + 40 * k, 60)::INTEGER AS minutes, draw(r.ride_id + 80 * k, 4096) / 64 AS km
FROM ride AS r, range(3) AS k(k) WHERE draw(r.ride_id * 3 + k, 3) > 0;

CREATE TABLE hours AS SELECT i::INTEGER AS h, i BETWEEN 6 AND 9 AS rush FROM range(24) AS r(i);
CREATE TABLE days AS SELECT d::DATE AS d, dayname(d) AS name FROM range(DATE '2026-03-01', DATE '2026-12-01', INTERVAL 1 DAY) AS r(d);
