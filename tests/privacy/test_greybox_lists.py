"""Lists of a row's own: one person moves no exact vector further than was declared, and bugs that are planted are found."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import duckdb
import pytest

from dialect.catalog import Catalog
from dialect.relations import PerPerson
from dialect.unnest import Unnest
from tests.support.greybox import OthersMoved, SensitivityExceeded, check_drawn, check_on
from tests.support.greybox_data import VICTIM, Database, Declared, Run, Subscriber
from tests.support.greybox_lists import LISTS
from tests.support.greybox_questions import questions
from tests.support.planted import Plant, instead, written

EXAMPLES = 20_000 if os.environ.get("PASSERSBY_NIGHTLY") else 40
unnest_clause = import_module("dialect.unnest_clause")
unnested = unnest_clause.unnested


def test_one_person_moves_nothing_further_than_declared(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog
) -> None:
    check_drawn(connection, catalog, questions(LISTS), EXAMPLES)


def one_row_each(*given: Any) -> Any:
    """Forget that the one row of a person is many now."""
    relation, member = unnested(*given)
    return (replace(relation, one_row_per_person=True) if isinstance(relation, PerPerson) else relation), member


def of_the_person(*given: Any) -> Any:
    """Take a member for something that the person has one of."""
    relation, member = unnested(*given)
    theirs = replace(member, of_person=True)
    return replace(relation, fields=(*relation.fields[:-1], theirs)), theirs


def of_everybody(sql: str) -> str:
    """Give every row the members of everybody's lists."""
    member = re.search(r"unnest\((.*?)\[1:1000\]\) AS (\w+) FROM", sql)
    assert member is not None
    kept = re.sub(r"unnest\(.*?\[1:1000\]\) AS \w+ FROM", "1 AS nothing FROM", sql, count=1)
    return (
        f"SELECT l.*, r.{member[2]} FROM ({kept}) AS l CROSS JOIN (SELECT DISTINCT {member[2]} FROM ({sql}) AS m) AS r"
    )


ME = str(VICTIM)
CROWD = tuple(Run(str(person), 3, 3) for person in range(1, 5))
PEOPLE = (Subscriber(VICTIM, cell="2"), *(Subscriber(person) for person in range(1, 5)))
LOOSE = Declared(rows=1.0, persons=1.0, max_groups=5, max_rows=50, consent=False)
MANY = Database((Run(ME, 7, 7, cell=1), *CROWD), PEOPLE, declared=LOOSE)
ODD = Database((Run(ME, cell=9), *CROWD), PEOPLE, declared=LOOSE)
OWN = "(SELECT subscriber_id, LIST(DISTINCT cell_id) AS xs FROM events GROUP BY 1) p, UNNEST(p.xs) AS u(x)"


@dataclass(frozen=True)
class Planted:
    """A bug, a question on data where it shows, and what must be raised."""

    plant: Plant
    sql: str
    database: Database
    found: type[AssertionError] = SensitivityExceeded


PLANTED = {
    "one row of a person that stays one": Planted(
        instead(unnest_clause, "unnested", one_row_each), f"SELECT COUNT(*) FROM {OWN}", MANY
    ),
    "a member of the person": Planted(
        instead(unnest_clause, "unnested", of_the_person),
        f"SELECT COUNT(*) FROM (SELECT DISTINCT subscriber_id, x FROM {OWN})",
        MANY,
    ),
    "a list of everybody's members": Planted(
        written(Unnest, of_everybody), "SELECT x, COUNT(*) FROM events e, UNNEST([e.cell_id]) AS u(x) GROUP BY 1", ODD
    ),
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_a_planted_bug_is_found(
    planted: Planted, connection: duckdb.DuckDBPyConnection, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_on(connection, catalog, planted.database, planted.sql)
    planted.plant(monkeypatch)
    with pytest.raises((planted.found, OthersMoved)):
        check_on(connection, catalog, planted.database, planted.sql)
