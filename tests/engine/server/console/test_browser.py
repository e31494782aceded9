"""The console in a real Chromium: every page, desktop and phone, light and dark, without scripts, by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from engine import Session
from engine.server.console.sessions import PAGES
from engine.server.http.roles import Role, Scope
from engine.server.worker.pacing import PacedEngine, ResponsePacing
from tests.support.ledger.blank_ledger import blank_ledger
from tests.support.server.browsing import DESKTOP, PHONE, Visited, browsed, overflow_pixels, serious_violations

BY_ZONE = "SELECT zone, count(*) AS visits, avg(minutes) AS minutes FROM visit GROUP BY zone"
COUNT = "SELECT count(*) AS visits FROM visit"
SHOWN = [path for method, path in PAGES if method == "GET" and "{" not in path and not path.endswith("/export")]
LEAST_CONTRAST = 3.0  # of what is no text beside its ground: WCAG 2.2, 1.4.11


@pytest.fixture(scope="module")
def visited(town_session: Session) -> Iterator[Visited]:
    """Serve a town in which something has happened, to one browser."""
    with blank_ledger() as ledger:
        engine = PacedEngine.of(replace(town_session.engine, ledger=ledger), ResponsePacing(least_seconds=0.001))
        with browsed(replace(town_session, engine=engine)) as found:
            admin = found.inside.house.worker.clerk.admin  # type: ignore[attr-defined]
            for client in ("analyst", "city/planning/ana"):
                admin.add_client(client, by="admin", reason="a contract")
            admin.freeze(by="admin", reason="a test", client="city/planning/ana")
            admin.request_top_up("analyst", "0.15", reason="the season needs more")
            found.inside.ask(BY_ZONE, terms={"rho": "0.06"})
            found.inside.ask(COUNT, headers={"Prefer": "respond-async"})
            yield found


def pages(role: Role) -> list[str]:
    return [path for path in SHOWN if PAGES["GET", path].scope_of(role) is not Scope.NONE]


@pytest.mark.parametrize(
    ("role", "size", "scheme"),
    [
        (Role.ANALYST, PHONE, "light"),
        (Role.ADMIN, PHONE, "dark"),
        (Role.ADMIN, DESKTOP, "light"),
        (Role.STEWARD, PHONE, "light"),
        (Role.AUDITOR, PHONE, "dark"),
    ],
)
def test_every_page_fits_and_a_checker_finds_nothing_serious(
    visited: Visited, role: Role, size: tuple[int, int], scheme: str
) -> None:
    found: list[str] = []
    with visited.context(role, size, scheme) as context:
        page = context.pages[0]
        for path in pages(role):
            page.goto(path)
            expect(page.locator("h1")).to_be_visible()
            assert overflow_pixels(page) <= 0, path
            if role in (Role.ANALYST, Role.ADMIN) and (role, size) != (Role.ADMIN, DESKTOP):  # the others see fewer
                found += serious_violations(page)
    assert found == []


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "light"), (DESKTOP, "dark")])
def test_detail_pages_fit_too(visited: Visited, size: tuple[int, int], scheme: str) -> None:
    job = visited.inside.ask(COUNT, headers={"Prefer": "respond-async"}).json()["id"]
    share = visited.inside.send("POST", "/v1/shares", json={"sql": BY_ZONE, "rho": "0.06"}).json()["id"]
    things = (f"jobs/{job}", f"shared/{share}", "pace?client=analyst", "keys", "no/such/page", f"ask?sql={'x' * 2000}")
    with visited.context(Role.ANALYST, size, scheme) as context:
        page = context.pages[0]
        for thing in things:
            page.goto(f"/console/{thing}")
            expect(page.locator("h1")).to_be_visible()
            assert overflow_pixels(page) <= 0, thing
            assert serious_violations(page) == [], thing


def test_an_empty_list_has_a_one_line_text_on_a_phone(visited: Visited) -> None:
    with visited.context(Role.ADMIN, PHONE) as context:
        page = context.pages[0]
        page.goto("/console/health")
        said = page.get_by_text("There was none.").bounding_box()
        assert said is not None and said["height"] < 40  # pixels: two lines are more


def test_the_accessibility_checker_finds_serious_faults(visited: Visited) -> None:
    with visited.context(Role.ADMIN) as context:
        page = context.pages[0]
        page.goto("about:blank")  # away from the content policy, which forbids what is planted here
        page.set_content("<html lang=en><title>t</title><main><h1>t</h1><input><p style='color:#aaa'>faint</p></main>")
        assert {each.split(": ")[0].split()[-1] for each in serious_violations(page)} >= {
            "label",
            "color-contrast",
        }  # planted
        page.set_content("<div style='width:3000px'>wide</div>")
        assert overflow_pixels(page) > 0


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "dark"), (DESKTOP, "light")])
def test_an_answer_is_readable_on_a_phone_and_on_a_desktop(
    visited: Visited, size: tuple[int, int], scheme: str
) -> None:
    with visited.context(Role.ANALYST, size, scheme) as context:
        page = context.pages[0]
        page.goto("/console/ask")
        page.fill("#sql", BY_ZONE)
        page.fill("#ask-rho", "0.06")
        _pay(page)
        assert page.locator("svg.bar").count() >= 7
        if size == DESKTOP:  # digits stand below digits, and half-widths below half-widths
            for side, part in (("right", "span"), ("left", "small")):
                assert len(page.evaluate(EDGES, [f"#answer ~ .wide tbody td:nth-child(2) .noisy > {part}", side])) == 1
        assert overflow_pixels(page) <= 0
        assert serious_violations(page) == []


def test_three_noisy_columns_fit_a_desktop(visited: Visited) -> None:
    with visited.context(Role.ANALYST) as context:
        page = context.pages[0]
        page.goto("/console/ask")
        page.fill("#sql", BY_ZONE.replace(" FROM", ", count(minutes) AS known FROM"))
        page.fill("#ask-rho", "0.002")
        _pay(page)
        assert page.locator("table.many svg.bar").count() >= 10
        rows = "document.querySelector('#answer ~ .wide')"
        assert page.evaluate(f"{rows}.scrollWidth - {rows}.clientWidth") <= 0


EDGES = """([cells, side]) => [...new Set([...document.querySelectorAll(cells)]
    .filter(each => !each.classList.contains('word')).map(each => Math.round(each.getBoundingClientRect()[side])))]"""


def test_a_long_name_of_a_column_stays_next_to_its_values_on_a_phone(visited: Visited) -> None:
    with visited.context(Role.ANALYST, PHONE) as context:
        page = context.pages[0]
        page.goto("/console/ask")
        page.fill("#sql", BY_ZONE.replace("zone,", f"zone AS {'long_' * 11}name,", 1).replace("visits", "long_" * 12))
        page.fill("#ask-rho", "0.06")
        _pay(page)
        assert overflow_pixels(page) <= 0
        cells = "[...document.querySelectorAll('tbody [data-label]')]"
        assert page.evaluate(f"{cells}.filter(cell => cell.scrollWidth > cell.clientWidth + 1).length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_bars_and_lines_stand_out_from_their_ground(visited: Visited, scheme: str) -> None:
    with visited.context(Role.ANALYST, scheme=scheme) as context:
        page = context.pages[0]
        page.goto("/console")
        fill, ground = _colours(page, "svg.gauge rect", "fill", "svg.gauge")
        assert contrast(fill, ground) >= LEAST_CONTRAST
        page.goto("/console/pace")
        assert contrast(*_colours(page, ".plot .line", "stroke", ".plot svg")) >= LEAST_CONTRAST


def test_contrast_is_that_of_the_guidelines() -> None:
    assert contrast("rgb(0, 0, 0)", "rgb(255, 255, 255)") == pytest.approx(21.0)
    assert contrast("rgb(119, 119, 119)", "rgb(255, 255, 255)") == pytest.approx(4.48, abs=0.01)


def _pay(page: Page) -> None:
    """Ask what is filled in, and wait for the answer and its style sheet."""
    page.click("text=Ask, and pay")
    expect(page.locator("#answer")).to_be_visible()
    page.wait_for_load_state()


def _colours(page: Page, mark: str, part: str, ground: str) -> tuple[str, str]:
    colour = "([name, part]) => getComputedStyle(document.querySelector(name))[part]"
    return page.evaluate(colour, [mark, part]), page.evaluate(colour, [ground, "backgroundColor"])


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2.2 between two colours, as CSS computes them."""

    def luminance(colour: str) -> float:
        parts = [int(each) / 255 for each in colour.removeprefix("rgb(").rstrip(")").split(", ")]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_pages_show_and_questions_are_asked_without_scripts(visited: Visited) -> None:
    with visited.context(Role.ADMIN, scripts=False) as context:
        page = context.pages[0]
        for path in pages(Role.ADMIN):
            answer = page.goto(path)
            assert answer is not None and answer.status == 200
            assert page.locator("main h1").inner_text()
    with visited.context(Role.ANALYST, scripts=False) as context:
        page = context.pages[0]
        page.goto("/console/ask")
        page.fill("#sql", COUNT)
        page.click("text=Explain")
        assert page.locator("#price").is_visible()


