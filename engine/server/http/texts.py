r"""Text fields of requests: Unicode without NUL or lone surrogates, of a stated length.

Every text field of a body, a URL or a header has one of these types, so OpenAPI states the same bounds. JSON can
contain a lone surrogate ("\ud800"), which UTF-8 can't; PostgreSQL accepts no NUL. `replace_surrogates` is for the
other direction: everything that leaves the server can be encoded, including text it repeats.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import StringConstraints

from dialect.catalog import MAX_PERSON_CHARACTERS
from dialect.parser import MAX_CHARACTERS

NO_NUL = r"^[^\x00]*$"  # wherever text has a length bound, pydantic itself refuses lone surrogates
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_NUL)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=NO_NUL)]
Person = Annotated[str, StringConstraints(min_length=1, max_length=MAX_PERSON_CHARACTERS, pattern=NO_NUL)]
AmountText = Annotated[str, StringConstraints(max_length=40, pattern=NO_NUL)]
Sql = Annotated[str, StringConstraints(max_length=MAX_CHARACTERS, pattern=NO_NUL)]
Anchor = Annotated[str, StringConstraints(max_length=10_000, pattern=NO_NUL)]
PersonLines = Annotated[str, StringConstraints(max_length=10_000_000, pattern=NO_NUL)]


_NUL_OR_SURROGATE = re.compile("[\0\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def is_plain(text: str) -> bool:
    """Is a text valid in UTF-8 and PostgreSQL? It is unless it contains NUL or a lone surrogate."""
    return _NUL_OR_SURROGATE.search(text) is None


def replace_surrogates(text: str) -> str:
    """Replace each lone surrogate by U+FFFD."""
    return _SURROGATE.sub("\ufffd", text)


def replace_surrogates_in_object(members: Mapping[str, object]) -> dict[str, Any]:
    """Replace each lone surrogate in the names and values of a JSON object by U+FFFD."""
    return {replace_surrogates(name): _replace_surrogates_in_value(value) for name, value in members.items()}


def _replace_surrogates_in_value(value: object) -> object:
    if isinstance(value, str):
        return replace_surrogates(value)
    if isinstance(value, Mapping):
        return replace_surrogates_in_object(value)
    return [_replace_surrogates_in_value(each) for each in value] if isinstance(value, list | tuple) else value
