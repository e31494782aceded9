"""Exact privacy accounting: what a query costs, which accounts pay for it, and how much budget is left.

    caps, priced query             accounting/policy.py, accounting/records.py: Caps, PricedRelease, ChargeRequest
      -> client standing           stores/client_tables.py: who is frozen or removed, which caps admins granted
      -> make_bill                 accounting/records.py: which holder on the client's path still owes which release
      -> open accounts, debit      stores/balances.py: one conditional UPDATE for equal debits, all or none
      -> chain entry               log/events.py, stores/journal.py: linked to the entry before it
      -> charge, purchases         stores/journal.py: tables derived from the chain
      -> Charge                    durable; which releases to compute, which are stored already
    the caller reads the data and adds noise
      -> settle                    durable; the first result stored for a release key is the only one
      -> payload                   every later request for the same release gets it at no charge

Charges of concurrent clients are batched (charging.py); `Ledger` (ledger.py) is the interface that the engine calls.

Accounts form a tree (accounting/accounts.py): the dataset as a whole, whose cap is the privacy guarantee; all clients
together; each group on a client's path, `organisation/project/analyst`; and the client itself. Each has one account
per privacy window, and clients and groups have one over all windows.

The hash chain is the ledger: every other table is derived from it. `verify` (log/verify.py) derives the tables again
(log/projections.py) and compares; an `Anchor` (log/events.py) stored elsewhere exposes a history that was rewritten
or rolled back. Admin operations append entries to the same chain (administration.py), auditors read it (ledger.py).
Objections of data subjects (GDPR Art. 21) have a separate register (`ObjectionRegister` in ledger.py).

The remaining budget is reported as a number of queries: how many more of the same kind fit, and what fits instead
(accounting/outlook.py). A run-out date is estimated for display only (forecast.py).

Amounts are integers, converted to (epsilon, delta) for display (accounting/privacy_loss.py).
Correctness: proofs.md. This package knows neither SQL queries nor data nor noise.

Modules, each before those that import it:

    errors, accounting, log, stores, administration, forecast, charging, ledger.
"""

from budgets.accounting.accounts import (
    ALL_CLIENTS,
    EACH_WINDOW,
    EVERYBODY,
    LIFETIME,
    MIN_QUERY_RHO,
    OWNER,
    PER_QUERY,
    STATIC_WINDOW,
    AccountName,
    AccountView,
    Caps,
    Grant,
    check_client_name,
    check_name,
    folded_name,
    own_holder,
    path_prefixes,
)
from budgets.accounting.outlook import Outlook
from budgets.accounting.privacy_loss import (
    ATTO,
    MAX_UNITS,
    PICO,
    ZERO_LOSS,
    EpsilonDelta,
    Loss,
    chargeable,
    conversion_delta,
    epsilon_from_rho,
    parse_positive_amount,
    rho_from_epsilon,
    sum_losses,
)
from budgets.accounting.records import (
    MAX_QUERY_TEXT_CHARS,
    Charge,
    ChargeRequest,
    ClientStatus,
    PaidRelease,
    PricedRelease,
    ReleaseAge,
    StoredRelease,
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
from budgets.ledger import Ledger, ObjectionRegister, register_address
from budgets.log.events import Anchor, Entry, EntryKind, ObjectionEvent, ObjectionEventKind
from budgets.stores.open import shown_address
from budgets.stores.probe import failure_cause
