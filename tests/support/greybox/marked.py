"""Replace generated tables in a page, each between its markers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping


def marked(text: str, tables: Mapping[str, Callable[[], str]]) -> str:
    """Write tables into a page: each between its marker, <!-- name -->, and <!-- end -->."""
    for name, table in tables.items():
        text = re.sub(
            rf"(<!-- {name} -->\n).*?(<!-- end -->)", lambda m, t=table: f"{m[1]}{t()}\n{m[2]}", text, flags=re.DOTALL
        )
    return text
