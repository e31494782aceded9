"""Functions of text and lists, for DuckDB and Spark.

Patterns, positions and slice ends are constants, validated at binding. The Spark forms work on code points, change the
case of each character on its own, and give patterns DuckDB's meaning.
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from dialect.algebra import value_ranges as ranges
from dialect.catalog.model import SqlType
from dialect.diagnostics.kinds import Kind
from dialect.functions.scalar.patterns import (
    escape_character,
    escape_mistake,
    fill_mistake,
    pattern_mistake,
    replacement_mistake,
    spark_glob,
    spark_like,
)
from dialect.functions.signatures import (
    SAME,
    Cost,
    Function,
    NoForm,
    Nulls,
    Partial,
    SparkForm,
    TextLength,
    quote_spark_text,
)

_TEXT, _BOOLEAN, _INT, _DOUBLE = SqlType.VARCHAR, SqlType.BOOLEAN, SqlType.BIGINT, SqlType.DOUBLE
MAX_TEXT_LENGTH = 1_000  # max characters of computed text, so that repeated doubling cannot exhaust memory
_LENGTH = ranges.constant(0, 2**31)
_BACKTRACKS = NoForm("Java's patterns backtrack, some without end and some beyond the stack: no form would be total")
_CODE_POINT = ranges.constant(-1, 0x10FFFF)
_TRUNCATED = f"left({{0}}, {MAX_TEXT_LENGTH})"  # limit for functions that compare character by character


def _truncated(written: str) -> str:
    """Write a text truncated to the maximum length, for functions whose result may be longer than their input."""
    return f"left({written}, {MAX_TEXT_LENGTH})"


def _trim_functions(name: str) -> tuple[Function, Function]:
    """Declare TRIM, LTRIM or RTRIM, of spaces and of the characters of a constant."""
    side, cost = _TRIMMED_SIDES[name], Cost(per_character=12.0, per_other_character=10.0)
    spaces = f"trim({side} {quote_spark_text(_SPACES)} FROM {{0}})"
    return (
        Function(name, ("text",), _TEXT, f"{name}({{0}})", spaces, cost=cost),
        Function(name, ("text", "text!"), _TEXT, f"{name}({{0}}, {{1}})", f"trim({side} {{1}} FROM {{0}})", cost=cost),
    )


def _padding_function(name: str) -> Function:
    """Declare lpad or rpad: width and fill are constants, so that the result's length is limited."""
    return Function(
        name, ("text", "width!", "short!"), _TEXT, f"{name}({{0}}, {{1}}, {{2}})",
        f"{name}({{0}}, CAST({{1}} AS INT), {{2}})", check_constants=fill_mistake, nodes=(),
        text_length=TextLength.WIDTH, cost=Cost(per_character=12.0),
    )  # fmt: skip


def _like(name: str, spark: SparkForm, cost: Cost) -> tuple[Function, Function]:
    """Declare LIKE or ILIKE, without and with an ESCAPE character; an escaped pattern counts as one segment."""
    form, cost = f"({{0}} {name.upper()} {{1}})", replace(cost, per_pair=2.5)
    plain = Function(
        name, ("text", "text!"), _BOOLEAN, form, spark, is_callable=False, cost=replace(cost, any_text="%")
    )
    form, kinds = f"({{0}} {name.upper()} {{1}} ESCAPE {{2}})", (*plain.argument_kinds, "text!")
    escaped = replace(plain, name=f"{name} escape", argument_kinds=kinds, duckdb=form, check_constants=escape_mistake)
    return plain, replace(escaped, cost=replace(cost, per_plain_pair=None))


_LIST_TYPES = (("texts", SqlType.VARCHAR_LIST, "text", _TEXT), ("ints", SqlType.BIGINT_LIST, "int", _INT))
_FOR_SOME_VALUES = Partial.FOR_SOME_VALUES


