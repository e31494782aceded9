"""Open a connection: to a server, or to a catalog in process, whose engine is loaded only now.

The packages engine, dialect and budgets must be those of this distribution, not files of the same name elsewhere.
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
from passersby.client.connection import Connection, translate_errors
from passersby.client.progress import show_copying
from passersby.errors import INSTALL_COMMAND, InstallError, RefusedError

ENGINE_PACKAGES = ("engine", "dialect", "budgets")
PACKAGE_ROOT = Path(__file__).parents[2]  # folder with the four packages of this distribution


def check_packages() -> None:
    """Raise InstallError if Python would import engine, dialect or budgets from elsewhere; imports none of them."""
    for name in ENGINE_PACKAGES:
        own, found = PACKAGE_ROOT / name / "__init__.py", _locate(name)
        if found is None or not _is_same_file(found, own):
            raise _missing_error(name, own) if found is None or not own.exists() else _shadowed_error(name, found)


def _locate(name: str) -> Path | None:
    """Source file of a module, imported or not; None where there is none."""
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # a module without a spec, made by hand
        return Path(str(getattr(sys.modules[name], "__file__", "a module made in memory")))
    if spec is None:
        return None
    return Path(spec.origin or next(iter(spec.submodule_search_locations or ()), ""))


def _is_same_file(found: Path, own: Path) -> bool:
    return found == own or (found.exists() and own.exists() and found.samefile(own))


def _shadowed_error(name: str, found: Path) -> InstallError:
    return InstallError(
        "E_INSTALL",
        f"{found} hides the package {name} of passersby, which lies in {PACKAGE_ROOT}.",
        f"rename {found.name if found.stem == name else name}, or start Python in another folder.",
        details={"file": str(found)},
    )


def _missing_error(name: str, own: Path) -> InstallError:
    return InstallError(
        "E_INSTALL",
        f"The package {name} of passersby is not where it was installed: {own.parent}.",
        INSTALL_COMMAND.format("engine").replace("install", "install --force-reinstall", 1),
    )


Progress = Callable[[str, float], None]
OPERATOR = "operator"  # catalog whose synthetic data are made at first use
SERVER_PACKAGES = {
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
    """Open a catalog, by name or file, or a server, for a client; every query is charged in one ledger.

    `where` is a server's URL, https://..., or a catalog for use in process: `operator`, `mibici`, or a file's path.
    `client` is the account that queries are charged to. In process the default is the system's user name; at a server
    it is the key's client, and only admins and auditors may name another one, to inspect its accounts. `api_key` is a
    server's key; the default is PASSERSBY_API_KEY. `ledger`, in process only, is a file or a postgresql:// URL, created
    if missing; the default is one ledger per catalog in the user's data folder. Raise CatalogError for an invalid
    catalog, InstallError if the engine is missing or shadowed, AccessError for an invalid key, ServerError if no server
    answers.
    """
    where = os.fspath(where)
    if is_address(where):
        return open_remote(where, client=client, api_key=api_key, ledger=ledger)
    if api_key is not None:
        why = "api_key is for servers; a catalog is opened in process, by whoever may read its files."
        raise RefusedError("E_PARAM", why, "leave api_key out, and say who asks: client='ana'")
    with show_copying() as progress:
        return open_in_process(where, client=client, ledger=ledger, progress=progress)


def open_remote(
    where: str, *, client: str | None, api_key: str | None, ledger: str | os.PathLike[str] | None
) -> Connection:
    """Connect to a server, without loading the engine; raise RefusedError, AccessError or ServerError."""
    _check_name(client)
    if ledger is not None:
        raise RefusedError("E_PARAM", "A server keeps its own ledger.", "leave ledger out")
    from passersby.client.remote import connect_remote

    remote, name = connect_remote(where, client=client, api_key=api_key)
    return Connection(name, remote=remote)


def open_in_process(
    where: str, *, client: str | None, ledger: str | os.PathLike[str] | None, progress: Progress
) -> Connection:
    """Open a catalog in process; progress is reported if its data have to be made first."""
    _check_name(client)
    with engine_module() as engine:
        session = engine.open_session(where, ledger=None if ledger is None else os.fspath(ledger), progress=progress)
    return Connection(client or user_name(), session=session)


def _check_name(client: str | None) -> None:
    """Reject an empty client name, which would be charged to an account that nobody named."""
    if client is not None and not client.strip():
        raise RefusedError("E_PARAM", "The client's name is empty.", "client='ana', or leave it out")


def user_name() -> str:
    """Return the system's user name in Unicode normal form; `analyst` if there is none."""
    try:
        return " ".join(unicodedata.normalize("NFKC", getpass.getuser()).split()) or "analyst"
    except (KeyError, OSError, ImportError):  # containers may lack a user entry
        return "analyst"


@contextmanager
def engine_module() -> Iterator[ModuleType]:
    """Import the engine after `check_packages`, and translate its errors to those of passersby.errors."""
    check_packages()
    try:
        engine = _import_engine()
        with translate_errors():
            yield engine
    except ModuleNotFoundError as missing:
        raise missing_extra_error(missing) from None


def _import_engine() -> ModuleType:
    """Import the engine with garbage collection off: no module is freed, and collections took 1/5 of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        import engine
    finally:
        if was_enabled:
            gc.enable()
    return engine


def missing_extra_error(missing: ModuleNotFoundError) -> InstallError:
    """Build the InstallError for a package that the engine lacks, with the command that installs it."""
    name = (missing.name or "").partition(".")[0]
    if name in ENGINE_PACKAGES:
        raise missing
    component, extra = ("A server", "server") if name in SERVER_PACKAGES else ("The engine", "engine")
    return InstallError(
        "E_INSTALL", f"{component} needs {name}, which is not installed.", INSTALL_COMMAND.format(extra)
    )
