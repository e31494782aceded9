"""What code asks of a function is a trait of its row: no name of one is compared outside `dialect/functions`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from dialect.functions.aggregates import AGGREGATES
from dialect.functions.registry import all_overloads
from dialect.functions.window_functions import WINDOW_FUNCTIONS
from tests.support.tree import modules

# signs and words of operators are the grammar of expressions (`dialect.algebra.expressions`)
OPERATORS = {"and", "or", "not", "in", "is null", "is true", "is false", "is distinct from", "is not distinct from"}
NAMES = {row.name for row in all_overloads()} | {*AGGREGATES, *WINDOW_FUNCTIONS}
FUNCTIONS = {name for name in NAMES - OPERATORS if name[0].isalpha()}
ASKED = {"name", "function", "aggregate"}  # variables and attributes that hold a function's name
# the rows themselves; names as analysts write them
EXEMPT = ("dialect/functions/", "dialect/parser/", "dialect/binder/argument_lists.py")


def compared_names(tree: ast.Module) -> Iterator[str]:
    """Find comparisons of a function's name with names in the text: 'line: names', of lists at the top of it too."""
    assigned = [each for each in tree.body if isinstance(each, ast.Assign | ast.AnnAssign) and each.value is not None]
    lists = {
        target.id: _names(each.value, {})
        for each in assigned
        for target in (each.targets if isinstance(each, ast.Assign) else [each.target])
        if isinstance(target, ast.Name) and each.value is not None
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _holds_name(node.func.value):
            starts = {text for text in _texts(node) if any(name.startswith(text) for name in FUNCTIONS)}
            if node.func.attr == "startswith" and starts:
                yield f"{node.lineno}: {', '.join(sorted(starts))}"
        if not isinstance(node, ast.Compare):
            continue
        sides = (node.left, *node.comparators)
        found = set[str]().union(*(_names(side, lists) for side in sides))
        if found and any(_holds_name(side) for side in sides):
            yield f"{node.lineno}: {', '.join(sorted(found))}"


def _holds_name(node: ast.expr) -> bool:
    """Return whether an expression is a variable or attribute that holds a function's name."""
    return (isinstance(node, ast.Name) and node.id in ASKED) or (isinstance(node, ast.Attribute) and node.attr in ASKED)


def _texts(node: ast.expr) -> set[str]:
    """Return the texts that an expression writes."""
    return {each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)}


def _names(node: ast.expr, lists: dict[str, set[str]]) -> set[str]:
    """Return the names of functions that an expression writes, or the top of its module for it."""
    listed = (lists.get(each.id, set()) for each in ast.walk(node) if isinstance(each, ast.Name))
    return (_texts(node) & FUNCTIONS).union(*listed)


def test_no_name_of_a_function_is_compared() -> None:
    found = [
        f"{module.where}:{each}: ask a trait of its row (dialect/functions/signatures.py, aggregates.py)"
        for module in modules("dialect")
        if not module.where.startswith(EXEMPT)
        for each in compared_names(module.tree)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "planted",
    [
        'def f(expr):\n    return expr.name == "to_date"\n',
        'def f(measure):\n    return measure.function in {"sum", "avg"}\n',
        'def f(function):\n    return function.startswith("count")\n',
        'ENDS = {"min", "max"}\n\n\ndef f(name):\n    return name not in ENDS\n',
    ],
)
def test_a_planted_comparison_is_found(planted: str) -> None:
    assert list(compared_names(ast.parse(planted)))


def test_a_comparison_of_other_names_is_not_found() -> None:
    other = 'def f(expr, column):\n    return expr.name == "<=" or column == "min"\n'
    assert not list(compared_names(ast.parse(other)))
