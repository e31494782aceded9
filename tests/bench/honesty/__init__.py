"""Do intervals cover the exact value, and how far is the error from what one fixed clip bound could have reached?

`python -m tests.bench honesty --help` lists the options. Four catalogs, questions in 13 classes, three prices, several
draws; every number is compared with plain DuckDB over eligible rows, and with the hindsight bound (DESIGN 10).

questions x catalog   questions, operator_questions, mibici_questions, heavy, catalogs
known                 hindsight, truth              exact values and the best fixed clip bound, cached
asked                 asking                        through the session, a new ledger each draw
told                  cells, figures, page, plot    all cells as JSON; figures with their confidence
                      run                           options
"""

from tests.bench.honesty.run import command

__all__ = ["command"]
