"""The allow-list of row functions: one declared row for each form; what has no row is refused.

The rows stand in `functions_logic`, `_number`, `_cast`, `_text`, `_list`, `_time`, `_place`, `_cells` and
`_polygons`. A total form never raises, whatever value is stored (`proofs.md#total-forms`).
"""

from __future__ import annotations

from dataclasses import replace

from dialect.functions.function_row import Function
from dialect.functions.functions_spark import in_spark, without
from dialect.functions.scalar.functions_cast import CASTS
from dialect.functions.scalar.functions_cells import CELLS
from dialect.functions.scalar.functions_list import LISTS
from dialect.functions.scalar.functions_logic import LOGIC
from dialect.functions.scalar.functions_number import NUMBERS
from dialect.functions.scalar.functions_place import PLACES
from dialect.functions.scalar.functions_polygons import POLYGONS
from dialect.functions.scalar.functions_text import TEXT
from dialect.functions.scalar.functions_time import TIMES
from dialect.functions.scalar.noise_intervals import INTERVALS


def _numbered(rows: tuple[Function, ...]) -> dict[str, tuple[Function, ...]]:
    forms: dict[str, tuple[Function, ...]] = {}
    for row in rows:
        earlier = forms.get(row.name, ())
        numbered = replace(row, row=f"{row.name}#{len(earlier)}", spark=in_spark(row), no_spark=without(row))
        forms[row.name] = (*earlier, numbered)
    return forms


_FORMS = _numbered(INTERVALS + LOGIC + NUMBERS + CASTS + TEXT + LISTS + TIMES + PLACES + CELLS + POLYGONS)
_ROWS = {form.row: form for forms in _FORMS.values() for form in forms}


def forms_of(name: str) -> tuple[Function, ...]:
    """List the allowed forms of a name, most specific first; none if it is not allowed."""
    return _FORMS.get(name, ())


def function(row: str) -> Function:
    """Return a form by its unique row name."""
    return _ROWS[row]


def function_rows() -> tuple[Function, ...]:
    """List every row."""
    return tuple(_ROWS.values())


def names() -> tuple[str, ...]:
    """List every name that an analyst may write, in alphabetical order."""
    return tuple(sorted(name for name, forms in _FORMS.items() if forms[0].written))
