"""A list of people's rows, which never leaves -> what may have been meant: how many people, or how many rows."""

from __future__ import annotations

import re

from dialect.algebra.relations import PerPerson
from dialect.errors import Suggestion, suggested

_FROM = re.compile(r"\bfrom\b.*?(?=\border by\b|\blimit\b|\boffset\b|;|$)", re.IGNORECASE | re.DOTALL)
_LISTED = re.compile(r"\s*select\s+distinct\s+([\w.]+(?:\s*,\s*[\w.]+)*)\s+from\b", re.IGNORECASE)


def counted_instead(sql: str, relation: PerPerson) -> tuple[Suggestion, ...]:
    """Write questions that count: people where DISTINCT lists them, by what else was to be listed, then rows."""
    people = suggested(_people_counted(sql, relation), "counts people in place of listing them")
    return *people, *suggested(_rows_counted(sql), "counts rows in place of listing them")


def _people_counted(sql: str, relation: PerPerson) -> tuple[str, ...]:
    listed, source = _LISTED.match(sql), _FROM.search(sql)
    columns = [] if listed is None else [column.strip() for column in listed[1].split(",")]
    person = next((c for c in columns if c.rpartition(".")[2].lower() == (relation.person.name or "").lower()), None)
    if person is None or source is None:
        return ()
    keys, people = ", ".join(column for column in columns if column != person), f"COUNT(DISTINCT {person})"
    alone = f"SELECT {people} {source[0].strip()}"
    return (f"SELECT {keys}, {people} {source[0].strip()} GROUP BY {keys}", alone) if keys else (alone,)


def _rows_counted(sql: str) -> tuple[str, ...]:
    source = _FROM.search(sql)
    of_groups = f"SELECT COUNT(*) FROM ({sql.strip().rstrip('; ')})"
    plain = f"SELECT COUNT(*) {source[0].strip()}" if source else of_groups
    return (of_groups,) if re.search(r"\bgroup by\b", sql, re.IGNORECASE) else (plain, of_groups)
