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

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from budgets import (
    EVERYBODY,
    LIFETIME,
    AccountView,
    EpsilonDelta,
    Ledger,
    Loss,
    chargeable,
    conversion_delta,
    epsilon_from_rho,
)
from dialect.catalog import STATIC, AgeUnit, Catalog, Dataset, MinimumAge, PrivacyWindow, Table
from engine.accounts.audit_log import format_delta, format_epsilon
from engine.accounts.window_accounts import ceiling_accounts, whole_person_loss, worst_over_all_windows
from engine.catalog.eligibility import age_reference_day, first_retained_day, format_state
from engine.pricing.query_terms import caps

PERIOD_TEXTS = {
    PrivacyWindow.FOREVER: "",
    PrivacyWindow.MONTH: " in one calendar month",
    PrivacyWindow.WEEK: " in one week",
    PrivacyWindow.DAY: " on one day",
}
WHOLE_PERIOD = "the whole period"  # the only window of a dataset without windows
MAX_ODDS = 1e12  # larger odds are shown as certainty
NEARLY_CERTAIN_ODDS = 1e6  # from here on a percentage would be a row of nines
LARGE_ODDS = ((1e9, " billion"), (1e6, " million"))
OBJECTION_COMMAND = "passersby object YOUR-NUMBER --catalog CATALOG --reason TEXT"
ROUND_NUMBERS = {10**6: "a million", 10**9: "a billion", 10**12: "a trillion"}


def worst_case_text(catalog: Catalog, ledger: Ledger, dataset: Dataset) -> Iterator[str]:
    """Worst-case disclosure to all clients together, in words: per privacy window, then over all windows."""
    cap, accounts = caps(dataset.budget).dataset, ceiling_accounts(catalog, ledger, dataset)
    limit, has_windows = EpsilonDelta.from_loss(chargeable(cap), cap), dataset.window is not PrivacyWindow.FOREVER
    period_suffix = PERIOD_TEXTS[dataset.window]
    period_phrase = f" on what can be learned of all that you did{period_suffix}," if has_windows else ""
    yield (
        f"There is a limit{period_phrase} that all askers together can never pass, whatever they ask,"
        " also if they put their"
        f" answers together and know everything about everybody else. Experts call it {_loss_text(limit)}."
    )
    if has_windows:
        yield from _outside_window_text(ledger, dataset, accounts)
    yield (
        f"In plain words: somebody wonders whether you are in these data, with all that you did{period_suffix}, or"
        f" {'with nothing of it' if has_windows else 'not at all'}, and thinks the chance is 50%."
        f" {_exception_text(cap.delta)} after all answers they come to {certainty_text(limit.epsilon)} at worst."
    )
    replacement_epsilon = epsilon_from_rho(4 * cap.rho, conversion_delta(cap))
    yield (
        f"Whoever knows that you are in them, and wonders which of two things you did{period_suffix}, may come to"
        f" {certainty_text(replacement_epsilon)}."
    )
    yield "That is a bound that can be proven, and not what is expected: with less knowledge, usually less is learned."


def _outside_window_text(ledger: Ledger, dataset: Dataset, accounts: tuple[AccountView, ...]) -> Iterator[str]:
    """Worst case outside one window: of tables without time, and of all windows together."""
    for view in accounts:
        if view.name.window == STATIC:
            yield f"What is known of you without a time has a limit of its own: {_loss_text(view.cap_epsilon_delta)}."
    worst = worst_over_all_windows(ledger, dataset, accounts)
    if worst.limit is None:
        yield f"Whether you are in these data at all, {worst.scope}, is limited by no number that says something."
        return
    yield (
        f"Whether you are in these data at all can be learned from more: {worst.scope}, the limit is"
        f" {_loss_text(worst.limit)}, which is {certainty_text(worst.limit.epsilon)} at the worst."
    )


def odds_text(epsilon: float) -> str:
    """How far even odds can move under epsilon: exp(epsilon) to 1, rounded up; from 1,000 on to two digits."""
    ratio = math.exp(min(epsilon, 50.0))
    if ratio < 10:
        return f"{math.ceil(ratio * 100) / 100:.2f} to 1"
    grain = 10 ** max(0, math.floor(math.log10(ratio)) - 1) if ratio >= 1000 else 1
    rounded = math.ceil(ratio / grain) * grain
    unit, name = next(((unit, name) for unit, name in LARGE_ODDS if rounded >= unit), (1, ""))
    return f"{rounded / unit:,.4g}{name} to 1" if name else f"{rounded:,} to 1"


def chance_text(epsilon: float) -> str:
    """Largest chance that an observer can come to from 50%, as a percentage, rounded up at a digit below 100%."""
    share = 100 / (1 + math.exp(-min(epsilon, math.log(MAX_ODDS))))
    doubt = 100 - share
    digits = 0 if doubt >= 10 else 1 if doubt >= 1 else math.ceil(-math.log10(doubt))
    return f"{math.ceil(share * 10**digits) / 10**digits:.{digits}f}%"


