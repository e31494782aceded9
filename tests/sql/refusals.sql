# Every other refusal, as the analyst sees it: with read__refused.sql each call of the dialect that refuses is met at least
# once (tests/dialect/test_refusals.py). `pytest --update` writes the outcomes anew.

# title: a quantile of two things
SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY dwell_s, lat) FROM events;
# E_AGG
# SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY dwell_s, lat) FROM events
#        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A quantile is of one thing.
# Try: PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY x)

# title: values of two types
SELECT COUNT(coalesce(age, home_zone)) FROM subscribers;
# E_FUNC
# SELECT COUNT(coalesce(age, home_zone)) FROM subscribers
#              ^^^^^^^^^^^^^^^^^^^^^^^
# These values have different types: BIGINT, VARCHAR.
# Try: CAST(x AS ...)

# title: a function that nobody has
SELECT COUNT(lenght(home_zone)) FROM subscribers;
# E_FUNC
# SELECT COUNT(lenght(home_zone)) FROM subscribers
#              ^^^^^^^^^^^^^^^^
# The function lenght is not in the dialect.
# Try: SELECT COUNT(length(home_zone)) FROM subscribers -- length is a near name

# title: a function that nobody has, of all rows
SELECT coun(*) AS n FROM events;
# E_FUNC
# SELECT coun(*) AS n FROM events
#        ^^^^^^
# The function coun is not in the dialect.
# Try: SELECT count(*) AS n FROM events -- count is a near name

# title: two clauses
SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(rho = 0.001) COUNT(*) FROM (SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(rho = 0.001) subscriber_id FROM events);
# E_PARAM
# SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(rho = 0.001) COUNT(*) FROM (SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(rho = 0.001) subscriber_id FROM events)
#                                                                                  ^^^^^^^^^^^^^^^^^^^^
# The clause stands twice; it holds for the whole question.
# Try: keep the first of them

