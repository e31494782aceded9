"""Compilation: SQL text -> Question, by the passes of COMPILE_PASSES over one frozen state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

from sqlglot import exp

from dialect.binder.argument_lists import check_argument_lists
from dialect.binder.query import BoundQuery, bind_query
from dialect.catalog.model import Catalog
from dialect.diagnostics.kinds import Kind
from dialect.parser.compile_context import CompileContext
from dialect.parser.parser import alias_spellings, bounds_of, options_of, parse
from dialect.parser.written_averages import read_written_averages
from dialect.planner.split import split_query
from dialect.postprocess.question import Question


@dataclass(frozen=True)
class Compilation:
    """What is known of a query while it is compiled; no pass changes what an earlier one made."""

    context: CompileContext
    tree: exp.Query | None = None
    bound: BoundQuery | None = None
    question: Question | None = None


def compile_text(sql: str, catalog: Catalog) -> Question:
    """Compile a query: SQL text -> the releases to make and the query over them; raises Refusal."""
    state = Compilation(CompileContext(catalog, sql))
    for compile_pass in COMPILE_PASSES:
        state = compile_pass(state)
    assert state.question is not None  # noqa: S101  made by plan_releases
    return state.question


def parse_text(state: Compilation) -> Compilation:
    """Parse the text; the context gets what it states outside of the tree."""
    tree = parse(state.context.sql, check_argument_lists)
    context = replace(
        state.context, alias_spellings=alias_spellings(tree), options=options_of(tree), bounds=bounds_of(tree)
    )
    if not context.bounds:  # they belong to calls by their places in the text
        read_written_averages(tree)
    return replace(state, context=context, tree=tree)


def bind_tree(state: Compilation) -> Compilation:
    """Bind the tree to typed relations."""
    assert state.tree is not None  # noqa: S101  made by parse_text
    return replace(state, bound=bind_query(state.tree, state.context))


def plan_releases(state: Compilation) -> Compilation:
    """Split the relations into releases and the query over them."""
    assert state.bound is not None  # noqa: S101  made by bind_tree
    question = split_query(state.bound, state.context)
    if state.context.options.others and all(plan.others is None for plan in question.plans):
        raise Kind.NOTHING_HIDDEN.at(state.context.options.span("others"))
    return replace(state, question=question)


def cover_windows(state: Compilation) -> Compilation:
    """Bind and plan again where a privacy unit of a release covers several privacy windows.

    Each person's row bound is multiplied by their number, which follows from the first plan.
    """
    assert state.question is not None  # noqa: S101  made by plan_releases
    windows_per_unit = max((plan.charged_windows.windows_per_unit for plan in state.question.plans), default=1)
    if windows_per_unit == 1:
        return state
    context = replace(state.context, field_ids=count(), windows_per_unit=windows_per_unit)
    return plan_releases(bind_tree(replace(state, context=context)))


COMPILE_PASSES: tuple[Callable[[Compilation], Compilation], ...] = (
    parse_text,
    bind_tree,
    plan_releases,
    cover_windows,
)
