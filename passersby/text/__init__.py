"""Words and numbers for people.

Amounts, spans, values -> text.

Modules, each before those that import it:

    caret, csv_cells, numbers.
"""
