"""Answers and explanations of a query, and their output: terminal, notebook, plots, files.

Arrow and a card -> Result.

Modules, each before those that import it:

    card, bars, summary, notebook, terminal, display, wire, explanation, exports, terminal_lists, listing, plotting,
    result, terminal_admin.
"""
