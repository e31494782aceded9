"""The only randomness is OpenDP's: no other source is imported, none is called in SQL, and nobody can choose a seed."""

from __future__ import annotations

import ast
import re

from tests.support.tree import Module, modules

SOURCES = {"random", "secrets", "numpy.random"}
OF_KEYS = {"engine/server/auth/keys.py": {"secrets"}}  # keys and ids that nobody guesses: no number of an answer
SQL_SOURCES = re.compile(r"\b(random|setseed|gen_random_uuid|uuid)\s*\(", re.IGNORECASE)
CHOSEN = {"seed", "rng", "random_state"}


def _imported(module: Module) -> set[str]:
    """Every dotted name that a module imports, or reaches as an attribute of numpy."""
    names = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in {"np", "numpy"}:
            names.add(f"numpy.{node.attr}")
    return names


def test_no_source_of_randomness_but_the_one() -> None:
    taken = {module.where: _imported(module) & SOURCES for module in modules()}
    assert {where: sources for where, sources in taken.items() if sources} == OF_KEYS


def test_no_sql_draws_by_itself() -> None:
    assert not [
        f"{module.where}:{node.lineno}: {node.value}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL_SOURCES.search(node.value)
    ]


def test_nobody_chooses_a_seed() -> None:
    assert not [
        f"{module.where}: {function.name}({argument.arg})"
        for module in modules()
        for function in module.functions()
        for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
        if argument.arg in CHOSEN or argument.arg.endswith("_seed")
    ]
