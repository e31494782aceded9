"""A process that spends: `python -m tests.budgets.spender LEDGER NAME TIMES RHO [wait]`.

It writes one line for each charge it was given, then, with `wait`, stays alive without settling.
"""

from __future__ import annotations

import sys
import time

from budgets import BudgetRefused, Caps, Ledger, Loss
from tests.budgets.ledger_checks import ask, item

WIDE = Caps(dataset=Loss.rounded_down("0.2", "1e-9"), client=Loss.rounded_down("0.2", "1e-9"))


def spend(path: str, name: str, times: int, rho: str) -> None:
    """Charge questions that nobody else asks."""
    with Ledger.open(path) as ledger:
        for number in range(times):
            key = f"{name} {number}"
            try:
                ledger.charge(ask(item(key, rho), client=name, request=key, caps=WIDE))
            except BudgetRefused:
                continue
            sys.stdout.write(f"{key}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    spend(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
    if "wait" in sys.argv:
        time.sleep(60)
