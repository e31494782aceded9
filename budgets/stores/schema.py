"""The tables: a chain of rows that never change, and what follows from them.

entries       the chain: what happened; every other table is a projection of it
chain_head    its last row: the ledger's id, a sequence, a hash
accounts      one row per (dataset, holder, window): the balances, which only grow
charges       one row per request of a client            charge_keys  the releases it asked for
questions     one row per release key: what it means     purchases    which holder has paid for it
releases      one row per release key: the one result
client_names  one client or group for each folded name (budgets/accounting/names.py)
clients, caps, freezes, failures, top_ups                what admins said, and what they have to look at
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

from budgets.accounting.conversion import THRESHOLD_PARTS
from budgets.accounting.holders import EVERYBODY
from budgets.stores.guards import NEVER_CHANGE, NEVER_GO, forbid, guard_all

FORMAT_VERSION = 2

metadata = MetaData()

_UNITS = BigInteger().with_variant(Integer(), "sqlite")
_TEXT = Text().with_variant(
    Text(collation="C"), "postgresql"
)  # one order of names on every server: that of their bytes


def _table(name: str, *parts: Column[object] | CheckConstraint | UniqueConstraint | Index) -> Table:
    return Table(name, metadata, *parts, sqlite_strict=True)


def _text(name: str, **options: bool) -> Column[object]:
    return Column(name, _TEXT, nullable=options.get("nullable", False), primary_key=options.get("primary_key", False))


def _units(name: str) -> Column[object]:
    return Column(name, _UNITS, CheckConstraint(f"{name} >= 0"), nullable=False)


def _charge_id(*, primary_key: bool = False) -> Column[object]:
    return Column("charge_id", _UNITS, ForeignKey("charges.id"), nullable=False, primary_key=primary_key)


ledger_format = _table("ledger_format", Column("version", Integer, primary_key=True, autoincrement=False))

chain_head = _table(
    "chain_head",
    _text("ledger_id", primary_key=True),
    _units("sequence"),
    Column("row_hash", LargeBinary, nullable=False),
)

entries = _table(
    "entries",
    Column("sequence", _UNITS, primary_key=True, autoincrement=False),
    _text("at"),
    _text("kind"),
    _text("dataset"),
    _text("holder"),
    _text("actor"),
    _text("request_id"),
    _text("body"),
    Column("previous_hash", LargeBinary, nullable=False, unique=True),  # one row after each: the chain has no forks
    Column("row_hash", LargeBinary, nullable=False, unique=True),
    Index("entries_of_holder", "holder", "sequence"),
    Index("entries_of_kind", "kind", "sequence"),
)

accounts = _table(
    "accounts",
    _text("dataset", primary_key=True),
    _text("holder", primary_key=True),
    _text("window_name", primary_key=True),
    _units("ceiling_pico_rho"),  # of everybody: the first cap, for good; of others: the highest cap so far
    _units("ceiling_atto_delta"),
    _units("cap_pico_rho"),  # today's
    _units("cap_atto_delta"),
    _units("spent_pico_rho"),
    _units("spent_atto_delta"),  # of thresholds alone
    CheckConstraint("spent_pico_rho <= ceiling_pico_rho"),
    CheckConstraint(f"spent_atto_delta <= ceiling_atto_delta / {THRESHOLD_PARTS}"),  # integer division
)

charges = _table(
    "charges",
    Column("id", _UNITS, primary_key=True, autoincrement=False),  # the sequence of the row that says so
    _text("client"),
    _text("request_id"),
    _text("body_digest"),
    _text("dataset"),
    _units("pico_rho"),
    _units("atto_delta"),
    _text("versions"),
    UniqueConstraint("client", "request_id"),
)

charge_keys = _table(
    "charge_keys",
    _charge_id(primary_key=True),
    Column("position", Integer, primary_key=True),
    _text("release_key"),
)

questions = _table(
    "questions",
    _text("dataset", primary_key=True),
    _text("release_key", primary_key=True),
    _units("pico_rho"),
    _units("atto_delta"),
    _text("windows"),  # JSON array, in the order of the first charge
    _text("question"),
)

purchases = _table(
    "purchases",
    _text("dataset", primary_key=True),
    _text("holder", primary_key=True),
    _text("release_key", primary_key=True),
    _charge_id(),
)

releases = _table(
    "releases",
    _text("dataset", primary_key=True),
    _text("release_key", primary_key=True),
    Column("payload", LargeBinary, nullable=False),
    Column("salt", LargeBinary, nullable=False),  # hashed before the payload, which has few values
    _text("settled_at"),
    _charge_id(),
)

clients = _table(
    "clients",
    _text("holder", primary_key=True),
    _text("state"),  # active or removed
    Column("is_group", Integer, CheckConstraint("is_group IN (0, 1)"), nullable=False),
)

client_names = _table(  # one client for each name, however it is spelt
    "client_names",
    _text("folded", primary_key=True),
    Column("holder", _TEXT, nullable=False, unique=True),
)

caps = _table(
    "caps",
    _text("dataset", primary_key=True),
    _text("holder", primary_key=True),
    _text("scope", primary_key=True),
    _units("pico_rho"),
    _units("atto_delta"),
    _units("sequence"),  # of the row that granted it last
)

freezes = _table(
    "freezes",
    _text("dataset", primary_key=True),  # empty: every dataset
    _text("holder", primary_key=True),  # empty: everybody
    _text("window_name", primary_key=True),  # empty: every window
    Column("frozen", Integer, CheckConstraint("frozen IN (0, 1)"), nullable=False),
    _units("sequence"),
)

failures = _table(
    "failures",
    _text("dataset", primary_key=True),
    _text("holder", primary_key=True),
    _text("window_name", primary_key=True),
    _units("times"),  # since an admin last looked
)

top_ups = _table(
    "top_ups",
    Column("id", _UNITS, primary_key=True, autoincrement=False),  # the sequence of the request
    _text("dataset"),
    _text("client"),
    _text("scope"),
    _units("pico_rho"),
    _units("atto_delta"),
    _text("state"),  # open, approved or declined
)

APPEND_ONLY = (entries, charges, charge_keys, questions, purchases, releases, client_names)
CURRENT = (accounts, chain_head, clients, caps, freezes, failures, top_ups)  # rows change, and never go
PROJECTIONS = (ledger_format, *CURRENT, *APPEND_ONLY[1:])


guard_all(metadata)
for _rows in APPEND_ONLY:
    forbid(_rows, "UPDATE", NEVER_CHANGE)
    forbid(_rows, "DELETE", NEVER_GO)
for _rows in CURRENT:
    forbid(_rows, "DELETE", NEVER_GO)
forbid(
    accounts,
    "UPDATE",
    "no refund, no new name, no new ceiling",
    "NEW.spent_pico_rho < OLD.spent_pico_rho OR NEW.spent_atto_delta < OLD.spent_atto_delta "
    "OR NEW.dataset <> OLD.dataset OR NEW.window_name <> OLD.window_name OR NEW.holder <> OLD.holder "
    f"OR (OLD.holder = '{EVERYBODY}' AND (NEW.ceiling_pico_rho <> OLD.ceiling_pico_rho "
    "OR NEW.ceiling_atto_delta <> OLD.ceiling_atto_delta))",
)
