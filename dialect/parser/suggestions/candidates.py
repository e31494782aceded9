"""Suggestions for a refused query: candidates are collected, and the first one that compiles replaces the hint.

Candidates are foreign calls rewritten for DuckDB, similar names, joins to a table that has the column, and quotes.

SQL that can't be parsed: a keyword of a similar name, a bracket too few or too many, no BY. Only the text is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from dialect.catalog.model import Catalog, Table
from dialect.diagnostics.kinds import Kind
from dialect.diagnostics.names import MAX_LISTED_NAMES, first_names, near_names
from dialect.errors import Code, Diagnostic, Refusal, Span, Suggestion, join_differences, to_suggestions
from dialect.parser.spans import first_word_span
from dialect.parser.suggestions.beginners import (
    iso_times,
    moved_aggregates,
    other_columns,
    quoted_dates,
    slips,
    truncated_days,
)
from dialect.parser.suggestions.clauses import (
    at_the_end,
    pivoted,
    unpivoted,
    with_using,
    without_samples,
    without_schemas,
    without_sketches,
)
from dialect.parser.suggestions.foreign_dialects import replace_ampersands, rewrite_call_at, to_duckdb, to_rollup_syntax
from dialect.parser.suggestions.private_joins import of_one_person, people_together, separate_tables
from dialect.parser.tokens import fill_placeholders

_KEYWORDS = (
    *("select", "distinct", "from", "where", "group", "order", "by", "having", "limit", "join", "using", "between"),
    *("and", "interval", "union", "case", "when", "then", "else", "end", "with", "left", "inner", "desc"),
)
_CLAUSES = re.compile(r"\s+(?:as|from|where|group|order|having|limit)\b", re.IGNORECASE)
_WITHOUT_BY = re.compile(r"\b(group|order)\b(?!\s+by\b)", re.IGNORECASE)
_WORD = re.compile(r"[a-z_]+", re.IGNORECASE)
_MIN_SIMILARITY = 0.7
_MIN_LENGTH = 3  # of a word that may be a mistyped keyword


def corrections(sql: str, span: Span) -> tuple[Suggestion, ...]:
    """Candidates for a text that can't be read from `span` on, those nearest to it first."""
    return (*_with_balanced_brackets(sql, span), *_with_by(sql), *slips(sql), *_with_keywords(sql, span))


def _with_keywords(sql: str, span: Span) -> Iterator[Suggestion]:
    """Replace a word at the span, or the nearest one before it, by the keyword that its letters resemble."""
    words = [word for word in _WORD.finditer(sql) if word.start() < span.end and len(word[0]) >= _MIN_LENGTH]
    for word in reversed(words):
        written = word[0].lower()
        near = near_names(written, _KEYWORDS, min_similarity=_MIN_SIMILARITY)
        # letters in another order are as near as can be: form and from
        near = [each for each in _KEYWORDS if sorted(each) == sorted(written)] or near
        if written not in _KEYWORDS and near:
            keyword = near[0].upper()
            yield Suggestion(sql[: word.start()] + keyword + sql[word.end() :], f"{keyword} is a near word")


def _with_balanced_brackets(sql: str, span: Span) -> Iterator[Suggestion]:
    """Close an open bracket before a clause, the nearest before the span first, or at the end; or drop one too many."""
    opened = sql.count("(") - sql.count(")")
    if opened > 0:
        clauses = [clause.start() for clause in _CLAUSES.finditer(sql) if clause.start() < span.end]
        for place in (*reversed(clauses[-2:]), len(sql.rstrip("; \n"))):
            yield Suggestion(f"{sql[:place]}{')' * opened}{sql[place:]}", "closes what is open")
    elif opened < 0 and (place := sql.rfind(")", 0, span.end)) >= 0:
        yield Suggestion(sql[:place] + sql[place + 1 :], "without a bracket that closes nothing")


def _with_by(sql: str) -> Iterator[Suggestion]:
    """Write BY behind GROUP and ORDER."""
    longer = _WITHOUT_BY.sub(r"\1 BY", sql)
    if longer != sql:
        yield Suggestion(longer, "with BY")


