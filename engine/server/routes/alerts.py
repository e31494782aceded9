"""Budget alerts: background task that finds accounts past 50, 80 or 100% of a cap, and sends alerts until accepted.

This module has no endpoint. An alert goes out by a web hook and by mail, as the settings say: a client's name, a window
and a share, and nothing else. No answer waits for it.
"""

from __future__ import annotations

import asyncio
import json
import smtplib
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from functools import partial
from typing import Any

import httpx2
from starlette.concurrency import run_in_threadpool

from engine.server.service import Service
from engine.server.settings import Settings, host_and_port
from engine.server.storage import Row, later_text, now_text
from engine.server.telemetry import log

TIMEOUT_SECONDS = 10.0  # seconds
SUBMISSION_PORT = 587  # port of mail submission: RFC 6409
AlertBody = Mapping[str, Any]


@dataclass(frozen=True)
class Mail:
    """Mail server, sender and recipient of alerts."""

    host: str
    port: int
    security: str  # starttls, tls or none
    sender: str
    to: str
    login: tuple[str, str] | None

    @classmethod
    def of(cls, settings: Settings) -> Mail | None:
        """Mail settings; None where no mail is sent."""
        if settings.alert_smtp is None or settings.alert_mail_to is None or settings.alert_mail_from is None:
            return None
        host, port = host_and_port(settings.alert_smtp)
        login = None
        if settings.alert_smtp_user is not None and settings.alert_smtp_password_file is not None:
            login = (settings.alert_smtp_user, settings.alert_smtp_password_file.read_text(encoding="utf-8").strip())
        ends = (settings.alert_mail_from, settings.alert_mail_to)
        return cls(host, port or SUBMISSION_PORT, settings.alert_smtp_security, *ends, login)


def channels_of(settings: Settings) -> Mapping[str, Callable[[AlertBody], Awaitable[None]]]:
    """Return the configured channels of alerts, by name."""
    found: dict[str, Callable[[AlertBody], Awaitable[None]]] = {}
    if settings.alert_webhook is not None:
        found["webhook"] = partial(post, settings.alert_webhook)
    mail = Mail.of(settings)
    if mail is not None:
        found["mail"] = partial(post_mail, mail)
    return found


async def post(address: str, alert: AlertBody) -> None:
    """Post an alert as JSON; raises httpx2's HTTPError unless the status is 2xx."""
    async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False) as client:
        answer = await client.post(address, json=dict(alert))
        if not answer.is_success:  # redirects are failures: alerts go only to the configured address
            raise httpx2.HTTPStatusError("not taken", request=answer.request, response=answer)


async def post_mail(mail: Mail, alert: AlertBody) -> None:
    """Send an alert as mail, in a thread; raises OSError, smtplib's SMTPException."""
    await asyncio.to_thread(_send_mail, mail, alert_mail(mail, alert))


def alert_mail(mail: Mail, alert: AlertBody) -> EmailMessage:
    """Compose the mail of an alert."""
    mail_message = EmailMessage()
    mail_message["Subject"] = f"passersby: {alert['share']:.0%} of a budget is spent"
    mail_message["From"], mail_message["To"] = mail.sender, mail.to
    mail_message.set_content(
        f"Client: {alert['client']}\nWindow: {alert['window']}\nShare spent: {alert['share']:.0%}\n"
    )
    return mail_message


def _send_mail(mail: Mail, mail_message: EmailMessage) -> None:
    secure = ssl.create_default_context()
    if mail.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(mail.host, mail.port, timeout=TIMEOUT_SECONDS, context=secure)
    else:
        server = smtplib.SMTP(mail.host, mail.port, timeout=TIMEOUT_SECONDS)
    with server:
        if mail.security == "starttls":
            server.starttls(context=secure)
        if mail.login is not None:
            server.login(*mail.login)
        server.send_message(mail_message)


FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 30.0, 3600.0  # seconds between retries
MAX_TRIES = 30  # about a day
ALL_CLIENTS = "all clients"

Channel = Callable[[Mapping[str, Any]], Awaitable[None]]


@dataclass
class Alerts:
    """Alerts of one server. Servers that share a ledger send each alert once between them, unless one dies."""

    service: Service
    channels: Mapping[str, Channel]
    last_failure: str | None = None  # class of the last failure to find or send alerts

    @classmethod
    def of(cls, service: Service) -> Alerts:
        """Alerts through the configured channels."""
        return cls(service, channels_of(service.settings))

    async def run(self) -> None:
        """Check and send periodically, until cancelled."""
        while self.channels:
            try:
                await self.record_new()
                await self.send_due()
                self.last_failure = None
            except Exception as failure:  # retry at the next interval
                self.last_failure = type(failure).__name__
                log.warning("alerts wait", kind=self.last_failure)
            await asyncio.sleep(self.service.settings.alert_seconds)

    async def record_new(self) -> None:
        """Record accounts that passed an alert threshold, once for each threshold of each cap."""
        rows: list[Row] = []
        for passed_threshold in await self.service.call("marks"):
            alert = {
                "client": passed_threshold["client"] or ALL_CLIENTS,
                "window": passed_threshold["window"],
                "share": passed_threshold["mark"] / 100,
            }
            row = {"about": json.dumps(passed_threshold, sort_keys=True), "said": json.dumps(alert), "tries": 0}
            at = {"made_at": now_text(), "due_at": now_text()}
            rows += [{**row, **at, "channel": channel} for channel in self.channels]
        await run_in_threadpool(self.service.tables.add_alerts, rows)

    async def send_due(self) -> None:
        """Send all due alerts concurrently; those not accepted are retried later."""
        due = await run_in_threadpool(self.service.tables.due_alerts, now_text(), MAX_TRIES)
        await asyncio.gather(*(self._send(row) for row in due if row["channel"] in self.channels))

    async def _send(self, row: Row) -> None:
        tries = row["tries"] + 1
        pause = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** row["tries"])
        update = self.service.tables.update_alert
        if not await run_in_threadpool(update, row, tries=tries, due_at=later_text(seconds=pause)):
            return  # another server is sending it
        mine = {**row, "tries": tries}
        try:
            await self.channels[row["channel"]](json.loads(row["said"]))
        except Exception as failure:
            log.warning("alert not taken", channel=row["channel"], kind=type(failure).__name__)
            await run_in_threadpool(update, mine, problem=type(failure).__name__)
        else:
            await run_in_threadpool(update, mine, sent_at=now_text(), problem=None)


def is_open(row: Row) -> bool:
    """Is an alert still to be sent? False once it was accepted, or after the last try."""
    return row["sent_at"] is None and row["tries"] < MAX_TRIES
