"""A ledger history with every kind of event, and ways to tamper with its rows."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

from budgets import LIFETIME, OWNER, PER_QUERY, Caps, Entry, Ledger, Loss
from budgets.log.events import compute_row_hash
from budgets.log.verify import verify
from budgets.stores import journal
from budgets.stores.schema import PROJECTIONS
from tests.budgets.ledger_checks import CAPS, answer, ask, item

Row = dict[str, Any]
Tables = dict[str, list[Row]]
WHY = {"actor": "eve", "reason": "agreed on Monday"}
MONTHS = ("2026-01", "2026-02", "static")


def live(ledger: Ledger) -> None:
    """Make every kind of event happen once, and most kinds twice."""
    caps = Caps(CAPS.dataset, CAPS.client, reserve=Loss.rounded_up("0.01"), lifetime=Loss.rounded_up("1", "1e-9"))
    answer(ledger, ledger.charge(ask(item("norms", "0.01"), client=OWNER, caps=caps)))
    for number, client in enumerate(("acme/maps/ann", "acme/maps/ben", "acme/eve", "zoe")):
        asked = ask(
            item("shared", "0.005", "1e-12", MONTHS),
            item(f"of {client}", "0.002"),
            client=client,
            caps=caps,
            request="r",
        )
        charge = ledger.charge(asked)
        if number % 2:
            answer(ledger, charge)
        else:
            ledger.record_failure(charge)
    ledger.cap_client("acme", "operator", Loss.rounded_up("0.09", "1e-9"), **WHY)
    ledger.cap_client("acme/eve", "operator", Loss.rounded_up("0.5", "1e-9"), scope=LIFETIME, **WHY)
    ledger.cap_client("zoe", "operator", Loss.rounded_up("0.01", "1e-9"), scope=PER_QUERY, **WHY)
    for decide in (ledger.approve_top_up, ledger.decline_top_up):
        decide(ledger.request_top_up("zoe", "operator", Loss.rounded_up("0.12", "1e-9"), reason="the fair"), **WHY)
    ledger.request_top_up("zoe", "operator", Loss.rounded_up("0.2", "1e-9"), reason="the fair", scope="2026-01")
    answer(ledger, ledger.charge(ask(item("late", "0.003"), client="acme/eve", caps=caps, request="r2")))
    ledger.freeze(client="acme/maps", **WHY)
    ledger.freeze(dataset="mibici", window="2026-01", **WHY)
    ledger.thaw(client="acme/maps", **WHY)
    ledger.remove_client("zoe", **WHY)
    ledger.add_client("new/one", **WHY)
    ledger.note("objection", {"how": "bulk file"}, actor="session")
    ledger.count_repeat("acme/eve", "operator")
    ledger.write_repeats(all_hours=True)


def rows_of(ledger: Ledger) -> Tables:
    """Every row of every table, the chain's too, as an auditor would read them."""
    with ledger._store.reading() as connection:
        tables = {table.name: [dict(row) for row in journal.read_rows(connection, table)] for table in PROJECTIONS}
        return tables | {"entries": [dict(vars(entry)) for entry in journal.read_chain(connection)]}


def found(tables: Tables) -> tuple[str, ...]:
    """Verify rows as they are."""
    chain = sorted((Entry(**row) for row in tables["entries"]), key=lambda entry: entry.sequence)
    return tuple(verify(chain, {name: rows for name, rows in tables.items() if name != "entries"}))


def tampered(tables: Tables, seed: int) -> tuple[str, Tables]:
    """Tamper with the rows in one way, drawn by a seed; returns what was done."""
    draw = random.Random(seed)
    while True:
        way, changed = draw.choice(list(WAYS)), deepcopy(tables)
        what = f"{seed}: {way} {WAYS[way](draw, changed)}"
        if any(_unordered(changed[name]) != _unordered(rows) for name, rows in tables.items()):
            return what, changed  # rows alike but for what was swapped are the same rows


def _unordered(rows: list[Row]) -> list[str]:
    return sorted(map(repr, rows))


def _change(draw: random.Random, tables: Tables) -> str:
    name = draw.choice([name for name in sorted(tables) if tables[name]])
    row = draw.choice(tables[name])
    column = draw.choice(sorted(row))
    row[column] = _other(draw, row[column])
    return f"{name}.{column}"


def _delete(draw: random.Random, tables: Tables) -> str:
    name = draw.choice([name for name in sorted(tables) if tables[name]])
    tables[name].pop(draw.randrange(len(tables[name])))
    return name


def _insert(draw: random.Random, tables: Tables) -> str:
    name = draw.choice([name for name in sorted(tables) if tables[name]])
    row = draw.choice(tables[name])
    tables[name].append({column: _other(draw, value) for column, value in row.items()})
    return name


def _swap(draw: random.Random, tables: Tables) -> str:
    """Exchange one column of two rows."""
    some = [
        (name, column)
        for name in sorted(tables)
        for column in tables[name][0]
        if len(_values(tables, name, column)) > 1
    ]
    name, column = draw.choice(some)
    first = draw.choice(tables[name])
    second = draw.choice([row for row in tables[name] if row[column] != first[column]])
    first[column], second[column] = second[column], first[column]
    return f"{name}.{column}"


def _truncate(draw: random.Random, tables: Tables) -> str:
    name = draw.choice([name for name in sorted(tables) if tables[name]])
    tables[name][draw.randrange(len(tables[name])) :] = []
    return name


def _append(draw: random.Random, tables: Tables) -> str:
    """Add a correctly linked and hashed row to the chain."""
    last, like = Entry(**tables["entries"][-1]), Entry(**draw.choice(tables["entries"]))
    added = replace(like, sequence=last.sequence + 1, previous_hash=last.row_hash)
    tables["entries"].append(dict(vars(replace(added, row_hash=compute_row_hash(added)))))
    return like.kind


def _rehash(draw: random.Random, tables: Tables) -> str:
    """Change a row of the chain and all hashes from there on, but not the tables."""
    at = draw.randrange(len(tables["entries"]))
    column = draw.choice(["at", "dataset", "holder", "actor", "request_id", "body", "kind"])
    tables["entries"][at][column] = _other(draw, tables["entries"][at][column])
    for place in range(at, len(tables["entries"])):
        row = tables["entries"][place]
        row["previous_hash"] = tables["entries"][place - 1]["row_hash"] if place else bytes(32)
        row["row_hash"] = compute_row_hash(Entry(**row))
    return column


def _values(tables: Tables, name: str, column: str) -> set[Any]:
    return {row[column] for row in tables[name]}


def _other(draw: random.Random, value: Any) -> Any:
    if isinstance(value, bytes):
        at = draw.randrange(len(value))
        return value[:at] + bytes([value[at] ^ (1 << draw.randrange(8))]) + value[at + 1 :]
    if isinstance(value, int):
        return value + draw.choice([-1, 1, 1000])
    others: Iterator[str] = iter([f"{value}'", value[:-1] if value else "x", "other"])
    return draw.choice([other for other in others if other != value])


WAYS: dict[str, Callable[[random.Random, Tables], str]] = {
    "change": _change,
    "delete": _delete,
    "insert": _insert,
    "swap": _swap,
    "truncate": _truncate,
    "append": _append,
    "rehash": _rehash,
}
