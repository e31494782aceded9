"""Tokens of an identity provider: what it signed for this server opens; nothing else does."""

from __future__ import annotations

import base64
import json
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from engine import Session
from engine.server.auth.keys import Principal
from engine.server.auth.tokens import Tokens
from engine.server.http.roles import Role
from engine.server.settings import Settings
from tests.support.server.serving import bearer, inhabited

SIGNER, STRANGER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
OTHER_KIND = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwk(key: Any, kid: str, algorithm: Any) -> dict[str, Any]:
    told = json.loads(algorithm.to_jwk(key.public_key()))
    return {**told, "kid": kid, "use": "sig"}


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    file = tmp_path / "jwks.json"
    keys = [jwk(SIGNER, "one", jwt.algorithms.ECAlgorithm), jwk(OTHER_KIND, "rsa", jwt.algorithms.RSAAlgorithm)]
    file.write_text(json.dumps({"keys": keys}), encoding="utf-8")
    return file


@pytest.fixture
def tokens(keys_file: Path) -> Tokens:
    return Tokens("https://id.example", "passersby", keys_file, ("ES256",), "sub", "passersby_role")


def token(key: Any = SIGNER, kid: str = "one", algorithm: str = "ES256", **changed: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": "https://id.example",
        "aud": "passersby",
        "iat": now,
        "exp": now + 60,
        "sub": "org/ana",
        "passersby_role": "analyst",
    } | changed
    given = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(given, key, algorithm, headers={"kid": kid})


def unsigned() -> str:
    head, body, _ = token().split(".")
    del head
    none = base64.urlsafe_b64encode(b'{"alg":"none","kid":"one"}').rstrip(b"=").decode()
    return f"{none}.{body}."


def test_a_token_signed_by_the_provider_is_accepted(tokens: Tokens) -> None:
    assert tokens.principal(token()) == Principal("org/ana", Role.ANALYST, "")


BAD = {
    "another signer": lambda: token(STRANGER),
    "a key that is not the provider's": lambda: token(kid="two"),
    "an algorithm that is not pinned": lambda: token(OTHER_KIND, "rsa", "RS256"),
    "no signature": unsigned,
    "a signature by the public key as a secret": lambda: token("x" * 64, "one", "HS256"),
    "for another server": lambda: token(aud="elsewhere"),
    "of another issuer": lambda: token(iss="https://evil.example"),
    "ended": lambda: token(exp=int(time.time()) - 60),
    "not begun": lambda: token(nbf=int(time.time()) + 600),
    "without an end": lambda: token(exp=None),
    "without a role": lambda: token(passersby_role=None),
    "of a role that there is not": lambda: token(passersby_role="root"),
    "of nobody": lambda: token(sub=None),
    "no token": lambda: "a.b.c",
}


@pytest.mark.parametrize("bad", BAD)
def test_other_tokens_are_refused(tokens: Tokens, bad: str) -> None:
    assert tokens.principal(BAD[bad]()) is None


@pytest.mark.parametrize(
    "subject", ["\n", " org/ana", "org/ana ", "org/an\u200da", "\uff41na", "*owner", "org//ana", ""]
)
def test_a_token_subject_that_is_no_client_name_is_refused_with_the_reason(
    session: Session, tokens: Tokens, subject: str
) -> None:
    with inhabited(session) as served:
        served.house.tokens = tokens
        answer = served.client.get("/v1/me", headers=bearer(token(sub=subject)))
        assert (answer.status_code, answer.json()["code"]) == (401, "E_AUTH")
        assert "sub of this token names nobody here" in answer.json()["message"]


def test_a_subject_in_other_case_opens_no_other_account(session: Session, tokens: Tokens) -> None:
    with inhabited(session) as served:
        served.house.tokens = tokens
        count = {"sql": "SELECT count(*) AS visits FROM visit"}
        asked = [
            served.client.post("/v1/queries", json=count, headers=bearer(token(sub=name)))
            for name in ("org/ana", "org/ANA", "ORG/ben", "org/ben")
        ]
        assert [answer.status_code for answer in asked] == [200, 403, 403, 200]
        assert "spelling alone" in asked[1].json()["message"]


