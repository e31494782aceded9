"""Answers and explanations of a query, and their output: terminal, plots, files.

Arrow and a card -> Result.

Modules, each before those that import it:

    card, bars, summary, terminal, terminal_lists, notebook, wire, exports, plotting, maps, result, terminal_admin.
"""
