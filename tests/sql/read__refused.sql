# What is refused, as the analyst sees it: code, caret, why, Try. `pytest --update` writes the outcomes anew.

# title: rows of people
SELECT * FROM events;
# E_ROWS
# SELECT * FROM events
# ^^^^^^
# Rows of people never leave; only aggregates over many of them do.
# Try: SELECT COUNT(*) FROM events -- counts rows in place of listing them

# title: rows with a limit
SELECT ts, lon FROM events LIMIT 10;
# E_SAMPLE
# SELECT ts, lon FROM events LIMIT 10
#        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Rows of people never leave, and can't be cut by LIMIT.
# Try: SELECT COUNT(*) FROM events -- counts rows in place of listing them

# title: an unknown table
SELECT COUNT(*) FROM event;
# E_TABLE
# SELECT COUNT(*) FROM event
#                      ^^^^^
# There is no table event.
# Try: SELECT COUNT(*) FROM events -- of events, a near name

# title: an unknown column
SELECT SUM(dwell) FROM events;
# E_COLUMN
# SELECT SUM(dwell) FROM events
#            ^^^^^
# There is no column dwell here.
# Try: SELECT SUM(dwell_s) FROM events -- dwell_s is a near name

# title: a column that admission alone knows
SELECT COUNT(*) FROM subscribers WHERE consent = false;
# E_COLUMN
# SELECT COUNT(*) FROM subscribers WHERE consent = false
#                                        ^^^^^^^
# There is no column consent here.
# Try: one of subscriber_id, age, gender, home_zone

# title: arithmetic on the person
SELECT COUNT(1 // (subscriber_id - 4217)) FROM events;
# E_PERSON_KEY
# SELECT COUNT(1 // (subscriber_id - 4217)) FROM events
#                    ^^^^^^^^^^^^^^^^^^^^
# The person key can be counted, joined on and grouped by, and nothing else.
# Try: COUNT(DISTINCT subscriber_id) -- counts people

# title: a filter by person
SELECT COUNT(*) FROM events WHERE (subscriber_id * 7919) % 101 < 50;
# E_PERSON_KEY
# SELECT COUNT(*) FROM events WHERE (subscriber_id * 7919) % 101 < 50
#                                    ^^^^^^^^^^^^^^^^^^^^
# The person key can be counted, joined on and grouped by, and nothing else.
# Try: COUNT(DISTINCT subscriber_id) -- counts people

# title: no bounds
SELECT SUM(lon) FROM events;
# E_BOUNDS
# SELECT SUM(lon) FROM events
#        ^^^^^^^
# SUM needs a range that is known without the data: no bounds are declared. Say your own ends.
# Try: SELECT SUM(LEAST(GREATEST(lon, YOUR_MIN), YOUR_MAX)) FROM events -- a value beyond YOUR_MIN or YOUR_MAX counts as that end

# title: an aggregate that returns a stored value
SELECT ANY_VALUE(home_zone) FROM subscribers;
# E_AGG
# SELECT ANY_VALUE(home_zone) FROM subscribers
#        ^^^^^^^^^^^^^^^^^^^
# ANY_VALUE across people would return the value of one person.
# Try: SELECT home_zone, COUNT(*) FROM subscribers GROUP BY home_zone -- a row for each value of home_zone

# title: a minimum across people
SELECT MIN(lon) FROM events;
# E_AGG
# SELECT MIN(lon) FROM events
#        ^^^^^^^
# MIN needs a range that is known without the data: no bounds are declared. Say your own ends.
# Try: SELECT MIN(LEAST(GREATEST(lon, YOUR_MIN), YOUR_MAX)) FROM events -- a value beyond YOUR_MIN or YOUR_MAX counts as that end

# title: a median across people
SELECT MEDIAN(lon) FROM events;
# E_BOUNDS
# SELECT MEDIAN(lon) FROM events
#        ^^^^^^^^^^
# MEDIAN needs a range that is known without the data: no bounds are declared. Say your own ends.
# Try: SELECT MEDIAN(LEAST(GREATEST(lon, YOUR_MIN), YOUR_MAX)) FROM events -- a value beyond YOUR_MIN or YOUR_MAX counts as that end

# title: distinct values
SELECT SUM(DISTINCT dwell_s) FROM events;
# E_AGG
# SELECT SUM(DISTINCT dwell_s) FROM events
#        ^^^^^^^^^^^^^^^^^^^^
# SUM across people moves by values that one person alone may have.
# Try: SELECT COUNT(DISTINCT dwell_s) FROM events -- the number of different values

# title: a sketch
SELECT approx_count_distinct(subscriber_id) FROM events;
# E_AGG
# SELECT approx_count_distinct(subscriber_id) FROM events
#        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# approx_count_distinct is a sketch, whose noise is not known.
# Try: SELECT COUNT(DISTINCT subscriber_id) FROM events -- the number of different values

# title: text cast to a number
SELECT SUM(CAST(home_zone AS INT)) FROM subscribers;
# E_FUNC
# SELECT SUM(CAST(home_zone AS INT)) FROM subscribers
#                 ^^^^^^^^^
# Stored text can't be cast to another type.
# Try: declare the column with that type

# title: a function that is not in the list
SELECT COUNT(strptime(home_zone, '%Y')) FROM subscribers;
# E_FUNC
# SELECT COUNT(strptime(home_zone, '%Y')) FROM subscribers
#              ^^^^^^^^^^^^^^^^^^
# strptime is not in the dialect.
# Try: see docs/functions.md

# title: a pattern from a column
SELECT COUNT(*) FROM subscribers WHERE 'x' LIKE home_zone;
# E_FUNC
# SELECT COUNT(*) FROM subscribers WHERE 'x' LIKE home_zone
#                                        ^^^^^^^^^^^^^^^^^^
# LIKE does not take (VARCHAR, VARCHAR).
# Try: LIKE takes (text, constant text)

# title: randomness
SELECT COUNT(*) FROM events WHERE random() < 0.5;
# E_FUNC
# SELECT COUNT(*) FROM events WHERE random() < 0.5
#                                   ^^^^^^
# random is not in the dialect.
# Try: see docs/functions.md

# title: a date that is none
SELECT COUNT(*) FROM events WHERE ts = '2026-13-45';
# E_PARSE
# SELECT COUNT(*) FROM events WHERE ts = '2026-13-45'
#                                        ^^^^^^^^^^^^
# '2026-13-45' is not a TIMESTAMP.
# Try: TIMESTAMP 'YYYY-MM-DD HH:MM:SS'

# title: a key of every moment
SELECT ts, COUNT(*) FROM events GROUP BY ts;
# E_KEY
# SELECT ts, COUNT(*) FROM events GROUP BY ts
#                                          ^^
# ts has a value of its own in almost every row.
# Try: SELECT date_trunc('hour', ts), COUNT(*) FROM events GROUP BY date_trunc('hour', ts) -- groups by date_trunc('hour', ts)

# title: a column that is no key
SELECT cell_id, lat, COUNT(*) FROM events GROUP BY cell_id;
# E_KEY
# SELECT cell_id, lat, COUNT(*) FROM events GROUP BY cell_id
#                 ^^^
# lat is neither a group key nor in an aggregate.
# Try: SELECT cell_id, AVG(lat), COUNT(*) FROM events GROUP BY cell_id -- the mean of lat in each group

# title: a join of persons on something else
SELECT COUNT(*) FROM events a JOIN events b ON a.cell_id = b.cell_id;
# E_JOIN
# SELECT COUNT(*) FROM events a JOIN events b ON a.cell_id = b.cell_id
#                                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Two private tables can only be joined on the person key.
# Try: SELECT COUNT(*) FROM events a JOIN events b USING (subscriber_id, cell_id) -- each row meets those of the same person alone

# title: a join of persons under OR
SELECT COUNT(*) FROM events a JOIN events b ON a.subscriber_id = b.subscriber_id OR a.cell_id = b.cell_id;
# E_JOIN
# SELECT COUNT(*) FROM events a JOIN events b ON a.subscriber_id = b.subscriber_id OR a.cell_id = b.cell_id
#                                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Two private tables can only be joined on the person key.
# Try: SELECT COUNT(*) FROM events AS a JOIN events AS b ON (a.subscriber_id = b.subscriber_id OR a.cell_id = b.cell_id) AND a.subscriber_id = b.subscriber_id -- only rows of one person meet each other

# title: a cross join of persons
SELECT COUNT(*) FROM events CROSS JOIN subscribers;
# E_JOIN
# SELECT COUNT(*) FROM events CROSS JOIN subscribers
#                                        ^^^^^^^^^^^
# Two private tables can only be joined on the person key.
# Try: SELECT COUNT(*) FROM events CROSS JOIN subscribers WHERE events.subscriber_id = subscribers.subscriber_id -- only rows of one person meet each other

# title: a natural join
SELECT COUNT(*) FROM events NATURAL JOIN subscribers;
# E_JOIN
# SELECT COUNT(*) FROM events NATURAL JOIN subscribers
#                                          ^^^^^^^^^^^
# NATURAL JOIN is not in the dialect: a join says which columns are equal.
# Try: SELECT COUNT(*) FROM events JOIN subscribers USING (subscriber_id) -- by all columns that both have

# title: an as-of join
SELECT COUNT(*) FROM events a ASOF JOIN events b ON a.ts >= b.ts;
# E_JOIN
# SELECT COUNT(*) FROM events a ASOF JOIN events b ON a.ts >= b.ts
#                                         ^^^^^^^^^^^^^^^^^^^^^^^^
# ASOF JOIN is not in the dialect: a join says which columns are equal.
# Try: JOIN ... USING (...)

# title: rows of nobody counted
SELECT c.zone, COUNT(*) FROM cells c LEFT JOIN events e USING (cell_id) GROUP BY 1;
# E_AGG
# SELECT c.zone, COUNT(*) FROM cells c LEFT JOIN events e USING (cell_id) GROUP BY 1
#                ^^^^^^^
# Rows that a LEFT JOIN adds where nobody's row matched belong to nobody, and would move this.
# Try: SELECT c.zone, COUNT(e.subscriber_id) FROM cells c LEFT JOIN events e USING (cell_id) GROUP BY 1 -- counts the rows of people, and 0 where there are none

# title: private rows joined with a release
SELECT COUNT(*) FROM events e JOIN (SELECT cell_id, COUNT(*) AS n FROM events GROUP BY 1) r ON r.cell_id = e.cell_id;
# E_JOIN
# SELECT COUNT(*) FROM events e JOIN (SELECT cell_id, COUNT(*) AS n FROM events GROUP BY 1) r ON r.cell_id = e.cell_id
#                                            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Private rows can't be joined with numbers that were released in the same statement.
# Try: ask two questions, and compare their answers

# title: a scalar subquery
SELECT COUNT(*) FROM events WHERE dwell_s > (SELECT AVG(dwell_s) FROM events);
# E_SUBQUERY
# SELECT COUNT(*) FROM events WHERE dwell_s > (SELECT AVG(dwell_s) FROM events)
#                                                     ^^^^^^^^^^^^^^^^^^^^^^^^
# People's rows can't be compared with a number that is released in the same statement.
# Try: ask for the number first, and write it into the question

# title: IN over a subquery
SELECT COUNT(*) FROM events WHERE cell_id IN (SELECT cell_id FROM events WHERE dwell_s = 86399);
# E_SUBQUERY
# SELECT COUNT(*) FROM events WHERE cell_id IN (SELECT cell_id FROM events WHERE dwell_s = 86399)
#                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Rows of people can only be chosen by rows of the same person.
# Try: subscriber_id IN (SELECT subscriber_id FROM ... WHERE ...)

# title: EXISTS
SELECT COUNT(*) FROM events WHERE EXISTS (SELECT 1 FROM subscribers WHERE age = 113);
# E_SUBQUERY
# SELECT COUNT(*) FROM events WHERE EXISTS (SELECT 1 FROM subscribers WHERE age = 113)
#                                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Rows of people can only be chosen by rows of the same person.
# Try: subscriber_id IN (SELECT subscriber_id FROM ... WHERE ...)

# title: a window function
SELECT COUNT(*) FROM (SELECT ROW_NUMBER() OVER (ORDER BY ts) AS rn FROM events) WHERE rn % 2 = 0;
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT ROW_NUMBER() OVER (ORDER BY ts) AS rn FROM events) WHERE rn % 2 = 0
#                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A window over rows of many people would let one of them move everybody's numbers.
# Try: SELECT COUNT(*) FROM (SELECT ROW_NUMBER() OVER (PARTITION BY subscriber_id ORDER BY ts) AS rn FROM events) WHERE rn % 2 = 0 -- within each person's own rows, not over the rows of all

