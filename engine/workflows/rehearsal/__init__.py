"""A question over made-up rows, free of charge.

A request -> an Answer whose numbers mean nothing.

Modules, each before those that import it:

    values, rows, engine.
"""
