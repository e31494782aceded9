"""Eligibility: the rows that may be read, decided by consent, law, age and retention.

The filter is applied below the analyst's SQL, also in queries that never mention the person table. A row is read only
if every required attribute of its person is known and satisfies its condition (proofs.md#admission).

Declarations are resolved over the whole catalog: the person table, the attribute columns, the reference days. No clock
is read: the last day is the last one that the catalog declares (proofs.md#retention).

Terms:
    eligible      of a person: all conditions hold (the catalog's keys `admission` and `admitted` mean the same)
    person table  private table of which each row is one person
    state         attribute of a person that a condition reads: consent, country, age
    law           country whose law protects a person; denied: its people are not eligible
    retained      of a row: not before the first day of the retention period
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import wraps
from typing import TypeVar

from dialect import Eligibility
from dialect.catalog import (
    AgeUnit,
    Catalog,
    Consent,
    CountryCondition,
    Dataset,
    EligibilityCondition,
    EligibilityRules,
    InRange,
    IsIn,
    Jurisdiction,
    MinimumAge,
    Retention,
    SqlType,
    Table,
    ValueList,
    ValueRange,
    next_window_start,
)
from engine.catalog.privacy_windows import source_windows
from engine.catalog.toml_section import ErrorCollector, Section, suggestion
from engine.errors import CatalogError

T = TypeVar("T")
_CACHED_CATALOGS = 4  # size of each cache
AGE_TYPES = {
    AgeUnit.BIRTH_DATE: SqlType.DATE,
    AgeUnit.BIRTH_YEAR: SqlType.BIGINT,
    AgeUnit.AGE: SqlType.BIGINT,
    AgeUnit.AGE_BAND: SqlType.VARCHAR,
}


def cached_by_identity(compute: Callable[[Catalog], T]) -> Callable[[Catalog], T]:
    """Cache a function of a catalog by identity: hashing a catalog is as slow as the function itself."""
    cache = deque[tuple[Catalog, T]](maxlen=_CACHED_CATALOGS)

    @wraps(compute)
    def cached(catalog: Catalog) -> T:
        """Return the result for this very catalog object, computed once while it is among the last few."""
        for known, result in tuple(cache):
            if known is catalog:
                return result
        result = compute(catalog)
        cache.append((catalog, result))
        return result

    return cached


def person_table(catalog: Catalog, dataset: Dataset) -> Table | None:
    """Return the table with one row per person: the named one, the one with consent, or the only candidate."""
    found = [table for table in catalog.tables if table.dataset == dataset.name and table.has_one_row_per_person]
    named = [table for table in found if table.name == dataset.eligibility.table]
    candidates = named or [table for table in found if table.consent is not None] or found
    return candidates[0] if len(candidates) == 1 else None


def check_eligibility(catalog: Catalog, mistakes: ErrorCollector) -> None:
    """Collect the eligibility rules that the catalog cannot evaluate: missing tables, columns or days."""
    for dataset in catalog.datasets:
        check = _EligibilityCheck(catalog, dataset)
        rules = dataset.eligibility
        if rules.table is not None or rules.minors or (rules.jurisdiction and rules.jurisdiction.column):
            mistakes.collect(None, check.check_person_table)
        if rules.jurisdiction is not None:
            mistakes.collect(None, check.check_law, rules.jurisdiction)
        if rules.minors is not None:
            mistakes.collect(None, check.check_age, rules.minors)
        if rules.retention is not None:
            mistakes.collect(None, check.check_declared_days, "retention")


def with_retention(catalog: Catalog) -> Catalog:
    """Set the first retained day on every private table that has a time column."""
    first_days = {d.name: first_retained_day(catalog, d) for d in catalog.datasets}
    tables = (
        replace(t, retained_from=first_days[t.dataset]) if t.private and t.time_column else t for t in catalog.tables
    )
    return replace(catalog, tables=tuple(tables))


def first_retained_day(catalog: Catalog, dataset: Dataset) -> str | None:
    """Return the first day within the retention period, as ISO text; None where every row is retained."""
    retention, days = dataset.eligibility.retention, declared_days(catalog, dataset)
    if retention is None or days is None:
        return None
    # days = (first, last) declared day
    return _count_back(dt.date.fromisoformat(days[1]), retention).isoformat()


def declared_days(catalog: Catalog, dataset: Dataset) -> tuple[str, str] | None:
    """Return the first and last declared day, from privacy windows or else time-column ranges; never from rows."""
    if dataset.window_range is not None:
        last = next_window_start(dataset.window, dataset.window_range.last) - dt.timedelta(days=1)
        return dataset.window_range.first.isoformat(), last.isoformat()
    ranges = list(_time_column_ranges(catalog, dataset))
    return (min(str(r.lower) for r in ranges), max(str(r.upper) for r in ranges)) if ranges else None


def _time_column_ranges(catalog: Catalog, dataset: Dataset) -> Iterator[ValueRange]:
    """Yield the declared ranges of the dataset's private time columns."""
    for table in catalog.private_tables(dataset.name):
        if table.time_column is not None:
            column = table.columns_by_name.get(table.time_column)
            if column is not None and isinstance(column.domain, ValueRange):
                yield column.domain


