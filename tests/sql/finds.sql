# What the generated searches found, as small as it got: each once raised something else than a refusal, or was answered
# otherwise than it should be. Whatever becomes of them now, nothing is uncaught (tests/dialect/catalog/test_fuzz.py).

# title: a placeholder of the smallest kind
SELECT ? FROM events;

# title: an order of no arguments
SELECT rank(ORDER BY cell_id) FROM events;

# title: a list of nothing in an order
SELECT COUNT(*) FROM (SELECT subscriber_id, LIST(ORDER BY cell_id) AS v FROM events GROUP BY 1);

# title: texts of nothing in an order outside
SELECT group_concat() WITHIN GROUP (ORDER BY cell_id) FROM events;

# title: different texts of nothing
SELECT group_concat(DISTINCT) FROM events;

# title: a quantile of nothing
SELECT quantile_disc() FROM events;

# title: a suggestion that is nearly as long as a refusal may be
SELECT cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender cell_id, gender, COUNT(*) FROM events JOIN subscribers USING (subscriber_id) GROUP BY cell_id;

# title: a key that is rounded to more places than a number has
SELECT round(lon, 2147483647), COUNT(*) FROM events GROUP BY 1;

# title: a key that is rounded to steps larger than a number is
SELECT round(lon, -2147483648), COUNT(*) FROM events GROUP BY 1;

# title: a comma without an argument in front of it
SELECT COUNT(CASE WHEN dwell_s = 86399 THEN timezone(, ts) END) FROM events;

# title: several sketches, one without a level
SELECT cell_id, APPROX_COUNT_DISTINCT(d), APPROX_QUANTILE(e FROM events GROUP BY cell_id;

# title: several sketches, one whose level is forgotten
SELECT APPROX_COUNT_DISTINCT(cell_id), APPROX_QUANTILE(dwell_s) FROM events;
