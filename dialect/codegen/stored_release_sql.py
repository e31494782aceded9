"""Derived releases: SQL that computes a coarser release from a stored one and the keys it must have."""

from __future__ import annotations

from dialect.codegen.contribution.key_rows import narrowed
from dialect.functions.emitter import write_expr
from dialect.planner.reuse.view_matching import Derivation


def write_derived(made: Derivation) -> str:
    """Write one row per wanted key in public order: k0, ..., w0, ..., and `cells`, the number of groups added up.

    Reads two tables: `held`, the stored release with k0, ..., w0, ..., and `wanted` with k0, ...
    """
    keys, vectors = range(len(made.keys)), range(len(made.vectors))
    shown = [f"{write_expr(key)} AS g{i}" for i, key in enumerate(made.keys)]
    shown += [f"w{place} AS v{i}" for i, place in enumerate(made.vectors)]
    groups = f"SELECT {', '.join([*shown, '1 AS here'])} FROM held WHERE {write_expr(made.condition)}"
    sums = [f"{narrowed(f'sum(v{i})')} AS w{i}" for i in vectors]
    columns = ", ".join([*(f"wanted.k{i}" for i in keys), *sums, "count(here) AS cells"])
    if not keys:
        return f"SELECT {columns} FROM ({groups}) AS g"
    on = " AND ".join(f"wanted.k{i} IS NOT DISTINCT FROM g.g{i}" for i in keys)
    by = ", ".join(f"wanted.k{i}" for i in keys)
    order = ", ".join(f"wanted.k{i} NULLS LAST" for i in keys)
    return f"SELECT {columns} FROM wanted LEFT JOIN ({groups}) AS g ON {on} GROUP BY {by} ORDER BY {order}"


def write_images(made: Derivation) -> str:
    """Write which wanted group contains each stored group: `fine` and `coarse`, by the tables' column `row`."""
    shown = [f"{write_expr(key)} AS g{i}" for i, key in enumerate(made.keys)]
    groups = f"SELECT {', '.join([*shown, 'row'])} FROM held WHERE {write_expr(made.condition)}"
    on = " AND ".join(f"wanted.k{i} IS NOT DISTINCT FROM g.g{i}" for i in range(len(made.keys))) or "TRUE"
    return f"SELECT g.row AS fine, wanted.row AS coarse FROM ({groups}) AS g JOIN wanted ON {on}"


def write_pinned(made: Derivation) -> str:
    """Write the number of distinct values that each pinned key has among the stored groups used."""
    counts = ", ".join(f"count(DISTINCT k{place}) AS n{i}" for i, (place, _) in enumerate(made.pinned))
    return f"SELECT {counts} FROM held WHERE {write_expr(made.condition)}"