_FIRST_TABLE = re.compile(r"\bfrom\s+(\w+)", re.IGNORECASE)
# refusals that may be caused by foreign syntax
_FOREIGN_SYNTAX_CODES = (Code.FUNC, Code.COLUMN, Code.WINDOW, Code.TABLE, Code.PARSE)
_LISTING_WORDS = frozenset({"SHOW", "DESCRIBE", "DESC", "SUMMARIZE"})
# first words of statements that write or set; others may be a mistyped SELECT
_STATEMENT_WORDS = frozenset(
    {"DELETE", "INSERT", "UPDATE", "DROP", "CREATE", "ALTER", "TRUNCATE", "MERGE", "COPY", "EXPORT", "GRANT", "PRAGMA"}
)
_INNER_SELECT = re.compile(r"\b(?:select|with)\b.*", re.IGNORECASE | re.DOTALL)
_QUOTED = re.compile(r'"([^"]*)"')
_ALIAS = re.compile(r'\bas\s+"([^"]*)"', re.IGNORECASE)


def add_suggestions(refusal: Refusal, sql: str, catalog: Catalog) -> Refusal:
    """Add suggestions to a refusal: DuckDB's form of foreign syntax, else those of the suggester of its kind.

    Unchanged without a span, and for kinds without a suggester.
    """
    if refusal.span is None:
        return refusal
    if refusal.code in _FOREIGN_SYNTAX_CODES:
        with_duckdb_syntax = _suggest_duckdb_syntax(refusal, refusal.span, sql)
        if with_duckdb_syntax is not None:
            return with_duckdb_syntax
    suggester = _SUGGESTERS.get(refusal.kind)
    return refusal if suggester is None else suggester(refusal, refusal.span, sql, catalog)


def _suggest_duckdb_syntax(refusal: Refusal, span: Span, sql: str) -> Refusal | None:
    """Suggest DuckDB's form of the refused foreign call; None where the refusal does not point at one.

    The rewritten call becomes the hint, the rewritten query the first suggestion. A text that did not parse, and TOP,
    have no call at the span: there any rewrite of the query counts.
    """
    call, rewritten = rewrite_call_at(sql, span), to_duckdb(sql)
    # SELECT TOP 5 is read as a column named top, and [name] as a list
    is_bracketed = "[" in sql[max(0, span.start - 1) : span.start + 1]
    is_read_wrongly = is_bracketed or sql[span.start : span.start + 3].lower() == "top"
    has_parsed = refusal.code is not Code.PARSE and not is_read_wrongly
    if rewritten.sql == sql or (call is None and has_parsed):
        return None
    return replace(refusal, suggestion=call, rewrites=(rewritten, *refusal.rewrites))


def _suggest_rollup_syntax(refusal: Refusal, span: Span, sql: str, catalog: Catalog) -> Refusal:
    """Suggest GROUP BY ROLLUP (...) for WITH ROLLUP, and the same for CUBE; unchanged for other parts of a query."""
    del span, catalog
    is_foreign = refusal.fields["part"] in ("ROLLUP", "CUBE")
    return replace(refusal, rewrites=to_suggestions([to_rollup_syntax(sql)])) if is_foreign else refusal


def _suggest_for_column(refusal: Refusal, span: Span, sql: str, catalog: Catalog) -> Refusal:
    """Suggest single quotes for an unknown name in double quotes, else a join with a table that has the column."""
    if sql.startswith('"', span.start):
        return _suggest_single_quotes(refusal, span, sql, catalog)
    column = sql[span.start : span.end].rpartition(".")[2].strip().lower()
    others = (*refusal.rewrites, *other_columns(refusal, span, sql, catalog))
    return _suggest_join(replace(refusal, rewrites=others), column, sql, catalog)


def _suggest_single_quotes(refusal: Refusal, span: Span, sql: str, catalog: Catalog) -> Refusal:
    """Suggest single quotes for text in double quotes, which MySQL and BigQuery allow.

    First for the refused column alone, then for every text in double quotes that is no name of the catalog and no
    alias.
    """
    quoted = "'" + sql[span.start : span.end].strip('"').replace("'", "''") + "'"
    names = {name.lower() for table in catalog.tables for name in (table.name, *(c.name for c in table.columns))}
    names |= {found[1].lower() for found in _ALIAS.finditer(sql)}

    def as_text(found: re.Match[str]) -> str:
        """Quote a text once more, unless it is a name of the catalog or an alias."""
        return found[0] if found[1].lower() in names else "'" + found[1].replace("'", "''") + "'"

    all_quoted = _QUOTED.sub(as_text, sql)
    this_quoted = sql[: span.start] + quoted + sql[span.end :]
    return refusal.explained(Kind.DOUBLE_QUOTED_TEXT, *to_suggestions([this_quoted, all_quoted]), quoted=quoted)


