"""Averages and shares written as quotients, and counts written as differences: the same number with less noise.

    COUNT(*) FILTER (WHERE c) / COUNT(*)   ->  AVG(CASE WHEN c THEN 1 ELSE 0 END)
    SUM(x) / COUNT(x)                      ->  AVG(x)
    COUNT(x) / COUNT(*)                    ->  AVG(CASE WHEN x IS NOT NULL THEN 1 ELSE 0 END)
    SUM(x) / COUNT(*)                      ->  AVG(COALESCE(x, 0)), where x may be NULL
    COUNT(*) - COUNT(x)                    ->  COUNT(*) FILTER (WHERE x IS NULL)
    COUNT(*) - COUNT(*) FILTER (WHERE c)   ->  COUNT(*) FILTER (WHERE c IS NOT TRUE)

NaN and infinities are no values in either part of these quotients, so that they count as NULL in the AVG.

AVG bounds both parts of a quotient by one factor of a person, about a centre; two aggregates of their own are bounded
one by one. A quotient and its AVG are equal for all rows, and both NULL where there is none; SUM(x) / COUNT(*) is NULL
too where rows have no value at all, and its AVG 0, as a noisy sum of no value is about 0. In a subquery, which may
group by the person and is exact then, it is left as it is.

A difference of two noisy counts has the noise of both, and the error of both where people's counts are clipped; the
rows that it counts are counted alone.
"""

from __future__ import annotations

from collections import Counter

from sqlglot import exp

from dialect.parser.spans import default_name, normalized_text

_AGGREGATES = (exp.AggFunc, exp.Filter)
_WRITTEN_OVER = "written_over"  # of an AVG that was SUM(x) / COUNT(...): what is counted, rows or values
_SHARE_OF = "share_of"  # of an AVG that was COUNT(x) / COUNT(*): values
_SEVERAL_GROUPINGS = (exp.GroupingSets, exp.Cube, exp.Rollup)


def read_written_averages(tree: exp.Query) -> None:
    """Replace quotients by AVG, and differences by one count, in place.

    Only where their numerator, or what they subtract, is written nowhere else in its SELECT: where it is, it is
    released anyhow, and the number computed from the two shown ones is what a reader expects. A coarser grouping set
    may be added up from a finer one's counts, so that these are left as they are.
    """
    for select in list(tree.find_all(exp.Select)):
        group = select.args.get("group")
        if group is None or not any(group.find_all(*_SEVERAL_GROUPINGS)):
            nodes = _read_differences(select, _own_nodes(select))  # which may be the numerator of a share
            nodes = _read_select(select, nodes, is_outermost=select is tree)
            _read_differences(select, nodes)  # what they subtract may have been the divisor of an average


def is_written_average(call: exp.Expr) -> bool:
    """Return whether an AVG was written as a SUM over a COUNT: it takes what SUM takes, conditions too."""
    return _WRITTEN_OVER in call.meta


def is_average_over_rows(call: exp.Expr) -> bool:
    """Return whether an AVG was written as SUM(x) / COUNT(*): a row without a value counts as 0."""
    return bool(call.meta.get(_WRITTEN_OVER) == "rows")


def is_share_of_values(call: exp.Expr) -> bool:
    """Return whether an AVG was written as COUNT(x) / COUNT(*): what COUNT does not count as a value is none."""
    return _SHARE_OF in call.meta


def _read_select(select: exp.Select, nodes: list[exp.Expr], *, is_outermost: bool) -> list[exp.Expr]:
    """Replace the quotients of one SELECT, without its subqueries; returns its nodes."""
    quotients = [
        (node, part, average)
        for node in nodes
        if isinstance(node, exp.Div)
        and (part := _aggregate(node.this))
        and (average := _average(part, node))
        and (is_outermost or not is_average_over_rows(average))
    ]
    if not quotients:
        return nodes
    inside, kinds = Counter(normalized_text(part) for _, part, _ in quotients), {type(part) for _, part, _ in quotients}
    candidates = (node for node in nodes if type(node) in kinds and _is_whole_aggregate(node))
    whole = Counter(map(normalized_text, candidates))
    for node, part, average in quotients:
        if whole[normalized_text(part)] == inside[normalized_text(part)]:
            _keep_name(node, select)
            part.replace(average)
            node.replace(node.this)
    return _own_nodes(select)


def _read_differences(select: exp.Select, nodes: list[exp.Expr]) -> list[exp.Expr]:
    """Replace COUNT(*) less another count of the same rows, in one SELECT without its subqueries; returns its nodes."""
    differences = [
        (node, condition)
        for node in nodes
        if isinstance(node, exp.Sub)
        and isinstance(node.this, exp.Count)
        and _counts_rows(node.this)
        and (condition := _condition(node.expression)) is not None
    ]
    if not differences:
        return nodes
    inside = Counter(normalized_text(node.expression) for node, _ in differences)
    whole = Counter(map(normalized_text, filter(_is_whole_aggregate, nodes)))
    for node, condition in differences:
        if whole[normalized_text(node.expression)] == inside[normalized_text(node.expression)]:
            _keep_name(node, select)
            node.replace(exp.Filter(this=node.this.copy(), expression=exp.Where(this=_is_not_true(condition))))
    return _own_nodes(select)


