# Expressions as analysts write them, in keys, conditions and sums, answered as plain DuckDB answers them.

# title: hours of a day as text
SELECT strftime(start_ts, '%Y-%m-%d %H:00') AS h, COUNT(*) AS n FROM visit WHERE start_ts >= '2026-10-01' AND start_ts < '2026-10-04' GROUP BY h;

# title: days as text, of a column with a declared range
SELECT strftime(visit_date, '%d.%m.') AS d, COUNT(DISTINCT subscriber_id) AS people FROM visit GROUP BY 1;

# title: weeks of a range of time
SELECT yearweek(start_ts) AS w, COUNT(*) AS n FROM visit WHERE start_ts BETWEEN '2026-10-01' AND '2026-10-31 23:59:59' GROUP BY w;

# title: last days of months
SELECT last_day(start_ts) AS m, COUNT(*) AS n FROM visit WHERE start_ts >= '2026-10-01' AND start_ts < '2026-12-01' GROUP BY m;

# title: weekdays by name and number
SELECT strftime(visit_date, '%A') AS d, isodow(visit_date) AS i, COUNT(*) AS n FROM visit GROUP BY 1, 2;

# title: patterns of public keys
SELECT regexp_replace(zone_id, '[0-9]+', '#') AS z, COUNT(*) AS n FROM visit GROUP BY z;

# title: parts of public keys
SELECT left(zone_id, 1) AS z, zone_id[2:] AS rest, COUNT(*) AS n FROM visit GROUP BY z, rest;

# title: keys joined to text with numbers
SELECT zone_id || '/' || hour(start_ts) AS k, COUNT(*) AS n FROM visit GROUP BY k;

# title: rows by a regular expression
SELECT COUNT(*) AS n FROM visit WHERE place_id ~ '^P[1-5]$' AND NOT regexp_matches(zone_id, '9');

# title: rows by the time of day
SELECT COUNT(*) AS n, COUNT(DISTINCT subscriber_id) AS people FROM visit WHERE start_ts::TIME BETWEEN TIME '22:00' AND TIME '23:59:59';

# title: stays by their length
SELECT COUNT(*) FILTER (WHERE end_ts - start_ts > INTERVAL '01:30:00') AS long, COUNT(*) FILTER (WHERE end_ts - start_ts + INTERVAL 10 MINUTE <= INTERVAL '30 minutes') AS short FROM visit;

# title: minutes of a difference of times
SELECT SUM(LEAST(GREATEST(EXTRACT(epoch FROM end_ts - start_ts) / 60, 0), 600)) AS minutes FROM visit;

# title: rows whose zone is one of two others
SELECT COUNT(*) AS n FROM visit WHERE zone_id IN (prev_zone, next_zone);

# title: a sum with shifts and bits
SELECT SUM((day(visit_date) & 7) + (hour(start_ts) >> 2) + (1 + isodow(visit_date) << 2)) AS s FROM visit;

# title: bits as keys
SELECT hour(start_ts) & 3 AS k, COUNT(*) AS n FROM visit GROUP BY k;

# title: numbers of digits
SELECT SUM(CAST(dwell_min AS DECIMAL(10, 1))) AS s, AVG(trunc(dwell_min, 0)) AS t FROM visit;

# title: another zone's hours
SELECT hour(start_ts AT TIME ZONE 'Europe/Berlin' AT TIME ZONE 'America/New_York') AS h, COUNT(*) AS n FROM visit GROUP BY h;

# title: dates made of parts
SELECT make_date(2026, month(visit_date), 1) AS m, COUNT(*) AS n FROM visit GROUP BY m;

# title: a date and a number of text
SELECT COUNT(*) AS n FROM visit WHERE concat_ws('-', zone_id, place_id) ILIKE '%p1%' AND length(replace(place_id, 'P', '')) > 0;

# title: released numbers written out
SELECT zone_id, 'about ' || round(COUNT(*), -1)::BIGINT || ' visits' AS words FROM visit GROUP BY zone_id;

# title: bits of released numbers
SELECT zone_id, COUNT(*)::BIGINT & 1 AS odd, lpad(COUNT(*)::VARCHAR, 8, '0') AS padded FROM visit GROUP BY zone_id;
