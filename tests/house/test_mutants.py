"""Mutants are what the code is but for one change, are drawn by a seed alone, and leave out what changes nothing."""

from __future__ import annotations

import ast
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.mutants.__main__ import PROBE, _noted, apart, caught, taken
from tests.mutants.drawing import OTHERWISE, TURNED, Mutant, drawn, mutants
from tests.support.plugins.slowest_first import measured
from tests.support.tree import ROOT

CHANGED = {
    "return a < b": ("an order that moves by one", "(a <= b)"),
    "return a is b": ("a comparison turned", "(a is not b)"),
    "x = a and b": ("and for or", "(a or b)"),
    "x = not a": ("a not dropped", "(a)"),
    "x = 'ä', 7": ("a number one more", "(8)"),
    "x = a + b": ("other arithmetic", "(a - b)"),
    "x = any(a)": ("min for max, any for all", "(all(a))"),
    "x = f(a, b)": ("arguments swapped", "(f(b, a))"),
    "x = a if c else b": ("branches swapped", "(b if c else a)"),
    "return f(a)": ("another result", "return None"),
    "f(a)": ("a call dropped", "pass"),
}
LEFT = (
    "x = 99",
    "x = isinstance(a, b)",
    "raise ValueError(a < b)",
    "log.info(a, b)",
    "x: Literal[1] = a",
    "x = f(timeout=3)",
    "x = a if a < b else b",
    "x = f(a, a)",
)


def of(statement: str) -> list[Mutant]:
    return list(mutants("a.py", f'LIMIT = 3\n\n\ndef function(a, b=1):\n    """Docstring."""\n    {statement}\n'))


@pytest.mark.parametrize("statement", CHANGED)
def test_an_operator_changes_one_place(statement: str) -> None:
    operator, wrong = CHANGED[statement]
    (found,) = [each for each in of(statement) if each.operator == operator]
    assert found.wrong == wrong


@pytest.mark.parametrize("statement", LEFT)
def test_mutations_without_effect_are_left_out(statement: str) -> None:
    assert {each.operator for each in of(statement)} <= {"branches swapped"}


def test_each_operator_is_drawn_as_often_and_by_the_seed_alone() -> None:
    first, again, other = (list(islice(drawn(ROOT, seed), 550)) for seed in (1, 1, 2))
    assert first == again and first != other and len(set(first)) == len(first)
    assert min(Counter(each.operator for each in first).values()) > 25
    assert {each.operator for each in first} == {operator for operator, _ in CHANGED.values()}
    assert len(TURNED) + len(OTHERWISE) > 15


def test_a_mutant_differs_from_the_code_in_one_place_and_a_watched_place_does_what_it_did() -> None:
    for each in islice(drawn(ROOT, 3), 300):
        text = (ROOT / each.file).read_bytes()
        before, after = ast.dump(ast.parse(text)), ast.dump(ast.parse(each.applied(text)))
        assert before != after, each
        assert ast.dump(_Unwatched().visit(ast.parse(each.watched(text, "mark()")))) == before, each


class _Unwatched(ast.NodeTransformer):
    """Takes the marks away again."""

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        return node.values[1] if ast.unparse(node.values[0]) == "mark()" else node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        self.generic_visit(node)
        return None if ast.unparse(node) == "mark()" else node


def test_the_files_that_reach_a_place_are_noted_once_the_quickest_first(tmp_path: Path) -> None:
    probe: dict[str, Any] = {}
    exec(PROBE.format(folder=str(tmp_path)), probe)
    slow, quick = sorted(measured(), key=lambda file: -measured()[file].quick)[:2]
    with pytest.MonkeyPatch.context() as running:
        for file in (slow, quick, slow):
            running.setenv("PYTEST_CURRENT_TEST", f"{file}::test (call)")
            assert not probe["reached"](7)
    assert _noted(tmp_path / "7") == [quick, slow] and _noted(tmp_path / "8") == []


def test_places_that_are_watched_at_once_lie_apart() -> None:
    found = of("x = f(a < b, c and d)")
    assert any(one is not each and one.start <= each.start and each.end <= one.end for one in found for each in found)
    left = list(apart(found))
    assert not any(one is not each and one.start < each.end and each.start < one.end for one in left for each in left)


def test_a_test_catches_what_is_changed_and_nothing_else(tmp_path: Path) -> None:
    tree = taken(tmp_path)
    file = "budgets/accounting/privacy_loss.py"
    text = (ROOT / file).read_bytes()
    found = [each for each in mutants(file, text.decode()) if each.operator == "another result"]
    nothing = Mutant(file, "nothing", 1, found[0].start, found[0].end, found[0].right, found[0].right, statement=True)
    files = ["tests/budgets/accounting/test_loss.py"]
    assert "test_loss" in caught(found[0], tree, files, 300.0)
    assert caught(nothing, tree, files, 300.0) == ""
    unread = Mutant(file, "nothing", 1, 0, 0, "", "raise ValueError\n", statement=True)
    assert caught(unread, tree, files, 300.0)
    (tree / "tests/budgets/test_new.py").write_text("def test_new():\n    assert False\n", encoding="utf-8")
    assert caught(nothing, tree, ["tests/budgets/test_new.py", *files], 300.0) == ""
    assert (tree / file).read_bytes() == text