# title: a window across people
SELECT COUNT(*) FROM (SELECT SUM(dwell_s) OVER (PARTITION BY cell_id) AS x FROM events);
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT SUM(dwell_s) OVER (PARTITION BY cell_id) AS x FROM events)
#                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A window over rows of many people would let one of them move everybody's numbers.
# Try: SELECT COUNT(*) FROM (SELECT SUM(dwell_s) OVER (PARTITION BY subscriber_id, cell_id) AS x FROM events) -- within each person's own rows, not over the rows of all

# title: one row of everybody by QUALIFY
SELECT COUNT(*) FROM (SELECT * FROM events QUALIFY row_number() OVER () = 1);
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT * FROM events QUALIFY row_number() OVER () = 1)
#                                                    ^^^^^^^^^^
# A window over rows of many people would let one of them move everybody's numbers.
# Try: SELECT COUNT(*) FROM (SELECT * FROM events QUALIFY ROW_NUMBER() OVER (PARTITION BY subscriber_id) = 1) -- within each person's own rows, not over the rows of all

# title: a named window across people
SELECT COUNT(*) FROM (SELECT lag(ts) OVER w AS before FROM events WINDOW w AS (ORDER BY ts));
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT lag(ts) OVER w AS before FROM events WINDOW w AS (ORDER BY ts))
#                              ^^^^^^^^^^^^^^
# A window over rows of many people would let one of them move everybody's numbers.
# Try: SELECT COUNT(*) FROM (SELECT LAG(ts) OVER w AS before FROM events WINDOW w AS (PARTITION BY subscriber_id ORDER BY ts)) -- within each person's own rows, not over the rows of all

# title: a window across people in a join
SELECT COUNT(*) FROM (SELECT rank() OVER (ORDER BY e.ts) AS r FROM events e JOIN subscribers s USING (subscriber_id)) WHERE r < 9;
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT rank() OVER (ORDER BY e.ts) AS r FROM events e JOIN subscribers s USING (subscriber_id)) WHERE r < 9
#                              ^^^^^^^^^^^^^^^^^^^^^^^^^^
# A window over rows of many people would let one of them move everybody's numbers.
# Try: SELECT COUNT(*) FROM (SELECT RANK() OVER (PARTITION BY e.subscriber_id ORDER BY e.ts) AS r FROM events AS e JOIN subscribers AS s USING (subscriber_id)) WHERE r < 9 -- within each person's own rows, not over the rows of all

# title: a window whose person may be NULL
SELECT COUNT(*) FROM (SELECT rank() OVER (PARTITION BY s.subscriber_id ORDER BY e.ts) AS r FROM events e LEFT JOIN subscribers s ON s.subscriber_id = e.subscriber_id AND s.age > 30);
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT rank() OVER (PARTITION BY s.subscriber_id ORDER BY e.ts) AS r FROM events e LEFT JOIN subscribers s ON s.subscriber_id = e.subscriber_id AND s.age > 30)
#                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A window over rows of many people would let one of them move everybody's numbers.
# Try: SELECT COUNT(*) FROM (SELECT RANK() OVER (PARTITION BY e.subscriber_id, s.subscriber_id ORDER BY e.ts) AS r FROM events AS e LEFT JOIN subscribers AS s ON s.subscriber_id = e.subscriber_id AND s.age > 30) -- within each person's own rows, not over the rows of all

