"""Answers and explanations of a query, and their output: terminal, notebook, plots, files.

Arrow and a card -> Result.

Modules, each before those that import it:

    protocols, bars, card_text, summary, notebook, terminal, wire, explanation, exports, terminal_lists, listing,
    plotting, result, terminal_admin.
"""
