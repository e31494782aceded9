"""Every link from a docstring to a proof resolves, and every proof is linked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.tree import PACKAGES, ROOT, modules

PROOFS = sorted(path.relative_to(ROOT).parent for package in PACKAGES for path in (ROOT / package).rglob("proofs.md"))
Link = tuple[Path, str]


def _anchors(folder: Path) -> set[str]:
    """Return the anchors of the headings below the title, as a web page of the file would have them."""
    text = (ROOT / folder / "proofs.md").read_text(encoding="utf-8")
    headings = re.findall(r"^##+ +(.+?) *$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _links(package: str) -> set[Link]:
    """Return the links in the docstrings of a package: a link without a folder means that of its own module."""
    found = set()
    for module in modules(package):
        own = module.path.relative_to(ROOT).parent
        for docstring in module.docstrings():
            for folder, anchor in re.findall(r"((?:\b\w+/)*)proofs\.md#([\w-]+)", docstring):
                found.add((Path(folder) if folder else own, anchor))
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_every_link_leads_to_a_proof(package: str) -> None:
    links = _links(package)
    assert links or package == "passersby"
    dead = [
        f"{folder}/proofs.md#{anchor}"
        for folder, anchor in links
        if folder not in PROOFS or anchor not in _anchors(folder)
    ]
    assert not dead


@pytest.mark.parametrize("folder", PROOFS, ids=str)
def test_every_proof_is_linked(folder: Path) -> None:
    linked = {anchor for owner, anchor in set().union(*map(_links, PACKAGES)) if owner == folder}
    assert not _anchors(folder) - linked, f"link it from the docstring of what it proves: {folder}/proofs.md"
