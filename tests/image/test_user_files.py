"""An operator's ``postfix-main.cf`` and ``postfix-master.cf`` in the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.image.engine import EngineError, send, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.image.conftest import Relay, Starter

#: Each test starts containers, which takes a processor for a second and more.
pytestmark = pytest.mark.one_in(3)
CONFIG = "/tmp/docker-mailserver"  # noqa: S108 -- in the container
HOOKS = "/docker-entrypoint.d"
MAIN, MASTER = "postfix-main.cf", "postfix-master.cf"


def test_mail_arrives_by_them_alone(start: Starter, relay: Relay, config_dir: Path) -> None:
    """A relayhost, a login and TLS that stand nowhere else: the relay gets the mail, with that login."""
    lines = "relayhost = [relay.test]:587\nsmtp_sasl_auth_enable = yes\nsmtp_sasl_security_options = noanonymous\n"
    lines += "smtp_sasl_password_maps = static:own-user:own-pw\nsmtp_tls_security_level = encrypt\n"
    (config_dir / MAIN).write_text(lines)
    (config_dir / MASTER).write_text("smtp/unix/syslog_name=postfix/own\n")
    container = start.ready(f"--volume={config_dir}:{CONFIG}:ro")
    sender = send(container, "one.test")
    assert relay.wait_for_mail(sender)["login"] == ["own-user", "own-pw"]
    # The relay has the message before the log says so.
    wait_for(lambda: "postfix/own/smtp[" in container.log(), "the delivery in the log")
    assert "own-pw" not in container.log() + container.execute("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")


def test_a_line_comes_and_goes(start: Starter, config_dir: Path) -> None:
    """With ``apply`` in the running container, and at a restart, which then changes nothing more."""
    (config_dir / MAIN).write_text("myhostname = own.test\n")
    # The keeper may be quicker than the command.
    container = start.ready(f"--volume={config_dir}:{CONFIG}", DEFAULT_RELAY_HOST="[relay.test]:587", RELAY_WATCH="no")
    before = container.execute("postconf", "-n")
    assert "myhostname = own.test" in before.splitlines()
    (config_dir / MAIN).write_text("message_size_limit = 2048\n")
    (config_dir / MASTER).write_text("smtp/inet/smtpd_banner=$myhostname,own\n")
    assert "and what postfix-master.cf says" in container.execute("dms-relay", "apply")
    assert container.execute("postconf", "-h", "message_size_limit") == "2048\n"
    assert container.execute("postconf", "-P", "smtp/inet/smtpd_banner") == "smtp/inet/smtpd_banner = $myhostname,own\n"
    assert "myhostname = own.test" not in container.execute("postconf", "-n").splitlines()
    stamps = container.execute("stat", "-c", "%n %y", "/etc/postfix/main.cf", "/etc/postfix/master.cf")
    container.engine.call("restart", container.name)
    container.wait_until_ready(2)
    assert container.execute("stat", "-c", "%n %y", "/etc/postfix/main.cf", "/etc/postfix/master.cf") == stamps
    for name in (MAIN, MASTER):
        (config_dir / name).unlink()
    container.engine.call("restart", container.name)
    container.wait_until_ready(3)
    assert container.execute("postconf", "-h", "message_size_limit") == "10240000\n"
    assert "smtpd_banner" not in container.execute("postconf", "-P")


def test_a_hook_in_between(start: Starter, config_dir: Path, tmp_path: Path) -> None:
    """What a hook before theirs sets is overridden, and what one behind it sets stays."""
    (config_dir / MAIN).write_text("message_size_limit = 2048\nmailbox_size_limit = 4096\n")
    options = [f"--volume={config_dir}:{CONFIG}:ro"]
    for name, setting in {"25-mine": "message_size_limit=1", "35-mine": "mailbox_size_limit=8192"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\npostconf -e {setting}\n")
        (tmp_path / name).chmod(0o755)
        options.append(f"--volume={tmp_path}/{name}:{HOOKS}/{name}:ro")
    container = start.ready(*options)
    found = container.execute("postconf", "-h", "message_size_limit", "mailbox_size_limit")
    assert found.split() == ["2048", "8192"]


def test_the_hook_is_taken_out(start: Starter, config_dir: Path, tmp_path: Path) -> None:
    """Then nobody applies them, and a warning says so."""
    (config_dir / MAIN).write_text("message_size_limit = 2048\n")
    (tmp_path / "empty").touch()
    options = [f"--volume={config_dir}:{CONFIG}:ro", f"--volume={tmp_path}/empty:{HOOKS}/30-user-files:ro"]
    container = start.ready(*options)
    assert container.execute("postconf", "-h", "message_size_limit") == "10240000\n"
    assert "postfix-main.cf:1: nothing applies this file here" in container.log()


def test_a_wrong_line_stops_the_start(start: Starter, config_dir: Path) -> None:
    """The container ends with exit code 78, and the log says file, line and what to write."""
    (config_dir / MASTER).write_text("#\nsmpt/unix/smtp_helo_name=own.test\n")
    container = start(f"--volume={config_dir}:{CONFIG}:ro")
    assert container.wait_until_ended() == 78
    assert (
        "postfix-master.cf:2: there is no service smpt/unix in master.cf -- write one of smtp/inet" in container.log()
    )


def test_a_relay_in_the_hosts_file(start: Starter, relay: Relay) -> None:
    """A name that stands in /etc/hosts alone (extra_hosts, hostAliases) is found, where the DNS says that it has none."""
    # On a network without a way out, Docker's own name server fails for every name that is not a container's.
    options = (f"--add-host=only-in-hosts:{relay.address()}", f"--dns={relay.address()}")
    container = start.ready(*options, DEFAULT_RELAY_HOST="[only-in-hosts]:587", RELAY_USER="u", RELAY_PASSWORD="pw")
    relay.wait_for_mail(send(container, "one.test"))


def test_a_relay_in_the_hosts_file_without_a_dns(start: Starter, relay: Relay, config_dir: Path) -> None:
    """Where no DNS server answers, `test` says what to write in postfix-main.cf; with that it is found."""
    # Nothing answers at the documentation's addresses (RFC 5737).
    options = [f"--add-host=only-in-hosts:{relay.address()}", "--dns=192.0.2.1", f"--volume={config_dir}:{CONFIG}:ro"]
    container = start.ready(*options, DEFAULT_RELAY_HOST="[only-in-hosts]:587", RELAY_USER="u", RELAY_PASSWORD="pw")
    with pytest.raises(EngineError, match=r"set smtp_host_lookup = native in main\.cf, in the image in"):
        container.execute("dms-relay", "test", "--timeout", "1")
    (config_dir / MAIN).write_text("smtp_host_lookup = native\n")
    container.execute("dms-relay", "apply")
    relay.wait_for_mail(send(container, "one.test"))
