# Where an answer differs from plain DuckDB on purpose, and what plain DuckDB has to be asked to say the same.
# The world is that of the adversarial cases, if no other is named.

# title: values outside a declared domain are dropped
# instead: SELECT cell_id, COUNT(*) AS n FROM events WHERE cell_id IN (SELECT cell_id FROM cells) OR cell_id IS NULL GROUP BY cell_id
# because: a key that the catalog does not name would be an extra row that shows whose value it is (DESIGN 3.3)
SELECT cell_id, COUNT(*) AS n FROM events GROUP BY cell_id;

# title: values outside a declared domain count where they are no key
# instead: SELECT COUNT(*) AS n, COUNT(*) FILTER (WHERE cell_id = 9999) AS m FROM events
# because: only a key needs its domain
SELECT COUNT(*) AS n, COUNT(*) FILTER (WHERE cell_id = 9999) AS m FROM events;

# title: a count of a double leaves out what is not finite
# instead: SELECT COUNT(CASE WHEN isfinite(lat) THEN lat END) AS n FROM events
# because: NaN and infinities count as NULL in all aggregates of people (DESIGN 4)
SELECT COUNT(lat) AS n FROM events;

# title: a sum and a mean leave out what is not finite
# instead: SELECT SUM(lat) AS s, AVG(lat) AS a FROM events WHERE isfinite(lat)
# because: plain DuckDB gives NaN, which one person could make of anybody's sum
SELECT SUM(lat) AS s, AVG(lat) AS a FROM events;

# title: a person's sum and mean leave out what is not finite
# instead: SELECT AVG(LEAST(GREATEST(s, -1000), 1000)) AS s, AVG(LEAST(GREATEST(a, -90), 90)) AS a FROM (SELECT subscriber_id, SUM(lat) FILTER (WHERE isfinite(lat)) AS s, AVG(lat) FILTER (WHERE isfinite(lat)) AS a FROM events GROUP BY 1)
# because: it is the same sum, counted in the same integers
SELECT AVG(LEAST(GREATEST(s, -1000), 1000)) AS s, AVG(LEAST(GREATEST(a, -90), 90)) AS a FROM (SELECT subscriber_id, SUM(lat) AS s, AVG(lat) AS a FROM events GROUP BY 1);

# title: integer division by zero is null
# instead: SELECT SUM(1000 // nullif(age - 34, 0)) AS s, COUNT(age % nullif(age - 34, 0)) AS n FROM subscribers
# because: no stored value may raise (DESIGN 3.2)
SELECT SUM(1000 // (age - 34)) AS s, COUNT(age % (age - 34)) AS n FROM subscribers;

# title: what has no root is null
# instead: SELECT SUM(CASE WHEN age >= 60 THEN sqrt(age - 60) END) AS b FROM subscribers
# because: NaN counts as NULL
SELECT SUM(sqrt(age - 60)) AS b FROM subscribers;

# title: an integer too large for 64 bits is null
# instead: SELECT COUNT(TRY_CAST(age::HUGEINT * 1000000000000000000 AS BIGINT)) AS n FROM subscribers
# because: plain DuckDB raises
SELECT COUNT(age * 1000000000000000000) AS n FROM subscribers;

# title: a double too large for an integer is null
# instead: SELECT COUNT(TRY_CAST(lon AS BIGINT)) AS n FROM events
# because: plain DuckDB raises, with the value in its text
SELECT COUNT(CAST(lon AS BIGINT)) AS n FROM events;

# title: inf and nan written by hand are null
# instead: SELECT COUNT(*) AS n FROM subscribers WHERE age < NULL
# because: non-finite numbers count as NULL
SELECT COUNT(*) AS n FROM subscribers WHERE age < CAST('inf' AS DOUBLE);

# title: a time that starts in words
# instead: SELECT COUNT(*) AS n FROM events WHERE CAST(ts AS DATE) = CAST('2026-10-02' AS DATE)
# because: text beside a time is read once, when the question is
SELECT COUNT(*) AS n FROM events WHERE CAST(ts AS DATE) = '2026-10-02';

# title: COUNT_IF of nothing is 0
# instead: SELECT COUNT(*) FILTER (WHERE age > 20) AS n FROM subscribers WHERE age < 0
# because: a count is a number; DuckDB's is NULL, as it is a sum
SELECT COUNT_IF(age > 20) AS n FROM subscribers WHERE age < 0;

# title: a person's sum too large for 64 bits is null
# world: types
# instead: SELECT COUNT(*) AS n FROM (SELECT pid, TRY_CAST(SUM(u) AS BIGINT) AS s FROM act GROUP BY pid) WHERE s > 0
# because: integers are of 64 bits, and what does not fit is NULL
SELECT COUNT(*) AS n FROM (SELECT pid, SUM(u) AS s FROM act GROUP BY pid) WHERE s > 0;

# title: single floats are read as doubles
# world: types
# instead: SELECT COUNT(*) FILTER (WHERE f::DOUBLE = 0.1) AS n, SUM(f::DOUBLE * 3) AS s FROM act WHERE f < 1
# because: sums and comparisons have one arithmetic, whatever is stored
SELECT COUNT(*) FILTER (WHERE f = 0.1) AS n, SUM(f * 3) AS s FROM act WHERE f < 1;

# title: decimals are read as doubles
# world: types
# instead: SELECT COUNT(*) AS n FROM act WHERE dec::DOUBLE * 2 = 2.469
# because: plain DuckDB raises where a product has more digits than a decimal holds
SELECT COUNT(*) AS n FROM act WHERE dec * 2 = 2.469;

# title: small integers grow beyond their type
# world: types
# instead: SELECT tiny::BIGINT - 10 AS t, COUNT(*) AS n FROM act GROUP BY t
# because: plain DuckDB raises
SELECT tiny - 10 AS t, COUNT(*) AS n FROM act GROUP BY t;

# title: arithmetic with infinite dates is null
# world: types
# instead: SELECT COUNT(*) AS n FROM act WHERE CASE WHEN isfinite(dd) THEN dd + 1 END > '2026-01-01'
# because: dates that can be computed with lie between the years 1 and 9999
SELECT COUNT(*) AS n FROM act WHERE dd + 1 > '2026-01-01';

# title: a number with a point is a double, and a half is rounded to what is even
# instead: SELECT SUM(CAST(0.5::DOUBLE AS BIGINT)) AS a, SUM(CAST(1.5::DOUBLE AS BIGINT)) AS b FROM subscribers
# because: doubles have one arithmetic, and plain DuckDB's constant is a decimal
SELECT SUM(CAST(abs(0.5) AS BIGINT)) AS a, SUM(CAST(abs(1.5) AS BIGINT)) AS b FROM subscribers;

# title: the least integer of 64 bits is clamped to the next
# world: types
# instead: SELECT -9223372036854775807 * COUNT(*) AS s FROM act WHERE tm = '2026-03-03'
# because: what one person adds lies within plus or minus 2^63 - 1
SELECT SUM(CASE WHEN tm = '2026-03-03' THEN -9223372036854775807 - 1 END) AS s FROM act;
