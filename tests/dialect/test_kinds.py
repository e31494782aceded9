"""Kinds of refusals: every row is used, and every use gives the fields that its templates name, and no others."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from string import Formatter

from dialect.diagnostics.kinds import Kind
from dialect.errors import Diagnostic
from engine.errors import EngineKind
from tests.support.tree import ROOT

TWO_WORDS = re.compile(r"[a-z']{2,} [a-z']{2,}")
KINDS: Mapping[str, type[Diagnostic]] = {"Kind": Kind, "_Kind": Kind, "EngineKind": EngineKind}


def fields_of(kind: Diagnostic) -> set[str]:
    """Names in braces of a kind's templates."""
    named = {name for text in (kind.why, kind.hint) for _, name, *_ in Formatter().parse(text) if name}
    return {name.partition(".")[0] for name in named}


def assignments(nodes: Iterable[ast.AST]) -> dict[str, list[ast.expr]]:
    """Map each assigned name to the expressions that it is assigned."""
    assigned: dict[str, list[ast.expr]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for each in ast.walk(target):
                    if isinstance(each, ast.Name):
                        assigned.setdefault(each.id, []).append(node.value)
    return assigned


def field_values(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield the fields that refusals are built with, as (name, expression)."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        builds = getattr(call.func, "attr", "") in ("at", "explained") or getattr(call.func, "id", "") == "refusal"
        yield from ((keyword.arg or "**", keyword.value) for keyword in call.keywords if builds)


def worded_texts(value: ast.expr, assigned: Mapping[str, list[ast.expr]], steps: int = 3) -> Iterator[str]:
    """Yield the texts with two words in a row that an expression may evaluate to, through assigned names.

    The difference of a Suggestion is text about SQL of the query, and no field.
    """
    nodes = [value]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Constant) and TWO_WORDS.search(str(node.value)):
            yield str(node.value)
        if isinstance(node, ast.Name) and steps:
            for each in assigned.get(node.id, ()):
                yield from worded_texts(each, assigned, steps - 1)
        if isinstance(node, ast.IfExp):
            nodes.extend((node.body, node.orelse))
        elif not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Suggestion"):
            nodes.extend(child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr | ast.keyword))


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


def test_no_wording_is_given_as_a_field() -> None:
    """Texts are in the tables of kinds: a field is a name, SQL, a number, or a member of an enumeration there."""
    found: list[str] = []
    for path in sorted(path for package in ("dialect", "engine") for path in (ROOT / package).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        of_module = assignments(tree.body)
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            known = of_module | assignments(ast.walk(function))
            found.extend(
                f"{path.relative_to(ROOT)}:{value.lineno}: {name} = {text}"
                for name, value in field_values(function)
                for text in worded_texts(value, known)
            )
    assert found == [], "\n".join(found)


def test_every_kind_is_used() -> None:
    used = {kind for _, kind, _ in uses()}
    assert [kind for table in KINDS.values() for kind in table if kind not in used] == []


def test_refusals_have_the_fields_of_their_kind() -> None:
    """A refusal that explains another one has the fields of both; one of constants gets those of its call later."""
    explained: dict[Diagnostic, set[str]] = {
        kind: {"name", "forms"} for kind in Kind if kind.hint == Kind.PATTERN_GROUP.hint
    }
    explained |= {kind: {"name"} for kind in (Kind.UNQUOTED_TEXT, Kind.DOUBLE_QUOTED_TEXT, Kind.COLUMN_ELSEWHERE)}
    explained[Kind.TIME_ACROSS_PERSONS] = fields_of(Kind.AGGREGATE_PER_PERSON)
    wrong = [
        f"{place}: {kind.name} lacks {', '.join(sorted(missing))}"
        for place, kind, given in uses()
        if given is not None and (missing := fields_of(kind) - given - explained.get(kind, set()))
    ]
    assert wrong == []
