"""The runbook is run: its own commands back a ledger up while charges go on, and bring it back when it is lost."""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine import Refused, open_admin, open_desk, restore_ledger
from engine.desk import Desk
from passersby.cli import app
from tests.engine.town import make_town
from tests.support.tree import ROOT

RUNBOOK = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
DATE = "2026-11-26"
SHIMS = {  # this machine has neither the user nor the service
    "sudo": '#!/bin/sh\n[ "$1" = -u ] && shift 2\nexec "$@"\n',
    "systemctl": "#!/bin/sh\n",
    "install": """#!/bin/bash
kept=()
while (($#)); do case $1 in -o | -g) shift 2 ;; *) kept+=("$1"); shift ;; esac; done
command -p install "${kept[@]}"
""",
    "sqlite3": f"""#!{sys.executable}
import sqlite3, sys
sqlite3.connect(sys.argv[1]).backup(sqlite3.connect(sys.argv[2].removeprefix(".backup ")))
""",
}


def blocks(heading: str) -> list[str]:
    """Give the commands that stand under a heading, block by block."""
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

    def desk(self) -> Desk:
        return open_desk(self.catalog, ledger=str(self.ledger))


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
    """Give questions, each of which is charged."""
    for number in range(100):
        yield f"SELECT COUNT(*) AS n FROM visit WHERE minutes > {number}"


def test_a_backup_during_charges_is_restored_when_everything_is_lost(machine: Machine) -> None:
    assert machine.shell("pby bootstrap --name ana")[0] == 0
    asked = questions()
    with machine.desk() as desk:
        assert desk.register is not None
        desk.register.object("7", reason="a letter", by="ana")
        machine.done(blocks("Back up")[0], lambda: desk.query(next(asked), client="ann", rho="0.001"))
        paid = len(desk.history("ann"))
    for file in machine.ledger.parent.glob("city.ledger*"):
        file.unlink()
    aside, restore, unmark, others, verify = blocks("Restore")
    machine.done(aside)
    code, complaint = machine.run(restore.strip())
    assert code == 1 and "older copy" in complaint, "the mark remembers"
    machine.done(unmark.splitlines()[0])
    living = (machine.root / "elsewhere" / "city.anchor.json").read_text()
    with pytest.raises(Refused, match="older copy"):  # the one anchor that was taken, at the end
        backup = machine.here(f"/backup/city-{DATE}.ledger")
        restore_ledger(machine.catalog, backup, ledger=str(machine.ledger), anchor=living)
    machine.done(unmark.splitlines()[1])
    machine.done(others + verify)
    for name in ("", ".objections", ".server", ".secret"):
        assert stat.S_IMODE(Path(f"{machine.ledger}{name}").stat().st_mode) == 0o600
    check_frozen_until_thawed(machine, paid)


def check_frozen_until_thawed(machine: Machine, paid: int) -> None:
    sql = "SELECT COUNT(*) AS n FROM visit"
    with machine.desk() as desk:
        assert len(desk.history("ann")) < paid and desk.register is not None and len(desk.register.acts()) == 1
        with pytest.raises(Refused, match="E_FORBIDDEN"):
            desk.query(sql, client="ann", rho="0.001")
    with open_admin(machine.catalog, ledger=str(machine.ledger)) as admin:
        admin.thaw(dataset="town", by="ana", reason="counted")
    with machine.desk() as desk:
        desk.query(sql, client="ann", rho="0.001")
    assert list((machine.ledger.parent / "marks").iterdir())


def test_commands_look_into_the_service_s_folders() -> None:
    unit = (ROOT / "operations" / "passersby.service").read_text(encoding="utf-8")
    (told,) = re.findall(r"^Environment=(.*)$", unit, re.MULTILINE)
    assert set(told.split()) <= set(prefix().split())
    assert "--config /etc/passersby/server.toml" in unit and "/etc/passersby/server.toml" in prefix()
    bare = re.findall(r"^(?:sudo -u passersby )?\S*passersby (?!\")\S+|`passersby (?!query)\S+", RUNBOOK, re.MULTILINE)
    assert not bare, "a command without the service's folders"
