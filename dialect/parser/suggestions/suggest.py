"""Suggestions for a refused query: candidates are collected, and the first one that compiles replaces the hint.

Candidates are foreign calls rewritten for DuckDB, similar names, joins to a table that has the column, and quotes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import get_close_matches

from dialect.catalog.model import Catalog, Table
from dialect.errors import Code, Refusal, Span, Suggestion, joined_differences, suggested
from dialect.parser.placeholders import filled
from dialect.parser.spans import first_word
from dialect.parser.suggestions.foreign_dialects import AMPERSANDS, call_at, in_duckdbs_words, keys_rolled_up, with_and

MOST_NAMES = 12
_FROM = re.compile(r"\bfrom\s+(\w+)", re.IGNORECASE)
# refusals that may be caused by foreign syntax
_IN_OTHER_WORDS = (Code.FUNC, Code.COLUMN, Code.WINDOW, Code.TABLE, Code.PARSE)
_QUOTED = re.compile(r'"([^"]*)"')
_ALIAS = re.compile(r'\bas\s+"([^"]*)"', re.IGNORECASE)


def taught(refused: Refusal, sql: str, catalog: Catalog) -> Refusal:
    """Add suggestions to a refusal: DuckDB's form of foreign syntax, or similar names of the catalog."""
    if refused.span is None:
        return refused
    if refused.code in _IN_OTHER_WORDS and (made := _in_duckdbs_words(refused, refused.span, sql)) is not None:
        return made
    if refused.why == AMPERSANDS:
        return replace(refused, rewrites=suggested([with_and(sql)]))
    if refused.why.startswith(("ROLLUP is not part", "CUBE is not part")):
        return replace(refused, rewrites=suggested([keys_rolled_up(sql)]))
    word = sql[refused.span.start : refused.span.end]
    if refused.code is Code.COLUMN and word.startswith('"'):
        return _quoted(refused, sql, catalog)
    if refused.code is Code.COLUMN and refused.why.startswith("There is no column"):
        return _elsewhere(refused, word.rpartition(".")[2].strip().lower(), sql, catalog)
    if refused.code is Code.TABLE and refused.why.startswith("There is no table"):
        return _near_table(refused, sql, catalog)
    return _described(refused, word, sql, catalog) if refused.code is Code.STMT else refused


def _in_duckdbs_words(refused: Refusal, span: Span, sql: str) -> Refusal | None:
    """Suggest DuckDB's form of the refused foreign call; None where the refusal does not point at one."""
    call, whole = call_at(sql, span), in_duckdbs_words(sql)
    read = refused.code is not Code.PARSE and sql[span.start : span.start + 3].lower() != "top"
    if whole.sql == sql or (call is None and read):
        return None
    return replace(refused, hint=str(call or refused.hint), rewrites=(whole, *refused.rewrites))


def _quoted(refused: Refusal, sql: str, catalog: Catalog) -> Refusal:
    """Suggest single quotes for text in double quotes, which MySQL and BigQuery allow; catalog names stay."""
    assert refused.span is not None  # noqa: S101  checked by the caller
    start, end = refused.span.start, refused.span.end
    texts = ["'" + sql[start:end].strip('"').replace("'", "''") + "'"]
    names = {name.lower() for table in catalog.tables for name in (table.name, *(c.name for c in table.columns))}
    names |= {found[1].lower() for found in _ALIAS.finditer(sql)}

    def as_text(found: re.Match[str]) -> str:
        return found[0] if found[1].lower() in names else "'" + found[1].replace("'", "''") + "'"

    every = _QUOTED.sub(as_text, sql)
    why = f"{refused.why} Double quotes are for names, single quotes for text."
    return replace(refused, why=why, hint=texts[0], rewrites=suggested([sql[:start] + texts[0] + sql[end:], every]))


def _elsewhere(refused: Refusal, column: str, sql: str, catalog: Catalog) -> Refusal:
    """Suggest joining a table that has the missing column."""
    having = [t for t in catalog.tables if any(c.visible and c.name.lower() == column for c in t.columns)]
    first = _FROM.search(sql)
    source = catalog.table(first[1].lower()) if first else None
    if not having or source is None or source in having:
        return refused
    shared = [(table, _shared(source, table)) for table in sorted(having, key=lambda t: t.private)]
    met = [(table, f" JOIN {table.name} USING ({', '.join(on)})") for table, on in shared if on]
    at = first.end() if first else 0
    rewrites = tuple(Suggestion(sql[:at] + join + sql[at:], _read_from(column, table, join)) for table, join in met)
    why = f"{refused.why[:-1]}: it is in {', '.join(t.name for t in having[:MOST_NAMES])}."
    return replace(refused, why=why, hint=met[0][1].strip() if met else f"FROM {having[0].name}", rewrites=rewrites)


