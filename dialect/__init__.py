"""Compile a SQL query to bounded SQL. Knows SQL, and neither budgets nor data.

    text        parser/parser.py: parse                       syntax tree         one statement, within size limits
    tree        binder/query.py: bind_query                   typed relations     Public | PerPerson | Released
    relations   planner/compilation.py: split_query           Question            releases, and the query over them
    plan        sensitivity/bounding.py: bound_contributions  ContributionBounds  a rule and a clip bound per vector
    both        codegen/bounded_sql.py: write_bounded_sql     BoundedSql          exact integers per group

`compile_query` runs the first three stages (planner/compilation.py: COMPILE_PASSES), `generate_sql` the last. Between
them `bound_contributions` chooses a rule and an L2 clip bound for each query vector: the numbers of one aggregate over
all groups.

Modules, each before those that import it:

    catalog, errors, notes, diagnostics, algebra, parser, functions, analysis, stability, binder, postprocess,
    sensitivity, planner, codegen.
"""

from __future__ import annotations

from functools import partial as _partial

from dialect.algebra.codegen_types import BoundedSql, Target
from dialect.algebra.release_plan import ContributionBounds, PrivatePlan
from dialect.catalog.model import Catalog, Eligibility
from dialect.codegen.bounded_sql import write_bounded_sql as generate_sql
from dialect.diagnostics.kinds import Kind as _Kind
from dialect.errors import Code, Refusal, Span
from dialect.functions.registry import callable_names as function_names
from dialect.parser.parser import Describe, ExplainPrivacy, Listing, Show, Statement, parse_statement
from dialect.parser.privacy_clause import Options
from dialect.parser.spans import first_word_span as _first_word_span
from dialect.parser.suggestions.candidates import with_compiling_suggestion as _with_compiling_suggestion
from dialect.planner.compilation import compile_text as _compile_text
from dialect.postprocess.question import Question
from dialect.sensitivity.bounding import bound_contributions


def compile_query(sql: str, catalog: Catalog, *, with_suggestions: bool = True) -> Question:
    """Compile a query: SQL text -> the releases to make and the query over them; raises Refusal, and nothing else.

    `with_suggestions`: a refusal suggests a query that compiles, if one is found.

    An unexpected exception of the compiler becomes a Refusal too. Its cause is chained for tests and never shown,
    because its text may contain literals of the query.
    """
    try:
        return _compile_query(sql, catalog, with_suggestions)
    except Refusal:
        raise
    except Exception as defect:
        raise _Kind.UNREADABLE_QUESTION.at(_first_word_span(sql)) from defect


def _compile_query(sql: str, catalog: Catalog, with_suggestions: bool) -> Question:
    """Compile a query; a refusal gets its suggestions checked, and deep recursion becomes E_COMPLEX."""
    try:
        return _compile_text(sql, catalog)
    except RecursionError:  # parser limits prevent this, unless the caller's own stack is deep already
        raise _Kind.NESTED_TOO_DEEPLY_HERE.at(_first_word_span(sql)) from None
    except Refusal as refusal:
        if not with_suggestions:
            raise
        raise _with_compiling_suggestion(refusal, sql, catalog, _partial(_compile_text, catalog=catalog)) from None
