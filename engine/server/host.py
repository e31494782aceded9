"""Start a server, or create its first admin: entry points for the engine's front. Importing them loads no server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from budgets import ParamError
from engine.catalog.bundled import find_catalog
from engine.errors import refusals

if TYPE_CHECKING:
    from engine.server.settings import Settings

Setting = str | int | float | bool | None


def serve(
    on_ready: Callable[[str, tuple[tuple[str, str], ...]], None],
    *,
    config: str | None = None,
    demo: bool = False,
    **given: Setting,
) -> None:
    """Serve until a signal. Raises Refused.

    `on_ready` is called once with the server's address and, for a demonstration, each role's key. `given` are settings
    by name (docs/server.md); None means: from the environment, the settings file, or the default.
    """
    from engine.server.app import run_server

    with refusals():
        run_server(_settings(config, given), lambda running: on_ready(running.url, running.keys), demo=demo)


def ensure_catalog(progress: Callable[[str, float], None], *, config: str | None = None, **given: Setting) -> None:
    """Check that a server's catalog exists, and generate a bundled catalog's data if missing; raises Refused."""
    with refusals():
        find_catalog(_settings(config, given).catalog, progress)


def bootstrap(name: str, *, config: str | None = None, again: bool = False, **given: Setting) -> dict[str, Any]:
    """Create the key of a server's first admin, on its own machine; raises Refused where there is an admin.

    `again` revokes every admin's key first; `taken_back` lists their names. The catalog must be named, here or in the
    settings: a key for the made-up operator opens nobody's own data.
    """
    from engine.server.app import make_first_admin

    with refusals():
        settings = _settings(config, given)
        if "catalog" not in settings.model_fields_set:
            why = "It is not said whose catalog the key is for."
            raise ParamError(why, "CATALOG (the demo's is operator), --config FILE, or PASSERSBY_SERVER_CATALOG")
        return make_first_admin(settings, name, again=again)


def _settings(config: str | None, given: dict[str, Setting]) -> Settings:
    from pydantic import ValidationError

    from engine.server.settings import read_settings

    try:
        return read_settings(None if config is None else Path(config), **given)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        where = ".".join(map(str, first["loc"])) or "settings"
        why = f"{where}: {first['msg'].removeprefix('Value error, ')}."
        raise ParamError(why, "docs/server.md has every setting") from None
    except FileNotFoundError:
        raise ParamError(f"There is no settings file {config}.", "--config with a file that is there") from None
    except (OSError, ValueError):
        why = f"The settings file {config} can't be read as TOML."
        raise ParamError(why, "settings as docs/server.md lists them: NAME = VALUE, one a line") from None
