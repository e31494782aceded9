"""The page about a person: the catalog's words, the ledger's numbers, and nothing of any row."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import pytest

from budgets import AccountName, ChargeRequest, Item, Ledger, Loss
from dialect import Catalog
from dialect.catalog import Dataset
from dialect.declared_admission import AdmissionRules, AgeBy, Jurisdiction, Minors, Retention
from engine.about import about
from engine.about_page import page_html, page_text
from engine.terms import caps
from engine.whole_person import whole_person

RULES = AdmissionRules(
    jurisdiction=Jurisdiction("gender", None, ("FR",), True, (("DE", "You <signed> & sealed it."),)),
    minors=Minors("person_id", AgeBy.AGE, 16),
    retention=Retention(days=3),
    contact="Write to privacy@town.example.",
)


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger.open(":memory:") as opened:
        yield opened


def ruled(town: Catalog) -> Catalog:
    (dataset,) = town.datasets
    return replace(town, datasets=(replace(dataset, admission=RULES),))


def charge(ledger: Ledger, dataset: Dataset, key: str, rho: str, *windows: str, client: str = "ann") -> None:
    limits = caps(dataset)
    item = Item(key, Loss.of(rho, "1e-12"), f"question {key}", windows or ("forever",))
    ledger.charge(ChargeRequest(client, dataset.name, key + client, key, (item,), limits, "data 1"))


def test_the_page_says_what_the_catalog_says(town: Catalog, ledger: Ledger) -> None:
    text = " ".join(page_text(about(ruled(town), ledger)).split())
    for words in (
        "visit: visit_id, zone, minutes, coins, shop, day",
        "your consent is one of: yes",
        "under the law of none of: FR",
        "under the law of DE are in it because: You <signed> & sealed it.",
        "at least 16 years old",
        "everything about you, over the whole time",
        "Write to privacy@town.example.",
        "Nothing was asked yet.",
        "So far nobody has asked.",
    ):
        assert words in text
    assert "consent," not in text, "a hidden column has no name here"


def test_a_state_of_consent_is_written_as_people_say_it(town: Catalog, ledger: Ledger) -> None:
    agreed = (replace(t, consent=t.consent and replace(t.consent, admitted=(True,))) for t in town.tables)
    text = " ".join(page_text(about(replace(town, tables=tuple(agreed)), ledger)).split())
    assert "your consent is one of: yes" in text and "True" not in text


def test_what_was_spent_and_by_whom_is_the_ledgers(town: Catalog, ledger: Ledger) -> None:
    (dataset,) = town.datasets
    charge(ledger, dataset, "a1", "0.005")
    charge(ledger, dataset, "a1", "0.005", client="ben")
    text = " ".join(page_text(about(town, ledger)).split())
    (view,) = (v for v in ledger.accounts("town") if v.name == AccountName("town", "forever"))
    spent, cap = view.spent_epsilon_delta.epsilon, view.cap_epsilon_delta.epsilon
    assert f"forever: epsilon {math.ceil(spent * 100) / 100:.2f} of {math.ceil(cap * 100) / 100:.2f}" in text
    assert "So far: ann, ben." in text


def test_the_worst_case_is_the_cap_in_odds(town: Catalog, ledger: Ledger) -> None:
    (dataset,) = town.datasets
    text = " ".join(page_text(about(town, ledger)).split())
    epsilon = 3.95  # rounded up, of rho 0.2 at delta 1e-9
    assert f"epsilon {epsilon} at delta 1e-9." in text
    assert dataset.budget.rho == Fraction(1, 5)
    assert any(f"{odds} to 1" in text for odds in range(51, 54))
    assert "at most one in 1,000,000,000" in text


def test_a_whole_person_costs_the_square_of_the_windows(town: Catalog, ledger: Ledger) -> None:
    (dataset,) = town.datasets
    charge(ledger, dataset, "a1", "0.005")
    charge(ledger, dataset, "a2", "0.001", "2026-10", "2026-11", "2026-12")
    whole = whole_person(ledger.entries(), dataset)
    assert Loss(whole.pico_rho, whole.atto_delta) == Loss.of(Fraction(14, 1000), Fraction(4, 10**12))


def test_what_no_account_could_hold_is_no_number(town: Catalog, ledger: Ledger) -> None:
    (dataset,) = town.datasets
    wide = replace(dataset, budget=replace(dataset.budget, rho=Fraction(3), client_rho=Fraction(3)))
    charge(ledger, wide, "a1", "2.56", *(f"window {i}" for i in range(1_900)))
    whole = whole_person(ledger.entries(), wide)
    assert (whole.pico_rho, whole.epsilon_delta) == (256 * 19**2 * 10**14, None)
    text = " ".join(page_text(about(replace(town, datasets=(wide,)), ledger)).split())
    assert "may tell more of you than any number limits" in text


class Outside(HTMLParser):
    """Collect tags, and whatever would be fetched from elsewhere."""

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
    html = page_html(about(ruled(town), ledger))
    page = Outside()
    page.feed(html)
    assert page.fetched == [] and "script" not in page.tags and "url(" not in html and "@import" not in html
    assert "&lt;signed&gt; &amp; sealed" in html and "&lt;script&gt;" in html
    assert {"html", "title", "h1", "h2", "ul"} <= page.tags


def test_the_page_is_the_same_whatever_the_data(town: Catalog, ledger: Ledger, tmp_path: Path) -> None:
    gone = replace(town, tables=tuple(replace(t, source=replace(t.source, path=str(tmp_path))) for t in town.tables))
    assert about(gone, ledger) == about(town, ledger)
