"""The runbook is run: its own commands back a ledger up while charges go on, and bring it back when it is lost."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine import Refused, open_admin, open_session
from engine.api.session import Session
from engine.server.auth.keys import Keys, read_pepper
from engine.server.http.roles import Role
from engine.server.storage import ServerTables
from passersby.cli.app import app
from tests.engine.town import make_town
from tests.support.tree import ROOT

RUNBOOK = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SHIMS = {  # this machine has neither the user nor the service
    "sudo": '#!/bin/sh\n[ "$1" = -u ] && shift 2\nexec "$@"\n',
    "systemctl": "#!/bin/sh\n",
    "install": """#!/bin/bash
kept=()
while (($#)); do case $1 in -o | -g) shift 2 ;; *) kept+=("$1"); shift ;; esac; done
command -p install "${kept[@]}"
""",
}


def blocks(heading: str) -> list[str]:
    """Commands below a heading, block by block."""
    section = RUNBOOK.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^( *)```\n(.*?)^ *```$", section, re.MULTILINE | re.DOTALL)
    return [re.sub(f"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def prefix() -> str:
    return next(iter(re.findall(r"^pby\(\) \{\n.*?^\}\n", RUNBOOK, re.MULTILINE | re.DOTALL)))


@dataclass
class Machine:
    """A machine with the page's folders, all in one of this test's."""

    root: Path
    catalog: str

    @property
    def ledger(self) -> Path:
        return self.root / "lib" / "city.ledger"

    def here(self, text: str) -> str:
        places = {
            "/opt/passersby/bin/": f"{Path(sys.executable).parent}/",
            "/srv/city/catalog.toml": self.catalog,
            "/var/lib/passersby": f"{self.root}/lib",
            "/var/cache/passersby": f"{self.root}/cache",
            "/etc/passersby": f"{self.root}/etc",
            "/backup": f"{self.root}/backup",
            "/elsewhere": f"{self.root}/elsewhere",
            "--dataset city": "--dataset town",
        }
        for place, mine in places.items():
            text = re.sub(rf"(?<![\w/]){re.escape(place)}", mine, text)
        return text

    def shell(self, command: str) -> tuple[int, str]:
        """Run a line in a shell, after the page's prefix; give its exit code and what it complains of."""
        path = f"{self.root}/shims:{os.environ['PATH']}"
        script = ["bash", "-c", f"{self.here(prefix())}\n{self.here(command)}"]
        ran = subprocess.run(script, capture_output=True, text=True, timeout=300, env={**os.environ, "PATH": path})
        return ran.returncode, ran.stderr

    def run(self, command: str) -> tuple[int, str]:
        """Run a line; passersby in this process, with what the prefix sets, since each of its own takes seconds."""
        if not command.startswith("pby "):
            return self.shell(command)
        given, _, to = self.here(command).partition(" > ")
        told = dict(re.findall(r"(PASSERSBY_\w+)=(\S+)", self.here(prefix())))
        ran = CliRunner().invoke(app, shlex.split(given)[1:], env=told)
        if to:
            Path(to).write_text(ran.stdout)
        return ran.exit_code, ran.stderr

    def done(self, commands: str, between: Callable[[], object] = lambda: None) -> None:
        for command in commands.strip().splitlines():
            code, complaint = self.run(command)
            assert code == 0, (command, complaint)
            between()

    def open_session(self) -> Session:
        return open_session(self.catalog, ledger=str(self.ledger))

    @contextmanager
    def keys(self) -> Iterator[Keys]:
        """Open the server's keys, as it does."""
        with closing(ServerTables.open_for(str(self.ledger))) as books:
            yield Keys(books, read_pepper(Path(f"{self.ledger}.secret")))

    def opens(self, key: str) -> bool:
        with self.keys() as keys:
            return keys.principal(key) is not None


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path, make_town(tmp_path).path)
    for folder in ("lib", "cache", "etc", "elsewhere", "shims"):
        (tmp_path / folder).mkdir(mode=0o700)
    for name, text in SHIMS.items():
        (tmp_path / "shims" / name).write_text(text)
        (tmp_path / "shims" / name).chmod(0o755)
    (tmp_path / "etc" / "server.toml").write_text(f'catalog = "{made.catalog}"\n')
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path / "lib"))
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    return made


def questions() -> Iterator[str]:
    """Queries that are each charged."""
    for number in range(100):
        yield f"SELECT COUNT(*) AS n FROM visit WHERE minutes > {number}"


def lose(machine: Machine, marks: str) -> None:
    """Lose the disk, with the marks or without."""
    for file in machine.ledger.parent.glob("city.ledger*"):
        file.unlink()
    if marks == "gone":
        shutil.rmtree(machine.ledger.parent / "marks")


