"""PrivatePlan -> the same plan, with text keys of joined public rows read as small whole numbers (`proofs.md#render`).

Groups are then formed by numbers. The numbers are ranks within the public rows alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dialect.catalog import SqlType
from dialect.expressions import Field, Ref
from dialect.private_plan import PrivatePlan
from dialect.relations import Filter, Join, Operator, PerPerson, Project, Public, Ranked, Relation


@dataclass(frozen=True)
class Coded:
    """Public rows with a text and its number."""

    ranked: Public
    text: Field
    code: Field


def coded_keys(plan: PrivatePlan) -> tuple[PrivatePlan, Mapping[int, Coded]]:
    """Let the text keys that come from public rows be numbers; gives the codes by the keys' positions."""
    if plan.key_set is None or plan.one_group_per_person:
        return plan, {}
    source: PerPerson = plan.source
    keys, codes = list(plan.keys), dict[int, Coded]()
    for i, key in enumerate(plan.keys):
        if key.field.type is not SqlType.VARCHAR:
            continue
        code = Field(f"{key.field.id}_code{i}", key.field.name, SqlType.BIGINT, nullable=True)
        found = _ranked(source, key.field, code)
        if found is not None:
            changed, codes[i] = found
            assert isinstance(changed, PerPerson)  # noqa: S101  its operator alone is another
            source, keys[i] = changed, replace(key, field=code)
    return replace(plan, source=source, keys=tuple(keys)), codes


def _ranked(relation: Relation, text: Field, code: Field) -> tuple[Relation, Coded] | None:
    """Add a code to the public rows that a text comes from, and carry it up to here."""
    if isinstance(relation, Public):
        ranked = Public(Ranked(relation, text, code), (*relation.fields, code), relation.facts)
        return ranked, Coded(ranked, text, code)
    found = _below(relation.operator, text, code)
    if found is None:
        return None
    operator, coded = found
    return replace(relation, operator=operator, fields=(*relation.fields, code)), coded


def _below(operator: Operator, text: Field, code: Field) -> tuple[Operator, Coded] | None:
    if isinstance(operator, Project):
        origin = dict(operator.computed).get(text, Ref(text))
        found = _ranked(operator.source, origin.field, code) if isinstance(origin, Ref) else None
        return None if found is None else (replace(operator, source=found[0]), found[1])
    if isinstance(operator, Filter):
        found = _ranked(operator.source, text, code)
        return None if found is None else (replace(operator, source=found[0]), found[1])
    if isinstance(operator, Join):
        if text in operator.left.fields:
            found = _ranked(operator.left, text, code)
            return None if found is None else (replace(operator, left=found[0]), found[1])
        found = _ranked(operator.right, text, code)
        return None if found is None else (replace(operator, right=found[0]), found[1])
    return None
