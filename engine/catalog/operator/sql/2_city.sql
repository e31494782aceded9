-- A fictional city of 36 x 36 km: zones, cells and places, the same at every size. Positions x, y are kilometres from
-- the middle of the map; the middle of the town is the middle of zone 1.

SET VARIABLE lon0 = 9.90;
SET VARIABLE lat0 = 51.50;
CREATE TEMP MACRO lon_of(x) AS round(getvariable('lon0') + (x) / 69.22, 6);
CREATE TEMP MACRO lat_of(y) AS round(getvariable('lat0') + (y) / 111.195, 6);

-- one row per zone of 3 x 3 km; 1 is the middle, higher numbers lie further out
CREATE TEMP TABLE grid AS
SELECT row_number() OVER (ORDER BY (gx - 6) * (gx - 6) + (gy - 6) * (gy - 6), gy, gx)::INT AS zone,
       gx::INT AS gx, gy::INT AS gy, [9, 2, 3, 4, 1, 5, 6, 7, 8][((gy // 4) * 3 + gx // 4)::INT + 1] AS district
FROM range(12) x(gx), range(12) y(gy);

CREATE TEMP MACRO on_grid(km) AS least(11, greatest(0, floor((km + 18) / 3)))::INT;

-- one row per site: 45% around the middle, 40% around six sub-centres, 15% anywhere
CREATE TEMP TABLE site AS
WITH drawn AS (SELECT s::INT AS site, first_draw(s, 1) AS a FROM range(1, 601) t(s)),
placed AS (
  SELECT site, a, (draw(a, 0, 2) % 6)::INT AS centre, unit(draw(a, 0, 1)) AS lot,
         least((exponential(draw(a, 0, 3)) + exponential(draw(a, 0, 11))) / 2, 3.2) AS reach,
         6.283185307179586 * unit(draw(a, 0, 4)) AS turn
  FROM drawn)
SELECT site, a,
       CASE WHEN lot < 0.45 THEN 1.5 + 4.2 * reach * cos(turn)
            WHEN lot < 0.85 THEN 1.5 + 9.5 * cos(centre * 1.047) + 2 * reach * cos(turn)
            ELSE 35 * unit(draw(a, 0, 5)) - 17.5 END AS x,
       CASE WHEN lot < 0.45 THEN 1.5 + 4.2 * reach * sin(turn)
            WHEN lot < 0.85 THEN 1.5 + 9.5 * sin(centre * 1.047) + 2 * reach * sin(turn)
            ELSE 35 * unit(draw(a, 0, 6)) - 17.5 END AS y,
       CASE WHEN lot < 0.85 THEN round(350 + 450 * reach) ELSE 2200 END AS range_m,
       CASE WHEN draw(a, 0, 10) % 100 < 12 THEN '2G' WHEN draw(a, 0, 10) % 100 < 66 THEN '4G' ELSE '5G' END AS technology
FROM placed;

-- one row per cell: three sectors a site, placed at the middle of what each covers
CREATE TEMP TABLE sector AS
WITH turned AS (
  SELECT *, (draw(a, 0, 7) % 120)::INT + s * 120 AS azimuth, s::INT AS s, least(range_m / 4000, 0.24) AS off
  FROM site, range(3) t(s)),
placed AS (SELECT *, x + off * sin(radians(azimuth)) AS cx, y + off * cos(radians(azimuth)) AS cy FROM turned)
SELECT (site - 1) * 3 + s + 1 AS cell, site, s, azimuth, range_m, technology, cx AS x, cy AS y, draw(a, s, 8) AS a, g.zone
FROM placed p JOIN grid g ON g.gx = on_grid(cx) AND g.gy = on_grid(cy);

-- one row per place, in a square kilometre of its own; its number is its rank in popularity, 1 is in the middle of zone 1
CREATE TEMP TABLE spot AS
WITH near AS (SELECT *, kilometres(x, y, 1.5, 1.5) AS far FROM site),
judged AS (
  SELECT *, row_number() OVER (ORDER BY whole(far), site) > 1 AS outside,
         whole(far / 5 - normal(draw(a, 0, 9))) AS demerit
  FROM near),
apart AS (
  SELECT *, row_number() OVER (PARTITION BY floor(x), floor(y) ORDER BY outside, demerit, site) AS nth FROM judged),
ranked AS (SELECT *, row_number() OVER (ORDER BY outside, demerit, site)::INT AS place FROM apart WHERE nth = 1)
SELECT place, site, x, y, g.zone, kind, category, radius_m, dwell_median, 1 / pow(place, 0.75) AS pull
FROM ranked r JOIN taste ON kind = (place - 1) % 12 JOIN grid g ON g.gx = on_grid(x) AND g.gy = on_grid(y)
WHERE place <= 60;

-- one row per cell: a cell serves the nearest place within whose radius its middle lies, or none; a stay in it is counted
-- in the place's zone
CREATE TEMP TABLE served AS
WITH nearest AS (
  SELECT cell, arg_min(place, whole(kilometres(c.x, c.y, p.x, p.y)) * 1000 + place) AS place
  FROM sector c JOIN spot p ON kilometres(c.x, c.y, p.x, p.y) * 1000 <= p.radius_m GROUP BY cell)
SELECT c.cell, c.site, c.x, c.y, c.zone, coalesce(p.zone, c.zone) AS counted_zone, p.place
FROM sector c LEFT JOIN nearest n USING (cell) LEFT JOIN spot p USING (place);

-- one row per square of 750 m: the cell that serves somebody under way there
CREATE TEMP MACRO on_square(km) AS least(47, greatest(0, floor((km + 18) / 0.75)))::INT;
CREATE TEMP TABLE square AS
WITH squares AS (
  SELECT sx::INT AS sx, sy::INT AS sy, -18 + 0.75 * (sx + 0.5) AS x, -18 + 0.75 * (sy + 0.5) AS y
  FROM range(48) a(sx), range(48) b(sy))
SELECT sx, sy, arg_min(cell, whole(kilometres(c.x, c.y, s.x, s.y)) * 10000 + cell) AS under_way
FROM squares s JOIN sector c ON abs(c.x - s.x) < 9 AND abs(c.y - s.y) < 9 GROUP BY sx, sy;

-- one row per (cell, k): itself, its two sisters, and the nearest cell of another site
CREATE TEMP TABLE serving AS
WITH nearest AS (
  SELECT a.cell AS anchor, arg_min(b.cell, whole(kilometres(a.x, a.y, b.x, b.y)) * 10000 + b.cell) AS cell
  FROM sector a JOIN sector b ON a.site <> b.site AND abs(a.x - b.x) < 2 AND abs(a.y - b.y) < 2 GROUP BY a.cell)
SELECT cell AS anchor, 0 AS k, cell FROM sector
UNION ALL SELECT a.cell, (b.s - a.s + 3) % 3, b.cell FROM sector a JOIN sector b ON a.site = b.site AND a.s <> b.s
UNION ALL SELECT c.cell, 3, coalesce(n.cell, c.cell) FROM sector c LEFT JOIN nearest n ON n.anchor = c.cell;

-- one row per (purpose, slot): a cell by one look-up. Nobody lives in the cells of a place, or every evening at home
-- would be a visit; some work there.
CREATE TEMP TABLE choice AS
WITH cells AS (
  SELECT *, kilometres(x, y, 1.5, 1.5) AS far, place IS NULL AS plain FROM sector JOIN served USING (cell, x, y)),
weighed AS (
  SELECT cell, CASE WHEN plain THEN whole(exp(0.75 * normal(draw(a, 0, 6)))) ELSE 0 END AS home,
         whole(exp(normal(draw(a, 0, 7)) - far / 3.5) * CASE WHEN plain THEN 1 ELSE 0.5 END) AS work,
         CASE WHEN plain THEN whole(exp(-far / 3)) ELSE 0 END AS hotel
  FROM cells),
summed AS (
  SELECT purpose, cell, w, sum(w) OVER (PARTITION BY purpose ORDER BY cell)::BIGINT AS upto,
         sum(w) OVER (PARTITION BY purpose)::BIGINT AS total
  FROM (UNPIVOT weighed ON home, work, hotel INTO NAME purpose VALUE w))
SELECT purpose, unnest(slots(w, upto, total, 65536))::INT AS slot, cell FROM summed;

-- one row per (third of age and gender, evening or not, slot): a place by one look-up
CREATE TEMP TABLE outing AS
WITH weighed AS (
  SELECT g::INT AS grp, e::INT AS evening, place,
         whole(pull * [young, middle, old][g // 2 + 1] * [f, m][g % 2 + 1] * [1000, late][e + 1] / 1e9) AS w
  FROM spot JOIN taste USING (kind), range(6) gs(g), range(2) es(e)),
summed AS (
  SELECT *, sum(w) OVER (PARTITION BY grp, evening ORDER BY place)::BIGINT AS upto,
         sum(w) OVER (PARTITION BY grp, evening)::BIGINT AS total
  FROM weighed)
SELECT grp, evening, unnest(slots(w, upto, total, 4096))::INT AS slot, place FROM summed;
