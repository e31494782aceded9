"""A ledger of format 1, as the version before the chain made it: tables, guards, and the rows of a few questions."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    inspect,
)

from budgets.stores.guards import NEVER_CHANGE, NEVER_GO, forbid, guard_all

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
    CheckConstraint("spent_atto_delta <= ceiling_atto_delta / 10"),  # integer division
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

# what that version wrote for a few questions, two of them settled
ROWS = """
accounts|1,'operator','forever','ann',100000000000,1000000000,100000000000,1000000000,15000000000,10000000
accounts|2,'operator','forever','',200000000000,1000000000,200000000000,1000000000,35000000000,10000000
accounts|3,'operator','forever','ben',100000000000,1000000000,100000000000,1000000000,5000000000,0
accounts|4,'operator','forever','org/eve',100000000000,1000000000,100000000000,1000000000,20000000000,0
accounts|5,'mibici','forever','ann',100000000000,1000000000,100000000000,1000000000,5000000000,0
accounts|6,'mibici','forever','',200000000000,1000000000,200000000000,1000000000,5000000000,0
charge_keys|1,0,'aa'
charge_keys|1,1,'bb'
charge_keys|2,0,'aa'
charge_keys|3,0,'cc'
charge_keys|4,0,'dd'
charge_keys|5,0,'aa'
charges|1,'ann','r1','body of r1','operator',15000000000,10000000,'versions 1'
charges|2,'ben','r1','of ben','operator',5000000000,0,'versions 1'
charges|3,'org/eve','r9','body of r9','operator',20000000000,0,'versions 1'
charges|4,'ann','r2','body of r2','mibici',5000000000,0,'versions 1'
charges|5,'ann','r3','body of r3','operator',0,0,'versions 1'
entries|1,'2026-11-25T03:42:26.514+00:00','account_opened','operator','forever','ann','ann','r1',NULL,100000000000,1000000000,'versions 1',NULL,NULL
entries|2,'2026-11-25T03:42:26.514+00:00','account_opened','operator','forever','','ann','r1',NULL,200000000000,1000000000,'versions 1',NULL,NULL
entries|3,'2026-11-25T03:42:26.514+00:00','charged','operator','forever','ann','ann','r1','aa',5000000000,0,'versions 1',NULL,NULL
entries|4,'2026-11-25T03:42:26.514+00:00','charged','operator','forever','ann','ann','r1','bb',10000000000,10000000,'versions 1',NULL,NULL
entries|5,'2026-11-25T03:42:26.514+00:00','charged','operator','forever','','ann','r1','aa',5000000000,0,'versions 1',NULL,NULL
entries|6,'2026-11-25T03:42:26.514+00:00','charged','operator','forever','','ann','r1','bb',10000000000,10000000,'versions 1',NULL,NULL
entries|7,'2026-11-25T03:42:26.528+00:00','released','operator',NULL,'ann','ann','r1','aa',0,0,'versions 1',NULL,NULL
entries|8,'2026-11-25T03:42:26.529+00:00','released','operator',NULL,'ann','ann','r1','bb',0,0,'versions 1',NULL,NULL
entries|9,'2026-11-25T03:42:26.552+00:00','account_opened','operator','forever','ben','ben','r1',NULL,100000000000,1000000000,'versions 1',NULL,NULL
entries|10,'2026-11-25T03:42:26.552+00:00','charged','operator','forever','ben','ben','r1','aa',5000000000,0,'versions 1',NULL,NULL
entries|11,'2026-11-25T03:42:26.588+00:00','account_opened','operator','forever','org/eve','org/eve','r9',NULL,100000000000,1000000000,'versions 1',NULL,NULL
entries|12,'2026-11-25T03:42:26.588+00:00','charged','operator','forever','org/eve','org/eve','r9','cc',20000000000,0,'versions 1',NULL,NULL
entries|13,'2026-11-25T03:42:26.588+00:00','charged','operator','forever','','org/eve','r9','cc',20000000000,0,'versions 1',NULL,NULL
entries|14,'2026-11-25T03:42:26.601+00:00','account_opened','mibici','forever','ann','ann','r2',NULL,100000000000,1000000000,'versions 1',NULL,NULL
entries|15,'2026-11-25T03:42:26.601+00:00','account_opened','mibici','forever','','ann','r2',NULL,200000000000,1000000000,'versions 1',NULL,NULL
entries|16,'2026-11-25T03:42:26.601+00:00','charged','mibici','forever','ann','ann','r2','dd',5000000000,0,'versions 1',NULL,NULL
entries|17,'2026-11-25T03:42:26.601+00:00','charged','mibici','forever','','ann','r2','dd',5000000000,0,'versions 1',NULL,NULL
entries|18,'2026-11-25T03:42:26.616+00:00','released','mibici',NULL,'ann','ann','r2','dd',0,0,'versions 1',NULL,NULL
ledger_format|1
purchases|'operator','','aa',1
purchases|'operator','','bb',1
purchases|'operator','ann','aa',1
purchases|'operator','ann','bb',1
purchases|'operator','ben','aa',2
purchases|'operator','','cc',3
purchases|'operator','org/eve','cc',3
purchases|'mibici','','dd',4
purchases|'mibici','ann','dd',4
questions|'operator','aa',5000000000,0,'["forever"]','question aa'
questions|'operator','bb',10000000000,10000000,'["forever"]','question bb'
questions|'operator','cc',20000000000,0,'["forever"]','question cc'
questions|'mibici','dd',5000000000,0,'["forever"]','question dd'
releases|'operator','aa',X'616E73776572206161','2026-11-25T03:42:26.527+00:00',1
releases|'operator','bb',X'616E73776572206262','2026-11-25T03:42:26.529+00:00',1
releases|'mibici','dd',X'616E73776572206464','2026-11-25T03:42:26.616+00:00',4
"""


def make(connection: Connection) -> None:
    """Make the ledger of format 1 with its rows."""
    metadata.create_all(connection)
    tables = {name: [] for name in (table.name for table in metadata.sorted_tables)}
    for line in ROWS.strip().splitlines():
        name, _, values = line.partition("|")
        tables[name].append(values)
    for name, rows in tables.items():
        for values in rows:
            written = values if connection.dialect.name == "sqlite" else values.replace("X'", "'\\x")
            connection.exec_driver_sql(f"INSERT INTO {name} VALUES ({written})")


def contents(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
    """Give every row of every table that is there, as the version that made them would read them."""
    names = sorted(inspect(connection).get_table_names())
    read = {name: connection.exec_driver_sql(f"SELECT * FROM {name}").all() for name in names}
    return {name: sorted((tuple(row) for row in rows), key=repr) for name, rows in read.items()}
