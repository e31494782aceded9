"""Every link of every page leads somewhere: to a file from the page's own folder, and to a heading of that file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.tree import ROOT, committed_files

PAGES = [path for path in committed_files() if path.suffix == ".md"]
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
ELSEWHERE = re.compile(r"[a-z][a-z+.-]*:")  # a scheme


def anchors(text: str) -> set[str]:
    """GitHub's anchors for a page's headings: lower case, no punctuation, a hyphen for each space.

    A heading that stands there again has -1 behind its anchor, then -2.
    """
    found: dict[str, int] = {}
    for heading in HEADING.findall(FENCED.sub("", text)):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        again = found.get(slug, -1) + 1
        found[slug] = again
        found[f"{slug}-{again}" if again else slug] = again
    return set(found)


def dead(page: Path, text: str) -> list[str]:
    """List the links of a page that lead nowhere."""
    links = [link for link in LINK.findall(CODE.sub("", text)) if not ELSEWHERE.match(link)]
    return [link for link in links if not _leads_somewhere(page, text, link)]


def _leads_somewhere(page: Path, text: str, link: str) -> bool:
    """Does the file exist, and the heading if one is named?"""
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    if not target.exists():
        return False
    return not anchor or anchor in anchors(target.read_text(encoding="utf-8") if name else text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert not dead(page, page.read_text(encoding="utf-8"))


def test_there_are_links() -> None:
    assert sum(len(LINK.findall(page.read_text(encoding="utf-8"))) for page in PAGES) > 100


PLANTED = {
    "a page of another folder": "see [it](budget.md)",
    "a page that is not there": "see [it](docs/nothing.md#heading)",
    "a heading that is not there": "see [it](docs/budget.md#no-such-heading)",
    "a heading of this page that is not there": "# Here\n\nsee [it](#there)",
    "a heading in an example": "```\n# Here\n```\n\nsee [it](#here)",
}


@pytest.mark.parametrize("text", PLANTED.values(), ids=PLANTED.keys())
def test_a_broken_link_is_found(text: str) -> None:
    assert len(dead(ROOT / "README.md", text)) == 1


def test_a_heading_is_known_as_github_knows_it() -> None:
    page = "# Why, and `how`?\n\n## A clock's word\n\n## Again\n\n## Again\n\n### [Linked](SECURITY.md) – ends"
    assert anchors(page) == {"why-and-how", "a-clocks-word", "again", "again-1", "linked--ends"}
    assert not dead(ROOT / "README.md", f"{page}\n\n[a](#again-1) [b](docs/limits.md) [c](https://example.org/x#y)")
