# Cells of places, over the bundled operator.

# title: people by geohash of the antenna
SELECT geohash(c.lon, c.lat, 6) AS cell, count(*) AS n, count(DISTINCT e.subscriber_id) AS people FROM event e JOIN cell c USING (cell_id) GROUP BY 1 ORDER BY 1;

# title: a coarse geohash of places
SELECT geohash(p.lon, p.lat, 4) AS cell, avg(v.dwell_min) AS m FROM visit v JOIN place p USING (place_id) GROUP BY 1 ORDER BY 1;

# title: visits in coarser H3 cells
SELECT h3_parent(h3_9, 7) AS cell, count(*) AS n FROM visit GROUP BY 1 ORDER BY 1;

# title: H3 cells that contain each other
SELECT count(*) AS n FROM event e JOIN cell c USING (cell_id) JOIN place p ON h3_parent(c.h3_9, 6) = h3_parent(p.h3_9, 6) WHERE p.place_id = 'P1';

# title: no parent is finer than its child
SELECT h3_parent(h3_9, 10) IS NULL AS coarser, count(*) AS n FROM visit GROUP BY 1;

# title: a public table's own cells
SELECT h3_parent(h3_9, 6) AS cell, geohash(lon, lat, 5) AS hash, count(*) AS n FROM place GROUP BY ALL ORDER BY ALL;