def _is_not_true(condition: exp.Expr) -> exp.Expr:
    """Condition of the rows that a condition does not select."""
    if isinstance(condition, exp.Not) and isinstance(condition.this, exp.Is):
        return condition.this.copy()  # NOT x IS NULL
    return exp.Not(this=exp.Is(this=exp.paren(condition.copy()), expression=exp.true()))


def _keep_name(node: exp.Expr, select: exp.Select) -> None:
    """Alias the output column of a node by its original text, if it has no alias."""
    item = node
    while item.parent is not None and item.parent is not select:
        item = item.parent
    if item.arg_key == "expressions" and not isinstance(item, exp.Alias):
        named = exp.Alias(alias=exp.to_identifier(default_name(item), quoted=True))
        item.replace(named)
        named.set("this", item)


def _own_nodes(select: exp.Select) -> list[exp.Expr]:
    """Nodes of a SELECT, without those of the queries inside it."""
    return list(select.walk(prune=lambda node: isinstance(node, exp.Query) and node is not select))


def _is_whole_aggregate(node: exp.Expr) -> bool:
    """Return whether a node is an aggregate, with its FILTER."""
    return isinstance(node, _AGGREGATES) and not isinstance(node.parent, exp.Filter)


def _aggregate(node: exp.Expr) -> exp.Expr | None:
    """Aggregate of a numerator, in brackets, times a number, or as DOUBLE."""
    if isinstance(node, exp.Paren) or (isinstance(node, exp.Cast) and node.to.is_type("double")):
        return _aggregate(node.this)
    if isinstance(node, exp.Mul):
        for number, other in ((node.this, node.expression), (node.expression, node.this)):
            if isinstance(number, exp.Literal) and not number.is_string:
                return _aggregate(other)
    return node if isinstance(node, _AGGREGATES) else None


def _divisor(quotient: exp.Div) -> exp.Expr:
    """Divisor of a quotient, without NULLIF(..., 0), which changes nothing."""
    node: exp.Expr = quotient.expression.unnest()
    if isinstance(node, exp.Nullif) and node.expression.sql() == "0":
        node = node.this
    return node


def _average(part: exp.Expr, quotient: exp.Div) -> exp.Expr | None:
    """Return the AVG that a quotient is, or None."""
    divisor = _divisor(quotient)
    if not (isinstance(divisor, exp.Count) and _is_plain(divisor)):
        return None
    if isinstance(part, exp.Sum) and not isinstance(part.this, exp.Distinct) and not part.expressions:
        average, is_over_rows = exp.Avg(this=part.this.copy()), _counts_rows(divisor)
        average.meta[_WRITTEN_OVER] = "rows" if is_over_rows and not _is_number(part.this) else "values"
        return average if is_over_rows or part.this == divisor.this else None
    condition = _condition(part) if _counts_rows(divisor) else None
    if condition is None:
        return None
    branch = exp.If(this=condition.copy(), true=exp.Literal.number(1))
    share = exp.Avg(this=exp.Case(ifs=[branch], default=exp.Literal.number(0)))
    if isinstance(part, exp.Count):
        share.meta[_SHARE_OF] = "values"
    return share


def _condition(part: exp.Expr) -> exp.Expr | None:
    """Condition of the rows that an aggregate counts; None if it counts something else."""
    found: exp.Expr | None = None
    if isinstance(part, exp.CountIf):
        found = part.this
    elif isinstance(part, exp.Filter) and isinstance(part.this, exp.Count) and _counts_rows(part.this):
        found = part.expression.this
    elif isinstance(part, exp.Count) and _is_plain(part) and not _counts_rows(part):
        found = exp.Not(this=exp.Is(this=part.this.copy(), expression=exp.null()))
    return found


def _is_plain(count: exp.Count) -> bool:
    """Return whether a COUNT counts rows or the values of one expression, without DISTINCT."""
    return not isinstance(count.this, exp.Distinct) and not count.expressions


def _counts_rows(count: exp.Count) -> bool:
    """Return whether a COUNT is COUNT(*)."""
    return isinstance(count.this, exp.Star)


def _is_number(value: exp.Expr) -> bool:
    """Return whether a value is one of some numbers in every row, and never NULL."""
    if isinstance(value, exp.Case):
        branches = [each.args["true"] for each in value.args["ifs"]]
        return all(map(_is_number, [*branches, value.args.get("default") or exp.null()]))
    if isinstance(value, exp.If):
        return all(_is_number(each or exp.null()) for each in (value.args["true"], value.args.get("false")))
    return isinstance(value, exp.Literal) and not value.is_string
