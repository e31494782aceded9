"""Alerts: at 50, 80 and 100%, by a web hook and by mail, once each, sent again until taken; no answer waits for them."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from budgets import LedgerUnavailable
from engine import Session
from engine.server.http.roles import Role
from engine.server.routes.alerts import MAX_TRIES, Alerts, Mail, alert_mail
from engine.server.settings import Settings
from engine.server.storage import ServerTables, alerts
from tests.support.server.serving import TestServer, inhabited
from tests.support.server.sinks import certificate, hook, mailbox
from tests.support.timeouts import until

BY_COIN = "SELECT count(*) AS visits FROM visit WHERE coins = {}"
NEVER = {"alert_seconds": 3600}  # a test looks by itself
ENDS = {"alert_mail_to": "budgets@example.org", "alert_mail_from": "server@example.org"}


def look(served: TestServer) -> None:
    """Look for alerts and send them, now."""

    async def both() -> None:
        found = Alerts.of(served.house)
        await found.record_new()
        await found.send_due()

    asyncio.run(both())


def due_now(served: TestServer) -> None:
    """Skip the pause until the next retry."""
    with served.house.tables._store.writing() as connection:
        connection.execute(alerts.update().values(due_at="2020-01-01T00:00:00.000+00:00"))


def test_each_threshold_is_alerted_once_with_client_window_and_share_alone(session: Session) -> None:
    with hook() as sink, inhabited(session, alert_webhook=sink.url, **NEVER) as served:
        until(lambda: "marks" in served.house.worker.called)  # type: ignore[attr-defined]
        look(served)
        assert sink.taken == []
        for place, (rho, share) in enumerate((("0.05", 0.5), ("0.03", 0.8), ("0.02", 1.0))):
            served.ask(BY_COIN.format(place), terms={"rho": rho})
            before = len(sink.taken)
            for _ in range(2):
                look(served)
            told = [each for each in sink.taken[before:] if each["client"] == "analyst"]
            assert told == [{"client": "analyst", "window": "forever", "share": share}]
        everybody = [each for each in sink.taken if each["client"] != "analyst"]
        assert everybody == [{"client": "all clients", "window": "forever", "share": 0.5}]


def test_undelivered_alerts_are_retried_and_delay_no_answer(session: Session) -> None:
    with hook(500, 302) as sink, inhabited(session, alert_webhook=sink.url, alert_seconds=0.05) as served:
        sink.open.clear()
        served.ask(BY_COIN.format(0), terms={"rho": "0.05"})
        until(lambda: any(row["tries"] for row in served.house.tables.all_alerts()))  # it hangs in the web hook now
        begun = time.monotonic()
        assert served.ask(BY_COIN.format(1)).status_code == 200
        assert served.send("GET", "/healthz").status_code == 200
        assert not sink.open.is_set() and sink.taken == [] and time.monotonic() - begun < 8
        sink.open.set()
        for problem in (1, 2):
            until(lambda: served.house.tables.all_alerts()[0]["problem"] is not None)
            (row,) = served.send("GET", "/v1/admin/alerts", Role.AUDITOR).json()
            assert (row["sent_at"], row["problem"], row["tries"]) == (None, "HTTPStatusError", problem)
            until(lambda: not any(row["problem"] is None for row in served.house.tables.all_alerts()))
            with served.house.tables._store.writing() as connection:
                connection.execute(alerts.update().values(due_at="2020", problem=None))
        until(lambda: sink.taken)
        until(lambda: served.house.tables.all_alerts()[0]["sent_at"])
        assert sink.taken == [{"client": "analyst", "window": "forever", "share": 0.5}]


def test_a_transient_table_failure_does_not_stop_alerts(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: one failure ended alerts for the life of the server, whose health was still good."""
    due, fails = ServerTables.due_alerts, threading.Event()

    def due_alerts(books: ServerTables, now: str, tries: int) -> Any:
        if fails.is_set():
            raise LedgerUnavailable("The database is being restarted.", "the same in a moment")
        return due(books, now, tries)

    fails.set()
    monkeypatch.setattr(ServerTables, "due_alerts", due_alerts)
    with hook() as sink, inhabited(session, alert_webhook=sink.url, alert_seconds=0.01) as served:
        served.ask(BY_COIN.format(0), terms={"rho": "0.05"})
        until(lambda: alerts_check(served) == ("failed", "they wait: LedgerUnavailable"))
        fails.clear()
        until(lambda: sink.taken)
        until(lambda: alerts_check(served) == ("passed", "1 sent, 0 not yet, 0 given up"))