# title: a window in WHERE
SELECT COUNT(*) FROM events WHERE row_number() OVER (PARTITION BY subscriber_id ORDER BY ts) = 1;
# E_WINDOW
# SELECT COUNT(*) FROM events WHERE row_number() OVER (PARTITION BY subscriber_id ORDER BY ts) = 1
#                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A window function can't stand here: it looks at the rows that WHERE and GROUP BY leave.
# Try: SELECT COUNT(*) FROM (SELECT * FROM events QUALIFY ROW_NUMBER() OVER (PARTITION BY subscriber_id ORDER BY ts) = 1) -- windows are computed over all rows, then every condition chooses

# title: a window in HAVING
SELECT cell_id, COUNT(*), rank() OVER (ORDER BY COUNT(*)) AS r FROM events GROUP BY 1 HAVING r = 1;
# E_WINDOW
# SELECT cell_id, COUNT(*), rank() OVER (ORDER BY COUNT(*)) AS r FROM events GROUP BY 1 HAVING r = 1
#                                                                                              ^^^^^
# A window can't be read by another window of the same SELECT, nor by HAVING.
# Try: compute the inner one in a subquery in FROM

# title: a window inside an aggregate
SELECT AVG(row_number() OVER (PARTITION BY subscriber_id ORDER BY ts)) FROM events;
# E_WINDOW
# SELECT AVG(row_number() OVER (PARTITION BY subscriber_id ORDER BY ts)) FROM events
#            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A window function can't stand here: it looks at the rows that WHERE and GROUP BY leave.
# Try: QUALIFY in place of WHERE, or the window in a subquery in FROM

# title: a window inside a window
SELECT COUNT(*) FROM (SELECT sum(row_number() OVER (PARTITION BY subscriber_id ORDER BY ts)) OVER (PARTITION BY subscriber_id) AS x FROM events);
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT sum(row_number() OVER (PARTITION BY subscriber_id ORDER BY ts)) OVER (PARTITION BY subscriber_id) AS x FROM events)
#                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A window function can't stand here: it looks at the rows that WHERE and GROUP BY leave.
# Try: QUALIFY in place of WHERE, or the window in a subquery in FROM

# title: a window that reads another by its name
SELECT COUNT(*) FROM (SELECT subscriber_id, lag(ts) OVER (PARTITION BY subscriber_id ORDER BY ts) AS before, count(before) OVER (PARTITION BY subscriber_id) AS n FROM events);
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT subscriber_id, lag(ts) OVER (PARTITION BY subscriber_id ORDER BY ts) AS before, count(before) OVER (PARTITION BY subscriber_id) AS n FROM events)
#                                                                                                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A window can't be read by another window of the same SELECT, nor by HAVING.
# Try: compute the inner one in a subquery in FROM

# title: a window as a group key
SELECT row_number() OVER (PARTITION BY subscriber_id ORDER BY ts) AS r, COUNT(*) FROM events GROUP BY 1;
# E_WINDOW
# SELECT row_number() OVER (PARTITION BY subscriber_id ORDER BY ts) AS r, COUNT(*) FROM events GROUP BY 1
#        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A window function can't stand here: it looks at the rows that WHERE and GROUP BY leave.
# Try: QUALIFY in place of WHERE, or the window in a subquery in FROM

# title: QUALIFY without a window
SELECT COUNT(*) FROM (SELECT * FROM events QUALIFY cell_id = 1);
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT * FROM events QUALIFY cell_id = 1)
#                                                    ^^^^^^^^^^^
# QUALIFY chooses rows by window functions, and there is none.
# Try: WHERE, or HAVING over groups

# title: different values in a window
SELECT COUNT(*) FROM (SELECT count(DISTINCT cell_id) OVER (PARTITION BY subscriber_id) AS n FROM events);
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT count(DISTINCT cell_id) OVER (PARTITION BY subscriber_id) AS n FROM events)
#                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# DISTINCT has no window form: rows of a frame come and go.
# Try: COUNT(DISTINCT x) with GROUP BY in a subquery

# title: an aggregate without a window form
SELECT COUNT(*) FROM (SELECT median(dwell_s) OVER (PARTITION BY subscriber_id) AS m FROM events);
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT median(dwell_s) OVER (PARTITION BY subscriber_id) AS m FROM events)
#                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# median has no window form in the dialect.
# Try: ROW_NUMBER, RANK, LAG, LEAD, FIRST_VALUE, COUNT, SUM, AVG, MIN or MAX

# title: a distance that is stored
SELECT COUNT(*) FROM (SELECT lag(ts, cell_id) OVER (PARTITION BY subscriber_id ORDER BY ts) AS x FROM events);
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT lag(ts, cell_id) OVER (PARTITION BY subscriber_id ORDER BY ts) AS x FROM events)
#                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# LAG counts by a constant whole number of -1,000,000,000 to 1,000,000,000.
# Try: LAG(x) OVER (...)

# title: no buckets
SELECT COUNT(*) FROM (SELECT ntile(0) OVER (PARTITION BY subscriber_id ORDER BY ts) AS x FROM events);
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT ntile(0) OVER (PARTITION BY subscriber_id ORDER BY ts) AS x FROM events)
#                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# NTILE counts by a constant whole number of 1 to 1,000,000,000.
# Try: NTILE(4) OVER (...)

# title: the person key carried by a window
SELECT x, COUNT(*) FROM (SELECT lag(subscriber_id) OVER (PARTITION BY subscriber_id ORDER BY ts) AS x FROM events) GROUP BY 1;
# E_PERSON_KEY
# SELECT x, COUNT(*) FROM (SELECT lag(subscriber_id) OVER (PARTITION BY subscriber_id ORDER BY ts) AS x FROM events) GROUP BY 1
#                                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# The person key can be counted, joined on and grouped by, and nothing else.
# Try: row_number() OVER (PARTITION BY the person ...)

# title: a default of another type
SELECT COUNT(*) FROM (SELECT lag(cell_id, 1, 0.5) OVER (PARTITION BY subscriber_id ORDER BY ts) AS x FROM events);
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT lag(cell_id, 1, 0.5) OVER (PARTITION BY subscriber_id ORDER BY ts) AS x FROM events)
#                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# The default has another type than the values beside it.
# Try: CAST one of them

# title: a frame that ends before it starts
SELECT COUNT(*) FROM (SELECT count(*) OVER (PARTITION BY subscriber_id ORDER BY ts ROWS BETWEEN 1 PRECEDING AND 2 PRECEDING) AS n FROM events);
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT count(*) OVER (PARTITION BY subscriber_id ORDER BY ts ROWS BETWEEN 1 PRECEDING AND 2 PRECEDING) AS n FROM events)
#                                                                                                 ^^^^^^^^^^^^^^^^^
# This frame ends before it starts.
# Try: ROWS BETWEEN 2 PRECEDING AND CURRENT ROW

# title: a frame without some of its rows
SELECT COUNT(*) FROM (SELECT count(*) OVER (PARTITION BY subscriber_id ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES) AS n FROM events);
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT count(*) OVER (PARTITION BY subscriber_id ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES) AS n FROM events)
#                                                                                                 ^
# EXCLUDE is not part of the dialect here.
# Try: leave EXCLUDE out

