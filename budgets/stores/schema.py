"""The tables: balances that only grow, and rows that never change.

accounts      one row per (dataset, window, holder): the only rows that are ever updated
charges       one row per request of a client            charge_keys  the releases it asked for
questions     one row per release key: what it means     purchases    which holder has paid for it
releases      one row per release key: the one result    entries      what happened, for people and auditors
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

from budgets.conversion import THRESHOLD_PARTS
from budgets.stores.guards import NEVER_CHANGE, NEVER_GO, forbid, guard_all

FORMAT_VERSION = 1
EVERYBODY = ""  # the holder of a dataset's own account; clients have names, and tree levels will have paths

metadata = MetaData()

_UNITS = BigInteger().with_variant(Integer(), "sqlite")
_TEXT = Text().with_variant(
    Text(collation="C"), "postgresql"
)  # one order of names on every server: that of their bytes


def _table(name: str, *parts: Column[object] | CheckConstraint | UniqueConstraint | Index) -> Table:
    return Table(name, metadata, *parts, sqlite_strict=True, sqlite_autoincrement=name == "entries")


def _text(name: str, **options: bool) -> Column[object]:
    return Column(name, _TEXT, nullable=options.get("nullable", False), primary_key=options.get("primary_key", False))


def _units(name: str) -> Column[object]:
    return Column(name, _UNITS, CheckConstraint(f"{name} >= 0"), nullable=False)


def _charge_id(*, primary_key: bool = False) -> Column[object]:
    return Column("charge_id", _UNITS, ForeignKey("charges.id"), nullable=False, primary_key=primary_key)


ledger_format = _table("ledger_format", Column("version", Integer, primary_key=True, autoincrement=False))

accounts = _table(
    "accounts",
    Column("id", _UNITS, primary_key=True),
    _text("dataset"),
    _text("window_name"),
    _text("holder"),
    _units("ceiling_pico_rho"),  # of a dataset: its first cap, for good; of a client: its highest cap so far
    _units("ceiling_atto_delta"),
    _units("cap_pico_rho"),  # today's
    _units("cap_atto_delta"),
    _units("spent_pico_rho"),
    _units("spent_atto_delta"),  # of thresholds alone
    UniqueConstraint("dataset", "holder", "window_name"),
    CheckConstraint("spent_pico_rho <= ceiling_pico_rho"),
    CheckConstraint(f"spent_atto_delta <= ceiling_atto_delta / {THRESHOLD_PARTS}"),  # integer division
)

charges = _table(
    "charges",
    Column("id", _UNITS, primary_key=True),
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
    _text("settled_at"),
    _charge_id(),
)

entries = _table(
    "entries",
    Column("sequence", _UNITS, primary_key=True),
    _text("at"),
    _text("kind"),
    _text("dataset"),
    _text("window_name", nullable=True),
    _text("holder"),
    _text("asked_by"),
    _text("request_id"),
    _text("release_key", nullable=True),
    _units("pico_rho"),
    _units("atto_delta"),
    _text("versions"),
    Column("previous_hash", LargeBinary),  # for a chain over rows: empty until one is kept
    Column("row_hash", LargeBinary),
    Index("entries_of_holder", "holder", "sequence"),
)

APPEND_ONLY = (charges, charge_keys, questions, purchases, releases, entries)


guard_all(metadata)
for _rows in APPEND_ONLY:
    forbid(_rows, "UPDATE", NEVER_CHANGE)
    forbid(_rows, "DELETE", NEVER_GO)
forbid(accounts, "DELETE", NEVER_GO)
forbid(
    accounts,
    "UPDATE",
    "no refund, no new name, no new ceiling",
    "NEW.spent_pico_rho < OLD.spent_pico_rho OR NEW.spent_atto_delta < OLD.spent_atto_delta "
    "OR NEW.dataset <> OLD.dataset OR NEW.window_name <> OLD.window_name OR NEW.holder <> OLD.holder "
    f"OR (OLD.holder = '{EVERYBODY}' AND (NEW.ceiling_pico_rho <> OLD.ceiling_pico_rho "
    "OR NEW.ceiling_atto_delta <> OLD.ceiling_atto_delta))",
)