def test_nothing_is_loaded_from_elsewhere_and_no_script_runs(visited: Visited) -> None:
    with visited.context(Role.ADMIN) as context:
        page = context.pages[0]
        asked, told = list[str](), list[str]()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: told.append(message.text))
        for path in pages(Role.ADMIN):
            page.goto(path)
        assert asked and all(url.startswith(visited.url) for url in asked)
        assert told == []  # as a content policy that is broken would be
        page.evaluate("document.body.append(Object.assign(document.createElement('script'), {textContent: 'x = 1'}))")
        assert page.evaluate("typeof x") == "undefined"
        assert any("Content Security Policy" in text for text in told)


def test_a_keyboard_reaches_everything_in_order_and_sees_where_it_is(visited: Visited) -> None:
    with visited.context(Role.ADMIN) as context:
        page = context.pages[0]
        page.goto("/console/clients")
        reached = list[str]()
        for _ in range(60):
            page.keyboard.press("Tab")
            told = page.evaluate(FOCUSED)
            if told is None:
                break
            assert told["outline"] >= 2, told  # pixels
            assert told["inside"], told
            reached.append(told["name"])
        menu = [title.strip() for title in page.locator("nav ul a").all_inner_texts()]
        assert reached[: len(menu) + 2] == ["To the content", *menu, "Log out"]
        assert [name for name in reached if name in ("Add", "Remove")] == ["Add", "Remove"]
        page.goto("/console/clients")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert page.evaluate("location.hash") == "#main"
        page.keyboard.press("Tab")
        assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


FOCUSED = """() => {
    const at = document.activeElement;
    if (at === null || at === document.body) return null;
    const style = getComputedStyle(at), box = at.getBoundingClientRect();
    return {name: at.innerText || at.name || at.tagName,
            outline: style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth),
            inside: box.right > 0 && box.left < innerWidth && box.width > 0};
}"""


def test_a_form_works_from_the_keyboard_alone(visited: Visited) -> None:
    with visited.context(Role.ADMIN, PHONE) as context:
        page = context.pages[0]
        page.goto("/console/clients")
        page.focus("#add-client")
        page.keyboard.type("kim")
        page.keyboard.press("Tab")
        page.keyboard.type("a contract")
        page.keyboard.press("Enter")
        expect(page.get_by_role("rowheader", name="kim")).to_be_visible()


def test_a_screen_reader_finds_tables_on_a_phone(visited: Visited) -> None:
    with visited.context(Role.AUDITOR, PHONE) as context:
        page = context.pages[0]
        page.goto("/console/ledger")
        assert page.get_by_role("table").count() == 1
        assert page.get_by_role("columnheader").count() == 8
        rows = page.get_by_role("row").count() - 1
        assert rows == page.get_by_role("rowheader").count() > 5