# title: a negative distance
SELECT COUNT(*) FROM (SELECT count(*) OVER (PARTITION BY subscriber_id ORDER BY ts ROWS BETWEEN -1 PRECEDING AND CURRENT ROW) AS n FROM events);
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT count(*) OVER (PARTITION BY subscriber_id ORDER BY ts ROWS BETWEEN -1 PRECEDING AND CURRENT ROW) AS n FROM events)
#                                                                                                  ^
# A frame ends at a constant distance that is not negative.
# Try: ROWS BETWEEN 2 PRECEDING AND CURRENT ROW

# title: rows counted by a fraction
SELECT COUNT(*) FROM (SELECT count(*) OVER (PARTITION BY subscriber_id ORDER BY ts ROWS 1.5 PRECEDING) AS n FROM events);
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT count(*) OVER (PARTITION BY subscriber_id ORDER BY ts ROWS 1.5 PRECEDING) AS n FROM events)
#                                                                                         ^^^
# ROWS are counted by whole numbers of at most 1,000,000,000.
# Try: ROWS BETWEEN 2 PRECEDING AND CURRENT ROW

# title: groups without an order
SELECT COUNT(*) FROM (SELECT count(*) OVER (PARTITION BY subscriber_id GROUPS 1 PRECEDING) AS n FROM events);
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT count(*) OVER (PARTITION BY subscriber_id GROUPS 1 PRECEDING) AS n FROM events)
#                                                                               ^
# GROUPS are of rows that an ORDER BY leaves equal.
# Try: add an ORDER BY

# title: a distance among two values
SELECT COUNT(*) FROM (SELECT count(*) OVER (PARTITION BY subscriber_id ORDER BY ts, cell_id RANGE INTERVAL 1 HOUR PRECEDING) AS n FROM events);
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT count(*) OVER (PARTITION BY subscriber_id ORDER BY ts, cell_id RANGE INTERVAL 1 HOUR PRECEDING) AS n FROM events)
#                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A RANGE with distances has one ORDER BY value.
# Try: ORDER BY ts RANGE BETWEEN INTERVAL '2 hours' PRECEDING AND CURRENT ROW

# title: a distance of another type
SELECT COUNT(*) FROM (SELECT count(*) OVER (PARTITION BY subscriber_id ORDER BY ts RANGE 5 PRECEDING) AS n FROM events);
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT count(*) OVER (PARTITION BY subscriber_id ORDER BY ts RANGE 5 PRECEDING) AS n FROM events)
#                                                                                          ^
# A RANGE over TIMESTAMP has no such distances: numbers go with numbers, intervals with dates and times.
# Try: RANGE BETWEEN INTERVAL '2 hours' PRECEDING AND CURRENT ROW

# title: a window that nobody named
SELECT COUNT(*) FROM (SELECT rank() OVER v AS r FROM events WINDOW w AS (PARTITION BY subscriber_id ORDER BY ts));
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT rank() OVER v AS r FROM events WINDOW w AS (PARTITION BY subscriber_id ORDER BY ts))
#                              ^^^^^^^^^^^^^
# There is no window v here.
# Try: one of w

# title: a named window said twice
SELECT COUNT(*) FROM (SELECT rank() OVER (w ORDER BY cell_id) AS r FROM events WINDOW w AS (PARTITION BY subscriber_id ORDER BY ts));
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT rank() OVER (w ORDER BY cell_id) AS r FROM events WINDOW w AS (PARTITION BY subscriber_id ORDER BY ts))
#                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# The window w says that already.
# Try: write this window out

# title: two windows of one name
SELECT COUNT(*) FROM (SELECT rank() OVER w AS r FROM events WINDOW w AS (PARTITION BY subscriber_id ORDER BY ts), W AS (PARTITION BY subscriber_id));
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT rank() OVER w AS r FROM events WINDOW w AS (PARTITION BY subscriber_id ORDER BY ts), W AS (PARTITION BY subscriber_id))
#                                                                                                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# w stands twice in WINDOW.
# Try: give each window its own name

# title: IGNORE NULLS where nothing can be NULL
SELECT COUNT(*) FROM (SELECT rank() IGNORE NULLS OVER (PARTITION BY subscriber_id ORDER BY ts) AS r FROM events);
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT rank() IGNORE NULLS OVER (PARTITION BY subscriber_id ORDER BY ts) AS r FROM events)
#                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# RANK has no IGNORE NULLS.
# Try: leave IGNORE NULLS out

# title: a filter of what is no aggregate
SELECT COUNT(*) FROM (SELECT lag(ts) FILTER (WHERE cell_id = 1) OVER (PARTITION BY subscriber_id ORDER BY ts) AS x FROM events);
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT lag(ts) FILTER (WHERE cell_id = 1) OVER (PARTITION BY subscriber_id ORDER BY ts) AS x FROM events)
#                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# LAG has no FILTER: it belongs to aggregates.
# Try: LAG over rows that WHERE or a subquery in FROM keeps

# title: an order inside of a window function
SELECT COUNT(*) FROM (SELECT first_value(ts ORDER BY cell_id) OVER (PARTITION BY subscriber_id) AS x FROM events);
# E_WINDOW
# SELECT COUNT(*) FROM (SELECT first_value(ts ORDER BY cell_id) OVER (PARTITION BY subscriber_id) AS x FROM events)
#                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# FIRST_VALUE takes its order from OVER.
# Try: FIRST_VALUE(x) OVER (...)

# title: windows over a kept public table
SELECT cell_id, COUNT(ts) FROM (SELECT c.cell_id, e.ts, row_number() OVER (PARTITION BY e.subscriber_id ORDER BY e.ts) AS r FROM cells c LEFT JOIN events e USING (cell_id)) GROUP BY 1;
# E_WINDOW
# SELECT cell_id, COUNT(ts) FROM (SELECT c.cell_id, e.ts, row_number() OVER (PARTITION BY e.subscriber_id ORDER BY e.ts) AS r FROM cells c LEFT JOIN events e USING (cell_id)) GROUP BY 1
#                                                         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# A window over a public table LEFT JOIN a private one would see rows that belong to nobody.
# Try: JOIN in place of LEFT JOIN

# title: people's rows by their windows leave no more than others
SELECT subscriber_id, ts FROM events QUALIFY row_number() OVER (PARTITION BY subscriber_id ORDER BY ts) = 1;
# E_ROWS
# SELECT subscriber_id, ts FROM events QUALIFY row_number() OVER (PARTITION BY subscriber_id ORDER BY ts) = 1
# ^^^^^^
# Rows of people never leave; only aggregates over many of them do.
# Try: SELECT COUNT(*) FROM (SELECT subscriber_id, ts FROM events QUALIFY row_number() OVER (PARTITION BY subscriber_id ORDER BY ts) = 1) -- counts rows in place of listing them

# title: bounds in a window
SELECT COUNT(*) FROM (SELECT sum(cell_id, contribution_bounds_per_group => (0, 9)) OVER (PARTITION BY subscriber_id) AS x FROM events);
# E_PARAM
# SELECT COUNT(*) FROM (SELECT sum(cell_id, contribution_bounds_per_group => (0, 9)) OVER (PARTITION BY subscriber_id) AS x FROM events)
#                                           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Bounds belong to an aggregate over many people.
# Try: leave them out here

# title: a union
SELECT COUNT(*) FROM (SELECT cell_id FROM events UNION SELECT cell_id FROM events);
# E_SUBQUERY
# SELECT COUNT(*) FROM (SELECT cell_id FROM events UNION SELECT cell_id FROM events)
#                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# UNION compares people's rows, and so needs the person key in the same place of both select lists.
# Try: SELECT COUNT(*) FROM (SELECT subscriber_id, cell_id FROM events UNION SELECT subscriber_id, cell_id FROM events) -- compares the rows of each person alone

# title: a person key beside other values
SELECT COUNT(*) FROM (SELECT subscriber_id FROM events UNION ALL SELECT age FROM subscribers);
# E_PERSON_KEY
# SELECT COUNT(*) FROM (SELECT subscriber_id FROM events UNION ALL SELECT age FROM subscribers)
#                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# The person key can't stand in one column with something else.
# Try: subscriber_id in the same place of both queries

