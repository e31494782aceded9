"""The engine, dialect and budgets that the door opens are its own: no file of the same name may stand before them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from passersby.errors import INSTALL, InstallError

SIBLINGS = ("engine", "dialect", "budgets")
PLACE = Path(__file__).parents[2]  # where the four packages of this distribution lie side by side


def check_siblings() -> None:
    """Raise InstallError where Python would take engine, dialect or budgets from elsewhere; none of them is run."""
    for name in SIBLINGS:
        own, found = PLACE / name / "__init__.py", _found(name)
        if found is None or not _same(found, own):
            raise _lost(name, own) if found is None or not own.exists() else _hidden(name, found)


def _found(name: str) -> Path | None:
    """Find the file that `import name` would run, or has run."""
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # a module that was made by hand and says nothing of its file
        return Path(str(getattr(sys.modules[name], "__file__", "a module made in memory")))
    if spec is None:
        return None
    return Path(spec.origin or next(iter(spec.submodule_search_locations or ()), ""))


def _same(found: Path, own: Path) -> bool:
    return found == own or (found.exists() and own.exists() and found.samefile(own))


def _hidden(name: str, found: Path) -> InstallError:
    return InstallError(
        "E_INSTALL",
        f"{found} hides the package {name} of passersby, which lies in {PLACE}.",
        f"rename {found.name if found.stem == name else name}, or start Python in another folder.",
        details={"file": str(found)},
    )


def _lost(name: str, own: Path) -> InstallError:
    return InstallError(
        "E_INSTALL",
        f"The package {name} of passersby is not where it was installed: {own.parent}.",
        INSTALL.format("engine").replace("install", "install --force-reinstall", 1),
    )