# title: a clause that nothing closes
SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(rho = 0.001 COUNT(*) FROM events;
# E_PARSE
# SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(rho = 0.001 COUNT(*) FROM events
#                                         ^
# Nothing closes this bracket.
# Try: SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(epsilon = 0.5) COUNT(*) FROM ...

# title: two prices
SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(rho = 0.001, epsilon = 1) COUNT(*) FROM events;
# E_PARAM
# SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(rho = 0.001, epsilon = 1) COUNT(*) FROM events
#                                          ^^^^^^^^^^^
# epsilon and rho both decide what the question costs.
# Try: keep epsilon

# title: an option that nobody has
SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(max_noise = 1) COUNT(*) FROM events;
# E_PARAM
# SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(max_noise = 1) COUNT(*) FROM events
#                                          ^^^^^^^^^
# There is no option max_noise.
# Try: one of epsilon, delta, rho, max_groups_contributed, max_rows_contributed, keys, others, target_error, consistent, confidence, intervals

# title: an option twice
SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(rho = 0.001, rho = 0.002) COUNT(*) FROM events;
# E_PARAM
# SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(rho = 0.001, rho = 0.002) COUNT(*) FROM events
#                                                       ^^^
# The option rho stands twice.
# Try: keep one of them

# title: an option out of its range
SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(epsilon = -1) COUNT(*) FROM events;
# E_PARAM
# SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(epsilon = -1) COUNT(*) FROM events
#                                          ^^^^^^^^^^^^
# The option epsilon takes a number above 0 and at most 100.
# Try: epsilon = 0.5

# title: a clause that can't be read
SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(rho 0.001) COUNT(*) FROM events;
# E_PARSE
# SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(rho 0.001) COUNT(*) FROM events
#                                              ^
# This can't be read from here on.
# Try: SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(epsilon = 0.5) COUNT(*) FROM ...

# title: public keys of a query that has none
SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(keys = 'public') home_zone, COUNT(*) FROM subscribers GROUP BY 1;
# E_KEY
# SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(keys = 'public') home_zone, COUNT(*) FROM subscribers GROUP BY 1
#                                          ^^^^^^^^^^^^^^^
# No public list of these keys is known: only private ones are possible.
# Try: keys = 'private', which asks for a threshold

# title: other keys where all are public
SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(others = true) gender, COUNT(*) FROM subscribers GROUP BY 1;
# E_PARAM
# SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(others = true) gender, COUNT(*) FROM subscribers GROUP BY 1
#                                          ^^^^^^^^^^^^^
# All keys of this question are public, so that no group is hidden.
# Try: keys = 'private', others = true

# title: private keys of a public list
SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(keys = 'private') c.zone, COUNT(e.subscriber_id) FROM cells c LEFT JOIN events e USING (cell_id) GROUP BY 1;
# E_PARAM
# SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(keys = 'private') c.zone, COUNT(e.subscriber_id) FROM cells c LEFT JOIN events e USING (cell_id) GROUP BY 1
#                                          ^^^^^^^^^^^^^^^^
# A LEFT JOIN keeps every key of its public rows, so they are public.
# Try: JOIN instead of LEFT JOIN

# title: bounds the wrong way round
SELECT SUM(dwell_s, contribution_bounds_per_group => (100, 0)) FROM events;
# E_PARAM
# SELECT SUM(dwell_s, contribution_bounds_per_group => (100, 0)) FROM events
#                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Bounds are two numbers, the lower first, within 1e+15.
# Try: contribution_bounds_per_group => (YOUR_MIN, YOUR_MAX)

# title: bounds that are no pair
SELECT SUM(dwell_s, contribution_bounds_per_group => 100) FROM events;
# E_PARSE
# SELECT SUM(dwell_s, contribution_bounds_per_group => 100) FROM events
#                                                      ^
# This can't be read from here on.
# Try: SUM(x, contribution_bounds_per_group => (YOUR_MIN, YOUR_MAX))

# title: bounds of a person
SELECT COUNT(DISTINCT subscriber_id, contribution_bounds_per_group => (0, 5)) FROM events;
# E_PARAM
# SELECT COUNT(DISTINCT subscriber_id, contribution_bounds_per_group => (0, 5)) FROM events
#                                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A person counts once: there is nothing to bound.
# Try: leave them out

# title: bounds of what takes none
SELECT MEDIAN(dwell_s, contribution_bounds_per_group => (0, 5)) FROM events;
# E_PARAM
# SELECT MEDIAN(dwell_s, contribution_bounds_per_group => (0, 5)) FROM events
#                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Only SUM, AVG, COUNT and VARIANCE or STDDEV take bounds of what one person adds to a group.
# Try: SUM(x, contribution_bounds_per_group => (YOUR_MIN, YOUR_MAX))

# title: bounds per person's group
SELECT AVG(x) FROM (SELECT subscriber_id, SUM(dwell_s, contribution_bounds_per_group => (0, 5)) AS x FROM events GROUP BY 1);
# E_PARAM
# SELECT AVG(x) FROM (SELECT subscriber_id, SUM(dwell_s, contribution_bounds_per_group => (0, 5)) AS x FROM events GROUP BY 1)
#                                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Bounds belong to an aggregate over many people.
# Try: leave them out here

# title: a count with a bound of nothing
SELECT COUNT(*, contribution_bounds_per_group => (0, 0.5)) FROM events;
# E_PARAM
# SELECT COUNT(*, contribution_bounds_per_group => (0, 0.5)) FROM events
#                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Bounds of a count end between 1 and 1,000,000.
# Try: contribution_bounds_per_group => (0, YOUR_MAX)

# title: bounds twice
SELECT SUM(dwell_s, contribution_bounds_per_group => (0, 5), contribution_bounds_per_group => (0, 6)) FROM events;
# E_PARAM
# SELECT SUM(dwell_s, contribution_bounds_per_group => (0, 5), contribution_bounds_per_group => (0, 6)) FROM events
#                                                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Bounds stand twice in this call.
# Try: SUM(x, contribution_bounds_per_group => (YOUR_MIN, YOUR_MAX))

# title: bounds outside of an aggregate
SELECT LEAST(dwell_s, contribution_bounds_per_group => (0, 5)), COUNT(*) FROM events GROUP BY 1;
# E_PARAM
# SELECT LEAST(dwell_s, contribution_bounds_per_group => (0, 5)), COUNT(*) FROM events GROUP BY 1
#                       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Only SUM, AVG, COUNT and VARIANCE or STDDEV take bounds of what one person adds to a group.
# Try: SUM(x, contribution_bounds_per_group => (YOUR_MIN, YOUR_MAX))

# title: a table that is not in FROM
SELECT COUNT(*) FROM events WHERE s.age > 3;
# E_TABLE
# SELECT COUNT(*) FROM events WHERE s.age > 3
#                                   ^^^^^
# There is no table s in this FROM.
# Try: one of events, subscribers, cells, hours

# title: a column that two tables have
SELECT COUNT(*) FROM events e JOIN cells c ON e.cell_id = c.cell_id WHERE lon > 3;
# E_COLUMN
# SELECT COUNT(*) FROM events e JOIN cells c ON e.cell_id = c.cell_id WHERE lon > 3
#                                                                           ^^^
# lon is in more than one table.
# Try: SELECT COUNT(*) FROM events e JOIN cells c ON e.cell_id = c.cell_id WHERE e.lon > 3 -- lon of the first of them

# title: an aggregate in WHERE
SELECT COUNT(*) FROM events WHERE COUNT(*) > 3;
# E_AGG
# SELECT COUNT(*) FROM events WHERE COUNT(*) > 3
#                                   ^^^^^^^
# An aggregate can't stand here.
# Try: SELECT COUNT(*) FROM events HAVING COUNT(*) > 3 -- tests groups

# title: a path into a column
SELECT COUNT(e.ts.year) FROM events e;
# E_FUNC
# SELECT COUNT(e.ts.year) FROM events e
#              ^^^^^^^^^
# Columns have no parts of their own.
# Try: write column or table.column

# title: a path of four steps
SELECT COUNT(a.b.c.ts) FROM events;
# E_FUNC
# SELECT COUNT(a.b.c.ts) FROM events
#              ^^^^^^^^
# Columns have no parts of their own.
# Try: write column or table.column

# title: a star in a function
SELECT SUM(*) FROM events;
# E_ROWS
# SELECT SUM(*) FROM events
#            ^
# * can't stand here.
# Try: name the columns

# title: a subquery of somebody's rows
SELECT COUNT(*) FROM events WHERE dwell_s > (SELECT dwell_s FROM events);
# E_SUBQUERY
# SELECT COUNT(*) FROM events WHERE dwell_s > (SELECT dwell_s FROM events)
#                                                     ^^^^^^^^^^^^^^^^^^^
# The value of this subquery would be one person's.
# Try: an aggregate over all persons, or a join on the person key

# title: a subquery of many rows
SELECT COUNT(*) FROM events WHERE cell_id > (SELECT cell_id FROM cells);
# E_SUBQUERY
# SELECT COUNT(*) FROM events WHERE cell_id > (SELECT cell_id FROM cells)
#                                                     ^^^^^^^^^^^^^^^^^^
# A subquery inside an expression gives one column, and for certain no second row.
# Try: (SELECT SUM(x) FROM ...), or a JOIN of what has many rows

# title: a subquery on two columns
SELECT COUNT(*) FROM events WHERE (SELECT 1, 2) = 1;
# E_SUBQUERY
# SELECT COUNT(*) FROM events WHERE (SELECT 1, 2) = 1
#                                           ^^^^
# A subquery inside an expression gives one column, and for certain no second row.
# Try: (SELECT SUM(x) FROM ...), or a JOIN of what has many rows

# title: rows of people and of nobody in one set
SELECT COUNT(*) FROM (SELECT cell_id FROM events UNION ALL SELECT cell_id FROM cells);
# E_ROWS
# SELECT COUNT(*) FROM (SELECT cell_id FROM events UNION ALL SELECT cell_id FROM cells)
#                              ^^^^^^^^^^^^^^^^^^^
# People's rows can't stand in one UNION with rows that are nobody's.
# Try: an aggregate on this side too

# title: sets of another width
SELECT COUNT(*) FROM (SELECT cell_id FROM cells UNION SELECT cell_id, zone FROM cells);
# E_SUBQUERY
# SELECT COUNT(*) FROM (SELECT cell_id FROM cells UNION SELECT cell_id, zone FROM cells)
#                                                              ^^^^^^^^^^^^^^^^^^^^^^^^
# 1 columns and 2 columns can't stand in one list.
# Try: the same number of columns on both sides

# title: sets of other types
SELECT COUNT(*) FROM (SELECT cell_id FROM cells UNION SELECT zone FROM cells);
# E_SUBQUERY
# SELECT COUNT(*) FROM (SELECT cell_id FROM cells UNION SELECT zone FROM cells)
#                                                              ^^^^^^^^^^^^^^^
# cell_id and what stands for it in the other query are of two types.
# Try: CAST(x AS ...) in one of them

# title: a name twice in WITH
WITH a AS (SELECT 1 AS x), a AS (SELECT 2 AS x) SELECT COUNT(*) FROM events;
# E_STMT
# WITH a AS (SELECT 1 AS x), a AS (SELECT 2 AS x) SELECT COUNT(*) FROM events
#                            ^^^^^^^^^^^^^^^^^^^
# a stands twice in WITH.
# Try: give each subquery its own name

# title: an alias twice
SELECT COUNT(*) FROM events e JOIN subscribers e USING (subscriber_id);
# E_TABLE
# SELECT COUNT(*) FROM events e JOIN subscribers e USING (subscriber_id)
#                                    ^^^^^^^^^^^^^
# e stands twice in FROM.
# Try: JOIN ... AS e2

# title: more names than columns
SELECT COUNT(*) FROM hours AS h(a, b);
# E_COLUMN
# SELECT COUNT(*) FROM hours AS h(a, b)
#                      ^^^^^^^^^^^^^^^
# There are more names than columns.
# Try: give one name per column

# title: rows of VALUES of two widths
SELECT COUNT(*) FROM (VALUES (1, 2), (3)) AS v(a, b);
# E_TABLE
# SELECT COUNT(*) FROM (VALUES (1, 2), (3)) AS v(a, b)
#                               ^^^^^^^^^^^^^^^^^^^^^
# Every row of VALUES has the same number of constants.
# Try: VALUES (1, 'a')

# title: a column of VALUES of two types
SELECT COUNT(*) FROM (VALUES (1), ('a')) AS v(a);
# E_TABLE
# SELECT COUNT(*) FROM (VALUES (1), ('a')) AS v(a)
#                               ^^^^^^^^^^^^^^^^^
# A column of VALUES has one type.
# Try: VALUES (1), (2)

# title: VALUES that are no constants
SELECT COUNT(*) FROM (VALUES (1), (random())) AS v(a);
# E_FUNC
# SELECT COUNT(*) FROM (VALUES (1), (random())) AS v(a)
#                                    ^^^^^^
# random is not in the dialect.
# Try: see docs/functions.md

# title: a join without a condition
SELECT COUNT(*) FROM events e JOIN subscribers s;
# E_JOIN
# SELECT COUNT(*) FROM events e JOIN subscribers s
#                                    ^^^^^^^^^^^^^
# Two private tables can only be joined on the person key.
# Try: SELECT COUNT(*) FROM events e JOIN subscribers s USING (subscriber_id) -- each row meets those of the same person alone

# title: a semi join without a condition
SELECT COUNT(*) FROM events SEMI JOIN subscribers;
# E_JOIN
# SELECT COUNT(*) FROM events SEMI JOIN subscribers
#                                       ^^^^^^^^^^^
# SEMI JOIN has an ON or USING.
# Try: SEMI JOIN ... USING (...)

# title: a join inside a join
SELECT COUNT(*) FROM events e JOIN subscribers s JOIN cells c ON s.age = c.cell_id ON e.subscriber_id = s.subscriber_id;
# E_JOIN
# SELECT COUNT(*) FROM events e JOIN subscribers s JOIN cells c ON s.age = c.cell_id ON e.subscriber_id = s.subscriber_id
#                                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# This JOIN stands inside another one.
# Try: write each ON behind its JOIN

# title: a join of values of two types
SELECT COUNT(*) FROM events e JOIN cells c ON e.cell_id = c.zone;
# E_FUNC
# SELECT COUNT(*) FROM events e JOIN cells c ON e.cell_id = c.zone
#                                               ^^^^^^^^^^^^^^^^^^
# = does not take (BIGINT, VARCHAR).
# Try: compare values of one type

# title: the person joined with a public column
SELECT COUNT(*) FROM events e JOIN cells c ON e.subscriber_id = c.cell_id;
# E_JOIN
# SELECT COUNT(*) FROM events e JOIN cells c ON e.subscriber_id = c.cell_id
#                                               ^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A person key can only be joined on its equality with another person key.
# Try: JOIN ... USING (the person key)

# title: a schema in front
SELECT COUNT(*) FROM public.events;
# E_TABLE
# SELECT COUNT(*) FROM public.events
#                      ^^^^^^^^^^^^^
# Tables have no schema in front, or main.
# Try: SELECT COUNT(*) FROM events -- without a schema

# title: a question that is none
SELECT 1 AS x INTO y;
# E_STMT
# SELECT 1 AS x INTO y
#        ^^^^^^^^^^^^^
# INTO is not part of the dialect here.
# Try: leave INTO out

# title: a sample behind FROM
SELECT COUNT(*) FROM events USING SAMPLE 10%;
# E_SAMPLE
# SELECT COUNT(*) FROM events USING SAMPLE 10%
#                                          ^^
# Samples are not in the dialect.
# Try: SELECT COUNT(*) FROM events -- of all rows

# title: a number that is too large
SELECT COUNT(*) FROM events WHERE dwell_s < 1e400;
# E_PARSE
# SELECT COUNT(*) FROM events WHERE dwell_s < 1e400
#                                             ^^^^^
# The number is too large.
# Try: write a number below 1e308

# title: an interval of two parts
SELECT COUNT(*) FROM events WHERE ts > TIMESTAMP '2026-10-02' + INTERVAL (dwell_s) SECOND;
# E_FUNC
# SELECT COUNT(*) FROM events WHERE ts > TIMESTAMP '2026-10-02' + INTERVAL (dwell_s) SECOND
#                                                                           ^^^^^^^
# An interval is one constant and one unit.
# Try: INTERVAL 15 MINUTE

# title: an interval that is too long
SELECT COUNT(*) FROM events WHERE ts > TIMESTAMP '2026-10-02' + INTERVAL 5000 YEAR;
# E_FUNC
# SELECT COUNT(*) FROM events WHERE ts > TIMESTAMP '2026-10-02' + INTERVAL 5000 YEAR
#                                                  ^^^^^^^^^^^^
# The interval is longer than 1,000 years.
# Try: INTERVAL 1 DAY

# title: an aggregate of one argument with two
SELECT SUM(dwell_s, lat) FROM events;
# E_AGG
# SELECT SUM(dwell_s, lat) FROM events
#        ^^^^^^^^^^^^^^^^^
# SUM takes 1 argument, and 2 are given.
# Try: SUM(x)

# title: a condition counted that is none
SELECT COUNT_IF(dwell_s) FROM events;
# E_AGG
# SELECT COUNT_IF(dwell_s) FROM events
#        ^^^^^^^^^^^^^^^^
# COUNT_IF takes a condition.
# Try: SELECT COUNT_IF(dwell_s <> 0) FROM events

# title: a number of a list
SELECT COUNT(*) FROM events WHERE dwell_s;
# E_FUNC
# SELECT COUNT(*) FROM events WHERE dwell_s
#                                   ^^^^^^^
# A condition must be true or false.
# Try: compare it with something, e.g. x > 0

# title: IS with something else
SELECT COUNT(*) FROM events WHERE cell_id IS 5;
# E_FUNC
# SELECT COUNT(*) FROM events WHERE cell_id IS 5
#                                   ^^^^^^^^^^^^
# IS takes NULL, TRUE or FALSE.
# Try: x IS NULL

# title: a type that is not there
SELECT COUNT(CAST(age AS ENUM('a'))) FROM subscribers;
# E_FUNC
# SELECT COUNT(CAST(age AS ENUM('a'))) FROM subscribers
#                   ^^^^^^^^^^^^^^^
# This type is not in the dialect.
# Try: one of BIGINT, DOUBLE, VARCHAR, BOOLEAN, DATE, TIMESTAMP

# title: a constant that does not fit
SELECT COUNT(*) FROM events WHERE cell_id = CAST('x' AS BIGINT);
# E_PARSE
# SELECT COUNT(*) FROM events WHERE cell_id = CAST('x' AS BIGINT)
#                                                  ^^^
# 'x' is not a BIGINT.
# Try: a number in digits

# title: a part of a date from a column
SELECT COUNT(date_part(home_zone, ts)) FROM events JOIN subscribers USING (subscriber_id);
# E_FUNC
# SELECT COUNT(date_part(home_zone, ts)) FROM events JOIN subscribers USING (subscriber_id)
#              ^^^^^^^^^^^^^^^^^^^^^^^
# The part of a date must be a constant.
# Try: EXTRACT(hour FROM ts)

# title: a part of a date that is none
SELECT COUNT(*) FROM events WHERE EXTRACT(fortnight FROM ts) = 1;
# E_FUNC
# SELECT COUNT(*) FROM events WHERE EXTRACT(fortnight FROM ts) = 1
#                                                          ^^
# There is no date part fortnight.
# Try: EXTRACT(hour FROM ts)

# title: a unit that is none
SELECT COUNT(*) FROM events WHERE date_trunc('fortnight', ts) > ts;
# E_FUNC
# SELECT COUNT(*) FROM events WHERE date_trunc('fortnight', ts) > ts
#                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^
# There is no unit fortnight.
# Try: one of year, quarter, month, week, day, hour, minute, second

# title: one person's aggregate that is not built
SELECT AVG(x) FROM (SELECT subscriber_id, ENTROPY(cell_id) AS x FROM events GROUP BY 1);
# E_AGG
# SELECT AVG(x) FROM (SELECT subscriber_id, ENTROPY(cell_id) AS x FROM events GROUP BY 1)
#                                           ^^^^^^^^^^^^^^^
# The aggregate ENTROPY is not in the dialect.
# Try: SELECT AVG(x) FROM (SELECT subscriber_id, COUNT(DISTINCT cell_id) AS x FROM events GROUP BY 1) -- the number of different values

# title: an order by something else after DISTINCT
SELECT DISTINCT cell_id FROM cells ORDER BY zone;
# E_COLUMN
# SELECT DISTINCT cell_id FROM cells ORDER BY zone
#                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# After DISTINCT, ORDER BY takes columns of the select list.
# Try: ORDER BY 1

# title: an order by a column that is not there
SELECT cell_id, COUNT(*) FROM events GROUP BY 1 ORDER BY 5;
# E_COLUMN
# SELECT cell_id, COUNT(*) FROM events GROUP BY 1 ORDER BY 5
#                                                          ^
# There is no column 5 in the select list.
# Try: ORDER BY 1

# title: a group by a column that is not there
SELECT cell_id, COUNT(*) FROM events GROUP BY 5;
# E_KEY
# SELECT cell_id, COUNT(*) FROM events GROUP BY 5
#                                               ^
# There is no column 5 in the select list.
# Try: GROUP BY 1

# title: an aggregate as a key
SELECT COUNT(*) AS n FROM events GROUP BY n;
# E_AGG
# SELECT COUNT(*) AS n FROM events GROUP BY n
#                                           ^
# An aggregate can't be a group key.
# Try: GROUP BY the other columns

# title: a star without a table
SELECT *;
# E_TABLE
# SELECT *
#        ^
# * has no table to stand for.
# Try: add a FROM

# title: distinct rows without the person
SELECT COUNT(*) FROM (SELECT DISTINCT cell_id, lat FROM events);
# E_ROWS
# SELECT COUNT(*) FROM (SELECT DISTINCT cell_id, lat FROM events)
#                                       ^^^^^^^^^^^^^^^^^^^^^^^^
# DISTINCT over private rows needs the person key in the select list.
# Try: SELECT DISTINCT subscriber_id, ...; or GROUP BY in its place, for the groups of a release

# title: nobody's group
SELECT COUNT(*) FROM (SELECT e.subscriber_id, COUNT(*) AS n FROM subscribers s LEFT JOIN events e ON s.subscriber_id = e.subscriber_id GROUP BY 1);
# E_PERSON_KEY
# SELECT COUNT(*) FROM (SELECT e.subscriber_id, COUNT(*) AS n FROM subscribers s LEFT JOIN events e ON s.subscriber_id = e.subscriber_id GROUP BY 1)
#                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# This side of the LEFT JOIN has no person where no row matched.
# Try: GROUP BY subscriber_id of the left table

# title: NOT IN over two columns
SELECT COUNT(*) FROM events WHERE (cell_id, subscriber_id) NOT IN (SELECT cell_id, subscriber_id FROM events);
# E_SUBQUERY
# SELECT COUNT(*) FROM events WHERE (cell_id, subscriber_id) NOT IN (SELECT cell_id, subscriber_id FROM events)
#                                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# NOT IN is never true once its list holds a NULL, and this one may.
# Try: NOT EXISTS (SELECT 1 FROM ... WHERE ... = ...)

# title: IN over another type
SELECT COUNT(*) FROM events WHERE cell_id IN (SELECT zone FROM cells);
# E_SUBQUERY
# SELECT COUNT(*) FROM events WHERE cell_id IN (SELECT zone FROM cells)
#                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# = does not take (BIGINT, VARCHAR).
# Try: compare values of one type

# title: a subquery that is compared wholly
SELECT COUNT(*) FROM events WHERE cell_id = ANY (SELECT cell_id FROM cells);
# E_SUBQUERY
# SELECT COUNT(*) FROM events WHERE cell_id = ANY (SELECT cell_id FROM cells)
#                                                         ^^^^^^^^^^^^^^^^^^
# A subquery can't stand here.
# Try: put it into FROM and join it

# title: a FETCH with ties
SELECT cell_id, COUNT(*) FROM events GROUP BY 1 ORDER BY 2 FETCH FIRST 10 PERCENT ROWS ONLY;
# E_PARAM
# SELECT cell_id, COUNT(*) FROM events GROUP BY 1 ORDER BY 2 FETCH FIRST 10 PERCENT ROWS ONLY
#                                                                        ^^
# FETCH takes a number of first rows.
# Try: FETCH FIRST 10 ROWS ONLY

# title: a comment alone
-- nothing else;
# E_PARSE
# -- nothing else
# ^^
# There is no question here, only a comment.
# Try: SELECT COUNT(*) FROM ...

# title: a character that is none
SELECT COUNT(*) FROM events WHERE cell_id = 1 ¬ 2;
# E_PARSE
# SELECT COUNT(*) FROM events WHERE cell_id = 1 ¬ 2
#                                               ^
# The SQL can't be read from here on.
# Try: check the words around this place

# title: a number in hexadecimal digits
SELECT COUNT(*) FROM events WHERE cell_id = 0x7fff;
# E_PARSE
# SELECT COUNT(*) FROM events WHERE cell_id = 0x7fff
#                                             ^^^^^^
# A number is written in decimal digits.
# Try: put a space before a name

# title: joins without conditions
SELECT COUNT(*) FROM events JOIN cells a JOIN cells b JOIN cells c JOIN cells d JOIN hours;
# E_COMPLEX
# SELECT COUNT(*) FROM events JOIN cells a JOIN cells b JOIN cells c JOIN cells d JOIN hours
#                                                                                 ^^^^
# More than 3 JOINs have no ON or USING right behind them.
# Try: ON or USING behind each JOIN, or CROSS JOIN

# title: nesting
SELECT ((((((((((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))))))))));
# E_COMPLEX
# SELECT ((((((((((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))))))))))
#                                                ^
# More than 40 levels are nested here.
# Try: split the question into several statements

# title: a chain of signs
SELECT 1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1;
# E_COMPLEX
# SELECT 1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1
#        ^^^^^^^^^^^^^^^^^^^^^
# An expression is more than 120 steps deep.
# Try: split the question into several statements

# title: 21 joins
SELECT COUNT(*) FROM events, hours a, hours b, hours c, hours d, hours e, hours f, hours g, hours h, hours i, hours j, hours k, hours l, hours m, hours n, hours o, hours p, hours q, hours r, hours s, hours t, hours u, hours v;
# E_COMPLEX
# SELECT COUNT(*) FROM events, hours a, hours b, hours c, hours d, hours e, hours f, hours g, hours h, hours i, hours j, hours k, hours l, hours m, hours n, hours o, hours p, hours q, hours r, hours s, hours t, hours u, hours v
# ^^^^^^
# The question has more than 20 joins.
# Try: split the question into several statements

# title: a plan of the engine's own
EXPLAIN ANALYZE SELECT COUNT(*) FROM events;
# E_STMT
# EXPLAIN ANALYZE SELECT COUNT(*) FROM events
# ^^^^^^^
# Only EXPLAIN PRIVACY and a question can be explained.
# Try: EXPLAIN PRIVACY SELECT COUNT(*) FROM events

# title: a list that is not there
SHOW USERS;
# E_STMT
# SHOW USERS
#      ^^^^^
# SHOW lists TABLES, BUDGET, RELEASES, FUNCTIONS.
# Try: SHOW TABLES

# title: a description of a question
DESCRIBE SELECT 1;
# E_STMT
# DESCRIBE SELECT 1
# ^^^^^^^^
# DESCRIBE takes the name of one table.
# Try: SHOW TABLES

# title: a hint inside a name
SELECT COUNT(*) FROM events WHERE dbo.events.dwell_s > 1;
# E_FUNC
# SELECT COUNT(*) FROM events WHERE dbo.events.dwell_s > 1
#                                   ^^^^^^^^^^^^^^^^^^
# Columns have no parts of their own.
# Try: SELECT COUNT(*) FROM events WHERE events.dwell_s > 1 -- without a schema

# title: columns of a schema and a database, as a tool writes them
SELECT COUNT("shop"."dbo"."events"."dwell_s") FROM "shop"."dbo"."events";
# E_TABLE
# SELECT COUNT("shop"."dbo"."events"."dwell_s") FROM "shop"."dbo"."events"
#                                                    ^^^^^^^^^^^^^^^^^^^^^
# Tables have no schema in front, or main.
# Try: SELECT COUNT("events"."dwell_s") FROM "events" -- without a schema

# title: all columns of a table in a schema
SELECT COUNT(*) FROM (SELECT dbo.events.* FROM events);
# E_FUNC
# SELECT COUNT(*) FROM (SELECT dbo.events.* FROM events)
#                              ^^^^^^^^^^^^
# Columns have no parts of their own.
# Try: SELECT COUNT(*) FROM (SELECT events.* FROM events) -- without a schema

# title: a row of numbers of the row around
SELECT COUNT(*) FROM subscribers s WHERE (SELECT COUNT(*), 1 FROM events e WHERE e.subscriber_id = s.subscriber_id) > 1;
# E_SUBQUERY
# SELECT COUNT(*) FROM subscribers s WHERE (SELECT COUNT(*), 1 FROM events e WHERE e.subscriber_id = s.subscriber_id) > 1
#                                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A subquery that names the row around it selects one value.
# Try: (SELECT MAX(x) FROM ... WHERE ... = ...)

# title: one of many rows of the row around
SELECT COUNT(*) FROM subscribers s WHERE (SELECT e.cell_id FROM events e WHERE e.subscriber_id = s.subscriber_id) > 1;
# E_SUBQUERY
# SELECT COUNT(*) FROM subscribers s WHERE (SELECT e.cell_id FROM events e WHERE e.subscriber_id = s.subscriber_id) > 1
#                                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A subquery of one value is an aggregate, or looks a row up by its primary key.
# Try: (SELECT MAX(x) FROM ... WHERE ... = ...)

# title: a number of other people's rows
SELECT COUNT(*) FROM subscribers s WHERE (SELECT COUNT(*) FROM events e WHERE e.cell_id > s.age) > 1;
# E_SUBQUERY
# SELECT COUNT(*) FROM subscribers s WHERE (SELECT COUNT(*) FROM events e WHERE e.cell_id > s.age) > 1
#                                                                               ^^^^^^^^^^^^^^^^^
# A subquery of one value is tied to the row around it by equalities alone.
# Try: a join on the person key, or a window: LAG(x) OVER (...)

# title: two sides that keep what nobody has
SELECT h.h, COUNT(x.subscriber_id) FROM hours h LEFT JOIN (SELECT c.cell_id, e.subscriber_id FROM cells c LEFT JOIN events e USING (cell_id)) x ON x.cell_id = h.h GROUP BY 1;
# E_JOIN
# SELECT h.h, COUNT(x.subscriber_id) FROM hours h LEFT JOIN (SELECT c.cell_id, e.subscriber_id FROM cells c LEFT JOIN events e USING (cell_id)) x ON x.cell_id = h.h GROUP BY 1
#                                                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Behind a public table LEFT JOIN a private one, another one can't be on the left.
# Try: JOIN in one of the two places

# title: queries inside each other
SELECT COUNT(*) FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM events))))))))))))))))))))))))))))));
# E_COMPLEX
# SELECT COUNT(*) FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM events))))))))))))))))))))))))))))))
#                                                                                                                                                                                                                                                                                                                                                                                                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# More than 24 queries stand inside each other.
# Try: join the tables in one query

