# The SQL that DuckDB is given, reviewed as text. `pytest --update` writes the outcomes anew.

# title: a count of rows
SELECT COUNT(*) AS n FROM events;
# WITH source AS (SELECT "subscriber_id" AS c0 FROM events WHERE "subscriber_id" IS NOT NULL),
# unit_partials AS (SELECT person, least(v0, 2147483647) AS v0 FROM (SELECT c0 AS person, count(*) AS v0 FROM source GROUP BY 1) AS p),
# group_sums AS (SELECT sum(CASE WHEN v0 > 20 THEN 20 WHEN v0 < -20 THEN -20 ELSE v0 END) AS w0 FROM unit_partials)
# SELECT CAST(greatest(-9223372036854775807, least(9223372036854775807, coalesce(w0, 0))) AS BIGINT) AS w0 FROM group_sums

# title: people and rows by a public key
SELECT zone, COUNT(*) AS n, COUNT(DISTINCT subscriber_id) AS people FROM events JOIN cells USING (cell_id) GROUP BY zone;
# WITH source AS (SELECT c0, c7_code0 FROM (SELECT "subscriber_id" AS c0, "cell_id" AS c2 FROM events WHERE "subscriber_id" IS NOT NULL) AS l INNER JOIN (SELECT c6, CASE WHEN c7 IS NOT NULL THEN CAST(dense_rank() OVER (ORDER BY c7) AS INTEGER) END AS c7_code0 FROM (SELECT "cell_id" AS c6, "zone" AS c7 FROM cells) AS r) AS r ON (c2 = c6)),
# dictionary0 AS (SELECT DISTINCT c7 AS text, c7_code0 AS code FROM (SELECT c7, CASE WHEN c7 IS NOT NULL THEN CAST(dense_rank() OVER (ORDER BY c7) AS INTEGER) END AS c7_code0 FROM (SELECT "zone" AS c7 FROM cells) AS r) AS t),
# key_set AS MATERIALIZED (SELECT c12 AS k0, CASE WHEN c12 IS NOT NULL THEN coalesce(dictionary0.code, 0) END AS code0 FROM (SELECT DISTINCT c12 FROM (SELECT c7 AS c12 FROM (SELECT c7 FROM (SELECT 1 AS dummy) AS l CROSS JOIN (SELECT "zone" AS c7 FROM cells) AS r) AS p) AS d) AS k LEFT JOIN dictionary0 ON c12 = dictionary0.text),
# unit_partials AS MATERIALIZED (SELECT person, k0, least(v1, 2147483647) AS v1 FROM (SELECT c0 AS person, c7_code0 AS k0, count(*) AS v1 FROM source GROUP BY 1, 2) AS p),
# clip_factors AS (SELECT person, CASE WHEN sum(v1 * v1) > 400 THEN CAST(20 AS DOUBLE) / sqrt(CAST(sum(v1 * v1) AS DOUBLE)) * (1 - 1 / 281474976710656) ELSE CAST(1 AS DOUBLE) END * 65536 AS f1 FROM unit_partials GROUP BY person),
# group_sums AS (SELECT k0, sum(524288) AS w0, sum(CAST(trunc(v1 * f1) AS BIGINT)) AS w1 FROM unit_partials JOIN clip_factors USING (person) GROUP BY k0)
# SELECT key_set.k0 AS k0, CAST(greatest(-9223372036854775807, least(9223372036854775807, coalesce(w0, 0))) AS BIGINT) AS w0, CAST(greatest(-9223372036854775807, least(9223372036854775807, coalesce(w1, 0))) AS BIGINT) AS w1 FROM key_set LEFT JOIN group_sums ON key_set.code0 IS NOT DISTINCT FROM group_sums.k0 ORDER BY k0 NULLS LAST

