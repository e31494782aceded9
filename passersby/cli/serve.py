"""Commands of the server's machine: serve, and the first admin's key."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from passersby.cli.options import LEDGER, refusals
from passersby.cli.output import Format
from passersby.client.connect import OPERATOR, engine_module
from passersby.client.progress import show_copying

LISTEN, STORAGE = "Listen", "Keep"
CatalogNamed = Annotated[
    str | None, typer.Argument(metavar="CATALOG", help="operator, mibici, or a catalog file.", show_default="operator")
]
KeyCatalog = Annotated[
    str | None, typer.Argument(metavar="CATALOG", help="Catalog of the server, unless its settings name one.")
]
Config = Annotated[
    str | None,
    typer.Option(
        "--config", metavar="FILE", envvar="PASSERSBY_SERVER_CONFIG", help="Settings as TOML: docs/server.md."
    ),
]
LedgerOption = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        metavar="FILE|URL",
        envvar=LEDGER,
        help="The ledger; keys and jobs are stored next to it.",
        rich_help_panel=STORAGE,
    ),
]
Secret = Annotated[
    str | None,
    typer.Option(
        "--secret-file", metavar="FILE", help="File with the secret that keys are hashed with.", rich_help_panel=STORAGE
    ),
]


def serve(
    catalog: CatalogNamed = None,
    *,
    config: Config = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="The synthetic operator, a temporary ledger, and keys ready to copy.")
    ] = False,
    host: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Where to listen.", show_default="127.0.0.1", rich_help_panel=LISTEN),
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="0 takes a free one.", show_default="8021", rich_help_panel=LISTEN)
    ] = None,
    flight_port: Annotated[
        int | None,
        typer.Option("--flight-port", help="Flight SQL, for BI tools: docs/flight.md.", rich_help_panel=LISTEN),
    ] = None,
    tls_cert: Annotated[
        str | None, typer.Option(metavar="FILE", help="Certificate chain, PEM.", rich_help_panel=LISTEN)
    ] = None,
    tls_key: Annotated[str | None, typer.Option(metavar="FILE", help="Its key, PEM.", rich_help_panel=LISTEN)] = None,
    behind_tls_proxy: Annotated[
        bool | None,
        typer.Option(
            "--behind-tls-proxy",
            help="A proxy in front of the server terminates TLS: no certificate is needed.",
            rich_help_panel=LISTEN,
        ),
    ] = None,
    ledger: LedgerOption = None,
    secret_file: Secret = None,
) -> None:
    """Serve queries over HTTP: an OpenAPI at /openapi.json, keys, budgets, jobs (docs/server.md).

    Without TLS it listens on this machine alone. The first admin's key: [bold]passersby bootstrap[/bold].
    """
    options: dict[str, object] = {"tls_cert": tls_cert, "tls_key": tls_key, "behind_tls_proxy": behind_tls_proxy}
    options |= {"host": host, "port": port, "flight_port": flight_port, "ledger": ledger, "secret_file": secret_file}
    with refusals(Format.TABLE), _demo_ledger(demo) as ledger_setting, engine_module() as engine:
        settings = {**options, "catalog": OPERATOR if demo else catalog, **ledger_setting}
        with show_copying() as progress:
            engine.ensure_catalog(progress, config=config, **settings)
        engine.serve(_print_address, config=config, demo=demo, **settings)


def bootstrap(
    catalog: KeyCatalog = None,
    *,
    name: Annotated[str, typer.Option("--name", help="The admin's name, as recorded in the ledger.")],
    again: Annotated[
        bool, typer.Option("--again", help="Where there is an admin: revoke every admin's key, at once.")
    ] = False,
    config: Config = None,
    ledger: LedgerOption = None,
    secret_file: Secret = None,
) -> None:
    """Make the first admin's key, once, on the server's machine; it is shown here and never again."""
    with refusals(Format.TABLE), engine_module() as engine:
        options = {"catalog": catalog, "ledger": ledger, "secret_file": secret_file}
        new_key = engine.bootstrap(name, config=config, again=again, **options)
    for old in new_key["taken_back"]:
        typer.echo(f"Taken back: a key of admin {old}.", err=True)
    typer.echo(f"Key of admin {new_key['name']}, until {new_key['expires_at'][:10]}; it is not shown again:", err=True)
    typer.echo(new_key["key"])


@contextmanager
def _demo_ledger(demo: bool) -> Iterator[dict[str, str | None]]:
    """Temporary ledger of a demonstration, deleted at its end."""
    with tempfile.TemporaryDirectory(prefix="passersby-demo-") if demo else nullcontext("") as folder:
        yield {"ledger": str(Path(folder) / "demo.ledger")} if demo else {}


def _print_address(url: str, keys: tuple[tuple[str, str], ...]) -> None:
    """Print the server's address and, for a demonstration, keys and an example request."""
    typer.echo(f"passersby answers at {url}  (ends with Ctrl+C), in a browser at {url}/console")
    of = dict(keys)
    if "analyst" in of:
        typer.echo(
            f"\n  export PASSERSBY_API_KEY={of['analyst']}\n"
            f'  curl -s {url}/v1/queries -H "Authorization: Bearer $PASSERSBY_API_KEY" \\\n'
            "    -H 'Content-Type: application/json' -d '{\"sql\": \"SELECT count(*) AS trips FROM trip\"}'\n"
        )
        for role, key in keys:
            typer.echo(f"  {role:8} {key}")
