"""Concurrent spenders on one limit: exactly floor(limit / price) are accepted, in threads and in processes."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import psycopg

from budgets import BudgetRefused, Ledger, Loss
from tests.budgets.ledger_checks import SHARED, answer, ask, check_books, item
from tests.budgets.spender import WIDE

PRICE = "0.007"
FIT = 28  # of rho 0.2
SPENDERS = 64


def test_threads_are_accepted_until_the_limit_and_not_once_more(address: str) -> None:
    with Ledger.open(address) as ledger:
        barrier = threading.Barrier(SPENDERS)

        def spend(number: int) -> bool:
            barrier.wait()
            try:
                request = ask(item(f"key {number}", PRICE), client=f"client {number}", caps=WIDE)
                answer(ledger, ledger.charge(request))
            except BudgetRefused:
                return False
            return True

        with ThreadPoolExecutor(SPENDERS) as pool:
            assert sum(pool.map(spend, range(SPENDERS))) == FIT
        assert ledger.account(SHARED).spent == Loss(FIT * Loss.rounded_up(PRICE).pico_rho)
        check_books(ledger)


def test_threads_on_a_ledger_in_memory() -> None:
    with Ledger.open(":memory:") as ledger, ThreadPoolExecutor(8) as pool:

        def spend(number: int) -> bool:
            try:
                ledger.charge(ask(item(f"key {number}", PRICE), client=f"client {number}", caps=WIDE))
            except BudgetRefused:
                return False
            return True

        assert sum(pool.map(spend, range(40))) == FIT
        check_books(ledger)


def test_processes_are_accepted_until_the_limit_and_not_once_more(address: str) -> None:
    """The ledger is made by whichever comes first."""
    spenders = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.budgets.spender", address, f"client {number}", "16", PRICE],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    accepted = [line for spender in spenders for line in spender.communicate(timeout=60)[0].splitlines()]
    assert [spender.returncode for spender in spenders] == [0] * 4
    assert len(accepted) == len(set(accepted)) == FIT
    with Ledger.open(address) as ledger:
        assert ledger.account(SHARED).spent == Loss(FIT * Loss.rounded_up(PRICE).pico_rho)
        check_books(ledger)


def test_all_threads_ask_the_same_first_question(address: str) -> None:
    with Ledger.open(address) as ledger:
        barrier = threading.Barrier(16)

        def spend(number: int) -> bytes:
            barrier.wait()
            charge = ledger.charge(ask(client=f"client {number % 8}", request=f"r{number}"))
            barrier.wait()
            return answer(ledger, charge, f"run {number}")["aa"]

        with ThreadPoolExecutor(16) as pool:
            assert len(set(pool.map(spend, range(16)))) == 1
        assert ledger.account(SHARED).spent == Loss.rounded_up("0.005")
        check_books(ledger)


@contextmanager
def naive_books(store_kind: str, address: str) -> Iterator[Callable[[], Any]]:
    """A single account with nothing spent, and a function that opens it."""

    def connect() -> Any:
        if store_kind == "postgres":
            return psycopg.connect(address, autocommit=True)
        return sqlite3.connect(address, isolation_level=None, timeout=20)

    with closing(connect()) as books:
        books.execute("CREATE TABLE account (spent INTEGER)")
        books.execute("INSERT INTO account VALUES (0)")
    yield connect


def test_a_naive_ledger_overspends(store_kind: str, address: str) -> None:
    """The control: read, compare, write; all read before the first writes, which nothing forbids them."""
    limit, price, spenders = 1_000, 150, 16
    barrier = threading.Barrier(spenders)
    with naive_books(store_kind, address) as connect, ThreadPoolExecutor(spenders) as pool:

        def spend(_: int) -> bool:
            with closing(connect()) as books:
                (spent,) = books.execute("SELECT spent FROM account").fetchone()
                barrier.wait()
                fits = bool(spent + price <= limit)
                if fits:
                    books.execute(f"UPDATE account SET spent = {spent + price}")
                return fits

        assert sum(pool.map(spend, range(spenders))) > limit // price
