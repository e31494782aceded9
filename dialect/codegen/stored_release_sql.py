"""Derived releases: SQL that computes a coarser release from a stored one and the keys it must have.

Reads two tables: `stored_groups`, the stored release with k0, ..., w0, ..., and `requested_keys` with the keys k0, ...
of the derived one. A Derivation holds the requested keys as expressions over the stored keys, the indices of the stored
vectors, and the condition that selects stored groups. A cell is one stored group.
"""

from __future__ import annotations

from dialect.codegen.contribution.zero_fill import clamped_to_bigint
from dialect.functions.emitter import write_expr
from dialect.planner.reuse.view_matching import Derivation


def write_derived_release(derivation: Derivation) -> str:
    """Write one row per requested key in public order: k0, ..., w0, ..., and `source_groups`, how many were added up.

    Reads two tables: `stored_groups`, the stored release with k0, ..., w0, ..., and `requested_keys` with k0, ...
    """
    keys, vectors = range(len(derivation.keys)), range(len(derivation.vectors))
    select_columns = [f"{write_expr(key)} AS g{i}" for i, key in enumerate(derivation.keys)]
    select_columns += [f"w{index} AS v{i}" for i, index in enumerate(derivation.vectors)]
    groups = (
        f"SELECT {', '.join([*select_columns, '1 AS is_stored'])} FROM stored_groups"
        f" WHERE {write_expr(derivation.condition)}"
    )
    sums = [f"{clamped_to_bigint(f'sum(v{i})')} AS w{i}" for i in vectors]
    columns = ", ".join([*(f"requested_keys.k{i}" for i in keys), *sums, "count(is_stored) AS source_groups"])
    if not keys:
        return f"SELECT {columns} FROM ({groups}) AS g"
    join_condition = " AND ".join(f"requested_keys.k{i} IS NOT DISTINCT FROM g.g{i}" for i in keys)
    group_columns = ", ".join(f"requested_keys.k{i}" for i in keys)
    order = ", ".join(f"requested_keys.k{i} NULLS LAST" for i in keys)
    return (
        f"SELECT {columns} FROM requested_keys LEFT JOIN ({groups}) AS g ON {join_condition} GROUP BY {group_columns}"
        f" ORDER BY {order}"
    )


def write_group_mapping(derivation: Derivation) -> str:
    """Write which requested group contains each stored group: `fine` and `coarse`, by the tables' column `row_index`.

    `fine` is the row of the stored group, `coarse` that of the requested one.
    """
    select_columns = [f"{write_expr(key)} AS g{i}" for i, key in enumerate(derivation.keys)]
    groups = (
        f"SELECT {', '.join([*select_columns, 'row_index'])} FROM stored_groups"
        f" WHERE {write_expr(derivation.condition)}"
    )
    on = " AND ".join(f"requested_keys.k{i} IS NOT DISTINCT FROM g.g{i}" for i in range(len(derivation.keys))) or "TRUE"
    return (
        "SELECT g.row_index AS fine, requested_keys.row_index AS coarse"
        f" FROM ({groups}) AS g JOIN requested_keys ON {on}"
    )


def write_pinned_counts(derivation: Derivation) -> str:
    """Write the number of distinct values that each pinned key has among the stored groups used, as n0, ....

    n<i> belongs to entry i of `required_values`: (index of a stored key, number of its values that must be among the
    groups).
    """
    counts = ", ".join(f"count(DISTINCT k{place}) AS n{i}" for i, (place, _) in enumerate(derivation.required_values))
    return f"SELECT {counts} FROM stored_groups WHERE {write_expr(derivation.condition)}"
