"""Catalogs of generated databases: every column as drawn, with bounds that would bind if they were not lifted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class Declared(Protocol):
    """A declared column."""

    @property
    def name(self) -> str: ...
    @property
    def stored(self) -> str: ...
    @property
    def declared(self) -> str: ...


HEAD = """format = 1
name = "drawn"
[datasets.drawn]
window = "forever"
[datasets.drawn.budget]
rho = 1.0
delta = 1e-9
"""
PRIVATE = 'max_rows_per_person = 2\nmax_groups_per_person = 2\nsize_class = "1e2"\nnorms = { rows = 2, persons = 1 }\n'


def declared_catalog(tables: Mapping[str, Sequence[Declared]], person: str, consent: bool) -> str:
    """Declare every table."""
    heads = {
        "act": f'kind = "private"\nperson = "pid"\nprimary_key = ["aid"]\n{PRIVATE}',
        "who": f'kind = "private"\nperson = "pid"\nprimary_key = ["pid"]\n{PRIVATE}'
        + 'consent = { column = "c", admitted = ["y"] }\n' * consent,
        "item": f'kind = "private"\nperson = {{ through = ["aid -> act"], column = "pid" }}\n{PRIVATE}',
        "pub": 'kind = "public"\n',
        "num": 'kind = "public"\nprimary_key = ["z"]\n',
    }
    more = {
        "act": [f'pid = {{ type = "{person}" }}', 'aid = { type = "BIGINT", nullable = false }'],
        "who": [
            f'pid = {{ type = "{person}", nullable = false }}',
            *['c = { type = "VARCHAR", visible = false }'] * consent,
        ],
        "item": ['aid = { type = "BIGINT" }'],
    }
    written = [HEAD]
    for name, columns in tables.items():
        lines = [*more.get(name, ()), *(f'{c.name} = {{ type = "{c.stored}"{c.declared} }}' for c in columns)]
        source = f'source = {{ duckdb = "data.duckdb", table = "{name}" }}'
        head = f'[tables.{name}]\ndataset = "drawn"\n{heads[name]}{source}\n[tables.{name}.columns]\n'
        written.append(head + "\n".join(lines))
    return "\n".join(written) + "\n"
