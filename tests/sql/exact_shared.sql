# Several readings of the same rows and groups in one question, over the bundled operator at small size: one release has the numbers of all.

# title: a count in both places
SELECT a.place_id, a.n, b.n AS again, b.m FROM (SELECT place_id, COUNT(*) AS n FROM visit GROUP BY 1) a JOIN (SELECT place_id, COUNT(*) AS n, SUM(dwell_min) AS m FROM visit GROUP BY 1) b USING (place_id);

# title: different numbers of a CTE
WITH v AS (SELECT place_id, dwell_min + 1 AS longer FROM visit WHERE dwell_min > 5) SELECT a.place_id, a.n, b.m FROM (SELECT place_id, COUNT(*) AS n FROM v GROUP BY 1) a JOIN (SELECT place_id, AVG(longer) AS m FROM v GROUP BY 1) b USING (place_id);

# title: a value that one of the two has computed
SELECT a.n, b.total FROM (SELECT COUNT(*) AS n FROM visit) a CROSS JOIN (SELECT SUM(longer) AS total FROM (SELECT dwell_min + 1 AS longer FROM visit)) b;

# title: with FILTER and without
SELECT a.n, b.n AS some, c.n AS others FROM (SELECT COUNT(*) AS n FROM visit) a CROSS JOIN (SELECT COUNT(*) FILTER (WHERE dwell_min > 30) AS n FROM visit) b CROSS JOIN (SELECT COUNT(*) FILTER (WHERE dwell_min <= 30) AS n FROM visit) c;

# title: other rows share nothing
SELECT a.n, b.n AS some FROM (SELECT COUNT(*) AS n FROM visit) a CROSS JOIN (SELECT COUNT(*) AS n, SUM(dwell_min) AS m FROM visit WHERE dwell_min > 30) b;

# title: one number each, as values
SELECT (SELECT SUM(dwell_min) FROM visit) / (SELECT COUNT(*) FROM visit) AS mean, (SELECT COUNT(DISTINCT subscriber_id) FROM visit) AS people;

# title: keys in another order
SELECT a.place_id, a.approach_dir, a.n, b.m FROM (SELECT place_id, approach_dir, COUNT(*) AS n FROM visit GROUP BY 1, 2) a JOIN (SELECT approach_dir, place_id, AVG(dwell_min) AS m FROM visit GROUP BY 1, 2) b ON a.place_id = b.place_id AND a.approach_dir = b.approach_dir;

# title: sets of keys that are equal
SELECT place_id, approach_dir, COUNT(*) AS n, SUM(dwell_min) AS m FROM visit GROUP BY GROUPING SETS ((place_id, approach_dir), (approach_dir, place_id), ());

# title: keys that must reach a threshold
SELECT a.tac, a.n, b.cells FROM (SELECT tac, COUNT(*) AS n FROM event GROUP BY 1) a JOIN (SELECT tac, COUNT(DISTINCT cell_id) AS cells FROM event GROUP BY 1) b USING (tac);

# title: means and moments beside counts
SELECT a.n, a.total, b.m, b.v, c.d FROM (SELECT COUNT(*) AS n, SUM(dwell_min) AS total FROM visit) a CROSS JOIN (SELECT AVG(dwell_min) AS m, VAR_POP(dwell_min) AS v FROM visit) b CROSS JOIN (SELECT COUNT(DISTINCT visit_date) AS d FROM visit) c;

# title: groups with no numbers beside groups with some
SELECT k.place_id, b.n FROM (SELECT place_id FROM visit GROUP BY 1) k JOIN (SELECT place_id, COUNT(*) AS n FROM visit GROUP BY 1) b USING (place_id);

# title: numbers of people, of what each of them has
WITH p AS (SELECT subscriber_id, COUNT(*) AS n, SUM(dwell_min) AS total FROM visit GROUP BY 1) SELECT a.people, b.most, b.total FROM (SELECT COUNT(*) AS people FROM p) a CROSS JOIN (SELECT COUNT(*) FILTER (WHERE n > 3) AS most, SUM(LEAST(total, 500)) AS total FROM p) b;

# title: fewer rows share nothing
SELECT a.n, a.m, b.n AS some FROM (SELECT COUNT(*) AS n, SUM(dwell_min) AS m FROM visit) a CROSS JOIN (SELECT COUNT(*) AS n FROM visit WHERE dwell_min > 30) b;
