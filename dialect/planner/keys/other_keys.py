"""Other keys: for each public parent one group that gathers the rows of private keys that are not released.

`OPTIONS(others = true)` adds them. The parents are the keys with a public key set of their own; if all keys have one,
the last one of the GROUP BY is no parent. In these groups the remaining keys are `(others)`, or NULL if they are no
text.
"""

from __future__ import annotations

from collections.abc import Sequence

from dialect.algebra.expressions import Field, Literal, Ref
from dialect.algebra.relations import PerPerson, Project, Public, Values
from dialect.algebra.release_plan import OtherKeys
from dialect.catalog.model import SqlType
from dialect.parser.compile_context import CompileContext
from dialect.planner.keys.key_set import build_key_set

OTHERS = "(others)"  # text key of the groups of what is not released


def other_keys(
    keys: Sequence[Field], written: Sequence[Field], source: PerPerson, context: CompileContext
) -> OtherKeys:
    """List the groups of unreleased keys: a public relation with one row per public parent.

    `keys` in the plan's order, `written` as in GROUP BY. Claim: the relation follows from declared domains, public
    tables and the text of the query. Source and proof: dialect/planner/proofs.md#key-sets. Raises Refusal with E_KEY if
    there are too many parents.
    """
    listed = {key for key in written if build_key_set([key], source, context) is not None}
    if len(listed) == len(written):
        listed.discard(written[-1])
    parents = tuple(i for i, key in enumerate(keys) if key in listed)
    found = build_key_set([keys[i] for i in parents], source, context) if parents else None
    rows = Public(Values(((),), ()), ()) if found is None else found.relation
    own = {} if found is None else dict(zip(parents, found.keys, strict=True))
    values = tuple(None if i in own else _other_value(key) for i, key in enumerate(keys))
    fields = tuple(Field(context.new_field_id(), None, key.type) for key in keys)
    columns = tuple((field, Ref(own[i]) if i in own else _other_value(keys[i])) for i, field in enumerate(fields))
    return OtherKeys(values, Public(Project(rows, columns), (*rows.fields, *fields)), fields)


def _other_value(key: Field) -> Literal:
    """Return the value of a key in groups of unreleased keys: text, or NULL where the key is no text."""
    return Literal(OTHERS if key.type is SqlType.VARCHAR else None, key.type)
