"""Kinds of refusals: one row each, with its code, the template of its reason and the template of its hint.

A name in braces is a field of the refusal. A row whose hint is one field gets it from where the query is refused: SQL
made from the query's own text. A row is used by its name, never by its text.
"""

from __future__ import annotations

from enum import unique

from dialect.diagnostics.field_values import AggregateHint
from dialect.errors import Code, Diagnostic

_PIVOT_HINT = "a column for each value: COUNT(*) FILTER (WHERE x = 'a') AS a, with GROUP BY"


# fmt: off
@unique
class Kind(Diagnostic):
    """Kinds of refusals of a query, by code."""

    # E_PARSE
    UNREADABLE_QUESTION = Code.PARSE, "This question can't be read.", "ask it in other words"
    CONSTANT_DOES_NOT_FIT = Code.PARSE, "{value} does not fit this type.", "CAST(... AS BIGINT)"
    EMPTY_SELECT = Code.PARSE, "This SELECT names nothing that it selects.", "SELECT COUNT(*) FROM ..."
    NUMBER_TOO_LARGE = Code.PARSE, "The number is too large.", "write a number below 1e308"
    NOT_A_NUMBER = Code.PARSE, "{text} is not a number.", "write digits"
    NOT_OF_TYPE = Code.PARSE, "'{text}' is not a {type}.", "{form}"
    NOT_IN_DIGITS = Code.PARSE, "'{text}' is not a {type}.", "a number in digits"
    RESERVED_WORD = Code.PARSE, "{word} is a word of SQL's own, and stands here as a name.", '{keyword}"{name}"'
    UNREADABLE_SQL = Code.PARSE, "The SQL can't be read.", "check brackets, commas and the order of the clauses"
    UNREADABLE_FROM_HERE = Code.PARSE, "The SQL can't be read from here on.", "check the words around this place"
    NOT_SQL = Code.PARSE, "This is not SQL that can be read.", "check the syntax"
    UNCLOSED_BRACKET = (Code.PARSE, "Nothing closes this bracket.",
        "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(epsilon = 0.5) COUNT(*) FROM ...")
    UNREADABLE_CLAUSE = (Code.PARSE, "This can't be read from here on.",
        "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(epsilon = 0.5) COUNT(*) FROM ...")
    UNREADABLE_BOUNDS = (Code.PARSE, "This can't be read from here on.",
        "SUM(x, contribution_bounds_per_group => (YOUR_MIN, YOUR_MAX))")
    ONLY_A_COMMENT = Code.PARSE, "There is no question here, only a comment.", "SELECT COUNT(*) FROM ..."
    NO_QUESTION = Code.PARSE, "There is no question here.", "SELECT COUNT(*) FROM ..."
    CLAUSE_WITHOUT_OWNER = (Code.PARSE, "{clause} belongs to a {owner}, and none stands here.",
        "SELECT ... FROM ... {clause} ...")
    CLAUSE_REPEATED = Code.PARSE, "{clause} stands twice in one SELECT.", "one {clause}"
    CLAUSE_MISPLACED = (Code.PARSE, "{clause} stands before {later} in SQL, not behind it.",
        "{clause} ... {later} ...")
    COMMA_BETWEEN_CONDITIONS = Code.PARSE, "Conditions are joined by AND, not by commas.", "AND"
    WITH_BEHIND_SET_OPERATOR = (Code.PARSE, "WITH stands at the beginning of a question, or of brackets.",
        "UNION ALL (WITH ...)")
    ORDER_BEFORE_SET_OPERATOR = (Code.PARSE, "{clause} before a set operation belongs to neither side.",
        "put the SELECT in brackets, or {clause} at the end")
    INVALID_CHARACTER = Code.PARSE, "This character can't stand in SQL.", "remove it"
    BACKTICKS = Code.PARSE, "Names stand in double quotes, or in none.", '"a name"'
    UNCLOSED_QUOTATION = Code.PARSE, "The text breaks off inside a quotation or comment.", "close every quote"
    NOT_DECIMAL = Code.PARSE, "A number is written in decimal digits.", "put a space before a name"
    # E_COMPLEX
    NESTED_TOO_DEEPLY_HERE = Code.COMPLEX, "The question is nested too deeply.", "split it into several"
    SQL_TOO_LONG = Code.COMPLEX, "The question becomes too long when it is made safe.", "ask for less at once"
    TOO_MANY_GROUPING_SETS = (Code.COMPLEX, "This GROUP BY has more than {limit} sets of keys.",
        "GROUPING SETS with the sets that you want")
    TOO_MANY_NESTED_QUERIES = (Code.COMPLEX, "More than {limit} queries stand inside each other.",
        "join the tables in one query")
    TOO_MANY_FIELDS = Code.COMPLEX, "The question uses its subqueries too often.", "name each subquery once"
    TOO_MANY_TIME_CONDITIONS = (Code.COMPLEX,
        "The question says more of its time than can be held against every declared day.",
        "fewer conditions on time, or one BETWEEN, in fewer places")
    NESTED_TOO_DEEPLY = Code.COMPLEX, "The question is nested too deeply.", "split the question into several statements"
    EXPRESSION_TOO_DEEP = (Code.COMPLEX, "An expression is more than {limit} steps deep.",
        "split the question into several statements")
    TOO_MANY_PARTS = (Code.COMPLEX, "The question has more than {limit:,} parts.",
        "split the question into several statements")
    TOO_MANY_JOINS = (Code.COMPLEX, "The question has more than {limit:,} joins.",
        "split the question into several statements")
    TOO_MANY_AGGREGATES = (Code.COMPLEX, "The question has more than {limit:,} aggregates.",
        "split the question into several statements")
    TEXT_TOO_LONG = (Code.COMPLEX, "The text is longer than {limit:,} characters.",
        "split the question into several statements")
    TOO_MANY_WORDS = (Code.COMPLEX, "The question has more than {limit:,} words.",
        "split the question into several statements")
    TOO_MANY_LEVELS = (Code.COMPLEX, "More than {limit} levels are nested here.",
        "split the question into several statements")
    TOO_MANY_OPEN_JOINS = (Code.COMPLEX, "More than {limit} JOINs have no ON or USING right behind them.",
        "ON or USING behind each JOIN, or CROSS JOIN")
    EXPRESSION_TOO_LARGE = Code.COMPLEX, "This expression is too large.", "compute parts of it in a subquery"
    # E_STMT
    NOT_A_SELECT = Code.STMT, "Only SELECT questions are answered.", "SELECT ... FROM ..."
    RECURSION = Code.STMT, "Recursion is not in the dialect.", "WITH without RECURSIVE"
    RECURSION_BY_NAME = (Code.STMT,
        "Recursion is not in the dialect, and {name} names itself.",
        ("range(24) or generate_series(DATE '2026-10-01', DATE '2026-10-07', INTERVAL 1 DAY) in FROM, "
         "or a JOIN for each step"))
    CTE_TWICE = Code.STMT, "{name} stands twice in WITH.", "give each subquery its own name"
    UNSUPPORTED_PART = Code.STMT, "{part} is not part of the dialect here.", "leave {part} out"
    UNSUPPORTED_FORM = (Code.STMT, "This form of {function} is not part of the dialect here.",
        "leave this form of {function} out")
    PIVOT_CLAUSE = Code.STMT, "{part} is not part of the dialect here.", _PIVOT_HINT
    COLUMNS_ASKED_FOR = Code.STMT, "Only SELECT questions are answered; {table} has {names}.", "{count}"
    TABLES_ASKED_FOR = Code.STMT, "Only SELECT questions are answered; there are {names}.", "{count}"
    PIVOT_STATEMENT = Code.STMT, "Only SELECT questions are answered.", _PIVOT_HINT
    NOT_EXPLAINABLE = (Code.STMT, "Only EXPLAIN PRIVACY and a question can be explained.",
        "EXPLAIN PRIVACY {query}")
    UNKNOWN_LISTING = Code.STMT, "SHOW lists {listings}.", "SHOW TABLES"
    LIKE_OF_OTHER_LISTING = Code.STMT, "LIKE chooses among {listings} by name.", "SHOW FUNCTIONS LIKE '%date%'"
    DESCRIBE_FORM = Code.STMT, "DESCRIBE takes the name of one table.", "SHOW TABLES"
    SEVERAL_STATEMENTS = Code.STMT, "Only one statement at a time is answered.", "send them one by one"
    # E_TABLE
    LIST_OF_CONSTANTS = (Code.TABLE, "A list in FROM is made of constants of one kind, and a step is not 0.",
        "range(24), generate_series(DATE '2026-10-01', DATE '2026-10-07', INTERVAL 1 DAY) or unnest(['a', 'b'])")
    UNKNOWN_FROM_ITEM = (Code.TABLE, "Only tables, subqueries and VALUES can stand in FROM.",
        "FROM a declared table")
    LATERAL_IN_FROM = (Code.TABLE, "Only tables, subqueries and VALUES can stand in FROM.",
        "a subquery that groups by what it is joined on; QUALIFY ROW_NUMBER() OVER (...) = 1 keeps the first of each")
    UNEQUAL_VALUES_ROWS = Code.TABLE, "Every row of VALUES has the same number of constants.", "VALUES (1, 'a')"
    VALUES_OF_SEVERAL_TYPES = Code.TABLE, "A column of VALUES has one type.", "VALUES (1), (2)"
    VALUES_NOT_CONSTANT = Code.TABLE, "VALUES holds constants.", "VALUES (1, 'a')"
    LIST_TOO_LONG = (Code.TABLE, "A list in FROM has at most {limit:,} values.",
        "range(24), generate_series(DATE '2026-10-01', DATE '2026-10-07', INTERVAL 1 DAY) or unnest(['a', 'b'])")
    BRACKETS_IN_FROM = Code.TABLE, "Brackets in FROM hold a subquery or a JOIN.", "FROM {name}"
    TABLE_TWICE = Code.TABLE, "{name} stands twice in FROM.", "JOIN ... AS {name}2"
    TABLE_NOT_IN_FROM = Code.TABLE, "There is no table {name} in this FROM.", "one of {tables}"
    STAR_WITHOUT_TABLE = Code.TABLE, "* has no table to stand for.", "add a FROM"
    NO_MOVEMENT_TIME = (Code.TABLE, "It is not known when these rows saw somebody.",
        "a subquery with columns ts and zone_id, or let the steward declare movement of {table} in the catalog")
    NO_MOVEMENT_ZONE = (Code.TABLE, "It is not known where these rows saw somebody.",
        "a subquery with columns ts and zone_id, or let the steward declare movement of {table} in the catalog")
    NO_MOVEMENT_COLUMNS = (Code.TABLE, "It is not known when and where these rows saw somebody.",
        "a subquery with columns ts and zone_id, or let the steward declare movement of {table} in the catalog")
    MOVEMENT_OF_PUBLIC_ROWS = (Code.TABLE, "Movements are found in rows of people, and these are none.",
        "a private table")
    MOVEMENT_TIME_TYPE = Code.TABLE, "{name} is {type}, and does not say at what time.", "{role} of type {accepted}"
    MOVEMENT_ZONE_TYPE = Code.TABLE, "{name} is {type}, and does not name zones.", "{role} of type {accepted}"
    MOVEMENT_PLACE_TYPE = Code.TABLE, "{name} is {type}, and has no degrees.", "{role} of type {accepted}"
    UNKNOWN_TABLE_FUNCTION = (Code.TABLE, "This table function is not in the dialect.",
        "FROM a declared table, or {functions}")
    TABLE_FUNCTION_WITHOUT_ROWS = Code.TABLE, "{name} needs the rows it is asked of.", "{name}(event)"
    TABLE_FUNCTION_ROWS = (Code.TABLE, "{name} is asked of one table, CTE or subquery.",
        "{name}(event) or {name}((SELECT ...))")
    SCHEMA_IN_FRONT = Code.TABLE, "Tables have no schema in front, or main.", "FROM {name}"
    SCHEMA_TABLES = (Code.TABLE, "{schema} is not there: statements tell what is declared, free of charge.",
        "SHOW TABLES")
    SCHEMA_COLUMNS = (Code.TABLE, "{schema} is not there: statements tell what is declared, free of charge.",
        "DESCRIBE and a table's name")
    UNKNOWN_TABLE = Code.TABLE, "There is no table {name}.", "one of {tables}"
    # E_COLUMN
    MORE_NAMES_THAN_COLUMNS = Code.COLUMN, "There are more names than columns.", "give one name per column"
    COLUMN_QUALIFIERS = Code.COLUMN, "A column is written column or table.column.", "leave out the rest"
    UNQUOTED_TEXT = Code.COLUMN, "There is no column {name} here. Text stands in single quotes.", "{quoted}"
    DOUBLE_QUOTED_TEXT = (Code.COLUMN,
        "There is no column {name} here. Double quotes are for names, single quotes for text.", "{quoted}")
    COLUMN_ELSEWHERE = Code.COLUMN, "There is no column {name} here: it is in {tables}.", "{join}"
    AMBIGUOUS_COLUMN = Code.COLUMN, "{name} is in more than one table.", "{candidates}"
    UNKNOWN_COLUMN = Code.COLUMN, "There is no column {name} here.", "one of {columns}"
    MISSPELT_COLUMN = Code.COLUMN, "There is no column {name} here.", "{near}"
    COLUMN_WITHOUT_TABLE = Code.COLUMN, "There is no column {name} here.", "add a FROM"
    ORDER_AFTER_DISTINCT = Code.COLUMN, "After DISTINCT, ORDER BY takes columns of the select list.", "ORDER BY 1"
    NO_SUCH_STAR_COLUMN = Code.COLUMN, "* has no column {name}.", "a column of the tables in FROM"
    EXCLUDE_LEAVES_NOTHING = Code.COLUMN, "EXCLUDE leaves no column.", "keep one of them"
    NO_SUCH_ORDER_POSITION = Code.COLUMN, "There is no column {number} in the select list.", "ORDER BY 1"
    AGGREGATE_IN_WHERE = (Code.COLUMN,
        "{name} is an aggregate, and WHERE looks at rows, before there is one: HAVING looks at it.",
        "HAVING in place of WHERE, behind GROUP BY")
    WINDOW_IN_WHERE = (Code.COLUMN,
        "{name} is a window function, and WHERE looks at rows, before there is one: QUALIFY looks at it.",
        "QUALIFY in place of WHERE, behind GROUP BY")
    # E_PERSON_KEY
    PERSON_KEY_ONLY_COUNTED = Code.PERSON_KEY, "The person key can only be counted.", "{count}"
    ROWS_WITHOUT_PERSON = (Code.PERSON_KEY, "These rows do not show whose they are.",
        "SELECT {name}, ... in the subquery")
    PERSON_KEY_AS_VALUE = (Code.PERSON_KEY,
        "The person key can be counted, joined on and grouped by, and nothing else.", "{count}")
    PERSON_KEY_IN_WINDOW = (Code.PERSON_KEY,
        "The person key can be counted, joined on and grouped by, and nothing else.",
        "row_number() OVER (PARTITION BY the person ...)")
    PRESERVED_WITHOUT_PERSON = (Code.PERSON_KEY, "This side of the LEFT JOIN has no person where no row matched.",
        "GROUP BY {person} of the left table")
    PERSON_KEY_IN_MIXED_COLUMN = (Code.PERSON_KEY, "The person key can't stand in one column with something else.",
        "{name} in the same place of both queries")
    PERSONS_BY_KEY = (Code.PERSON_KEY, "Persons are chosen by what their rows say, not by their keys.",
        "{person} IN (SELECT {person} FROM ... WHERE ...), or a condition on another column")
    # E_FUNC
    ARGUMENTS_MISSING = Code.FUNC, "{name} takes {arity}, and none is given.", "{form}"
    ONE_ARGUMENT_GIVEN = Code.FUNC, "{name} takes {arity}, and 1 is given.", "{form}"
    ARGUMENT_COUNT = Code.FUNC, "{name} takes {arity}, and {count} are given.", "{form}"
    UNQUOTED_UNIT = Code.FUNC, "{word} is the name of a column here, and {name} takes a constant.", "'{unit}'"
    IS_OPERAND = Code.FUNC, "IS takes NULL, TRUE or FALSE.", "x IS NULL"
    CONDITION_NOT_BOOLEAN = Code.FUNC, "A condition must be true or false.", "compare it with something, e.g. x > 0"
    ESCAPE_WITHOUT_LIKE = Code.FUNC, "Only LIKE and ILIKE have an escape sign.", "x LIKE '5$%' ESCAPE '$'"
    DECIMAL_DIGITS = (Code.FUNC, "A decimal has digits, and of these some behind the point.",
        "CAST(... AS DECIMAL(18, 3))")
    UNKNOWN_TYPE = (Code.FUNC, "This type is not in the dialect.",
        "one of BIGINT, DOUBLE, VARCHAR, BOOLEAN, DATE, TIMESTAMP")
    STORED_TEXT_CAST = Code.FUNC, "Stored text can't be cast to another type.", "declare the column with that type"
    COLUMN_PARTS = Code.FUNC, "Columns have no parts of their own.", "write column or table.column"
    ANY_OF_LIST = Code.FUNC, "= ANY of a list is not in the dialect.", "list_contains({list}, {value})"
    NO_CELL_COLUMN = (Code.FUNC, "No column with H3 cells of these coordinates is in sight here.",
        "select it in the subquery too, or let the steward declare one in {table}: {declared}")
    PATTERN_OPTIONS_NOT_CONSTANT = Code.FUNC, "The options of a pattern are a constant.", "'i'"
    CELL_ARGUMENTS = (Code.FUNC, "h3_cell takes a longitude, a latitude and a constant resolution from 0 to 15.",
        "h3_cell(lon, lat, 9)")
    CELLS_OF_COMPUTED_COORDINATES = (Code.FUNC, "H3 cells are there of stored coordinates alone.",
        "h3_cell(the column of longitude, the column of latitude, 9)")
    CELLS_TOO_FINE = (Code.FUNC,
        "The H3 cells of these coordinates have resolution {finest}, and nothing finer is known.",
        "h3_cell({coordinates}, {finest})")
    CELLS_OF_TWO_ROWS = (Code.FUNC, "H3 cells are there of stored coordinates of one row.",
        "select the cell where the table is read")
    UNEQUAL_IN_ROWS = (Code.FUNC, "The rows of IN have as many values as the row that is looked for.",
        "(a, b) IN ((1, 2), (3, 4))")
    POINT_FORM = Code.FUNC, "A point is written ST_Point(lon, lat).", "within_polygon(lon, lat, the polygon)"
    AMPERSANDS = Code.FUNC, "&& compares two lists; conditions are joined by AND.", "AND in place of &&"
    LIST_TEST_NOT_CONSTANT = Code.FUNC, "The second list is one of constants.", "list_has_any(x, ['a', 'b'])"
    UNKNOWN_PATTERN_OPTION = Code.FUNC, "There is no option {options!r} of a pattern here.", "'i', 's' or 'g'"
    PART_POSITIONS = Code.FUNC, "A part has one position, or a first and a last one.", "x[1:3], with constants"
    PART_STEP = Code.FUNC, "A part has no step.", "x[1:3], with constants"
    POSITION_NOT_CONSTANT = Code.FUNC, "Positions are constants.", "x[1:3], with constants"
    DATE_PART_NOT_CONSTANT = Code.FUNC, "The part of a date must be a constant.", "EXTRACT(hour FROM ts)"
    UNKNOWN_DATE_PART = Code.FUNC, "There is no date part {part}.", "EXTRACT(hour FROM ts)"
    UNKNOWN_UNIT = Code.FUNC, "There is no unit {unit}.", "one of {units}"
    ZONE_NOT_CONSTANT = Code.FUNC, "A time zone is a constant name.", "ts AT TIME ZONE 'Europe/Berlin'"
    CLOCK_OF_CLOCK = (Code.FUNC, "Which instant a clock shows is read on a clock again.",
        "ts AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin'")
    INTERVAL_FORM = Code.FUNC, "An interval is one constant and one unit.", "INTERVAL 15 MINUTE"
    INTERVAL_TOO_LONG = Code.FUNC, "The interval is longer than 1,000 years.", "INTERVAL 1 DAY"
    UNKNOWN_CONSTRUCT = Code.FUNC, "{name} is not in the dialect.", "see docs/functions.md"
    LIST_OF_COLUMNS = Code.FUNC, "{name} is not in the dialect.", "a column without brackets, or in double quotes"
    ROWS_OF_A_LIST = (Code.FUNC, "{name} is not in the dialect.",
        "list_contains(x, 'a'), or a list of constants in FROM: a row of a person does not become several here")
    CURRENT_TIME = (Code.FUNC, "{name} is another value whenever it is asked, and no repeat would be found again.",
        "a day that is written out: DATE '2026-10-31'")
    ARGUMENT_TYPES = Code.FUNC, "{name} does not take ({types}).", "{name} takes {forms}"
    COMPARISON_TYPES = Code.FUNC, "{name} does not take ({types}).", "compare values of one type"
    ARGUMENT_REWRITTEN = Code.FUNC, "{name} does not take ({types}).", "{rewrite}"
    UNKNOWN_FUNCTION = Code.FUNC, "The function {name} is not in the dialect.", "see docs/functions.md"
    MISSPELT_FUNCTION = Code.FUNC, "The function {name} is not in the dialect.", "{near}(...)"
    POLYGON_AS_VALUE = (Code.FUNC, "A polygon is no value: places are held against it.",
        "within_polygon(lon, lat, the polygon)")
    TILDE_END = Code.FUNC, "It is not clear where ~ ends.", "{bracketed}, with brackets"
    SEVERAL_TYPES = Code.FUNC, "These values have different types: {types}.", "CAST(x AS ...)"
    ORDER_HERE = Code.FUNC, "No order of rows can stand here.", "leave ORDER BY out"
    # of constant arguments: name and forms are given where the call is refused
    FORMAT_EMPTY = Code.FUNC, "The format is empty.", "{name} takes {forms}"
    FORMAT_DIRECTIVE = Code.FUNC, "There is no directive {directive} of a format here.", "{name} takes {forms}"
    INTERVAL_MULTIPLE = Code.FUNC, "The interval is longer than 1,000 years.", "{name} takes {forms}"
    LOWER_END_FIRST = Code.FUNC, "The lower end comes first.", "{name} takes {forms}"
    NOTHING_TO_COMPARE = Code.FUNC, "There is nothing to compare with.", "{name} takes {forms}"
    NOTHING_TO_FILL = Code.FUNC, "There is nothing to fill up with.", "{name} takes {forms}"
    TOO_MANY_DECIMALS = Code.FUNC, "More digits stand behind the point than there are.", "{name} takes {forms}"
    ESCAPE_SIGN = Code.FUNC, "The escape is one sign of ASCII.", "{name} takes {forms}"
    PATTERN_ENDS_IN_ESCAPE = Code.FUNC, "The pattern ends in its escape sign.", "{name} takes {forms}"
    PATTERN_UNREADABLE = Code.FUNC, "The pattern can't be read from {rest} on.", "{name} takes {forms}"
    PATTERN_NESTED = Code.FUNC, "The pattern is nested too deeply.", "{name} takes {forms}"
    PATTERN_TOO_LARGE = Code.FUNC, "The pattern has more than {limit:,} parts.", "{name} takes {forms}"
    PATTERN_PARENTHESIS = Code.FUNC, "A parenthesis of the pattern is not closed.", "{name} takes {forms}"
    PATTERN_BRACKET = (Code.FUNC,
        "A bracket of the pattern can't be read: write \\ before a sign that means itself.", "{name} takes {forms}")
    PATTERN_RANGE = Code.FUNC, "The range {range} of the pattern is empty.", "{name} takes {forms}"
    PATTERN_REPETITION = Code.FUNC, "The repetition {repetition} of the pattern has no meaning.", "{name} takes {forms}"
    PATTERN_GROUP = (Code.FUNC, "The replacement names a group that is not there: {reference}.",
        "{name} takes {forms}")
    # E_AGG
    SEVERAL_LEVELS = Code.AGG, "One call gives one quantile; several levels of one value cost what one costs.", "{call}"
    NOTHING_TO_ORDER = Code.AGG, "{name} takes something to put in order.", "{name}(x)"
    DISTINCT_WITH_ORDER = Code.AGG, "DISTINCT and an order of other things do not go together here.", "LIST(DISTINCT x)"
    NO_ORDER_OF_ITS_OWN = Code.AGG, "{name} needs an order: rows have none of their own.", "{replacement}"
    MODE_TIES = (Code.AGG,
        "Of values that are equally frequent a hash of the person decides, or MODE(x ORDER BY x) the least.",
        "{replacement}")
    CONSTANT_ORDER = (Code.AGG, "{name} puts rows in order, and a constant is the same in every row.",
        "{name} of a column, in the order of columns")
    SEPARATOR_NOT_CONSTANT = Code.AGG, "What stands between joined texts is a constant.", "STRING_AGG(x, ', ')"
    QUANTILE_OF_SEVERAL = Code.AGG, "A quantile is of one thing.", "PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY x)"
    DISCRETE_QUANTILE_FROM_ABOVE = (Code.AGG, "PERCENTILE_DISC is read from below.",
        "PERCENTILE_DISC(0.75) WITHIN GROUP (ORDER BY x)")
    AGGREGATE_ARGUMENT_COUNT = Code.AGG, "{name} takes {count} argument(s).", "add or remove some"
    AGGREGATE_OF_LISTS = Code.AGG, "{name} takes no lists.", "{name}(LENGTH(x))"
    DISTINCT_OUTSIDE_COUNT = (Code.AGG, "DISTINCT is only allowed in COUNT, of one thing or of one tuple.",
        "{replacement}")
    PUBLIC_ROWS_WITHOUT_INTERVAL = (Code.AGG, "Public rows have no noise, and no interval: it is of released numbers.",
        "DP_INTERVAL_LOW(n), with COUNT(*) AS n or SUM(x) AS n in the select list")
    ROWS_WITHOUT_INTERVAL = (Code.AGG, "The rows of people have no noise, and no interval: it is of released numbers.",
        "DP_INTERVAL_LOW(n), with COUNT(*) AS n or SUM(x) AS n in the select list")
    AGGREGATE_AS_KEY = Code.AGG, "An aggregate can't be a group key.", "GROUP BY the other columns"
    AGGREGATE_HERE = Code.AGG, "An aggregate can't stand here.", "put it into the select list or HAVING"
    UNKNOWN_AGGREGATE = Code.AGG, "The aggregate {name} is not in the dialect.", "{hint}"
    REFUSED_AGGREGATE = Code.AGG, "{name} {reason}.", "{hint}"
    AGGREGATE_PER_PERSON = (Code.AGG, "{name} across people {reason}.",
        "{hint}; or {name} per person, in a subquery that groups by {person}")
    TIME_ACROSS_PERSONS = (Code.AGG, "{name} across people {reason}. The catalog declares {lower} to {upper}.",
        "{hint}; or {name} per person, in a subquery that groups by {person}")
    AGGREGATE_ARGUMENT_TYPE = Code.AGG, "{name} takes {accepted}.", "{converted}"
    AGGREGATE_OF_OTHER_TYPE = Code.AGG, "{name} takes {accepted}.", AggregateHint.GROUP_BY_COLUMN
    AGGREGATE_OF_INTERVAL = (Code.AGG,
        "{name} takes {accepted}: minutes between two times are such, within ends of your own.",
        "{clamped}")
    NO_KNOWN_INTERVAL = (Code.AGG,
        "No interval is known for this: its noise can't be followed here, or there is none in it.",
        "DP_INTERVAL_LOW(n), with COUNT(*) AS n or SUM(x) AS n in the select list")
    PRESERVED_ROWS_MOVE_AGGREGATE = (Code.AGG,
        "Rows that a LEFT JOIN adds where nobody's row matched belong to nobody, and would move this.",
        "{count}")
    PRESERVED_ROWS_ALONE = (Code.AGG,
        "Rows that a LEFT JOIN adds where nobody's row matched belong to nobody, and would move this.",
        "a subquery that groups the public table alone, joined by the keys: its numbers need no noise")
    # E_ROWS
    STAR_HERE = Code.ROWS, "* can't stand here.", "name the columns"
    DISTINCT_ON = (Code.ROWS, "DISTINCT ON keeps one whole row of several.",
        "GROUP BY, with MIN(x) or ARG_MIN(x, y) of the others")
    ROWS_OF_PEOPLE = (Code.ROWS, "Rows of people never leave; only aggregates over many of them do.",
        "SELECT COUNT(*) FROM ... or an aggregate with GROUP BY")
    DISTINCT_WITHOUT_PERSON = (Code.ROWS, "DISTINCT over private rows needs the person key in the select list.",
        "{query}; or GROUP BY in its place, for the groups of a release")
    SET_OF_PUBLIC_AND_PRIVATE = (Code.ROWS, "People's rows can't stand in one {operator} with rows that are nobody's.",
        "an aggregate on this side too")
    # E_JOIN
    NAMED_JOIN_BRACKETS = (Code.JOIN, "Joins in brackets have no name of their own.",
        "(SELECT ... FROM ... JOIN ...) AS name")
    NESTED_JOIN = Code.JOIN, "This JOIN stands inside another one.", "write each ON behind its JOIN"
    SEMI_JOIN_WITHOUT_CONDITION = Code.JOIN, "{kind} JOIN has an ON or USING.", "SEMI JOIN ... USING (...)"
    MERGED_NAME_TWICE = (Code.JOIN, "A name that USING merges in brackets stands outside of them too.",
        "join the tables one by one")
    JOIN_WITHOUT_EQUALITY = (Code.JOIN, "{method} JOIN is not in the dialect: a join says which columns are equal.",
        "JOIN ... USING (...)")
    UNKNOWN_JOIN = Code.JOIN, "{kind} JOIN is not in the dialect.", "JOIN ... ON ..."
    JOIN_CONDITIONS = (Code.JOIN, "CROSS JOIN has no condition, and every other JOIN has one ON or USING.",
        "JOIN ... ON ...")
    PERSON_JOIN_NOT_EQUALITY = (Code.JOIN, "A person key can only be joined on its equality with another person key.",
        "JOIN ... USING (the person key)")
    USING_OF_OTHER_TYPES = Code.JOIN, "{comparison.why}", "ON with values of one type"
    FULL_JOIN_OF_PRESERVED = (Code.JOIN,
        "FULL JOIN has no rows for what a public table LEFT JOIN a private one keeps where nobody's row matched.",
        "JOIN in place of LEFT JOIN")
    FULL_JOIN_WITHOUT_PERSON = (Code.JOIN,
        "FULL JOIN keeps rows of both sides, and some of these would belong to no person.",
        "LEFT JOIN, or FULL JOIN of two subqueries that each GROUP BY the same keys")
    JOIN_WITH_RELEASED = (Code.JOIN,
        "Private rows can't be joined with numbers that were released in the same statement.",
        "ask two questions, and compare their answers")
    JOIN_OF_TWO_DATASETS = Code.JOIN, "These private tables belong to two datasets.", "ask one question of each"
    JOIN_WITHOUT_PERSON = (Code.JOIN, "Two private tables can only be joined on the person key.",
        "... JOIN ... USING ({person})")
    PRESERVED_ON_THE_LEFT = (Code.JOIN,
        "Behind a public table LEFT JOIN a private one, another one can't be on the left.",
        "JOIN in one of the two places")
    CONDITION_ON_NULL_EXTENDED = (Code.JOIN,
        "This condition looks at private columns that are NULL where nobody's row matched the LEFT JOIN.",
        "conditions on public columns alone, or JOIN in place of LEFT JOIN")
    ON_NULL_EXTENDED = (Code.JOIN,
        "This ON looks at private columns that are NULL where nobody's row matched the LEFT JOIN.",
        "ON with public columns alone, or JOIN in place of the LEFT JOIN before")
    OPERATOR_OVER_NULL_EXTENDED = (Code.JOIN,
        ("A GROUP BY, DISTINCT, IN or EXISTS over it looks at private columns that are NULL where nobody's row "
         "matched the LEFT JOIN."),
        "an aggregate over the LEFT JOIN itself")
    # E_KEY
    NESTED_KEY_LIST = Code.KEY, "A list of keys can't stand inside another one.", "GROUP BY ROLLUP (a, b)"
    NOT_GROUPED = Code.KEY, "{name} is neither a group key nor in an aggregate.", "GROUP BY {keys}"
    NO_SUCH_POSITION = Code.KEY, "There is no column {number} in the select list.", "GROUP BY 1"
    GROUPING_OF_OTHER_KEYS = Code.KEY, "GROUPING takes keys of the GROUP BY.", "GROUPING(a) with GROUP BY ROLLUP (a)"
    MIXED_GROUPING_SETS = (Code.KEY,
        "Some of these sets are groups of one person's rows, and others hold many people's.",
        "GROUP BY {name}, ROLLUP (...)")
    STAR_COLUMN_NOT_GROUPED = Code.KEY, "{name} comes with * but is no group key.", "name the columns you want"
    TOO_MANY_KEYS = (Code.KEY,
        "The answer would have more than {limit:,} keys; the widest list is {source} with {values:,} values.",
        "a coarser key instead of {key}, or a WHERE that leaves fewer of its values")
    TOO_MANY_COMPUTED_KEYS = (Code.KEY,
        "The answer would have more than {limit:,} keys; the widest list is {source} with {values:,} values of {key}.",
        "a coarser key instead of {key}, or a WHERE that leaves fewer of its values")
    NEARLY_UNIQUE_KEY = Code.KEY, "{key} has a value of its own in almost every row.", "{coarse} with WHERE {ends}"
    UNBOUNDED_TIME_KEY = (Code.KEY,
        "{time} has no declared range, so nothing says where {key} begins and ends.", "{coarse} with WHERE {ends}")
    UNBOUNDED_INTEGER_KEY = (Code.KEY, "{key} may be any number: neither bounds nor the question say where it ends.",
        "WHERE {ends}, with your own ends")
    LIST_AS_KEY = Code.KEY, "{key} is a list, and no key.", "GROUP BY LENGTH({key})"
    QUANTILES_OF_PRIVATE_KEYS = (Code.KEY,
        "Quantiles of {value} need groups that are known without the data; {keys} must reach a threshold.",
        "WHERE {keys} IN (...), with the groups that you want")
    NO_PUBLIC_KEYS = (Code.KEY, "No public list of these keys is known: only private ones are possible.",
        "keys = 'private', which asks for a threshold")
    KEYS_OF_PRESERVED_ROWS = (Code.KEY,
        "A public table LEFT JOIN a private one is grouped by public columns: other keys have no public list here.",
        "JOIN in place of LEFT JOIN, or GROUP BY public columns alone")
    # E_WINDOW
    WINDOW_OVER_GROUPS = (Code.WINDOW,
        "A window beside GROUP BY or aggregates looks at groups, and {name} is a column of rows.",
        "FROM (SELECT *, ... OVER (...) AS x FROM ...)")
    QUALIFY_OVER_GROUPS = (Code.WINDOW,
        "A window beside GROUP BY or aggregates looks at groups, and {name} is a column of rows.",
        "FROM (SELECT * FROM ... QUALIFY ...)")
    WINDOW_HERE = (Code.WINDOW,
        "A window function can't stand here: it looks at the rows that WHERE and GROUP BY leave.",
        "QUALIFY in place of WHERE, or the window in a subquery in FROM")
    RANGE_DISTANCE_TYPE = (Code.WINDOW,
        "A RANGE over {type} has no such distances: numbers go with numbers, intervals with dates and times.",
        "{hint}")
    NO_WINDOW_FORM = (Code.WINDOW, "{name} has no window form in the dialect.",
        "ROW_NUMBER, RANK, LAG, LEAD, FIRST_VALUE, COUNT, SUM, AVG, MIN or MAX")
    UNKNOWN_WINDOW = Code.WINDOW, "There is no window {name} here.", "one of {windows}"
    NO_NAMED_WINDOW = Code.WINDOW, "There is no window {name} here.", "WINDOW name AS (PARTITION BY ...)"
    WINDOW_OVERRIDDEN = Code.WINDOW, "The window {name} says that already.", "write this window out"
    FRAME_DISTANCE = (Code.WINDOW, "A frame ends at a constant distance that is not negative.",
        "ROWS BETWEEN 2 PRECEDING AND CURRENT ROW")
    FRAME_ENDS_BEFORE_START = (Code.WINDOW, "This frame ends before it starts.",
        "ROWS BETWEEN 2 PRECEDING AND CURRENT ROW")
    FRAME_COUNT = (Code.WINDOW, "{unit} are counted by whole numbers of at most {limit:,}.",
        "{unit} BETWEEN 2 PRECEDING AND CURRENT ROW")
    GROUPS_WITHOUT_ORDER = Code.WINDOW, "GROUPS are of rows that an ORDER BY leaves equal.", "add an ORDER BY"
    RANGE_ORDER = (Code.WINDOW, "A RANGE with distances has one ORDER BY value.",
        "ORDER BY ts RANGE BETWEEN INTERVAL '2 hours' PRECEDING AND CURRENT ROW")
    DISTINCT_WINDOW = (Code.WINDOW, "DISTINCT has no window form: rows of a frame come and go.",
        "COUNT(DISTINCT x) with GROUP BY in a subquery")
    WINDOW_CONSTANT = Code.WINDOW, "{name} counts by a constant whole number of {lowest:,} to {highest:,}.", "{form}"
    DEFAULT_OF_OTHER_TYPE = Code.WINDOW, "The default has another type than the values beside it.", "CAST one of them"
    QUALIFY_WITHOUT_WINDOW = (Code.WINDOW, "QUALIFY chooses rows by window functions, and there is none.",
        "WHERE, or HAVING over groups")
    WINDOW_TWICE = Code.WINDOW, "{name} stands twice in WINDOW.", "give each window its own name"
    NESTED_WINDOW = (Code.WINDOW, "A window can't be read by another window of the same SELECT, nor by HAVING.",
        "compute the inner one in a subquery in FROM")
    IGNORE_NULLS = Code.WINDOW, "{name} has no IGNORE NULLS.", "leave IGNORE NULLS out"
    WINDOW_ARGUMENT_COUNT = Code.WINDOW, "{name} takes more arguments.", "{form}"
    WINDOW_ORDER_ARGUMENT = Code.WINDOW, "{name} takes its order from OVER.", "{form}"
    WINDOW_FILTER = (Code.WINDOW, "{name} has no FILTER: it belongs to aggregates.",
        "{name} over rows that WHERE or a subquery in FROM keeps")
    WINDOW_OVER_PRESERVED = (Code.WINDOW,
        "A window over a public table LEFT JOIN a private one would see rows that belong to nobody.",
        "JOIN in place of LEFT JOIN")
    WINDOW_ACROSS_PERSONS = (Code.WINDOW,
        "A window over rows of many people would let one of them move everybody's numbers.",
        "OVER (PARTITION BY {person} ...), within each person's own rows")
    OUTER_WINDOW_ACROSS_PERSONS = (Code.WINDOW,
        "A window over rows of many people would let one of them move everybody's numbers.",
        "GROUP BY {keys}, and windows over its groups: SUM(COUNT(*)) OVER ()")
    RANK_ACROSS_PERSONS = (Code.WINDOW,
        "A rank among the rows of many people would let one of them move everybody's rank.",
        "ask for {quantiles} first, and compare {value} with these numbers in a second question")
    # E_SUBQUERY
    SUBQUERY_TEST_HERE = (Code.SUBQUERY, "A test by a subquery can't stand here.",
        "FROM (SELECT *, x IN (SELECT ...) AS is_in FROM ...)")
    SUBQUERY_HERE = Code.SUBQUERY, "A subquery can't stand here.", "put it into FROM and join it"
    CORRELATED_BY_INEQUALITY = (Code.SUBQUERY,
        "A subquery of one value is tied to the row around it by equalities alone.",
        "a join on the person key, or a window: LAG(x) OVER (...)")
    CORRELATED_VALUES = (Code.SUBQUERY, "A subquery that names the row around it selects one value.",
        "(SELECT MAX(x) FROM ... WHERE ... = ...)")
    SHOWN_IN_WITH_NULLS = (Code.SUBQUERY,
        "IN whose value is shown or negated compares columns that are never NULL, each with one of the subquery's.",
        "EXISTS (SELECT 1 FROM ... WHERE inner.x = outer.x)")
    CORRELATED_QUERY_FORM = (Code.SUBQUERY, "Only a plain SELECT ... FROM ... WHERE can name the row around it.",
        "EXISTS (SELECT 1 FROM ... WHERE inner.x = outer.x)")
    CORRELATED_IN_LIST = (Code.SUBQUERY, "The list of this IN holds values of the row around it, or constants.",
        "EXISTS (SELECT 1 FROM ... WHERE inner.x = outer.x)")
    CORRELATED_VALUE_FORM = (Code.SUBQUERY,
        "A subquery of one value is an aggregate, or looks a row up by its primary key.",
        "(SELECT MAX(x) FROM ... WHERE ... = ...)")
    IN_COLUMN_COUNT = (Code.SUBQUERY, "The subquery behind IN selects {inside} columns, and {outside} stand before it.",
        "x IN (SELECT x FROM ...)")
    NOT_IN_WITH_NULLS = (Code.SUBQUERY, "NOT IN is never true once its list holds a NULL, and this one may.",
        "NOT EXISTS (SELECT 1 FROM ... WHERE ... = ...)")
    PERSON_KEY_MAY_BE_NULL = (Code.SUBQUERY,
        "This person key may be NULL, and NULL is neither in a list nor outside of it.",
        "NOT EXISTS (SELECT 1 FROM ... WHERE ... = ...)")
    CORRELATED_PERSON_QUERY = (Code.SUBQUERY, "Only a plain SELECT ... FROM ... WHERE can name the row around it.",
        "person IN (SELECT person FROM ... GROUP BY person HAVING ...)")
    UNCORRELATED_EXISTS = (Code.SUBQUERY, "This EXISTS is the same for every row.",
        "EXISTS (SELECT 1 FROM ... WHERE inner.x = outer.x)")
    SUBQUERY_TEST_WITH_GROUPS = (Code.SUBQUERY,
        "A test by a subquery stands in WHERE, in the select list or in a key, and not beside groups.",
        "FROM (SELECT *, x IN (SELECT ...) AS is_in FROM ...)")
    VALUE_OF_ONE_PERSON = (Code.SUBQUERY, "The value of this subquery would be one person's.",
        "an aggregate over all persons, or a join on the person key")
    SUBQUERY_NOT_SCALAR = (Code.SUBQUERY,
        "A subquery inside an expression gives one column, and for certain no second row.",
        "(SELECT SUM(x) FROM ...), or a JOIN of what has many rows")
    IN_OF_OTHER_TYPES = Code.SUBQUERY, "{comparison.why}", "compare values of one type"
    RELEASED_NUMBER_IN_CONDITION = (Code.SUBQUERY,
        "People's rows can't be compared with a number that is released in the same statement.",
        "ask for the number first, and write it into the question")
    PUBLIC_ROWS_BY_PRIVATE = (Code.SUBQUERY,
        "Only rows of people can be chosen by rows of people: anything else would tell of them without noise.",
        "a JOIN, and GROUP BY the public columns")
    ROWS_BY_RELEASED_NUMBERS = (Code.SUBQUERY,
        "Private rows can't be chosen by numbers that were released in the same statement.",
        "ask two questions")
    SUBQUERY_OF_TWO_DATASETS = Code.SUBQUERY, "These private tables belong to two datasets.", "ask one question of each"
    ROWS_BY_OTHER_PERSONS = (Code.SUBQUERY, "Rows of people can only be chosen by rows of the same person.",
        "{person} IN (SELECT {inner} FROM ... WHERE ...)")
    SET_WITHOUT_PERSON = (Code.SUBQUERY,
        "{operator} compares people's rows, and so needs the person key in the same place of both select lists.",
        "SELECT {name}, ... {operator} SELECT {name}, ...")
    SET_OF_PRESERVED = (Code.SUBQUERY,
        "{operator} has no rows for what a public table LEFT JOIN a private one keeps where nobody's row matched.",
        "JOIN in place of LEFT JOIN")
    SET_COLUMN_COUNT = (Code.SUBQUERY, "{left} columns and {right} columns can't stand in one list.",
        "the same number of columns on both sides")
    UNION_BY_NAME = (Code.SUBQUERY, "BY NAME is for UNION, of queries in which each name stands once.",
        "give each column its own name by AS")
    SET_COLUMN_TYPES = (Code.SUBQUERY, "{name} and what stands for it in the other query are of two types.",
        "CAST(x AS ...) in one of them")
    # E_BOUNDS
    NO_DECLARED_BOUNDS = (Code.BOUNDS,
        "{name} needs a range that is known without the data: no bounds are declared. Say your own ends.",
        "{clamped}")
    BOUNDS_NOT_MEASURED = (Code.BOUNDS,
        "The bounds of {column} are to be measured, by passersby catalog calibrate of its owner. Say your own ends.",
        "{clamped}")
    # E_SAMPLE
    TABLE_SAMPLE = Code.SAMPLE, "Samples are not in the dialect.", "leave TABLESAMPLE out"
    SELECT_SAMPLE = Code.SAMPLE, "Samples are not in the dialect.", "leave SAMPLE out"
    LIMIT_OF_PRIVATE_ROWS = (Code.SAMPLE, "Rows of people never leave, and can't be cut by LIMIT.",
        "LIMIT behind an aggregate")
    # E_PARAM
    QUANTILE_LEVEL = Code.PARAM, "The level of a quantile is one number from 0 to 1.", "QUANTILE_CONT(x, 0.25)"
    UNKNOWN_ARGUMENT = (Code.PARAM, "{name} has no argument named {argument}.",
        "COUNT(*, contribution_bounds_per_group => (0, 5))")
    OPTION_AS_ARGUMENT = (Code.PARAM, "{name} has no argument named {argument}.",
        "{option} is an option of the question: OPTIONS({option} = {value})")
    NAMED_ARGUMENT = Code.PARAM, "{name} has no argument named {argument}.", "leave {written} out"
    LIMIT_TOO_LARGE = Code.PARAM, "{clause} takes a whole number of at most {limit:,}.", "{clause} 10"
    FETCH_WITHOUT_NUMBER = Code.PARAM, "FETCH takes a number of first rows.", "FETCH FIRST 10 ROWS ONLY"
    RADIUS_WITHOUT_PLACES = (Code.PARAM, "radius_m needs places, and of these rows no lon and lat are known.",
        "leave radius_m out: stays are in one zone then")
    PARAMETER_RANGE = Code.PARAM, "{name} is a number from {lowest:,} to {highest:,}.", "{name} => {example}"
    INTEGER_PARAMETER_RANGE = (Code.PARAM, "{name} is a whole number from {lowest:,} to {highest:,}.",
        "{name} => {example}")
    POSITION_BEHIND_NAME = Code.PARAM, "Behind a named parameter all are named.", "{example}"
    TOO_MANY_VALUES = Code.PARAM, "{name} takes fewer values.", "{example}"
    PARAMETER_TWICE = Code.PARAM, "{name} is given twice.", "give it once"
    UNKNOWN_PARAMETER = Code.PARAM, "{function} has no parameter {name}.", "{example}"
    BOUNDS_FORM = (Code.PARAM, "Bounds are two numbers, the lower first, within {limit:.0e}.",
        "contribution_bounds_per_group => (YOUR_MIN, YOUR_MAX)")
    BOUNDS_TWICE = (Code.PARAM, "Bounds stand twice in this call.",
        "SUM(x, contribution_bounds_per_group => (YOUR_MIN, YOUR_MAX))")
    BOUNDS_IN_NO_CALL = (Code.PARAM, "These bounds stand in no call.",
        "SUM(x, contribution_bounds_per_group => (YOUR_MIN, YOUR_MAX))")
    BOUNDS_NOT_TAKEN = (Code.PARAM,
        "Only SUM, AVG, COUNT and VARIANCE or STDDEV take bounds of what one person adds to a group.",
        "SUM(x, contribution_bounds_per_group => (YOUR_MIN, YOUR_MAX))")
    BOUNDS_WITHIN_PERSON = Code.PARAM, "Bounds belong to an aggregate over many people.", "leave them out here"
    BOUNDS_OF_PERSONS = Code.PARAM, "A person counts once: there is nothing to bound.", "leave them out"
    COUNT_BOUNDS = (Code.PARAM, "Bounds of a count end between 1 and {limit:,}.",
        "contribution_bounds_per_group => (0, YOUR_MAX)")
    NUMBER_PLACEHOLDER = Code.PARAM, "{text} stands for a number that you choose.", "write your number in its place"
    TIME_PLACEHOLDER = Code.PARAM, "{text} stands for a time that you choose.", "write your time in its place"
    CLAUSE_TWICE = Code.PARAM, "The clause stands twice; it holds for the whole question.", "keep the first of them"
    TWO_PRICES = Code.PARAM, "{first} and {second} both decide what the question costs.", "keep {first}"
    UNKNOWN_OPTION = Code.PARAM, "There is no option {name}.", "one of {options}"
    RENAMED_OPTION = Code.PARAM, "There is no option {name}.", "{example}"
    PRIVACY_UNIT_OPTION = (Code.PARAM, "There is no option {name}.",
        "leave it out: the catalog says who a person is")
    OPTION_TWICE = Code.PARAM, "The option {option} stands twice.", "keep one of them"
    OPTION_VALUE = Code.PARAM, "The option {option} takes {accepted}.", "{example}"
    NOTHING_HIDDEN = (Code.PARAM, "All keys of this question are public, so that no group is hidden.",
        "keys = 'private', others = true")
    PUBLIC_KEYS_KEPT = (Code.PARAM, "A LEFT JOIN keeps every key of its public rows, so they are public.",
        "JOIN instead of LEFT JOIN")
