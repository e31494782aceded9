"""How much the quick suite finds: mutants of the code are drawn by a seed, and the suite is run on each.

`python -m tests.mutants --seed 1 --count 30` prints a line a mutant, and how many were caught.
"""
