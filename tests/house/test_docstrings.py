"""Fronts document the exceptions that they raise."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import engine
from tests.support.tree import Function, Module, modules

SAYS = re.compile(r"\b(raise[sd]?|refused)\b", re.IGNORECASE)
SHOWN = {getattr(engine, name).__module__ for name in engine.__all__}
FACES = [module for module in modules() if module.name in SHOWN]
DOOR = next(module for module in modules("passersby") if module.name == "passersby.client.connection")


def silent(module: Module) -> list[str]:
    """Public functions of a module that raise, or map errors to the client's, without documenting it."""
    return [
        f"{module.where}:{function.lineno}: {function.name}"
        for function in module.functions()
        if not function.name.startswith("_") and any(_raising(function))
        if not SAYS.search(ast.get_docstring(function) or "")
    ]


def _raising(function: Function) -> Iterator[ast.AST]:
    for node in ast.walk(function):
        if isinstance(node, ast.Raise) or (isinstance(node, ast.Name) and node.id == "translate_errors"):
            yield node


def test_fronts_document_what_they_raise() -> None:
    assert len(FACES) > 5
    assert not [each for module in FACES for each in silent(module)]


def test_connection_methods_document_what_they_raise() -> None:
    assert not [each for each in silent(DOOR) if not each.endswith(": translate_errors")]


def test_an_undocumented_exception_is_found() -> None:
    planted = Module(DOOR.path)
    planted.__dict__["tree"] = ast.parse('def told():\n    """Tell."""\n    raise ValueError\n')
    assert len(silent(planted)) == 1