# title: a mean with a condition
SELECT hour(ts) AS h, AVG(dwell_s) FILTER (WHERE dwell_s > 60) AS mean FROM events GROUP BY h;
# WITH source AS (SELECT c0, c5, c6, (c5 > 60) AS c8 FROM (SELECT c0, c5, hour(c1) AS c6 FROM (SELECT "subscriber_id" AS c0, TRY_CAST("ts" AS TIMESTAMP) AS c1, CAST("dwell_s" AS DOUBLE) AS c5 FROM events WHERE "subscriber_id" IS NOT NULL) AS p) AS p),
# norm_tests AS MATERIALIZED (SELECT * FROM (SELECT c0 AS person, CASE WHEN NOT (coalesce(sum(abs(CASE WHEN c5 BETWEEN CAST('60.00000000000001' AS DOUBLE) AND CAST('7200.0' AS DOUBLE) THEN CAST((c5 - CAST('600.0' AS DOUBLE)) * CAST('8192.0' AS DOUBLE) AS BIGINT) WHEN c5 BETWEEN CAST('7200.0' AS DOUBLE) AND CAST('1.7976931348623157e+308' AS DOUBLE) THEN 54067200 WHEN c5 BETWEEN -CAST('1.7976931348623157e+308' AS DOUBLE) AND CAST('60.00000000000001' AS DOUBLE) THEN -4423680 END)) FILTER (WHERE c8), 0) <= 81920000 AND count(CASE WHEN isfinite(c5) THEN 1 END) FILTER (WHERE c8) <= 20) THEN c0 END AS clipped_person FROM (SELECT c0, c5, (c5 > 60) AS c8 FROM (SELECT c0, c5 FROM (SELECT "subscriber_id" AS c0, CAST("dwell_s" AS DOUBLE) AS c5 FROM events WHERE "subscriber_id" IS NOT NULL) AS p) AS p) AS r GROUP BY 1) AS m),
# key_set AS MATERIALIZED (SELECT c10 AS k0 FROM (SELECT DISTINCT c10 FROM (SELECT c9 AS c10 FROM (SELECT c9 FROM (SELECT 1 AS dummy) AS l CROSS JOIN (SELECT c9 FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15), (16), (17), (18), (19), (20), (21), (22), (23), (CAST(NULL AS BIGINT))) AS v(c9)) AS r) AS p) AS d) AS k),
# merged_partials AS MATERIALIZED (SELECT clipped_person AS person, c6 AS k0, sum(CASE WHEN c5 BETWEEN CAST('60.00000000000001' AS DOUBLE) AND CAST('7200.0' AS DOUBLE) THEN CAST((c5 - CAST('600.0' AS DOUBLE)) * CAST('8192.0' AS DOUBLE) AS BIGINT) WHEN c5 BETWEEN CAST('7200.0' AS DOUBLE) AND CAST('1.7976931348623157e+308' AS DOUBLE) THEN 54067200 WHEN c5 BETWEEN -CAST('1.7976931348623157e+308' AS DOUBLE) AND CAST('60.00000000000001' AS DOUBLE) THEN -4423680 END) FILTER (WHERE c8) AS v0, count(CASE WHEN isfinite(c5) THEN 1 END) FILTER (WHERE c8) AS v1 FROM source JOIN norm_tests ON c0 = norm_tests.person GROUP BY 1, 2),
# unit_partials AS (SELECT person, k0, CAST(CASE WHEN v0 > 2147483647 THEN 2147483647 WHEN v0 < -2147483647 THEN -2147483647 ELSE v0 END AS BIGINT) AS v0, least(v1, 2147483647) AS v1 FROM (SELECT * FROM merged_partials WHERE person IS NOT NULL) AS p),
# clip_factors AS (SELECT *, ratio0 * 1 AS f0, ratio0 * 65536 AS f1 FROM (SELECT person, least(CASE WHEN sum(v0 * v0) > 6710886400000000 THEN CAST(81920000 AS DOUBLE) / sqrt(CAST(sum(v0 * v0) AS DOUBLE)) * (1 - 1 / 281474976710656) ELSE CAST(1 AS DOUBLE) END, CASE WHEN sum(v1 * v1) > 400 THEN CAST(20 AS DOUBLE) / sqrt(CAST(sum(v1 * v1) AS DOUBLE)) * (1 - 1 / 281474976710656) ELSE CAST(1 AS DOUBLE) END) AS ratio0 FROM unit_partials GROUP BY person) AS ratios),
# clipped_sums AS (SELECT k0, sum(CAST(trunc(v0 * f0) AS BIGINT)) AS w0, sum(CAST(trunc(v1 * f1) AS BIGINT)) AS w1 FROM unit_partials JOIN clip_factors USING (person) GROUP BY k0),
# unclipped_sums AS (SELECT k0, CAST(v0 AS HUGEINT) * 1 AS w0, CAST(v1 AS HUGEINT) * 65536 AS w1 FROM merged_partials WHERE person IS NULL),
# group_sums AS (SELECT k0, sum(w0) AS w0, sum(w1) AS w1 FROM (SELECT * FROM unclipped_sums UNION ALL SELECT * FROM clipped_sums) AS b GROUP BY k0)
# SELECT key_set.k0 AS k0, CAST(greatest(-9223372036854775807, least(9223372036854775807, coalesce(w0, 0))) AS BIGINT) AS w0, CAST(greatest(-9223372036854775807, least(9223372036854775807, coalesce(w1, 0))) AS BIGINT) AS w1 FROM key_set LEFT JOIN group_sums ON key_set.k0 IS NOT DISTINCT FROM group_sums.k0 ORDER BY k0 NULLS LAST

