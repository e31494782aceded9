"""A Spark lake: session, frames, backend. Needs the extra [spark].

BoundedSql for Spark -> Exact.

Modules, each before those that import it:

    frames, session, backend.
"""
