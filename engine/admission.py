"""Whose rows may be read: decided below the analyst's SQL, also for questions that never mention the person table."""

from __future__ import annotations

from dialect import Admission, Catalog


def admission(catalog: Catalog, dataset: str) -> Admission | None:
    """Find the consent table of a dataset; None where its catalog declares no consent.

    Claim: where one is declared, a row counts only if its person has an admitted state in the dataset's one consent
    table, whose primary key is the person. The filter is applied to one person's bounded numbers, which are a function
    of that person's rows alone, so the sums are those of the admitted persons' data (proofs.md#admission).
    """
    for table in catalog.tables:
        if table.dataset == dataset and table.consent is not None and table.person is not None:
            return Admission(table, table.person.column, table.consent.column, table.consent.admitted)
    return None
