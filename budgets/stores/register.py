"""Who has objected, as tables: what was done, and whom it is about; both only grow.

acts      when, who recorded it, why, of which dataset: nothing in a row is about a person
persons   whom an act is about: in a file of its own beside a ledger file, which auditors do not get
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import CheckConstraint, Column, Connection, ForeignKey, Integer, MetaData, Table, Text, insert, select

from budgets.log.acts import Act, ActKind, Objection
from budgets.stores.guards import NEVER_CHANGE, NEVER_GO, check_guards, forbid, guard_all
from budgets.stores.store import Store

metadata = MetaData()

acts = Table(
    "objection_acts",
    metadata,
    Column("act", Integer, primary_key=True, autoincrement=True),
    *(Column(name, Text, nullable=False) for name in ("at", "recorded_by", "dataset")),
    Column("kind", Text, CheckConstraint("kind IN ('object', 'withdraw')"), nullable=False),
    Column("reason", Text, nullable=False),
    sqlite_autoincrement=True,
    sqlite_strict=True,
)
persons = Table(
    "objection_persons",
    metadata,
    Column("place", Integer, primary_key=True, autoincrement=True),  # given out in the order of commits
    Column("act", Integer, ForeignKey("objection_acts.act"), nullable=False),
    Column("person", Text, nullable=False),
    sqlite_autoincrement=True,
    sqlite_strict=True,
)

guard_all(metadata)
for _table in (acts, persons):
    forbid(_table, "UPDATE", NEVER_CHANGE)
    forbid(_table, "DELETE", NEVER_GO)


def prepared_register(store: Store) -> Store:
    """Make the tables where there are none, or close the store; raises UnsafeStore, LedgerUnavailable."""
    try:
        with store.writing() as connection:
            metadata.create_all(connection)
            check_guards(connection, metadata)
    except BaseException:
        store.close()
        raise
    return store


def write_act(connection: Connection, done: Act, about: Sequence[str]) -> Act:
    """Write an act and whom it is about."""
    row = {"at": done.at, "recorded_by": done.recorded_by, "dataset": done.dataset, "kind": done.kind.value}
    number = connection.execute(insert(acts).values(**row, reason=done.reason).returning(acts.c.act)).scalar_one()
    connection.execute(insert(persons), [{"act": number, "person": person} for person in about])
    return Act(number, done.at, done.recorded_by, done.dataset, done.kind, done.reason)


def read_acts(connection: Connection) -> tuple[Act, ...]:
    """Read what was done, oldest first."""
    found = connection.execute(select(acts).order_by(acts.c.act))
    return tuple(Act(r.act, r.at, r.recorded_by, r.dataset, ActKind(r.kind), r.reason) for r in found)


def read_objections(connection: Connection, behind: int) -> tuple[Objection, ...]:
    """Read whom acts are about, behind a place, in the order in which they were recorded."""
    wanted = select(persons.c.place, acts.c.dataset, acts.c.kind, persons.c.person).join(acts)
    found = connection.execute(wanted.where(persons.c.place > behind).order_by(persons.c.place))
    return tuple(Objection(r.place, r.dataset, ActKind(r.kind), r.person) for r in found)
