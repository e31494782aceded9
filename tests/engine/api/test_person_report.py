"""The person report: the catalog's rules, the ledger's numbers, and nothing of any row."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import pytest

from budgets import AccountName, ChargeRequest, EpsilonDelta, Ledger, Loss, PricedRelease, chargeable
from dialect import Catalog
from dialect.catalog.model import AgeUnit, Dataset, EligibilityRules, Jurisdiction, MinimumAge, Retention
from dialect.catalog.privacy_windows import PrivacyWindow
from engine.accounts.audit_log import format_epsilon
from engine.accounts.window_accounts import WholePerson, whole_person_loss
from engine.api.reports.person import (
    Page,
    certainty_text,
    chance_text,
    odds_text,
    page_html,
    page_text,
    person_report,
)
from engine.api.reports.regulator import ledger_report
from engine.pricing.query_terms import caps
from tests.engine.town import make_town
from tests.engine.windowed_town import DAYS, WINDOWED

RULES = EligibilityRules(
    jurisdiction=Jurisdiction("gender", None, ("FR",), True, (("DE", "You <signed> & sealed it."),)),
    minors=MinimumAge("person_id", AgeUnit.AGE, 16),
    retention=Retention(days=3),
    contact="Write to privacy@town.example.",
)


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger.open(":memory:") as opened:
        yield opened


def ruled(town: Catalog) -> Catalog:
    (dataset,) = town.datasets
    return replace(town, datasets=(replace(dataset, eligibility=RULES),))


def charge(ledger: Ledger, dataset: Dataset, key: str, rho: str, *windows: str, client: str = "ann") -> None:
    limits = caps(dataset.budget)
    item = PricedRelease(key, Loss.rounded_up(rho, "1e-12"), f"question {key}", windows or ("forever",))
    ledger.charge(ChargeRequest(client, dataset.name, key + client, key, (item,), limits, "data 1"))


def test_the_page_states_the_rules_of_the_catalog(town: Catalog, ledger: Ledger) -> None:
    text = " ".join(page_text(person_report(ruled(town), ledger)).split())
    for words in (
        "visit: visit_id, zone, minutes, coins, shop, day",
        "your consent is recorded as: yes",
        "under the law of none of: FR",
        "under the law of DE are in it because: You <signed> & sealed it.",
        "at least 16 years old",
        "All your data count as one unit, over the whole period and all tables together.",
        "Write to privacy@town.example.",
        "Nothing was asked yet.",
        "So far nobody has asked.",
    ):
        assert words in text
    assert "consent," not in text, "a hidden column has no name here"


@pytest.mark.parametrize(
    ("states", "told"),
    [
        ((True,), "your consent is recorded as: yes"),
        (("opt_in",), "your consent is recorded as: opt_in"),
        (("none",), "your consent is recorded as: none"),
        (("opt_in", "other", "none"), "your consent is recorded as one of: opt_in, other, none"),
        (("opt_in", "none"), "your consent is recorded as one of: opt_in, none"),
    ],
)
def test_a_state_of_consent_is_written_as_people_say_it(
    town: Catalog, ledger: Ledger, states: tuple[str | bool, ...], told: str
) -> None:
    agreed = (replace(t, consent=t.consent and replace(t.consent, eligible_values=states)) for t in town.tables)
    text = page_words(person_report(replace(town, tables=tuple(agreed)), ledger))
    assert f"all of this is known of you: - {told} " in text and "True" not in text


def test_what_stays_after_an_objection_is_not_understated(town: Catalog, ledger: Ledger) -> None:
    text = page_words(person_report(town, ledger))
    for words in (
        "Anybody who asks the same question, also for the first time, may be shown the old answer, in which you count.",
        "Once it is recorded, you are in no number that is computed anew.",
        "at most an inexact number of objections may be published.",
        "This does not bind the owner of the data, who holds them.",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("epsilon", "told"),
    [
        (0.0, "odds of 1.00 to 1 (50%)"),
        (0.5667162596879858, "odds of 1.77 to 1 (64%)"),
        (3.9446336209950044, "odds of 52 to 1 (98.2%)"),
        (9.545574752708111, "odds of 14,000 to 1 (99.993%)"),
        (13.8, "odds of 990,000 to 1 (99.9999%)"),
        (16.0, "odds of 8.9 million to 1 (nearly certain)"),
        (21.3638, "odds of 1.9 billion to 1 (nearly certain)"),
        (27.6, "odds of 970 billion to 1 (nearly certain)"),
        (30.0, "certainty"),
        (1000.0, "certainty"),
    ],
)
def test_odds_are_shown_with_their_chance(epsilon: float, told: str) -> None:
    assert certainty_text(epsilon) == told


def test_odds_are_rounded_up_and_by_a_tenth_at_most() -> None:
    sizes = {"million": 1e6, "billion": 1e9}
    for step in range(277):
        number, *name = odds_text(step / 10).removesuffix(" to 1").split()
        told = float(number.replace(",", "")) * sizes.get("".join(name), 1)
        assert math.exp(step / 10) * (1 - 1e-12) <= told <= 1.1 * math.exp(step / 10)


def test_a_page_fits_a_terminal_and_breaks_no_command(town: Catalog, ledger: Ledger) -> None:
    pages = person_report(town, ledger)
    assert max(map(len, page_text(pages).splitlines())) <= 80
    assert "<code><span>passersby object YOUR-NUMBER</span> <span>--catalog CATALOG</span> <span>" in page_html(pages)


def test_a_chance_is_rounded_up_and_never_whole() -> None:
    for step in range(1, 277):
        chance = float(chance_text(step / 10).removesuffix("%"))
        assert 100 / (1 + math.exp(-step / 10)) <= chance < 100


def test_spending_per_client_is_that_of_the_ledger(town: Catalog, ledger: Ledger) -> None:
    (dataset,) = town.datasets
    charge(ledger, dataset, "a1", "0.005")
    charge(ledger, dataset, "a1", "0.005", client="ben")
    text = " ".join(page_text(person_report(town, ledger)).split())
    (view,) = (v for v in ledger.accounts("town") if v.name == AccountName("town", "forever"))
    assert (view.spent.rho, view.cap.rho) == (Fraction(5, 1000), Fraction(1, 5))
    assert "the whole period: 2.5% of the limit is used" in text and "forever" not in text
    assert "So far: ann, ben." in text


def test_the_worst_case_is_the_cap_in_odds(town: Catalog, ledger: Ledger) -> None:
    (dataset,) = town.datasets
    text = " ".join(page_text(person_report(town, ledger)).split())
    epsilon = 3.95  # rounded up, of rho 0.2 at delta 1e-9
    assert f"epsilon {epsilon} at delta 1e-9." in text
    assert dataset.budget.rho == Fraction(1, 5)
    assert "Except with a chance of one in a billion, after all answers they come to odds of 52 to 1 (98.2%)" in text
    assert "thinks the chance is 50%" in text and "may come to odds of 4,600 to 1 (99.98%)" in text


def test_a_whole_person_costs_the_square_of_the_windows(town: Catalog, ledger: Ledger) -> None:
    (dataset,) = town.datasets
    charge(ledger, dataset, "a1", "0.005")
    charge(ledger, dataset, "a2", "0.001", "2026-10", "2026-11", "2026-12")
    whole = whole_person_loss(ledger.entries(), dataset)
    assert Loss(whole.pico_rho, whole.atto_delta) == Loss.rounded_up(Fraction(14, 1000), Fraction(4, 10**12))


def test_a_loss_beyond_any_account_is_not_shown_as_a_number(town: Catalog, ledger: Ledger) -> None:
    (dataset,) = town.datasets
    wide = replace(dataset, budget=replace(dataset.budget, rho=Fraction(3), client_rho=Fraction(3)))
    charge(ledger, wide, "a1", "2.56", *(f"window {i}" for i in range(1_900)))
    whole = whole_person_loss(ledger.entries(), wide)
    assert (whole.pico_rho, whole.epsilon_delta) == (256 * 19**2 * 10**14, None)
    text = " ".join(page_text(person_report(replace(town, datasets=(wide,)), ledger)).split())
    assert "may tell more of you than any number limits" in text


class Outside(HTMLParser):
    """Collect tags, and everything that would be fetched from another host."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.fetched += [str(value) for name, value in attrs if name in ("src", "href", "action", "style", "onload")]


