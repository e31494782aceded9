"""A server on a local port, and a Chromium browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, sync_playwright

from engine import Session
from engine.server.http.roles import Role
from tests.support.server.serving import TestServer, inhabited, listening

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),  # it runs as root in CI
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
DESKTOP, PHONE = (1280, 900), (390, 844)  # CSS pixels
SERIOUS = frozenset({"serious", "critical"})
FEW_SECONDS = 30.0  # busy machines are slow


@dataclass
class Visited:
    """A server reachable by a browser."""

    inside: TestServer
    url: str
    browser: Browser
    entered: dict[Role, StorageState] = field(default_factory=dict)  # sessions, begun once

    @contextmanager
    def context(
        self, role: Role | None, size: tuple[int, int] = DESKTOP, scheme: str = "light", scripts: bool = True
    ) -> Iterator[BrowserContext]:
        """Open a browser context, logged in with the key of a role."""
        width, height = size
        made = self.browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=scripts,
            base_url=self.url,
            is_mobile=size == PHONE,
            storage_state=None if role is None else self._session(role),
        )
        made.set_default_timeout(FEW_SECONDS * 1000)
        made.new_page()
        try:
            yield made
        finally:
            made.close()

    def _session(self, role: Role) -> StorageState:
        """Log in with the key of a role, once."""
        if role not in self.entered:
            with self.context(None) as context:
                page = context.pages[0]
                page.goto("/console/login")
                page.fill("#key", self.inside.keys[role])
                page.click("main button")
                page.wait_for_url("**/console")
                self.entered[role] = context.storage_state()
        return self.entered[role]


@contextmanager
def browsed(session: Session, **settings: object) -> Iterator[Visited]:
    """Serve a session on a free port and start Chromium; skips without it, which CI does not allow."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with inhabited(session, **settings) as inside, listening(inside) as url, sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS), headless=True)
        try:
            yield Visited(inside, url, browser)
        finally:
            browser.close()


def serious_violations(page: Page) -> list[str]:
    """List the violations on a page that axe-core calls serious or critical."""
    page.wait_for_load_state()
    found = Axe().run(page).response["violations"]
    return [f"{page.url} {each['id']}: {_where(each)}" for each in found if each["impact"] in SERIOUS]


def _where(violation: Mapping[str, object]) -> str:
    nodes = violation["nodes"]
    assert isinstance(nodes, list)
    return "; ".join(str(node["target"]) for node in nodes[:3])


def overflow_pixels(page: Page) -> int:
    """Pixels by which a page is wider than its window, once its style sheet has arrived."""
    page.wait_for_load_state()
    wide: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return wide
