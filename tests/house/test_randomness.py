"""The only randomness is OpenDP's: no other source is imported, none is called in SQL, and nobody can choose a seed."""

from __future__ import annotations

import ast
import re

import pytest

from tests.support.tree import Module, modules

SOURCES = {"random", "secrets", "numpy.random"}
OF_KEYS = {"engine/server/keys.py": {"secrets"}}  # keys and ids that nobody guesses: no number of an answer
SQL_SOURCES = re.compile(r"\b(random|setseed|gen_random_uuid|uuid)\s*\(", re.IGNORECASE)
CHOSEN = {"seed", "rng", "random_state"}


def _imported(module: Module) -> set[str]:
    """Give every dotted name that a module imports, or reaches as an attribute of numpy."""
    names = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in {"np", "numpy"}:
            names.add(f"numpy.{node.attr}")
    return names


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.where)
def test_no_source_of_randomness_but_the_one(module: Module) -> None:
    assert _imported(module) & SOURCES == OF_KEYS.get(module.where, set())
    texts = [
        node.value for node in ast.walk(module.tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert not [text for text in texts if SQL_SOURCES.search(text)]


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.where)
def test_nobody_chooses_a_seed(module: Module) -> None:
    taken = [
        f"{function.name}({argument.arg})"
        for function in module.functions()
        for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
        if argument.arg in CHOSEN or argument.arg.endswith("_seed")
    ]
    assert not taken
