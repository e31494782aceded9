"""Whose rows may be read: decided below the analyst's SQL, also for questions that never mention the person table."""

from __future__ import annotations

import datetime as dt

from dialect import Admission, Catalog
from dialect.catalog.admission import Among, Between, Country, State
from dialect.catalog.catalog import Dataset, SqlType, Table
from dialect.catalog.declared_admission import AgeBy, Minors
from engine.catalog.catalog_admitted import of_age_on, person_table

OLDEST = 130  # years: who is older is a mistake, and their age not known
EARLIEST_BIRTH = "1850-01-01"
WIDEST = "HUGEINT"  # holds the persons of every integer type


def admission(catalog: Catalog, dataset: str) -> Admission:
    """Find who may be read of a dataset.

    Claim: a row counts only if its person's one row in the declared table admits them by every state that is asked for,
    and they have not objected. The filter is applied to one person's bounded numbers, which are a function of that
    person's rows alone, so the sums are those of the admitted persons' data (proofs.md#admission).
    """
    declared = catalog.dataset(dataset) if any(d.name == dataset for d in catalog.datasets) else None
    table = None if declared is None else person_table(catalog, declared)
    states = () if table is None or declared is None else _states(catalog, declared, table)
    return Admission(_person_type(catalog, dataset), table if states else None, states)


def _states(catalog: Catalog, dataset: Dataset, table: Table) -> tuple[State, ...]:
    """List what is asked of a person's one row."""
    asked: list[State] = []
    if table.consent is not None:
        asked.append(Among(table.consent.column, table.consent.admitted))
    law = dataset.admission.jurisdiction
    if law is not None and law.column is not None:
        asked.append(Country(law.column, law.codes, law.denied))
    if dataset.admission.minors is not None:
        asked.append(_of_age(dataset.admission.minors, of_age_on(catalog, dataset, dataset.admission.minors)))
    return tuple(asked)


def _of_age(minors: Minors, on: dt.date | None) -> State:
    """Ask for an age; by a year of birth, for who reached it whatever their birthday."""
    if minors.by is AgeBy.AGE_BAND:
        return Among(minors.column, minors.bands)
    if minors.by is AgeBy.AGE:
        return Between(minors.column, SqlType.BIGINT, minors.minimum, OLDEST)
    assert on is not None  # noqa: S101  the catalog reader asks for a day
    if minors.by is AgeBy.BIRTH_YEAR:
        return Between(minors.column, SqlType.BIGINT, int(EARLIEST_BIRTH[:4]), on.year - minors.minimum - 1)
    return Between(minors.column, SqlType.DATE, EARLIEST_BIRTH, _years_before(on, minors.minimum).isoformat())


def _years_before(day: dt.date, years: int) -> dt.date:
    """Find the last birthday that makes somebody so old on a day."""
    year = max(dt.MINYEAR, day.year - years)
    try:
        return day.replace(year=year)
    except ValueError:  # the 29th of February
        return day.replace(year=year, day=28)


def _person_type(catalog: Catalog, dataset: str) -> str:
    """Find as what persons are stored: one type where all tables agree, else one that holds all of theirs."""
    columns = (
        t.column(t.person.column) for t in catalog.tables if t.dataset == dataset and t.person and not t.person.through
    )
    kinds = {(c.type, c.stored_type.upper()) for c in columns if c is not None}
    if any(kind is SqlType.VARCHAR for kind, _ in kinds):
        return SqlType.VARCHAR
    return next(iter(kinds))[1] if len(kinds) == 1 else WIDEST
