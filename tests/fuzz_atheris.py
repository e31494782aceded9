"""The parser under coverage-guided bytes: `python -m tests.fuzz_atheris CORPUS -runs=10000` with the extra `fuzz` installed.

Any bytes are text; nothing but a question, a statement or a refusal may come out. The options are libFuzzer's.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

FOLLOWED = ["dialect", "sqlglot.parser", "sqlglot.parsers", "sqlglot.tokens", "sqlglot.dialects.duckdb"]


def text_of(data: bytes) -> str:
    """Decode bytes as text; invalid UTF-8 becomes surrogates, which no interface rejects before the parser."""
    return data.decode("utf-8", "surrogateescape")


def main() -> None:
    """Hand over to libFuzzer, which ends the process: with an exit code that is not 0 where anything was found."""
    atheris = import_module("atheris")
    with atheris.instrument_imports(include=FOLLOWED):
        import_module("dialect")
    from tests.support.neighbours.attack_catalog import attack_catalog
    from tests.support.sql.statement_outcome import outcome

    with TemporaryDirectory() as folder:
        catalog = attack_catalog(Path(folder))
        atheris.Setup(sys.argv, lambda data: outcome(text_of(data), catalog))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
