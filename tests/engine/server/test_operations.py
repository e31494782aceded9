"""What nobody runs here is read: the unit, the container's recipe, the page's commands; and PostgreSQL's backup is made."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from budgets import Ledger
from engine import Refused, open_session
from engine.server.settings import Settings, read_settings
from engine.server.storage import ServerTables
from passersby.cli.app import app
from tests.engine.town import make_town
from tests.support.ledger import postgres
from tests.support.tree import ROOT

RUNBOOK = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
RECIPE = (ROOT / "operations" / "Containerfile").read_text(encoding="utf-8")
UNIT = ROOT / "operations" / "passersby.service"
DUMP, *ANEW = re.findall(r"^(?:pg_dump|psql) .*$", RUNBOOK, re.MULTILINE)


def commands() -> Iterator[list[str]]:
    """Walk what the page, the unit and the container hand to passersby, each in words."""
    for line in re.findall(r"(?:^ *|`)pby ([a-z][^`\n]*)", RUNBOOK, re.MULTILINE):
        yield shlex.split(line.partition(" > ")[0])
    (served,) = re.findall(r"^ExecStart=\S+ (.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    yield shlex.split(served)
    (entry,) = re.findall(r'^ENTRYPOINT \["passersby", "(\w+)"\]$', RECIPE, re.MULTILINE)
    (given,) = re.findall(r"podman run -d .*\\\n.* passersby (.*)$", RUNBOOK, re.MULTILINE)
    yield [entry, *shlex.split(given)]


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_every_command_is_there_with_its_options(words: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    rest = list(words)
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in rest if word.startswith("-")} <= known


def test_the_page_s_settings_are_read(tmp_path: Path) -> None:
    (block,) = re.findall(r"^```toml\n(.*?)^```$", RUNBOOK, re.MULTILINE | re.DOTALL)
    file = tmp_path / "server.toml"
    file.write_text(block, encoding="utf-8")
    settings = read_settings(file, port=1)
    assert {name: str(getattr(settings, name)) for name in tomllib.loads(block)} == {
        name: str(value) for name, value in tomllib.loads(block).items()
    }
    assert settings.port == 1


def test_the_files_that_the_page_names_are_there() -> None:
    named = set(re.findall(r"operations/([\w.]+)", RUNBOOK))
    assert named and named <= {file.name for file in (ROOT / "operations").iterdir()}


def test_the_page_names_every_file_that_a_server_keeps() -> None:
    kept = {"LEDGER", "LEDGER.objections", "LEDGER.server", "LEDGER.secret"}
    assert kept <= set(re.findall(r"^\| `([A-Z.a-z]+)` \|", RUNBOOK, re.MULTILINE))


def test_files_that_the_container_copies_exist() -> None:
    copied = [shlex.split(line)[:-1] for line in re.findall(r"^COPY (?!--from)(.*)$", RECIPE, re.MULTILINE)]
    assert copied and all((ROOT / each).exists() for some in copied for each in some)
    (built,) = re.findall(r"^COPY --from=\w+ (\S+) \S+$", RECIPE, re.MULTILINE)
    assert f"python -m venv {built} " in RECIPE and f"PATH={built}/bin:" in RECIPE
    assert "operations/Containerfile" in RUNBOOK and "operations/passersby.service" in RUNBOOK


def test_the_container_keeps_no_copy_of_people_s_rows_among_what_is_backed_up() -> None:
    cache, data = (re.findall(rf"{name}=(\S+)", RECIPE)[0] for name in ("PASSERSBY_CACHE", "PASSERSBY_DATA"))
    assert not Path(cache).is_relative_to(data)
    runs = re.findall(r"podman run(?:.*\\\n)*.*", RUNBOOK)
    assert len(runs) == 2 and all(f":{place}" in run for run in runs for place in (cache, data))


def test_installed_extras_exist() -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named = re.findall(r"install [^'\n]*'\.\[([\w,]+)\]'", RECIPE + RUNBOOK)
    assert len(named) == 2 and set(",".join(named).split(",")) <= known.keys()


def test_the_unit_waits_longer_than_questions_may_end_in_and_is_one(tmp_path: Path) -> None:
    text = UNIT.read_text(encoding="utf-8")
    (patience,) = re.findall(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    (stopped,) = re.findall(r"--stop-timeout (\d+)", RUNBOOK)
    assert min(int(patience), int(stopped)) > Settings.model_fields["stop_seconds"].default
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"\[(Unit|Service|Install)\]|[A-Z]\w+=.*", line) for line in lines)
    if shutil.which("systemd-analyze"):
        here = tmp_path / UNIT.name
        here.write_text(text.replace("/opt/passersby/bin/passersby", "/bin/true"), encoding="utf-8")
        told = subprocess.run(["systemd-analyze", "verify", here], capture_output=True, text=True, timeout=60)
        assert (told.returncode, told.stderr) == (0, "")


def _in_postgres(command: str, server: postgres.Server, schema: str, file: Path) -> None:
    places = {"books": schema, "DATABASE": f"postgresql://{postgres.OWNER}@/postgres?host={server.folder}"}
    words = [
        re.sub(r"\b(books|DATABASE)(?=\b|_lost)", lambda found: places[found[0]], word) for word in shlex.split(command)
    ]
    words = [str(file) if word.startswith("/backup/") else word for word in words]
    subprocess.run([server.program(words[0]), *words[1:]], check=True, capture_output=True, timeout=120)


def test_a_postgres_dump_contains_the_ledger_without_the_server_s_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path / "data"))
    catalog, address = make_town(tmp_path).path, postgres.server().new_ledger()
    schema, file = address.partition("search_path%3D")[2], tmp_path / "dump.sql"
    with open_session(catalog, ledger=address) as session:
        assert session.register is not None
        session.register.object("7", reason="a letter", by="ana")
        session.query("SELECT COUNT(*) AS n FROM visit", client="ann")
    ServerTables.open_for(address).close()
    with Ledger.open(address) as ledger:
        anchor = ledger.anchor()
    _in_postgres(DUMP, postgres.server(), schema, file)
    tables = re.findall(rf"^CREATE TABLE {schema}\.(\w+)", file.read_text(), re.MULTILINE)
    assert "entries" in tables and "objection_acts" in tables and not [t for t in tables if t.startswith("server_")]
    with open_session(catalog, ledger=address) as session:
        assert session.register is not None
        session.register.object("8", reason="another letter", by="ana")
    for command in ANEW:
        _in_postgres(command, postgres.server(), schema, file)
    with Ledger.open(address) as ledger:
        assert ledger.verify(anchor) == ()
    with pytest.raises(Refused, match="older copy"), open_session(catalog, ledger=address):
        pass
    shutil.rmtree(tmp_path / "data" / "marks")  # step 3
    with open_session(catalog, ledger=address) as session:
        assert session.register is not None and len(session.register.events()) == 2 and len(session.history("ann")) == 1
        session.register.object("9", reason="a third one", by="ana")
    ServerTables.open_for(address).close()
