"""Private keys: keys without a public key set, refused if no value could pass a threshold.

A key with almost as many values as rows is refused, as hardly any group would be large enough to be shown. Refusals
suggest a coarser key, or a WHERE that bounds it.

Other keys: for each public parent one group that gathers the rows of private keys that are not released, added by
`OPTIONS(others = true)`. The parents are the keys with a public key set of their own; if all keys have one, the last
one of the GROUP BY is no parent. In these groups the remaining keys are `(others)`, or NULL if they are no text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref
from dialect.algebra.relations import PerPerson, Project, Public, Values
from dialect.algebra.release_plan import OtherKeys
from dialect.algebra.traversal import walk
from dialect.analysis.clocks import moved_time
from dialect.catalog.model import SqlType, ValueRange
from dialect.diagnostics.kinds import Kind
from dialect.errors import Refusal, Suggestion, join_differences
from dialect.functions.emitter import plain_text
from dialect.functions.registry import OVERLOADS, is_since_epoch
from dialect.functions.signatures import Effect
from dialect.parser.compile_context import CompileContext
from dialect.parser.tokens import END_PLACEHOLDER, MAX_PLACEHOLDER, MIN_PLACEHOLDER, START_PLACEHOLDER
from dialect.planner.keys.key_set import NEARLY_UNIQUE, build_key_set
from dialect.planner.keys.public_domains import returns_integer

_LISTS = (SqlType.VARCHAR_LIST, SqlType.BIGINT_LIST)
_MAX_PLACES = 18  # decimal places that a number of 64 bits can be rounded to


def check_private_keys(keys: Sequence[Field], context: CompileContext) -> None:
    """Refuse keys that are nearly unique per row, as none would pass a threshold; raises Refusal with E_KEY.

    These are times that are not truncated or not bounded, DOUBLEs, and lists.
    """
    sql = context.sql
    for key in keys:
        expr = key.expression
        text = plain_text(expr)
        if key.type in _LISTS:
            raise Kind.LIST_AS_KEY.at(key=text)
        if key.type not in NEARLY_UNIQUE:
            continue
        time, integer = _stepped_time(expr), _integer_part(expr)
        if time is not None or key.type is not SqlType.DOUBLE:
            raise _fine_time_refusal(expr, text, time, context)
        if integer is not None:
            part = plain_text(integer)
            ends = f"{part} BETWEEN {MIN_PLACEHOLDER} AND {MAX_PLACEHOLDER}"
            raise Kind.UNBOUNDED_INTEGER_KEY.at(
                None, _coarser_key_suggestions(sql, part, part, ends), key=part, ends=ends
            )
        coarse, ends = _bins_of(expr), f"{text} BETWEEN {MIN_PLACEHOLDER} AND {MAX_PLACEHOLDER}"
        suggestions = _coarser_key_suggestions(sql, text, coarse, ends)
        raise Kind.NEARLY_UNIQUE_KEY.at(None, suggestions, key=text, coarse=coarse, ends=ends)


def _integer_part(expr: Expr) -> Expr | None:
    """Return the innermost integer expression that the rest of a key is computed from; None if there is none.

    Bounds on it would make the key public. Functions of several columns have no such part.
    """
    parts = [part for part in expr.children if not isinstance(part, Literal)]
    inner = _integer_part(parts[0]) if len(parts) == 1 and isinstance(expr, Call) else None
    return expr if inner is None and returns_integer(expr) else inner


def _stepped_time(expr: Expr) -> Expr | None:
    """Return the time that a key divides into steps: by truncation, or by whole numbers of its seconds since 1970."""
    if isinstance(expr, Call) and OVERLOADS[expr.function].has_step:
        return expr.arguments[-1]
    steps = (part for part in walk(expr) if returns_integer(part) and not is_since_epoch(part))
    return next((part.children[0] for step in steps for part in walk(step) if is_since_epoch(part)), None)


def _bins_of(expr: Expr) -> str:
    """Write the integer bins that a key of numbers is meant as: x // 60 and x - x % 60 are bins too."""
    first, second = expr.arguments if isinstance(expr, Call) and len(expr.arguments) == 2 else (expr, None)
    name = expr.name if isinstance(expr, Call) else ""
    if name == "-" and isinstance(second, Call) and second.name == "%" and second.arguments[0] == first:
        width = plain_text(second.arguments[1])
        return f"floor({plain_text(first)} / {width}) * {width}"
    if name in ("//", "/") and isinstance(second, Literal):
        return f"floor({plain_text(first)} / {plain_text(second)})"
    if isinstance(expr, Call) and OVERLOADS[expr.function].effect is Effect.ROUNDS:
        return _whole_steps(plain_text(expr.arguments[0]), expr.arguments[-1])
    return f"floor({plain_text(expr)} / 10)"


