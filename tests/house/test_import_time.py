"""The client opens at once: importing it loads nothing that a first line does not need."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

import pytest

from tests.support.timeouts import MAX_SECONDS
from tests.support.tree import ROOT, Module, modules

LATE = [
    "dialect",
    "budgets",
    "engine",
    "duckdb",
    "httpx2",
    "lark",
    "numpy",
    "opendp",
    "pandas",
    "polars",
    "pyarrow",
    "sqlalchemy",
    "sqlglot",
]


def test_importing_the_client_loads_nothing_heavy() -> None:
    program = "import json, sys, passersby; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(
        subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True, timeout=MAX_SECONDS)
    )
    assert not set(loaded) & set(LATE)


BY_OTHERS = "passersby.dbapi.sqlalchemy"  # SQLAlchemy loads it, and the door never does


@pytest.mark.parametrize(
    "module", [module for module in modules("passersby") if module.name != BY_OTHERS], ids=lambda module: module.where
)
def test_the_client_imports_the_engine_inside_functions_only(module: Module) -> None:
    assert not [name for name in _imported_at_once(module.tree.body) if name.partition(".")[0] in LATE]


def _imported_at_once(body: list[ast.stmt]) -> list[str]:
    """List what is imported when the module is; a block for type checkers only is not."""
    names: list[str] = []
    for node in body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(str(node.module))
        elif isinstance(node, ast.If | ast.Try) and "TYPE_CHECKING" not in ast.dump(getattr(node, "test", node)):
            names += _imported_at_once(node.body)
    return names