def _count_back(last: dt.date, retention: Retention) -> dt.date:
    """Return the first retained day: the retention period, in days or months, counted back from the last day."""
    if retention.days is not None:
        return max(dt.date.min, last - dt.timedelta(days=retention.days - 1))
    months = last.year * 12 + last.month - 1 - (retention.months or 0)
    year, month = divmod(months, 12)
    if year < 1:
        return dt.date.min
    day = min(last.day, calendar.monthrange(year, month + 1)[1])
    return dt.date(year, month + 1, day) + dt.timedelta(days=1)


def age_reference_day(catalog: Catalog, dataset: Dataset, minors: MinimumAge) -> dt.date | None:
    """Return the day on which a person's age is evaluated; no row before it is read. None: none is declared."""
    days = declared_days(catalog, dataset)
    day = minors.computed_on or first_retained_day(catalog, dataset) or (days[0] if days else None)
    return None if day is None else dt.date.fromisoformat(day)


class _EligibilityCheck:
    """Check the eligibility rules of one dataset; errors carry the keys of that dataset."""

    def __init__(self, catalog: Catalog, dataset: Dataset) -> None:
        self.catalog, self.dataset = catalog, dataset

    def check_person_table(self) -> None:
        """Check that exactly one table has one row per person, and that its attributes hold for all privacy windows."""
        found = person_table(self.catalog, self.dataset)
        if found is None:
            own_tables = (t for t in self.catalog.tables if t.dataset == self.dataset.name)
            candidates = [table.name for table in own_tables if table.has_one_row_per_person]
            cure = f"write table = with one of {', '.join(candidates)}."
            if not candidates:
                cure = "declare a private table whose primary_key is its person column alone, with the states."
            raise self._error("table", "it is not clear in which table a person has one row.", cure)
        if self.dataset.eligibility.table is not None:
            self._check_named_table(self.dataset.eligibility.table, found)
        if found.time_column is not None and self.dataset.window_range is not None:
            why = f"states decide of all windows, and rows of {found.name} are each of one."
            raise self._error("table", why, "remove its time_column, or keep the states in a table without.")
        if found.source_windows or source_windows(found, self._state_columns()):
            why = f"states decide of all windows, and those of {found.name} were computed from some."
            raise self._error("table", why, "keep states that people told, in columns without from_windows.")

    def _state_columns(self) -> Iterator[str | None]:
        """Yield the columns with the attributes that law and age conditions read; None for an absent rule."""
        rules = self.dataset.eligibility
        yield rules.jurisdiction.column if rules.jurisdiction is not None else None
        yield rules.minors.column if rules.minors is not None else None

    def _check_named_table(self, name: str, found: Table) -> None:
        """Check that the named table has one row per person, and that consent is declared in the same table."""
        if found.name != name:
            why = f"{name} is no private table of this dataset with one row a person."
            raise self._error("table", why, "name the table whose primary_key is its person column alone.")
        own_tables = (t for t in self.catalog.tables if t.dataset == self.dataset.name)
        consent_tables = [table.name for table in own_tables if table.consent is not None]
        if any(other != name for other in consent_tables):
            cure = "keep consent and the other states in one table."
            raise self._error("table", f"consent is declared in {consent_tables[0]}.", cure)

    def check_law(self, law: Jurisdiction) -> None:
        """Check that the law of each person is known, and that a law shared by everybody is not denied."""
        if law.column is not None:
            self._check_column(law.column, SqlType.VARCHAR, "jurisdiction.column")
        elif law.constant is not None and (law.constant in law.codes) == law.is_excluded:
            cure = f'state why its law admits them: legal_basis = {{ {law.constant} = "..." }}.'
            why = f"the people of this dataset are under the law of {law.constant}, which is denied."
            raise self._error("jurisdiction", why, cure)

    def check_age(self, minors: MinimumAge) -> None:
        """Check the type of the age column, and that the day on which age is evaluated is known."""
        self._check_column(minors.column, AGE_TYPES[minors.unit], f"minors.{minors.unit}")
        if minors.unit in (AgeUnit.BIRTH_DATE, AgeUnit.BIRTH_YEAR) and minors.computed_on is None:
            self.check_declared_days("minors")

    def check_declared_days(self, key: str) -> None:
        """Check that windows or a time column declare the first and last day."""
        if declared_days(self.catalog, self.dataset) is None:
            cure = 'declare the range of a time_column: range = ["2026-10-01", "2026-10-31"].'
            raise self._error(key, "no time column of this dataset declares its first and last day.", cure)

    def _check_column(self, name: str, kind: SqlType, key: str) -> None:
        """Check that the person table has this attribute column, with the required type."""
        table = person_table(self.catalog, self.dataset)
        if table is None:
            return  # collected by check_person_table
        column = table.columns_by_name.get(name)
        if column is None:
            names = [c.name for c in table.columns]
            raise self._error(key, f"{table.name} declares no column {name}.", suggestion(name, names, "declare it."))
        if column.type is not kind or name in table.primary_key:
            why = f"{name} is no {kind} column that says this."
            raise self._error(key, why, f"name a {kind} column beside the person.")

    def _error(self, key: str, why: str, cure: str) -> CatalogError:
        """Build an error at an eligibility key of the dataset."""
        return CatalogError(self.catalog.path, f"datasets.{self.dataset.name}.admission.{key}", why, cure)