# title: arguments that are too few
SELECT CORR(dwell_s) FROM events;
# E_AGG
# SELECT CORR(dwell_s) FROM events
#        ^^^^^^^^^^^^^
# CORR takes 2 arguments, and 1 is given.
# Try: CORR(x, y)

# title: a deletion behind WITH
WITH x AS (SELECT 1 AS a) DELETE FROM events;
# E_STMT
# WITH x AS (SELECT 1 AS a) DELETE FROM events
#      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Only SELECT questions are answered.
# Try: SELECT ... FROM ...

# title: a constant that is too large for its type
SELECT COUNT(*) FROM events WHERE cell_id = CAST(300 AS TINYINT);
# E_PARSE
# SELECT COUNT(*) FROM events WHERE cell_id = CAST(300 AS TINYINT)
#                                                  ^^^
# 300 does not fit this type.
# Try: CAST(... AS BIGINT)

# title: nothing selected
SELECT FROM events;
# E_PARSE
# SELECT FROM events
#             ^^^^^^
# This SELECT names nothing that it selects.
# Try: SELECT COUNT(*) FROM ...

# title: columns of one name in a set
SELECT COUNT(*) FROM (SELECT cell_id, cell_id FROM cells UNION BY NAME SELECT cell_id, zone FROM cells);
# E_SUBQUERY
# SELECT COUNT(*) FROM (SELECT cell_id, cell_id FROM cells UNION BY NAME SELECT cell_id, zone FROM cells)
#                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# BY NAME is for UNION, of queries in which each name stands once.
# Try: give each column its own name by AS

# title: a window function with too much
SELECT COUNT(*) FROM (SELECT row_number(dwell_s) OVER (PARTITION BY subscriber_id ORDER BY ts) AS p FROM events) WHERE p > 1;
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT row_number(dwell_s) OVER (PARTITION BY subscriber_id ORDER BY ts) AS p FROM events) WHERE p > 1
#                              ^^^^^^^^^^^^^^^^^^^
# row_number takes no arguments, and 1 is given.
# Try: row_number()

# title: USING between two types
SELECT COUNT(*) FROM events e JOIN (SELECT zone AS cell_id FROM cells) c USING (cell_id);
# E_JOIN
# SELECT COUNT(*) FROM events e JOIN (SELECT zone AS cell_id FROM cells) c USING (cell_id)
#                                            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# = does not take (BIGINT, VARCHAR).
# Try: ON with values of one type

# title: a set behind a LEFT JOIN of nobody
SELECT COUNT(x.subscriber_id) FROM (SELECT c.cell_id, e.subscriber_id FROM cells c LEFT JOIN events e USING (cell_id) UNION ALL SELECT cell_id, subscriber_id FROM events) x;
# E_SUBQUERY
# SELECT COUNT(x.subscriber_id) FROM (SELECT c.cell_id, e.subscriber_id FROM cells c LEFT JOIN events e USING (cell_id) UNION ALL SELECT cell_id, subscriber_id FROM events) x
#                                            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# UNION has no rows for what a public table LEFT JOIN a private one keeps where nobody's row matched.
# Try: JOIN in place of LEFT JOIN

# title: more sets of keys than are made
SELECT COUNT(*) FROM events GROUP BY CUBE (cell_id, hour(ts), isodow(ts), lat > 1, dwell_s > 1, lat > 2, lat > 3, lat > 4, lat > 5, lat > 6);
# E_COMPLEX
# SELECT COUNT(*) FROM events GROUP BY CUBE (cell_id, hour(ts), isodow(ts), lat > 1, dwell_s > 1, lat > 2, lat > 3, lat > 4, lat > 5, lat > 6)
#                                            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# This GROUP BY has more than 32 sets of keys.
# Try: GROUPING SETS with the sets that you want

# title: sets inside a set
SELECT cell_id, COUNT(*) FROM events GROUP BY ROLLUP (cell_id, ROLLUP (cell_id));
# E_PARSE
# SELECT cell_id, COUNT(*) FROM events GROUP BY ROLLUP (cell_id, ROLLUP (cell_id))
#                                                                       ^
# The SQL can't be read from here on.
# Try: check the words around this place

# title: which set of none
SELECT cell_id, GROUPING(lat), COUNT(*) FROM events GROUP BY cell_id;
# E_KEY
# SELECT cell_id, GROUPING(lat), COUNT(*) FROM events GROUP BY cell_id
#                 ^^^^^^^^^^^^
# GROUPING takes keys of the GROUP BY.
# Try: GROUPING(a) with GROUP BY ROLLUP (a)

# title: the person in some sets
SELECT COUNT(*) FROM (SELECT subscriber_id, cell_id, COUNT(*) AS n FROM events GROUP BY ROLLUP (subscriber_id, cell_id));
# E_KEY
# SELECT COUNT(*) FROM (SELECT subscriber_id, cell_id, COUNT(*) AS n FROM events GROUP BY ROLLUP (subscriber_id, cell_id))
#                                                                                                 ^^^^^^^^^^^^^^^^^^^^^^
# Some of these sets are groups of one person's rows, and others hold many people's.
# Try: GROUP BY subscriber_id, ROLLUP (...)

# title: a table in brackets
SELECT COUNT(*) FROM (events);
# E_TABLE
# SELECT COUNT(*) FROM (events)
#                       ^^^^^^
# Brackets in FROM hold a subquery or a JOIN.
# Try: FROM events

# title: more sets of keys than there may be
SELECT COUNT(*) FROM events GROUP BY ROLLUP (cell_id, hour(ts)), ROLLUP (isodow(ts), lat > 1), ROLLUP (lat > 2, lat > 3), ROLLUP (lat > 4, lat > 5);
# E_COMPLEX
# SELECT COUNT(*) FROM events GROUP BY ROLLUP (cell_id, hour(ts)), ROLLUP (isodow(ts), lat > 1), ROLLUP (lat > 2, lat > 3), ROLLUP (lat > 4, lat > 5)
#                                                                                                                                   ^^^^^^^^^^^^^^^^
# This GROUP BY has more than 32 sets of keys.
# Try: GROUPING SETS with the sets that you want

# title: an escape sign where there is none
SELECT COUNT(*) FROM subscribers WHERE home_zone SIMILAR TO 'a' ESCAPE '$';
# E_FUNC
# SELECT COUNT(*) FROM subscribers WHERE home_zone SIMILAR TO 'a' ESCAPE '$'
#                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Only LIKE and ILIKE have an escape sign.
# Try: x LIKE '5$%' ESCAPE '$'

# title: all columns but one that is not there
SELECT COUNT(*) FROM (SELECT * EXCLUDE (nothing) FROM events);
# E_COLUMN
# SELECT COUNT(*) FROM (SELECT * EXCLUDE (nothing) FROM events)
#                              ^^^^^^^^^^^^^^^^^^
# * has no column nothing.
# Try: a column of the tables in FROM

# title: all columns but all
SELECT COUNT(*) FROM (SELECT * EXCLUDE (h) FROM hours);
# E_COLUMN
# SELECT COUNT(*) FROM (SELECT * EXCLUDE (h) FROM hours)
#                              ^^^^^^^^^^^^
# EXCLUDE leaves no column.
# Try: keep one of them

# title: one row of each
SELECT DISTINCT ON (cell_id) cell_id, lat FROM events;
# E_ROWS
# SELECT DISTINCT ON (cell_id) cell_id, lat FROM events
#                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# DISTINCT ON keeps one whole row of several.
# Try: GROUP BY, with MIN(x) or ARG_MIN(x, y) of the others

# title: movements of nobody
SELECT COUNT(*) FROM stays(cells);
# E_TABLE
# SELECT COUNT(*) FROM stays(cells)
#                      ^^^^^^^^^^^
# Movements are found in rows of people, and these are none.
# Try: a private table

# title: movements of rows without a person
SELECT COUNT(*) FROM stays((SELECT ts, cell_id FROM events));
# E_PERSON_KEY
# SELECT COUNT(*) FROM stays((SELECT ts, cell_id FROM events))
#                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# These rows do not show whose they are.
# Try: SELECT subscriber_id, ... in the subquery

# title: movements of no rows
SELECT COUNT(*) FROM stays();
# E_TABLE
# SELECT COUNT(*) FROM stays()
#                      ^^^^^
# stays needs the rows it is asked of.
# Try: stays(event)

# title: a parameter that nobody has
SELECT COUNT(*) FROM stays(events, speed => 3);
# E_PARAM
# SELECT COUNT(*) FROM stays(events, speed => 3)
#                                             ^
# stays has no parameter speed.
# Try: stays(event, min_minutes => ..., radius_m => ..., max_gap_minutes => ..., max_minutes => ...)

# title: a parameter twice
SELECT COUNT(*) FROM stays(events, min_minutes => 3, min_minutes => 4);
# E_PARAM
# SELECT COUNT(*) FROM stays(events, min_minutes => 3, min_minutes => 4)
#                                                                     ^
# min_minutes is given twice.
# Try: give it once

# title: a parameter out of its range
SELECT COUNT(*) FROM stays(events, min_minutes => -3);
# E_PARAM
# SELECT COUNT(*) FROM stays(events, min_minutes => -3)
#                                                    ^
# min_minutes is a whole number from 1 to 1,440.
# Try: min_minutes => 15

# title: options of a pattern from a column
SELECT COUNT(*) FROM subscribers WHERE regexp_matches(home_zone, 'a', gender);
# E_FUNC
# SELECT COUNT(*) FROM subscribers WHERE regexp_matches(home_zone, 'a', gender)
#                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# The options of a pattern are a constant.
# Try: 'i'

# title: an option of a pattern that is none
SELECT COUNT(*) FROM subscribers WHERE regexp_matches(home_zone, 'a', 'q');
# E_FUNC
# SELECT COUNT(*) FROM subscribers WHERE regexp_matches(home_zone, 'a', 'q')
#                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# There is no option 'q' of a pattern here.
# Try: 'i', 's' or 'g'

# title: a part with a step
SELECT home_zone[1:3:2], COUNT(*) FROM subscribers GROUP BY 1;
# E_FUNC
# SELECT home_zone[1:3:2], COUNT(*) FROM subscribers GROUP BY 1
#        ^^^^^^^^^^^^^^^
# A part has no step.
# Try: x[1:3], with constants

# title: a part from a column
SELECT COUNT(home_zone[age]) FROM subscribers;
# E_FUNC
# SELECT COUNT(home_zone[age]) FROM subscribers
#              ^^^^^^^^^^^^^
# Positions are constants.
# Try: x[1:3], with constants

# title: a zone from a column
SELECT COUNT(ts AT TIME ZONE home_zone) FROM events JOIN subscribers USING (subscriber_id);
# E_FUNC
# SELECT COUNT(ts AT TIME ZONE home_zone) FROM events JOIN subscribers USING (subscriber_id)
#              ^^^^^^^^^^^^^^^^^^^^^^^^^
# A time zone is a constant name.
# Try: ts AT TIME ZONE 'Europe/Berlin'

# title: a part of a date without a date
SELECT COUNT(date_part('hour')) FROM events;
# E_FUNC
# SELECT COUNT(date_part('hour')) FROM events
#              ^^^^^^^^^^^^^^^^^
# date_part takes 2 arguments, and 1 is given.
# Try: date_part('hour', ts)

# title: a difference in units that are none
SELECT COUNT(*) FROM events WHERE date_diff('fortnight', ts, ts) > 1;
# E_FUNC
# SELECT COUNT(*) FROM events WHERE date_diff('fortnight', ts, ts) > 1
#                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# There is no unit fortnight.
# Try: one of year, quarter, month, week, day, hour, minute, second

# title: columns by a lambda
SELECT COUNT(list_has_any([home_zone], [gender])) FROM subscribers;
# E_FUNC
# SELECT COUNT(list_has_any([home_zone], [gender])) FROM subscribers
#                            ^^^^^^^^^
# A list [...] is not in the dialect.
# Try: a column without brackets, or in double quotes

# title: two things without brackets around them
SELECT COUNT(DISTINCT cell_id, dwell_s) FROM events;
# E_AGG
# SELECT COUNT(DISTINCT cell_id, dwell_s) FROM events
#        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# DISTINCT is only allowed in COUNT, of one thing or of one tuple.
# Try: SELECT COUNT(DISTINCT (cell_id, dwell_s)) FROM events -- tuples with a NULL count too

# title: the middle of different values
SELECT MEDIAN(DISTINCT dwell_s) FROM events;
# E_AGG
# SELECT MEDIAN(DISTINCT dwell_s) FROM events
#        ^^^^^^^^^^^^^^^^^^^^^^^
# DISTINCT is only allowed in COUNT, of one thing or of one tuple.
# Try: SELECT COUNT(DISTINCT dwell_s) FROM events -- the number of different values

# title: a list of different values in the order of others
SELECT COUNT(*) FROM (SELECT subscriber_id, LIST(DISTINCT cell_id ORDER BY ts) AS cells FROM events GROUP BY subscriber_id);
# E_AGG
# SELECT COUNT(*) FROM (SELECT subscriber_id, LIST(DISTINCT cell_id ORDER BY ts) AS cells FROM events GROUP BY subscriber_id)
#                                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# DISTINCT and an order of other things do not go together here.
# Try: SELECT COUNT(*) FROM (SELECT subscriber_id, LIST(DISTINCT cell_id) AS cells FROM events GROUP BY subscriber_id) -- in the order of the values themselves

