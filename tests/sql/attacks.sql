# The adversarial cases that this surface can meet. Each is `# number outcome [rows]: why`, then the question as it is sent,
# then an empty line. The outcome is A (answered, with noise for the declared sensitivity) or the code of the refusal.
# `rows` says what of the rows may differ between two worlds: nothing (public keys; the word is left out), which `private`
# keys pass the threshold, or `noisy`: which rows are shown and in what order, where the question asks that of noisy numbers.

# 1 E_PERSON_KEY: arithmetic on the person key
SELECT COUNT(1 // (subscriber_id - 4217)) FROM events

# 2 A: a division that would raise
SELECT SUM(1 // (age - 34)) FROM subscribers

# 2 A: a remainder that would raise
SELECT SUM(age % (age - 113)) FROM subscribers

# 4 E_FUNC: text to number
SELECT SUM(CAST(home_zone AS INT)) FROM subscribers

# 4 E_FUNC: text to number, tried
SELECT SUM(TRY_CAST(home_zone AS INT)) FROM subscribers

# 5 E_FUNC: text to time
SELECT COUNT(strptime(home_zone, '%Y')) FROM subscribers

# 7 E_FUNC: a pattern from a column
SELECT COUNT(*) FROM subscribers WHERE regexp_matches('x', CASE WHEN age = 113 THEN '(' ELSE 'x' END)

# 7 E_FUNC: a pattern from a column, without regular expressions
SELECT COUNT(*) FROM subscribers WHERE 'x' LIKE home_zone

# 8 E_FUNC: an error by hand
SELECT SUM(CASE WHEN age = 113 THEN error('boom ' || home_zone) ELSE 1 END) FROM subscribers

# 10 E_BOUNDS: a logarithm has no lower end here, so there is nothing to clamp to
SELECT SUM(ln(age - 113)), SUM(sqrt(age - 114)) FROM subscribers

# 10 A: NaN and infinities count as NULL, then the clamp
SELECT SUM(LEAST(GREATEST(ln(age - 113), -9), 9)), SUM(sqrt(age - 114)) FROM subscribers

# 11 E_BOUNDS: an exponential without a finite upper end
SELECT SUM(exp(age * 100)) FROM subscribers

# 11 A: infinity never reaches the sum
SELECT SUM(LEAST(exp(age * 100), 1000)) FROM subscribers

# 11 E_BOUNDS: a value that fits no grains raises only where a row has it
SELECT SUM(CASE WHEN age > 100 THEN exp(99) ELSE 0 END) FROM events JOIN subscribers USING (subscriber_id)

# 11 A: the widest value that fits
SELECT SUM(CASE WHEN age > 100 THEN exp(57) ELSE 0 END) FROM events JOIN subscribers USING (subscriber_id)

# 13 E_FUNC: a function that raises
SELECT SUM(factorial(age)) FROM subscribers

# 13 E_FUNC: a shift that raises
SELECT SUM(1 << age) FROM subscribers

# 13 E_FUNC: a character that is none
SELECT COUNT(chr(age * 99999)) FROM subscribers

# 14 E_FUNC: an interval from a column
SELECT COUNT(ts + INTERVAL 1 YEAR * (age * 200000)) FROM events JOIN subscribers USING (subscriber_id)

# 16 E_FUNC: a part of a date from a column
SELECT date_part(home_zone, ts) FROM events JOIN subscribers USING (subscriber_id)

# 17 E_PARSE: a constant that is no time is found before anything runs
SELECT COUNT(*) FROM events WHERE ts = '2026-13-45'

# 17 E_FUNC: a constant that raises only where a row meets it
SELECT COUNT(CASE WHEN age = 113 THEN left(home_zone, 5000000000) END) FROM subscribers

# 17 E_FUNC: a bucket that raises only where a row meets it
SELECT COUNT(CASE WHEN dwell_s = 86399 THEN time_bucket(INTERVAL '-1 day', ts) END) FROM events

# 17 E_FUNC: a time zone that raises only where a row meets it
SELECT COUNT(CASE WHEN dwell_s = 86399 THEN timezone('Nowhere', ts) END) FROM events

# 19 A: conditions may be computed in any order
SELECT COUNT(*) FROM subscribers WHERE age <> 113 AND 1 // (age - 113) > 0

# 22 A: NaN made by hand
SELECT SUM(CASE WHEN age = 113 THEN 'inf'::DOUBLE - 'inf'::DOUBLE ELSE 0 END) FROM subscribers

# 23 A: stored NaN, infinities, both zeros and the least number there is
SELECT SUM(LEAST(GREATEST(lon, -180), 180)), SUM(lat), SUM(dwell_s), AVG(lat) FROM events

# 25 E_AGG: a minimum is somebody's value
SELECT MIN(lon), MAX(lon) FROM events

# 26 A: a few values of each person, counted exactly, then noised
SELECT COUNT(DISTINCT lon) FROM events

# 29 A: sums lie on a lattice
SELECT SUM(dwell_s) FROM events

# 32 E_SUBQUERY: NOT IN with NULL
SELECT COUNT(*) FROM subscribers WHERE home_zone NOT IN (SELECT NULL)

# 32 A: NULL is a key where it is declared
SELECT gender, COUNT(*) FROM subscribers GROUP BY gender

# 34 A: two numbers, charged together
SELECT COUNT(dwell_s) - COUNT(*) FROM events

# 35 E_BOUNDS: a sum without declared bounds
SELECT SUM(lon) FROM events

# 37 A: the range goes through the expression, the clamp stays outside
SELECT SUM(100 * dwell_s), SUM(dwell_s * dwell_s) FROM events

# 38 A: the squares have bounds of their own
SELECT VARIANCE(dwell_s) FROM events

# 40 E_FUNC: all columns
SELECT COLUMNS(*) FROM subscribers

# 40 E_FUNC: an aggregate of all columns
SELECT MIN(COLUMNS(*)) FROM subscribers

# 40 E_ROWS: rows of people
SELECT * FROM subscribers

# 41 E_AGG: a stored value
SELECT ANY_VALUE(home_zone) FROM subscribers

# 41 E_AGG: the first value
SELECT FIRST(age) FROM subscribers

# 41 E_AGG: the most frequent value
SELECT MODE(home_zone) FROM subscribers

# 41 E_AGG: the value of the oldest
SELECT ARG_MAX(home_zone, age) FROM subscribers

# 41 E_AGG: all values
SELECT STRING_AGG(home_zone, ',') FROM subscribers

# 41 E_AGG: a list of values
SELECT LIST(home_zone) FROM subscribers

# 43 E_AGG: bits of everybody
SELECT BIT_XOR(age) FROM subscribers

# 43 E_AGG: is there one
SELECT BOOL_OR(age = 113) FROM subscribers

# 43 E_AGG: a product
SELECT PRODUCT(age) FROM subscribers

# 43 E_AGG: an entropy
SELECT ENTROPY(cell_id) FROM events

# 44 E_AGG: a sketch
SELECT approx_count_distinct(subscriber_id) FROM events

# 46 A private: the canary key does not appear
SELECT home_zone, COUNT(*) FROM subscribers GROUP BY 1

# 47 A: all zones, the empty ones with noise
SELECT zone, COUNT(*) FROM events JOIN cells c USING (cell_id) GROUP BY 1

# 49 E_KEY: a key of its own in almost every row
SELECT ts, COUNT(*) FROM events GROUP BY ts

# 49 A: hours of a stated range
SELECT date_trunc('hour', ts), COUNT(*) FROM events WHERE ts >= TIMESTAMP '2026-10-01' AND ts < TIMESTAMP '2026-10-02' GROUP BY 1

# 50 E_FUNC: a digest
SELECT md5(home_zone), COUNT(*) FROM subscribers GROUP BY 1

# 50 E_PERSON_KEY: a hash of the person
SELECT hash(subscriber_id) % 100, COUNT(*) FROM events GROUP BY 1

# 52 A noisy: sorted and cut after the noise
SELECT zone, COUNT(*) AS c FROM events JOIN cells USING (cell_id) GROUP BY zone ORDER BY c DESC LIMIT 1

# 53 A: the first keys in public order
SELECT zone, COUNT(*) FROM events JOIN cells USING (cell_id) GROUP BY zone LIMIT 3

# 55 E_ROWS: one row for each
SELECT DISTINCT ON (cell_id) cell_id FROM events

# 55 A private: the distinct values that many share
SELECT DISTINCT home_zone FROM subscribers

# 56 E_STMT: values become names of columns
PIVOT subscribers ON home_zone USING COUNT(*)

# 58 A: both with noise, charged together
SELECT COUNT(*) FILTER (WHERE age = 113), COUNT(*) FROM subscribers

# 59 A: nothing, with noise
SELECT COUNT(*) FROM events WHERE 1 = 0

# 61 A: however many rows somebody has
SELECT COUNT(*) FROM events

# 62 A: rows of a public table that stand there twice
SELECT COUNT(*), SUM(dwell_s) FROM events JOIN cells USING (cell_id)

# 64 A: somebody's rows by themselves
SELECT COUNT(*) FROM events e1 JOIN events e2 USING (subscriber_id)

# 65 E_JOIN: private with private on an order
SELECT COUNT(*) FROM events e JOIN subscribers s ON e.cell_id > s.age

# 65 E_JOIN: private with private on an order of persons
SELECT COUNT(*) FROM events e JOIN subscribers s ON e.subscriber_id > s.subscriber_id

# 65 E_JOIN: everybody with everybody
SELECT COUNT(*) FROM events CROSS JOIN subscribers

# 65 E_JOIN: the nearest row
SELECT COUNT(*) FROM events e ASOF JOIN subscribers s ON e.subscriber_id = s.subscriber_id AND e.cell_id >= s.age

# 65 E_JOIN: row by row
SELECT COUNT(*) FROM events POSITIONAL JOIN subscribers

# 65 E_JOIN: columns that are not named
SELECT COUNT(*) FROM events NATURAL JOIN subscribers

# 67 E_SUBQUERY: an exact number that changes every row
SELECT COUNT(*) FROM events WHERE dwell_s > (SELECT AVG(dwell_s) FROM events)

# 68 E_SUBQUERY: whether there is one
SELECT COUNT(*) FROM events WHERE EXISTS (SELECT 1 FROM subscribers WHERE age = 113)

# 70 E_SUBQUERY: where somebody was
SELECT COUNT(*) FROM events WHERE cell_id IN (SELECT cell_id FROM events WHERE dwell_s = 86399)

# 71 E_WINDOW: ranks that everybody shifts
SELECT COUNT(*) FROM (SELECT ROW_NUMBER() OVER (ORDER BY ts) AS rn FROM events) WHERE rn % 2 = 0

# 73 E_WINDOW: windows across people
SELECT COUNT(*) FROM (SELECT ROW_NUMBER() OVER (PARTITION BY cell_id ORDER BY ts) AS rn FROM events) WHERE rn = 1

# 73 E_WINDOW: one row of everybody
SELECT COUNT(*) FROM (SELECT cell_id FROM events QUALIFY row_number() OVER () = 1)

# 74 A: all rows of two queries
SELECT COUNT(*) FROM (SELECT cell_id FROM events UNION ALL SELECT cell_id FROM events)

# 74 E_SUBQUERY: a set without the person
SELECT COUNT(*) FROM (SELECT cell_id FROM events UNION SELECT cell_id FROM events)

# 76 E_FUNC: chance in the question
SELECT COUNT(*) FROM events WHERE random() < 0.5

# 76 E_FUNC: a chosen beginning of chance
SELECT setseed(0.5)

# 76 E_FUNC: chance by another name
SELECT COUNT(uuid()) FROM events

# 76 E_FUNC: a counter
SELECT COUNT(nextval('s')) FROM events

# 76 E_SAMPLE: a sample
SELECT COUNT(*) FROM events USING SAMPLE 10%

# 76 E_SAMPLE: some rows of people
SELECT COUNT(*) FROM (SELECT * FROM events LIMIT 10)

# 77 E_STMT: work that depends on rows
WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < (SELECT COUNT(*) FROM events)) SELECT COUNT(*) FROM r

# 79 A: groups of one person
SELECT AVG(n) FROM (SELECT subscriber_id, COUNT(*) AS n FROM events GROUP BY 1)

# 80 A noisy: an inner release, judged by its noisy numbers
SELECT COUNT(*) FROM (SELECT cell_id FROM events GROUP BY cell_id HAVING COUNT(DISTINCT subscriber_id) = 1)

# 82 A: a person's sum, clamped once more outside
SELECT SUM(x) FROM (SELECT subscriber_id, SUM(dwell_s) AS x FROM events GROUP BY 1)

# 86 E_STMT: two statements
SELECT COUNT(*) FROM events; DROP TABLE events

# 88 E_TABLE: a file by a function
SELECT * FROM read_csv('/etc/passwd')

# 88 E_TABLE: the same in quotes
SELECT * FROM "read_csv"('/etc/passwd')

# 88 E_TABLE: a file by its name
SELECT * FROM 'x.parquet'

# 88 E_TABLE: a file elsewhere
SELECT COUNT(*) FROM 'http://127.0.0.1/x'

# 88 E_TABLE: files in a folder
SELECT * FROM glob('*')

# 89 E_STMT: out
COPY events TO 'x.csv'

# 89 E_STMT: another database
ATTACH 'x.duckdb'

# 89 E_STMT: settings
SET threads = 1

# 89 E_STMT: settings by another word
PRAGMA version

# 89 E_STMT: a call
CALL pragma_version()

# 89 E_STMT: more code
LOAD spatial

# 89 E_STMT: a macro
CREATE MACRO m(a) AS a + 1

# 89 E_STMT: more rows
INSERT INTO subscribers VALUES (1, 1, 'f', 'Z', true)

# 89 E_STMT: other rows
UPDATE subscribers SET consent = true

# 89 E_STMT: a plan of the engine's
EXPLAIN ANALYZE SELECT COUNT(*) FROM events

# 89 E_STMT: a summary of columns
SUMMARIZE events

# 89 E_STMT: a statement for later
PREPARE p AS SELECT COUNT(*) FROM events

# 91 E_TABLE: the engine's tables
SELECT * FROM information_schema.tables

# 91 E_TABLE: the engine's own list
SELECT * FROM sqlite_master

# 91 E_TABLE: exact sizes
SELECT * FROM duckdb_tables()

# 91 E_TABLE: storage
SELECT * FROM pragma_storage_info('events')

# 91 E_FUNC: exact statistics
SELECT stats(age) FROM subscribers

# 92 E_COLUMN: a column that is not declared
SELECT COUNT(*) FROM events WHERE rowid = 7

# 92 E_FUNC: settings as values
SELECT current_setting('memory_limit')

# 92 E_FUNC: the engine's name
SELECT version()

# 94 A: a private table under a public name
SELECT COUNT(*) FROM events AS cells

# 94 E_TABLE: a schema's name
SELECT COUNT(*) FROM main.events

# 94 E_TABLE: a database's name
SELECT COUNT(*) FROM memory.main.events

# 94 E_TABLE: a letter of another alphabet
SELECT COUNT(*) FROM еvents

# 94 A: capitals
SELECT COUNT(*) FROM "EVENTS"

# 95 A: an alias that is a column's name
SELECT 1 AS dwell_s, SUM(dwell_s) FROM events

# 97 A: comments go no further
SELECT /* one */ COUNT(*) /*+ HINT */ -- two
FROM events

# 98 E_PARSE: a number that two parsers read in two ways
SELECT COUNT(*) FROM events WHERE cell_id = 0x7fff

# 98 A: a backslash ends no quote early, and the comment is gone
SELECT COUNT(*) FROM subscribers WHERE home_zone = 'a\' OR 1=1 --'

# 98 E_FUNC: text in dollars
SELECT COUNT(*) FROM subscribers WHERE home_zone = $$a$$

# 103 E_TABLE: a variable of the program
SELECT * FROM df

# 104 E_FUNC: a path into a column
SELECT COUNT(e.subscriber_id.y) FROM events e

# 104 E_FUNC: more rows from one
SELECT UNNEST([1, 2, 3]) FROM events

# 104 E_FUNC: a function in the question
SELECT COUNT(list_transform([1], x -> x + age)) FROM subscribers

# 110 A: the difference of two answers, first half
SELECT COUNT(*) FROM subscribers WHERE NOT (age = 113 AND home_zone = 'ZZ-CANARY-7f3a')

# 112 E_PERSON_KEY: half of all persons, chosen by their numbers
SELECT COUNT(*) FROM events WHERE (subscriber_id * 7919) % 101 < 50

# 112 E_PERSON_KEY: the person's number taken along by an aggregate
SELECT COUNT(*) FROM (SELECT subscriber_id, MIN(CASE WHEN cell_id > 0 THEN subscriber_id END) AS m FROM events GROUP BY 1) WHERE m % 2 = 0

# 112 E_PERSON_KEY: nobody's group
SELECT COUNT(*) FROM (SELECT e.subscriber_id, COUNT(*) AS n FROM subscribers s LEFT JOIN events e ON s.subscriber_id = e.subscriber_id GROUP BY 1)

# 121 E_COLUMN: consent is not for analysts
SELECT COUNT(*) FROM subscribers WHERE consent = false

# 121 E_COLUMN: consent as a key
SELECT consent, COUNT(*) FROM subscribers GROUP BY consent

# 122 A: whoever does not consent is in no question, also where subscribers are not named
SELECT cell_id, COUNT(*), COUNT(DISTINCT subscriber_id) FROM events GROUP BY cell_id

# 135 E_AGG: rows of nobody that count 100
SELECT d.h, SUM(CASE WHEN e.subscriber_id IS NULL THEN 100 ELSE 0 END) FROM hours d LEFT JOIN events e ON hour(e.ts) = d.h GROUP BY 1

# 136 E_AGG: rows of nobody that count 1
SELECT d.h, COUNT(*) FROM hours d LEFT JOIN events e ON hour(e.ts) = d.h GROUP BY 1

# 137 A: the first cell, ties and all
SELECT first, COUNT(*) FROM (SELECT subscriber_id, ARG_MIN(cell_id, date_trunc('day', ts)) AS first FROM events GROUP BY subscriber_id) WHERE first IN (1, 2, 3) GROUP BY 1
