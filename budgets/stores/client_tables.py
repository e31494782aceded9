"""Tables of clients and of objections: clients, grants, freezes, failures, top-up requests; objection events.

The standing of all clients of a batch is read in one statement: who is frozen or removed, which caps were granted.

Objections have two append-only tables:

    objection_acts       when, recorded by whom, why, for which dataset: no personal data
    objection_persons    the persons of each event

For a ledger file they lie in a separate file, which auditors do not get.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from budgets.accounting.accounts import EVERYBODY, OWNER, Grant, folded_name, path_prefixes
from budgets.accounting.privacy_loss import Loss
from budgets.accounting.records import ClientStatus, Freeze, TopUp
from budgets.errors import Forbidden, ParamError, UnsafeStore
from budgets.log.events import Objection, ObjectionEvent, ObjectionEventKind
from budgets.log.projections import ProjectedTables
from budgets.stores import journal
from budgets.stores.schema import (
    NEVER_CHANGE,
    NEVER_DELETE,
    caps,
    check_guards,
    client_names,
    clients,
    create_guard_function,
    failures,
    forbid_change,
    freezes,
    top_ups,
)
from budgets.stores.store import fetch_rows, in_list, insert_new

metadata = sa.MetaData()

objection_events = sa.Table(
    "objection_acts",
    metadata,
    sa.Column("act", sa.Integer, primary_key=True, autoincrement=True),
    *(sa.Column(name, sa.Text, nullable=False) for name in ("at", "recorded_by", "dataset")),
    sa.Column("kind", sa.Text, sa.CheckConstraint("kind IN ('object', 'withdraw')"), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sqlite_autoincrement=True,
    sqlite_strict=True,
)
objection_persons = sa.Table(
    "objection_persons",
    metadata,
    sa.Column("place", sa.Integer, primary_key=True, autoincrement=True),  # assigned in the order of commits
    sa.Column("act", sa.Integer, sa.ForeignKey("objection_acts.act"), nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sqlite_autoincrement=True,
    sqlite_strict=True,
)

create_guard_function(metadata)
for _table in (objection_events, objection_persons):
    forbid_change(_table, "UPDATE", NEVER_CHANGE)
    forbid_change(_table, "DELETE", NEVER_DELETE)


def prepare_register(connection: sa.Connection) -> None:
    """Create the tables of the register if they are missing; raises UnsafeStore for others."""
    metadata.create_all(connection)
    check_guards(connection, metadata)


def write_objection_event(
    connection: sa.Connection, event: ObjectionEvent, person_keys: Sequence[str]
) -> ObjectionEvent:
    """Insert an objection event and its persons; returns it with its number."""
    row = {"at": event.at, "recorded_by": event.recorded_by, "dataset": event.dataset, "kind": event.kind.value}
    number = connection.execute(
        sa.insert(objection_events).values(**row, reason=event.reason).returning(objection_events.c.act)
    ).scalar_one()
    connection.execute(sa.insert(objection_persons), [{"act": number, "person": person} for person in person_keys])
    return ObjectionEvent(number, event.at, event.recorded_by, event.dataset, event.kind, event.reason)


def read_objection_events(connection: sa.Connection) -> tuple[ObjectionEvent, ...]:
    """List the objection events, oldest first."""
    found = connection.execute(sa.select(objection_events).order_by(objection_events.c.act))
    return tuple(
        ObjectionEvent(r.act, r.at, r.recorded_by, r.dataset, ObjectionEventKind(r.kind), r.reason) for r in found
    )


def read_objections(connection: sa.Connection, after: int) -> tuple[Objection, ...]:
    """List the persons of objection events after a position, in order of commit."""
    statement = sa.select(
        objection_persons.c.place, objection_events.c.dataset, objection_events.c.kind, objection_persons.c.person
    ).join(objection_events)
    found = connection.execute(statement.where(objection_persons.c.place > after).order_by(objection_persons.c.place))
    return tuple(Objection(r.place, r.dataset, ObjectionEventKind(r.kind), r.person) for r in found)


ACTIVE, REMOVED, FROZEN = "active", "removed", "frozen"
OPEN, APPROVED, DECLINED = "open", "approved", "declined"
ASK_ADMIN_HINT = "an admin, who sees why in the ledger and can thaw it."


# Statements of every charge, built once.
_CLIENT_STATES = sa.select(clients.c.holder, clients.c.state, clients.c.is_group).where(
    in_list(clients.c.holder, "holders")
)
_CLIENT_NAMES = sa.select(client_names).where(in_list(client_names.c.folded, "folded"))
_GRANTS = sa.select(caps).where(caps.c.dataset == sa.bindparam("dataset"), in_list(caps.c.holder, "holders"))

_FROZEN = sa.select(freezes).where(
    freezes.c.frozen == 1, in_list(freezes.c.holder, "holders"), in_list(freezes.c.dataset, "datasets")
)


@dataclass(frozen=True)
class ClientStanding:
    """State of some clients and their groups, and the freezes that apply to them."""

    states: Mapping[str, tuple[str, int]]  # (state, is_group: 0 or 1) by client or group; absent: unregistered
    frozen: tuple[sa.Row[Any], ...]

    def check(self, client: str, dataset: str | None = None, windows: Iterable[str] = ()) -> None:
        """Refuse a removed or frozen client, and a group in the place of a client; raises Forbidden.

        With a dataset, freezes of the dataset and of its windows are refused too.
        """
        path = _path(client)
        # a state is a pair: the state itself, then whether the holder is a group
        if any(self.states[holder][0] == REMOVED for holder in path if holder in self.states):
            raise Forbidden(f"The client {client!r} was removed.", "an admin, who can add it again.")
        if path and client in self.states and self.states[client][1]:
            hint = f"{client}/ and a client's name."
            raise Forbidden(f"{client!r} is a group of clients, and no client itself.", hint)
        for row in self.frozen:
            if row.holder in (EVERYBODY, *path):
                _check_not_frozen(row, client, dataset, frozenset(windows))

    def is_registered(self, client: str) -> bool:
        """Return whether a client is registered as a client and each of its groups as a group; true for the owner."""
        return all(holder in self.states and self.states[holder][1] == (holder != client) for holder in _path(client))


def read_standing(connection: sa.Connection, clients: Iterable[str], dataset: str | None = None) -> ClientStanding:
    """Read the standing of some clients; with a dataset, its freezes too."""
    holders = {holder for client in clients for holder in _path(client)}
    rows = fetch_rows(connection, _CLIENT_STATES, {"holders": [*holders]})
    states = {holder: (state, is_group) for holder, state, is_group in rows}
    parameters = {"holders": [EVERYBODY, *holders], "datasets": ["", dataset or ""]}
    return ClientStanding(states, tuple(fetch_rows(connection, _FROZEN, parameters)))


def check_standing(
    connection: sa.Connection, client: str, dataset: str | None = None, windows: Iterable[str] = ()
) -> None:
    """Check one client as `ClientStanding.check` does; raises Forbidden."""
    read_standing(connection, [client], dataset).check(client, dataset, windows)


def _path(client: str) -> tuple[str, ...]:
    """List a client and its groups, outermost first; the owner and everybody have no group and no state."""
    return path_prefixes(client) if client not in (OWNER, EVERYBODY) else ()


def why_blocked(connection: sa.Connection, client: str, dataset: str, windows: Iterable[str]) -> str | None:
    """Return why a client may not be charged there; None if it may."""
    try:
        check_standing(connection, client, dataset, windows)
    except Forbidden as stopped:
        return stopped.why
    return None


def add_client(connection: sa.Connection, client: str, *, reactivate: bool = False) -> None:
    """Register a client and its groups if they are new; with `reactivate`, reactivate a removed client.

    Raises ParamError for an invalid name, Forbidden for another spelling of a registered one.
    """
    check_spelling(connection, client)
    for holder in path_prefixes(client):
        insert_new(connection, client_names, {"folded": folded_name(holder), "holder": holder})
        is_group = int(holder != client)
        # insert_new: whether the row is new
        if insert_new(connection, clients, {"holder": holder, "state": ACTIVE, "is_group": is_group}):
            continue
        if is_group:
            connection.execute(sa.update(clients).where(clients.c.holder == holder).values(is_group=1))
        elif reactivate:
            connection.execute(sa.update(clients).where(clients.c.holder == holder).values(state=ACTIVE))


def check_spelling(connection: sa.Connection, client: str) -> None:
    """Refuse another spelling of a registered client's or group's name; raises Forbidden.

    Claim: no two clients of a ledger have names that fold to the same. Symbols: folded names of a path. Formula: the
    primary key of client_names. Source: budgets/accounting/proofs.md#one-client-for-each-name.
    """
    folded = {folded_name(holder): holder for holder in _path(client)}
    for row in fetch_rows(connection, _CLIENT_NAMES, {"folded": [*folded]}):
        if row.holder != folded[row.folded]:
            why = f"The name {folded[row.folded]!r} differs from {row.holder!r} in its spelling alone."
            raise Forbidden(why, f"{row.holder}, or another name.")


def complete_names(connection: sa.Connection) -> None:
    """Fill in the folded names of clients from older ledgers; raises UnsafeStore for two equal ones."""
    named_holders = set(connection.execute(sa.select(client_names.c.holder)).scalars())
    holders = connection.execute(sa.select(clients.c.holder).order_by(clients.c.holder)).scalars().all()
    for holder in (each for each in holders if each not in named_holders):
        folded = folded_name(holder)
        if not insert_new(connection, client_names, {"folded": folded, "holder": holder}):
            statement = sa.select(client_names.c.holder).where(client_names.c.folded == folded)
            other = connection.execute(statement).scalar_one()
            raise UnsafeStore(
                f"Two clients of this ledger have one name in two spellings: {other!r} and {holder!r}.",
                "a ledger of its own for each; what both have spent is one client's loss.",
            )


def remove_client(connection: sa.Connection, client: str) -> None:
    """Mark a client or group as removed; raises ParamError if there is none."""
    statement = sa.update(clients).where(clients.c.holder == client).values(state=REMOVED)
    if connection.execute(statement).rowcount != 1:
        raise ParamError(f"There is no client {client!r}.", "one that was added, or has asked.")


def read_clients(connection: sa.Connection) -> tuple[ClientStatus, ...]:
    """List every known client and group by name, with its effective state."""
    rows = tuple(connection.execute(sa.select(clients).order_by(clients.c.holder)))
    frozen = {freeze.client for freeze in read_freezes(connection) if not freeze.dataset and not freeze.window}
    removed = {row.holder for row in rows if row.state == REMOVED}
    return tuple(ClientStatus(row.holder, bool(row.is_group), _state(row.holder, removed, frozen)) for row in rows)


def _state(client: str, removed: Container[str], frozen: Container[str]) -> str:
    """Effective state of a client: removed or frozen if it, or one of its groups, is; removed goes first."""
    path = path_prefixes(client)
    if any(holder in removed for holder in path):
        return REMOVED
    return FROZEN if any(holder in frozen for holder in path) else ACTIVE


def read_grants(connection: sa.Connection, dataset: str, holders: Iterable[str]) -> tuple[Grant, ...]:
    """Grants in force: the newest cap that an admin set, for each holder and window of a dataset."""
    return tuple(
        Grant(row.dataset, row.holder, row.scope, Loss(row.pico_rho, row.atto_delta), row.sequence)
        for row in fetch_rows(connection, _GRANTS, {"dataset": dataset, "holders": [*holders]})
    )


def set_grant(connection: sa.Connection, new: Grant) -> None:
    """Set a cap; it replaces an earlier one of the same scope."""
    key = {"dataset": new.dataset, "holder": new.holder, "scope": new.scope}
    _upsert(connection, caps, key, {**vars(new.cap), "sequence": new.sequence})


def freeze(connection: sa.Connection, dataset: str, holder: str, window: str, sequence: int) -> None:
    """Freeze a scope; an empty field matches everything."""
    key = {"dataset": dataset, "holder": holder, "window_name": window}
    _upsert(connection, freezes, key, {"frozen": 1, "sequence": sequence})


def thaw(connection: sa.Connection, dataset: str, holder: str, window: str, sequence: int) -> None:
    """Lift a freeze and reset the failure counters that led to it; without a window, of every window.

    For a dataset, the counters of every client tree are reset too.
    """
    for table, values in ((freezes, {"frozen": 0, "sequence": sequence}), (failures, {"times": 0})):
        conditions = [table.c.dataset == dataset]
        # failures of a dataset are also counted per client tree: a thaw of the dataset resets these too
        if table is freezes or holder != EVERYBODY:
            conditions.append(table.c.holder == holder)
        if window:
            conditions.append(table.c.window_name == window)
        if table is freezes:
            conditions.append(table.c.frozen == 1)
        connection.execute(sa.update(table).where(*conditions).values(values))


def count_failure(connection: sa.Connection, dataset: str, holder: str, window: str) -> int:
    """Increment a failure counter; returns its value since the last thaw."""
    key = {"dataset": dataset, "holder": holder, "window_name": window}
    if insert_new(connection, failures, key | {"times": 1}):
        return 1
    conditions = sa.and_(*(failures.c[name] == value for name, value in key.items()))
    connection.execute(sa.update(failures).where(conditions).values(times=failures.c.times + 1))
    return int(connection.execute(sa.select(failures.c.times).where(conditions)).scalar_one())


def failures_by_tree(connection: sa.Connection, dataset: str, window: str) -> dict[str, int]:
    """Read the failures of a dataset's window since the last thaw, by client tree; "" has the sum of all."""
    counted = sa.select(failures.c.holder, failures.c.times).where(
        failures.c.dataset == dataset, failures.c.window_name == window
    )
    return {row.holder: row.times for row in connection.execute(counted)}