def _list_functions(kind: str, list_type: SqlType, member_kind: str, member_type: SqlType) -> tuple[Function, ...]:
    """Declare the functions of one list type."""
    contains = Function(
        # not strict: [] has no NULL
        "list_contains", (kind, member_kind), _BOOLEAN, "list_contains({0}, {1})",
        "CASE WHEN {0} IS NOT NULL AND ({1} IS NOT NULL OR size({0}) = 0)"
        " THEN coalesce(array_contains({0}, {1}), FALSE) END",
        nulls=Nulls.OWN, cost=Cost(per_list_character=0.7),
    )  # fmt: skip
    return (
        Function(
            "length", (kind,), _INT, "len({0})", "CAST(size({0}) AS BIGINT)", ranges.constant(0, 2**31),
            cost=Cost(per_list_character=0.1),
        ),
        replace(contains, argument_kinds=(kind, f"{member_kind}!"), nulls=Nulls.ANY, nodes=(exp.ArrayContains,)),
        contains,
        Function(
            "list_position", (kind, f"{member_kind}!"), _INT, "CAST(list_position({0}, {1}) AS BIGINT)",
            "nullif(array_position({0}, {1}), 0L)", ranges.constant(1, 2**31), partial=_FOR_SOME_VALUES,
            nodes=(exp.ArrayPosition,), other_names=("list_indexof", "array_indexof"),
            cost=Cost(per_list_character=0.7),
        ),
        Function(
            "list_extract", (kind, "int!"), member_type, "list_extract({0}, {1})", _list_element,
            partial=_FOR_SOME_VALUES, other_names=("list_element", "array_extract"), cost=Cost(per_list_character=0.1),
            text_length=TextLength.ELEMENT,
        ),
        Function(
            "slice", (kind, "int!", "int!"), list_type, "{0}[{1}:{2}]", _slice_of_list, is_callable=False,
            nodes=(exp.ArraySlice,),
        ),
        Function(
            "list_unique", (kind,), _INT, "CAST(list_unique({0}) AS BIGINT)",
            "CAST(size(array_distinct(array_compact({0}))) AS BIGINT)", ranges.constant(0, 2**31),
            cost=Cost(per_list_character=3.5, per_element=150.0),
        ),
        *(
            Function(
                f"list_{end}", (kind,), member_type, f"list_{end}({{0}})", f"array_{end}({{0}})",
                partial=_FOR_SOME_VALUES, nodes=(node,), cost=Cost(per_list_character=0.7),
                text_length=TextLength.ELEMENT,
            )
            for end, node in (("min", exp.ArrayMin), ("max", exp.ArrayMax))
        ),
    )  # fmt: skip


_SPARK_LENGTH, _SIZE = "length({0})", "size({0})"


def substring_between(first: int | str, length: str, stop: int | str) -> str:
    """Write a substring between two 0-based positions, the second excluded, clamped to the text.

    Positions and `length` are SQL or integers; the text is argument {0}.
    """
    begin, end = f"greatest({first}, 0L)", f"least({stop}, {length})"
    return f"substr({{0}}, CAST(least({begin}, {length}) + 1 AS INT), CAST(greatest({end} - {begin}, 0L) AS INT))"


def _list_element(position: int) -> str:
    """Write a list element at a 1-based constant position; negative positions count from the end."""
    return f"get({{0}}, {position - 1})" if position >= 0 else f"try_element_at({{0}}, {position})"


def _character_at(position: int) -> str:
    """Write the character at a 1-based constant position; negative ones count from the end, and 0 gives ''."""
    first = f"{position - 1}L" if position > 0 else f"{_SPARK_LENGTH} + ({position}L)"
    return substring_between(first, _SPARK_LENGTH, f"{first} + 1L") if position else "left({0}, 0)"


def _slice_ends(first: int, last: int, length: str) -> tuple[str, str]:
    """Convert the constant ends of a slice to 0-based positions as SQL, the second excluded.

    Ends are 1-based and included; negative ones count from the end. `length` is SQL of the length.
    """
    begin = f"{max(first - 1, 0)}L" if first >= 0 else f"{length} + ({first}L)"
    return begin, f"{last}L" if last >= 0 else f"{length} + ({last}L) + 1L"


def _slice_of_text(first: int, last: int) -> str:
    """Write a slice of text with constant ends, both included."""
    begin, end = _slice_ends(first, last, _SPARK_LENGTH)
    return substring_between(begin, _SPARK_LENGTH, end)


