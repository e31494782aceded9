# Lists of a row's own, taken apart: in FROM, behind LATERAL, in the select list; stored, split, gathered and written out.

# title: a stored list
SELECT z, count(*) AS n, count(DISTINCT subscriber_id) AS people FROM trip t, unnest(t.via_zones) AS u(z) GROUP BY z;

# title: named by its table alone
SELECT z, count(*) AS n FROM trip CROSS JOIN UNNEST(via_zones) AS z GROUP BY z ORDER BY n DESC, z;

# title: without a name
SELECT unnest AS z, count(*) AS n FROM trip, unnest(via_zones) GROUP BY 1;

# title: lateral
SELECT z, avg(dist_km) AS km FROM trip t, LATERAL unnest(t.via_zones) AS u(z) GROUP BY z;

# title: lateral of a subquery
SELECT u.z, count(*) AS n FROM trip t, LATERAL (SELECT unnest(t.via_zones) AS z) u GROUP BY u.z;

# title: in the select list
SELECT z, mode, count(*) AS n FROM (SELECT *, unnest(via_zones) AS z FROM trip) GROUP BY ALL;

# title: in the select list of the groups themselves
SELECT unnest(via_zones) AS z, count(*) AS n FROM trip GROUP BY z;

# title: inside an expression of the select list
SELECT z, count(*) AS n FROM (SELECT subscriber_id, lower(unnest(via_zones)) || '!' AS z FROM trip WHERE dist_km > 2) GROUP BY z;

# title: different ones of a person
SELECT z, count(*) AS people FROM (SELECT DISTINCT subscriber_id, unnest(via_zones) AS z FROM trip) GROUP BY z;

# title: rows without members stay
SELECT z IS NULL AS none, avg(dist_km) AS km, count(*) AS n, count(z) AS m FROM trip t LEFT JOIN unnest(t.via_zones) AS u(z) ON TRUE GROUP BY 1;

# title: rows without members stay, lateral
SELECT count(*) AS n, count(z) AS m FROM trip t LEFT JOIN LATERAL (SELECT unnest(t.via_zones) AS z) u ON TRUE;

# title: on a condition, joined further, with the public list of its keys
SELECT zone_id, zone.name, count(*) AS n FROM trip t JOIN unnest(t.via_zones) AS u(zone_id) ON u.zone_id <> o_zone JOIN zone USING (zone_id) GROUP BY ALL;

# title: both ends of a trip
SELECT z, count(*) AS ends, count(DISTINCT subscriber_id) AS people FROM trip t, unnest([t.o_zone, t.d_zone]) AS z GROUP BY z ORDER BY z;

# title: columns beside constants, and nulls
SELECT z, count(*) AS n FROM visit, unnest([prev_zone, zone_id, next_zone, 'all', NULL]) AS u(z) GROUP BY z;

# title: numbers of a list, whose ends are known
SELECT sum(x) AS s, avg(x) AS a, count(*) AS n FROM visit, unnest([hour(start_ts), hour(end_ts)]) AS u(x);

# title: everybody who is there in each hour
SELECT h, count(DISTINCT subscriber_id) AS present FROM visit v, generate_series(hour(start_ts), hour(end_ts)) AS g(h) GROUP BY h ORDER BY h;

# title: the same by range, and in the select list
SELECT h, count(*) AS n FROM (SELECT subscriber_id, unnest(range(hour(start_ts), hour(end_ts) + 1)) AS h FROM visit) GROUP BY h ORDER BY h;

# title: every day of a stay in town
SELECT DATE '2026-10-01' + g.d::INT AS day, count(*) AS people FROM (SELECT subscriber_id, min(visit_date) - DATE '2026-10-01' AS a, max(visit_date) - DATE '2026-10-01' AS b FROM visit GROUP BY 1) p, generate_series(p.a, p.b) AS g(d) WHERE d BETWEEN 0 AND 31 GROUP BY ALL ORDER BY day;

# title: gathered first, one row a person and zone
SELECT z, count(*) AS people FROM (SELECT subscriber_id, list(DISTINCT zone_id) AS zs FROM visit GROUP BY subscriber_id) t, unnest(t.zs) AS u(z) GROUP BY z;

# title: gathered in an order, by its places
SELECT i, list_extract(zs, i) AS z, count(*) AS people FROM (SELECT subscriber_id, list(zone_id ORDER BY start_ts, visit_id) AS zs FROM visit GROUP BY 1) p, generate_series(1, least(len(zs), 3)) AS g(i) GROUP BY ALL;

# title: a text split
SELECT part, count(*) AS n FROM visit v, unnest(string_split(place_id, '1')) AS u(part) GROUP BY part;

# title: pairs of zones that one trip goes through
SELECT a.z, b.z AS y, count(*) AS n FROM trip t, unnest(via_zones) AS a(z), unnest(via_zones) AS b(z) WHERE a.z < b.z GROUP BY ALL;

# title: a window over what was taken apart
SELECT before, z, count(*) AS n FROM (SELECT subscriber_id, z, lag(z) OVER (PARTITION BY subscriber_id ORDER BY dep_ts, trip_id, i) AS before
FROM (SELECT t.*, i, list_extract(via_zones, i) AS z FROM trip t, generate_series(1, len(via_zones)) AS g(i)) t) GROUP BY ALL;

# title: a person's rows joined with what was taken apart
SELECT s.gender, count(*) AS n FROM subscriber s JOIN (SELECT subscriber_id, unnest(via_zones) AS z FROM trip) v ON v.subscriber_id = s.subscriber_id AND v.z = s.home_zone GROUP BY ALL;

# title: chosen by a list
SELECT gender, count(*) AS people FROM subscriber WHERE subscriber_id IN (SELECT subscriber_id FROM trip, unnest(via_zones) AS u(z) WHERE z = 'Z1') GROUP BY gender;

# title: words of public rows
SELECT part, count(*) AS n FROM place p, unnest(string_split(p.name, ' ')) AS u(part) GROUP BY part;

# title: words of public rows as keys
SELECT u.part, count(*) AS n FROM place p, unnest(string_split(p.name, ' ')) AS u(part), visit v WHERE v.place_id = p.place_id GROUP BY ALL;

# title: of a release
SELECT x, sum(n) AS n FROM (SELECT category, count(*) AS n FROM visit JOIN place USING (place_id) GROUP BY ALL), unnest([category, 'all']) AS u(x) GROUP BY x;

# title: of a text that a release gathered
SELECT x, count(*) AS n FROM (SELECT category, string_agg(name, ' ' ORDER BY name) AS names FROM (SELECT p.category, p.name, count(*) AS n FROM visit JOIN place p USING (place_id) GROUP BY ALL) GROUP BY ALL), unnest(string_split(names, ' ')) AS u(x) GROUP BY x;

# title: constants beside people's rows
SELECT x, mode, count(*) AS n FROM trip, LATERAL unnest([1, 2]) AS u(x) GROUP BY ALL;
