"""Meaning of each key of a catalog, for docs/catalog.md: its value with unit, its default, what it does.

tests/engine/data/test_catalog_page.py compares the keys with those that the readers of catalogs know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.catalog.eligibility import MAX_RETENTION_DAYS, MAX_RETENTION_MONTHS
from engine.catalog.file import MAX_DELTA, MAX_RHO, MIN_DELTA, MIN_RHO

NEEDED = "needed"
RHO = f"rho, {MIN_RHO} to {int(MAX_RHO):,}"
DELTA = f"a probability, {MIN_DELTA} to {MAX_DELTA}"
NAME = "a to z, 0 to 9, _; no digit first"
LENGTH = "above 0, in the column's unit"


@dataclass(frozen=True)
class Key:
    """One key; `absent` is the default in words, or a function that finds it in the smallest catalog."""

    name: str
    form: str
    absent: str | Callable[[Any], object]
    meaning: str


PLACES: dict[str, tuple[Key, ...]] = {
    "": (
        Key("format", "`1`", NEEDED, "version of this format"),
        Key("name", NAME, NEEDED, "the catalog's name, and that of its ledger file"),
        Key("backend", '`"duckdb"`, `"spark"`', "`duckdb`", "where people's rows lie: local files, or [a lake](spark.md)"),
        Key("remote", '`"sc://host:15002"`', "needed for spark", "the lake's Spark Connect; no secrets here"),
        Key("datasets", "`[datasets.NAME]`", NEEDED, "people who share a budget; a file belongs to one dataset"),
        Key("tables", "`[tables.NAME]`", NEEDED, "everything that can be asked about"),
    ),
    "datasets.NAME": (
        Key("window", '`"forever"`, `"month"`, `"week"`, `"day"`', NEEDED, "the [privacy window](windows.md): longer protects more. Fixed at the first charge"),
        Key("first_window", '`"2026-10"`, `"2026-W43"`, `"2026-10-17"`', "needed, but of forever", "earlier rows are not read"),
        Key("last_window", "the same", "needed, but of forever", "later rows are not read; each added window brings its own budget"),
        Key("delivered_until", "the same", "nothing is declared", "last window whose rows are complete, for [calibration](calibration.md#which-window); `passersby ingest --window` declares later ones"),
        Key("data_version", "an integer from 1", lambda c: c.datasets[0].data_version, "raise it when data changes: stored answers are then not replayed. Never raise it for an objection, which that would reveal"),
        Key("defaults", "a table", "as below", "options of a question that names none"),
        Key("budget", "a table", "as below", "ceilings, per privacy window"),
        Key("calibration", "a table", "as below", "price and timetable of a [calibration](calibration.md)"),
        Key("admission", "a table", "everybody but who objects", "[who may be read](admission.md)"),
        Key("replay_max_age", "`{ days = 30 }`", "however old", "older stored answers are charged anew"),
        Key("rollups", "a list of SELECTs", "none", "[materialized rollups](speed.md), for speed alone"),
    ),
    "datasets.NAME.defaults": (
        Key("rho", RHO, lambda c: c.datasets[0].defaults.rho, "privacy loss of one question"),
        Key("delta", DELTA, lambda c: c.datasets[0].defaults.delta, "of one question with private keys: chance to show a key that one person has alone"),
        Key("confidence", "0.5 to 0.999999", lambda c: c.datasets[0].defaults.confidence, "level of intervals; free"),
    ),
    "datasets.NAME.budget": (
        Key("rho", RHO, lambda c: c.datasets[0].budget.rho, "**the promise to people**: loss of all clients together. Never raised"),
        Key("delta", DELTA, lambda c: c.datasets[0].budget.delta, "its delta: 9 tenths to convert rho to epsilon, 1 tenth for thresholds"),
        Key("client_rho", RHO, "`rho` less `reserve_rho`", "most of one client"),
        Key("static_rho", RHO, "`rho`", "ceiling of private tables without time, read alone"),
        Key("static_delta", DELTA, "`delta`", "delta of these"),
        Key("reserve_rho", RHO, "nothing", "kept from clients, for you"),
        Key("query_rho", RHO, "no limit", "most of one question; at least `defaults.rho`"),
        Key("lifetime_rho", RHO, "the sum of its windows", "most of one client over all windows together"),
    ),
    "datasets.NAME.calibration": (
        Key("rho", RHO, "a tenth of `budget.rho`", "price of one calibration, charged to everybody"),
        Key("every_days", "days", lambda c: c.datasets[0].calibration.interval_days, "when the next one is due"),
        Key("expires_days", "days", lambda c: c.datasets[0].calibration.expires_days, "when one holds no more"),
    ),
    "datasets.NAME.admission": (
        Key("table", "a private table", "the one with consent, or the only one", "the table with one row a person that holds these columns"),
        Key("jurisdiction", "a table", "no law is required", "whose law people are under"),
        Key("minors", "a table", "no age is required", "how old people must be"),
        Key("retention", "a table", "all days", "how far back rows are read"),
        Key("contact", "text", "none", "how to object, shown by `passersby about-me`"),
    ),
    "datasets.NAME.admission.jurisdiction": (
        Key("column", "a VARCHAR column", "this or `constant`", "country, two letters (ISO 3166-1); unknown is not read"),
        Key("constant", '`"AT"`', "this or `column`", "one law for everybody"),
        Key("denied", '`["FR"]`', "`DE` alone", "laws whose people are not read, besides `DE`"),
        Key("admitted", '`["AT", "CH"]`', "all that are not denied", "the only laws whose people are read; instead of `denied`"),
        Key("legal_basis", '`{ DE = "..." }`', "none", "why the law admits them: lifts the denial of `DE`; shown to people"),
    ),
    "datasets.NAME.admission.minors": (
        Key("birth_date", "a DATE column", "one of four", "unknown is not read, here and below"),
        Key("birth_year", "an integer column", "one of four", "people who reached the age before that day's year are read"),
        Key("age", "an integer column", "one of four", "in years"),
        Key("age_band", "a VARCHAR column", "one of four", "together with `admitted`"),
        Key("minimum", "years, 1 to 120", "`18`", "least age"),
        Key("on", "a date", "the first day that is read", "day on which age is tested"),
        Key("admitted", '`["18-64"]`', "needed for `age_band`", "bands that are read"),
    ),
    "datasets.NAME.admission.retention": (
        Key("months", f"1 to {MAX_RETENTION_MONTHS:,}", "this or `days`", "counted back from the last declared day"),
        Key("days", f"1 to {MAX_RETENTION_DAYS:,}", "this or `months`", "the same in days"),
    ),
    "datasets.NAME.replay_max_age": (
        Key("days", f"1 to {MAX_RETENTION_DAYS:,}", NEEDED, "age up to which a stored answer is replayed"),
    ),
    "tables.NAME": (
        Key("dataset", "a dataset", NEEDED, "whose budget it is charged to"),
        Key("kind", '`"private"`, `"public"`', NEEDED, "private: rows are about people. Public: **nobody is in it**, and it is read without noise"),
        Key("source", "a table", NEEDED, "where the rows lie"),
        Key("columns", "`[tables.NAME.columns]`", NEEDED, "columns that questions may use"),
        Key("primary_key", "a list of columns", "none", "they name one row, which is checked; needed where other tables refer to it"),
        Key("time_column", "a DATE or TIMESTAMP column", "none", "decides in which privacy window a row lies"),
        Key("date_column", "a DATE column", "none", "the date of `time_column`, so that conditions on one hold for the other; rows where it differs are not read, or without windows refuse the data"),
        Key("sorted_by", "a list of columns", "none", "order of the rows, for speed alone"),
        Key("size_class", '`"1e6"`, a power of ten', "needed for private", "about how many rows (at most ten times as many), which is public; decides when a server answers, and bounds the rows of one person"),
        Key("person", "a column, or a table", "needed for private", "who a row is about; rows without are not read"),
        Key("norms", "a table", "none is declared", "**clip bounds (L2)**, [where they are known](#where-you-know-how-much-one-person-contributes): how much one person may count; noise grows with them. Without them a profile chooses, or a [calibration](calibration.md)"),
        Key("max_rows_per_person", "1 to 1,000,000,000", lambda c: c.tables[0].max_rows_per_person, "row truncation per window, before joins of private tables and windows. Joins of which a person could have more than 10,000,000 rows keep fewer, and a note says so: with the default of each table at most 3,162 rows in all where a pair may combine windows, else at most 1,000 in each"),
        Key("max_groups_per_person", "1 to 1,000,000", lambda c: c.tables[0].max_groups_per_person, "group truncation with private keys, and of distinct values and quantiles"),
        Key("consent", "a table", "nobody's is required", "in the table with one row a person: who may be read, in all tables"),
        Key("movement", "a table", "none", "where a row says its person was ([movement.md](movement.md))"),
        Key("joins", "a list of tables", "none", "public columns looked up when data is opened; declare them as columns too"),
        Key("from_windows", "a list of windows", "none", "windows that its rows were computed from: charged too"),
    ),
    "tables.NAME.source": (
        Key("parquet", "a path or pattern", "one of four", "relative to the catalog's folder"),
        Key("csv", "a path or pattern", "one of four", "with names in the first line"),
        Key("duckdb", "a path", "one of four", "with `table`"),
        Key("spark", "`schema.table`", "one of four", "a table of the lake"),
        Key("table", "a table's name", "needed for duckdb", "the table in the DuckDB file"),
    ),
    "tables.NAME.person": (
        Key("through", '`["trip_id -> trip"]`', NEEDED, "steps from an own column to the primary key of a private table; rows that lead nowhere are not read"),
        Key("column", "a column", NEEDED, "the person column at the end of these steps"),
    ),
    "tables.NAME.consent": (
        Key("column", "a VARCHAR or BOOLEAN column", NEEDED, "the state; hidden from analysts"),
        Key("admitted", '`["yes"]`, `[true]`', NEEDED, "states of people who may be read"),
    ),
    "tables.NAME.norms": (
        Key("rows", "above 0", NEEDED, "rows of one person: all of them in one group, over groups the root of the sum of squares"),
        Key("persons", "above 0", NEEDED, "root of the number of groups of one person: 3 for nine"),
        Key("covers", "a share, 0.5 to 0.999999", lambda c: c.tables[0].clip_bounds.expected_coverage, "expected share of people within the clip bound; predicts the bias"),
        Key("by_keys", "a list of tables", "none", "smaller clip bounds for usual groupings"),
    ),
    "tables.NAME.norms.by_keys[]": (
        Key("keys", '`["zone", "hour(start_ts)"]`', NEEDED, "the grouping, as in SQL; holds for finer ones too, and where WHERE fixes a key. k values of a key in one group count √k times as much"),
        Key("rows", "above 0", "that of `norms`", "as above"),
        Key("persons", "above 0", "that of `norms`", "as above; with more keys people are in more groups, and their bias is unknown"),
        Key("sums", "`{ minutes = 300 }`", "`sum_norm` of the column", "of sums of columns"),
        Key("covers", "a share, 0.5 to 0.999999", lambda c: c.tables[0].clip_bounds.by_keys[0].expected_coverage, "as above"),
    ),
    "tables.NAME.joins[]": (
        Key("column", "a new column's name", NEEDED, "its name here"),
        Key("on", "an own column", NEEDED, "names a row of the public table"),
        Key("table", "a public table", NEEDED, "with a primary key of one column"),
        Key("take", "a column of it", NEEDED, "what is looked up"),
    ),
    "tables.NAME.movement": (
        Key("through", '`"cell_id -> cell"`', "the table itself", "the public table that knows places"),
        Key("zone", "a column", NEEDED, "the zone"),
        Key("lon", "a column, degrees", "none; with `lat`", "longitude (WGS 84)"),
        Key("lat", "a column, degrees", "none; with `lon`", "latitude"),
        Key("norms", "a table", "those of the table", "clip bounds of stays and trips, as `norms`"),
        Key("columns", "a table", "none", "clip bounds of their numbers"),
    ),
    "tables.NAME.movement.columns": (
        Key("dwell_min", "a table", "none", "minutes of a stay, 0 to 1,440"),
        Key("minutes", "a table", "none", "minutes of a trip, 0 to 1,440"),
        Key("dist_km", "a table", "none", "km of a trip, 0 to 200"),
    ),
    "tables.NAME.movement.columns.NAME": (
        Key("sum_norm", LENGTH, "the largest value times `rows`", "as of a column"),
        Key("centred_norm", LENGTH, "the largest distance times `rows`", "as of a column"),
        Key("centre", "a number", "the middle of the range", "as of a column"),
    ),
    "tables.NAME.columns.NAME": (
        Key("type", "see below", NEEDED, "as the source stores it"),
        Key("nullable", "`true`, `false`", lambda c: c.tables[0].columns[0].nullable, "whether it may hold NULL; `false` saves a group"),
        Key("bounds", "`[0, 120]`, numbers, or `\"measure\"`", "the ends of `range` or `values` of whole numbers, else it can't be summed", "values are clamped to it; wider is noisier. `\"measure\"`: nobody knows the range, and a [calibration](calibration.md#bounds-that-are-measured) measures it; until then sums and averages are refused unless the question names its ends. For lon and lat, a town's instead of the earth's divides the noise of a mean distance by 100"),
        Key("sum_norm", LENGTH, "the largest value times `rows`", "clip bound of one person's sums over groups"),
        Key("centred_norm", LENGTH, "the largest distance times `rows`", "the same for averages and variances, of distances from `centre`"),
        Key("centre", "a number inside `bounds`", "the middle of `bounds`", "a typical value, near which averages are best"),
        Key("values", "a list", "its keys are private", "all values: a public key set. Others are dropped"),
        Key("range", "`[0, 23]`, or two dates", "its keys are private", "all integers or dates from first to last; of a time, its dates"),
        Key("values_of", '`"zone.zone_id"`', "its keys are private", "all values of a column of a public table"),
        Key("complete", "`true`, `false`", lambda c: c.tables[0].columns[0].complete, "rows hold no other value, which is checked: totals over such groups are free"),
        Key("time_zone", '`"Europe/Berlin"`, IANA', "needed for TIMESTAMPTZ", "for hours, dates and privacy windows"),
        Key("stored", '`"local"`, `"utc"`', "`local`", "the clock of a TIMESTAMP"),
        Key("visible", "`true`, `false`", lambda c: c.tables[0].columns[0].visible, "`false` hides it from analysts"),
        Key("h3", "a table", "none", "the H3 cell of a place in the same row, made when data is opened"),
        Key("from_windows", "a list of windows", "none", "windows that its values were computed from: charged too"),
    ),
    "tables.NAME.columns.NAME.h3": (
        Key("lon", "a column, degrees", NEEDED, "longitude (WGS 84)"),
        Key("lat", "a column, degrees", NEEDED, "latitude"),
        Key("resolution", "0 to 15", NEEDED, "of the cells; coarser ones are computed"),
    ),
}  # fmt: skip
