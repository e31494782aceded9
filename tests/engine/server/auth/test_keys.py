"""Keys: shown once, kept as hashes, ended, changed with an overlap, taken back."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier

import pytest

from budgets import OWNER, LedgerUnavailable, ParamError
from engine.server.auth import keys as keys_module
from engine.server.auth.keys import PREFIX, Keys, Principal, read_pepper
from engine.server.http.roles import Role
from engine.server.storage import MEMORY, ServerTables, later_text
from tests.support.ledger import postgres
from tests.support.server.serving import PEPPER, TestServer, bearer


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[Keys]:
    """Keys of a server on disk."""
    books = ServerTables.open_for(str(tmp_path / "books"))
    yield Keys(books, PEPPER)
    books.close()


def made(keys: Keys, **more: float) -> tuple[str, str]:
    told = keys.make("ana", Role.ANALYST, by="root", days=more.get("days", 1))
    return told["key"], told["id"]


def test_a_key_is_256_bits_and_opens_what_it_was_made_for(keys: Keys) -> None:
    key, key_id = made(keys)
    assert re.fullmatch(rf"{PREFIX}[\w-]{{43}}", key)
    assert keys.principal(key) == Principal("ana", Role.ANALYST, key_id)
    assert made(keys)[0] != key


def test_stored_hashes_are_not_usable_as_keys(keys: Keys, tmp_path: Path) -> None:
    key, _ = made(keys)
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("books*"))
    assert b"ana" in stored
    assert key.encode() not in stored
    assert key.removeprefix(PREFIX).encode() not in stored
    assert not [row for row in keys.list_keys() if "key" in row or "hash" in row]
    assert Keys(keys.tables, b"q" * 32).principal(key) is None  # the books without the secret


@pytest.mark.parametrize("text", ["", PREFIX, "pby_" + "A" * 43, "Bearer", "ana", "\0", "pby_é"])
def test_an_invalid_key_is_refused(keys: Keys, text: str) -> None:
    assert keys.principal(text) is None


def test_a_key_expires(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    key, _ = made(keys, days=1)
    monkeypatch.setattr(keys_module, "now_text", lambda: later_text(hours=23))
    assert keys.principal(key) is not None
    monkeypatch.setattr(keys_module, "now_text", lambda: later_text(hours=25))
    assert keys.principal(key) is None


def test_two_keys_overlap_while_one_is_changed(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    old, old_id = made(keys, days=2)
    new = keys.rotate(old_id, by="ana", days=2, overlap_hours=3)
    assert keys.principal(old) is not None
    assert keys.principal(new["key"]) is not None
    monkeypatch.setattr(keys_module, "now_text", lambda: later_text(hours=4))
    assert keys.principal(old) is None
    assert keys.principal(new["key"]) is not None
    with pytest.raises(ParamError):
        keys.rotate(old_id, by="ana", days=2, overlap_hours=3)


def test_an_overlap_lengthens_no_life(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    old, old_id = made(keys, days=0.01)
    keys.rotate(old_id, by="ana", days=2, overlap_hours=300)
    monkeypatch.setattr(keys_module, "now_text", lambda: later_text(hours=1))
    assert keys.principal(old) is None


def test_a_key_is_revoked_at_once(keys: Keys) -> None:
    key, key_id = made(keys)
    assert not keys.revoke(key_id)["lives"]
    assert keys.principal(key) is None


def test_revoking_a_key_revokes_its_rotated_successor(keys: Keys) -> None:
    _, key_id = made(keys)
    next_one = keys.rotate(key_id, by="ana", days=2, overlap_hours=3)
    last = keys.rotate(next_one["id"], by="ana", days=2, overlap_hours=3)
    keys.revoke(key_id)
    assert keys.principal(next_one["key"]) is None and keys.principal(last["key"]) is None


def test_revoking_a_key_revokes_the_last_of_many_rotations() -> None:
    """One call a change went too deep after some nine hundred, and the last keys lived on."""
    keys = Keys(ServerTables.open_for(MEMORY), PEPPER)
    first = last = keys.make("ana", Role.ANALYST, by="root", days=1)
    for _ in range(1000):
        last = keys.rotate(last["id"], by="ana", days=1, overlap_hours=0.5)
    keys.revoke(first["id"])
    assert keys.principal(last["key"]) is None and not any(row["lives"] for row in keys.list_keys())
    keys.tables.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def two_servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Keys, Keys]]:
    """Keys of two servers that share their tables."""
    address = str(tmp_path / "books") if request.param == "sqlite" else postgres.server().new_ledger()
    one, other = (Keys(ServerTables.open_for(address), PEPPER) for _ in range(2))
    yield one, other
    one.tables.close()
    other.tables.close()


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Run a function once, when the next key is generated."""
    drawn = secrets.token_hex

    def later(size: int) -> str:
        monkeypatch.setattr(secrets, "token_hex", drawn)
        act()
        return drawn(size)

    monkeypatch.setattr(secrets, "token_hex", later)


