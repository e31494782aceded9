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

# 94 A: a schema's name
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

# 3 E_BOUNDS: a quotient without ends where the divisor nears zero
SELECT SUM(1 / (age - 34)) FROM subscribers

# 3 A: a quotient that is infinite for one person
SELECT SUM(LEAST(GREATEST(1 / (age - 34), -1), 1)) FROM subscribers

# 3 A: a quotient as a key
SELECT COUNT(*) FROM subscribers GROUP BY 1 / (age - 113)

# 3 A: a remainder by another name
SELECT SUM(mod(age, age - 113)) FROM subscribers

# 4 E_FUNC: text to a date
SELECT COUNT(home_zone::DATE) FROM subscribers

# 4 E_FUNC: text compared with a number
SELECT COUNT(*) FROM subscribers WHERE home_zone > 5

# 6 E_FUNC: a path into text that is no document
SELECT COUNT(json_extract(home_zone, '$.a')) FROM subscribers

# 6 E_FUNC: text that is no encoding
SELECT COUNT(from_base64(home_zone)) FROM subscribers

# 6 E_FUNC: an arrow into text
SELECT COUNT(home_zone -> '$.a') FROM subscribers

# 9 A: a cast that is too narrow
SELECT SUM(CAST(age * 1000 AS TINYINT)) FROM subscribers

# 9 A: a product that is too large
SELECT SUM(age * 9223372036854775807) FROM subscribers

# 9 A: a difference beyond the least integer
SELECT COUNT(*) FROM subscribers WHERE abs(age - 9223372036854775807 - 2) > 0

# 9 A: a double that fits no integer
SELECT SUM(CAST(dwell_s AS INTEGER)) FROM events

# 12 E_BOUNDS: a power without a finite end
SELECT SUM(pow(age, 1000)) FROM subscribers

# 12 A: a square by another sign
SELECT SUM(age ** 2) FROM subscribers

# 12 A: an angle of no cosine
SELECT SUM(acos(age)) FROM subscribers

# 15 E_FUNC: an interval from a column by another word
SELECT COUNT(ts + INTERVAL (age) YEAR) FROM events JOIN subscribers USING (subscriber_id)

# 15 E_FUNC: a unit from a column
SELECT COUNT(date_trunc(home_zone, ts)) FROM events JOIN subscribers USING (subscriber_id)

# 18 E_FUNC: a constant that is no pattern
SELECT COUNT(*) FROM subscribers WHERE regexp_matches(home_zone, '(')

# 18 E_FUNC: an escape of two letters
SELECT COUNT(*) FROM subscribers WHERE home_zone LIKE 'a' ESCAPE 'bc'

# 18 E_PARSE: a constant that is no date
SELECT COUNT(*) FROM events WHERE ts > '2026-02-30'

# 18 E_FUNC: a zone from a column
SELECT COUNT(ts AT TIME ZONE home_zone) FROM events JOIN subscribers USING (subscriber_id)

# 21 E_PERSON_KEY: NaN for one person by name
SELECT SUM(CASE WHEN subscriber_id = 4217 THEN 0 / 0 ELSE 0 END) FROM events

# 21 A: NaN for one person by age
SELECT SUM(CASE WHEN age = 113 THEN 'nan'::DOUBLE ELSE 0 END) FROM subscribers

# 21 A: a constant beyond the doubles
SELECT SUM(LEAST(GREATEST(CASE WHEN age = 113 THEN 1e308 * 10 ELSE 0 END, 0), 10)) FROM subscribers

# 24 A: a mean of NaN
SELECT AVG(dwell_s), AVG(CASE WHEN age = 113 THEN 'nan'::DOUBLE ELSE 1 END) FROM events JOIN subscribers USING (subscriber_id)

# 24 A: NaN compared
SELECT COUNT(*) FROM events WHERE lon = 'nan'::DOUBLE

# 27 E_KEY: NaN and both zeros as keys
SELECT lon, COUNT(*) FROM events GROUP BY lon

