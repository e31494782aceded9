"""Draw mutants by a seed, run the quick suite on each, and report how many it caught.

python -m tests.mutants --seed 1 --count 30 --jobs 2

First the quick suite runs once on the code as it is, where it has to pass, and where it notes which files of tests reach
which place; tests that fail there say nothing from then on. A mutant whose place is reached by none is put aside, and counted. Then the files that reach a mutant run on
it, those that are quick first, until a test fails that passes on the code as it is. A mutant that no file catches, or that takes longer than --timeout, has
survived. That files which do not reach a place run no more makes the figure no larger than it is.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from time import monotonic

import pytest

from tests.mutants.drawing import PACKAGES, Mutant, drawn
from tests.support.plugins.slowest_first import measured
from tests.support.tree import ROOT

SPARE = 2  # places watched for each mutant that is wanted: some are reached by no test
BATCHES = (5, 20)  # files that run together, the quickest first; then all others
# tests of the text of the code itself have nothing to say of what it does
TESTS = ("bench", "budgets", "dialect", "engine", "pages", "passersby", "privacy")
MOST_FAILING = 10  # tests that fail on the code as it is; what they say of a mutant counts for nothing
NOTHING_FAILED = {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
PROBE = '''"""Notes which tests reach which places."""

import os

_SEEN = set()


def reached(place):
    seen = place, os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")[0]
    if seen not in _SEEN:
        _SEEN.add(seen)
        with open({folder!r} + f"/{{place}}", "a") as notes:
            notes.write(seen[1] + "\\n")
'''


def taken(folder: Path) -> Path:
    """Copy the tree (what git tracks or would): every result is of this one state."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for file in listed.stdout.splitlines():
        if (ROOT / file).is_file():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, folder / file)
    return folder


def copied(tree: Path, folder: Path) -> Path:
    """Copy a copy."""
    return Path(shutil.copytree(tree, folder))


def suite(tree: Path, *arguments: str, seconds: float | None = None) -> subprocess.CompletedProcess[str]:
    """Run the quick suite, or files of it, in a copy of the tree."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "--quick", "-p", "no:cacheprovider", *arguments]
    with subprocess.Popen(
        command,
        cwd=tree,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as run:
        try:
            told, _ = run.communicate(timeout=seconds)
        finally:
            if run.poll() is None:
                os.killpg(run.pid, 9)
    return subprocess.CompletedProcess(command, run.returncode, told, "")


def apart(mutants: Iterable[Mutant]) -> Iterator[Mutant]:
    """Leave out places within or around another one: both would be watched at once."""
    taken: list[Mutant] = []
    for one in mutants:
        if not any(one.file == each.file and one.start < each.end and each.start < one.end for each in taken):
            taken.append(one)
            yield one


def reaching(source: Path, candidates: Sequence[Mutant], workers: int) -> tuple[list[list[str]], list[str]]:
    """Run the suite on the code as it is; give for each place the files of tests that reach it, and the tests that fail."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as made:
        tree, notes = copied(source, Path(made) / "tree"), Path(made) / "notes"
        notes.mkdir()
        for package in PACKAGES:
            (tree / package / "_probe.py").write_text(PROBE.format(folder=str(notes)), encoding="utf-8")
        for file, places in _by_file(candidates).items():
            text = (tree / file).read_bytes()
            for place in sorted(places, key=lambda place: -candidates[place].start):
                probe = f"{Path(file).parts[0]}._probe"
                text = candidates[place].watched(text, f'__import__("{probe}", fromlist=("_",)).reached({place})')
            (tree / file).write_bytes(text)
        folders = [f"tests/{name}" for name in TESTS if (tree / "tests" / name).is_dir()]
        run = suite(tree, "-n", str(workers), "--dist", "loadfile", "--no-loadscope-reorder", *folders)
        failing = [test.removesuffix(":") for test in _failed(run.stdout)]
        if run.returncode not in {0, 1} or len(failing) > MOST_FAILING:
            raise SystemExit(f"the suite does not pass on the code as it is:\n{run.stdout[-6000:]}")
        return [_noted(notes / str(place)) for place in range(len(candidates))], failing


def _failed(told: str) -> list[str]:
    """Failed tests, from pytest's output."""
    lines = (line for line in told.splitlines() if line.startswith(("FAILED ", "ERROR ")))
    return [line.split(" ", 1)[1].partition(" - ")[0] for line in lines]


