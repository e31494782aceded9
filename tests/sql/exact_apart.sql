# What can't be compared: plain DuckDB raises, or gives NaN, an infinity or a number that no grain holds. Each is answered.
# The world is that of the adversarial cases.

# title: a sum over infinities
# because: plain DuckDB gives NaN or an infinity
SELECT SUM(lat) AS s, AVG(lat) AS a FROM events;

# title: a sum over the largest doubles
# because: plain DuckDB gives NaN, or a number of 300 digits in which everybody else's is lost
SELECT SUM(dwell_s) AS s FROM events;

# title: an integer divided by zero
# because: plain DuckDB raises
SELECT COUNT(1 // (age - 34)) AS n FROM subscribers;

# title: a remainder by zero
# because: plain DuckDB raises
SELECT COUNT(*) AS n FROM subscribers WHERE 5 % (age - 34) = 1;

# title: a product that 64 bits don't hold
# because: plain DuckDB raises
SELECT COUNT(*) AS n FROM subscribers WHERE age * 1000000000000000000 % 7 = 3;

# title: a double that 64 bits don't hold
# because: plain DuckDB raises, with the value in its text
SELECT COUNT(CAST(lon AS BIGINT)) AS n FROM events;

# title: a ratio over nothing
# because: plain DuckDB gives an infinity, the engine NULL
SELECT gender, COUNT(*) / COUNT_IF(age > 200) AS r FROM subscribers GROUP BY gender;

# title: a logarithm of a count of nothing
# because: plain DuckDB gives an infinity
SELECT ln(COUNT(*)) AS l FROM subscribers WHERE age > 200;

# title: a count divided into whole parts by a count of nothing
# because: plain DuckDB raises
SELECT COUNT(*) // COUNT_IF(age > 200) AS r FROM subscribers;
