# Cells and polygons, over a world of places; the H3 cell of coordinates is said to plain DuckDB by its column.

# title: people in areas
SELECT a.area, COUNT(*) AS n, COUNT(DISTINCT s.person) AS people FROM sight s JOIN area a ON within_polygon(s.lon, s.lat, a.shape) GROUP BY a.area;

# title: the point first, and the polygon from a subquery
SELECT a.area, COUNT(*) AS n FROM sight s JOIN (SELECT area, shape FROM area WHERE level > 1) a ON ST_Within(ST_Point(s.lon, s.lat), a.shape) GROUP BY 1;

# title: the polygon first, in WHERE
SELECT day, COUNT(*) AS n FROM sight s, area a WHERE ST_Contains(a.shape, ST_Point(s.lon, s.lat)) AND a.area = 'ring' GROUP BY day;

# title: areas with nobody in them
SELECT a.area, COUNT(s.person) AS n FROM area a LEFT JOIN sight s ON within_polygon(s.lon, s.lat, a.shape) GROUP BY a.area;

# title: rows in no area
SELECT a.area IS NULL AS outside, COUNT(*) AS n FROM sight s LEFT JOIN area a ON within_polygon(s.lon, s.lat, a.shape) AND a.level = 3 GROUP BY 1;

# title: inside, outside or unknown
SELECT within_polygon(s.lon, s.lat, a.shape) AS inside, COUNT(*) AS n FROM sight s CROSS JOIN area a GROUP BY 1;

# title: per person, how many areas
SELECT areas, COUNT(*) AS people FROM (SELECT person, COUNT(DISTINCT a.area) AS areas FROM sight s JOIN area a ON within_polygon(s.lon, s.lat, a.shape) GROUP BY person) t WHERE areas BETWEEN 0 AND 6 GROUP BY areas;

# title: people who were in one area and in another
SELECT COUNT(DISTINCT person) AS people FROM sight s JOIN area a ON within_polygon(s.lon, s.lat, a.shape) WHERE a.area = 'lower' AND person IN (SELECT person FROM sight t JOIN area b ON within_polygon(t.lon, t.lat, b.shape) WHERE b.area = 'islands');

# title: masts in areas, which are nobody's
SELECT a.area, COUNT(*) AS masts FROM mast m JOIN area a ON within_polygon(m.lon, m.lat, a.shape) GROUP BY 1;

# title: keys that only polygons bring together
SELECT m.mast, a.area, COUNT(s.person) AS n FROM mast m JOIN area a ON within_polygon(m.lon, m.lat, a.shape) LEFT JOIN sight s ON within_m(s.lon, s.lat, m.lon, m.lat, 30000) GROUP BY m.mast, a.area;

# title: cells of people's coordinates near masts
# instead: SELECT m.mast, COUNT(*) AS n FROM sight s JOIN mast m ON s.h3_5 = h3_parent(m.h3_7, 5) GROUP BY 1
SELECT m.mast, COUNT(*) AS n FROM sight s JOIN mast m ON h3_cell(s.lon, s.lat, 5) = h3_cell(m.lon, m.lat, 5) GROUP BY 1;

# title: cells of masts
# instead: SELECT h3_parent(h3_7, 4) AS cell, COUNT(*) AS n FROM mast GROUP BY 1
SELECT h3_cell(lon, lat, 4) AS cell, COUNT(*) AS n FROM mast GROUP BY 1;

# title: sightings without a cell
# instead: SELECT h3_8 IS NULL AS none, COUNT(*) AS n FROM sight GROUP BY 1
SELECT h3_cell(lon, lat, 8) IS NULL AS none, COUNT(*) AS n FROM sight GROUP BY 1;

# title: text and integer cells have the same parents
SELECT COUNT(*) FILTER (h3_parent(h3_5, 3) IS NULL) AS none, COUNT(h3_parent(h3_5, 3)) AS cells FROM sight;

# title: geohashes of people's own coordinates
SELECT geohash(lon, lat, 12) = geohash(lon, lat, 11) AS same, COUNT(*) AS n FROM sight GROUP BY 1;