def _read_from(column: str, table: Table, join: str) -> str:
    """Difference of a suggested join: rows that it drops or repeats."""
    unique = bool(table.primary_key) and f"({', '.join(table.primary_key)})" in join
    repeated = "" if unique else "; one that meets several counts each time"
    return f"{column} of {table.name}; rows that meet none are left out{repeated}"


def _shared(one: Table, other: Table) -> list[str]:
    """Columns of `one` that join it to at most one row of `other`, or that reference another public table's list."""
    names = {column.name for column in one.columns if column.visible}
    if other.private:  # joined by the person alone, each row would match all rows of its person
        person = None if other.person is None else other.person.column
        alone = person in names and one.person is not None and one.person.column == person
        return list(other.primary_key) if alone and other.primary_key == (person,) else []
    if other.primary_key and set(other.primary_key) <= names:
        return list(other.primary_key)
    return [other.columns[0].name] if other.columns[0].name in names else []


def _near_table(refused: Refusal, sql: str, catalog: Catalog) -> Refusal:
    """Suggest tables with a similar name."""
    assert refused.span is not None  # noqa: S101  checked by the caller
    start, end = refused.span.start, refused.span.end
    word = sql[start:end].split(maxsplit=1)[0].lower()
    known = [table.name for table in catalog.tables]
    near = get_close_matches(word, known, n=3, cutoff=0.5)
    rest = [name for name in known if name not in near]
    rewrites = tuple(
        Suggestion(sql[:start] + name + sql[start + len(word) :], f"of {name}, a near name") for name in near
    )
    return replace(refused, hint=f"one of {_few(near + rest)}", rewrites=rewrites)


def _described(refused: Refusal, word: str, sql: str, catalog: Catalog) -> Refusal:
    """Answer SHOW and DESCRIBE of other forms with the names of tables or columns."""
    if word.upper() not in {"SHOW", "DESCRIBE", "DESC", "SUMMARIZE"} or not catalog.tables:
        return refused
    named = [table for name in re.findall(r"\w+", sql)[1:] if (table := catalog.table(name.lower())) is not None]
    table = named[0] if named else catalog.tables[0]
    what, names = (
        (f"{table.name} has", [c.name for c in table.columns if c.visible])
        if named
        else ("there are", _names(catalog.tables))
    )
    why = f"{refused.why[:-1]}; {what} {_few(names)}."
    return replace(refused, why=why, hint=str(Suggestion(f"SELECT COUNT(*) FROM {table.name}", "counts the rows")))


def _few(names: Sequence[str]) -> str:
    """Join the first names by commas, with the number of the others."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{', '.join(names[:MOST_NAMES])}{more}"


def _names(tables: Sequence[Table]) -> list[str]:
    return [table.name for table in tables]


_MOST_TRIED = 4  # suggestions compiled for one refusal
_LONGEST_TRY = 240  # characters
_STEPS = 2  # a rewrite for DuckDB may be refused too, and its own suggestion compile


def accepted_try(refused: Refusal, sql: str, catalog: Catalog, read: Callable[[str], object]) -> Refusal:
    """Return a refusal with a span and a suggestion that compiles. Raises nothing.

    `compile_text` raises Refusal, or RecursionError where a text is nested too deeply.
    """
    pointed = _pointed(refused, sql, catalog)
    accepted = _accepted(pointed, sql, catalog, read, _STEPS)
    return replace(pointed, hint=pointed.hint if accepted is None else str(accepted), rewrites=())


def _pointed(refused: Refusal, sql: str, catalog: Catalog) -> Refusal:
    """Add a span and suggestions to a refusal."""
    return taught(replace(refused, span=refused.span or first_word(sql)), sql, catalog)


def _accepted(
    pointed: Refusal, sql: str, catalog: Catalog, read: Callable[[str], object], steps: int
) -> Suggestion | None:
    """First suggestion that compiles, or that does after one more suggestion for its own refusal.

    The second step applies only to a query that was rewritten from a foreign dialect. Placeholders have sample values
    during compilation only.
    """
    for each in pointed.rewrites[:_MOST_TRIED]:
        if len(each.sql) > _LONGEST_TRY:
            continue
        tried = filled(each.sql)
        try:
            read(tried)
        except Refusal as again:
            if steps == 1 or each != in_duckdbs_words(sql):
                continue
            found = _accepted(_pointed(again, tried, catalog), tried, catalog, read, steps - 1)
            if found is not None:
                return replace(found, differs=joined_differences(each.differs, found.differs))
        except RecursionError:
            continue
        else:
            return each
    return None
