"""Data structures of the compiler: expressions, relations, formulas, release plans, and their traversal.

They hold no engine state, no budget and no data of people.

Modules, each before those that import it:

    traversal, expressions, formulas, value_ranges, relations, properties, release_plan, codegen_types.
"""

from __future__ import annotations

from dialect.algebra.codegen_types import MAX_SMALLINT_ROWS, LakeSql, Rollup, Target
from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, fields_of
from dialect.algebra.formulas import CountOf, Formula, Histogram, MeanOf, MomentsOf, QuantileOf, ReleasedNumber, SumOf
from dialect.algebra.properties import Properties
from dialect.algebra.relations import Join, Public, Relation, ReleaseScan, Sort, release_table_name, tables_of
from dialect.algebra.release_plan import (
    GROUP_ADDITIVE_KINDS,
    ROW_ADDITIVE_KINDS,
    ChargedWindows,
    ClipRule,
    DistinctBound,
    Factor,
    PrivatePlan,
    QueryVector,
    ReleaseColumns,
    VectorBound,
    VectorKind,
)
from dialect.algebra.traversal import walk
from dialect.notes import Note, NoteCode
