"""Exact privacy money: what a question costs, who pays, what is left.

    caps, priced question            policy.py, records.py: Caps, Item, ChargeRequest
      -> make_bill                   bill.py: who has not paid for which release yet
      -> open accounts, debit all    stores/balances.py: one conditional UPDATE for each account, all or none
      -> charge, purchases, entries  stores/journal.py, stores/entries.py: rows that never change
      -> Charge                      durable; what to run, what is stored
    the caller runs and noises
      -> settle                      durable; the first result of a release key is the only one
      -> payload                     what every repeat gets, for nothing

Amounts are integers (loss.py), shown as (epsilon, delta) through conversion.py. Why it holds: proofs.md.
This package knows no SQL of analysts, no data and no noise.
"""

from budgets.accounts import AccountName, AccountView
from budgets.conversion import EpsilonDelta, chargeable, conversion_delta, epsilon_at, rho_for
from budgets.errors import (
    BudgetRefused,
    CeilingRaised,
    Code,
    IdempotencyError,
    LedgerError,
    LedgerUnavailable,
    ParamError,
    ProtocolError,
    UnsafeStore,
)
from budgets.ledger import Ledger
from budgets.loss import ATTO, NOTHING, PICO, Loss, parse_amount, read_amount, total
from budgets.policy import MINIMUM_RHO, Caps
from budgets.records import Charge, ChargeRequest, Entry, EntryKind, Item, PaidRelease, StoredRelease

__all__ = [
    "ATTO",
    "MINIMUM_RHO",
    "NOTHING",
    "PICO",
    "AccountName",
    "AccountView",
    "BudgetRefused",
    "Caps",
    "CeilingRaised",
    "Charge",
    "ChargeRequest",
    "Code",
    "Entry",
    "EntryKind",
    "EpsilonDelta",
    "IdempotencyError",
    "Item",
    "Ledger",
    "LedgerError",
    "LedgerUnavailable",
    "Loss",
    "PaidRelease",
    "ParamError",
    "ProtocolError",
    "StoredRelease",
    "UnsafeStore",
    "chargeable",
    "conversion_delta",
    "epsilon_at",
    "parse_amount",
    "read_amount",
    "rho_for",
    "total",
]