@pytest.mark.parametrize("marks", ["kept", "gone"])
def test_a_backup_during_charges_is_restored_when_everything_is_lost(machine: Machine, marks: str) -> None:
    assert machine.shell("pby bootstrap --name ana")[0] == 0
    asked = questions()
    with machine.open_session() as session:
        assert session.register is not None
        session.register.object("7", reason="a letter", by="ana")
        machine.done(blocks("Back up")[0], lambda: session.query(next(asked), client="ann", rho="0.001"))
        paid = len(session.history("ann"))
    lose(machine, marks)
    aside, restore, loss, verify = blocks("Restore")
    machine.done(aside)
    code, complaint = machine.run(restore.strip())
    assert code == 1 and "older copy" in " ".join(complaint.split()), "the mark remembers, or the newest anchor alone"
    assert not machine.ledger.exists()
    machine.done(loss + verify)
    for name in ("", ".objections", ".server", ".secret"):
        assert stat.S_IMODE(Path(f"{machine.ledger}{name}").stat().st_mode) == 0o600
    check_frozen_until_thawed(machine, paid)


def test_without_bindings_charges_after_the_newest_anchor_are_lost(machine: Machine) -> None:
    """Nothing remembers it: the restore goes through, and the page freezes all the same."""
    asked = questions()
    with machine.open_session() as session:
        session.query(next(asked), client="ann", rho="0.001")
        assert session.register is not None
        session.register.object("7", reason="a letter", by="ana")
        machine.done(blocks("Back up")[0])
        session.query(next(asked), client="ann", rho="0.001")
        paid = len(session.history("ann"))
    lose(machine, "gone")
    aside, restore, loss, verify = blocks("Restore")
    machine.done(aside + restore)
    assert re.search("marks are gone.*loss.*last command alone", RUNBOOK)
    machine.done(loss.splitlines()[-1])
    machine.done(verify)
    check_frozen_until_thawed(machine, paid)


def test_the_server_stays_down_between_restore_and_freeze() -> None:
    commands = [line for block in blocks("Restore") for line in block.splitlines()]
    assert commands[0] == "sudo systemctl disable --now passersby"
    assert [line for line in commands if "systemctl" in line] == [commands[0], commands[-1]]
    assert commands[-1] == "sudo systemctl enable --now passersby"
    own = next(i for i, line in enumerate(commands) if "restore" in line and "city-2026-11-26.anchor" in line)
    assert commands[own + 1].startswith("pby freeze ")


def test_a_key_that_was_taken_back_after_the_backup_opens_nothing_after_the_restore(machine: Machine) -> None:
    asked = questions()
    with machine.open_session() as session:
        assert session.register is not None
        session.register.object("7", reason="a letter", by="ana")
        with machine.keys() as keys:
            eve, ana = (keys.make(name, Role.ADMIN, by="test", days=9) for name in ("eve", "ana"))
        machine.done(blocks("Back up")[0], lambda: session.query(next(asked), client="ann", rho="0.001"))
        with machine.keys() as keys:
            keys.revoke(eve["id"])
    assert machine.opens(ana["key"]) and not machine.opens(eve["key"])
    lose(machine, "kept")
    aside, _, loss, verify = blocks("Restore")
    machine.done(aside + loss + verify)
    assert not machine.opens(eve["key"]) and not machine.opens(ana["key"])
    with machine.keys() as keys:
        assert [(row["name"], row["lives"]) for row in keys.list_keys()] == [("ana", True)]


@pytest.mark.parametrize("book", ["objections", "server"])
@pytest.mark.parametrize("main", ["kept", "gone"])
def test_leftover_wal_files_are_not_replayed_over_another_ledger(machine: Machine, book: str, main: str) -> None:
    file, lib = f"city.ledger.{book}", machine.ledger.parent
    left = {f"{file}-wal", f"{file}-shm"} | ({file} if main == "kept" else set[str]())
    for name in left:
        (lib / name).write_text("left")
    machine.done("\n".join(line for line in blocks("Restore")[0].splitlines() if " sudo install " not in line))
    assert {path.name for path in (lib if main == "kept" else lib / "lost").glob("city*")} == left


def check_frozen_until_thawed(machine: Machine, paid: int) -> None:
    sql = "SELECT COUNT(*) AS n FROM visit"
    with machine.open_session() as session:
        assert (
            len(session.history("ann")) < paid and session.register is not None and len(session.register.events()) == 1
        )
        with pytest.raises(Refused, match="E_FORBIDDEN"):
            session.query(sql, client="ann", rho="0.001")
    with open_admin(machine.catalog, ledger=str(machine.ledger)) as admin:
        admin.thaw(dataset="town", by="ana", reason="counted")
    with machine.open_session() as session:
        session.query(sql, client="ann", rho="0.001")
    assert list((machine.ledger.parent / "marks").iterdir())


def test_runbook_commands_use_the_service_s_folders() -> None:
    unit = (ROOT / "operations" / "passersby.service").read_text(encoding="utf-8")
    (told,) = re.findall(r"^Environment=(.*)$", unit, re.MULTILINE)
    assert set(told.split()) <= set(prefix().split())
    assert "--config /etc/passersby/server.toml" in unit and "/etc/passersby/server.toml" in prefix()
    bare = re.findall(r"^(?:sudo -u passersby )?\S*passersby (?!\")\S+|`passersby (?!query)\S+", RUNBOOK, re.MULTILINE)
    assert not bare, "a command without the service's folders"