def test_the_html_needs_no_other_host_and_lets_no_text_be_markup(town: Catalog, ledger: Ledger) -> None:
    (dataset,) = town.datasets
    charge(ledger, dataset, "a1", "0.005", client="<script>alert(1)</script>")
    html = page_html(person_report(ruled(town), ledger))
    page = Outside()
    page.feed(html)
    assert page.fetched == [] and "script" not in page.tags and "url(" not in html and "@import" not in html
    assert "&lt;signed&gt; &amp; sealed" in html and "&lt;script&gt;" in html
    assert {"html", "title", "h1", "h2", "ul"} <= page.tags


def test_the_page_is_the_same_whatever_the_data(town: Catalog, ledger: Ledger, tmp_path: Path) -> None:
    gone = replace(town, tables=tuple(replace(t, source=replace(t.source, path=str(tmp_path))) for t in town.tables))
    assert person_report(gone, ledger) == person_report(town, ledger)


def town_in_days(folder: Path, static: str = "") -> Catalog:
    return make_town(folder, declared=WINDOWED.replace("client_rho = 0.1", f"client_rho = 0.1\n{static}"))


def page_words(pages: tuple[Page, ...]) -> str:
    return " ".join(page_text(pages).split())


def test_per_window_and_overall_limits_are_both_stated(ledger: Ledger, tmp_path: Path) -> None:
    catalog = town_in_days(tmp_path)
    (dataset,) = catalog.datasets
    charge(ledger, dataset, "a1", "0.1", *DAYS)
    pages = person_report(catalog, ledger)
    _, over_all = ledger_report(catalog, ledger).datasets[0].worst
    assert over_all.limit is not None and over_all.spent is not None
    assert over_all.spent.epsilon > 3.95, "more than one day's limit is spent over all of them"
    for page in (page_words(pages), " ".join(page_html(pages).split())):
        assert "There is a limit on what can be learned of all that you did on one day, that all askers" in page
        assert "Experts call it epsilon 3.95 at delta 1e-9." in page
        assert (
            f"over all 5 windows together, the limit is epsilon {format_epsilon(over_all.limit.epsilon)} at delta"
            in page
        )
        assert "with all that you did on one day, or with nothing of it" in page
        assert "which of two things you did on one day" in page
        assert f"over your whole time here: epsilon {format_epsilon(over_all.spent.epsilon)}" in page
        assert "or not at all, and" not in page and "without a time" in page


