"""connect: one signature for all time, and a plain word where it cannot open."""

from __future__ import annotations

import gc
import inspect
import sys
from pathlib import Path
from types import ModuleType

import pytest

import passersby
from passersby.client import connect


def test_the_signature_of_connect_is_unchanged() -> None:
    parameters = inspect.signature(passersby.connect).parameters.values()
    assert [(p.name, p.kind.name, p.default) for p in parameters] == [
        ("where", "POSITIONAL_OR_KEYWORD", inspect.Parameter.empty),
        ("client", "KEYWORD_ONLY", None),
        ("api_key", "KEYWORD_ONLY", None),
        ("ledger", "KEYWORD_ONLY", None),
    ]


def test_a_key_is_for_servers(town: Path) -> None:
    with pytest.raises(passersby.RefusedError, match="api_key"):
        passersby.connect(town, api_key="k")


@pytest.mark.parametrize("client", ["", "  "])
def test_an_empty_client_name_is_refused(town: Path, client: str) -> None:
    for where in (str(town), "https://passersby.example.org"):
        with pytest.raises(passersby.RefusedError, match="name is empty"):
            passersby.connect(where, client=client)


@pytest.mark.parametrize("where", ["nowhere", "nowhere.toml", "opperator"])
def test_a_missing_catalog_is_refused(where: str) -> None:
    with pytest.raises(passersby.CatalogError) as refused:
        passersby.connect(where)
    assert "operator" in refused.value.hint


def test_a_catalog_that_is_wrong_names_file_key_and_cure(town: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "catalog.toml"
    wrong.write_text(town.read_text(encoding="utf-8").replace('kind = "public"', 'kind = "open"'), encoding="utf-8")
    with pytest.raises(passersby.CatalogError) as refused:
        passersby.connect(wrong)
    assert str(wrong) in str(refused.value)
    assert "tables.zone.kind" in str(refused.value)
    assert refused.value.details["key"] == "tables.zone.kind"


def test_the_client_is_the_user_unless_named(town: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "maria")
    with passersby.connect(town, ledger=tmp_path / "a.ledger") as connection:
        assert connection.client == "maria"


def test_a_machine_without_users_has_an_analyst(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise KeyError("no such user")

    monkeypatch.setattr("getpass.getuser", unknown)
    assert connect.user_name() == "analyst"


def test_a_missing_package_names_the_extra() -> None:
    error = connect.missing_extra_error(ModuleNotFoundError("No module named 'duckdb'", name="duckdb.typing"))
    assert "duckdb" in error.message
    assert error.hint == "pip install --editable '.[engine]', in the clone of passersby"
    assert isinstance(error, passersby.InstallError)


@pytest.mark.parametrize("name", connect.ENGINE_PACKAGES)
def test_a_module_from_elsewhere_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoy = tmp_path / f"{name}.py"
    decoy.write_text("raise SystemExit('the decoy ran')\n", encoding="utf-8")
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(passersby.InstallError) as refused:
        connect.check_packages()
    assert str(decoy) in str(refused.value)
    assert refused.value.hint.startswith(f"rename {name}.py")


def test_a_module_made_in_memory_is_not_taken_for_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "engine", ModuleType("engine"))
    with pytest.raises(passersby.InstallError, match="engine"):
        connect.check_packages()


def test_our_own_packages_are_accepted() -> None:
    connect.check_packages()


@pytest.mark.parametrize("collecting", [True, False])
def test_garbage_is_looked_for_after_the_engine_is_loaded_as_before(collecting: bool) -> None:
    was = gc.isenabled()
    (gc.enable if collecting else gc.disable)()
    try:
        with connect.engine_module():
            assert gc.isenabled() is collecting
    finally:
        (gc.enable if was else gc.disable)()
