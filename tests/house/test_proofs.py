"""Proof beside code: every link from a docstring resolves, and no proof stands unlinked."""

from __future__ import annotations

import re

import pytest

from tests.support.tree import PACKAGES, ROOT, modules

PROVEN = [package for package in PACKAGES if (ROOT / package / "proofs.md").exists()]


def _anchors(package: str) -> set[str]:
    """Give the anchors of the headings below the title, as a web page of the file would have them."""
    text = (ROOT / package / "proofs.md").read_text(encoding="utf-8")
    headings = re.findall(r"^##+ +(.+?) *$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _links(package: str) -> set[tuple[str, str]]:
    """Give (package, anchor) for every link in the docstrings of one package."""
    text = "\n".join(docstring for module in modules(package) for docstring in module.docstrings())
    found = re.findall(r"(?:\b(\w+)/)?proofs\.md#([\w-]+)", text)
    return {(owner or package, anchor) for owner, anchor in found}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_link_leads_to_a_proof(package: str) -> None:
    dead = [f"{owner}/proofs.md#{anchor}" for owner, anchor in _links(package) if anchor not in _anchors(owner)]
    assert not dead


@pytest.mark.parametrize("package", PROVEN)
def test_every_proof_is_linked(package: str) -> None:
    linked = {anchor for owner, anchor in set().union(*map(_links, PACKAGES)) if owner == package}
    assert not _anchors(package) - linked
