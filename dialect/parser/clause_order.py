"""Clause order: refuse a SELECT whose clauses are out of SQL's order or repeated, and suggest the reordered text.

sqlglot accepts clauses in any order, and some of them without a SELECT; DuckDB does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from sqlglot.tokenizer_core import Token, TokenType

from dialect.errors import Code, Refusal, suggested
from dialect.parser.tokens import CLOSERS, OPENERS, place_of, words_of

_SELECT, _FROM, _SELECT_BEHIND, _WHERE, _GROUP, _HAVING, _WINDOW, _QUALIFY, _ORDER, _LIMIT = range(10)
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
_SETS = {TokenType.UNION, TokenType.INTERSECT, TokenType.EXCEPT}
_BEGIN = {TokenType.SELECT, TokenType.FROM}
_QUERIES = _BEGIN | {TokenType.WITH, TokenType.VALUES}
_OF_A_NAME = {TokenType.ALIAS, TokenType.DOT}  # the next token is an identifier, also where it is a keyword
_OF_A_JOIN = {"LEFT", "RIGHT", "FULL", "INNER", "OUTER", "CROSS", "SEMI", "ANTI", "NATURAL", "ASOF", "POSITIONAL"}
_OF_A_SET = {"ALL", "DISTINCT", "BY", "NAME"}
_TABLES_FOLLOW = {TokenType.FROM, TokenType.JOIN, TokenType.COMMA, TokenType.L_PAREN}
_PIVOTS = {"PIVOT", "UNPIVOT", "PIVOT_WIDER", "PIVOT_LONGER"}  # they have clauses of their own, and are refused later
_MOST_REPAIRS = 4


@dataclass(frozen=True)
class _Clause:
    """One clause of a SELECT."""

    word: Token  # its keyword
    start: int  # offset of its first character
    rank: int
    commas: list[Token] = field(default_factory=list)


@dataclass
class _Run:
    """The tokens between two brackets or set operators: the clauses of one SELECT, or no SELECT at all."""

    start: int  # index of its first token
    holds_query: bool
    clauses: list[_Clause] = field(default_factory=list)
    end: int = 0  # offset after its last character
    after_set: bool = False
    before_set: bool = False


def check_order(sql: str, words: list[Token]) -> None:
    """Refuse clauses that are out of order, repeated or without a SELECT; raises Refusal with E_PARSE."""
    found = next((fault for run in _runs(sql, words) if (fault := _fault(run, words)) is not None), None)
    if found is None:
        return
    word, why, hint, run = found
    repaired = _repaired(_mended(sql, run, word), _MOST_REPAIRS)
    raise Refusal(Code.PARSE, why, hint, place_of(word), suggested([repaired]))


def _repaired(sql: str, most: int) -> str:
    """Fix the remaining clause order faults one at a time, at most `max_repairs` of them."""
    try:
        words = words_of(sql)
    except Refusal:
        return sql
    for run in _runs(sql, words):
        found = _fault(run, words)
        if found is not None and most:
            return _repaired(_mended(sql, run, found[0]), most - 1)
    return sql


def _runs(sql: str, words: list[Token]) -> Iterator[_Run]:
    """Split a text into runs of tokens, the innermost first."""
    opened = [_Run(0, holds_query=True)]
    for place, word in enumerate(words):
        kind = word.token_type
        if kind in OPENERS:
            opened.append(_Run(place + 1, _is_query(words, place + 1)))
        elif kind in CLOSERS and len(opened) > 1:
            yield _ended(opened.pop(), word.start)
        elif kind in _SETS or kind is TokenType.SEMICOLON:
            run = opened.pop()
            run.before_set = kind in _SETS
            yield _ended(run, word.start)
            opened.append(_Run(place + 1, run.holds_query, after_set=kind in _SETS))
        else:
            _read_word(opened[-1], words, place)
    yield _ended(opened[0], len(sql))  # unclosed brackets are reported by the parser


def _ended(run: _Run, end: int) -> _Run:
    run.end = end
    return run


def _is_query(words: list[Token], place: int) -> bool:
    """Return whether a query begins at this token, after any opening parentheses."""
    first = next((word for word in words[place:] if word.token_type is not TokenType.L_PAREN), None)
    return first is not None and first.token_type in _QUERIES


def _read_word(run: _Run, words: list[Token], place: int) -> None:
    """Add a token to a run: a comma to its current clause, or a keyword that begins a new clause."""
    word, before = words[place], words[place - 1].token_type if place else None
    if word.token_type is TokenType.COMMA and run.clauses:
        run.clauses[-1].commas.append(word)
    rank = _RANKS.get(word.token_type)
    if rank is None or before in _OF_A_NAME or (word.token_type is TokenType.FROM and before is TokenType.DISTINCT):
        return
    if rank == _SELECT and [clause.rank for clause in run.clauses] == [_FROM] * max(1, len(run.clauses)):
        rank = _SELECT_BEHIND
    run.clauses.append(_Clause(word, _beginning(words, place).start, rank))


def _beginning(words: list[Token], place: int) -> Token:
    """First token of a join: LEFT for the JOIN of LEFT OUTER JOIN."""
    while words[place].token_type is TokenType.JOIN or words[place].text.upper() in _OF_A_JOIN:
        if words[place - 1].text.upper() not in _OF_A_JOIN:
            break
        place -= 1
    return words[place]


_Fault = tuple[Token, str, str, _Run]  # token, reason, hint, run


def _fault(run: _Run, words: list[Token]) -> _Fault | None:
    """First violation of clause order in a run: the token, the reason and a hint; None where there is none."""
    alone = _without_select(run, words) or _without_from(run, words)
    if alone is not None:
        name, owner = _named(alone), "FROM" if alone.token_type is TokenType.JOIN else "SELECT"
        return alone, f"{name} belongs to a {owner}, and none stands here.", f"SELECT ... FROM ... {name} ...", run
    if not run.holds_query:
        return None
    for before, after in pairwise(run.clauses):
        if _misplaced(before, after):
            return after.word, *_order(run, after), run
    return _comma(run) or _behind_set(run, words) or _before_set(run)


def _without_select(run: _Run, words: list[Token]) -> Token | None:
    """Find a clause without a SELECT; FILTER (WHERE ...) and the ORDER BY of a call need none."""
    if run.holds_query:
        owned = next((i for i, clause in enumerate(run.clauses) if clause.word.token_type in _BEGIN), len(run.clauses))
        return next((c.word for c in run.clauses[:owned] if _WHERE <= c.rank < _ORDER), None)
    if run.start > 1 and words[run.start - 2].text.upper() in _PIVOTS:
        return None
    first = words[run.start] if run.start < len(words) else None
    odd = (c.word for c in run.clauses if c.rank >= _WHERE and c.rank != _ORDER)
    return next((word for word in odd if word is not first or word.token_type is not TokenType.WHERE), None)


def _without_from(run: _Run, words: list[Token]) -> Token | None:
    """Find a JOIN without a FROM; a join in parentheses after FROM has its first table before it."""
    kinds = [clause.word.token_type for clause in run.clauses]
    if not run.holds_query or TokenType.JOIN not in kinds or TokenType.FROM in kinds:
        return None
    if run.start > 1 and words[run.start - 2].token_type in _TABLES_FOLLOW and TokenType.SELECT not in kinds:
        return None
    return run.clauses[kinds.index(TokenType.JOIN)].word


def _misplaced(before: _Clause, after: _Clause) -> bool:
    """Return whether a clause is out of order after the one before it, or repeats it."""
    if before.rank != after.rank:
        return after.rank < before.rank
    joined = after.word.token_type is TokenType.JOIN
    return not joined and before.word.token_type is after.word.token_type


def _order(run: _Run, after: _Clause) -> tuple[str, str]:
    """Reason and hint for a misplaced clause: repeated, or which clause it belongs before."""
    name = _named(after.word)
    later = next((clause for clause in run.clauses if clause.rank > after.rank), None)
    if later is None or run.clauses.index(later) > run.clauses.index(after):
        return f"{name} stands twice in one SELECT.", f"one {name}"
    behind = _named(later.word)
    return f"{name} stands before {behind} in SQL, not behind it.", f"{name} ... {behind} ..."


def _comma(run: _Run) -> _Fault | None:
    """Find a comma between the conditions of WHERE, HAVING or QUALIFY."""
    found = next((c.commas[0] for c in run.clauses if c.word.token_type in _CONDITIONS and c.commas), None)
    return None if found is None else (found, "Conditions are joined by AND, not by commas.", "AND", run)


def _behind_set(run: _Run, words: list[Token]) -> _Fault | None:
    """Find a WITH directly after a set operator."""
    first = next((word for word in words[run.start :] if word.text.upper() not in _OF_A_SET), None)
    if first is None or not run.after_set or first.token_type is not TokenType.WITH:
        return None
    return first, "WITH stands at the beginning of a question, or of brackets.", "UNION ALL (WITH ...)", run


def _before_set(run: _Run) -> _Fault | None:
    """Find an ORDER BY or LIMIT directly before a set operator."""
    late = next((clause.word for clause in run.clauses if clause.rank >= _ORDER), None)
    if late is None or not run.before_set:
        return None
    why = f"{_named(late)} before a set operation belongs to neither side."
    return late, why, f"put the SELECT in brackets, or {_named(late)} at the end", run


def _named(word: Token) -> str:
    """Keyword of a token in capitals, with single spaces."""
    return " ".join(word.text.upper().split())


def _mended(sql: str, run: _Run, at: Token) -> str:
    """Rewrite a query with the clauses of one run in order and merged, in parentheses where they are needed."""
    if at.token_type is TokenType.COMMA:
        return f"{sql[: at.start]} AND{sql[at.end + 1 :]}"
    if at.token_type is TokenType.WITH:
        return f"{sql[: at.start]}({sql[at.start : run.end].strip()})"
    if not run.clauses:
        return sql
    start = run.clauses[0].start
    behind = sql[start : run.end]
    between = "\n" if "\n" in behind or "--" in behind else " "
    stops = [clause.start for clause in run.clauses[1:]] + [run.end]
    pieces = [(clause, sql[clause.start : stop].strip()) for clause, stop in zip(run.clauses, stops, strict=True)]
    in_order = groupby(sorted(pieces, key=lambda piece: piece[0].rank), key=lambda piece: piece[0].rank)
    made = between.join(text for _, same in in_order for text in _merged(list(same)))
    if run.before_set and any(clause.rank >= _ORDER for clause in run.clauses):
        made = f"({made})"
    gap = behind[len(behind.rstrip()) :]
    return sql[:start] + made + gap + sql[run.end :]


def _merged(pieces: list[tuple[_Clause, str]]) -> list[str]:
    """Merge repeated clauses of one keyword: conditions by AND, keys by commas; joins and LIMIT stay separate."""
    texts = [text for _, text in pieces]
    word = pieces[0][0].word
    if len(pieces) == 1 or word.token_type not in _CONDITIONS | {TokenType.GROUP_BY, TokenType.ORDER_BY}:
        return texts
    bodies = [text[clause.word.end + 1 - clause.start :].strip() for clause, text in pieces]
    if word.token_type in _CONDITIONS:
        return [f"{word.text} " + " AND ".join(f"({body})" for body in bodies)]
    return [f"{word.text} " + ", ".join(bodies)]