def test_a_key_that_is_taken_back_while_it_is_changed_has_no_next_one(
    two_servers: tuple[Keys, Keys], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = two_servers
    _, key_id = made(one)
    meanwhile(monkeypatch, lambda: other.revoke(key_id))
    with pytest.raises(ParamError):
        one.rotate(key_id, by="ana", days=2, overlap_hours=3)
    assert [row["lives"] for row in one.list_keys()] == [False]


def test_the_shorter_overlap_of_two_simultaneous_rotations_is_used(
    two_servers: tuple[Keys, Keys], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The later one wrote the end that it had read before, and a key that had ended opened again."""
    one, other = two_servers
    old, key_id = made(one, days=2)
    meanwhile(monkeypatch, lambda: other.rotate(key_id, by="ana", days=2, overlap_hours=3))
    one.rotate(key_id, by="ana", days=2, overlap_hours=24)
    assert one.find(key_id)["expires_at"] < later_text(hours=4)
    meanwhile(monkeypatch, lambda: other.rotate(key_id, by="ana", days=2, overlap_hours=0))
    with pytest.raises(ParamError):
        one.rotate(key_id, by="ana", days=2, overlap_hours=24)
    assert one.principal(old) is None


def test_no_rotated_key_outlives_a_revocation_in_any_order(two_servers: tuple[Keys, Keys]) -> None:
    one, other = two_servers

    def change(key_id: str, together: Barrier) -> None:
        together.wait()
        with suppress(ParamError):
            one.rotate(key_id, by="ana", days=2, overlap_hours=3)

    def take_back(key_id: str, together: Barrier) -> None:
        together.wait()
        other.revoke(key_id)

    with ThreadPoolExecutor(3) as threads:
        for _ in range(30):
            (_, key_id), together = made(one), Barrier(3)
            acts = [threads.submit(act, key_id, together) for act in (change, change, take_back)]
            for act in acts:
                act.result()
            assert not any(row["lives"] for row in one.list_keys())


@pytest.mark.parametrize("taken_back", ["again", "revoked"])
def test_a_revoked_key_cannot_create_another(
    two_servers: tuple[Keys, Keys], taken_back: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lived on: whoever held the admin's key kept a key of their own."""
    one, other = two_servers
    (_, ana), first = made(one), one.bootstrap("root", days=1)
    admitted = one.principal(first["key"])
    assert admitted is not None
    take_back = {
        "again": lambda: other.bootstrap("eve", days=1, again=True),
        "revoked": lambda: other.revoke(first["id"]),
    }
    for act in (
        lambda: one.make("mallory", Role.ADMIN, by="root", days=1, maker=admitted.key_id),
        lambda: one.rotate(ana, by="root", days=1, overlap_hours=0, maker=admitted.key_id),
    ):
        meanwhile(monkeypatch, take_back[taken_back])
        with pytest.raises(ParamError, match="has ended"):
            act()
    assert one.principal_by_id(ana) is not None and not [row for row in one.list_keys() if row["name"] == "mallory"]


def test_an_admin_s_request_makes_no_key_after_theirs_was_taken_back(
    served: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, ana = served.house.keys, made_over_http(served, days=1)["id"]
    for name, path in (("root", "/v1/admin/keys"), ("boss", f"/v1/admin/keys/{ana}/rotate")):
        admin = keys.make(name, Role.ADMIN, by="test", days=1)
        meanwhile(monkeypatch, lambda gone=admin["id"]: keys.revoke(gone))
        asked = {"name": "mallory", "role": "admin"} if name == "root" else {}
        answer = served.client.post(path, headers=bearer(admin["key"]), json=asked)
        assert (answer.status_code, answer.json()["code"]) == (400, "E_PARAM"), answer.text
    assert "mallory" not in {row["name"] for row in keys.list_keys()}
    assert keys.principal_by_id(ana) is not None


@pytest.mark.parametrize("name", [OWNER, "*", "*x", "a/*b", "a//b", ""])
def test_no_key_bears_a_name_of_the_ledger_s_own(keys: Keys, name: str) -> None:
    for role in Role:
        with pytest.raises(ParamError):
            keys.make(name, role, by="test", days=1)


def test_a_client_cannot_extend_its_key_or_take_another_s(served: TestServer) -> None:
    own, other = (made_over_http(served, days=1) for _ in range(2))
    key, key_id = own["key"], own["id"]
    asked = {"days": 3650, "overlap_hours": 0}
    new = served.client.post(f"/v1/admin/keys/{key_id}/rotate", headers=bearer(key), json=asked).json()
    assert new["expires_at"] <= later_text(days=1)
    path = f"/v1/admin/keys/{other['id']}/rotate"
    assert served.client.post(path, headers=bearer(new["key"]), json={}).status_code == 404
    longer = served.send("POST", f"/v1/admin/keys/{new['id']}/rotate", Role.ADMIN, json=asked).json()
    assert longer["expires_at"] > later_text(days=3000)


@pytest.mark.parametrize("days", [0, -1, 3651])
def test_a_lifetime_of_zero_days_is_refused(served: TestServer, days: float) -> None:
    key = {"name": "org/ana", "role": "analyst", "days": days}
    key_id = made_over_http(served, days=1)["id"]
    for path, body in (("/v1/admin/keys", key), (f"/v1/admin/keys/{key_id}/rotate", {"days": days})):
        answer = served.send("POST", path, Role.ADMIN, json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "E_PARAM")


def made_over_http(served: TestServer, days: float) -> dict[str, str]:
    asked = {"name": "org/ana", "role": "analyst", "days": days}
    told: dict[str, str] = served.send("POST", "/v1/admin/keys", Role.ADMIN, json=asked).json()
    return told


def test_the_first_admin_is_made_once(keys: Keys) -> None:
    first = keys.bootstrap("root", days=1)
    with pytest.raises(ParamError):
        keys.bootstrap("mallory", days=1)
    keys.revoke(first["id"])
    assert keys.bootstrap("root", days=1)["role"] == "admin"  # whoever is on the machine may begin again


def test_of_two_first_admins_at_once_there_is_one(
    two_servers: tuple[Keys, Keys], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = two_servers
    meanwhile(monkeypatch, lambda: other.bootstrap("root", days=1))
    with pytest.raises(ParamError):
        one.bootstrap("mallory", days=1)
    assert [row["name"] for row in one.list_keys()] == ["root"]


def test_bootstrap_again_revokes_every_admin_key_and_no_other(two_servers: tuple[Keys, Keys]) -> None:
    keys, _ = two_servers
    first, (ana, _) = keys.bootstrap("root", days=1), made(keys)
    next_one = keys.rotate(first["id"], by="root", days=1, overlap_hours=3)
    keys.revoke(keys.make("gone", Role.ADMIN, by="root", days=1)["id"])
    with pytest.raises(ParamError, match="bootstrap --again"):
        keys.bootstrap("eve", days=1)
    again = keys.bootstrap("eve", days=1, again=True)
    assert again["taken_back"] == ["root", "root"] and first["taken_back"] == []
    assert keys.principal(first["key"]) is None and keys.principal(next_one["key"]) is None
    assert keys.principal(again["key"]) is not None and keys.principal(ana) is not None


def test_a_failed_bootstrap_revokes_no_key(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    first = keys.bootstrap("root", days=1)
    monkeypatch.setattr(secrets, "token_hex", lambda _: first["id"])  # the row that can't be written
    with pytest.raises(LedgerUnavailable):
        keys.bootstrap("eve", days=1, again=True)
    assert keys.principal(first["key"]) is not None


@pytest.mark.parametrize("days", [0, -1, 5000, float("nan")])
def test_a_key_has_a_maximum_lifetime(keys: Keys, days: float) -> None:
    with pytest.raises(ParamError):
        made(keys, days=days)


def test_the_server_s_secret_is_its_owner_s_alone(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    pepper = read_pepper(file)
    assert (len(pepper), stat.S_IMODE(file.stat().st_mode)) == (32, 0o600)
    assert read_pepper(file) == pepper
    file.chmod(0o644)
    with pytest.raises(ParamError):
        read_pepper(file)


def test_an_unusable_secret_file_is_refused_with_a_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("secret", "dangling"):
        with pytest.raises(ParamError, match="can't be made or read") as told:
            read_pepper(tmp_path / name)
        assert "chmod 600" in told.value.hint
    assert [file.name for file in tmp_path.iterdir()] == ["dangling"]


def test_keys_over_http(served: TestServer) -> None:
    told = served.send("POST", "/v1/admin/keys", Role.ADMIN, json={"name": "org/ana", "role": "analyst", "days": 2})
    assert (told.status_code, told.headers["cache-control"]) == (201, "no-store")
    key, key_id = told.json()["key"], told.json()["id"]
    assert served.client.get("/v1/me", headers=bearer(key)).json()["name"] == "org/ana"
    rotated = served.client.post(f"/v1/admin/keys/{key_id}/rotate", headers=bearer(key), json={"overlap_hours": 0})
    assert served.client.get("/v1/me", headers=bearer(key)).status_code == 401
    assert served.client.get("/v1/me", headers=bearer(rotated.json()["key"])).status_code == 200
    listed = served.send("GET", "/v1/admin/keys", Role.AUDITOR)
    assert [row["lives"] for row in listed.json() if row["name"] == "org/ana"] == [False, True]
    assert key not in listed.text


def test_guessing_keys_is_rate_limited(served: TestServer) -> None:
    tries = [served.client.get("/v1/me", headers=bearer(f"pby_{each}")).status_code for each in range(40)]
    assert tries[0] == 401
    assert 429 in tries  # a busy machine is slow to ask, and some may be let through again at the end
    assert served.send("GET", "/v1/me").status_code == 200
