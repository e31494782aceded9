"""Catalog and ledger -> what a person is told of what is computed about them: plain words, every number with its sense.

Nothing is read from data: the page is the same for everybody, and for whoever is in no table at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from budgets import (
    EVERYBODY,
    LIFETIME,
    AccountView,
    Ledger,
    Loss,
)
from dialect.catalog.catalog import Catalog, Dataset, Table
from dialect.catalog.declared_admission import AgeBy, Minors
from engine.accounts.whole_person import whole_person
from engine.api.reports.worst_words import UNITS, odds, up, worst_told
from engine.catalog.catalog_admitted import kept_from, of_age_on

CHANGED = (
    "Each number is changed at random before anybody sees it, by so much that it would look much the same with you or"
    " without you."
)
GIVEN = (
    "Answers that were given before you object stay with those who have them, and whoever asked the same question"
    " before is shown the same answer again. They were changed at random, as is said above."
)


@dataclass(frozen=True)
class Section:
    """A heading, and what stands below it, a paragraph or a point each."""

    title: str
    words: tuple[str, ...]
    points: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """What one dataset computes about people."""

    dataset: str
    sections: tuple[Section, ...]


def about(catalog: Catalog, ledger: Ledger) -> tuple[Page, ...]:
    """Write the page of every dataset."""
    return tuple(
        Page(dataset.name, tuple(_sections(catalog, ledger, dataset)))
        for dataset in catalog.datasets
        if any(table.private and table.dataset == dataset.name for table in catalog.tables)
    )


def _sections(catalog: Catalog, ledger: Ledger, dataset: Dataset) -> Iterator[Section]:
    yield Section(
        "What is computed",
        (
            "Questions about many people are answered with numbers: how many, how long, how far, on average.",
            "No row about you leaves, and no number about you alone.",
            CHANGED,
            "Numbers are computed from these tables:",
        ),
        tuple(map(_table, (t for t in catalog.tables if t.private and t.dataset == dataset.name))),
    )
    yield Section("Who is in it", _admitted_words(catalog, dataset), tuple(_admitted(catalog, dataset)))
    yield Section(
        "What is protected", (f"What is protected as one is {UNITS[dataset.window]}, over all tables together.",)
    )
    yield Section("The worst that can happen", tuple(worst_told(catalog, ledger, dataset)))
    yield Section("What was used so far", tuple(_spent(ledger, dataset)), tuple(_windows(ledger, dataset)))
    yield Section("Who may ask", tuple(_askers(ledger, dataset)))
    yield Section("How to object", tuple(_objecting(dataset)))
    yield Section(
        "What stays",
        (
            GIVEN,
            "What was used of the limit stays used: your objection gives none of it back to anybody.",
        ),
    )


def _table(table: Table) -> str:
    shown = [c.name for c in table.columns if c.visible and (table.person is None or c.name != table.person.column)]
    return f"{table.name}: {', '.join(shown) or 'nothing but that somebody is there'}"


def admission_said(catalog: Catalog, dataset: Dataset) -> tuple[str, ...]:
    """Say who is in a dataset, in the words in which people are told."""
    return (*_admitted_words(catalog, dataset), *_admitted(catalog, dataset))


def _admitted_words(catalog: Catalog, dataset: Dataset) -> tuple[str, ...]:
    asked = list(_admitted(catalog, dataset))
    if not asked:
        return ("Everybody in these tables, but for those who have objected.",)
    return ("You are left out of every new number if you have objected, and unless all of this is known and so:",)


def _admitted(catalog: Catalog, dataset: Dataset) -> Iterator[str]:
    """Say in words what is asked of people and rows."""
    rules = dataset.admission
    for table in catalog.tables:
        if table.dataset == dataset.name and table.consent is not None:
            yield f"your consent is one of: {', '.join(map(_state, table.consent.admitted))}"
    if rules.jurisdiction is not None:
        law = rules.jurisdiction
        listed = ", ".join(law.codes)
        if law.column is None:
            yield f"you are under the law of {law.constant}, as everybody here is"
        elif listed:
            yield f"you are under the law of {'none of' if law.denied else 'one of'}: {listed}"
        else:
            yield "it is known under which law you are"
        yield from (f"people under the law of {code} are in it because: {words}" for code, words in law.legal_basis)
    if rules.minors is not None:
        yield _of_age(catalog, dataset, rules.minors)
    first = kept_from(catalog, dataset)
    if first is not None:
        yield f"what happened is not older than {first}; older rows are not read"


def _state(state: str | bool) -> str:
    """Write a state as people say it."""
    return state if isinstance(state, str) else "yes" if state else "no"


def _of_age(catalog: Catalog, dataset: Dataset, minors: Minors) -> str:
    if minors.by is AgeBy.AGE_BAND:
        return f"your age is one of: {', '.join(minors.bands)}"
    on = "" if minors.by is AgeBy.AGE else f" on {of_age_on(catalog, dataset, minors)}"
    return f"you were at least {minors.minimum} years old{on}"


def _spent(ledger: Ledger, dataset: Dataset) -> Iterator[str]:
    whole = whole_person(ledger.entries(), dataset)
    if whole.pico_rho == 0:
        yield "Nothing was asked yet."
        return
    found = whole.epsilon_delta
    if found is None:
        yield "All that was asked so far, over your whole time here, may tell more of you than any number limits."
        return
    yield (
        f"All that was asked so far, over your whole time here: epsilon {up(found.epsilon)}, which is odds of"
        f" {odds(found.epsilon)} at the worst, for somebody who found it as likely as not that you are in them."
    )


def _windows(ledger: Ledger, dataset: Dataset) -> Iterator[str]:
    for view in sorted(_of_everybody(ledger, dataset), key=lambda view: view.name.window):
        spent = view.spent_epsilon_delta
        yield f"{view.name.window}: epsilon {up(spent.epsilon)} of {up(view.cap_epsilon_delta.epsilon)}"


def _of_everybody(ledger: Ledger, dataset: Dataset) -> list[AccountView]:
    shared = (view for view in ledger.accounts(dataset.name) if view.name.holder == EVERYBODY)
    return [view for view in shared if view.name.window != LIFETIME and view.spent != Loss(0, 0)]


def _askers(ledger: Ledger, dataset: Dataset) -> Iterator[str]:
    asked = sorted({v.name.client for v in ledger.accounts(dataset.name) if v.name.client is not None})
    yield "Whoever the owner of these data gives an account, each with a limit of their own below the common one."
    yield f"So far: {', '.join(asked)}." if asked else "So far nobody has asked."


def _objecting(dataset: Dataset) -> Iterator[str]:
    contact = dataset.admission.contact
    yield contact or "Tell the owner of these data, or whoever gave you this page: no reason is needed."
    yield (
        "From the next question on you are in no new number, in no table. Nobody who asks is told that you objected,"
        " nor how many did. You may take your objection back at any time."
    )
    yield "The owner records it with: passersby object YOUR-NUMBER --catalog CATALOG --reason TEXT"
