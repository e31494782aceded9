"""Data structures of the compiler: expressions, relations, formulas, release plans, and their traversal.

They hold no engine state, no budget and no data of people.

Modules, each before those that import it:

    expressions, formulas, intervals, relations, release_plan, target, traversal.
"""

from __future__ import annotations

from dialect.algebra.expressions import Expr, Field, Literal, children
from dialect.algebra.formulas import CountOf, Formula, Histogram, MeanOf, MomentsOf, Output, QuantileOf, SumOf
from dialect.algebra.relations import Join, Public, Relation
from dialect.algebra.release_plan import (
    SUMS_OVER_GROUPS,
    SUMS_OVER_ROWS,
    Key,
    MostValues,
    PrivatePlan,
    Question,
    ReleaseColumns,
    Rule,
    Touched,
    Vector,
    VectorBound,
    VectorKind,
)
from dialect.algebra.target import FEW_ROWS, LakeRows, Rollup, Target
from dialect.algebra.traversal import sources, tables_of
from dialect.notes import Note, NoteCode

__all__ = [
    "FEW_ROWS",
    "SUMS_OVER_GROUPS",
    "SUMS_OVER_ROWS",
    "CountOf",
    "Expr",
    "Field",
    "Formula",
    "Histogram",
    "Join",
    "Key",
    "LakeRows",
    "Literal",
    "MeanOf",
    "MomentsOf",
    "MostValues",
    "Note",
    "NoteCode",
    "Output",
    "PrivatePlan",
    "Public",
    "QuantileOf",
    "Question",
    "Relation",
    "ReleaseColumns",
    "Rollup",
    "Rule",
    "SumOf",
    "Target",
    "Touched",
    "Vector",
    "VectorBound",
    "VectorKind",
    "children",
    "sources",
    "tables_of",
]