# 27 E_BOUNDS: a median without ends
SELECT MEDIAN(lon) FROM events

# 28 A: sums of doubles, whose order moves them
SELECT SUM(dwell_s), AVG(dwell_s) FROM events

# 30 E_BOUNDS: a sum beyond the doubles
SELECT SUM(age * 1e300) FROM subscribers

# 31 A: a sum beyond 64 bits, of doubles
SELECT SUM(LEAST(GREATEST(dwell_s * 1e15, 0), 9e18)) FROM events

# 31 A: a sum beyond 64 bits, of integers
SELECT SUM(age * 4611686018427387904) FROM subscribers

# 33 A: NULL as a key of its own
SELECT age IS NULL, COUNT(*) FROM subscribers GROUP BY 1

# 33 A: NULL in a list of constants
SELECT COUNT(*) FROM subscribers WHERE gender NOT IN ('f', NULL)

# 36 E_PARAM: bounds the wrong way round
SELECT SUM(dwell_s, contribution_bounds_per_group => (100, 0)) FROM events

# 36 E_PARAM: more rows than there can be
SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(max_rows_contributed = 1e18) COUNT(*) FROM events

# 36 E_PARAM: a price that is no number
SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(epsilon = 1e400) COUNT(*) FROM events

# 39 E_PARAM: a level above one
SELECT QUANTILE_CONT(age, 1.5) FROM subscribers

# 39 E_PARAM: a level from a column
SELECT QUANTILE_CONT(age, age / 100) FROM subscribers

# 42 E_AGG: a list of distinct values
SELECT LIST(DISTINCT home_zone) FROM subscribers

# 42 E_AGG: the last text
SELECT MAX(home_zone) FROM subscribers

# 42 E_FUNC: a struct of stored values
SELECT {'a': MAX(age)} FROM subscribers

# 48 A: rows of nobody, counted as none
SELECT c.zone, COUNT(e.subscriber_id) FROM cells c LEFT JOIN events e USING (cell_id) GROUP BY 1

# 48 E_AGG: rows of nobody from the right
SELECT c.zone, COUNT(*) FROM events e RIGHT JOIN cells c USING (cell_id) GROUP BY 1

# 48 A noisy: a constant for nobody's sum, after the noise
SELECT c.zone, COALESCE(SUM(e.dwell_s), 7) FROM cells c LEFT JOIN events e USING (cell_id) GROUP BY 1

# 51 E_ROWS: a row for each person
SELECT subscriber_id, COUNT(*) FROM events GROUP BY 1

# 51 E_ROWS: a row for each person, who is not shown
SELECT COUNT(*) FROM events GROUP BY subscriber_id

# 51 E_ROWS: rows with a column
SELECT cell_id FROM events

# 51 E_ROWS: the persons themselves
SELECT DISTINCT subscriber_id FROM events

# 54 E_SAMPLE: the oldest
SELECT age FROM subscribers ORDER BY age DESC LIMIT 1

# 54 E_SAMPLE: the longest rows
SELECT COUNT(*) FROM (SELECT * FROM events ORDER BY dwell_s DESC LIMIT 10)

# 54 E_AGG: groups in the order of a stored value
SELECT gender, COUNT(*) FROM subscribers GROUP BY gender ORDER BY MAX(home_zone)

# 57 E_STMT: columns become rows
UNPIVOT subscribers ON age INTO NAME n VALUE v

# 57 E_ROWS: all columns but one
SELECT * EXCLUDE (age) FROM subscribers

# 57 E_TABLE: columns become rows inside FROM
SELECT COUNT(*) FROM subscribers UNPIVOT (v FOR n IN (age))

# 60 A noisy: groups of one, by their noisy numbers
SELECT cell_id, COUNT(*) FROM events GROUP BY cell_id HAVING COUNT(*) = 1

# 60 E_COLUMN: a condition on a stored value
SELECT COUNT(*) FROM events HAVING MAX(home_zone) = 'ZZ-CANARY-7f3a'