# title: texts joined by a column
SELECT COUNT(*) FROM (SELECT e.subscriber_id, STRING_AGG(s.home_zone, s.gender ORDER BY e.ts) AS path FROM events e JOIN subscribers s USING (subscriber_id) GROUP BY e.subscriber_id);
# E_AGG
# SELECT COUNT(*) FROM (SELECT e.subscriber_id, STRING_AGG(s.home_zone, s.gender ORDER BY e.ts) AS path FROM events e JOIN subscribers s USING (subscriber_id) GROUP BY e.subscriber_id)
#                                               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# What stands between joined texts is a constant.
# Try: STRING_AGG(x, ', ')

# title: a discrete quantile from above
SELECT COUNT(*) FROM (SELECT subscriber_id, PERCENTILE_DISC(0.25) WITHIN GROUP (ORDER BY dwell_s DESC) AS q FROM events GROUP BY subscriber_id);
# E_AGG
# SELECT COUNT(*) FROM (SELECT subscriber_id, PERCENTILE_DISC(0.25) WITHIN GROUP (ORDER BY dwell_s DESC) AS q FROM events GROUP BY subscriber_id)
#                                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# PERCENTILE_DISC is read from below.
# Try: PERCENTILE_DISC(0.75) WITHIN GROUP (ORDER BY x)

# title: a cell of no resolution
SELECT COUNT(h3_cell(lon, lat, cell_id)) FROM events;
# E_FUNC
# SELECT COUNT(h3_cell(lon, lat, cell_id)) FROM events
#              ^^^^^^^^^^^^^^^^^^^^^^^^^
# h3_cell takes a longitude, a latitude and a constant resolution from 0 to 15.
# Try: h3_cell(lon, lat, 9)

# title: a cell of a place that is computed
SELECT COUNT(h3_cell(lon + 1, lat, 9)) FROM events;
# E_FUNC
# SELECT COUNT(h3_cell(lon + 1, lat, 9)) FROM events
#              ^^^^^^^^^^^^^^^^^^^^^^^
# H3 cells are there of stored coordinates alone.
# Try: h3_cell(the column of longitude, the column of latitude, 9)

# title: a cell of coordinates that have none
SELECT COUNT(h3_cell(lon, lat, 9)) FROM events;
# E_FUNC
# SELECT COUNT(h3_cell(lon, lat, 9)) FROM events
#              ^^^^^^^^^^^^^^^^^^^
# No column with H3 cells of these coordinates is in sight here.
# Try: select it in the subquery too, or let the steward declare one in events: h3 = { lon = "lon", lat = "lat", resolution = 9 }

# title: a cell of two tables
SELECT COUNT(h3_cell(e.lon, c.lat, 9)) FROM events e JOIN cells c USING (cell_id);
# E_FUNC
# SELECT COUNT(h3_cell(e.lon, c.lat, 9)) FROM events e JOIN cells c USING (cell_id)
#              ^^^^^^^^^^^^^^^^^^^^^^^
# H3 cells are there of stored coordinates of one row.
# Try: select the cell where the table is read

# title: a place that is no point
SELECT COUNT(ST_Contains(cell_id, lon)) FROM events;
# E_FUNC
# SELECT COUNT(ST_Contains(cell_id, lon)) FROM events
#              ^^^^^^^^^^^^^^^^^^^^^^^^
# A point is written ST_Point(lon, lat).
# Try: within_polygon(lon, lat, the polygon)

# title: a name for joins in brackets
SELECT COUNT(*) FROM (events JOIN cells USING (cell_id)) AS both;
# E_JOIN
# SELECT COUNT(*) FROM (events JOIN cells USING (cell_id)) AS both
#                       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Joins in brackets have no name of their own.
# Try: (SELECT ... FROM ... JOIN ...) AS name

# title: a name that USING merges in brackets
SELECT COUNT(*) FROM events e JOIN (cells a JOIN cells b USING (cell_id)) ON e.cell_id = a.cell_id;
# E_JOIN
# SELECT COUNT(*) FROM events e JOIN (cells a JOIN cells b USING (cell_id)) ON e.cell_id = a.cell_id
#                                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A name that USING merges in brackets stands outside of them too.
# Try: join the tables one by one

# title: a cube of nine keys
SELECT cell_id, COUNT(*) FROM events GROUP BY CUBE (cell_id, cell_id, cell_id, cell_id, cell_id, cell_id, cell_id, cell_id, cell_id);
# E_COMPLEX
# SELECT cell_id, COUNT(*) FROM events GROUP BY CUBE (cell_id, cell_id, cell_id, cell_id, cell_id, cell_id, cell_id, cell_id, cell_id)
#                                                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# This GROUP BY has more than 32 sets of keys.
# Try: GROUPING SETS with the sets that you want

# title: two cubes whose sets multiply
SELECT COUNT(*) FROM events GROUP BY CUBE (cell_id, hour(ts), isodow(ts)), CUBE (minute(ts), day(ts), month(ts));
# E_COMPLEX
# SELECT COUNT(*) FROM events GROUP BY CUBE (cell_id, hour(ts), isodow(ts)), CUBE (minute(ts), day(ts), month(ts))
#                                                                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# This GROUP BY has more than 32 sets of keys.
# Try: GROUPING SETS with the sets that you want

# title: a list of keys in a list of keys
SELECT gender, COUNT(*) FROM subscribers GROUP BY ROLLUP (gender, (age > 30, (age > 40, age > 50)));
# E_KEY
# SELECT gender, COUNT(*) FROM subscribers GROUP BY ROLLUP (gender, (age > 30, (age > 40, age > 50)))
#                                                                               ^^^^^^^^^^^^^^^^^^
# A list of keys can't stand inside another one.
# Try: GROUP BY ROLLUP (a, b)

# title: a sum of text
SELECT SUM(gender) FROM subscribers;
# E_AGG
# SELECT SUM(gender) FROM subscribers
#        ^^^^^^^^^^
# SUM takes numbers.
# Try: SELECT gender, COUNT(*) FROM subscribers GROUP BY gender -- a row for each value of gender

# title: a mean of times
SELECT AVG(ts) FROM events;
# E_AGG
# SELECT AVG(ts) FROM events
#        ^^^^^^
# AVG takes numbers.
# Try: SELECT AVG(HOUR(ts)) FROM events -- of the hour of the day

# title: a number where a condition is counted
SELECT COUNT_IF(age) FROM subscribers;
# E_AGG
# SELECT COUNT_IF(age) FROM subscribers
#        ^^^^^^^^^^^^
# COUNT_IF takes a condition.
# Try: SELECT COUNT_IF(age <> 0) FROM subscribers

# title: text where a condition is counted
SELECT COUNT_IF(gender) FROM subscribers;
# E_AGG
# SELECT COUNT_IF(gender) FROM subscribers
#        ^^^^^^^^^^^^^^^
# COUNT_IF takes a condition.
# Try: SELECT COUNT(DISTINCT gender) FROM subscribers -- the number of different values

# title: a number where any condition is asked for
SELECT BOOL_OR(age) FROM subscribers;
# E_AGG
# SELECT BOOL_OR(age) FROM subscribers
#        ^^^^^^^^^^^
# BOOL_OR takes a condition.
# Try: SELECT COUNT(DISTINCT age) FROM subscribers -- the number of different values

# title: numbers joined as text
SELECT COUNT(*) FROM (SELECT subscriber_id, STRING_AGG(cell_id) AS path FROM events GROUP BY subscriber_id);
# E_AGG
# SELECT COUNT(*) FROM (SELECT subscriber_id, STRING_AGG(cell_id) AS path FROM events GROUP BY subscriber_id)
#                                             ^^^^^^^^^^^^^^^^^^
# STRING_AGG takes text.
# Try: SELECT COUNT(*) FROM (SELECT subscriber_id, STRING_AGG(CAST(cell_id AS VARCHAR), ',') AS path FROM events GROUP BY subscriber_id)

# title: turned bits of a sum
SELECT ~age + 1, COUNT(*) FROM subscribers GROUP BY 1;
# E_FUNC
# SELECT ~age + 1, COUNT(*) FROM subscribers GROUP BY 1
#        ^^^^
# It is not clear where ~ ends.
# Try: SELECT (~age) + 1, COUNT(*) FROM subscribers GROUP BY 1 -- ~ of this alone; DuckDB takes all that follows it

# title: EXPLAIN alone
EXPLAIN SELECT COUNT(*) FROM events;
# E_STMT
# EXPLAIN SELECT COUNT(*) FROM events
# ^^^^^^^
# Only EXPLAIN PRIVACY and a question can be explained.
# Try: EXPLAIN PRIVACY SELECT COUNT(*) FROM events

# title: a listing that nobody has
SHOW COLUMNS;
# E_STMT
# SHOW COLUMNS
#      ^^^^^^^
# SHOW lists TABLES, BUDGET, RELEASES, FUNCTIONS.
# Try: SHOW TABLES

# title: a description of two tables
DESCRIBE events cells;
# E_STMT
# DESCRIBE events cells
# ^^^^^^^^
# DESCRIBE takes the name of one table.
# Try: SHOW TABLES

# title: a list of columns to look for in a list
SELECT COUNT(list_has_any(string_split(home_zone, 'Z'), [gender])) FROM subscribers;
# E_FUNC
# SELECT COUNT(list_has_any(string_split(home_zone, 'Z'), [gender])) FROM subscribers
#              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# The second list is one of constants.
# Try: list_has_any(x, ['a', 'b'])

# title: two positions
SELECT COUNT(home_zone[1, 2]) FROM subscribers;
# E_FUNC
# SELECT COUNT(home_zone[1, 2]) FROM subscribers
#              ^^^^^^^^^^^^^^
# A part has one position, or a first and a last one.
# Try: x[1:3], with constants

# title: whole fortnights between
SELECT COUNT(date_sub('fortnight', ts, ts)) FROM events;
# E_FUNC
# SELECT COUNT(date_sub('fortnight', ts, ts)) FROM events
#              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# There is no unit fortnight.
# Try: one of year, quarter, month, week, day, hour, minute, second

# title: an instant that a clock shows
SELECT COUNT(ts AT TIME ZONE 'Europe/Berlin') FROM events;
# E_FUNC
# SELECT COUNT(ts AT TIME ZONE 'Europe/Berlin') FROM events
#              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Which instant a clock shows is read on a clock again.
# Try: ts AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin'

# title: a zone of no time
SELECT COUNT(timezone('Europe/Berlin')) FROM events;
# E_FUNC
# SELECT COUNT(timezone('Europe/Berlin')) FROM events
#              ^^^^^^^^^^^^^^^^^^^^^^^^^
# timezone takes 2 arguments, and 1 is given.
# Try: timezone('Europe/Berlin', ts)

# title: minutes of a column
SELECT COUNT(ts + to_minutes(cell_id)) FROM events;
# E_FUNC
# SELECT COUNT(ts + to_minutes(cell_id)) FROM events
#                   ^^^^^^^^^^^^^^^^^^
# An interval is one constant and one unit.
# Try: INTERVAL 15 MINUTE

# title: an interval in words
SELECT COUNT(ts + INTERVAL '1 day ago') FROM events;
# E_FUNC
# SELECT COUNT(ts + INTERVAL '1 day ago') FROM events
#                            ^^^^^^^^^^^
# An interval is one constant and one unit.
# Try: INTERVAL 15 MINUTE

# title: EXISTS under OR that names nothing around it
SELECT COUNT(*) FROM events WHERE lat > 1 OR EXISTS (SELECT 1 FROM subscribers WHERE age = 113);
# E_SUBQUERY
# SELECT COUNT(*) FROM events WHERE lat > 1 OR EXISTS (SELECT 1 FROM subscribers WHERE age = 113)
#                                                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# This EXISTS is the same for every row.
# Try: EXISTS (SELECT 1 FROM ... WHERE inner.x = outer.x)

# title: IN under NOT and AND over what may be NULL
SELECT COUNT(*) FROM events WHERE NOT (lat > 1 AND cell_id IN (SELECT cell_id FROM cells));
# E_SUBQUERY
# SELECT COUNT(*) FROM events WHERE NOT (lat > 1 AND cell_id IN (SELECT cell_id FROM cells))
#                                                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# IN whose value is shown or negated compares columns that are never NULL, each with one of the subquery's.
# Try: EXISTS (SELECT 1 FROM ... WHERE inner.x = outer.x)

# title: a test by a subquery beside groups
SELECT cell_id, cell_id IN (SELECT h FROM hours) AS x, COUNT(*) FROM events GROUP BY cell_id;
# E_SUBQUERY
# SELECT cell_id, cell_id IN (SELECT h FROM hours) AS x, COUNT(*) FROM events GROUP BY cell_id
#                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A test by a subquery stands in WHERE, in the select list or in a key, and not beside groups.
# Try: FROM (SELECT *, x IN (SELECT ...) AS is_in FROM ...)

# title: a look-up by what is no primary key
SELECT COUNT(*) FROM events e WHERE (SELECT s.age FROM subscribers s WHERE s.age = e.cell_id) > 3;
# E_SUBQUERY
# SELECT COUNT(*) FROM events e WHERE (SELECT s.age FROM subscribers s WHERE s.age = e.cell_id) > 3
#                                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A subquery of one value is an aggregate, or looks a row up by its primary key.
# Try: (SELECT MAX(x) FROM ... WHERE ... = ...)

# title: a subquery tied by more than equalities
SELECT COUNT(*) FROM events e WHERE e.lat > (SELECT AVG(f.lat) FROM events f WHERE f.subscriber_id = e.subscriber_id AND f.ts < e.ts);
# E_SUBQUERY
# SELECT COUNT(*) FROM events e WHERE e.lat > (SELECT AVG(f.lat) FROM events f WHERE f.subscriber_id = e.subscriber_id AND f.ts < e.ts)
#                                                                                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A subquery of one value is tied to the row around it by equalities alone.
# Try: a join on the person key, or a window: LAG(x) OVER (...)

# title: two values tied to the row around them
SELECT COUNT(*) FROM events e WHERE e.lat > (SELECT s.age, s.gender FROM subscribers s WHERE s.subscriber_id = e.subscriber_id);
# E_SUBQUERY
# SELECT COUNT(*) FROM events e WHERE e.lat > (SELECT s.age, s.gender FROM subscribers s WHERE s.subscriber_id = e.subscriber_id)
#                                                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A subquery that names the row around it selects one value.
# Try: (SELECT MAX(x) FROM ... WHERE ... = ...)

# title: a list of nothing
SELECT COUNT(*) FROM (SELECT subscriber_id, LIST(DISTINCT ORDER BY cell_id) AS cells FROM events GROUP BY subscriber_id);
# E_AGG
# SELECT COUNT(*) FROM (SELECT subscriber_id, LIST(DISTINCT ORDER BY cell_id) AS cells FROM events GROUP BY subscriber_id)
#                                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# LIST takes something to put in order.
# Try: LIST(x)

# title: clauses out of order
SELECT cell_id, COUNT(*) AS n FROM events GROUP BY cell_id WHERE dwell_s > 60;
# E_PARSE
# SELECT cell_id, COUNT(*) AS n FROM events GROUP BY cell_id WHERE dwell_s > 60
#                                                            ^^^^^
# WHERE stands before GROUP BY in SQL, not behind it.
# Try: SELECT cell_id, COUNT(*) AS n FROM events WHERE dwell_s > 60 GROUP BY cell_id

# title: a join behind the condition
SELECT zone, COUNT(*) AS n FROM events e WHERE e.dwell_s > 60 LEFT JOIN cells c ON c.cell_id = e.cell_id GROUP BY zone;
# E_PARSE
# SELECT zone, COUNT(*) AS n FROM events e WHERE e.dwell_s > 60 LEFT JOIN cells c ON c.cell_id = e.cell_id GROUP BY zone
#                                                                    ^^^^
# JOIN stands before WHERE in SQL, not behind it.
# Try: SELECT zone, COUNT(*) AS n FROM events e LEFT JOIN cells c ON c.cell_id = e.cell_id WHERE e.dwell_s > 60 GROUP BY zone