# title: keys that are the person's own
SELECT gender, COUNT(*) AS n, SUM(age) AS years FROM subscribers GROUP BY gender;
# WITH source AS (SELECT "subscriber_id" AS c0, "age" AS c1, "gender" AS c2 FROM subscribers WHERE "subscriber_id" IS NOT NULL),
# key_set AS MATERIALIZED (SELECT c7 AS k0 FROM (SELECT DISTINCT c7 FROM (SELECT c6 AS c7 FROM (SELECT c6 FROM (SELECT 1 AS dummy) AS l CROSS JOIN (SELECT c6 FROM (VALUES ('f'), ('m'), ('x'), (CAST(NULL AS VARCHAR))) AS v(c6)) AS r) AS p) AS d) AS k),
# unit_partials AS (SELECT person, k0, least(v0, 9223372036854775807) AS v0, CAST(CASE WHEN v1 > 9223372036854775807 THEN 9223372036854775807 WHEN v1 < -9223372036854775807 THEN -9223372036854775807 ELSE v1 END AS BIGINT) AS v1 FROM (SELECT c0 AS person, c2 AS k0, CAST(1 AS BIGINT) AS v0, CASE WHEN c1 BETWEEN 0 AND 100 THEN CAST(c1 AS BIGINT) WHEN c1 > 100 THEN 100 WHEN c1 < 0 THEN 0 END AS v1 FROM source) AS p SEMI JOIN key_set ON key_set.k0 IS NOT DISTINCT FROM p.k0),
# group_sums AS (SELECT k0, sum(v0) AS w0, sum(v1) AS w1 FROM unit_partials GROUP BY k0)
# SELECT key_set.k0 AS k0, CAST(greatest(-9223372036854775807, least(9223372036854775807, coalesce(w0, 0))) AS BIGINT) AS w0, CAST(greatest(-9223372036854775807, least(9223372036854775807, coalesce(w1, 0))) AS BIGINT) AS w1 FROM key_set LEFT JOIN group_sums ON key_set.k0 IS NOT DISTINCT FROM group_sums.k0 ORDER BY k0 NULLS LAST

