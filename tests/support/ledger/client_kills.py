"""Ledger clients killed at a named step between two statements or at a random time, and the invariants afterwards.

A round starts several clients on one ledger. Each charges and settles queries, some of its own and some shared by all,
and reports each acknowledgement of the ledger. Every client ends by SIGKILL. The next round repeats the interrupted
request, as a client would.
"""

from __future__ import annotations

import os
import random
import signal
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from sqlalchemy import event

from budgets import Caps, EntryKind, Ledger, LedgerUnavailable, Loss
from budgets.stores import store as store_module
from budgets.stores.open import open_store
from budgets.stores.store import Store
from tests.budgets.ledger_checks import ask, check_books, item

LARGE_CAPS = Caps(dataset=Loss.rounded_down("10", "1e-9"), client=Loss.rounded_down("10", "1e-9"))
PRICE = "0.0001"
CHARGED, SETTLED = "charged", "settled"
MAX_QUERIES = 30  # of one client
MAX_LIFE_SECONDS = 60  # seconds; a client that lives longer is an error of the test


@dataclass
class Acknowledged:
    """Acknowledgements that the clients of one ledger received before they were killed."""

    charged: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # request ids by client
    settled: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # results by release key
    paid: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # release keys by client
    kills: int = 0

    def record(self, line: str) -> None:
        """Record one line of a client."""
        what, client, request, key, result = line.split("\t")
        if what == CHARGED:
            self.charged[client].add(request)
            self.paid[client].add(key)
        else:
            self.settled[key].add(result)


