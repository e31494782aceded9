"""What admission rests on, resolved over the whole catalog: the table of persons, columns that hold states, days.

Nothing here looks at a clock: the last day is the last one that the catalog declares (proofs.md#retention).
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterator
from dataclasses import replace

from dialect.catalog.catalog import Catalog, Dataset, SqlType, Table, ValueRange
from dialect.catalog.declared_admission import AgeBy, Jurisdiction, Minors, Retention
from dialect.catalog.privacy_windows import next_begin
from engine.catalog.catalog_mistakes import Mistakes
from engine.catalog.inherited_windows import windows_behind
from engine.catalog.meant import meant
from engine.errors import CatalogError

AGE_TYPES = {
    AgeBy.BIRTH_DATE: SqlType.DATE,
    AgeBy.BIRTH_YEAR: SqlType.BIGINT,
    AgeBy.AGE: SqlType.BIGINT,
    AgeBy.AGE_BAND: SqlType.VARCHAR,
}


def person_table(catalog: Catalog, dataset: Dataset) -> Table | None:
    """Find the table with one row a person: the one that is named, the one with consent, or the only one."""
    found = [table for table in catalog.tables if table.dataset == dataset.name and _of_persons(table)]
    named = [table for table in found if table.name == dataset.admission.table]
    asked = named or [table for table in found if table.consent is not None] or found
    return asked[0] if len(asked) == 1 else None


def _of_persons(table: Table) -> bool:
    person = table.person
    return person is not None and not person.through and table.primary_key == (person.column,)


def check_admission(catalog: Catalog, mistakes: Mistakes) -> None:
    """Note what admission asks for and the catalog does not have."""
    for dataset in catalog.datasets:
        asked = _Asked(catalog, dataset)
        rules = dataset.admission
        if rules.table is not None or rules.minors or (rules.jurisdiction and rules.jurisdiction.column):
            mistakes.part(None, asked.persons)
        if rules.jurisdiction is not None:
            mistakes.part(None, asked.law, rules.jurisdiction)
        if rules.minors is not None:
            mistakes.part(None, asked.age, rules.minors)
        if rules.retention is not None:
            mistakes.part(None, asked.days, "retention")


def with_retention(catalog: Catalog) -> Catalog:
    """Say of every private table with a time from which day on its rows are read."""
    first = {d.name: kept_from(catalog, d) for d in catalog.datasets}
    tables = (replace(t, kept_from=first[t.dataset]) if t.private and t.time_column else t for t in catalog.tables)
    return replace(catalog, tables=tuple(tables))


def kept_from(catalog: Catalog, dataset: Dataset) -> str | None:
    """Find the first day whose rows are read; None where all are."""
    retention, days = dataset.admission.retention, declared_days(catalog, dataset)
    if retention is None or days is None:
        return None
    return _back(dt.date.fromisoformat(days[1]), retention).isoformat()


def declared_days(catalog: Catalog, dataset: Dataset) -> tuple[str, str] | None:
    """Find the first and the last day that windows declare, or else time columns; no row is looked at."""
    if dataset.stretch is not None:
        last = next_begin(dataset.window, dataset.stretch.last) - dt.timedelta(days=1)
        return dataset.stretch.first.isoformat(), last.isoformat()
    ranges = list(_ranges(catalog, dataset))
    return (min(str(r.lower) for r in ranges), max(str(r.upper) for r in ranges)) if ranges else None


def _ranges(catalog: Catalog, dataset: Dataset) -> Iterator[ValueRange]:
    for table in catalog.tables:
        if table.private and table.dataset == dataset.name and table.time_column is not None:
            column = table.column(table.time_column)
            if column is not None and isinstance(column.domain, ValueRange):
                yield column.domain


def _back(last: dt.date, retention: Retention) -> dt.date:
    """Count back from the last day: so many days are kept, or the days after the same day so many months earlier."""
    if retention.days is not None:
        return max(dt.date.min, last - dt.timedelta(days=retention.days - 1))
    months = last.year * 12 + last.month - 1 - (retention.months or 0)
    year, month = divmod(months, 12)
    if year < 1:
        return dt.date.min
    day = min(last.day, calendar.monthrange(year, month + 1)[1])
    return dt.date(year, month + 1, day) + dt.timedelta(days=1)


def of_age_on(catalog: Catalog, dataset: Dataset, minors: Minors) -> dt.date | None:
    """Find the day on which people must have been of age: before it no row of theirs is read."""
    days = declared_days(catalog, dataset)
    day = minors.on or kept_from(catalog, dataset) or (days[0] if days else None)
    return None if day is None else dt.date.fromisoformat(day)


class _Asked:
    """The checks of one dataset; errors are at its keys."""

    def __init__(self, catalog: Catalog, dataset: Dataset) -> None:
        self.catalog, self.dataset = catalog, dataset

    def persons(self) -> None:
        """Check that one table has one row a person."""
        if person_table(self.catalog, self.dataset) is None:
            tables = [t.name for t in self.catalog.tables if t.dataset == self.dataset.name and _of_persons(t)]
            key, cure = "table", f"write table = with one of {', '.join(tables)}."
            if not tables:
                cure = "declare a private table whose primary_key is its person column alone, with the states."
            raise self._error(key, "it is not clear in which table a person has one row.", cure)
        if self.dataset.admission.table is not None:
            self._named(self.dataset.admission.table)
        found = person_table(self.catalog, self.dataset)
        if found is not None and found.time_column is not None and self.dataset.stretch is not None:
            why = f"states decide of all windows, and rows of {found.name} are each of one."
            raise self._error("table", why, "remove its time_column, or keep the states in a table without.")
        if found is not None and (found.from_windows or windows_behind(found, self._states())):
            why = f"states decide of all windows, and those of {found.name} were computed from some."
            raise self._error("table", why, "keep states that people told, in columns without from_windows.")

    def _states(self) -> Iterator[str | None]:
        """List the columns that hold states."""
        rules = self.dataset.admission
        yield rules.jurisdiction.column if rules.jurisdiction is not None else None
        yield rules.minors.column if rules.minors is not None else None

    def _named(self, name: str) -> None:
        """Check that the table that is named is one of persons, and the one with consent."""
        found = person_table(self.catalog, self.dataset)
        if found is None or found.name != name:
            why = f"{name} is no private table of this dataset with one row a person."
            raise self._error("table", why, "name the table whose primary_key is its person column alone.")
        others = [t.name for t in self.catalog.tables if t.dataset == self.dataset.name and t.consent is not None]
        if any(other != name for other in others):
            cure = "keep consent and the other states in one table."
            raise self._error("table", f"consent is declared in {others[0]}.", cure)

    def law(self, law: Jurisdiction) -> None:
        """Check that a law is known, and that of everybody not denied."""
        if law.column is not None:
            self._column(law.column, SqlType.VARCHAR, "jurisdiction.column")
        elif law.constant is not None and (law.constant in law.codes) == law.denied:
            cure = f'state why its law admits them: legal_basis = {{ {law.constant} = "..." }}.'
            why = f"the people of this dataset are under the law of {law.constant}, which is denied."
            raise self._error("jurisdiction", why, cure)

    def age(self, minors: Minors) -> None:
        """Check that an age is one, and on which day."""
        self._column(minors.column, AGE_TYPES[minors.by], f"minors.{minors.by}")
        if minors.by in (AgeBy.BIRTH_DATE, AgeBy.BIRTH_YEAR) and minors.on is None:
            self.days("minors")

    def days(self, key: str) -> None:
        """Check that the catalog says which days there are."""
        if declared_days(self.catalog, self.dataset) is None:
            cure = 'declare the range of a time_column: range = ["2026-10-01", "2026-10-31"].'
            raise self._error(key, "no time column of this dataset declares its first and last day.", cure)

    def _column(self, name: str, kind: SqlType, key: str) -> None:
        table = person_table(self.catalog, self.dataset)
        if table is None:
            return  # noted already
        column = table.column(name)
        if column is None:
            names = [c.name for c in table.columns]
            raise self._error(key, f"{table.name} declares no column {name}.", meant(name, names, "declare it."))
        if column.type is not kind or name in table.primary_key:
            why = f"{name} is no {kind} column that says this."
            raise self._error(key, why, f"name a {kind} column beside the person.")

    def _error(self, key: str, why: str, cure: str) -> CatalogError:
        return CatalogError(self.catalog.path, f"datasets.{self.dataset.name}.admission.{key}", why, cure)
