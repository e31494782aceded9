"""Exact privacy accounting: what a question costs, which accounts pay, what is left.

    caps, priced question            accounting/policy.py, accounting/records.py: Caps, Item, ChargeRequest
      -> standing                    stores/clients.py: who is frozen or removed, which caps were granted
      -> make_bill                   accounting/bill.py: which holder on the path has yet to pay for which release
      -> open accounts, debit all    stores/balances.py: one conditional UPDATE for all that lose the same, all or none
      -> a row of the chain          log/events.py, log/chain.py, stores/journal.py: linked to the row before
      -> charge, purchases           stores/journal.py: tables that follow from the chain
      -> Charge                      durable; what to run, what is stored
    the caller runs and adds noise
      -> settle                      durable; the first result of a release key is the only one
      -> payload                     what every repeat gets, for nothing

Clients' charges are gathered and strung in charging.py; `Ledger` (ledger.py) is what the engine calls.

Accounts are a tree (accounting/holders.py): everybody, whose cap is the promise; all clients together; then each group
on a client's path, `organisation/project/analyst`, and the client itself; for each privacy window, and over all of
them.

The chain is the ledger: every other table follows from it. `verify` (log/verify.py) computes them again from the rows
(log/projections.py) and compares; an `Anchor` (log/anchor.py) kept elsewhere shows a history that was rewritten or
rolled back. Admins act through rows of the same chain (administration.py), auditors read (audit.py). Who objects
stands in a register of its own (objection_register.py).

What is left is reported in questions: how many more like one fit, what would fit instead (accounting/outlook.py), and,
for people alone, how long it lasts (forecast.py).

Amounts are integers (accounting/loss.py), shown as (epsilon, delta) through accounting/conversion.py. Why it holds:
proofs.md. This package knows no SQL of analysts, no data and no noise.

Modules, each before those that import it:

    errors, accounting, log, stores, administration, forecast, audit, charging, ledger, objection_register.
"""

from budgets.accounting.accounts import LIFETIME, AccountName, AccountView
from budgets.accounting.conversion import EpsilonDelta, chargeable, conversion_delta, epsilon_at, rho_for
from budgets.accounting.holders import ALL_CLIENTS, EVERYBODY, OWNER, check_asker, check_name, own_holder, prefixes
from budgets.accounting.loss import ATTO, MAX_UNITS, NOTHING, PICO, Loss, parse_amount, read_amount, total
from budgets.accounting.names import folded_name
from budgets.accounting.outlook import Outlook
from budgets.accounting.policy import EACH_WINDOW, MINIMUM_RHO, PER_QUERY, STATIC, Caps, Grant
from budgets.accounting.records import (
    LONGEST_WORDING,
    Charge,
    ChargeRequest,
    Freeze,
    Item,
    Made,
    Member,
    PaidRelease,
    StoredRelease,
    TopUp,
)
from budgets.errors import (
    BudgetRefused,
    CeilingRaised,
    Code,
    Forbidden,
    IdempotencyError,
    LedgerError,
    LedgerUnavailable,
    ParamError,
    ProtocolError,
    UnsafeStore,
)
from budgets.forecast import Forecast
from budgets.ledger import Ledger
from budgets.log.anchor import Anchor
from budgets.log.chain import Entry
from budgets.log.events import Act, ActKind, EntryKind, Objection
from budgets.objection_register import ObjectionRegister, register_address
from budgets.stores.open import shown_address
from budgets.stores.probe import cause_of

__all__ = [
    "ALL_CLIENTS",
    "ATTO",
    "EACH_WINDOW",
    "EVERYBODY",
    "LIFETIME",
    "LONGEST_WORDING",
    "MAX_UNITS",
    "MINIMUM_RHO",
    "NOTHING",
    "OWNER",
    "PER_QUERY",
    "PICO",
    "STATIC",
    "AccountName",
    "AccountView",
    "Act",
    "ActKind",
    "Anchor",
    "BudgetRefused",
    "Caps",
    "CeilingRaised",
    "Charge",
    "ChargeRequest",
    "Code",
    "Entry",
    "EntryKind",
    "EpsilonDelta",
    "Forbidden",
    "Forecast",
    "Freeze",
    "Grant",
    "IdempotencyError",
    "Item",
    "Ledger",
    "LedgerError",
    "LedgerUnavailable",
    "Loss",
    "Made",
    "Member",
    "Objection",
    "ObjectionRegister",
    "Outlook",
    "PaidRelease",
    "ParamError",
    "ProtocolError",
    "StoredRelease",
    "TopUp",
    "UnsafeStore",
    "cause_of",
    "chargeable",
    "check_asker",
    "check_name",
    "conversion_delta",
    "epsilon_at",
    "folded_name",
    "own_holder",
    "parse_amount",
    "prefixes",
    "read_amount",
    "register_address",
    "rho_for",
    "shown_address",
    "total",
]
