"""Thin fronts: a package exports what it names, and no inner module imports its own front."""

from __future__ import annotations

import ast
import importlib
from types import ModuleType

import pytest

from tests.support.tree import Module, modules

FACES = [module.name for module in modules() if module.is_face]
NAMES = {module.name for module in modules()}


@pytest.mark.parametrize("face", FACES)
def test_dunder_all_equals_the_public_names(face: str) -> None:
    package = importlib.import_module(face)
    named = set(getattr(package, "__all__", ()))
    there = {name for name, value in vars(package).items() if _is_shown(face, name, value)}
    assert there <= named, f"{face} shows what __all__ does not name"
    missing = {name for name in named if not hasattr(package, name)}
    assert not missing, f"{face}.__all__ names what is not there"


def test_no_module_imports_its_own_front() -> None:
    assert not [
        f"{module.where}:{line}: {target}"
        for module in modules()
        if not module.is_face
        for line, target in _names_taken(module)
        if module.name.startswith(f"{target.rpartition('.')[0]}.")
    ]


def _is_shown(face: str, name: str, value: object) -> bool:
    """Is a name public? A pipeline stage, which has its module's name, need not be exported."""
    return not (
        name.startswith("_") or name == "annotations" or isinstance(value, ModuleType) or f"{face}.{name}" in NAMES
    )


def _names_taken(module: Module) -> list[tuple[int, str]]:
    """List what is taken from a face: `package.name`, where name is no module of its own."""
    taken = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom):
            taken += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
        elif isinstance(node, ast.Import):
            taken += [(node.lineno, f"{alias.name}.") for alias in node.names if alias.name in FACES]
    return [(line, target) for line, target in taken if target not in NAMES]