# title: several clauses out of order
SELECT cell_id, COUNT(*) AS n LIMIT 10 FROM events ORDER BY n HAVING COUNT(*) > 10 GROUP BY cell_id;
# E_PARSE
# SELECT cell_id, COUNT(*) AS n LIMIT 10 FROM events ORDER BY n HAVING COUNT(*) > 10 GROUP BY cell_id
#                                        ^^^^
# FROM stands before LIMIT in SQL, not behind it.
# Try: SELECT cell_id, COUNT(*) AS n FROM events GROUP BY cell_id HAVING COUNT(*) > 10 ORDER BY n LIMIT 10

# title: conditions one after the other
SELECT COUNT(*) AS n FROM events WHERE dwell_s > 60 WHERE cell_id = 1 OR cell_id = 2;
# E_PARSE
# SELECT COUNT(*) AS n FROM events WHERE dwell_s > 60 WHERE cell_id = 1 OR cell_id = 2
#                                                     ^^^^^
# WHERE stands twice in one SELECT.
# Try: SELECT COUNT(*) AS n FROM events WHERE (dwell_s > 60) AND (cell_id = 1 OR cell_id = 2)

# title: conditions with commas
SELECT COUNT(*) AS n FROM events WHERE dwell_s > 60, cell_id = 1;
# E_PARSE
# SELECT COUNT(*) AS n FROM events WHERE dwell_s > 60, cell_id = 1
#                                                    ^
# Conditions are joined by AND, not by commas.
# Try: SELECT COUNT(*) AS n FROM events WHERE dwell_s > 60 AND cell_id = 1

# title: an order before a set operation
SELECT cell_id, COUNT(*) AS n FROM events GROUP BY cell_id ORDER BY n LIMIT 3 UNION ALL SELECT 0, COUNT(*) FROM events;
# E_PARSE
# SELECT cell_id, COUNT(*) AS n FROM events GROUP BY cell_id ORDER BY n LIMIT 3 UNION ALL SELECT 0, COUNT(*) FROM events
#                                                            ^^^^^^^^
# ORDER BY before a set operation belongs to neither side.
# Try: (SELECT cell_id, COUNT(*) AS n FROM events GROUP BY cell_id ORDER BY n LIMIT 3) UNION ALL SELECT 0, COUNT(*) FROM events

# title: a condition without a SELECT
SELECT COUNT(*) AS n FROM (events WHERE dwell_s > 60);
# E_PARSE
# SELECT COUNT(*) AS n FROM (events WHERE dwell_s > 60)
#                                   ^^^^^
# WHERE belongs to a SELECT, and none stands here.
# Try: SELECT ... FROM ... WHERE ...

# title: a WITH behind a set operation
SELECT COUNT(*) AS n FROM events UNION ALL WITH e AS (SELECT * FROM events) SELECT COUNT(*) FROM e;
# E_PARSE
# SELECT COUNT(*) AS n FROM events UNION ALL WITH e AS (SELECT * FROM events) SELECT COUNT(*) FROM e
#                                            ^^^^
# WITH stands at the beginning of a question, or of brackets.
# Try: SELECT COUNT(*) AS n FROM events UNION ALL (WITH e AS (SELECT * FROM events) SELECT COUNT(*) FROM e)

# title: a join to nothing
SELECT COUNT(*) AS n JOIN cells c ON c.cell_id = 1;
# E_PARSE
# SELECT COUNT(*) AS n JOIN cells c ON c.cell_id = 1
#                      ^^^^
# JOIN belongs to a FROM, and none stands here.
# Try: SELECT ... FROM ... JOIN ...

# title: a window over rows beside their groups
SELECT cell_id, COUNT(*) AS n FROM events WHERE dwell_s > 60 GROUP BY cell_id QUALIFY ROW_NUMBER() OVER (PARTITION BY subscriber_id ORDER BY ts) = 1;
# E_WINDOW
# SELECT cell_id, COUNT(*) AS n FROM events WHERE dwell_s > 60 GROUP BY cell_id QUALIFY ROW_NUMBER() OVER (PARTITION BY subscriber_id ORDER BY ts) = 1
#                                                                                                                       ^^^^^^^^^^^^^
# A window beside GROUP BY or aggregates looks at groups, and subscriber_id is a column of rows.
# Try: SELECT cell_id, COUNT(*) AS n FROM (SELECT * FROM events WHERE dwell_s > 60 QUALIFY ROW_NUMBER() OVER (PARTITION BY subscriber_id ORDER BY ts) = 1) GROUP BY cell_id -- rows are chosen before they are grouped

# title: a window over rows beside an aggregate
SELECT COUNT(*) AS n FROM events e JOIN cells c USING (cell_id) QUALIFY ROW_NUMBER() OVER (PARTITION BY e.subscriber_id ORDER BY e.ts) = 1;
# E_WINDOW
# SELECT COUNT(*) AS n FROM events e JOIN cells c USING (cell_id) QUALIFY ROW_NUMBER() OVER (PARTITION BY e.subscriber_id ORDER BY e.ts) = 1
#                                                                                                         ^^^^^^^^^^^^^^^
# A window beside GROUP BY or aggregates looks at groups, and subscriber_id is a column of rows.
# Try: SELECT COUNT(*) AS n FROM (SELECT * FROM events AS e JOIN cells AS c USING (cell_id) QUALIFY ROW_NUMBER() OVER (PARTITION BY e.subscriber_id ORDER BY e.ts) = 1) -- rows are chosen before they are grouped

# title: a person by the key
SELECT COUNT(*) AS n FROM events WHERE subscriber_id = 4217;
# E_PERSON_KEY
# SELECT COUNT(*) AS n FROM events WHERE subscriber_id = 4217
#                                        ^^^^^^^^^^^^^^^^^^^^
# Persons are chosen by what their rows say, not by their keys.
# Try: subscriber_id IN (SELECT subscriber_id FROM ... WHERE ...), or a condition on another column

# title: persons by a range of keys
SELECT COUNT(*) AS n FROM events WHERE subscriber_id BETWEEN 1 AND 100;
# E_PERSON_KEY
# SELECT COUNT(*) AS n FROM events WHERE subscriber_id BETWEEN 1 AND 100
#                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Persons are chosen by what their rows say, not by their keys.
# Try: subscriber_id IN (SELECT subscriber_id FROM ... WHERE ...), or a condition on another column

# title: accounts by a pattern
SHOW BUDGET LIKE '%me%';
# E_STMT
# SHOW BUDGET LIKE '%me%'
#             ^^^^
# LIKE chooses among FUNCTIONS or TABLES by name.
# Try: SHOW FUNCTIONS LIKE '%date%'

# title: a function of another kind, near in letters
SELECT hash(cell_id) AS h, COUNT(*) AS n FROM events GROUP BY 1;
# E_FUNC
# SELECT hash(cell_id) AS h, COUNT(*) AS n FROM events GROUP BY 1
#        ^^^^^^^^^^^^
# The function hash is not in the dialect.
# Try: see docs/functions.md

# title: something that is no table
SELECT COUNT(*) FROM LATERAL (SELECT 1);
# E_TABLE
# SELECT COUNT(*) FROM LATERAL (SELECT 1)
#                                      ^
# Only tables, subqueries and VALUES can stand in FROM.
# Try: a subquery that groups by what it is joined on; QUALIFY ROW_NUMBER() OVER (...) = 1 keeps the first of each

# title: a full join of people's rows with public ones
SELECT COUNT(*) FROM events FULL JOIN cells USING (cell_id);
# E_JOIN
# SELECT COUNT(*) FROM events FULL JOIN cells USING (cell_id)
#                                       ^^^^^^^^^^^^^^^^^^^^
# FULL JOIN keeps rows of both sides, and some of these would belong to no person.
# Try: LEFT JOIN, or FULL JOIN of two subqueries that each GROUP BY the same keys

# title: a full join behind a list of public rows
SELECT COUNT(*) FROM cells LEFT JOIN events USING (cell_id) FULL JOIN subscribers USING (subscriber_id);
# E_JOIN
# SELECT COUNT(*) FROM cells LEFT JOIN events USING (cell_id) FULL JOIN subscribers USING (subscriber_id)
#                                                                       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# FULL JOIN has no rows for what a public table LEFT JOIN a private one keeps where nobody's row matched.
# Try: JOIN in place of LEFT JOIN

# title: a list that is too long
SELECT * FROM range(1000000);
# E_TABLE
# SELECT * FROM range(1000000)
#               ^^^^^^^^^^^^^
# A list in FROM has at most 5,000 values.
# Try: range(24), generate_series(DATE '2026-10-01', DATE '2026-10-07', INTERVAL 1 DAY) or unnest(['a', 'b'])

# title: a list of several
SELECT * FROM unnest([1, 2], [3, 4]);
# E_TABLE
# SELECT * FROM unnest([1, 2], [3, 4])
#                       ^^^^^^^^^^^^
# A list in FROM is made of constants of one kind, and a step is not 0.
# Try: range(24), generate_series(DATE '2026-10-01', DATE '2026-10-07', INTERVAL 1 DAY) or unnest(['a', 'b'])

# title: a list that never ends
SELECT * FROM range(1, 10, 0);
# E_TABLE
# SELECT * FROM range(1, 10, 0)
#               ^^^^^^^^^^^^^^
# A list in FROM is made of constants of one kind, and a step is not 0.
# Try: range(24), generate_series(DATE '2026-10-01', DATE '2026-10-07', INTERVAL 1 DAY) or unnest(['a', 'b'])

# title: a list of a column
SELECT * FROM unnest(cell_id);
# E_TABLE
# SELECT * FROM unnest(cell_id)
#                      ^^^^^^^
# A list in FROM is made of constants of one kind, and a step is not 0.
# Try: range(24), generate_series(DATE '2026-10-01', DATE '2026-10-07', INTERVAL 1 DAY) or unnest(['a', 'b'])

# title: a list of days without a step
SELECT * FROM range(DATE '2026-10-01', DATE '2026-10-09');
# E_TABLE
# SELECT * FROM range(DATE '2026-10-01', DATE '2026-10-09')
#               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A list in FROM is made of constants of one kind, and a step is not 0.
# Try: range(24), generate_series(DATE '2026-10-01', DATE '2026-10-07', INTERVAL 1 DAY) or unnest(['a', 'b'])

# title: a list beyond the years that can be said
SELECT * FROM range(DATE '9998-10-01', DATE '9999-12-31', INTERVAL 1 YEAR);
# E_TABLE
# SELECT * FROM range(DATE '9998-10-01', DATE '9999-12-31', INTERVAL 1 YEAR)
#               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A list in FROM is made of constants of one kind, and a step is not 0.
# Try: range(24), generate_series(DATE '2026-10-01', DATE '2026-10-07', INTERVAL 1 DAY) or unnest(['a', 'b'])

# title: a value in what is no list
SELECT COUNT(*) FROM subscribers WHERE 'Z' IN home_zone;
# E_FUNC
# SELECT COUNT(*) FROM subscribers WHERE 'Z' IN home_zone
#                                        ^^^^^^^^^^^^^^^^
# LIST_CONTAINS does not take (VARCHAR, VARCHAR).
# Try: LIST_CONTAINS takes (list of integers, constant integer) or (list of integers, integer) or (list of text, constant text) or (list of text, text)

# title: a join of no side
SELECT COUNT(*) FROM events OUTER JOIN cells USING (cell_id);
# E_JOIN
# SELECT COUNT(*) FROM events OUTER JOIN cells USING (cell_id)
#                                        ^^^^^^^^^^^^^^^^^^^^
# OUTER JOIN is not in the dialect.
# Try: JOIN ... ON ...

# title: a test by a subquery as what a join is on
SELECT COUNT(*) FROM events e JOIN cells c ON (e.cell_id IN (SELECT cell_id FROM cells));
# E_SUBQUERY
# SELECT COUNT(*) FROM events e JOIN cells c ON (e.cell_id IN (SELECT cell_id FROM cells))
#                                                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A test by a subquery can't stand here.
# Try: FROM (SELECT *, x IN (SELECT ...) AS is_in FROM ...)

# title: rows of IN that have fewer values
SELECT COUNT(*) FROM events WHERE (cell_id, lat) IN ((1, 2), (3));
# E_FUNC
# SELECT COUNT(*) FROM events WHERE (cell_id, lat) IN ((1, 2), (3))
#                                                               ^
# The rows of IN have as many values as the row that is looked for.
# Try: (a, b) IN ((1, 2), (3, 4))

# title: persons chosen by rows of values
SELECT COUNT(*) FROM events WHERE (subscriber_id, cell_id) IN ((4217, 1));
# E_PERSON_KEY
# SELECT COUNT(*) FROM events WHERE (subscriber_id, cell_id) IN ((4217, 1))
#                                                                 ^^^^^^^
# Persons are chosen by what their rows say, not by their keys.
# Try: subscriber_id IN (SELECT subscriber_id FROM ... WHERE ...), or a condition on another column

# title: a list of IN that holds constants and names the row around it
SELECT COUNT_IF(cell_id IN (SELECT 7 FROM cells c WHERE c.cell_id = e.cell_id)) FROM events e;
# E_SUBQUERY
# SELECT COUNT_IF(cell_id IN (SELECT 7 FROM cells c WHERE c.cell_id = e.cell_id)) FROM events e
#                                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# The list of this IN holds values of the row around it, or constants.
# Try: EXISTS (SELECT 1 FROM ... WHERE inner.x = outer.x)

# title: a list of IN that is no plain query and names the row around it
SELECT COUNT_IF(cell_id IN (SELECT cell_id FROM cells c WHERE c.cell_id = e.cell_id UNION ALL SELECT 3)) FROM events e;
# E_SUBQUERY
# SELECT COUNT_IF(cell_id IN (SELECT cell_id FROM cells c WHERE c.cell_id = e.cell_id UNION ALL SELECT 3)) FROM events e
#                                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Only a plain SELECT ... FROM ... WHERE can name the row around it.
# Try: EXISTS (SELECT 1 FROM ... WHERE inner.x = outer.x)

# title: any of a list
SELECT COUNT(*) FROM events WHERE 'a' = ANY(string_split('a,b', ','));
# E_FUNC
# SELECT COUNT(*) FROM events WHERE 'a' = ANY(string_split('a,b', ','))
#                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# = ANY of a list is not in the dialect.
# Try: SELECT COUNT(*) FROM events WHERE list_contains(STR_SPLIT('a,b', ','), 'a')

# title: what time it is
SELECT COUNT(*) FROM events WHERE ts > now() - INTERVAL 7 DAY;
# E_FUNC
# SELECT COUNT(*) FROM events WHERE ts > now() - INTERVAL 7 DAY
#                                        ^^^
# now is another value whenever it is asked, and no repeat would be found again.
# Try: SELECT COUNT(*) FROM events WHERE ts > TIMESTAMP '2026-10-07 23:59:59' - INTERVAL 7 DAY -- 2026-10-07 is the last declared day

# title: the most frequent of a constant
SELECT COUNT(*) FROM (SELECT subscriber_id, MODE('a') AS m FROM events GROUP BY subscriber_id) WHERE m IS NOT NULL;
# E_AGG
# SELECT COUNT(*) FROM (SELECT subscriber_id, MODE('a') AS m FROM events GROUP BY subscriber_id) WHERE m IS NOT NULL
#                                             ^^^^^^^^
# MODE puts rows in order, and a constant is the same in every row.
# Try: MODE of a column, in the order of columns

