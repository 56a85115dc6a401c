"""Notices: told once through every channel, later where a channel was down, and never with anybody's id or a secret."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from pipelines.doctor import examine
from pipelines.errors import Usage
from pipelines.installation import Installation
from pipelines.notices import Notice, give
from pipelines.notices.channels import FILE_NAME
from pipelines.settings import Settings, settings_from

LEAST = {"outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7]}}}
TOKEN, PASSWORD = "s3cr3t-t0ken", "pa55-w0rd"
BEHIND = Notice("sink_behind", "amber", "2026-07-01", "The database is behind.", ("It lacks 2 nights.",), {"nights": 2})
LATER = Notice("drift", "red", "2026-07-02", "Sleep looks different.")


def installation(home: Path, **notices) -> Installation:
    """An installation with these channels."""
    return Installation(settings(home, **notices), now=datetime(2026, 7, 1, tzinfo=UTC))


def settings(home: Path, **notices) -> Settings:
    """Settings with these channels."""
    return settings_from({**LEAST, "notices": notices}, home)


def noted(home: Path) -> list[dict]:
    """What stands in the file."""
    return [json.loads(line) for line in (home / ".state" / FILE_NAME).read_text().splitlines()]


class Hook(BaseHTTPRequestHandler):
    """Takes what is posted, but for the kind of notice it refuses; answers with the server's status after its delay."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        is_refused = json.loads(body)["kind"] == self.server.refused
        if not is_refused:
            self.server.got.append((self.path, dict(self.headers), json.loads(body)))
        try:
            if self.server.trickle:
                for _ in range(100):
                    self.wfile.write(b"HTTP/1.0 200 OK\r\n"[:1])
                    time.sleep(0.1)
            self.send_response(413 if is_refused else self.server.status)
            if self.server.status == 302:
                self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
            self.end_headers()
        except OSError:
            pass

    do_GET = do_POST

    def log_message(self, *_: object) -> None:
        pass


