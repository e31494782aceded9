"""Every operator is known to the traversal, to Properties, to a stability rule and to a writer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, ClassVar, Union, get_args, get_origin, get_type_hints
from typing import Literal as OneOf

import pytest

from dialect.algebra import expressions, relations
from dialect.algebra.expressions import Expr, Field
from dialect.algebra.properties import Properties
from dialect.algebra.relations import (
    Operator,
    PerPerson,
    Public,
    Relation,
    RowOrigin,
    Scan,
    Values,
    expressions_of,
    walk_expressions,
)
from dialect.algebra.traversal import map_parts
from dialect.analysis.person_rows import row_bounds
from dialect.analysis.uniqueness import dependencies, may_match_several_public_rows, row_numbers, unique_keys
from dialect.catalog.model import Bounds, Source, SqlType, Table

ROOT = Path(__file__).parents[3]
PERSON = Field("p", "p", SqlType.BIGINT, nullable=False, is_person_key=True)
TABLE = Table("t", "d", True, Source("csv", "t.csv"), ())
RULES = (unique_keys, dependencies, row_numbers, row_bounds, may_match_several_public_rows)
# how rules build an operator, where not by its name
BUILT_BY = {
    "Filter": "with_filter",
    "Project": "with_columns",
    "NullRowPadded": "with_null_row",
    "RowTruncation": "truncate_",
}
SPLIT_OFF = {"ReleasePoint"}  # plans are split there, before anything is written


def _sample(hint: Any) -> Any:
    """Make a new value of a type, so that it can be recognised where it is found."""
    options = [each for each in get_args(hint) if each is not NoneType]
    if hint is Expr or expressions.Literal in (hint, *options):
        return expressions.Literal(1, SqlType.BIGINT)
    if hint in (Relation, Public, PerPerson):
        rows = Public(Values((), ()), (PERSON,))
        return rows if hint is Public else PerPerson(Scan(TABLE, (PERSON,)), (PERSON,), person=PERSON, dataset="d")
    if get_origin(hint) is tuple:
        return tuple(_sample(each) for each in options if each is not Ellipsis)
    if get_origin(hint) in (UnionType, Union):
        return _sample(options[0])
    if get_origin(hint) is OneOf:
        return options[0]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return next(iter(hint))
    if hint in (Field, Table, Bounds):
        return {Field: PERSON, Table: TABLE, Bounds: Bounds(0.0, 1.0)}[hint]
    return _sample_of(hint) if is_dataclass(hint) else hint(1)


def _sample_of(kind: Any) -> Any:
    """Make an operator, or a parameter of one, from samples of its fields."""
    hints = get_type_hints(kind, {**globals(), **vars(relations)})
    return kind(**{each.name: _sample(hints[each.name]) for each in fields(kind)})


def _nested(part: object, kind: Any) -> Iterator[Any]:
    """Yield the values of a kind among the fields of an operator, however nested."""
    if isinstance(part, kind):
        yield part
    elif isinstance(part, tuple):
        for each in part:
            yield from _nested(each, kind)
    elif is_dataclass(part) and not isinstance(part, Field | Table | Relation | Bounds):
        for each in fields(part):
            yield from _nested(getattr(part, each.name), kind)


def _traversal_gaps(operator: Any) -> Iterator[str]:
    """Yield what a traversal misses of an operator: inputs or expressions."""
    relation = PerPerson(operator, (PERSON,), person=PERSON, dataset="d")
    inputs, own = list(_nested(operator, Relation)), list(_nested(operator, Expr))
    if list(map(id, relation.children)) != list(map(id, inputs)):
        yield "an input that is no child"
        return
    if not set(map(id, own)) <= set(map(id, walk_expressions(operator))):
        yield "an expression that is not visited"
    if list(map(id, expressions_of(operator))) != list(map(id, own)):
        yield "an expression that is not listed"
    mapped: list[object] = []
    map_parts(operator, lambda part: mapped.append(part) or part)
    if {id(each) for each in mapped} != {id(each) for each in (*inputs, *own)}:
        yield "a part that is not mapped"
    if relation.with_children(relation.children) is not relation:
        yield "a copy without a change"


def _property_gaps(operator: Any) -> Iterator[str]:
    """Yield what properties do not know of an operator."""
    if not isinstance(getattr(operator, "row_origin", None), RowOrigin):
        yield "no origin of its rows"
        return
    for relation in (Public(operator, (PERSON,)), PerPerson(operator, (PERSON,), person=PERSON, dataset="d")):
        known = Properties(lambda *_: 1)
        assert all(known.of(rule, relation) is not None for rule in RULES)


def _gaps(kind: type) -> list[str]:
    """List everything that an operator lacks."""
    operator, name = _sample_of(kind), kind.__name__
    gaps = [*_traversal_gaps(operator), *_property_gaps(operator)]
    holds_people = kind is Scan or any(isinstance(each, PerPerson) for each in _nested(operator, Relation))
    rules = [
        path.read_text() for folder in ("stability", "binder") for path in (ROOT / "dialect" / folder).glob("*.py")
    ]
    if holds_people and not any(
        re.search(rf"(?<!exp\.)\b(?:{name}\(|{BUILT_BY.get(name, name)})", text) for text in rules
    ):
        gaps.append("no stability rule")
    writers = import_module("dialect.codegen.relations.relation")._WRITERS
    if name not in SPLIT_OFF and not any(written is kind for written, _ in writers):
        gaps.append("no writer")
    return gaps


@pytest.mark.parametrize("kind", get_args(Operator), ids=lambda kind: kind.__name__)
def test_an_operator_is_known_everywhere(kind: type) -> None:
    assert _gaps(kind) == []


@dataclass(frozen=True)
class Sampled:
    """An operator with a class alone: without stability rule, writer or properties."""

    source: Relation
    share: Expr


@dataclass(frozen=True)
class Gathered:
    """An operator with inputs where no traversal looks for them."""

    row_origin: ClassVar = RowOrigin.UNION
    sources: tuple[Relation, ...]


def test_a_planted_operator_is_found() -> None:
    assert _gaps(Sampled) == ["no origin of its rows", "no stability rule", "no writer"]
    assert _gaps(Gathered) == ["an input that is no child", "no stability rule", "no writer"]
