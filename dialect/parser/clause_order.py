"""Clause order: refuse a SELECT whose clauses are out of SQL's order or repeated, and suggest the reordered text.

sqlglot accepts clauses in any order, and some of them without a SELECT; DuckDB does not.

Terms:

    run      tokens of one nesting level between two brackets or set operators: one SELECT, or no SELECT at all
    rank     place of a clause in SQL's order: SELECT 0, FROM and JOIN 1, ...; SELECT behind FROM has one of its own
    fault    first violation in a run: the offending token, and what is wrong with it
    repair   the text with one fault removed; it may still have others
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise

from sqlglot.tokenizer_core import Token, TokenType

from dialect.diagnostics.kinds import Kind
from dialect.errors import Refusal, to_suggestions
from dialect.parser.tokens import CLOSERS, OPENERS, token_span, tokenize

_SELECT, _FROM, _SELECT_AFTER_FROM, _WHERE, _GROUP, _HAVING, _WINDOW, _QUALIFY, _ORDER, _LIMIT = range(10)
_RANKS = {
    TokenType.SELECT: _SELECT,
    TokenType.FROM: _FROM,
    TokenType.JOIN: _FROM,
    TokenType.WHERE: _WHERE,
    TokenType.GROUP_BY: _GROUP,
    TokenType.HAVING: _HAVING,
    TokenType.WINDOW: _WINDOW,
    TokenType.QUALIFY: _QUALIFY,
    TokenType.ORDER_BY: _ORDER,
    TokenType.LIMIT: _LIMIT,
    TokenType.OFFSET: _LIMIT,
}
_CONDITIONS = {TokenType.WHERE, TokenType.HAVING, TokenType.QUALIFY}
_SET_OPERATORS = {TokenType.UNION, TokenType.INTERSECT, TokenType.EXCEPT}
_SELECT_STARTS = {TokenType.SELECT, TokenType.FROM}
_QUERY_STARTS = _SELECT_STARTS | {TokenType.WITH, TokenType.VALUES}
_BEFORE_IDENTIFIER = {TokenType.ALIAS, TokenType.DOT}  # the next token is an identifier, also where it is a keyword
_JOIN_KEYWORDS = {"LEFT", "RIGHT", "FULL", "INNER", "OUTER", "CROSS", "SEMI", "ANTI", "NATURAL", "ASOF", "POSITIONAL"}
_SET_MODIFIERS = {"ALL", "DISTINCT", "BY", "NAME"}
_BEFORE_TABLE = {TokenType.FROM, TokenType.JOIN, TokenType.COMMA, TokenType.L_PAREN}
_PIVOTS = {"PIVOT", "UNPIVOT", "PIVOT_WIDER", "PIVOT_LONGER"}  # they have clauses of their own, and are refused later
_MAX_REPAIRS = 4


@dataclass(frozen=True)
class _Clause:
    """One clause of a SELECT."""

    keyword: Token  # its keyword
    start: int  # offset of its first character
    rank: int  # place in SQL's order of clauses
    commas: list[Token] = field(default_factory=list)


@dataclass
class _ClauseRun:
    """The tokens between two brackets or set operators: the clauses of one SELECT, or no SELECT at all."""

    start: int  # index of its first token
    holds_query: bool  # False: brackets of a call or an expression
    clauses: list[_Clause] = field(default_factory=list)
    end: int = 0  # offset after its last character
    after_set_operator: bool = False
    before_set_operator: bool = False


def check_clause_order(sql: str, tokens: list[Token]) -> None:
    """Refuse clauses that are out of order, repeated or without a SELECT; raises Refusal with E_PARSE.

    The refusal names the first fault. Its suggestion is the text with up to `_MAX_REPAIRS` more of them repaired.
    """
    first_fault = next(
        (fault for run in _split_runs(sql, tokens) if (fault := _find_fault(run, tokens)) is not None), None
    )
    if first_fault is None:
        return
    repaired = _repair_remaining(_reordered(sql, first_fault.run, first_fault.token), _MAX_REPAIRS)
    raise replace(first_fault.refusal, rewrites=to_suggestions([repaired]))


def _repair_remaining(sql: str, max_repairs: int) -> str:
    """Fix the remaining clause order faults one at a time, at most `max_repairs` of them.

    Each repair changes offsets, so the text is tokenized again; a text that no longer can be is returned as it is.
    """
    try:
        tokens = tokenize(sql)
    except Refusal:
        return sql
    for run in _split_runs(sql, tokens):
        found = _find_fault(run, tokens)
        if found is not None and max_repairs:
            return _repair_remaining(_reordered(sql, run, found.token), max_repairs - 1)
    return sql


def _split_runs(sql: str, tokens: list[Token]) -> Iterator[_ClauseRun]:
    """Split a text into runs of tokens, the innermost first.

    `open_runs` is a stack: a bracket opens a run, a set operator ends one and begins the next on the same level.
    """
    open_runs = [_ClauseRun(0, holds_query=True)]
    for position, token in enumerate(tokens):
        token_type = token.token_type
        if token_type in OPENERS:
            open_runs.append(_ClauseRun(position + 1, _starts_query(tokens, position + 1)))
        elif token_type in CLOSERS and len(open_runs) > 1:
            yield _close_run(open_runs.pop(), token.start)
        elif token_type in _SET_OPERATORS or token_type is TokenType.SEMICOLON:
            run = open_runs.pop()
            run.before_set_operator = token_type in _SET_OPERATORS
            yield _close_run(run, token.start)
            open_runs.append(_ClauseRun(position + 1, run.holds_query, after_set_operator=token_type in _SET_OPERATORS))
        else:
            _add_token(open_runs[-1], tokens, position)
    yield _close_run(open_runs[0], len(sql))  # unclosed brackets are reported by the parser


def _close_run(run: _ClauseRun, end: int) -> _ClauseRun:
    """Set the end of a run, and return it."""
    run.end = end
    return run


def _starts_query(tokens: list[Token], position: int) -> bool:
    """Return whether a query begins at this token, after any opening parentheses."""
    first = next((token for token in tokens[position:] if token.token_type is not TokenType.L_PAREN), None)
    return first is not None and first.token_type in _QUERY_STARTS


def _add_token(run: _ClauseRun, tokens: list[Token], position: int) -> None:
    """Add a token to a run: a comma to its current clause, or a keyword that begins a new clause.

    Keywords that begin no clause are identifiers behind AS or a dot, and the FROM of IS DISTINCT FROM. A SELECT behind
    nothing but FROM and JOIN is DuckDB's FROM-first form, and gets the rank behind FROM.
    """
    token, before = tokens[position], tokens[position - 1].token_type if position else None
    if token.token_type is TokenType.COMMA and run.clauses:
        run.clauses[-1].commas.append(token)
    rank = _RANKS.get(token.token_type)
    if (
        rank is None
        or before in _BEFORE_IDENTIFIER
        or (token.token_type is TokenType.FROM and before is TokenType.DISTINCT)
    ):
        return
    # only FROM and JOIN clauses so far, at least one
    if rank == _SELECT and [clause.rank for clause in run.clauses] == [_FROM] * max(1, len(run.clauses)):
        rank = _SELECT_AFTER_FROM
    run.clauses.append(_Clause(token, _join_start(tokens, position).start, rank))


def _join_start(tokens: list[Token], position: int) -> Token:
    """First token of a join: LEFT for the JOIN of LEFT OUTER JOIN."""
    while tokens[position].token_type is TokenType.JOIN or tokens[position].text.upper() in _JOIN_KEYWORDS:
        if tokens[position - 1].text.upper() not in _JOIN_KEYWORDS:
            break
        position -= 1
    return tokens[position]


@dataclass(frozen=True)
class _Fault:
    """First violation in a run: the offending token, and its refusal."""

    run: _ClauseRun
    token: Token
    refusal: Refusal


def _find_fault(run: _ClauseRun, tokens: list[Token]) -> _Fault | None:
    """First violation of clause order in a run; None where there is none.

    Clauses without their SELECT or FROM are found in all brackets, the other faults in queries only.
    """
    orphan = _clause_without_select(run, tokens) or _join_without_from(run, tokens)
    if orphan is not None:
        owner = "FROM" if orphan.token_type is TokenType.JOIN else "SELECT"
        refused = Kind.CLAUSE_WITHOUT_OWNER.at(token_span(orphan), clause=_keyword_text(orphan), owner=owner)
        return _Fault(run, orphan, refused)
    if not run.holds_query:
        return None
    for before, after in pairwise(run.clauses):
        if _is_misplaced(before, after):
            return _explain_misplaced(run, after)
    return _comma_between_conditions(run) or _with_after_set_operator(run, tokens) or _order_before_set_operator(run)


def _clause_without_select(run: _ClauseRun, tokens: list[Token]) -> Token | None:
    """Find a clause without a SELECT; None where there is none.

    In a query: WHERE to QUALIFY before the first SELECT or FROM. In other brackets: any clause but ORDER BY, which a
    call may have, and WHERE as the first token, as in FILTER (WHERE ...). PIVOT (...) has clauses of its own.
    """
    if run.holds_query:
        first_select = next(
            (i for i, clause in enumerate(run.clauses) if clause.keyword.token_type in _SELECT_STARTS), len(run.clauses)
        )
        return next((c.keyword for c in run.clauses[:first_select] if _WHERE <= c.rank < _ORDER), None)
    # the token before the opening bracket of the run
    if run.start > 1 and tokens[run.start - 2].text.upper() in _PIVOTS:
        return None
    first = tokens[run.start] if run.start < len(tokens) else None
    misplaced = (c.keyword for c in run.clauses if c.rank >= _WHERE and c.rank != _ORDER)
    return next((token for token in misplaced if token is not first or token.token_type is not TokenType.WHERE), None)


def _join_without_from(run: _ClauseRun, tokens: list[Token]) -> Token | None:
    """Find a JOIN without a FROM; a join in parentheses after FROM has its first table before it."""
    token_types = [clause.keyword.token_type for clause in run.clauses]
    if not run.holds_query or TokenType.JOIN not in token_types or TokenType.FROM in token_types:
        return None
    if run.start > 1 and tokens[run.start - 2].token_type in _BEFORE_TABLE and TokenType.SELECT not in token_types:
        return None
    return run.clauses[token_types.index(TokenType.JOIN)].keyword


def _is_misplaced(before: _Clause, after: _Clause) -> bool:
    """Return whether a clause is out of order after the one before it, or repeats it; joins may repeat."""
    if before.rank != after.rank:
        return after.rank < before.rank
    # of one rank: joins repeat, FROM and JOIN or LIMIT and OFFSET differ in their keyword
    is_join = after.keyword.token_type is TokenType.JOIN
    return not is_join and before.keyword.token_type is after.keyword.token_type


def _explain_misplaced(run: _ClauseRun, after: _Clause) -> _Fault:
    """Explain a misplaced clause.

    The clause is repeated where no clause of a higher rank stands before it; else it belongs before the first such
    clause.
    """
    name, span = _keyword_text(after.keyword), token_span(after.keyword)
    later = next((clause for clause in run.clauses if clause.rank > after.rank), None)
    if later is None or run.clauses.index(later) > run.clauses.index(after):
        return _Fault(run, after.keyword, Kind.CLAUSE_REPEATED.at(span, clause=name))
    misplaced = Kind.CLAUSE_MISPLACED.at(span, clause=name, later=_keyword_text(later.keyword))
    return _Fault(run, after.keyword, misplaced)


def _comma_between_conditions(run: _ClauseRun) -> _Fault | None:
    """Find a comma between the conditions of WHERE, HAVING or QUALIFY."""
    found = next((c.commas[0] for c in run.clauses if c.keyword.token_type in _CONDITIONS and c.commas), None)
    return None if found is None else _Fault(run, found, Kind.COMMA_BETWEEN_CONDITIONS.at(token_span(found)))


def _with_after_set_operator(run: _ClauseRun, tokens: list[Token]) -> _Fault | None:
    """Find a WITH directly after a set operator."""
    first = next((token for token in tokens[run.start :] if token.text.upper() not in _SET_MODIFIERS), None)
    if first is None or not run.after_set_operator or first.token_type is not TokenType.WITH:
        return None
    return _Fault(run, first, Kind.WITH_BEHIND_SET_OPERATOR.at(token_span(first)))


def _order_before_set_operator(run: _ClauseRun) -> _Fault | None:
    """Find an ORDER BY or LIMIT directly before a set operator, which needs parentheses in SQL."""
    trailing = next((clause.keyword for clause in run.clauses if clause.rank >= _ORDER), None)
    if trailing is None or not run.before_set_operator:
        return None
    refused = Kind.ORDER_BEFORE_SET_OPERATOR.at(token_span(trailing), clause=_keyword_text(trailing))
    return _Fault(run, trailing, refused)


def _keyword_text(token: Token) -> str:
    """Keyword of a token in capitals, with single spaces."""
    return " ".join(token.text.upper().split())


def _reordered(sql: str, run: _ClauseRun, token: Token) -> str:
    """Rewrite a query with one fault of a run repaired; `token` is the offending token of the fault.

    A comma between conditions becomes AND, a WITH behind a set operator is put in parentheses. Otherwise all clauses of
    the run are sorted by rank and repeated ones merged; an ORDER BY or LIMIT before a set operator needs parentheses.
    """
    if token.token_type is TokenType.COMMA:
        return f"{sql[: token.start]} AND{sql[token.end + 1 :]}"
    if token.token_type is TokenType.WITH:
        return f"{sql[: token.start]}({sql[token.start : run.end].strip()})"
    if not run.clauses:
        return sql
    start = run.clauses[0].start
    clause_text = sql[start : run.end]
    separator = "\n" if "\n" in clause_text or "--" in clause_text else " "
    stops = [clause.start for clause in run.clauses[1:]] + [run.end]
    pieces = [(clause, sql[clause.start : stop].strip()) for clause, stop in zip(run.clauses, stops, strict=True)]
    in_order = groupby(sorted(pieces, key=lambda piece: piece[0].rank), key=lambda piece: piece[0].rank)
    reordered = separator.join(text for _, same in in_order for text in _merge_repeated(list(same)))
    if run.before_set_operator and any(clause.rank >= _ORDER for clause in run.clauses):
        reordered = f"({reordered})"
    trailing_space = clause_text[len(clause_text.rstrip()) :]
    return sql[:start] + reordered + trailing_space + sql[run.end :]


def _merge_repeated(pieces: list[tuple[_Clause, str]]) -> list[str]:
    """Merge repeated clauses of one keyword: conditions by AND, keys by commas; joins and LIMIT stay separate.

    `pieces` are (clause, its text with the keyword), all of one rank and in text order.
    """
    texts = [text for _, text in pieces]
    keyword = pieces[0][0].keyword
    if len(pieces) == 1 or keyword.token_type not in _CONDITIONS | {TokenType.GROUP_BY, TokenType.ORDER_BY}:
        return texts
    bodies = [text[clause.keyword.end + 1 - clause.start :].strip() for clause, text in pieces]
    if keyword.token_type in _CONDITIONS:
        return [f"{keyword.text} " + " AND ".join(f"({body})" for body in bodies)]
    return [f"{keyword.text} " + ", ".join(bodies)]
