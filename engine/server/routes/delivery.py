"""Settings -> the ways in which an alert goes out: a web hook, and mail."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from functools import partial
from typing import Any

import httpx2

from engine.server.settings import Settings, host_and_port

PATIENCE = 10.0  # seconds
SUBMISSION = 587  # the port of mail that is handed in: RFC 6409
Said = Mapping[str, Any]


@dataclass(frozen=True)
class Mail:
    """Where mail is handed in, and between whom it goes."""

    host: str
    port: int
    security: str  # starttls, tls or none
    sender: str
    to: str
    login: tuple[str, str] | None

    @classmethod
    def of(cls, settings: Settings) -> Mail | None:
        """Read where mail goes; None where no mail is sent."""
        if settings.alert_smtp is None or settings.alert_mail_to is None or settings.alert_mail_from is None:
            return None
        host, port = host_and_port(settings.alert_smtp)
        login = None
        if settings.alert_smtp_user is not None and settings.alert_smtp_password_file is not None:
            login = (settings.alert_smtp_user, settings.alert_smtp_password_file.read_text(encoding="utf-8").strip())
        ends = (settings.alert_mail_from, settings.alert_mail_to)
        return cls(host, port or SUBMISSION, settings.alert_smtp_security, *ends, login)


def channels_of(settings: Settings) -> Mapping[str, Callable[[Said], Awaitable[None]]]:
    """List where alerts go, by name."""
    found: dict[str, Callable[[Said], Awaitable[None]]] = {}
    if settings.alert_webhook is not None:
        found["webhook"] = partial(post, settings.alert_webhook)
    mail = Mail.of(settings)
    if mail is not None:
        found["mail"] = partial(post_mail, mail)
    return found


async def post(address: str, said: Said) -> None:
    """Post an alert as JSON; raises httpx2's HTTPError unless it is taken with a status of 2xx."""
    async with httpx2.AsyncClient(timeout=PATIENCE, follow_redirects=False) as client:
        answer = await client.post(address, json=dict(said))
        if not answer.is_success:  # a redirection is no success: alerts go where the owner said
            raise httpx2.HTTPStatusError("not taken", request=answer.request, response=answer)


async def post_mail(mail: Mail, said: Said) -> None:
    """Hand an alert in as mail, in a thread of its own; raises OSError, smtplib's SMTPException."""
    await asyncio.to_thread(_hand_in, mail, message(mail, said))


def message(mail: Mail, said: Said) -> EmailMessage:
    """Write the mail."""
    made = EmailMessage()
    made["Subject"] = f"passersby: {said['share']:.0%} of a budget is spent"
    made["From"], made["To"] = mail.sender, mail.to
    made.set_content(f"Client: {said['client']}\nWindow: {said['window']}\nShare spent: {said['share']:.0%}\n")
    return made


def _hand_in(mail: Mail, made: EmailMessage) -> None:
    secure = ssl.create_default_context()
    if mail.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(mail.host, mail.port, timeout=PATIENCE, context=secure)
    else:
        server = smtplib.SMTP(mail.host, mail.port, timeout=PATIENCE)
    with server:
        if mail.security == "starttls":
            server.starttls(context=secure)
        if mail.login is not None:
            server.login(*mail.login)
        server.send_message(made)
