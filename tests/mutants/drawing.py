"""Mutants: one expression or statement of a function is changed, the rest of the file's text stays as it is.

The operators are those of mutation testing: a comparison is turned, or an order moves by one; `and` and `or`, `min` and
`max`, `any` and `all` change places; a `not` is dropped, a small number grows by one, arithmetic is another; a result is
None or the other truth value; two arguments or two branches change places; and a call for its effect is dropped.

Left out, by rules and not by hand, is what changes nothing that could be asked for: docstrings, annotations and what is
for type checkers alone, what is raised or logged (texts), names of classes and functions' reprs, default values, numbers
above 16 (sizes of buffers, limits of patience), whatever stands outside of functions, arguments of functions that do not
ask for an order, and `<` for `<=` where one of the two that are compared is the result.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("dialect", "engine", "budgets")
TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
ORDERS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
OTHERWISE: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
OTHER_NAME = {"min": "max", "max": "min", "any": "all", "all": "any"}
IN_ANY_ORDER = {"min", "max", "gcd", "lcm", "hypot", "isclose", "union", "intersection"}
RAISES_OTHERWISE = {"isinstance", "issubclass", "getattr", "hasattr", "next", "partial"}  # any test would catch these
LARGEST_NUMBER = 16
LOGS = {"log", "logger", "logging", "warnings"}
PATIENCE = {"indent", "maxsize", "stacklevel", "timeout"}  # arguments that change no result
REPRS = {"__repr__", "__str__"}


@dataclass(frozen=True)
class Mutant:
    """One change: what stands at a place of a file, and what stands there instead."""

    file: str  # below the root
    operator: str
    line: int  # from 1
    start: int  # offset in the file's UTF-8 text
    end: int
    right: str
    wrong: str
    statement: bool = False  # else an expression

    def applied(self, text: bytes) -> bytes:
        """Text of the file with the change."""
        assert text[self.start : self.end].decode() == self.right, f"{self.file} is not as it was drawn from"
        return text[: self.start] + self.wrong.encode() + text[self.end :]

    def watched(self, text: bytes, mark: str) -> bytes:
        """Text of the file, unchanged but for an expression `mark` that is evaluated first at the place."""
        watched = f"{mark}; {self.right}" if self.statement else f"({mark} or ({self.right}))"
        return text[: self.start] + watched.encode() + text[self.end :]

    def __str__(self) -> str:
        right, wrong = (" ".join(each.split())[:60] for each in (self.right, self.wrong))
        return f"{self.file}:{self.line}  {self.operator}: {right}  ->  {wrong}"


def drawn(root: Path, seed: int) -> Iterator[Mutant]:
    """Draw mutants of the packages, none twice: first an operator, each as likely as any other, then a place for it."""
    chance = random.Random(seed)
    found: dict[str, list[Mutant]] = {}
    for file in sorted(file for package in PACKAGES for file in (root / package).rglob("*.py")):
        for mutant in mutants(str(file.relative_to(root)), file.read_text(encoding="utf-8")):
            found.setdefault(mutant.operator, []).append(mutant)
    while any(found.values()):
        of_one = found[chance.choice(sorted(operator for operator, left in found.items() if left))]
        yield of_one.pop(chance.randrange(len(of_one)))


def mutants(file: str, text: str) -> Iterator[Mutant]:
    """All mutants of one file, in its order."""
    lines = [0]
    for line in text.encode().splitlines(keepends=True):
        lines.append(lines[-1] + len(line))
    tree = ast.parse(text)
    for parent in ast.walk(tree):
        for child in ast.iter_child_nodes(parent):
            child.parent = parent  # type: ignore[attr-defined]
    for node, operator, other in _changes(tree):
        start = lines[node.lineno - 1] + node.col_offset
        end = lines[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        right, statement = text.encode()[start:end].decode(), isinstance(node, ast.stmt)
        wrong = ast.unparse(other) if statement else f"({ast.unparse(other)})"
        yield Mutant(file, operator, node.lineno, start, end, right, wrong, statement)


def _changes(tree: ast.Module) -> Iterator[tuple[ast.expr | ast.stmt, str, ast.AST]]:
    for function in _functions(tree):
        for statement in function.body:
            yield from _below(statement)


def _functions(node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Outermost functions and methods, without those for type checkers or for display."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            if child.name not in REPRS:
                yield child
        elif not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)):
            yield from _functions(child)


def _below(node: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str, ast.AST]]:
    if _is_message(node):
        return
    if isinstance(node, ast.expr | ast.stmt):
        for operator, other in _others(node):
            yield node, operator, other
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "args", "decorator_list", "type_comment"} and not isinstance(
            node, ast.Call
        ):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _below(child)


def _is_message(node: ast.AST) -> bool:
    """Is a node only for its text: a docstring, an exception, a log line, a formatted text?"""
    if isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr | ast.pattern):
        return True
    if isinstance(node, ast.keyword):
        return node.arg in PATIENCE
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) or bool(
            LOGS & {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
        )
    return False


def _others(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Possible replacements of a node, each with its operator."""
    match node:
        case ast.Compare(left, [operator], right) if isinstance(operator, ORDERS):
            if not _is_result(node):
                yield "an order that moves by one", ast.Compare(left, [TURNED[type(operator)]()], right)
        case ast.Compare(left, [operator], right) if type(operator) in TURNED:
            yield "a comparison turned", ast.Compare(left, [TURNED[type(operator)]()], right)
        case ast.BoolOp(operator, values):
            yield "and for or", ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
        case ast.UnaryOp(ast.Not(), operand):
            yield "a not dropped", operand
        case ast.Constant(int(number)) if not isinstance(number, bool) and number <= LARGEST_NUMBER:
            yield "a number one more", ast.Constant(number + 1)
        case ast.BinOp(left, operator, right) if type(operator) in OTHERWISE and not _is_text(left, right):
            yield "other arithmetic", ast.BinOp(left, OTHERWISE[type(operator)](), right)
        case ast.Call() | ast.IfExp():
            yield from _other_order(node)
        case ast.Return(ast.Constant(bool(value))):
            yield "another result", ast.Return(ast.Constant(not value))
        case ast.Return(ast.expr() as value) if not isinstance(value, ast.Constant):
            yield "another result", ast.Return(ast.Constant(None))
        case ast.Expr(ast.Call()):
            yield "a call dropped", ast.Pass()


