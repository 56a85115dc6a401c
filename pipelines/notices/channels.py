"""The ways by which a notice leaves: a file, a webhook, a mail server. What goes wrong is said without an address."""

import json
import os
import smtplib
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

from pipelines import durable
from pipelines.errors import Refused
from pipelines.notices.notice import Notice
from pipelines.settings import Settings
from pipelines.sink_sections import Smtp, Webhook, from_environment

FILE_NAME = "notices.jsonl"


class NotTold(Refused):
    """A channel could not be reached, or did not take the notice; its text says why, in words without an address."""


@dataclass(frozen=True)
class Channel:
    """One way: its name, how to send a notice by it, how to find out whether it can be reached, and how long to wait."""

    name: str
    send: Callable[[Notice], None]
    reach: Callable[[], None]
    seconds: float


def channels(settings: Settings) -> list[Channel]:
    """Every configured channel."""
    declared, found = settings.notices, []
    if declared.file:
        path = settings.state_folder / FILE_NAME
        found.append(Channel("file", lambda notice: _note(path, notice), lambda: None, 60))
    if declared.webhook is not None:
        hook = declared.webhook
        found.append(Channel("webhook", lambda n: _post(hook, n), lambda: _reach_webhook(hook), hook.timeout_seconds))
    if declared.smtp is not None:
        smtp = declared.smtp
        found.append(Channel("smtp", lambda n: _mail(smtp, n), lambda: _reach_smtp(smtp), smtp.timeout_seconds))
    return found


def attempt(channel: Channel, work: Callable[[], None]) -> None:
    """Do something by a channel, for no longer than it may take: a server that trickles must not hold the night.

    Raises:
        NotTold: it failed or took too long; why, in words.
    """
    failed: list[str] = []

    def run() -> None:
        try:
            work()
        except NotTold as error:
            failed.append(str(error))
        except Exception as error:  # noqa: BLE001 (what a server answers is not ours to foresee, and may quote addresses)
            failed.append(_reason(error))

    # A daemon: whatever hangs in it ends with the process.
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(channel.seconds)
    if thread.is_alive():
        raise NotTold("no answer in time")
    if failed:
        raise NotTold(failed[0])


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, Refused):
        return str(cause).rstrip(".")
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    if isinstance(cause, ConnectionRefusedError):
        return "nothing answers at its address"
    if isinstance(cause, socket.gaierror):
        return "its host name is not known"
    if isinstance(cause, ssl.SSLError):
        return "the encrypted connection failed"
    if isinstance(cause, smtplib.SMTPAuthenticationError):
        return "the login was refused"
    if isinstance(cause, smtplib.SMTPNotSupportedError):
        return "the server offers no STARTTLS, and nothing is sent in clear unless `security: none` says so"
    if isinstance(cause, smtplib.SMTPRecipientsRefused):
        return "the server refused every address under `to:`"
    return f"it could not be used ({type(cause).__name__})"


def _note(path: Path, notice: Notice) -> None:
    """Add a line to the file, once; a line that a kill cut short goes first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = path.read_bytes() if path.is_file() else b""
    whole = content[: content.rfind(b"\n") + 1]
    line = json.dumps({"id": notice.key, **notice.told()}, ensure_ascii=False).encode() + b"\n"
    if line in whole:
        return
    if len(whole) < len(content):
        os.truncate(path, len(whole))
    durable.append(path, line)
    durable.sync_folder(path.parent)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the bearer token to whomever it names."""

    def redirect_request(self, *_: object) -> None:
        return None


def _post(hook: Webhook, notice: Notice) -> None:
    headers = {"Content-Type": "application/json", "User-Agent": "foretide", "Idempotency-Key": notice.key}
    if hook.token_from is not None:
        headers["Authorization"] = f"Bearer {from_environment(hook.token_from)}"
    body = json.dumps({"id": notice.key, **notice.told()}).encode()
    # The scheme was checked: http or https.
    request = urllib.request.Request(hook.address(), body, headers, method="POST")  # noqa: S310
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        opener.open(request, timeout=hook.timeout_seconds).close()
    except urllib.error.HTTPError as error:
        error.close()
        raise NotTold(f"the server answered with status {error.code}") from None


def _reach_webhook(hook: Webhook) -> None:
    parts = urlsplit(hook.address())
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if hook.token_from is not None:
        from_environment(hook.token_from)
    socket.create_connection((parts.hostname or "", port), hook.timeout_seconds).close()


def _mail(smtp: Smtp, notice: Notice) -> None:
    message = EmailMessage()
    message["Subject"] = f"[Foretide] {notice.level}: {notice.title}"
    message["From"], message["To"] = smtp.sender, ", ".join(smtp.to)
    # The same for the same notice, by which mail programs show a repeat once.
    message["Message-ID"] = f"<{notice.key}@foretide.invalid>"
    message.set_content(notice.text())
    with _connection(smtp) as server:
        server.send_message(message)


def _reach_smtp(smtp: Smtp) -> None:
    with _connection(smtp) as server:
        server.noop()


def _connection(smtp: Smtp) -> smtplib.SMTP:
    """A connection, encrypted and logged in as configured."""
    password = from_environment(smtp.password_from) if smtp.password_from else ""
    context = ssl.create_default_context()
    if smtp.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(smtp.host, smtp.port, timeout=smtp.timeout_seconds, context=context)
    else:
        server = smtplib.SMTP(smtp.host, smtp.port, timeout=smtp.timeout_seconds)
    try:
        if smtp.security == "starttls":
            server.starttls(context=context)
        if smtp.username:
            server.login(smtp.username, password)
    except Exception:
        server.close()
        raise
    return server
