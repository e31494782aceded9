# Hours and dates around the changes of the clock: DuckDB's session stands in the zone of the place, the engine's does not.
# Berlin goes forward on 29 March and back on 25 October 2026, New York on 8 March and 1 November.

# title: hours in Berlin
# zone: Europe/Berlin
SELECT hour(at_berlin) AS h, COUNT(*) AS n FROM ride GROUP BY h;

# title: hours in New York
# zone: America/New_York
SELECT hour(at_new_york) AS h, COUNT(*) AS n FROM ride GROUP BY h;

# title: hours in Berlin, said to DuckDB
# instead: SELECT hour(timezone('Europe/Berlin', at_berlin)) AS h, COUNT(*) AS n FROM ride GROUP BY h
# because: the zone is the catalog's, not the session's
SELECT hour(at_berlin) AS h, COUNT(*) AS n FROM ride GROUP BY h;

# title: hours in New York, said to DuckDB
# instead: SELECT hour(timezone('America/New_York', at_new_york)) AS h, COUNT(*) AS n FROM ride GROUP BY h
# because: the zone is the catalog's, not the session's
SELECT hour(at_new_york) AS h, COUNT(*) AS n FROM ride GROUP BY h;

# title: both zones in one question
# instead: SELECT hour(timezone('Europe/Berlin', at_berlin)) AS b, hour(timezone('America/New_York', at_new_york)) AS a, COUNT(*) AS n FROM ride GROUP BY ALL
# because: each column is read in its own zone, which no session can do
SELECT hour(at_berlin) AS b, hour(at_new_york) AS a, COUNT(*) AS n FROM ride GROUP BY ALL;

# title: dates in Berlin
# zone: Europe/Berlin
SELECT CAST(at_berlin AS DATE) AS d, COUNT(*) AS n FROM ride GROUP BY d;

# title: dates in New York
# zone: America/New_York
SELECT CAST(at_new_york AS DATE) AS d, COUNT(*) AS n FROM ride GROUP BY d;

# title: days of the week and weekends
# zone: America/New_York
SELECT isodow(at_new_york) AS d, COUNT(*) AS n FROM ride GROUP BY d;

# title: the hour that comes twice
# zone: Europe/Berlin
SELECT COUNT(*) AS n FROM ride WHERE CAST(at_berlin AS DATE) = '2026-10-25' AND hour(at_berlin) = 2;

# title: the hour that does not come
# zone: Europe/Berlin
SELECT COUNT(*) AS n, COUNT(DISTINCT rider_id) AS persons FROM ride WHERE CAST(at_berlin AS DATE) = '2026-03-29' AND hour(at_berlin) = 2;

# title: instants, with offsets
# zone: Europe/Berlin
SELECT COUNT(*) AS n, COUNT(DISTINCT rider_id) AS persons FROM ride WHERE at_berlin >= TIMESTAMPTZ '2026-10-25 03:00:00+01' AND at_berlin < timestamp with time zone '2026-11-01 05:00:00.000Z';

# title: instants before the clock goes back
# zone: Europe/Berlin
SELECT COUNT(*) AS n FROM ride WHERE at_berlin BETWEEN CAST('2026-03-29 00:30:00+00' AS TIMESTAMPTZ) AND '2026-10-24 23:59:59+00'::TIMESTAMPTZ;

# title: instants on the clock of New York
# zone: America/New_York
SELECT CAST(at_new_york AS DATE) AS d, COUNT(*) AS n FROM ride WHERE TIMESTAMPTZ '2026-03-08 07:00:00+00' <= at_new_york AND NOT (at_new_york > TIMESTAMPTZ '2026-11-01 09:00:00+00') GROUP BY d;

# title: instants and a stored clock
# zone: Europe/Berlin
SELECT COUNT(*) AS n FROM ride WHERE at_local >= TIMESTAMPTZ '2026-10-25 10:00:00+00' OR date_trunc('day', at_local) = TIMESTAMPTZ '2026-03-28 23:00:00+00';

# title: UTC on a clock in Berlin
SELECT hour(utc_berlin) AS h, COUNT(*) AS n FROM ride GROUP BY h;