def _slice_of_list(first: int, last: int) -> str:
    """Write a slice of a list with constant ends, both included; Spark's takes a start and a length."""
    begin, end = _slice_ends(first, last, _SIZE)
    begin, end = f"least(greatest({begin}, 0L), {_SIZE})", f"least({end}, {_SIZE})"
    return f"slice({{0}}, CAST({begin} + 1 AS INT), CAST(greatest({end} - {begin}, 0L) AS INT))"


def _split(separator: str) -> str:
    """Write a split at a constant separator, escaped because Spark's separators are patterns."""
    if not separator:
        return "filter(split({0}, ''), part -> part <> '')"
    return f"split({{0}}, {quote_spark_text(''.join(map(escape_character, separator)))})"


_SUM = "aggregate(array_compact({0}), CAST(0 AS DECIMAL(38, 0)), (sum, each) -> CAST(sum + each AS DECIMAL(38, 0)))"
_NON_NULL_COUNT = "size(array_compact({0}))"
SPARK_JOINED = f"CASE WHEN size({{0}}) = 0 OR {_NON_NULL_COUNT} > 0 THEN left(array_join({{0}}, {{1}}), 1000) END"


_SPACES = "".join(map(chr, (0x20, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)))  # category Zs
SPARK_TRIMMED = f"trim(BOTH {quote_spark_text(_SPACES)} FROM {{0}})"
_TRIMMED_SIDES = {"trim": "BOTH", "ltrim": "LEADING", "rtrim": "TRAILING"}
# letters that are newer than DuckDB's Unicode tables
_NEWER_CAPITALS = "\u1c89\ua7cb\ua7cc\ua7da\ua7dc" + "".join(map(chr, range(0x10D50, 0x10D66)))
_NEWER_SMALL = "\u1c8a\u019b\u0264\ua7cd\ua7db" + "".join(map(chr, range(0x10D70, 0x10D86)))
# letters whose uppercase is several letters; DuckDB leaves them unchanged
_WITHOUT_SINGLE_CAPITAL = (
    "\u0149\u01f0\u0390\u03b0\u0587\u1e96\u1e97\u1e98\u1e99\u1e9a\u1f50\u1f52\u1f54\u1f56\u1fb2\u1fb4\u1fb6\u1fb7"
    "\u1fc2\u1fc4\u1fc6\u1fc7\u1fd2\u1fd3\u1fd6\u1fd7\u1fe2\u1fe3\u1fe4\u1fe6\u1fe7\u1ff2\u1ff4\u1ff6\u1ff7"
    "\ufb00\ufb01\ufb02\ufb03\ufb04\ufb05\ufb06\ufb13\ufb14\ufb15\ufb16\ufb17"
)
_IOTA = [*range(0x1F80, 0x1F88), *range(0x1F90, 0x1F98), *range(0x1FA0, 0x1FA8), 0x1FB3, 0x1FC3, 0x1FF3]
_IOTA_CAPITALS = [*range(0x1F88, 0x1F90), *range(0x1F98, 0x1FA0), *range(0x1FA8, 0x1FB0), 0x1FBC, 0x1FCC, 0x1FFC]
_CAPITALS = {"\u00df": "\u1e9e"}
_CAPITALS |= {chr(small): chr(capital) for small, capital in zip(_IOTA, _IOTA_CAPITALS, strict=True)}
_CAPITALS |= {sign: sign for sign in (*_NEWER_SMALL, *_WITHOUT_SINGLE_CAPITAL, *map(chr, _IOTA_CAPITALS))}
_SMALL = {"\u0130": "i"} | {sign: sign for sign in _NEWER_CAPITALS}


def _change_case(name: str, exceptions: dict[str, str]) -> str:
    """Write a change of case character by character; ASCII texts are changed as a whole.

    `exceptions` maps letters to DuckDB's result, where Spark's differs. Texts with as many bytes as characters are
    ASCII.
    """
    exception_letters = quote_spark_text("".join(exceptions))
    exception_results = quote_spark_text("".join(exceptions.values()))
    changed = (
        f"CASE WHEN contains({exception_letters}, sign) THEN translate(sign, {exception_letters}, {exception_results})"
        f" ELSE {name}(sign) END"
    )
    characters = f"array_join(transform(split({{0}}, ''), sign -> {changed}), '')"
    return f"CASE WHEN octet_length({{0}}) = length({{0}}) THEN {name}({{0}}) ELSE {characters} END"


