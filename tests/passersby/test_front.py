"""The client's front: thin, light, and of the version that was built."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib

import passersby
from tests.support.timeouts import MAX_SECONDS
from tests.support.tree import ROOT

# what a first line must not wait for; tests/house/test_import_time.py has the engine's own
HEAVY = {
    "IPython",
    "asyncio",
    "httpx2",
    "importlib.metadata",
    "multiprocessing",
    "pandas",
    "pyarrow",
    "rich",
    "typer",
    "unittest",
}


def test_importing_the_client_loads_no_display_and_no_command_line() -> None:
    program = "import json, sys, passersby; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(
        subprocess.check_output([sys.executable, "-S", "-c", program], cwd=ROOT, text=True, timeout=MAX_SECONDS)
    )
    assert not HEAVY & set(loaded)
    assert len([name for name in loaded if name.startswith("passersby")]) < 18


def test_the_version_is_the_project_s() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert passersby.__version__ == project["version"]
