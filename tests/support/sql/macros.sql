-- The words of the dialect that DuckDB lacks, said in DuckDB's own: what plain DuckDB is given before it is compared.
-- haversine_m, bearing_deg, compass8, hour_of_week and dwell_band are analysts' usual macros, but that opposite places,
-- which rounding can take out of asin's domain, have a distance, compass8 takes any turn, and an unknown stay has no band.
CREATE MACRO haversine(lon1, lat1, lon2, lat2) AS pow(sin(radians(lat2-lat1)/2),2)+cos(radians(lat1))*cos(radians(lat2))*pow(sin(radians(lon2-lon1)/2),2);
CREATE MACRO haversine_m(lon1, lat1, lon2, lat2) AS 2*6371000*asin(sqrt(CASE WHEN haversine(lon1, lat1, lon2, lat2) BETWEEN 1 AND 2 THEN 1 ELSE haversine(lon1, lat1, lon2, lat2) END));
CREATE MACRO bearing_deg(lon1, lat1, lon2, lat2) AS (degrees(atan2(sin(radians(lon2-lon1))*cos(radians(lat2)), cos(radians(lat1))*sin(radians(lat2))-sin(radians(lat1))*cos(radians(lat2))*cos(radians(lon2-lon1))))+360)%360;
CREATE MACRO compass8(b) AS ['N','NE','E','SE','S','SW','W','NW'][(CAST(floor(((b%360+382.5)%360)/45) AS INT))+1];
CREATE MACRO hour_of_week(t) AS (isodow(t)-1)*24+hour(t);
CREATE MACRO dwell_band(m) AS CASE WHEN m IS NULL THEN NULL WHEN m<5 THEN '<5' WHEN m<=10 THEN '5-10' WHEN m<=20 THEN '11-20' WHEN m<=60 THEN '21-60' WHEN m<=120 THEN '61-120' WHEN m<=240 THEN '121-240' ELSE '>240' END;
CREATE MACRO within_m(lon1, lat1, lon2, lat2, m) AS haversine_m(lon1, lat1, lon2, lat2) <= m;
CREATE MACRO is_weekend(t) AS dayname(t) IN ('Saturday', 'Sunday');
CREATE MACRO part_of_day(t) AS CASE WHEN hour(t) IS NULL THEN NULL WHEN hour(t) < 6 THEN 'night' WHEN hour(t) < 12 THEN 'morning' WHEN hour(t) < 18 THEN 'afternoon' ELSE 'evening' END;
CREATE MACRO grid_row(lat, m) AS CAST(floor((lat+90)*(6371000*pi()/180)/m) AS BIGINT);
CREATE MACRO grid_cell(lon, lat, m) AS CASE WHEN abs(lon) <= 180 AND abs(lat) <= 90 THEN grid_row(lat, m) * 100000000 + CAST(floor((lon+180)*abs(cos(radians((grid_row(lat, m)+0.5::DOUBLE)*m/(6371000*pi()/180)-90)))*(6371000*pi()/180)/m) AS BIGINT) END;
CREATE MACRO width_bucket(x, lo, hi, n) AS CASE WHEN x IS NULL THEN NULL WHEN x < lo THEN 0 WHEN x >= hi THEN n + 1 ELSE len(list_filter(range(n), lambda i: x >= lo + (hi - lo) * i / n)) END;
CREATE MACRO geohash_bit(lon, lat, k) AS CAST(floor((CASE WHEN k % 2 = 0 THEN least((lon + 180::DOUBLE) / 360, 1 - pow(2, -31)) ELSE least((lat + 90::DOUBLE) / 180, 1 - pow(2, -31)) END) * pow(2, k // 2 + 1)) AS BIGINT) % 2;
CREATE MACRO geohash_digit(lon, lat, i) AS '0123456789bcdefghjkmnpqrstuvwxyz'[list_reduce([geohash_bit(lon, lat, 5 * i), geohash_bit(lon, lat, 5 * i + 1), geohash_bit(lon, lat, 5 * i + 2), geohash_bit(lon, lat, 5 * i + 3), geohash_bit(lon, lat, 5 * i + 4)], lambda a, b: 2 * a + b) + 1];
CREATE MACRO geohash(lon, lat, p) AS CASE WHEN abs(lon) <= 180 AND abs(lat) <= 90 THEN list_aggregate(list_transform(range(p), lambda i: geohash_digit(lon, lat, i)), 'string_agg', '') END;
CREATE MACRO h3_bits(i, r) AS left(lpad(bin(i), 64, '0'), 8) || lpad(bin(r), 4, '0') || rpad(substr(lpad(bin(i), 64, '0'), 13, 7 + 3 * r), 52, '1');
CREATE MACRO h3_parent_of_integer(i, r) AS CASE WHEN i // 72057594037927936 = 8 AND i // 4503599627370496 % 16 >= r THEN list_reduce(list_transform(range(1, 65), lambda k: substr(h3_bits(i, r), k, 1)::BIGINT), lambda a, b: 2 * a + b) END;
CREATE MACRO h3_parent(c, r) AS CASE WHEN c IS NULL OR c NOT SIMILAR TO '8[0-9a-f]{14}' OR strpos('0123456789abcdef', c[2]) <= r THEN NULL ELSE lower(hex(h3_parent_of_integer(TRY_CAST('0x' || c AS BIGINT), r))) END;
CREATE MACRO dp_interval_low(x) AS x;
CREATE MACRO dp_interval_high(x) AS x;
CREATE MACRO dwell_minutes(a, b) AS epoch(CAST(b AS TIMESTAMP) - CAST(a AS TIMESTAMP)) / 60;
CREATE MACRO edge_east_of(lon, lat, e) AS e.lat1 <= lat AND lat < e.lat2 AND lon < e.lon1 + (e.lon2 - e.lon1) * ((lat - e.lat1) / (e.lat2 - e.lat1));
CREATE MACRO within_polygon(lon, lat, shape) AS CASE WHEN lon IS NOT NULL AND lat IS NOT NULL AND shape IS NOT NULL THEN coalesce(list_sum(list_transform(list_distinct(flatten(shape.strips)), lambda e: edge_east_of(lon, lat, e)::INT)), 0) % 2 = 1 END;
CREATE MACRO ST_Point(lon, lat) AS {'lon': lon, 'lat': lat};
CREATE MACRO ST_Contains(shape, point) AS within_polygon(point.lon, point.lat, shape);
CREATE MACRO ST_Within(point, shape) AS within_polygon(point.lon, point.lat, shape);
