"""Syntax node -> typed row expression: names resolved, types checked, constants folded, persons kept out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from sqlglot import exp

from dialect import literals
from dialect.catalog import SqlType
from dialect.errors import Code
from dialect.expressions import NULL, Call, Case, Expr, Literal, Ref
from dialect.function_row import Function, accepts
from dialect.functions import forms_of
from dialect.functions_time import UNITS
from dialect.reading import only, refusal
from dialect.spelling import ALIASES, PARTS, SILENT, SPELLINGS, TYPES

_B = SqlType.BOOLEAN
LARGEST_CONSTANT = 1_000_000  # of digits, positions and days
_PERSON_USES = {"is null"}
_TIMES = (SqlType.DATE, SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ)


class Names(Protocol):
    """What a name or an aggregate means at one place of the question."""

    def column(self, node: exp.Column) -> Expr:
        """Resolve a column."""
        ...

    def special(self, node: exp.Expression) -> Expr | None:
        """Answer for a node that means something of its own here, e.g. an aggregate or a group key."""
        ...


def scalar(node: exp.Expression, names: Names) -> Expr:
    """Type one expression; raises Refusal where it is not in the allow-list."""
    special = names.special(node)
    if special is not None:
        return special
    literal = literals.constant(node)
    if literal is not None:
        return literal
    reader = _READERS.get(type(node))
    if reader is not None:
        return reader(node, names)
    if type(node) in SPELLINGS:
        name, slots = SPELLINGS[type(node)]
        only(node, *slots, *SILENT, code=Code.FUNC)
        return call(name, [scalar(part, names) for part in _slots(node, slots)], node)
    raise refusal(Code.FUNC, f"{_spelled(node)} is not in the dialect.", "see the list of functions in the docs", node)


def call(name: str, arguments: Sequence[Expr], node: exp.Expression) -> Expr:
    """Apply an allow-listed function to typed arguments, with constants and times brought to its kinds."""
    name = ALIASES.get(name, name)
    _keep_person_out(name, arguments, node)
    if name in {"and", "or"}:
        arguments = _flattened(name, arguments)
    arguments = _aligned(name, list(arguments), node)
    if name == "*" and arguments[0] == arguments[1]:
        pass  # the range rule for squares is found from the equal arguments
    types = tuple(a.type for a in arguments)
    constant = tuple(isinstance(a, Literal) for a in arguments)
    forms = forms_of(name)
    if not forms:
        raise refusal(Code.FUNC, f"The function {name} is not in the dialect.", _nearest(name), node)
    for form in forms:
        if accepts(form, types, constant):
            _check_constants(form, arguments, node)
            result = _common(arguments, node) if form.result is SqlType.NULL else form.result
            return _folded(Call(form.row, tuple(arguments), result))
    given = ", ".join(types)
    raise refusal(Code.FUNC, f"{name} does not take ({given}).", _kinds_hint(name), node)


def _check_constants(form: Function, arguments: Sequence[Expr], node: exp.Expression) -> None:
    """Refuse constants that make the engine raise: it would do so only where a row is there to meet them."""
    for argument in (a for a, kind in zip(arguments, form.arguments, strict=False) if kind.endswith("!")):
        value = argument.value if isinstance(argument, Literal) else None
        if isinstance(value, int) and abs(value) > LARGEST_CONSTANT:
            raise refusal(Code.FUNC, f"{form.name} takes constants up to {LARGEST_CONSTANT:,}.", "a smaller one", node)
        if form.name in {"date_trunc", "date_diff"} and value not in UNITS:
            raise refusal(Code.FUNC, "There is no such unit.", f"one of {', '.join(UNITS)}", node)
        if form.name == "time_bucket" and not (isinstance(value, str) and int(value.split(" ")[0]) > 0):
            raise refusal(Code.FUNC, "A bucket of time is longer than nothing.", "INTERVAL 15 MINUTE", node)


def condition(node: exp.Expression, names: Names) -> Expr:
    """Type an expression that must be true or false."""
    typed = scalar(node, names)
    if typed.type not in (_B, SqlType.NULL):
        raise refusal(Code.FUNC, "A condition must be true or false.", "compare it with something, e.g. x > 0", node)
    return typed


def _slots(node: exp.Expression, slots: Sequence[str]) -> list[exp.Expression]:
    found: list[exp.Expression] = []
    for slot in slots:
        part = node.args.get(slot)
        found.extend(part if isinstance(part, list) else [part] if part is not None else [])
    return found


def _spelled(node: exp.Expression) -> str:
    if isinstance(node, exp.Anonymous):
        return f"The function {str(node.this)[:40].lower()}"
    return f"{node.key.upper()}"


def _nearest(name: str) -> str:
    from difflib import get_close_matches

    from dialect.functions import names as all_names

    close = get_close_matches(name, [n for n in all_names() if n[0].isalpha()], n=1)
    return f"{close[0]}(...)" if close else "see the list of functions in the docs"


def _kinds_hint(name: str) -> str:
    return f"{name} takes " + " or ".join(sorted({"(" + ", ".join(form.arguments) + ")" for form in forms_of(name)}))


def _keep_person_out(name: str, arguments: Sequence[Expr], node: exp.Expression) -> None:
    persons = [a for a in arguments if isinstance(a, Ref) and a.field.is_person]
    if not persons or name in _PERSON_USES or (name == "=" and len(persons) == 2):
        return
    raise refusal(
        Code.PERSON_KEY,
        "The person key can be counted, joined on and grouped by, and nothing else.",
        f"COUNT(DISTINCT {persons[0].field.name or 'person'})",
        node,
    )


def _flattened(name: str, arguments: Sequence[Expr]) -> list[Expr]:
    flat: list[Expr] = []
    for argument in arguments:
        same = isinstance(argument, Call) and argument.function.partition("#")[0] == name
        flat.extend(argument.arguments if same and isinstance(argument, Call) else [argument])
    return flat


def _aligned(name: str, arguments: list[Expr], node: exp.Expression) -> list[Expr]:
    """Bring text constants to the time type beside them and instants to wall-clock time."""
    kinds = {a.type for a in arguments}
    compared = name in {"=", "<>", "<", "<=", ">", ">=", "in", "is distinct from", "is not distinct from"}
    if (compared or name in {"coalesce", "least", "greatest", "nullif"}) and kinds & set(_TIMES):
        target = next(t for t in reversed(_TIMES) if t in kinds)
        text_target = SqlType.TIMESTAMP if target is SqlType.TIMESTAMPTZ else target
        arguments = [_text_as(a, text_target, node) for a in arguments]
    stays = name in {"epoch", "is null", "instant", "wall"} or (name == "-" and kinds == {SqlType.TIMESTAMPTZ})
    return arguments if stays else [wall(a) for a in arguments]


def _text_as(argument: Expr, target: SqlType, node: exp.Expression) -> Expr:
    if isinstance(argument, Literal) and argument.type is SqlType.VARCHAR and isinstance(argument.value, str):
        text = argument.value
        longer = target is SqlType.DATE and len(text.strip()) > 10
        return literals.cast_text(text, SqlType.TIMESTAMP if longer else target, node)
    return argument


def wall(argument: Expr) -> Expr:
    """Read an instant on the clock of its own time zone."""
    if argument.type is not SqlType.TIMESTAMPTZ:
        return argument
    zone = argument.field.time_zone if isinstance(argument, Ref) else None
    row = forms_of("wall")[0].row
    return Call(row, (argument, Literal(zone or "UTC", SqlType.VARCHAR)), SqlType.TIMESTAMP)


def _common(arguments: Sequence[Expr], node: exp.Expression) -> SqlType:
    kinds = {a.type for a in arguments} - {SqlType.NULL}
    if len(kinds) <= 1:
        return next(iter(kinds), SqlType.NULL)
    if kinds <= {SqlType.BIGINT, SqlType.DOUBLE}:
        return SqlType.DOUBLE
    if kinds <= {SqlType.DATE, SqlType.TIMESTAMP}:
        return SqlType.TIMESTAMP
    raise refusal(Code.FUNC, f"These values have different types: {', '.join(sorted(kinds))}.", "CAST(x AS ...)", node)


def _folded(typed: Call) -> Expr:
    name = typed.function.partition("#")[0]
    if name == "negative" and isinstance(typed.arguments[0], Literal) and typed.type is not SqlType.INTERVAL:
        value = typed.arguments[0].value
        return Literal(-value, typed.type) if isinstance(value, int | float) else typed
    return typed


# ---------------------------------------------------------------- nodes with a reading of their own


def _paren(node: exp.Expression, names: Names) -> Expr:
    return scalar(node.this, names)


def _column(node: exp.Expression, names: Names) -> Expr:
    assert isinstance(node, exp.Column)  # noqa: S101  the table below maps classes to readers
    return names.column(node)


def _anonymous(node: exp.Expression, names: Names) -> Expr:
    name = str(node.this).lower()
    if name in {"wall", "instant"}:  # the plan's own, with zones of the catalog
        raise refusal(Code.FUNC, f"The function {name} is not in the dialect.", "EXTRACT(hour FROM ts)", node)
    arguments = [scalar(part, names) for part in node.expressions]
    if name in {"date_part", "datepart"} and len(arguments) == 2:
        return _date_part(arguments[0], arguments[1], node)
    return call(name, arguments, node)


def _date_part(part: Expr, moment: Expr, node: exp.Expression) -> Expr:
    if not isinstance(part, Literal):
        raise refusal(Code.FUNC, "The part of a date must be a constant.", "EXTRACT(hour FROM ts)", node)
    name = PARTS.get(str(part.value).lower().rstrip("s"))
    if name is None:
        raise refusal(Code.FUNC, f"There is no date part {str(part.value)[:20]}.", "EXTRACT(hour FROM ts)", node)
    return call(name, [moment], node)


def _extract(node: exp.Expression, names: Names) -> Expr:
    only(node, "this", "expression", code=Code.FUNC)
    return _date_part(Literal(node.this.name, SqlType.VARCHAR), scalar(node.expression, names), node)


def _unit(node: exp.Expression) -> Literal:
    unit = node.args["unit"].name.lower().rstrip("s") if node.args.get("unit") else "day"
    if unit not in UNITS:
        raise refusal(Code.FUNC, f"There is no unit {unit[:20]}.", f"one of {', '.join(UNITS)}", node)
    return Literal(unit, SqlType.VARCHAR)


def _date_trunc(node: exp.Expression, names: Names) -> Expr:
    only(node, "this", "unit", *SILENT, code=Code.FUNC)
    return call("date_trunc", [_unit(node), scalar(node.this, names)], node)


def _date_diff(node: exp.Expression, names: Names) -> Expr:
    only(node, "this", "expression", "unit", *SILENT, code=Code.FUNC)
    return call("date_diff", [_unit(node), scalar(node.expression, names), scalar(node.this, names)], node)


def _time_bucket(node: exp.Expression, names: Names) -> Expr:
    only(node, "this", "expression", code=Code.FUNC)
    return call("time_bucket", [scalar(node.this, names), scalar(node.expression, names)], node)


def _log(node: exp.Expression, names: Names) -> Expr:
    only(node, "this", "expression", code=Code.FUNC)
    if node.args.get("expression") is None:
        return call("log10", [scalar(node.this, names)], node)
    if isinstance(node.this, exp.Literal) and node.this.this in {"2", "10"}:
        return call(f"log{node.this.this}", [scalar(node.expression, names)], node)
    raise refusal(Code.FUNC, "Logarithms have base 2, 10 or e.", "ln(x) / ln(3)", node)


def _like(node: exp.Expression, names: Names) -> Expr:
    only(node, "this", "expression", "negate", code=Code.FUNC)
    name = "ilike" if isinstance(node, exp.ILike) else "like"
    typed = call(name, [scalar(node.this, names), scalar(node.expression, names)], node)
    return call("not", [typed], node) if node.args.get("negate") else typed


def _between(node: exp.Expression, names: Names) -> Expr:
    only(node, "this", "low", "high", code=Code.FUNC)
    value, low, high = (scalar(node.args[slot], names) for slot in ("this", "low", "high"))
    return call("and", [call(">=", [value, low], node), call("<=", [value, high], node)], node)


def _in(node: exp.Expression, names: Names) -> Expr:
    if node.args.get("query") is not None:
        raise refusal(Code.SUBQUERY, "IN over a subquery is not built yet.", "a JOIN on the person key", node)
    only(node, "this", "expressions", code=Code.FUNC)
    options = [scalar(part, names) for part in node.expressions]
    if not all(isinstance(option, Literal) for option in options):
        raise refusal(Code.FUNC, "The list behind IN holds constants.", "x IN (1, 2, 3)", node)
    return call("in", [scalar(node.this, names), *options], node)


def _is(node: exp.Expression, names: Names) -> Expr:
    only(node, "this", "expression", code=Code.FUNC)
    value, what = scalar(node.this, names), node.expression
    if isinstance(what, exp.Null):
        return call("is null", [value], node)
    if isinstance(what, exp.Boolean):
        return call("is true" if what.this else "is false", [value], node)
    raise refusal(Code.FUNC, "IS takes NULL, TRUE or FALSE.", "x IS NULL", node)


def _case(node: exp.Expression, names: Names) -> Expr:
    only(node, "this", "ifs", "default", code=Code.FUNC)
    subject = None if node.args.get("this") is None else scalar(node.this, names)
    branches = []
    for branch in node.args["ifs"]:
        test = (
            condition(branch.this, names)
            if subject is None
            else call("=", [subject, scalar(branch.this, names)], branch)
        )
        branches.append((test, scalar(branch.args["true"], names)))
    otherwise = NULL if node.args.get("default") is None else scalar(node.args["default"], names)
    return case(branches, otherwise, node)


def _if(node: exp.Expression, names: Names) -> Expr:
    only(node, "this", "true", "false", code=Code.FUNC)
    otherwise = NULL if node.args.get("false") is None else scalar(node.args["false"], names)
    return case([(condition(node.this, names), scalar(node.args["true"], names))], otherwise, node)


def case(branches: Sequence[tuple[Expr, Expr]], otherwise: Expr, node: exp.Expression) -> Expr:
    """Make a CASE of one type."""
    values = [value for _, value in branches] + [otherwise]
    _keep_person_out("case", values, node)
    walls = [wall(value) for value in values]
    kind = _common(walls, node)
    return Case(tuple((test, value) for (test, _), value in zip(branches, walls, strict=False)), walls[-1], kind)


def _cast(node: exp.Expression, names: Names) -> Expr:
    only(node, "this", "to", "safe", code=Code.FUNC)
    target = TYPES.get(node.args["to"].this.name if node.args["to"].this is not None else "")
    if target is None or node.args["to"].args.get("nested"):
        raise refusal(Code.FUNC, "This type is not in the dialect.", "BIGINT, DOUBLE, VARCHAR, DATE or TIMESTAMP", node)
    value = scalar(node.this, names)
    if isinstance(value, Literal) and isinstance(value.value, str) and value.type is SqlType.VARCHAR:
        return literals.cast_text(value.value, target, node)
    if value.type in (target, SqlType.NULL):
        return value
    if value.type is SqlType.VARCHAR:
        raise refusal(
            Code.FUNC, "Stored text can't be cast to another type.", "declare the column with that type", node
        )
    return call(f"to_{target.lower()}", [value], node)


_READERS: dict[type[exp.Expression], Callable[[exp.Expression, Names], Expr]] = {
    exp.Paren: _paren,
    exp.Column: _column,
    exp.Anonymous: _anonymous,
    exp.Extract: _extract,
    exp.TimestampTrunc: _date_trunc,
    exp.DateTrunc: _date_trunc,
    exp.DateDiff: _date_diff,
    exp.DateBin: _time_bucket,
    exp.Log: _log,
    exp.Like: _like,
    exp.ILike: _like,
    exp.Between: _between,
    exp.In: _in,
    exp.Is: _is,
    exp.Case: _case,
    exp.If: _if,
    exp.Cast: _cast,
    exp.TryCast: _cast,
}
