"""Joins of two personal relations need an equality of their persons: refused without it, and else it reaches the SQL."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import duckdb
import pytest

from dialect.algebra.relations import Join
from dialect.catalog.model import Catalog
from dialect.errors import Refusal
from tests.support.greybox.greybox import GreyBox, SensitivityExceeded, UnexpectedChange, check_on
from tests.support.greybox.greybox_data import VICTIM, Database, Declared, Run, Subscriber, declared_as, make_worlds
from tests.support.planted import instead, written

joins = import_module("dialect.stability.joins")
equated, conjuncts = joins.equated_person, joins.conjuncts

PEOPLE = (Subscriber(VICTIM), *(Subscriber(person) for person in range(1, 9)))
RUNS = (Run(str(VICTIM), 6, cell=2), *(Run(str(person), cell=1) for person in range(1, 9)))  # nobody has a pair
DATABASE = Database(RUNS, PEOPLE, declared=Declared(rows=8.0, max_rows=50, consent=False))
PLAIN = "SELECT COUNT(*) FROM events e JOIN events f ON {}e.cell_id <> f.cell_id"
LEFT = "SELECT COUNT(f.cell_id) FROM events e LEFT JOIN events f ON {}e.cell_id <> f.cell_id"
GROUPED = "SELECT e.cell_id, COUNT(*) FROM events e JOIN events f ON {}e.cell_id <> f.cell_id GROUP BY 1"
OWN = "e.subscriber_id = f.subscriber_id AND "
ONE_SIDE = "e.subscriber_id = e.subscriber_id AND "
BELOW_OR = "(e.subscriber_id = f.subscriber_id OR e.steps = f.steps) AND "
FOUND = (SensitivityExceeded, UnexpectedChange)


def without_person(sql: str) -> str:
    """Leave the equality of two persons out of the condition of a join."""
    persons = re.findall(r"subscriber_id\"? AS (\w+)", sql)
    condition = rf"(?<=[ (])({'|'.join(persons)}) = ({'|'.join(persons)})(?=[ )]|$)" if persons else "(?!)"
    return re.sub(condition, "TRUE", sql)


def anybody(left: Any, right: Any, condition: Any) -> Any:
    return equated(left, right, condition) or left.person


@pytest.mark.parametrize("sql", [PLAIN, LEFT, GROUPED])
def test_a_missing_person_equality_in_the_sql_is_found(
    sql: str, connection: duckdb.DuckDBPyConnection, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_on(connection, catalog, DATABASE, sql.format(OWN))
    written(Join, without_person)(monkeypatch)
    with pytest.raises(FOUND):
        check_on(connection, catalog, DATABASE, sql.format(OWN))


def anywhere(condition: Any) -> tuple[Any, ...]:
    """Find the parts of a condition, those below OR as well."""
    parts = (each for part in conjuncts(condition) for each in (part, *getattr(part, "arguments", ())))
    return tuple(parts)


@pytest.mark.parametrize("condition", ["", ONE_SIDE], ids=["no equality", "of one side"])
@pytest.mark.parametrize("sql", [PLAIN, LEFT, GROUPED])
def test_an_accepted_join_without_person_equality_is_found(
    sql: str, condition: str, connection: duckdb.DuckDBPyConnection, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_worlds(connection, DATABASE)
    grey_box = GreyBox(connection, declared_as(catalog, DATABASE.declared))
    with pytest.raises(Refusal, match="E_JOIN"):
        grey_box.check(sql.format(condition))
    instead(joins, "equated_person", anybody)(monkeypatch)
    with pytest.raises(FOUND):
        grey_box.check(sql.format(condition))


def test_an_equality_below_or_that_is_accepted_is_found(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_worlds(connection, DATABASE)
    grey_box = GreyBox(connection, declared_as(catalog, DATABASE.declared))
    with pytest.raises(Refusal, match="E_JOIN"):
        grey_box.check(PLAIN.format(BELOW_OR))
    monkeypatch.setattr(joins, "conjuncts", anywhere)
    with pytest.raises(FOUND):
        grey_box.check(PLAIN.format(BELOW_OR))


def test_a_path_that_compares_a_person_with_itself_is_found(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted bug: a foreign key is believed to equate persons, where it is none."""
    make_worlds(connection, DATABASE)
    grey_box = GreyBox(connection, declared_as(catalog, DATABASE.declared))
    monkeypatch.setattr(joins, "path_steps", lambda *_: ["any"])
    grey_box.check(PLAIN.format(""))  # the added equality is that of both persons
    monkeypatch.setattr(joins, "equated_person", anybody)
    with pytest.raises(FOUND):
        grey_box.check(PLAIN.format(""))
