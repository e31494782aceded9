"""What is read of a lake once, to be kept in DuckDB beside it: rollups, and who meets every state.

Both hold persons as the lake gives them, so that who objects is found among them as in the lake's own rows
(`proofs.md#person-rollups`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from dialect.algebra.private_plan import Bounding, PrivatePlan
from dialect.algebra.target import LakeRows, Rollup, Target
from dialect.catalog.engine_name import EngineName
from dialect.codegen.engines import WORDS
from dialect.codegen.handed import check_written, handed_over, rows_handed
from dialect.codegen.rollups import write_rollup


def roll_up_lake(plan: PrivatePlan, bounds: Bounding, target: Target, lake: Target) -> LakeRows:
    """Write the rows of a rollup for the lake where people's rows lie; raises NoForm, and Refusal for too much text."""
    check_written(plan, lake)
    source, read, rows = handed_over(plan.source, lake)
    text = write_rollup(replace(plan, source=source), bounds, read)
    return LakeRows(text, {name: rows_handed(public, text, target) for name, public in rows.items()})


def counted(text: str) -> str:
    """Write how many rows there are."""
    return f"SELECT count(*) AS n FROM ({text}) AS r"


def in_part(text: str, part: int, parts: int) -> str:
    """Write a part of rows with a column `person`: all rows of a person are in one, and each row is in one."""
    if parts == 1:
        return text
    number = WORDS[EngineName.SPARK].hashed.format("person")
    return f"SELECT * FROM ({text}) AS r WHERE pmod({number}, {parts}) = {part}"


def stored_rows(rollup: Rollup, rows: str, wide: Collection[str] = ()) -> str:
    """Write in DuckDB's SQL the rows of a rollup as they are kept: in the types of the question that declares it.

    `wide` are columns of whole numbers that 64 bits may not hold.
    """
    plan = rollup.plan
    typed = {column: field.type for column, field in plan.unit.items() if column != "person"}
    typed |= {f"h{i}": key.field.type for i, key in enumerate(plan.keys)}
    kinds = {column: "HUGEINT" if column in wide else kind for column, kind in typed.items()}
    as_typed = ", ".join(f"CAST({column} AS {kind}) AS {column}" for column, kind in kinds.items())
    replaced = f" REPLACE ({as_typed})" if kinds else ""
    return f"SELECT *{replaced} FROM {rows} ORDER BY {', '.join(['person', *kinds])}"
