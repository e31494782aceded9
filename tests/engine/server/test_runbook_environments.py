"""The runbook's commands run as processes, with the environment of the unit and of the container and with no more."""

from __future__ import annotations

import http.client
import re
import shlex
import shutil
import ssl
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engine.ingest_town import GOOD, make, new_file
from tests.engine.server.test_runbook import RUNBOOK, prefix
from tests.support.server.ports import free_port
from tests.support.server.serving import ANSWERS_AT, PROGRAM, bearer
from tests.support.server.sinks import certificate
from tests.support.timeouts import MAX_SECONDS, killed_after_timeout
from tests.support.tree import ROOT

RECIPE = (ROOT / "operations" / "Containerfile").read_text(encoding="utf-8")
UNIT = (ROOT / "operations" / "passersby.service").read_text(encoding="utf-8")
LOCALE = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT)}
WHILE_IT_RUNS = """
pby bootstrap --name ana
pby ledger backup /backup/city-2026-11-26.ledger
pby ledger anchor --ledger /backup/city-2026-11-26.ledger > /elsewhere/city-2026-11-26.anchor.json
pby ledger anchor > /elsewhere/city.anchor.json
pby ledger verify --anchor /elsewhere/city.anchor.json
pby object PERSON --reason TEXT
pby ingest TABLE FILES
pby catalog check
pby catalog diff NEW.toml
pby freeze --dataset city --reason "charges since 26 November are lost"
pby thaw --dataset city --reason TEXT
"""
AFTER_A_LOSS = """
pby ledger restore /backup/city-2026-11-26.ledger --anchor /elsewhere/city.anchor.json
pby ledger verify --anchor /elsewhere/city-2026-11-26.anchor.json
pby bootstrap --again --name ana
pby catalog forget
"""
AGAIN = "pby ledger restore /backup/city-2026-11-26.ledger --anchor /elsewhere/city-2026-11-26.anchor.json"