def _suggest_join(refusal: Refusal, column: str, sql: str, catalog: Catalog) -> Refusal:
    """Suggest joining a table that has the missing column; public tables first.

    The join is inserted behind the first table of FROM. Unchanged where that table has the column, or no table has it.
    """
    tables_with_column = [t for t in catalog.tables if any(c.visible and c.name.lower() == column for c in t.columns)]
    first = _FIRST_TABLE.search(sql)
    source = catalog.tables_by_name.get(first[1].lower()) if first else None
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
    names = ", ".join(table.name for table in tables_with_column[:MAX_LISTED_NAMES])
    first_join = joins[0][1].strip() if joins else f"FROM {tables_with_column[0].name}"
    return refusal.explained(Kind.COLUMN_ELSEWHERE, *rewrites, *refusal.rewrites, tables=names, join=first_join)


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


def _suggest_similar_table(refusal: Refusal, span: Span, sql: str, catalog: Catalog) -> Refusal:
    """Suggest the query with the unknown table replaced by tables of similar names; the hint lists all tables."""
    start = span.start
    written = sql[start : span.end].split(maxsplit=1)[0].lower()
    known = [table.name for table in catalog.tables]
    near = near_names(written, known, count=3, min_similarity=0.5)
    rest = [name for name in known if name not in near]
    rewrites = tuple(
        Suggestion(sql[:start] + name + sql[start + len(written) :], f"of {name}, a near name") for name in near
    )
    is_outer = refusal.kind is Kind.TABLE_NOT_IN_FROM
    joined = (*separate_tables(sql, catalog), *_joined_table(written, sql, catalog)) if is_outer else ()
    fields = {**refusal.fields, "tables": first_names(near + rest)}
    return replace(refusal, fields=fields, rewrites=(*joined, *rewrites))


def _suggest_separate_tables(refusal: Refusal, span: Span, sql: str, catalog: Catalog) -> Refusal:
    """Suggest grouping each of two private tables by its own, before joining them by person."""
    del span
    others = (*of_one_person(sql, catalog), *people_together(sql, catalog))
    return replace(refusal, rewrites=(*separate_tables(sql, catalog), *refusal.rewrites, *others))


def _joined_table(written: str, sql: str, catalog: Catalog) -> tuple[Suggestion, ...]:
    """Join a table that a column names and FROM does not, by its key."""
    table, first = catalog.tables_by_name.get(written.partition(".")[0].strip('"')), _FIRST_TABLE.search(sql)
    source = catalog.tables_by_name.get(first[1].lower()) if first else None
    on = _join_columns(source, table) if source is not None and table is not None else []
    if first is None or table is None or not on:
        return ()
    join = f" JOIN {table.name} USING ({', '.join(on)})"
    difference = f"joins {table.name}; rows that meet none of it are left out"
    return (Suggestion(sql[: first.end()] + join + sql[first.end() :], difference),)


def _suggest_names(refusal: Refusal, span: Span, sql: str, catalog: Catalog) -> Refusal:
    """Answer SHOW, DESCRIBE and SUMMARIZE in other engines' forms with the names of tables, or of a table's columns.

    For statements that write, suggest the SELECT inside, such as of CREATE TABLE ... AS, or a count of the named table.
    """
    word = sql[span.start : span.end].upper()
    named = [
        table for name in re.findall(r"\w+", sql)[1:] if (table := catalog.tables_by_name.get(name.lower())) is not None
    ]
    if word == "EXPLAIN" and (inner := _INNER_SELECT.search(sql)):
        answered = Suggestion(inner[0], "answers it; EXPLAIN PRIVACY in front of it shows the price")
        return replace(refusal, rewrites=(*refusal.rewrites, answered))
    if word in _STATEMENT_WORDS:
        inner = _INNER_SELECT.search(sql)
        asked = to_suggestions([inner[0]] if inner else [], "the SELECT inside; nothing is stored")
        counts = (_count_of(table) for table in (named or catalog.tables)[:1])
        return replace(refusal, rewrites=(*refusal.rewrites, *asked, *counts))
    if word not in _LISTING_WORDS or not catalog.tables:
        return _suggest_corrections(refusal, span, sql, catalog)
    table = named[0] if named else catalog.tables[0]
    counted = _count_of(table)
    if named:
        columns = first_names([c.name for c in table.columns if c.visible])
        return refusal.explained(
            Kind.COLUMNS_ASKED_FOR, *refusal.rewrites, table=table.name, names=columns, count=counted
        )
    tables = first_names([each.name for each in catalog.tables])
    return refusal.explained(Kind.TABLES_ASKED_FOR, *refusal.rewrites, names=tables, count=counted)


