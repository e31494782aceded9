"""Many requests in flight while a process is killed; afterwards each is answered and charged exactly once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2

from budgets import Ledger
from tests.support.server.serving import PATIENCE, Running, bearer

RHO = "0.0005"
CLIENTS = 4


def sql_of(number: int) -> str:
    """Query of a number: each is a release of its own, and some are requested by two clients."""
    return f"SELECT count(*) AS visits FROM visit WHERE minutes > {number // 2}"


class RequestBatch:
    """Requests with idempotency keys, sent concurrently and retried until answered."""

    def __init__(self, server: Running, requests: int, first: int = 0) -> None:
        """Create API keys for the clients."""
        self._keys = {f"client{each}": server.key(f"client{each}") for each in range(CLIENTS)}
        self._numbers = range(first, first + requests)
        self.answers: dict[int, list[Any]] = {}  # request -> the rows of every answer

    def send(self, url: str, numbers: Sequence[int] | None = None) -> dict[int, str]:
        """Send all or some of the requests concurrently; returns the outcome of each."""
        sent = list(self._numbers if numbers is None else numbers)
        with ThreadPoolExecutor(len(sent)) as threads:
            return dict(zip(sent, threads.map(lambda number: self._one(url, number), sent), strict=True))

    @staticmethod
    def _client(number: int) -> str:
        return f"client{number % CLIENTS}"

    def _one(self, url: str, number: int) -> str:
        headers = {**bearer(self._keys[self._client(number)]), "Idempotency-Key": f"request-{number}"}
        body = {"sql": sql_of(number), "rho": RHO}
        try:
            answer = httpx2.post(f"{url}/v1/queries", json=body, headers=headers, timeout=PATIENCE)
        except httpx2.HTTPError:
            return "broken off"
        if answer.status_code != 200:
            return str(answer.json()["code"])
        self.answers.setdefault(number, []).append(answer.json()["rows"])
        return "answered"

    def check(self, ledger: Path) -> None:
        """Check every answer and the ledger against the requests."""
        assert sorted(self.answers) == list(self._numbers), "a request was not answered"
        for number, rows in self.answers.items():
            assert all(each == rows[0] for each in rows), f"request {number} has two answers"
        for number in self._numbers[::2]:
            assert self.answers[number][0] == self.answers[number + 1][0], "a release has two results"
        with Ledger.open(ledger) as books:
            assert not books.verify()
            rows = [entry for entry in books.entries() if entry.kind == "charged"]
            requests = Counter((entry.actor, entry.request_id) for entry in rows)
            assert set(requests.values()) == {1}, "a request was charged twice"
            wanted = {(self._client(number), f"request-{number}") for number in self._numbers}
            assert wanted <= requests.keys(), "an answer without a charge"
            paid = [
                (entry.holder, release["key"])
                for entry in rows
                for release in entry.content["releases"]
                if entry.holder in release["payers"]
            ]
            assert len(paid) == len(set(paid)), "a client paid twice for a release"


def kill_under_requests(
    requests: RequestBatch, server: Running, kill: Callable[[], None], after_seconds: float
) -> Counter[str]:
    """Send all requests, and kill a process while they are in flight."""
    with ThreadPoolExecutor(1) as thread:
        sent = thread.submit(requests.send, server.url)
        time.sleep(after_seconds)
        kill()
        return Counter(sent.result().values())


def retry_until_answered(requests: RequestBatch, server: Running) -> None:
    """Retry all requests, as clients do, until each is answered."""
    deadline, outcomes = time.monotonic() + PATIENCE, requests.send(server.url)
    while left := [number for number, what in outcomes.items() if what != "answered"]:
        assert time.monotonic() < deadline, f"not everything is answered: {Counter(outcomes.values())}"
        outcomes = requests.send(server.url, left)  # those rejected by a full queue
