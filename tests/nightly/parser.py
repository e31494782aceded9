"""The parser under bytes that libFuzzer makes, led by what of the dialect they reach; every chunk starts from whole statements."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fuzz_atheris import text_of
from tests.nightly.search import EXAMPLES
from tests.nightly.statements import adversarial
from tests.support.sql.broken_sql import corpus, tokens
from tests.support.sql.statement_outcome import outcome
from tests.support.tree import ROOT

RUNS = 20_000  # inputs of a chunk
LONGEST = 400  # characters of an input
SECONDS = 3_600  # after which a chunk is given up
_DONE = re.compile(r"Done (\d+) runs|stat::number_of_executed_units: (\d+)")


def lacking() -> str:
    """Note that the fuzzer is not installed, or nothing."""
    return "" if find_spec("atheris") is not None else "atheris is not installed: pip install '.[fuzz]'"


def chunk(number: int, runs: int = RUNS) -> Counter[str]:
    """Run the fuzzer in a process of its own; raises AssertionError with what it found, made small."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        _write(home)
        options = (f"-runs={runs}", f"-seed={1 + number % 2**31}", f"-max_len={LONGEST}", "-print_final_stats=1")
        files = (f"-artifact_prefix={home}/found-", f"-dict={home / 'words'}", str(home / "corpus"))
        command = [sys.executable, "-m", "tests.fuzz_atheris", *options, *files]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=SECONDS)  # ours
        told = (ran.stdout + ran.stderr).decode(errors="replace")
        found = [text_of(path.read_bytes()) for path in home.glob("found-*")]
    assert not found, f"{smallest(found[0])!r}\n{told[-2_000:]}"
    done = [int(first or second) for first, second in _DONE.findall(told)]
    assert ran.returncode == 0 and done, told[-2_000:]
    return Counter({EXAMPLES: max(done)})


def smallest(text: str) -> str:
    """Leave out what can be left out of a text that raises."""
    size = len(text) // 2
    while size:
        shorter = [text[:at] + text[at + size :] for at in range(0, len(text), size)]
        raising = next((each for each in shorter if _raises(each)), None)
        text, size = (text, size // 2) if raising is None else (raising, min(size, len(raising) // 2))
    return text


def _raises(text: str) -> bool:
    try:
        outcome(text, adversarial())
    except Exception:  # whatever it is, it is no refusal
        return True
    return False


def _write(home: Path) -> None:
    """Write whole statements to start from, and their words."""
    (home / "corpus").mkdir()
    statements = corpus()
    for place, sql in enumerate(statements):
        (home / "corpus" / str(place)).write_text(sql[:LONGEST], encoding="utf-8")
    words = {
        word
        for sql in statements
        for word in tokens(sql)
        if re.fullmatch(r"[\w.<>=|!~@#&^:+*/%()-]{1,40}", word, re.ASCII)
    }
    (home / "words").write_text("".join(f'"{word}"\n' for word in sorted(words)), encoding="utf-8")