# title: in the order of a constant
SELECT COUNT(*) FROM (SELECT subscriber_id, FIRST(cell_id ORDER BY TRUE) AS m FROM events GROUP BY subscriber_id) WHERE m IS NOT NULL;
# E_AGG
# SELECT COUNT(*) FROM (SELECT subscriber_id, FIRST(cell_id ORDER BY TRUE) AS m FROM events GROUP BY subscriber_id) WHERE m IS NOT NULL
#                                             ^^^^^^^^^^^^^
# FIRST puts rows in order, and a constant is the same in every row.
# Try: FIRST of a column, in the order of columns

# title: the first row of many people
SELECT FIRST(home_zone) FROM subscribers;
# E_AGG
# SELECT FIRST(home_zone) FROM subscribers
#        ^^^^^^^^^^^^^^^
# FIRST across people would return the value of one person.
# Try: SELECT home_zone, COUNT(*) FROM subscribers GROUP BY home_zone -- a row for each value of home_zone

# title: the list of tables as elsewhere
SELECT table_name FROM information_schema.tables;
# E_TABLE
# SELECT table_name FROM information_schema.tables
#                        ^^^^^^^^^^^^^^^^^^^^^^^^^
# information_schema is not there: statements tell what is declared, free of charge.
# Try: SHOW TABLES

# title: conditions joined as in C
SELECT COUNT(*) FROM subscribers WHERE gender == 'f' && age > 30;
# E_FUNC
# SELECT COUNT(*) FROM subscribers WHERE gender == 'f' && age > 30
#                                                  ^^^^^^^^^^
# && compares two lists; conditions are joined by AND.
# Try: SELECT COUNT(*) FROM subscribers WHERE gender == 'f' AND age > 30

# title: the time between two, added up
SELECT SUM(ts - CAST(CAST(ts AS DATE) AS TIMESTAMP)) FROM events;
# E_AGG
# SELECT SUM(ts - CAST(CAST(ts AS DATE) AS TIMESTAMP)) FROM events
#        ^^^^^^^^^^^^^^^^^^^^^
# SUM takes numbers: minutes between two times are such, within ends of your own.
# Try: SELECT SUM(LEAST(GREATEST(DATE_DIFF('MINUTE', CAST(CAST(ts AS DATE) AS TIMESTAMP), ts), 0), 1440)) FROM events -- in minutes; a value beyond 0 or 1440 counts as that end: choose yours

# title: names in backticks
SELECT `gender`, COUNT(*) FROM subscribers GROUP BY 1;
# E_PARSE
# SELECT `gender`, COUNT(*) FROM subscribers GROUP BY 1
#        ^
# Names stand in double quotes, or in none.
# Try: SELECT "gender", COUNT(*) FROM subscribers GROUP BY 1

# title: an aggregate in WHERE by its alias
SELECT gender, COUNT(*) AS n FROM subscribers WHERE n > 100 GROUP BY 1;
# E_COLUMN
# SELECT gender, COUNT(*) AS n FROM subscribers WHERE n > 100 GROUP BY 1
#                                                     ^
# n is an aggregate, and WHERE looks at rows, before there is one: HAVING looks at it.
# Try: SELECT gender, COUNT(*) AS n FROM subscribers GROUP BY 1 HAVING n > 100

# title: text without quotes
SELECT COUNT(*) FROM subscribers WHERE gender = F;
# E_COLUMN
# SELECT COUNT(*) FROM subscribers WHERE gender = F
#                                                 ^
# There is no column F here. Text stands in single quotes.
# Try: SELECT COUNT(*) FROM subscribers WHERE gender = 'F'

# title: a number in quotes
SELECT COUNT(*) FROM subscribers WHERE age > '30';
# E_FUNC
# SELECT COUNT(*) FROM subscribers WHERE age > '30'
#                                        ^^^^^^^^^^
# > does not take (BIGINT, VARCHAR).
# Try: SELECT COUNT(*) FROM subscribers WHERE age > 30

# title: the greatest of the most frequent
SELECT c, COUNT(*) FROM (SELECT subscriber_id, MODE(cell_id ORDER BY cell_id DESC) AS c FROM events GROUP BY 1) GROUP BY 1;
# E_AGG
# SELECT c, COUNT(*) FROM (SELECT subscriber_id, MODE(cell_id ORDER BY cell_id DESC) AS c FROM events GROUP BY 1) GROUP BY 1
#                                                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Of values that are equally frequent a hash of the person decides, or MODE(x ORDER BY x) the least.
# Try: SELECT c, COUNT(*) FROM (SELECT subscriber_id, MODE(cell_id) AS c FROM events GROUP BY 1) GROUP BY 1 -- another of equally frequent values may be given

# title: a number as an interval
SELECT COUNT(*) FROM events WHERE ts > DATE '2026-10-01' + CAST(5 AS INTERVAL);
# E_FUNC
# SELECT COUNT(*) FROM events WHERE ts > DATE '2026-10-01' + CAST(5 AS INTERVAL)
#                                                                 ^
# An interval is one constant and one unit.
# Try: INTERVAL 15 MINUTE

# title: steps of a time without ends
SELECT floor(epoch(ts + INTERVAL 1 MONTH) / 900) AS quarter, COUNT(*) FROM events GROUP BY 1;
# E_KEY
# SELECT floor(epoch(ts + INTERVAL 1 MONTH) / 900) AS quarter, COUNT(*) FROM events GROUP BY 1
#                                                                                            ^
# (ts + interval '1 month') has no declared range, so nothing says where floor((epoch((ts + interval '1 month')) / 900)) begins and ends.
# Try: SELECT floor(epoch(ts + INTERVAL 1 MONTH) / 900) AS quarter, COUNT(*) FROM events WHERE (ts + interval '1 month') >= YOUR_START AND (ts + interval '1 month') < YOUR_END GROUP BY 1 -- rows outside the ends are left out

# title: a day some days before another as others write it
SELECT COUNT(*) FROM events WHERE ts >= DATE_SUB('2026-10-20', INTERVAL 7 DAY);
# E_FUNC
# SELECT COUNT(*) FROM events WHERE ts >= DATE_SUB('2026-10-20', INTERVAL 7 DAY)
#                                         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# DATE_SUB takes 3 arguments, and 2 are given.
# Try: SELECT COUNT(*) FROM events WHERE ts >= (DATE '2026-10-20' - INTERVAL 7 DAY)

# title: the most frequent of something computed
SELECT cell_id, MODE(hour(ts)) AS peak FROM events GROUP BY cell_id;
# E_AGG
# SELECT cell_id, MODE(hour(ts)) AS peak FROM events GROUP BY cell_id
#                 ^^^^^^^^^^^^
# MODE across people would return the value of one person.
# Try: SELECT cell_id, HOUR(ts) AS peak, COUNT(*) FROM events GROUP BY cell_id, HOUR(ts) -- a row for each value of HOUR(ts)

# title: how much of a number another one tells
SELECT REGR_R2(n, c) AS r2 FROM (SELECT cell_id AS c, COUNT(*) AS n FROM events GROUP BY 1);
# E_AGG
# SELECT REGR_R2(n, c) AS r2 FROM (SELECT cell_id AS c, COUNT(*) AS n FROM events GROUP BY 1)
#        ^^^^^^^^^^^^
# REGR_R2 is not in the dialect.
# Try: SELECT CORR(n, c) * CORR(n, c) AS r2 FROM (SELECT cell_id AS c, COUNT(*) AS n FROM events GROUP BY 1)

# title: levels of a sketch
SELECT APPROX_QUANTILES(dwell_s, 4) FROM events;
# E_AGG
# SELECT APPROX_QUANTILES(dwell_s, 4) FROM events
#        ^^^^^^^^^^^^^^^^^^^^^^^^^^^
# APPROX_QUANTILES is a sketch, whose noise is not known.
# Try: SELECT QUANTILE_CONT(dwell_s, 0.5) FROM events -- the middle alone

# title: public rows counted beside a left join of people
SELECT h.h // 6 AS part, COUNT(e.subscriber_id) / COUNT(DISTINCT h.h) AS n FROM hours h LEFT JOIN events e ON hour(e.ts) = h.h GROUP BY 1;
# E_AGG
# SELECT h.h // 6 AS part, COUNT(e.subscriber_id) / COUNT(DISTINCT h.h) AS n FROM hours h LEFT JOIN events e ON hour(e.ts) = h.h GROUP BY 1
#                                                   ^^^^^^^^^^^^^^^^^^
# Rows that a LEFT JOIN adds where nobody's row matched belong to nobody, and would move this.
# Try: a subquery that groups the public table alone, joined by the keys: its numbers need no noise

# title: a subquery of each row in FROM
SELECT COUNT(*) FROM subscribers s CROSS JOIN LATERAL (SELECT MAX(dwell_s) AS m FROM events e WHERE e.subscriber_id = s.subscriber_id) x WHERE m > 5;
# E_TABLE
# SELECT COUNT(*) FROM subscribers s CROSS JOIN LATERAL (SELECT MAX(dwell_s) AS m FROM events e WHERE e.subscriber_id = s.subscriber_id) x WHERE m > 5
#                                                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Only tables, subqueries and VALUES can stand in FROM.
# Try: a subquery that groups by what it is joined on; QUALIFY ROW_NUMBER() OVER (...) = 1 keeps the first of each

# title: a query that names itself
WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT COUNT(*) FROM events JOIN r ON r.n = cell_id;
# E_STMT
# WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT COUNT(*) FROM events JOIN r ON r.n = cell_id
#                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Recursion is not in the dialect, and r names itself.
# Try: range(24) or generate_series(DATE '2026-10-01', DATE '2026-10-07', INTERVAL 1 DAY) in FROM, or a JOIN for each step

# title: a suggestion that is sent unedited
SELECT AVG(LEAST(GREATEST(lon, YOUR_MIN), YOUR_MAX)) FROM events;
# E_PARAM
# SELECT AVG(LEAST(GREATEST(lon, YOUR_MIN), YOUR_MAX)) FROM events
#                                ^^^^^^^^
# YOUR_MIN stands for a number that you choose.
# Try: write your number in its place

# title: a distance with latitudes first
SELECT COUNT(*) FROM events WHERE haversine(lat, lon, 52.5, 13.4) < 5;
# E_FUNC
# SELECT COUNT(*) FROM events WHERE haversine(lat, lon, 52.5, 13.4) < 5
#                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# The function haversine is not in the dialect.
# Try: SELECT COUNT(*) FROM events WHERE (haversine_m(lon, lat, 13.4, 52.5) / 1000) < 5 -- kilometres, of (lat, lon, lat, lon), as in Snowflake

# title: a pattern as BigQuery looks for it
SELECT COUNT(*) FROM subscribers WHERE regexp_contains(home_zone, '^Z');
# E_FUNC
# SELECT COUNT(*) FROM subscribers WHERE regexp_contains(home_zone, '^Z')
#                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# The function regexp_contains is not in the dialect.
# Try: SELECT COUNT(*) FROM subscribers WHERE regexp_matches(home_zone, '^Z')

# title: parts of all people in an order
SELECT part, COUNT(*) FROM (SELECT NTILE(4) OVER (ORDER BY age) AS part FROM subscribers) GROUP BY part;
# E_WINDOW
# SELECT part, COUNT(*) FROM (SELECT NTILE(4) OVER (ORDER BY age) AS part FROM subscribers) GROUP BY part
#                                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A rank among the rows of many people would let one of them move everybody's rank.
# Try: SELECT QUANTILE_CONT(age, 0.25), QUANTILE_CONT(age, 0.5), QUANTILE_CONT(age, 0.75) FROM (SELECT age FROM subscribers) -- compare age with them in a second question

# title: percentiles of all people's rows
SELECT COUNT(*) FROM (SELECT NTILE(100) OVER (ORDER BY age) AS part FROM subscribers) WHERE part > 90;
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT NTILE(100) OVER (ORDER BY age) AS part FROM subscribers) WHERE part > 90
#                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A rank among the rows of many people would let one of them move everybody's rank.
# Try: SELECT QUANTILE_CONT(age, 0.1), QUANTILE_CONT(age, 0.2), QUANTILE_CONT(age, 0.3), QUANTILE_CONT(age, 0.4), QUANTILE_CONT(age, 0.5), QUANTILE_CONT(age, 0.6), QUANTILE_CONT(age, 0.7), QUANTILE_CONT(age, 0.8), QUANTILE_CONT(age, 0.9) FROM (SELECT age FROM subscribers) -- compare age with them in a second question

# title: an option of the question in a call
SELECT COUNT(*, epsilon => 0.001) FROM events;
# E_PARAM
# SELECT COUNT(*, epsilon => 0.001) FROM events
#                 ^^^^^^^^^^^^^^^^
# COUNT has no argument named epsilon.
# Try: epsilon is an option of the question: OPTIONS(epsilon = 0.001)

# title: a name of bounds that is misspelt
SELECT COUNT(*, contribution_bound_per_group => (0, 1)) FROM events;
# E_PARAM
# SELECT COUNT(*, contribution_bound_per_group => (0, 1)) FROM events
#                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# COUNT has no argument named contribution_bound_per_group.
# Try: SELECT COUNT(*, contribution_bounds_per_group => (0, 1)) FROM events

# title: a named argument of a function
SELECT COUNT(*) FROM events WHERE round(lon, digits => 1) > 5;
# E_PARAM
# SELECT COUNT(*) FROM events WHERE round(lon, digits => 1) > 5
#                                              ^^^^^^^^^^^
# round has no argument named digits.
# Try: leave digits => out

# title: a unit of time that is no text
SELECT COUNT(*) FROM events WHERE date_trunc(month, ts) = DATE '2026-10-01';
# E_FUNC
# SELECT COUNT(*) FROM events WHERE date_trunc(month, ts) = DATE '2026-10-01'
#                                              ^^^^^
# month is the name of a column here, and date_trunc takes a constant.
# Try: SELECT COUNT(*) FROM events WHERE date_trunc('month', ts) = DATE '2026-10-01' -- the unit, not a column named month

# title: an order in a call that has none
SELECT COUNT(ts ORDER BY ts) FROM events;
# E_FUNC
# SELECT COUNT(ts ORDER BY ts) FROM events
#              ^^^^^^^^^^^^^^
# No order of rows can stand here.
# Try: leave ORDER BY out

# title: a decimal of three numbers
SELECT COUNT(CAST(lon AS DECIMAL(10, 2, 7))) FROM events;
# E_FUNC
# SELECT COUNT(CAST(lon AS DECIMAL(10, 2, 7))) FROM events
#                   ^^^^^^^^^^^^^^^^^^^^^^^
# A decimal has digits, and of these some behind the point.
# Try: CAST(... AS DECIMAL(18, 3))

# title: a name of the parser's own
SELECT COUNT(date_to_date_str(ts, 3)) FROM events;
# E_FUNC
# SELECT COUNT(date_to_date_str(ts, 3)) FROM events
#              ^^^^^^^^^^^^^^^^^^^^^^^
# The function date_to_date_str is not in the dialect.
# Try: see docs/functions.md

# title: a column behind what is counted
SELECT COUNT(ts, cell_id) FROM events;
# E_AGG
# SELECT COUNT(ts, cell_id) FROM events
#        ^^^^^^^^^^^^^^^^^^
# COUNT takes 0 or 1 arguments, and 2 are given.
# Try: COUNT(*), COUNT(x) or COUNT(DISTINCT x)

# title: a parameter of a table function that is misspelt
SELECT COUNT(*) FROM stays(events, min_minute => 3);
# E_PARAM
# SELECT COUNT(*) FROM stays(events, min_minute => 3)
#                                                  ^
# stays has no parameter min_minute.
# Try: min_minutes => ...