def _whole_steps(number: str, digits: Expr) -> str:
    """Write a rounded number as a whole number of steps, which has a list where its ends are known."""
    places = digits.value if isinstance(digits, Literal) and isinstance(digits.value, int) else 0
    if not places or abs(places) > _MAX_PLACES:
        return f"round({number})"
    step = 10 ** abs(places)
    return f"round({number} * {step}) / {step}" if places > 0 else f"round({number} / {step}) * {step}"


def _fine_time_refusal(expr: Expr, text: str, stepped: Expr | None, context: CompileContext) -> Refusal:
    """Build the refusal of a raw time, or of steps of a time without known bounds; suggests the declared dates.

    A raw time needs a coarser key and bounds, a time that is divided into steps (`stepped`) only bounds. A time that is
    moved by a constant is bounded by bounds on the time itself.
    """
    time = stepped or expr
    while isinstance(time, Call) and (moved := moved_time(time)) is not None:
        time, _ = moved
    moment, date = plain_text(time), _declared_date(time, context)
    coarse = f"date_trunc('hour', {text})" if stepped is None else text
    ends = f"{moment} >= {START_PLACEHOLDER} AND {moment} < {END_PLACEHOLDER}"
    if date is not None:
        ends = f"{date[0]} BETWEEN DATE '{date[1].lower}' AND DATE '{date[1].upper}'"
    kind = Kind.NEARLY_UNIQUE_KEY if stepped is None else Kind.UNBOUNDED_TIME_KEY
    suggestions = _coarser_key_suggestions(context.sql, text, coarse, ends)
    return kind.at(None, suggestions, key=text, time=moment, coarse=coarse, ends=ends)


def _declared_date(time: Expr, context: CompileContext) -> tuple[str, ValueRange] | None:
    """Return (name of the column with the date of a time, its declared range); None if the table declares none."""
    origin = time.field.origin if isinstance(time, Ref) else None
    table = None if origin is None else context.catalog.tables_by_name.get(origin.table)
    if table is None or origin is None or origin.column != table.time_column or table.date_column is None:
        return None
    column = table.columns_by_name.get(table.date_column)
    return (column.name, column.domain) if column is not None and isinstance(column.domain, ValueRange) else None


def _coarser_key_suggestions(sql: str, name: str, coarse: str, condition: str) -> tuple[Suggestion, ...]:
    """Rewrite the query with a coarser key: (without a further WHERE, with one that bounds the key).

    `name` is the text of the refused key, `coarse` that of the new one. Text is replaced, so only whole words are; the
    key may be written with other spaces and without parentheses.
    """
    key = "" if coarse == name else f"groups by {coarse}"
    spaced, bare = (
        r"\s*".join(map(re.escape, re.findall(words, name))) for words in (r"\w+|[^\w\s]", r"\w+|[^\w\s()]+")
    )
    written = rf"(?<!\w)(?:{spaced}|{bare})(?!\w)"
    rewritten = re.sub(written, lambda _: coarse, sql, flags=re.IGNORECASE)
    with_end, found = re.subn(r"\bwhere\b", f"WHERE {condition} AND", rewritten, count=1, flags=re.IGNORECASE)
    if not found:
        with_end = re.sub(r"\bgroup by\b", f"WHERE {condition} GROUP BY", rewritten, count=1, flags=re.IGNORECASE)
    ends = "rows outside the ends are left out"
    return Suggestion(rewritten, key), Suggestion(with_end, join_differences(key, ends))


OTHERS = "(others)"  # text key of the groups of what is not released


def other_keys(
    keys: Sequence[Field], written: Sequence[Field], source: PerPerson, context: CompileContext
) -> OtherKeys:
    """List the groups of unreleased keys: a public relation with one row per public parent.

    `keys` in the plan's order, `written` as in GROUP BY. Claim: the relation follows from declared domains, public
    tables and the text of the query. Source and proof: dialect/planner/proofs.md#key-sets. Raises Refusal with E_KEY if
    there are too many parents.
    """
    listed = {key for key in written if build_key_set([key], source, context) is not None}
    if len(listed) == len(written):
        listed.discard(written[-1])
    parents = tuple(i for i, key in enumerate(keys) if key in listed)
    found = build_key_set([keys[i] for i in parents], source, context) if parents else None
    rows = Public(Values(((),), ()), ()) if found is None else found.relation
    own = {} if found is None else dict(zip(parents, found.keys, strict=True))
    values = tuple(None if i in own else _other_value(key) for i, key in enumerate(keys))
    fields = tuple(Field(context.new_field_id(), None, key.type) for key in keys)
    columns = tuple((field, Ref(own[i]) if i in own else _other_value(keys[i])) for i, field in enumerate(fields))
    return OtherKeys(values, Public(Project(rows, columns), (*rows.fields, *fields)), fields)


def _other_value(key: Field) -> Literal:
    """Return the value of a key in groups of unreleased keys: text, or NULL where the key is no text."""
    return Literal(OTHERS if key.type is SqlType.VARCHAR else None, key.type)
