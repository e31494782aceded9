"""The notebook view: escaped, self-contained, and drawn to scale."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from passersby.client.connection import Connection
from passersby.result.result import Budget, Explanation, History, Tables
from tests.passersby.cards import result

HOSTILE = "<script>alert('1')</script>\"><img src=x onerror=alert(1)>&"
COUNT = "SELECT zone, count(*) AS visits FROM visit GROUP BY zone ORDER BY zone"
TABLE = {"table", "caption", "thead", "tbody", "tr", "th", "td"}
ALLOWED = TABLE | {"style", "div", "p", "b", "details", "summary", "pre", "svg", "title", "rect", "path"}


class Seen(HTMLParser):
    """What a browser would make of the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile_views() -> dict[str, str]:
    """Each view, with hostile text in every place that a catalog, an analyst or data can fill."""
    explained = {
        "columns": [{"name": HOSTILE, "type": HOSTILE}],
        "confidence": 0.95,
        "price": {},
        "remaining": {},
        "replayed": False,
        "keys": [{"name": HOSTILE, "kind": HOSTILE, "count": 1, "why": HOSTILE}],
        "bounds": [{"vector": HOSTILE, "why": HOSTILE}],
        "expected_error": {HOSTILE: 1.0},
        "thresholds": [{"threshold": HOSTILE}],
        "sql": HOSTILE,
        "notes": [HOSTILE],
    }
    account = {
        "dataset": HOSTILE,
        "window": HOSTILE,
        "client": HOSTILE,
        "cap_rho": 1.0,
        "spent_rho": 0.5,
        "remaining_rho": 0.5,
    }
    budget = Budget(accounts=[{**account, "epsilon": 1.0, "delta": 1e-9, "cap_epsilon": 2.0}])
    return {
        "result": result({HOSTILE: [HOSTILE], "n": [1]}, {"n": [[0, 2]]}, notes=[HOSTILE])._repr_html_(),
        "noisy text": result({HOSTILE: [1]}, {HOSTILE: [[0, 2]]})._repr_html_(),
        "explanation": Explanation(explained)._repr_html_(),
        "budget": budget._repr_html_(),
        "table": Tables([hostile_table()])._repr_html_(),
        "tables": Tables([hostile_table(), hostile_table()])._repr_html_(),
        "history": History([hostile_release()])._repr_html_(),
    }


def hostile_table() -> dict[str, Any]:
    column = {"name": HOSTILE, "type": HOSTILE, "nullable": True, "values": [HOSTILE]}
    absent = dict.fromkeys(("size_class", "primary_key", "time_column", "movement", "norms", "window"))
    return {
        "name": HOSTILE,
        "kind": "public",
        "person": HOSTILE,
        "columns": [column],
        "not_counted": [HOSTILE],
        **absent,
    }


def hostile_release() -> dict[str, Any]:
    about = {"release_id": HOSTILE, "windows": [HOSTILE], "sql": HOSTILE, "question": HOSTILE}
    return {**about, "rho": 0.1, "delta": 0.0, "settled_at": "2026-10-01T00:00:00+00:00"}


@pytest.mark.parametrize(("view", "html"), hostile_views().items())
def test_nothing_hostile_becomes_markup(view: str, html: str) -> None:
    seen = Seen(html)
    assert set(seen.tags) <= ALLOWED
    assert not [name for name, _ in seen.attributes if name.startswith("on") or name in {"src", "href"}]
    assert HOSTILE in seen.text
    assert seen.open == []


def test_nothing_is_fetched(ana: Connection) -> None:
    for html in (ana.query(COUNT)._repr_html_(), ana.explain(COUNT)._repr_html_(), ana.budget()._repr_html_()):
        assert not re.search(r"https?:|//|url\(|@import", html)