MAX_AGE_YEARS = 130  # years; an older age counts as unknown
EARLIEST_BIRTH = "1850-01-01"
WIDEST_INTEGER_TYPE = "HUGEINT"  # holds every declared integer type


def eligibility_filter(catalog: Catalog, dataset: str) -> Eligibility:
    """Return the eligibility filter of a dataset: the person table and the conditions on its attributes.

    Claim: a row counts only if its person's one row in the declared table meets every required condition, and the
    person has not objected. The filter is applied to one person's bounded numbers, which are a function of that
    person's rows alone, so the sums are those of the eligible persons' data (proofs.md#admission).
    """
    return _eligibility_filters(catalog)[dataset]


@cached_by_identity
def _eligibility_filters(catalog: Catalog) -> Mapping[str, Eligibility]:
    """Return the eligibility filter of each dataset."""
    filters = {}
    for dataset in catalog.datasets:
        table = person_table(catalog, dataset)
        states = () if table is None else _conditions(catalog, dataset, table)
        filters[dataset.name] = Eligibility(_person_type(catalog, dataset.name), table if states else None, states)
    return filters


def _conditions(catalog: Catalog, dataset: Dataset, table: Table) -> tuple[EligibilityCondition, ...]:
    """List the conditions on a person's row: consent, law and age."""
    conditions: list[EligibilityCondition] = []
    if table.consent is not None:
        conditions.append(IsIn(table.consent.column, table.consent.eligible_values))
    law = dataset.eligibility.jurisdiction
    if law is not None and law.column is not None:
        conditions.append(CountryCondition(law.column, law.codes, law.is_excluded))
    minors = dataset.eligibility.minors
    if minors is not None:
        conditions.append(_age_condition(minors, age_reference_day(catalog, dataset, minors)))
    return tuple(conditions)


