"""Text forms of numbers, values and source positions.

Amounts, spans, values -> text.

Modules, each before those that import it:

    csv_cells, numbers.
"""
