"""What a table function gives, by the words that the steward declares norms under (`proofs.md#table-functions`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dialect.algebra.expressions import Expr, Field, Origin, Ref, rebuild
from dialect.algebra.relations import PerPerson, Relation
from dialect.binder.names import Column
from dialect.catalog.catalog import MOVEMENT, Table, ValueList
from dialect.functions.scalar.functions_place import COMPASS

_LISTED = {"approach_dir": ValueList(COMPASS)}


def derived_columns(
    relation: Relation, shown: Sequence[Column], table: Table | None
) -> tuple[Relation, tuple[Column, ...]]:
    """Let columns be those of a table's movement; of rows of no declared movement they stay what they are."""
    if table is None or table.movement is None or not isinstance(relation, PerPerson):
        return relation, tuple(shown)
    opaque = {*_LISTED, *(column.name for column in table.movement.columns)}
    known: dict[Field, Field] = {}
    for name, made in shown:
        if not made.is_person:
            written = None if name in opaque else made.definition
            known[made] = replace(
                made, origin=Origin(table.name + MOVEMENT, name), domain=_LISTED.get(name, made.domain),
                complete=made.complete and name not in _LISTED,
                definition=None if written is None else _over(written, known),
            )  # fmt: skip
    fields = tuple(known.get(made, made) for made in relation.fields)
    return replace(relation, fields=fields, derived=table), tuple((name, known.get(made, made)) for name, made in shown)


def _over(expr: Expr, known: Mapping[Field, Field]) -> Expr:
    """Write a definition over columns as they are called now; each stands behind those that it reads."""
    if isinstance(expr, Ref):
        return Ref(known.get(expr.field, expr.field))
    return rebuild(expr, lambda part: _over(part, known))