def test_timeless_tables_have_a_limit_of_their_own(ledger: Ledger, tmp_path: Path) -> None:
    catalog = town_in_days(tmp_path, "static_rho = 0.3")
    (dataset,) = catalog.datasets
    other = replace(dataset, name="village", window=PrivacyWindow.FOREVER, window_range=None)
    both = (*catalog.tables, *(replace(t, name=f"v_{t.name}", dataset="village") for t in catalog.tables))
    town, village = person_report(replace(catalog, datasets=(dataset, other), tables=both), ledger)
    static, cap = caps(dataset.budget).static, caps(dataset.budget).dataset
    assert static is not None
    alone = EpsilonDelta.from_loss(chargeable(static), static).epsilon
    assert f"without a time has a limit of its own: epsilon {format_epsilon(alone)} at" in page_words((town,))
    all_windows = WholePerson(
        5 * (4 * chargeable(cap).pico_rho + chargeable(static).pico_rho),
        4 * chargeable(cap).atto_delta + chargeable(static).atto_delta,
        cap,
    ).epsilon_delta
    assert all_windows is not None and f"the limit is epsilon {format_epsilon(all_windows.epsilon)} at" in page_words(
        (town,)
    )
    assert "There is a limit that all askers together can never pass" in page_words((village,))
    assert "together, the limit is" not in page_words((village,)) and "without a time" not in page_words((village,))


def test_a_vacuous_limit_over_all_windows_is_not_shown_as_a_number(ledger: Ledger, tmp_path: Path) -> None:
    catalog = town_in_days(tmp_path)
    (dataset,) = catalog.datasets
    wide = replace(dataset, budget=replace(dataset.budget, rho=Fraction(10**6), client_rho=Fraction(10**6)))
    page = page_words(person_report(replace(catalog, datasets=(wide,)), ledger))
    assert "over all 5 windows together, is limited by no number that says something" in page