@dataclass
class Environment:
    """One way to run a server that the page describes, in a folder of this test."""

    root: Path
    service: dict[str, str]  # what the server finds in its environment, but for the locale
    commands: dict[str, str]  # what `pby` does
    served: tuple[str, ...]  # the words behind `passersby`
    places: dict[str, str]  # of the page -> of this test

    def here(self, text: str) -> str:
        for place, mine in self.places.items():
            text = re.sub(rf"(?<![\w/]){re.escape(place)}(?![\w])", mine, text)
        return text

    def _environment(self, own: dict[str, str]) -> dict[str, str]:
        return {**LOCALE, "HOME": str(self.root / "home"), **{key: self.here(value) for key, value in own.items()}}

    def pby(self, command: str) -> tuple[int, str, str]:
        """Run a command of the page; returns its exit code, output and errors."""
        given, _, to = command.removeprefix("pby ").partition(" > ")
        for said, mine in (
            ("TABLE FILES", f"visit {self.root}/new/a.csv"),
            ("PERSON", "7"),
            ("TEXT", "letter"),
            ("NEW.toml", str(self.root / "city" / "catalog.toml")),
            ("--dataset city", "--dataset town"),
        ):
            given = given.replace(said, mine)
        words = [sys.executable, "-c", PROGRAM, *shlex.split(self.here(given))]
        ran = subprocess.run(
            words, capture_output=True, text=True, timeout=MAX_SECONDS, env=self._environment(self.commands)
        )
        if to:
            Path(self.here(to)).write_text(ran.stdout, encoding="utf-8")
        return ran.returncode, ran.stdout, ran.stderr

    def done(self, commands: str) -> list[str]:
        said = []
        for command in commands.strip().splitlines():
            code, out, complaint = self.pby(command)
            assert code == 0, (command, out, complaint)
            said.append(out)
        return said

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Start the server as the unit or the container does, until questions can be asked."""
        words = [sys.executable, "-c", PROGRAM, *map(self.here, self.served)]
        with (self.root / "log").open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                words, stdout=subprocess.PIPE, stderr=log, text=True, env=self._environment(self.service)
            )
            try:
                assert process.stdout is not None
                with killed_after_timeout(process):
                    found = ANSWERS_AT.match(process.stdout.readline())
                assert found is not None, (self.root / "log").read_text(encoding="utf-8")
                yield found[1]
            finally:
                process.terminate()
                process.wait(MAX_SECONDS)


def of_unit(root: Path) -> Environment:
    """Read the unit, the page's settings and the page's pby."""
    (service,) = re.findall(r"^Environment=(.*)$", UNIT, re.MULTILINE)
    (served,) = re.findall(r"^ExecStart=\S+ (.*)$", UNIT, re.MULTILINE)
    (settings,) = re.findall(r"^```toml\n(.*?)^```$", RUNBOOK, re.MULTILINE | re.DOTALL)
    places = {
        "/srv/city": f"{root}/city",
        "/var/lib/passersby": f"{root}/books",
        "/var/cache/passersby": f"{root}/copies",
        "/etc/passersby": f"{root}/etc",
        "/backup": f"{root}/backup",
        "/elsewhere": f"{root}/elsewhere",
    }
    own = dict(re.findall(r"(PASSERSBY_\w+)=(\S+)", prefix()))
    made = Environment(root, dict(each.split("=") for each in service.split()), own, tuple(shlex.split(served)), places)
    chain, key = certificate(root / "new")
    shutil.copy(chain, root / "etc" / "cert.pem")
    shutil.copy(key, root / "etc" / "key.pem")
    file = root / "etc" / "server.toml"
    file.write_text(made.here(settings) + "port = 0\n", encoding="utf-8")
    assert tomllib.loads(file.read_text("utf-8"))["host"] == "0.0.0.0"
    return made


def of_container(root: Path) -> Environment:
    """Read the recipe's environment and entry, and what the page's `podman run` adds."""
    (block,) = re.findall(r"^ENV (.*?)^EXPOSE", RECIPE, re.MULTILINE | re.DOTALL)
    told = dict(re.findall(r"(PASSERSBY_\w+)=(\S+)", block))
    told["PASSERSBY_SERVER_PORT"] = str(free_port())  # as the page says of another one
    (entry,) = re.findall(r'^ENTRYPOINT \["passersby", "(\w+)"\]$', RECIPE, re.MULTILINE)
    (given,) = re.findall(r"podman run -d .*\\\n.* passersby (.*)$", RUNBOOK, re.MULTILINE)
    places = {
        "/data": f"{root}/city",
        "/books": f"{root}/books",
        "/copies": f"{root}/copies",
        "/backup": f"{root}/backup",
        "/elsewhere": f"{root}/elsewhere",
    }
    return Environment(root, told, told, (entry, *shlex.split(given)), places)


@pytest.fixture(params=[of_unit, of_container], ids=["unit", "container"])
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> Environment:
    for folder in ("city", "books", "copies", "etc", "backup", "elsewhere", "home", "new"):
        (tmp_path / folder).mkdir(mode=0o700)
    make(tmp_path / "city")
    new_file(tmp_path / "new" / "a.csv", *GOOD)
    made: Environment = request.param(tmp_path)
    return made


def answer(url: str, path: str, **headers: str) -> int:
    """Send a request to a server on this machine, which has a self-signed certificate."""
    anyone = ssl.create_default_context()
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    scheme, _, rest = url.partition("://")
    port = int(rest.rpartition(":")[2])
    if scheme == "https":
        line: http.client.HTTPConnection = http.client.HTTPSConnection("127.0.0.1", port, context=anyone)
    else:
        line = http.client.HTTPConnection("127.0.0.1", port)
    line.request("GET", path, headers=headers)
    return line.getresponse().status


def is_ready(url: str) -> bool:
    """Wait for /readyz: it answers 503 until the worker, the ledger and the disk were first looked at."""
    end = time.monotonic() + MAX_SECONDS
    while answer(url, "/readyz") != 200:
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def test_the_runbook_s_commands_work_as_documented(environment: Environment) -> None:
    made, *_ = environment.done(WHILE_IT_RUNS.strip().splitlines()[0])
    with environment.serving() as url:
        assert is_ready(url)
        assert answer(url, "/v1/admin/clients", **bearer(made.strip())) == 200
        environment.done("\n".join(WHILE_IT_RUNS.strip().splitlines()[1:]))
    assert (environment.root / "backup" / "city-2026-11-26.ledger.objections").exists()
    (environment.root / "books" / "city.ledger").unlink()
    shutil.rmtree(environment.root / "books" / "marks", ignore_errors=True)
    environment.done(AFTER_A_LOSS)
    with environment.serving() as url:
        assert is_ready(url)
    found = [path.name for folder in ("home", "copies") for path in (environment.root / folder).rglob("*")]
    assert not [name for name in found if "operator" in name], "the demo's people were made beside somebody's own"
    assert not list((environment.root / "home").iterdir()), "a command looked into a folder that is not the service's"


def test_every_command_of_the_page_is_run() -> None:
    ran = [*WHILE_IT_RUNS.strip().splitlines(), *AFTER_A_LOSS.strip().splitlines(), AGAIN]
    named = re.findall(r"(?:^ *|`)(pby [a-z][^`\n]*)", RUNBOOK, re.MULTILINE)
    assert named and not [each for each in named if not any(f"{one} ".startswith(f"{each.rstrip()} ") for one in ran)]


def test_the_runbook_calls_only_tools_of_every_system() -> None:
    """Back up and restore call nothing that an image or a server would have to be given."""
    section = RUNBOOK.partition("\n## Back up\n")[2].partition("\n## A ledger in PostgreSQL\n")[0]
    lines = [
        line
        for block in re.findall(r"^ *```\n(.*?)^ *```$", section, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    called = {re.sub(r"^sudo ", "", line.strip()).split()[0] for line in lines if line.strip()}
    assert called == {"pby", "install", "systemctl", "mkdir", "find", "test"}


def test_the_image_has_the_extra_of_every_setting() -> None:
    (extras,) = re.findall(r"install [^'\n]*'\.\[([\w,]+)\]'", RECIPE)
    assert {"server", "postgres", "oidc", "flight"} <= set(extras.split(","))