# title: private keys
SELECT home_zone, COUNT(*) AS n FROM subscribers GROUP BY home_zone;
# WITH source AS (SELECT "subscriber_id" AS c0, "home_zone" AS c3 FROM subscribers WHERE "subscriber_id" IS NOT NULL),
# unit_partials AS MATERIALIZED (SELECT person, k0, least(v1, 9223372036854775807) AS v1 FROM (SELECT c0 AS person, c3 AS k0, CAST(1 AS BIGINT) AS v1 FROM source) AS p),
# units_over_limit AS MATERIALIZED (SELECT person AS u0 FROM unit_partials GROUP BY person HAVING count(*) > 1),
# truncated_partials AS MATERIALIZED (SELECT * FROM unit_partials ANTI JOIN units_over_limit ON person IS NOT DISTINCT FROM u0 UNION ALL SELECT * EXCLUDE (row_rank) FROM (SELECT *, row_number() OVER (PARTITION BY person ORDER BY hash(xor(hash(person, k0), CAST(7046029254386353131 AS UBIGINT))), person, k0) AS row_rank FROM (SELECT * FROM unit_partials SEMI JOIN units_over_limit ON person IS NOT DISTINCT FROM u0) AS b) AS c WHERE row_rank BETWEEN 1 AND 1),
# group_sums AS (SELECT k0, sum(1) AS w0, sum(v1) AS w1 FROM truncated_partials GROUP BY k0)
# SELECT group_sums.k0 AS k0, CAST(greatest(-9223372036854775807, least(9223372036854775807, coalesce(w0, 0))) AS BIGINT) AS w0, CAST(greatest(-9223372036854775807, least(9223372036854775807, coalesce(w1, 0))) AS BIGINT) AS w1 FROM group_sums ORDER BY k0 NULLS LAST

# title: events of a person, then people
SELECT CASE WHEN n > 9 THEN 'many' ELSE 'few' END AS how, COUNT(*) AS people FROM (SELECT subscriber_id, COUNT(*) AS n FROM events GROUP BY 1) GROUP BY 1;
# WITH source AS (SELECT c0, CASE WHEN (c6 > 9) THEN 'many' ELSE 'few' END AS c8 FROM (SELECT c0, count(*) AS c6 FROM (SELECT "subscriber_id" AS c0 FROM events WHERE "subscriber_id" IS NOT NULL) AS g GROUP BY c0) AS p),
# key_set AS MATERIALIZED (SELECT c11 AS k0 FROM (SELECT DISTINCT c11 FROM (SELECT c10 AS c11 FROM (SELECT c10 FROM (SELECT 1 AS dummy) AS l CROSS JOIN (SELECT c10 FROM (VALUES ('many'), ('few')) AS v(c10)) AS r) AS p) AS d) AS k),
# unit_partials AS (SELECT person, k0, least(v0, 9223372036854775807) AS v0 FROM (SELECT c0 AS person, c8 AS k0, CAST(1 AS BIGINT) AS v0 FROM source) AS p),
# group_sums AS (SELECT k0, sum(v0) AS w0 FROM unit_partials GROUP BY k0)
# SELECT key_set.k0 AS k0, CAST(greatest(-9223372036854775807, least(9223372036854775807, coalesce(w0, 0))) AS BIGINT) AS w0 FROM key_set LEFT JOIN group_sums ON key_set.k0 = group_sums.k0 ORDER BY k0 NULLS LAST

