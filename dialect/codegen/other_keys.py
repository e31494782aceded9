"""Rows of unreleased private keys, mapped to the groups that gather them before anything is bounded.

A plan over released keys with `mapping` reads its rows through two CTEs:

    unmapped    rows of people, as the plan's source has them
    released    the released keys
    source      the same rows with one more column a key: its value where the whole key is released, else that of the
                group of other keys

A semi-join and an anti-join give each row exactly once, whatever the released keys are (`proofs.md#other-keys`).
"""

from __future__ import annotations

from dialect.algebra.codegen_types import Subquery, Target
from dialect.algebra.expressions import Field, Literal
from dialect.algebra.release_plan import KeyMapping, PrivatePlan
from dialect.codegen.engines.dialects import EngineDialect
from dialect.codegen.relations.relation import write_rows

RELEASED = "released"  # placeholder of the released keys in a lake's SQL


def source_keys(plan: PrivatePlan) -> tuple[Field, ...]:
    """Return the fields of the plan's source that its keys are read from."""
    return tuple(key.field for key in plan.keys) if plan.mapping is None else plan.mapping.keys


def released_sql(mapping: KeyMapping, target: Target) -> str:
    """Write the released keys, in DuckDB."""
    return write_rows(mapping.released, mapping.released.fields, target)


def source_ctes(
    plan: PrivatePlan, rows: str, released: str, dialect: EngineDialect, is_materialized: bool = False
) -> list[Subquery]:
    """Write the CTE `source` of some rows, after those that map unreleased keys if the plan has them.

    Claim: each row is there once, and its keys depend on itself and the released keys alone. Proof:
    dialect/codegen/proofs.md#other-keys. Raises: nothing.
    """
    mapping = plan.mapping
    if mapping is None:
        return [("source", is_materialized, rows)]
    columns = list(zip(mapping.keys, mapping.released.fields, mapping.values, plan.keys, strict=True))
    same = " AND ".join(f"p.{key.id} IS NOT DISTINCT FROM released.{own.id}" for key, own, _, _ in columns)
    kept = ", ".join(f"p.{key.id} AS {mapped.field.id}" for key, _, _, mapped in columns)
    others = ", ".join(
        f"{f'p.{key.id}' if value is None else _quoted(value, dialect)} AS {mapped.field.id}"
        for key, _, value, mapped in columns
    )
    text = (
        f"SELECT p.*, {kept} FROM unmapped AS p SEMI JOIN released ON {same}"
        f" UNION ALL SELECT p.*, {others} FROM unmapped AS p ANTI JOIN released ON {same}"
    )
    return [("unmapped", True, rows), ("released", True, released), ("source", is_materialized, text)]


def _quoted(value: Literal, dialect: EngineDialect) -> str:
    """Write the value of a key in groups of others; NULL takes the type of the key."""
    return "NULL" if value.value is None else dialect.emitter.quote(value)