def _age_condition(minors: MinimumAge, on: dt.date | None) -> EligibilityCondition:
    """Return the age condition; a year of birth passes only if the age is reached on any possible birthday."""
    if minors.unit is AgeUnit.AGE_BAND:
        return IsIn(minors.column, minors.eligible_bands)
    if minors.unit is AgeUnit.AGE:
        return InRange(minors.column, SqlType.BIGINT, minors.minimum, MAX_AGE_YEARS)
    assert on is not None  # noqa: S101  the catalog reader asks for a day
    if minors.unit is AgeUnit.BIRTH_YEAR:
        return InRange(minors.column, SqlType.BIGINT, int(EARLIEST_BIRTH[:4]), on.year - minors.minimum - 1)
    return InRange(minors.column, SqlType.DATE, EARLIEST_BIRTH, _years_before(on, minors.minimum).isoformat())


def _years_before(day: dt.date, years: int) -> dt.date:
    """Return the latest birth date at which a person has this age on a day."""
    year = max(dt.MINYEAR, day.year - years)
    try:
        return day.replace(year=year)
    except ValueError:  # 29 February in a common year
        return day.replace(year=year, day=28)


def _person_type(catalog: Catalog, dataset: str) -> str:
    """Return the stored type of person keys: the common type, or one wide enough for all tables."""
    own = ((t, t.person) for t in catalog.private_tables(dataset) if t.person)
    columns = (table.columns_by_name.get(person.column) for table, person in own if not person.through)
    kinds = {(c.type, c.stored_type.upper()) for c in columns if c is not None}
    if any(kind is SqlType.VARCHAR for kind, _ in kinds):
        return SqlType.VARCHAR
    return next(iter(kinds))[1] if len(kinds) == 1 else WIDEST_INTEGER_TYPE


DENIED = ("DE",)  # location data need a form of consent that no catalog can prove
COUNTRY_CODE = re.compile(r"[A-Z]{2}")
MAX_RETENTION_MONTHS, MAX_RETENTION_DAYS = 1_200, 36_525
JURISDICTION_EXAMPLE = (
    'write jurisdiction = { column = "country" }, or { constant = "AT" } where one law is everybody\'s.'
)
MINORS_EXAMPLE = (
    'write e.g. minors = { birth_date = "born", minimum = 18 }, or { age_band = "band", admitted = ["18-64"] }.'
)


def read_eligibility(section: Section) -> EligibilityRules:
    """Parse the eligibility rules of a dataset; consent is declared on the person table instead."""
    section.check_keys(("table", "jurisdiction", "minors", "retention", "contact"))
    collect = section.collector.collect
    return EligibilityRules(
        table=collect(None, section.reference, "table"),
        jurisdiction=collect(None, _jurisdiction, section),
        minors=collect(None, _minors, section),
        retention=collect(None, _retention, section),
        contact=collect(None, section.text, "contact"),
    )


def read_replay_max_age(section: Section) -> int | None:
    """Parse the maximum age, in days, of a stored release that may answer a repeated query; None: no limit."""
    rule = section.table("replay_max_age", ("days",), ("days",), "write replay_max_age = { days = 30 }.")
    return None if rule is None else rule.integer("days", 30, 1, MAX_RETENTION_DAYS)


def _jurisdiction(section: Section) -> Jurisdiction | None:
    """Parse the law rule: the column or constant with each person's country, and the denied or admitted codes."""
    law = section.table("jurisdiction", ("column", "constant", "denied", "admitted", "legal_basis"))
    if law is None:
        return None
    column, constant = law.reference("column"), law.text("constant")
    if (column is None) == (constant is None):
        raise section.error("jurisdiction", "a law is that of a column, or of everybody.", JURISDICTION_EXAMPLE)
    if constant is not None:
        _check_country_code(law, "constant", constant)
    basis = _legal_basis(law)
    codes, denied = _listed_codes(law, dict(basis))
    return Jurisdiction(column, constant, codes, denied, basis)