# title: two private tables on the person
SELECT s.gender, AVG(e.dwell_s) AS mean FROM events e JOIN subscribers s USING (subscriber_id) GROUP BY 1;
# WITH source AS (SELECT "subscriber_id" AS c0, CAST("dwell_s" AS DOUBLE) AS c5 FROM events WHERE "subscriber_id" IS NOT NULL),
# key_set AS MATERIALIZED (SELECT c12 AS k0 FROM (SELECT DISTINCT c12 FROM (SELECT c11 AS c12 FROM (SELECT c11 FROM (SELECT 1 AS dummy) AS l CROSS JOIN (SELECT c11 FROM (VALUES ('f'), ('m'), ('x'), (CAST(NULL AS VARCHAR))) AS v(c11)) AS r) AS p) AS d) AS k),
# unit_partials AS MATERIALIZED (SELECT person, k0, CAST(CASE WHEN v0 > 2147483647 THEN 2147483647 WHEN v0 < -2147483647 THEN -2147483647 ELSE v0 END AS BIGINT) AS v0, least(v1, 2147483647) AS v1 FROM (SELECT l.*, r.c8 AS k0 FROM (SELECT c0 AS person, sum(CASE WHEN c5 BETWEEN CAST('0.0' AS DOUBLE) AND CAST('7200.0' AS DOUBLE) THEN CAST((c5 - CAST('600.0' AS DOUBLE)) * CAST('8192.0' AS DOUBLE) AS BIGINT) WHEN c5 BETWEEN CAST('7200.0' AS DOUBLE) AND CAST('1.7976931348623157e+308' AS DOUBLE) THEN 54067200 WHEN c5 BETWEEN -CAST('1.7976931348623157e+308' AS DOUBLE) AND CAST('0.0' AS DOUBLE) THEN -4915200 END) AS v0, count(CASE WHEN isfinite(c5) THEN 1 END) AS v1 FROM source GROUP BY 1) AS l JOIN (SELECT "subscriber_id" AS c6, "gender" AS c8 FROM subscribers WHERE "subscriber_id" IS NOT NULL) AS r ON l.person = r.c6) AS p SEMI JOIN key_set ON key_set.k0 IS NOT DISTINCT FROM p.k0),
# clip_factors AS (SELECT *, ratio0 * 1 AS f0, ratio0 * 65536 AS f1 FROM (SELECT *, least(CASE WHEN v0 * v0 > 6710886400000000 THEN CAST(81920000 AS DOUBLE) / sqrt(CAST(v0 * v0 AS DOUBLE)) * (1 - 1 / 281474976710656) ELSE CAST(1 AS DOUBLE) END, CASE WHEN v1 * v1 > 400 THEN CAST(20 AS DOUBLE) / sqrt(CAST(v1 * v1 AS DOUBLE)) * (1 - 1 / 281474976710656) ELSE CAST(1 AS DOUBLE) END) AS ratio0 FROM unit_partials) AS ratios),
# group_sums AS (SELECT k0, sum(CAST(trunc(v0 * f0) AS BIGINT)) AS w0, sum(CAST(trunc(v1 * f1) AS BIGINT)) AS w1 FROM clip_factors GROUP BY k0)
# SELECT key_set.k0 AS k0, CAST(greatest(-9223372036854775807, least(9223372036854775807, coalesce(w0, 0))) AS BIGINT) AS w0, CAST(greatest(-9223372036854775807, least(9223372036854775807, coalesce(w1, 0))) AS BIGINT) AS w1 FROM key_set LEFT JOIN group_sums ON key_set.k0 IS NOT DISTINCT FROM group_sums.k0 ORDER BY k0 NULLS LAST

