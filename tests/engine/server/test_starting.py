"""Errors of `serve` if a file or an extra is missing that the first alert, or every token, would need."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from engine import ensure_catalog
from engine.errors import Refused
from engine.server import app
from engine.server.app import check_starting
from engine.server.settings import Settings

KEY = '{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "one"}'
MAIL = {"alert_mail_to": "b@example.org", "alert_mail_from": "a@example.org", "alert_smtp": "mail.example.org"}


def provider(file: Path) -> Settings:
    return Settings(oidc_issuer="https://id.example", oidc_audience="passersby", oidc_keys=file)


def mail(file: Path) -> Settings:
    return Settings(**MAIL, alert_smtp_user="u", alert_smtp_password_file=file)


def refusal(settings: Settings) -> str:
    with pytest.raises(Refused) as refused:
        check_starting(settings)
    return "{message} Try: {hint}".format(**refused.value.problem)


@pytest.mark.parametrize("text", [None, "", '{"keys": [', "[]", '{"keys": []}', '{"keys": [{"kty": "new"}]}'])
def test_a_provider_whose_keys_can_t_be_read_is_named(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "jwks.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    assert str(file) in refusal(provider(file)) and "oidc_keys" in refusal(provider(file))


def test_a_provider_needs_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(f'{{"keys": [{KEY}]}}', encoding="utf-8")
    check_starting(provider(file))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "[oidc]" in refusal(provider(file))
    check_starting(Settings())


def test_the_provider_is_checked_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("forbid_dumps", "silence_tracebacks", "configure_logging"):  # of a process of its own
        monkeypatch.setattr(app, name, lambda: None)
    missing = provider(tmp_path / "jwks.json").model_copy(update={"port": 0, "ledger": str(tmp_path / "ledger")})
    with pytest.raises(Refused, match=r"jwks\.json"):
        app.run_server(missing, lambda _: None)
    assert not list(tmp_path.iterdir())


def test_a_password_that_can_t_be_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "password"
    assert str(file) in refusal(mail(file))
    file.write_text("\n", encoding="utf-8")
    assert "alert_smtp_password_file" in refusal(mail(file))
    file.write_text("word\n", encoding="utf-8")
    check_starting(mail(file))


def test_a_catalog_that_is_not_there_is_refused_before_a_server_starts(tmp_path: Path) -> None:
    missing = str(tmp_path / "nowhere.toml")
    with pytest.raises(Refused, match=r"nowhere\.toml"):
        ensure_catalog(lambda stage, part: None, catalog=missing)