def _legal_basis(law: Section) -> tuple[tuple[str, str], ...]:
    """Parse the legal basis that the owner states for each country code."""
    basis = law.section("legal_basis")
    for code in basis.entries:
        _check_country_code(law, "legal_basis", code)
    return tuple((code, basis.text(code) or "") for code in basis.entries)


def _listed_codes(law: Section, basis: dict[str, str]) -> tuple[tuple[str, ...], bool]:
    """Return the listed country codes, and True if they are denied; a code in DENIED needs a legal basis."""
    if "denied" in law.entries and "admitted" in law.entries:
        raise law.error("admitted", "laws are denied or admitted, not both.", "keep one of the two lists.")
    if "admitted" in law.entries:
        admitted = _code_list(law, "admitted")
        for code in (code for code in admitted if code in DENIED and code not in basis):
            cure = f'write legal_basis = {{ {code} = "..." }} with the words that you would show to the people.'
            raise law.error("admitted", f"{code} is denied until its legal basis is stated.", cure)
        return admitted, False
    denied = _code_list(law, "denied") if "denied" in law.entries else ()
    for code in (code for code in denied if code in basis):
        raise law.error("denied", f"{code} is denied and has a legal basis.", "keep one of the two.")
    return tuple(code for code in dict.fromkeys((*DENIED, *denied)) if code not in basis), True


def _code_list(law: Section, name: str) -> tuple[str, ...]:
    """Parse a list of country codes."""
    found = law.entries[name]
    if not isinstance(found, list) or not all(isinstance(code, str) for code in found):
        raise law.error(name, "this is no list of codes.", f'write e.g. {name} = ["DE"].')
    return tuple(_check_country_code(law, name, code) for code in found)


def _check_country_code(law: Section, name: str, code: str) -> str:
    """Return the code if it is an ISO 3166-1 alpha-2 code. Raises CatalogError."""
    if not COUNTRY_CODE.fullmatch(code):
        cure = 'write two capitals, as in ISO 3166-1: "DE".'
        raise law.error(name, f"{code[:20]} is no code of a country.", cure)
    return code


def _minors(section: Section) -> MinimumAge | None:
    """Parse the age rule: the minimum age and the column with birth date, birth year, age or age band."""
    rule = section.table("minors", (*AgeUnit, "minimum", "on", "admitted"))
    if rule is None:
        return None
    given_keys = [by for by in AgeUnit if by in rule.entries]
    if len(given_keys) != 1:
        raise section.error("minors", "one column says how old people are.", MINORS_EXAMPLE)
    column = rule.reference(given_keys[0]) or ""
    if given_keys[0] is AgeUnit.AGE_BAND:
        return MinimumAge(column, given_keys[0], eligible_bands=_age_bands(rule))
    if "admitted" in rule.entries:
        raise rule.error("admitted", "only age bands are listed.", "write minimum instead.")
    minimum = rule.integer("minimum", 18, 1, 120)
    on = rule.to_date("on", rule.entries["on"]) if "on" in rule.entries else None
    return MinimumAge(column, given_keys[0], minimum, on)


def _age_bands(rule: Section) -> tuple[str, ...]:
    """Parse the list of admitted age bands."""
    bands = rule.entries.get("admitted")
    if not isinstance(bands, list) or not bands or not all(isinstance(band, str) for band in bands):
        raise rule.error("admitted", "this is no list of age bands.", MINORS_EXAMPLE)
    if "minimum" in rule.entries or "on" in rule.entries:
        raise rule.error("minimum", "of age bands those admitted are listed.", "remove minimum and on.")
    return tuple(bands)


def _retention(section: Section) -> Retention | None:
    """Parse the retention period, in months or days."""
    rule = section.table("retention", ("months", "days"))
    if rule is None:
        return None
    if len(rule.entries.keys() & {"months", "days"}) != 1:
        cure = "write retention = { months = 12 }, or { days = 90 }."
        raise section.error("retention", "retention is a number of months or of days.", cure)
    if "months" in rule.entries:
        return Retention(months=rule.integer("months", 12, 1, MAX_RETENTION_MONTHS))
    return Retention(days=rule.integer("days", 90, 1, MAX_RETENTION_DAYS))