# title: a range of time
SELECT date_trunc('day', ts) AS d, COUNT(*) AS n FROM events WHERE ts >= TIMESTAMP '2026-10-02' AND ts < TIMESTAMP '2026-10-05' GROUP BY d;
# WITH source AS (SELECT c0, CASE WHEN c1 >= TIMESTAMP '280000-01-01 (BC) 00:00:00' THEN date_trunc('day', c1) END AS c6 FROM (SELECT c0, c1 FROM (SELECT "subscriber_id" AS c0, TRY_CAST("ts" AS TIMESTAMP) AS c1 FROM events WHERE "subscriber_id" IS NOT NULL) AS f WHERE ((c1 >= CAST('2026-10-02 00:00:00' AS TIMESTAMP)) AND (c1 < CAST('2026-10-05 00:00:00' AS TIMESTAMP)))) AS p),
# norm_tests AS MATERIALIZED (SELECT * FROM (SELECT c0 AS person, CASE WHEN NOT (count(*) <= 20) THEN c0 END AS clipped_person FROM (SELECT c0 FROM (SELECT c0 FROM (SELECT "subscriber_id" AS c0, TRY_CAST("ts" AS TIMESTAMP) AS c1 FROM events WHERE "subscriber_id" IS NOT NULL) AS f WHERE ((c1 >= CAST('2026-10-02 00:00:00' AS TIMESTAMP)) AND (c1 < CAST('2026-10-05 00:00:00' AS TIMESTAMP)))) AS p) AS r GROUP BY 1) AS m),
# key_set AS MATERIALIZED (SELECT c9 AS k0 FROM (SELECT DISTINCT c9 FROM (SELECT c8 AS c9 FROM (SELECT c8 FROM (SELECT c8 FROM (SELECT 1 AS dummy) AS l CROSS JOIN (SELECT CAST(x AS TIMESTAMP) AS c8 FROM generate_series(CAST('2026-10-02 00:00:00' AS TIMESTAMP), CAST('2026-10-04 00:00:00' AS TIMESTAMP), INTERVAL '1 day') AS s(x)) AS r) AS f WHERE ((c8 >= CAST('2026-10-02 00:00:00' AS TIMESTAMP)) AND (c8 < CAST('2026-10-05 00:00:00' AS TIMESTAMP)))) AS p) AS d) AS k),
# merged_partials AS MATERIALIZED (SELECT clipped_person AS person, c6 AS k0, count(*) AS v0 FROM source JOIN norm_tests ON c0 = norm_tests.person GROUP BY 1, 2),
# unit_partials AS (SELECT person, k0, least(v0, 2147483647) AS v0 FROM (SELECT * FROM merged_partials WHERE person IS NOT NULL) AS p),
# clip_factors AS (SELECT person, CASE WHEN sum(v0 * v0) > 400 THEN CAST(20 AS DOUBLE) / sqrt(CAST(sum(v0 * v0) AS DOUBLE)) * (1 - 1 / 281474976710656) ELSE CAST(1 AS DOUBLE) END * 65536 AS f0 FROM unit_partials GROUP BY person),
# clipped_sums AS (SELECT k0, sum(CAST(trunc(v0 * f0) AS BIGINT)) AS w0 FROM unit_partials JOIN clip_factors USING (person) GROUP BY k0),
# unclipped_sums AS (SELECT k0, CAST(v0 AS HUGEINT) * 65536 AS w0 FROM merged_partials WHERE person IS NULL),
# group_sums AS (SELECT k0, sum(w0) AS w0 FROM (SELECT * FROM unclipped_sums UNION ALL SELECT * FROM clipped_sums) AS b GROUP BY k0)
# SELECT key_set.k0 AS k0, CAST(greatest(-9223372036854775807, least(9223372036854775807, coalesce(w0, 0))) AS BIGINT) AS w0 FROM key_set LEFT JOIN group_sums ON key_set.k0 = group_sums.k0 ORDER BY k0 NULLS LAST

# title: the different values of a private column
SELECT DISTINCT home_zone FROM subscribers;
# WITH source AS (SELECT "subscriber_id" AS c0, "home_zone" AS c3 FROM subscribers WHERE "subscriber_id" IS NOT NULL),
# unit_partials AS MATERIALIZED (SELECT person, k0 FROM (SELECT c0 AS person, c3 AS k0 FROM source) AS p),
# units_over_limit AS MATERIALIZED (SELECT person AS u0 FROM unit_partials GROUP BY person HAVING count(*) > 1),
# truncated_partials AS MATERIALIZED (SELECT * FROM unit_partials ANTI JOIN units_over_limit ON person IS NOT DISTINCT FROM u0 UNION ALL SELECT * EXCLUDE (row_rank) FROM (SELECT *, row_number() OVER (PARTITION BY person ORDER BY hash(xor(hash(person, k0), CAST(7046029254386353131 AS UBIGINT))), person, k0) AS row_rank FROM (SELECT * FROM unit_partials SEMI JOIN units_over_limit ON person IS NOT DISTINCT FROM u0) AS b) AS c WHERE row_rank BETWEEN 1 AND 1),
# group_sums AS (SELECT k0, sum(1) AS w0 FROM truncated_partials GROUP BY k0)
# SELECT group_sums.k0 AS k0, CAST(greatest(-9223372036854775807, least(9223372036854775807, coalesce(w0, 0))) AS BIGINT) AS w0 FROM group_sums ORDER BY k0 NULLS LAST