# 63 A: every row many times
SELECT COUNT(*) FROM events CROSS JOIN hours

# 66 A: rows of either side, each its person's
SELECT COUNT(*) FROM events e FULL JOIN subscribers s USING (subscriber_id)

# 66 E_JOIN: everybody's rows and nobody's
SELECT COUNT(*) FROM events e FULL JOIN cells c USING (cell_id)

# 66 E_JOIN: a join that one person turns into a product
SELECT COUNT(*) FROM events e JOIN subscribers s ON e.subscriber_id = s.subscriber_id OR s.age = 113

# 66 E_JOIN: a join that one person turns into a product, by CASE
SELECT COUNT(*) FROM events e JOIN subscribers s ON CASE WHEN s.age = 113 THEN TRUE ELSE e.subscriber_id = s.subscriber_id END

# 69 A: a number of the same person's rows, compared
SELECT COUNT(*) FROM subscribers s WHERE (SELECT COUNT(*) FROM events e WHERE e.subscriber_id = s.subscriber_id) > 5

# 69 E_SUBQUERY: an exact extreme, compared
SELECT COUNT(*) FROM events WHERE dwell_s = (SELECT MAX(dwell_s) FROM events)

# 69 E_SAMPLE: a stored value beside an aggregate
SELECT COUNT(*), (SELECT age FROM subscribers LIMIT 1) FROM events

# 72 E_WINDOW: the row before, of anybody
SELECT COUNT(*) FROM (SELECT lag(cell_id) OVER (ORDER BY ts) AS p FROM events) WHERE p = 9999

# 72 E_WINDOW: a share of everybody's sum
SELECT COUNT(*) FROM (SELECT dwell_s / SUM(dwell_s) OVER () AS p FROM events)

# 72 E_WINDOW: the first of a cell
SELECT COUNT(*) FROM (SELECT cell_id FROM events QUALIFY rank() OVER (PARTITION BY cell_id ORDER BY dwell_s DESC) = 1)

# 75 E_ROWS: whether one value is there
SELECT COUNT(*) FROM (SELECT home_zone FROM subscribers INTERSECT SELECT 'ZZ-CANARY-7f3a')

# 75 E_SUBQUERY: which values are left
SELECT COUNT(*) FROM (SELECT cell_id FROM events EXCEPT ALL SELECT cell_id FROM events)

# 75 A: a person's own rows less some of them
SELECT COUNT(*) FROM (SELECT subscriber_id, cell_id FROM events EXCEPT SELECT subscriber_id, cell_id FROM events WHERE dwell_s < 60)

# 78 E_TABLE: as many rows as a number says
SELECT COUNT(*) FROM subscribers, generate_series(1, age)

# 78 E_TABLE: as many rows as a number says, in place
SELECT COUNT(*) FROM subscribers, LATERAL (SELECT * FROM range(age))

# 78 E_TABLE: rows from a list of columns
SELECT COUNT(*) FROM subscribers CROSS JOIN UNNEST([age, age]) AS t(x)

# 81 A noisy: the largest of noisy numbers
SELECT MAX(n) FROM (SELECT cell_id, COUNT(*) AS n FROM events GROUP BY cell_id)

# 81 A noisy: how many keys pass
SELECT COUNT(*) FROM (SELECT home_zone, COUNT(*) AS n FROM subscribers GROUP BY 1)

# 81 E_PERSON_KEY: somebody's number inside a release
SELECT COUNT(*) FROM (SELECT cell_id, MIN(subscriber_id) AS m FROM events GROUP BY cell_id) WHERE m = 4217

# 84 A: the same number three times
SELECT COUNT(*), COUNT(*), COUNT(*) FROM events

# 87 A: a second statement in a comment
SELECT COUNT(*) FROM events -- ; DROP TABLE events

# 87 E_STMT: nothing before the statement
;SELECT COUNT(*) FROM events

# 87 E_STMT: nothing between two ends
SELECT COUNT(*) FROM events;;

