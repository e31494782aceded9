-- What shapes a day: hours of activity, kinds of places, and who likes which.

-- one row per weekday: per mille of a week's activity by hour, from 1.26 million check-ins in four cities
CREATE TEMP TABLE activity AS SELECT * FROM (VALUES
  (1, [2.49, 1.55, 0.96, 0.55, 0.51, 1.09, 4.53, 6.68, 8.14, 7.25, 5.54, 5.11,
       7.39, 7.74, 7.74, 8.43, 9.18, 10.01, 11.73, 11.34, 9.70, 7.41, 5.37, 3.69]),
  (2, [2.39, 1.49, 0.89, 0.56, 0.48, 1.07, 4.42, 6.42, 7.88, 6.70, 5.12, 4.88,
       7.20, 7.91, 8.10, 8.47, 8.81, 10.25, 12.37, 11.90, 9.83, 7.69, 5.22, 3.95]),
  (3, [2.56, 1.53, 1.04, 0.57, 0.47, 0.97, 4.24, 6.03, 7.29, 6.22, 4.83, 4.82,
       7.08, 8.06, 7.86, 7.75, 8.05, 9.13, 10.38, 10.09, 9.10, 6.94, 5.09, 4.07]),
  (4, [2.75, 1.76, 0.97, 0.62, 0.53, 1.04, 4.11, 6.22, 7.49, 6.47, 4.98, 4.82,
       7.07, 8.13, 7.92, 8.05, 9.06, 10.09, 12.02, 11.53, 9.23, 7.02, 5.26, 3.81]),
  (5, [2.52, 1.56, 1.00, 0.62, 0.54, 0.96, 3.63, 5.42, 6.87, 6.07, 4.59, 4.60,
       7.11, 8.89, 8.24, 8.52, 8.91, 10.56, 12.45, 13.00, 11.89, 9.86, 7.56, 6.19]),
  (6, [4.53, 3.00, 1.94, 1.39, 0.96, 1.00, 1.63, 2.42, 3.45, 4.18, 4.73, 5.51,
       7.41, 8.96, 9.92, 10.06, 10.54, 10.30, 11.05, 11.40, 10.41, 8.15, 5.94, 5.25]),
  (7, [4.08, 2.80, 1.89, 1.37, 1.05, 1.04, 1.64, 2.27, 3.49, 4.19, 5.25, 6.09,
       7.88, 8.98, 10.09, 10.40, 11.16, 11.00, 11.13, 10.53, 9.22, 6.89, 5.02, 3.62])
) t(dow, share);

-- what each profile multiplies an hour by; profiles 0..5 are age third * 2 + (0 woman, 1 man), 6 works at night
CREATE TEMP MACRO night_worker(h) AS CASE WHEN h >= 22 OR h < 6 THEN 6 WHEN h BETWEEN 8 AND 13 THEN 0.3 ELSE 1 END;
CREATE TEMP MACRO by_age(third, h) AS CASE third
  WHEN 0 THEN CASE WHEN h >= 21 OR h < 3 THEN 2.2 WHEN h < 9 THEN 0.5 WHEN h < 17 THEN 0.85 ELSE 1.1 END
  WHEN 1 THEN 1
  ELSE CASE WHEN h >= 20 OR h < 6 THEN 0.5 WHEN h BETWEEN 8 AND 16 THEN 1.5 ELSE 1 END END;
CREATE TEMP MACRO by_gender(man, h) AS CASE man
  WHEN 0 THEN CASE WHEN h BETWEEN 9 AND 15 THEN 1.15 WHEN h >= 21 THEN 0.85 ELSE 1 END
  ELSE CASE WHEN h < 9 THEN 1.2 WHEN h >= 18 THEN 1.15 ELSE 1 END END;

-- one row per (profile, weekday, slot): an hour by one look-up; profile 7 is a machine, awake at all hours
CREATE TEMP TABLE active_hour AS
WITH hours AS (SELECT dow, unnest(share) AS s, unnest(range(24))::INT AS h FROM activity),
weighed AS (
  SELECT p::INT AS profile, dow, h, whole(CASE p WHEN 7 THEN 1 WHEN 6 THEN s * night_worker(h)
           ELSE s * by_age(p // 2, h) * by_gender(p % 2, h) END) AS w
  FROM hours, range(8) ps(p)),
summed AS (
  SELECT *, sum(w) OVER (PARTITION BY profile, dow ORDER BY h)::BIGINT AS upto,
         sum(w) OVER (PARTITION BY profile, dow)::BIGINT AS total
  FROM weighed)
SELECT profile, dow, unnest(slots(w, upto, total, 4096))::INT AS slot, h AS hour FROM summed;

-- one row per day of the data, with the weekday's share of activity (mean 1)
CREATE TEMP TABLE day AS
SELECT n::INT AS day, DATE '2026-10-01' + n::INT AS date, dow, list_sum(share) * 7 / 1000 AS busy
FROM range(32) t(n) JOIN activity ON dow = isodow(DATE '2026-10-01' + n::INT);

-- one row per slot: which of a person's habitual outings, by a Zipf law of exponent 1.1 over 40
CREATE TEMP TABLE habit AS
WITH ranks AS (SELECT r, whole(1 / pow(r, 1.1)) AS w FROM range(1, 41) t(r)),
summed AS (SELECT r, w, sum(w) OVER (ORDER BY r)::BIGINT AS upto, sum(w) OVER ()::BIGINT AS total FROM ranks)
SELECT unnest(slots(w, upto, total, 1024))::INT AS slot, r::INT AS nth FROM summed;

-- one row per kind of place: size, usual stay in minutes, and how much thirds of age, women, men and evenings like it
CREATE TEMP TABLE taste AS SELECT * FROM (VALUES
  (0, 'mall',        400,  34, 1500, 1000,  700, 1350,  750,  900),
  (1, 'station',     350,  11, 1200, 1100,  600, 1000, 1000, 1000),
  (2, 'supermarket', 250,  19,  600, 1100, 1300, 1150,  850,  700),
  (3, 'restaurant',  250,  55, 1100, 1000,  800, 1000, 1000, 2000),
  (4, 'park',        500,  38,  900,  900, 1400, 1050,  950,  800),
  (5, 'gym',         250,  62, 1700, 1000,  300,  850, 1150, 1500),
  (6, 'hospital',    350,  95,  400,  700, 2400, 1050,  950,  500),
  (7, 'cinema',      300, 110, 1900,  800,  500, 1000, 1000, 3000),
  (8, 'hardware',    300,  27,  500, 1200, 1000,  600, 1400,  600),
  (9, 'campus',      500, 150, 3500,  400,  100, 1000, 1000,  300),
  (10, 'museum',     300,  75,  500,  900, 1800, 1200,  800,  300),
  (11, 'stadium',    600, 120, 1300, 1100,  500,  500, 1500, 2500)
) t(kind, category, radius_m, dwell_median, young, middle, old, f, m, late);
