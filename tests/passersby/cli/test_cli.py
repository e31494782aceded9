"""The command line: formats, exit codes, and answers alone on standard output."""

from __future__ import annotations

import csv
import io
import json
import runpy
from pathlib import Path

import pyarrow
import pytest

from passersby.result.result import History, LedgerRows
from tests.passersby.conftest import Run
from tests.passersby.shapes import ANSWER, BUDGET, EXPLANATION, HISTORY, LEDGER, REFUSAL, SHORT, TABLE, misfits

COUNT = "SELECT zone, count(*) AS visits FROM visit GROUP BY zone ORDER BY zone"


def test_help_lists_every_command(run: Run) -> None:
    shown = run("--help")
    assert shown.exit_code == 0
    for command in ("demo", "query", "explain", "rehearse", "budget", "ledger", "history", "tables", "catalog"):
        assert command in shown.stdout


@pytest.mark.parametrize("command", ["query", "explain", "rehearse", "budget", "ledger", "history", "tables"])
def test_every_command_has_a_catalog_option(run: Run, command: str) -> None:
    shown = run(command, "--help")
    assert all(option in shown.stdout for option in ("--catalog", "--client", "--ledger", "--format"))


@pytest.mark.parametrize(
    "command",
    ["client list", "object", "objections list", "freeze", "about-me", "topup list", "catalog check"],
)
def test_a_command_that_needs_the_catalog_offers_no_server(run: Run, command: str) -> None:
    told = run(*command.split(), "--help").stdout
    assert "NAME|FILE" in told and "NAME|FILE|URL" not in told and "PASSERSBY_API_KEY" not in told
    if command != "catalog check":  # which tells it as a finding
        refused = run(*command.split(), "--catalog", "https://passersby.example.org", *ASKED.get(command, ()))
        assert refused.exit_code == 1 and "server's address" in refused.stderr


@pytest.mark.parametrize("group", ["objections", "client", "topup"])
def test_a_group_without_a_command_lists(run: Run, group: str) -> None:
    """There is no ledger yet, which listing refuses."""
    listed = run(group, "list")
    assert run(group).stderr == listed.stderr and "ledger" in listed.stderr


