"""Answers, explanations, tables, budgets and ledger rows as the shapes that leave.

Engine types -> plain dicts.

Modules, each before those that import it:

    explained, notes, answer, budget, ledger, statements, tables.
"""
