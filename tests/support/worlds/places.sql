-- Sightings with coordinates of their own, masts, and areas: a square with a hole, two halves of a square, two islands,
-- one that is empty and one that nobody drew. Some places are none: NULL, NaN, infinite, beyond the poles.
CREATE TABLE sight AS
SELECT 1 + (i * i) % 37 AS person, i % 5 AS kind,
       CASE i % 41 WHEN 7 THEN NULL WHEN 11 THEN 'nan'::DOUBLE WHEN 13 THEN 'inf'::DOUBLE WHEN 17 THEN 181.5
                   ELSE 9 + (i * 7919 % 1000) / 250.0 END AS lon,
       CASE i % 43 WHEN 5 THEN NULL WHEN 19 THEN -90.25 WHEN 23 THEN '-inf'::DOUBLE
                   ELSE 50 + (i * 104729 % 1000) / 250.0 END AS lat,
       DATE '2026-10-01' + (i % 9)::INT AS day
FROM range(900) t(i);

CREATE TABLE mast AS
SELECT i::SMALLINT AS mast, 9 + (i * 37 % 100) / 25.0 AS lon, 50 + (i * 53 % 100) / 25.0 AS lat FROM range(40) t(i);

CREATE TABLE area AS
SELECT * FROM (VALUES
  ('ring', 2, 'POLYGON ((9 50, 12 50, 12 53, 9 53, 9 50), (10 51, 11 51, 11 52, 10 52, 10 51))'),
  ('lower', 3, 'POLYGON ((9 50, 13 50, 13 54, 9 50))'),
  ('upper', 3, 'POLYGON ((9 50, 13 54, 9 54, 9 50))'),
  ('islands', 2, 'MULTIPOLYGON (((12 50, 12.5 50.25, 12 50.5, 12 50)), ((9.5 53, 10 53, 10 54, 9.5 53)))'),
  ('nowhere', 1, 'POLYGON EMPTY'),
  ('unknown', 1, NULL)) AS t(area, level, shape);
