"""GROUP BY becomes keys, each once, and the sets of them that groups are formed by."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.algebra.relations import BoundQuery
from dialect.binder.group_by import MAX_SETS, GroupKeys, bind_group_by
from dialect.binder.scope import RowResolver, Scope
from dialect.errors import Refusal
from dialect.functions.emitter import plain_text
from dialect.parser.parser import parse

QUERY = "SELECT zone AS z, lon + 1 AS lat, cell_id FROM cells GROUP BY {}"
READ = {
    "zone, cell_id": (["zone", "cell_id"], [(0, 1)]),
    "z, 3, zone": (["zone", "cell_id"], [(0, 1)]),  # an alias and a position; one key once
    "2": (["(lon + 1)"], [(0,)]),
    "lat": (["lat"], [(0,)]),  # a column comes before the alias of the same name
    "()": ([], [()]),
    "ROLLUP (zone, cell_id)": (["zone", "cell_id"], [(0, 1), (0,), ()]),
    "CUBE (zone, cell_id)": (["zone", "cell_id"], [(0, 1), (0,), (1,), ()]),
    "ROLLUP ((zone, cell_id), lon)": (["zone", "cell_id", "lon"], [(0, 1, 2), (0, 1), ()]),
    "GROUPING SETS ((zone), (cell_id), ())": (["zone", "cell_id"], [(0,), (1,), ()]),
    "zone, ROLLUP (cell_id)": (["zone", "cell_id"], [(0, 1), (0,)]),
    "ROLLUP (zone), ROLLUP (cell_id)": (["zone", "cell_id"], [(0, 1), (0,), (1,), ()]),
}


@pytest.fixture
def keys(rows_of: Callable[[str], BoundQuery]) -> Callable[[str], GroupKeys]:
    """Read the GROUP BY of a query over the cells."""

    def read(terms: str) -> GroupKeys:
        tree = parse(QUERY.format(terms))
        columns = rows_of("SELECT * FROM cells").columns
        items = [(item.alias_or_name, item.unalias()) for item in tree.expressions]
        group = tree.args["group"]
        nodes = [
            node for part in ("expressions", "rollup", "cube", "grouping_sets") for node in group.args.get(part) or ()
        ]
        return bind_group_by(nodes, items, RowResolver(Scope((("cells", columns),))))

    return read


@pytest.mark.parametrize("terms", READ)
def test_keys_are_read_once_and_sets_name_them(terms: str, keys: Callable[[str], GroupKeys]) -> None:
    made = keys(terms)
    assert ([plain_text(key) for key in made.key_exprs], list(made.sets)) == READ[terms]


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ("4", "no column 4"),
        ("0", "no column 0"),
        ("COUNT(*)", "can't be a group key"),
        ("ROLLUP (zone, (cell_id, (lon, lat)))", "can't stand inside another"),
        (", ".join(["ROLLUP (zone)"] * 6), f"more than {MAX_SETS} sets"),
    ],
)
def test_an_invalid_group_key_is_refused(terms: str, why: str, keys: Callable[[str], GroupKeys]) -> None:
    with pytest.raises(Refusal, match=why):
        keys(terms)
