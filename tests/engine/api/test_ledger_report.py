"""The report for a regulator: its numbers are the ledger's, names in it are text, and it needs no other host."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import pytest

from budgets import EVERYBODY, AccountName, ChargeRequest, EpsilonDelta, Ledger, Loss, PricedRelease
from dialect import Catalog
from engine.accounts.window_accounts import whole_person_loss
from engine.api.admin import Admin
from engine.api.reports.regulator import CHART_WIDTH, account_row, bars, ledger_report, report_html, report_text
from engine.pricing.query_terms import caps
from tests.engine.town import make_town
from tests.engine.windowed_town import DAYS, WINDOWED

NASTY = "<script>alert('ann')</script>"


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger.open(":memory:") as opened:
        yield opened


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return make_town(tmp_path, declared=WINDOWED)


def charge(ledger: Ledger, catalog: Catalog, client: str, key: str, rho: str, *windows: str) -> None:
    (dataset,) = catalog.datasets
    item = PricedRelease(key, Loss.rounded_up(rho, "1e-12"), "town: visit#1", windows)
    ledger.charge(ChargeRequest(client, dataset.name, key, key, (item,), caps(dataset.budget)))


def test_every_number_is_the_ledger_s(ledger: Ledger, catalog: Catalog) -> None:
    charge(ledger, catalog, "shops/ann", "one", "0.0123", DAYS[0])
    charge(ledger, catalog, "ben", "two", "0.05", *DAYS[:2])
    report = ledger_report(catalog, ledger)
    (dataset,) = report.datasets
    kept = {view.name.window: view for view in ledger.accounts("town") if view.name.holder == EVERYBODY}
    assert {view.name.window: view.spent for view in dataset.used} == {
        DAYS[0]: Loss.rounded_up("0.0623", "2e-12"),
        DAYS[1]: Loss.rounded_up("0.05", "1e-12"),
    }
    assert all(view == kept[view.name.window] for view in dataset.used)
    assert (dataset.questions, dataset.window_count) == (2, 5)
    one, all_windows = dataset.worst
    assert one.spent == kept[DAYS[0]].spent_epsilon_delta and one.limit == kept[DAYS[0]].cap_epsilon_delta
    assert all_windows.spent == whole_person_loss(ledger.entries(), catalog.datasets[0]).epsilon_delta
    cap = caps(catalog.datasets[0].budget).dataset
    assert all_windows.limit == EpsilonDelta.from_loss(Loss(25 * cap.pico_rho, 5 * (cap.atto_delta // 10)), cap)
    anchor = ledger.anchor()
    assert (report.anchor, report.found, report.last) == (anchor, (), ledger.entries()[-1].at)
    spent = {row["client"]: row["spent_rho"] for row in dataset.clients}
    assert spent == {"shops": 0.0123, "shops/ann": 0.0123, "ben": 0.05}


def test_html_and_text_show_every_figure_of_the_report(ledger: Ledger, catalog: Catalog) -> None:
    charge(ledger, catalog, "ann", "one", "0.0123", DAYS[0])
    report = ledger_report(catalog, ledger)
    for page in (report_html(report), report_text(report)):
        for words in ("0.0123", DAYS[0], report.anchor.row_hash, "on one day", *dict(report.versions).values()):
            assert words in page
        assert DAYS[3] not in re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL)  # nothing was spent of it
    listed = replace(report.datasets[0], admission=("All but:", "one", "two"))
    assert report_text(replace(report, datasets=(listed,))).endswith("  All but:\n  - one\n  - two\n")
    row = account_row(report.datasets[0].used[0])
    assert (row["spent"], row["ceiling"], row["share"]) == ("0.0123", "0.2", "6.2%")
    drawn = bars(report.datasets[0].accounts)
    assert [bar.height > 0 for bar in drawn] == [True, False, False, False, False]
    assert drawn[0].height == pytest.approx(120 * 0.0615)


def test_a_whole_person_s_loss_may_be_beyond_any_number(ledger: Ledger, catalog: Catalog) -> None:
    (dataset,) = catalog.datasets
    largest = replace(dataset.budget, rho=Fraction(10**6), client_rho=Fraction(10**6))
    wide = replace(catalog, datasets=(replace(dataset, budget=largest),))
    charge(ledger, wide, "ann", "one", "999999", *DAYS)
    worst = ledger_report(wide, ledger).datasets[0].worst[1]
    assert (worst.spent, worst.limit) == (None, None)
    for page in (report_html(ledger_report(wide, ledger)), report_text(ledger_report(wide, ledger))):
        assert " ".join(page.split()).count("beyond any number that says something") == 2


def test_every_cap_of_clients_is_shown(ledger: Ledger, tmp_path: Path) -> None:
    budget = "lifetime_rho = 0.37\nquery_rho = 0.083\n"
    catalog = make_town(
        tmp_path, declared=WINDOWED.replace("[datasets.town.budget]\n", f"[datasets.town.budget]\n{budget}")
    )
    assert (told := "rho 0.1 a window, 0.37 over all windows, 0.083 a question") in report_text(
        ledger_report(catalog, ledger)
    )
    charge(ledger, catalog, "ann", "one", "0.01", DAYS[0])
    Admin(catalog, ledger).cap_client("ann", "0.29", by="boss", reason="a trial", scope="lifetime")
    report = ledger_report(catalog, ledger)
    for page in (report_html(report), report_text(report)):
        assert told in page  # of others
        assert "0.29" in page
    assert "ann (active): rho 0.1 a window, 0.29 over all windows, 0.083 a question" in report_text(report)


def test_one_window_for_the_whole_time_is_in_the_singular(ledger: Ledger, town: Catalog) -> None:
    (blank,) = ledger_report(town, ledger).datasets
    assert blank.usage == "0 questions were charged; 0 of 1 window was used."
    charge(ledger, town, "ann", "one", "0.01", "forever")
    report = ledger_report(town, ledger)
    for page in (report_html(report), report_text(report)):
        words = " ".join(page.split())
        assert "1 question was charged; 1 of 1 window was used." in words
        assert f"The chain of hashes is consistent: {report.anchor.sequence} row" in words
        assert "Only a comparison with an anchor shows a rewrite." in words
        assert "Rho measures the privacy loss; losses add up." in words and "much the same" not in words
    assert "Ceiling in total: rho 0.2" in report_text(report)


def test_the_ceiling_of_several_windows_is_of_each(ledger: Ledger, catalog: Catalog) -> None:
    charge(ledger, catalog, "ann", "one", "0.01", DAYS[0])
    text = report_text(ledger_report(catalog, ledger))
    assert "Ceiling of a window: rho 0.2" in text and "1 question was charged; 1 of 5 windows was used." in text


def test_a_chart_labels_its_bars_and_one_bar_is_no_wall(ledger: Ledger, catalog: Catalog, town: Catalog) -> None:
    page = report_html(ledger_report(catalog, ledger))
    assert "Each bar is the ceiling of a window, the earliest first; its dark part is spent." in page
    assert page.count("<table>") == page.count('<div class="wide" tabindex="0" role="region"') > 0  # scrolls by itself
    (whole,) = ledger_report(town, ledger).datasets
    assert bars(whole.accounts)[0].width < CHART_WIDTH / 10


def test_conditions_are_a_list_below_their_sentence(ledger: Ledger, catalog: Catalog) -> None:
    report = ledger_report(catalog, ledger)
    listed, alone = (
        report_html(replace(report, datasets=(replace(report.datasets[0], admission=words),)))
        for words in (("All but:", "one", "two"), ("Everybody.",))
    )
    assert "<p>All but:</p>\n<ul><li>one</li><li>two</li></ul>" in listed
    assert "<p>Everybody.</p>" in alone and "<ul>" not in alone


class Seen(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "action", "data")]


def test_names_are_text_and_nothing_is_fetched(ledger: Ledger, catalog: Catalog) -> None:
    charge(ledger, catalog, NASTY.replace("/", "|"), "one", "0.01", DAYS[0])
    ledger.freeze(client=NASTY.replace("/", "|"), actor="boss", reason="<img src=x onerror=alert(1)>")
    seen = Seen()
    seen.feed(page := report_html(ledger_report(catalog, ledger)))
    assert not seen.tags & {"script", "img", "link", "iframe", "object"} and seen.links == []
    assert "&lt;script&gt;" in page and "&lt;img src=x" in page and "http://" not in page and "https://" not in page


def test_a_tampered_ledger_is_reported_as_such(ledger: Ledger, catalog: Catalog) -> None:
    charge(ledger, catalog, "ann", "one", "0.01", DAYS[0])
    report = replace(ledger_report(catalog, ledger), found=("Row 3 is <not> what it was.",))
    assert "Not as it was written" in (page := report_html(report)) and "&lt;not&gt;" in page
    assert "consistent" not in page and "NOT AS IT WAS WRITTEN" in report_text(report)


def test_a_blank_ledger_has_a_report(ledger: Ledger, catalog: Catalog) -> None:
    (dataset,) = ledger_report(catalog, ledger).datasets
    assert (dataset.used, dataset.questions, dataset.clients) == ((), 0, ())
    assert dataset.worst[0].spent is not None and dataset.worst[0].spent.epsilon == 0
    assert dataset.usage == "0 questions were charged; 0 of 5 windows were used."
    assert "Nobody has asked yet" in report_html(ledger_report(catalog, ledger))
    name = AccountName("town", DAYS[0])
    assert dataset.accounts[0].name == name