def served(port: int = 0) -> ThreadingHTTPServer:
    """A real server on the loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", port), Hook)
    server.got, server.status, server.trickle, server.refused = [], 200, False, None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture
def hook() -> Iterator[ThreadingHTTPServer]:
    """A webhook."""
    server = served()
    yield server
    server.shutdown()
    server.server_close()


def url(server: ThreadingHTTPServer) -> str:
    """Its address."""
    return f"http://127.0.0.1:{server.server_port}/hook"


class Mailbox:
    """Keeps what a mail server is handed."""

    def __init__(self) -> None:
        self.got: list[tuple[str, list[str], str]] = []

    async def handle_DATA(self, _server, _session, envelope) -> str:
        self.got.append((envelope.mail_from, envelope.rcpt_tos, envelope.content.decode()))
        return "250 OK"


@pytest.fixture
def mail() -> Iterator[Controller]:
    """A real mail server on the loopback that wants a password."""

    def login(_server, _session, _envelope, _mechanism, data) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"foretide", PASSWORD.encode()), handled=False)

    # The controller asks its own port before it listens, so that one must be known.
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = Controller(Mailbox(), hostname="127.0.0.1", port=port, authenticator=login, auth_require_tls=False)
    server.start()
    yield server
    server.stop()


def smtp(server: Controller, **changed) -> dict:
    """How to reach it."""
    return {"host": "127.0.0.1", "port": server.port, "security": "none", "from": "night@example.org",
            "to": ["duty@example.org", "lead@example.org"], "timeout_seconds": 5, **changed}  # fmt: skip


def test_the_file_is_on_by_default_and_holds_one_line_a_notice(tmp_path):
    """Told twice, it is noted once; another notice has its own line."""
    at = Installation(settings_from(LEAST, tmp_path))
    assert [give(at, BEHIND), give(at, BEHIND), give(at, LATER)] == [[], [], []]
    found = noted(tmp_path)
    assert [line["kind"] for line in found] == ["sink_behind", "drift"]
    assert found[0] | {"id": ""} == {"id": "", **BEHIND.told()}


def test_a_line_that_a_kill_cut_short_goes_and_the_notice_comes_whole(tmp_path):
    """Readers of the file never meet half a line in the middle."""
    at = installation(tmp_path)
    give(at, BEHIND)
    path = tmp_path / ".state" / FILE_NAME
    path.write_bytes(path.read_bytes() + b'{"id": "half')
    give(at, LATER)
    assert [line["kind"] for line in noted(tmp_path)] == ["sink_behind", "drift"]


def test_the_webhook_gets_the_notice_with_its_token(tmp_path, hook, monkeypatch):
    """JSON by POST, a bearer token from the environment, and a key by which a repeat can be told."""
    monkeypatch.setenv("HOOK_TOKEN", TOKEN)
    at = installation(tmp_path, webhook={"url": url(hook), "token_from": "HOOK_TOKEN"})
    assert give(at, BEHIND) == []
    assert give(at, BEHIND) == []
    ((path, headers, body),) = hook.got
    assert (path, headers["Authorization"], headers["Content-Type"]) == ("/hook", f"Bearer {TOKEN}", "application/json")
    assert headers["Idempotency-Key"] == body["id"] == BEHIND.key
    assert {**body, "id": None} == {"id": None, **BEHIND.told()}


def test_a_webhook_that_is_down_is_told_when_it_is_back_and_the_file_at_once(tmp_path, hook):
    """What was missed comes with the next notice, and after it; the other channels do not wait, and repeat nothing."""
    address, port = url(hook), hook.server_port
    hook.shutdown()
    hook.server_close()
    at = installation(tmp_path, webhook={"url": address})
    (said,) = give(at, BEHIND)
    assert "webhook" in said
    assert "nothing answers" in said
    assert [line["kind"] for line in noted(tmp_path)] == ["sink_behind"]
    back = served(port)
    try:
        assert give(at, LATER) == []
        assert [body["kind"] for _, _, body in back.got] == ["drift", "sink_behind"]
        assert give(at, BEHIND) == []
        assert len(back.got) == 2
    finally:
        back.shutdown()
        back.server_close()
    assert [line["kind"] for line in noted(tmp_path)] == ["sink_behind", "drift"]


def test_a_channel_that_was_told_is_not_told_again_for_the_sake_of_another(tmp_path, hook):
    """While the mail server is down, the webhook hears of each notice once."""
    down = {"host": "127.0.0.1", "port": 1, "from": "a@example.org", "to": ["duty@example.org"]}
    at = installation(tmp_path, webhook={"url": url(hook)}, smtp=down)
    assert all("smtp" in said for notice in (BEHIND, LATER, BEHIND) for said in give(at, notice))
    assert [body["kind"] for _, _, body in hook.got] == ["sink_behind", "drift"]


@pytest.mark.parametrize("status", [400, 401, 404, 500, 503])
def test_a_webhook_that_refuses_is_tried_again(tmp_path, hook, status):
    """Any answer but success means that nobody was told."""
    at = installation(tmp_path, webhook={"url": url(hook)})
    hook.status = status
    assert f"status {status}" in give(at, BEHIND)[0]
    hook.status = 204
    assert give(at, BEHIND) == []
    assert len(hook.got) == 2


def test_a_redirect_is_not_followed(tmp_path, hook, monkeypatch):
    """The token goes to the address that was configured and nowhere else."""
    monkeypatch.setenv("HOOK_TOKEN", TOKEN)
    hook.status = 302
    at = installation(tmp_path, webhook={"url": url(hook), "token_from": "HOOK_TOKEN"})
    assert "status 302" in give(at, BEHIND)[0]
    assert [path for path, _, _ in hook.got] == ["/hook"]


@pytest.mark.parametrize("trickle", [False, True])
def test_a_slow_server_is_given_up_in_time(tmp_path, hook, trickle):
    """Whether it says nothing or a byte now and then, the night waits no longer than was declared."""
    hook.trickle = True
    if not trickle:
        hook.status = 599
    at = installation(tmp_path, webhook={"url": url(hook), "timeout_seconds": 1})
    began = time.monotonic()
    (said,) = give(at, BEHIND)
    assert "no answer in time" in said
    assert time.monotonic() - began < 3


def test_mail_goes_to_everybody_on_the_list(tmp_path, mail, monkeypatch):
    """One message with title, sentences and counts, after a login with the password of the environment."""
    monkeypatch.setenv("MAIL_PASSWORD", PASSWORD)
    at = installation(tmp_path, smtp=smtp(mail, username="foretide", password_from="MAIL_PASSWORD"))
    assert give(at, BEHIND) == []
    ((sender, to, content),) = mail.handler.got
    assert (sender, to) == ("night@example.org", ["duty@example.org", "lead@example.org"])
    assert "Subject: [Foretide] amber: The database is behind." in content
    assert "It lacks 2 nights." in content
    assert "nights: 2" in content


def test_a_wrong_password_is_said_and_not_shown(tmp_path, mail, monkeypatch):
    """The login was refused: nothing of the password, the user or the server's own words."""
    monkeypatch.setenv("MAIL_PASSWORD", "wr0ng-one")
    at = installation(tmp_path, smtp=smtp(mail, username="foretide", password_from="MAIL_PASSWORD"))
    (said,) = give(at, BEHIND)
    assert "smtp: the login was refused" in said
    assert "wr0ng" not in said
    assert mail.handler.got == []