_LOWER, _UPPER = _change_case("lower", _SMALL), _change_case("upper", _CAPITALS)


def _from_one_end(name: str) -> str:
    """Write LEFT or RIGHT; a negative count drops that many characters from the other end."""
    return f"{name}({{0}}, CAST(CASE WHEN {{1}} >= 0 THEN {{1}} ELSE greatest(length({{0}}) + {{1}}, 0) END AS INT))"


def _substr(offset: int, length: int) -> str:
    """Write SUBSTR with a negative length counted backwards; positions outside the text count as characters."""
    first = f"length({{0}}) + ({offset}L)" if offset < 0 else f"{offset - 1}L"
    begin, end = (first, f"{first} + {length}L") if length >= 0 else (f"{first} + ({length}L)", first)
    return substring_between(f"({begin})", "length({0})", f"({end})")


def _ilike(pattern: str, escape: str = "") -> str:
    """Write ILIKE with a constant pattern: LIKE of text and pattern in lower case."""
    small = "".join(_SMALL.get(sign, sign.lower()) for sign in pattern)
    return spark_like(small, escape).replace("{0}", f"({_LOWER})")


def _split_part(separator: str, place: int) -> str:
    """Write split_part with constants; an empty separator splits into characters, and part 0 is ''."""
    if place == 0:
        return "left({0}, 0)"
    if not separator:
        first = f"{place - 1}L" if place > 0 else f"length({{0}}) + ({place}L)"
        return substring_between(f"({first})", "length({0})", f"({first} + 1)")
    return f"split_part({{0}}, {quote_spark_text(separator)}, {place})"


def _substr_from(offset: int) -> str:
    """Write SUBSTR up to the end of the text; a negative offset counts from the end."""
    first = f"length({{0}}) + ({offset}L)" if offset < 0 else f"{offset - 1}L"
    return substring_between(f"({first})", "length({0})", "length({0})")


_CHARACTER_SET = "array_distinct(split(nullif(left({0}, 1000), ''), ''))"
_OTHER_CHARACTER_SET = "array_distinct(split({1}, ''))"
_JACCARD = (
    f"CAST(size(array_intersect({_CHARACTER_SET}, {_OTHER_CHARACTER_SET})) AS DOUBLE)"
    f" / nullif(CAST(size(array_union({_CHARACTER_SET}, {_OTHER_CHARACTER_SET})) AS DOUBLE), 0)"
)


_PER_PAIR_FOUND = 0.01  # of a search for a whole text
_LIKE = _like("like", spark_like, Cost(per_character=12.0, per_plain_pair=_PER_PAIR_FOUND))
_ILIKE = _like("ilike", _ilike, Cost(per_character=25.0))

