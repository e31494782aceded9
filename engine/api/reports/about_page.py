"""The page about a person as HTML that needs no other host, and as text for a terminal."""

from __future__ import annotations

import textwrap
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from engine.api.reports.about import Page, Section

WIDTH = 88
TEMPLATE = Path(__file__).with_name("about_page.html.j2")


def page_html(pages: tuple[Page, ...]) -> str:
    """Write the page; what stewards and clients are called is text in it, and can be nothing else."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(pages=pages)


def page_text(pages: tuple[Page, ...]) -> str:
    """Write the page for a terminal."""
    return "\n\n".join(_page(page) for page in pages) + "\n"


def _page(page: Page) -> str:
    title = f"What is computed about you: {page.dataset}"
    return "\n\n".join([title, "=" * len(title), *map(_section, page.sections)]).replace("\n\n==", "\n==", 1)


def _section(section: Section) -> str:
    words = [textwrap.fill(text, WIDTH) for text in section.words]
    points = [textwrap.fill(text, WIDTH, initial_indent="  - ", subsequent_indent="    ") for text in section.points]
    return "\n".join([section.title.upper(), *words, *points])
