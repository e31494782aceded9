"""Connect: a catalog, opened in process by an engine that loads only now, or a server -> Connection.

The engine, dialect and budgets that it opens are those of this distribution: no file of the same name may stand before
them.
"""

from __future__ import annotations

import gc
import getpass
import importlib.util
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from passersby.client.address import is_address
from passersby.client.connection import Connection, as_errors
from passersby.client.progress import shown_making
from passersby.errors import INSTALL, InstallError, RefusedError

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


Progress = Callable[[str, float], None]
OPERATOR = "operator"  # the catalog whose data are made at first use
OF_SERVERS = {
    "fastapi",
    "limits",
    "prometheus_client",
    "pydantic",
    "pydantic_settings",
    "starlette",
    "structlog",
    "uvicorn",
}


def connect(
    where: str | os.PathLike[str],
    *,
    client: str | None = None,
    api_key: str | None = None,
    ledger: str | os.PathLike[str] | None = None,
) -> Connection:
    """Open a catalog, by name or file, for a client; everything the client asks is kept in one ledger.

    `where` is a server's address, https://..., or `operator`, `mibici`, or the path of a catalog file, in process.
    `client` is the name on whose account questions are charged: in process the user's, if absent; at a server the
    key's, and another only for admins and auditors, who look at accounts.
    `api_key` is a server's; if absent, PASSERSBY_API_KEY is it.
    `ledger`, in process, is a file or a postgresql:// URL, made where it is absent; the default is one ledger per
    catalog in the user's data folder.
    Raise CatalogError for a catalog that is not accepted, InstallError where the engine is missing or hidden,
    AccessError for a key that opens nothing, ServerError where none answers.
    """
    where = os.fspath(where)
    if is_address(where):
        return open_far(where, client=client, api_key=api_key, ledger=ledger)
    if api_key is not None:
        why = "api_key is for servers; a catalog is opened in process, by whoever may read its files."
        raise RefusedError("E_PARAM", why, "leave api_key out, and say who asks: client='ana'")
    with shown_making() as progress:
        return open_in_process(where, client=client, ledger=ledger, progress=progress)


def open_far(
    where: str, *, client: str | None, api_key: str | None, ledger: str | os.PathLike[str] | None
) -> Connection:
    """Open a line to a server; no engine is loaded."""
    _check_name(client)
    if ledger is not None:
        raise RefusedError("E_PARAM", "A server keeps its own ledger.", "leave ledger out")
    from passersby.client.remote import reach

    far, name = reach(where, client=client, api_key=api_key)
    return Connection(name, far=far)


def open_in_process(
    where: str, *, client: str | None, ledger: str | os.PathLike[str] | None, progress: Progress
) -> Connection:
    """Open a catalog here, and tell how far the making of its data is, where they have to be made first."""
    _check_name(client)
    with engine_face() as engine:
        desk = engine.open_desk(where, ledger=None if ledger is None else os.fspath(ledger), progress=progress)
    return Connection(client or user_name(), near=desk)


def _check_name(client: str | None) -> None:
    """Refuse a name that is empty: it would be charged to somebody that nobody named."""
    if client is not None and not client.strip():
        raise RefusedError("E_PARAM", "The client's name is empty.", "client='ana', or leave it out")


def user_name() -> str:
    """Give the name of whoever runs this, in normal form; `analyst` where the system knows none."""
    try:
        return " ".join(unicodedata.normalize("NFKC", getpass.getuser()).split()) or "analyst"
    except (KeyError, OSError, ImportError):  # a container may have no such user
        return "analyst"


@contextmanager
def engine_face() -> Iterator[ModuleType]:
    """Load the engine, once it is sure to be ours, and turn what it refuses into the door's errors."""
    check_siblings()
    try:
        engine = _loaded()
        with as_errors():
            yield engine
    except ModuleNotFoundError as missing:
        raise missing_extra(missing) from None


def _loaded() -> ModuleType:
    """Import the engine without looking for garbage: what is imported stays, and the looks took a fifth of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        import engine
    finally:
        if collecting:
            gc.enable()
    return engine


def missing_extra(missing: ModuleNotFoundError) -> InstallError:
    """Say which package the engine misses, and what installs it."""
    name = (missing.name or "").partition(".")[0]
    if name in SIBLINGS:
        raise missing
    who, extra = ("A server", "server") if name in OF_SERVERS else ("The engine", "engine")
    return InstallError("E_INSTALL", f"{who} needs {name}, which is not installed.", INSTALL.format(extra))
