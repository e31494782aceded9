"""Two servers of one ledger in PostgreSQL, each in processes of its own, asked at the same time: one budget, one chain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx2
import pytest

from budgets import AccountName, Ledger, Loss
from engine.server.http.roles import Role
from tests.budgets.ledger_checks import check_books
from tests.support.ledger import postgres
from tests.support.server.serving import PATIENCE, Running, bearer, running

RHO, FIT = "0.018", 11  # of the dataset's 0.2; a client alone has 0.1
CLIENTS, QUESTIONS = 4, 24


@pytest.fixture(scope="module")
def address() -> str:
    return postgres.server().new_ledger()


@pytest.fixture(scope="module")
def servers(town_catalog: str, address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, ...]]:
    """Start two, with one secret and one folder of marks, as two machines that share them."""
    folder = tmp_path_factory.mktemp("shared")
    with _running(town_catalog, folder, address) as one, _running(town_catalog, folder, address) as other:
        assert len({one.process.pid, one.worker(), other.process.pid, other.worker()}) == 4
        yield one, other


@contextmanager
def _running(catalog: str, folder: Path, address: str) -> Iterator[Running]:
    with running(catalog, folder / "town", address, least_seconds=0.01) as server:
        yield server


def post(server: Running, key: str, sql: str, request: str) -> Any:
    headers = {**bearer(key), "Idempotency-Key": request}
    return httpx2.post(
        f"{server.url}/v1/queries", json={"sql": sql, "rho": RHO}, headers=headers, timeout=PATIENCE
    ).json()


def test_two_servers_together_never_exceed_the_budget(servers: tuple[Running, ...], address: str) -> None:
    keys = [servers[0].key(f"client{number}") for number in range(CLIENTS)]

    def ask(number: int, server: Running) -> tuple[int, Any]:
        sql = f"SELECT count(*) AS visits FROM visit WHERE minutes > {number}"
        return number, post(server, keys[number % CLIENTS], sql, f"r{number}")

    with ThreadPoolExecutor(QUESTIONS) as threads:
        told = dict(threads.map(ask, range(QUESTIONS), cycle(servers)))
    codes = Counter(answer.get("code", "answered") for answer in told.values())
    assert codes["answered"] == FIT, codes
    assert set(codes) <= {"answered", "E_BUDGET", "E_BUDGET_DATASET"}
    with Ledger.open(address) as ledger:
        assert ledger.account(AccountName("town", "forever")).spent == Loss(FIT * Loss.rounded_up(RHO).pico_rho)
        charged = [entry for entry in ledger.entries() if entry.kind == "charged"]
        answered = {f"r{number}" for number, answer in told.items() if "code" not in answer}
        assert sorted(entry.request_id for entry in charged) == sorted(answered)
        check_books(ledger)
    for number, answer in told.items():  # the other server knows what this one has charged and stored
        if "code" not in answer:
            again = ask(number, servers[1 - number % 2])[1]
            assert (again["rows"], again["replayed"]) == (answer["rows"], True)
            break


def test_a_key_revoked_at_one_server_is_refused_at_both(servers: tuple[Running, ...], address: str) -> None:
    one, other = servers
    admin, before = one.key("root", Role.ADMIN), one.key("gone")
    for server in servers:
        assert httpx2.get(f"{server.url}/v1/me", headers=bearer(before), timeout=PATIENCE).status_code == 200
    (key_id,) = [row["id"] for row in _keys(one, admin) if row["name"] == "gone"]
    told = httpx2.delete(f"{other.url}/v1/admin/keys/{key_id}", headers=bearer(admin), timeout=PATIENCE)
    assert told.status_code == 200
    for server in servers:
        assert httpx2.get(f"{server.url}/v1/me", headers=bearer(before), timeout=PATIENCE).status_code == 401
    with Ledger.open(address) as ledger:
        (row,) = ledger.entries(kind="note_key")
        assert (row.actor, row.holder, row.content["act"]) == ("root", "gone", "revoked")
        assert ledger.verify() == ()


def _keys(server: Running, admin: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx2.get(
        f"{server.url}/v1/admin/keys", headers=bearer(admin), timeout=PATIENCE
    ).json()
    return found