def test_mail_is_not_sent_in_clear_unless_that_is_declared(tmp_path, mail):
    """A server without STARTTLS gets nothing by default."""
    at = installation(tmp_path, smtp=smtp(mail, security="starttls"))
    assert "no STARTTLS" in give(at, BEHIND)[0]
    assert mail.handler.got == []


def test_what_goes_wrong_is_said_without_addresses_and_secrets(tmp_path, monkeypatch):
    """Channels are called by name: neither host, nor path, nor token, nor recipient stands in an answer or in the state."""
    monkeypatch.setenv("HOOK_TOKEN", TOKEN)
    down = {"host": "no-such-host.invalid", "from": "a@example.org", "to": ["duty@example.org"]}
    at = installation(tmp_path, webhook={"url": f"http://127.0.0.1:1/{TOKEN}", "token_from": "HOOK_TOKEN"}, smtp=down)
    said = " ".join(give(at, BEHIND))
    assert "webhook" in said
    assert "smtp" in said
    written = said + "".join(path.read_text() for path in (tmp_path / ".state").rglob("*") if path.is_file())
    written += repr(at.settings.notices.webhook)
    assert not any(word in written for word in (TOKEN, "127.0.0.1", "no-such-host", "duty@"))


def test_a_secret_that_is_not_set_is_named_by_its_variable(tmp_path, hook, monkeypatch):
    """The cure is in the message; nothing was sent without the token."""
    monkeypatch.delenv("HOOK_TOKEN", raising=False)
    at = installation(tmp_path, webhook={"url": url(hook), "token_from": "HOOK_TOKEN"})
    assert "`HOOK_TOKEN`" in give(at, BEHIND)[0]
    assert hook.got == []


def test_a_backlog_is_told_in_pieces_and_one_failure_ends_a_channels_turn(tmp_path, hook):
    """A channel that is down costs one attempt a call, however much waits; when it is back, what is given comes first, and all that
    waits in the end."""
    at = installation(tmp_path, webhook={"url": url(hook)})
    hook.status = 500
    for day in range(1, 26):
        give(at, Notice("drift", "amber", f"2026-06-{day:02}", "Sleep looks different."))
    assert len(hook.got) == 25
    hook.status = 200
    hook.got.clear()
    give(at, LATER)
    give(at, LATER)
    nights = [body["night"] for _, _, body in hook.got]
    assert nights == ["2026-07-02"] + [f"2026-06-{day:02}" for day in range(1, 26)]