def _by_file(candidates: Sequence[Mutant]) -> Mapping[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for place, mutant in enumerate(candidates):
        found[mutant.file].append(place)
    return found


def _noted(notes: Path) -> list[str]:
    """List the files that reach a place, the quickest first."""
    seconds = measured()
    files = set(notes.read_text(encoding="utf-8").split()) if notes.exists() else set()
    return sorted((f for f in files if f.startswith("tests/")), key=lambda f: seconds[f].quick if f in seconds else 1.0)


def caught(mutant: Mutant, tree: Path, files: Sequence[str], seconds: float, failing: Sequence[str] = ()) -> str:
    """Run the files that reach a mutant until one of its tests fails; give that test, or "" where it survives."""
    kept, until = (tree / mutant.file).read_bytes(), monotonic() + seconds
    silent = list(failing)
    try:
        for batch in _batches(files):
            while True:
                (tree / mutant.file).write_bytes(mutant.applied(kept))
                told = _first_failure(tree, batch, silent, until - monotonic())
                if not told:
                    break
                (tree / mutant.file).write_bytes(kept)
                found = [told] if "::" in told else batch
                if not _first_failure(tree, found, silent, until - monotonic()):
                    return told
                silent += found  # it fails on the code as it is, too
    except subprocess.TimeoutExpired:
        return ""
    finally:
        (tree / mutant.file).write_bytes(kept)
    return ""


def _first_failure(tree: Path, tests: Sequence[str], silent: Sequence[str], seconds: float) -> str:
    """Run tests, but for the silent ones, until one fails, and name it; "" where none does."""
    left_out = [word for test in silent for word in ("--deselect", test)]
    run = suite(
        tree, "-x", "-p", "no:xdist", "-p", "no:tests.support.plugins.slowest_first", *left_out, *tests, seconds=seconds
    )
    if run.returncode in NOTHING_FAILED:
        return ""
    return next(iter(_failed(run.stdout)), "no test can be read")


def _batches(files: Sequence[str]) -> Iterator[list[str]]:
    rest = iter(files)
    for size in (*BATCHES, len(files)):
        if batch := list(islice(rest, size)):
            yield batch


@contextmanager
def trees(source: Path, count: int) -> Iterator[SimpleQueue[Path]]:
    """So many copies, each for one mutant at a time."""
    free: SimpleQueue[Path] = SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="mutants-") as made:
        for number in range(count):
            free.put(copied(source, Path(made) / str(number)))
        yield free


def tried(
    source: Path, mutants: Iterable[tuple[Mutant, list[str]]], failing: Sequence[str], jobs: int, seconds: float
) -> Iterator[tuple[Mutant, str]]:
    """Try each mutant, some at a time, and give each with what caught it as they end."""
    with trees(source, jobs) as free, ThreadPoolExecutor(jobs) as pool:

        def one(given: tuple[Mutant, list[str]]) -> tuple[Mutant, str]:
            tree = free.get()
            try:
                return given[0], caught(given[0], tree, given[1], seconds, failing)
            finally:
                free.put(tree)

        yield from pool.map(one, mutants)


def main() -> int:
    """Draw, run and report; fail if fewer are caught than --least."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.split("\n\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--least", type=int, help="fail where fewer are caught (four fifths)")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time")
    parser.add_argument("--timeout", type=float, default=1800.0, help="seconds for one mutant")
    asked = parser.parse_args()
    least = asked.least if asked.least is not None else -(-4 * asked.count // 5)
    with tempfile.TemporaryDirectory(prefix="mutants-") as made:
        return int(report(taken(Path(made) / "source"), asked.seed, asked.count, asked.jobs, asked.timeout) < least)


def report(source: Path, seed: int, count: int, jobs: int, seconds: float) -> int:
    """Report each mutant of a tree; returns how many were caught."""
    candidates = list(islice(apart(drawn(source, seed)), count * SPARE))
    print(f"the quick suite on the code as it is, with {len(candidates)} places watched", flush=True)
    reached, failing = reaching(source, candidates, jobs)
    for test in failing:
        print(f"fails on the code as it is, and is left out: {test}", flush=True)
    places = [place for place, files in enumerate(reached) if files][:count]
    aside = sum(not files for files in reached[: max(places, default=0)])
    print(f"{len(places)} mutants; {aside} more were drawn where no test of the suite comes by", flush=True)
    found, begun = 0, monotonic()
    ended = tried(source, [(candidates[place], reached[place]) for place in places], failing, jobs, seconds)
    for number, (mutant, by) in enumerate(ended, start=1):
        found += bool(by)
        print(f"{number:3} {monotonic() - begun:5.0f} s  {'caught' if by else 'SURVIVED'}  {mutant}", flush=True)
        print(f"             {by or f'{len(reached[places[number - 1]])} files reach it'}", flush=True)
    print(f"caught {found} of {len(places)}")
    return found


if __name__ == "__main__":
    sys.exit(main())
