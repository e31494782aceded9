"""Wire shapes of answers, explanations, tables, budgets and ledger rows.

Engine types -> plain dicts.

Modules, each before those that import it:

    answer, budget, statements, tables.
"""