# title: a column without FROM
SELECT COUNT(*), zone;
# E_COLUMN
# SELECT COUNT(*), zone
#                  ^^^^
# There is no column zone here.
# Try: add a FROM

# title: a window of no name that WINDOW gives
SELECT subscriber_id, x FROM (SELECT subscriber_id, ROW_NUMBER() OVER w AS x FROM events);
# E_WINDOW
# SELECT subscriber_id, x FROM (SELECT subscriber_id, ROW_NUMBER() OVER w AS x FROM events)
#                                                     ^^^^^^^^^^^^^^^^^^^
# There is no window w here.
# Try: WINDOW name AS (PARTITION BY ...)

# title: more decimals than digits
SELECT CAST(CAST(age AS DECIMAL(3, 5)) AS DOUBLE), COUNT(*) FROM subscribers GROUP BY 1;
# E_FUNC
# SELECT CAST(CAST(age AS DECIMAL(3, 5)) AS DOUBLE), COUNT(*) FROM subscribers GROUP BY 1
#                  ^^^^^^^^^^^^^^^^^^^
# More digits stand behind the point than there are.
# Try: CAST AS DECIMAL(3, 5) takes (number, constant integer of 1 to 38, constant integer of 0 to 38)

# title: an escape sign beyond ASCII
SELECT COUNT(*) FROM subscribers WHERE home_zone LIKE 'a%' ESCAPE 'ü';
# E_FUNC
# SELECT COUNT(*) FROM subscribers WHERE home_zone LIKE 'a%' ESCAPE 'ü'
#                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# The escape is one sign of ASCII.
# Try: LIKE ESCAPE takes (text, constant text, constant text)

# title: a pattern that ends in its escape sign
SELECT COUNT(*) FROM subscribers WHERE home_zone LIKE 'a$' ESCAPE '$';
# E_FUNC
# SELECT COUNT(*) FROM subscribers WHERE home_zone LIKE 'a$' ESCAPE '$'
#                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# The pattern ends in its escape sign.
# Try: LIKE ESCAPE takes (text, constant text, constant text)

# title: padding with nothing
SELECT COUNT(*) FROM subscribers WHERE lpad(home_zone, 5, '') = 'Z1';
# E_FUNC
# SELECT COUNT(*) FROM subscribers WHERE lpad(home_zone, 5, '') = 'Z1'
#                                        ^^^^^^^^^^^^^^^^^^^^^
# There is nothing to fill up with.
# Try: lpad takes (text, constant integer of 0 to 1,000, constant short text)

# title: a pattern with a loose parenthesis
SELECT COUNT(*) FROM subscribers WHERE regexp_matches(home_zone, 'Z)');
# E_FUNC
# SELECT COUNT(*) FROM subscribers WHERE regexp_matches(home_zone, 'Z)')
#                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# The pattern can't be read from ) on.
# Try: regexp_matches takes (text, constant pattern)

# title: a pattern nested too deeply
SELECT COUNT(*) FROM subscribers WHERE regexp_matches(home_zone, '(((((((((((((((((((((((((((((Z)))))))))))))))))))))))))))))');
# E_FUNC
# SELECT COUNT(*) FROM subscribers WHERE regexp_matches(home_zone, '(((((((((((((((((((((((((((((Z)))))))))))))))))))))))))))))')
#                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# The pattern is nested too deeply.
# Try: regexp_matches takes (text, constant pattern)

# title: a pattern with an open parenthesis
SELECT COUNT(*) FROM subscribers WHERE regexp_matches(home_zone, '(Z');
# E_FUNC
# SELECT COUNT(*) FROM subscribers WHERE regexp_matches(home_zone, '(Z')
#                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A parenthesis of the pattern is not closed.
# Try: regexp_matches takes (text, constant pattern)

# title: a pattern with an open bracket
SELECT COUNT(*) FROM subscribers WHERE regexp_matches(home_zone, '[Z');
# E_FUNC
# SELECT COUNT(*) FROM subscribers WHERE regexp_matches(home_zone, '[Z')
#                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A bracket of the pattern can't be read: write \ before a sign that means itself.
# Try: regexp_matches takes (text, constant pattern)

# title: a pattern with a repetition that ends before it begins
SELECT COUNT(*) FROM subscribers WHERE regexp_matches(home_zone, 'Z{3,2}');
# E_FUNC
# SELECT COUNT(*) FROM subscribers WHERE regexp_matches(home_zone, 'Z{3,2}')
#                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# The repetition {3,2} of the pattern has no meaning.
# Try: regexp_matches takes (text, constant pattern)

# title: a replacement with a group that is not there
SELECT COUNT(*) FROM subscribers WHERE regexp_replace(home_zone, 'Z', '\2') = 'a';
# E_FUNC
# SELECT COUNT(*) FROM subscribers WHERE regexp_replace(home_zone, 'Z', '\2') = 'a'
#                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# The replacement names a group that is not there: \2.
# Try: regexp_replace takes (text, constant pattern, constant short text) or (text, constant pattern, constant short text, constant 'g')

# title: a pattern of too many parts
SELECT COUNT(*) FROM subscribers WHERE regexp_matches(home_zone, '(Z{40}){40}');
# E_FUNC
# SELECT COUNT(*) FROM subscribers WHERE regexp_matches(home_zone, '(Z{40}){40}')
#                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# The pattern has more than 1,000 parts.
# Try: regexp_matches takes (text, constant pattern)

# title: a pattern with an empty range
SELECT COUNT(*) FROM subscribers WHERE regexp_matches(home_zone, '[Z-A]');
# E_FUNC
# SELECT COUNT(*) FROM subscribers WHERE regexp_matches(home_zone, '[Z-A]')
#                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# The range Z-A of the pattern is empty.
# Try: regexp_matches takes (text, constant pattern)

# title: similarity to nothing
SELECT COUNT(*) FROM subscribers WHERE jaccard(home_zone, '') > 0.5;
# E_FUNC
# SELECT COUNT(*) FROM subscribers WHERE jaccard(home_zone, '') > 0.5
#                                        ^^^^^^^^^^^^^^^^^^^^^
# There is nothing to compare with.
# Try: jaccard takes (text, constant short text)

# title: a multiple of an interval that is too long
SELECT COUNT(*) FROM events WHERE ts < TIMESTAMP '2026-10-02' + 1000000 * INTERVAL 1 DAY;
# E_FUNC
# SELECT COUNT(*) FROM events WHERE ts < TIMESTAMP '2026-10-02' + 1000000 * INTERVAL 1 DAY
#                                                                 ^^^^^^^
# The interval is longer than 1,000 years.
# Try: * takes (constant integer, constant interval) or (constant interval, constant integer) or (integer, integer) or (number, number)

# title: a directive that no format has
SELECT COUNT(*) FROM events WHERE strftime(ts, '%Q') = 'a';
# E_FUNC
# SELECT COUNT(*) FROM events WHERE strftime(ts, '%Q') = 'a'
#                                   ^^^^^^^^^^^
# There is no directive %Q of a format here.
# Try: strftime takes (date or timestamp, constant format)

# title: a form of SELECT
SELECT AS STRUCT COUNT(*) FROM events;
# E_STMT
# SELECT AS STRUCT COUNT(*) FROM events
#                  ^^^^^^^^^^^^^^^^^^^^
# This form of SELECT is not part of the dialect here.
# Try: leave this form of SELECT out

# title: an option for the person
SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(privacy_unit_column = subscriber_id) COUNT(*) FROM events;
# E_PARAM
# SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(privacy_unit_column = subscriber_id) COUNT(*) FROM events
#                                          ^^^^^^^^^^^^^^^^^^^
# There is no option privacy_unit_column.
# Try: leave it out: the catalog says who a person is

# title: an option by a name of another engine
SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(max_error = 50) COUNT(*) FROM events;
# E_PARAM
# SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(max_error = 50) COUNT(*) FROM events
#                                          ^^^^^^^^^
# There is no option max_error.
# Try: target_error = 50

# title: a second LEFT JOIN on a private column
SELECT cells.zone, COUNT(events.subscriber_id) FROM cells LEFT JOIN events ON cells.cell_id = events.cell_id LEFT JOIN hours ON coalesce(events.dwell_s, 0) = hours.h GROUP BY 1;
# E_JOIN
# SELECT cells.zone, COUNT(events.subscriber_id) FROM cells LEFT JOIN events ON cells.cell_id = events.cell_id LEFT JOIN hours ON coalesce(events.dwell_s, 0) = hours.h GROUP BY 1
#                                                                                                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# This ON looks at private columns that are NULL where nobody's row matched the LEFT JOIN.
# Try: ON with public columns alone, or JOIN in place of the LEFT JOIN before

# title: IN over a LEFT JOIN of private rows
SELECT COUNT(*) FROM subscribers WHERE subscriber_id IN (SELECT events.subscriber_id FROM cells LEFT JOIN events ON cells.cell_id = events.cell_id);
# E_JOIN
# SELECT COUNT(*) FROM subscribers WHERE subscriber_id IN (SELECT events.subscriber_id FROM cells LEFT JOIN events ON cells.cell_id = events.cell_id)
#        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A GROUP BY, DISTINCT, IN or EXISTS over it looks at private columns that are NULL where nobody's row matched the LEFT JOIN.
# Try: an aggregate over the LEFT JOIN itself

# title: a mistyped SELECT
SELEC COUNT(*) FROM events;
# E_STMT
# SELEC COUNT(*) FROM events
# ^^^^^
# Only SELECT questions are answered.
# Try: SELECT COUNT(*) FROM events -- SELECT is a near word

# title: a mistyped FROM
SELECT COUNT(*) FORM events;
# E_PARSE
# SELECT COUNT(*) FORM events
#                      ^^^^^^
# The SQL can't be read from here on.
# Try: SELECT COUNT(*) FROM events -- FROM is a near word

# title: a mistyped GROUP
SELECT cell_id, COUNT(*) FROM events GRUOP BY cell_id;
# E_PARSE
# SELECT cell_id, COUNT(*) FROM events GRUOP BY cell_id
#                                            ^^
# The SQL can't be read from here on.
# Try: SELECT cell_id, COUNT(*) FROM events GROUP BY cell_id -- GROUP is a near word

# title: an open bracket before an alias
SELECT COUNT(DISTINCT cell_id AS n FROM events;
# E_PARSE
# SELECT COUNT(DISTINCT cell_id AS n FROM events
#                               ^^
# The SQL can't be read from here on.
# Try: SELECT COUNT(DISTINCT cell_id) AS n FROM events -- closes what is open

# title: a bracket that closes nothing
SELECT COUNT(*)) FROM events;
# E_PARSE
# SELECT COUNT(*)) FROM events
#                ^
# The SQL can't be read from here on.
# Try: SELECT COUNT(*) FROM events -- without a bracket that closes nothing

# title: GROUP without BY
SELECT cell_id, COUNT(*) FROM events GROUP cell_id;
# E_PARSE
# SELECT cell_id, COUNT(*) FROM events GROUP cell_id
#                                            ^^^^^^^
# The SQL can't be read from here on.
# Try: SELECT cell_id, COUNT(*) FROM events GROUP BY cell_id -- with BY

# title: rows deleted
DELETE FROM events WHERE cell_id = 1;
# E_STMT
# DELETE FROM events WHERE cell_id = 1
# ^^^^^^
# Only SELECT questions are answered.
# Try: SELECT COUNT(*) FROM events -- counts the rows

# title: an answer stored in a table of its own
CREATE TABLE busy AS SELECT cell_id, COUNT(*) FROM events GROUP BY cell_id;
# E_STMT
# CREATE TABLE busy AS SELECT cell_id, COUNT(*) FROM events GROUP BY cell_id
# ^^^^^^
# Only SELECT questions are answered.
# Try: SELECT cell_id, COUNT(*) FROM events GROUP BY cell_id -- the SELECT inside; nothing is stored

# title: a table dropped that is not there
DROP TABLE nothing;
# E_STMT
# DROP TABLE nothing
# ^^^^
# Only SELECT questions are answered.
# Try: SELECT COUNT(*) FROM events -- counts the rows

# title: a computed item and a count without GROUP BY
SELECT hour(ts) AS h, COUNT(*) AS n FROM events ORDER BY n DESC LIMIT 3;
# E_KEY
# SELECT hour(ts) AS h, COUNT(*) AS n FROM events ORDER BY n DESC LIMIT 3
#             ^^
# ts is neither a group key nor in an aggregate.
# Try: SELECT hour(ts) AS h, COUNT(*) AS n FROM events GROUP BY ALL ORDER BY n DESC LIMIT 3 -- a row for each value of the added keys

# title: a pivot as a statement
PIVOT (SELECT home_zone, gender, age FROM subscribers) ON gender USING count(*) GROUP BY age ORDER BY age;
# E_STMT
# PIVOT (SELECT home_zone, gender, age FROM subscribers) ON gender USING count(*) GROUP BY age ORDER BY age
# ^^^^^
# Only SELECT questions are answered.
# Try: SELECT age, COUNT(*) FILTER(WHERE gender = 'f') AS "f", COUNT(*) FILTER(WHERE gender = 'm') AS "m", COUNT(*) FILTER(WHERE gender = 'x') AS "x" FROM (SELECT home_zone, gender, age FROM subscribers) GROUP BY ALL ORDER BY age -- a column for each declared or named gender

# title: a pivot of named values
SELECT * FROM subscribers PIVOT (count(*) AS n FOR home_zone IN ('a', 'b') GROUP BY gender) AS p;
# E_TABLE
# SELECT * FROM subscribers PIVOT (count(*) AS n FOR home_zone IN ('a', 'b') GROUP BY gender) AS p
#               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# PIVOT or UNPIVOT is not part of the dialect here.
# Try: SELECT gender, COUNT(*) FILTER(WHERE home_zone = 'a') AS "a_n", COUNT(*) FILTER(WHERE home_zone = 'b') AS "b_n" FROM subscribers GROUP BY ALL -- a column for each declared or named home_zone

# title: a pivot of values that a table lists
PIVOT events ON cell_id USING sum(dwell_s) GROUP BY hour(ts);
# E_STMT
# PIVOT events ON cell_id USING sum(dwell_s) GROUP BY hour(ts)
# ^^^^^
# Only SELECT questions are answered.
# Try: SELECT HOUR(ts), cell_id, SUM(dwell_s) FROM events GROUP BY ALL -- a row for each cell_id, in place of a column

# title: the mean of a length of time
SELECT AVG(days) FROM (SELECT subscriber_id, DATE_DIFF('day', MIN(ts), MAX(ts) + INTERVAL 1 MONTH) AS days FROM events GROUP BY subscriber_id);
# E_BOUNDS
# SELECT AVG(days) FROM (SELECT subscriber_id, DATE_DIFF('day', MIN(ts), MAX(ts) + INTERVAL 1 MONTH) AS days FROM events GROUP BY subscriber_id)
#        ^^^^^^^^
# AVG needs a range that is known without the data: no bounds are declared. Say your own ends.
# Try: SELECT AVG(LEAST(GREATEST(days, 0), 366)) FROM (SELECT subscriber_id, DATE_DIFF('day', MIN(ts), MAX(ts) + INTERVAL 1 MONTH) AS days FROM events GROUP BY subscriber_id) -- a value beyond 0 or 366 counts as that end: choose yours

# title: a natural join with a public table
SELECT zone, COUNT(*) FROM events NATURAL JOIN cells GROUP BY zone;
# E_JOIN
# SELECT zone, COUNT(*) FROM events NATURAL JOIN cells GROUP BY zone
#                                                ^^^^^
# NATURAL JOIN is not in the dialect: a join says which columns are equal.
# Try: SELECT zone, COUNT(*) FROM events JOIN cells USING (cell_id, lon, lat) GROUP BY zone -- by all columns that both have

