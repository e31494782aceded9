"""An environment of its own for every rival, in the cache folder: made once, never part of the project."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.catalog.folders import cache_folder

ADAPTERS = Path(__file__).parent / "adapters"
PYTHONS = ("python3.11", "python3.12", "python3.10", "python3.13", "python3")  # in this order; 3.11 suits all today
LONGEST_SECONDS = 1_500  # of one question of one rival, all its runs; PASSERSBY_RIVALS_SECONDS changes it


@dataclass(frozen=True)
class Rival:
    """One system: its packages on PyPI, and its adapter."""

    name: str
    packages: tuple[str, ...]
    adapter: str
    runs: int = 3  # of each question: every run has a hundred groups and more, and its own noise


RIVALS = (
    Rival("SmartNoise SQL", ("smartnoise-sql==1.0.10", "pyarrow"), "smartnoise.py"),
    Rival("OpenDP Polars", ("opendp[polars]==0.16.0", "pyarrow"), "opendp_polars.py"),
    Rival("Qrlew", ("pyqrlew==0.9.27", "duckdb==2.0.1", "pyarrow"), "qrlew.py"),
    Rival("Tumult Analytics", ("tmlt.analytics==0.21.0", "pyarrow"), "tumult.py", 1),
)


def folder() -> Path:
    """Find the folder of environments, data and answers; made where it is missing."""
    found = Path(os.environ.get("PASSERSBY_RIVALS", cache_folder() / "rivals")).expanduser()
    found.mkdir(parents=True, exist_ok=True)
    return found


def installed(rival: Rival) -> str | None:
    """Install a rival where it is not yet; give its own error where it can't be."""
    place = folder() / "venvs" / rival.adapter.removesuffix(".py")
    done = place / "installed.json"
    if done.exists() and json.loads(done.read_text()) == list(rival.packages):
        return None
    errors = []
    for python in filter(shutil.which, PYTHONS):
        made = subprocess.run([python, "-m", "venv", "--clear", str(place)], capture_output=True, text=True)
        if made.returncode == 0:
            pip = [str(place / "bin/python"), "-m", "pip", "--disable-pip-version-check", "-q", "install"]
            made = subprocess.run([*pip, *rival.packages], capture_output=True, text=True)
        if made.returncode == 0:
            done.write_text(json.dumps(rival.packages))
            return None
        errors.append(f"{python}: {(made.stderr.strip().splitlines() or ['no word'])[-1]}")
    return "; ".join(errors) or f"none of {', '.join(PYTHONS)} is here"


def asked_of(rival: Rival, job: dict[str, Any], name: str) -> dict[str, Any]:
    """Run one query on a rival; its answers, or {"error": its own words}. Cached: delete a file to run it again."""
    place = folder() / "asked" / f"{name}.json"
    place.parent.mkdir(exist_ok=True)
    answer = place.with_suffix(".answer.json")
    if answer.exists() and place.exists() and json.loads(place.read_text()) == job:
        return json.loads(answer.read_text())
    answer.unlink(missing_ok=True)
    place.write_text(json.dumps(job))
    python = folder() / "venvs" / rival.adapter.removesuffix(".py") / "bin/python"
    longest = int(os.environ.get("PASSERSBY_RIVALS_SECONDS", LONGEST_SECONDS))
    ran = [str(python), "-W", "ignore", str(ADAPTERS / rival.adapter), str(place)]
    scratch = folder() / "scratch"  # Spark writes its tables where it is started
    scratch.mkdir(exist_ok=True)
    try:
        made = subprocess.run(ran, capture_output=True, text=True, timeout=longest, cwd=scratch)
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {longest} s"}
    if answer.exists():
        return json.loads(answer.read_text())
    return {"error": (made.stderr.strip().splitlines() or [f"ended with {made.returncode}"])[-1]}