def eligibility_notes(declared: Table | None, catalog: Catalog) -> tuple[str, ...]:
    """Return the notes on which persons' rows of a private table are read; none for a public table."""
    if declared is None or not declared.private:
        return ()
    dataset = catalog.datasets_by_name[declared.dataset]
    whose = "; ".join(("who has not objected", *_condition_texts(catalog, dataset)))
    read = f"Read are rows of persons of whom all of this is known and so: {whose}."
    return (read, *excluded_consent_notes(catalog, dataset), *_retention_notes(catalog, dataset))


def excluded_consent_notes(catalog: Catalog, dataset: Dataset) -> tuple[str, ...]:
    """Describe the consent states that are excluded, from declarations alone: no count and no data."""
    consents = ((t, t.consent) for t in catalog.tables if t.dataset == dataset.name and t.consent is not None)
    return tuple(
        f"Not counted: people whose consent is {_excluded_states(table, consent)}." for table, consent in consents
    )


def _excluded_states(table: Table, consent: Consent) -> str:
    """Name the consent states that exclude a person: every declared state that is not admitted."""
    column = table.columns_by_name.get(consent.column)
    states: tuple[object, ...] = ()
    if column is not None and column.type is SqlType.BOOLEAN:
        states = (True, False)
    elif column is not None and isinstance(column.domain, ValueList):
        states = column.domain.values
    if not states:
        return f"anything but {' or '.join(map(format_state, consent.eligible_values))}"
    excluded = [format_state(state) for state in states if state not in consent.eligible_values]
    labels = [*excluded, *(["not known"] if column is not None and column.nullable else [])]
    return " or ".join(filter(None, (", ".join(labels[:-1]), labels[-1]))) if labels else "none that is declared"


def _condition_texts(catalog: Catalog, dataset: Dataset) -> Iterator[str]:
    """Yield the eligibility conditions as text: consent, law, age."""
    for table in catalog.tables:
        if table.dataset == dataset.name and table.consent is not None:
            yield f"whose consent is {_one_of(map(format_state, table.consent.eligible_values))}"
    rules = dataset.eligibility
    if rules.jurisdiction is not None:
        yield _law_text(rules.jurisdiction)
    if rules.minors is not None:
        yield _age_text(catalog, dataset, rules.minors)


def _law_text(law: Jurisdiction) -> str:
    """Describe the law condition."""
    if law.column is None:
        return f"who is under the law of {law.constant}, as everybody here is"
    how = "none" if law.is_excluded else "one"
    return f"whose law is {how} of {', '.join(law.codes)}" if law.codes else "who has a law"


def _age_text(catalog: Catalog, dataset: Dataset, minors: MinimumAge) -> str:
    """Describe the age condition."""
    if minors.unit is AgeUnit.AGE_BAND:
        return f"whose age is {_one_of(minors.eligible_bands)}"
    on = "" if minors.unit is AgeUnit.AGE else f" on {age_reference_day(catalog, dataset, minors)}"
    return f"who was at least {minors.minimum} years old{on}"


def format_state(state: object) -> str:
    """Format a consent state: yes and no for booleans."""
    return ("yes" if state else "no") if isinstance(state, bool) else str(state)


def _one_of(values: Iterator[str] | tuple[str, ...]) -> str:
    """Format alternatives: one value, or `one of` several."""
    listed = tuple(values)
    return listed[0] if len(listed) == 1 else f"one of {', '.join(listed)}"


def _retention_notes(catalog: Catalog, dataset: Dataset) -> Iterator[str]:
    """Yield the notes on retention of rows and replay of releases."""
    first, days = first_retained_day(catalog, dataset), dataset.replay_days
    if first is not None:
        yield f"Rows from before {first} are not read."
    if days is not None:
        yield f"Numbers are repeated for {days} days; then the same question is made anew, and charged."