# title: the first and the last time
SELECT MIN(ts), MAX(ts) FROM events;
# E_AGG
# SELECT MIN(ts), MAX(ts) FROM events
#        ^^^^^^
# MIN across people would return the value of one person. The catalog declares 2026-10-01 to 2026-10-07.
# Try: SELECT CAST(ts AS DATE), COUNT(*) FROM events GROUP BY CAST(ts AS DATE) -- a row for each value of CAST(ts AS DATE)

# title: unpivot as a statement
UNPIVOT events ON cell_id INTO NAME what VALUE number;
# E_STMT
# UNPIVOT events ON cell_id INTO NAME what VALUE number
# ^^^^^^^
# Only SELECT questions are answered.
# Try: SELECT what, number, COUNT(*) AS n FROM (SELECT 'cell_id' AS what, cell_id AS number FROM events WHERE cell_id IS NOT NULL) GROUP BY ALL -- counts rows in place of listing them

# title: unpivot in brackets
SELECT axis, COUNT(*) FROM (UNPIVOT events ON cell_id, dwell_s INTO NAME axis VALUE number) GROUP BY axis;
# E_STMT
# SELECT axis, COUNT(*) FROM (UNPIVOT events ON cell_id, dwell_s INTO NAME axis VALUE number) GROUP BY axis
#                                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Only SELECT questions are answered.
# Try: SELECT axis, COUNT(*) FROM (SELECT * EXCLUDE (cell_id, dwell_s), 'cell_id' AS axis, cell_id AS number FROM events WHERE NOT cell_id IS NULL UNION ALL SELECT * EXCLUDE (cell_id, dwell_s), 'dwell_s' AS axis, dwell_s AS number FROM events WHERE NOT dwell_s IS NULL) GROUP BY axis

# title: unpivot behind a table
SELECT axis, COUNT(*) AS n FROM events UNPIVOT (degrees FOR axis IN (lon, lat)) GROUP BY axis;
# E_TABLE
# SELECT axis, COUNT(*) AS n FROM events UNPIVOT (degrees FOR axis IN (lon, lat)) GROUP BY axis
#                                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# PIVOT or UNPIVOT is not part of the dialect here.
# Try: SELECT axis, COUNT(*) AS n FROM (SELECT * EXCLUDE (lon, lat), 'lon' AS axis, lon AS degrees FROM events WHERE NOT lon IS NULL UNION ALL SELECT * EXCLUDE (lon, lat), 'lat' AS axis, lat AS degrees FROM events WHERE NOT lat IS NULL) GROUP BY axis

# title: unpivot of released numbers, with labels
SELECT what, n FROM (SELECT COUNT(*) AS a, COUNT(dwell_s) AS b FROM events) UNPIVOT (n FOR what IN (a AS 'rows', b AS 'dwells'));
# E_TABLE
# SELECT what, n FROM (SELECT COUNT(*) AS a, COUNT(dwell_s) AS b FROM events) UNPIVOT (n FOR what IN (a AS 'rows', b AS 'dwells'))
#                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# PIVOT or UNPIVOT is not part of the dialect here.
# Try: SELECT what, n FROM (SELECT 'rows' AS what, a AS n FROM (SELECT COUNT(*) AS a, COUNT(dwell_s) AS b FROM events) WHERE NOT a IS NULL UNION ALL SELECT 'dwells' AS what, b AS n FROM (SELECT COUNT(*) AS a, COUNT(dwell_s) AS b FROM events) WHERE NOT b IS NULL)

# title: pivot behind a subquery
SELECT * FROM (SELECT hour(ts) AS h, cell_id FROM events) PIVOT (COUNT(*) FOR cell_id IN (1, 2));
# E_TABLE
# SELECT * FROM (SELECT hour(ts) AS h, cell_id FROM events) PIVOT (COUNT(*) FOR cell_id IN (1, 2))
#                       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# PIVOT or UNPIVOT is not part of the dialect here.
# Try: SELECT h, COUNT(*) FILTER(WHERE cell_id = 1) AS "1", COUNT(*) FILTER(WHERE cell_id = 2) AS "2" FROM (SELECT HOUR(ts) AS h, cell_id FROM events) GROUP BY ALL -- a column for each declared or named cell_id

# title: pairs of people who meet
SELECT COUNT(*) FROM events a JOIN events b ON a.cell_id = b.cell_id AND a.ts = b.ts AND a.subscriber_id < b.subscriber_id;
# E_JOIN
# SELECT COUNT(*) FROM events a JOIN events b ON a.cell_id = b.cell_id AND a.ts = b.ts AND a.subscriber_id < b.subscriber_id
#                                                                                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A person key can only be joined on its equality with another person key.
# Try: SELECT cell_id, COUNT(DISTINCT subscriber_id) AS people FROM events GROUP BY cell_id -- how many people share a cell_id, in place of who meets whom

# title: a table joined with itself behind a comma
SELECT a.cell_id, COUNT(*) FROM events a, events b WHERE a.cell_id = b.cell_id AND a.ts < b.ts GROUP BY a.cell_id;
# E_JOIN
# SELECT a.cell_id, COUNT(*) FROM events a, events b WHERE a.cell_id = b.cell_id AND a.ts < b.ts GROUP BY a.cell_id
#                                           ^^^^^^^^
# Two private tables can only be joined on the person key.
# Try: SELECT a.cell_id, COUNT(*) FROM events AS a, events AS b WHERE (a.cell_id = b.cell_id AND a.ts < b.ts) AND a.subscriber_id = b.subscriber_id GROUP BY a.cell_id -- only rows of one person meet each other

# title: a table joined with itself on two conditions
SELECT a.cell_id, b.cell_id, COUNT(*) FROM events a JOIN events b ON a.ts = b.ts AND a.cell_id < b.cell_id GROUP BY 1, 2;
# E_JOIN
# SELECT a.cell_id, b.cell_id, COUNT(*) FROM events a JOIN events b ON a.ts = b.ts AND a.cell_id < b.cell_id GROUP BY 1, 2
#                                                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Two private tables can only be joined on the person key.
# Try: SELECT a.cell_id, b.cell_id, COUNT(*) FROM events AS a JOIN events AS b ON (a.ts = b.ts AND a.cell_id < b.cell_id) AND a.subscriber_id = b.subscriber_id GROUP BY 1, 2 -- only rows of one person meet each other

# title: the longest rows of each group
SELECT cell_id, dwell_s FROM events QUALIFY ROW_NUMBER() OVER (PARTITION BY cell_id ORDER BY dwell_s DESC) <= 3;
# E_WINDOW
# SELECT cell_id, dwell_s FROM events QUALIFY ROW_NUMBER() OVER (PARTITION BY cell_id ORDER BY dwell_s DESC) <= 3
#                                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A window over rows of many people would let one of them move everybody's numbers.
# Try: SELECT cell_id, MAX(dwell_s) AS dwell_s FROM events GROUP BY cell_id -- the extreme of each group, as its quantile at 1% or 99%, in place of rows

# title: deciles of people
SELECT decile, COUNT(*) FROM (SELECT subscriber_id, NTILE(10) OVER (ORDER BY COUNT(*)) AS decile FROM events GROUP BY subscriber_id) GROUP BY decile;
# E_WINDOW
# SELECT decile, COUNT(*) FROM (SELECT subscriber_id, NTILE(10) OVER (ORDER BY COUNT(*)) AS decile FROM events GROUP BY subscriber_id) GROUP BY decile
#                                                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A rank among the rows of many people would let one of them move everybody's rank.
# Try: SELECT QUANTILE_CONT(n, 0.1), QUANTILE_CONT(n, 0.2), QUANTILE_CONT(n, 0.3), QUANTILE_CONT(n, 0.4), QUANTILE_CONT(n, 0.5), QUANTILE_CONT(n, 0.6), QUANTILE_CONT(n, 0.7), QUANTILE_CONT(n, 0.8), QUANTILE_CONT(n, 0.9) FROM (SELECT COUNT(*) AS n FROM events GROUP BY subscriber_id) -- compare n with them in a second question

# title: a listing in brackets
SELECT COUNT(*) FROM (SUMMARIZE events);
# E_STMT
# SELECT COUNT(*) FROM (SUMMARIZE events)
#                                 ^^^^^^
# Only SELECT questions are answered.
# Try: SELECT ... FROM ...

# title: rows joined with the number of their group
SELECT e.cell_id, t.n, COUNT(*) FROM events e JOIN (SELECT cell_id, COUNT(*) AS n FROM events GROUP BY cell_id) t ON e.cell_id = t.cell_id GROUP BY 1, 2;
# E_JOIN
# SELECT e.cell_id, t.n, COUNT(*) FROM events e JOIN (SELECT cell_id, COUNT(*) AS n FROM events GROUP BY cell_id) t ON e.cell_id = t.cell_id GROUP BY 1, 2
#                                                            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Private rows can't be joined with numbers that were released in the same statement.
# Try: ask two questions, and compare their answers

# title: several sketches
SELECT cell_id, APPROX_COUNT_DISTINCT(subscriber_id) AS people, APPROX_QUANTILE(dwell_s, 0.5) AS middle FROM events GROUP BY cell_id;
# E_AGG
# SELECT cell_id, APPROX_COUNT_DISTINCT(subscriber_id) AS people, APPROX_QUANTILE(dwell_s, 0.5) AS middle FROM events GROUP BY cell_id
#                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# APPROX_COUNT_DISTINCT is a sketch, whose noise is not known.
# Try: SELECT cell_id, COUNT(DISTINCT subscriber_id) AS people, QUANTILE_CONT(dwell_s, 0.5) AS middle FROM events GROUP BY cell_id -- distinct values and quantiles in place of their estimates by a sketch

# title: a capped length of time, without a lower end
SELECT AVG(LEAST(date_diff('minute', ts, ts + INTERVAL 1 MONTH), 120)) AS minutes FROM events;
# E_BOUNDS
# SELECT AVG(LEAST(date_diff('minute', ts, ts + INTERVAL 1 MONTH), 120)) AS minutes FROM events
#        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# AVG needs a range that is known without the data: no bounds are declared. Say your own ends.
# Try: SELECT AVG(GREATEST(LEAST(DATE_DIFF('MINUTE', ts, ts + INTERVAL '1' MONTH), 120), 0)) AS minutes FROM events -- a value below 0 counts as 0: choose yours

# title: seconds of an interval, in minutes
SELECT AVG(EXTRACT(EPOCH FROM ts + INTERVAL 1 MONTH - ts) / 60) AS minutes FROM events;
# E_BOUNDS
# SELECT AVG(EXTRACT(EPOCH FROM ts + INTERVAL 1 MONTH - ts) / 60) AS minutes FROM events
#        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# AVG needs a range that is known without the data: no bounds are declared. Say your own ends.
# Try: SELECT AVG(LEAST(GREATEST(EXTRACT(EPOCH FROM ts + INTERVAL '1' MONTH - ts) / 60, 0), 1440)) AS minutes FROM events -- a value beyond 0 or 1440 counts as that end: choose yours

# title: a path in backticks
SELECT `cell_id`, COUNT(*) FROM `main.events` GROUP BY `cell_id`;
# E_PARSE
# SELECT `cell_id`, COUNT(*) FROM `main.events` GROUP BY `cell_id`
#        ^
# Names stand in double quotes, or in none.
# Try: SELECT cell_id, COUNT(*) FROM main.events GROUP BY cell_id

# title: a condition of ClickHouse
SELECT toStartOfHour(ts) AS h, sumIf(dwell_s, cell_id = 1) AS s FROM events GROUP BY h;
# E_FUNC
# SELECT toStartOfHour(ts) AS h, sumIf(dwell_s, cell_id = 1) AS s FROM events GROUP BY h
#        ^^^^^^^^^^^^^^^^
# The function toStartOfHour is not in the dialect.
# Try: SELECT date_trunc('hour', ts) AS h, sum(dwell_s) FILTER (WHERE cell_id = 1) AS s FROM events GROUP BY h

# title: a time with T and zone
SELECT COUNT(*) FROM events WHERE ts >= '2026-10-02T06:00:00Z';
# E_PARSE
# SELECT COUNT(*) FROM events WHERE ts >= '2026-10-02T06:00:00Z'
#                                         ^^^^^^^^^^^^^^^^^^^^^^
# '2026-10-02T06:00:00Z' is not a TIMESTAMP.
# Try: SELECT COUNT(*) FROM events WHERE ts >= '2026-10-02 06:00:00' -- without a zone: the clock of the column

# title: TRUNC of a time
SELECT TRUNC(ts) AS day, COUNT(*) AS n FROM events GROUP BY TRUNC(ts);
# E_FUNC
# SELECT TRUNC(ts) AS day, COUNT(*) AS n FROM events GROUP BY TRUNC(ts)
#                                                             ^^^^^^^^
# TRUNC does not take (TIMESTAMP).
# Try: SELECT CAST(ts AS DATE) AS day, COUNT(*) AS n FROM events GROUP BY CAST(ts AS DATE)

# title: ROWNUM over groups
SELECT * FROM (SELECT cell_id, COUNT(*) AS n FROM events GROUP BY cell_id ORDER BY n DESC, cell_id) WHERE ROWNUM < 4;
# E_COLUMN
# SELECT * FROM (SELECT cell_id, COUNT(*) AS n FROM events GROUP BY cell_id ORDER BY n DESC, cell_id) WHERE ROWNUM < 4
#                                                                                                           ^^^^^^
# There is no column ROWNUM here.
# Try: SELECT * FROM (SELECT cell_id, COUNT(*) AS n FROM events GROUP BY cell_id ORDER BY n DESC, cell_id) LIMIT 3

# title: rounded numbers as keys
SELECT round(lat,1) AS at, COUNT(*) AS n FROM events GROUP BY 1;
# E_KEY
# SELECT round(lat,1) AS at, COUNT(*) AS n FROM events GROUP BY 1
#                                                               ^
# round(lat, 1) has a value of its own in almost every row.
# Try: SELECT round(lat * 10) / 10 AS at, COUNT(*) AS n FROM events GROUP BY 1 -- groups by round(lat * 10) / 10

# title: numbers rounded to tens as keys
SELECT round(lat, -1) AS at, COUNT(*) AS n FROM events GROUP BY 1;
# E_KEY
# SELECT round(lat, -1) AS at, COUNT(*) AS n FROM events GROUP BY 1
#                                                                 ^
# round(lat, -1) has a value of its own in almost every row.
# Try: SELECT round(lat / 10) * 10 AS at, COUNT(*) AS n FROM events GROUP BY 1 -- groups by round(lat / 10) * 10

# title: EXISTS of anybody's rows in an aggregate
SELECT COUNT_IF(EXISTS (SELECT 1 FROM events f WHERE f.cell_id = e.cell_id)) FROM events e;
# E_SUBQUERY
# SELECT COUNT_IF(EXISTS (SELECT 1 FROM events f WHERE f.cell_id = e.cell_id)) FROM events e
#                                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Rows of people can only be chosen by rows of the same person.
# Try: SELECT COUNT_IF(EXISTS(SELECT 1 FROM events AS f WHERE f.cell_id = e.cell_id AND f.subscriber_id = e.subscriber_id)) FROM events AS e -- rows of the same person alone

# title: IN of anybody's rows in an aggregate
SELECT COUNT_IF(cell_id IN (SELECT cell_id FROM events)) FROM events;
# E_SUBQUERY
# SELECT COUNT_IF(cell_id IN (SELECT cell_id FROM events)) FROM events
#                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Rows of people can only be chosen by rows of the same person.
# Try: SELECT COUNT_IF((subscriber_id, cell_id) IN (SELECT subscriber_id, cell_id FROM events)) FROM events -- rows of the same person alone