def test_a_key_in_another_spelling_is_not_made(session: Session) -> None:
    with inhabited(session) as served:
        for name, status in (("ana", 201), ("ana", 201), ("ANA", 400), ("ana ", 400), ("an\u200da", 400)):
            body = {"name": name, "role": "analyst"}
            made = served.send("POST", "/v1/admin/keys", Role.ADMIN, json=body)
            assert made.status_code == status, made.text


def test_keys_that_were_changed_are_read_again(tokens: Tokens, keys_file: Path) -> None:
    assert tokens.principal(token()) is not None
    keys_file.write_text(json.dumps({"keys": [jwk(STRANGER, "two", jwt.algorithms.ECAlgorithm)]}), encoding="utf-8")
    os.utime(keys_file, ns=(1, 1))
    assert tokens.principal(token()) is None
    assert tokens.principal(token(STRANGER, "two")) is not None


def test_a_half_written_key_file_leaves_the_keys_and_is_logged_once(
    tokens: Tokens, keys_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    log = SimpleNamespace(error=lambda text, kind: told.append(kind))
    monkeypatch.setattr("engine.server.auth.tokens.log", log)
    assert tokens.principal(token()) is not None
    whole = keys_file.read_text(encoding="utf-8")
    keys_file.write_text(whole[:40], encoding="utf-8")
    os.utime(keys_file, ns=(1, 1))
    assert tokens.principal(token()) is not None and tokens.principal(token()) is not None
    assert told == ["JSONDecodeError"]
    keys_file.write_text(whole.replace('"one"', '"two"'), encoding="utf-8")
    os.utime(keys_file, ns=(1, 1))  # in the same tick of the clock
    assert tokens.principal(token()) is None and tokens.principal(token(kid="two")) is not None


def test_removing_a_provider_from_the_file_refuses_its_tokens(tokens: Tokens, keys_file: Path) -> None:
    """Who takes the file away, or leaves no key in it, means it."""
    for shut in (lambda: keys_file.write_text('{"keys": []}', encoding="utf-8"), keys_file.unlink):
        whole = keys_file.read_text(encoding="utf-8")
        assert tokens.principal(token()) is not None
        shut()
        assert tokens.principal(token()) is None
        keys_file.write_text(whole, encoding="utf-8")
        os.utime(keys_file, ns=(2, 2))


def test_an_unusable_key_does_not_hide_the_others(tokens: Tokens, keys_file: Path) -> None:
    told = json.loads(keys_file.read_text(encoding="utf-8"))
    keys_file.write_text(json.dumps({"keys": [{"kty": "new"}, "x", {}, *told["keys"]]}), encoding="utf-8")
    assert tokens.principal(token()) is not None


def test_tokens_over_http(session: Session, tokens: Tokens) -> None:
    with inhabited(session) as served:
        assert served.client.get("/v1/me", headers=bearer(token())).status_code == 401
        served.house.tokens = tokens
        assert served.client.get("/v1/me", headers=bearer(token())).json()["name"] == "org/ana"
        assert served.client.get("/v1/admin/keys", headers=bearer(token())).status_code == 403
        assert served.send("GET", "/v1/me").status_code == 200  # keys go on


@pytest.mark.parametrize("algorithms", ["HS256", "none", "ES256,HS512", ""])
def test_only_algorithms_with_public_keys_can_be_pinned(keys_file: Path, algorithms: str) -> None:
    given = {"oidc_issuer": "https://id.example", "oidc_audience": "passersby", "oidc_keys": keys_file}
    with pytest.raises(ValueError, match="oidc_algorithms"):
        Settings(**given, oidc_algorithms=algorithms)
    assert Settings(**given).oidc_algorithms == "ES256,RS256,EdDSA"


def test_a_provider_requires_all_its_settings(keys_file: Path) -> None:
    with pytest.raises(ValueError, match="belong together"):
        Settings(oidc_keys=keys_file)