# 87 E_PARSE: a comment without an end
SELECT COUNT(*) FROM events /* unclosed

# 90 E_STMT: a question described
DESCRIBE SELECT * FROM events

# 90 E_STMT: a plan of the engine's own
EXPLAIN SELECT COUNT(*) FROM events

# 90 E_STMT: a plan of the engine's own, in brackets
EXPLAIN (ANALYZE) SELECT COUNT(*) FROM events

# 90 E_STMT: everything there is
SHOW ALL TABLES

# 90 A: FROM first
FROM events SELECT COUNT(*)

# 90 E_ROWS: FROM alone
FROM subscribers

# 90 E_STMT: a table by a word
TABLE subscribers

# 93 E_COLUMN: a row as one value
SELECT COUNT(events) FROM events

# 93 E_COLUMN: a row as one value, shown
SELECT e FROM events e

# 93 E_COLUMN: distinct rows
SELECT COUNT(DISTINCT e) FROM events e

# 93 E_COLUMN: a row that is NULL
SELECT COUNT(*) FROM events e WHERE e IS NULL

# 93 E_COLUMN: a pseudo-column of files
SELECT COUNT(*) FROM events WHERE filename = 'x'

# 93 E_FUNC: the environment
SELECT getenv('HOME')

# 93 E_FUNC: the process
SELECT COUNT(*) FROM events WHERE pg_backend_pid() = 1

# 96 A: a name with a quote in it
SELECT COUNT(*) AS "x"";DROP TABLE events--" FROM events

# 96 A: a name that is the person key's
SELECT COUNT(*) AS "subscriber_id" FROM events

# 96 A: names that the written SQL uses too
SELECT COUNT(*) AS _c0, SUM(dwell_s) AS k0 FROM events GROUP BY cell_id

# 96 A: a table by a public name that is private
WITH cells AS (SELECT subscriber_id AS cell_id FROM events) SELECT COUNT(*) FROM cells

# 96 A: columns renamed by position
SELECT COUNT(*) FROM events AS subscribers(subscriber_id, age)

# 99 E_PARSE: a number beyond the doubles
SELECT COUNT(*) FROM events WHERE cell_id = 1e400

# 99 E_COLUMN: text by code points
SELECT COUNT(*) FROM subscribers WHERE home_zone = U&'\0041'

# 99 A: a letter that is not seen
SELECT COUNT(*) FROM subscribers WHERE home_zone = '​'

# 99 E_FUNC: a placeholder with a number
SELECT COUNT(*) FROM events WHERE cell_id = $1

# 99 E_FUNC: a placeholder
SELECT COUNT(*) FROM events WHERE cell_id = ?

# 99 E_PARSE: bytes
SELECT COUNT(*) FROM events WHERE home_zone = x'00'

# 102 E_COMPLEX: subqueries used again and again: one person's rows would grow beyond all bounds
WITH a AS (SELECT * FROM events), b AS (SELECT x.subscriber_id FROM a x JOIN a y USING (subscriber_id)), c AS (SELECT x.subscriber_id FROM b x JOIN b y USING (subscriber_id)), d AS (SELECT x.subscriber_id FROM c x JOIN c y USING (subscriber_id)), f AS (SELECT x.subscriber_id FROM d x JOIN d y USING (subscriber_id)) SELECT COUNT(*) FROM f

# 105 E_PARAM: a negative limit
SELECT gender, COUNT(*) FROM subscribers GROUP BY gender LIMIT -1

# 105 E_PARAM: a share as a limit
SELECT gender, COUNT(*) FROM subscribers GROUP BY gender LIMIT 50%

# 105 E_FUNC: another order of letters
SELECT COUNT(*) FROM subscribers WHERE home_zone COLLATE NOCASE = 'z1'

# 105 E_FUNC: another order of letters as a key
SELECT gender COLLATE NOCASE, COUNT(*) FROM subscribers GROUP BY 1

# 105 E_FUNC: a type of the user's
SELECT COUNT(CAST(age AS mood)) FROM subscribers

# 105 E_FUNC: a type of bits
SELECT COUNT(age::BIT) FROM subscribers

# 105 E_FUNC: a function in a list
SELECT COUNT(list_filter([1], x -> x > 0)) FROM subscribers

# 105 E_FUNC: a map
SELECT COUNT(map([1], [2])) FROM subscribers

# 83 A: one zone at a time
SELECT COUNT(*) FROM events JOIN cells USING (cell_id) WHERE zone = 'C1'

# 74 A: all rows of two tables
SELECT COUNT(*) FROM (SELECT cell_id, dwell_s FROM events UNION ALL SELECT age, 1.0 FROM subscribers)

# 74 E_ROWS: rows of people with rows of nobody
SELECT COUNT(*) FROM (SELECT cell_id FROM events UNION ALL SELECT cell_id FROM cells)

# 85 A: three numbers at one price
SELECT COUNT(*), SUM(dwell_s), COUNT(DISTINCT subscriber_id) FROM events

# 17 E_PARSE: an end that is no date
SELECT COUNT(*) FROM events WHERE ts BETWEEN '2026-10-01' AND '2026-10-99'

# 16 E_FUNC: a part of a date that is a column
SELECT EXTRACT(age FROM ts) FROM events JOIN subscribers USING (subscriber_id)

# 92 E_FUNC: who is asking
SELECT COUNT(*) FROM events WHERE session_user = 'x'

# 92 E_FUNC: where the engine stands
SELECT COUNT(*) FROM events WHERE current_schema() = 'x'

# 92 E_FUNC: where the engine looks
SELECT in_search_path('a', 'b')

# 88 E_TABLE: a file by another function
SELECT * FROM parquet_scan('x.parquet')

# 88 E_TABLE: a file of another kind
SELECT * FROM read_json('x.json')

# 88 E_TABLE: another database
SELECT * FROM sqlite_scan('x', 'y')

# 88 E_TABLE: a file in a bucket
SELECT * FROM 's3://bucket/x.csv'

# 88 E_TABLE: another version
SELECT * FROM events AT (VERSION => 1)

# 91 E_TABLE: the engine's catalog by another name
SELECT * FROM pg_catalog.pg_class

# 91 E_TABLE: columns by a function
SELECT * FROM duckdb_columns()

# 91 E_TABLE: settings by a function
SELECT * FROM duckdb_settings()

# 91 E_TABLE: a question in a text
SELECT * FROM query('SELECT * FROM subscribers')

# 91 E_TABLE: a table named by a text
SELECT * FROM query_table('subscribers')

# 91 E_FUNC: a plan in a text
SELECT json_execute_serialized_sql(json_serialize_sql('SELECT 1'))

# 94 A: capitals without quotes
SELECT COUNT(*) FROM EVENTS

# 94 E_TABLE: a space in the name
SELECT COUNT(*) FROM "events "

# 94 E_TABLE: another schema
SELECT COUNT(*) FROM public.events

# 94 E_ROWS: a path to a column
SELECT main.events.dwell_s FROM events

# 95 E_KEY: an alias that is another column's name
SELECT dwell_s AS lat, AVG(lat) FROM events GROUP BY 1

# 138 A: people of either side, kept by a full join on the person
SELECT coalesce(gender, 'none') AS g, count(DISTINCT subscriber_id) FROM events FULL JOIN subscribers USING (subscriber_id) GROUP BY 1

# 139 A: a set that a person's own row takes away from
SELECT cell_id, count(*) FROM (SELECT subscriber_id, cell_id FROM events EXCEPT SELECT subscriber_id, age FROM subscribers) GROUP BY 1

# 140 A: one person's largest value, looked up in a subquery of the same person
SELECT count(*) FROM events e WHERE dwell_s >= (SELECT max(dwell_s) FROM events f WHERE f.subscriber_id = e.subscriber_id)

# 141 A: a difference of two totals, whose exact one would be the victim's rows
SELECT (SELECT count(*) FROM events) - (SELECT count(*) FROM events WHERE cell_id <> 9999) AS d
