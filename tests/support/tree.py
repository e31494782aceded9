"""The source tree as text and syntax trees, for tests of the code itself."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("passersby", "engine", "dialect", "budgets")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One Python file of a package."""

    path: Path

    @property
    def where(self) -> str:
        """Path relative to the project."""
        return str(self.path.relative_to(ROOT))

    @property
    def name(self) -> str:
        """Dotted name; that of an __init__ is the package's."""
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def is_face(self) -> bool:
        """Return whether this is a package's __init__."""
        return self.path.name == "__init__.py"

    @cached_property
    def text(self) -> str:
        """Read the file."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """Parse the file."""
        return ast.parse(self.text, filename=str(self.path))

    def functions(self) -> Iterator[Function]:
        """Iterate over every function and method."""
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))

    def docstrings(self) -> Iterator[str]:
        """Iterate over the docstrings of the file, its classes and functions."""
        owners = ast.Module | ast.ClassDef | Function
        found = (ast.get_docstring(node) for node in ast.walk(self.tree) if isinstance(node, owners))
        return (docstring for docstring in found if docstring)


@lru_cache
def modules(package: str | None = None) -> tuple[Module, ...]:
    """List the modules of one package, or of all four."""
    if package is None:
        return tuple(module for each in PACKAGES for module in modules(each))  # read and parsed once
    return tuple(Module(path) for path in sorted((ROOT / package).rglob("*.py")))


@lru_cache
def committed_files() -> tuple[Path, ...]:
    """List the project's files: tracked ones, and new ones that are not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return tuple(path for path in (ROOT / name for name in listed if name) if path.is_file())
