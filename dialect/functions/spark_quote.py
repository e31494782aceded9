"""How Spark is given text that can be nothing else."""

from __future__ import annotations

# '$' and '{' together are a variable to Spark, in whose place it puts its own text wherever they stand; braces alone
# would be places of arguments in a form
_SPOKEN = str.maketrans({"\\": "\\\\", "'": "\\'", **{sign: f"\\u{ord(sign):04X}" for sign in "${}\x00"}})


def quoted(text: str) -> str:
    """Write text as a constant of Spark; https://spark.apache.org/docs/latest/sql-ref-literals.html."""
    return f"'{text.translate(_SPOKEN)}'"


def quoted_name(identifier: str) -> str:
    """Write a stored name; https://spark.apache.org/docs/latest/sql-ref-identifier.html."""
    return "`" + identifier.replace("`", "``") + "`"