# title: people's rows beside public ones
SELECT COUNT(*) FROM (SELECT cell_id FROM events UNION ALL SELECT cell_id FROM cells);
# E_ROWS
# SELECT COUNT(*) FROM (SELECT cell_id FROM events UNION ALL SELECT cell_id FROM cells)
#                              ^^^^^^^^^^^^^^^^^^^
# People's rows can't stand in one UNION with rows that are nobody's.
# Try: an aggregate on this side too

# title: a limit on people's rows
SELECT COUNT(*) FROM (SELECT dwell_s FROM events LIMIT 5);
# E_SAMPLE
# SELECT COUNT(*) FROM (SELECT dwell_s FROM events LIMIT 5)
#                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Rows of people never leave, and can't be cut by LIMIT.
# Try: SELECT COUNT(*) FROM events -- counts rows in place of listing them

# title: two statements
SELECT COUNT(*) FROM events; DROP TABLE events;
# E_STMT
# SELECT COUNT(*) FROM events; DROP TABLE events
#                              ^^^^
# Only one statement at a time is answered.
# Try: SELECT COUNT(*) FROM events -- the first statement alone

# title: something that is no question
PRAGMA database_list;
# E_STMT
# PRAGMA database_list
# ^^^^^^
# Only SELECT questions are answered.
# Try: SELECT COUNT(*) FROM events -- counts the rows

# title: recursion
WITH RECURSIVE r AS (SELECT 1 AS n) SELECT * FROM r;
# E_STMT
# WITH RECURSIVE r AS (SELECT 1 AS n) SELECT * FROM r
#                ^^^^^^^^^^^^^^^^^^^
# Recursion is not in the dialect.
# Try: WITH r AS (SELECT 1 AS n) SELECT * FROM r

# title: a file
SELECT COUNT(*) FROM 'x.parquet';
# E_TABLE
# SELECT COUNT(*) FROM 'x.parquet'
#                      ^^^^^^^^^^^
# There is no table x.parquet.
# Try: one of events, subscribers, cells, hours

# title: a table function
SELECT COUNT(*) FROM read_csv('/etc/passwd');
# E_TABLE
# SELECT COUNT(*) FROM read_csv('/etc/passwd')
#                      ^^^^^^^^^^^^^^^^^^^^^^
# This table function is not in the dialect.
# Try: FROM a declared table, or stays(...), trips(...), home_zone(...), work_zone(...)

# title: a sample
SELECT COUNT(*) FROM events TABLESAMPLE 10%;
# E_SAMPLE
# SELECT COUNT(*) FROM events TABLESAMPLE 10%
#                      ^^^^^^^^^^^^^^^^^^^^^
# Samples are not in the dialect.
# Try: SELECT COUNT(*) FROM events -- of all rows

# title: a pivot
SELECT * FROM subscribers PIVOT (COUNT(*) FOR home_zone IN ('a'));
# E_TABLE
# SELECT * FROM subscribers PIVOT (COUNT(*) FOR home_zone IN ('a'))
#               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# PIVOT or UNPIVOT is not part of the dialect here.
# Try: a column for each value: COUNT(*) FILTER (WHERE x = 'a') AS a, with GROUP BY