# title: UTC on a clock in New York
SELECT CAST(utc_new_york AS DATE) AS d, hour(utc_new_york) AS h, COUNT(*) AS n FROM ride WHERE utc_new_york >= '2026-10-20' AND utc_new_york < '2026-11-10' GROUP BY ALL;

# title: UTC, said to DuckDB
# instead: SELECT hour(timezone('Europe/Berlin', timezone('UTC', at_utc))) AS h, COUNT(*) AS n FROM (SELECT timezone('UTC', at_berlin) AS at_utc FROM ride) GROUP BY h
# because: the column holds UTC, and the catalog says whose clock it is read on
SELECT hour(utc_berlin) AS h, COUNT(*) AS n FROM ride GROUP BY h;

# title: three ways to hold one moment
# zone: Europe/Berlin
SELECT COUNT(*) AS n FROM ride WHERE hour(utc_berlin) = hour(at_local) AND hour(at_berlin) = hour(at_local) AND CAST(utc_berlin AS DATE) = CAST(at_local AS DATE);

# title: a range of instants by the clock
# zone: Europe/Berlin
SELECT COUNT(*) AS n FROM ride WHERE at_berlin >= TIMESTAMP '2026-10-25 01:00:00' AND at_berlin < TIMESTAMP '2026-10-25 04:00:00';

# title: hours by date_trunc in New York, where an hour comes twice
# zone: America/New_York
# instead: SELECT date_trunc('hour', at_new_york::TIMESTAMP) AS h, COUNT(*) AS n FROM ride WHERE at_new_york::TIMESTAMP >= '2026-11-01' AND at_new_york::TIMESTAMP < '2026-11-02' GROUP BY h
# because: a truncated instant is a time on the clock of its zone: the hour that comes twice is one hour
SELECT date_trunc('hour', at_new_york) AS h, COUNT(*) AS n FROM ride WHERE at_new_york >= '2026-11-01' AND at_new_york < '2026-11-02' GROUP BY h;

# title: days by date_trunc
# instead: SELECT date_trunc('day', timezone('Europe/Berlin', at_berlin)) AS d, COUNT(*) AS n FROM ride GROUP BY d
# because: a truncated instant is a time on the clock of its zone
SELECT date_trunc('day', at_berlin) AS d, COUNT(*) AS n FROM ride GROUP BY d;

# title: weeks and months of UTC
SELECT date_trunc('month', utc_berlin) AS m, COUNT(*) AS n FROM ride WHERE utc_berlin >= '2026-03-01' AND utc_berlin < '2026-12-01' GROUP BY m;

# title: buckets of half an hour across the change
# instead: SELECT time_bucket(INTERVAL 30 MINUTE, timezone('Europe/Berlin', at_berlin)) AS b, COUNT(*) AS n FROM ride WHERE timezone('Europe/Berlin', at_berlin) BETWEEN '2026-10-25 00:00:00' AND '2026-10-25 06:00:00' GROUP BY b
# because: buckets are cut on the clock of the zone
SELECT time_bucket(INTERVAL 30 MINUTE, at_berlin) AS b, COUNT(*) AS n FROM ride WHERE at_berlin BETWEEN '2026-10-25 00:00:00' AND '2026-10-25 06:00:00' GROUP BY b;

# title: time between instants is time that passed
# zone: Europe/Berlin
SELECT COUNT(*) AS n FROM ride WHERE epoch(until_berlin) - epoch(at_berlin) > 3600;

# title: difference of instants
# zone: Europe/Berlin
SELECT COUNT(*) AS n FROM ride WHERE until_berlin - at_berlin > INTERVAL 90 MINUTE;

# title: joined with a public hour
# zone: Europe/Berlin
SELECT h.rush, COUNT(*) AS n FROM ride AS r JOIN hours AS h ON h.h = hour(r.at_berlin) GROUP BY h.rush;

# title: joined with a public day
# zone: America/New_York
SELECT d.name, COUNT(*) AS n FROM ride AS r JOIN days AS d ON d.d = CAST(r.at_new_york AS DATE) GROUP BY d.name;

