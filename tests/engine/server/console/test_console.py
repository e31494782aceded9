"""The console: who sees which page, that words stay words, that forms are their session's, that sessions end."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote, urlencode

import pytest

from engine.pipeline.notes import FEW_ROWS_REASON
from engine.server.console import analyst as answer_pages
from engine.server.console import drawing
from engine.server.console.sessions import PAGES, SESSION_COOKIE, page
from engine.server.http.roles import Role
from engine.server.storage import sessions
from passersby.result.summary import PHRASES
from passersby.text.numbers import parts_text
from tests.support.server.serving import TestServer
from tests.support.server.visiting import FORM, Browser, visitors

COUNT = "SELECT count(*) AS visits FROM visit"
HOSTILE = "<script>alert('x')</script>"
SHOWN = [path for method, path in PAGES if method == "GET" and "{" not in path]


@pytest.fixture
def browsers(served: TestServer) -> dict[Role, Browser]:
    """Log in with each role."""
    return visitors(served)


def test_a_page_is_laid_out_for_screen_readers_and_keyboards(browsers: dict[Role, Browser]) -> None:
    for path in ("/console", "/console/clients", "/console/keys", "/console/ledger", "/console/catalog"):
        text = browsers[Role.ADMIN].get(path).text
        assert '<html lang="en">' in text and text.count("<main") == 1 and text.count("<h1>") == 1
        assert all("scope=" in tag for tag in re.findall(r"<th[ >][^>]*", text))
        fields = re.findall(r"<(?:input|select|textarea)(?![^>]*hidden)[^>]*\bid=\"([\w-]+)\"", text)
        labelled = set(re.findall(r"<label for=\"([\w-]+)\"", text))
        assert set(fields) <= labelled
        assert len(fields) == len(set(fields))


def test_the_catalog_page_shows_column_ranges_in_readable_numbers(browsers: dict[Role, Browser]) -> None:
    text = browsers[Role.ANALYST].get("/console/catalog").text
    assert "clamped to 0 to 60" in text and "at most 10,000 rows of one person" in text
    assert "whole history is one window" in text


CODES = ("not_counted", "null_ratio")


def answered(numbers: list[float | int | None], ends: list[list[float] | None], notes: list[str]) -> dict[str, Any]:
    return {
        "columns": [{"name": "zone", "type": "VARCHAR"}, {"name": "n", "type": "DOUBLE"}],
        "rows": [[f"z{i}", number] for i, number in enumerate(numbers)],
        "intervals": {"n": ends}, "confidence": 0.95, "notes": notes, "note_codes": [*CODES[: len(notes)]], "predicted_bias": {}, "replayed": False, "made_from": [],
        "reliability": {"n": [None if end is None else "noise" if end[0] <= 0 else "good" for end in ends]},
        "price": {"rho": 0.005, "delta": 0.0, "epsilon_at_delta": {"epsilon": 0.565, "delta": 1e-9}},
        "remaining": {}, "outlook": None,
    }  # fmt: skip


ANSWERS = (
    answered([0, 1], [[0, 0], [1, 2]], ["a note"]),
    answered([-2.2250738585072014e-308, -(2**63)], [[-1.23457e-308, 1e300], [-(2**63), 2**63 - 1]], ["a note"]),
    answered([None, 7], [None, [1, 9]], ["a note", "n: 1 value is NULL: the denominator may be 0 within its noise."]),
)


def test_null_is_aligned_like_numbers() -> None:
    key = answered([0, 1], [[0, 0], [1, 2]], [])
    key["columns"][0]["type"], key["rows"] = "BIGINT", [[None, 0], [7, 1]]
    assert [[cell.number for cell in row] for row in answer_pages.with_cells(key)["cells"]] == [[True, True]] * 2


def test_a_column_has_room_for_both_ends_of_lopsided_intervals_only_where_there_are_any() -> None:
    lopsided, even = answered([5], [[4, 9]], []), answered([5], [[4, 6]], [])
    assert answer_pages.with_cells(lopsided)["rooms"] == ["half", "both"]
    assert answer_pages.with_cells(even)["rooms"] == ["half", "half"]


def test_every_drawn_interval_stands_with_0_on_the_axis_of_its_column() -> None:
    answer = answer_pages.with_cells(answered([-4, 8, None], [[-6, -2], [6, 10], None], []))
    drawn = page("ask", **AROUND, answer=answer).body.decode()
    zeros = re.findall(r'<line class="zero" x1="([\d.]+)" y1="0" x2="([\d.]+)" y2="16"/>', drawn)
    assert len(zeros) == drawn.count("<svg") == 2  # NULL has none
    (at,) = {float(each) for pair in zeros for each in pair}
    bars = [row[1].bar for row in answer["cells"] if row[1].bar]
    assert float(bars[0].high) < at < float(bars[1].low)
    assert "the upright line is 0" in drawn and "<small>95% interval</small>" in drawn


def test_a_profile_has_the_phrase_of_the_command_line_and_its_long_note_is_folded() -> None:
    shape = {"notes": ["What one person adds is limited."], "note_codes": ["profile"]}
    assert answer_pages.split_notes(shape) == {
        "short_notes": [PHRASES["profile"]],
        "folded_notes": ["What one person adds is limited."],
    }


def test_parts_of_half_widths_are_folded_and_in_two_digits_as_on_the_command_line() -> None:
    parts = {"n": {"noise": 1474.3, "clipping": 7648.0}}
    answer = answer_pages.with_cells(answered([5], [[4, 6]], []) | {"interval_parts": parts})
    short, details = page("ask", **AROUND, answer=answer).body.decode().split("<details>", 1)
    words = f"Half-widths: n {parts_text(parts['n'])}."
    assert words in details and "Half-widths" not in short
    longest = len(drawing.parts_text(answer_pages.LONGEST_PARTS))
    assert all(len(drawing.parts_text(dict.fromkeys(parts["n"], 10.0**power))) <= longest for power in range(-9, 80))


AROUND: dict[str, Any] = {
    "request_id": "r", "history": [], "explained": None, "job": None, "problem": None, "sql": "", "rho": "",
    "form_token": lambda: "",
}  # fmt: skip


def sizes() -> set[int]:
    """Lengths of the pages of answers that differ in numbers alone."""

    def written(answer: dict[str, Any], least: int = 0) -> bytes:
        return page("ask", 200, least, **AROUND, answer=answer).body

    return {
        len(written(each, len(written(answer_pages.with_longest_numbers(each)))))
        for each in map(answer_pages.with_cells, ANSWERS)
    }


def test_pages_of_answers_that_differ_in_numbers_have_one_size(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(sizes()) == 1
    monkeypatch.setattr(
        answer_pages, "with_longest_numbers", lambda answer: answer
    )  # planted: as long as its own numbers
    monkeypatch.setattr("engine.server.console.sessions.size_class", lambda length: length)
    assert len(sizes()) == len(ANSWERS)


def test_a_page_has_room_for_the_note_on_null_of_a_column_with_a_long_name() -> None:
    name = "<東>" * 2_000
    note = f"{name}: 1,000,000 values are NULL: {FEW_ROWS_REASON}"
    card = answered([None, 7], [None, [1, 9]], ["a note", note]) | {"intervals": {name: [None, [1, 9]]}}
    card |= {"columns": [card["columns"][0], {"name": name, "type": "DOUBLE"}], "reliability": {name: ["noise"] * 2}}
    written, longest = (
        page("ask", **AROUND, answer=answer).body
        for answer in (answer_pages.with_cells(card), answer_pages.with_longest_numbers(answer_pages.with_cells(card)))
    )
    assert len(written) <= len(longest)


def test_the_root_redirects_browsers_to_the_console_and_lists_endpoints_as_json(served: TestServer) -> None:
    browser = Browser(served).client.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (browser.status_code, browser.headers["location"]) == (303, "/console")
    program = served.send("GET", "/", role=None)
    assert program.status_code == 200 and program.json()["openapi"] == "/openapi.json"


def test_a_wrong_key_is_refused_and_not_echoed(served: TestServer) -> None:
    answer = Browser(served).enter(f"pby_{HOSTILE}")
    assert answer.status_code == 401
    assert HOSTILE not in answer.text and SESSION_COOKIE not in answer.cookies


def test_a_session_s_cookie_is_the_server_s_alone(served: TestServer) -> None:
    given = Browser(served).enter(served.keys[Role.ADMIN]).headers["set-cookie"]
    assert "HttpOnly" in given and "SameSite=strict" in given and "Path=/console" in given
    session = re.search(rf"{SESSION_COOKIE}=([\w-]+)", given)
    with served.house.tables._store.reading() as connection:  # what a thief of the books would read
        kept = connection.execute(sessions.select()).all()
    assert session is not None and len(session[1]) == 43
    assert session[1].encode() not in b"".join(bytes(row.hash) for row in kept)


def test_a_form_without_the_session_s_token_changes_nothing(browsers: dict[Role, Browser]) -> None:
    admin, other = browsers[Role.ADMIN], browsers[Role.AUDITOR]
    for token in ("", "0" * 64, other.token):
        answer = admin.post("/console/clients/add", token, client="new", reason="a test")
        assert (answer.status_code, "E_FORBIDDEN" in answer.text) == (403, True)
    sent = urlencode({"token": admin.token, "client": "new", "reason": "a test"})
    elsewhere = admin.client.post(
        "/console/clients/add", content=sent, headers={**FORM, "Sec-Fetch-Site": "cross-site"}
    )
    assert elsewhere.status_code == 403
    assert ">new<" not in admin.get("/console/clients").text
    assert admin.post("/console/clients/add", client="new", reason="a test").status_code == 303
    assert ">new<" in admin.get("/console/clients").text


def test_a_role_without_permission_is_refused_even_with_a_valid_token(browsers: dict[Role, Browser]) -> None:
    for role in (Role.ANALYST, Role.STEWARD, Role.AUDITOR):
        for path in ("/console/clients/add", "/console/keys/make"):
            answer = browsers[role].post(path, client="new", name="new", role="admin", reason="a test")
            assert answer.status_code == 403
    assert browsers[Role.ADMIN].post("/console/ask", sql=COUNT, do="ask").status_code == 403


def test_a_session_ends_by_itself_by_logging_out_and_with_its_key(served: TestServer) -> None:
    left, late, revoked = Browser(served), Browser(served), Browser(served)
    for browser, role in ((left, Role.ADMIN), (late, Role.AUDITOR), (revoked, Role.STEWARD)):
        browser.enter(served.keys[role])
    cookie = left.client.cookies[SESSION_COOKIE]
    assert left.post("/console/logout").status_code == 303
    left.client.cookies.set(SESSION_COOKIE, cookie, path="/console")
    assert left.get("/console").status_code == 303
    with served.house.tables._store.writing() as connection:  # eight hours later
        connection.execute(sessions.update().values(expires_at="2020-01-01T00:00:00.000+00:00"))
    assert late.get("/console").status_code == 303
    revoked.enter(served.keys[Role.STEWARD])
    assert revoked.get("/console").status_code == 200
    served.house.keys.revoke(next(row["id"] for row in served.house.keys.list_keys() if row["role"] == "steward"))
    assert revoked.get("/console").status_code == 303


def test_a_key_is_shown_once(browsers: dict[Role, Browser], served: TestServer) -> None:
    admin = browsers[Role.ADMIN]
    made = admin.post("/console/keys/make", name="new", role="analyst")
    (key,) = re.findall(r"pby_[\w-]{43}", made.text)
    assert served.house.keys.principal(key) is not None
    assert all("pby_" not in admin.get(path).text for path in SHOWN)
    key_id = next(row["id"] for row in served.house.keys.list_keys() if row["name"] == "new")
    assert admin.post("/console/keys/revoke", id=key_id, sure="yes").status_code == 303
    assert served.house.keys.principal(key) is None


def test_a_question_is_explained_asked_and_charged_once(browsers: dict[Role, Browser], served: TestServer) -> None:
    analyst = browsers[Role.ANALYST]
    explained = analyst.post("/console/ask", sql=COUNT, do="explain")
    assert "What it would cost" in explained.text
    assert served.send("GET", "/v1/history").json() == []
    for _ in range(2):
        answer = analyst.post("/console/ask", sql=COUNT, do="ask", request_id="one")
        assert answer.status_code == 200
        assert 'class="bar"' in answer.text and "± " in answer.text
    assert len(served.send("GET", "/v1/history").json()) == 1
    assert COUNT in analyst.get("/console/ask").text
    assert "<polyline" in analyst.get("/console/pace").text
    assert "<polyline" in browsers[Role.AUDITOR].get("/console/pace", client="analyst").text
    assert analyst.get("/console/pace", client="other").status_code == 403


def test_an_answer_shows_reliability_price_and_remaining_budget(browsers: dict[Role, Browser]) -> None:
    analyst = browsers[Role.ANALYST]
    for do in ("explain", "ask"):
        shown = analyst.post("/console/ask", sql=COUNT, do=do, rho="0.06").text
        assert re.search(r"rho 0\.06 \(epsilon \d\.\d\d at delta 1e-9\)", shown)
        assert "Left: you rho " in shown and "</strong> at this price" in shown
        assert "Epsilon</em>, at a small delta, is the same loss" in shown
    assert re.search(r"<small>± [\d,]+</small><svg ", shown)
    assert re.search(r'</svg> <small class="word">(good|fair|poor|may be 0)</small>', shown)
    assert "free (asked before)" in analyst.post("/console/ask", sql=COUNT, do="ask", rho="0.06").text
    wide = analyst.post("/console/ask", sql="SELECT zone, count(*) AS n FROM visit GROUP BY zone", do="explain").text
    assert "Narrower intervals" in wide and "pay four times as much" in wide


def test_the_overview_shows_what_is_left_in_questions(browsers: dict[Role, Browser], served: TestServer) -> None:
    analyst = browsers[Role.ANALYST]
    analyst.post("/console/ask", sql=COUNT, do="ask", rho="0.06")
    budget = served.send("GET", "/v1/budget").json()
    (own,) = (row for row in budget["accounts"] if row["client"] == "analyst")
    left = drawing.questions_left(own["remaining_rho"], budget["query_rho"][own["dataset"]])
    shown = analyst.get("/console").text
    assert '<th role="columnheader" scope="col" class="number">Questions left</th>' in shown
    assert f'data-label="Questions left" class="number">{left:,}</td>' in shown


def test_a_suggested_question_can_be_filled_in(browsers: dict[Role, Browser]) -> None:
    analyst = browsers[Role.ANALYST]
    refused = analyst.post("/console/ask", sql="SELECT count(*) FROM visits", do="explain").text
    link = re.search(r'<a href="/console/ask\?sql=([^"]+)" aria-label="Fill in the suggested question">', refused)
    assert link is not None
    filled = re.search(r"<textarea[^>]*>\s*(.*?)</textarea>", analyst.get("/console/ask", sql=unquote(link[1])).text)
    assert filled is not None and filled[1] == "SELECT count(*) FROM visit -- of visit, a near name"
    assert "Fill in the suggested" not in analyst.post("/console/ask", sql="SELECT now()", do="explain").text


def test_foreign_text_is_escaped(browsers: dict[Role, Browser]) -> None:
    analyst, admin = browsers[Role.ANALYST], browsers[Role.ADMIN]
    hostile = f'SELECT count(*) AS "{HOSTILE}" FROM visit'
    for do in ("explain", "ask"):
        answer = analyst.post("/console/ask", sql=hostile, do=do)
        assert HOSTILE not in answer.text and "&lt;script&gt;" in answer.text
    refused = analyst.post("/console/ask", sql=f"SELECT '{HOSTILE}' FROM nowhere", do="ask")
    assert refused.status_code == 400 and HOSTILE not in refused.text
    admin.post("/console/clients/add", client="x", reason=HOSTILE)
    admin.post("/console/clients/freeze", client="x", reason=HOSTILE)
    for path in ("/console/clients", "/console/ledger"):
        assert HOSTILE not in admin.get(path).text and "&lt;script&gt;" in admin.get(path).text


def test_clients_are_capped_frozen_thawed_and_topped_up(browsers: dict[Role, Browser], served: TestServer) -> None:
    admin = browsers[Role.ADMIN]
    assert admin.post("/console/clients/cap", client="analyst", rho="0.05", reason="a test").status_code == 303
    assert admin.post("/console/clients/freeze", client="analyst", reason="a test").status_code == 303
    assert browsers[Role.ANALYST].post("/console/ask", sql=COUNT, do="ask").status_code == 403
    assert admin.post("/console/clients/thaw", client="analyst", reason="a test").status_code == 303
    for action, state in (("approve", "approved"), ("decline", "declined")):
        body = {"rho": "0.2", "reason": "more"}
        number = served.send("POST", "/v1/admin/topups", json=body).json()["request"]
        assert admin.post(f"/console/clients/{action}", request=str(number), reason="a test").status_code == 303
        assert served.send("GET", "/v1/admin/topups").json()[-1]["state"] == state
    assert admin.post("/console/clients/cap", client="analyst", rho="0.05").status_code == 400
    assert admin.post("/console/clients/burn").status_code == 404


def test_a_question_of_several_releases_is_one_row_of_the_history() -> None:
    row = {"sql": "SELECT 1", "question": "plan", "settled_at": None}
    rows = [{**row, "rho": 0.0005}, {**row, "rho": 0.0045}, {**row, "sql": "SELECT 2", "rho": 0.005}]
    rows += [{**row, "sql": None, "rho": 0.001}, {**row, "sql": None, "rho": 0.002}]
    found = [(each["sql"], pytest.approx(each["rho"])) for each in answer_pages.questions_paid(rows)]
    assert found == [(None, 0.002), (None, 0.001), ("SELECT 2", 0.005), ("SELECT 1", 0.005)]
