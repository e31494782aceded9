"""Thin fronts: a package exports what it names, and no inner module imports its own front."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from types import ModuleType

import pytest

from tests.support.tree import PACKAGES, Module, committed_files, modules


def _imported(front: Module) -> set[str]:
    """Public names that a front imports from the project, which is to say exports."""
    imports = (node for node in front.tree.body if isinstance(node, ast.ImportFrom))
    aliases = [alias for node in imports if (node.module or "").split(".")[0] in PACKAGES for alias in node.names]
    return {name for alias in aliases if not (name := alias.asname or alias.name).startswith(("_", "*"))}


def _taken(tree: ast.AST) -> Iterator[str]:
    """Names that a file takes from packages: `from package import name`, or package.name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute):
            yield ast.unparse(node)


def _used(front: Module) -> set[str]:
    """Names that a front's own code uses."""
    return {node.id for node in ast.walk(front.tree) if isinstance(node, ast.Name)}


def _listed(front: Module) -> set[str]:
    """Names of __all__, which the fronts of users have."""
    values = [node.value for node in front.tree.body if isinstance(node, ast.Assign) and "__all__" in ast.dump(node)]
    return {name for value in values if isinstance(value, ast.List) for name in ast.literal_eval(value)}


FACES = {module.name: module for module in modules() if module.is_face}
NAMES = {module.name for module in modules()}


def test_a_front_exports_only_what_is_taken_from_it() -> None:
    texts = [path.read_text(encoding="utf-8") for path in committed_files() if path.suffix == ".py"]
    taken = {target for text in texts for target in _taken(ast.parse(text))}
    found = [
        f"{front}: nobody takes {name} from it; import it no more"
        for front, module in FACES.items()
        for name in sorted(_imported(module) - _used(module) - _listed(module))
        if f"{front}.{name}" not in taken
    ]
    assert not found, found


@pytest.mark.parametrize("front", [front for front, module in FACES.items() if _listed(module)])
def test_dunder_all_equals_the_public_names(front: str) -> None:
    package = importlib.import_module(front)
    there = {name for name, value in vars(package).items() if _is_shown(front, name, value)}
    assert there <= _listed(FACES[front]), f"{front} shows what __all__ does not name"
    assert not [name for name in package.__all__ if not hasattr(package, name)]


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
