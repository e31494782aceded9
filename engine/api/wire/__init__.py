"""Wire shapes of answers, explanations, tables, budgets and ledger rows.

Engine types -> plain dicts.

Modules, each before those that import it:

    row_order, answer, budget, ledger, statements, tables.
"""