TEXT: tuple[Function, ...] = (
    Function(
        "||", ("text", "text"), _TEXT, f"left({{0}} || {{1}}, {MAX_TEXT_LENGTH})", SAME, nodes=(exp.DPipe,),
        cost=Cost(per_character=2.5, reads_all_texts=True), text_length=TextLength.TOTAL,
    ),
    Function(
        "concat", ("text*",), _TEXT, f"left(concat({{*, }}), {MAX_TEXT_LENGTH})", "left(concat_ws('', {*, }), 1000)",
        nulls=Nulls.NEVER, cost=Cost(per_character=2.5, reads_all_texts=True), text_length=TextLength.TOTAL,
    ),
    Function("lower", ("text",), _TEXT, "lower({0})", _LOWER, cost=Cost(per_character=20.0)),
    Function("upper", ("text",), _TEXT, "upper({0})", _UPPER, cost=Cost(per_character=20.0)),
    *_trim_functions("trim"),
    Function(
        "length", ("text",), _INT, "length({0})", "CAST(length({0}) AS BIGINT)", _LENGTH,
        nodes=(exp.ArraySize, exp.Length), cost=Cost(per_character=0.5),
    ),
    Function("substr", ("text", "int!"), _TEXT, "substr({0}, {1})", _substr_from, cost=Cost(per_character=5.0)),
    Function(
        "substr", ("text", "int!", "int!"), _TEXT, "substr({0}, {1}, {2})", _substr, cost=Cost(per_character=5.0),
        text_length=TextLength.COUNT,
    ),
    Function(
        "left", ("text", "int!"), _TEXT, "left({0}, {1})", _from_one_end("left"), cost=Cost(per_character=8.0),
        text_length=TextLength.COUNT,
    ),
    Function(
        "right", ("text", "int!"), _TEXT, "right({0}, {1})", _from_one_end("right"), cost=Cost(per_character=8.0),
        text_length=TextLength.COUNT,
    ),
    _LIKE[0],
    _ILIKE[0],
    Function(
        "starts_with", ("text", "text!"), _BOOLEAN, "starts_with({0}, {1})", "startswith({0}, {1})",
        other_names=("prefix",), cost=Cost(per_character=5.0),
    ),
    Function(
        "contains", ("text", "text!"), _BOOLEAN, "contains({0}, {1})", SAME,
        cost=Cost(per_character=12.0, per_pair=_PER_PAIR_FOUND),
    ),
    Function(
        "ends_with", ("text", "text!"), _BOOLEAN, "ends_with({0}, {1})", "endswith({0}, {1})", other_names=("suffix",),
        cost=Cost(per_character=5.0),
    ),
    _LIKE[1],
    _ILIKE[1],
    Function(
        "glob", ("text", "text!"), _BOOLEAN, "({0} GLOB {1})", spark_glob, is_callable=False, nodes=(exp.Glob,),
        cost=Cost(per_character=12.0, per_pair=3.5, any_text="*"),
    ),
    Function(
        "regexp_matches", ("text", "pattern!"), _BOOLEAN, "regexp_matches({0}, {1})", _BACKTRACKS,
        check_constants=pattern_mistake, nodes=(exp.RegexpLike,),
    ),
    Function(
        "regexp_full_match", ("text", "pattern!"), _BOOLEAN, "regexp_full_match({0}, {1})", _BACKTRACKS,
        check_constants=pattern_mistake,
    ),
    Function(
        "regexp_extract", ("text", "pattern!", "group!"), _TEXT, "regexp_extract({0}, {1}, {2})", _BACKTRACKS,
        check_constants=lambda pattern, _: pattern_mistake(pattern),
    ),
    Function(
        "regexp_replace", ("text", "pattern!", "short!"), _TEXT, _truncated("regexp_replace({0}, {1}, {2})"),
        _BACKTRACKS, check_constants=replacement_mistake, text_length=TextLength.COMPUTED,
    ),
    Function(
        "regexp_replace", ("text", "pattern!", "short!", "every!"), _TEXT,
        _truncated("regexp_replace({0}, {1}, {2}, 'g')"), _BACKTRACKS, check_constants=replacement_mistake,
        text_length=TextLength.COMPUTED,
    ),
    Function(
        "replace", ("text", "short!", "short!"), _TEXT, _truncated("replace({0}, {1}, {2})"), SAME,
        cost=Cost(per_character=27.0, per_new_character=0.6), text_length=TextLength.COMPUTED,
    ),
    Function(
        "translate", ("text", "short!", "short!"), _TEXT, "translate({0}, {1}, {2})", SAME,
        cost=Cost(per_character=25.0),
    ),
    Function(
        "reverse", ("text",), _TEXT, "reverse({0})",
        NoForm("Spark turns code points, and DuckDB what people see as one sign"), cost=Cost(per_character=30.0),
    ),
    Function(
        "strip_accents", ("text",), _TEXT, "strip_accents({0})", NoForm("Spark can't take letters apart"),
        cost=Cost(per_character=80.0),
    ),
    *_trim_functions("ltrim"),
    *_trim_functions("rtrim"),
    replace(_padding_function("lpad"), nodes=(exp.Pad,)),
    _padding_function("rpad"),
    Function(
        "split_part", ("text", "short!", "int!"), _TEXT, "split_part({0}, {1}, {2})", _split_part,
        cost=Cost(per_character=25.0, per_pair=_PER_PAIR_FOUND),
    ),
    Function(
        "strpos", ("text", "text!"), _INT, "strpos({0}, {1})", "CAST(instr({0}, {1}) AS BIGINT)", _LENGTH,
        nodes=(exp.StrPosition,), cost=Cost(per_character=12.0, per_pair=_PER_PAIR_FOUND),
    ),
    Function("ascii", ("text",), _INT, "CAST(ascii({0}) AS BIGINT)", SAME, _CODE_POINT, cost=Cost(per_character=8.0)),
    Function(
        "unicode", ("text",), _INT, "CAST(unicode({0}) AS BIGINT)",
        "CASE WHEN {0} = '' THEN -1L ELSE CAST(ascii({0}) AS BIGINT) END", _CODE_POINT, other_names=("ord",),
        cost=Cost(per_character=8.0),
    ),
    Function(
        "strlen", ("text",), _INT, "strlen({0})", "CAST(octet_length({0}) AS BIGINT)", ranges.constant(0, 2**33),
        cost=Cost(per_character=0.5),
    ),
    Function(
        "concat_ws", ("short!", "text*"), _TEXT, _truncated("concat_ws({*, })"), SAME, nulls=Nulls.OWN,
        cost=Cost(per_character=2.5, reads_all_texts=True), text_length=TextLength.TOTAL,
    ),
    Function(
        "levenshtein", ("text", "short!"), _INT, f"levenshtein({_TRUNCATED}, {{1}})",
        "CAST(levenshtein(left({0}, 1000), {1}) AS BIGINT)", ranges.constant(0, MAX_TEXT_LENGTH),
        cost=Cost(per_character=30.0, per_pair=3.0),
    ),
    Function(
        "jaccard", ("text", "short!"), _DOUBLE, f"jaccard(nullif({_TRUNCATED}, ''), {{1}})", _JACCARD,
        ranges.constant(0, 1), partial=Partial.FOR_SOME_VALUES,
        check_constants=lambda other: None if other else Kind.NOTHING_TO_COMPARE.at(),
        cost=Cost(per_character=20.0),
    ),
    Function(
        "jaro_winkler_similarity", ("text", "short!"), _DOUBLE, f"jaro_winkler_similarity({_TRUNCATED}, {{1}})",
        NoForm("Spark has none"), ranges.constant(0, 1), nodes=(exp.JarowinklerSimilarity,),
        cost=Cost(per_character=20.0),
    ),
)  # fmt: skip

