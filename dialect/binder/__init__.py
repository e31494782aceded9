"""Bind a syntax tree to typed relations: name resolution, types, scopes, subqueries.

A sqlglot tree and a Catalog -> Relation.

Modules, each before those that import it:

    node_arguments, special_calls, scalars, scope, aggregates, arities, argument_lists, table_functions, from_clause,
    group_by, subqueries, window_functions, select_list, query.
"""
