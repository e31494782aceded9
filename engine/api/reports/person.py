"""The person report: what is computed about people, in plain words, as HTML and as text for a terminal.

Every number comes with its meaning. The limits of a dataset become the worst case: epsilon, odds, plain words.
Nothing is read from data: the page is the same for everybody, including people who are in no table. The HTML loads
nothing from other hosts.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from budgets import (
    EVERYBODY,
    LIFETIME,
    AccountView,
    EpsilonDelta,
    Ledger,
    Loss,
    chargeable,
    conversion_delta,
    epsilon_at,
)
from dialect.catalog import STATIC, AgeBy, Catalog, Dataset, Minors, Table, Window
from engine.accounts.audit_log import delta_text
from engine.accounts.losses import whole_person
from engine.accounts.worst_case import everybodys, of_all
from engine.catalog.admission import kept_from, of_age_on
from engine.pricing.terms import caps

UNITS = {
    Window.FOREVER: "everything about you, over the whole time",
    Window.MONTH: "everything about you in one calendar month",
    Window.WEEK: "everything about you in one week",
    Window.DAY: "everything about you on one day",
}
LARGEST_ODDS = 1e6  # larger odds are shown as "more than a million"


def worst_told(catalog: Catalog, ledger: Ledger, dataset: Dataset) -> Iterator[str]:
    """Worst-case disclosure to all clients together, in words: per privacy window, then over all windows."""
    cap, accounts = caps(dataset).dataset, everybodys(catalog, ledger, dataset)
    limit, windowed = EpsilonDelta.of(chargeable(cap), cap), dataset.window is not Window.FOREVER
    unit = UNITS[dataset.window].removeprefix("everything about you ")
    did = f" {unit}" if windowed else ""
    of_did = f" on what can be learned of all that you did{did}," if windowed else ""
    yield (
        f"There is a limit{of_did} that all askers together can never pass, whatever they ask, also if they put their"
        f" answers together and know everything about everybody else. Experts call it {_epsilon(limit)}."
    )
    if windowed:
        yield from _over_all(ledger, dataset, accounts)
    yield (
        f"In plain words: somebody wonders whether you are in these data, with all that you did{did}, or"
        f" {'with nothing of it' if windowed else 'not at all'}, and finds it as likely as not. After all answers their"
        f" odds are at worst {odds(limit.epsilon)}: they are {_sure(limit.epsilon)}."
        f" Chances of {_one_in(cap.delta)} are left out of this."
    )
    pair = epsilon_at(4 * cap.rho, conversion_delta(cap))
    yield (
        f"Whoever knows that you are in them, and wonders which of two things you did{did}, may come to odds"
        f" of {odds(pair)}."
    )
    yield "That is a bound that can be proven, and not what is expected: with less knowledge, far less is learned."


def _over_all(ledger: Ledger, dataset: Dataset, accounts: tuple[AccountView, ...]) -> Iterator[str]:
    """Worst case outside one window: of tables without time, and of all windows together."""
    for view in accounts:
        if view.name.window == STATIC:
            yield f"What is known of you without a time has a limit of its own: {_epsilon(view.cap_epsilon_delta)}."
    worst = of_all(ledger, dataset, accounts)
    if worst.limit is None:
        yield f"Whether you are in these data at all, {worst.where}, is limited by no number that says something."
        return
    yield (
        f"Whether you are in these data at all can be learned from more: {worst.where}, the limit is"
        f" {_epsilon(worst.limit)}, which is odds of {odds(worst.limit.epsilon)} at the worst."
    )


def odds(epsilon: float) -> str:
    """How far even odds can move under epsilon: exp(epsilon) to 1, rounded up."""
    ratio = math.exp(min(epsilon, 50.0))
    if ratio > LARGEST_ODDS:
        return "more than a million to 1"
    return f"{math.ceil(ratio * 100) / 100:.2f} to 1" if ratio < 10 else f"{math.ceil(ratio):,} to 1"


def _sure(epsilon: float) -> str:
    share = math.ceil(1000 / (1 + math.exp(-min(epsilon, 50.0)))) / 10
    return "as good as certain" if share > 99.9 else f"at most {share:.1f}% sure"


def _epsilon(limit: EpsilonDelta) -> str:
    return f"epsilon {up(limit.epsilon)} at delta {delta_text(limit.delta)}"


def up(epsilon: float) -> str:
    """Format an epsilon to two places, rounded up."""
    return f"{math.ceil(epsilon * 100) / 100:.2f}"


def _one_in(chance: Fraction) -> str:
    return f"at most one in {int(1 / chance):,}" if chance else "nil"


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
    """A heading with paragraphs and bullet points below it."""

    title: str
    words: tuple[str, ...]
    points: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """The person report of one dataset."""

    dataset: str
    sections: tuple[Section, ...]


def about(catalog: Catalog, ledger: Ledger) -> tuple[Page, ...]:
    """Person report of every dataset with private tables."""
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
    """Eligibility rules of a dataset in plain words: who is in it."""
    return (*_admitted_words(catalog, dataset), *_admitted(catalog, dataset))


def _admitted_words(catalog: Catalog, dataset: Dataset) -> tuple[str, ...]:
    asked = list(_admitted(catalog, dataset))
    if not asked:
        return ("Everybody in these tables, but for those who have objected.",)
    return ("You are left out of every new number if you have objected, and unless all of this is known and so:",)


def _admitted(catalog: Catalog, dataset: Dataset) -> Iterator[str]:
    """Eligibility conditions on people and rows, one in words each."""
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
    """Format a consent state as people say it."""
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


WIDTH = 88
TEMPLATE = Path(__file__).with_name("about_page.html.j2")


def page_html(pages: tuple[Page, ...]) -> str:
    """Render the report as HTML. Names of stewards and clients are escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(pages=pages)


def page_text(pages: tuple[Page, ...]) -> str:
    """Render the report for a terminal."""
    return "\n\n".join(_page(page) for page in pages) + "\n"


def _page(page: Page) -> str:
    title = f"What is computed about you: {page.dataset}"
    return "\n\n".join([title, "=" * len(title), *map(_section, page.sections)]).replace("\n\n==", "\n==", 1)


def _section(section: Section) -> str:
    words = [textwrap.fill(text, WIDTH) for text in section.words]
    points = [textwrap.fill(text, WIDTH, initial_indent="  - ", subsequent_indent="    ") for text in section.points]
    return "\n".join([section.title.upper(), *words, *points])
