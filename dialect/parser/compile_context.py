"""Compile context: what all stages share while one query is compiled, and the construction of refusals at a node."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count, islice

from sqlglot import exp

from dialect.algebra.properties import Properties
from dialect.catalog.model import Catalog
from dialect.diagnostics.kinds import Kind
from dialect.errors import Code, Diagnostic, Refusal, Suggestion
from dialect.parser.privacy_clause import NO_OPTIONS, BoundsByCall, Options
from dialect.parser.spans import span_of, sql_text, with_node_replaced, written_name

# sqlglot's name of a node part -> its SQL keyword
_SQL_KEYWORDS = {"pivots": "PIVOT or UNPIVOT", "when": "AT", "locks": "FOR UPDATE"}
# sqlglot's names of a call's arguments, which are not keywords that the analyst wrote
_ARGUMENT_SLOTS = {"this", "unit", "expression", "expressions", "kind", "zone", "type"}
DEFAULT_SCHEMA = "main"  # of all tables, as in DuckDB
MAX_FIELDS = 2_000  # fields of all relations of a query: a CTE is bound again at each use
MAX_PRUNING_STEPS = 1_000_000  # of date pruning: predicate parts, each evaluated per day; one or two seconds


@dataclass(frozen=True)
class CompileContext:
    """Compile context of one query: catalog, text, options, and counters that limit its size.

    The object is frozen, the lists in it are not: all stages of one compilation add to the same counters.
    """

    catalog: Catalog
    sql: str
    alias_spellings: Mapping[str, str] = field(default_factory=dict)  # lower-case alias -> the analyst's spelling
    field_ids: Iterator[int] = field(default_factory=count)
    options: Options = NO_OPTIONS
    bounds: BoundsByCall = field(default_factory=dict)  # named contribution bounds of aggregate calls
    properties: Properties = field(default_factory=Properties, compare=False)  # of the relations of the query
    windows_per_unit: int = 1  # privacy windows that form one privacy unit: more than 1 for plans that mix windows
    pruning_steps: list[int] = field(default_factory=list)  # of date pruning, one entry per scan
    # table whose predicates exclude every declared window -> the first and the last of these
    unreachable_tables: dict[str, tuple[str, str]] = field(default_factory=dict)

    def new_field_id(self) -> str:
        """Return a new field id, unique in this query; raises Refusal with E_COMPLEX after too many."""
        return self.new_field_ids(1)[0]

    def new_field_ids(self, count: int) -> list[str]:
        """Return several new field ids, each unique in this query; raises Refusal with E_COMPLEX after too many."""
        numbers = list(islice(self.field_ids, count))
        if numbers and numbers[-1] >= MAX_FIELDS:
            raise Kind.TOO_MANY_FIELDS.at()
        return [f"c{number}" for number in numbers]

    def charge_pruning_steps(self, steps: int) -> None:
        """Charge steps of date pruning against the query's limit; raises Refusal with E_COMPLEX beyond it."""
        self.pruning_steps.append(steps)
        if sum(self.pruning_steps) > MAX_PRUNING_STEPS:
            raise Kind.TOO_MANY_TIME_CONDITIONS.at()

    def try_pruning_steps(self, steps: int) -> bool:
        """Charge steps of an optional analysis if the limit allows them; return whether it did."""
        enough = sum(self.pruning_steps) + steps <= MAX_PRUNING_STEPS
        self.pruning_steps.extend([steps] if enough else [])
        return enough


def is_in_default_schema(node: exp.Table | exp.Column) -> bool:
    """Return whether a table or column is written without a schema, or with DuckDB's default one: main.visit."""
    return not node.args.get("catalog") and node.text("db").lower() in ("", DEFAULT_SCHEMA)


def refusal(
    kind: Diagnostic,
    node: exp.Expr | None = None,
    /,
    *replacements: Suggestion,
    code: Code | None = None,
    **fields: object,
) -> Refusal:
    """Build a refusal located at a node.

    Each of `replacements` is SQL that may replace the node (`suggest_replaced`). Without a node the refusal has neither
    span nor suggestions.
    """
    if node is None:
        return kind.at(code=code, **fields)
    return kind.at(span_of(node), suggest_replaced(node, replacements), code=code, **fields)


def suggest_replaced(node: exp.Expr, replacements: Iterable[Suggestion]) -> tuple[Suggestion, ...]:
    """Suggest the query with a node replaced, by each replacement; none where its place in the text is unknown."""
    located = ((with_node_replaced(node, each.sql), each.difference) for each in replacements)
    return tuple(Suggestion(sql, differs) for sql, differs in located if sql is not None)


def _display_name(node: exp.Expr, name: str, value: object) -> str | None:
    """Display name of a node's part: its SQL keyword, else its own text; None where it has neither.

    `name` is sqlglot's name of the part, which need not be a SQL word: unit, this, expression.
    """
    if name in _SQL_KEYWORDS:
        return _SQL_KEYWORDS[name]
    sql, keyword = str(node.root().meta.get("sql", "")), name.rstrip("_").replace("_", " ").upper()
    if re.search(rf"\b{re.escape(keyword)}\b", sql, re.IGNORECASE) and name not in _ARGUMENT_SLOTS:
        return keyword
    part = value[0] if isinstance(value, list) and value else value
    return sql_text(part)[:40] if isinstance(part, exp.Expr) else None


def check_parts(node: exp.Expr, *allowed: str, code: Code = Code.STMT) -> None:
    """Refuse a node with any part that is not named here: an allow-list of arguments, in addition to node classes.

    `allowed` are sqlglot's names of parts. A part that nothing reads would silently change the meaning of a query.
    """
    for name, value in node.args.items():
        if value and name not in allowed:
            shown_name = _display_name(node, name, value)
            if shown_name is None:
                raise refusal(Kind.UNSUPPORTED_FORM, node, code=code, function=written_name(node)[:40])
            kind = Kind.PIVOT_CLAUSE if name == "pivots" else Kind.UNSUPPORTED_PART
            raise refusal(kind, node, code=code, part=shown_name)