# title: first hour of each rider
# zone: Europe/Berlin
SELECT h, COUNT(*) AS persons FROM (SELECT rider_id, MIN(hour(at_berlin)) AS h FROM ride GROUP BY rider_id) AS q GROUP BY h;

# title: first instant of each rider, as its hour
# zone: Europe/Berlin
SELECT hour(first) AS h, COUNT(*) AS persons FROM (SELECT rider_id, MIN(at_berlin) AS first FROM ride GROUP BY rider_id) AS q GROUP BY h;

# title: days on which riders rode
# zone: America/New_York
SELECT d, COUNT(*) AS persons, SUM(n) AS rides FROM (SELECT rider_id, CAST(at_new_york AS DATE) AS d, COUNT(*) AS n FROM ride GROUP BY ALL) AS q GROUP BY d;

# title: whose person lies in another table
SELECT COUNT(*) AS n, SUM(minutes) AS minutes, SUM(km) AS km, AVG(km) AS mean FROM leg;

# title: persons, counted where another table holds them
SELECT COUNT(DISTINCT rider_id) AS riders, COUNT(DISTINCT l.rider_id) FILTER (WHERE minutes > 20) AS long, COUNT(rider_id) AS legs FROM leg AS l;

# title: legs of each rider, who stands in another table
SELECT n, COUNT(*) AS riders, SUM(km) AS km FROM (SELECT rider_id, COUNT(*) AS n, SUM(km) AS km FROM leg GROUP BY rider_id) AS q GROUP BY n;

# title: legs with their rider, by a person who stands in another table
SELECT year(p.born) // 10 * 10 AS decade, COUNT(*) AS legs, COUNT(DISTINCT rider_id) AS riders FROM leg JOIN rider AS p USING (rider_id) WHERE p.born >= '1950-01-01' AND p.born < '2006-01-01' GROUP BY decade;

# title: all columns of rows whose person stands in another table
SELECT COUNT(DISTINCT rider_id) AS riders, SUM(km) AS km FROM (SELECT * FROM leg) AS q;

# title: a range of minutes, of rows whose person lies in another table
SELECT minutes // 10 AS tens, COUNT(*) AS n FROM leg WHERE minutes BETWEEN 0 AND 60 GROUP BY tens;

# title: years of birth
SELECT year(born) // 10 * 10 AS decade, COUNT(*) AS n FROM rider WHERE born >= '1950-01-01' AND born < '2006-01-01' GROUP BY decade;

# title: riders by month of birth and day of riding
# zone: Europe/Berlin
SELECT month(p.born) AS m, isodow(r.at_berlin) AS d, COUNT(*) AS n FROM ride AS r JOIN rider AS p USING (rider_id) GROUP BY ALL;

# title: age at the ride
# zone: Europe/Berlin
SELECT AVG(LEAST(GREATEST(date_diff('year', p.born, CAST(r.at_berlin AS DATE)), 0), 100)) AS age FROM ride AS r JOIN rider AS p ON r.rider_id = p.rider_id;

# title: dates moved by days
# zone: Europe/Berlin
SELECT COUNT(*) AS n FROM ride WHERE CAST(at_berlin AS DATE) + 1 = DATE '2026-10-26' OR CAST(at_berlin AS DATE) - 1 = DATE '2026-03-28';

# title: clock moved by an interval
# zone: Europe/Berlin
# instead: SELECT COUNT(*) AS n FROM ride WHERE at_berlin::TIMESTAMP + INTERVAL 1 DAY >= TIMESTAMP '2026-10-26 02:00:00' AND month(at_berlin) = 10
# because: an interval moves the clock of the zone, not the instant
SELECT COUNT(*) AS n FROM ride WHERE at_berlin + INTERVAL 1 DAY >= TIMESTAMP '2026-10-26 02:00:00' AND month(at_berlin) = 10;

# title: instants and a number of each person
# zone: Europe/Berlin
SELECT COUNT(*) AS n FROM (SELECT rider_id FROM ride GROUP BY rider_id HAVING MIN(at_berlin) > TIMESTAMPTZ '2026-03-28 23:00:00+00' AND COUNT(*) > 1);

# title: instants since 1970
# zone: Europe/Berlin
SELECT COUNT(*) AS n FROM ride WHERE at_berlin >= to_timestamp(1774000000) AND at_berlin < to_timestamp(1792882800.5);