LISTS: tuple[Function, ...] = (
    *(row for each in _LIST_TYPES for row in _list_functions(*each)),
    Function(
        "list_extract", ("text", "int!"), _TEXT, "list_extract({0}, {1})", _character_at, cost=Cost(per_character=8.0),
    ),
    Function(
        "slice", ("text", "int!", "int!"), _TEXT, "{0}[{1}:{2}]", _slice_of_text, is_callable=False,
        cost=Cost(per_character=8.0),
    ),
    Function(
        "list_sum", ("ints",), _INT, "TRY_CAST(list_sum({0}) AS BIGINT)",
        f"CASE WHEN {_NON_NULL_COUNT} > 0 THEN TRY_CAST({_SUM} AS BIGINT) END", partial=_FOR_SOME_VALUES,
        cost=Cost(per_list_character=0.1),
    ),
    Function(
        "list_avg", ("ints",), _DOUBLE, "list_avg({0})",
        f"CASE WHEN {_NON_NULL_COUNT} > 0"
        f" THEN CAST({_SUM} AS DOUBLE) / nullif(CAST({_NON_NULL_COUNT} AS DOUBLE), 0) END",
        partial=_FOR_SOME_VALUES, cost=Cost(per_list_character=0.1),
    ),
    Function(
        "array_to_string", ("texts", "short!"), _TEXT, f"left(array_to_string({{0}}, {{1}}), {MAX_TEXT_LENGTH})",
        SPARK_JOINED, cost=Cost(per_list_character=3.5, per_element=150.0), text_length=TextLength.COMPUTED,
    ),
    Function(
        "string_split", ("text", "short!"), SqlType.VARCHAR_LIST, "string_split({0}, {1})", _split, nodes=(exp.Split,),
        other_names=("str_split",), cost=Cost(per_character=30.0, per_pair=_PER_PAIR_FOUND, per_list_character=0.1),
    ),
)  # fmt: skip
