"""Admins' commands: each change is durable, records who and why, and holds at the next query."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import pytest

from tests.passersby.conftest import Run

COUNT = "SELECT COUNT(*) AS n FROM visit"
WHY = ("--reason", "as agreed")


def json_rows(run: Run, *arguments: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run(*arguments, "-f", "json").stdout)
    return found


def test_a_client_is_added_capped_and_removed(run: Run) -> None:
    assert run("client", "add", "ana", *WHY).exit_code == 0
    assert run("client", "cap", "ana", "0.004", *WHY, "--by", "boss").exit_code == 0
    assert [(row["client"], row["state"], row["cap_rho"]) for row in json_rows(run, "client", "list")] == [
        ("ana", "active", 0.004)
    ]
    refused = run("query", COUNT)
    assert refused.exit_code == 1 and "E_BUDGET" in refused.stderr
    run("client", "cap", "ana", "0.01", *WHY)
    assert run("query", COUNT).exit_code == 0
    assert json_rows(run, "client", "list")[0]["spent_rho"] == 0.005
    assert run("client", "remove", "ana", *WHY).exit_code == 0
    assert "was removed" in run("query", COUNT).stderr
    assert "removed" in run("client", "list").stdout
    run("client", "add", "ana", *WHY)
    assert json_rows(run, "client", "list")[0]["spent_rho"] == 0.005  # a new name for old accounts would be new budget


@pytest.mark.parametrize(
    ("option", "column", "refused"),
    [("--lifetime", "lifetime_cap_rho", "over all windows"), ("--one-question", "query_cap_rho", "one question of")],
)
def test_a_cap_over_all_windows_or_of_one_question_holds(run: Run, option: str, column: str, refused: str) -> None:
    run("client", "add", "ana", *WHY)
    assert run("client", "cap", "ana", "0.004", option, *WHY).exit_code == 0
    assert json_rows(run, "client", "list")[0][column] == 0.004
    assert refused in " ".join(run("query", COUNT).stderr.split())


def test_a_group_is_frozen_with_all_in_it_and_thawed(run: Run) -> None:
    run("client", "add", "retail/spring/ana", *WHY)
    assert run("freeze", "retail", "--reason", "inquiry 7", "--by", "boss").exit_code == 0
    assert {row["state"] for row in json_rows(run, "client", "list")} == {"frozen"}
    (frozen,) = json_rows(run, "frozen")
    assert (frozen["client"], frozen["dataset"], frozen["by"], frozen["reason"]) == (
        "retail",
        None,
        "boss",
        "inquiry 7",
    )
    refused = run("query", COUNT, "--client", "retail/spring/ana")
    assert refused.exit_code == 1 and "E_FORBIDDEN" in refused.stderr
    assert "one of those that" in run("thaw", "retail/spring/ana", *WHY).stderr
    assert run("thaw", "retail", *WHY).exit_code == 0
    assert run("query", COUNT, "--client", "retail/spring/ana").exit_code == 0
    assert "Nothing is frozen." in run("frozen").stdout


def test_an_ineffective_cap_has_a_remark(run: Run) -> None:
    run("client", "add", "ana", *WHY)
    above = " ".join(run("client", "cap", "ana", "5", *WHY).stdout.split())
    assert "The dataset allows all clients together rho" in above and "never reached" in above
    assert "never reached" not in run("client", "cap", "ana", "0.004", *WHY).stdout
    assert "never reached" not in run("client", "cap", "ana", "5", "--lifetime", *WHY).stdout


def test_a_client_is_frozen_by_option_too(run: Run) -> None:
    run("client", "add", "ana", *WHY)
    assert "Frozen: client ana." in run("freeze", "--client", "ana", *WHY).stdout
    assert [row["client"] for row in json_rows(run, "frozen")] == ["ana"]
    assert run("freeze", "ana", "--client", "bob", *WHY).exit_code == 2
    assert "Thawed: client ana." in run("thaw", "--client", "ana", *WHY).stdout


def test_a_dataset_is_frozen_and_thawed(run: Run) -> None:
    assert run("freeze", "--dataset", "town", *WHY).exit_code == 0
    assert "The dataset 'town' is frozen." in run("query", COUNT).stderr
    assert run("thaw", "--dataset", "town", *WHY).exit_code == 0
    assert run("query", COUNT).exit_code == 0


def test_a_request_is_approved_or_declined_with_its_trace(run: Run) -> None:
    run("client", "add", "ana", *WHY)
    run("client", "cap", "ana", "0.004", *WHY)
    requested = run("topup", "request", "0.05", "--reason", "the spring report")
    told_command = re.search(r"`passersby (topup approve .*?)`", " ".join(requested.stdout.split()))
    assert requested.exit_code == 0 and told_command is not None
    run("topup", "request", "0.09", "--one-question", "--reason", "more")
    first, second = json_rows(run, "topup", "list")
    assert (first["client"], first["cap_rho"], first["scope"], first["state"]) == ("ana", 0.05, "each", "open")
    assert first["reason"] == "the spring report"
    assert run(*shlex.split(told_command[1])).exit_code == 0
    assert run("topup", "decline", str(second["request"]), *WHY).exit_code == 0
    assert [row["state"] for row in json_rows(run, "topup", "list")] == ["approved", "declined"]
    assert json_rows(run, "topup", "list", "--open") == []
    assert run("query", COUNT).exit_code == 0
    again = run("topup", "approve", str(second["request"]), *WHY)
    assert again.exit_code == 1 and "no open request" in again.stderr
    kinds = [row["kind"] for row in json_rows(run, "ledger", "audit", "--client", "ana")]
    assert kinds[:6] == [
        *("client_added", "client_capped", "top_up_requested", "top_up_requested"),
        *("top_up_approved", "top_up_declined"),
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("client", "cap", "anna", "0.01", *WHY), "ana, or passersby client add anna"),
        (("client", "cap", "ana", "0", *WHY), "must be above 0"),
        (("client", "cap", "ana", "much", *WHY), "must be a plain decimal number"),
        (("client", "cap", "ana", "0.01", "--window", "2026-10", *WHY), "has no window '2026-10'"),
        (("client", "cap", "ana", "0.01", "--dataset", "twon", *WHY), "There is no dataset 'twon'"),
        (("client", "add", "*owner", *WHY), "The owner is no client."),
        (("client", "add", "a//b", *WHY), "a path of names"),
        (("client", "add", "ben", "--reason", " "), "has a reason"),
        (("client", "remove", "ben", *WHY), "There is no client 'ben'."),
        (("freeze", "ben", *WHY), "There is no client 'ben'."),
        (("thaw", "ana", *WHY), "Nothing of this name is frozen."),
        (("ledger", "audit", "--kind", "chargd"), "There are no rows of kind 'chargd'"),
        (("ledger", "audit", "--since", "yesterday"), "is no day and no moment"),
    ],
)
def test_an_impossible_command_is_refused_with_a_suggestion(run: Run, arguments: tuple[str, ...], words: str) -> None:
    run("client", "add", "ana", *WHY)
    before = json_rows(run, "ledger", "audit")
    refused = run(*arguments)
    assert (refused.exit_code, refused.stdout) == (1, "") and words in " ".join(refused.stderr.split())
    assert "Try: " in refused.stderr
    assert json_rows(run, "ledger", "audit") == before


@pytest.mark.parametrize(
    "arguments", [("freeze", *WHY), ("client", "cap", "ana", "1", "--lifetime", "--window", "w", *WHY)]
)
def test_an_invalid_command_changes_nothing(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_the_audit_log_shows_queries_and_prices_but_no_values(run: Run) -> None:
    run("query", COUNT)
    run("query", COUNT, "--client", "ben")
    run("query", "SELECT nope FROM visit")  # refused: nothing was read, nothing is noted
    charged = json_rows(run, "ledger", "audit", "--kind", "charged")
    assert [(row["by"], row["decision"], row["rho"]) for row in charged] == [("ana", "answered", 0.005)] + [
        ("ben", "answered", 0.005)
    ]
    assert charged[0]["questions"] == charged[1]["questions"] and "visit" in str(charged[0]["questions"])
    assert charged[0]["windows"] == ["forever"] and "data 1" in str(charged[0]["versions"])
    assert {row["client"] for row in json_rows(run, "ledger", "audit", "--client", "ben")} == {"ben"}
    assert json_rows(run, "ledger", "audit", "--since", "2999-01-01") == []
    shown = run("ledger", "audit")
    assert "price: rho 0.005" in shown.stdout and max(map(len, shown.stdout.splitlines())) <= 100


ACTS: tuple[tuple[str, ...], ...] = (
    ("client", "add", "ana", *WHY),
    ("client", "remove", "ana", *WHY),
    ("client", "cap", "ana", "0.01", *WHY),
    ("freeze", "ana", *WHY),
    ("thaw", "ana", *WHY),
    ("topup", "request", "0.1", *WHY),
    ("topup", "approve", "1", *WHY),
    ("topup", "decline", "1", *WHY),
    ("object", "7", *WHY),
    ("ingest", "visit", "new.csv"),
    ("standing", "run", __file__),
    ("catalog", "calibrate", "--yes"),
    ("catalog", "optimize"),
    ("catalog", "forget"),
)


@pytest.mark.parametrize("act", ACTS, ids=lambda act: " ".join(act[:2]))
def test_owner_commands_require_an_explicit_catalog(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, act: tuple[str, ...]
) -> None:
    monkeypatch.delenv("PASSERSBY_CATALOG")
    refused = run(*act)
    assert (refused.exit_code, refused.stdout) == (2, "")
    words = " ".join(refused.stderr.replace("│", " ").split())
    assert "Name a catalog: a file" in words and "for the demo --catalog operator." in words
    assert not list(tmp_path.rglob("*.ledger*"))


def test_the_first_admin_s_key_requires_a_catalog(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    refused = run("bootstrap", "--name", "root")
    assert refused.exit_code == 1 and "It is not said whose catalog the key is for." in refused.stderr
    assert not list(tmp_path.rglob("*.ledger*"))
    monkeypatch.setenv("PASSERSBY_SERVER_CATALOG", os.environ["PASSERSBY_CATALOG"])
    assert run("bootstrap", "--name", "root").exit_code == 0