# title: instants as programs write them
# zone: America/New_York
SELECT CAST(at_new_york AS DATE) AS d, COUNT(*) AS n FROM ride WHERE at_new_york BETWEEN '2026-03-28T00:00:00.000Z' AND '2026-10-01 00:00:00+02' GROUP BY d;

# title: an instant from its seconds since 1970
# zone: Europe/Berlin
SELECT hour(to_timestamp(epoch(at_berlin))) AS h, COUNT(*) AS n FROM ride WHERE at_berlin = to_timestamp(epoch(at_berlin)) GROUP BY h;

# title: an instant from seconds of each person
# zone: Europe/Berlin
SELECT h, COUNT(*) AS n FROM (SELECT rider_id, hour(to_timestamp(epoch(min(at_berlin)))) AS h FROM ride GROUP BY rider_id) GROUP BY h;

# title: minutes since a constant instant
# zone: Europe/Berlin
SELECT COUNT(*) AS n FROM ride WHERE date_diff('minute', to_timestamp(1774000000), at_berlin) BETWEEN 0 AND 300000;

# title: seconds since 1970 of truncated instants
# zone: Europe/Berlin
SELECT epoch(date_trunc('hour', at_berlin)) AS t, date_part('epoch', date_trunc('day', at_berlin)) AS d, epoch_ms(date_trunc('hour', at_berlin + INTERVAL 30 MINUTE)) AS m, COUNT(*) AS n FROM ride WHERE at_berlin >= '2026-03-28' AND at_berlin < '2026-03-31' GROUP BY ALL;

# title: seconds since midnight
# zone: Europe/Berlin
SELECT COUNT(*) AS n FROM ride WHERE epoch(at_berlin) - epoch(date_trunc('day', at_berlin)) >= 32400 AND at_berlin - date_trunc('day', at_berlin) >= INTERVAL 9 HOUR;

# title: seconds since 1970 of a time of a clock
# zone: Europe/Berlin
SELECT epoch(date_trunc('hour', at_berlin AT TIME ZONE 'Europe/Berlin')) AS t, COUNT(*) AS n FROM ride WHERE at_berlin >= '2026-03-28' AND at_berlin < '2026-03-31' GROUP BY t;

# title: quarters of hours since 1970
# zone: Europe/Berlin
SELECT floor(epoch(at_berlin) / 900) AS q, COUNT(*) AS n FROM ride WHERE at_berlin >= '2026-10-24' AND at_berlin < '2026-10-26' GROUP BY q;

# title: hours since 1970 within a declared range
# zone: Europe/Berlin
SELECT floor(epoch(at_berlin) / 3600) AS h, COUNT(*) AS n FROM ride GROUP BY h;

# title: quarters of hours as instants
# zone: America/New_York
SELECT to_timestamp(floor(epoch(at_new_york) / 900) * 900) AS q, COUNT(*) AS n FROM ride WHERE at_new_york >= '2026-03-07' AND at_new_york < '2026-03-09' GROUP BY q;

# title: instants of two zones
# zone: Europe/Berlin
SELECT COUNT(*) AS n FROM ride WHERE at_berlin > at_new_york;

# title: hours of another clock
SELECT date_trunc('hour', at_berlin AT TIME ZONE 'UTC') AS h, COUNT(*) AS n FROM ride WHERE at_berlin >= TIMESTAMPTZ '2026-10-24 00:00:00+02' AND at_berlin < TIMESTAMPTZ '2026-10-26 00:00:00+01' GROUP BY h;

# title: days of another clock within a declared range
SELECT CAST(at_new_york AT TIME ZONE 'Asia/Tokyo' AS DATE) AS d, COUNT(*) AS n FROM ride GROUP BY d;

# title: seconds between instants, and units on their clock
# zone: Europe/Berlin
SELECT SUM(epoch(at_berlin - at_new_york)) AS s, SUM(date_diff('hour', TIMESTAMP '2026-03-28', at_berlin AT TIME ZONE 'Europe/Berlin')) AS h, AVG(epoch(at_berlin) - epoch(at_new_york)) AS d FROM ride;
