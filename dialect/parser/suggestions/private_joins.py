"""Suggestions for joins of private rows with other people's rows.

Rows of different people never meet. What such a join is meant for is either about the rows of one person, which the
person key as a further condition says, or about how many people share a place or a time, which GROUP BY counts.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from dialect.catalog.model import Catalog, Table
from dialect.errors import Suggestion
from dialect.parser.suggestions.beginners import parsed_select, tree_text

_COMPARISONS = (exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
_MAX_SHARED = 3  # columns by which people are counted


def of_one_person(sql: str, catalog: Catalog) -> Iterator[Suggestion]:
    """Add the person key to the condition of each join of private tables, in place of comparisons of it."""
    query = parsed_select(sql)
    if query is None:
        return
    for select in list(query.find_all(exp.Select)):
        sources = _private_sources(select, catalog)
        persons = {alias: person for alias, table in sources.items() if (person := _person_of(table)) is not None}
        if len(persons) != len(sources) or len(persons) < 2:
            continue
        _drop_comparisons(select, persons)
        (first, key), *others = persons.items()
        for alias, person in others:
            _add_condition(select, alias, exp.column(key, first).eq(exp.column(person, alias)))
        yield Suggestion(tree_text(query), "only rows of one person meet each other")
        return


def people_together(sql: str, catalog: Catalog) -> Iterator[Suggestion]:
    """Count people by the columns that a private table has in common with itself in a join."""
    query = parsed_select(sql)
    sources = {} if query is None else _private_sources(query, catalog)
    tables = list(sources.values())
    if query is None or len(tables) != 2 or tables[0] is not tables[1] or (person := _person_of(tables[0])) is None:
        return
    shared = dict.fromkeys(
        equality.left.name
        for equality in query.find_all(exp.EQ)
        if isinstance(equality.left, exp.Column)
        and isinstance(equality.right, exp.Column)
        and equality.left.name == equality.right.name != person
    )
    joined = (join for join in query.args.get("joins") or () for join in join.args.get("using") or ())
    keys = list(dict.fromkeys([*shared, *(column.name for column in joined)]))
    for some in (keys, keys[:1]) if 0 < len(keys) <= _MAX_SHARED else ():
        counted = ", ".join([*some, f"COUNT(DISTINCT {person}) AS people"])
        difference = f"how many people share a {' and a '.join(some)}, in place of who meets whom"
        yield Suggestion(f"SELECT {counted} FROM {tables[0].name} GROUP BY {', '.join(some)}", difference)


def _private_sources(select: exp.Select, catalog: Catalog) -> dict[str, Table]:
    """Private tables that a SELECT reads by their names, by alias."""
    from_ = select.args.get("from_")
    nodes = [] if from_ is None else [from_.this, *(join.this for join in select.args.get("joins") or ())]
    found = ((node, catalog.tables_by_name.get(node.name.lower())) for node in nodes if isinstance(node, exp.Table))
    return {node.alias_or_name: table for node, table in found if table is not None and table.private}


def _person_of(table: Table) -> str | None:
    """Name of the person key, if the table has it as a column that analysts see."""
    column = None if table.person is None or table.person.through else table.person.column
    shown = None if column is None else table.columns_by_name.get(column)
    return column if shown is not None and shown.visible else None


def _drop_comparisons(select: exp.Select, persons: dict[str, str]) -> None:
    """Leave out comparisons of person keys, which pair different people."""
    for node in list(select.find_all(*_COMPARISONS)):
        sides = [side for side in (node.this, node.expression) if isinstance(side, exp.Column)]
        if len(sides) == 2 and all(persons.get(side.table) == side.name for side in sides):
            both = node.parent
            if isinstance(both, exp.And):
                both.replace(both.right if both.left is node else both.left)
            else:
                node.replace(exp.true())


def _add_condition(select: exp.Select, alias: str, equality: exp.Expr) -> None:
    """Add a condition to the ON of the join of an alias, or to WHERE for a table behind a comma."""
    join = next(join for join in select.args["joins"] if join.this.alias_or_name == alias)
    if join.args.get("on") is None or join.args.get("using"):
        select.where(equality, copy=False)
    else:
        join.set("on", exp.and_(join.args["on"], equality, copy=False))
