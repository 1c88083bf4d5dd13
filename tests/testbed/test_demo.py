"""`python -m demo` shows the main job, tells the truth about it, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from demo import __main__ as demo
from demo import page, relays
from testbed import Login, Received, processes

ROOT = Path(__file__).parents[2]
SETUP = ROOT / "demo" / "setup.sh"


def received(rule: page.Rule) -> Received:
    """Return what a rule asks for."""
    return Received(
        relay=rule.relay,
        sender=rule.sender,
        recipients=(rule.recipient,),
        message_id=rule.why,
        login=Login(rule.user, "secret") if rule.user else None,
        tls="TLSv1.3" if rule.is_tls else None,
        connection=1,
        time=0.0,
    )


@pytest.mark.usefixtures("real_postfix")
def test_demo() -> None:
    """Each message arrives where the page, then relay.yaml says; nothing is left; nothing secret is shown."""
    done = subprocess.run([sys.executable, "-m", "demo"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert rows(done.stdout) == [
        ["anna@domain1.com", page.RECIPIENT, "smtp.mailgun.org:587", "mailgun-user", "TLSv1."],
        ["ben@domain2.com", page.RECIPIENT, "smtp.sendgrid.net:2525", "sendgrid-user", "TLSv1."],
        ["cleo@domain3.com", page.RECIPIENT, "somewhere.example", "none", "TLSv1."],
        ["dora@domain4.com", page.RECIPIENT, "email-smtp.us-west-2.amazonaws.com:2587", "aws-user", "TLSv1."],
        ["<>", page.RECIPIENT, "somewhere.example", "none", "TLSv1."],
        ["anna@domain1.com", page.RECIPIENT, "smtp.fastmail.com:465", "anna@domain1.com", "TLSv1."],
        ["ben@domain2.com", page.RECIPIENT, "email-smtp.us-west-2.amazonaws.com:2587", "second-account", "TLSv1."],
        ["cleo@domain3.com", page.RECIPIENT, "somewhere.example", "none", "none"],
        ["cleo@domain3.com", relays.PARTNER, "smtp.sendgrid.net:2525", "sendgrid-user", "TLSv1."],
        ["dora@domain4.com", page.RECIPIENT, "email-smtp.us-west-2.amazonaws.com:2587", "aws-user", "TLSv1."],
        ["<>", page.RECIPIENT, "email-smtp.us-west-2.amazonaws.com:2587", "aws-user", "TLSv1."],
    ]
    assert done.stdout.count("All of it as the rules say.") == 2
    assert "secret" not in done.stdout
    assert_gone(done.stdout)


def rows(output: str) -> list[list[str]]:
    """Return both tables without the reasons; of the version of TLS, which is the library's choice, the begin."""
    senders = tuple(rule.sender for rule in page.RULES)
    found = [line.split()[:5] for line in output.splitlines() if line.startswith(senders)]
    return [[*row[:4], row[4][:6]] for row in found]


def assert_gone(output: str) -> None:
    """Check that the instance that the output names has left neither a directory nor a process."""
    base = Path(next(word.rstrip(",:") for word in output.split() if "dms-relay-postfix-" in word))
    assert not base.exists()
    assert processes.working_in(base) == []


@pytest.mark.usefixtures("real_postfix")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(number: signal.Signals) -> None:
    """Ctrl-C, or TERM, in the middle ends it with 130, and nothing is left."""
    with subprocess.Popen([sys.executable, "-m", "demo"], cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
        child.send_signal(number)
        rest = child.stdout.read()
        assert child.wait(20) == 130
    assert_gone(line + rest)


def test_not_root(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever is not root is told what to type."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert demo.main() == os.EX_NOPERM
    assert capsys.readouterr().err == "Postfix starts for root only -- run: sudo make demo\n"


RULES = pytest.mark.parametrize("rules", [page.RULES, relays.RULES], ids=["page", "relay.yaml"])


@RULES
def test_judge_agrees(rules: Sequence[page.Rule], capsys: pytest.CaptureFixture[str]) -> None:
    """What the rules say, in any order, is right, and is shown in the order in which it was sent."""
    assert demo.judge([received(rule) for rule in reversed(rules)], rules) == 0
    said = capsys.readouterr().out
    assert "All of it as the rules say." in said
    assert [row[:2] for row in rows(said)] == [[rule.sender, rule.recipient] for rule in rules]


@RULES
@pytest.mark.parametrize(
    "changes",
    [{"relay": page.SES}, {"login": None}, {"tls": None}, {"sender": "x@domain1.com"}, {"recipients": ("x@x.test",)}],
    ids=str,
)
def test_judge_disagrees(
    changes: dict[str, Any], rules: Sequence[page.Rule], capsys: pytest.CaptureFixture[str]
) -> None:
    """Another relay, no login, no TLS, another sender or another recipient is wrong, and exit code 1."""
    arrived = [received(rule) for rule in rules]
    arrived[0] = replace(arrived[0], **changes)
    assert demo.judge(arrived, rules) == 1
    assert "NOT what the rules say" in capsys.readouterr().out


def test_judge_disagrees_with_more_tls(capsys: pytest.CaptureFixture[str]) -> None:
    """TLS where none is to be asked for is wrong as well: it would be the relays' level, and not that of direct mail."""
    arrived = [replace(received(rule), tls="TLSv1.3") for rule in relays.RULES]
    assert demo.judge(arrived, relays.RULES) == 1
    assert "NOT what the rules say" in capsys.readouterr().out


def test_page_is_the_page() -> None:
    """The example is that of docker-mailserver's documentation: three lines in each file, the same relays and logins."""
    lines = [line for line in (page.RELAYMAP + page.LOGINS).splitlines() if line and not line.startswith("#")]
    assert lines == [
        "@domain1.com        [smtp.mailgun.org]:587",
        "@domain2.com        [smtp.sendgrid.net]:2525",
        "@domain3.com",
        "@domain1.com        mailgun-user:secret",
        "@domain2.com        sendgrid-user:secret",
        "[email-smtp.us-west-2.amazonaws.com]:2587 aws-user:secret",
    ]


@pytest.mark.usefixtures("real_postfix")
@pytest.mark.parametrize("goal", ["demo", "test", "soak", "coverage", "venv"])
def test_setup_has_nothing_to_do(tmp_path: Path, goal: str) -> None:
    """Where Postfix and what it needs to log in are installed, the set-up says nothing, installs nothing, ends at once."""
    for name in ("apt-get", "debconf-set-selections", "sudo"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run([SETUP, goal], capture_output=True, text=True, check=False, timeout=60, env={"PATH": path})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