def _other_order(node: ast.Call | ast.IfExp) -> Iterator[tuple[str, ast.AST]]:
    """A call, or a conditional, with two parts exchanged."""
    match node:
        case ast.Call(ast.Name(name), args, keywords) if name in OTHER_NAME:
            yield "min for max, any for all", ast.Call(ast.Name(OTHER_NAME[name]), args, keywords)
        case ast.Call(function, [first, second, *more], keywords) if _are_ordered(node):
            yield "arguments swapped", ast.Call(function, [second, first, *more], keywords)
        case ast.IfExp(test, one, other):
            yield "branches swapped", ast.IfExp(test, other, one)


def _is_result(node: ast.Compare) -> bool:
    """Is the compared value the chosen one? Of two equal ones either will do."""
    parent = getattr(node, "parent", None)
    return isinstance(parent, ast.IfExp) and {ast.dump(node.left), ast.dump(node.comparators[0])} == {
        ast.dump(parent.body),
        ast.dump(parent.orelse),
    }


def _is_text(*nodes: ast.AST) -> bool:
    """Does it concatenate texts? Any other operator only fails."""
    return any(
        isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
        for node in nodes
    )


def _are_ordered(call: ast.Call) -> bool:
    """Must the first two arguments of a call keep their places?"""
    first, second = call.args[:2]
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    starred = isinstance(first, ast.Starred) or isinstance(second, ast.Starred)
    return not starred and name not in IN_ANY_ORDER | RAISES_OTHERWISE and ast.dump(first) != ast.dump(second)
