"""Every call is checked against its argument list: no argument is dropped, however the parser reads the call."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlglot import exp

import dialect
from dialect.binder.argument_lists import _SPECIAL_ARITIES, Arity, arity_of
from dialect.binder.scalars import _BINDERS, _CALLS
from dialect.catalog.model import Catalog
from dialect.errors import Code, Refusal
from dialect.functions.aggregates import AGGREGATE_NODES, AGGREGATES
from dialect.functions.registry import NODE_FUNCTIONS, OTHER_NAMES, callable_names
from dialect.functions.window_functions import WINDOW_FUNCTIONS, WINDOW_NODES
from dialect.parser.privacy_clause import OPTION_NAMES
from dialect.parser.suggestions.foreign_dialects import CALL_REWRITES
from dialect.parser.tokens import DUCKDB
from dialect.planner import compilation
from tests.support.sql.statement_outcome import outcome

_UNWRITTEN = {"count_star", "count_distinct", "list_distinct", "sum_distinct", "avg_distinct"}  # made of other calls
_IN_FROM = {"range", "generate_series"}
_KEYWORDED = {"extract", "trim"}  # whose arguments keywords part: the parser reads no commas there
_FUNCTIONS = sorted(
    {name for name in (*callable_names(), *OTHER_NAMES, *_SPECIAL_ARITIES) if name.isidentifier()}
    - _IN_FROM
    - {"count", "unnest"}
)
_AGGREGATED = sorted({*AGGREGATES} - _UNWRITTEN)
_SYNONYMS = [  # names of the parser's for what is allowed
    "array_agg", "argmax", "argmin", "max_by", "min_by", "group_concat", "percentile_disc", "quantile",
    "stddev", "variance", "var_samp", "logical_and", "logical_or", "power", "ceiling", "nvl", "substring", "datetrunc",
    "datediff", "nullif", "array_length", "len", "char_length", "instr", "to_days", "weekofyear", "day_of_week",
]  # fmt: skip


def _calls() -> Iterator[tuple[str, str]]:
    """Every callable name, and a query with a placeholder for its argument list."""
    for name in (*_FUNCTIONS, *_SYNONYMS[13:]):
        yield name, f"SELECT COUNT(*) FROM events WHERE {name}({{0}}) IS NOT NULL"
    for name in (*_AGGREGATED, *_SYNONYMS[:13]):
        yield name, f"SELECT {name}({{0}}) FROM events"
    for name in WINDOW_FUNCTIONS:
        yield (
            name,
            f"SELECT g, {name}({{0}}) OVER (ORDER BY n) FROM (SELECT gender AS g, COUNT(*) AS n FROM subscribers GROUP BY 1)",
        )
    for name in sorted(_IN_FROM):
        yield name, f"SELECT COUNT(*) FROM {name}({{0}}) AS t(x)"


CALLS = [(name, form) for name, form in _calls()]


def _arity(name: str) -> Arity:
    found = arity_of(name)
    assert found is not None, name
    return found


def _wrong(name: str, most: int = 6) -> Iterator[int]:
    """Every number of arguments up to `most` that a name does not take."""
    return (count for count in range(most + 1) if not _arity(name).accepts(count))


def _list(count: int) -> str:
    return ", ".join(f"nothing_{place}" for place in range(count))


@pytest.mark.parametrize(("name", "form"), CALLS, ids=[name for name, _ in CALLS])
def test_a_wrong_number_of_arguments_is_refused_as_such(
    name: str, form: str, refused: Callable[[str], Refusal]
) -> None:
    """One too many, one too few and every other number, for any arguments: these are not even columns."""
    met = 0
    for count in _wrong(name):
        refusal = refused(form.format(_list(count)))
        met += 1
        if name in _KEYWORDED and refusal.code is Code.PARSE:
            continue
        assert (
            refusal.why == f"{name} takes {_arity(name)}, and {count or 'none'} {'are' if count > 1 else 'is'} given."
        )
        assert refusal.hint and refusal.span is not None
    assert met or _arity(name).maximum is None


@pytest.mark.parametrize(("name", "form"), CALLS, ids=[name for name, _ in CALLS])
@pytest.mark.parametrize("sign", ["=>", ":="])
def test_an_unknown_named_argument_is_refused_by_name(
    name: str, form: str, sign: str, refused: Callable[[str], Refusal]
) -> None:
    given = ", ".join(["lon"] * max(1, _arity(name).minimum))
    refusal = refused(form.format(f"{given}, unheard_of {sign} 1"))
    if name in _KEYWORDED and refusal.code is Code.PARSE:
        return
    assert (refusal.code, refusal.why) == (Code.PARAM, f"{name} has no argument named unheard_of.")


@pytest.mark.parametrize("name", ["count", "Sum", "AVG", "stddev"])
def test_a_misspelt_bound_is_refused_with_the_right_name(name: str, refused: Callable[[str], Refusal]) -> None:
    refusal = refused(f"SELECT {name}(age, contribution_bound_per_group => (0, 1)) FROM subscribers")
    assert refusal.code is Code.PARAM
    assert refusal.hint == f"SELECT {name}(age, contribution_bounds_per_group => (0, 1)) FROM subscribers"


@pytest.mark.parametrize("option", OPTION_NAMES)
def test_a_query_option_written_inside_a_call_is_refused_with_its_right_place(
    option: str, refused: Callable[[str], Refusal]
) -> None:
    refusal = refused(f"SELECT COUNT(*, {option} => 0.001) FROM events")
    assert (refusal.code, refusal.why) == (Code.PARAM, f"COUNT has no argument named {option}.")
    assert refusal.hint == f"{option} is an option of the question: OPTIONS({option} = 0.001)"


def test_a_parameter_of_a_table_function_has_its_nearest_name(refused: Callable[[str], Refusal]) -> None:
    refusal = refused("SELECT COUNT(*) FROM stays(events, min_minute => 20)")
    assert refusal.code is Code.PARAM
    assert "min_minutes => " in refusal.hint


_GIVEN = ("lon", "gender", "ts", "1", "'a'")  # of several types, so that some fit each name


@pytest.mark.parametrize("given", _GIVEN)
def test_no_argument_is_dropped_whatever_the_parser_knows_of_a_name(given: str, catalog: Catalog) -> None:
    """The last argument is a column that there is not: every name that the parser has a node for refuses it."""
    parser = DUCKDB.parser()
    known = sorted({*parser.FUNCTIONS, *parser.FUNCTION_PARSERS, *map(str.upper, (*callable_names(), *CALL_REWRITES))})
    for name in known:
        for count in range(1, 6):
            arguments = ", ".join([*[given] * (count - 1), "nothing"])
            sql = (
                f"SELECT COUNT(*) FROM events JOIN subscribers USING (subscriber_id) WHERE {name}({arguments}) IS NULL"
            )
            with pytest.raises(Refusal) as found:
                dialect.compile_query(sql, catalog)
            assert found.value.__cause__ is None, sql
        outcome(f"SELECT COUNT(*) FROM events WHERE {name}() IS NULL", catalog)
    assert len(known) > 600


def test_every_bound_call_has_a_declared_arity() -> None:
    """The check is as wide as the readers: a node that one of them reads has an arity, under each name of the parser."""
    read = {*_CALLS, *_BINDERS, *NODE_FUNCTIONS, *AGGREGATE_NODES, *WINDOW_NODES}
    met = set()
    for name, build in DUCKDB.parser().FUNCTIONS.items():
        for count in range(1, 5):
            arguments: list[exp.Expr] = [exp.column("x") for _ in range(count)]
            try:
                node = build(arguments)
            except Exception:  # the parser's own builders, of which some want another number
                continue
            inner = node.this if isinstance(node, exp.IgnoreNulls) else node
            if type(inner) in read and not isinstance(inner, exp.Cast | exp.Paren | exp.Anonymous | exp.Case):
                met.add(name)
                assert arity_of(name.lower(), inner) is not None, (name, type(inner))
    assert len(met) > 150


KEPT = [
    ("SELECT COUNT(*), COUNT(), COUNT(ts), COUNT(DISTINCT (ts, cell_id)) FROM events", "one thing or another"),
    ("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY least(greatest(dwell_s, 0), 10)) FROM events", "in a group"),
    ("SELECT COUNT(*) FROM events WHERE extract(hour FROM ts) = 1", "parted by a keyword"),
    ("SELECT COUNT(*) FROM subscribers WHERE substring(gender FROM 2 FOR 1) = 'b'", "parted by two"),
    ("SELECT COUNT(*) FROM subscribers WHERE trim(BOTH 'x' FROM gender) = 'b'", "of both sides"),
    ("SELECT COUNT(*) FROM subscribers WHERE regexp_replace(gender, 'a', 'b', 'g') = 'b'", "with a flag"),
    ("WITH max(a, b) AS (SELECT subscriber_id, ts FROM events) SELECT COUNT(*) FROM max", "a CTE with two columns"),
    ("SELECT COUNT(*) FROM events AS max(a, b, c)", "an alias with columns"),
    ("SELECT COUNT(*) FROM (SELECT * REPLACE (lon + 1 AS lon) FROM events)", "columns that are replaced"),
    ("SELECT COUNT(subscriber_id) FROM events WHERE lon IS DISTINCT FROM lat", "a comparison by FROM"),
]


@pytest.mark.parametrize("sql", [sql for sql, _ in KEPT], ids=[what for _, what in KEPT])
def test_calls_with_unusual_argument_syntax_are_accepted(sql: str, catalog: Catalog) -> None:
    assert dialect.compile_query(sql, catalog).plans


@pytest.mark.parametrize("unit", ["'day'", "'days'"])
def test_a_column_may_be_called_as_the_unit_is(unit: str, catalog: Catalog) -> None:
    dated = "(SELECT CAST(ts AS DATE) AS day FROM events)"
    assert dialect.compile_query(
        f"SELECT COUNT(*) FROM {dated} AS e WHERE date_trunc({unit}, day) = day", catalog
    ).plans


@pytest.mark.parametrize("unit", ["month", "MONTH", '"month"'])
@pytest.mark.parametrize("call", ["date_trunc({0}, ts)", "datetrunc({0}, ts)", "date_diff({0}, ts, ts)"])
def test_a_bare_word_is_no_unit_of_time(
    unit: str, call: str, catalog: Catalog, refused: Callable[[str], Refusal]
) -> None:
    """DuckDB reads the column of that name, or none: a unit is a text."""
    form = f"SELECT COUNT(*) FROM events WHERE {call} IS NULL"
    refusal = refused(form.format(unit))
    assert refusal.code is Code.FUNC
    assert "'month'" in refusal.hint
    assert dialect.compile_query(form.format("'month'"), catalog).plans


def test_a_decimal_has_two_numbers_of_digits(refused: Callable[[str], Refusal]) -> None:
    assert refused("SELECT COUNT(*) FROM events WHERE CAST(lon AS DECIMAL(10, 2, 7)) > 2").code is Code.FUNC


@pytest.mark.parametrize("aggregate", ["COUNT", "SUM", "MAX", "STDDEV"])
def test_an_order_in_a_call_that_has_none_is_called_an_order(aggregate: str, refused: Callable[[str], Refusal]) -> None:
    assert "order" in refused(f"SELECT {aggregate}(dwell_s ORDER BY ts) FROM events").why


def test_an_internal_error_of_the_binder_becomes_a_refusal(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of its text is in there; its cause is kept, so that a fuzz finds it."""

    def broken(*_: object) -> None:
        raise IndexError("secret")

    monkeypatch.setattr(compilation, "bind_query", broken)
    with pytest.raises(Refusal) as found:
        dialect.compile_query("SELECT COUNT(*) FROM events", catalog)
    assert found.value.code is Code.PARSE
    assert "secret" not in str(found.value)
    assert isinstance(found.value.__cause__, IndexError)