def complete_failures(connection: sa.Connection) -> None:
    """Fill in failures by client tree for older ledgers, which counted by window only; rereads the chain then."""
    counted = {tuple(key) for key in connection.execute(sa.select(*failures.primary_key.columns))}
    counted_windows = {(dataset, window) for dataset, holder, window in counted if dataset and holder == EVERYBODY}
    if counted_windows <= {(dataset, window) for dataset, holder, window in counted if holder != EVERYBODY}:
        return
    projected = ProjectedTables()
    for entry in journal.read_chain(connection):
        projected.apply(entry)
    for row in projected.tables["failures"].values():
        insert_new(connection, failures, row)


def read_freezes(connection: sa.Connection) -> tuple[Freeze, ...]:
    """List all current freezes."""
    order = (freezes.c.dataset, freezes.c.holder, freezes.c.window_name)
    rows = connection.execute(sa.select(freezes).where(freezes.c.frozen == 1).order_by(*order))
    return tuple(Freeze(row.dataset, row.holder, row.window_name, row.sequence) for row in rows)


def insert_top_up(connection: sa.Connection, request: TopUp) -> None:
    """Record a client's top-up request, undecided."""
    values = {"dataset": request.dataset, "client": request.client, "scope": request.scope, "state": request.state}
    _upsert(connection, top_ups, {"id": request.id}, values | vars(request.cap))