# title: broken SQL
SELECT COUNT( FROM events;
# E_PARSE
# SELECT COUNT( FROM events
#                    ^^^^^^
# The SQL can't be read from here on.
# Try: SELECT COUNT() FROM events -- closes what is open

# title: an open quote
SELECT COUNT(*) FROM events WHERE home = 'x;
# E_PARSE
# SELECT COUNT(*) FROM events WHERE home = 'x
#                                          ^
# The text breaks off inside a quotation or comment.
# Try: close every quote

# title: a limit that is no number
SELECT cell_id, COUNT(*) FROM events GROUP BY 1 LIMIT (SELECT 3);
# E_PARAM
# SELECT cell_id, COUNT(*) FROM events GROUP BY 1 LIMIT (SELECT 3)
#                                                               ^
# LIMIT takes a whole number of at most 1,000,000,000.
# Try: LIMIT 10

# title: a word of SQL's own as a name
SELECT COUNT(*) AS select FROM events;
# E_PARSE
# SELECT COUNT(*) AS select FROM events
#                    ^^^^^^
# SELECT is a word of SQL's own, and stands here as a name.
# Try: SELECT COUNT(*) AS "select" FROM events

# title: a function under its other name
SELECT CEILING(home_zone), COUNT(*) FROM subscribers GROUP BY 1;
# E_FUNC
# SELECT CEILING(home_zone), COUNT(*) FROM subscribers GROUP BY 1
#        ^^^^^^^^^^^^^^^^^
# CEILING does not take (VARCHAR).
# Try: CEILING takes (number)

# title: an aggregate that the parser calls otherwise
SELECT string_agg(home_zone, ',') FROM subscribers;
# E_AGG
# SELECT string_agg(home_zone, ',') FROM subscribers
#        ^^^^^^^^^^^^^^^^^^^^^^^^^
# string_agg across people would return everybody's values.
# Try: SELECT home_zone, COUNT(*) FROM subscribers GROUP BY home_zone -- a row for each value of home_zone

# title: a function without arguments
SELECT COUNT(*) FROM events WHERE current_date > ts;
# E_FUNC
# SELECT COUNT(*) FROM events WHERE current_date > ts
#                                   ^^^^^^^^^^^^
# CURRENT_DATE is another value whenever it is asked, and no repeat would be found again.
# Try: SELECT COUNT(*) FROM events WHERE DATE '2026-10-07' > ts -- 2026-10-07 is the last declared day

# title: a cast that does not exist
SELECT CAST(ts AS INT), COUNT(*) FROM events GROUP BY 1;
# E_FUNC
# SELECT CAST(ts AS INT), COUNT(*) FROM events GROUP BY 1
#             ^^
# CAST AS INT does not take (TIMESTAMP).
# Try: CAST AS INT takes (condition) or (number)

# title: values of two types between
SELECT age BETWEEN 'a' AND 'b', COUNT(*) FROM subscribers GROUP BY 1;
# E_FUNC
# SELECT age BETWEEN 'a' AND 'b', COUNT(*) FROM subscribers GROUP BY 1
#        ^^^^^^^^^^^^^^^^^^^^^^^
# BETWEEN does not take (BIGINT, VARCHAR).
# Try: compare values of one type

# title: a star that holds no keys
SELECT *, COUNT(*) FROM events GROUP BY cell_id;
# E_KEY
# SELECT *, COUNT(*) FROM events GROUP BY cell_id
# ^^^^^^
# subscriber_id comes with * but is no group key.
# Try: name the columns you want

# title: a column in capitals
SELECT Cell_Id, Lat, COUNT(*) FROM events GROUP BY Cell_Id;
# E_KEY
# SELECT Cell_Id, Lat, COUNT(*) FROM events GROUP BY Cell_Id
#                 ^^^
# Lat is neither a group key nor in an aggregate.
# Try: SELECT Cell_Id, AVG(Lat), COUNT(*) FROM events GROUP BY Cell_Id -- the mean of Lat in each group

# title: an open comment
SELECT COUNT(*) /* of FROM events;
# E_PARSE
# SELECT COUNT(*) /* of FROM events
#                 ^
# The text breaks off inside a quotation or comment.
# Try: close every quote

# title: a column of another private table
SELECT gender, COUNT(*) FROM events GROUP BY gender;
# E_COLUMN
# SELECT gender, COUNT(*) FROM events GROUP BY gender
#        ^^^^^^
# There is no column gender here: it is in subscribers.
# Try: SELECT gender, COUNT(*) FROM events JOIN subscribers USING (subscriber_id) GROUP BY gender -- gender of subscribers; rows that meet none are left out

# title: a column of a public table
SELECT COUNT(*) FROM events WHERE zone = 'C1';
# E_COLUMN
# SELECT COUNT(*) FROM events WHERE zone = 'C1'
#                                   ^^^^
# There is no column zone here: it is in cells.
# Try: SELECT COUNT(*) FROM events JOIN cells USING (cell_id) WHERE zone = 'C1' -- zone of cells; rows that meet none are left out; one that meets several counts each time

# title: double quotes around text
SELECT COUNT(*) FROM subscribers WHERE gender IN ("f", "m");
# E_COLUMN
# SELECT COUNT(*) FROM subscribers WHERE gender IN ("f", "m")
#                                                   ^^^
# There is no column f here. Double quotes are for names, single quotes for text.
# Try: SELECT COUNT(*) FROM subscribers WHERE gender IN ('f', 'm')

# title: an average without bounds
SELECT cell_id, AVG(lon) AS a FROM events GROUP BY cell_id;
# E_BOUNDS
# SELECT cell_id, AVG(lon) AS a FROM events GROUP BY cell_id
#                 ^^^^^^^
# AVG needs a range that is known without the data: no bounds are declared. Say your own ends.
# Try: SELECT cell_id, AVG(LEAST(GREATEST(lon, YOUR_MIN), YOUR_MAX)) AS a FROM events GROUP BY cell_id -- a value beyond YOUR_MIN or YOUR_MAX counts as that end

# title: tables shown
SHOW TABLES;
# E_STMT
# SHOW TABLES
# ^^^^
# Only SELECT questions are answered; there are events, subscribers, cells, hours.
# Try: SELECT COUNT(*) FROM events -- counts the rows

# title: a table described
DESCRIBE events;
# E_STMT
# DESCRIBE events
# ^^^^^^^^
# Only SELECT questions are answered; events has subscriber_id, ts, cell_id, lon, lat, dwell_s.
# Try: SELECT COUNT(*) FROM events -- counts the rows

# title: a key of every number
SELECT lon, COUNT(*) FROM events GROUP BY lon;
# E_KEY
# SELECT lon, COUNT(*) FROM events GROUP BY lon
#                                           ^^^
# lon has a value of its own in almost every row.
# Try: SELECT floor(lon / 10), COUNT(*) FROM events WHERE lon BETWEEN YOUR_MIN AND YOUR_MAX GROUP BY floor(lon / 10) -- groups by floor(lon / 10); rows outside the ends are left out

# title: a key without ends
SELECT floor(lon) AS p, COUNT(*) FROM events GROUP BY p;
# E_KEY
# SELECT floor(lon) AS p, COUNT(*) FROM events GROUP BY p
#                                                       ^
# floor(lon) may be any number: neither bounds nor the question say where it ends.
# Try: SELECT floor(lon) AS p, COUNT(*) FROM events WHERE floor(lon) BETWEEN YOUR_MIN AND YOUR_MAX GROUP BY p -- rows outside the ends are left out

# title: a text that is no key
SELECT cell_id, gender, COUNT(*) FROM events JOIN subscribers USING (subscriber_id) GROUP BY cell_id;
# E_KEY
# SELECT cell_id, gender, COUNT(*) FROM events JOIN subscribers USING (subscriber_id) GROUP BY cell_id
#                 ^^^^^^
# gender is neither a group key nor in an aggregate.
# Try: SELECT cell_id, gender, COUNT(*) FROM events JOIN subscribers USING (subscriber_id) GROUP BY cell_id, gender -- a row for each value of the added keys

# title: rows of nobody summed
SELECT h.h, SUM(COALESCE(e.dwell_s, 60)) FROM hours h LEFT JOIN events e ON hour(e.ts) = h.h GROUP BY 1;
# E_AGG
# SELECT h.h, SUM(COALESCE(e.dwell_s, 60)) FROM hours h LEFT JOIN events e ON hour(e.ts) = h.h GROUP BY 1
#             ^^^^^^^^^^^^^^^^^^^^^^^^^^
# Rows that a LEFT JOIN adds where nobody's row matched belong to nobody, and would move this.
# Try: SELECT h.h, COUNT(e.subscriber_id) FROM hours h LEFT JOIN events e ON hour(e.ts) = h.h GROUP BY 1 -- counts the rows of people, and 0 where there are none

# title: a private key beside public rows that stay
SELECT h.h, e.cell_id, COUNT(e.ts) FROM hours h LEFT JOIN events e ON hour(e.ts) = h.h GROUP BY 1, 2;
# E_KEY
# SELECT h.h, e.cell_id, COUNT(e.ts) FROM hours h LEFT JOIN events e ON hour(e.ts) = h.h GROUP BY 1, 2
#                                                                                                 ^^^^
# A public table LEFT JOIN a private one is grouped by public columns: other keys have no public list here.
# Try: JOIN in place of LEFT JOIN, or GROUP BY public columns alone

# title: who was not there
SELECT h.h, COUNT(e.ts) FROM hours h LEFT JOIN events e ON hour(e.ts) = h.h WHERE e.ts IS NULL GROUP BY 1;
# E_JOIN
# SELECT h.h, COUNT(e.ts) FROM hours h LEFT JOIN events e ON hour(e.ts) = h.h WHERE e.ts IS NULL GROUP BY 1
#                                                                                   ^^^^
# This condition looks at private columns that are NULL where nobody's row matched the LEFT JOIN.
# Try: conditions on public columns alone, or JOIN in place of LEFT JOIN

# title: a grid of no width
SELECT grid_cell(lon, lat, 0) AS c, COUNT(*) AS n FROM events GROUP BY 1;
# E_FUNC
# SELECT grid_cell(lon, lat, 0) AS c, COUNT(*) AS n FROM events GROUP BY 1
#        ^^^^^^^^^^^^^^^^^^^^^
# grid_cell does not take (DOUBLE, DOUBLE, BIGINT).
# Try: grid_cell takes (longitude, latitude, constant width of 1 to 1,000,000 metres)

# title: a width that is a column
SELECT grid_cell(lon, lat, cell_id) AS c, COUNT(*) AS n FROM events GROUP BY 1;
# E_FUNC
# SELECT grid_cell(lon, lat, cell_id) AS c, COUNT(*) AS n FROM events GROUP BY 1
#        ^^^^^^^^^^^^^^^^^^^^^^^^^^^
# grid_cell does not take (DOUBLE, DOUBLE, BIGINT).
# Try: grid_cell takes (longitude, latitude, constant width of 1 to 1,000,000 metres)

# title: buckets from above to below
SELECT width_bucket(dwell_s, 60, 0, 12) AS b, COUNT(*) AS n FROM events GROUP BY 1;
# E_FUNC
# SELECT width_bucket(dwell_s, 60, 0, 12) AS b, COUNT(*) AS n FROM events GROUP BY 1
#        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# The lower end comes first.
# Try: width_bucket takes (number, constant number, constant number, constant integer of 1 to 10,000)

# title: a compass of a text
SELECT compass8(gender) AS d, COUNT(*) AS n FROM subscribers GROUP BY 1;
# E_FUNC
# SELECT compass8(gender) AS d, COUNT(*) AS n FROM subscribers GROUP BY 1
#        ^^^^^^^^^^^^^^^
# compass8 does not take (VARCHAR).
# Try: compass8 takes (number)

# title: a minimum of text across people
SELECT MIN(home_zone) FROM subscribers;
# E_AGG
# SELECT MIN(home_zone) FROM subscribers
#        ^^^^^^^^^^^^^
# MIN across people would return the value of one person.
# Try: SELECT home_zone, COUNT(*) FROM subscribers GROUP BY home_zone -- a row for each value of home_zone

# title: a level that is no share
SELECT QUANTILE_CONT(dwell_s, 50) FROM events;
# E_PARAM
# SELECT QUANTILE_CONT(dwell_s, 50) FROM events
#        ^^^^^^^^^^^^^^^^^^^^^^^^^
# The level of a quantile is one number from 0 to 1.
# Try: QUANTILE_CONT(x, 0.25)

# title: several levels in a list
SELECT QUANTILE_CONT(dwell_s, [0.25, 0.5]) FROM events;
# E_AGG
# SELECT QUANTILE_CONT(dwell_s, [0.25, 0.5]) FROM events
#        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# One call gives one quantile; several levels of one value cost what one costs.
# Try: SELECT QUANTILE_CONT(dwell_s, 0.25), QUANTILE_CONT(dwell_s, 0.5) FROM events -- a column for each level

# title: a quantile of one of the stored values
SELECT QUANTILE_DISC(home_zone, 0.5) FROM subscribers;
# E_AGG
# SELECT QUANTILE_DISC(home_zone, 0.5) FROM subscribers
#        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# QUANTILE_DISC across people would return the value of one person.
# Try: SELECT home_zone, COUNT(*) FROM subscribers GROUP BY home_zone -- a row for each value of home_zone

# title: quantiles of private groups
SELECT home_zone, MEDIAN(age) FROM subscribers GROUP BY home_zone;
# E_KEY
# SELECT home_zone, MEDIAN(age) FROM subscribers GROUP BY home_zone
#                                                         ^^^^^^^^^
# Quantiles of age need groups that are known without the data; home_zone must reach a threshold.
# Try: WHERE home_zone IN (...), with the groups that you want

# title: a median of the person
SELECT MEDIAN(subscriber_id) FROM events;
# E_PERSON_KEY
# SELECT MEDIAN(subscriber_id) FROM events
#        ^^^^^^^^^^^^^^^^^^^^
# The person key can only be counted.
# Try: COUNT(DISTINCT subscriber_id) -- counts people

# title: EXISTS that the person does not decide
SELECT COUNT(*) FROM events e WHERE EXISTS (SELECT 1 FROM subscribers s WHERE s.subscriber_id = e.subscriber_id OR s.age = 113);
# E_SUBQUERY
# SELECT COUNT(*) FROM events e WHERE EXISTS (SELECT 1 FROM subscribers s WHERE s.subscriber_id = e.subscriber_id OR s.age = 113)
#                                                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Rows of people can only be chosen by rows of the same person.
# Try: subscriber_id IN (SELECT subscriber_id FROM ... WHERE ...)

# title: public rows chosen by people's
SELECT COUNT(*) FROM cells WHERE cell_id IN (SELECT cell_id FROM events);
# E_SUBQUERY
# SELECT COUNT(*) FROM cells WHERE cell_id IN (SELECT cell_id FROM events)
#                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Only rows of people can be chosen by rows of people: anything else would tell of them without noise.
# Try: a JOIN, and GROUP BY the public columns

# title: NOT IN a list that may hold a NULL
SELECT COUNT(*) FROM subscribers WHERE home_zone NOT IN (SELECT zone FROM cells);
# E_SUBQUERY
# SELECT COUNT(*) FROM subscribers WHERE home_zone NOT IN (SELECT zone FROM cells)
#                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# NOT IN is never true once its list holds a NULL, and this one may.
# Try: SELECT COUNT(*) FROM subscribers WHERE home_zone NOT IN (SELECT zone FROM cells WHERE zone IS NOT NULL) -- a NULL in the list is left out: with one, NOT IN is never true

# title: a person that may be NULL outside of a list
SELECT COUNT(*) FROM events e LEFT JOIN subscribers s ON s.subscriber_id = e.subscriber_id AND s.age > e.lat WHERE s.subscriber_id NOT IN (SELECT subscriber_id FROM subscribers);
# E_SUBQUERY
# SELECT COUNT(*) FROM events e LEFT JOIN subscribers s ON s.subscriber_id = e.subscriber_id AND s.age > e.lat WHERE s.subscriber_id NOT IN (SELECT subscriber_id FROM subscribers)
#                                                                                                                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# This person key may be NULL, and NULL is neither in a list nor outside of it.
# Try: NOT EXISTS (SELECT 1 FROM ... WHERE ... = ...)

# title: people chosen by released numbers
SELECT COUNT(*) FROM events WHERE cell_id IN (SELECT cell_id FROM events GROUP BY 1 HAVING COUNT(*) > 5);
# E_SUBQUERY
# SELECT COUNT(*) FROM events WHERE cell_id IN (SELECT cell_id FROM events GROUP BY 1 HAVING COUNT(*) > 5)
#                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Private rows can't be chosen by numbers that were released in the same statement.
# Try: ask two questions

# title: a grouped subquery that names the row around it
SELECT COUNT(*) FROM subscribers s WHERE EXISTS (SELECT 1 FROM events e WHERE e.subscriber_id = s.subscriber_id GROUP BY e.cell_id HAVING COUNT(*) > 3);
# E_SUBQUERY
# SELECT COUNT(*) FROM subscribers s WHERE EXISTS (SELECT 1 FROM events e WHERE e.subscriber_id = s.subscriber_id GROUP BY e.cell_id HAVING COUNT(*) > 3)
#                                                         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# Only a plain SELECT ... FROM ... WHERE can name the row around it.
# Try: person IN (SELECT person FROM ... GROUP BY person HAVING ...)

# title: IN with two columns for one
SELECT COUNT(*) FROM events WHERE subscriber_id IN (SELECT subscriber_id, age FROM subscribers);
# E_SUBQUERY
# SELECT COUNT(*) FROM events WHERE subscriber_id IN (SELECT subscriber_id, age FROM subscribers)
#                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# The subquery behind IN selects 2 columns, and 1 stand before it.
# Try: x IN (SELECT x FROM ...)

# title: the interval of what is stored
SELECT COUNT(*) FROM events WHERE DP_INTERVAL_LOW(dwell_s) > 3;
# E_AGG
# SELECT COUNT(*) FROM events WHERE DP_INTERVAL_LOW(dwell_s) > 3
#                                   ^^^^^^^^^^^^^^^
# The rows of people have no noise, and no interval: it is of released numbers.
# Try: DP_INTERVAL_LOW(n), with COUNT(*) AS n or SUM(x) AS n in the select list

# title: the interval of a number whose noise can't be followed
SELECT greatest(COUNT(*), 0) AS n, DP_INTERVAL_HIGH(n) AS high FROM events;
# E_AGG
# SELECT greatest(COUNT(*), 0) AS n, DP_INTERVAL_HIGH(n) AS high FROM events
#                                    ^^^^^^^^^^^^^^^^
# No interval is known for this: its noise can't be followed here, or there is none in it.
# Try: DP_INTERVAL_LOW(n), with COUNT(*) AS n or SUM(x) AS n in the select list

# title: the usual value of everybody
SELECT MODE(home_zone) FROM subscribers;
# E_AGG
# SELECT MODE(home_zone) FROM subscribers
#        ^^^^^^^^^^^^^^
# MODE across people would return the value of one person.
# Try: SELECT home_zone, COUNT(*) FROM subscribers GROUP BY home_zone -- a row for each value of home_zone

# title: whether anybody is so
SELECT BOOL_OR(age > 100) FROM subscribers;
# E_AGG
# SELECT BOOL_OR(age > 100) FROM subscribers
#        ^^^^^^^^^^^^^^^^^
# BOOL_OR across people would tell whether any one person is so.
# Try: SELECT COUNT_IF(age > 100) FROM subscribers -- the number of rows for which it is true

# title: whether everybody is so
SELECT gender, BOOL_AND(age > 17) AS grown FROM subscribers GROUP BY gender;
# E_AGG
# SELECT gender, BOOL_AND(age > 17) AS grown FROM subscribers GROUP BY gender
#                ^^^^^^^^^^^^^^^^^
# BOOL_AND across people would tell whether any one person is not so.
# Try: SELECT gender, COUNT_IF(NOT (age > 17)) AS grown FROM subscribers GROUP BY gender -- the number of rows for which it is not true

# title: the value beside the largest
SELECT ARG_MAX(home_zone, age) FROM subscribers;
# E_AGG
# SELECT ARG_MAX(home_zone, age) FROM subscribers
#        ^^^^^^^^^^^^^^^^^^^^^^
# ARG_MAX across people would return the value of one person.
# Try: SELECT MAX(age) FROM subscribers -- the greatest of what the rows are ordered by

# title: everybody's values as a list
SELECT LIST(age) FROM subscribers;
# E_AGG
# SELECT LIST(age) FROM subscribers
#        ^^^^^^^^
# LIST across people would return everybody's values.
# Try: SELECT age, COUNT(*) FROM subscribers GROUP BY age -- a row for each value of age

# title: a product over people
SELECT PRODUCT(age) FROM subscribers;
# E_AGG
# SELECT PRODUCT(age) FROM subscribers
#        ^^^^^^^^^^^
# PRODUCT across people can be turned by one person alone.
# Try: SELECT AVG(age) FROM subscribers -- the mean

# title: a first row without an order
SELECT COUNT(*) FROM (SELECT subscriber_id, FIRST(cell_id) AS c FROM events GROUP BY 1) WHERE c = 1;
# E_AGG
# SELECT COUNT(*) FROM (SELECT subscriber_id, FIRST(cell_id) AS c FROM events GROUP BY 1) WHERE c = 1
#                                             ^^^^^^^^^^^^^
# FIRST needs an order: rows have none of their own.
# Try: SELECT COUNT(*) FROM (SELECT subscriber_id, FIRST(cell_id ORDER BY cell_id) AS c FROM events GROUP BY 1) WHERE c = 1 -- in the order of cell_id: name your own

# title: several levels with an alias
SELECT quantile_cont(dwell_s, [0.25, 0.5, 0.75]) AS q FROM events;
# E_AGG
# SELECT quantile_cont(dwell_s, [0.25, 0.5, 0.75]) AS q FROM events
#        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# One call gives one quantile; several levels of one value cost what one costs.
# Try: SELECT QUANTILE_CONT(dwell_s, 0.25), QUANTILE_CONT(dwell_s, 0.5), QUANTILE_CONT(dwell_s, 0.75) AS q FROM events -- a column for each level

# title: a variance without known ends
SELECT STDDEV(lon) FROM events;
# E_BOUNDS
# SELECT STDDEV(lon) FROM events
#        ^^^^^^^^^^
# STDDEV needs a range that is known without the data: no bounds are declared. Say your own ends.
# Try: SELECT STDDEV(LEAST(GREATEST(lon, YOUR_MIN), YOUR_MAX)) FROM events -- a value beyond YOUR_MIN or YOUR_MAX counts as that end

# title: a correlation without known ends
SELECT CORR(dwell_s, lon) FROM events;
# E_BOUNDS
# SELECT CORR(dwell_s, lon) FROM events
#        ^^^^^^^^^^^^^^^^^
# CORR needs a range that is known without the data: no bounds are declared. Say your own ends.
# Try: SELECT CORR(dwell_s, LEAST(GREATEST(lon, YOUR_MIN), YOUR_MAX)) FROM events -- a value beyond YOUR_MIN or YOUR_MAX counts as that end

# title: movement that is not declared
SELECT COUNT(*) FROM stays(events);
# E_TABLE
# SELECT COUNT(*) FROM stays(events)
#                      ^^^^^^^^^^^^
# It is not known where these rows saw somebody.
# Try: a subquery with columns ts and zone_id, or let the steward declare movement of events in the catalog

# title: a table function of nothing
SELECT COUNT(*) FROM trips(min_minutes => 5);
# E_TABLE
# SELECT COUNT(*) FROM trips(min_minutes => 5)
#                      ^^^^^^^^^^^^^^^^^^^^^^
# trips needs the rows it is asked of.
# Try: trips(event)

# title: a table function of a function
SELECT COUNT(*) FROM stays(home_zone(events)) s;
# E_TABLE
# SELECT COUNT(*) FROM stays(home_zone(events)) s
#                            ^^^^^^^^^^^^^^^^
# stays is asked of one table, CTE or subquery.
# Try: stays(event) or stays((SELECT ...))

# title: movement of public rows
SELECT COUNT(*) FROM home_zone(cells);
# E_TABLE
# SELECT COUNT(*) FROM home_zone(cells)
#                      ^^^^^^^^^^^^^^^
# Movements are found in rows of people, and these are none.
# Try: a private table

# title: movement of nobody
SELECT COUNT(*) FROM stays((SELECT ts, cell_id AS zone_id FROM events)) s;
# E_PERSON_KEY
# SELECT COUNT(*) FROM stays((SELECT ts, cell_id AS zone_id FROM events)) s
#                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# These rows do not show whose they are.
# Try: SELECT subscriber_id, ... in the subquery

# title: a time that is a date
SELECT COUNT(*) FROM stays((SELECT subscriber_id, CAST(ts AS DATE) AS ts, cell_id AS zone_id FROM events)) s;
# E_TABLE
# SELECT COUNT(*) FROM stays((SELECT subscriber_id, CAST(ts AS DATE) AS ts, cell_id AS zone_id FROM events)) s
#                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# ts is DATE, and does not say at what time.
# Try: ts of type TIMESTAMP or TIMESTAMPTZ

# title: a parameter out of its ends
SELECT COUNT(*) FROM stays((SELECT subscriber_id, ts, cell_id AS zone_id FROM events), min_minutes => 0) s;
# E_PARAM
# SELECT COUNT(*) FROM stays((SELECT subscriber_id, ts, cell_id AS zone_id FROM events), min_minutes => 0) s
#                                                                                                       ^
# min_minutes is a whole number from 1 to 1,440.
# Try: SELECT COUNT(*) FROM stays((SELECT subscriber_id, ts, cell_id AS zone_id FROM events), min_minutes => 15) s -- with 15, the default

# title: a parameter that is none
SELECT COUNT(*) FROM home_zone((SELECT subscriber_id, ts, cell_id AS zone_id FROM events), min_days => 3) s;
# E_PARAM
# SELECT COUNT(*) FROM home_zone((SELECT subscriber_id, ts, cell_id AS zone_id FROM events), min_days => 3) s
#                                                                                                        ^
# home_zone has no parameter min_days.
# Try: home_zone(event, min_nights => ..., from_hour => ..., to_hour => ...)

# title: a parameter given twice
SELECT COUNT(*) FROM stays((SELECT subscriber_id, ts, cell_id AS zone_id FROM events), 20, min_minutes => 15) s;
# E_PARAM
# SELECT COUNT(*) FROM stays((SELECT subscriber_id, ts, cell_id AS zone_id FROM events), 20, min_minutes => 15) s
#                                                                                                           ^^
# min_minutes is given twice.
# Try: give it once

# title: a place behind a name
SELECT COUNT(*) FROM stays((SELECT subscriber_id, ts, cell_id AS zone_id FROM events), min_minutes => 15, 50) s;
# E_PARAM
# SELECT COUNT(*) FROM stays((SELECT subscriber_id, ts, cell_id AS zone_id FROM events), min_minutes => 15, 50) s
#                                                                                                           ^^
# Behind a named parameter all are named.
# Try: stays(event, min_minutes => ..., radius_m => ..., max_gap_minutes => ..., max_minutes => ...)

# title: a radius without places
SELECT COUNT(*) FROM stays((SELECT subscriber_id, ts, cell_id AS zone_id FROM events), radius_m => 500) s;
# E_PARAM
# SELECT COUNT(*) FROM stays((SELECT subscriber_id, ts, cell_id AS zone_id FROM events), radius_m => 500) s
#                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
# radius_m needs places, and of these rows no lon and lat are known.
# Try: leave radius_m out: stays are in one zone then