def test_a_notice_that_a_channel_would_not_have_silences_no_other(tmp_path, hook):
    """Neither what is given after it nor what waits behind it; it goes on waiting, and that is said."""
    at = installation(tmp_path, webhook={"url": url(hook)})
    hook.status, hook.refused = 500, "sink_behind"
    give(at, BEHIND)
    give(at, LATER)
    hook.status = 200
    hook.got.clear()
    failed = Notice("night_failed", "red", "2026-07-03", "No new scores were delivered.")
    (said,) = give(at, failed)
    assert "status 413" in said
    assert [body["kind"] for _, _, body in hook.got] == ["night_failed", "drift"]
    assert len(list((tmp_path / ".state" / "notices" / "waiting").glob("*.json"))) == 1


@pytest.mark.parametrize("content", ["", "{", "[]", "7", "{}", '{"told": 1}', "altered"])
@pytest.mark.parametrize("of", [BEHIND, LATER])
def test_a_notice_that_cannot_be_read_silences_no_other(content, of, tmp_path):
    """It is set aside, kept, and said once; the others are told, itself too where it is given again."""
    at, waiting = installation(tmp_path), tmp_path / ".state" / "notices" / "waiting"
    waiting.mkdir(parents=True)
    if content == "altered":
        content = json.dumps({**of.told(), "title": "Another one.", "told": []})
    (waiting / f"{of.key}.json").write_text(content)
    (said,) = give(at, LATER)
    assert said.endswith("set aside in `notices/unreadable` of the state folder: 1.")
    assert [line["kind"] for line in noted(tmp_path)] == ["drift"]
    assert [path.read_text() for path in (waiting.parent / "unreadable").iterdir()] == [content]
    assert give(at, BEHIND) == []
    assert [line["kind"] for line in noted(tmp_path)] == ["drift", "sink_behind"]


