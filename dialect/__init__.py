"""Compile a SQL query to bounded SQL. Knows SQL, and neither budgets nor data.

    text        parser/parser.py: parse          syntax tree      one statement, within size limits
    tree        binder/query.py: bind_query      typed relations  Public | PerPerson | Released: whose rows
    relations   planner/split.py: plan           Question         releases to make, and the query over them
    plan        sensitivity/bounding.py: bound   Bounding         a rule and a clip bound per query vector
    both        codegen/bounded.py: render       BoundedSql       exact integers per group, over all persons

`compile_query` runs the first three stages, `generate_sql` the last.

Modules, each before those that import it:

    catalog, errors, notes, parser, algebra, functions, analysis, stability, binder, postprocess, sensitivity,
    planner, codegen.
"""

from __future__ import annotations

from dataclasses import replace as _replace
from functools import partial as _partial
from itertools import count as _count

from dialect.algebra.release_plan import Bounding, PrivatePlan, Question
from dialect.algebra.target import BoundedSql, Target
from dialect.binder.argument_lists import check_arguments as _check_arguments
from dialect.binder.query import kinds as _kinds
from dialect.catalog.admission import Admission
from dialect.catalog.model import Catalog
from dialect.codegen.bounded import render as _render
from dialect.errors import Code, Refusal, Span
from dialect.functions.registry import names as function_names
from dialect.parser.context import Reading as _Reading
from dialect.parser.options import Options
from dialect.parser.parser import as_written as _as_written
from dialect.parser.parser import bounds_of as _bounds_of
from dialect.parser.parser import options_of as _options_of
from dialect.parser.parser import parse as _parse
from dialect.parser.spans import first_word as _first_word
from dialect.parser.statements import Describe, ExplainPrivacy, Listing, Show, Statement
from dialect.parser.statements import statement_of as _statement_of
from dialect.parser.suggestions.suggest import accepted_try as _accepted_try
from dialect.planner.split import plan as _plan
from dialect.sensitivity.bounding import bound

__all__ = [
    "Admission",
    "BoundedSql",
    "Bounding",
    "Catalog",
    "Code",
    "Describe",
    "ExplainPrivacy",
    "Listing",
    "Options",
    "PrivatePlan",
    "Question",
    "Refusal",
    "Show",
    "Span",
    "Statement",
    "Target",
    "bound",
    "function_names",
    "read",
    "statement",
    "write",
]


def read(sql: str, catalog: Catalog) -> Question:
    """Compile a query: SQL text -> the releases to make and the query over them; raises Refusal, and nothing else.

    An unexpected exception of the compiler becomes a Refusal too. Its cause is chained for tests and never shown,
    because its text may contain literals of the query.
    """
    try:
        return _read(sql, catalog)
    except Refusal:
        raise
    except Exception as defect:
        why, hint = "This question can't be read.", "ask it in other words"
        raise Refusal(Code.PARSE, why, hint, _first_word(sql)) from defect


def _read(sql: str, catalog: Catalog) -> Question:
    """Compile a query; a refusal gets its suggestions checked, and deep recursion becomes E_COMPLEX."""
    try:
        return _question(sql, catalog)
    except RecursionError:  # parser limits prevent this, unless the caller's own stack is deep already
        why, hint = "The question is nested too deeply.", "split it into several"
        raise Refusal(Code.COMPLEX, why, hint, _first_word(sql)) from None
    except Refusal as refused:
        raise _accepted_try(refused, sql, catalog, _partial(_question, catalog=catalog)) from None


def statement(sql: str) -> Statement | None:
    """Parse a statement other than SELECT; None for a query; raises Refusal with E_STMT for anything else."""
    try:
        return _statement_of(sql)
    except Refusal as refused:
        raise _replace(refused, span=refused.span or _first_word(sql)) from None


def _question(sql: str, catalog: Catalog) -> Question:
    """Parse, bind and plan a query.

    A release that spans several privacy windows multiplies each person's row bound by their number. That number is
    known only after planning, so such a query is bound and planned a second time with it.
    """
    tree = _parse(sql, _check_arguments)
    reading = _Reading(catalog, sql, _as_written(tree), options=_options_of(tree), bounds=_bounds_of(tree))
    question = _plan(_kinds(tree, reading), reading)
    together = max((made.touched.together for made in question.plans), default=1)
    if together == 1:
        return question
    known = _replace(reading, ids=_count(), together=together)  # bind again: row bounds now cover all windows
    return _plan(_kinds(_parse(sql), known), known)


def write(plan: PrivatePlan, bounds: Bounding, target: Target, admission: Admission | None = None) -> BoundedSql:
    """Generate the bounded SQL of one release in an engine's dialect."""
    return _render(plan, bounds, target, admission)
