"""Suggestions for a refused query: candidates are collected, and the first one that compiles replaces the hint.

Candidates are foreign calls rewritten for DuckDB, similar names, joins to a table that has the column, and quotes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from dialect.catalog.model import Catalog, Table
from dialect.diagnostics.near_names import MAX_LISTED_NAMES, first_names, near_names
from dialect.errors import Code, Refusal, Span, Suggestion, join_differences, to_suggestions
from dialect.parser.placeholders import fill_placeholders
from dialect.parser.spans import first_word_span
from dialect.parser.suggestions.foreign_dialects import (
    AMPERSANDS,
    replace_ampersands,
    rewrite_call_at,
    to_duckdb,
    to_rollup_syntax,
)

_FIRST_TABLE = re.compile(r"\bfrom\s+(\w+)", re.IGNORECASE)
# refusals that may be caused by foreign syntax
_FOREIGN_SYNTAX_CODES = (Code.FUNC, Code.COLUMN, Code.WINDOW, Code.TABLE, Code.PARSE)
_QUOTED = re.compile(r'"([^"]*)"')
_ALIAS = re.compile(r'\bas\s+"([^"]*)"', re.IGNORECASE)


def add_suggestions(refusal: Refusal, sql: str, catalog: Catalog) -> Refusal:
    """Add suggestions to a refusal: DuckDB's form of foreign syntax, or similar names of the catalog.

    Which ones is decided by the refusal's code and the beginning of its text. Unchanged without a span or a rule.
    """
    if refusal.span is None:
        return refusal
    if (
        refusal.code in _FOREIGN_SYNTAX_CODES
        and (with_duckdb_syntax := _suggest_duckdb_syntax(refusal, refusal.span, sql)) is not None
    ):
        return with_duckdb_syntax
    if refusal.why == AMPERSANDS:
        return replace(refusal, rewrites=to_suggestions([replace_ampersands(sql)]))
    if refusal.why.startswith(("ROLLUP is not part", "CUBE is not part")):
        return replace(refusal, rewrites=to_suggestions([to_rollup_syntax(sql)]))
    refused_text = sql[refusal.span.start : refusal.span.end]
    if refusal.code is Code.COLUMN and refused_text.startswith('"'):
        return _suggest_single_quotes(refusal, sql, catalog)
    if refusal.code is Code.COLUMN and refusal.why.startswith("There is no column"):
        return _suggest_join(refusal, refused_text.rpartition(".")[2].strip().lower(), sql, catalog)
    if refusal.code is Code.TABLE and refusal.why.startswith("There is no table"):
        return _suggest_similar_table(refusal, sql, catalog)
    return _suggest_names(refusal, refused_text, sql, catalog) if refusal.code is Code.STMT else refusal


def _suggest_duckdb_syntax(refusal: Refusal, span: Span, sql: str) -> Refusal | None:
    """Suggest DuckDB's form of the refused foreign call; None where the refusal does not point at one.

    The rewritten call becomes the hint, the rewritten query the first suggestion. A text that did not parse, and TOP,
    have no call at the span: there any rewrite of the query counts.
    """
    call, rewritten = rewrite_call_at(sql, span), to_duckdb(sql)
    # SELECT TOP 5 is read as a column named top
    has_parsed = refusal.code is not Code.PARSE and sql[span.start : span.start + 3].lower() != "top"
    if rewritten.sql == sql or (call is None and has_parsed):
        return None
    return replace(refusal, hint=str(call or refusal.hint), rewrites=(rewritten, *refusal.rewrites))


def _suggest_single_quotes(refusal: Refusal, sql: str, catalog: Catalog) -> Refusal:
    """Suggest single quotes for text in double quotes, which MySQL and BigQuery allow.

    First for the refused column alone, then for every text in double quotes that is no name of the catalog and no
    alias.
    """
    assert refusal.span is not None  # noqa: S101  checked by the caller
    start, end = refusal.span.start, refusal.span.end
    texts = ["'" + sql[start:end].strip('"').replace("'", "''") + "'"]
    names = {name.lower() for table in catalog.tables for name in (table.name, *(c.name for c in table.columns))}
    names |= {found[1].lower() for found in _ALIAS.finditer(sql)}

    def as_text(found: re.Match[str]) -> str:
        """Quote a text once more, unless it is a name of the catalog or an alias."""
        return found[0] if found[1].lower() in names else "'" + found[1].replace("'", "''") + "'"

    all_quoted = _QUOTED.sub(as_text, sql)
    why = f"{refusal.why} Double quotes are for names, single quotes for text."
    return replace(
        refusal, why=why, hint=texts[0], rewrites=to_suggestions([sql[:start] + texts[0] + sql[end:], all_quoted])
    )


def _suggest_join(refusal: Refusal, column: str, sql: str, catalog: Catalog) -> Refusal:
    """Suggest joining a table that has the missing column; public tables first.

    The join is inserted behind the first table of FROM. Unchanged where that table has the column, or no table has it.
    """
    tables_with_column = [t for t in catalog.tables if any(c.visible and c.name.lower() == column for c in t.columns)]
    first = _FIRST_TABLE.search(sql)
    source = catalog.table(first[1].lower()) if first else None
    if not tables_with_column or source is None or source in tables_with_column:
        return refusal
    # (table, the columns to join it by)
    shared = [(table, _join_columns(source, table)) for table in sorted(tables_with_column, key=lambda t: t.private)]
    # (table, text of the join)
    joins = [(table, f" JOIN {table.name} USING ({', '.join(on)})") for table, on in shared if on]
    offset = first.end() if first else 0
    rewrites = tuple(
        Suggestion(sql[:offset] + join + sql[offset:], _join_difference(column, table, join)) for table, join in joins
    )
    why = f"{refusal.why[:-1]}: it is in {', '.join(t.name for t in tables_with_column[:MAX_LISTED_NAMES])}."
    return replace(
        refusal, why=why, hint=joins[0][1].strip() if joins else f"FROM {tables_with_column[0].name}", rewrites=rewrites
    )


def _join_difference(column: str, table: Table, join: str) -> str:
    """Difference of a suggested join: rows that it drops or repeats."""
    unique = bool(table.primary_key) and f"({', '.join(table.primary_key)})" in join
    repeated = "" if unique else "; one that meets several counts each time"
    return f"{column} of {table.name}; rows that meet none are left out{repeated}"


def _join_columns(one: Table, other: Table) -> list[str]:
    """Columns of `one` that join it to at most one row of `other`; empty where there are none.

    The primary key of `other`, else its first column: public tables list the values that other tables reference by it.
    """
    names = {column.name for column in one.columns if column.visible}
    if other.private:  # joined by the person alone, each row would match all rows of its person
        person = None if other.person is None else other.person.column
        has_same_person = person in names and one.person is not None and one.person.column == person
        return list(other.primary_key) if has_same_person and other.primary_key == (person,) else []
    if other.primary_key and set(other.primary_key) <= names:
        return list(other.primary_key)
    return [other.columns[0].name] if other.columns[0].name in names else []


def _suggest_similar_table(refusal: Refusal, sql: str, catalog: Catalog) -> Refusal:
    """Suggest the query with the unknown table replaced by tables of similar names; the hint lists all tables."""
    assert refusal.span is not None  # noqa: S101  checked by the caller
    start, end = refusal.span.start, refusal.span.end
    written = sql[start:end].split(maxsplit=1)[0].lower()
    known = [table.name for table in catalog.tables]
    near = near_names(written, known, count=3, min_similarity=0.5)
    rest = [name for name in known if name not in near]
    rewrites = tuple(
        Suggestion(sql[:start] + name + sql[start + len(written) :], f"of {name}, a near name") for name in near
    )
    return replace(refusal, hint=f"one of {first_names(near + rest)}", rewrites=rewrites)


def _suggest_names(refusal: Refusal, word: str, sql: str, catalog: Catalog) -> Refusal:
    """Answer SHOW, DESCRIBE and SUMMARIZE in other engines' forms with the names of tables, or of a table's columns."""
    if word.upper() not in {"SHOW", "DESCRIBE", "DESC", "SUMMARIZE"} or not catalog.tables:
        return refusal
    named = [table for name in re.findall(r"\w+", sql)[1:] if (table := catalog.table(name.lower())) is not None]
    table = named[0] if named else catalog.tables[0]
    what, names = (
        (f"{table.name} has", [c.name for c in table.columns if c.visible])
        if named
        else ("there are", [each.name for each in catalog.tables])
    )
    why = f"{refusal.why[:-1]}; {what} {first_names(names)}."
    return replace(refusal, why=why, hint=str(Suggestion(f"SELECT COUNT(*) FROM {table.name}", "counts the rows")))


_MAX_COMPILED = 4  # suggestions compiled for one refusal
_MAX_SUGGESTION_CHARACTERS = 240  # characters
_MAX_REWRITE_STEPS = 2  # a rewrite for DuckDB may be refused too, and its own suggestion compile


def with_compiling_suggestion(
    refusal: Refusal, sql: str, catalog: Catalog, compile_text: Callable[[str], object]
) -> Refusal:
    """Return a refusal with a span and a suggestion that compiles. Raises nothing.

    `compile_text` raises Refusal, or RecursionError where a text is nested too deeply.
    """
    candidates = _with_candidates(refusal, sql, catalog)
    compiling = _first_compiling(candidates, sql, catalog, compile_text, _MAX_REWRITE_STEPS)
    return replace(candidates, hint=candidates.hint if compiling is None else str(compiling), rewrites=())


def _with_candidates(refusal: Refusal, sql: str, catalog: Catalog) -> Refusal:
    """Add a span and suggestions to a refusal."""
    return add_suggestions(replace(refusal, span=refusal.span or first_word_span(sql)), sql, catalog)


def _first_compiling(
    refusal: Refusal, sql: str, catalog: Catalog, compile_text: Callable[[str], object], remaining_steps: int
) -> Suggestion | None:
    """First suggestion that compiles, or that does after one more suggestion for its own refusal; None where none does.

    The second step applies only to the query rewritten from a foreign dialect (`each == to_duckdb(sql)`): after it a
    column may still be unknown. The difference of such a suggestion states both steps. Placeholders have sample values
    during compilation only.
    """
    for each in refusal.rewrites[:_MAX_COMPILED]:
        if len(each.sql) > _MAX_SUGGESTION_CHARACTERS:
            continue
        filled_sql = fill_placeholders(each.sql)
        try:
            compile_text(filled_sql)
        except Refusal as next_refusal:
            if remaining_steps == 1 or each != to_duckdb(sql):
                continue
            found = _first_compiling(
                _with_candidates(next_refusal, filled_sql, catalog),
                filled_sql,
                catalog,
                compile_text,
                remaining_steps - 1,
            )
            if found is not None:
                return replace(found, difference=join_differences(each.difference, found.difference))
        except RecursionError:
            continue
        else:
            return each
    return None
