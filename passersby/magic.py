"""IPython extension `passersby`: a line magic to connect, a cell magic for SQL, completion of names and keywords."""

from __future__ import annotations

import argparse
import re
import shlex
from typing import TYPE_CHECKING, Any, NoReturn

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class
from IPython.display import display

from passersby.client.connect import connect
from passersby.client.connection import Connection
from passersby.errors import PassersbyError

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

    from passersby.result.result import Budget, Explanation, Result

ASSIGNMENT = re.compile(r"\s*(\w+)\s*<<\s*")
PREFIX = re.compile(r"[\w.]*$")
SQL_CELL = re.compile(r"\s*%%passersby\b[^\n]*\n", re.DOTALL)
SQL_KEYWORDS = (
    *("SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "HAVING", "LIMIT", "JOIN", "WITH", "AS", "AND", "OR", "NOT"),
    *("IN", "BETWEEN", "CASE", "WHEN", "THEN", "ELSE", "END", "DISTINCT", "UNION ALL", "DIFFERENTIAL_PRIVACY OPTIONS("),
)


class _MagicParser(argparse.ArgumentParser):
    """Argument parser of a magic; errors are raised as UsageError."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError with a one-line message."""
        raise UsageError(f"{message}. %%passersby --help tells the rest.")


def _cell_parser() -> _MagicParser:
    description = "Ask the SQL of the cell. NAME << keeps the answer under a name."
    parser = _MagicParser("%%passersby", description=description, add_help=False)
    parser.add_argument("--explain", action="store_true", help="tell the price and the expected error: free")
    parser.add_argument("--rehearse", action="store_true", help="answer on made-up rows: free, and without meaning")
    parser.add_argument("--rho", help="privacy loss to spend")
    parser.add_argument("--target-error", dest="target_error", help="instead of --rho: half-widths of at most so much")
    parser.add_argument("--confidence", type=float, help="level of the intervals")
    parser.add_argument("--help", action="store_true", help="tell this")
    return parser


@magics_class
class PassersbyMagics(Magics):
    """The magics of one notebook, over one connection at a time."""

    def __init__(self, shell: InteractiveShell) -> None:
        """Register in a shell."""
        super().__init__(shell)
        self._user_namespace = shell.user_ns
        self.connection: Connection | None = None
        self._catalog_names: list[str] = []

    @line_magic("passersby")  # type: ignore[arg-type]
    def line(self, line: str) -> Connection | Budget | None:
        """Open a connection, or show the budget of the open one.

        %passersby https://passersby.example.org    the key is in PASSERSBY_API_KEY
        %passersby operator --client ana            a catalog in process
        %passersby city                             a connection that has this name in the notebook
        %passersby                                  budget spent and left
        """
        words = shlex.split(line)
        if not words:
            return self._require_connection().budget()
        existing = self._user_namespace.get(words[0])
        try:
            self.connection = (
                existing if isinstance(existing, Connection) else connect(words[0], **_connect_options(words[1:]))
            )
            self._catalog_names = _completion_names(self.connection)
        except PassersbyError as error:
            _display_error(error)
            return None
        return self.connection

    @cell_magic("passersby")  # type: ignore[arg-type]
    def cell(self, line: str, cell: str) -> Result | Explanation | None:
        """Run the cell's SQL: %%passersby [NAME <<] [--explain] [--rehearse] [--rho 0.01] [--help]."""
        assignment = ASSIGNMENT.match(line)
        options = _cell_parser().parse_args(shlex.split(line[assignment.end() :] if assignment else line))
        if options.help:
            print(_cell_parser().format_help())  # noqa: T201  help is printed
            return None
        try:
            answer = self._answer(cell, options)
        except PassersbyError as error:
            _display_error(error)
            return None
        if assignment is None:
            return answer
        self._user_namespace[assignment[1]] = answer
        return None

    def _answer(self, sql: str, options: argparse.Namespace) -> Result | Explanation:
        connection = self._require_connection()
        terms = {"rho": options.rho, "target_error": options.target_error, "confidence": options.confidence}
        if options.explain:
            return connection.explain(sql, **terms)
        return connection.rehearse(sql, **terms) if options.rehearse else connection.query(sql, **terms)

    def _require_connection(self) -> Connection:
        if self.connection is None:
            raise UsageError("Open a connection first: %passersby https://..., or %passersby operator")
        return self.connection

    def complete(self, context: CompletionContext) -> SimpleMatcherResult:
        """Complete tables, columns, functions and SQL keywords in a %%passersby cell."""
        from IPython.core.completer import SimpleCompletion

        found = PREFIX.search(context.text_until_cursor)
        prefix = found[0] if found else ""
        offered = [*self._catalog_names, *SQL_KEYWORDS] if SQL_CELL.match(context.full_text) and self.connection else []
        matches = [text for text in offered if prefix and text.lower().startswith(prefix.lower())]
        completions = [SimpleCompletion(text, type="passersby") for text in matches]
        return {"completions": completions, "matched_fragment": prefix, "suppress": bool(matches)}


def load(shell: object) -> None:
    """Register the magics and their completion in an IPython shell."""
    from IPython.core.completer import context_matcher
    from IPython.core.interactiveshell import InteractiveShell

    assert isinstance(shell, InteractiveShell)  # noqa: S101  IPython passes nothing else
    magics = PassersbyMagics(shell)
    shell.register_magics(magics)

    @context_matcher(identifier="passersby")  # type: ignore[untyped-decorator]
    def matcher(context: CompletionContext) -> SimpleMatcherResult:
        return magics.complete(context)

    shell.Completer.custom_matchers.append(matcher)


def _connect_options(words: list[str]) -> dict[str, Any]:
    """Options of the magic line: --client NAME and --ledger FILE."""
    if not words:
        return {}
    options = _MagicParser("%passersby", add_help=False)
    options.add_argument("--client")
    options.add_argument("--ledger")
    return vars(options.parse_args(words))


def _completion_names(connection: Connection) -> list[str]:
    """List tables, columns, qualified columns and functions, each once."""
    tables = connection.tables()
    columns = [column["name"] for table in tables for column in table["columns"]]
    qualified = [f"{table['name']}.{column['name']}" for table in tables for column in table["columns"]]
    functions = [f"{each['name']}(" for each in connection.functions() if str(each["name"])[:1].isalpha()]
    return list(dict.fromkeys([*(table["name"] for table in tables), *columns, *qualified, *functions]))


def _display_error(error: PassersbyError) -> None:
    """Display an error without a traceback."""
    from passersby.result.notebook import Refusal

    display(Refusal(error))
