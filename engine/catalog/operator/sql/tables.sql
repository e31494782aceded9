-- The tables of a mobile operator, as questions are asked of them. Times are local wall-clock times.

-- private: the privacy unit is the subscriber
CREATE TABLE subscriber (
  subscriber_id UBIGINT PRIMARY KEY, age_band VARCHAR, gender VARCHAR, contract_type VARCHAR, home_mcc SMALLINT,
  home_zone VARCHAR, work_zone VARCHAR, jurisdiction VARCHAR, consent_state VARCHAR, weight DOUBLE);
CREATE TABLE event (
  subscriber_id UBIGINT, ts TIMESTAMP, cell_id VARCHAR, event_type VARCHAR, domain VARCHAR, tac INTEGER, mcc SMALLINT);
CREATE TABLE visit (
  subscriber_id UBIGINT, visit_id UBIGINT, place_id VARCHAR, zone_id VARCHAR, h3_9 VARCHAR, start_ts TIMESTAMP,
  end_ts TIMESTAMP, dwell_min DOUBLE, approach_dir VARCHAR, prev_zone VARCHAR, next_zone VARCHAR, visit_date DATE);
CREATE TABLE passby (subscriber_id UBIGINT, place_id VARCHAR, ts TIMESTAMP, heading VARCHAR, visit_date DATE);
CREATE TABLE trip (
  subscriber_id UBIGINT, trip_id UBIGINT, o_zone VARCHAR, d_zone VARCHAR, via_zones VARCHAR[], dep_ts TIMESTAMP,
  arr_ts TIMESTAMP, dist_km DOUBLE, mode VARCHAR, o_activity VARCHAR, d_activity VARCHAR, trip_date DATE);

-- public
CREATE TABLE cell (
  cell_id VARCHAR, site_id VARCHAR, lon DOUBLE, lat DOUBLE, azimuth_deg DOUBLE, beam_deg DOUBLE, range_m DOUBLE,
  technology VARCHAR, valid_from DATE, valid_to DATE, zone_id VARCHAR, h3_9 VARCHAR);
CREATE TABLE zone (
  zone_id VARCHAR PRIMARY KEY, name VARCHAR, level SMALLINT, parent_id VARCHAR, iso2 VARCHAR, lon DOUBLE, lat DOUBLE,
  area_km2 DOUBLE, population INTEGER, shape VARCHAR);
CREATE TABLE place (
  place_id VARCHAR PRIMARY KEY, name VARCHAR, category VARCHAR, lon DOUBLE, lat DOUBLE, radius_m DOUBLE,
  zone_id VARCHAR, h3_9 VARCHAR);
CREATE TABLE calendar (d DATE PRIMARY KEY, iso_dow SMALLINT, is_weekend BOOLEAN, is_holiday BOOLEAN);
CREATE TABLE dim_age (age_band VARCHAR);
CREATE TABLE dim_gender (gender VARCHAR);
CREATE TABLE dim_hour (h SMALLINT);
CREATE TABLE dim_dir (approach_dir VARCHAR);