# title: groups by the number of their key
SELECT s.gender, e.cell_id, COUNT(*) AS n FROM events e JOIN subscribers s USING (subscriber_id) GROUP BY 1, 2;
# WITH source AS (SELECT c0, c2, c8 FROM (SELECT "subscriber_id" AS c0, "cell_id" AS c2 FROM events WHERE "subscriber_id" IS NOT NULL) AS l INNER JOIN (SELECT "subscriber_id" AS c6, "gender" AS c8 FROM subscribers WHERE "subscriber_id" IS NOT NULL) AS r ON (c0 = c6)),
# norm_tests AS MATERIALIZED (SELECT * FROM (SELECT c0 AS person, CASE WHEN NOT (count(*) <= 20) THEN c0 END AS clipped_person FROM (SELECT c0 FROM (SELECT "subscriber_id" AS c0 FROM events WHERE "subscriber_id" IS NOT NULL) AS l INNER JOIN (SELECT "subscriber_id" AS c6 FROM subscribers WHERE "subscriber_id" IS NOT NULL) AS r ON (c0 = c6)) AS r GROUP BY 1) AS m),
# key_set AS MATERIALIZED (SELECT c13 AS k0, c14 AS k1, CAST(row_number() OVER () AS INTEGER) AS key_code FROM (SELECT DISTINCT c13, c14 FROM (SELECT c11 AS c13, c12 AS c14 FROM (SELECT c11, c12 FROM (SELECT c11 FROM (SELECT 1 AS dummy) AS l CROSS JOIN (SELECT c11 FROM (SELECT DISTINCT c11 FROM (SELECT "cell_id" AS c11 FROM cells) AS d) AS n UNION ALL SELECT CAST(NULL AS BIGINT)) AS r) AS l CROSS JOIN (SELECT c12 FROM (VALUES ('f'), ('m'), ('x'), (CAST(NULL AS VARCHAR))) AS v(c12)) AS r) AS p) AS d) AS k),
# merged_partials AS MATERIALIZED (SELECT clipped_person AS person, key_code AS k0, count(*) AS v0 FROM (SELECT *, c2 AS k0, c8 AS k1 FROM source) AS r JOIN key_set ON key_set.k0 IS NOT DISTINCT FROM r.k0 AND key_set.k1 IS NOT DISTINCT FROM r.k1 JOIN norm_tests ON c0 = norm_tests.person GROUP BY 1, 2),
# unit_partials AS (SELECT person, k0, least(v0, 2147483647) AS v0 FROM (SELECT * FROM merged_partials WHERE person IS NOT NULL) AS p),
# clip_factors AS (SELECT person, CASE WHEN sum(v0 * v0) > 400 THEN CAST(20 AS DOUBLE) / sqrt(CAST(sum(v0 * v0) AS DOUBLE)) * (1 - 1 / 281474976710656) ELSE CAST(1 AS DOUBLE) END * 65536 AS f0 FROM unit_partials GROUP BY person),
# clipped_sums AS (SELECT k0, sum(CAST(trunc(v0 * f0) AS BIGINT)) AS w0 FROM unit_partials JOIN clip_factors USING (person) GROUP BY k0),
# unclipped_sums AS (SELECT k0, CAST(v0 AS HUGEINT) * 65536 AS w0 FROM merged_partials WHERE person IS NULL),
# group_sums AS (SELECT k0, sum(w0) AS w0 FROM (SELECT * FROM unclipped_sums UNION ALL SELECT * FROM clipped_sums) AS b GROUP BY k0)
# SELECT key_set.k0 AS k0, key_set.k1 AS k1, CAST(greatest(-9223372036854775807, least(9223372036854775807, coalesce(w0, 0))) AS BIGINT) AS w0 FROM key_set LEFT JOIN group_sums ON key_set.key_code = group_sums.k0 ORDER BY k0 NULLS LAST, k1 NULLS LAST
