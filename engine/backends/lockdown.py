"""Lockdown settings of every DuckDB in this process: only attached files, and no later change of settings."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

# set at connect: cursors do not inherit later settings
LOCKDOWN_SETTINGS: Mapping[str, str] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "python_enable_replacements": "false",
    # the first makes row truncation two to four times slower; the second fails on valid SQL, depending on values
    "disabled_optimizers": "top_n_window_elimination,projection_pullup",
}


def lock_down(connection: duckdb.DuckDBPyConnection) -> None:
    """Forbid access outside the attached files and any change of settings: the last step of opening."""
    connection.execute("SET GLOBAL TimeZone='UTC'")  # for its cursors too, which would use the machine's time zone
    connection.execute("SET enable_external_access=false")
    connection.execute("SET lock_configuration=true")