def certainty_text(epsilon: float) -> str:
    """Odds and chance that an observer can come to from 50%, in words."""
    if epsilon > math.log(MAX_ODDS):
        return "certainty"
    chance = chance_text(epsilon) if epsilon < math.log(NEARLY_CERTAIN_ODDS) else "nearly certain"
    return f"odds of {odds_text(epsilon)} ({chance})"


def _loss_text(limit: EpsilonDelta) -> str:
    """Format a loss as epsilon at a delta."""
    return f"epsilon {format_epsilon(limit.epsilon)} at delta {format_delta(limit.delta)}"


def _exception_text(chance: Fraction) -> str:
    """Name the chance of an exception, as one in a number rounded down so that it is not understated."""
    one_in = int(1 / chance)
    return f"Except with a chance of one in {ROUND_NUMBERS.get(one_in, f'{one_in:,}')},"


OWNER_TEXT = (
    "No row about you is given to those who ask, and no number about you alone. This does not bind the owner of the"
    " data, who holds them."
)
NOISE_TEXT = (
    "Each number is changed at random before anybody sees it, by an amount that limits what one answer shows of you;"
    " what all answers together may show is below."
)
PAST_ANSWERS_TEXT = (
    "Answers that were given before you object stay with those who have them. Anybody who asks the same question, also"
    " for the first time, may be shown the old answer, in which you count. These were changed at random, as is said"
    " above."
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


def person_report(catalog: Catalog, ledger: Ledger) -> tuple[Page, ...]:
    """Person report of every dataset with private tables."""
    return tuple(
        Page(dataset.name, tuple(_sections(catalog, ledger, dataset)))
        for dataset in catalog.datasets
        if any(table.private and table.dataset == dataset.name for table in catalog.tables)
    )


def _sections(catalog: Catalog, ledger: Ledger, dataset: Dataset) -> Iterator[Section]:
    """Sections of one dataset's page, in reading order."""
    yield Section(
        "What is computed",
        (
            "Questions about many people are answered with numbers: how many, how long, how far, on average.",
            OWNER_TEXT,
            NOISE_TEXT,
            "Numbers are computed from these tables:",
        ),
        tuple(map(_table_text, catalog.private_tables(dataset.name))),
    )
    yield Section(
        "Who is in it", _eligibility_intro(catalog, dataset), tuple(_eligibility_conditions(catalog, dataset))
    )
    yield Section("What is protected", (_unit_text(dataset.window),))
    yield Section("The worst that can happen", tuple(worst_case_text(catalog, ledger, dataset)))
    yield Section("What was used so far", tuple(_spent_text(ledger, dataset)), tuple(_window_text(ledger, dataset)))
    yield Section("Who may ask", tuple(_client_text(ledger, dataset)))
    yield Section("How to object", tuple(_objection_text(dataset)))
    yield Section(
        "What stays",
        (PAST_ANSWERS_TEXT, "What was used of the limit stays used: your objection gives none of it back to anybody."),
    )


def _unit_text(window: PrivacyWindow) -> str:
    """Name the privacy unit in words."""
    over = f"{WHOLE_PERIOD} and " if window is PrivacyWindow.FOREVER else ""
    return f"All your data{PERIOD_TEXTS[window]} count as one unit, over {over}all tables together."


def _table_text(table: Table) -> str:
    """Name a table and its visible columns, without the person column."""
    shown = [c.name for c in table.columns if c.visible and (table.person is None or c.name != table.person.column)]
    return f"{table.name}: {', '.join(shown) or 'nothing but that somebody is there'}"


def eligibility_text(catalog: Catalog, dataset: Dataset) -> tuple[str, ...]:
    """Eligibility rules of a dataset in plain words: who is in it."""
    return (*_eligibility_intro(catalog, dataset), *_eligibility_conditions(catalog, dataset))


def _eligibility_intro(catalog: Catalog, dataset: Dataset) -> tuple[str, ...]:
    """Sentence before the list of conditions; a dataset without conditions has another."""
    conditions = list(_eligibility_conditions(catalog, dataset))
    if not conditions:
        return ("Everybody in these tables, but for those who have objected.",)
    return ("You are counted only if you have not objected and all of this is known of you:",)


def _eligibility_conditions(catalog: Catalog, dataset: Dataset) -> Iterator[str]:
    """Eligibility conditions on people and rows, one in words each."""
    rules = dataset.eligibility
    for table in catalog.tables:
        if table.dataset == dataset.name and table.consent is not None:
            yield _consent_text(table.consent.eligible_values)
    if rules.jurisdiction is not None:
        law = rules.jurisdiction
        listed = ", ".join(law.codes)
        if law.column is None:
            yield f"you are under the law of {law.constant}, as everybody here is"
        elif listed:
            yield f"you are under the law of {'none of' if law.is_excluded else 'one of'}: {listed}"
        else:
            yield "it is known under which law you are"
        yield from (f"people under the law of {code} are in it because: {words}" for code, words in law.legal_basis)
    if rules.minors is not None:
        yield _age_text(catalog, dataset, rules.minors)
    first = first_retained_day(catalog, dataset)
    if first is not None:
        yield f"what happened is not older than {first}; older rows are not read"


def _consent_text(states: tuple[str | bool, ...]) -> str:
    """Consent condition in words: the admitted states as the data record them; the catalog says not what they mean."""
    words = "as" if len(states) == 1 else "as one of"
    return f"your consent is recorded {words}: {', '.join(map(format_state, states))}"


def _age_text(catalog: Catalog, dataset: Dataset, minors: MinimumAge) -> str:
    """Age condition in words; a birth date or year is compared on a named day."""
    if minors.unit is AgeUnit.AGE_BAND:
        return f"your age is one of: {', '.join(minors.eligible_bands)}"
    on = "" if minors.unit is AgeUnit.AGE else f" on {age_reference_day(catalog, dataset, minors)}"
    return f"you were at least {minors.minimum} years old{on}"


def _spent_text(ledger: Ledger, dataset: Dataset) -> Iterator[str]:
    """Describe what was spent so far over a whole time, as epsilon and odds, or that no number bounds it."""
    person_loss = whole_person_loss(ledger.entries(), dataset)
    if person_loss.pico_rho == 0:
        yield "Nothing was asked yet."
        return
    found = person_loss.epsilon_delta
    if found is None:
        yield "All that was asked so far, over your whole time here, may tell more of you than any number limits."
        return
    yield (
        f"All that was asked so far, over your whole time here: epsilon {format_epsilon(found.epsilon)},"
        f" which is {certainty_text(found.epsilon)} at the worst, for somebody who thought the chance was 50% that you"
        " are in them."
    )


def _window_text(ledger: Ledger, dataset: Dataset) -> Iterator[str]:
    """Spending of each window with a charge, of the dataset account, as a share of its rho, rounded up."""
    for view in sorted(_charged_shared_accounts(ledger, dataset), key=lambda view: view.name.window):
        window = WHOLE_PERIOD if dataset.window is PrivacyWindow.FOREVER else view.name.window
        yield f"{window}: {math.ceil(1000 * view.spent.rho / view.cap.rho) / 10:.1f}% of the limit is used"


def _charged_shared_accounts(ledger: Ledger, dataset: Dataset) -> list[AccountView]:
    """Accounts that everybody shares, of windows in which something was spent."""
    shared = (view for view in ledger.accounts(dataset.name) if view.name.holder == EVERYBODY)
    return [view for view in shared if view.name.window != LIFETIME and view.spent != Loss(0, 0)]


def _client_text(ledger: Ledger, dataset: Dataset) -> Iterator[str]:
    """Who may ask: the rule, and the clients that have asked so far."""
    clients = sorted({v.name.client for v in ledger.accounts(dataset.name) if v.name.client is not None})
    yield "Whoever the owner of these data gives an account, each with a limit of their own below the common one."
    yield f"So far: {', '.join(clients)}." if clients else "So far nobody has asked."


def _objection_text(dataset: Dataset) -> Iterator[str]:
    """How to object: the contact that the catalog declares, what follows, and the owner's command."""
    contact = dataset.eligibility.contact
    yield contact or "Tell the owner of these data, or whoever gave you this page: no reason is needed."
    yield (
        "Once it is recorded, you are in no number that is computed anew. Nobody who asks is told that you objected;"
        " at most an inexact number of objections may be published. You may take your objection back at any time."
    )
    yield f"The owner records it with: {OBJECTION_COMMAND}"


WIDTH = 80
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=select_autoescape(["html.j2"]),  # names of stewards, admins and clients
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def fill(text: str, first: str = "", later: str = "", *, break_on_hyphens: bool = True) -> str:
    """Wrap a paragraph at 80 columns, with the indents of its first and its later lines."""
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=later, break_on_hyphens=break_on_hyphens)


TEMPLATES.filters["fill"] = fill


def page_html(pages: tuple[Page, ...]) -> str:
    """Render the report as HTML."""
    return TEMPLATES.get_template("about_page.html.j2").render(pages=pages, command=OBJECTION_COMMAND)


def page_text(pages: tuple[Page, ...]) -> str:
    """Render the report as plain text of at most 80 columns, for a terminal."""
    return TEMPLATES.get_template("about_page.txt.j2").render(pages=pages)
