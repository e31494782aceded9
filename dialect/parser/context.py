"""What every stage of reading one question shares: the catalog, the text, and fresh field ids."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from sqlglot import exp

from dialect.catalog.model import Catalog
from dialect.errors import Code, Refusal, Suggestion
from dialect.parser.aggregate_bounds import Named
from dialect.parser.options import NO_OPTIONS, Options
from dialect.parser.spans import PIVOTED, called, in_place, span_of

_SPOKEN = {"pivots": "PIVOT or UNPIVOT", "when": "AT", "locks": "FOR UPDATE"}  # what the parser calls otherwise
_SLOTS = {"this", "unit", "expression", "expressions", "kind", "zone", "type"}  # of calls, in the parser
MAX_FIELDS = 2_000  # fields of all relations: a CTE that is used many times is read many times
MAX_STEPS = 1_000_000  # of finding days: parts of conditions, each looked at for each day; a second or two


@dataclass(frozen=True)
class Reading:
    """One question being read."""

    catalog: Catalog
    sql: str
    written: Mapping[str, str] = field(default_factory=dict)  # lower-case alias -> as the analyst wrote it
    ids: Iterator[int] = field(default_factory=count)
    options: Options = NO_OPTIONS
    bounds: Named = field(default_factory=dict)  # of aggregate calls
    together: int = 1  # how many windows of time of a person count as one, as far as it is known
    steps: list[int] = field(default_factory=list)  # of finding the days of each scan
    outside: list[str] = field(default_factory=list)  # notes of tables of which no declared window can hold a row

    def fresh(self) -> str:
        """Make a field id that nothing else in this question has; refuses questions that need too many."""
        number = next(self.ids)
        if number >= MAX_FIELDS:
            raise Refusal(Code.COMPLEX, "The question uses its subqueries too often.", "name each subquery once")
        return f"c{number}"

    def take_steps(self, steps: int) -> None:
        """Count what it takes to find the days of a scan; refuses a question that takes too much, before it is done."""
        self.steps.append(steps)
        if sum(self.steps) > MAX_STEPS:
            why = "The question says more of its time than can be held against every declared day."
            raise Refusal(Code.COMPLEX, why, "fewer conditions on time, or one BETWEEN, in fewer places")

    def spare_steps(self, steps: int) -> bool:
        """Take steps for what a question can do without, if as many are left; tell whether they were."""
        enough = sum(self.steps) + steps <= MAX_STEPS
        self.steps.extend([steps] if enough else [])
        return enough


def refusal(
    code: Code, why: str, hint: str | Suggestion, node: exp.Expr | None = None, *instead: Suggestion
) -> Refusal:
    """Make a refusal that points at a node; `instead`: what could stand in its place."""
    if node is None:
        return Refusal(code, why, str(hint))
    placed = ((in_place(node, each.sql), each.differs) for each in instead)
    rewrites = tuple(Suggestion(sql, differs) for sql, differs in placed if sql is not None)
    return Refusal(code, why, str(hint), span_of(node), rewrites)


def _spoken(node: exp.Expr, name: str, value: object) -> str:
    """Call a part of a node as the analyst wrote it: by its keyword, else by its own text, else by what it stands in.

    `name` is the parser's word for it, which may be none of SQL's: unit, this, expression.
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
    """Refuse a node that carries any part not named here: an allow-list of arguments, not only of classes."""
    for name, value in node.args.items():
        if value and name not in allowed:
            what = _spoken(node, name, value)
            hint = PIVOTED if name == "pivots" else f"leave {what} out"
            raise refusal(code, f"{what} is not part of the dialect here.", hint, node)
