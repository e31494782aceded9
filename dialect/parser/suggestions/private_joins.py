"""Suggestions for joins of private rows with other people's rows.

Rows of different people never meet. What such a join is meant for is either about the rows of one person, which the
person key as a further condition says, or about how many people share a place or a time, which GROUP BY counts.

Two numbers side by side, such as who passes by and who stops, need no join of rows: each table is grouped alone.

    WITH p AS (SELECT place, COUNT(*) AS passed FROM passby p GROUP BY 1), v AS (... FROM visit v ...)
    SELECT place, passed, stopped FROM p JOIN v USING (place)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

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


DIFFERENCE = "each table is counted by its own"


@dataclass
class _Side:
    """One private table: its alias and node, and what the question asks of it."""

    alias: str
    table: exp.Table
    columns: frozenset[str]
    numbers: list[tuple[str, exp.Expr]] = field(default_factory=list)
    conditions: list[exp.Expr] = field(default_factory=list)

    @property
    def rows(self) -> str:
        """FROM and WHERE of this side."""
        where = f" WHERE {' AND '.join(map(tree_text, self.conditions))}" if self.conditions else ""
        return f"FROM {tree_text(self.table)}{where}"

    def grouped(self, keys: list[str]) -> str:
        """Write the CTE of this side: its numbers by the keys."""
        numbers = [f"{tree_text(number)} AS {name}" for name, number in self.numbers]
        by = f" GROUP BY {', '.join(map(str, range(1, len(keys) + 1)))}"
        selected = ", ".join([*(f"{self.alias}.{key}" for key in keys), *numbers])
        return f"{self.alias} AS (SELECT {selected} {self.rows}{by})"

    def scalars(self) -> list[str]:
        """Write a subquery for each number of this side, without keys."""
        return [f"(SELECT {tree_text(number)} {self.rows}) AS {name}" for name, number in self.numbers]


def separate_tables(sql: str, catalog: Catalog) -> Iterator[Suggestion]:
    """Rewrite a question about two private tables, joined or one in subqueries, as two grouped tables joined by key.

    Nothing where a number, key or condition is not of one table alone.
    """
    query = parsed_select(sql)
    sides = [] if query is None else _sides(query, catalog)
    keys = None if query is None else _keys(query)
    if query is None or len(sides) != 2 or keys is None or not all(side.columns >= set(keys) for side in sides):
        return
    if query.args.get("having") is not None or not _assign_conditions(query, sides):
        return
    shown = [_assign_item(item, sides, keys) for item in query.selects]
    if None in shown or not all(side.numbers for side in sides):
        return
    if not keys:
        yield Suggestion(f"SELECT {', '.join(each for side in sides for each in side.scalars())}", DIFFERENCE)
        return
    first, second = sides
    selected = ", ".join(name for name in shown if name is not None)
    ends = "".join(f" {tree_text(query.args[part])}" for part in ("order", "limit") if query.args.get(part) is not None)
    both = ", ".join(side.grouped(keys) for side in sides)
    joined = f"FROM {first.alias} JOIN {second.alias} USING ({', '.join(keys)})"
    yield Suggestion(f"WITH {both} SELECT {selected} {joined}{ends}", DIFFERENCE)


def _sides(query: exp.Select, catalog: Catalog) -> list[_Side]:
    """Private tables of FROM and its joins, and of subqueries in the select list; none where another table is read."""
    subqueries = [found.this for item in query.selects for found in item.find_all(exp.Subquery)]
    sources = [
        source
        for select in (query, *subqueries)
        if isinstance(select, exp.Select) and (from_ := select.args.get("from_") or select.args.get("from")) is not None
        for source in (from_.this, *(join.this for join in select.args.get("joins") or ()))
    ]
    sides: dict[str, _Side] = {}
    for source in sources:
        table = catalog.tables_by_name.get(source.name) if isinstance(source, exp.Table) else None
        if table is None or not table.private:
            return []
        sides[source.alias_or_name] = _Side(source.alias_or_name, source, frozenset(table.columns_by_name))
    return list(sides.values())


def _keys(query: exp.Select) -> list[str] | None:
    """Names of the columns that GROUP BY names, by name or by number; None where it has anything else."""
    group = query.args.get("group")
    found = []
    for key in group.expressions if group is not None else ():
        item = query.selects[int(key.name) - 1] if key.is_int and 0 < int(key.name) <= len(query.selects) else key
        column = item.unalias()
        if not isinstance(column, exp.Column):
            return None
        found.append(column.name)
    return found


def _side_of(node: exp.Expr, sides: list[_Side]) -> _Side | None:
    """Return the one side whose columns a node reads; None for none or several, and for an unknown column."""
    found = set()
    for column in node.find_all(exp.Column):
        owners = [s.alias for s in sides if column.table == s.alias or (not column.table and column.name in s.columns)]
        found.add(owners[0] if len(owners) == 1 else None)
    return next((s for s in sides if found == {s.alias}), None)


def _assign_conditions(query: exp.Select, sides: list[_Side]) -> bool:
    """Assign the conjuncts of WHERE, ON and subqueries to the sides, those of equated columns to both.

    Equalities of both sides by columns of one name are left out; False where another condition reads both.
    """
    places = [query, *(found.this for item in query.selects for found in item.find_all(exp.Subquery))]
    joins = [join for place in places for join in place.args.get("joins") or ()]
    tests = [join.args["on"] for join in joins if join.args.get("on") is not None]
    tests += [place.args["where"].this for place in places if place.args.get("where") is not None]
    parts = [part for each in tests for part in (each.flatten() if isinstance(each, exp.And) else [each])]
    shared = [part for part in parts if _side_of(part, sides) is None]
    if not all(map(_is_equality_of_one_name, shared)):
        return False
    equated = {column.name for join in joins for column in join.args.get("using") or ()}
    equated |= {part.left.name for part in shared if isinstance(part, exp.EQ)}
    for part in parts:
        side = _side_of(part, sides)
        is_of_both = {column.name for column in part.find_all(exp.Column)} <= equated
        for each in [] if side is None else sides if is_of_both else [side]:
            each.conditions.append(part if each is side else _read_from(part, each))
    return True


def _is_equality_of_one_name(test: exp.Expr) -> bool:
    """Return whether a condition equates two columns of one name."""
    if not isinstance(test, exp.EQ):
        return False
    one, other = test.left, test.right
    return isinstance(one, exp.Column) and isinstance(other, exp.Column) and bool(one.name == other.name)


def _read_from(test: exp.Expr, side: _Side) -> exp.Expr:
    """Return a copy of a condition that reads the columns of another side."""
    copied = test.copy()
    for column in copied.find_all(exp.Column):
        column.set("table", exp.to_identifier(side.alias))
    return copied


def _assign_item(item: exp.Expr, sides: list[_Side], keys: list[str]) -> str | None:
    """Assign a number of the select list to its side: the text that is shown of it; None if it is of no one side."""
    value = item.unalias()
    if isinstance(value, exp.Column) and value.name in keys:
        return value.name if item.alias_or_name == value.name else f"{value.name} AS {item.alias}"
    scalar = value.this if isinstance(value, exp.Subquery) else None
    side = _side_of(value, sides)
    if isinstance(scalar, exp.Select):
        source = (scalar.args.get("from_") or scalar.args["from"]).this
        side = next((each for each in sides if each.alias == source.alias_or_name), None)
        value = scalar.selects[0].unalias() if len(scalar.selects) == 1 else exp.Null()
    elif side is None and isinstance(value, exp.Count):
        side = next(iter(sides), None) if _is_count_of_first(value, sides) else None
    if side is None or not isinstance(value, exp.AggFunc):
        return None
    name = item.alias or f"n{sum(len(each.numbers) for each in sides) + 1}"
    side.numbers.append((name, value))
    return name


def _is_count_of_first(count: exp.Count, sides: list[_Side]) -> bool:
    """Return whether a COUNT(*) is of FROM's table alone: the other one stands in a subquery."""
    query = count.find_ancestor(exp.Select)
    has_joins = query is not None and query.args.get("joins")
    return isinstance(count.this, exp.Star) and len(sides) == 2 and not has_joins
