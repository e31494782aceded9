"""Kinds of refusals: every row is used, and every use gives the fields that its templates name, and no others."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from string import Formatter

from dialect.diagnostics.kinds import Kind
from dialect.errors import Diagnostic
from engine.errors import EngineKind
from tests.support.tree import ROOT

KINDS: Mapping[str, type[Diagnostic]] = {"Kind": Kind, "_Kind": Kind, "EngineKind": EngineKind}


def fields_of(kind: Diagnostic) -> set[str]:
    """Names in braces of a kind's templates."""
    return {name for text in (kind.why, kind.hint) for _, name, *_ in Formatter().parse(text) if name}


def kind_of(node: ast.AST) -> Diagnostic | None:
    """Return the kind that an attribute such as Kind.UNKNOWN_TABLE names; None for other nodes."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in KINDS:
        return KINDS[node.value.id][node.attr]
    return None


def uses() -> Iterator[tuple[str, Diagnostic, set[str] | None]]:
    """Yield each use of a kind in the product: its place, the kind, and the fields that are given there.

    None for the fields where the kind is not written in the call that builds the refusal.
    """
    for path in sorted(path for package in ("dialect", "engine") for path in (ROOT / package).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        given: dict[int, set[str]] = {}
        for call in ast.walk(tree):
            if not isinstance(call, ast.Call):
                continue
            method = call.func if isinstance(call.func, ast.Attribute) else None
            if method is not None and method.attr == "at":
                kind: ast.AST | None = method.value
            elif (method is not None and method.attr == "explained") or getattr(call.func, "id", "") == "refusal":
                kind = next(iter(call.args), None)
            else:
                continue
            given[id(kind)] = {keyword.arg or "**" for keyword in call.keywords} - {"code"}
        for node in ast.walk(tree):
            kind_named = kind_of(node)
            if kind_named is not None:
                yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", kind_named, given.get(id(node))


def test_every_kind_is_used() -> None:
    used = {kind for _, kind, _ in uses()}
    assert [kind for table in KINDS.values() for kind in table if kind not in used] == []


def test_refusals_have_the_fields_of_their_kind() -> None:
    """A refusal that explains another one has the fields of both."""
    of_column = fields_of(Kind.UNKNOWN_COLUMN)
    explained: dict[Diagnostic, set[str]] = dict.fromkeys(
        (Kind.UNQUOTED_TEXT, Kind.DOUBLE_QUOTED_TEXT, Kind.COLUMN_ELSEWHERE), of_column
    )
    wrong = [
        f"{place}: {kind.name} lacks {', '.join(sorted(missing))}"
        for place, kind, given in uses()
        if given is not None and (missing := fields_of(kind) - given - explained.get(kind, set()))
    ]
    assert wrong == []
