"""Expression builders make the same functions as the names an analyst would write."""

from __future__ import annotations

import pytest
from sqlglot import exp

from dialect.algebra.expressions import Field, Literal, Ref
from dialect.catalog.model import SqlType
from dialect.functions import registry as builders
from dialect.stability.typed_calls import apply_function

ONE, OTHER = (Ref(Field(name, name, SqlType.DOUBLE)) for name in ("x", "y"))
WHOLE, NEXT = (Ref(Field(name, name, SqlType.BIGINT)) for name in ("i", "j"))
INSTANT = Ref(Field("t", "t", SqlType.TIMESTAMPTZ, time_zone="Europe/Vienna"))
OWN = {
    **{f"double {sign}": (builders.double_call(sign, ONE, OTHER), (sign, ONE, OTHER)) for sign in "+-*/"},
    **{name: (builders.double_call(name, ONE), (name, ONE)) for name in ("abs", "sqrt", "ceil", "floor")},
    "greatest": (builders.double_call("greatest", ONE, OTHER), ("greatest", ONE, OTHER)),
    **{
        f"integer {sign}": (builders.integer_call(sign, WHOLE, NEXT), (sign, WHOLE, NEXT))
        for sign in ("+", "//", "least")
    },
    **{sign: (builders.comparison(sign, ONE, OTHER), (sign, ONE, OTHER)) for sign in (">", ">=", "<=", "<")},
    "same": (builders.is_not_distinct(ONE, OTHER), ("is not distinct from", ONE, OTHER)),
    "is null": (builders.is_null(ONE), ("is null", ONE)),
    "is there": (builders.is_not_null(ONE), ("not", builders.is_null(ONE))),
    "to_bigint": (builders.to_bigint(ONE), ("to_bigint", ONE)),
    "to_double": (builders.to_double(WHOLE), ("to_double", WHOLE)),
    "wall": (builders.local_timestamp(INSTANT, "UTC"), ("wall", INSTANT, Literal("UTC", SqlType.VARCHAR))),
}


@pytest.mark.parametrize("name", OWN)
def test_an_expression_builder_makes_the_function_of_its_name(name: str) -> None:
    own, (function, *arguments) = OWN[name]
    assert own == apply_function(function, arguments, exp.Null())
