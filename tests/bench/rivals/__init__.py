"""The same queries at the same privacy on other systems, each in an environment of its own (docs/accuracy.md).

question x world    questions, worlds     one flat table, the same file for all
bounds              settings, tuning      as a rival comes, and best on the true data
asked               envs, adapters, ours  a rival's own Python; this engine in process
told                results, page, plots  errors, biases, coverage
                    race                  how long everybody takes
"""

from tests.bench.rivals.race import main as race
from tests.bench.rivals.run import main, own

__all__ = ["main", "own", "race"]