def test_an_answer_shows_numbers_price_and_what_is_left(ana: Connection) -> None:
    text = Seen(ana.query(COUNT)._repr_html_()).text
    assert " ± " in text
    assert "price rho 0.005" in text
    assert "you rho 0.095 of 0.1" in text
    assert "note: " in text
    assert "free: asked before" in Seen(ana.query(COUNT)._repr_html_()).text
    assert "rehearsal" in Seen(ana.rehearse(COUNT)._repr_html_()).text


def test_tables_and_history_are_tables_with_their_details_folded(ana: Connection) -> None:
    ana.query(COUNT)
    listed, one, paid = (Seen(each._repr_html_()) for each in (ana.tables(), ana.tables("visit"), ana.history()))
    assert all(seen.tags.count("table") == 1 and seen.tags.count("details") == 1 for seen in (listed, one, paid))
    assert "kind" in listed.text and "visit · private" in one.text and COUNT in paid.text
    assert [ana.tables().details, ana.history().details] == [
        seen.text.partition("Details")[2] for seen in (listed, paid)
    ]


def test_whiskers_are_drawn_to_scale() -> None:
    html = result({"n": [50, 100]}, {"n": [[25, 75], [100, 200]]})._repr_html_()
    whiskers = re.findall(r'd="M([\d.]+) 7H([\d.]+)M', html)
    assert whiskers == [("15.0", "45.0"), ("60.0", "120.0")]
    assert 'aria-label="between 25 and 75"' in html


def test_negative_numbers_go_left_of_zero() -> None:
    html = result({"n": [-10, 10]}, {"n": [[-20, -1], [1, 20]]})._repr_html_()
    assert re.findall(r'<rect class="bar" x="([\d.]+)" y="3" width="([\d.]+)"', html) == [
        ("30.0", "30.0"),
        ("60.0", "30.0"),
    ]


def test_a_number_that_may_be_noise_has_a_whisker_and_no_bar() -> None:
    html = result({"n": [50, 3]}, {"n": [[40, 60], [-7, 13]]}, reliability={"n": ["fair", "noise"]})._repr_html_()
    assert (html.count('class="bar"'), html.count('class="whisker"')) == (1, 2)
    assert html.count("<td class='noise'>may be 0</td>") == 1 == html.count("<td></td>")  # in words, as in a terminal
    sure = result({"n": [50]}, {"n": [[48, 52]]}, reliability={"n": ["good"]})
    assert "<td></td>" not in sure._repr_html_()


def test_numbers_and_their_intervals_stand_in_columns_of_their_own() -> None:
    html = result({"n": [50, 1200]}, {"n": [[40, 60], [900, 2000]]})._repr_html_()
    assert "<th class='number'>n</th><th class='ends' colspan='2'>95% interval</th>" in html
    assert "<td class='number'>50</td><td class='ends'>± 10</td>" in html
    assert "<td class='number'>1,200</td><td class='ends'>[900 to 2,000]</td>" in html


def test_each_drawing_has_a_line_at_0() -> None:
    html = result({"n": [-10, 10]}, {"n": [[-20, -1], [1, 20]]})._repr_html_()
    assert html.count('<path class="zero" d="M60.0 0V14"/>') == 2


def test_a_value_without_interval_has_no_drawing() -> None:
    html = result({"n": [None, 1]}, {"n": [None, [0, 2]]})._repr_html_()
    assert html.count("<svg") == 1
    assert "NULL" in html


def test_a_long_answer_is_truncated() -> None:
    assert "900 more rows" in result({"i": list(range(1000))})._repr_html_()


def test_it_follows_the_notebook_s_colours() -> None:
    html = result({"n": [1]}, {"n": [[0, 2]]})._repr_html_()
    assert "currentColor" in html
    assert not re.search(r"(?<!-)color: *(#|black|white)", html)


def test_a_short_key_stays_on_its_line() -> None:
    """A date is not broken at its hyphens on a narrow screen."""
    html = result({"day": ["2026-10-01", "x" * 50], "n": [1, 2]}, {"n": [[0, 2], [1, 3]]})._repr_html_()
    assert "<td class='short'>2026-10-01</td>" in html and f"<td>{'x' * 50}</td>" in html
