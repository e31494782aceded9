"""Unnest -> SELECT: the rows of its source, each once for every member of its list that counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dialect.engine_words import words
from dialect.expressions import Field, fields_of
from dialect.private_plan import Target
from dialect.relations import Relation
from dialect.unnest import Unnest
from dialect.write_expr import write_expr

_Write = Callable[[Relation, Iterable[Field], Target], str]


def write_unnest(unnest: Unnest, needed: frozenset[Field], target: Target, write: _Write) -> str:
    """Write the member whether or not it is read: there are as many rows as members."""
    said = words(target)
    source = write(unnest.source, (needed - {unnest.member}) | set(fields_of(unnest.members)), target)
    members = (said.all_members if unnest.stays else said.members).format(write_expr(unnest.members, said.emitter))
    columns = [f.id for f in unnest.source.fields if f in needed]
    return f"SELECT {', '.join([*columns, f'{members} AS {unnest.member.id}'])} FROM ({source}) AS u"
