"""Fifty analysts at one server for ten minutes: mixed questions and repeats, no error but budget and rate, books exact.

Memory has to stay flat: what both processes hold at the end is compared with what they held when they were warm.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from budgets import Ledger
from tests.nightly.search import EXAMPLES
from tests.support.server.serving import Running, bearer, running

ANALYSTS = 50
SECONDS = 600.0
WARM = 0.3  # of the time, after which memory is looked at first, if so many answers were given:
WARMED_BY = 80
GROWTH_MEGABYTES = 60  # that may come on top
MOST_SHARE = 0.15  # and in proportion
FRESH = 400  # questions that differ
REFUSED = "SELECT subscriber_id FROM visit"
ALLOWED = {"E_BUDGET", "E_BUDGET_DATASET", "E_RATE", "E_ROWS"}  # the last one is asked for


def chunk(number: int, seconds: float = SECONDS, analysts: int = ANALYSTS) -> Counter[str]:
    """Run one soak; raises AssertionError with what was found."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder) / "soak.ledger"
        with running("operator", ledger, least_seconds=0.25) as server:
            soak = Soak(server, number, seconds)
            asyncio.run(soak.run(analysts))
        _check_books(ledger, soak)
    return soak.counted + Counter({EXAMPLES: 1})


def sql_of(number: int) -> str:
    """One of many queries; each is cheap, so that budgets last for a while."""
    return f"SELECT zone_id, count(*) AS visits FROM visit WHERE dwell_min > {number} GROUP BY zone_id"


@dataclass
class Soak:
    """One soak: what was asked, and what came back."""

    server: Running
    seed: int
    seconds: float
    counted: Counter[str] = field(default_factory=Counter)
    answers: dict[str, Any] = field(default_factory=dict)  # question -> its rows: one release for everybody
    megabytes: list[int] = field(default_factory=list)  # of both processes, warm and at the end

    async def run(self, analysts: int) -> None:
        """Run the analysts until the time is over."""
        keys = [self.server.key(f"analyst{each}") for each in range(analysts)]
        until = time.monotonic() + self.seconds
        weighing = asyncio.create_task(self._weigh(until))
        await asyncio.gather(*(self._analyst(key, random.Random(self.seed + i), until) for i, key in enumerate(keys)))
        await weighing
        self.megabytes.append(_megabytes(self.server))
        warm, end = self.megabytes
        self.counted |= Counter({"megabytes when warm": warm, "megabytes at the end": end})
        assert end <= warm * (1 + MOST_SHARE) + GROWTH_MEGABYTES, f"memory grew from {warm} to {end} MB"

    async def _weigh(self, until: float) -> None:
        await asyncio.sleep(self.seconds * WARM)
        while self.counted.total() < WARMED_BY and time.monotonic() < until:  # a busy machine takes longer
            await asyncio.sleep(self.seconds / 100)
        self.megabytes.append(_megabytes(self.server))

    async def _analyst(self, key: str, drawn: random.Random, until: float) -> None:
        held: list[str] = []
        async with httpx2.AsyncClient(base_url=self.server.url, headers=bearer(key), timeout=120) as client:
            while time.monotonic() < until:
                await self._one(client, drawn, held)
                await asyncio.sleep(drawn.uniform(0, 1.5))

    async def _one(self, client: httpx2.AsyncClient, drawn: random.Random, held: list[str]) -> None:
        what = drawn.choices(["repeat", "fresh", "explain", "refused", "lists"], [50, 12, 20, 6, 12])[0]
        if what == "lists":
            path = drawn.choice(["budget", "history", "tables", "me", "functions", "jobs"])
            self._count_response(what, await client.get(f"/v1/{path}"))
            return
        sql = drawn.choice(held) if what == "repeat" and held else sql_of(drawn.randrange(FRESH))
        sql = REFUSED if what == "refused" else sql
        path = "/v1/explain" if what == "explain" else "/v1/queries"
        named = {"Idempotency-Key": f"{drawn.getrandbits(64):x}"} if drawn.random() < 0.5 else {}
        answer = await client.post(path, json={"sql": sql, "rho": "0.0001"}, headers=named)
        self._count_response(what, answer)
        if path == "/v1/queries" and answer.status_code == 200:
            rows = answer.json()["rows"]
            assert self.answers.setdefault(sql, rows) == rows, "one question has two answers"
            held.append(sql)

    def _count_response(self, what: str, answer: httpx2.Response) -> None:
        code = "answered" if answer.is_success else str(answer.json()["code"])
        assert code == "answered" or code in ALLOWED, f"{what}: {answer.status_code} {answer.text[:500]}"
        self.counted[f"{what}: {code}"] += 1


def _megabytes(server: Running) -> int:
    """Memory of both processes."""
    pages = [
        Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
        for pid in (server.process.pid, server.worker())
    ]
    return sum(map(int, pages)) * os.sysconf("SC_PAGESIZE") // 1_000_000


def _check_books(ledger: Path, soak: Soak) -> None:
    """Make every table of the ledger again from its rows, and look for anything that was paid twice."""
    with Ledger.open(ledger) as books:
        assert not books.verify()
        rows = [entry for entry in books.entries() if entry.kind == "charged"]
    paid = Counter(
        (entry.holder, release["key"])
        for entry in rows
        for release in entry.content["releases"]
        if entry.holder in release["payers"]
    )
    assert set(paid.values()) == {1}, "a client paid twice for a release"
    soak.counted["releases paid"] = len(paid)
