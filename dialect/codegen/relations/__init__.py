"""Relations and expressions as SQL: Relation -> SELECT text of an engine.

Modules, each before those that import it:

    window_functions, relation.
"""

from __future__ import annotations

from dialect.codegen.relations.relation import write_rows