def test_a_process_that_was_stopped_while_it_gave_notices_keeps_nobody_waiting(tmp_path):
    """The notice is kept, and said to wait; once that process is gone it is given with the next one."""
    at, lock = installation(tmp_path), tmp_path / ".state" / "notices" / ".lock"
    lock.parent.mkdir(parents=True)
    program = (
        "import fcntl, sys, time; h = open(sys.argv[1], 'a+b'); fcntl.flock(h, fcntl.LOCK_EX); print(); time.sleep(99)"
    )
    with subprocess.Popen([sys.executable, "-c", program, lock], stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        holder.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        (said,) = give(at, BEHIND, wait_s=0.2)
        assert time.monotonic() - began < 5
        assert said.startswith("A notice could not be given yet: another process is at it")
        assert not (tmp_path / ".state" / FILE_NAME).exists()
        holder.kill()
    assert give(at, LATER) == []
    assert [line["kind"] for line in noted(tmp_path)] == ["drift", "sink_behind"]


def test_a_disk_that_takes_no_more_silences_no_other_channel(tmp_path, hook):
    """The night goes on; whoever can be told without the disk is, and the answer says who was not."""
    at = installation(tmp_path, webhook={"url": url(hook)})
    (tmp_path / ".state").write_text("a file where the state should be")
    kept, untold = give(at, BEHIND)
    assert "could not be put on disk" in kept
    assert untold.startswith("Nor could it be given by file")
    assert [body["kind"] for _, _, body in hook.got] == ["sink_behind"]


@pytest.mark.parametrize("word", ["sim-0001", "zebra-77", "P12", "a1b2c3", "0042", "1048231", "x@example.org", "/srv/data",
                                  "550e8400-e29b-41d4-a716-446655440000", "clinic/7", "‘zebra-77’,"])  # fmt: skip
def test_what_looks_like_an_id_is_left_out(word):
    """Whoever writes a notice and slips cannot tell whom it is about."""
    made = Notice("drift", "red", "2026-07-01", f"Something about {word} is odd.", (f"See {word}.",))
    assert "[left out]" in made.title
    assert word.strip("‘’,") not in json.dumps(made.told(), ensure_ascii=False)


@pytest.mark.parametrize("text", ["The night of 2026-07-01 took 28 days and 14-day windows.", "1,234 of 20,000 subjects, 3.5 %.",
                                  "sleep_duration_mean_7d_min has drifted since 03:00.", "AUROC fell from 0.81 to 0.74.",
                                  "foretide-crisis/3 serves; phq_9 is missing.", "Read and/or ask; in the 1st week."])  # fmt: skip
def test_what_a_notice_is_for_stays(text):
    """Dates, counts, shares, features and versions of models are no ids."""
    assert Notice("drift", "green", "2026-07-01", text).title == text


@pytest.mark.parametrize("wrong", [{"kind": "Sink behind"}, {"level": "blue"}, {"night": "tonight"}, {"counts": {"n": 0.5}},
                                   {"counts": {"zebra-77": 1}}])  # fmt: skip
def test_a_notice_of_another_form_cannot_be_made(wrong):
    """Kinds and names of counts are words, counts are whole numbers."""
    given = {"kind": "drift", "level": "red", "night": "2026-07-01", "title": "x", **wrong}
    with pytest.raises(ValueError, match="notice|isoformat"):
        Notice(**given)


WRONG = {
    "another scheme": ({"webhook": {"url": "ftp://example.org"}}, "https://"),
    "a file": ({"webhook": {"url": "file:///etc/passwd"}}, "https://"),
    "a password in the address": ({"webhook": {"url": f"https://me:{PASSWORD}@example.org"}}, "token_from"),
    "a token in clear": ({"webhook": {"url": "http://example.org", "token_from": "T"}}, "https://"),
    "no address": ({"webhook": {}}, "url_from"),
    "both": ({"webhook": {"url": "https://example.org", "url_from": "U"}}, "either"),
    "a variable of ours": ({"webhook": {"url_from": "FORETIDE_X"}}, "FORETIDE_"),
    "nobody to mail to": ({"smtp": {"host": "h", "from": "a@b", "to": []}}, "to"),
    "a password without a user": ({"smtp": {"host": "h", "from": "a@b", "to": ["a@b"], "password_from": "P"}}, "go together"),
    "a password in clear": (
        {"smtp": {"host": "h", "from": "a@b", "to": ["a@b"], "username": "u", "password_from": "P", "security": "none"}},
        "in clear",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_channel_that_cannot_be_right_is_refused_before_anything_runs(tmp_path, case):
    """The message names the key and the cure, and repeats no address."""
    content, told = WRONG[case]
    with pytest.raises(Usage, match="notices") as caught:
        settings(tmp_path, **content)
    assert told in str(caught.value)
    assert not any(word in str(caught.value) for word in (PASSWORD, "/etc/passwd", "example.org"))


def test_doctor_says_which_channel_is_out_of_reach(tmp_path, hook):
    """A fault before somebody finds out at three in the morning; nothing is sent by looking."""
    (tmp_path / "foretide.yaml").write_text(
        f"outcomes: {{crisis: {{events: [panic], horizons_days: [7]}}}}\nnotices: {{webhook: {{url: '{url(hook)}'}}}}\n"
    )

    def finding():
        return next(found for found in examine(tmp_path / "foretide.yaml") if found.check == "notices")

    assert (finding().state, finding().finding) == ("ok", "given by file, webhook")
    hook.shutdown()
    hook.server_close()
    assert (finding().state, "webhook: nothing answers" in finding().finding) == ("fault", True)
    assert hook.got == []
