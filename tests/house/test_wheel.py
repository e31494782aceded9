"""The wheel in an empty environment: the client opens alone, names missing extras and shadowing files."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from functools import cache
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from engine.catalog.folders import cache_folder
from tests.support.timeouts import MAX_SECONDS
from tests.support.tree import PACKAGES, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DOOR = tuple(Requirement(line).name for line in PROJECT["dependencies"])
ENGINE = tuple(Requirement(line).name for line in PROJECT["optional-dependencies"]["engine"])
SERVER = tuple(Requirement(line).name for line in PROJECT["optional-dependencies"]["server"][1:])
FLIGHT = tuple(Requirement(line).name for line in PROJECT["optional-dependencies"]["flight"][1:])
CONNECT = """
import passersby
try:
    passersby.connect("operator")
except passersby.PassersbyError as refused:
    print(refused)
"""
SERVE = """
from passersby.client.connect import engine_module
from passersby.errors import InstallError
try:
    with engine_module() as engine:
        engine.serve(print)
except InstallError as missing:
    print(missing)
"""
README = (ROOT / "README.md").read_text(encoding="utf-8")
INSTALL = README.partition("## Install\n")[2].partition("[All pages]")[0]
LESSONS = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
IMPORT_ALL = """
import importlib, pkgutil
for name in ("passersby", "engine", "dialect", "budgets"):
    for found in pkgutil.walk_packages(importlib.import_module(name).__path__, name + "."):
        of_spark = found.name.startswith("engine.backends.spark")
        if of_spark or found.name == "passersby.magic" or found.name.endswith("__main__"):
            continue  # IPython loads the magic, the extra [spark] brings what Spark's files load
        if found.name.startswith("engine.server.flight.") and not {flight}:
            continue
        if {server} or not found.name.startswith("engine.server."):
            importlib.import_module(found.name)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        timeout=MAX_SECONDS,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def door_alone(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment with the wheel and the client's dependencies only."""
    return _environment(tmp_path_factory.mktemp("door"), wheel, DOOR)


@pytest.fixture(scope="module")
def with_engine(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment with `passersby[engine]`."""
    return _environment(tmp_path_factory.mktemp("engine"), wheel, DOOR + ENGINE)


def test_the_wheel_holds_four_packages_with_their_data(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    assert {name.partition("/")[0] for name in packed if ".dist-info" not in name} == set(PACKAGES)
    data = {
        path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in {".sql", ".toml", ".lark", ".md"}
    }
    assert {str(path.relative_to(ROOT)) for path in data} <= packed


def test_the_client_imports_without_extras(door_alone: Path, tmp_path: Path) -> None:
    assert _run(door_alone, tmp_path, "import passersby, passersby.cli.app; print(passersby.__name__)") == "passersby"


def test_the_command_line_helps_without_extras(door_alone: Path, tmp_path: Path) -> None:
    program = "import sys; sys.argv = ['passersby', '--help']; from passersby.cli.app import app; app()"
    assert "demo" in _run(door_alone, tmp_path, program)


def test_connect_names_the_missing_extra(door_alone: Path, tmp_path: Path) -> None:
    said = _run(door_alone, tmp_path, CONNECT)
    assert "pip install --editable '.[engine]'" in said.replace('"', "'")


def test_the_extra_brings_all_that_the_engine_imports(with_engine: Path, tmp_path: Path) -> None:
    _run(with_engine, tmp_path, IMPORT_ALL.format(server=False, flight=False))


@pytest.mark.parametrize("flight", [False, True])
def test_the_servers_extras_bring_all_that_they_import(
    wheel: Path, tmp_path_factory: pytest.TempPathFactory, flight: bool
) -> None:
    folder = tmp_path_factory.mktemp("server")
    there = _environment(folder / "there", wheel, DOOR + ENGINE + SERVER + (FLIGHT if flight else ()))
    _run(there, folder, IMPORT_ALL.format(server=True, flight=flight))


def test_serve_names_the_missing_extra(with_engine: Path, tmp_path: Path) -> None:
    said = _run(with_engine, tmp_path, SERVE, PASSERSBY_CACHE=str(cache_folder()), PASSERSBY_DATA=str(tmp_path))
    assert "pip install --editable '.[server]'" in said


@pytest.mark.parametrize("program", LESSONS)
def test_the_readme_s_python_needs_the_engine_s_extra_alone(with_engine: Path, tmp_path: Path, program: str) -> None:
    said = _run(with_engine, tmp_path, program, PASSERSBY_CACHE=str(cache_folder()), PASSERSBY_DATA=str(tmp_path))
    assert "±" in said


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_every_convenience_has_an_extra_that_the_readme_names(package: str) -> None:
    assert [Requirement(line).name for line in PROJECT["optional-dependencies"][package]] == [package]
    assert f"`{package}`" in INSTALL


def test_every_user_extra_and_no_developer_extra_is_in_the_readme() -> None:
    named = set(re.findall(r"`(\w+)`", INSTALL)) | {"engine"}
    assert "'.[engine]'" in INSTALL and named == PROJECT["optional-dependencies"].keys() - {"dev", "fuzz", "bench"}


@pytest.mark.parametrize("shadow", ["engine.py", "dialect.py", "budgets/__init__.py"])
def test_connect_names_the_file_that_shadows_a_package(with_engine: Path, tmp_path: Path, shadow: str) -> None:
    decoy = tmp_path / shadow
    decoy.parent.mkdir(exist_ok=True)
    decoy.write_text("raise SystemExit('the decoy ran')\n", encoding="utf-8")
    said = _run(with_engine, tmp_path, CONNECT)
    assert str(decoy) in re.sub(r"\s+", " ", said)


def _environment(folder: Path, wheel: Path, distributions: tuple[str, ...]) -> Path:
    """Make an environment with the wheel and, linked to what is installed here, distributions and all they need."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=MAX_SECONDS)
    (packages,) = folder.glob("lib/python*/site-packages")
    for name in sorted(_with_dependencies({str(canonicalize_name(name)) for name in distributions})):
        _link(distribution(name), packages)
    for package in sorted(_unpacked(wheel).iterdir()):
        (packages / package.name).symlink_to(package)
    return folder / "bin" / "python"


@cache
def _unpacked(wheel: Path) -> Path:
    """Unpack the wheel once, so that the first environment compiles its modules for all."""
    folder = wheel.with_suffix("")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def _with_dependencies(names: set[str]) -> set[str]:
    """Add what these distributions require, and what that requires."""
    required = {
        str(canonicalize_name(requirement.name))
        for name in names
        for requirement in map(Requirement, distribution(name).requires or ())
        if _applies(requirement)
    }
    return names if required <= names else _with_dependencies(names | required)


def _applies(requirement: Requirement) -> bool:
    """Does a requirement apply here, without extras?"""
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _link(installed: Distribution, packages: Path) -> None:
    """Link a distribution's top-level files and folders."""
    tops = {file.parts[0] for file in installed.files or () if file.parts[0] not in {"..", "__pycache__"}}
    for top in tops:
        (packages / top).symlink_to(installed.locate_file(top))


def _run(python: Path, folder: Path, program: str, **settings: str) -> str:
    """Run a program in a folder, as an interactive Python does: the folder comes first on the path."""
    ran = subprocess.run(
        [python, "-c", program], cwd=folder, env=settings, capture_output=True, text=True, timeout=MAX_SECONDS
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()
