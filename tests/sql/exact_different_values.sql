# COUNT(DISTINCT x) over people, over the bundled operator at small size and over every stored type.

# title: places that somebody visits
SELECT COUNT(DISTINCT place_id) AS places FROM visit;

# title: days by place, beside other numbers
SELECT place_id, COUNT(DISTINCT visit_date) AS days, COUNT(*) AS n, COUNT(DISTINCT subscriber_id) AS people, AVG(dwell_min) AS m FROM visit GROUP BY place_id;

# title: different doubles, filtered
SELECT approach_dir, COUNT(DISTINCT dwell_min) FILTER (WHERE dwell_min > 5) AS d FROM visit GROUP BY approach_dir;

# title: tuples
SELECT COUNT(DISTINCT (place_id, hour(start_ts))) AS pairs, COUNT(DISTINCT (subscriber_id, visit_date)) AS person_days FROM visit;

# title: a tuple with a NULL in it counts
SELECT COUNT(DISTINCT (approach_dir, CASE WHEN dwell_min > 30 THEN place_id END)) AS n, COUNT(DISTINCT CASE WHEN dwell_min > 30 THEN place_id END) AS m FROM visit;

# title: joined text
SELECT COUNT(DISTINCT place_id || ' ' || approach_dir) AS n FROM visit;

# title: what each person has one of
SELECT age_band, COUNT(DISTINCT home_zone) AS zones, COUNT(DISTINCT gender) AS genders FROM subscriber GROUP BY age_band;

# title: private keys
SELECT tac, COUNT(DISTINCT cell_id) AS cells FROM event GROUP BY tac;

# title: a share of all, and an order
SELECT place_id, COUNT(DISTINCT visit_date) / 7.0 AS share FROM visit GROUP BY place_id HAVING COUNT(DISTINCT visit_date) > 1 ORDER BY share DESC, place_id;

# title: people who went to many places
SELECT COUNT(*) AS n FROM (SELECT subscriber_id, COUNT(DISTINCT (place_id, approach_dir)) AS places FROM visit GROUP BY subscriber_id) WHERE places > 3;

# title: every stored type
# world: types
SELECT COUNT(DISTINCT u) AS u, COUNT(DISTINCT f) AS f, COUNT(DISTINCT dec) AS c, COUNT(DISTINCT ts) AS ts, COUNT(DISTINCT tn) AS tn, COUNT(DISTINCT tt) AS tt, COUNT(DISTINCT l) AS l, COUNT(DISTINCT li) AS li, COUNT(DISTINCT b) AS b, COUNT(DISTINCT dd) AS dd, COUNT(DISTINCT (f, b)) AS p FROM act;

# title: doubles that are no numbers, and two zeros
# world: attack
SELECT COUNT(DISTINCT lon) AS n, COUNT(DISTINCT (lon, cell_id)) AS m FROM events;

# title: of rows that a LEFT JOIN keeps
SELECT p.category, COUNT(DISTINCT v.visit_date) AS days FROM place p LEFT JOIN visit v ON v.place_id = p.place_id GROUP BY p.category;
