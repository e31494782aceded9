"""Bind a syntax tree to typed relations: name resolution, types, scopes, subqueries.

A sqlglot tree and a Catalog -> a Relation whose kind states whose rows it has: Public, PerPerson (each row is one
person's) or Released (numbers with noise).

Modules, each before those that import it:

    special_calls, scalars, scope, aggregate_fields, aggregates, argument_lists, table_functions, from_clause, group_by,
    subqueries, window_functions, select_list, query.
"""