def _count_of(table: Table) -> Suggestion:
    """Suggest a count of a table's rows."""
    return Suggestion(f"SELECT COUNT(*) FROM {table.name}", "counts the rows")


def _suggest_corrections(refusal: Refusal, span: Span, sql: str, _: Catalog) -> Refusal:
    """Suggest the query with a mistyped keyword or bracket corrected, or a BY."""
    return replace(refusal, rewrites=(*refusal.rewrites, *corrections(sql, span)))


_Suggester = Callable[[Refusal, Span, str, Catalog], Refusal]  # refusal, its span, SQL text, catalog


def _adding(*sources: Callable[[str, Catalog], Iterable[Suggestion]]) -> _Suggester:
    """Return a suggester that adds whole queries, written from the refused text and the catalog."""

    def suggest(refusal: Refusal, span: Span, sql: str, catalog: Catalog) -> Refusal:
        del span
        added = (each for queries in sources for each in queries(sql, catalog))
        return replace(refusal, rewrites=(*refusal.rewrites, *added))

    return suggest


_SUGGESTERS: Mapping[Diagnostic, _Suggester] = {
    Kind.AMPERSANDS: _adding(lambda sql, _: to_suggestions([replace_ampersands(sql)])),
    Kind.CURRENT_TIME: _adding(at_the_end),
    Kind.PIVOT_CLAUSE: _adding(pivoted, unpivoted),
    Kind.PIVOT_STATEMENT: _adding(pivoted, unpivoted),
    Kind.PERSON_JOIN_NOT_EQUALITY: _adding(people_together, of_one_person),
    Kind.JOIN_WITHOUT_EQUALITY: _adding(with_using),
    Kind.SCHEMA_IN_FRONT: _adding(without_schemas),
    Kind.COLUMN_PARTS: _adding(without_schemas),
    Kind.REFUSED_AGGREGATE: _adding(without_sketches),
    Kind.TABLE_SAMPLE: _adding(without_samples),
    Kind.SELECT_SAMPLE: _adding(without_samples),
    Kind.UNSUPPORTED_PART: _suggest_rollup_syntax,
    Kind.UNKNOWN_COLUMN: _suggest_for_column,
    Kind.MISSPELT_COLUMN: _suggest_for_column,
    Kind.COLUMN_WITHOUT_TABLE: _suggest_for_column,
    Kind.UNQUOTED_TEXT: _suggest_for_column,
    Kind.UNKNOWN_TABLE: _suggest_similar_table,
    Kind.TABLE_NOT_IN_FROM: _suggest_similar_table,
    Kind.JOIN_WITHOUT_PERSON: _suggest_separate_tables,
    Kind.NOT_A_SELECT: _suggest_names,
    Kind.UNREADABLE_FROM_HERE: _suggest_corrections,
    Kind.CLAUSE_MISPLACED: _suggest_corrections,
    Kind.NOT_OF_TYPE: _adding(lambda sql, _: iso_times(sql)),
    Kind.COMPARISON_TYPES: _adding(lambda sql, _: (*quoted_dates(sql), *truncated_days(sql))),
    Kind.ARGUMENT_TYPES: _adding(lambda sql, _: (*quoted_dates(sql), *truncated_days(sql))),
    Kind.AGGREGATE_HERE: _adding(lambda sql, _: moved_aggregates(sql)),
}
_MAX_COMPILED = 4  # suggestions compiled for one refusal
_MAX_SUGGESTION_CHARACTERS = 800  # with its difference and the reason, a refusal has less than 1,000
_MAX_REWRITE_STEPS = 2  # a rewrite for DuckDB may be refused too, and its own suggestion compile


def with_compiling_suggestion(
    refusal: Refusal, sql: str, catalog: Catalog, compile_text: Callable[[str], object]
) -> Refusal:
    """Return a refusal with a span and a suggestion that compiles. Raises nothing.

    `compile_text` raises Refusal, or RecursionError where a text is nested too deeply.
    """
    candidates = _with_candidates(refusal, sql, catalog)
    compiling = _first_compiling(candidates, sql, catalog, compile_text, _MAX_REWRITE_STEPS)
    return replace(candidates, suggestion=compiling or candidates.suggestion, rewrites=())


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
