"""Power cuts under a ledger: which acknowledged charges and results survive."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from budgets import EntryKind, Ledger, LedgerUnavailable
from budgets.stores import sqlite
from tests.budgets.ledger_checks import ask, check_books, item
from tests.support.ledger.client_kills import LARGE_CAPS, PRICE
from tests.support.ledger.disk import Disk, PowerCut
from tests.support.ledger.ledger_on_disk import ledger_on

CUTS = "cuts"
LOST = "lost"
MOST_STEPS = 600  # maximum writes and flushes between two cuts
CUTS_OF_A_DISK = 10
CHECKPOINT_PAGES = (25, 1_000)  # checkpoint intervals in pages: frequent and rare


def cut_power(
    seed: int, cuts: int, check: Callable[[Ledger], None] = check_books, *, flushes: bool = True
) -> Counter[str]:
    """Cut the power of a disk repeatedly while a ledger on it is charged; count acknowledgements and losses.

    `check` checks the ledger after each cut, and raises for anything wrong but losses.
    """
    drawn, counted = random.Random(seed), Counter[str]()
    for first in range(0, cuts, CUTS_OF_A_DISK):
        disk, acknowledged, results = (
            Disk(pages_of_log=drawn.choice(CHECKPOINT_PAGES), flushes=flushes),
            set[str](),
            dict[str, bytes](),
        )
        for _ in range(min(CUTS_OF_A_DISK, cuts - first)):
            before = len(acknowledged), len(results)
            disk.steps_left = drawn.randint(0, MOST_STEPS)
            with suppress(LedgerUnavailable, PowerCut):
                _charge(disk, acknowledged, results)
            counted["charges acknowledged"] += len(acknowledged) - before[0]
            counted["results acknowledged"] += len(results) - before[1]
            disk.cut(drawn)
            counted += Counter({CUTS: 1, LOST: _lost(disk, acknowledged, results, check)})
    return counted


def _charge(disk: Disk, acknowledged: set[str], results: dict[str, bytes]) -> None:
    """Charge and settle until the power is cut, beginning with the interrupted request."""
    with ledger_on(disk) as ledger:
        for number in range(len(acknowledged), len(acknowledged) + MOST_STEPS):
            key = f"key {number}"
            charge = ledger.charge(ask(item(key, PRICE), request=f"r{number}", caps=LARGE_CAPS))
            acknowledged.add(key)
            results[key] = ledger.settle(charge, {key: f"{number}".encode()})[key]


def _lost(disk: Disk, acknowledged: set[str], results: dict[str, bytes], check: Callable[[Ledger], None]) -> int:
    """Count acknowledged charges and results that are lost, and remove them from the records."""
    with ledger_on(disk) as ledger:
        charged = {paid.release_key for paid in ledger.paid_releases("ann")}
        stored = {key: release.payload for key, release in ledger.replay("ann", "operator", acknowledged).items()}
        released = Counter(entry.content["key"] for entry in ledger.entries(kind=EntryKind.RELEASED))
        assert set(released.values()) <= {1}, "a key has two results"
        check(ledger)
        assert not ledger.verify(), "the chain is broken"
    lost = len(acknowledged - charged) + sum(stored.get(key) != result for key, result in results.items())
    acknowledged &= charged
    for key in results.keys() - stored.keys():
        del results[key]
    return lost


@contextmanager
def without_durability() -> Iterator[None]:
    """Negative control: run the ledger at synchronous = NORMAL, which it refuses otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "PRAGMAS", (*sqlite.PRAGMAS, "PRAGMA synchronous = NORMAL"))
        patch.setattr(sqlite, "assert_durable", lambda connection: None)
        yield
