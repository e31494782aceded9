"""SQL text -> PrivatePlan -> bounded SQL. Knows SQL, and neither budgets nor data.

    text        parser/parser.py: parse          syntax tree      one statement, within limits
    tree        binder/query.py: kinds           typed relations  Public | PerPerson | Released: whose rows
    relations   planner/split.py: plan           Question         releases to make, and the query over them
    plan        sensitivity/bounding.py: bound   Bounding         a rule and a clip bound per vector, with the reason
    both        codegen/bounded.py: render       BoundedSql       exact integers per group; no person is left

`read` runs the first three, `write` the last.

Modules, each before those that import it:

    catalog, errors, parser, algebra, functions, analysis, stability, binder, postprocess, sensitivity, planner,
    codegen.
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
    """Read a question: text -> the releases to make and the part over them; raises Refusal, and nothing else.

    A defect of the reader is a refusal too. Its cause is kept for tests and never shown: its text may hold anything.
    """
    try:
        return _read(sql, catalog)
    except Refusal:
        raise
    except Exception as defect:
        why, hint = "This question can't be read.", "ask it in other words"
        raise Refusal(Code.PARSE, why, hint, _first_word(sql)) from defect


def _read(sql: str, catalog: Catalog) -> Question:
    try:
        return _question(sql, catalog)
    except RecursionError:  # the limits are far from it, but the caller's own stack may not be
        why, hint = "The question is nested too deeply.", "split it into several"
        raise Refusal(Code.COMPLEX, why, hint, _first_word(sql)) from None
    except Refusal as refused:
        raise _accepted_try(refused, sql, catalog, _partial(_question, catalog=catalog)) from None


def statement(sql: str) -> Statement | None:
    """Read a statement beside SELECT; None for a question; raises Refusal with E_STMT for what is neither."""
    try:
        return _statement_of(sql)
    except Refusal as refused:
        raise _replace(refused, span=refused.span or _first_word(sql)) from None


def _question(sql: str, catalog: Catalog) -> Question:
    tree = _parse(sql, _check_arguments)
    reading = _Reading(catalog, sql, _as_written(tree), options=_options_of(tree), bounds=_bounds_of(tree))
    question = _plan(_kinds(tree, reading), reading)
    together = max((made.touched.together for made in question.plans), default=1)
    if together == 1:
        return question
    known = _replace(reading, ids=_count(), together=together)  # now that it is known, rows of all of them count
    return _plan(_kinds(_parse(sql), known), known)


def write(plan: PrivatePlan, bounds: Bounding, target: Target, admission: Admission | None = None) -> BoundedSql:
    """Write the bounded SQL of one release for a backend."""
    return _render(plan, bounds, target, admission)
