"""A Spark lake: session, frames, backend. Needs the extra [spark].

Input: BoundedSql for Spark. Output: Exact.

Modules, each before those that import it:

    frames, session, backend.
"""
