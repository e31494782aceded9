"""h3_cell(lon, lat, resolution) -> a parent of the cells that were made of these very coordinates.

The H3 cell of a place is no arithmetic that SQL could do: the catalog declares a column of cells, which is made when
data are opened (`proofs.md#cells`). It is found by the fields that it was made of, not by their names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlglot import exp

from dialect.algebra.expressions import Expr, Field, Literal, Ref
from dialect.catalog.catalog import SqlType
from dialect.errors import Code, Suggestion
from dialect.functions.function_row import CONSTANTS
from dialect.functions.literals import constant
from dialect.parser.context import refusal
from dialect.stability.calls import call

_COARSEST, _FINEST = CONSTANTS["resolution"]


def is_cell_call(node: exp.Expr) -> bool:
    """Tell whether a node asks for the H3 cell of a place."""
    return isinstance(node, exp.Anonymous) and str(node.this).lower() == "h3_cell"


def cell_call(node: exp.Expr, column: Callable[[exp.Column], Expr], in_sight: Iterable[Field]) -> Expr:
    """Read h3_cell(lon, lat, resolution); raises Refusal where no column of cells was made of the two."""
    resolution = constant(node.expressions[2]) if len(node.expressions) == 3 else None
    if (
        resolution is None
        or resolution.type is not SqlType.BIGINT
        or not _COARSEST <= int(resolution.value or 0) <= _FINEST
    ):
        why = "h3_cell takes a longitude, a latitude and a constant resolution from 0 to 15."
        raise refusal(Code.FUNC, why, "h3_cell(lon, lat, 9)", node)
    asked = int(resolution.value or 0)
    lon, lat = (_place(part, column) for part in node.expressions[:2])
    if lon is None or lat is None:
        why = "H3 cells are there of stored coordinates alone."
        raise refusal(Code.FUNC, why, "h3_cell(the column of longitude, the column of latitude, 9)", node)
    stored = [f for f in in_sight if f.cell is not None and f.cell[:2] == (lon.id, lat.id)]
    finer = sorted((f for f in stored if f.cell is not None and f.cell[2] >= asked), key=_resolution)
    if finer:
        exact = _resolution(finer[0]) == asked
        return Ref(finer[0]) if exact else call("h3_parent", [Ref(finer[0]), Literal(asked, SqlType.BIGINT)], node)
    raise _refused(node, lon, lat, stored)


def _place(node: exp.Expr, column: Callable[[exp.Column], Expr]) -> Field | None:
    found = column(node) if isinstance(node, exp.Column) else None
    return found.field if isinstance(found, Ref) else None


def _resolution(field: Field) -> int:
    return 0 if field.cell is None else field.cell[2]


def _refused(node: exp.Expr, lon: Field, lat: Field, stored: list[Field]) -> Exception:
    if stored:
        finest = max(map(_resolution, stored))
        texts = [part.sql("duckdb", comments=False) for part in node.expressions[:2]]
        coarser = f"h3_cell({', '.join(texts)}, {finest})"
        why = f"The H3 cells of these coordinates have resolution {finest}, and nothing finer is known."
        return refusal(Code.FUNC, why, coarser, node, Suggestion(coarser, "larger cells"))
    if lon.origin is None or lat.origin is None or lon.origin.table != lat.origin.table:
        why = "H3 cells are there of stored coordinates of one row."
        return refusal(Code.FUNC, why, "select the cell where the table is read", node)
    why = "No column with H3 cells of these coordinates is in sight here."
    declared = f'h3 = {{ lon = "{lon.origin.column}", lat = "{lat.origin.column}", resolution = 9 }}'
    hint = f"select it in the subquery too, or let the steward declare one in {lon.origin.table}: {declared}"
    return refusal(Code.FUNC, why, hint, node)