def alerts_check(served: TestServer) -> tuple[str, str]:
    checks = served.send("GET", "/v1/admin/health", Role.AUDITOR).json()
    (found,) = (each for each in checks if each["check"] == "alerts")
    return found["state"], found["said"]


def test_delivered_alerts_are_not_read_again(session: Session) -> None:
    with hook() as sink, inhabited(session, alert_webhook=sink.url, **NEVER) as served:
        served.ask(BY_COIN.format(0), terms={"rho": "0.05"})
        look(served)
        assert len(sink.taken) == 1 and served.house.tables.all_alerts()
        assert served.house.tables.due_alerts("2999", MAX_TRIES) == []


def test_mail_goes_out_over_tls_with_a_password(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, key = certificate(tmp_path)
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(chain, key)
    with mailbox(secure) as box, inhabited(session, alert_smtp=box.address, **ENDS, **NEVER) as served:
        served.ask(BY_COIN.format(0), terms={"rho": "0.08"})
        look(served)
        assert box.mails == []  # nobody vouches for this certificate
        assert served.house.tables.all_alerts()[0]["problem"] == "SSLCertVerificationError"
        monkeypatch.setenv("SSL_CERT_FILE", str(chain))
        due_now(served)
        look(served)
        (mail,) = box.mails
        assert (mail["subject"], mail["to"]) == ("passersby: 80% of a budget is spent", ENDS["alert_mail_to"])
        text = str(mail.get_payload()).replace("\r\n", "\n")
        assert text == "Client: analyst\nWindow: forever\nShare spent: 80%\n"


def test_webhook_and_mail_receive_the_same_alerts(session: Session) -> None:
    with hook() as sink, mailbox() as box:
        ways: dict[str, Any] = {"alert_webhook": sink.url, "alert_smtp": box.address, "alert_smtp_security": "none"}
        with inhabited(session, **ways, **ENDS, **NEVER) as served:
            served.ask(BY_COIN.format(0), terms={"rho": "0.1"})
            look(served)
            assert (len(sink.taken), len(box.mails)) == (2, 2)
            shown = {row["channel"] for row in served.send("GET", "/v1/admin/alerts", Role.ADMIN).json()}
            assert shown == {"webhook", "mail"}


@pytest.mark.parametrize(
    ("given", "host", "port"),
    [("mail.example.org", "mail.example.org", 587), ("localhost:25", "localhost", 25), ("[::1]:2525", "::1", 2525)],
)
def test_the_address_of_the_mail_server_is_parsed(given: str, host: str, port: int) -> None:
    mail = Mail.of(Settings(**ENDS, alert_smtp=given))
    assert mail is not None and (mail.host, mail.port) == (host, port)


def test_a_name_adds_no_line_to_a_mail() -> None:
    mail = Mail("localhost", 25, "none", "a@example.org", "b@example.org", None)
    made = alert_mail(mail, {"client": "ann\nBcc: c@example.org", "window": "w", "share": 0.5})
    assert made["bcc"] is None and made["subject"] == "passersby: 50% of a budget is spent"


@pytest.mark.parametrize(
    "wrong",
    [
        {"alert_webhook": "http://hooks.example.org/x"},
        {"alert_webhook": "ftp://localhost/x"},
        {"alert_smtp": "localhost:25"},
        {**ENDS, "alert_smtp": "mail.example.org:25", "alert_smtp_security": "none"},
        {**ENDS, "alert_smtp": "mail.example.org", "alert_smtp_user": "x"},
        {**ENDS, "alert_smtp": "mail.example.org:smtp"},
        {**ENDS, "alert_smtp": "mail.example.org:99999"},
        {**ENDS, "alert_smtp": "smtp://mail.example.org"},
        {**ENDS, "alert_smtp": "ana@mail.example.org"},
    ],
)
def test_alerts_require_tls_and_a_valid_address(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(**wrong)
