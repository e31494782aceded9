"""Small files, small functions."""

from __future__ import annotations

import ast
from statistics import median_low

from tests.support.tree import Function, modules

LONGEST_FILE = 249
LONGEST_FUNCTION = 50
MEDIAN_FUNCTION = 7


def _lines(function: Function) -> int:
    """Count the lines of the body, without the docstring."""
    body = function.body[1:] if ast.get_docstring(function) and len(function.body) > 1 else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1


def test_files_are_small() -> None:
    sizes = {module.where: module.text.count("\n") for module in modules()}
    assert not {where: lines for where, lines in sizes.items() if lines > LONGEST_FILE}


def test_functions_are_small() -> None:
    assert not [
        f"{module.where}: {function.name}: {_lines(function)} lines"
        for module in modules()
        for function in module.functions()
        if _lines(function) > LONGEST_FUNCTION
    ]


def test_the_median_function_is_seven_lines_or_less() -> None:
    sizes = [_lines(function) for module in modules() for function in module.functions()]
    assert sizes and median_low(sizes) <= MEDIAN_FUNCTION
