"""Every link from a docstring to a proof resolves, every proof is linked, and the code and tests it names exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

from tests.support.tree import PACKAGES, ROOT, modules

PROOFS = sorted(path.relative_to(ROOT).parent for package in PACKAGES for path in (ROOT / package).rglob("proofs.md"))
MAX_LINE_LENGTH = 120
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


def _code_lines(text: str) -> Iterator[str]:
    """Iterate over the Code paragraphs of a text; each ends at the next label or empty line."""
    return (found.group() for found in re.finditer(r"^\*\*Code\.\*\*.*(?:\n(?!\*\*|\n).*)*", text, flags=re.MULTILINE))


def _names(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    """Iterate over the names that statements define: functions, constants, classes and their members."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield prefix + node.name
        if isinstance(node, ast.ClassDef):
            yield from _names(node.body, f"{prefix}{node.name}.")
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        yield from (prefix + target.id for target in targets if isinstance(target, ast.Name))


@lru_cache
def _defined(path: Path) -> frozenset[str]:
    """Return the names that a file defines at its top level and in its classes."""
    return frozenset(_names(ast.parse(path.read_text(encoding="utf-8")).body))


def _missing_code(text: str) -> list[str]:
    """List what the Code lines of a text name and the tree does not have: files, and names in the file before them."""
    missing = []
    for line in _code_lines(text):
        path: Path | None = None
        for name in re.findall(r"`([^`]+)`", line):
            if "/" in name:
                path = ROOT / name
                missing += [] if path.is_file() else [name]
            elif path is None or (path.is_file() and name not in _defined(path)):
                missing.append(name)
        missing += [] if path else [line]
    return missing


@pytest.mark.parametrize("folder", PROOFS, ids=str)
def test_code_lines_name_existing_code(folder: Path) -> None:
    text = (ROOT / folder / "proofs.md").read_text(encoding="utf-8")
    claims = re.findall(r"^\*\*Claim \d+\.\*\*", text, flags=re.MULTILINE)
    assert len(list(_code_lines(text))) >= len(claims), "a claim without a Code line"
    assert not _missing_code(text), f"defined nowhere in the file that the line names: {folder}/proofs.md"


def test_a_planted_wrong_name_is_found() -> None:
    path = "budgets/accounting/privacy_loss.py"
    good = f"**Code.** `{path}`: `Loss`,\n`Loss.rounded_up`\n**Proof.** `absent`"
    assert _missing_code(good) == []
    assert _missing_code(good.replace("`Loss.rounded_up`", "`Loss.of`")) == ["Loss.of"]
    assert _missing_code(good.replace(path, "budgets/loss.py")) == ["budgets/loss.py"]
    assert _missing_code("**Code.** `Loss`") == ["Loss", "**Code.** `Loss`"]


@lru_cache
def _test_names() -> frozenset[str]:
    """Return the names of all test functions and test files."""
    files = list((ROOT / "tests").rglob("test_*.py"))
    functions = (
        re.findall(r"^ *def (test_\w+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE) for path in files
    )
    return frozenset(path.stem for path in files).union(*functions)


def _missing_tests(text: str) -> set[str]:
    """Return the tests that a text names and that do not exist."""
    return set(re.findall(r"\btest_[a-z0-9_]+", text)) - _test_names()


@pytest.mark.parametrize("folder", PROOFS, ids=str)
def test_named_tests_exist(folder: Path) -> None:
    assert not _missing_tests((ROOT / folder / "proofs.md").read_text(encoding="utf-8"))


def test_a_planted_name_of_no_test_is_found() -> None:
    name = "test_of_nothing_at_all"
    assert _missing_tests(f"`tests/house/test_proofs.py`: `test_named_tests_exist`, `{name}`") == {name}


@pytest.mark.parametrize("folder", PROOFS, ids=str)
def test_no_line_is_too_long(folder: Path) -> None:
    lines = (ROOT / folder / "proofs.md").read_text(encoding="utf-8").split("\n")
    assert not [number for number, line in enumerate(lines, 1) if len(line) > MAX_LINE_LENGTH]
