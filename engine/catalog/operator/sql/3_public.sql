-- The public tables, from the city.

CREATE TEMP MACRO district_name(d) AS
  ['Altstadt','Südstadt','Hafen','Weststadt','Oststadt','Neustadt','Nordstadt','Messe','Süden'][d];

CREATE TEMP MACRO corner(x, y) AS lon_of(x) || ' ' || lat_of(y);
CREATE TEMP MACRO box(west, south, km) AS
  'POLYGON ((' || concat_ws(', ', corner(west, south), corner(west + km, south), corner(west + km, south + km),
                            corner(west, south + km), corner(west, south)) || '))';

INSERT INTO zone
WITH people AS (
  SELECT zone, 620000.0 * count(*) / 65536 AS living
  FROM choice JOIN sector USING (cell) WHERE purpose = 'home' GROUP BY zone),
small AS (
  SELECT g.*, 3 * gx - 16.5 AS x, 3 * gy - 16.5 AS y, coalesce(round(living / 10) * 10, 0)::INT AS population
  FROM grid g LEFT JOIN people USING (zone))
SELECT 'Z' || zone, district_name(district) || ' ' || zone, 3, 'D' || district, 'DE', lon_of(x), lat_of(y), 9.0,
       population, box(x - 1.5, y - 1.5, 3)
FROM small
UNION ALL
SELECT 'D' || district, district_name(district), 2, 'C1', 'DE', lon_of(min(x) + 4.5), lat_of(min(y) + 4.5), 144.0,
       sum(population)::INT, box(min(x) - 1.5, min(y) - 1.5, 12)
FROM small GROUP BY district
UNION ALL
SELECT 'C1', 'Stadt', 1, NULL, 'DE', lon_of(0), lat_of(0), 1296.0, sum(population)::INT, box(-18, -18, 36) FROM small
ORDER BY 3, 1;

INSERT INTO place
SELECT 'P' || place, upper(category[1]) || category[2:] || ' ' || district_name(district) || ' ' || place, category,
       lon_of(x), lat_of(y), radius_m, 'Z' || zone, NULL
FROM spot JOIN grid USING (zone) ORDER BY place;

INSERT INTO cell
SELECT printf('C%04d', cell), printf('S%03d', site), lon_of(x), lat_of(y), azimuth, 65 + draw(a, 0, 1) % 56, range_m,
       technology, DATE '2024-01-01', NULL, 'Z' || zone, NULL
FROM sector ORDER BY cell;

INSERT INTO calendar
SELECT date, dow, dow >= 6, date IN (DATE '2026-10-03', DATE '2026-10-31') FROM day ORDER BY date;

INSERT INTO dim_age VALUES ('18-24'), ('25-34'), ('35-44'), ('45-54'), ('55-64'), ('65+');
INSERT INTO dim_gender VALUES ('f'), ('m');
INSERT INTO dim_hour SELECT h FROM range(24) t(h);
INSERT INTO dim_dir VALUES ('N'), ('NE'), ('E'), ('SE'), ('S'), ('SW'), ('W'), ('NW');
