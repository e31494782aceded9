"""Every refusal's text, as people read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from budgets import (
    AccountName,
    BudgetRefused,
    Caps,
    CeilingRaised,
    Code,
    IdempotencyError,
    Ledger,
    LedgerError,
    LedgerUnavailable,
    Loss,
    ParamError,
    ProtocolError,
    UnsafeStore,
)
from budgets import errors as tree
from tests.budgets.ledger_checks import ask, item

OF_ANN = "the budget of client 'ann' for window 'forever' of dataset 'operator'"
OF_ALL = "the budget of all clients together for window 'forever' of dataset 'operator'"
OF_DATASET = "the budget of the dataset for window 'forever' of dataset 'operator'"
WIDE = Caps(Loss.rounded_up("0.2", "1e-9"), Loss.rounded_up("0.2", "1e-9"))


def texts() -> dict[str, tuple[type[LedgerError], str]]:
    """Provoke every refusal once; give its text."""
    with Ledger.open(":memory:") as ledger:
        ledger.charge(ask(item("aa", "0.08")))
        refused = {
            "client": lambda: ledger.charge(ask(item("bb", "0.05"), request="r2")),
            "delta": lambda: ledger.charge(ask(item("bb", "0.01", "2e-10"), request="r2")),
            "dataset": lambda: ledger.charge(ask(item("bb", "0.15"), client="ben", request="r2", caps=WIDE)),
            "ceiling": lambda: ledger.charge(
                ask(item("bb"), request="r2", caps=Caps(Loss.rounded_up(1, "1e-9"), WIDE.client))
            ),
            "request id": lambda: ledger.charge(ask(item("bb"), body="another")),
            "price": lambda: ledger.charge(ask(item("aa", "0.07"), request="r2")),
            "settle": lambda: ledger.settle(ledger.charge(ask(item("aa", "0.08"))), {"bb": b""}),
            "account": lambda: ledger.account(AccountName("operator", "forever", "eve")),
            "floor": lambda: ask(item("bb", "0.00001")),
        }
        return {name: _text(refuse) for name, refuse in refused.items()} | {"spent": _spent(ledger)}


def _text(refuse: object) -> tuple[type[LedgerError], str]:
    with pytest.raises(LedgerError) as caught:
        refuse()  # type: ignore[operator]
    return type(caught.value), str(caught.value)


def _spent(ledger: Ledger) -> tuple[type[LedgerError], str]:
    ledger.charge(ask(item("cc", "0.02"), request="r3"))
    return _text(lambda: ledger.charge(ask(item("bb"), request="r2")))


def test_every_text() -> None:
    assert texts() == {
        "client": (
            BudgetRefused,
            (
                f"E_BUDGET: This costs rho 0.05, and {OF_ANN} has rho 0.02 left: short by rho 0.03. "
                "Try: a question of at most rho 0.02 fits."
            ),
        ),
        "delta": (
            BudgetRefused,
            (
                f"E_BUDGET: This costs rho 0.01 and delta 2e-10, and {OF_ANN} has rho 0.02 and delta 1e-10 left: "
                "short by rho 0 and delta 1e-10. "
                "Try: a question of at most rho 0.02 and delta 1e-10 fits; keys with a public domain cost no delta."
            ),
        ),
        "dataset": (
            BudgetRefused,
            (
                f"E_BUDGET_DATASET: This costs rho 0.15, and {OF_ALL} has rho 0.12 left: "
                "short by rho 0.03. Try: a question of at most rho 0.12 fits."
            ),
        ),
        "spent": (
            BudgetRefused,
            (
                f"E_BUDGET: This costs rho 0.005, and {OF_ANN} has rho 0 left: short by rho 0.005. "
                "Try: no new question like it fits any more; ask a stored question again, which is free; "
                "an admin can raise the client's cap."
            ),
        ),
        "ceiling": (
            CeilingRaised,
            (
                f"E_BUDGET_DATASET: The catalog now caps {OF_DATASET} at rho 1 and delta 1e-9, and its first charge fixed "
                "the ceiling at rho 0.2 and delta 1e-9 for good. Try: rho 0.2 and delta 1e-9 or less in the catalog."
            ),
        ),
        "request id": (
            IdempotencyError,
            ("E_IDEMPOTENCY: Request id 'r1' was used for another question. Try: a new request id for a new question."),
        ),
        "price": (
            ProtocolError,
            (
                "A release key stands for one price and one set of windows, and this one was charged with others. "
                "Try: a release key made of everything that the price depends on."
            ),
        ),
        "settle": (ProtocolError, "Only what a charge has paid for can be stored. Try: charge before running."),
        "account": (
            LedgerError,
            (
                "Nothing was ever charged to the budget of client 'eve' for window 'forever' of dataset 'operator'. "
                "Try: today's cap of it, to see all of it unspent."
            ),
        ),
        "floor": (
            ParamError,
            ("E_PARAM: A question costs at least rho 0.0001, this one rho 0.00001. Try: rho = 0.0001 or more."),
        ),
    }


def test_a_place_that_is_no_ledger(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    with pytest.raises(LedgerUnavailable, match=r"can't be opened\. Try: a path that can be written\."):
        Ledger.open(folder)
    text = tmp_path / "text"
    text.write_bytes(b"no database at all" * 100)
    text.chmod(0o600)
    with pytest.raises(LedgerUnavailable, match=r"The ledger's file can't be read\. Try: a file that is a ledger\."):
        Ledger.open(text)


def test_the_tree_is_drawn_as_it_is() -> None:
    kinds = [kind for kind in vars(tree).values() if isinstance(kind, type) and issubclass(kind, LedgerError)]
    assert all(kind.__name__ in str(tree.__doc__) for kind in kinds)
    assert {UnsafeStore, LedgerUnavailable} <= set(kinds)
    assert {str(code) for code in Code} == {"E_BUDGET", "E_BUDGET_DATASET", "E_FORBIDDEN", "E_IDEMPOTENCY", "E_PARAM"}