def observe_steps(store: Store, note: Callable[[str], None]) -> Callable[[], None]:
    """Call `note` with each step of a write transaction: before and after every statement and commit.

    Statements that SQLite's driver runs are noted for all stores of the process, until what is returned is called.
    """
    run_by_driver = store_module._driver_changes

    def name(statement: str) -> str:
        words = statement.split()
        verb = words[0].upper()
        table = {"INSERT": 2, "UPDATE": 1}.get(verb)
        return verb if table is None or len(words) <= table else f"{verb} {words[table].strip('(')}"

    def before(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        note(f"before {name(statement)}")

    def after(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        note(f"after {name(statement)}")

    def changes(driver: Any, statement: str, rows: Any) -> int:
        note(f"before {name(statement)}")
        changed = run_by_driver(driver, statement, rows)
        note(f"after {name(statement)}")
        return changed

    event.listen(store.writer, "before_cursor_execute", before)
    event.listen(store.writer, "after_cursor_execute", after)
    event.listen(store.writer, "commit", lambda connection: note("before COMMIT"))
    event.listen(store.writer, "checkin", lambda *_: note("after COMMIT"))
    patched = patch.object(store_module, "_driver_changes", changes)
    patched.start()
    return patched.stop


def steps_of(address: str) -> tuple[str, ...]:
    """List the steps of one charge and one settlement."""
    store, seen = open_store(address), {}
    stop = observe_steps(store, lambda step: seen.setdefault(step, None))
    spend(Ledger(store), iter([("first", "first", "first")]), lambda line: None)
    stop()
    store.close()
    return tuple(seen)


def spend(ledger: Ledger, questions: Iterator[tuple[str, str, str]], acknowledge: Callable[[str], None]) -> None:
    """Charge and settle queries (client, request id, release key) one after another."""
    for number, (client, request, key) in enumerate(questions):
        charge = ledger.charge(ask(item(key, PRICE), client=client, request=request, caps=LARGE_CAPS))
        acknowledge(f"{CHARGED}\t{client}\t{request}\t{key}\t")
        result = f"{client} {os.getpid()} {number}"
        stored = ledger.settle(charge, {key: result.encode()} if charge.to_run else {})
        acknowledge(f"{SETTLED}\t{client}\t{request}\t{key}\t{stored[key].decode()}")


class Round:
    """Several clients on one ledger, all of them killed."""

    def __init__(self, address: str, acknowledged: Acknowledged, drawn: random.Random) -> None:
        """Prepare a round that continues from earlier acknowledgements."""
        self.address, self.acknowledged, self.drawn = address, acknowledged, drawn

    def run(
        self,
        spenders: int,
        steps: tuple[str, ...] = (),
        meanwhile: Callable[[], None] | None = None,
        *,
        early: bool = False,
    ) -> None:
        """Start clients and kill each: at the n-th occurrence of one of `steps`, or at a random time."""
        children = [self._start(f"client {each}", self._draw_death(steps), early) for each in range(spenders)]
        if meanwhile is not None:
            meanwhile()
        if not steps:
            time.sleep(self.drawn.uniform(0.0, 0.35))
            for child, _ in children:
                os.kill(child, signal.SIGKILL)
        for child, pipe in children:
            self._collect(child, pipe)

    def _draw_death(self, steps: tuple[str, ...]) -> tuple[str, int] | None:
        return (self.drawn.choice(steps), self.drawn.randint(1, 6)) if steps else None

    def _start(self, client: str, fatal: tuple[str, int] | None, early: bool) -> tuple[int, int]:
        read_end, write_end = os.pipe()
        child = os.fork()
        if child:
            os.close(write_end)
            return child, read_end
        try:
            self._run_client(client, fatal, write_end, early)
        finally:
            traceback.print_exc()
            os._exit(1)  # the client was not killed

    def _run_client(self, client: str, fatal: tuple[str, int] | None, write_end: int, early: bool) -> None:
        signal.alarm(MAX_LIFE_SECONDS)
        store, seen, unacknowledged = _opened(self.address), Counter[str](), list[str]()

        def acknowledge(line: str) -> None:
            if not early:
                os.write(write_end, f"{line}\n".encode())

        def note(step: str) -> None:
            if early and step == "before COMMIT" and unacknowledged:  # the planted bug: acknowledges before the commit
                os.write(write_end, f"{unacknowledged[0]}\n".encode())
            seen[step] += 1
            if fatal is not None and (step, seen[step]) == fatal:
                os.kill(os.getpid(), signal.SIGKILL)

        observe_steps(store, note)
        for question in self._questions(client):
            unacknowledged[:] = [f"{CHARGED}\t{question[0]}\t{question[1]}\t{question[2]}\t"]
            with suppress(LedgerUnavailable):
                spend(Ledger(store), iter([question]), acknowledge)
        os.kill(os.getpid(), signal.SIGKILL)  # the step did not occur again: die between two queries

    def _questions(self, client: str) -> Iterator[tuple[str, str, str]]:
        """Continue from the last acknowledged query; the next may be charged but not acknowledged."""
        last = max(0, len(self.acknowledged.charged[client]) - 1)
        for number in range(last, last + MAX_QUERIES):
            yield client, f"r{number}", f"shared {number}" if number % 3 == 0 else f"{client} {number}"

    def _collect(self, child: int, pipe: int) -> None:
        with os.fdopen(pipe, encoding="utf-8") as lines:
            for line in lines:
                self.acknowledged.record(line.rstrip("\n"))
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, f"a spender ended by itself: {status}"
        self.acknowledged.kills += 1


def _opened(address: str) -> Store:
    """Open the ledger, as soon as its server answers."""
    while True:
        with suppress(LedgerUnavailable):
            return open_store(address)
        time.sleep(0.02)


def check_acknowledged(address: str, recorded: Acknowledged) -> None:
    """Nothing acknowledged is lost, nothing is paid twice, each key has one result, and all sums are right."""
    with Ledger.open(address) as ledger:
        entries = ledger.entries()
        charged = {client: {paid.release_key for paid in ledger.paid_releases(client)} for client in recorded.paid}
        for client, keys in recorded.paid.items():
            assert keys <= charged[client], (
                f"charges of {client} that were acknowledged are gone: {keys - charged[client]}"
            )
        requests = {(entry.actor, entry.request_id) for entry in entries}
        acknowledged = {(client, each) for client, ids in recorded.charged.items() for each in ids}
        assert acknowledged <= requests, f"requests that were acknowledged are gone: {acknowledged - requests}"
        results = Counter(entry.content["key"] for entry in entries if entry.kind == EntryKind.RELEASED)
        assert set(results.values()) <= {1}, "a key has two results"
        for key, given in recorded.settled.items():
            assert len(given) == 1, f"different results were given for {key}: {given}"
            assert results[key] == 1, f"a result that was acknowledged is gone: {key}"
        _check_stored(ledger, recorded)
        check_books(ledger)
        assert not ledger.verify(), "the chain is broken"


def _check_stored(ledger: Ledger, recorded: Acknowledged) -> None:
    for client, keys in recorded.paid.items():
        for key, stored in ledger.replay(client, "operator", keys).items():
            assert recorded.settled.get(key, set()) <= {stored.payload.decode()}, f"another result is stored for {key}"
