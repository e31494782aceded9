"""Compile context: what all stages share while one query is compiled, and the construction of refusals at a node."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from sqlglot import exp

from dialect.catalog.model import Catalog
from dialect.errors import Code, Refusal, Suggestion
from dialect.notes import Note
from dialect.parser.aggregate_bounds import Named
from dialect.parser.options import NO_OPTIONS, Options
from dialect.parser.spans import PIVOTED, called, in_place, span_of

# sqlglot's name of a node part -> its SQL keyword
_SPOKEN = {"pivots": "PIVOT or UNPIVOT", "when": "AT", "locks": "FOR UPDATE"}
# sqlglot's names of a call's arguments, which are not keywords that the analyst wrote
_SLOTS = {"this", "unit", "expression", "expressions", "kind", "zone", "type"}
MAX_FIELDS = 2_000  # fields of all relations of a query: a CTE is bound again at each use
MAX_STEPS = 1_000_000  # of date pruning: predicate parts, each evaluated per day; one or two seconds


@dataclass(frozen=True)
class Reading:
    """Compile context of one query: catalog, text, options, and counters that limit its size."""

    catalog: Catalog
    sql: str
    written: Mapping[str, str] = field(default_factory=dict)  # lower-case alias -> the analyst's spelling
    ids: Iterator[int] = field(default_factory=count)
    options: Options = NO_OPTIONS
    bounds: Named = field(default_factory=dict)  # named contribution bounds of aggregate calls
    together: int = 1  # privacy windows that form one privacy unit: more than 1 for plans that mix windows
    steps: list[int] = field(default_factory=list)  # of date pruning, one entry per scan
    outside: list[Note] = field(default_factory=list)  # notes on tables whose predicates exclude every declared window

    def fresh(self) -> str:
        """Return a new field id, unique in this query; raises Refusal with E_COMPLEX after too many."""
        number = next(self.ids)
        if number >= MAX_FIELDS:
            raise Refusal(Code.COMPLEX, "The question uses its subqueries too often.", "name each subquery once")
        return f"c{number}"

    def take_steps(self, steps: int) -> None:
        """Charge steps of date pruning against the query's limit; raises Refusal with E_COMPLEX beyond it."""
        self.steps.append(steps)
        if sum(self.steps) > MAX_STEPS:
            why = "The question says more of its time than can be held against every declared day."
            raise Refusal(Code.COMPLEX, why, "fewer conditions on time, or one BETWEEN, in fewer places")

    def spare_steps(self, steps: int) -> bool:
        """Charge steps of an optional analysis if the limit allows them; return whether it did."""
        enough = sum(self.steps) + steps <= MAX_STEPS
        self.steps.extend([steps] if enough else [])
        return enough


def refusal(
    code: Code, why: str, hint: str | Suggestion, node: exp.Expr | None = None, *instead: Suggestion
) -> Refusal:
    """Build a refusal located at a node; each of `instead` is SQL that may replace the node."""
    if node is None:
        return Refusal(code, why, str(hint))
    placed = ((in_place(node, each.sql), each.differs) for each in instead)
    rewrites = tuple(Suggestion(sql, differs) for sql, differs in placed if sql is not None)
    return Refusal(code, why, str(hint), span_of(node), rewrites)


def _spoken(node: exp.Expr, name: str, value: object) -> str:
    """Display name of a node's part: its SQL keyword, else its own text, else the function it belongs to.

    `name` is sqlglot's name of the part, which need not be a SQL word: unit, this, expression.
    """
    if name in _SPOKEN:
        return _SPOKEN[name]
    sql, keyword = str(node.root().meta.get("sql", "")), name.rstrip("_").replace("_", " ").upper()
    if re.search(rf"\b{re.escape(keyword)}\b", sql, re.IGNORECASE) and name not in _SLOTS:
        return keyword
    part = value[0] if isinstance(value, list) and value else value
    if isinstance(part, exp.Expr):
        return part.sql("duckdb", comments=False)[:40]
    return f"this form of {called(node)[:40]}"


def only(node: exp.Expr, *allowed: str, code: Code = Code.STMT) -> None:
    """Refuse a node with any part that is not named here: an allow-list of arguments, in addition to node classes."""
    for name, value in node.args.items():
        if value and name not in allowed:
            what = _spoken(node, name, value)
            hint = PIVOTED if name == "pivots" else f"leave {what} out"
            raise refusal(code, f"{what} is not part of the dialect here.", hint, node)
