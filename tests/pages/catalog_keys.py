"""What docs/catalog.md says of each key of a catalog: its value with unit, what holds where it is absent, its meaning.

That these are the keys that the readers know, no more and no fewer, is held by tests/engine/data/test_catalog_page.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.catalog.admission import MOST_DAYS, MOST_MONTHS
from engine.catalog.file import LEAST_DELTA, LEAST_RHO, MOST_DELTA, MOST_RHO

NEEDED = "needed"
RHO = f"rho, {LEAST_RHO} to {int(MOST_RHO):,}"
DELTA = f"a probability, {LEAST_DELTA} to {MOST_DELTA}"
NAME = "a name: a to z, 0 to 9 and _, no digit in front"
LENGTH = "a length above 0, in the column's unit"
OF_CENTRED = "the same for averages, variances and deviations, which add up distances from `centre`"


@dataclass(frozen=True)
class Key:
    """One key; `absent` is words, or finds the default in the smallest catalog."""

    name: str
    form: str
    absent: str | Callable[[Any], object]
    meaning: str


PLACES: dict[str, tuple[Key, ...]] = {
    "": (
        Key("format", "`1`", NEEDED, "version of this format; it decides what all other keys mean"),
        Key("name", NAME, NEEDED, "the catalog's name; the ledger's file is named after it"),
        Key("backend", '`"duckdb"` or `"spark"`', "`duckdb`", "where people's rows lie: in files of this machine, or in a lake ([spark.md](spark.md))"),
        Key("remote", '`"sc://host:15002"`', "needed for spark", "the lake's Spark Connect; secrets stand in the environment, never here"),
        Key("datasets", "`[datasets.NAME]`", NEEDED, "people with one budget; what is in two datasets costs the same person twice, so files are in one"),
        Key("tables", "`[tables.NAME]`", NEEDED, "all that can be asked about: what is not declared does not exist for analysts"),
    ),
    "datasets.NAME": (
        Key("window", '`"forever"`, `"month"`, `"week"`, `"day"`', NEEDED, "what is protected as one: all that a person did in it, over all private tables. Longer protects more. Written into the ledger at the first charge, and refused when it is changed ([windows.md](windows.md))"),
        Key("first_window", '`"2026-10"`, `"2026-W43"`, `"2026-10-17"`', "needed, but of forever", "the first window: rows before it are not read"),
        Key("last_window", "the same", "needed, but of forever", "the last one; each that is added brings a budget of its own"),
        Key("delivered_until", "the same", "nothing is declared", "the last window whose rows are all in the files that you put there; later ones are declared by `passersby ingest --window`. A window that is not declared as delivered is not [calibrated](calibration.md#which-window)"),
        Key("data_version", "an integer from 1", lambda c: c.datasets[0].data_version, "raised by you when data change: old answers are then not repeated. Never raise it for an objection: a repeat that stops being free would tell"),
        Key("defaults", "a table", "as below", "what a question is answered at when it does not say"),
        Key("budget", "a table", "as below", "ceilings, fixed before the first question"),
        Key("calibration", "a table", "as below", "what a calibration may cost, and when ([calibration.md](calibration.md))"),
        Key("admission", "a table", "everybody but who objects", "whose rows are read at all ([admission.md](admission.md))"),
        Key("replay_max_age", "`{ days = 30 }`", "however old", "older stored answers are made anew, and charged"),
        Key("rollups", "a list of SELECTs", "none", "sums of each person's own rows that `passersby catalog optimize` keeps ([speed.md](speed.md)); no answer changes by them"),
    ),
    "datasets.NAME.defaults": (
        Key("rho", RHO, lambda c: c.datasets[0].defaults.rho, "privacy loss of one question: less is more private, and noisier"),
        Key("delta", DELTA, lambda c: c.datasets[0].defaults.delta, "chance of showing a key that one person alone has, in one question by private keys"),
        Key("confidence", "0.5 to 0.999999", lambda c: c.datasets[0].defaults.confidence, "how often an interval holds the bounded value; costs nothing"),
    ),
    "datasets.NAME.budget": (
        Key("rho", RHO, lambda c: c.datasets[0].budget.rho, "**the promise to people**: the loss of all clients together, in each window. Never raised"),
        Key("delta", DELTA, lambda c: c.datasets[0].budget.delta, "the chance that goes with it: 9 tenths for saying the loss as epsilon, 1 tenth for thresholds of private keys"),
        Key("client_rho", RHO, "`rho` less `reserve_rho`", "the loss that one client may cause in each window: bounds what one learns who shares with nobody"),
        Key("static_rho", RHO, "`rho`", "the ceiling of private tables without time, read alone, where windows are shorter than forever"),
        Key("static_delta", DELTA, "`delta`", "the same of its delta"),
        Key("reserve_rho", RHO, "nothing", "what all clients together leave to you, of each window"),
        Key("query_rho", RHO, "no limit", "the most that one question may cost, in each window; at least `defaults.rho`"),
        Key("lifetime_rho", RHO, "the sum of its windows", "the most of one client over all windows together"),
    ),
    "datasets.NAME.calibration": (
        Key("rho", RHO, "a tenth of `budget.rho`", "what one calibration costs, of everybody's account"),
        Key("every_days", "days", lambda c: c.datasets[0].calibration.every_days, "when the next one is due: by the calendar, never by the data"),
        Key("expires_days", "days", lambda c: c.datasets[0].calibration.expires_days, "when one holds no more"),
    ),
    "datasets.NAME.admission": (
        Key("table", "a private table", "the one with consent, or the only one", "the table with one row a person, in which their states stand"),
        Key("jurisdiction", "a table", "no law is asked for", "whose law people are under"),
        Key("minors", "a table", "no age is asked for", "how old people must be"),
        Key("retention", "a table", "all days", "how far back rows are read"),
        Key("contact", "words", "none", "how people object, in words that they are shown by `passersby about-me`"),
    ),
    "datasets.NAME.admission.jurisdiction": (
        Key("column", "a VARCHAR column", "this or `constant`", "two letters (ISO 3166-1) in the table of persons; unknown is not admitted"),
        Key("constant", '`"AT"`', "this or `column`", "one law for everybody"),
        Key("denied", '`["FR"]`', "`DE` alone", "laws whose people are not read, beside `DE`"),
        Key("admitted", '`["AT", "CH"]`', "all that are not denied", "laws whose people alone are read; instead of `denied`"),
        Key("legal_basis", '`{ DE = "..." }`', "none", "in your words why the law admits these people: it lifts the denial of `DE`, and is shown to them"),
    ),
    "datasets.NAME.admission.minors": (
        Key("birth_date", "a DATE column", "one of four", "of the table of persons; who has none is not read"),
        Key("birth_year", "an integer column", "one of four", "read are those who reached the age before that day's year"),
        Key("age", "an integer column", "one of four", "in years"),
        Key("age_band", "a VARCHAR column", "one of four", "with `admitted`, the bands that are of age"),
        Key("minimum", "years, 1 to 120", "`18`", "how old, on the first day that is read"),
        Key("on", "a date", "the first day that is read", "another day on which people must have been so old"),
        Key("admitted", '`["18-64"]`', "needed for `age_band`", "bands that are read"),
    ),
    "datasets.NAME.admission.retention": (
        Key("months", f"1 to {MOST_MONTHS:,}", "this or `days`", "counted back from the last day that the catalog declares, never from a clock"),
        Key("days", f"1 to {MOST_DAYS:,}", "this or `months`", "the same in days"),
    ),
    "datasets.NAME.replay_max_age": (
        Key("days", f"1 to {MOST_DAYS:,}", NEEDED, "how old a stored answer may be that a repeat is given"),
    ),
    "tables.NAME": (
        Key("dataset", "a dataset", NEEDED, "whose budget questions about it are charged to"),
        Key("kind", '`"private"` or `"public"`', NEEDED, "private: its rows are about people. Public: **nobody is in it**, and it is read without noise; never call a table public in which a person stands"),
        Key("source", "a table", NEEDED, "where the rows lie"),
        Key("columns", "`[tables.NAME.columns]`", NEEDED, "the columns that questions may use"),
        Key("primary_key", "a list of columns", "none", "columns that together name one row, checked when data are opened; needed where other tables name its rows"),
        Key("time_column", "a DATE or TIMESTAMP column", "none", "when a row happened: it decides which window the row is of"),
        Key("sorted_by", "a list of columns", "none", "in whose order the rows lie; makes answers faster, and changes none"),
        Key("size_class", '`"1e6"`, a power of ten', "needed for private", "about how many rows: public, so declare what everybody may know. It decides in which public time a server answers, and what is said of relative errors"),
        Key("person", "a column, or a table", "needed for private", "who a row is about; a row without is not read"),
        Key("norms", "a table", "needed for private", "**how much one person may count**: what goes beyond is scaled down, and noise grows with it"),
        Key("max_rows_per_person", "1 to 1,000,000,000", lambda c: c.tables[0].max_rows_per_person, "rows of one person (in one window) that are kept before two private tables are joined"),
        Key("max_groups_per_person", "1 to 1,000,000", lambda c: c.tables[0].max_groups_per_person, "groups of one person that are kept where keys are private, and of values and levels that are counted"),
        Key("consent", "a table", "nobody is asked", "on the table with one row a person: whose rows may be read, in all tables of the dataset"),
        Key("movement", "a table", "none", "where a row says that its person was at `time_column` ([movement.md](movement.md))"),
        Key("joins", "a list of tables", "none", "public columns that are looked up when data are opened, and are declared like the table's own"),
        Key("date_column", "a DATE column", "none", "holds the date of `time_column`, so that a day in `WHERE` bounds the time as well, its range is that of the time, and its norms are those of the time's days; rows where it is another are not read, and where there are no windows, such data do not open"),
        Key("from_windows", "a list of windows", "none", "other windows that its rows were computed from: who looks at it is charged for these too"),
    ),
    "tables.NAME.source": (
        Key("parquet", "a path or pattern", "one of four", "relative to the catalog's folder"),
        Key("csv", "a path or pattern", "one of four", "with names in the first line"),
        Key("duckdb", "a path", "one of four", "with `table`"),
        Key("spark", "`schema.table`", "one of four", "a table of the lake"),
        Key("table", "a table's name", "needed for duckdb", "which table of the DuckDB file"),
    ),
    "tables.NAME.person": (
        Key("through", '`["trip_id -> trip"]`', NEEDED, "steps from an own column to a private table whose primary key it names; a row that leads nowhere is not read"),
        Key("column", "a column", NEEDED, "the person column at the end of the way; counted under that name here too"),
    ),
    "tables.NAME.consent": (
        Key("column", "a VARCHAR or BOOLEAN column", NEEDED, "the state; analysts never see the column"),
        Key("admitted", '`["yes"]`, `[true]`', NEEDED, "states that admit a person; every other one, and none, does not"),
    ),
    "tables.NAME.norms": (
        Key("rows", "a number above 0", NEEDED, "rows of one person, if all fall into one group; over groups, the root of the sum of squares"),
        Key("persons", "a number above 0", NEEDED, "the root of the number of groups that one person may be in: 1 for one, 3 for nine"),
        Key("covers", "a share, 0.5 to 0.999999", lambda c: c.tables[0].norms.covers, "of people whom you expect to stay within: from it the bias is predicted that is told beside an answer"),
        Key("by_keys", "a list of tables", "none", "the same for usual groupings, which may be smaller"),
    ),
    "tables.NAME.norms.by_keys[]": (
        Key("keys", '`["zone", "hour(start_ts)"]`', NEEDED, "the grouping, as questions write it, and every finer one: of rows and sums the smallest norm counts that is declared. `WHERE zone = 'a'` counts as grouping by `zone`, `hour(start_ts) = 8` by the hour, a public table's column that equals one as it; k of its values in one group, as two zones or seven days, count the root of k times as much"),
        Key("rows", "a number above 0", "that of `norms`", "as above, for this grouping"),
        Key("persons", "a number above 0", "that of `norms`", "as above, for this grouping; groups by more keys, in more of which people are, are bounded by it too, and how much that cuts away is told as not known"),
        Key("sums", "`{ minutes = 300 }`", "`sum_norm` of the column", "of sums of columns"),
        Key("covers", "a share, 0.5 to 0.999999", lambda c: c.tables[0].norms.by_keys[0].covers, "as above, for this grouping"),
    ),
    "tables.NAME.joins[]": (
        Key("column", "a new column's name", NEEDED, "what it is called here; declare its type under `columns`"),
        Key("on", "an own column", NEEDED, "names a row of the public table"),
        Key("table", "a public table", NEEDED, "with a primary key of one column"),
        Key("take", "a column of it", NEEDED, "what is looked up"),
    ),
    "tables.NAME.movement": (
        Key("through", '`"cell_id -> cell"`', "the table itself", "the public table that knows places"),
        Key("zone", "a column", NEEDED, "which zone"),
        Key("lon", "a column, degrees", "none; with `lat`", "longitude (WGS 84)"),
        Key("lat", "a column, degrees", "none; with `lon`", "latitude"),
        Key("norms", "a table", "that of the table", "how much one person's stays and trips may count"),
        Key("columns", "a table", "none", "`dwell_min`, `minutes` and `dist_km` of stays and trips"),
    ),
    "tables.NAME.movement.columns": (
        Key("dwell_min", "a table", "none", "minutes of a stay, 0 to 1,440"),
        Key("minutes", "a table", "none", "minutes of a trip, 0 to 1,440"),
        Key("dist_km", "a table", "none", "km of a trip, 0 to 200"),
    ),
    "tables.NAME.movement.columns.NAME": (
        Key("sum_norm", LENGTH, "the largest value times `rows`", "of one person's sums over groups"),
        Key("centred_norm", LENGTH, "the largest distance times `rows`", OF_CENTRED),
        Key("centre", "a number", "the middle of the range", "a typical value"),
    ),
    "tables.NAME.columns.NAME": (
        Key("type", "see below", NEEDED, "as the source stores it"),
        Key("nullable", "`true`, `false`", lambda c: c.tables[0].columns[0].nullable, "whether it may hold NULL; `false` saves a group of NULL; `passersby catalog check` looks whether it is so"),
        Key("bounds", "`[0, 120]`, numbers", "it can't be added up", "values are clamped to it. Wider is noisier; take it from what the column means, never from the data. Those of longitudes and latitudes say how far apart two places can be: with a town's, a mean distance has a hundredth of the noise that the whole earth's make"),
        Key("sum_norm", LENGTH, "the largest value times `rows`", "of one person's sums over groups"),
        Key("centred_norm", LENGTH, "the largest distance times `rows`", OF_CENTRED),
        Key("centre", "a number inside `bounds`", "the middle of `bounds`", "a typical value: averages lose least near it"),
        Key("values", "a list", "its keys are private", "all values that count. As keys they all appear, with noise, zeros included; other values are dropped"),
        Key("range", "`[0, 23]`, or two dates", "its keys are private", "all integers or dates from the first to the last; of a time, the dates on which it may fall"),
        Key("values_of", '`"zone.zone_id"`', "its keys are private", "all values of a column of a public table"),
        Key("complete", "`true`, `false`", lambda c: c.tables[0].columns[0].complete, "no row holds another value: checked when data are opened, which then fails. Sums over such groups are free"),
        Key("time_zone", '`"Europe/Berlin"`, IANA', "needed for TIMESTAMPTZ", "in which hours, dates and windows are read; so also which window a row is of"),
        Key("stored", '`"local"`, `"utc"`', "`local`", "what the clock of a TIMESTAMP is"),
        Key("visible", "`true`, `false`", lambda c: c.tables[0].columns[0].visible, "`false`: known to admission and lookups alone, not to analysts"),
        Key("h3", "a table", "none", "the H3 cell of a place in the same row, made when data are opened"),
        Key("from_windows", "a list of windows", "none", "other windows that its values were computed from: who looks at it is charged for these too"),
    ),
    "tables.NAME.columns.NAME.h3": (
        Key("lon", "a column, degrees", NEEDED, "longitude (WGS 84)"),
        Key("lat", "a column, degrees", NEEDED, "latitude"),
        Key("resolution", "0 to 15", NEEDED, "of the cells; coarser ones are computed from them"),
    ),
}  # fmt: skip