def test_a_server_ignores_the_ledger_variable_and_refuses_the_option(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PASSERSBY_API_KEY", raising=False)
    far = ("query", COUNT, "--catalog", "https://passersby.example.org")
    assert "A server wants a key" in run(*far).stderr
    assert "A server keeps its own ledger" in run(*far, "--ledger", "other.ledger").stderr


ASKED = {"object": ("7", "--reason", "a letter"), "freeze": ("ana", "--reason", "a test")}


def test_the_package_runs_as_a_module(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["passersby", "--version"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_module("passersby", run_name="__main__")
    assert capsys.readouterr().out.startswith("passersby ")


def test_version(run: Run) -> None:
    import passersby

    assert run("--version").stdout == f"passersby {passersby.__version__}\n"


def test_query_shows_a_table(run: Run) -> None:
    shown = run("query", COUNT)
    assert shown.exit_code == 0
    assert " ± " in shown.stdout
    assert shown.stderr == ""
    assert max(map(len, shown.stdout.splitlines())) <= 100


def test_query_and_explain_print_the_documented_shapes(run: Run) -> None:
    explained = json.loads(run("explain", COUNT, "--format", "json").stdout)
    asked = json.loads(run("query", COUNT, "--format", "json").stdout)
    again = json.loads(run("query", COUNT, "--format", "json").stdout)
    assert not misfits(explained, EXPLANATION)
    assert not misfits(asked, ANSWER)
    assert (asked["replayed"], again["replayed"]) == (False, True)
    assert asked["rows"] == again["rows"]
    assert explained["columns"] == asked["columns"]


def test_csv_output_is_pure_and_price_and_notes_go_to_standard_error(run: Run) -> None:
    shown = run("query", COUNT, "--format", "csv")
    assert "note" not in shown.stdout and "price" not in shown.stdout
    paid, noted, *_ = shown.stderr.splitlines()
    assert paid.startswith("95% intervals · price rho 0.005") and noted.startswith("note: rows: clipped at ")
    assert "free: asked before" in run("query", COUNT, "--format", "csv").stderr


def test_csv_has_interval_columns(run: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(run("query", COUNT, "--format", "csv").stdout)))
    assert list(rows[0]) == ["zone", "visits", "visits_low", "visits_high"]
    numbers = [[float(row[name]) for name in ("visits_low", "visits", "visits_high")] for row in rows]
    assert all(0 <= low <= max(0, visits) <= high for low, visits, high in numbers)  # within natural limits
    assert any(low < visits < high for low, visits, high in numbers)


def test_csv_writes_null_as_nothing_and_lists_as_json(run: Run) -> None:
    listed = "SELECT NULL AS a, true AS b, 'x,y' AS c, LIST(name ORDER BY name) AS d FROM zone WHERE zone < 'z2'"
    shown = run("query", listed, "--format", "csv")
    assert (shown.exit_code, shown.stdout) == (0, 'a,b,c,d\n,true,"x,y","[""Zone 0"", ""Zone 1""]"\n')


def test_arrow_is_a_stream_with_the_card(run: Run) -> None:
    table = pyarrow.ipc.open_stream(run("query", COUNT, "--format", "arrow").stdout_bytes).read_all()
    assert table.column_names == ["zone", "visits"]
    assert json.loads(table.schema.metadata[b"passersby"])["price"]["rho"] == 0.005


def test_arrow_is_not_written_to_a_terminal_and_nothing_is_paid(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("passersby.cli.output._is_terminal", lambda: True)
        refused = run("query", COUNT, "--format", "arrow")
    assert refused.exit_code == 2
    assert "bytes" in refused.stderr
    assert json.loads(run("history", "--format", "json").stdout) == []


def test_sql_comes_from_an_argument_standard_input_or_a_file(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "question.sql"
    file.write_text(COUNT, encoding="utf-8")
    answers = [
        run("query", COUNT, "-f", "json"),
        run("query", "-f", "json", stdin=COUNT),
        run("query", "-", "-f", "json", stdin=COUNT),
        run("query", "--file", str(file), "-f", "json"),
    ]
    assert [answer.exit_code for answer in answers] == [0, 0, 0, 0]
    assert len({str(json.loads(answer.stdout)["rows"]) for answer in answers}) == 1


def test_a_refusal_goes_to_standard_error_with_a_caret(run: Run) -> None:
    refused = run("query", "SELECT nope FROM visit")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "E_COLUMN" in refused.stderr
    assert "           ^^^^" in refused.stderr
    assert "Try: " in refused.stderr


def test_a_refusal_is_json_for_those_who_asked_for_json(run: Run) -> None:
    refused = run("query", "SELECT nope FROM visit", "--format", "json")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert not misfits(json.loads(refused.stderr), REFUSAL)
    short = run("query", COUNT, "--rho", "0.15", "--format", "json")
    assert short.exit_code == 1
    assert not misfits(json.loads(short.stderr), SHORT)


@pytest.mark.parametrize(
    "command",
    [
        "explain", "standing run", "standing list", "object", "ingest",
        "catalog optimize", "catalog forget", "catalog calibrate", "ledger verify",
    ],
)  # fmt: skip
def test_single_objects_are_written_as_table_or_json_only(run: Run, command: str) -> None:
    offered = run(*command.split(), "--help").stdout
    assert "table|json" in offered and "csv" not in offered
    refused = run(*command.split(), "--format", "csv")
    assert refused.exit_code == 2 and "'csv' is not one of 'table', 'json'" in " ".join(refused.stderr.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ("query", COUNT, "--format", "xml"),
        ("query", COUNT, "--confidence", "often"),
        ("explain", COUNT, "--format", "csv"),
        ("query", "--file", "nowhere.sql"),
        ("query", COUNT, "--file", __file__),
        ("quarry", COUNT),
        ("catalog", "new", "nowhere"),
    ],
)
def test_an_unknown_command_exits_with_2(run: Run, arguments: tuple[str, ...]) -> None:
    refused = run(*arguments)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("query", "SELECT person_id FROM visit"),
        ("query", COUNT, "--rho", "1"),
        ("query", COUNT, "--rho", "much"),
        ("query", COUNT, "--rho", "0.00001"),
        ("query", COUNT, "--confidence", "2"),
        ("explain", "DELETE FROM visit"),
        ("rehearse", "SELECT nope FROM visit"),
        ("budget", "--catalog", "nowhere.toml"),
    ],
)
def test_a_refusal_exits_with_1(run: Run, arguments: tuple[str, ...]) -> None:
    refused = run(*arguments)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "E_" in refused.stderr
    assert "Try: " in refused.stderr


def test_a_percentage_as_confidence_is_refused_with_the_fraction(run: Run) -> None:
    refused = run("query", COUNT, "--confidence", "95")
    assert "from 0.5 to 0.999999" in refused.stderr
    assert "confidence 0.95, which is 95%" in refused.stderr


def test_a_rehearsal_is_marked_in_every_format(run: Run) -> None:
    assert "rehearsal" in run("rehearse", COUNT).stdout
    assert json.loads(run("rehearse", COUNT, "-f", "json").stdout)["rehearsal"] is True
    assert json.loads(run("history", "-f", "json").stdout) == []


def test_accounts_and_lists_in_json(run: Run) -> None:
    run("query", COUNT)
    assert not misfits(json.loads(run("budget", "-f", "json").stdout), BUDGET)
    assert not misfits(json.loads(run("history", "-f", "json").stdout), HISTORY)
    rows = json.loads(run("ledger", "-f", "json").stdout)
    assert not misfits(rows, LEDGER)
    assert tuple(rows[0]) == LedgerRows.NAMES
    assert tuple(json.loads(run("history", "-f", "json").stdout)[0]) == History.NAMES
    assert json.loads(run("ledger", "-f", "json", "--limit", "2").stdout) == rows[-2:]
    assert {table["name"] for table in json.loads(run("tables", "-f", "json").stdout)} == {
        "person",
        "visit",
        "purchase",
        "zone",
    }


def test_one_table_is_shown_in_full_and_an_unknown_one_is_refused(run: Run) -> None:
    assert not misfits(json.loads(run("tables", "-f", "json").stdout), [TABLE])
    alone, long = run("tables", "visit").stdout, run("tables", "visit", "--verbose").stdout
    assert "clipped per person (L2)" in alone and "one privacy window: a person's whole history" in alone
    assert "Clip bounds per person (L2)" in long and "whole history is one window" in long
    assert [table["name"] for table in json.loads(run("tables", "VISIT", "-f", "json").stdout)] == ["visit"]
    refused = run("tables", "visits")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "E_TABLE" in refused.stderr and "visit, " in refused.stderr


@pytest.mark.parametrize("command", ["budget", "history", "ledger", "tables"])
@pytest.mark.parametrize("form", ["table", "csv", "arrow"])
def test_lists_in_every_format(run: Run, command: str, form: str) -> None:
    run("query", COUNT)
    shown = run(command, "--format", form)
    assert shown.exit_code == 0
    if form == "arrow":
        assert pyarrow.ipc.open_stream(shown.stdout_bytes).read_all().num_rows
    elif form == "csv":
        assert len(list(csv.reader(io.StringIO(shown.stdout)))) > 1
    else:
        assert shown.stdout.strip()


def test_empty_lists_in_every_format(run: Run) -> None:
    assert json.loads(run("history", "-f", "json").stdout) == []
    assert run("history", "-f", "csv").stdout.split(",")[:2] == ["release_id", "dataset"]
    assert run("ledger", "-f", "csv").stdout.split(",")[:2] == ["sequence", "at"]
    assert pyarrow.ipc.open_stream(run("history", "-f", "arrow").stdout_bytes).read_all().num_rows == 0


def test_an_empty_history_names_its_client_and_the_others(run: Run) -> None:
    assert run("history").stdout == "Client ana has asked nothing yet.\n"
    assert run("query", COUNT, "--client", "ben").exit_code == 0
    shown = " ".join(run("history").stdout.split())
    assert shown == "Client ana has asked nothing yet. Other clients of this ledger: ben. Try: --client ben"


def test_the_ledger_command_lists_everybody_unless_a_client_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("query", COUNT)
    run("query", COUNT, "--client", "ben")
    named = json.loads(run("ledger", "-f", "json", "--client", "ben").stdout)
    monkeypatch.delenv("PASSERSBY_CLIENT")
    everybody = json.loads(run("ledger", "-f", "json").stdout)
    assert {row["asked_by"] for row in named} == {"ben"}
    assert run("ledger", "--client", "carl").stdout == "No row is about this client.\n"
    monkeypatch.setenv("PASSERSBY_CLIENT", "carl")  # who asks and pays, and chooses no rows
    assert json.loads(run("ledger", "-f", "json").stdout) == everybody
    assert {row["asked_by"] for row in everybody if row["kind"] == "charged"} == {"ana", "ben"}


def test_a_query_that_is_no_text_is_refused(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "question.sql"
    file.write_bytes(b"SELECT '\xff'")
    for refused in (run("query", "--file", str(file)), run("query", stdin=b"SELECT '\xff'"), run("query", "\udcff")):
        assert refused.exit_code == 2
        assert "UTF-8" in refused.stderr
