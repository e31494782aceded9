"""DB-API 2.0 and SQLAlchemy.

A Connection -> cursors.

Modules, each before those that import it:

    binding, errors, types, dbapi, sqlalchemy.
"""
