"""Eligibility notes: the description of a table's eligible rows and retention that analysts see."""

from __future__ import annotations

from collections.abc import Iterator

from dialect.catalog import AgeUnit, Catalog, Consent, Dataset, Jurisdiction, MinimumAge, SqlType, Table, ValueList
from engine.catalog.eligibility import age_reference_day, first_retained_day


def eligibility_notes(declared: Table | None, catalog: Catalog) -> tuple[str, ...]:
    """Return the notes on which persons' rows of a private table are read; none for a public table."""
    if declared is None or not declared.private:
        return ()
    dataset = catalog.dataset(declared.dataset)
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
    column = table.column(consent.column)
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