def read_top_ups(connection: sa.Connection, state: str | None = None) -> tuple[TopUp, ...]:
    """Top-up requests of clients with their decisions, oldest first."""
    statement = sa.select(top_ups).order_by(top_ups.c.id)
    rows = connection.execute(statement if state is None else statement.where(top_ups.c.state == state))
    return tuple(
        TopUp(row.id, row.dataset, row.client, row.scope, Loss(row.pico_rho, row.atto_delta), row.state) for row in rows
    )


def decide_top_up(connection: sa.Connection, top_up: int, state: str) -> TopUp:
    """Close an open request; raises ParamError if it is not open."""
    found = [request for request in read_top_ups(connection, OPEN) if request.id == top_up]
    if not found:
        raise ParamError(f"There is no open request {top_up}.", "passersby topup list --open shows those that are.")
    connection.execute(sa.update(top_ups).where(top_ups.c.id == top_up).values(state=state))
    return found[0]


def _check_not_frozen(row: sa.Row[Any], client: str, dataset: str | None, windows: frozenset[str]) -> None:
    """Refuse a client that a freeze applies to; raises Forbidden.

    `row` = a freeze of the dataset, of the client or of one of its groups; an empty field matches everything. One of a
    single window applies only to queries that are charged to that window.
    """
    if row.window_name and row.window_name not in windows:
        return
    if row.holder:
        who = f"The client {client!r}" if row.holder == client else f"The group {row.holder!r} of client {client!r}"
        raise Forbidden(f"{who} is frozen.", ASK_ADMIN_HINT)
    what = f"The window {row.window_name!r} of dataset {dataset!r}" if row.window_name else f"The dataset {dataset!r}"
    raise Forbidden(f"{what} is frozen.", ASK_ADMIN_HINT)


def _upsert(
    connection: sa.Connection, table: sa.Table, key: Mapping[str, object], values: Mapping[str, object]
) -> None:
    """Insert or update the row of a key."""
    if not insert_new(connection, table, {**key, **values}):
        conditions = [table.c[name] == value for name, value in key.items()]
        connection.execute(sa.update(table).where(*conditions).values(values))
